//! Memory: what the process uses, and staying below `maxmemory`.
//!
//! The limit is compared with the allocator's exact count before every command that adds data. Past it such a command first
//! evicts, for a bounded time, before it takes any lock; it is refused only when nothing can go. The housekeeping thread evicts
//! as well, so that what commands leave behind does not stay. Effects of peers are never refused.

use std::sync::atomic::Ordering::Relaxed;

use super::{Call, Server};
use crate::core::{Policy, Turn};
use crate::state::table::dead_bytes;

/// Evictions between two looks at the clock.
const EVICTIONS_PER_LOOK: usize = 16;
/// Evictions in one go, whatever the clock says.
const EVICTIONS_MAX: usize = 10_000;
/// How long the housekeeping thread may go on evicting in one step, microseconds.
const STEP_US: u64 = 10_000;
/// Removed keys that indexes hold may take this share of the limit before they are swept out.
const DEAD_SHARE: u64 = 16;

/// How long a command may go on evicting, microseconds; `None` for as long as it takes. The curve is Redis'.
fn eviction_us(tenacity: u32) -> Option<u64> {
    match tenacity {
        0..=10 => Some(50 * u64::from(tenacity)),
        11..=99 => Some((500.0 * 1.15f64.powi(tenacity as i32 - 10)) as u64),
        _ => None,
    }
}

impl Server {
    /// Bytes now allocated; remembers the most.
    pub fn memory_used(&self) -> u64 {
        let used = self.host().allocated();
        self.memory_peak.fetch_max(used, Relaxed);
        used
    }

    /// Most bytes allocated at once, as far as was looked.
    pub fn memory_most(&self) -> u64 {
        self.memory_peak.load(Relaxed)
    }

    #[inline]
    pub(super) fn has_memory_limit(&self) -> bool {
        self.config.live().memory_max.load(Relaxed) > 0
    }

    /// Past the limit. Removed keys whose memory waits for an index do not count: evicting more would not free them sooner.
    fn is_over_limit(&self) -> bool {
        let max = self.config.live().memory_max.load(Relaxed);
        max > 0 && self.host().allocated().saturating_sub(dead_bytes()) > max
    }

    /// Makes room for a command that adds data. False when there is none and nothing can be evicted.
    pub(super) fn make_room(&self, turn: &Turn) -> bool {
        if !self.is_over_limit() {
            return true;
        }
        let live = self.config.live();
        let most_us = eviction_us(live.eviction_tenacity.load(Relaxed));
        live.policy().is_some_and(|policy| self.evict(turn, policy, most_us))
    }

    /// Evicts until the memory used is below the limit, or time is up. False when nothing was left to evict.
    #[cold]
    fn evict(&self, turn: &Turn, policy: Policy, most_us: Option<u64>) -> bool {
        let samples = self.config.live().eviction_samples.load(Relaxed);
        let began_us = self.host().monotonic_us();
        for done in 1..=EVICTIONS_MAX {
            // Let go of after each, for others that need room as well.
            if !self.engine().evict_one(turn, policy, samples, &mut self.eviction.lock()) {
                return false;
            }
            if !self.is_over_limit() {
                return true;
            }
            if done % EVICTIONS_PER_LOOK == 0
                && most_us.is_some_and(|us| self.host().monotonic_us().saturating_sub(began_us) > us)
            {
                return true;
            }
        }
        true
    }

    /// Background upkeep: evicts for a bounded time when that is due. Call often.
    pub fn evict_step(&self, now_ms: u64) {
        let max = self.config.live().memory_max.load(Relaxed);
        if max == 0 {
            return;
        }
        if dead_bytes() > max / DEAD_SHARE {
            self.engine().sweep_indexes(true);
        }
        if self.is_over_limit()
            && let Some(policy) = self.config.live().policy()
            && self.engine().writable().is_ok()
        {
            self.evict(&self.engine().turn(now_ms), policy, Some(STEP_US));
            // A refusal is met again, and answered, by the next command that writes.
            let _ = self.engine().end_turn();
        }
    }
}

/// What INFO memory and MEMORY STATS tell. Bytes.
#[derive(Clone, Default, Debug)]
pub(crate) struct Memory {
    pub used: u64,
    pub peak: u64,
    /// Allocated by the process before it had any data.
    pub startup: u64,
    pub rss: u64,
    /// Held by the allocator, handed out or not.
    pub committed: u64,
    pub clients: u64,
    /// All that is neither key nor value.
    pub overhead: u64,
    pub keys: u64,
    /// Removed keys that wait for an index to let go of them.
    pub dead: u64,
}

impl Memory {
    pub fn of(call: &Call<'_>) -> Memory {
        let (server, census) = (call.server, call.census());
        let used = server.memory_used();
        let usage = server.host().usage();
        let startup = server.host().facts().allocated_at_start.min(used);
        let clients = server.clients.memory();
        let tables: u64 = census.overheads.iter().map(|o| o.main + o.expires).sum();
        let dead = dead_bytes();
        Memory {
            used,
            peak: server.memory_peak.load(Relaxed).max(used),
            startup,
            rss: usage.rss,
            committed: usage.committed.max(used),
            clients,
            overhead: (startup + clients + tables + dead).min(used),
            keys: census.databases.iter().map(|db| db.0).sum(),
            dead,
        }
    }

    /// Keys and values.
    pub fn dataset(&self) -> u64 {
        self.used - self.overhead
    }

    /// Share of the dataset in what was allocated since the start, percent.
    pub fn dataset_percent(&self) -> f64 {
        percent(self.dataset(), self.used - self.startup)
    }

    pub fn peak_percent(&self) -> f64 {
        percent(self.used, self.peak)
    }

    /// Resident bytes for each byte used.
    pub fn fragmentation(&self) -> f64 {
        ratio(self.rss, self.used)
    }
}

/// Quotient of two sizes, 0 for nothing of nothing.
pub(crate) fn ratio(a: u64, b: u64) -> f64 {
    if b == 0 { 0.0 } else { a as f64 / b as f64 }
}

fn percent(a: u64, b: u64) -> f64 {
    100.0 * ratio(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenacity_goes_from_nothing_over_half_a_millisecond_to_no_end() {
        assert_eq!([0, 1, 10].map(eviction_us), [Some(0), Some(50), Some(500)]);
        assert!(eviction_us(11) > eviction_us(10) && eviction_us(99) > Some(60_000_000));
        assert_eq!(eviction_us(100), None);
    }
}
