//! What can go wrong in a measurement. A row's error is shown in its place in the table; the harness' own ends it.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error(
        "this is an unoptimised build; run it with `cargo run --release -p bench` (or add --quick for a smoke run)"
    )]
    Unoptimised,
    #[error("no row's title contains any of: {0}")]
    NoSuchRow(String),
    #[error("{operation} {path}: {source}")]
    File { operation: &'static str, path: PathBuf, source: io::Error },
    #[error("start {program}: {source}")]
    Spawn { program: String, source: io::Error },
    #[error("signals cannot be handled: {0}")]
    Signals(io::Error),
    #[error("`cargo build --release -p cmd` failed ({0})")]
    Build(ExitStatus),
    #[error("no free loopback port found")]
    NoPort,
    #[error("{program} ended ({status}){tail}")]
    Ended { program: String, status: ExitStatus, tail: String },
    #[error("{program} did not answer PING within {seconds} s{tail}")]
    NotReady { program: String, seconds: u64, tail: String },
    #[error("{operation}: {source}")]
    Connection { operation: &'static str, source: io::Error },
    #[error("the server closed a connection")]
    Closed,
    #[error("not a reply: {0}")]
    Decode(#[from] proto::resp::DecodeError),
    #[error("reply not understood: {0}")]
    Malformed(String),
    #[error("{command} answered {reply}")]
    Reply { command: &'static str, reply: String },
    #[error("{count} error replies, the first: {first}")]
    ErrorReplies { count: u64, first: String },
    #[error("{0} GETs of loaded keys found nothing")]
    Misses(u64),
    #[error("no reply for {0} s")]
    Stalled(u64),
    #[error("{what} did not happen within {seconds} s")]
    TooLate { what: String, seconds: u64 },
    #[error("{0} is not honoured by this server: {1}")]
    Ignored(&'static str, String),
    #[error("wrong result: {0}")]
    Wrong(String),
    #[error("redis-benchmark's output has no {0}")]
    BenchmarkOutput(String),
    #[error("{0} unreadable; process accounting needs Linux' /proc")]
    Proc(PathBuf),
    #[error("processor affinity: {0}")]
    Affinity(rustix::io::Errno),
    #[error("report: {0}")]
    Json(#[from] serde_json::Error),
}

impl BenchError {
    /// For `map_err` on socket work.
    pub fn connection(operation: &'static str) -> impl Fn(io::Error) -> BenchError {
        move |source| BenchError::Connection { operation, source }
    }
}
