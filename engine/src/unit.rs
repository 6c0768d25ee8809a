//! The unit of work: one command, or one transaction, over locked shards.
//!
//! A unit sees a stable view of the shards it locked, emits effects through [`Unit::emit`], and is atomic at every thread
//! count: shards are locked in order before the first plan runs and released after the last. Effects of a unit get consecutive
//! seqs; two or more form a bundle.

use crate::effect::{Expiry, Op};
use crate::refusal::Refusal;
use crate::state::set::SetValue;

/// What a key holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    String,
    Set,
}

impl Kind {
    /// TYPE's answer.
    pub fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::Set => "set",
        }
    }
}

/// A key with its hash and physical database; made by [`Unit::key`].
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    pub bytes: &'a [u8],
    pub hash: u64,
    pub db: u32,
}

/// See the module.
pub struct Unit<'e> {
    _engine: std::marker::PhantomData<&'e ()>,
}

/// What a walk visits.
pub struct Visited<'a> {
    pub key: &'a [u8],
    pub kind: Kind,
}

#[allow(unused_variables)]
impl<'e> Unit<'e> {
    /// The turn's clock, Unix milliseconds. Every expiry decision of the unit uses this one reading.
    pub fn now_ms(&self) -> u64 {
        unimplemented!()
    }

    /// A key of the selected database.
    pub fn key<'a>(&self, bytes: &'a [u8]) -> Key<'a> {
        unimplemented!()
    }

    /// A key of another database, by the client's number; `None` when there is no such database.
    pub fn key_in<'a>(&self, db: u64, bytes: &'a [u8]) -> Option<Key<'a>> {
        unimplemented!()
    }

    /// The client's number of the selected database.
    pub fn selected_db(&self) -> u64 {
        unimplemented!()
    }

    /// How many databases there are.
    pub fn databases(&self) -> u64 {
        unimplemented!()
    }

    /// The kind of a live key; `None` when missing or expired. Counts a keyspace hit or miss and touches its access time
    /// (unless [`Unit::no_touch`]).
    pub fn kind(&mut self, key: &Key<'_>) -> Option<Kind> {
        unimplemented!()
    }

    /// The value of a string key.
    pub fn string(&mut self, key: &Key<'_>) -> Result<Option<&[u8]>, Refusal> {
        unimplemented!()
    }

    /// The value of a set key.
    pub fn set(&mut self, key: &Key<'_>) -> Result<Option<&SetValue>, Refusal> {
        unimplemented!()
    }

    /// Expiry of a live key.
    pub fn expiry(&mut self, key: &Key<'_>) -> Option<Expiry> {
        unimplemented!()
    }

    /// OBJECT ENCODING of a live key.
    pub fn encoding(&mut self, key: &Key<'_>) -> Option<&'static str> {
        unimplemented!()
    }

    /// Seconds since a live key was read or written (OBJECT IDLETIME).
    pub fn idle_seconds(&mut self, key: &Key<'_>) -> Option<u64> {
        unimplemented!()
    }

    /// Emits one effect on a key of a locked shard and folds it at once.
    pub fn emit(&mut self, key: &Key<'_>, op: Op<'_>) {
        unimplemented!()
    }

    /// Removes every key of one database (client's number) or of all. Needs `Scope::Everything`.
    pub fn flush(&mut self, db: Option<u64>) {
        unimplemented!()
    }

    /// Exchanges two databases. Needs `Scope::Everything`.
    pub fn swap_db(&mut self, a: u64, b: u64) {
        unimplemented!()
    }

    /// Live keys in the selected database.
    pub fn db_len(&mut self) -> u64 {
        unimplemented!()
    }

    /// Walks live keys from `cursor` (0 = start) in hash order until `count` were visited (all matches when the pattern has a
    /// selective literal prefix: the ordered index is used), calling `visit` for each that matches `pattern`; returns the next
    /// cursor, 0 at the end. Redis' SCAN guarantee holds: a key present throughout is visited.
    pub fn scan(
        &mut self,
        cursor: u64,
        count: usize,
        pattern: Option<&[u8]>,
        visit: &mut dyn FnMut(Visited<'_>),
    ) -> u64 {
        unimplemented!()
    }

    /// Every live key of the selected database matching `pattern` (KEYS).
    pub fn keys(&mut self, pattern: &[u8], visit: &mut dyn FnMut(&[u8])) {
        unimplemented!()
    }

    /// A random live key of the selected database.
    pub fn random_key(&mut self) -> Option<Vec<u8>> {
        unimplemented!()
    }

    /// The next number of the seeded generator.
    pub fn random(&mut self) -> u64 {
        unimplemented!()
    }

    /// `proto-max-bulk-len`, bytes: the limit of a string value.
    pub fn string_bytes_max(&self) -> usize {
        unimplemented!()
    }
}
