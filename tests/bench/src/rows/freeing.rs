//! How long a client waits while another one removes, or overwrites, a collection of ten million elements.

use std::thread;
use std::time::{Duration, Instant};

use proto::resp::Value;

use crate::bench::Bench;
use crate::error::BenchError;
use crate::rounds::{Reading, Recorder, Sides, alternate};
use crate::server::{Server, Setup};

use super::line::{Bound, Metric, ours};
use super::{Group, Line};

const REMOVED: &str = "longest wait while a set of 10 M is removed";
const OVERWRITTEN: &str = "longest wait while a list of 10 M is overwritten";
/// Elements of one command.
const AT_ONCE: u64 = 1000;
/// Before the collection goes, and after.
const AROUND: Duration = Duration::from_millis(200);

pub fn group() -> Group {
    let line = |title| Line::new(title).metric(Metric::Longest).bar(ours(Bound::AtMost(5000.0)));
    Group { needs: &[], lines: vec![line(REMOVED), line(OVERWRITTEN)], run }
}

fn run(bench: &Bench, recorder: &mut Recorder) -> Result<(), BenchError> {
    let peer = bench.programs.redis_server.is_some().then(Setup::redis);
    let sides = Sides::new(bench, Setup::atoll(), peer);
    let count = bench.scale.many_keys;
    alternate(
        bench,
        recorder,
        &sides,
        |setup| bench.start(setup),
        |round| {
            round.measure_once(REMOVED, |server| {
                build(server, "SADD", count)?;
                longest_wait(server, &[b"DEL", b"big"])
            });
            round.measure_once(OVERWRITTEN, |server| {
                build(server, "RPUSH", count)?;
                longest_wait(server, &[b"SET", b"big", b"v"])
            });
            Ok(())
        },
    )
}

fn build(server: &Server, command: &str, count: u64) -> Result<(), BenchError> {
    let some = |from: u64| {
        let elements = (from..(from + AT_ONCE).min(count)).map(|n| format!("e{n}").into_bytes());
        [command.into(), b"big".to_vec()].into_iter().chain(elements).collect()
    };
    let mut connection = server.connect()?;
    connection.call(&[b"DEL", b"big"])?;
    connection.fill((0..count).step_by(AT_ONCE as usize).map(some))
}

/// The longest that one client waited for an answer around the moment at which another one sent a command.
fn longest_wait(server: &Server, command: &[&[u8]]) -> Result<Reading, BenchError> {
    let (mut waits, mut ends) = (server.connect()?, server.connect()?);
    let mut longest = Duration::ZERO;
    thread::scope(|scope| {
        let ending = scope.spawn(|| -> Result<(), BenchError> {
            thread::sleep(AROUND);
            let reply = ends.call(command)?;
            thread::sleep(AROUND);
            match reply {
                Value::Error(text) => Err(BenchError::Wrong(String::from_utf8_lossy(&text).into_owned())),
                _ => Ok(()),
            }
        });
        while !ending.is_finished() {
            let asked = Instant::now();
            waits.call(&[b"GET", b"nothing"])?;
            longest = longest.max(asked.elapsed());
        }
        ending.join().unwrap_or(Err(BenchError::Closed))
    })?;
    Ok(Reading { longest_us: Some(longest.as_secs_f64() * 1e6), ..Reading::default() })
}
