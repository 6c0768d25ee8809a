//! Two nodes: how many effects a second arrive at the other, and how long a write takes to be seen there.
//!
//! The peer's column is a redis-server with one replica, the nearest thing it has; the bars are on our own figures.
//! Both nodes, and below four cores the client too, share the cores.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use proto::resp::Value;

use crate::bench::Bench;
use crate::connection::{Connection, unexpected};
use crate::error::BenchError;
use crate::histogram::Histogram;
use crate::lean::{self, Load, Span, Workload, new_key};
use crate::machine::Pin;
use crate::rounds::{Reading, Recorder, Sides, Subject, alternate};
use crate::server::{Place, Server, Setup, free_udp_port};
use crate::usage::Usage;

use super::line::{Bound, Metric, ours};
use super::{Group, Line};

const EFFECTS: &str = "two nodes: effects/s replicated 32-byte SETs";
const LAG_IDLE: &str = "visibility lag idle";
const LAG_LOADED: &str = "visibility lag at 50 k SETs/s";
const LOADED_PER_S: f64 = 50_000.0;
const PIPELINE: usize = 64;
const LINK_SECONDS_MAX: u64 = 20;
const SEEN_SECONDS_MAX: u64 = 5;
const ARRIVAL_SECONDS_MAX: u64 = 120;
const ARRIVAL_POLL: Duration = Duration::from_millis(2);
/// Between two probes, so that the link is idle when one starts.
const PROBE_GAP: Duration = Duration::from_millis(3);
/// Keys compared on both nodes at the end, and keys of one MGET.
const COMPARED: u64 = 2_000;
const COMPARED_AT_ONCE: u64 = 100;

pub fn group() -> Group {
    let lag = |cell: &str, name: &str, metric, limit_us| {
        Line::new(format!("two nodes: {cell} {name}"))
            .of_cell(cell)
            .metric(metric)
            .bar(ours(Bound::AtMost(limit_us)))
    };
    let mut lines = vec![Line::new(EFFECTS).bar(ours(Bound::AtLeast(300_000.0)).aim(600_000.0))];
    for cell in [LAG_IDLE, LAG_LOADED] {
        lines.push(lag(cell, "p50", Metric::P50, 2_000.0));
        lines.push(lag(cell, "p99", Metric::P99, 20_000.0));
    }
    Group { needs: &[], lines, run }
}

struct Nodes {
    from: Server,
    to: Server,
}

impl Subject for Nodes {
    fn check(&self) -> Result<(), BenchError> {
        self.from.check()?;
        self.to.check()
    }
}

impl Nodes {
    /// Starts both and waits until a write on the first is seen on the second.
    fn start(bench: &Bench, setup: &Setup) -> Result<Nodes, BenchError> {
        let (first_cluster_port, cluster_port) = (free_udp_port()?, free_udp_port()?);
        let from = bench.start(&Setup { place: Place::First(first_cluster_port), ..setup.clone() })?;
        let first_port = from.address().port();
        let place = Place::Second { cluster_port, first_port, first_cluster_port };
        let nodes = Nodes { to: bench.start(&Setup { place, ..setup.clone() })?, from };
        let (mut from, mut to) = (nodes.from.connect()?, nodes.to.connect()?);
        let linked = seen_after(&mut from, &mut to, b"link", b"up", LINK_SECONDS_MAX);
        if linked.is_err() {
            nodes.check()?;
        }
        linked.map(|_| nodes)
    }

    fn usage(&self) -> Result<Usage, BenchError> {
        Usage::of(&[self.from.pid(), self.to.pid()])
    }
}

fn run(bench: &Bench, recorder: &mut Recorder) -> Result<(), BenchError> {
    let pair = |setup| Setup { pin: Pin::Two, ..setup };
    let peer = bench.programs.redis_server.is_some().then(|| pair(Setup::redis()));
    let sides = Sides::new(bench, pair(Setup::atoll()), peer);
    alternate(
        bench,
        recorder,
        &sides,
        |setup| Nodes::start(bench, setup),
        |round| {
            round.measure(LAG_IDLE, |nodes| lag_idle(bench, nodes));
            round.measure(LAG_LOADED, |nodes| lag_loaded(bench, nodes));
            round.measure_once(EFFECTS, |nodes| effects(bench, nodes));
            Ok(())
        },
    )
}

