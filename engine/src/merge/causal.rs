//! What an effect saw of its own key: exact, from deps.
//!
//! A window keeps, per origin, *runs* of effects that saw the same of the other origins, so that the past of any dep can
//! be looked up. Effects of one origin on one key always see each other in order. A dep that is no longer known was stable or
//! dominated: it stands for itself, and what it saw no longer matters (nothing alive is in its past alone).

use std::ops::Deref;
use std::sync::Arc;

use proto::{EffectId, Frontier, Hlc, NodeId, Seq, varint};
use smallvec::SmallVec;

use crate::effect::record::put_frontier;
use crate::image::bytes::{Fields, put_id, put_u64};

/// What was seen of other origins. Most effects saw nothing, which takes no memory of its own.
#[derive(Clone, Debug, Default)]
struct Past(Option<Arc<Frontier>>);

impl Past {
    fn new(seen: Frontier) -> Past {
        Past((!seen.is_empty()).then(|| Arc::new(seen)))
    }
}

impl Deref for Past {
    type Target = Frontier;

    fn deref(&self) -> &Frontier {
        static NOTHING: Frontier = Frontier::new();
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

/// An effect's identity, time and past.
#[derive(Clone, Debug)]
pub struct Meta {
    pub id: EffectId,
    pub hlc: Hlc,
    seen: Past,
}

impl Meta {
    pub fn new(id: EffectId, hlc: Hlc) -> Self {
        Meta { id, hlc, seen: Past::default() }
    }

    /// True when `other` is in this effect's causal past on the key.
    pub fn saw(&self, other: EffectId) -> bool {
        if other.node == self.id.node { other.seq < self.id.seq } else { self.seen.contains(other) }
    }

    /// What it saw of the key, of other origins.
    pub fn seen(&self) -> &Frontier {
        &self.seen
    }

    /// Position in fork-choice order.
    pub fn rank(&self) -> (Hlc, NodeId) {
        (self.hlc, self.id.node)
    }
}

#[derive(Clone, Debug)]
struct Run {
    node: NodeId,
    first: Seq,
    last: Seq,
    seen: Past,
}

/// The key's tips and the pasts of its recent effects.
#[derive(Clone, Debug, Default)]
pub struct Causal {
    tips: SmallVec<[EffectId; 2]>,
    runs: SmallVec<[Run; 2]>,
}

impl Causal {
    pub fn tips(&self) -> &[EffectId] {
        &self.tips
    }

    /// Places an arriving effect: computes its past, makes it a tip in place of the tips it saw. Afterwards
    /// [`Causal::saw_all`] tells whether it saw everything of the key.
    pub fn observe(&mut self, id: EffectId, hlc: Hlc, deps: &[EffectId], settled: &Frontier) -> Meta {
        let own = self.runs.iter().rposition(|r| r.node == id.node);
        let known = own.map(|i| self.runs[i].seen.clone()).unwrap_or_default();
        let mut news: Option<Frontier> = None;
        for dep in deps.iter().filter(|d| d.node != id.node && !known.contains(**d)) {
            let seen = news.get_or_insert_with(|| (*known).clone());
            seen.advance(dep.node, dep.seq);
            let run =
                self.runs.iter().find(|r| r.node == dep.node && r.first <= dep.seq && dep.seq <= r.last);
            if let Some(run) = run {
                seen.join(&run.seen);
            }
        }
        // What the origin had folded as stable it saw, though it names it no more.
        for run in self.runs.iter().filter(|r| r.node != id.node) {
            let upto = EffectId::new(run.node, settled.seq(run.node).min(run.last));
            if upto.seq >= run.first && !news.as_ref().unwrap_or(&known).contains(upto) {
                let seen = news.get_or_insert_with(|| (*known).clone());
                seen.advance(upto.node, upto.seq);
                seen.join(&run.seen);
            }
        }
        let seen = match news {
            None => {
                match own {
                    Some(i) => self.runs[i].last = id.seq,
                    None => self.runs.push(Run {
                        node: id.node,
                        first: id.seq,
                        last: id.seq,
                        seen: known.clone(),
                    }),
                }
                known
            }
            Some(mut seen) => {
                seen.set(id.node, Seq(0));
                let seen = Past::new(seen);
                self.runs.push(Run { node: id.node, first: id.seq, last: id.seq, seen: seen.clone() });
                seen
            }
        };
        let meta = Meta { id, hlc, seen };
        self.tips.retain(|tip| !meta.saw(*tip));
        self.tips.push(id);
        meta
    }

    /// The last observed effect saw every other.
    pub fn saw_all(&self) -> bool {
        self.tips.len() <= 1
    }

    /// Forgets all but the latest effect, which saw and cancelled the rest.
    pub fn restart(&mut self, meta: &Meta) {
        self.tips.clear();
        self.tips.push(meta.id);
        self.runs.clear();
        self.runs.push(Run {
            node: meta.id.node,
            first: meta.id.seq,
            last: meta.id.seq,
            seen: meta.seen.clone(),
        });
    }
}

/// Decoded pasts, so that equal ones are shared as they were when encoded.
#[derive(Default)]
pub struct Shared(Vec<Past>);

impl Shared {
    fn take(&mut self, fields: &mut Fields<'_>) -> Option<Past> {
        let seen = fields.frontier()?;
        if let Some(known) = self.0.iter().rev().find(|known| ***known == seen) {
            return Some(known.clone());
        }
        let seen = Past::new(seen);
        if self.0.len() < 8 {
            self.0.push(seen.clone());
        }
        Some(seen)
    }
}

impl Meta {
    /// Appends id, clock and past.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_id(out, self.id);
        put_u64(out, self.hlc.0);
        put_frontier(out, &self.seen);
    }

    /// Reads what [`Meta::encode`] wrote.
    pub fn decode(fields: &mut Fields<'_>, shared: &mut Shared) -> Option<Meta> {
        Some(Meta { id: fields.id()?, hlc: fields.hlc()?, seen: shared.take(fields)? })
    }
}

impl Causal {
    /// Appends tips and runs.
    pub fn encode(&self, out: &mut Vec<u8>) {
        varint::put(out, self.tips.len() as u64);
        self.tips.iter().for_each(|tip| put_id(out, *tip));
        varint::put(out, self.runs.len() as u64);
        for run in &self.runs {
            put_id(out, EffectId::new(run.node, run.last));
            varint::put(out, run.last.0 - run.first.0);
            put_frontier(out, &run.seen);
        }
    }

