//! Which effects every member has, as proved by acks.
//!
//! An ack says what a member has shown (`applied`) and how far its own sequence had come (`own`). It counts here only once
//! we have shown the acker's effects up to `own`: then everything of it that we have not seen yet was written after it saw
//! `applied`, so nothing concurrent with a stable effect can arrive any more. Timers prove nothing and are not used.
//!
//! By which way those effects came does not matter, nor whether they came before the ack or after: acks travel on the direct
//! link while the effects may take another way, through a relay.
//!
//! Effects of an origin that is no member's current incarnation are nobody's to ack. While a member has some that we lack,
//! nothing is stable: they may have been written without seeing what everybody has seen since. That a member has none that it
//! did not tell is known once it knows of the new incarnation: from then on it takes nothing more of the old one's process. So
//! an ack counts only from who has said that it knows of every incarnation that we know.
//!
//! Members are kept per data directory; only a directory's newest incarnation counts, and its ack starts from nothing.
//!
//! Invariant: `stable` never exceeds what a member is proved to have shown. It falls when a member is learned that has not
//! acked yet; who pruned up to an earlier value keeps it.
//!
//! Does not: decide who is a member (membership does) or forget one that is silent.

use std::collections::{BTreeMap, VecDeque};

use proto::{Frontier, NodeId, Seq};

use super::{Ack, Member};

/// Acks that wait per member. When full the newest waiting one is replaced: older ones are proved sooner.
const PENDING_MAX: usize = 32;

#[derive(Debug)]
struct Entry {
    node: NodeId,
    incarnation: u64,
    /// The incarnations that it said it knows, by directory.
    knows: BTreeMap<u64, u64>,
    /// Joined over the acks that count; `None` before the first.
    proved: Option<Ack>,
    pending: VecDeque<Ack>,
}

/// See the module.
#[derive(Debug)]
pub struct Stability {
    own_directory: u64,
    members: BTreeMap<u64, Entry>,
}

impl Stability {
    pub fn new(own_directory: u64) -> Self {
        Self { own_directory, members: BTreeMap::new() }
    }

    /// Adds a member or replaces an older incarnation of it. False when it was known, older, or ourselves.
    pub fn learn(&mut self, member: &Member) -> bool {
        if member.directory == self.own_directory {
            return false;
        }
        let newer = self.members.get(&member.directory).is_none_or(|e| e.incarnation < member.incarnation);
        if newer {
            let entry = Entry {
                node: member.node,
                incarnation: member.incarnation,
                knows: BTreeMap::new(),
                proved: None,
                pending: VecDeque::new(),
            };
            self.members.insert(member.directory, entry);
            if member.incarnation > 1 {
                // What the others acked so far may have been before they knew.
                self.members.values_mut().for_each(Entry::doubt);
            }
        }
        newer
    }

    /// `node` said which members it knows. Its acks from then on were made knowing them.
    pub fn informed(&mut self, node: NodeId, members: &[Member]) {
        let Some(entry) = self.members.values_mut().find(|e| e.node == node) else { return };
        for member in members {
            let known = entry.knows.entry(member.directory).or_default();
            *known = (*known).max(member.incarnation);
        }
    }

    /// True when a member knows of every incarnation that may have left effects behind.
    fn knows_all(&self, entry: &Entry) -> bool {
        let known = |directory: &u64| entry.knows.get(directory).copied().unwrap_or(0);
        self.members.iter().all(|(directory, other)| {
            other.node == entry.node || other.incarnation <= 1 || known(directory) >= other.incarnation
        })
    }

    /// The member at `directory` is evicted: it holds nothing back any more.
    pub fn forget(&mut self, directory: u64) {
        self.members.remove(&directory);
    }

    /// Directories of members that have acked.
    pub fn acked_members(&self) -> impl Iterator<Item = u64> {
        self.members.iter().filter(|(_, entry)| entry.proved.is_some()).map(|(directory, _)| *directory)
    }

