//! Everything that was ever written, as first seen in the log of its origin or of a peer: the truth that nodes are compared with.

use std::collections::{BTreeMap, BTreeSet};

use engine::effect::Effect;
use engine::effect::batch::Batch;
use proto::{EffectId, Frontier, Hlc, NodeId, Seq};

/// One batch, whose bytes are the same wherever it lies.
pub struct Written {
    pub first: Seq,
    pub last: Seq,
    pub bytes: Vec<u8>,
    /// What the origin had received when it closed the batch: the contexts up to here, joined.
    pub context: Frontier,
    /// Of its last effect.
    pub hlc: Hlc,
}

/// One incarnation's sequence.
#[derive(Default)]
pub struct Origin {
    pub slot: usize,
    pub directory: u64,
    /// Later incarnations have higher ones.
    pub boot: u64,
    pub batches: Vec<Written>,
    /// Clients were told yes up to here, and nobody's disk lost it with leave to.
    pub acknowledged: Seq,
    /// Its own machine lost what follows, which others may have.
    pub kept: Option<Seq>,
    /// What this incarnation has shown, as last seen.
    pub shown: Frontier,
}

impl Origin {
    pub fn last(&self) -> Seq {
        self.batches.last().map_or(Seq(0), |b| b.last)
    }

    /// The batch that holds an effect.
    pub fn batch(&self, seq: Seq) -> Option<&Written> {
        let at = self.batches.partition_point(|b| b.last < seq);
        self.batches.get(at).filter(|b| b.first <= seq)
    }

    /// What its effects up to `seq` had seen.
    pub fn context(&self, seq: Seq) -> Option<&Frontier> {
        self.batch(seq).map(|b| &b.context)
    }
}

/// See the module.
#[derive(Default)]
pub struct Ledger {
    pub origins: BTreeMap<NodeId, Origin>,
    pub effects: u64,
    /// What came too late to be merged.
    pub late: BTreeSet<EffectId>,
}

impl Ledger {
    /// An incarnation began. False when its id was used before.
    pub fn begin(&mut self, node: NodeId, slot: usize, directory: u64, boot: u64) -> bool {
        let new = !self.origins.contains_key(&node);
        let origin = self.origins.entry(node).or_default();
        (origin.slot, origin.directory) = (slot, directory);
        if new {
            origin.boot = boot;
        }
        new
    }

    /// Takes note of a batch; true when it is new. Errors: it is not what was written under these seqs, or leaves a gap, or its clock goes back.
    pub fn note(&mut self, batch: &Batch<'_>) -> Result<bool, String> {
        let header = batch.header;
        let Some(origin) = self.origins.get_mut(&header.origin) else {
            return Err(format!("{} writes, which no node ever was", header.origin));
        };
        if header.first <= origin.last() {
            let known = origin.batch(header.first).is_some_and(|known| known.bytes == batch.bytes);
            return if known {
                Ok(false)
            } else {
                Err(format!("{}:{} was written twice, differently", header.origin, header.first))
            };
        }
        if header.first.0 != origin.last().0 + 1 {
            return Err(format!("{}:{} follows {}", header.origin, header.first, origin.last()));
        }
        let mut context = origin.batches.last().map_or_else(Frontier::new, |b| b.context.clone());
        context.join(&batch.context().map_err(|e| e.to_string())?);
        let mut hlc = origin.batches.last().map_or(Hlc(0), |b| b.hlc);
        for effect in batch.effects() {
            let (id, effect) = effect.map_err(|e| e.to_string())?;
            if effect.hlc <= hlc {
                return Err(format!("{id} is stamped {}, the one before {hlc}", effect.hlc));
            }
            hlc = effect.hlc;
        }
        self.effects += u64::from(header.count);
        origin.batches.push(Written {
            first: header.first,
            last: header.last(),
            bytes: batch.bytes.to_vec(),
            context,
            hlc,
        });
        Ok(true)
    }

    /// The latest stamp of everything.
    pub fn last_hlc(&self) -> Hlc {
        let last = self.origins.values().filter_map(|origin| origin.batches.last());
        last.map(|batch| batch.hlc).max().unwrap_or_default()
    }

    /// Bytes of the longest batch.
    pub fn longest_batch(&self) -> u64 {
        let all = self.origins.values().flat_map(|origin| &origin.batches);
        all.map(|batch| batch.bytes.len() as u64).max().unwrap_or(0)
    }

    /// The latest stamp of everything in a frontier.
    pub fn latest(&self, frontier: &Frontier) -> Hlc {
        let of = |(node, seq)| self.origins.get(&node)?.batch(seq).map(|b: &Written| b.hlc);
        frontier.iter().filter_map(of).max().unwrap_or_default()
    }

    /// Every effect in a frontier, with what its origin had received before its batch.
    pub fn within<'l>(
        &'l self,
        frontier: &'l Frontier,
    ) -> impl Iterator<Item = (EffectId, Effect<'l>, &'l Frontier)> {
        frontier.iter().filter_map(|(node, seq)| Some((self.origins.get(&node)?, seq))).flat_map(
            |(origin, upto)| {
                let batches = origin.batches.iter().take_while(move |b| b.first <= upto);
                batches.flat_map(move |written| {
                    let batch = Batch::parse(&written.bytes).expect("noted whole");
                    let effects: Vec<_> = batch.effects().map(|e| e.expect("checked when noted")).collect();
                    effects
                        .into_iter()
                        .filter(move |(id, _)| id.seq <= upto)
                        .map(|(id, effect)| (id, effect, &written.context))
                })
            },
        )
    }
}
