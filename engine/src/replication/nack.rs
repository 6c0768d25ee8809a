//! What is missing, and whom to ask for it.
//!
//! The effects of most origins come as a stream over one link: from the origin itself, or *carried* by a relay. So most of
//! what peers announce is on its way already. A range is asked for (a NACK) only when no stream will bring it:
//!
//! | origin | asked | whom |
//! |---|---|---|
//! | carried by nobody | after `grace_ms` + jitter | any connected peer that announced it |
//! | carried, dropped from the horizon | after `grace_ms` + jitter | the carrier, else the others |
//! | carried, no progress for `stall_ms` | then | the others; the carrier only to fill a hole before held batches |
//!
//! A carrier that brings anything at all is busy, not stuck: it is given [`BUSY_STALLS`] times as long, so that a node that
//! cannot keep up is not sent everything twice.
//!
//! Of several that could answer, one nearby is asked: what a region has need not cross to it again.
//!
//! A range in flight is not asked twice; an answer without the range backs off, doubling, and prefers another peer.
//!
//! Invariant: at most `ranges_per_peer_max` ranges are in flight to one peer and `ranges_per_origin_max` of one origin, each
//! of at most `range_seqs_max` effects. The lowest missing seq is asked first.
//!
//! Does not: send, time out an answer (a link that ends one calls [`Nack::fetched`], one that dies [`Nack::peer_down`]).

use std::collections::{BTreeMap, BTreeSet};

use proto::{Frontier, NodeId, Seq};

use super::horizon::Horizon;
use super::{Fetch, SeqRange};

/// Stalls that a carrier is forgiven while it brings other things.
pub const BUSY_STALLS: u64 = 5;

/// When and how much to ask.
#[derive(Clone, Debug)]
pub struct NackConfig {
    /// How long something no stream will bring may be missing before it is asked for.
    pub grace_ms: u64,
    /// How long a connected origin may make no progress before others are asked.
    pub stall_ms: u64,
    /// Up to so much is added to every wait.
    pub jitter_ms: u64,
    pub backoff_ms_max: u64,
    pub range_seqs_max: u64,
    pub ranges_per_origin_max: usize,
    pub ranges_per_peer_max: usize,
    /// Of the jitter.
    pub seed: u64,
}

