//! The log on disk: segments of whole batches, in the order in which this node showed them.
//!
//! Invariants: a batch is readable only when it was appended whole; what [`Log::sync`] covered survives a power cut, what was
//! appended survives the process; after one failed write or sync that is not merely a full disk, nothing is appended again.

mod identity;
mod index;
mod recover;
pub mod segment;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::{Mutex, RwLock};
use proto::{NodeId, Seq};

use crate::disk::{Disk, DiskError};
use crate::effect::batch::{self, Batch, BatchError, BatchKind};
pub use identity::Identity;
use index::Index;
use segment::Segment;

/// A place in the log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Position {
    pub segment: u64,
    /// Bytes from the segment's begin.
    pub offset: u64,
}

#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum LogError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("{file} is damaged at byte {offset}: {what}")]
    Damaged { file: String, offset: u64, what: String },
    #[error("{file} has format version {found}; this build knows {known}")]
    Version { file: String, found: u32, known: u32 },
    #[error("{file} at byte {offset} cannot be applied: {source}")]
    Replay { file: String, offset: u64, source: BatchError },
    #[error("the log stopped after an earlier failure: {0}")]
    Poisoned(Box<LogError>),
}

/// Sizes and randomness.
pub struct LogOptions<'a> {
    /// A segment is closed before it grows past this (bytes); a larger batch gets its own.
    pub segment_bytes: u64,
    /// Fresh random ids, never zero.
    pub fresh_id: &'a mut dyn FnMut() -> u64,
}

/// What opening found.
#[derive(Clone, Debug)]
pub struct Recovered {
    pub identity: Identity,
    /// The last stop was clean: the incarnation goes on.
    pub clean: bool,
    /// Torn bytes cut off the end.
    pub cut_bytes: u64,
    pub batches: u64,
    pub effects: u64,
}

/// Sizes for INFO.
#[derive(Clone, Copy, Default, Debug)]
pub struct LogStat {
    pub segments: u64,
    pub bytes: u64,
    pub appended_bytes: u64,
    pub syncs: u64,
}

/// The identity of a directory that has one, before anything else of it is read.
pub fn peek_identity(disk: &dyn Disk) -> Result<Option<Identity>, LogError> {
    identity::load(disk, &disk.list()?)
}

struct Active {
    poisoned: Option<LogError>,
    index: Index,
}

struct Synced {
    /// Everything appended up to this total is durable.
    upto: u64,
}

/// See the module.
pub struct Log {
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    node: NodeId,
    segments: RwLock<Vec<Arc<Segment>>>,
    active: Mutex<Active>,
    /// Total bytes appended since opening.
    appended: AtomicU64,
    synced: Mutex<Synced>,
    syncs: AtomicU64,
}

impl Log {
    /// Opens (or begins) the log of a directory, passing every batch to `replay` in order. Claims a new incarnation unless the last
    /// stop was clean.
    pub fn open(
        disk: Arc<dyn Disk>,
        options: LogOptions<'_>,
        replay: &mut dyn FnMut(&Batch<'_>) -> Result<(), BatchError>,
    ) -> Result<(Log, Recovered), LogError> {
        let names = disk.list()?;
        let known = identity::load(&*disk, &names)?;
        if known.is_none()
            && let Some(name) = names.iter().find(|n| segment::number(n).is_some())
        {
            let what = "log segments without an IDENTITY file".into();
            return Err(LogError::Damaged { file: name.clone(), offset: 0, what });
        }
        let marker = identity::clean_end(&*disk, &names)?;
        let (mut index, mut batches, mut effects) = (Index::default(), 0, 0);
        let mut visit = |batch: &Batch<'_>, at: Position| {
            if batch.header.kind == BatchKind::Effects {
                index.note(&batch.header, at);
                effects += u64::from(batch.header.count);
            }
            batches += 1;
            replay(batch).map_err(|source| LogError::Replay {
                file: segment::name(at.segment),
                offset: at.offset,
                source,
            })
        };
        let (mut segments, cut_bytes) = recover::segments(&*disk, &names, &mut visit)?;
        let end = segments.last().map(|s| (s.number, s.len()));
        let (identity, clean) = match known {
            Some(known) if cut_bytes == 0 && marker == end.map(|(s, o)| (known.current(), s, o)) => {
                (known, true)
            }
            known => {
                let mut identity =
                    known.unwrap_or_else(|| Identity { directory: (options.fresh_id)(), nodes: Vec::new() });
                identity.nodes.push(NodeId((options.fresh_id)()));
                identity::store(&*disk, &identity)?;
                (identity, false)
            }
        };
        identity::unmark(&*disk, &names)?;
        if segments.is_empty() {
            segments.push(Segment::create(&*disk, 1)?);
        }
        let recovered = Recovered { identity, clean, cut_bytes, batches, effects };
        let log = Log {
            disk,
            segment_bytes: options.segment_bytes,
            node: recovered.identity.current(),
            segments: RwLock::new(segments.into_iter().map(Arc::new).collect()),
            active: Mutex::new(Active { poisoned: None, index }),
            appended: AtomicU64::new(0),
            synced: Mutex::new(Synced { upto: 0 }),
            syncs: AtomicU64::new(0),
        };
        // What an earlier process left in the page cache becomes durable before anyone builds on it.
        log.sync_segment(&log.last_segment())?;
        Ok((log, recovered))
    }

