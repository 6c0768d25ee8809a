//! The horizon: batches that have arrived but may not be shown yet.
//!
//! ```text
//! origin 7, frontier 7:40      [41..45] shown at once     [46..50] context not covered: held     [61..70] gap 51..60: held
//! ```
//! A batch is *ready* when it continues its origin's sequence (`first <= shown + 1 <= last`) and the shown frontier covers
//! its context. A context lists only the components that advanced since the same origin's previous batch; that is enough
//! because one origin's batches are shown in order. A batch that begins at or before the shown seq is delivered whole and
//! the receiver skips the effects it has.
//!
//! Invariant: what is held never exceeds `bytes_max`, except a single batch larger than that. When full, the batch farthest
//! from being shown goes; the highest dropped seq is remembered so that it is asked for again.
//!
//! Does not: decode effects, ask for what is missing (`nack`), show anything.

use std::collections::BTreeMap;

use proto::{Frontier, NodeId, Seq};

use super::SeqRange;
use crate::effect::batch::{Batch, BatchError, BatchHeader};

/// Bytes a held batch costs besides its own.
const HELD_OVERHEAD_BYTES: usize = 160;

/// A batch in the horizon.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldBatch {
    pub header: BatchHeader,
    pub context: Frontier,
    /// The whole encoded batch; its checksum and records were checked before it came here.
    pub bytes: Vec<u8>,
}

/// What [`Horizon::offer`] decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Offer {
    /// Not kept: the caller shows it now, then drains [`Horizon::next_ready`].
    Ready,
    Held,
    /// Shown already, or inside a batch that is held.
    Duplicate,
    /// No room; [`Horizon::dropped`] covers it.
    Dropped,
}

/// See the module.
#[derive(Debug)]
pub struct Horizon {
    bytes_max: usize,
    bytes: usize,
    origins: BTreeMap<NodeId, BTreeMap<Seq, HeldBatch>>,
    dropped: Frontier,
}

