//! The effects in a data directory's log, each with its causal past on its key, for the oracle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use engine::core::key_digest;
use engine::effect::batch::{Batch, BatchKind};
use engine::effect::{Effect, Op};
use engine::log::{Log, LogOptions};
use engine::merge::oracle::{self, Observed};
use proto::{EffectId, Frontier, NodeId};

use crate::memory_disk;

/// Batches as they lie in the log.
pub struct LogEffects {
    batches: Vec<Vec<u8>>,
}

impl LogEffects {
    /// Reads a copy of the directory; its node may run.
    pub fn read(data_dir: &Path) -> LogEffects {
        let disk = Arc::new(memory_disk::copy_of(data_dir).expect("the data directory reads"));
        let mut batches = Vec::new();
        let mut id = 0;
        let mut fresh_id = || {
            id += 1;
            id
        };
        let options = LogOptions { segment_bytes: 64 << 20, fresh_id: &mut fresh_id };
        Log::open(disk, options, &mut |batch| {
            if batch.header.kind == BatchKind::Effects {
                batches.push(batch.bytes.to_vec());
            }
            Ok(())
        })
        .expect("the log opens");
        LogEffects { batches }
    }

    pub fn count(&self) -> u64 {
        self.batches.iter().map(|b| u64::from(Batch::parse(b).expect("whole").header.count)).sum()
    }

    /// What the oracle makes of them: the digest of all keys alive at `now_ms` and how many there are. Database swaps are
    /// beyond it.
    pub fn oracle_digest(&self, now_ms: u64) -> (u128, u64) {
        let (mut sum, mut alive) = (0u128, 0);
        for ((db, key), effects) in &self.by_key() {
            if let Some((mut value, expiry)) = oracle::value(effects)
                && !expiry.reached(now_ms)
                && value.show_at(now_ms)
            {
                sum = sum.wrapping_add(key_digest(*db, key, &value.as_ref(), expiry.ms()));
                alive += 1;
            }
        }
        (sum, alive)
    }

    /// The effects of each key, in the order of the log; flushes of its database behind them.
    pub fn by_key(&self) -> BTreeMap<(u32, &[u8]), Vec<Observed<'_>>> {
        let mut keys: BTreeMap<(u32, &[u8]), Vec<Observed<'_>>> = BTreeMap::new();
        let mut flushes: Vec<(EffectId, Effect<'_>)> = Vec::new();
        let mut settled: BTreeMap<NodeId, Frontier> = BTreeMap::new();
        for bytes in &self.batches {
            let batch = Batch::parse(bytes).expect("whole");
            let settled = settled.entry(batch.header.origin).or_default();
            settled.join(&batch.settled().expect("decodes"));
            for effect in batch.effects() {
                let (id, effect) = effect.expect("decodes");
                match effect.op {
                    Op::Bind { .. } | Op::Noop => continue,
                    Op::Flush { .. } => {
                        flushes.push((id, effect));
                        continue;
                    }
                    Op::SwapDb { .. } => panic!("beyond this oracle: {:?}", effect.op),
                    _ => {}
                }
                let of_key = keys.entry((effect.db, effect.key)).or_default();
                let past = past(id, &effect, of_key, settled);
                of_key.push(Observed { id, effect, past });
            }
        }
        for (id, flush) in flushes {
            let Op::Flush { db: flushed, seen } = &flush.op else { continue };
            let seen = seen.to_frontier();
            let from = flushed.unwrap_or(0);
            let of_database = keys.range_mut((from, &[][..])..);
            for (_, of_key) in of_database.take_while(|((db, _), _)| flushed.is_none_or(|f| f == *db)) {
                let past = of_key.iter().map(|e| e.id).filter(|e| seen.contains(*e)).collect();
                of_key.push(Observed { id, effect: flush.clone(), past });
            }
        }
        keys
    }
}

/// The closure of what an effect names, of what its origin emitted before, and of what its origin had settled.
fn past(
    id: EffectId,
    effect: &Effect<'_>,
    earlier: &[Observed<'_>],
    settled: &Frontier,
) -> BTreeSet<EffectId> {
    let mut past = BTreeSet::new();
    for e in earlier {
        if e.id.node == id.node || effect.deps.contains(&e.id) || settled.contains(e.id) {
            past.insert(e.id);
            past.extend(&e.past);
        }
    }
    past
}
