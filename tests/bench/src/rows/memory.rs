//! Bytes per key: resident memory after loading a million 16-byte keys with 32-byte values, less that of the empty
//! server. The load itself is a row too: SET of keys that were not there.

use std::thread;
use std::time::Duration;

use crate::bench::Bench;
use crate::error::BenchError;
use crate::lean::{self, Load, Span, Workload};
use crate::rounds::{Reading, Recorder, Sides, Subject, alternate};
use crate::server::{Server, Setup};
use crate::usage::resident_bytes;

use super::line::{Bound, Metric, ours};
use super::{Group, Line};

const BYTES: &str = "bytes per key: 16-byte key 32-byte value";
const LOADING: &str = "P=16 SET of new keys lean";
const PIPELINE: usize = 16;
/// Memory is read when it has not changed for this long; servers free their connections' buffers late.
const SETTLED: Duration = Duration::from_millis(300);
const SETTLE_READS_MAX: usize = 20;

pub fn group() -> Group {
    let bytes = Line::new(BYTES).metric(Metric::BytesPerKey);
    let bytes = bytes.bar(ours(Bound::AtMost(100.0)).aim(90.0));
    Group { needs: &[], lines: vec![Line::new(LOADING), bytes], run }
}

struct Loaded {
    server: Server,
    empty_bytes: u64,
}

impl Subject for Loaded {
    fn check(&self) -> Result<(), BenchError> {
        self.server.check()
    }
}

fn run(bench: &Bench, recorder: &mut Recorder) -> Result<(), BenchError> {
    let peer = bench.programs.redis_server.is_some().then(Setup::redis);
    let sides = Sides::new(bench, Setup::unwarmed(), peer);
    let keys = bench.scale.keys;
    let start = |setup: &Setup| {
        let server = bench.start(setup)?;
        Ok(Loaded { empty_bytes: settled_bytes(&server)?, server })
    };
    let load = |loaded: &mut Loaded| {
        let load = Load {
            span: Span::Requests(keys),
            ..bench.load(&loaded.server, Workload::FillStrings { keys }, PIPELINE)
        };
        Ok(Reading::of(&lean::run(loaded.server.address(), &load)?))
    };
    alternate(bench, recorder, &sides, start, |round| {
        match round.wants(LOADING) {
            true => round.measure_once(LOADING, load),
            false => round.each(|loaded| load(loaded).map(drop))?,
        }
        round.measure(BYTES, |loaded| {
            let count = loaded.server.connect()?.key_count()?;
            if count != keys {
                return Err(BenchError::Wrong(format!("{count} keys after loading {keys}")));
            }
            let used = settled_bytes(&loaded.server)?.saturating_sub(loaded.empty_bytes);
            Ok(Reading { bytes_per_key: Some(used as f64 / keys as f64), ..Reading::default() })
        });
        Ok(())
    })
}

/// Resident memory once it does not change.
pub(super) fn settled_bytes(server: &Server) -> Result<u64, BenchError> {
    let mut bytes = resident_bytes(server.pid())?;
    for _ in 0..SETTLE_READS_MAX {
        thread::sleep(SETTLED);
        let now = resident_bytes(server.pid())?;
        if now == bytes {
            break;
        }
        bytes = now;
    }
    Ok(bytes)
}
