//! One database's part of a shard: an open-addressing table of entry pointers.
//!
//! A slot is 64 bits: a 16-bit tag (low bits of the hash) above a 48-bit pointer; 0 is empty, 1 a tombstone. The home slot is
//! the hash's bits just below the shard's, so slot order is hash order up to probing: [`Table::scan`] walks *hash space*, and its
//! cursor survives any resize.
//!
//! Invariants: at most 7/8 of the slots are used (tombstones included); every pointer in a slot is live.
#![allow(unsafe_code)] // Slots hold tagged pointers; see entry.rs.

mod entry;

pub use entry::{Entry, EntryPtr};

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
        // Capacity is a power of two of at least CAPACITY_MIN, so the shift is below 64.
        (hash << SHARD_BITS >> (64 - self.slots.len().trailing_zeros())) as usize
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

    /// Where the home slot is, for a prefetch; null while the table is empty.
    #[inline]
    pub fn slot_address(&self, hash: u64) -> *const u8 {
        if self.slots.is_empty() {
            return std::ptr::null();
        }
        (&raw const self.slots[self.home(hash)]).cast()
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
            at = (at + 1) & (self.slots.len() - 1);
        }
        std::ptr::null()
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
            at = (at + 1) & (self.slots.len() - 1);
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
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    /// Adds an entry that is not there. `hash_of` hashes a key again when the table grows.
    pub fn insert(&mut self, hash: u64, ptr: EntryPtr, hash_of: impl Fn(&[u8]) -> u64) -> Entry<'_> {
        if (self.used + self.tombstones + 1) * 8 > self.slots.len() * 7 {
            self.resize(hash_of);
        }
        let mut at = self.home(hash);
        while self.slots[at] > TOMBSTONE {
            at = (at + 1) & (self.slots.len() - 1);
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
        let next = (at + 1) & (self.slots.len() - 1);
        if self.slots[next] == EMPTY {
            // Nothing probes past here: no tombstone needed, nor the ones that led here.
            self.slots[at] = EMPTY;
            let mut back = at.wrapping_sub(1) & (self.slots.len() - 1);
            while self.slots[back] == TOMBSTONE {
                self.slots[back] = EMPTY;
                self.tombstones -= 1;
                back = back.wrapping_sub(1) & (self.slots.len() - 1);
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
        let want = (self.used + 1) * 8 / 7 + 1;
        let mut capacity = want.next_power_of_two().max(CAPACITY_MIN);
        // Room for a good many inserts before the next time.
        if (self.used + 1) * 8 > capacity * 6 {
            capacity *= 2;
        }
        let old = std::mem::replace(&mut self.slots, vec![EMPTY; capacity].into_boxed_slice());
        self.tombstones = 0;
        for slot in old.into_iter().filter(|s| *s > TOMBSTONE) {
            let ptr = Self::pointer(slot);
            let mut at = self.home(hash_of(ptr.key()));
            while self.slots[at] != EMPTY {
                at = (at + 1) & (capacity - 1);
            }
            self.slots[at] = slot;
        }
    }

    /// Every entry, in slot order.
    pub fn for_each(&mut self, mut visit: impl FnMut(Entry<'_>)) {
        for slot in self.slots.iter().filter(|s| **s > TOMBSTONE) {
            // SAFETY: live by the invariant; `&mut self` is the shard's lock.
            visit(unsafe { Self::pointer(*slot).entry() });
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
        let shift = 64 - capacity.trailing_zeros() - SHARD_BITS;
        let shard = from >> (64 - SHARD_BITS) << (64 - SHARD_BITS);
        let mut visited = 0;
        let mut visit_slot = |at: usize, slot: u64, wrapped: bool| {
            // SAFETY: live by the invariant; `&mut self` is the shard's lock.
            let entry = unsafe { Self::pointer(slot).entry() };
            let hash = hash_of(entry.key());
            let home = (hash << SHARD_BITS >> (64 - capacity.trailing_zeros())) as usize;
            if hash >= from && wrapped == (home > at) {
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
                    return Some(shard | (at as u64) << shift);
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
            }
        }
        for ptr in table.drain() {
            // SAFETY: drained.
            unsafe { ptr.free() };
        }
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
