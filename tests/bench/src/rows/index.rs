//! What the ordered index costs a write: SET of new keys with it, against ourselves with the table only.

use crate::bench::Bench;
use crate::error::BenchError;
use crate::lean::{self, Load, Span, Workload};
use crate::rounds::{Reading, Recorder, Sides, alternate};
use crate::server::{Program, Server, Setup};

use super::line::at_least;
use super::scan::walk_ends_within;
use super::{Group, Line};

const TITLE: &str = "SET of new keys: ordered index against table only P=16 lean";
const PIPELINE: usize = 16;
/// One key in ten thousand has it.
const RARE_PREFIX: &str = "new:0000";
const WALK_CALLS_MAX: usize = 200;
/// Honoured by atoll for this row only: keys do not enter the ordered index.
const WITHOUT_INDEX: (&str, &str) = ("ATOLL_BENCH_NO_INDEX", "1");

pub fn group() -> Group {
    Group { needs: &[], lines: vec![Line::new(TITLE).bar(at_least(0.9))], run }
}

/// Both sides write the same number of keys into an empty server, so both grow to the same size.
fn run(bench: &Bench, recorder: &mut Recorder) -> Result<(), BenchError> {
    let without = Setup { environment: Some(WITHOUT_INDEX), ..Setup::atoll() };
    let sides = Sides::new(bench, Setup::atoll(), Some(without));
    let count = 2 * bench.scale.keys;
    alternate(
        bench,
        recorder,
        &sides,
        |setup| bench.start(setup),
        |round| {
            round.measure_once(TITLE, |server| {
                let load = Load {
                    span: Span::Requests(count),
                    ..bench.load(server, Workload::NewKeys { from: 0 }, PIPELINE)
                };
                let reading = Reading::of(&lean::run(server.address(), &load)?);
                check_index(server)?;
                Ok(reading)
            });
            Ok(())
        },
    )
}

/// A server that ignored the option would make the index look free. With the index a walk of a rare prefix is a few
/// calls; without, it visits every key.
fn check_index(server: &Server) -> Result<(), BenchError> {
    if server.setup().program != Program::Atoll {
        return Ok(());
    }
    let is_short = walk_ends_within(&mut server.connect()?, RARE_PREFIX, WALK_CALLS_MAX)?;
    match (server.setup().environment == Some(WITHOUT_INDEX), is_short) {
        (true, true) => Err(BenchError::Ignored(WITHOUT_INDEX.0, "its prefix walks are short".into())),
        (false, false) => Err(BenchError::Wrong("the ordered index is not used by prefix walks".into())),
        _ => Ok(()),
    }
}
