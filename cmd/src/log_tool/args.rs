//! Flags of `atoll log`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use engine::log::inspect::KIND_NAMES;
use proto::NodeId;

use super::time;

const EXIT_CODES: &str =
    "Exit codes: 0 the log is sound (a torn tail alone is sound), 1 it is damaged, 2 it could not be read.";
const REPAIR_EXIT_CODES: &str = "Exit codes: 0 the directory is sound, or was repaired; 1 there is something to repair and --yes was not given; 2 the \
     repair was refused or failed.";

/// What `atoll log` does.
#[derive(Subcommand)]
pub enum LogCommand {
    /// Read every byte of the log and name whatever is damaged: file, offset, what is wrong.
    #[command(after_help = EXIT_CODES)]
    Verify(Directory),
    /// Print the effects in the order of the log, one a line.
    #[command(after_help = EXIT_CODES)]
    Dump(Box<DumpArgs>),
    /// Sums over the log: origins, kinds, times.
    #[command(after_help = EXIT_CODES)]
    Stat(StatArgs),
    /// Cut a damaged log at its first damage. What is cut is kept in DIR/repaired-<unix-ms>/.
    #[command(after_help = REPAIR_EXIT_CODES)]
    Repair(RepairArgs),
}

/// Where the log is.
#[derive(Args)]
pub struct Directory {
    /// Data directory of a stopped node, or a copy of one.
    #[arg(long, env = "ATOLL_DATA_DIR", value_name = "DIR", default_value = "./atoll-data")]
    pub data_dir: PathBuf,
}

/// Flags of `atoll log stat`.
#[derive(Args)]
pub struct StatArgs {
    #[command(flatten)]
    pub directory: Directory,
    /// One JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `atoll log repair`.
#[derive(Args)]
pub struct RepairArgs {
    #[command(flatten)]
    pub directory: Directory,
    /// Do it. Without this flag it is only said what would be done.
    #[arg(long)]
    pub yes: bool,
}

/// Flags of `atoll log dump`.
#[derive(Args)]
pub struct DumpArgs {
    #[command(flatten)]
    pub directory: Directory,
    /// Read this one file of frames instead, such as a side file of a repair.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// One JSON object a line; keys and values are strings with other bytes than printable ASCII as \xHH and \ as \\.
    #[arg(long)]
    pub json: bool,
    /// Effects of this key; \xHH stands for a byte.
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Effects of keys that match a glob pattern.
    #[arg(long = "match", value_name = "GLOB")]
    pub pattern: Option<String>,
    /// Effects of this node (16 hexadecimal digits, as ATOLL.FRONTIER shows them).
    #[arg(long, value_name = "ID", value_parser = node)]
    pub node: Option<NodeId>,
    /// Effects of this physical database.
    #[arg(long)]
    pub db: Option<u32>,
    /// Effects stamped at or after this (Unix ms, or RFC 3339 such as 2026-05-01T12:00:00Z).
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    pub from: Option<u64>,
    /// Effects stamped before this.
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    pub to: Option<u64>,
    /// Effects of these kinds.
    #[arg(long, value_name = "KIND,...", value_delimiter = ',', value_parser = KIND_NAMES)]
    pub kind: Vec<String>,
    /// So many lines at most.
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Sync marks, stable marks and lists of members too.
    #[arg(long)]
    pub all: bool,
    /// Whole values, however long.
    #[arg(long)]
    pub full: bool,
}

fn node(text: &str) -> Result<NodeId, String> {
    u64::from_str_radix(text, 16).map(NodeId).map_err(|_| "a node id is up to 16 hexadecimal digits".into())
}