impl Default for NackConfig {
    fn default() -> Self {
        Self {
            grace_ms: 50,
            stall_ms: 1_000,
            jitter_ms: 20,
            backoff_ms_max: 2_000,
            range_seqs_max: 16 * 1024,
            ranges_per_origin_max: 4,
            ranges_per_peer_max: 16,
            seed: 1,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    peer: NodeId,
    range: SeqRange,
}

/// An origin of which something is missing.
#[derive(Debug)]
struct Behind {
    /// Shown and highest held seq when progress was last seen.
    shown: Seq,
    top: Seq,
    /// Why it waits, as of the last step; a change restarts the wait.
    reason: Reason,
    due_ms: u64,
    /// When progress was last seen.
    moved_ms: u64,
    failures: u32,
    /// The last peer that answered without the range.
    avoid: Option<NodeId>,
    /// Answers since the last step.
    returned: Vec<Asked>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reason {
    NoStream,
    Dropped,
    Stream,
}

/// See the module.
#[derive(Debug)]
pub struct Nack {
    config: NackConfig,
    own: NodeId,
    peers: BTreeMap<NodeId, Frontier>,
    /// Whose stream brings an origin's effects.
    carriers: BTreeMap<NodeId, NodeId>,
    /// Peers in our own region.
    near: BTreeSet<NodeId>,
    /// When each peer last brought a batch of anyone's.
    brought: BTreeMap<NodeId, u64>,
    behind: BTreeMap<NodeId, Behind>,
    asked: Vec<Asked>,
    random: u64,
}

impl Nack {
    /// `own` is never asked for: nobody knows our effects better.
    pub fn new(own: NodeId, config: NackConfig) -> Self {
        let random = config.seed | 1;
        Self {
            config,
            own,
            peers: BTreeMap::new(),
            carriers: BTreeMap::new(),
            near: BTreeSet::new(),
            brought: BTreeMap::new(),
            behind: BTreeMap::new(),
            asked: Vec::new(),
            random,
        }
    }

    /// A link to `peer` is up. Unless somebody carries them, its stream will bring its own effects after our frontier.
    pub fn peer_up(&mut self, peer: NodeId, frontier: &Frontier) {
        self.peers.insert(peer, frontier.clone());
        self.carriers.entry(peer).or_insert(peer);
        self.behind.remove(&peer);
    }

    /// Whether `peer` is in our own region.
    pub fn place(&mut self, peer: NodeId, near: bool) {
        if near {
            self.near.insert(peer);
        } else {
            self.near.remove(&peer);
        }
    }

    /// The stream of `origin` comes from `by` now, from our frontier on; `None`: from nobody.
    pub fn carried(&mut self, origin: NodeId, by: Option<NodeId>) {
        let before = match by {
            Some(by) => self.carriers.insert(origin, by),
            None => self.carriers.remove(&origin),
        };
        if before != by {
            // Its patience begins anew.
            self.behind.remove(&origin);
        }
    }

    /// What was asked of it may be asked of another now.
    pub fn peer_down(&mut self, peer: NodeId) {
        self.peers.remove(&peer);
        self.near.remove(&peer);
        self.brought.remove(&peer);
        self.carriers.retain(|_, by| *by != peer);
        self.asked.retain(|a| a.peer != peer);
    }

    /// A batch came from `peer`, of whichever origin.
    pub fn brought(&mut self, peer: NodeId, now_ms: u64) {
        self.brought.insert(peer, now_ms);
    }

    /// A connected peer said what it has shown. Unknown peers are ignored.
    pub fn announced(&mut self, peer: NodeId, frontier: &Frontier) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.join(frontier);
        }
    }

    /// An answer ended, with or without the ranges.
    pub fn fetched(&mut self, peer: NodeId, ranges: &[SeqRange]) {
        for range in ranges {
            let Some(at) = self.asked.iter().position(|a| a.peer == peer && a.range == *range) else {
                continue;
            };
            let asked = self.asked.swap_remove(at);
            if let Some(behind) = self.behind.get_mut(&range.origin) {
                behind.returned.push(asked);
            }
        }
    }

    /// Ranges in flight.
    pub fn in_flight(&self) -> usize {
        self.asked.len()
    }

    /// Appends what is due now. `frontier` is what is shown here.
    pub fn step(&mut self, now_ms: u64, frontier: &Frontier, horizon: &Horizon, out: &mut Vec<Fetch>) {
        let mut wanted = horizon.wanted();
        for announced in self.peers.values() {
            wanted.join(announced);
        }
        wanted.set(self.own, Seq(0));
        self.behind.retain(|origin, _| wanted.seq(*origin) > frontier.seq(*origin));
        let mut gaps = Vec::new();
        for (origin, last) in wanted.iter() {
            let shown = frontier.seq(origin);
            if last <= shown {
                continue;
            }
            gaps.clear();
            // Held batches only lack their context: that is another origin's gap.
            horizon.gaps(origin, shown, last, 4 * self.config.ranges_per_origin_max, &mut gaps);
            if self.is_due(now_ms, origin, shown, horizon, &gaps) {
                self.ask(now_ms, origin, shown, horizon, &gaps, out);
            }
        }
    }

    fn is_due(
        &mut self,
        now_ms: u64,
        origin: NodeId,
        shown: Seq,
        horizon: &Horizon,
        gaps: &[SeqRange],
    ) -> bool {
        let reason = self.reason(origin, shown, horizon);
        let top = horizon.top(origin);
        let wait =
            |random: &mut u64, config: &NackConfig, ms: u64| now_ms + ms + jitter(random, config.jitter_ms);
        let first_ms = if reason == Reason::Stream { self.config.stall_ms } else { self.config.grace_ms };
        let brought_ms = self.carriers.get(&origin).and_then(|by| self.brought.get(by)).copied();
        let Some(behind) = self.behind.get_mut(&origin) else {
            let due_ms = wait(&mut self.random, &self.config, first_ms);
            let fresh = Behind {
                shown,
                top,
                reason,
                due_ms,
                moved_ms: now_ms,
                failures: 0,
                avoid: None,
                returned: Vec::new(),
            };
            self.behind.insert(origin, fresh);
            return false;
        };
        let progress = shown > behind.shown || top > behind.top;
        (behind.shown, behind.top) = (shown, top);
        if progress {
            behind.moved_ms = now_ms;
        }
        if behind.reason != reason || (progress && reason == Reason::Stream) {
            behind.reason = reason;
            behind.failures = 0;
            behind.due_ms = wait(&mut self.random, &self.config, first_ms);
        }
        for asked in std::mem::take(&mut behind.returned) {
            let still = gaps.iter().any(|g| g.first <= asked.range.first && asked.range.first <= g.last);
            if still {
                behind.failures += 1;
                behind.avoid = Some(asked.peer);
                let backoff_ms = self.config.grace_ms.max(1) << behind.failures.min(16);
                let backoff_ms = backoff_ms.min(self.config.backoff_ms_max);
                behind.due_ms = wait(&mut self.random, &self.config, backoff_ms);
            } else {
                behind.failures = 0;
                behind.avoid = None;
                // A backlog goes on at once; a trickle is collected for a moment.
                let backlog = gaps.iter().map(|g| g.last.0 - g.first.0).max().unwrap_or(0);
                let backlog = backlog >= self.config.range_seqs_max;
                behind.due_ms = if backlog { now_ms } else { now_ms + self.config.grace_ms };
            }
        }
        if let Some(brought_ms) = brought_ms.filter(|_| reason == Reason::Stream) {
            let forgiven_ms = behind.moved_ms + BUSY_STALLS * self.config.stall_ms;
            behind.due_ms = behind.due_ms.max(forgiven_ms.min(brought_ms + self.config.stall_ms));
        }
        now_ms >= behind.due_ms
    }

    fn reason(&self, origin: NodeId, shown: Seq, horizon: &Horizon) -> Reason {
        if !self.carriers.get(&origin).is_some_and(|by| self.peers.contains_key(by)) {
            Reason::NoStream
        } else if horizon.dropped().seq(origin) > shown {
            Reason::Dropped
        } else {
            Reason::Stream
        }
    }

    fn ask(
        &mut self,
        now_ms: u64,
        origin: NodeId,
        shown: Seq,
        horizon: &Horizon,
        gaps: &[SeqRange],
        out: &mut Vec<Fetch>,
    ) {
        let Some(behind) = self.behind.get(&origin) else { return };
        let (reason, avoid) = (behind.reason, behind.avoid);
        let limit = match reason {
            // What was not dropped is still on the stream.
            Reason::Dropped => horizon.dropped().seq(origin),
            Reason::NoStream | Reason::Stream => Seq(u64::MAX),
        };
        let mut in_flight = self.asked.iter().filter(|a| a.range.origin == origin).count();
        for gap in gaps {
            let mut first = gap.first.0;
            let last = gap.last.min(limit).0;
            while first <= last && in_flight < self.config.ranges_per_origin_max {
                let Some((free_first, free_last)) = self.free_part(origin, first, last) else { break };
                let hole = horizon.top(origin).0 > free_last;
                let Some(peer) = self.choose(origin, Seq(free_first), reason, hole, avoid) else { break };
                let has = self.peers.get(&peer).map_or(0, |f| f.seq(origin).0);
                let range = SeqRange {
                    origin,
                    first: Seq(free_first),
                    last: Seq(free_last
                        .min(has)
                        .min(free_first.saturating_add(self.config.range_seqs_max - 1))),
                };
                self.asked.push(Asked { peer, range });
                in_flight += 1;
                #[cfg(feature = "planted")]
                if crate::planted::is(crate::planted::Planted::SkipNack) {
                    break;
                }
                match out.iter_mut().find(|f| f.peer == peer) {
                    Some(fetch) => fetch.ranges.push(range),
                    None => out.push(Fetch { peer, ranges: vec![range] }),
                }
                let Some(next) = range.last.0.checked_add(1) else { break };
                first = next;
            }
        }
        // Whatever could not be asked now (no holder, too much in flight) is looked at again soon.
        let pause_ms = self.config.grace_ms + jitter(&mut self.random, self.config.jitter_ms);
        if let Some(behind) = self.behind.get_mut(&origin) {
            debug_assert!(behind.shown == shown);
            behind.due_ms = now_ms + pause_ms;
        }
    }

    /// The lowest part of `first..=last` that is not in flight.
    fn free_part(&self, origin: NodeId, first: u64, last: u64) -> Option<(u64, u64)> {
        let mut first = first;
        let mut end = last;
        let mut busy: Vec<SeqRange> =
            self.asked.iter().map(|a| a.range).filter(|r| r.origin == origin && r.last.0 >= first).collect();
        busy.sort_unstable();
        for range in busy {
            if range.first.0 > first {
                end = end.min(range.first.0 - 1);
                break;
            }
            first = first.max(range.last.0.checked_add(1)?);
        }
        (first <= end).then_some((first, end))
    }

    /// A connected peer that announced `first`, has room, and is the best to ask.
    fn choose(
        &self,
        origin: NodeId,
        first: Seq,
        reason: Reason,
        hole: bool,
        avoid: Option<NodeId>,
    ) -> Option<NodeId> {
        let busy = |peer: NodeId| self.asked.iter().filter(|a| a.peer == peer).count();
        let carrier = self.carriers.get(&origin).copied().filter(|_| reason != Reason::NoStream);
        self.peers
            .iter()
            .filter(|(_, has)| has.seq(origin) >= first)
            .filter(|(peer, _)| Some(**peer) != carrier || reason == Reason::Dropped || hole)
            .map(|(&peer, _)| {
                let carries = Some(peer) == carrier;
                let carrier_last = if reason == Reason::Dropped { !carries } else { carries };
                (Some(peer) == avoid, carrier_last, !self.near.contains(&peer), busy(peer), peer)
            })
            .filter(|choice| choice.3 < self.config.ranges_per_peer_max)
            .min()
            .map(|choice| choice.4)
    }
}

/// 0..=`max_ms`, from a xorshift generator.
fn jitter(state: &mut u64, max_ms: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % (max_ms + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::batch::Batch;
    use crate::replication::horizon::tests::sample;

    const A: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);
    const C: NodeId = NodeId(3);
    const ME: NodeId = NodeId(9);

    fn at(components: &[(NodeId, u64)]) -> Frontier {
        components.iter().map(|&(n, s)| (n, Seq(s))).collect()
    }

    fn nack() -> Nack {
        Nack::new(ME, NackConfig { jitter_ms: 0, range_seqs_max: 10, ..NackConfig::default() })
    }

    /// (peer, origin, first, last) of what is due.
    fn due(nack: &mut Nack, now_ms: u64, shown: &Frontier, horizon: &Horizon) -> Vec<(u64, u64, u64, u64)> {
        let mut out = Vec::new();
        nack.step(now_ms, shown, horizon, &mut out);
        out.iter()
            .flat_map(|f| f.ranges.iter().map(|r| (f.peer.0, r.origin.0, r.first.0, r.last.0)))
            .collect()
    }

    #[test]
    fn what_a_live_stream_will_bring_is_not_asked_for_while_it_moves() {
        let (mut nack, horizon) = (nack(), Horizon::new(1 << 20));
        nack.peer_up(A, &at(&[(A, 100)]));
        nack.peer_up(B, &at(&[(A, 100)]));
        for step in 0..50 {
            let shown = at(&[(A, 1 + step)]);
            assert_eq!(due(&mut nack, step * 900, &shown, &horizon), []);
        }
        let shown = at(&[(A, 50)]);
        assert_eq!(
            due(&mut nack, 45_200, &shown, &horizon)[0],
            (2, 1, 51, 60),
            "stalled: the other is asked"
        );
    }

    #[test]
    fn an_origin_without_a_link_is_asked_of_its_holders_after_the_grace() {
        let (mut nack, horizon) = (nack(), Horizon::new(1 << 20));
        nack.peer_up(B, &at(&[(A, 25)]));
        nack.peer_up(C, &at(&[(A, 12)]));
        let shown = at(&[(A, 2)]);
        assert_eq!(due(&mut nack, 0, &shown, &horizon), []);
        assert_eq!(due(&mut nack, 49, &shown, &horizon), []);
        assert_eq!(due(&mut nack, 50, &shown, &horizon), [(2, 1, 3, 12), (2, 1, 13, 22), (2, 1, 23, 25)]);
    }

    #[test]
    fn what_a_relay_carries_is_left_to_it_until_it_goes_or_stalls() {
        let (mut nack, horizon) = (nack(), Horizon::new(1 << 20));
        nack.peer_up(A, &at(&[(A, 5)]));
        nack.peer_up(B, &at(&[]));
        nack.peer_up(C, &at(&[(A, 5)]));
        nack.place(C, true);
        nack.carried(A, Some(B));
        let shown = Frontier::new();
        due(&mut nack, 0, &shown, &horizon);
        assert_eq!(due(&mut nack, 999, &shown, &horizon), [], "the relay's stream brings it");
        assert_eq!(due(&mut nack, 1_000, &shown, &horizon), [(3, 1, 1, 5)], "stalled: a near holder first");
        nack.fetched(C, &[SeqRange { origin: A, first: Seq(1), last: Seq(5) }]);
        nack.carried(A, Some(C));
        due(&mut nack, 2_000, &shown, &horizon);
        assert_eq!(due(&mut nack, 2_900, &shown, &horizon), [], "the next relay is given its time");
        nack.peer_down(C);
        due(&mut nack, 2_901, &shown, &horizon);
        assert_eq!(due(&mut nack, 2_960, &shown, &horizon), [(1, 1, 1, 5)], "nobody carries it: asked soon");
    }

    #[test]
    fn a_carrier_that_brings_other_things_is_busy_and_given_more_time_but_not_for_ever() {
        let (mut nack, horizon) = (nack(), Horizon::new(1 << 20));
        nack.peer_up(A, &at(&[(A, 5)]));
        nack.peer_up(B, &at(&[(A, 5)]));
        let shown = Frontier::new();
        let mut asked = None;
        for now_ms in (0..10_000).step_by(100) {
            nack.brought(A, now_ms);
            if !due(&mut nack, now_ms, &shown, &horizon).is_empty() {
                asked = Some(now_ms);
                break;
            }
        }
        assert_eq!(asked, Some(5_000));
        nack.peer_down(A);
        nack.peer_down(B);
        nack.peer_up(A, &at(&[(A, 5)]));
        nack.peer_up(B, &at(&[(A, 5)]));
        nack.brought(A, 20_000);
        due(&mut nack, 20_000, &shown, &horizon);
        assert_eq!(due(&mut nack, 20_999, &shown, &horizon), []);
        assert_eq!(due(&mut nack, 21_000, &shown, &horizon), [(2, 1, 1, 5)], "nothing came any more");
    }

    #[test]
    fn our_own_effects_are_never_asked_for() {
        let (mut nack, horizon) = (nack(), Horizon::new(1 << 20));
        nack.peer_up(B, &at(&[(ME, 25)]));
        for now_ms in [0, 10_000, 20_000] {
            assert_eq!(due(&mut nack, now_ms, &Frontier::new(), &horizon), []);
        }
    }

    #[test]
    fn a_range_in_flight_is_not_asked_twice_and_a_failed_one_goes_to_another() {
        let (mut nack, horizon) = (nack(), Horizon::new(1 << 20));
        nack.peer_up(B, &at(&[(A, 5)]));
        nack.peer_up(C, &at(&[(A, 5)]));
        let shown = Frontier::new();
        due(&mut nack, 0, &shown, &horizon);
        assert_eq!(due(&mut nack, 60, &shown, &horizon), [(2, 1, 1, 5)]);
        assert_eq!(due(&mut nack, 5_000, &shown, &horizon), []);
        nack.fetched(B, &[SeqRange { origin: A, first: Seq(1), last: Seq(5) }]);
        assert_eq!(due(&mut nack, 5_001, &shown, &horizon), [], "backs off");
        assert_eq!(due(&mut nack, 5_101, &shown, &horizon), [(3, 1, 1, 5)]);
        nack.peer_down(C);
        assert_eq!(nack.in_flight(), 0);
        assert_eq!(due(&mut nack, 5_200, &shown, &horizon), [(2, 1, 1, 5)], "the last holder is asked again");
    }

    #[test]
    fn dropped_batches_are_asked_of_the_connected_origin_and_no_more_than_them() {
        let (mut nack, mut horizon) = (nack(), Horizon::new(300));
        nack.peer_up(A, &at(&[(A, 40)]));
        nack.peer_up(B, &at(&[(A, 40)]));
        let shown = at(&[(A, 3)]);
        for first in [5, 8] {
            let bytes = sample(1, first, first + 2, &[(7, 7)]);
            horizon.offer(&shown, &Batch::parse(&bytes).unwrap()).unwrap();
        }
        assert_eq!(horizon.dropped().seq(A), Seq(10));
        due(&mut nack, 0, &shown, &horizon);
        let asked = due(&mut nack, 50, &shown, &horizon);
        assert_eq!(asked, [(1, 1, 4, 4), (1, 1, 8, 10)]);
    }

    #[test]
    fn a_context_nobody_streams_is_asked_of_the_peer_that_announced_it() {
        let (mut nack, mut horizon) = (nack(), Horizon::new(1 << 20));
        let shown = Frontier::new();
        let bytes = sample(1, 1, 1, &[(7, 4)]);
        horizon.offer(&shown, &Batch::parse(&bytes).unwrap()).unwrap();
        nack.peer_up(A, &at(&[(A, 1), (NodeId(7), 4)]));
        due(&mut nack, 0, &shown, &horizon);
        assert_eq!(due(&mut nack, 50, &shown, &horizon), [(1, 7, 1, 4)]);
    }

    #[test]
    fn ranges_in_flight_are_bounded_per_origin() {
        let (mut nack, horizon) = (nack(), Horizon::new(1 << 20));
        nack.peer_up(B, &at(&[(A, 1_000_000), (C, u64::MAX)]));
        let mut shown = Frontier::new();
        due(&mut nack, 0, &shown, &horizon);
        assert_eq!(due(&mut nack, 100, &shown, &horizon).len(), 8);
        assert_eq!(due(&mut nack, 1_000, &shown, &horizon).len(), 0);
        shown.set(A, Seq(10));
        nack.fetched(B, &[SeqRange { origin: A, first: Seq(1), last: Seq(10) }]);
        assert_eq!(due(&mut nack, 1_001, &shown, &horizon), [(2, 1, 41, 50)], "a backlog goes on at once");
    }
}
