//! Ordered index over keys that live elsewhere.
//!
//! The index holds pointers only (8 bytes a key for the engine's), in key order, so that prefixes and ranges can be walked;
//! point lookups go to the hash table. New keys enter through an unsorted [`Tail`] per hash shard, a push each, and are merged into
//! the [`Index`]'s run in bounded steps when a walk needs them; overwrites and reads never come here.
//!
//! Invariant: a pointer is handed back for freeing exactly once, and only when the index holds it nowhere.

mod index;
mod tail;

pub use index::Index;
pub use tail::Tail;

/// What the index holds: a small copyable pointer to something that owns its key.
///
/// The key must not change while the pointer is held; `is_dead` turns true once and for ever.
pub trait Keyed: Copy + Send {
    fn key(&self) -> &[u8];
    /// The key was removed: walks skip it, merges and sweeps hand it back.
    fn is_dead(&self) -> bool;
}

/// The first key after every key that begins with `prefix`; `None` when there is none (empty, or all 0xff).
pub fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let keep = prefix.iter().rposition(|b| *b != 0xff)?;
    let mut end = prefix[..=keep].to_vec();
    end[keep] += 1;
    Some(end)
}
