//! Evictions: members that are no members any more, and up to where their effects count.
//!
//! ```text
//! evict ─▶ every member *fences*: takes nothing more of the evicted one, and says what it has shown of it
//!       ─▶ all have said so: the evictor *closes* with the cut, the farthest that any of them has shown
//!       ─▶ who has shown up to the cut waits for the evicted one no longer
//! another is evicted later ─▶ those who are left fence again, and it is closed again with the farthest that they have
//! ```
//! Up to the cut everybody gets the evicted one's effects from whoever has them; beyond it they are late, for ever. Nothing that
//! depends on a late effect is ever shown, for its context is not.
//!
//! What only one member had that is lost as well nobody can get any more: so a cut gives way to one that was closed knowing of more
//! evictions, which is never farther. Until then nobody takes more than one of those who are left said it has.
//!
//! A set of records that only grow, merged by union, of cuts the one that knew most: whoever hears of them in whatever order holds
//! the same.
//!
//! Does not: decide who is evicted (an operator does), guess who is gone, delete anything.

use std::collections::{BTreeMap, BTreeSet};

use proto::{Frontier, Hlc, NodeId, Seq, varint};

use crate::effect::record::{put_frontier, take_frontier};

/// What one member takes of an evicted one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fence {
    /// So many incarnations of it, and evictions of others, were known when this was said.
    pub known: u64,
    /// What was shown of them.
    pub shown: Frontier,
}

/// Up to where the effects of an evicted member count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cut {
    /// So many evictions of others were known when it was closed. It gives way to one that knew of more.
    pub version: u64,
    pub reached: Frontier,
}

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Eviction {
    /// Who is evicted, by data directory.
    pub directory: u64,
    /// The directory of who closes it.
    pub by: u64,
    pub at: Hlc,
    /// Its incarnations, as far as any member knows.
    pub nodes: BTreeSet<NodeId>,
    pub fences: BTreeMap<u64, Fence>,
    /// Once it is closed.
    pub cut: Option<Cut>,
    /// Not listed any more.
    pub forgotten: bool,
}

impl Eviction {
    pub fn new(directory: u64, by: u64, at: Hlc, nodes: BTreeSet<NodeId>) -> Self {
        let (fences, cut) = (BTreeMap::new(), None);
        Eviction { directory, by, at, nodes, fences, cut, forgotten: false }
    }

    /// Not closed, or before some of the evictions of `others` were known: what was counted on may be gone with one of them.
    fn is_open(&self, others: u64) -> bool {
        self.cut.as_ref().is_none_or(|cut| cut.version < others)
    }

    /// Effects of `node`, one of [`Eviction::nodes`], count up to here, as far as is known now. What members have of it that were
    /// evicted themselves (`is_evicted`) counts once another one has it.
    fn limit(&self, node: NodeId, others: u64, is_evicted: &dyn Fn(u64) -> bool) -> Seq {
        let cut = self.cut.as_ref().map(|cut| cut.reached.seq(node));
        if let Some(cut) = cut.filter(|_| !self.is_open(others)) {
            return cut;
        }
        let said = self.fences.iter().filter(|(directory, _)| !is_evicted(**directory));
        let fenced = said.map(|(_, fence)| fence.shown.seq(node)).max().unwrap_or_default();
        cut.map_or(fenced, |cut| cut.min(fenced))
    }

    /// What a fence has to know: all incarnations, and the evictions of `others`. Both only grow, and travel together with the fences.
    fn to_know(&self, others: u64) -> u64 {
        (self.nodes.len() as u64).max(1) + others
    }

    /// True when more than counts is shown: by a node that came from the evicted one, and was no member yet for the others.
    pub fn is_exceeded(&self, shown: &Frontier) -> bool {
        let exceeds = |cut: &Cut| self.nodes.iter().any(|node| shown.seq(*node) > cut.reached.seq(*node));
        self.cut.as_ref().is_some_and(exceeds)
    }

    /// True when all that counts is shown.
    pub fn is_covered(&self, shown: &Frontier) -> bool {
        self.cut.as_ref().is_some_and(|cut| shown.covers(&cut.reached))
    }

    /// Says for `directory` what it has shown, unless it said so knowing no less. True when that is news. So too when it is closed:
    /// what has arrived by then and is not shown may be beyond the cut.
    pub fn fence(&mut self, directory: u64, shown: &Frontier, others: u64) -> bool {
        let to_know = self.to_know(others);
        let fence = self.fences.entry(directory).or_default();
        if fence.known >= to_know {
            return false;
        }
        for node in &self.nodes {
            // More than was said before may have come from a member that had it.
            fence.shown.set(*node, shown.seq(*node).max(fence.shown.seq(*node)));
        }
        fence.known = to_know;
        true
    }