    /// What the member at `directory` is proved to have shown of `origin`; `None` before its first ack.
    pub fn proved(&self, directory: u64, origin: NodeId) -> Option<Seq> {
        self.members.get(&directory)?.proved.as_ref().map(|ack| ack.applied.seq(origin))
    }

    /// True when no other member is known: everything is stable at once.
    pub fn is_alone(&self) -> bool {
        self.members.is_empty()
    }

    /// An ack of `node` arrived; `shown` is our frontier. Acks of superseded or unknown incarnations are ignored, and those of
    /// who does not know of all incarnations yet. True when it counts already.
    pub fn acked(&mut self, node: NodeId, ack: &Ack, shown: &Frontier) -> bool {
        if !self.members.values().find(|e| e.node == node).is_some_and(|entry| self.knows_all(entry)) {
            return false;
        }
        let Some(entry) = self.members.values_mut().find(|e| e.node == node) else { return false };
        if shown.seq(node) >= ack.own {
            entry.prove(ack);
            return true;
        }
        if entry.pending.len() >= PENDING_MAX {
            entry.pending.pop_back();
        }
        entry.pending.push_back(ack.clone());
        false
    }

    /// Our frontier grew to `shown`: counts the acks this proves. True when any did.
    pub fn advance(&mut self, shown: &Frontier) -> bool {
        let mut any = false;
        for entry in self.members.values_mut() {
            while let Some(ack) = entry.pending.front().filter(|a| shown.seq(entry.node) >= a.own).cloned() {
                entry.pending.pop_front();
                entry.prove(&ack);
                any = true;
            }
        }
        any
    }

    /// True when a member has shown effects of an origin that writes no more, and we have not.
    fn awaits_relics(&self, shown: &Frontier) -> bool {
        let writes = |node: NodeId| self.members.values().any(|e| e.node == node);
        let proved = self.members.values().filter_map(|e| e.proved.as_ref());
        proved.flat_map(|ack| ack.applied.iter()).any(|(node, seq)| shown.seq(node) < seq && !writes(node))
    }

    /// Pointwise minimum of our frontier `shown` and all members' proved ones; zero while a member has not acked, or has
    /// effects of an earlier incarnation that we lack. Without members, `shown`.
    pub fn stable(&self, shown: &Frontier) -> Frontier {
        if self.awaits_relics(shown) {
            return Frontier::new();
        }
        let mut stable = shown.clone();
        for entry in self.members.values() {
            match &entry.proved {
                Some(ack) => stable.meet(&ack.applied),
                None => return Frontier::new(),
            }
        }
        #[cfg(feature = "planted")]
        if crate::planted::is(crate::planted::Planted::PruneEarly)
            && let Some((node, _)) = shown.iter().find(|(node, seq)| stable.seq(*node) < *seq)
        {
            stable.set(node, proto::Seq(stable.seq(node).0 + 1));
        }
        stable
    }

    /// No effect below this can arrive any more (Unix ms), given that we have shown `shown`; `None` while that is not known,
    /// `u64::MAX` without members. The caller takes the minimum with its own clock.
    pub fn closed_ms(&self, shown: &Frontier) -> Option<u64> {
        if self.awaits_relics(shown) {
            return None;
        }
        self.members
            .values()
            .map(|e| e.proved.as_ref().map(|a| a.hlc.ms()))
            .try_fold(u64::MAX, |least, ms| ms.map(|ms| least.min(ms)))
    }
}

impl Entry {
    /// What it acked proves nothing any more.
    fn doubt(&mut self) {
        self.proved = None;
        self.pending.clear();
    }

