//! Bytes of small collections: resident memory after loading a million of a kind, less that of the empty server.

use crate::bench::Bench;
use crate::error::BenchError;
use crate::rounds::{Reading, Recorder, Sides, alternate};
use crate::server::{Server, Setup};

use super::line::{Metric, at_most};
use super::memory::settled_bytes;
use super::{Group, Line, Tool};

type Words = Vec<Vec<u8>>;

/// A kind of collection: its row, its bar, and the command that makes the one of a number.
struct Kind {
    title: &'static str,
    bar: f64,
    command: fn(u64) -> Words,
}

const KINDS: [Kind; 5] = [
    Kind { title: "bytes per hash of 5 fields", bar: 1.0, command: hash },
    Kind { title: "bytes per list of 10", bar: 1.15, command: list },
    Kind { title: "bytes per set of 10 integers", bar: 1.0, command: integers },
    Kind { title: "bytes per set of 10 strings", bar: 1.0, command: strings },
    Kind { title: "bytes per sorted set of 10", bar: 1.0, command: zset },
];

pub fn group() -> Group {
    let line = |kind: &Kind| Line::new(kind.title).metric(Metric::BytesPerKey).bar(at_most(kind.bar));
    Group { needs: &[Tool::RedisServer], lines: KINDS.iter().map(line).collect(), run }
}

/// The next of a row of numbers that look random.
fn mixed(n: u64) -> u64 {
    let z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z ^ z >> 27
}

fn command(name: &str, key: &str, n: u64, count: u64, element: impl Fn(u64, u64) -> Words) -> Words {
    let mut words = vec![name.into(), format!("{key}:{n:012}").into_bytes()];
    (0..count).for_each(|i| words.extend(element(i, mixed(n * 16 + i))));
    words
}

fn text(n: u64) -> Vec<u8> {
    format!("{:08x}", n as u32).into_bytes()
}

fn hash(n: u64) -> Words {
    command("HSET", "hash", n, 5, |i, drawn| vec![format!("field{i}").into_bytes(), text(drawn)])
}

fn list(n: u64) -> Words {
    command("RPUSH", "list", n, 10, |_, drawn| vec![text(drawn)])
}

fn integers(n: u64) -> Words {
    command("SADD", "set", n, 10, |_, drawn| vec![(drawn % 1_000_000).to_string().into_bytes()])
}

fn strings(n: u64) -> Words {
    command("SADD", "set", n, 10, |_, drawn| vec![text(drawn)])
}

fn zset(n: u64) -> Words {
    let element = |_, drawn: u64| vec![(drawn % 1000).to_string().into_bytes(), text(drawn >> 16)];
    command("ZADD", "zset", n, 10, element)
}

fn run(bench: &Bench, recorder: &mut Recorder) -> Result<(), BenchError> {
    let sides = Sides::new(bench, Setup::unwarmed(), Some(Setup::redis()));
    let keys = bench.scale.keys;
    for kind in &KINDS {
        if !recorder.wants(kind.title) {
            continue;
        }
        let start = |setup: &Setup| bench.start(setup);
        alternate(bench, recorder, &sides, start, |round| {
            round.measure_once(kind.title, |server: &mut Server| {
                let empty_bytes = settled_bytes(server)?;
                let mut connection = server.connect()?;
                connection.fill((0..keys).map(kind.command))?;
                let count = connection.key_count()?;
                if count != keys {
                    return Err(BenchError::Wrong(format!("{count} keys after loading {keys}")));
                }
                let used = settled_bytes(server)?.saturating_sub(empty_bytes);
                Ok(Reading { bytes_per_key: Some(used as f64 / keys as f64), ..Reading::default() })
            });
            Ok(())
        })?;
    }
    Ok(())
}