/// New keys, so that the other's key count says how many have arrived. Timed from the first request to the last arrival.
fn effects(bench: &Bench, nodes: &Nodes) -> Result<Reading, BenchError> {
    let count = 3 * bench.scale.keys;
    let mut to = nodes.to.connect()?;
    let mut from = nodes.from.connect()?;
    let load = Load {
        span: Span::Requests(count),
        ..bench.load(&nodes.from, Workload::NewKeys { from: 0 }, PIPELINE)
    };
    let before = nodes.usage()?;
    let started = Instant::now();
    let outcome = lean::run(nodes.from.address(), &load)?;
    let expected = from.key_count()?;
    let deadline = Instant::now() + Duration::from_secs(ARRIVAL_SECONDS_MAX);
    loop {
        let arrived = to.key_count()?;
        if arrived == expected {
            break;
        }
        if Instant::now() >= deadline {
            let what = format!("the arrival of {expected} keys ({arrived} did)");
            return Err(BenchError::TooLate { what, seconds: ARRIVAL_SECONDS_MAX });
        }
        thread::sleep(ARRIVAL_POLL);
    }
    let seconds = started.elapsed().as_secs_f64();
    let used = nodes.usage()?.since(before);
    compare(&mut from, &mut to, count)?;
    Ok(Reading {
        per_second: Some(count as f64 / seconds),
        cpu_ns: Some(used.cpu_ns as f64 / count as f64),
        server_cores: Some(used.cpu_ns as f64 / 1e9 / seconds),
        client_cores: Some(outcome.client_ns as f64 / 1e9 / seconds),
        written_mb_per_s: Some(used.written_bytes as f64 / 1e6 / seconds),
        requests: Some(count),
        seconds: Some(seconds),
        ..Reading::default()
    })
}

/// Both nodes give the same values for keys taken evenly from all that were written.
fn compare(from: &mut Connection, to: &mut Connection, count: u64) -> Result<(), BenchError> {
    let step = (count / COMPARED).max(1);
    let keys: Vec<String> = (0..count).step_by(step as usize).map(new_key).collect();
    for some in keys.chunks(COMPARED_AT_ONCE as usize) {
        let mut words: Vec<&[u8]> = vec![b"MGET"];
        words.extend(some.iter().map(|key| key.as_bytes()));
        let (sent, arrived) = (from.call(&words)?, to.call(&words)?);
        let Value::Array(values) = &sent else { return Err(unexpected("MGET", &sent)) };
        if sent != arrived || values.contains(&Value::Null) {
            return Err(BenchError::Wrong("the two nodes differ after everything arrived".into()));
        }
    }
    Ok(())
}

fn lag_idle(bench: &Bench, nodes: &Nodes) -> Result<Reading, BenchError> {
    let probes = if bench.options.quick { 50 } else { 400 };
    let (mut from, mut to) = (nodes.from.connect()?, nodes.to.connect()?);
    let mut lags = Histogram::new();
    for _ in 0..probes {
        probe(&mut from, &mut to, &mut lags)?;
        thread::sleep(PROBE_GAP);
    }
    Ok(reading(&lags, probes))
}

/// As idle, beside a paced load on the same node.
fn lag_loaded(bench: &Bench, nodes: &Nodes) -> Result<Reading, BenchError> {
    let (mut from, mut to) = (nodes.from.connect()?, nodes.to.connect()?);
    let keys = bench.scale.keys;
    let load = Load {
        pace_per_s: Some(LOADED_PER_S),
        span: Span::Time { warmup: bench.scale.warmup, measured: 2 * bench.scale.measured },
        ..bench.load(&nodes.from, Workload::Set { keys }, 16)
    };
    let ended = AtomicBool::new(false);
    let mut lags = Histogram::new();
    let mut probes = 0;
    thread::scope(|scope| {
        let loading = scope.spawn(|| {
            let outcome = lean::run(nodes.from.address(), &load);
            ended.store(true, Ordering::Release);
            outcome
        });
        while !ended.load(Ordering::Acquire) {
            probe(&mut from, &mut to, &mut lags)?;
            probes += 1;
            thread::sleep(PROBE_GAP);
        }
        loading.join().map_err(|_| BenchError::Closed)??;
        Ok(reading(&lags, probes))
    })
}

fn reading(lags: &Histogram, probes: u64) -> Reading {
    let micros = |share| lags.percentile(share).map(|ns| ns as f64 / 1000.0);
    Reading {
        p50_us: micros(0.5),
        p99_us: micros(0.99),
        p999_us: micros(0.999),
        requests: Some(probes),
        ..Reading::default()
    }
}

/// One write of a value that no probe wrote before.
fn probe(from: &mut Connection, to: &mut Connection, lags: &mut Histogram) -> Result<(), BenchError> {
    static VALUES: AtomicU64 = AtomicU64::new(0);
    let value = VALUES.fetch_add(1, Ordering::Relaxed).to_string();
    let lag = seen_after(from, to, b"probe", value.as_bytes(), SEEN_SECONDS_MAX)?;
    lags.record(lag.as_nanos() as u64);
    Ok(())
}

/// From sending a SET to one node until a GET on the other shows it: an upper bound, both round trips are inside.
fn seen_after(
    from: &mut Connection,
    to: &mut Connection,
    key: &[u8],
    value: &[u8],
    seconds_max: u64,
) -> Result<Duration, BenchError> {
    let started = Instant::now();
    let answer = from.call(&[b"SET", key, value])?;
    if !matches!(&answer, Value::Simple(text) if text == b"OK") {
        return Err(unexpected("SET", &answer));
    }
    loop {
        match to.call(&[b"GET", key])? {
            Value::Bulk(seen) if seen == value => return Ok(started.elapsed()),
            // A replica that is not yet connected refuses reads.
            _ if started.elapsed().as_secs() < seconds_max => {}
            _ => {
                let what = "a write on one node becoming visible on the other".into();
                return Err(BenchError::TooLate { what, seconds: seconds_max });
            }
        }
    }
}
