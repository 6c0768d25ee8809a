//! The simulated world by hand: ranges of seeds, one seed with its trace, a failing one made small.

use std::process::ExitCode;
use std::time::Instant;

use tests::sim::plan::Plan;
use tests::sim::{Summary, run, shrink};

const HELP: &str = "\
usage: sim [FIRST [COUNT]]          runs seeds (0 1000), stops at the first violation
       sim --seed SEED [--trace]    one run, with everything that happens
  --faults 0,3,7                    only these faults of its plan
  --until MS                        clients stop then
  --shrink                          takes faults away while the same invariant breaks
  --all                             goes on after a violation";

struct Asked {
    numbers: Vec<u64>,
    seed: Option<u64>,
    trace: bool,
    faults: Option<Vec<usize>>,
    until_ms: Option<u64>,
    shrink: bool,
    all: bool,
}

fn parse() -> Option<Asked> {
    let mut asked = Asked {
        numbers: Vec::new(),
        seed: None,
        trace: false,
        faults: None,
        until_ms: None,
        shrink: false,
        all: false,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--seed" => asked.seed = Some(args.next()?.parse().ok()?),
            "--trace" => asked.trace = true,
            "--shrink" => asked.shrink = true,
            "--all" => asked.all = true,
            "--planted" => plant(&args.next()?)?,
            "--until" => asked.until_ms = Some(args.next()?.parse().ok()?),
            "--faults" => {
                let list = args.next()?;
                let numbers = list.split(',').filter(|n| !n.is_empty()).map(|n| n.parse().ok());
                asked.faults = Some(numbers.collect::<Option<_>>()?);
            }
            number => asked.numbers.push(number.parse().ok()?),
        }
    }
    Some(asked)
}

#[cfg(feature = "planted")]
fn plant(name: &str) -> Option<()> {
    use engine::planted::{self, Planted};
    let bug = Planted::ALL.iter().find(|(known, _)| *known == name)?.1;
    planted::plant(Some(bug));
    Some(())
}

#[cfg(not(feature = "planted"))]
fn plant(_: &str) -> Option<()> {
    eprintln!("built without --features planted");
    None
}

impl Asked {
    fn plan(&self, seed: u64) -> Plan {
        let mut plan = Plan::of(seed);
        if let Some(kept) = &self.faults {
            let all = std::mem::take(&mut plan.faults);
            plan.faults =
                all.into_iter().enumerate().filter(|(at, _)| kept.contains(at)).map(|f| f.1).collect();
        }
        if let Some(ms) = self.until_ms {
            plan.length = ms * 1000;
        }
        plan
    }

    /// True when nothing broke.
    fn one(&self, seed: u64, sum: &mut Summary) -> bool {
        let plan = self.plan(seed);
        let outcome = run(plan.clone(), self.trace);
        outcome.trace.iter().for_each(|line| println!("{line}"));
        let summary = outcome.summary;
        sum.events += summary.events;
        sum.commands += summary.commands;
        sum.effects += summary.effects;
        sum.starts += summary.starts;
        sum.fetches += summary.fetches;
        sum.rebuilds += summary.rebuilds;
        sum.transfers += summary.transfers;
        sum.evictions += summary.evictions;
        sum.evicted_keys += summary.evicted_keys;
        sum.late += summary.late;
        sum.apart += summary.apart;
        if self.seed.is_some() {
            println!("{plan}{summary:?}");
        }
        let Some(violation) = outcome.violation else { return true };
        println!(
            "seed {seed} breaks {} at {:.3} s: {}",
            violation.invariant,
            violation.at as f64 / 1e6,
            violation.text
        );
        if self.shrink {
            let (small, found, runs) = shrink::shrink(&plan, &violation);
            println!(
                "after {runs} runs, from {} to {} faults: {}",
                plan.faults.len(),
                small.faults.len(),
                found.text
            );
            print!("{small}");
        }
        println!("replay: sim --seed {seed} --trace");
        false
    }
}

fn main() -> ExitCode {
    let Some(asked) = parse() else {
        eprintln!("{HELP}");
        return ExitCode::from(2);
    };
    // A violation tells what is to be told.
    std::panic::set_hook(Box::new(|info| {
        if std::env::var_os("RUST_BACKTRACE").is_some() {
            eprintln!("{info}\n{}", std::backtrace::Backtrace::force_capture());
        }
    }));
    let (first, count) = match asked.seed {
        Some(seed) => (seed, 1),
        None => (asked.numbers.first().copied().unwrap_or(0), asked.numbers.get(1).copied().unwrap_or(1000)),
    };
    let (began, mut sum, mut broken, mut ran) = (Instant::now(), Summary::default(), 0, 0);
    for seed in first..first + count {
        ran += 1;
        if !asked.one(seed, &mut sum) {
            broken += 1;
            if !asked.all {
                break;
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{ran} seeds in {seconds:.1} s ({:.0}/s), {broken} broken: {} events, {} commands, {} effects, {} starts, {} fetches, {} rebuilds, {} checkpoints carried, {} evictions, {} keys evicted, {} late effects, {} times apart",
        f64::from(ran) / seconds,
        sum.events,
        sum.commands,
        sum.effects,
        sum.starts,
        sum.fetches,
        sum.rebuilds,
        sum.transfers,
        sum.evictions,
        sum.evicted_keys,
        sum.late,
        sum.apart
    );
    if broken > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
