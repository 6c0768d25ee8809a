//! The disk: bytes of log per write, recovery of many keys, and what a checkpoint does to those who write meanwhile.

use std::thread;
use std::time::{Duration, Instant};

use proto::resp::Value;

use crate::bench::Bench;
use crate::error::BenchError;
use crate::lean::{self, Load, Span, Workload};
use crate::machine::Pin;
use crate::rounds::{Reading, Recorder, Sides, alternate};
use crate::server::{Durability, Program, Server, Setup};
use crate::usage::resident_bytes;

use super::line::{Bound, Metric, at_least, at_most, ours};
use super::{Group, Line, Tool};

const BYTES: &str = "disk bytes of log per SET of 32 bytes";
const RDB: &str = "recovery of 10 M keys: checkpoint and log against RDB: keys/s";
const AOF: &str = "recovery of 10 M keys: checkpoint and log against AOF: keys/s";
const GROWTH: &str = "memory growth during a checkpoint of 10 M keys";
const PIPELINES: [usize; 2] = [1, 16];
/// Read by nobody: tells the two sides of a row apart that are the same server.
const CHECKPOINTING: (&str, &str) = ("ATOLL_BENCH_CHECKPOINTING", "1");
/// A checkpoint that is slower than this is none.
const CHECKPOINT_SECONDS: u64 = 300;

fn p99_title(pipeline: usize) -> String {
    format!("p99 of SET during a checkpoint of 10 M keys / without P={pipeline} lean")
}

fn fill(bench: &Bench, server: &Server) -> Result<(), BenchError> {
    let keys = bench.scale.many_keys;
    bench.fill(server, Workload::FillStrings { keys }, keys).map(drop)
}

pub fn bytes_group() -> Group {
    let line = Line::new(BYTES).metric(Metric::BytesPerKey).bar(ours(Bound::AtMost(90.0)));
    Group { needs: &[], lines: vec![line], run: run_bytes }
}

fn run_bytes(bench: &Bench, recorder: &mut Recorder) -> Result<(), BenchError> {
    let peer = Setup { durability: Durability::Everysec, ..Setup::redis() };
    let peer = bench.programs.redis_server.is_some().then_some(peer);
    let sides = Sides::new(bench, Setup::atoll(), peer);
    let keys = bench.scale.keys;
    alternate(
        bench,
        recorder,
        &sides,
        |setup| bench.start(setup),
        |round| {
            round.each(|server| bench.fill_strings(server))?;
            round.measure_once(BYTES, |server| {
                let before = server.disk_bytes();
                let load = bench.load(server, Workload::Set { keys }, 16);
                let outcome = lean::run(server.address(), &Load { span: Span::Requests(keys), ..load })?;
                let grown = server.disk_bytes().saturating_sub(before) as f64;
                Ok(Reading { bytes_per_key: Some(grown / outcome.requests as f64), ..Reading::default() })
            });
            Ok(())
        },
    )
}

pub fn rdb_group() -> Group {
    let line = Line::new(RDB).bar(at_least(2.0));
    Group {
        needs: &[Tool::RedisServer],
        lines: vec![line],
        run: |b, r| run_recovery(b, r, RDB, Durability::None),
    }
}

pub fn aof_group() -> Group {
    let line = Line::new(AOF).bar(at_least(4.0));
    let run: fn(&Bench, &mut Recorder) -> Result<(), BenchError> =
        |bench, recorder| run_recovery(bench, recorder, AOF, Durability::Everysec);
    Group { needs: &[Tool::RedisServer], lines: vec![line], run }
}