    fn last_segment(&self) -> Arc<Segment> {
        self.segments.read().last().expect("a log has at least one segment").clone()
    }

    /// Appends whole batches in one write. They survive the process from here on.
    pub fn append(&self, batches: &[u8]) -> Result<(), LogError> {
        let mut active = self.active.lock();
        if let Some(error) = &active.poisoned {
            return Err(LogError::Poisoned(Box::new(error.clone())));
        }
        let mut segment = self.last_segment();
        let len = segment.len();
        if len > segment::HEADER_BYTES && len + batches.len() as u64 > self.segment_bytes {
            segment = self.rotate(&segment).inspect_err(|error| poison(&mut active, error))?;
        }
        let at = segment.len();
        if let Err(error) = segment.file.write_at(batches, at) {
            let error = LogError::from(error);
            // A full disk is no damage when the part that was written can be taken back.
            if segment.file.truncate(at).is_err() {
                active.poisoned = Some(error.clone());
            } else {
                poison(&mut active, &error);
            }
            return Err(error);
        }
        let mut offset = 0;
        while let Ok(header) = batch::parse_header(&batches[offset..]) {
            if header.kind == BatchKind::Effects {
                let place = Position { segment: segment.number, offset: at + offset as u64 };
                active.index.note(&header, place);
            }
            offset += header.bytes();
        }
        debug_assert_eq!(offset, batches.len(), "only whole batches are appended");
        segment.set_len(at + batches.len() as u64);
        self.appended.fetch_add(batches.len() as u64, Relaxed);
        Ok(())
    }

    fn rotate(&self, full: &Segment) -> Result<Arc<Segment>, LogError> {
        // The old segment is whole on disk before the next one has anything.
        full.file.sync()?;
        let next = Arc::new(Segment::create(&*self.disk, full.number + 1)?);
        self.segments.write().push(next.clone());
        Ok(next)
    }

    /// Makes everything appended so far durable. Callers at the same time share one sync.
    pub fn sync(&self) -> Result<(), LogError> {
        let wanted = self.appended.load(Relaxed);
        let mut synced = self.synced.lock();
        if synced.upto >= wanted {
            return match &self.active.lock().poisoned {
                Some(error) => Err(LogError::Poisoned(Box::new(error.clone()))),
                None => Ok(()),
            };
        }
        // Later appends may be covered too; those counted here certainly are.
        let (segment, upto) = {
            let active = self.active.lock();
            if let Some(error) = &active.poisoned {
                return Err(LogError::Poisoned(Box::new(error.clone())));
            }
            (self.last_segment(), self.appended.load(Relaxed))
        };
        self.sync_segment(&segment)?;
        synced.upto = upto;
        Ok(())
    }

    fn sync_segment(&self, segment: &Segment) -> Result<(), LogError> {
        self.syncs.fetch_add(1, Relaxed);
        segment.file.sync().map_err(|error| {
            let error = LogError::from(error);
            // The kernel may have dropped the dirty pages: nothing after this can be trusted to be durable.
            self.active.lock().poisoned = Some(error.clone());
            error
        })
    }

