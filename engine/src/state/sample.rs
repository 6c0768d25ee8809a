//! Keys taken at random from a shard: who might be evicted.
//!
//! Keys are in the order of their hashes in the table, so neighbours from a random place on are a random choice. Those with an
//! expiry come from the queue of expiries instead, which names them without a search.

use super::shard::{Shard, World, free_dead};
use super::table::Entry;

/// Which keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Only keys with an expiry.
    pub volatile: bool,
    /// Keys of each database at most.
    pub count: usize,
    /// Where to begin: any number.
    pub random: u64,
    pub now_ms: u64,
}

impl Shard {
    /// Visits some live keys with their databases. Keys past their expiry met on the way are removed where they may be; returns
    /// how many.
    pub(crate) fn sample(
        &mut self,
        sample: Sample,
        world: &World<'_>,
        visit: &mut dyn FnMut(u32, &Entry<'_>),
    ) -> usize {
        self.free_soon();
        let mut dead = Vec::new();
        if sample.volatile {
            self.sample_volatile(sample, &mut dead, visit);
        } else {
            for (db, part) in self.parts() {
                let mut seen = 0;
                part.table.around(sample.random, |entry| {
                    if entry.end().reached(sample.now_ms) {
                        dead.push((db, (world.hash_of)(entry.key()), entry.key().to_vec()));
                    } else if entry.kind().is_some() {
                        visit(db, &entry);
                        seen += 1;
                    }
                    seen + dead.len() < sample.count
                });
            }
        }
        let purged =
            |(db, hash, key): &(u32, u64, Vec<u8>)| self.purge(*db, *hash, key, sample.now_ms, world);
        dead.iter().map(purged).filter(|purged| *purged).count()
    }

    fn sample_volatile(
        &mut self,
        sample: Sample,
        dead: &mut Vec<(u32, u64, Vec<u8>)>,
        visit: &mut dyn FnMut(u32, &Entry<'_>),
    ) {
        if self.parts.iter().all(|part| part.expires == 0) {
            return;
        }
        let due = self.due.as_slice();
        let start = (sample.random % due.len().max(1) as u64) as usize;
        let mut seen = 0;
        for at in (start..due.len()).chain(0..start) {
            let std::cmp::Reverse((ms, hash, db)) = due[at];
            let Some(table) = self.table(db) else { continue };
            // Places whose expiry was changed since match nothing.
            table.any_with_hash(hash, |entry| {
                let found = entry.kind().is_some() && entry.expiry().ms() == Some(ms);
                if found && ms <= sample.now_ms {
                    dead.push((db, hash, entry.key().to_vec()));
                } else if found {
                    visit(db, entry);
                    seen += 1;
                }
                found
            });
            if seen + dead.len() >= sample.count {
                return;
            }
        }
    }

    /// Frees removed keys that wait in the tails of the ordered indexes.
    pub(crate) fn free_soon(&mut self) {
        for part in &mut self.parts {
            part.tail.compact_soon(free_dead);
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::{EffectId, Frontier, Hlc, NodeId, Seq};

    use super::*;
    use crate::effect::{Deps, Effect, Expiry, Op, Payload};

    fn hash_of(key: &[u8]) -> u64 {
        xxhash_rust::xxh3::xxh3_64(key) >> crate::state::table::SHARD_BITS
    }

    fn filled(test: impl FnOnce(&mut Shard, &World<'_>)) {
        let settled = Frontier::new();
        let world = World {
            solo: true,
            closed_ms: 0,
            settled: &settled,
            origin: 1,
            hash_of: &hash_of,
            indexed: false,
            lfu: None,
            counted: false,
            woken: &|_| {},
            decided: &|_, _, _| {},
        };
        let mut shard = Shard::default();
        for n in 0..300u64 {
            let key = n.to_string();
            // A third expires at 10 ms, a third at 1000 ms.
            let expiry = [Expiry::NEVER, Expiry::at_ms(10), Expiry::at_ms(1000)][n as usize % 3];
            let op = Op::Assign { payload: Payload::String(b"v"), expiry };
            let effect =
                Effect { hlc: Hlc(0), db: 0, key: key.as_bytes(), deps: Deps::new(), fresh: None, op };
            shard.fold(hash_of(key.as_bytes()), EffectId::new(NodeId(1), Seq(n + 1)), &effect, &world);
        }
        test(&mut shard, &world);
    }

    fn seen(shard: &mut Shard, sample: Sample, world: &World<'_>) -> (Vec<u64>, usize) {
        let mut keys = Vec::new();
        let number = |key: &[u8]| std::str::from_utf8(key).unwrap().parse().unwrap();
        let purged = shard.sample(sample, world, &mut |_, entry| keys.push(number(entry.key())));
        (keys, purged)
    }

    #[test]
    fn every_key_can_be_met_and_no_more_than_asked_for_are() {
        filled(|shard, world| {
            let mut met = std::collections::BTreeSet::new();
            for random in 0..600 {
                let sample = Sample { volatile: false, count: 5, random, now_ms: 5 };
                let (keys, purged) = seen(shard, sample, world);
                assert_eq!((keys.len(), purged), (5, 0));
                met.extend(keys);
            }
            assert_eq!(met.len(), 300);
        });
    }

    #[test]
    fn volatile_keys_are_met_without_the_others() {
        filled(|shard, world| {
            let mut met = std::collections::BTreeSet::new();
            for random in 0..600 {
                let (keys, _) = seen(shard, Sample { volatile: true, count: 3, random, now_ms: 5 }, world);
                assert!(keys.iter().all(|n| n % 3 != 0));
                met.extend(keys);
            }
            assert_eq!(met.len(), 200);
        });
    }

    #[test]
    fn keys_past_their_expiry_are_removed_on_the_way() {
        filled(|shard, world| {
            for volatile in [true, false] {
                let sample = Sample { volatile, count: 100, random: 3, now_ms: 20 };
                let (keys, purged) = seen(shard, sample, world);
                assert!(purged > 0 && keys.iter().all(|n| n % 3 != 1), "{purged} {keys:?}");
            }
            let before = shard.len(0);
            let (keys, purged) =
                seen(shard, Sample { volatile: true, count: 1000, random: 3, now_ms: 2000 }, world);
            assert_eq!((keys.len(), shard.len(0)), (0, before - purged));
            assert_eq!((shard.len(0), shard.expires(0)), (100, 0));
        });
    }
}