/// Both are filled, checkpointed where they have checkpoints, written to a little more, killed, and started again.
fn run_recovery(
    bench: &Bench,
    recorder: &mut Recorder,
    title: &str,
    durability: Durability,
) -> Result<(), BenchError> {
    let peer = Setup { durability, pin: Pin::Two, ..Setup::redis() };
    let sides = Sides::new(bench, Setup { pin: Pin::Two, ..Setup::atoll() }, Some(peer));
    let keys = bench.scale.many_keys;
    alternate(
        bench,
        recorder,
        &sides,
        |setup| bench.start(setup),
        |round| {
            round.each(|server| {
                fill(bench, server)?;
                await_checkpoint(server)?;
                let is_atoll = server.setup().program == Program::Atoll;
                // The log behind the checkpoint is a tenth; a peer that saves has everything in its file.
                if is_atoll {
                    save(server)?;
                }
                let load = bench.load(server, Workload::Set { keys }, 64);
                lean::run(server.address(), &Load { span: Span::Requests(keys / 10), ..load })?;
                await_checkpoint(server)?;
                if !is_atoll && durability == Durability::None {
                    save(server)?;
                }
                // What everysec promises is on disk.
                thread::sleep(Duration::from_millis(1500));
                Ok(())
            })?;
            round.measure(title, |server| {
                let seconds = server.start_again(bench)?;
                let found = server.connect()?.key_count()?;
                if found != keys {
                    return Err(BenchError::Wrong(format!("{found} of {keys} keys after a start")));
                }
                let (per_second, seconds) = (Some(keys as f64 / seconds), Some(seconds));
                Ok(Reading { per_second, seconds, ..Reading::default() })
            });
            Ok(())
        },
    )
}

fn save(server: &Server) -> Result<(), BenchError> {
    match server.connect()?.call(&[b"SAVE"])? {
        Value::Simple(_) => Ok(()),
        other => Err(BenchError::Wrong(format!("SAVE answered {other:?}"))),
    }
}

pub fn checkpoint_group() -> Group {
    let line = |pipeline| Line::new(p99_title(pipeline)).metric(Metric::P99).bar(at_most(1.5));
    let mut lines: Vec<Line> = PIPELINES.map(line).into();
    lines.push(Line::new(GROWTH).metric(Metric::Growth).bar(ours(Bound::AtMost(0.10))));
    Group { needs: &[], lines, run: run_checkpoint }
}

fn run_checkpoint(bench: &Bench, recorder: &mut Recorder) -> Result<(), BenchError> {
    let with = Setup { environment: Some(CHECKPOINTING), ..Setup::atoll() };
    let sides = Sides::new(bench, with, Some(Setup::atoll()));
    let keys = bench.scale.many_keys;
    alternate(
        bench,
        recorder,
        &sides,
        |setup| bench.start(setup),
        |round| {
            round.each(|server| fill(bench, server))?;
            round.each(await_checkpoint)?;
            for pipeline in PIPELINES {
                round.measure(&p99_title(pipeline), |server| {
                    let checkpointing = server.setup().environment == Some(CHECKPOINTING);
                    if checkpointing {
                        // Everything changed since the last one, so that this one is whole.
                        server.connect()?.call(&[b"BGSAVE"])?;
                    }
                    let reading = bench.measure(server, Workload::Set { keys }, pipeline)?;
                    if checkpointing && !in_progress(server)? {
                        return Err(BenchError::Wrong("the checkpoint ended before the measurement".into()));
                    }
                    await_checkpoint(server)?;
                    Ok(reading)
                });
            }
            round.measure_once(GROWTH, |server| {
                let before = resident_bytes(server.pid())?;
                let mut most = before;
                if server.setup().environment == Some(CHECKPOINTING) {
                    server.connect()?.call(&[b"BGSAVE"])?;
                }
                let load = bench.load(server, Workload::Set { keys }, 16);
                lean::run(server.address(), &load)?;
                while in_progress(server)? {
                    most = most.max(resident_bytes(server.pid())?);
                    thread::sleep(Duration::from_millis(20));
                }
                most = most.max(resident_bytes(server.pid())?);
                Ok(Reading { growth: Some(most as f64 / before as f64 - 1.0), ..Reading::default() })
            });
            Ok(())
        },
    )
}

fn in_progress(server: &Server) -> Result<bool, BenchError> {
    let text = match server.connect()?.call(&[b"INFO", b"persistence"])? {
        Value::Bulk(text) | Value::Simple(text) => text,
        other => return Err(BenchError::Wrong(format!("INFO answered {other:?}"))),
    };
    Ok(String::from_utf8_lossy(&text).contains("rdb_bgsave_in_progress:1"))
}

fn await_checkpoint(server: &mut Server) -> Result<(), BenchError> {
    let deadline = Instant::now() + Duration::from_secs(CHECKPOINT_SECONDS);
    while in_progress(server)? {
        if Instant::now() > deadline {
            return Err(BenchError::Wrong("a checkpoint does not end".into()));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
