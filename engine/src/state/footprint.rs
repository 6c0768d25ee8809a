//! What a key costs in memory (MEMORY USAGE), and what the keyspace costs besides its values.

use super::shard::{Shard, Slot};
use super::table::EntryPtr;
use super::value::ValueMut;
use crate::merge::Window;

/// Bytes of one place in the queue of expiries.
const DUE_BYTES: usize = size_of::<(u64, u64, u32)>();
/// An entry's header, the part of it that is neither key nor value.
const HEADER_BYTES: usize = 16;

/// Bytes that keys cost besides their names and values.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Overhead {
    /// Slots and entry headers.
    pub main: u64,
    /// Places in the queue of expiries.
    pub expires: u64,
}

impl Shard {
    /// Bytes that a key takes, in blocks of the allocator: its entry, its value, its share of table, index and queue, its
    /// window's frame. A collection's members are weighed by the mean of `samples` of them, 0 for all. `None` when there is no
    /// such entry.
    pub(crate) fn footprint(
        &mut self,
        db: u32,
        hash: u64,
        key: &[u8],
        samples: usize,
        block: fn(usize) -> usize,
    ) -> Option<usize> {
        let part = self.parts.get_mut(db as usize)?;
        let slot_share = part.table.slot_bytes() / part.table.len().max(1);
        let mut entry = part.table.find(hash, key)?;
        let mut bytes = block(entry.inline_bytes()) + slot_share + size_of::<EntryPtr>();
        if entry.expiry() != crate::effect::Expiry::NEVER {
            bytes += DUE_BYTES;
        }
        let boxed = entry.box_bytes();
        if boxed > 0 {
            bytes += block(boxed);
        }
        bytes += match entry.value_mut() {
            Some(ValueMut::String(text)) => block(text.capacity()),
            Some(ValueMut::Set(set)) => set.heap_bytes(samples, block),
            Some(ValueMut::Hash(hash)) => hash.heap_bytes(samples, block),
            Some(ValueMut::ZSet(zset)) => zset.heap_bytes(samples, block),
            Some(ValueMut::List(list)) => list.heap_bytes(samples, block),
            Some(ValueMut::Stream(stream)) => stream.heap_bytes(samples, block),
            None => 0,
        };
        let ptr = entry.ptr();
        bytes += match self.windows.get(&ptr) {
            None => 0,
            Some(Slot::Assigned { .. }) => size_of::<(EntryPtr, Slot)>(),
            Some(Slot::Open(_)) => size_of::<(EntryPtr, Slot)>() + block(size_of::<Window>()),
        };
        Some(bytes)
    }

    /// What a database's keys here cost besides names and values.
    pub(crate) fn overhead(&self, db: u32) -> Overhead {
        let Some(part) = self.parts.get(db as usize) else { return Overhead::default() };
        let main = part.table.slot_bytes() + part.table.len() * HEADER_BYTES;
        Overhead { main: main as u64, expires: (part.expires * DUE_BYTES) as u64 }
    }
}
