//! Regions: bytes and copies between them, meeting again after a partition, what peers cost the foreground, and what is kept
//! while one is away. All on our own figures; every node of a row shares the cores.

use std::thread;
use std::time::{Duration, Instant};

use proto::resp::Value;

use crate::bench::Bench;
use crate::connection::Connection;
use crate::error::BenchError;
use crate::forwarder::Forwarder;
use crate::lean::{self, Load, Span, Workload};
use crate::machine::Pin;
use crate::rounds::{Reading, Recorder, Sides, Subject, alternate};
use crate::server::{Place, Server, Setup, free_udp_port};

use super::line::{Bound, Metric, at_least, ours};
use super::{Group, Line};

const WAN: &str = "two regions: WAN bytes of 32-byte SETs over zstd -3 of keys and values";
const COPIES: &str = "three nodes in two regions: copies per remote region";
const HEAL: &str = "partition with 1 M effects a side";
const AWAY: &str = "bytes per unstable effect while a peer is away";
const FOREGROUND: &str = "P=16 SET with two live peers against none";
const PIPELINE: usize = 64;
const SECONDS_MAX: u64 = 120;
const POLL: Duration = Duration::from_millis(5);
const ZSTD_LEVEL: i32 = 3;

pub fn lines_group() -> Group {
    let times = |title: &str, limit| Line::new(title).metric(Metric::Times).bar(ours(Bound::AtMost(limit)));
    let lines = vec![
        times(WAN, 1.25),
        times(COPIES, 1.005),
        Line::new(format!("{HEAL}: time"))
            .of_cell(HEAL)
            .metric(Metric::Seconds)
            .bar(ours(Bound::AtMost(5.0))),
        Line { cell: HEAL.into(), ..times(&format!("{HEAL}: bytes over those of the effects"), 1.2) },
        Line::new(AWAY).metric(Metric::BytesPerKey).bar(ours(Bound::AtMost(100.0))),
    ];
    Group { needs: &[], lines, run: run_lines }
}

pub fn foreground_group() -> Group {
    let per_cpu = Line::new(format!("{FOREGROUND}: per cpu-second"));
    let lines = vec![
        per_cpu.of_cell(FOREGROUND).metric(Metric::PerCpuSecond).bar(at_least(0.75)),
        Line::new(format!("{FOREGROUND}: throughput with all on the same cores")).of_cell(FOREGROUND),
    ];
    Group { needs: &[], lines, run: run_foreground }
}

type Measure = fn(&Bench, &Nodes) -> Result<Reading, BenchError>;

/// Nodes that are linked, each reached through a forwarder of its own.
struct Nodes {
    servers: Vec<Server>,
    forwarders: Vec<Forwarder>,
}

impl Subject for Nodes {
    fn check(&self) -> Result<(), BenchError> {
        self.servers.iter().try_for_each(Server::check)
    }
}

