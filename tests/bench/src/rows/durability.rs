//! What the log costs: against redis-server's AOF under the same policy, and against ourselves without a log.

use crate::bench::Bench;
use crate::error::BenchError;
use crate::lean::Workload;
use crate::redis_benchmark;
use crate::rounds::{Recorder, Sides, alternate};
use crate::server::{Durability, Program, Server, Setup};

use super::line::{Metric, at_least, at_most};
use super::{Group, Line, Tool};

const EVERYSEC: [usize; 2] = [16, 64];
const ALWAYS: [usize; 2] = [1, 16];
const LOG_COST: &str = "cost of the log: P=16 SET cpu with / without";
/// Honoured by atoll for this row only: effects are staged and dropped instead of written.
const WITHOUT_LOG: (&str, &str) = ("ATOLL_BENCH_NO_LOG", "1");

fn everysec_title(pipeline: usize, client: &str) -> String {
    format!("P={pipeline} SET against AOF everysec {client}")
}

fn always_title(pipeline: usize) -> String {
    format!("P={pipeline} SET always against appendfsync always lean")
}

pub fn everysec_group() -> Group {
    let bar = |pipeline| if pipeline == 16 { at_least(2.0).aim(2.3) } else { at_least(4.0).aim(6.0) };
    let mut lines = Vec::new();
    for pipeline in EVERYSEC {
        let line = Line::new(everysec_title(pipeline, "redis-benchmark")).needs(Tool::RedisBenchmark);
        lines.push(line.bar(bar(pipeline)));
        lines.push(Line::new(everysec_title(pipeline, "lean")).bar(bar(pipeline)));
    }
    Group { needs: &[Tool::RedisServer], lines, run: run_everysec }
}

fn run_everysec(bench: &Bench, recorder: &mut Recorder) -> Result<(), BenchError> {
    let peer = Setup { durability: Durability::Everysec, ..Setup::redis() };
    let sides = Sides::new(bench, Setup::atoll(), Some(peer));
    let keys = bench.scale.keys;
    alternate(
        bench,
        recorder,
        &sides,
        |setup| bench.start(setup),
        |round| {
            round.each(|server| bench.fill_strings(server))?;
            for pipeline in EVERYSEC {
                round.measure(&everysec_title(pipeline, "redis-benchmark"), |server| {
                    redis_benchmark::measure(bench, server, "SET", pipeline)
                });
                round.measure(&everysec_title(pipeline, "lean"), |server| {
                    bench.measure(server, Workload::Set { keys }, pipeline)
                });
            }
            Ok(())
        },
    )
}

pub fn always_group() -> Group {
    let lines = ALWAYS.map(|pipeline| Line::new(always_title(pipeline)).bar(at_least(1.0).aim(1.5)));
    Group { needs: &[Tool::RedisServer], lines: lines.into(), run: run_always }
}

/// No keyspace is loaded first: under `always` the disk decides, and loading would take longer than measuring.
fn run_always(bench: &Bench, recorder: &mut Recorder) -> Result<(), BenchError> {
    let always = |setup| Setup { durability: Durability::Always, ..setup };
    let sides = Sides::new(bench, always(Setup::atoll()), Some(always(Setup::redis())));
    let keys = bench.scale.keys;
    alternate(
        bench,
        recorder,
        &sides,
        |setup| bench.start(setup),
        |round| {
            for pipeline in ALWAYS {
                round.measure(&always_title(pipeline), |server| {
                    bench.measure(server, Workload::Set { keys }, pipeline)
                });
            }
            Ok(())
        },
    )
}

pub fn log_cost_group() -> Group {
    let line = Line::new(LOG_COST).metric(Metric::CpuPerRequest).bar(at_most(1.25).aim(1.10));
    Group { needs: &[], lines: vec![line], run: run_log_cost }
}

fn run_log_cost(bench: &Bench, recorder: &mut Recorder) -> Result<(), BenchError> {
    let without = Setup { environment: Some(WITHOUT_LOG), ..Setup::atoll() };
    let sides = Sides::new(bench, Setup::atoll(), Some(without));
    let keys = bench.scale.keys;
    alternate(
        bench,
        recorder,
        &sides,
        |setup| bench.start(setup),
        |round| {
            round.each(|server| bench.fill_strings(server))?;
            round.measure(LOG_COST, |server| {
                let before = server.disk_bytes();
                let reading = bench.measure(server, Workload::Set { keys }, 16)?;
                check_log(server, server.disk_bytes().saturating_sub(before), reading.requests.unwrap_or(0))?;
                Ok(reading)
            });
            Ok(())
        },
    )
}

/// A server that ignored the option would make the log look free. A log holds at least every request's value; segments
/// may be allocated ahead, so a server with a log passes if it wrote anything like that since its start.
fn check_log(server: &Server, grown_bytes: u64, requests: u64) -> Result<(), BenchError> {
    let without = server.setup().environment == Some(WITHOUT_LOG);
    if without && grown_bytes > requests {
        return Err(BenchError::Ignored(WITHOUT_LOG.0, format!("its directory grew by {grown_bytes} bytes")));
    }
    if server.setup().program == Program::Atoll && !without && server.disk_bytes() < requests {
        return Err(BenchError::Wrong("the server that should keep a log wrote none".into()));
    }
    Ok(())
}
