//! Eviction: which key goes when memory is short, and its end as an ordinary effect.
//!
//! As in Redis the choice is approximate: a few random keys are looked at each time, the best of all that were looked at wait
//! in a pool of sixteen, and the best of the pool goes. A candidate that was used since is passed over. The end is a reset,
//! logged and replicated like any other, so that replicas agree; what this node did not see of the key survives it.

use super::{Engine, Key, LockPlan, Turn};
use crate::effect::{Expiry, Op};
use crate::state::access::{self, Lfu};
use crate::state::sample::Sample;
use crate::state::table::{Entry, SHARDS};

/// Names of the policies, in the order in which Redis lists them; the last one evicts nothing.
pub const POLICIES: [&str; 8] = [
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
];

/// Candidates kept between evictions.
const POOL_MAX: usize = 16;
/// Rounds of looking before it is given up that something can go.
const ROUNDS_MAX: usize = 8;

/// Which of two keys goes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    /// The one not used for longer.
    Idle,
    /// The one used more rarely.
    Rare,
    /// The one that ends sooner.
    Ending,
    Random,
}

/// A policy that evicts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Only keys with an expiry go.
    volatile: bool,
    order: Order,
}

impl Policy {
    /// The policy of this place in [`POLICIES`]; `None` for the one that evicts nothing.
    pub fn at(place: usize) -> Option<Policy> {
        let (scope, order) = POLICIES.get(place)?.split_once('-')?;
        let order = match order {
            "lru" => Order::Idle,
            "lfu" => Order::Rare,
            "ttl" => Order::Ending,
            _ => Order::Random,
        };
        Some(Policy { volatile: scope == "volatile", order })
    }

    /// It goes by counted uses.
    pub fn counts_uses(self) -> bool {
        self.order == Order::Rare
    }

    /// The higher, the sooner it goes.
    fn rank(self, entry: &Entry<'_>, now_ms: u64, lfu: Lfu, random: u64) -> u64 {
        match self.order {
            Order::Idle => access::idle_seconds(entry.access(), now_ms / 1000),
            Order::Rare => u64::from(u8::MAX - lfu.count(entry.access(), now_ms / 1000)),
            Order::Ending => u64::MAX - entry.expiry().ms().unwrap_or(u64::MAX),
            Order::Random => random,
        }
    }
}

#[derive(Debug)]
struct Candidate {
    rank: u64,
    db: u32,
    hash: u64,
    key: Vec<u8>,
}

/// The best candidates seen so far.
#[derive(Default, Debug)]
pub struct Pool {
    policy: Option<Policy>,
    /// Lowest rank first.
    candidates: Vec<Candidate>,
}

impl Pool {
    fn set_policy(&mut self, policy: Policy) {
        if self.policy != Some(policy) {
            self.candidates.clear();
            self.policy = Some(policy);
        }
    }

    /// True when a key of this rank would be kept.
    fn wants(&self, rank: u64) -> bool {
        self.candidates.len() < POOL_MAX || self.candidates[0].rank < rank
    }

    fn offer(&mut self, rank: u64, db: u32, hash: u64, key: &[u8]) {
        if self.candidates.iter().any(|c| c.hash == hash && c.db == db) {
            return;
        }
        let at = self.candidates.partition_point(|c| c.rank <= rank);
        self.candidates.insert(at, Candidate { rank, db, hash, key: key.to_vec() });
        if self.candidates.len() > POOL_MAX {
            self.candidates.remove(0);
        }
    }
}

impl Engine {
    /// Counts uses from here on as the policy in force needs it; `None` under a policy that is not LFU.
    pub fn set_lfu(&self, lfu: Option<Lfu>) {
        self.lfu.store(Lfu::to_bits(lfu), super::Relaxed);
    }

    #[inline]
    pub(crate) fn lfu(&self) -> Option<Lfu> {
        Lfu::from_bits(self.lfu.load(super::Relaxed))
    }

    /// Frees the memory of one key or more: evicts, or removes what is past its expiry. False when nothing can go. The caller
    /// ends the turn afterwards and holds no lock of the engine's.
    pub fn evict_one(&self, turn: &Turn, policy: Policy, samples: usize, pool: &mut Pool) -> bool {
        pool.set_policy(policy);
        for _ in 0..ROUNDS_MAX {
            let (seen, purged) = self.look(turn, policy, samples, pool);
            if purged > 0 {
                return true;
            }
            while let Some(candidate) = pool.candidates.pop() {
                if self.evict(turn, policy, &candidate) {
                    return true;
                }
            }
            if seen == 0 {
                return false;
            }
        }
        false
    }

