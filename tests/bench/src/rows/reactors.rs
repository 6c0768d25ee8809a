//! Two reactors against one: what sharing the state costs, as requests per second of server processor time.
//!
//! Throughput would say nothing on two cores, where the client needs one of them. Both servers get the same cores.
//! At these depths a server spends several times what the client does on a request, so it always has work waiting.

use crate::bench::Bench;
use crate::error::BenchError;
use crate::lean::Workload;
use crate::machine::Pin;
use crate::rounds::{Recorder, Sides, alternate};
use crate::server::Setup;

use super::line::{Metric, at_least};
use super::{Group, Line};

const PIPELINE: usize = 16;
const LOADS: [&str; 2] = ["SET", "GET"];

fn title(load: &str) -> String {
    format!("two reactors against one: P={PIPELINE} {load} requests per server cpu-second")
}

pub fn group() -> Group {
    let line = |load| Line::new(title(load)).metric(Metric::PerCpuSecond).bar(at_least(0.85).aim(0.95));
    Group { needs: &[], lines: LOADS.map(line).into(), run }
}

fn run(bench: &Bench, recorder: &mut Recorder) -> Result<(), BenchError> {
    let one = Setup { pin: Pin::Two, ..Setup::atoll() };
    let two = Setup { threads: 2, ..one.clone() };
    let sides = Sides::new(bench, two, Some(one));
    let keys = bench.scale.keys;
    alternate(
        bench,
        recorder,
        &sides,
        |setup| bench.start(setup),
        |round| {
            round.each(|server| bench.fill_strings(server))?;
            for (load, workload) in LOADS.into_iter().zip([Workload::Set { keys }, Workload::Get { keys }]) {
                round.measure(&title(load), |server| bench.measure(server, workload, PIPELINE));
            }
            Ok(())
        },
    )
}