impl Nodes {
    /// One node in each of `regions`; a single one has no cluster at all.
    fn start(bench: &Bench, setup: &Setup, regions: &[&'static str]) -> Result<Nodes, BenchError> {
        let mut nodes = Nodes { servers: Vec::new(), forwarders: Vec::new() };
        if regions.len() == 1 {
            nodes.servers.push(bench.start(setup)?);
            return Ok(nodes);
        }
        for region in regions {
            let cluster_port = free_udp_port()?;
            let forwarder = Forwarder::start(cluster_port).map_err(BenchError::connection("forwarder"))?;
            let join = nodes.forwarders.first().map(Forwarder::port);
            let place = Place::Member { region, cluster_port, advertise: forwarder.port(), join };
            nodes.forwarders.push(forwarder);
            nodes.servers.push(bench.start(&Setup { place, ..setup.clone() })?);
        }
        nodes.await_links(regions.len() - 1)?;
        Ok(nodes)
    }

    fn connections(&self) -> Result<Vec<Connection>, BenchError> {
        self.servers.iter().map(Server::connect).collect()
    }

    /// Waits until every node has so many links that work both ways.
    fn await_links(&self, count: usize) -> Result<(), BenchError> {
        let mut connections = self.connections()?;
        within("the links to be as they should", || {
            for connection in &mut connections {
                let told = connection.info("replication")?;
                if told.matches("state=Up,reach=live").count() != count {
                    return Ok(false);
                }
            }
            Ok(true)
        })
        .map(drop)
    }

    /// Cuts every path and waits until every link is gone: the one after the heal counts from nothing.
    fn part(&self) -> Result<(), BenchError> {
        self.forwarders.iter().for_each(|f| f.cut(true));
        let mut connections = self.connections()?;
        within("the links to go down", || {
            for connection in &mut connections {
                if !connection.info("replication")?.contains("links_up:0\r") {
                    return Ok(false);
                }
            }
            Ok(true)
        })
        .map(drop)
    }

    /// Waits until all have shown the same.
    fn await_same(&self) -> Result<(), BenchError> {
        let mut connections = self.connections()?;
        within("the nodes to show the same", || same(&mut connections, &[b"ATOLL.FRONTIER"])).map(drop)
    }

    fn await_stable(&self) -> Result<(), BenchError> {
        let mut connections = self.connections()?;
        within("everything to become stable", || {
            for connection in &mut connections {
                if connection.figure("replication", None, "unstable_effects")? > 0.0 {
                    return Ok(false);
                }
            }
            Ok(true)
        })
        .map(drop)
    }

    /// Sets random keys of `keys` on one node.
    fn set(&self, bench: &Bench, node: usize, keys: u64, count: u64) -> Result<lean::Outcome, BenchError> {
        let server = &self.servers[node];
        let workload = Workload::Set { keys };
        let load = Load {
            span: Span::Requests(count),
            seed: 0x5eed + node as u64,
            ..bench.load(server, workload, PIPELINE)
        };
        lean::run(server.address(), &load)
    }
}

/// True when all give the same answer.
fn same(connections: &mut [Connection], words: &[&[u8]]) -> Result<bool, BenchError> {
    let answers: Result<Vec<Value>, BenchError> = connections.iter_mut().map(|c| c.call(words)).collect();
    let answers = answers?;
    Ok(answers.windows(2).all(|pair| pair[0] == pair[1]))
}

fn within(
    what: &'static str,
    mut holds: impl FnMut() -> Result<bool, BenchError>,
) -> Result<Duration, BenchError> {
    let started = Instant::now();
    while !holds()? {
        if started.elapsed().as_secs() >= SECONDS_MAX {
            return Err(BenchError::TooLate { what: what.into(), seconds: SECONDS_MAX });
        }
        thread::sleep(POLL);
    }
    Ok(started.elapsed())
}

fn run_lines(bench: &Bench, recorder: &mut Recorder) -> Result<(), BenchError> {
    let setup = Setup { pin: Pin::Two, ..Setup::atoll() };
    // Another cluster for each cell: counters and memory begin with it.
    let cells: [(&str, &[&'static str], Measure); 4] = [
        (WAN, &["east", "west"], wan),
        (COPIES, &["east", "west", "west"], copies),
        (HEAL, &["east", "west"], heal),
        (AWAY, &["east", "west"], away),
    ];
    for (cell, regions, measure) in cells {
        if !recorder.wants(cell) {
            continue;
        }
        let sides = Sides { ours: setup.clone(), peer: None };
        let start = |setup: &Setup| Nodes::start(bench, setup, regions);
        alternate(bench, recorder, &sides, start, |round| {
            round.measure_once(cell, |nodes| measure(bench, nodes));
            Ok(())
        })?;
    }
    Ok(())
}

/// UDP payload that the writing node sent to the other region, over what zstd makes of the same keys and values at once.
fn wan(bench: &Bench, nodes: &Nodes) -> Result<Reading, BenchError> {
    let keys = bench.scale.keys;
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let mut from = nodes.servers[0].connect()?;
    let before = from.figure("replication", Some("link0"), "sent_wire_bytes")?;
    let (mut plain, mut requests) = (Vec::new(), Vec::new());
    let mut left = keys;
    while left > 0 {
        requests.clear();
        let some = left.min(PIPELINE as u64);
        for _ in 0..some {
            let key = format!("key:{:012}", next() % keys);
            let value: Vec<u8> = (0..4).flat_map(|_| next().to_le_bytes()).collect();
            requests.extend_from_slice(
                format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n$32\r\n", key.len()).as_bytes(),
            );
            requests.extend_from_slice(&value);
            requests.extend_from_slice(b"\r\n");
            plain.extend_from_slice(key.as_bytes());
            plain.extend_from_slice(&value);
        }
        from.pipeline(&requests, some as usize)?;
        left -= some;
    }
    nodes.await_same()?;
    let sent = from.figure("replication", Some("link0"), "sent_wire_bytes")? - before;
    let packed = zstd::bulk::compress(&plain, ZSTD_LEVEL)
        .map_err(|error| BenchError::Wrong(format!("zstd: {error}")))?;
    Ok(Reading {
        times: Some(sent / packed.len() as f64),
        bytes_per_key: Some(sent / keys as f64),
        requests: Some(keys),
        ..Reading::default()
    })
}

/// How often each effect of every node entered the other region.
fn copies(bench: &Bench, nodes: &Nodes) -> Result<Reading, BenchError> {
    let keys = bench.scale.keys;
    for node in 0..nodes.servers.len() {
        nodes.set(bench, node, keys, keys)?;
    }
    nodes.await_same()?;
    let (mut sent, mut written) = (0.0, 0.0);
    for (connection, region) in nodes.connections()?.iter_mut().zip(["west", "east", "east"]) {
        let told = connection.info("replication")?;
        let line = told.lines().find(|l| l.starts_with("region") && l.contains(&format!("name={region},")));
        let line = line.and_then(|l| l.split(':').next()).unwrap_or("region0").to_string();
        sent += connection.figure("replication", Some(&line), "sent_effects")?;
        written += connection.figure("replication", None, "master_repl_offset")?;
    }
    Ok(Reading { times: Some(sent / written), requests: Some(3 * keys), ..Reading::default() })
}

/// Both sides write while they do not reach each other; timed from the heal to the same frontier, then compared whole.
fn heal(bench: &Bench, nodes: &Nodes) -> Result<Reading, BenchError> {
    let keys = bench.scale.keys;
    nodes.part()?;
    let mut connections = nodes.connections()?;
    let mut logged = |sign: f64| -> Result<f64, BenchError> {
        let bytes = connections.iter_mut().map(|c| c.figure("persistence", None, "log_appended_bytes"));
        Ok(sign * bytes.sum::<Result<f64, BenchError>>()?)
    };
    let mut effects = logged(-1.0)?;
    for node in 0..2 {
        nodes.set(bench, node, keys, keys)?;
    }
    effects += logged(1.0)?;
    nodes.forwarders.iter().for_each(|f| f.cut(false));
    let started = Instant::now();
    nodes.await_same()?;
    let seconds = started.elapsed().as_secs_f64();
    let wire = |name| nodes.servers[0].connect()?.figure("replication", Some("link0"), name);
    // The link is new since the heal.
    let carried = wire("sent_wire_bytes")? + wire("received_wire_bytes")?;
    if !same(&mut nodes.connections()?, &[b"ATOLL.DIGEST"])? {
        return Err(BenchError::Wrong("the two nodes differ at the same frontier".into()));
    }
    Ok(Reading {
        seconds: Some(seconds),
        times: Some(carried / effects),
        requests: Some(2 * keys),
        ..Reading::default()
    })
}

/// What the allocator has out for the same data, all stable, then written again and all unstable; and again when it is stable.
fn away(bench: &Bench, nodes: &Nodes) -> Result<Reading, BenchError> {
    let keys = bench.scale.keys;
    let mut from = nodes.servers[0].connect()?;
    nodes.set(bench, 0, keys, keys)?;
    nodes.await_same()?;
    nodes.await_stable()?;
    let before = from.figure("memory", None, "used_memory")?;
    nodes.part()?;
    nodes.set(bench, 0, keys, keys)?;
    let unstable = from.figure("replication", None, "unstable_effects")?;
    let with = from.figure("memory", None, "used_memory")?;
    nodes.forwarders.iter().for_each(|f| f.cut(false));
    nodes.await_same()?;
    nodes.await_stable()?;
    let after = from.figure("memory", None, "used_memory")?;
    if after > before * 1.1 {
        return Err(BenchError::Wrong(format!("{before} bytes before the absence, {after} after it")));
    }
    if unstable < keys as f64 / 2.0 {
        return Err(BenchError::Wrong(format!("only {unstable} effects were unstable")));
    }
    Ok(Reading {
        bytes_per_key: Some((with - before) / keys as f64),
        requests: Some(keys),
        ..Reading::default()
    })
}

/// Our node among three, against our node alone.
fn run_foreground(bench: &Bench, recorder: &mut Recorder) -> Result<(), BenchError> {
    let alone = Setup { pin: Pin::Two, ..Setup::atoll() };
    // What tells the sides apart; the ports are each node's own.
    let place = Place::Member { region: "east", cluster_port: 0, advertise: 0, join: None };
    let sides = Sides { ours: Setup { place, ..alone.clone() }, peer: Some(alone.clone()) };
    let start = |setup: &Setup| {
        let regions: &[&'static str] =
            if setup.place == Place::Alone { &["east"] } else { &["east", "west", "north"] };
        let nodes = Nodes::start(bench, &alone, regions)?;
        bench.fill_strings(&nodes.servers[0])?;
        nodes.await_same()?;
        Ok(nodes)
    };
    alternate(bench, recorder, &sides, start, |round| {
        let keys = bench.scale.keys;
        round.measure(FOREGROUND, |nodes| bench.measure(&nodes.servers[0], Workload::Set { keys }, 16));
        Ok(())
    })
}
