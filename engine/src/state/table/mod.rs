//! One database's part of a shard: an open-addressing table of entry pointers.
//!
//! A slot is 64 bits: a 16-bit tag (low bits of the hash) above a 48-bit pointer; 0 is empty, 1 a tombstone. The home slot is
//! the hash's bits just below the shard's, so slot order is hash order up to probing: [`Table::scan`] walks *hash space*, and its
//! cursor survives any resize.
//!
//! Invariants: at most 7/8 of the slots are used (tombstones included); every pointer in a slot is live.
#![allow(unsafe_code)] // Slots hold tagged pointers; see entry.rs.

mod entry;

pub use entry::{Entry, EntryPtr, dead_bytes};

use super::list::Ends;
use super::value::ValueRef;

/// Hash bits that choose the shard.
pub const SHARD_BITS: u32 = 10;
/// Shards of an engine.
pub const SHARDS: usize = 1 << SHARD_BITS;

const EMPTY: u64 = 0;
const TOMBSTONE: u64 = 1;
const POINTER_BITS: u32 = 48;
const POINTER_MASK: u64 = (1 << POINTER_BITS) - 1;
const CAPACITY_MIN: usize = 8;

/// The shard of a hash.
#[inline]
pub fn shard_of(hash: u64) -> usize {
    (hash >> (64 - SHARD_BITS)) as usize
}

/// Brings the cache line at an address near. A hint: any address is allowed.
#[inline]
pub fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch never faults.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Brings a thing of two cache lines at most near.
#[inline]
pub fn prefetch_all<T>(thing: &T) {
    let first: *const u8 = (&raw const *thing).cast();
    prefetch(first);
    prefetch(first.wrapping_add(size_of::<T>() - 1));
}

/// Hash → entry.
pub struct Table {
    slots: Box<[u64]>,
    used: usize,
    tombstones: usize,
}

impl Default for Table {
    fn default() -> Self {
        Self::new()
    }
}

impl Table {
    pub fn new() -> Self {
        Table { slots: Box::new([]), used: 0, tombstones: 0 }
    }

    /// Entries, ghosts included.
    pub fn len(&self) -> usize {
        self.used
    }

    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Bytes of the slot array.
    pub fn slot_bytes(&self) -> usize {
        self.slots.len() * 8
    }

    #[inline]
    fn home(&self, hash: u64) -> usize {
        home_of(hash, self.slots.len())
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() { 0 } else { at + 1 }
    }

    #[inline]
    fn before(&self, at: usize) -> usize {
        if at == 0 { self.slots.len() - 1 } else { at - 1 }
    }

    #[inline]
    fn tagged(ptr: EntryPtr, hash: u64) -> u64 {
        ptr.to_bits() | hash << POINTER_BITS
    }

    #[inline]
    fn pointer(slot: u64) -> EntryPtr {
        // SAFETY: slots above TOMBSTONE hold live pointers (the table's invariant).
        unsafe { EntryPtr::from_bits(slot & POINTER_MASK) }
    }

    /// Address and number of the slots, for prefetches of [`home_of`].
    #[inline]
    pub fn slots_at(&self) -> (usize, usize) {
        (self.slots.as_ptr() as usize, self.slots.len())
    }

    /// The memory of the first entry whose tag matches, for a prefetch; null when there is none.
    #[inline]
    pub fn entry_address(&self, hash: u64) -> *const u8 {
        if self.slots.is_empty() {
            return std::ptr::null();
        }
        let mut at = self.home(hash);
        // A few slots are as far as a cache line reaches.
        for _ in 0..4 {
            let slot = self.slots[at];
            if slot == EMPTY {
                break;
            }
            if slot > TOMBSTONE && slot >> POINTER_BITS == hash & 0xffff {
                return (slot & POINTER_MASK) as *const u8;
            }
            at = self.after(at);
        }
        std::ptr::null()
    }

    /// Brings near what the value of the first entry whose tag matches has out of line.
    #[inline]
    pub fn prefetch_value(&self, hash: u64) {
        let address = self.entry_address(hash);
        if !address.is_null() {
            // SAFETY: a live pointer by the invariant, and the shard is held; nothing is changed.
            unsafe { EntryPtr::from_bits(address as u64).prefetch_value() }
        }
    }

