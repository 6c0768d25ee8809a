//! Throughput and latency at 50 connections over a loaded keyspace, ours with its log on `everysec` against
//! redis-server with persistence off, by redis-benchmark and by the lean client.

use crate::bench::Bench;
use crate::error::BenchError;
use crate::lean::Workload;
use crate::redis_benchmark;
use crate::rounds::{Recorder, Sides, alternate};
use crate::server::Setup;

use super::line::{Criterion, Metric, at_least, at_most, cpu_at_most};
use super::{Group, Line, Tool};

const PIPELINES: [usize; 3] = [1, 16, 64];
const TESTS: [&str; 3] = ["SET", "GET", "INCR"];
const LOADS: [&str; 9] = ["SET", "GET", "INCR", "MSET", "SADD", "HSET", "ZADD", "ZINCRBY", "mixed"];

pub fn group() -> Group {
    let mut lines = Vec::new();
    for pipeline in PIPELINES {
        for test in TESTS {
            let line = Line::new(by_redis_benchmark(pipeline, test)).needs(Tool::RedisBenchmark);
            lines.push(redis_benchmark_bar(pipeline, test).into_iter().fold(line, Line::bar));
        }
        for load in LOADS {
            lines.push(
                lean_bar(pipeline, load).into_iter().fold(Line::new(by_lean(pipeline, load)), Line::bar),
            );
        }
    }
    for load in ["SET", "GET"] {
        let line =
            Line::new(format!("p99 at P=16 {load} lean")).of_cell(by_lean(16, load)).metric(Metric::P99);
        lines.push(line.bar(at_most(0.8).aim(0.6)));
    }
    Group { needs: &[Tool::RedisServer], lines, run }
}

fn by_redis_benchmark(pipeline: usize, test: &str) -> String {
    format!("P={pipeline} {test} redis-benchmark")
}

fn by_lean(pipeline: usize, load: &str) -> String {
    format!("P={pipeline} {load} lean")
}

fn redis_benchmark_bar(pipeline: usize, test: &str) -> Vec<Criterion> {
    match (pipeline, test) {
        (1, _) => vec![at_least(0.95).aim(1.05), cpu_at_most(0.95).aim(0.85)],
        (16, "INCR") => vec![at_least(1.35).aim(1.5), cpu_at_most(0.6).aim(0.5)],
        (16, _) => vec![at_least(1.5).aim(1.75), cpu_at_most(0.6).aim(0.5)],
        (_, "SET") => vec![at_least(2.5).aim(3.8)],
        (_, "GET") => vec![at_least(3.0).aim(4.7)],
        _ => vec![at_least(2.0).aim(2.4)],
    }
}

fn lean_bar(pipeline: usize, load: &str) -> Option<Criterion> {
    match (pipeline, load) {
        (1, "SET" | "GET" | "INCR") => Some(at_least(1.05).aim(1.2)),
        (16, "SET" | "GET") => Some(at_least(2.2).aim(3.0)),
        (16, "SADD" | "HSET" | "ZADD" | "ZINCRBY") => Some(at_least(1.6)),
        _ => None,
    }
}

fn workload(load: &str, keys: u64) -> Workload {
    match load {
        "SET" => Workload::Set { keys },
        "GET" => Workload::Get { keys },
        "INCR" => Workload::Incr { keys },
        "MSET" => Workload::Mset { keys },
        "SADD" => Workload::Sadd,
        "HSET" => Workload::Hset,
        "ZADD" => Workload::Zadd,
        "ZINCRBY" => Workload::Zincrby,
        _ => Workload::Mixed { keys },
    }
}

fn run(bench: &Bench, recorder: &mut Recorder) -> Result<(), BenchError> {
    let sides = Sides::new(bench, Setup::atoll(), Some(Setup::redis()));
    let counters = recorder.wanted.iter().any(|cell| cell.contains("INCR"));
    alternate(
        bench,
        recorder,
        &sides,
        |setup| bench.start(setup),
        |round| {
            round.each(|server| {
                bench.fill_strings(server)?;
                if counters { bench.fill_counters(server) } else { Ok(()) }
            })?;
            for pipeline in PIPELINES {
                for test in TESTS {
                    round.measure(&by_redis_benchmark(pipeline, test), |server| {
                        redis_benchmark::measure(bench, server, test, pipeline)
                    });
                }
                for load in LOADS {
                    round.measure(&by_lean(pipeline, load), |server| {
                        bench.measure(server, workload(load, bench.scale.keys), pipeline)
                    });
                }
            }
            Ok(())
        },
    )
}
