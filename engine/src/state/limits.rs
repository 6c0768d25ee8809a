//! Where collections leave their compact encodings: Redis' `*-max-listpack-*` and `set-max-intset-entries`.
//!
//! One for the process: an encoding is how a value is kept, never what it is, so engines that share a process may share these.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A bound that CONFIG SET may change; what is already past it stays as it is.
pub struct Limit {
    /// The setting's name.
    pub name: &'static str,
    value: AtomicUsize,
}

impl Limit {
    const fn new(name: &'static str, default: usize) -> Limit {
        Limit { name, value: AtomicUsize::new(default) }
    }

    pub fn get(&self) -> usize {
        self.value.load(Relaxed)
    }

    pub fn set(&self, value: usize) {
        self.value.store(value, Relaxed);
    }
}

pub static SET_INTS: Limit = Limit::new("set-max-intset-entries", 512);
pub static HASH_ENTRIES: Limit = Limit::new("hash-max-listpack-entries", 512);
pub static HASH_BYTES: Limit = Limit::new("hash-max-listpack-value", 64);
pub static ZSET_ENTRIES: Limit = Limit::new("zset-max-listpack-entries", 128);
pub static ZSET_BYTES: Limit = Limit::new("zset-max-listpack-value", 64);
pub static HLL_SPARSE_BYTES: Limit = Limit::new("hll-sparse-max-bytes", 3000);
/// Entries and bytes of a stream's chunk; 0: any number.
pub static STREAM_ENTRIES: Limit = Limit::new("stream-node-max-entries", 100);
pub static STREAM_BYTES: Limit = Limit::new("stream-node-max-bytes", 4096);

/// All of them.
pub static LIMITS: [&Limit; 8] = [
    &SET_INTS,
    &HASH_ENTRIES,
    &HASH_BYTES,
    &ZSET_ENTRIES,
    &ZSET_BYTES,
    &HLL_SPARSE_BYTES,
    &STREAM_ENTRIES,
    &STREAM_BYTES,
];
