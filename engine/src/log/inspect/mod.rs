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
//! Does not do: print, name directories.

mod finding;
mod frames;
mod repair;
mod survey;
mod tally;

pub use finding::{Finding, Severity, Trouble};
pub use repair::{RepairError, RepairPlan, apply, plan};
pub use survey::{Cut, Found, Place, Survey, is_data_directory, survey, survey_file};
pub use tally::{KIND_NAMES, OriginTally, Tally, kind_name};
