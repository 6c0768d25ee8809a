//! Who brings whose effects: one copy of each into a region, and from there to its other members. Pure.
//!
//! ```text
//!         region eu                region us
//!      origin ─────── one copy ──────▶ relay ──▶ member
//!        │                              └──────▶ member
//!        └──▶ its neighbours, directly
//! ```
//! The receiver decides: it asks one peer for the stream of an origin, from its own frontier on, so a change of mind costs no
//! more than what is on its way. Inside a region every node takes its neighbours' effects from themselves. Of another region's
//! origin the members that reach it are ranked by rendezvous hashing over (origin, member): the first takes the stream from
//! the origin, the others take it from the first. Members that are far behind the best rank after all that are not, so one
//! that returns after long catches up inside its region before it relays.
//!
//! Invariant: where all agree on who reaches whom, exactly one member of a region takes a stream from outside, and following
//! the streams from any member leads to the origin: each step goes to a higher rank. Where they disagree for a moment an effect
//! may come twice or late, never out of order: streams only carry, the horizon decides what is shown.
//!
//! Does not: know links or time, ask for anything, fill gaps (`nack` does, also when a chosen stream brings nothing).

use std::collections::{BTreeMap, BTreeSet};

use proto::{Frontier, NodeId, Seq};

/// Effects that a relay may be behind the best of its region.
const BEHIND_MAX: u64 = 64 * 1024;

/// A peer as its link shows it.
#[derive(Clone, Debug)]
pub struct Peer {
    pub node: NodeId,
    pub region: String,
    /// Heard, and hearing us.
    pub healthy: bool,
    /// It streams what it is asked for. One that does not sends its own effects unasked, and no others.
    pub on_request: bool,
    /// Whom it says it reaches.
    pub reaches: BTreeSet<NodeId>,
    /// What it said it has shown.
    pub shown: Frontier,
}

/// What one node knows when it decides.
#[derive(Clone, Debug)]
pub struct View {
    pub own: NodeId,
    pub region: String,
    /// Shown here.
    pub shown: Frontier,
    /// Regions of the members, linked or not.
    pub regions: BTreeMap<NodeId, String>,
    /// Everyone with a link.
    pub peers: Vec<Peer>,
}

/// Whose stream is to bring each origin's effects, by origin: the origin itself, or a relay. An origin that is not named comes
/// by no stream.
pub fn carriers(view: &View) -> BTreeMap<NodeId, NodeId> {
    let mut origins: BTreeSet<NodeId> = view.peers.iter().map(|p| p.node).collect();
    origins.extend(view.peers.iter().filter(|p| p.healthy).flat_map(|p| &p.reaches));
    origins.remove(&view.own);
    origins.into_iter().filter_map(|origin| Some((origin, carrier(view, origin)?))).collect()
}

fn carrier(view: &View, origin: NodeId) -> Option<NodeId> {
    let link = view.peers.iter().find(|p| p.node == origin);
    let reached = link.is_some_and(|l| l.healthy);
    if link.is_some_and(|l| !l.on_request) {
        return Some(origin);
    }
    let region = link.map(|l| &l.region).or_else(|| view.regions.get(&origin));
    if reached && region == Some(&view.region) {
        return Some(origin);
    }
    let relays = || {
        let relays = |p: &&Peer| p.healthy && p.on_request && p.node != origin && p.reaches.contains(&origin);
        view.peers.iter().filter(relays)
    };
    let near = relays().filter(|p| p.region == view.region).map(|p| (p.node, p.shown.seq(origin)));
    let ourselves = reached.then(|| (view.own, view.shown.seq(origin)));
    let chosen = first(origin, near.chain(ourselves).collect());
    match chosen {
        Some(node) if node == view.own => Some(origin),
        Some(node) => Some(node),
        // A link that is silent for a moment may still bring something.
        None if link.is_some() => Some(origin),
        None => first(origin, relays().map(|p| (p.node, p.shown.seq(origin))).collect()),
    }
}

/// The highest rank among those that are not far behind.
fn first(origin: NodeId, candidates: Vec<(NodeId, Seq)>) -> Option<NodeId> {
    let best = candidates.iter().map(|c| c.1.0).max()?;
    let near_best = candidates.into_iter().filter(|c| c.1.0.saturating_add(BEHIND_MAX) >= best);
    near_best.map(|c| c.0).max_by_key(|node| (rank(origin, *node), *node))
}

