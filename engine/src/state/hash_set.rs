//! A set of byte strings in hash order.
//!
//! Open addressing with linear probing; the home slot is the hash's top bits, so slot order is hash order up to probing and a
//! scan's cursor is a place in hash space that survives growth. Removal shifts back: no tombstones.

use xxhash_rust::xxh3::xxh3_64;

const CAPACITY_MIN: usize = 8;

#[derive(Clone, Debug)]
struct Slot {
    hash: u32,
    member: Box<[u8]>,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct HashSet {
    slots: Vec<Option<Slot>>,
    len: usize,
}

fn hash(member: &[u8]) -> u32 {
    (xxh3_64(member) >> 32) as u32
}

impl HashSet {
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes out of line, in blocks of the allocator; members by the mean of the first `samples` (0 = all).
    pub fn heap_bytes(&self, samples: usize, block: fn(usize) -> usize) -> usize {
        let looked = if samples == 0 { self.len } else { samples.min(self.len) };
        let members: usize = self.iter().take(looked).map(|m| block(m.len())).sum();
        let slots = block(self.slots.capacity() * size_of::<Option<Slot>>());
        slots + (members * self.len).checked_div(looked).unwrap_or(0)
    }

    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.slots.len() as u64) >> 32) as usize
    }

    fn next(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() { 0 } else { at + 1 }
    }

    /// The member's slot, or the empty one where it would go.
    fn position(&self, hash: u32, member: &[u8]) -> Result<usize, usize> {
        let mut at = self.home(hash);
        while let Some(slot) = &self.slots[at] {
            if slot.hash == hash && *slot.member == *member {
                return Ok(at);
            }
            at = self.next(at);
        }
        Err(at)
    }

    pub fn contains(&self, member: &[u8]) -> bool {
        self.len > 0 && self.position(hash(member), member).is_ok()
    }

    pub fn insert(&mut self, member: &[u8]) -> bool {
        if (self.len + 1) * 4 > self.slots.len() * 3 {
            self.resize((self.slots.len() * 2).max(CAPACITY_MIN));
        }
        let hash = hash(member);
        let Err(at) = self.position(hash, member) else { return false };
        self.slots[at] = Some(Slot { hash, member: member.into() });
        self.len += 1;
        true
    }

    pub fn remove(&mut self, member: &[u8]) -> bool {
        if self.len == 0 {
            return false;
        }
        let Ok(mut hole) = self.position(hash(member), member) else { return false };
        self.slots[hole] = None;
        self.len -= 1;
        let mut at = self.next(hole);
        while let Some(slot) = &self.slots[at] {
            // It may move back when its home is not between the hole (excluded) and where it stands.
            let home = self.home(slot.hash);
            let stays = if hole < at { hole < home && home <= at } else { hole < home || home <= at };
            if !stays {
                self.slots[hole] = self.slots[at].take();
                hole = at;
            }
            at = self.next(at);
        }
        if self.slots.len() > CAPACITY_MIN && self.len * 8 < self.slots.len() {
            self.resize((self.slots.len() / 2).max(CAPACITY_MIN));
        }
        true
    }

    fn resize(&mut self, capacity: usize) {
        let old = std::mem::take(&mut self.slots);
        self.slots.resize_with(capacity, || None);
        for slot in old.into_iter().flatten() {
            let mut at = self.home(slot.hash);
            while self.slots[at].is_some() {
                at = self.next(at);
            }
            self.slots[at] = Some(slot);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> + '_ {
        self.slots.iter().flatten().map(|s| &*s.member)
    }

    /// A member, all equally likely: the table is never emptier than an eighth.
    pub fn random(&self, random: &mut dyn FnMut() -> u64) -> Option<&[u8]> {
        if self.len == 0 {
            return None;
        }
        loop {
            let at = (random() % self.slots.len() as u64) as usize;
            if let Some(slot) = &self.slots[at] {
                return Some(&slot.member);
            }
        }
    }

    /// As [`super::set::SetValue::scan`]; the cursor is the least hash not yet visited.
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(&[u8])) -> u64 {
        let Ok(from) = u32::try_from(cursor) else { return 0 };
        if self.len == 0 {
            return 0;
        }
        let mut visited = 0;
        for at in self.home(from)..self.slots.len() {
            match &self.slots[at] {
                None if visited >= count => {
                    // Everything with a home up to here was seen; go on with the least hash of the next home.
                    let next = ((at as u64) << 32).div_ceil(self.slots.len() as u64);
                    return next.max(cursor + 1);
                }
                Some(slot) if slot.hash >= from && self.home(slot.hash) <= at => {
                    visit(&slot.member);
                    visited += 1;
                }
                _ => {}
            }
        }
        // The last cluster may have wrapped to the front.
        for (at, slot) in self.slots.iter().enumerate() {
            let Some(slot) = slot else { break };
            if slot.hash >= from && self.home(slot.hash) > at {
                visit(&slot.member);
            }
        }
        0
    }
}
