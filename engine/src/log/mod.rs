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
//! Does not do: decide when to sync (the engine's fsync policy), decode effects, drop old segments.

mod append;
mod error;
mod identity;
mod index;
pub mod inspect;
mod layout;
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
use index::Index;
pub use layout::Identity;
use layout::{SEGMENT_HEADER_BYTES, segment_name};
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

/// The identity of a directory that has one, before anything else of it is read.
pub fn peek_identity(disk: &dyn Disk) -> Result<Option<Identity>, LogError> {
    identity::load(disk, &disk.list()?)
}

impl Log {
    /// Opens (or begins) the log of a directory, passing every batch to `replay` in order.
    ///
    /// Errors: [`LogError::Damaged`] when anything but a torn tail of the last segment is not as it was written;
    /// [`LogError::Replay`] with what `replay` said; [`LogError::Disk`].
    pub fn open(
        disk: Arc<dyn Disk>,
        options: LogOptions<'_>,
        replay: &mut dyn FnMut(&Batch<'_>) -> Result<(), BatchError>,
    ) -> Result<(Log, Recovered), LogError> {
        let LogOptions { segment_bytes, fresh_id } = options;
        let names = disk.list()?;
        identity::remove_unfinished(&*disk, &names)?;
        let known = identity::load(&*disk, &names)?;
        let clean = identity::load_clean(&*disk, &names)?;
        let segments = open_segments(&*disk, &names, known.is_some() || clean.is_some())?;
        let identity = match (&known, &clean) {
            (Some(identity), Some(marker)) => {
                identity::check_owner(marker, identity).map(|()| identity.clone())?
            }
            (None, Some(_)) => return Err(LogError::damaged(layout::IDENTITY_FILE, 0, Damage::Missing)),
            (known, None) => identity::next(known.as_ref(), fresh_id),
        };
        let salt_seed = fresh_id();
        let segments = match segments.is_empty() {
            true => vec![Segment::begin(&*disk, 1, LogPosition(0), salt_seed)?],
            false => segments,
        };
        let (mut index, mut batches, mut effects) = (Index::default(), 0, 0);
        let found = recover::read(segments, clean.is_some(), &mut |batch, at| {
            replay(batch)?;
            index.note(&batch.header, at);
            (batches, effects) = (batches + 1, effects + u64::from(batch.header.count));
            Ok(())
        })?;
        if let Some(marker) = &clean
            && marker.end != found.end
        {
            let damage = Damage::End { marked: marker.end, found: found.end };
            return Err(LogError::damaged(layout::CLEAN_FILE, 0, damage));
        }
        let active = found.segments.last().expect("a log has at least one segment");
        // What an earlier process left in the page cache becomes durable before anyone builds on it, and so does the cut.
        active.file.sync()?;
        if clean.is_none() {
            identity::store(&*disk, &identity)?;
        }
        let writer = Writer::new(active.clone(), &found, clean.is_some(), salt_seed);
        let recovered = Recovered {
            identity: identity.clone(),
            clean: clean.is_some(),
            cut_bytes: found.cut_bytes,
            batches,
            effects,
        };
        let log = Log {
            disk,
            segment_bytes,
            identity,
            segments: RwLock::new(found.segments),
            index: Mutex::new(index),
            writer: Mutex::new(writer),
            opened_at: found.end,
            appended: AtomicU64::new(found.end.0),
            synced: AtomicU64::new(found.end.0),
            syncing: Mutex::new(false),
            sync_ended: Condvar::new(),
            syncs: AtomicU64::new(0),
            poison: OnceLock::new(),
        };
        Ok((log, recovered))
    }

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

    /// Last seq of an origin in the log; zero when there is none.
    pub fn last(&self, origin: NodeId) -> Seq {
        self.index.lock().last(origin)
    }

    pub fn stat(&self) -> LogStat {
        let segments = self.segments.read().len() as u64;
        let appended_upto = self.appended_upto();
        LogStat {
            segments,
            bytes: appended_upto.0 + segments * SEGMENT_HEADER_BYTES,
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

/// Opens the segments of a directory. None: nothing was ever written in it.
fn open_segments(disk: &dyn Disk, names: &[String], known: bool) -> Result<Vec<Arc<Segment>>, LogError> {
    let segments = recover::open_segments(disk, names)?;
    match segments.last() {
        None if known => Err(LogError::damaged(&segment_name(1), 0, Damage::Missing)),
        // The first segment is made before the identity, and receives nothing before that is durable.
        Some(last) if !known && (segments.len() > 1 || last.file.len()? > SEGMENT_HEADER_BYTES) => {
            Err(LogError::damaged(layout::IDENTITY_FILE, 0, Damage::Missing))
        }
        _ => Ok(segments),
    }
}
