//! The loop that keeps up who is reached and whose stream brings what: looks at the links, lets [`relay`](crate::relay) and the
//! engine's failure detector decide, and tells the links what to say.
//!
//! Invariant: the replica is told of a change of carrier when the request goes out, so that nothing is asked for twice while
//! the new stream is on its way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use engine::effect::level::LEVEL_STREAMS;
use engine::replication::Member;
use engine::replication::reach::{Sight, Sighting};
use proto::NodeId;

use crate::link::Link;
use crate::node::Shared;
use crate::relay::{self, Peer, View};

/// Looked at this often, when no link changes: silence is no event.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Runs until aborted.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut told: Told = BTreeMap::new();
    loop {
        look(&shared, &mut told);
        let _ = tokio::time::timeout(LOOK_EVERY, shared.streams_due.notified()).await;
    }
}

/// By origin: its carrier and the link to it.
type Told = BTreeMap<NodeId, (NodeId, u64)>;

fn look(shared: &Shared, told: &mut Told) {
    let own = shared.replica.member();
    let members = shared.replica.members();
    let links: Vec<Arc<Link>> = shared.registry.lock().links().cloned().collect();
    observe(shared, &own, &members, &links);
    let healthy: BTreeSet<NodeId> = links.iter().filter(|l| l.is_healthy()).map(|l| l.peer.node).collect();
    let view = View {
        own: own.node,
        region: own.region.clone(),
        shown: shared.replica.frontier(),
        regions: members.into_iter().map(|m| (m.node, m.region)).collect(),
        peers: links.iter().map(|l| l.as_peer()).collect(),
    };
    let carriers = relay::carriers(&view);
    for link in links.iter().filter(|l| l.level >= LEVEL_STREAMS) {
        let wanted = carriers.iter().filter(|c| *c.1 == link.peer.node).map(|c| *c.0).collect();
        link.say(&healthy, wanted);
    }
    let link_id = |node| links.iter().find(|l| l.peer.node == node).map_or(0, |l| l.id);
    let now: Told = carriers.into_iter().map(|(origin, by)| (origin, (by, link_id(by)))).collect();
    if *told != now {
        let now_ms = shared.now_ms();
        for origin in told.keys().filter(|o| !now.contains_key(o)) {
            shared.replica.carried(*origin, None, now_ms);
        }
        for (origin, by) in now.iter().filter(|(o, by)| told.get(o) != Some(by)) {
            shared.replica.carried(*origin, Some(by.0), now_ms);
        }
        *told = now;
    }
}

/// Feeds the failure detector; the replica hears of changes.
fn observe(shared: &Shared, own: &Member, members: &[Member], links: &[Arc<Link>]) {
    let sightings: Vec<Sighting> = members
        .iter()
        .filter(|m| m.directory != own.directory)
        .map(|member| {
            let link = links.iter().find(|l| l.peer.node == member.node);
            let witnesses = links.iter().filter(|l| l.is_healthy() && l.peer_reaches(member.node)).count();
            let sight = match link {
                Some(link) if link.is_healthy() => Sight::Healthy,
                Some(_) => Sight::Silent,
                None if shared.left.lock().contains(&member.node) => Sight::Goodbye,
                None => Sight::Absent,
            };
            Sighting { node: member.node, sight, witnesses }
        })
        .collect();
    shared.left.lock().retain(|node| sightings.iter().any(|s| s.node == *node && s.sight == Sight::Goodbye));
    let now_ms = shared.now_ms();
    let mut detector = shared.detector.lock();
    let before = detector.list();
    if detector.observe(now_ms, &sightings) {
        let list = detector.list();
        drop(detector);
        for now in &list {
            if before.iter().find(|b| b.node == now.node).map(|b| b.reach) != Some(now.reach) {
                tracing::info!(peer = %now.node, witnesses = now.witnesses, "peer is {}", now.reach.name());
            }
        }
        shared.replica.reached(&list, now_ms);
    }
}

impl Link {
    fn as_peer(&self) -> Peer {
        let said = self.said();
        Peer {
            node: self.peer.node,
            region: self.peer.region.clone(),
            healthy: self.is_healthy(),
            on_request: self.level >= LEVEL_STREAMS,
            reaches: said.reaches,
            shown: said.shown,
        }
    }
}
