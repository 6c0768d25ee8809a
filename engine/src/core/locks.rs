//! Which shards a unit holds.

use smallvec::SmallVec;

use crate::latch::Held;
use crate::state::shard::Shard;
use crate::state::table::shard_of;

/// What to lock before a unit begins.
#[derive(Clone, Copy, Debug)]
pub enum LockPlan<'a> {
    /// Nothing of the keyspace.
    None,
    /// The shard of one key's hash.
    One(u64),
    /// The shards of these hashes, in order.
    Many(&'a [u64]),
    /// Shard after shard as the unit walks.
    Walk,
    /// All at once.
    Everything,
}

pub(crate) enum Locks<'e> {
    None,
    One(usize, Held<'e, Shard>),
    /// Sorted by shard.
    Many(SmallVec<[(usize, Held<'e, Shard>); 8]>),
    All(Vec<Held<'e, Shard>>),
}

impl Locks<'_> {
    /// The shard of a hash.
    ///
    /// # Panics
    /// When the unit's plan did not lock it: a bug in a command's key specification.
    #[inline]
    pub fn shard(&mut self, hash: u64) -> &mut Shard {
        let at = shard_of(hash);
        match self {
            Locks::One(held, shard) if *held == at => shard,
            Locks::Many(held) => {
                let found = held.binary_search_by_key(&at, |h| h.0);
                &mut held[found.expect("a unit touches only keys it locked")].1
            }
            Locks::All(all) => &mut all[at],
            _ => panic!("a unit touches only keys it locked"),
        }
    }
}