    /// Closes it, or closes it again, when all of `members`, those that are left, have fenced. True when that is news.
    pub fn close(&mut self, members: &BTreeSet<u64>, others: u64) -> bool {
        if !self.is_open(others) || !self.waits_for(members, others).is_empty() {
            return false;
        }
        let left = |node: NodeId| self.limit(node, others, &|directory| !members.contains(&directory));
        let reached = self.nodes.iter().map(|node| (*node, left(*node))).collect();
        self.cut = Some(Cut { version: others, reached });
        true
    }

    /// Members that have not fenced yet.
    pub fn waits_for<'m>(&self, members: &'m BTreeSet<u64>, others: u64) -> Vec<&'m u64> {
        let to_know = self.to_know(others);
        let silent = |d: &&u64| self.fences.get(*d).is_none_or(|f| f.known < to_know);
        if self.is_open(others) { members.iter().filter(silent).collect() } else { Vec::new() }
    }

    /// Members that said they have what counts and is not in `shown`.
    pub fn brought_by<'m>(&self, members: &'m BTreeSet<u64>, shown: &Frontier) -> Vec<&'m u64> {
        let Some(cut) = &self.cut else { return Vec::new() };
        let lacks = |fence: &Fence| {
            let counts = |node: NodeId| cut.reached.seq(node).min(fence.shown.seq(node));
            self.nodes.iter().any(|node| counts(*node) > shown.seq(*node))
        };
        members.iter().filter(|directory| self.fences.get(*directory).is_some_and(lacks)).collect()
    }

    fn merge(&mut self, other: &Eviction) -> bool {
        let before = self.clone();
        if (other.at, other.by) > (self.at, self.by) {
            (self.at, self.by) = (other.at, other.by);
        }
        self.nodes.extend(&other.nodes);
        for (directory, fence) in &other.fences {
            let known = self.fences.entry(*directory).or_default();
            known.known = known.known.max(fence.known);
            known.shown.join(&fence.shown);
        }
        match (&mut self.cut, &other.cut) {
            (Some(cut), Some(other)) if cut.version == other.version => cut.reached.join(&other.reached),
            (Some(cut), Some(other)) if cut.version > other.version => {}
            (cut, Some(other)) => *cut = Some(other.clone()),
            (_, None) => {}
        }
        self.forgotten |= other.forgotten;
        *self != before
    }
}

/// All there ever were, by directory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Evictions(BTreeMap<u64, Eviction>);