    /// Looks at some keys for the pool. Returns how many were looked at and how many were past their expiry and are gone.
    fn look(&self, turn: &Turn, policy: Policy, samples: usize, pool: &mut Pool) -> (usize, usize) {
        let (random, now_ms) = (self.random(), turn.now_ms);
        let lfu = self.lfu().unwrap_or_default();
        let count = if policy.order == Order::Random { 1 } else { samples };
        let (mut seen, mut purged) = (0, 0);
        for step in 0..SHARDS {
            let at = (random as usize).wrapping_add(step) % SHARDS;
            let sample = Sample { volatile: policy.volatile, count, random: random >> 10, now_ms };
            let mut shard = self.shards[at].lock();
            purged += self.with_world(self.own_origin, |world| {
                shard.sample(sample, world, &mut |db, entry| {
                    seen += 1;
                    let rank = policy.rank(entry, now_ms, lfu, random);
                    if pool.wants(rank) {
                        pool.offer(rank, db, self.key_hash(entry.key()), entry.key());
                    }
                })
            });
            if seen >= count || purged > 0 {
                break;
            }
        }
        (seen, purged)
    }

    /// Ends a key, unless it is gone or was used since it was looked at.
    fn evict(&self, turn: &Turn, policy: Policy, candidate: &Candidate) -> bool {
        let Candidate { rank, db, hash, key } = candidate;
        let lfu = self.lfu().unwrap_or_default();
        let mut unit = self.begin(turn, 0, LockPlan::One(*hash));
        let shard = unit.locks.shard(*hash);
        let Some(entry) = shard.find(*db, *hash, key) else { return false };
        let lives = entry.kind().is_some() && !entry.end().reached(turn.now_ms);
        let eligible = !policy.volatile || entry.expiry() != Expiry::NEVER;
        if !lives || !eligible || policy.rank(&entry, turn.now_ms, lfu, *rank) < *rank {
            return false;
        }
        shard.stats.evicted += 1;
        unit.emit(&Key { bytes: key, hash: *hash, db: *db }, Op::Reset);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool_of(ranks: &[u64]) -> Pool {
        let mut pool = Pool::default();
        for (at, rank) in ranks.iter().enumerate() {
            if pool.wants(*rank) {
                pool.offer(*rank, 0, at as u64, b"k");
            }
        }
        pool
    }

    #[test]
    fn a_pool_keeps_the_highest_ranks_and_gives_the_best_first() {
        let ranks: Vec<u64> = (0..100).map(|n| n * 37 % 101).collect();
        let mut pool = pool_of(&ranks);
        let mut sorted = ranks.clone();
        sorted.sort_unstable();
        let given: Vec<u64> = std::iter::from_fn(|| pool.candidates.pop().map(|c| c.rank)).collect();
        let expected: Vec<u64> = sorted.iter().rev().take(POOL_MAX).copied().collect();
        assert_eq!(given, expected);
    }

    #[test]
    fn a_key_is_in_the_pool_once() {
        let mut pool = Pool::default();
        pool.offer(1, 0, 7, b"k");
        pool.offer(2, 0, 7, b"k");
        pool.offer(2, 1, 7, b"k");
        assert_eq!(pool.candidates.len(), 2);
    }

    #[test]
    fn another_policy_begins_with_an_empty_pool() {
        let mut pool = pool_of(&[1, 2, 3]);
        pool.set_policy(Policy::at(0).unwrap());
        assert!(pool.candidates.is_empty());
        pool.offer(1, 0, 7, b"k");
        pool.set_policy(Policy::at(0).unwrap());
        assert_eq!(pool.candidates.len(), 1);
    }

    #[test]
    fn names_tell_scope_and_order() {
        let policy = |name: &str| Policy::at(POLICIES.iter().position(|p| *p == name).unwrap());
        assert_eq!(policy("volatile-ttl"), Some(Policy { volatile: true, order: Order::Ending }));
        assert_eq!(policy("allkeys-lfu"), Some(Policy { volatile: false, order: Order::Rare }));
        assert_eq!(policy("allkeys-random"), Some(Policy { volatile: false, order: Order::Random }));
        assert_eq!(policy("noeviction"), None);
    }
}
