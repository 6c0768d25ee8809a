//! `cargo run --release -p bench`: the budget rows as ratios to redis-server, measured in one run.
//!
//! Servers are started fresh in their own directories on free loopback ports, measured in alternating rounds, and
//! ended by process id whatever happens. Figures never gate anything: the exit code tells only whether the harness
//! itself worked.

mod bench;
mod children;
mod connection;
mod error;
mod forwarder;
mod histogram;
mod lean;
mod machine;
mod options;
mod programs;
mod quiet;
mod redis_benchmark;
mod report;
mod rounds;
mod rows;
mod server;
mod statistics;
mod usage;

use std::process::ExitCode;

use clap::Parser;

use crate::error::BenchError;
use crate::options::Options;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), BenchError> {
    let mut groups = rows::selected(&options.rows)?;
    if options.self_test {
        // The bars are for ours against the peer.
        groups.iter_mut().flat_map(|group| &mut group.lines).for_each(|line| line.bar.clear());
    }
    if options.list {
        print!("{}", report::list(&groups));
        return Ok(());
    }
    if cfg!(debug_assertions) && !options.quick {
        return Err(BenchError::Unoptimised);
    }
    let bench = bench::Bench::open(options, &groups)?;
    let results = rows::run(&bench, &groups);
    let report = report::Report::new(&bench, &groups, &results);
    let path = report.write_json(&bench, &results)?;
    print!("{}", report.text());
    println!("all rounds: {}", path.display());
    Ok(())
}