impl Horizon {
    /// `bytes_max` bounds encoded bytes and bookkeeping together.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, bytes: 0, origins: BTreeMap::new(), dropped: Frontier::new() }
    }

    /// Bytes held, bookkeeping included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Batches held.
    pub fn len(&self) -> usize {
        self.origins.values().map(BTreeMap::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }

    /// Per origin the highest seq that was dropped for room; components at or below the shown frontier mean nothing.
    pub fn dropped(&self) -> &Frontier {
        &self.dropped
    }

    /// Decides about an arrived batch; copies it only when it is held.
    pub fn offer(&mut self, frontier: &Frontier, batch: &Batch<'_>) -> Result<Offer, BatchError> {
        let header = batch.header;
        let shown = frontier.seq(header.origin);
        if header.last() <= shown {
            return Ok(Offer::Duplicate);
        }
        let context = batch.context()?;
        if header.first.0 <= shown.0 + 1 && frontier.covers(&context) {
            return Ok(Offer::Ready);
        }
        if self.holds(header.origin, header.first, header.last()) {
            return Ok(Offer::Duplicate);
        }
        let cost = cost(batch.bytes.len(), &context);
        if !self.make_room(frontier, &header, cost) {
            self.dropped.advance(header.origin, header.last());
            return Ok(Offer::Dropped);
        }
        let held = HeldBatch { header, context, bytes: batch.bytes.to_vec() };
        self.bytes += cost;
        if let Some(shorter) = self.origins.entry(header.origin).or_default().insert(header.first, held) {
            self.bytes -= shorter.cost();
        }
        Ok(Offer::Held)
    }

    /// Takes out one batch that may be shown now. The caller shows it and asks again.
    pub fn next_ready(&mut self, frontier: &Frontier) -> Option<HeldBatch> {
        let mut found = None;
        for (&origin, held) in &mut self.origins {
            let shown = frontier.seq(origin);
            while let Some(entry) = held.first_entry() {
                if entry.get().header.last() > shown {
                    break;
                }
                self.bytes -= entry.remove().cost();
            }
            let ready = held
                .range(..=Seq(shown.0.saturating_add(1)))
                .find(|(_, b)| b.header.last() > shown && frontier.covers(&b.context))
                .map(|(first, _)| *first);
            if let Some(batch) = ready.and_then(|first| held.remove(&first)) {
                self.bytes -= batch.cost();
                found = Some(batch);
                break;
            }
        }
        self.origins.retain(|_, held| !held.is_empty());
        found
    }

    /// Drops everything held of an origin; what somebody has of it is asked for again.
    pub fn forget(&mut self, origin: NodeId) {
        let held = self.origins.remove(&origin).unwrap_or_default();
        self.bytes -= held.values().map(HeldBatch::cost).sum::<usize>();
    }

    /// How far the held batches reach, their contexts included: what must arrive for all of them to be shown.
    pub fn wanted(&self) -> Frontier {
        let mut wanted = Frontier::new();
        for (&origin, held) in &self.origins {
            // The nearest batch's context is what blocks this origin; later ones are asked for when they are next.
            if let Some(nearest) = held.values().next() {
                wanted.join(&nearest.context);
            }
            if let Some(farthest) = held.values().next_back() {
                wanted.advance(origin, farthest.header.last());
            }
        }
        wanted
    }

    /// The highest seq held of `origin`, zero when none is.
    pub fn top(&self, origin: NodeId) -> Seq {
        self.origins
            .get(&origin)
            .and_then(|held| held.values().next_back())
            .map_or(Seq(0), |b| b.header.last())
    }

    /// Appends what is neither shown nor held of `origin` up to `last`, ascending, at most `ranges_max` ranges.
    pub fn gaps(&self, origin: NodeId, shown: Seq, last: Seq, ranges_max: usize, out: &mut Vec<SeqRange>) {
        let end = out.len() + ranges_max;
        let mut next = shown.0 + 1;
        for batch in self.origins.get(&origin).into_iter().flat_map(BTreeMap::values) {
            if next > last.0 || out.len() >= end {
                break;
            }
            let first = batch.header.first.0;
            if first > next {
                out.push(SeqRange { origin, first: Seq(next), last: Seq(last.0.min(first - 1)) });
            }
            next = next.max(batch.header.last().0 + 1);
        }
        if next <= last.0 && out.len() < end {
            out.push(SeqRange { origin, first: Seq(next), last });
        }
    }

    fn holds(&self, origin: NodeId, first: Seq, last: Seq) -> bool {
        self.origins
            .get(&origin)
            .and_then(|held| held.range(..=first).next_back())
            .is_some_and(|(_, b)| b.header.last() >= last)
    }

    /// Evicts batches farther from being shown than `header` until `cost` fits; false when none is farther.
    fn make_room(&mut self, frontier: &Frontier, header: &BatchHeader, cost: usize) -> bool {
        let distance = header.first.0.saturating_sub(frontier.seq(header.origin).0);
        while !self.is_empty() && self.bytes.saturating_add(cost) > self.bytes_max {
            let farthest = self
                .origins
                .iter()
                .filter_map(|(&origin, held)| {
                    let (&first, _) = held.last_key_value()?;
                    Some((first.0.saturating_sub(frontier.seq(origin).0), origin, first))
                })
                .max();
            let Some((away, origin, first)) = farthest.filter(|f| f.0 > distance) else {
                return false;
            };
            debug_assert!(away > distance);
            if let Some(held) = self.origins.get_mut(&origin) {
                if let Some(batch) = held.remove(&first) {
                    self.bytes -= batch.cost();
                    self.dropped.advance(origin, batch.header.last());
                }
                if held.is_empty() {
                    self.origins.remove(&origin);
                }
            }
        }
        true
    }
}

impl HeldBatch {
    fn cost(&self) -> usize {
        cost(self.bytes.len(), &self.context)
    }
}

