//! Appending: whole batches in one write at the end of the active segment, and the step to the next segment.
//!
//! Invariant: whatever goes wrong, the readable log ends where it ended before, or after all the given batches.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::MutexGuard;

use super::layout::{Clean, MARK_BYTES, Mark, SEGMENT_HEADER_BYTES};
use super::recover::Found;
use super::segment::Segment;
use super::{Log, LogError, LogPosition, identity};
use crate::disk::DiskError;
use crate::effect::batch;

/// The end of the log, under one lock.
pub(super) struct Writer {
    segment: Arc<Segment>,
    end: LogPosition,
    /// The last sync that the active segment tells of.
    marked: LogPosition,
    /// A clean stop's marker is still there.
    clean: bool,
    closed: bool,
    /// The next segment may exist already: nothing more goes into this one.
    rotating: bool,
    salt_seed: u64,
}

impl Writer {
    pub(super) fn new(active: Arc<Segment>, found: &Found, clean: bool, salt_seed: u64) -> Self {
        let (end, marked) = (found.end, found.marked);
        Writer { segment: active, end, marked, clean, closed: false, rotating: false, salt_seed }
    }

    /// Bytes that the active segment has, header included.
    fn used(&self) -> u64 {
        self.segment.offset(self.end)
    }
}

impl Log {
    /// Appends whole batches with one write; they survive the process from here on. Returns where they end: they are durable once
    /// [`Log::sync_to`] of that returned.
    ///
    /// Errors: [`LogError::Full`], after which the same append may be tried again; [`LogError::Poisoned`];
    /// [`LogError::Closed`]; [`LogError::NotBatches`]. After any of them nothing of `batches` is in the log.
    pub fn append(&self, batches: &[u8]) -> Result<LogPosition, LogError> {
        let mut writer = self.writer.lock();
        self.check_poison()?;
        if writer.closed {
            return Err(LogError::Closed);
        }
        check_whole(batches)?;
        if batches.is_empty() {
            return Ok(writer.end);
        }
        if writer.clean {
            identity::unmark_clean(&*self.disk).map_err(|error| self.refuse(error))?;
            writer.clean = false;
        }
        let room = self.segment_bytes.saturating_sub(writer.used() + MARK_BYTES as u64);
        if writer.rotating || (batches.len() as u64 > room && writer.used() > SEGMENT_HEADER_BYTES) {
            self.rotate(&mut writer)?;
        }
        let synced = self.synced_upto();
        if synced > writer.marked {
            let mark = Mark { salt: writer.segment.header.salt, synced };
            self.put(&mut writer, &mark.encode())?;
            writer.marked = synced;
        }
        let start = writer.end;
        self.put(&mut writer, batches)?;
        let mut index = self.index.lock();
        let mut at = 0;
        while let Ok(header) = batch::parse_header(&batches[at..]) {
            index.note(&header, LogPosition(start.0 + at as u64));
            at += header.bytes();
        }
        Ok(writer.end)
    }

    /// Writes at the end. On an error the end stays where it was, on disk too if the error is to be forgotten.
    fn put(&self, writer: &mut Writer, bytes: &[u8]) -> Result<(), LogError> {
        let offset = writer.used();
        if let Err(error) = writer.segment.file.write_at(bytes, offset) {
            return Err(match writer.segment.file.truncate(offset) {
                Ok(()) => self.refuse(error),
                Err(_) => self.poison(error),
            });
        }
        writer.end.0 += bytes.len() as u64;
        self.appended.store(writer.end.0, Ordering::Release);
        Ok(())
    }

    fn rotate(&self, writer: &mut MutexGuard<'_, Writer>) -> Result<(), LogError> {
        // Nothing can be lost from the middle of the log: the old segment is whole on disk before the next has anything.
        self.sync()?;
        writer.rotating = true;
        let number = writer.segment.header.number + 1;
        let next = Segment::begin(&*self.disk, number, writer.end, writer.salt_seed)
            .map_err(|error| self.refuse(error))?;
        self.index.lock().note_segment(next.header.start);
        self.segments.write().push(next.clone());
        writer.marked = next.header.start;
        writer.segment = next;
        writer.rotating = false;
        Ok(())
    }

    /// Begins the next segment if the active one has at least so many bytes, so that what a checkpoint replaces can be dropped.
    ///
    /// Errors: as [`Log::append`]; the log goes on in the old segment or the new one.
    pub fn cut_segment(&self, bytes_min: u64) -> Result<(), LogError> {
        // Most of it without holding up who appends.
        self.sync()?;
        let mut writer = self.writer.lock();
        self.check_poison()?;
        if writer.closed || writer.clean || writer.used() < SEGMENT_HEADER_BYTES + bytes_min.max(1) {
            return Ok(());
        }
        self.rotate(&mut writer)
    }

    /// A full disk is told and forgotten, all else is remembered.
    fn refuse(&self, error: DiskError) -> LogError {
        if error.is_full() { LogError::Full(error) } else { self.poison(error) }
    }

    /// Makes everything durable and leaves the marker of a clean stop: the next start goes on with this incarnation. Nothing is
    /// appended after it.
    pub fn close_clean(&self) -> Result<(), LogError> {
        let mut writer = self.writer.lock();
        self.sync()?;
        writer.closed = true;
        if !writer.clean {
            let clean =
                Clean { directory: self.identity.directory, node: self.identity.current(), end: writer.end };
            identity::mark_clean(&*self.disk, &clean)?;
            writer.clean = true;
        }
        Ok(())
    }
}

/// Headers that lead exactly to the end. The engine has just made or checked these batches, so checksums are left to the readers.
fn check_whole(batches: &[u8]) -> Result<(), LogError> {
    let mut at = 0;
    while at < batches.len() {
        let rest = &batches[at..];
        let header = batch::parse_header(rest).map_err(|source| LogError::NotBatches { at, source })?;
        if header.bytes() > rest.len() {
            let source = batch::BatchError::Truncated { have: rest.len(), need: header.bytes() };
            return Err(LogError::NotBatches { at, source });
        }
        at += header.bytes();
    }
    Ok(())
}