    /// Appends to `out` whole batches of `origin` that hold effects after `after`, in order: at least one when there is any, then
    /// while under `bytes_max`. Returns the last seq appended; `None` when there is nothing newer.
    pub fn read_after(
        &self,
        origin: NodeId,
        after: Seq,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<Option<Seq>, LogError> {
        let Some(place) = self.active.lock().index.place(origin, after) else { return Ok(None) };
        let segments = self.segments.read().clone();
        let first = segments.partition_point(|s| s.number < place.segment);
        let (mut last, start) = (None, out.len());
        let mut buffer = Vec::new();
        for (i, segment) in segments[first..].iter().enumerate() {
            let mut at = if i == 0 { place.offset } else { segment::HEADER_BYTES };
            let end = segment.len();
            buffer.clear();
            let mut used = 0;
            while at < end {
                match Batch::parse(&buffer[used..]) {
                    Ok(batch) => {
                        let header = batch.header;
                        let wanted = header.kind == BatchKind::Effects
                            && header.origin == origin
                            && header.last() > last.unwrap_or(after);
                        if wanted {
                            if last.is_some() && out.len() - start + batch.bytes.len() > bytes_max {
                                return Ok(last);
                            }
                            out.extend_from_slice(batch.bytes);
                            last = Some(header.last());
                        }
                        at += batch.bytes.len() as u64;
                        used += batch.bytes.len();
                    }
                    Err(BatchError::Truncated { need, .. }) if at + need as u64 <= end => {
                        let want = need.max(128 << 10).min((end - at) as usize);
                        buffer.resize(want, 0);
                        let read = segment.file.read_at(&mut buffer, at)?;
                        buffer.truncate(read);
                        used = 0;
                        if read < need {
                            let what = "file is shorter than it was".into();
                            return Err(LogError::Damaged {
                                file: segment::name(segment.number),
                                offset: at,
                                what,
                            });
                        }
                    }
                    Err(error) => {
                        let what = error.to_string();
                        return Err(LogError::Damaged {
                            file: segment::name(segment.number),
                            offset: at,
                            what,
                        });
                    }
                }
            }
            if out.len() - start >= bytes_max && last.is_some() {
                break;
            }
        }
        Ok(last)
    }

    /// Passes every batch appended so far to `visit`, in order.
    pub fn replay(
        &self,
        visit: &mut dyn FnMut(&Batch<'_>) -> Result<(), BatchError>,
    ) -> Result<(), LogError> {
        let segments = self.segments.read().clone();
        for segment in segments {
            recover::scan(&segment, &mut |batch, at| {
                visit(batch).map_err(|source| LogError::Replay {
                    file: segment::name(at.segment),
                    offset: at.offset,
                    source,
                })
            })?;
        }
        Ok(())
    }

    /// Ends the log cleanly: everything durable, and marked so that this incarnation goes on at the next start.
    pub fn close_clean(&self) -> Result<(), LogError> {
        self.sync_segment(&self.last_segment())?;
        if let Some(error) = &self.active.lock().poisoned {
            return Err(LogError::Poisoned(Box::new(error.clone())));
        }
        let segment = self.last_segment();
        identity::mark_clean(&*self.disk, self.node, segment.number, segment.len())
    }

    /// Why the log takes no more writes; `None` while it does.
    pub fn poisoned(&self) -> Option<LogError> {
        self.active.lock().poisoned.clone()
    }

    /// Last seq of an origin in the log.
    pub fn last(&self, origin: NodeId) -> Seq {
        self.active.lock().index.last(origin)
    }

    pub fn stat(&self) -> LogStat {
        let segments = self.segments.read();
        LogStat {
            segments: segments.len() as u64,
            bytes: segments.iter().map(|s| s.len()).sum(),
            appended_bytes: self.appended.load(Relaxed),
            syncs: self.syncs.load(Relaxed),
        }
    }
}

fn poison(active: &mut Active, error: &LogError) {
    if !matches!(error, LogError::Disk(e) if e.is_full()) {
        active.poisoned = Some(error.clone());
    }
}
