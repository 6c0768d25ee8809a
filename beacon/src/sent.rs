//! What was sent into each region since the start, over all links and their lives: how many copies of each effect travelled.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use proto::{NodeId, Seq};

/// For INFO.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct RegionSent {
    pub region: String,
    /// Of any origin, by stream or in answers to NACKs; bytes before compression.
    pub batches: u64,
    pub bytes: u64,
    pub effects: u64,
    /// Of our own: how many were sent, and how many of them for the first time.
    pub own_effects: u64,
    pub own_distinct: u64,
}

impl RegionSent {
    /// Of each own effect; 1.0 before any was sent.
    pub fn copies(&self) -> f64 {
        if self.own_distinct == 0 { 1.0 } else { self.own_effects as f64 / self.own_distinct as f64 }
    }
}

#[derive(Default)]
struct Region {
    sent: RegionSent,
    /// The highest own seq sent.
    reached: Option<Seq>,
}

/// By region; as many as members have named.
#[derive(Default)]
pub(crate) struct Sent(Mutex<BTreeMap<String, Region>>);

/// One group of batches of one origin that went out.
pub(crate) struct Group {
    pub origin: NodeId,
    /// It holds the effects after this, up to `last`.
    pub after: Seq,
    pub last: Seq,
    pub batches: u64,
    pub bytes: u64,
}

impl Sent {
    pub(crate) fn note(&self, own: NodeId, region: &str, group: &Group) {
        let mut regions = self.0.lock();
        if !regions.contains_key(region) {
            regions.insert(region.to_string(), Region::default());
        }
        let Some(at) = regions.get_mut(region) else { return };
        let effects = group.last.0.saturating_sub(group.after.0);
        at.sent.batches += group.batches;
        at.sent.bytes += group.bytes;
        at.sent.effects += effects;
        if group.origin == own {
            let reached = at.reached.unwrap_or(group.after).max(group.after);
            at.sent.own_effects += effects;
            at.sent.own_distinct += group.last.0.saturating_sub(reached.0);
            at.reached = Some(reached.max(group.last));
        }
    }

    pub(crate) fn list(&self) -> Vec<RegionSent> {
        let regions = self.0.lock();
        regions.iter().map(|(name, r)| RegionSent { region: name.clone(), ..r.sent.clone() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_again_counts_as_a_copy() {
        let sent = Sent::default();
        let own = NodeId(1);
        let send = |origin, after, last| {
            let group = Group { origin, after: Seq(after), last: Seq(last), batches: 1, bytes: 10 };
            sent.note(own, "us", &group);
            sent.list()[0].copies()
        };
        assert_eq!(send(own, 100, 200), 1.0, "what the region had before the start does not count");
        assert_eq!(send(own, 200, 300), 1.0);
        assert_eq!(send(NodeId(2), 0, 500), 1.0);
        assert_eq!(send(own, 200, 300), 1.5);
        assert_eq!(sent.list()[0].effects, 800);
    }
}
