//! `atoll log`: looking at the log of a stopped node, and repairing it. What is right and wrong is decided by
//! `engine::log::inspect`; here it is printed.
//!
//! Exit codes: 0 sound or done, 1 damaged or something to do, 2 could not run. A reader that closes its end early ends a
//! command quietly.

pub mod args;
mod dump;
mod effect_json;
mod effect_line;
mod repair;
mod stat;
mod stream;
mod text;
mod time;
mod verify;

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use engine::disk::DiskError;
use engine::log::LogError;
use engine::log::inspect::{Finding, RepairError, Severity, Survey};

use crate::os_disk::{Access, OsDisk};
use crate::settle::StartError;
use args::LogCommand;

const SOUND: u8 = 0;
const DAMAGED: u8 = 1;
const CANNOT_RUN: u8 = 2;

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
enum ToolError {
    #[error(transparent)]
    Directory(#[from] StartError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("{dir}: {source}")]
    Repair { dir: String, source: RepairError },
    #[error("writing the output: {0}")]
    Output(#[from] io::Error),
}

type Out<'o> = BufWriter<io::StdoutLock<'o>>;

/// Runs a command and says how it went.
pub fn run(command: LogCommand) -> ExitCode {
    let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    let outcome = match command {
        LogCommand::Verify(args) => verify::run(&args, &mut out),
        LogCommand::Dump(args) => dump::run(&args, &mut out),
        LogCommand::Stat(args) => stat::run(&args, &mut out),
        LogCommand::Repair(args) => repair::run(&args, &mut out),
    };
    match outcome.and_then(|code| Ok(out.flush().map(|()| code)?)) {
        Ok(code) => ExitCode::from(code),
        Err(ToolError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            // What is left in the buffer has no reader.
            std::mem::forget(out);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("atoll: {error}");
            ExitCode::from(CANNOT_RUN)
        }
    }
}

fn open(dir: &Path, access: Access) -> Result<OsDisk, ToolError> {
    Ok(OsDisk::open_stopped(dir, access)?)
}

/// `file, byte N: what is wrong`.
fn line(finding: &Finding) -> String {
    let kind = match finding.trouble.severity() {
        Severity::Harmless => "note",
        Severity::Damage => "damage",
        Severity::Newer => "newer",
    };
    let resumed =
        finding.resumed.map_or_else(String::new, |offset| format!(" (reading goes on at byte {offset})"));
    format!("{kind}: {}, byte {}: {}{resumed}", finding.file, finding.offset, finding.trouble)
}

fn exit_code(survey: &Survey) -> u8 {
    if survey.damages + survey.newer > 0 { DAMAGED } else { SOUND }
}
