//! When or how often a key is used: the 24 access bits of its entry.
//!
//! Under an LFU policy they are the minute of the last use (16 bits) above a counter (8 bits) that rises ever more rarely, as a
//! Morris counter, and falls with the time that passes: the scheme and the defaults of Redis. Under any other policy they are the
//! second of the last use. Bits written under one policy mean little under the other, until the key is used again.

/// Width of the access bits.
pub const ACCESS_MASK: u32 = (1 << 24) - 1;
/// A new key's count: it must survive long enough to be used again.
const COUNT_NEW: u32 = 5;
const COUNT_MASK: u32 = 0xff;
const MINUTES_MASK: u32 = 0xffff;
/// Clocks of other nodes may be ahead by as much (seconds).
const AHEAD_MAX: u32 = 86_400;

/// How the counter rises and falls: `lfu-log-factor`, `lfu-decay-time`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lfu {
    /// 0: every use counts.
    pub log_factor: u32,
    /// Minutes after which one is taken off, 0 = never.
    pub decay_minutes: u32,
}

impl Default for Lfu {
    fn default() -> Self {
        Lfu { log_factor: 10, decay_minutes: 1 }
    }
}

fn minutes(now_s: u64) -> u32 {
    (now_s / 60) as u32 & MINUTES_MASK
}

impl Lfu {
    /// One word for an atomic; 0 is `None`. Both numbers fit 31 bits.
    pub fn to_bits(lfu: Option<Lfu>) -> u64 {
        lfu.map_or(0, |l| 1 | u64::from(l.log_factor) << 1 | u64::from(l.decay_minutes) << 32)
    }

    #[inline]
    pub fn from_bits(bits: u64) -> Option<Lfu> {
        if bits == 0 {
            return None;
        }
        Some(Lfu { log_factor: (bits >> 1) as u32 & 0x7fff_ffff, decay_minutes: (bits >> 32) as u32 })
    }

    /// The bits of a key made now.
    pub fn fresh(now_s: u64) -> u32 {
        Lfu::counted(COUNT_NEW as u8, now_s)
    }

    /// The bits of a key that was used so often, last now.
    pub fn counted(count: u8, now_s: u64) -> u32 {
        minutes(now_s) << 8 | u32::from(count)
    }

    /// The counter, less what the time since the last use takes off.
    pub fn count(self, bits: u32, now_s: u64) -> u8 {
        let count = bits & COUNT_MASK;
        let passed = minutes(now_s).wrapping_sub(bits >> 8) & MINUTES_MASK;
        let periods = passed.checked_div(self.decay_minutes).unwrap_or(0);
        count.saturating_sub(periods) as u8
    }

    /// The bits after a use; `random` decides whether it counts.
    pub fn used(self, bits: u32, now_s: u64, random: u64) -> u32 {
        let count = u32::from(self.count(bits, now_s));
        let odds = u64::from(count.saturating_sub(COUNT_NEW)) * u64::from(self.log_factor) + 1;
        let counts = count < COUNT_MASK && random.is_multiple_of(odds);
        minutes(now_s) << 8 | (count + u32::from(counts))
    }
}

/// Seconds since the last use, where the bits are a second.
pub fn idle_seconds(bits: u32, now_s: u64) -> u64 {
    let idle = (now_s as u32).wrapping_sub(bits) & ACCESS_MASK;
    // Used a moment ahead of our clock.
    if idle > ACCESS_MASK - AHEAD_MAX { 0 } else { u64::from(idle) }
}

/// The later of two seconds, the second given in full.
pub fn later(bits: u32, now_s: u64) -> u32 {
    let new = now_s as u32 & ACCESS_MASK;
    let behind = bits.wrapping_sub(new) & ACCESS_MASK;
    if behind < AHEAD_MAX { bits } else { new }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_use_always_counts_and_later_ones_ever_more_rarely() {
        let lfu = Lfu::default();
        let bits = Lfu::fresh(600);
        assert_eq!(lfu.count(bits, 600), 5);
        let once = lfu.used(bits, 600, 12_345);
        assert_eq!(lfu.count(once, 600), 6);
        // At 6 one in eleven counts.
        assert_eq!(lfu.count(lfu.used(once, 600, 10), 600), 6);
        assert_eq!(lfu.count(lfu.used(once, 600, 22), 600), 7);
    }

    #[test]
    fn counts_after_many_uses_are_those_of_redis_documentation() {
        // Its table for a factor of 10: 10 after a hundred uses, 18 after a thousand, 142 after a hundred thousand.
        let mut state = 7u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        };
        for (uses, low, high) in [(100, 8, 14), (1000, 15, 26), (100_000, 125, 160)] {
            let lfu = Lfu::default();
            let bits = (0..uses).fold(Lfu::fresh(0), |bits, _| lfu.used(bits, 0, random()));
            let count = lfu.count(bits, 0);
            assert!((low..=high).contains(&count), "{uses} uses: {count}");
        }
    }

    #[test]
    fn the_count_falls_by_one_in_each_period_and_the_clock_may_wrap() {
        let lfu = Lfu { log_factor: 10, decay_minutes: 2 };
        let bits = 100 << 8 | 50;
        assert_eq!(lfu.count(bits, 101 * 60), 50);
        assert_eq!(lfu.count(bits, 104 * 60), 48);
        assert_eq!(lfu.count(bits, 900 * 60), 0);
        let before_wrap = MINUTES_MASK << 8 | 50;
        assert_eq!(lfu.count(before_wrap, (1 << 16) * 60), 50);
        assert_eq!(Lfu { decay_minutes: 0, ..lfu }.count(bits, 9000 * 60), 50);
    }

    #[test]
    fn bits_of_the_setting_read_back() {
        for lfu in [None, Some(Lfu::default()), Some(Lfu { log_factor: 0, decay_minutes: 0 })] {
            assert_eq!(Lfu::from_bits(Lfu::to_bits(lfu)), lfu);
        }
        let most = Lfu { log_factor: i32::MAX as u32, decay_minutes: i32::MAX as u32 };
        assert_eq!(Lfu::from_bits(Lfu::to_bits(Some(most))), Some(most));
    }

    #[test]
    fn idle_time_counts_from_the_latest_use_whichever_clock_told_it() {
        assert_eq!(idle_seconds(100, 130), 30);
        assert_eq!(idle_seconds(ACCESS_MASK, (1 << 24) + 4), 5);
        // A clock ahead of ours.
        assert_eq!(idle_seconds(160, 130), 0);
        assert_eq!((later(100, 130), later(130, 100)), (130, 130));
        // Long ago is not ahead.
        assert_eq!(later(0, 1 << 23), 1 << 23);
    }
}
