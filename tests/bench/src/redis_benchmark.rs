//! `redis-benchmark` as the client: what users run, and at depth 1 itself the bottleneck.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::bench::{Bench, CONNECTIONS};
use crate::error::BenchError;
use crate::rounds::Reading;
use crate::server::Server;
use crate::usage::Usage;

const SECONDS_MAX: u64 = 120;
const POLL: Duration = Duration::from_millis(5);
const VALUE_BYTES: u64 = 32;

/// Runs one of its built-in tests (`SET`, `GET`, `INCR`) with random keys over the whole keyspace.
pub fn measure(bench: &Bench, server: &Server, test: &str, pipeline: usize) -> Result<Reading, BenchError> {
    let requests = (bench.scale.requests)(pipeline);
    let path = bench.children.directory().join("redis-benchmark.csv");
    let failed = |operation| {
        let path = path.clone();
        move |source| BenchError::File { operation, path, source }
    };
    let output = File::create(&path).map_err(failed("create"))?;
    let program = bench.programs.redis_benchmark.clone().unwrap_or_else(|| "redis-benchmark".into());
    let mut command = Command::new(program);
    command.args(["-h", "127.0.0.1", "--csv", "--precision", "3", "-t", &test.to_lowercase()]);
    for (option, value) in [
        ("-p", u64::from(server.address().port())),
        ("-c", CONNECTIONS as u64),
        ("-P", pipeline as u64),
        ("-n", requests),
        ("-r", bench.scale.keys),
        ("-d", VALUE_BYTES),
    ] {
        command.args([option, &value.to_string()]);
    }
    command.stdin(Stdio::null()).stdout(output).stderr(Stdio::null());
    let before = Usage::of(&[server.pid()])?;
    let started = Instant::now();
    let pid = bench.children.spawn(&mut command)?;
    let waited = wait(bench, pid);
    bench.children.end(pid);
    waited?;
    let elapsed = started.elapsed().as_secs_f64();
    let used = Usage::of(&[server.pid()]);
    server.check()?;
    let text = fs::read_to_string(&path).map_err(failed("read"))?;
    let row = Row::parse(&text, test)?;
    let seconds = requests as f64 / row.per_second;
    let used = used?.since(before);
    Ok(Reading {
        per_second: Some(row.per_second),
        cpu_ns: Some(used.cpu_ns as f64 / requests as f64),
        p50_us: Some(row.p50_us),
        p99_us: Some(row.p99_us),
        server_cores: Some(used.cpu_ns as f64 / 1e9 / seconds),
        written_mb_per_s: Some(used.written_bytes as f64 / 1e6 / elapsed),
        requests: Some(requests),
        seconds: Some(seconds),
        ..Reading::default()
    })
}

fn wait(bench: &Bench, pid: u32) -> Result<(), BenchError> {
    let deadline = Instant::now() + Duration::from_secs(SECONDS_MAX);
    loop {
        match bench.children.ended(pid) {
            Some(status) if status.success() => return Ok(()),
            Some(status) => {
                let program = "redis-benchmark".to_string();
                return Err(BenchError::Ended { program, status, tail: String::new() });
            }
            None if Instant::now() >= deadline => {
                return Err(BenchError::TooLate {
                    what: "redis-benchmark's end".into(),
                    seconds: SECONDS_MAX,
                });
            }
            None => thread::sleep(POLL),
        }
    }
}

/// One test's line of `--csv`.
#[derive(Debug, PartialEq)]
struct Row {
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
}

impl Row {
    /// Columns are found by the name in the header, tests by their first word (`MSET (10 keys)` is `MSET`).
    fn parse(text: &str, test: &str) -> Result<Row, BenchError> {
        let missing = |what: &str| BenchError::BenchmarkOutput(what.to_string());
        let mut lines = text.lines().map(cells).filter(|cells| cells.len() > 1);
        let header = lines.find(|cells| cells[0] == "test").ok_or_else(|| missing("header"))?;
        let row = lines
            .find(|cells| {
                cells[0].split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case(test))
            })
            .ok_or_else(|| missing(test))?;
        let column = |name: &str| {
            let at = header.iter().position(|cell| cell == name)?;
            row.get(at)?.parse::<f64>().ok().filter(|number| number.is_finite())
        };
        let required = |name: &str| column(name).ok_or_else(|| missing(name));
        Ok(Row {
            per_second: required("rps")?,
            p50_us: required("p50_latency_ms")? * 1000.0,
            p99_us: required("p99_latency_ms")? * 1000.0,
        })
    }
}

fn cells(line: &str) -> Vec<String> {
    line.split(',').map(|cell| cell.trim().trim_matches('"').to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = "WARNING: something\n\
        \"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\",\"p95_latency_ms\",\"p99_latency_ms\",\"max_latency_ms\"\n\
        \"SET\",\"80645.16\",\"0.418\",\"0.112\",\"0.407\",\"0.567\",\"0.863\",\"2.511\"\n\
        \"MSET (10 keys)\",\"11.5\",\"1\",\"1\",\"2\",\"3\",\"4\",\"5\"\n";

    #[test]
    fn a_tests_line_is_read_by_the_columns_names() {
        assert_eq!(
            Row::parse(CSV, "SET").unwrap(),
            Row { per_second: 80645.16, p50_us: 407.0, p99_us: 863.0 }
        );
        assert_eq!(Row::parse(CSV, "mset").unwrap().per_second, 11.5);
    }

    #[test]
    fn what_is_missing_from_the_output_is_named() {
        assert!(Row::parse(CSV, "GET").unwrap_err().to_string().contains("GET"));
        assert!(Row::parse("", "SET").unwrap_err().to_string().contains("header"));
        let cut = CSV.replace("\"rps\"", "\"other\"");
        assert!(Row::parse(&cut, "SET").unwrap_err().to_string().contains("rps"));
    }
}
