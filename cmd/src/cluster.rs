//! Peers: the links of a node, on a runtime of their own.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, OnceLock};

use beacon::{Beacon, BeaconConfig};
use engine::core::{Engine, replica};
use proto::NodeId;
use tokio::runtime::Runtime;

use crate::settle::{NodeConfig, StartError};

/// The running links; dropped, they end.
pub struct Cluster {
    runtime: Runtime,
    beacon: Arc<parking_lot::Mutex<Option<Beacon>>>,
}

/// Starts the links, when a cluster is configured.
pub fn start(
    config: &NodeConfig,
    engine: &Arc<Engine>,
    links: &Arc<OnceLock<Links>>,
) -> Result<Option<Cluster>, StartError> {
    let Some(cluster) = &config.cluster else { return Ok(None) };
    let bind: SocketAddr = (config.bind.as_str(), cluster.port)
        .to_socket_addrs()
        .map_err(StartError::io(format!("resolving {}:{}", config.bind, cluster.port)))?
        .next()
        .ok_or_else(|| StartError::Cluster(format!("--bind {} resolves to nothing", config.bind)))?;
    // Two threads: one link's encryption does not stop the others' heartbeats.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("links")
        .enable_all()
        .build()
        .map_err(StartError::io("starting the links' runtime"))?;
    let settings = BeaconConfig {
        bind,
        secret: cluster.secret.clone().into_bytes(),
        join: cluster.join.clone(),
        dns_servers: cluster.dns_servers.clone(),
    };
    let started = runtime.block_on(Beacon::start(settings, replica(engine)));
    let beacon = started.map_err(|error| StartError::Cluster(error.to_string()))?;
    let notifier = beacon.notifier();
    engine.on_append(Arc::new(move || notifier.notify()));
    tracing::info!(address = %bind, advertised = %cluster.advertise, "listening for peers");
    let beacon = Arc::new(parking_lot::Mutex::new(Some(beacon)));
    let _ = links.set(Links(beacon.clone()));
    Ok(Some(Cluster { runtime, beacon }))
}

impl Cluster {
    /// Says goodbye to the peers and ends the links.
    pub fn stop(self) {
        if let Some(beacon) = self.beacon.lock().take() {
            self.runtime.block_on(beacon.shutdown());
        }
        self.runtime.shutdown_background();
    }
}

/// What the node's own clients may ask of its links.
pub struct Links(Arc<parking_lot::Mutex<Option<Beacon>>>);

impl Links {
    /// For INFO replication.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().as_ref().map_or_else(Vec::new, link_lines)
    }

    /// Of the links that are up.
    pub fn round_trips_us(&self) -> Vec<(NodeId, u64)> {
        let links = self.0.lock().as_ref().map_or_else(Vec::new, Beacon::links);
        let up = links.into_iter().filter(|link| link.state == beacon::LinkState::Up);
        up.map(|link| (link.peer.node, link.rtt_us)).collect()
    }
}

/// How many links are up, and one `name:field=value,…` line per peer, region sent to and kind of alarm.
fn link_lines(beacon: &Beacon) -> Vec<String> {
    let (reachability, now_ms) = (beacon.reachability(), beacon.now_ms());
    let describe = |(i, link): (usize, beacon::LinkStatus)| {
        let reach = reachability.iter().find(|r| r.node == link.peer.node);
        format!(
            "link{i}:node={},region={},addr={},state={:?},reach={},reach_ms={},level={},reason={},up_ms={},rtt_us={},\
             sent_batches={},sent_bytes={},sent_wire_bytes={},relayed_batches={},relayed_bytes={},received_batches={},received_bytes={},received_wire_bytes={},fetches={},fetched_batches={},\
             fetched_bytes={},served={},served_bytes={}",
            link.peer.node,
            link.peer.region,
            link.peer.addr,
            link.state,
            reach.map_or("suspect", |r| r.reach.name()),
            reach.map_or(0, |r| now_ms.saturating_sub(r.since_ms)),
            link.peer.level,
            link.reason,
            link.up_ms,
            link.rtt_us,
            link.sent_batches,
            link.sent_bytes,
            link.sent_wire_bytes,
            link.relayed_batches,
            link.relayed_bytes,
            link.received_batches,
            link.received_bytes,
            link.received_wire_bytes,
            link.fetches,
            link.fetched_batches,
            link.fetched_bytes,
            link.served,
            link.served_bytes,
        )
    };
    let links = beacon.links();
    let up = links.iter().filter(|link| link.state == beacon::LinkState::Up).count();
    let mut lines = vec![format!("links_up:{up}")];
    lines.extend(links.into_iter().enumerate().map(describe));
    lines.extend(beacon.joins().into_iter().enumerate().map(|(i, join)| {
        let addrs: Vec<String> = join.addrs.iter().map(ToString::to_string).collect();
        let (name, linked) = (join.name, u8::from(join.linked));
        format!("join{i}:name={name},linked={linked},addresses={},reason={}", addrs.join(" "), join.reason)
    }));
    lines.extend(beacon.sent().into_iter().enumerate().map(|(i, sent)| {
        format!(
            "region{i}:name={},copies={:.3},sent_effects={},sent_batches={},sent_bytes={}",
            sent.region,
            sent.copies(),
            sent.effects,
            sent.batches,
            sent.bytes,
        )
    }));
    let alarm = |(i, alarm): (usize, beacon::Alarm)| {
        format!("alarm{i}:name={},count={},text={}", alarm.name, alarm.count, alarm.text)
    };
    lines.extend(beacon.alarms().into_iter().enumerate().map(alarm));
    lines
}