/// Rendezvous hashing: every node ranks the members for an origin alike, without talking.
pub fn rank(origin: NodeId, member: NodeId) -> u64 {
    let mut x = origin.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ member.0.rotate_left(32);
    for _ in 0..2 {
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
    }
    x
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A cluster: the region of each node, and who reaches whom (both ways).
    #[derive(Clone, Debug)]
    struct World {
        regions: Vec<u8>,
        cut: BTreeSet<(usize, usize)>,
        shown: Vec<Vec<u64>>,
    }

    impl World {
        fn whole(regions: &[u8]) -> World {
            let shown = vec![vec![0; regions.len()]; regions.len()];
            World { regions: regions.to_vec(), cut: BTreeSet::new(), shown }
        }

        fn reaches(&self, a: usize, b: usize) -> bool {
            a != b && !self.cut.contains(&(a.min(b), a.max(b)))
        }

        fn shown(&self, at: usize) -> Frontier {
            self.shown[at].iter().enumerate().map(|(n, s)| (node(n), Seq(*s))).collect()
        }

        fn view(&self, own: usize) -> View {
            let all = 0..self.regions.len();
            let region = |n: usize| self.regions[n].to_string();
            View {
                own: node(own),
                region: region(own),
                shown: self.shown(own),
                regions: all.clone().map(|n| (node(n), region(n))).collect(),
                peers: all
                    .clone()
                    .filter(|n| self.reaches(own, *n))
                    .map(|n| Peer {
                        node: node(n),
                        region: region(n),
                        healthy: true,
                        on_request: true,
                        reaches: all.clone().filter(|m| self.reaches(n, *m)).map(node).collect(),
                        shown: self.shown(n),
                    })
                    .collect(),
            }
        }

        /// Copies of `origin`'s effects that enter `region`.
        fn copies(&self, origin: usize, region: u8) -> usize {
            (0..self.regions.len())
                .filter(|n| self.regions[*n] == region && *n != origin)
                .filter(|n| {
                    let by = carriers(&self.view(*n)).get(&node(origin)).copied();
                    by.is_some_and(|by| self.regions[by.0 as usize - 1] != region)
                })
                .count()
        }
    }

    fn node(at: usize) -> NodeId {
        NodeId(at as u64 + 1)
    }

    #[test]
    fn one_copy_enters_each_other_region_and_neighbours_talk_directly() {
        let world = World::whole(&[0, 0, 1, 1, 2]);
        for origin in 0..5 {
            for region in 0..3 {
                let want = usize::from(world.regions[origin] != region);
                assert_eq!(world.copies(origin, region), want, "of {origin} into {region}");
            }
        }
        assert_eq!(carriers(&world.view(0))[&node(1)], node(1));
    }

    #[test]
    fn the_next_takes_over_when_the_relay_cannot_reach_the_origin() {
        let mut world = World::whole(&[0, 1, 1, 1]);
        let origin = node(0);
        let relay = (1..4).find(|n| carriers(&world.view(*n))[&origin] == origin).unwrap();
        world.cut.insert((0, relay));
        assert_eq!(world.copies(0, 1), 1);
        let next = (1..4).find(|n| carriers(&world.view(*n)).get(&origin) == Some(&origin)).unwrap();
        assert_ne!(next, relay);
        assert_eq!(carriers(&world.view(relay))[&origin], node(next), "the relay takes it from the next");
        let other = (1..4).find(|n| *n != relay && *n != next).unwrap();
        world.cut.insert((relay.min(other), relay.max(other)));
        assert_eq!(carriers(&world.view(other))[&origin], node(next));
    }

    #[test]
    fn one_that_returns_far_behind_catches_up_inside_its_region() {
        let mut world = World::whole(&[0, 1, 1]);
        let origin = node(0);
        let relay = (1..3).find(|n| carriers(&world.view(*n))[&origin] == origin).unwrap();
        let other = 3 - relay;
        world.shown[other][0] = 1_000_000;
        assert_eq!(carriers(&world.view(other))[&origin], origin);
        assert_eq!(carriers(&world.view(relay))[&origin], node(other));
        world.shown[relay][0] = 1_000_000 - BEHIND_MAX;
        assert_eq!(carriers(&world.view(relay))[&origin], origin);
        assert_eq!(carriers(&world.view(other))[&origin], node(relay));
    }

    #[test]
    fn a_region_that_reaches_an_origin_through_nobody_of_its_own_asks_another() {
        let mut world = World::whole(&[0, 1, 2]);
        world.cut.insert((0, 1));
        assert_eq!(carriers(&world.view(1))[&node(0)], node(2));
        world.cut.insert((1, 2));
        assert!(carriers(&world.view(1)).is_empty());
    }

    #[test]
    fn a_peer_of_an_older_level_sends_its_own_unasked_and_relays_nothing() {
        let mut view = World::whole(&[0, 1, 1]).view(2);
        view.peers.iter_mut().for_each(|p| p.on_request = false);
        assert_eq!(carriers(&view), [(node(0), node(0)), (node(1), node(1))].into());
    }

    #[test]
    fn silent_peers_relay_nothing_and_are_left_for_those_who_reach_the_origin() {
        let world = World::whole(&[0, 1, 1]);
        let origin = node(0);
        let relay = (1..3).find(|n| carriers(&world.view(*n))[&origin] == origin).unwrap();
        let mut view = world.view(3 - relay);
        view.peers.iter_mut().find(|p| p.node == node(relay)).unwrap().healthy = false;
        assert_eq!(carriers(&view)[&origin], origin, "a suspected relay");
        let mut view = world.view(relay);
        view.peers.iter_mut().find(|p| p.node == origin).unwrap().healthy = false;
        assert_eq!(carriers(&view)[&origin], node(3 - relay), "a suspected origin");
    }

    fn worlds() -> impl Strategy<Value = World> {
        (2usize..8).prop_flat_map(|n| {
            let regions = prop::collection::vec(0u8..3, n);
            let cuts = prop::collection::btree_set((0..n, 0..n), 0..n * 2);
            let shown = prop::collection::vec(prop::collection::vec(0..BEHIND_MAX, n), n);
            (regions, cuts, shown).prop_map(|(regions, cuts, shown)| {
                let cut = cuts.into_iter().filter(|(a, b)| a < b).collect();
                World { regions, cut, shown }
            })
        })
    }

    proptest! {
        #[test]
        fn law_streams_lead_to_the_origin_and_enter_a_whole_region_once(world in worlds()) {
            let nodes = world.regions.len();
            let plans: Vec<_> = (0..nodes).map(|n| carriers(&world.view(n))).collect();
            for origin in 0..nodes {
                for start in (0..nodes).filter(|n| *n != origin) {
                    let (mut at, mut steps) = (start, 0);
                    while let Some(by) = plans[at].get(&node(origin)) {
                        let next = by.0 as usize - 1;
                        prop_assert!(world.reaches(at, next));
                        if next == origin {
                            break;
                        }
                        at = next;
                        steps += 1;
                        prop_assert!(steps <= nodes, "a ring of relays of {origin} from {start}");
                    }
                    // Whoever has a way over at most two links has a stream.
                    let reachable = world.reaches(start, origin)
                        || (0..nodes).any(|n| world.reaches(start, n) && world.reaches(n, origin));
                    prop_assert!(!reachable || plans[start].contains_key(&node(origin)));
                }
            }
            // Where a region is whole, one copy enters.
            for region in 0..3 {
                let members: Vec<usize> = (0..nodes).filter(|n| world.regions[*n] == region).collect();
                let whole = members.iter().all(|a| members.iter().all(|b| a == b || world.reaches(*a, *b)));
                for origin in (0..nodes).filter(|n| whole && world.regions[*n] != region) {
                    if members.iter().any(|m| world.reaches(*m, origin)) {
                        prop_assert_eq!(world.copies(origin, region), 1);
                    }
                }
            }
        }

        #[test]
        fn law_origins_spread_over_the_members(origins in prop::collection::btree_set(any::<u64>(), 300..=300)) {
            let mut share = [0; 3];
            for origin in origins {
                let members = (1u64..4).map(|m| (NodeId(m), Seq(0))).collect();
                share[first(NodeId(origin), members).unwrap().0 as usize - 1] += 1;
            }
            prop_assert!(share.iter().all(|s| (50..=150).contains(s)), "{share:?}");
        }
    }
}
