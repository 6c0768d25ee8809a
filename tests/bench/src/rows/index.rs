//! What the ordered index costs a write: SET of new keys with it, against ourselves with the table only.

use crate::bench::Bench;
use crate::error::BenchError;
use crate::lean::{self, Load, Span, Workload};
use crate::rounds::{Reading, Recorder, Sides, alternate};
use crate::server::Setup;

use super::line::at_least;
use super::{Group, Line};

const TITLE: &str = "SET of new keys: ordered index against table only P=16 lean";
const PIPELINE: usize = 16;
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
                Ok(Reading::of(&lean::run(server.address(), &load)?))
            });
            Ok(())
        },
    )
}
