//! `SCAN MATCH prefix*` over a whole keyspace for the hundred keys that have the prefix, `COUNT` left at its default.
//! The first iteration after loading pays for what an ordered index has put off; the row is about those after it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use proto::resp::Value;

use crate::bench::Bench;
use crate::connection::{Connection, unexpected};
use crate::error::BenchError;
use crate::rounds::{Reading, Recorder, Sides, alternate};
use crate::server::{Server, Setup};
use crate::usage::Usage;

use super::line::at_least;
use super::{Group, Line, Tool};

const FIRST: &str = "SCAN MATCH prefix* for 100 of 1 M keys: first iteration";
const AFTER: &str = "SCAN MATCH prefix* for 100 of 1 M keys: after the first";
const KEYS_PER_PREFIX: u64 = 100;
const MEASURED: Duration = Duration::from_millis(300);

pub fn group() -> Group {
    let lines = vec![Line::new(FIRST), Line::new(AFTER).bar(at_least(1000.0))];
    Group { needs: &[Tool::RedisServer], lines, run }
}

fn run(bench: &Bench, recorder: &mut Recorder) -> Result<(), BenchError> {
    let sides = Sides::new(bench, Setup::atoll(), Some(Setup::redis()));
    let prefixes = bench.scale.keys / KEYS_PER_PREFIX;
    alternate(
        bench,
        recorder,
        &sides,
        |setup| bench.start(setup),
        |round| {
            round.each(|server| bench.fill_strings(server))?;
            match round.wants(FIRST) {
                true => round.measure_once(FIRST, |server| iterations(server, prefixes, Duration::ZERO)),
                false => round.each(|server| iterate(&mut server.connect()?, 0))?,
            }
            round.measure(AFTER, |server| iterations(server, prefixes, MEASURED));
            Ok(())
        },
    )
}

/// Whole iterations, each for another prefix, for `time` and at least one.
fn iterations(server: &Server, prefixes: u64, time: Duration) -> Result<Reading, BenchError> {
    let mut connection = server.connect()?;
    let before = Usage::of(&[server.pid()])?;
    let started = Instant::now();
    let mut count = 0;
    loop {
        iterate(&mut connection, (count + 1) * 7 % prefixes)?;
        count += 1;
        if started.elapsed() >= time {
            break;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let used = Usage::of(&[server.pid()])?.since(before);
    Ok(Reading {
        per_second: Some(count as f64 / seconds),
        cpu_ns: Some(used.cpu_ns as f64 / count as f64),
        p50_us: Some(seconds * 1e6 / count as f64),
        requests: Some(count),
        seconds: Some(seconds),
        ..Reading::default()
    })
}

/// One whole iteration; anything but the hundred keys of the prefix is an error.
fn iterate(connection: &mut Connection, prefix: u64) -> Result<(), BenchError> {
    let prefix = format!("key:{prefix:010}");
    let pattern = format!("{prefix}*");
    let mut cursor = b"0".to_vec();
    let mut found = HashSet::new();
    loop {
        let reply = connection.call(&[b"SCAN", &cursor, b"MATCH", pattern.as_bytes()])?;
        let (next, keys) = page(reply)?;
        found.extend(keys);
        cursor = next;
        if cursor == b"0" {
            break;
        }
    }
    let strange = found.iter().any(|key| !key.starts_with(prefix.as_bytes()));
    if strange || found.len() as u64 != KEYS_PER_PREFIX {
        let count = found.len();
        return Err(BenchError::Wrong(format!(
            "SCAN MATCH {pattern} found {count} keys of {KEYS_PER_PREFIX}"
        )));
    }
    Ok(())
}

/// Whether an iteration over a prefix takes at most `calls_max` calls.
pub fn walk_ends_within(
    connection: &mut Connection,
    prefix: &str,
    calls_max: usize,
) -> Result<bool, BenchError> {
    let pattern = format!("{prefix}*");
    let mut cursor = b"0".to_vec();
    for _ in 0..calls_max {
        cursor = page(connection.call(&[b"SCAN", &cursor, b"MATCH", pattern.as_bytes()])?)?.0;
        if cursor == b"0" {
            return Ok(true);
        }
    }
    Ok(false)
}

fn page(reply: Value) -> Result<(Vec<u8>, Vec<Vec<u8>>), BenchError> {
    let Value::Array(parts) = &reply else { return Err(unexpected("SCAN", &reply)) };
    let [Value::Bulk(cursor), Value::Array(keys)] = parts.as_slice() else {
        return Err(unexpected("SCAN", &reply));
    };
    let mut out = Vec::with_capacity(keys.len());
    for key in keys {
        let Value::Bulk(key) = key else { return Err(unexpected("SCAN", key)) };
        out.push(key.clone());
    }
    Ok((cursor.clone(), out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_a_cursor_and_its_keys() {
        let keys = Value::Array(vec![Value::Bulk(b"a".to_vec()), Value::Bulk(b"b".to_vec())]);
        let reply = Value::Array(vec![Value::Bulk(b"17".to_vec()), keys]);
        assert_eq!(page(reply).unwrap(), (b"17".to_vec(), vec![b"a".to_vec(), b"b".to_vec()]));
        assert!(page(Value::Error(b"ERR no".to_vec())).unwrap_err().to_string().contains("ERR no"));
    }
}