    /// Brings near what these ends of a list lie in, or the end of a stream, if the first entry whose tag matches is one.
    #[inline]
    pub(crate) fn prefetch_ends(&self, hash: u64, ends: Ends) {
        let address = self.entry_address(hash);
        if address.is_null() {
            return;
        }
        // SAFETY: a live pointer by the invariant, and the shard is held; nothing is changed.
        let entry = unsafe { EntryPtr::from_bits(address as u64).entry() };
        match entry.value() {
            Some(ValueRef::List(list)) => list.prefetch_ends(ends),
            Some(ValueRef::Stream(stream)) => stream.prefetch_end(ends),
            _ => {}
        }
    }

    #[inline]
    fn position(&self, hash: u64, key: &[u8]) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let mut at = self.home(hash);
        loop {
            let slot = self.slots[at];
            if slot == EMPTY {
                return None;
            }
            if slot > TOMBSTONE && slot >> POINTER_BITS == hash & 0xffff && Self::pointer(slot).key() == key {
                return Some(at);
            }
            at = self.after(at);
        }
    }

    #[inline]
    pub fn find(&mut self, hash: u64, key: &[u8]) -> Option<Entry<'_>> {
        let at = self.position(hash, key)?;
        // SAFETY: live by the invariant; `&mut self` is the shard's lock.
        Some(unsafe { Self::pointer(self.slots[at]).entry() })
    }

    /// True when `test` holds for an entry whose tag and home could be `hash`'s.
    pub fn any_with_hash(&self, hash: u64, mut test: impl FnMut(&Entry<'_>) -> bool) -> bool {
        if self.slots.is_empty() {
            return false;
        }
        let mut at = self.home(hash);
        loop {
            let slot = self.slots[at];
            if slot == EMPTY {
                return false;
            }
            if slot > TOMBSTONE && slot >> POINTER_BITS == hash & 0xffff {
                // SAFETY: live by the invariant; only read through.
                let entry = unsafe { Self::pointer(slot).entry() };
                if test(&entry) {
                    return true;
                }
            }
            at = self.after(at);
        }
    }

    /// Adds an entry that is not there. `hash_of` hashes a key again when the table grows.
    pub fn insert(&mut self, hash: u64, ptr: EntryPtr, hash_of: impl Fn(&[u8]) -> u64) -> Entry<'_> {
        if (self.used + self.tombstones + 1) * 8 > self.slots.len() * 7 {
            self.resize(hash_of);
        }
        let mut at = self.home(hash);
        while self.slots[at] > TOMBSTONE {
            at = self.after(at);
        }
        if self.slots[at] == TOMBSTONE {
            self.tombstones -= 1;
        }
        self.slots[at] = Self::tagged(ptr, hash);
        self.used += 1;
        // SAFETY: just inserted; `&mut self` is the shard's lock.
        unsafe { ptr.entry() }
    }

    /// Takes an entry out of the table; its memory is the caller's to retire.
    pub fn remove(&mut self, hash: u64, key: &[u8]) -> Option<EntryPtr> {
        let at = self.position(hash, key)?;
        let ptr = Self::pointer(self.slots[at]);
        let next = self.after(at);
        if self.slots[next] == EMPTY {
            // Nothing probes past here: no tombstone needed, nor the ones that led here.
            self.slots[at] = EMPTY;
            let mut back = self.before(at);
            while self.slots[back] == TOMBSTONE {
                self.slots[back] = EMPTY;
                self.tombstones -= 1;
                back = self.before(back);
            }
        } else {
            self.slots[at] = TOMBSTONE;
            self.tombstones += 1;
        }
        self.used -= 1;
        Some(ptr)
    }

    /// Takes every entry out.
    pub fn drain(&mut self) -> Vec<EntryPtr> {
        let slots = std::mem::take(self).slots;
        slots.iter().filter(|s| **s > TOMBSTONE).map(|s| Self::pointer(*s)).collect()
    }

    fn resize(&mut self, hash_of: impl Fn(&[u8]) -> u64) {
        let capacity = capacity_for(self.used + 1);
        let old = std::mem::replace(&mut self.slots, vec![EMPTY; capacity].into_boxed_slice());
        self.tombstones = 0;
        // Every key is read again: bring the next ones near meanwhile.
        const AHEAD: usize = 8;
        for (i, slot) in old.iter().enumerate() {
            if let Some(next) = old.get(i + AHEAD).filter(|s| **s > TOMBSTONE) {
                prefetch((*next & POINTER_MASK) as *const u8);
            }
            if *slot <= TOMBSTONE {
                continue;
            }
            let mut at = self.home(hash_of(Self::pointer(*slot).key()));
            while self.slots[at] != EMPTY {
                at = self.after(at);
            }
            self.slots[at] = *slot;
        }
    }

    /// Every entry, in slot order.
    pub fn for_each(&mut self, mut visit: impl FnMut(Entry<'_>)) {
        for slot in self.slots.iter().filter(|s| **s > TOMBSTONE) {
            // SAFETY: live by the invariant; `&mut self` is the shard's lock.
            visit(unsafe { Self::pointer(*slot).entry() });
        }
    }

    /// Visits entries from a place on (any number), once around at most, until `visit` says false.
    pub fn around(&mut self, place: u64, mut visit: impl FnMut(Entry<'_>) -> bool) {
        let capacity = self.slots.len();
        if self.used == 0 {
            return;
        }
        let start = (place % capacity as u64) as usize;
        for at in (start..capacity).chain(0..start) {
            // SAFETY: live by the invariant; `&mut self` is the shard's lock.
            if self.slots[at] > TOMBSTONE && !visit(unsafe { Self::pointer(self.slots[at]).entry() }) {
                return;
            }
        }
    }

    /// Slots for so many entries in a table that has none.
    pub fn reserve_empty(&mut self, entries: usize) {
        if self.used == 0 {
            self.slots = vec![EMPTY; capacity_for(entries)].into_boxed_slice();
            self.tombstones = 0;
        }
    }

    /// Visits every entry whose hash lies from `first` to `last`, in slot order.
    pub fn range(
        &mut self,
        first: u64,
        last: u64,
        hash_of: &dyn Fn(&[u8]) -> u64,
        mut visit: impl FnMut(Entry<'_>),
    ) {
        const AHEAD: usize = 8;
        let capacity = self.slots.len();
        if self.used == 0 {
            return;
        }
        let (from, to) = (self.home(first), self.home(last));
        let mut at = from;
        for step in 0..capacity {
            let slot = self.slots[at];
            // Nothing probes across an empty slot, so what belongs to the range ends at the first one after its last home.
            if slot == EMPTY && from + step >= to {
                return;
            }
            let next = at + AHEAD;
            if let Some(next) = self.slots.get(next).filter(|slot| **slot > TOMBSTONE) {
                prefetch((*next & POINTER_MASK) as *const u8);
            }
            if slot > TOMBSTONE {
                // SAFETY: live by the invariant; `&mut self` is the shard's lock.
                let entry = unsafe { Self::pointer(slot).entry() };
                if (first..=last).contains(&hash_of(entry.key())) {
                    visit(entry);
                }
            }
            at = self.after(at);
        }
    }

    /// Visits entries whose hash is at least `from` (all of one shard), in hash order up to probing, until `budget` were
    /// visited and a gap in the probing is reached. Returns the hash to go on from, `None` at the end of the shard.
    pub fn scan(
        &mut self,
        from: u64,
        budget: usize,
        hash_of: impl Fn(&[u8]) -> u64,
        mut visit: impl FnMut(Entry<'_>),
    ) -> Option<u64> {
        if self.slots.is_empty() {
            return None;
        }
        let capacity = self.slots.len();
        let shard = from >> (64 - SHARD_BITS) << (64 - SHARD_BITS);
        let mut visited = 0;
        let mut visit_slot = |at: usize, slot: u64, wrapped: bool| {
            // SAFETY: live by the invariant; `&mut self` is the shard's lock.
            let entry = unsafe { Self::pointer(slot).entry() };
            let hash = hash_of(entry.key());
            if hash >= from && wrapped == (home_of(hash, capacity) > at) {
                visit(entry);
                return true;
            }
            false
        };
        for at in self.home(from)..capacity {
            let slot = self.slots[at];
            if slot == EMPTY {
                if visited >= budget {
                    // All hashes of homes up to here were seen: nothing probes across an empty slot.
                    return Some(shard | first_hash_of(at, capacity));
                }
            } else if slot > TOMBSTONE && visit_slot(at, slot, false) {
                visited += 1;
            }
        }
        // The last cluster may have wrapped to the front.
        for at in 0..capacity {
            match self.slots[at] {
                EMPTY => break,
                TOMBSTONE => {}
                slot => {
                    visit_slot(at, slot, true);
                }
            }
        }
        None
    }
}

/// A hash's place among `capacity` slots, in proportion: any capacity keeps hash order.
#[inline]
pub fn home_of(hash: u64, capacity: usize) -> usize {
    ((u128::from(hash << SHARD_BITS) * capacity as u128) >> 64) as usize
}

/// The least hash, its shard's bits left out, whose home is `at`.
fn first_hash_of(at: usize, capacity: usize) -> u64 {
    let scaled = ((at as u128) << 64).div_ceil(capacity as u128);
    scaled.div_ceil(1 << SHARD_BITS) as u64
}

/// Slots for `entries`: a power of two or half as much again, at most three quarters of it in use.
fn capacity_for(entries: usize) -> usize {
    let want = (entries * 8).div_ceil(6).max(CAPACITY_MIN);
    let power = want.next_power_of_two();
    let less = power / 4 * 3;
    if less >= want { less } else { power }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::effect::Expiry;
    use crate::state::value::ValueRef;

    // Few distinct homes, so that clusters form, wrap and carry tombstones.
    fn crowded(key: &[u8]) -> u64 {
        let h = xxhash_rust::xxh3::xxh3_64(key);
        h & 0x0030_0000_0000_ffff | (h & 1) << 53 | 0x001f_0000_0000_0000 & (h << 20)
    }

    fn spread(key: &[u8]) -> u64 {
        xxhash_rust::xxh3::xxh3_64(key) >> SHARD_BITS
    }

    fn run(hash_of: fn(&[u8]) -> u64, steps: u64) {
        let mut table = Table::new();
        let mut model = BTreeMap::new();
        let mut state = 7u64;
        for step in 0..steps {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let key = (state >> 33).wrapping_rem(200).to_string().into_bytes();
            let hash = hash_of(&key);
            match state >> 60 {
                0..10 => {
                    if let Some(mut e) = table.find(hash, &key) {
                        e.set_string(&step.to_le_bytes(), Expiry::NEVER);
                    } else {
                        let ptr = EntryPtr::create(&key, 8, false);
                        table.insert(hash, ptr, hash_of).set_string(&step.to_le_bytes(), Expiry::NEVER);
                    }
                    model.insert(key, step);
                }
                _ => {
                    let removed = table.remove(hash, &key);
                    assert_eq!(removed.is_some(), model.remove(&key).is_some());
                    if let Some(ptr) = removed {
                        // SAFETY: out of the table, nobody else knows it.
                        unsafe { ptr.free() };
                    }
                }
            }
            assert_eq!(table.len(), model.len());
            if step % 97 == 0 {
                for (key, step) in &model {
                    let entry = table.find(hash_of(key), key).expect("a stored key is found");
                    assert_eq!(entry.value(), Some(ValueRef::String(&step.to_le_bytes())));
                }
                let (mut seen, mut from) = (BTreeSet::new(), Some(0));
                while let Some(at) = from {
                    from = table.scan(at, 3, hash_of, |e| {
                        assert!(seen.insert(e.key().to_vec()), "visited twice");
                    });
                    assert!(from.is_none_or(|next| next > at));
                }
                assert_eq!(seen.len(), model.len());
                let mut seen = BTreeSet::new();
                for quarter in 0..4u64 {
                    let first = quarter << 52;
                    table.range(first, first + ((1 << 52) - 1), &hash_of, |e| {
                        assert!(seen.insert(e.key().to_vec()), "visited twice");
                    });
                }
                assert_eq!(seen.len(), model.len());
            }
        }
        for ptr in table.drain() {
            // SAFETY: drained.
            unsafe { ptr.free() };
        }
    }

    #[test]
    fn a_slots_first_hash_is_the_least_that_lives_there() {
        for capacity in [8, 12, 16, 24, 1536, 2048, 3 << 20] {
            for at in [1, capacity / 3, capacity / 2, capacity - 1] {
                let first = first_hash_of(at, capacity);
                assert_eq!(
                    (home_of(first, capacity), home_of(first - 1, capacity)),
                    (at, at - 1),
                    "{at} of {capacity}"
                );
            }
        }
    }

    #[test]
    fn capacities_leave_a_quarter_free_and_grow_by_halves() {
        assert_eq!([1, 6, 7, 9, 897, 1345].map(capacity_for), [8, 8, 12, 12, 1536, 2048]);
    }

    #[test]
    fn agrees_with_a_map_when_hashes_collide() {
        run(crowded, 20_000);
    }

    #[test]
    fn agrees_with_a_map_when_hashes_spread() {
        run(spread, 20_000);
    }
}
