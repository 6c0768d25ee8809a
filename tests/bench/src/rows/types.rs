//! Lists, streams, and whole collections read or computed, as the lean client measures them; ours with its log on `everysec` against
//! redis-server with persistence off.

use crate::bench::Bench;
use crate::error::BenchError;
use crate::lean::{self, Load, RANGES, Span, Workload};
use crate::rounds::{Reading, Recorder, Sides, alternate};
use crate::server::{Server, Setup};

use super::line::at_least;
use super::{Group, Line, Tool};

const PIPELINE: usize = 16;
const PUSHES: [(&str, Workload); 3] = [
    ("P=16 LPUSH lean", Workload::Lpush),
    ("P=16 RPUSH lean", Workload::Rpush),
    ("P=16 XADD lean", Workload::Xadd),
];
const POP: &str = "P=16 LPOP lean";
const READS: [(&str, Workload); 3] = [
    ("P=16 LRANGE of 100 lean", Workload::Lrange),
    ("P=16 HGETALL of 50 lean", Workload::Hgetall),
    ("P=16 ZRANGE of 100 lean", Workload::Zrange),
];
const ALGEBRA: [(&str, Workload); 2] = [
    ("SINTER of two sets of 10 k", Workload::Sinter),
    ("ZUNIONSTORE of two sorted sets of 10 k", Workload::Zunionstore),
];
/// Connections that compute.
const COMPUTING: usize = 2;
const MEMBERS: u64 = 10_000;
const IN_COMMON: u64 = 100;

pub fn group() -> Group {
    let mut lines = Vec::new();
    lines.extend(PUSHES.map(|(title, _)| Line::new(title).bar(at_least(1.6))));
    lines.push(Line::new(POP).bar(at_least(1.6)));
    lines.extend(READS.map(|(title, _)| Line::new(title).bar(at_least(1.2))));
    lines.extend(ALGEBRA.map(|(title, _)| Line::new(title).bar(at_least(1.0))));
    Group { needs: &[Tool::RedisServer], lines, run }
}

fn words(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

fn member(n: u64) -> Vec<u8> {
    format!("member:{n:012}").into_bytes()
}

/// A command that names `count` elements, each as the words that `element` gives.
fn filled(
    command: &str,
    key: &str,
    numbers: impl Iterator<Item = u64>,
    element: fn(u64) -> Vec<Vec<u8>>,
) -> Vec<Vec<u8>> {
    let mut all = words(&[command, key]);
    numbers.for_each(|n| all.extend(element(n)));
    all
}

fn fill(server: &Server) -> Result<(), BenchError> {
    let mut connection = server.connect()?;
    let scored = |n: u64| vec![n.to_string().into_bytes(), member(n)];
    let valued = |n: u64| vec![format!("field:{n}").into_bytes(), member(n)];
    connection.fill(
        (0..RANGES).map(|i| filled("RPUSH", &format!("elements:{i:012}"), 0..100, |n| vec![member(n)])),
    )?;
    connection.fill((0..RANGES).map(|i| filled("HSET", &format!("fields:{i:012}"), 0..50, valued)))?;
    connection.fill((0..RANGES).map(|i| filled("ZADD", &format!("members:{i:012}"), 0..100, scored)))?;
    let other = MEMBERS - IN_COMMON..2 * MEMBERS - IN_COMMON;
    let half = MEMBERS / 2..MEMBERS + MEMBERS / 2;
    connection.fill(
        [
            filled("SADD", "inter:a", 0..MEMBERS, |n| vec![member(n)]),
            filled("SADD", "inter:b", other, |n| vec![member(n)]),
            filled("ZADD", "union:a", 0..MEMBERS, scored),
            filled("ZADD", "union:b", half, scored),
        ]
        .into_iter(),
    )
}

fn run(bench: &Bench, recorder: &mut Recorder) -> Result<(), BenchError> {
    let sides = Sides::new(bench, Setup::atoll(), Some(Setup::redis()));
    let pops = bench.scale.keys;
    alternate(
        bench,
        recorder,
        &sides,
        |setup| bench.start(setup),
        |round| {
            for (title, workload) in PUSHES {
                round.measure(title, |server| bench.measure(server, workload, PIPELINE));
            }
            if round.wants(POP) {
                round.measure(POP, |server| {
                    bench.fill(server, Workload::FillLists, pops)?;
                    let load =
                        Load { span: Span::Requests(pops), ..bench.load(server, Workload::Lpop, PIPELINE) };
                    Ok(Reading::of(&lean::run(server.address(), &load)?))
                });
            }
            round.each(|server| fill(server))?;
            for (title, workload) in READS {
                round.measure(title, |server| bench.measure(server, workload, PIPELINE));
            }
            for (title, workload) in ALGEBRA {
                round.measure(title, |server| {
                    let load = Load { connections: COMPUTING, ..bench.load(server, workload, 1) };
                    Ok(Reading::of(&lean::run(server.address(), &load)?))
                });
            }
            Ok(())
        },
    )
}
