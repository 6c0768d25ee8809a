//! Two places in one piece of memory, remembered in a word to be brought near before anything leads there.

use super::table::prefetch;

const ADDRESS_BITS: u32 = 48;

/// Where something was when it was last changed: a hint that may be out of date, and is only prefetched. By default nowhere.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spots(u64);

impl Spots {
    /// A place and another one behind it, up to 64 KB; farther ones count as that far.
    #[inline]
    pub fn new(first: *const u8, second: *const u8) -> Self {
        let apart = (second as u64).saturating_sub(first as u64).min(u64::from(u16::MAX));
        Spots(first as u64 & ((1 << ADDRESS_BITS) - 1) | apart << ADDRESS_BITS)
    }

    /// The two places; none when nothing was remembered.
    #[inline]
    fn get(self) -> Option<(u64, u64)> {
        let first = self.0 & ((1 << ADDRESS_BITS) - 1);
        (first != 0).then_some((first, first + (self.0 >> ADDRESS_BITS)))
    }

    /// Brings what is `around` bytes to either side of the first place near, and what is at the second.
    #[inline]
    pub fn prefetch(self, around: u64) {
        if let Some((first, second)) = self.get() {
            [first - around.min(first), first + around, second]
                .into_iter()
                .for_each(|at| prefetch(at as *const u8));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_places_are_read_back() {
        let bytes = [0u8; 100];
        let at = |i: usize| (&raw const bytes[i]) as u64;
        assert_eq!(Spots::default().get(), None);
        assert_eq!(Spots::new(&raw const bytes[3], &raw const bytes[90]).get(), Some((at(3), at(90))));
        assert_eq!(Spots::new(&raw const bytes[3], &raw const bytes[3]).get(), Some((at(3), at(3))));
        // Not behind it, or too far: the first place is what counts.
        assert_eq!(Spots::new(&raw const bytes[9], &raw const bytes[3]).get(), Some((at(9), at(9))));
        let far = bytes.as_ptr().wrapping_add(1 << 20);
        assert_eq!(Spots::new(bytes.as_ptr(), far).get(), Some((at(0), at(0) + 0xffff)));
    }
}