    fn prove(&mut self, ack: &Ack) {
        match &mut self.proved {
            Some(proved) => {
                proved.applied.join(&ack.applied);
                proved.own = proved.own.max(ack.own);
                proved.hlc = proved.hlc.max(ack.hlc);
            }
            None => self.proved = Some(ack.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proto::Hlc;

    use super::*;

    fn member(directory: u64, node: u64, incarnation: u64) -> Member {
        Member {
            directory,
            node: NodeId(node),
            incarnation,
            region: String::new(),
            addr: String::new(),
            level: 1,
        }
    }

    fn at(components: &[(u64, u64)]) -> Frontier {
        components.iter().map(|&(n, s)| (NodeId(n), Seq(s))).collect()
    }

    fn ack(applied: &[(u64, u64)], own: u64, ms: u64) -> Ack {
        Ack { applied: at(applied), own: Seq(own), hlc: Hlc::from_ms(ms) }
    }

    #[test]
    fn alone_everything_is_stable() {
        let stability = Stability::new(1);
        assert_eq!(stability.stable(&at(&[(10, 5)])), at(&[(10, 5)]));
        assert_eq!(stability.closed_ms(&Frontier::new()), Some(u64::MAX));
    }

    #[test]
    fn a_member_that_never_acked_holds_everything() {
        let mut stability = Stability::new(1);
        assert!(stability.learn(&member(2, 20, 1)));
        assert!(!stability.learn(&member(2, 20, 1)));
        assert!(!stability.learn(&member(1, 10, 1)), "ourselves");
        let shown = at(&[(10, 5)]);
        assert_eq!(stability.stable(&shown), Frontier::new());
        assert_eq!(stability.closed_ms(&shown), None);
        stability.acked(NodeId(20), &ack(&[(10, 3)], 0, 7), &shown);
        assert_eq!(stability.stable(&shown), at(&[(10, 3)]));
        assert_eq!(stability.closed_ms(&shown), Some(7));
    }

    #[test]
    fn an_ack_counts_only_once_the_ackers_effects_before_it_are_shown() {
        let mut stability = Stability::new(1);
        stability.learn(&member(2, 20, 1));
        let mut shown = at(&[(10, 5), (20, 3)]);
        assert!(!stability.acked(NodeId(20), &ack(&[(10, 5), (20, 4)], 4, 9), &shown));
        assert_eq!(stability.stable(&shown), Frontier::new());
        shown.set(NodeId(20), Seq(4));
        assert!(stability.advance(&shown));
        assert_eq!(stability.stable(&shown), at(&[(10, 5), (20, 4)]));
    }

    #[test]
    fn a_newer_incarnation_starts_again_and_an_older_one_never_returns() {
        let mut stability = Stability::new(1);
        stability.learn(&member(2, 20, 1));
        let shown = at(&[(10, 5)]);
        stability.acked(NodeId(20), &ack(&[(10, 5)], 0, 9), &shown);
        assert!(stability.learn(&member(2, 21, 2)));
        assert_eq!(stability.stable(&shown), Frontier::new());
        assert!(!stability.learn(&member(2, 20, 1)));
        assert!(!stability.acked(NodeId(20), &ack(&[(10, 5)], 0, 9), &shown), "superseded");
        stability.acked(NodeId(21), &ack(&[(10, 4)], 0, 9), &shown);
        assert_eq!(stability.stable(&shown), at(&[(10, 4)]));
        stability.forget(2);
        assert!(stability.is_alone());
    }

    #[test]
    fn an_ack_made_without_knowing_a_new_incarnation_does_not_count() {
        let mut stability = Stability::new(1);
        stability.learn(&member(2, 20, 1));
        stability.learn(&member(3, 30, 1));
        let shown = at(&[(10, 5)]);
        stability.acked(NodeId(20), &ack(&[(10, 5)], 0, 9), &shown);
        stability.acked(NodeId(30), &ack(&[(10, 5)], 0, 9), &shown);
        assert_eq!(stability.stable(&shown), shown);
        // The third lost what it wrote last; the second may still take that of the process that is gone.
        stability.learn(&member(3, 31, 2));
        stability.informed(NodeId(31), &[member(2, 20, 1)]);
        assert!(stability.acked(NodeId(31), &ack(&[(10, 5)], 0, 9), &shown));
        assert!(!stability.acked(NodeId(20), &ack(&[(10, 5)], 0, 9), &shown));
        assert_eq!(stability.stable(&shown), Frontier::new());
        stability.informed(NodeId(20), &[member(3, 31, 2)]);
        assert!(stability.acked(NodeId(20), &ack(&[(10, 5), (30, 1)], 0, 9), &shown));
        assert_eq!(stability.stable(&shown), Frontier::new(), "what it had of the old one is waited for");
        assert_eq!(stability.stable(&at(&[(10, 5), (30, 1)])), at(&[(10, 5)]));
    }

    #[test]
    fn what_an_earlier_incarnation_wrote_is_waited_for() {
        let mut stability = Stability::new(1);
        stability.learn(&member(2, 20, 1));
        let mut shown = at(&[(10, 5), (20, 7)]);
        stability.acked(NodeId(20), &ack(&[(10, 3), (20, 7)], 7, 9), &shown);
        // It was killed before 20:8 and 20:9, which had not seen 10:4, came here. Its next incarnation has seen all.
        stability.learn(&member(2, 21, 2));
        stability.acked(NodeId(21), &ack(&[(10, 5), (20, 9)], 0, 12), &shown);
        assert_eq!(stability.stable(&shown), Frontier::new());
        assert_eq!(stability.closed_ms(&shown), None);
        shown.set(NodeId(20), Seq(9));
        assert_eq!(stability.stable(&shown), at(&[(10, 5), (20, 9)]));
        assert_eq!(stability.closed_ms(&shown), Some(12));
    }

    #[test]
    fn waiting_acks_are_bounded_and_still_get_through() {
        let mut stability = Stability::new(1);
        stability.learn(&member(2, 20, 1));
        let mut shown = Frontier::new();
        for own in 1..=1000 {
            stability.acked(NodeId(20), &ack(&[(20, own)], own, own), &shown);
        }
        assert!(stability.members[&2].pending.len() <= PENDING_MAX);
        shown.set(NodeId(20), Seq(10));
        stability.advance(&shown);
        assert_eq!(stability.closed_ms(&shown), Some(10));
        shown.set(NodeId(20), Seq(1000));
        stability.advance(&shown);
        assert_eq!(stability.closed_ms(&shown), Some(1000));
    }

    proptest! {
        #[test]
        fn law_stable_never_exceeds_any_members_proved_frontier(
            acks in prop::collection::vec((0u64..3, 0u64..20, 0u64..20, 0u64..20), 0..60),
        ) {
            let mut stability = Stability::new(1);
            for m in 0..3 {
                stability.learn(&member(100 + m, m, 1));
            }
            let mut shown = Frontier::new();
            let mut truth = [[0u64; 2]; 3];
            let mut said: Vec<(u64, u64, [u64; 2])> = Vec::new();
            for (m, own, x, y) in acks {
                stability.acked(NodeId(m), &ack(&[(50, x), (51, y)], own, 1), &shown);
                said.push((m, own, [x, y]));
                shown.advance(NodeId(m), Seq(own / 2));
                shown.join(&at(&[(50, x), (51, y)]));
                stability.advance(&shown);
                for (m, own, seen) in &said {
                    if shown.seq(NodeId(*m)).0 >= *own {
                        for (t, s) in truth[*m as usize].iter_mut().zip(seen) {
                            *t = (*t).max(*s);
                        }
                    }
                }
                let stable = stability.stable(&shown);
                for (i, node) in [50, 51].into_iter().enumerate() {
                    let least = truth.iter().map(|t| t[i]).min().unwrap();
                    prop_assert!(stable.seq(NodeId(node)).0 <= least);
                }
            }
        }
    }
}
