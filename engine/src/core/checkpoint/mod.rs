//! Checkpoints: the state on disk at a known place of the log, taken while commands run.
//!
//! ```text
//!  log  ──────────────┬───────────────────────────────────────▶
//!                     │ from          replayed over the images
//!  shard 0    ▢▢▢▢    │ each chunk at its own frontier
//!  shard 1        ▢▢▢▢▢▢▢
//!  …                         manifest: written once everything the images hold is durable in the log
//! ```
//! [`write`] takes one, [`load`] reads one back, [`schedule`] says when one is due.
//!
//! Invariants:
//! - a checkpoint counts once its manifest has its name; until then the one before does;
//! - the log holds everything from the manifest's `from` on, and everything that an image holds;
//! - nothing that a manifest names is removed before the next manifest has its name.

mod load;
mod reload;
mod schedule;
mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use parking_lot::Mutex;

use crate::disk::DiskError;
use crate::image::manifest::Manifest;
use crate::log::LogError;

pub(crate) use load::read_manifest;
pub use load::{CheckpointFacts, inspect as inspect_checkpoint};
pub(super) use load::{apply_manifest, load_shards};
pub use schedule::{CheckpointPolicy, CheckpointStatus};

/// What is known of the checkpoints of this process.
#[derive(Default)]
pub(crate) struct Checkpoints {
    /// One at a time.
    running: Mutex<()>,
    state: Mutex<State>,
    policy: Mutex<CheckpointPolicy>,
    requested: AtomicBool,
    in_progress: AtomicBool,
    begun_ms: AtomicU64,
    /// Effects written when the last one began.
    effects_before: AtomicU64,
    effects_at_begin: AtomicU64,
}

#[derive(Default)]
struct State {
    last: Option<Arc<Manifest>>,
    /// Numbers are not used again, also not those of attempts that failed.
    number: u64,
    /// Of this process.
    taken: u64,
    failed: Option<String>,
    last_attempt_ms: u64,
    last_duration_ms: u64,
    last_bytes: u64,
    last_shards: u64,
}

impl Checkpoints {
    /// The one that counts.
    pub fn last(&self) -> Option<Arc<Manifest>> {
        self.state.lock().last.clone()
    }

    /// Takes `count` numbers that nothing else will have; returns the last of them.
    pub fn reserve(&self, count: u64) -> u64 {
        let mut state = self.state.lock();
        state.number += count;
        state.number
    }
}

/// What a checkpoint came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CheckpointDone {
    pub number: u64,
    /// Written for it.
    pub bytes: u64,
    /// Entries written.
    pub entries: u64,
    /// Shards that had changed and were written, whole or their changes.
    pub shards: u64,
    pub segments_dropped: usize,
}

/// Why there is no new checkpoint. The one before still counts, and nothing of the log was dropped.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error("a checkpoint is being taken already")]
    Busy,
    #[error("the node is stopping")]
    Stopped,
    #[error("this node keeps no log, and so no checkpoints")]
    NoLog,
    #[error("the state was worked out again from the log meanwhile: take it again")]
    Rebuilt,
    #[error("the state is not whole: start the node again")]
    Partial,
    #[error("there are effects on database {}, which this node was not given: start it with --databases {needed} or more", needed - 1)]
    Databases { needed: u32 },
    #[error("the log does not take what is staged: {0}")]
    Log(#[from] LogError),
    #[error("writing the checkpoint: {0}")]
    Disk(#[from] DiskError),
}
