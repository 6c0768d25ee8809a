//! Bytes of an entry in one long stream: resident memory after a million, less that of the empty server.

use crate::bench::Bench;
use crate::error::BenchError;
use crate::rounds::{Reading, Recorder, Sides, alternate};
use crate::server::{Server, Setup};

use super::line::{Metric, at_most};
use super::memory::settled_bytes;
use super::{Group, Line, Tool};

type Words = Vec<Vec<u8>>;

/// What an entry has, as names with texts of so many bytes.
const ROWS: [(&str, &[(&str, usize)]); 3] = [
    ("bytes per entry of a stream of 1 M: one field of 8", &[("field", 8)]),
    ("bytes per entry of a stream of 1 M: one field of 32", &[("field", 32)]),
    (
        "bytes per entry of a stream of 1 M: four fields",
        &[("sensor", 5), ("temperature", 2), ("humidity", 2), ("place", 12)],
    ),
];

pub fn group() -> Group {
    let line = |(title, _): &(&str, _)| Line::new(*title).metric(Metric::BytesPerKey).bar(at_most(1.0));
    Group { needs: &[Tool::RedisServer], lines: ROWS.iter().map(line).collect(), run }
}

/// XADD of entry `n` with an id of the server's choice.
fn entry(n: u64, fields: &[(&str, usize)]) -> Words {
    let mut words: Words = ["XADD", "stream", "*"].map(|word| word.as_bytes().to_vec()).into();
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    for (name, len) in fields {
        words.push(name.as_bytes().to_vec());
        let letter = || {
            z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9).wrapping_add(1);
            b'a' + (z >> 58) as u8 % 26
        };
        words.push(std::iter::repeat_with(letter).take(*len).collect());
    }
    words
}

fn run(bench: &Bench, recorder: &mut Recorder) -> Result<(), BenchError> {
    let sides = Sides::new(bench, Setup::unwarmed(), Some(Setup::redis()));
    let count = bench.scale.keys;
    for (title, fields) in ROWS {
        if !recorder.wants(title) {
            continue;
        }
        let start = |setup: &Setup| bench.start(setup);
        alternate(bench, recorder, &sides, start, |round| {
            round.measure_once(title, |server: &mut Server| {
                let empty_bytes = settled_bytes(server)?;
                server.connect()?.fill((0..count).map(|n| entry(n, fields)))?;
                let used = settled_bytes(server)?.saturating_sub(empty_bytes);
                Ok(Reading { bytes_per_key: Some(used as f64 / count as f64), ..Reading::default() })
            });
            Ok(())
        })?;
    }
    Ok(())
}
