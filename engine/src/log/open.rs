//! Opening a directory, in two steps: who it is ([`Log::prepare`]), then what it holds ([`Opening::replay`]). Between them the
//! owner reads a checkpoint, if there is one, and says where the log begins to matter.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use parking_lot::{Condvar, Mutex, RwLock};

use super::append::Writer;
use super::error::{Damage, LogError};
use super::layout::{self, Clean, Identity, SEGMENT_HEADER_BYTES, segment_name, segment_number};
use super::recover::{self, Bounds};
use super::segment::Segment;
use super::{Index, Log, LogOptions, LogPosition, Recovered, identity};
use crate::disk::Disk;
use crate::effect::batch::{Batch, BatchError};
use crate::image::image_number;

/// Where a checkpoint says that the log begins to matter.
pub struct LogStart {
    /// Number of the first segment that must be there; lower ones are left over from a removal that a stop interrupted.
    pub first_segment: u64,
    /// Batches before this are in the checkpoint.
    pub from: LogPosition,
    /// Everything before this was durable when the checkpoint was published.
    pub durable: LogPosition,
    /// Where earlier effects lie.
    pub index: Index,
}

/// A directory whose identity is known and whose log is not read yet. Nothing was written.
pub struct Opening {
    disk: Arc<dyn Disk>,
    names: Vec<String>,
    segment_bytes: u64,
    identity: Identity,
    known: bool,
    clean: Option<Clean>,
    salt_seed: u64,
}

impl Log {
    /// Opens (or begins) the log of a directory that has no checkpoint, passing every batch to `replay` in order.
    ///
    /// Errors: as [`Log::prepare`] and [`Opening::replay`].
    pub fn open(
        disk: Arc<dyn Disk>,
        options: LogOptions<'_>,
        replay: &mut dyn FnMut(&Batch<'_>) -> Result<(), BatchError>,
    ) -> Result<(Log, Recovered), LogError> {
        Log::prepare(disk, options)?.replay(None, &mut |batch, _| replay(batch))
    }

    /// Reads who the directory is. The identity told is the one that [`Opening::replay`] claims: a new incarnation unless the last
    /// stop was clean.
    ///
    /// Errors: [`LogError::Damaged`] naming the identity or the clean-stop marker; [`LogError::Disk`].
    pub fn prepare(disk: Arc<dyn Disk>, options: LogOptions<'_>) -> Result<Opening, LogError> {
        let LogOptions { segment_bytes, fresh_id } = options;
        let names = disk.list()?;
        identity::remove_unfinished(&*disk, &names)?;
        let known = identity::load(&*disk, &names)?;
        let clean = identity::load_clean(&*disk, &names)?;
        let identity = match (&known, &clean) {
            (Some(identity), Some(marker)) => {
                identity::check_owner(marker, identity).map(|()| identity.clone())?
            }
            (None, Some(_)) => return Err(LogError::damaged(layout::IDENTITY_FILE, 0, Damage::Missing)),
            (known, None) => identity::next(known.as_ref(), fresh_id),
        };
        let salt_seed = fresh_id();
        Ok(Opening { disk, names, segment_bytes, identity, known: known.is_some(), clean, salt_seed })
    }
}

impl Opening {
    /// Who the directory is from now on.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Files there.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The log does not begin at its first byte: a checkpoint stands for what is missing.
    pub fn begins_late(&self) -> bool {
        let mut numbers = self.names.iter().filter_map(|name| segment_number(name)).peekable();
        let any = numbers.peek().is_some();
        any && numbers.all(|number| number > 1) && self.names.iter().any(|name| image_number(name).is_some())
    }

    /// Bytes of segments that [`Opening::replay`] will read; for telling progress.
    pub fn bytes_after(&self, from: LogPosition) -> Result<u64, LogError> {
        let mut bytes = 0;
        for number in self.names.iter().filter_map(|name| segment_number(name)) {
            let segment = Segment::open(&*self.disk, number)?;
            let end = segment.position(segment.file.len()?.max(SEGMENT_HEADER_BYTES));
            bytes += end.0.saturating_sub(from.0.max(segment.header.start.0));
        }
        Ok(bytes)
    }

    /// Passes every batch from the start on to `visit`, in order, with the place of each; then the log is open for appending.
    ///
    /// Errors: [`LogError::Damaged`] when anything but a torn tail of the last segment is not as it was written;
    /// [`LogError::Replay`] with what `visit` said; [`LogError::Disk`].
    pub fn replay(
        self,
        start: Option<LogStart>,
        visit: &mut dyn FnMut(&Batch<'_>, LogPosition) -> Result<(), BatchError>,
    ) -> Result<(Log, Recovered), LogError> {
        let Opening { disk, names, segment_bytes, identity, known, clean, salt_seed } = self;
        let (first, bounds, mut index) = match start {
            Some(start) => {
                let bounds = Bounds { from: start.from, durable: start.durable, whole: clean.is_some() };
                (Some(start.first_segment), bounds, start.index)
            }
            None => {
                let bounds = Bounds { from: LogPosition(0), durable: LogPosition(0), whole: clean.is_some() };
                (None, bounds, Index::default())
            }
        };
        let mut segments = open_segments(&*disk, &names, known || clean.is_some(), first)?;
        if segments.first().is_some_and(|segment| segment.header.start > bounds.from) {
            return Err(LogError::damaged(&segment_name(segments[0].header.number - 1), 0, Damage::Missing));
        }
        if segments.is_empty() {
            segments.push(Segment::begin(&*disk, 1, LogPosition(0), salt_seed)?);
        }
        let (mut batches, mut effects) = (0, 0);
        let starts =
            segments.iter().map(|segment| segment.header.start).filter(|start| *start >= bounds.from);
        let mut starts = starts.collect::<Vec<_>>().into_iter().peekable();
        let found = recover::read(segments, &bounds, &mut |batch, at| {
            visit(batch, at)?;
            while let Some(start) = starts.next_if(|start| *start <= at) {
                index.note_segment(start);
            }
            index.note(&batch.header, at);
            (batches, effects) = (batches + 1, effects + u64::from(batch.header.count));
            Ok(())
        })?;
        starts.for_each(|start| index.note_segment(start));
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
}

/// Opens the segments of a directory; without a checkpoint (`first`), all from number 1. None: nothing was ever written in it.
fn open_segments(
    disk: &dyn Disk,
    names: &[String],
    known: bool,
    first: Option<u64>,
) -> Result<Vec<Arc<Segment>>, LogError> {
    let segments = recover::open_segments(disk, names, first.unwrap_or(1))?;
    match segments.last() {
        None if known || first.is_some() => {
            Err(LogError::damaged(&segment_name(first.unwrap_or(1)), 0, Damage::Missing))
        }
        // The first segment is made before the identity, and receives nothing before that is durable.
        Some(last) if !known && (segments.len() > 1 || last.file.len()? > SEGMENT_HEADER_BYTES) => {
            Err(LogError::damaged(layout::IDENTITY_FILE, 0, Damage::Missing))
        }
        _ => Ok(segments),
    }
}
