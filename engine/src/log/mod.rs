//! The log on disk: segments of whole batches, in the order in which this node showed them.
//!
//! ```text
//!  append ─▶ one write into the active segment ─▶ index      readers ─▶ index ─▶ whole batches up to `appended_upto`
//!  sync   ─▶ one fdatasync for all who wait     ─▶ `synced_upto`          │ segment 1 │ segment 2 │ active … │
//! ```
//! Owns the directory's identity (its id and the node id of each incarnation) and the marker of a clean stop.
//!
//! Invariants:
//! - a batch is read only when it was appended whole, and its checksum is verified on every read;
//! - what [`Log::append`] took survives the process, what [`Log::sync`] covered survives a power cut;
//! - a segment receives nothing before everything in the one before it is durable;
//! - a node id whose unsynced tail may be lost is never used again: unless the last stop was clean, [`Log::open`] claims a new
//!   one before it returns;
//! - after one failed write or sync nothing is appended again until the next start. A full disk is no such failure.
//!
//! A log may begin later than at its first byte: [`Log::drop_before`] removes whole segments that a checkpoint replaces, and
//! [`Opening::replay`] is told by the checkpoint where to begin.
//!
//! Does not do: decide when to sync (the engine's fsync policy), decode effects, decide what a checkpoint replaces.

mod append;
mod drop;
mod error;
mod identity;
mod index;
pub mod inspect;
mod layout;
mod open;
mod read;
mod recover;
mod segment;
mod sync;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{Condvar, Mutex, RwLock};
use proto::{NodeId, Seq};

use crate::disk::{Disk, DiskError};
use crate::effect::batch::{Batch, BatchError};
use append::Writer;
pub use error::{Damage, LogError};
pub(crate) use identity::{store as claim, unmark_clean as forget_clean, write_whole};
pub use index::Index;
pub use layout::Identity;
use layout::SEGMENT_HEADER_BYTES;
pub(crate) use layout::UNFINISHED;
pub use open::{LogStart, Opening};
pub use read::LogReader;
use segment::Segment;

/// A place in the log: bytes of batches and marks before it, over all segments; segment headers do not count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct LogPosition(pub u64);

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What the readers of a whole log call for each batch.
type Visit<'a> = dyn FnMut(&Batch<'_>, LogPosition) -> Result<(), BatchError> + 'a;

/// Sizes and randomness.
pub struct LogOptions<'a> {
    /// A segment is closed before it grows past this (bytes); an append larger than this gets its own.
    pub segment_bytes: u64,
    /// Fresh random ids. In a fresh directory the first becomes its id and the second its node; in a known one the first becomes
    /// the node, if a new one is needed.
    pub fresh_id: &'a mut dyn FnMut() -> u64,
}

/// What opening found.
#[derive(Clone, Debug)]
pub struct Recovered {
    pub identity: Identity,
    /// The last stop was clean: the incarnation goes on.
    pub clean: bool,
    /// Torn bytes cut off the end. None of them was ever covered by a completed sync.
    pub cut_bytes: u64,
    pub batches: u64,
    pub effects: u64,
}

/// Sizes for INFO.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct LogStat {
    pub segments: u64,
    /// In all segment files.
    pub bytes: u64,
    /// Since opening, marks included.
    pub appended_bytes: u64,
    /// Where the first segment begins: what lay before was dropped.
    pub begins_at: LogPosition,
    /// Completed since opening.
    pub syncs: u64,
    pub appended_upto: LogPosition,
    pub synced_upto: LogPosition,
    /// Entries of the index in memory, 16 bytes each.
    pub index_entries: u64,
}

/// See the module.
pub struct Log {
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    identity: Identity,
    /// Ascending, at least one; the last is active.
    segments: RwLock<Vec<Arc<Segment>>>,
    index: Mutex<Index>,
    writer: Mutex<Writer>,
    opened_at: LogPosition,
    appended: AtomicU64,
    synced: AtomicU64,
    /// A sync is running.
    syncing: Mutex<bool>,
    sync_ended: Condvar,
    syncs: AtomicU64,
    poison: OnceLock<DiskError>,
}

impl Log {
    /// Who this directory is; the last node id is the current incarnation.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// End of the last batch appended.
    pub fn appended_upto(&self) -> LogPosition {
        LogPosition(self.appended.load(Ordering::Acquire))
    }

    /// Everything before this is durable.
    pub fn synced_upto(&self) -> LogPosition {
        LogPosition(self.synced.load(Ordering::Acquire))
    }

    /// Why the log takes no more writes; `None` while it does.
    pub fn poisoned(&self) -> Option<LogError> {
        self.poison.get().map(|error| LogError::Poisoned(error.clone()))
    }

    /// True when the log takes no more writes until the next start.
    #[inline]
    pub fn is_poisoned(&self) -> bool {
        self.poison.get().is_some()
    }

    /// Last seq of an origin in the log; zero when there is none.
    pub fn last(&self, origin: NodeId) -> Seq {
        self.index.lock().last(origin)
    }

    pub fn stat(&self) -> LogStat {
        let (segments, begins_at) = {
            let segments = self.segments.read();
            (segments.len() as u64, segments[0].header.start)
        };
        let appended_upto = self.appended_upto();
        LogStat {
            segments,
            bytes: appended_upto.0 - begins_at.0 + segments * SEGMENT_HEADER_BYTES,
            begins_at,
            appended_bytes: appended_upto.0 - self.opened_at.0,
            syncs: self.syncs.load(Ordering::Relaxed),
            appended_upto,
            synced_upto: self.synced_upto(),
            index_entries: self.index.lock().entries() as u64,
        }
    }

    fn check_poison(&self) -> Result<(), LogError> {
        self.poisoned().map_or(Ok(()), Err)
    }

    /// Ends all writing. The first failure is the one that is told.
    fn poison(&self, error: DiskError) -> LogError {
        LogError::Poisoned(self.poison.get_or_init(|| error).clone())
    }
}
