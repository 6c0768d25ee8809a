//! Looking at a stopped node's directory from outside: what is in it, what is wrong with it, and how to cut it to what is right.
//!
//! ```text
//!  Disk ─▶ survey ─▶ batches, marks, findings (streamed) ─▶ verify, stat, dump
//!             └────▶ the first damage ─▶ plan ─▶ repair: copy to the side, sync, then cut
//! ```
//! Invariants:
//! - a survey writes nothing and goes on behind damage; it holds one chunk or one batch;
//! - a repair removes nothing that does not lie durably in the side directory.
//!
//! Does not do: print, name directories, read checkpoints.

mod finding;
mod frames;
mod repair;
mod survey;
mod tally;

pub use finding::{Finding, Severity, Trouble};
pub use repair::{RepairError, RepairPlan, apply, plan};
pub use survey::{Cut, Found, Place, Survey, is_data_directory, survey, survey_file};
pub use tally::{KIND_NAMES, OriginTally, Tally, kind_name};

use crate::disk::{Disk, DiskError};
use crate::log::LogPosition;

/// Written by the node's checkpoints; says from where on the log is needed.
const CHECKPOINT_FILE: &str = "CHECKPOINT";

/// The lowest log position that a repair must leave readable: without what lies before it the directory's checkpoint is of no
/// use. `None`: there is no checkpoint, the log may be cut anywhere.
fn lowest_kept(disk: &dyn Disk) -> Result<Option<LogPosition>, DiskError> {
    // What the checkpoint needs is not read yet, so nothing may go.
    let present = disk.list()?.iter().any(|name| name == CHECKPOINT_FILE);
    Ok(present.then_some(LogPosition(u64::MAX)))
}
