//! `atoll`: a Redis-compatible store that runs in several regions at once.

mod allocator;
mod args;
mod background;
mod cluster;
mod cluster_tool;
mod host;
mod loading;
mod log_tool;
mod os_disk;
mod process;
mod reactor;
mod serve;
mod settle;
mod warm;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

fn main() -> std::process::ExitCode {
    let command = args::Cli::parse().command;
    let outcome = match command {
        args::Command::Log(command) => return log_tool::run(command),
        args::Command::Cluster(command) => return cluster_tool::run(command),
        args::Command::Serve(serve) => settle::settle(*serve).and_then(serve::serve),
        args::Command::Check(serve) => settle::settle(*serve).map(|_| println!("configuration is valid")),
    };
    match outcome {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("atoll: {error}");
            std::process::ExitCode::from(error.exit_code())
        }
    }
}
