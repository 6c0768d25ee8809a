//! Who can be reached: a failure detector in the manner of SWIM over links that are always there.
//!
//! Every node probes every other one on their link (heartbeats that are echoed, so a path cut in one direction fails too),
//! and tells its peers whom it reaches: what SWIM asks of others only after a failed probe, they say beforehand.
//!
//! ```text
//!           heard and answered                    others reach it: stays
//!   Live ◀──────────────────────▶ Suspect ─────────────────────────────┐
//!     │                              │ nobody reaches it for down_ms   │
//!     │ said goodbye                 ▼                                 │
//!     └────────▶ Left              Down ◀──────────────────────────────┘
//! ```
//! Invariant: this is a guess that chooses ways for effects and warns people. It decides nothing about membership, stability
//! or what is safe: no timer does.

use std::collections::{BTreeMap, BTreeSet};

use proto::NodeId;

/// How a member can be reached, as one node sees it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reach {
    /// Both directions of the link work.
    Live,
    /// Not heard, or not hearing us, for a moment; or unreachable from here while others reach it.
    Suspect,
    /// Nobody who can be asked has reached it for a while.
    Down,
    /// It stopped and said so.
    Left,
}

impl Reach {
    pub fn name(self) -> &'static str {
        match self {
            Reach::Live => "live",
            Reach::Suspect => "suspect",
            Reach::Down => "down",
            Reach::Left => "left",
        }
    }
}

/// One member's reachability.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemberReach {
    pub node: NodeId,
    pub reach: Reach,
    /// When it came to be so, on the clock of the links (ms, any origin).
    pub since_ms: u64,
    /// Live peers that say they reach it.
    pub witnesses: usize,
}

/// What the link to a member shows just now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sight {
    /// Heard and answered lately.
    Healthy,
    /// The link is there, but one direction or both are silent.
    Silent,
    Absent,
    /// No link: the member ended it because it stopped.
    Goodbye,
}

/// A member and all that is known of it now.
#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    pub node: NodeId,
    pub sight: Sight,
    /// Live peers that say they reach it.
    pub witnesses: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Detector {
    down_ms: u64,
    members: BTreeMap<NodeId, Known>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    at: MemberReach,
    /// Since when nobody reaches it.
    lost_ms: u64,
}

impl Detector {
    /// A suspect that nobody reaches for `down_ms` is down.
    pub fn new(down_ms: u64) -> Self {
        Self { down_ms, members: BTreeMap::new() }
    }

    /// Takes what is known of every other member now; who is not named is forgotten. True when any state changed.
    pub fn observe(&mut self, now_ms: u64, sightings: &[Sighting]) -> bool {
        let named: BTreeSet<NodeId> = sightings.iter().map(|s| s.node).collect();
        let before = self.members.len();
        self.members.retain(|node, _| named.contains(node));
        let mut changed = self.members.len() != before;
        for s in sightings {
            let fresh = MemberReach { node: s.node, reach: Reach::Suspect, since_ms: now_ms, witnesses: 0 };
            let entry = self.members.entry(s.node);
            changed |= matches!(entry, std::collections::btree_map::Entry::Vacant(_));
            let known = entry.or_insert(Known { at: fresh, lost_ms: now_ms });
            if s.sight == Sight::Healthy || s.witnesses > 0 {
                known.lost_ms = now_ms;
            }
            let lost = now_ms.saturating_sub(known.lost_ms) >= self.down_ms;
            let reach = match s.sight {
                Sight::Healthy => Reach::Live,
                Sight::Goodbye if s.witnesses == 0 => Reach::Left,
                // A goodbye that others have not heard yet is believed.
                Sight::Goodbye if known.at.reach == Reach::Left || known.at.reach == Reach::Live => {
                    Reach::Left
                }
                Sight::Silent | Sight::Absent | Sight::Goodbye if lost => Reach::Down,
                Sight::Silent | Sight::Absent | Sight::Goodbye => Reach::Suspect,
            };
            if reach != known.at.reach {
                (known.at.reach, known.at.since_ms) = (reach, now_ms);
                changed = true;
            }
            known.at.witnesses = s.witnesses;
        }
        changed
    }

    /// Every member, by node id.
    pub fn list(&self) -> Vec<MemberReach> {
        self.members.values().map(|k| k.at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId(1);

    fn see(detector: &mut Detector, now_ms: u64, sight: Sight, witnesses: usize) -> Reach {
        detector.observe(now_ms, &[Sighting { node: A, sight, witnesses }]);
        detector.list()[0].reach
    }

    #[test]
    fn a_silent_member_is_suspected_at_once_and_down_when_nobody_reaches_it() {
        let mut detector = Detector::new(5_000);
        assert_eq!(see(&mut detector, 0, Sight::Healthy, 2), Reach::Live);
        assert_eq!(see(&mut detector, 1_000, Sight::Silent, 2), Reach::Suspect);
        assert_eq!(see(&mut detector, 60_000, Sight::Absent, 1), Reach::Suspect, "others reach it");
        assert_eq!(see(&mut detector, 64_999, Sight::Absent, 0), Reach::Suspect);
        assert_eq!(see(&mut detector, 65_000, Sight::Absent, 0), Reach::Down);
        assert_eq!(detector.list()[0].since_ms, 65_000);
        assert_eq!(see(&mut detector, 66_000, Sight::Absent, 1), Reach::Suspect, "somebody found it");
        assert_eq!(see(&mut detector, 67_000, Sight::Healthy, 1), Reach::Live);
    }

    #[test]
    fn a_member_that_said_goodbye_has_left_at_once_until_it_is_linked_again() {
        let mut detector = Detector::new(5_000);
        see(&mut detector, 0, Sight::Healthy, 1);
        assert_eq!(
            see(&mut detector, 10, Sight::Goodbye, 1),
            Reach::Left,
            "the others hear it a moment later"
        );
        assert_eq!(see(&mut detector, 20, Sight::Goodbye, 0), Reach::Left);
        assert_eq!(see(&mut detector, 90_000, Sight::Goodbye, 0), Reach::Left);
        assert_eq!(see(&mut detector, 90_001, Sight::Healthy, 0), Reach::Live);
    }

    #[test]
    fn a_member_never_met_is_suspect_first_and_changes_are_told_once() {
        let mut detector = Detector::new(5_000);
        let absent = [Sighting { node: A, sight: Sight::Absent, witnesses: 0 }];
        assert!(detector.observe(100, &absent));
        assert!(!detector.observe(5_000, &absent));
        assert!(detector.observe(5_100, &absent));
        assert_eq!(detector.list()[0].reach, Reach::Down);
        assert!(detector.observe(5_200, &[]), "forgotten");
        assert!(detector.list().is_empty());
    }
}