fn cost(bytes: usize, context: &Frontier) -> usize {
    bytes + HELD_OVERHEAD_BYTES + 16 * context.len()
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use proto::{EffectId, Hlc};

    use super::*;
    use crate::effect::batch::{self, BatchKind};
    use crate::effect::{Deps, Effect, Op, record};

    /// An encoded batch of no-ops.
    pub(in crate::replication) fn sample(
        origin: u64,
        first: u64,
        last: u64,
        context: &[(u64, u64)],
    ) -> Vec<u8> {
        let mut records = Vec::new();
        for seq in first..=last {
            let effect =
                Effect { hlc: Hlc(seq), db: 0, key: b"", deps: Deps::new(), fresh: None, op: Op::Noop };
            record::encode(
                &mut records,
                &effect,
                EffectId::new(NodeId(origin), Seq(seq)),
                Hlc(if seq == first { 0 } else { seq - 1 }),
            );
        }
        let header = BatchHeader {
            kind: BatchKind::Effects,
            flags: 0,
            count: (last - first + 1) as u32,
            origin: NodeId(origin),
            first: Seq(first),
            hlc: Hlc(0),
            body_bytes: 0,
            crc: 0,
        };
        let mut out = Vec::new();
        let context = context.iter().map(|&(n, s)| (NodeId(n), Seq(s))).collect();
        batch::encode(&mut out, &header, &context, &Frontier::new(), &records);
        out
    }

    fn offer(horizon: &mut Horizon, frontier: &Frontier, bytes: &[u8]) -> Offer {
        let batch = Batch::parse(bytes).unwrap();
        batch.check().unwrap();
        horizon.offer(frontier, &batch).unwrap()
    }

    fn at(components: &[(u64, u64)]) -> Frontier {
        components.iter().map(|&(n, s)| (NodeId(n), Seq(s))).collect()
    }

    #[test]
    fn a_batch_waits_for_its_gap_and_for_its_context() {
        let mut horizon = Horizon::new(1 << 20);
        let mut shown = at(&[(1, 4)]);
        assert_eq!(offer(&mut horizon, &shown, &sample(1, 5, 6, &[])), Offer::Ready);
        assert_eq!(offer(&mut horizon, &shown, &sample(1, 7, 9, &[])), Offer::Held);
        assert_eq!(offer(&mut horizon, &shown, &sample(1, 7, 9, &[])), Offer::Duplicate);
        assert_eq!(offer(&mut horizon, &shown, &sample(2, 1, 1, &[(1, 9)])), Offer::Held);
        assert_eq!(horizon.next_ready(&shown), None);
        shown.set(NodeId(1), Seq(6));
        assert_eq!(horizon.next_ready(&shown).unwrap().header.origin, NodeId(1));
        assert_eq!(horizon.next_ready(&shown), None);
        shown.set(NodeId(1), Seq(9));
        assert_eq!(horizon.next_ready(&shown).unwrap().header.origin, NodeId(2));
        assert!(horizon.is_empty());
        assert_eq!(horizon.bytes(), 0);
    }

    #[test]
    fn a_partly_known_batch_is_delivered_and_a_wholly_known_one_is_not() {
        let mut horizon = Horizon::new(1 << 20);
        let shown = at(&[(1, 7)]);
        assert_eq!(offer(&mut horizon, &shown, &sample(1, 5, 9, &[])), Offer::Ready);
        assert_eq!(offer(&mut horizon, &shown, &sample(1, 5, 7, &[])), Offer::Duplicate);
        assert_eq!(offer(&mut horizon, &shown, &sample(1, 5, 9, &[(3, 1)])), Offer::Held);
        let later = at(&[(1, 9), (3, 1)]);
        assert_eq!(horizon.next_ready(&later), None, "shown meanwhile by another way");
        assert!(horizon.is_empty());
    }

    #[test]
    fn gaps_are_what_is_neither_shown_nor_held() {
        let mut horizon = Horizon::new(1 << 20);
        let shown = at(&[(1, 4)]);
        offer(&mut horizon, &shown, &sample(1, 7, 9, &[]));
        offer(&mut horizon, &shown, &sample(1, 8, 12, &[]));
        offer(&mut horizon, &shown, &sample(2, 3, 3, &[(3, 8)]));
        assert_eq!(horizon.wanted(), at(&[(1, 12), (2, 3), (3, 8)]));
        let gaps = |last, max| {
            let mut out = Vec::new();
            horizon.gaps(NodeId(1), Seq(4), Seq(last), max, &mut out);
            out.iter().map(|r| (r.first.0, r.last.0)).collect::<Vec<_>>()
        };
        assert_eq!(gaps(12, 9), [(5, 6)]);
        assert_eq!(gaps(5, 9), [(5, 5)]);
        assert_eq!(gaps(20, 9), [(5, 6), (13, 20)]);
        assert_eq!(gaps(20, 1), [(5, 6)]);
        assert_eq!(gaps(4, 9), []);
    }

    #[test]
    fn when_full_the_farthest_batch_goes_and_is_remembered() {
        let one = sample(1, 10, 10, &[]).len() + HELD_OVERHEAD_BYTES;
        let mut horizon = Horizon::new(2 * one);
        let shown = Frontier::new();
        for first in [20, 30] {
            assert_eq!(offer(&mut horizon, &shown, &sample(1, first, first, &[])), Offer::Held);
        }
        assert_eq!(offer(&mut horizon, &shown, &sample(2, 40, 40, &[])), Offer::Dropped);
        assert_eq!(offer(&mut horizon, &shown, &sample(1, 10, 10, &[])), Offer::Held);
        assert_eq!(horizon.dropped(), &at(&[(1, 30), (2, 40)]));
        assert_eq!(horizon.top(NodeId(1)), Seq(20));
        assert!(horizon.bytes() <= 2 * one);
    }

    #[test]
    fn a_batch_larger_than_the_bound_is_held_alone() {
        let mut horizon = Horizon::new(64);
        assert_eq!(offer(&mut horizon, &Frontier::new(), &sample(1, 9, 20, &[])), Offer::Held);
        assert_eq!(offer(&mut horizon, &Frontier::new(), &sample(1, 30, 31, &[])), Offer::Dropped);
        assert_eq!(offer(&mut horizon, &Frontier::new(), &sample(1, 2, 3, &[])), Offer::Held);
        assert_eq!(horizon.len(), 1);
    }

    /// A random causal history: (origin, first, last, delta context), in an order in which it could have been written.
    fn history() -> impl Strategy<Value = Vec<(u64, u64, u64, Vec<(u64, u64)>)>> {
        prop::collection::vec((1u64..4, 1u64..5, prop::collection::vec(any::<bool>(), 3)), 1..40).prop_map(
            |steps| {
                let mut tops = [0u64; 4];
                let mut said = [[0u64; 4]; 4];
                let mut out = Vec::new();
                for (origin, count, sees) in steps {
                    let mut context = Vec::new();
                    for other in 1..4u64 {
                        let (o, n) = (other as usize, origin as usize);
                        if other != origin && sees[o - 1] && tops[o] > said[n][o] {
                            said[n][o] = tops[o];
                            // What the other saw, this one has seen too.
                            context.push((other, tops[o]));
                            let seen = said[o];
                            for (third, &top) in seen.iter().enumerate().skip(1) {
                                if third != n && top > said[n][third] {
                                    said[n][third] = top;
                                    context.retain(|c: &(u64, u64)| c.0 != third as u64);
                                    context.push((third as u64, top));
                                }
                            }
                        }
                    }
                    let first = tops[origin as usize] + 1;
                    tops[origin as usize] += count;
                    out.push((origin, first, tops[origin as usize], context));
                }
                out
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn law_any_arrival_order_shows_everything_once_in_causal_order(
            history in history(),
            order in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..120),
            bytes_max in 400usize..4000,
        ) {
            let mut horizon = Horizon::new(bytes_max);
            let mut shown = Frontier::new();
            let all: Vec<Vec<u8>> = history.iter().map(|(o, f, l, c)| sample(*o, *f, *l, c)).collect();
            let show = |shown: &mut Frontier, header: &BatchHeader, context: &Frontier| {
                assert!(header.first.0 <= shown.seq(header.origin).0 + 1, "gap shown");
                assert!(header.last() > shown.seq(header.origin), "nothing new shown");
                assert!(shown.covers(context), "shown before its causes");
                shown.advance(header.origin, header.last());
            };
            let mut arrive = |at: usize, shown: &mut Frontier| {
                let batch = Batch::parse(&all[at]).unwrap();
                if horizon.offer(shown, &batch).unwrap() == Offer::Ready {
                    show(shown, &batch.header, &batch.context().unwrap());
                }
                while let Some(held) = horizon.next_ready(shown) {
                    show(shown, &held.header, &held.context);
                }
                assert!(horizon.bytes() <= bytes_max || horizon.len() == 1);
                let held: usize = horizon.origins.values().flat_map(|h| h.values()).map(HeldBatch::cost).sum();
                assert_eq!(held, horizon.bytes());
            };
            for (index, _) in &order {
                arrive(index.index(all.len()), &mut shown);
            }
            // Dropped ones arrive again until everything is shown.
            for at in 0..all.len() {
                arrive(at, &mut shown);
            }
            for (origin, _, last, _) in &history {
                prop_assert!(shown.seq(NodeId(*origin)) >= Seq(*last));
            }
            prop_assert!(horizon.is_empty());
        }
    }
}