impl Evictions {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, directory: u64) -> Option<&Eviction> {
        self.0.get(&directory)
    }

    pub fn contains(&self, directory: u64) -> bool {
        self.0.contains_key(&directory)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Eviction> {
        self.0.values()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Eviction> {
        self.0.values_mut()
    }

    /// Whose evictions a member closes: its own, those of whoever it evicted before they were closed, and nobody's (0), when a node
    /// took itself out.
    pub fn closed_by(&self, directory: u64) -> BTreeSet<u64> {
        let mut closes: BTreeSet<u64> = [0, directory].into_iter().collect();
        loop {
            let heirs = self.0.values().filter(|e| closes.contains(&e.by)).map(|e| e.directory);
            let more: BTreeSet<u64> = heirs.filter(|gone| !closes.contains(gone)).collect();
            if more.is_empty() {
                return closes;
            }
            closes.extend(more);
        }
    }

    /// True when there was news.
    pub fn merge(&mut self, other: &Evictions) -> bool {
        other.0.values().fold(false, |news, eviction| news | self.add(eviction))
    }

    /// True when there was news.
    pub fn add(&mut self, eviction: &Eviction) -> bool {
        match self.0.get_mut(&eviction.directory) {
            Some(known) => known.merge(eviction),
            None => self.0.insert(eviction.directory, eviction.clone()).is_none(),
        }
    }

    /// Evictions besides one of them: what its fences have to know.
    pub fn others(&self) -> u64 {
        self.0.len().saturating_sub(1) as u64
    }

    /// Up to where effects of `node` count; `None`: it is of nobody evicted.
    pub fn limit(&self, node: NodeId) -> Option<Seq> {
        let mut of_it = self.0.values().filter(|eviction| eviction.nodes.contains(&node));
        of_it
            .next()
            .map(|eviction| eviction.limit(node, self.others(), &|directory| self.contains(directory)))
    }

    /// Appends: count varint, then each: directory, by, at u64; forgotten and closed u8; nodes, fences and, if closed, the cut's
    /// version and the cut.
    pub fn encode(&self, out: &mut Vec<u8>) {
        varint::put(out, self.0.len() as u64);
        for eviction in self.0.values() {
            for field in [eviction.directory, eviction.by, eviction.at.0] {
                out.extend_from_slice(&field.to_le_bytes());
            }
            out.push(u8::from(eviction.forgotten) | u8::from(eviction.cut.is_some()) << 1);
            varint::put(out, eviction.nodes.len() as u64);
            eviction.nodes.iter().for_each(|node| out.extend_from_slice(&node.0.to_le_bytes()));
            varint::put(out, eviction.fences.len() as u64);
            for (directory, fence) in &eviction.fences {
                out.extend_from_slice(&directory.to_le_bytes());
                varint::put(out, fence.known);
                put_frontier(out, &fence.shown);
            }
            if let Some(cut) = &eviction.cut {
                varint::put(out, cut.version);
                put_frontier(out, &cut.reached);
            }
        }
    }

    /// Reads what [`Evictions::encode`] wrote; `None` when it is malformed or more follows.
    pub fn decode(mut input: &[u8]) -> Option<Evictions> {
        let input = &mut input;
        let mut evictions = Evictions::default();
        for _ in 0..varint::take(input)? {
            let (directory, by, at) = (take_u64(input)?, take_u64(input)?, Hlc(take_u64(input)?));
            let (flags, rest) = input.split_first()?;
            *input = rest;
            let mut eviction = Eviction::new(directory, by, at, BTreeSet::new());
            for _ in 0..varint::take(input)? {
                eviction.nodes.insert(NodeId(take_u64(input)?));
            }
            for _ in 0..varint::take(input)? {
                let directory = take_u64(input)?;
                let fence = Fence { known: varint::take(input)?, shown: take_frontier(input)? };
                eviction.fences.insert(directory, fence);
            }
            eviction.forgotten = flags & 1 != 0;
            if flags & 2 != 0 {
                eviction.cut = Some(Cut { version: varint::take(input)?, reached: take_frontier(input)? });
            }
            evictions.0.insert(directory, eviction);
        }
        input.is_empty().then_some(evictions)
    }
}

fn take_u64(input: &mut &[u8]) -> Option<u64> {
    let (eight, rest) = input.split_first_chunk::<8>()?;
    *input = rest;
    Some(u64::from_le_bytes(*eight))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(components: &[(u64, u64)]) -> Frontier {
        components.iter().map(|&(n, s)| (NodeId(n), Seq(s))).collect()
    }

    fn cut(version: u64, reached: &[(u64, u64)]) -> Option<Cut> {
        Some(Cut { version, reached: at(reached) })
    }

    fn begun() -> Eviction {
        Eviction::new(9, 1, Hlc(5), [NodeId(90)].into_iter().collect())
    }

    #[test]
    fn the_cut_is_the_farthest_that_anyone_has_and_waits_for_all() {
        let mut eviction = begun();
        let members = [1, 2].into_iter().collect();
        assert!(eviction.fence(1, &at(&[(90, 7)]), 0));
        assert!(!eviction.fence(1, &at(&[(90, 8)]), 0), "what was said stays");
        assert_eq!(eviction.waits_for(&members, 0), [&2]);
        assert!(!eviction.close(&members, 0));
        assert!(eviction.fence(2, &at(&[(90, 12)]), 0));
        assert_eq!(eviction.limit(NodeId(90), 0, &|_| false), Seq(12));
        assert!(eviction.close(&members, 0));
        assert_eq!(eviction.cut, cut(0, &[(90, 12)]));
    }

    #[test]
    fn what_only_a_member_had_that_was_evicted_too_does_not_count() {
        let mut eviction = begun();
        eviction.fence(1, &at(&[(90, 7)]), 0);
        eviction.fence(3, &at(&[(90, 20)]), 0);
        // The third is evicted as well; the second took some of what it had before.
        let left = [1, 2].into_iter().collect();
        eviction.fence(2, &at(&[(90, 15)]), 1);
        assert_eq!(eviction.limit(NodeId(90), 1, &|directory| directory == 3), Seq(15));
        assert_eq!(eviction.waits_for(&left, 1), [&1], "it may have taken some too");
        assert!(eviction.fence(1, &at(&[(90, 9)]), 1));
        assert!(eviction.close(&left, 1));
        assert_eq!(eviction.cut, cut(1, &[(90, 15)]));
    }

    #[test]
    fn what_only_one_had_who_is_evicted_later_does_not_count_any_more() {
        let mut eviction = begun();
        for (who, seq) in [(1, 7), (2, 5), (3, 20)] {
            eviction.fence(who, &at(&[(90, seq)]), 0);
        }
        assert!(eviction.close(&[1, 2, 3].into_iter().collect(), 0));
        assert!(!eviction.fence(2, &at(&[(90, 9)]), 0), "nobody knows more");
        let limit = |eviction: &Eviction| eviction.limit(NodeId(90), 1, &|directory| directory == 3);
        // The second took some of what the third had before that one was evicted too.
        assert_eq!(limit(&eviction), Seq(7), "nobody takes what may be gone");
        let left = [1, 2].into_iter().collect();
        assert!(eviction.fence(1, &at(&[(90, 7)]), 1));
        assert!(!eviction.close(&left, 1));
        assert_eq!(eviction.waits_for(&left, 1), [&2]);
        let before = eviction.clone();
        assert!(eviction.fence(2, &at(&[(90, 11)]), 1));
        assert_eq!(limit(&eviction), Seq(11));
        assert!(eviction.close(&left, 1));
        assert!(!eviction.close(&left, 1), "once");
        assert_eq!(eviction.cut, cut(1, &[(90, 11)]));
        assert!(eviction.is_covered(&at(&[(90, 11)])) && eviction.is_exceeded(&at(&[(90, 12)])));
        // Whoever hears of both cuts in whatever order goes by the later one.
        let (mut one, mut other) = (before.clone(), eviction.clone());
        assert!(one.merge(&eviction));
        other.merge(&before);
        assert_eq!((&one.cut, &other.cut), (&eviction.cut, &eviction.cut));
    }

    #[test]
    fn a_later_cut_is_never_farther() {
        let mut eviction = begun();
        let members = [1, 2].into_iter().collect();
        eviction.fence(1, &at(&[(90, 7)]), 0);
        eviction.fence(2, &at(&[(90, 5)]), 0);
        eviction.close(&members, 0);
        // Nobody knew of this one then: it is none of those who are left.
        let joined = [1, 2, 4].into_iter().collect();
        eviction.fence(1, &at(&[(90, 7)]), 1);
        eviction.fence(2, &at(&[(90, 7)]), 1);
        eviction.fence(4, &at(&[(90, 30)]), 1);
        assert_eq!(eviction.limit(NodeId(90), 1, &|_| false), Seq(7));
        assert!(eviction.close(&joined, 1));
        assert_eq!(eviction.cut, cut(1, &[(90, 7)]));
    }

    #[test]
    fn an_incarnation_that_only_one_knew_is_fenced_by_all() {
        let (mut here, mut there) = (begun(), begun());
        there.nodes.insert(NodeId(91));
        here.fence(1, &at(&[(90, 3)]), 0);
        there.fence(2, &at(&[(90, 2), (91, 4)]), 0);
        let members = [1, 2].into_iter().collect();
        assert!(here.merge(&there));
        assert!(!here.close(&members, 0), "the other incarnation was not spoken of");
        assert!(here.fence(1, &at(&[(90, 3), (91, 1)]), 0));
        assert!(here.close(&members, 0));
        assert_eq!(here.cut, cut(0, &[(90, 3), (91, 4)]));
    }

    #[test]
    fn who_evicts_an_evictor_closes_what_it_left_open() {
        let mut all = Evictions::default();
        for (gone, by) in [(9, 1), (1, 2), (2, 3), (8, 4)] {
            all.add(&Eviction::new(gone, by, Hlc(5), BTreeSet::new()));
        }
        assert_eq!(all.closed_by(3), [0, 1, 2, 3, 9].into_iter().collect());
        assert_eq!(all.closed_by(5), [0, 5].into_iter().collect());
    }

    #[test]
    fn records_round_trip_and_any_cut_of_them_is_refused() {
        let mut all = Evictions::default();
        let mut eviction = begun();
        eviction.fence(1, &at(&[(90, 7)]), 0);
        eviction.fence(1, &at(&[(90, 7)]), 300);
        eviction.close(&[1].into_iter().collect(), 300);
        all.add(&eviction);
        all.add(&Eviction::new(8, 2, Hlc(6), BTreeSet::new()));
        let mut bytes = Vec::new();
        all.encode(&mut bytes);
        assert_eq!(Evictions::decode(&bytes), Some(all));
        assert!((0..bytes.len()).all(|cut| Evictions::decode(&bytes[..cut]).is_none()));
    }

    proptest! {
        #[test]
        fn law_merging_in_any_order_comes_to_the_same(
            said in prop::collection::vec((1u64..4, 90u64..93, 0u64..9, prop::option::of(0u64..3)), 0..20),
            order in any::<u64>(),
        ) {
            let parts: Vec<Eviction> = said.iter().map(|&(who, node, seq, closed)| {
                let mut part = Eviction::new(9, who, Hlc(who), [NodeId(node)].into_iter().collect());
                part.fence(who, &at(&[(node, seq)]), 0);
                part.cut = closed.and_then(|version| cut(version, &[(node, seq)]));
                part
            }).collect();
            let mut forwards = Evictions::default();
            let mut otherwise = Evictions::default();
            parts.iter().for_each(|part| _ = forwards.add(part));
            let mut rest: Vec<&Eviction> = parts.iter().collect();
            let mut state = order;
            while !rest.is_empty() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let part = rest.swap_remove((state >> 33) as usize % rest.len());
                otherwise.add(part);
                otherwise.add(part);
            }
            prop_assert_eq!(forwards, otherwise);
        }
    }
}