    /// Reads what [`Causal::encode`] wrote.
    pub fn decode(fields: &mut Fields<'_>, shared: &mut Shared) -> Option<Causal> {
        let mut causal = Causal::default();
        for _ in 0..fields.count()? {
            causal.tips.push(fields.id()?);
        }
        for _ in 0..fields.count()? {
            let id = fields.id()?;
            let first = Seq(id.seq.0.checked_sub(fields.varint()?)?);
            causal.runs.push(Run { node: id.node, first, last: id.seq, seen: shared.take(fields)? });
        }
        Some(causal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(node: u64, seq: u64) -> EffectId {
        EffectId::new(NodeId(node), Seq(seq))
    }

    #[test]
    fn past_is_the_closure_over_deps() {
        let mut c = Causal::default();
        let a1 = c.observe(id(1, 1), Hlc(1), &[], &Frontier::new());
        let b1 = c.observe(id(2, 1), Hlc(2), &[], &Frontier::new());
        assert!(!b1.saw(a1.id) && !c.saw_all());
        let c1 = c.observe(id(3, 1), Hlc(3), &[b1.id], &Frontier::new());
        let d1 = c.observe(id(4, 1), Hlc(4), &[c1.id], &Frontier::new());
        assert!(d1.saw(b1.id) && d1.saw(c1.id) && !d1.saw(a1.id));
        let a2 = c.observe(id(1, 2), Hlc(5), &[a1.id, d1.id], &Frontier::new());
        assert!(a2.saw(b1.id) && a2.saw(c1.id) && a2.saw(a1.id) && c.saw_all());
        assert_eq!(c.tips(), [a2.id]);
    }

    #[test]
    fn a_chain_of_one_origin_stays_one_run() {
        let mut c = Causal::default();
        for seq in 1..1000 {
            let deps: &[EffectId] = if seq == 1 { &[] } else { &[id(1, seq - 1)] };
            c.observe(id(1, seq), Hlc(seq), deps, &Frontier::new());
        }
        assert_eq!((c.runs.len(), c.tips.len()), (1, 1));
    }
}
