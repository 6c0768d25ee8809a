//! Reading one origin's batches out of the log, where those of all origins are interleaved.

use std::sync::Arc;

use proto::{NodeId, Seq};

use super::layout::MARK_BYTES;
use super::segment::{Frame, Segment, Window};
use super::{Log, LogError, LogPosition, recover};
use crate::effect::batch::{Batch, BatchError, BatchKind};

/// Bytes read at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// Reads one origin forwards and remembers where it was, so that following the log reads each byte once. For a sender: one per
/// (peer, origin). Holds 64 KiB while it is behind, up to 1 MiB where batches are large, nothing when it has caught up.
pub struct LogReader {
    origin: NodeId,
    /// All of the origin's effects before the position are at or below the seq.
    cursor: (Seq, LogPosition),
    window: Window,
}

impl LogReader {
    pub fn new(origin: NodeId) -> Self {
        LogReader { origin, cursor: (Seq(0), LogPosition(0)), window: Window::new(CHUNK_BYTES) }
    }

    pub fn origin(&self) -> NodeId {
        self.origin
    }

    /// Appends to `out` whole batches that hold effects after `after`, in order: at least one when there is any, then while under
    /// `bytes_max`. Returns the last seq appended; `None` when there is nothing newer. The first batch may begin at or before
    /// `after`. Any `after` is right; the one returned last is cheap.
    ///
    /// Errors: [`LogError::Dropped`] when what follows `after` is not in the log any more; [`LogError::Damaged`],
    /// [`LogError::Disk`]; `out` then holds whole batches still.
    pub fn read(
        &mut self,
        log: &Log,
        after: Seq,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<Option<Seq>, LogError> {
        let end = log.appended_upto();
        let begin = log.begins_at();
        let Some(at) = log.index.lock().seek(self.origin, after) else { return Ok(None) };
        let mut at = at.max(begin);
        if self.cursor.0 <= after {
            at = at.max(self.cursor.1);
        }
        let (mut last, begun) = (after, out.len());
        'segments: while at < end {
            let (segment, stop) = log.segment_at(at, end)?;
            let (mut offset, stop) = (segment.offset(at), segment.offset(stop));
            while offset < stop {
                let header = match self.window.frame(&segment, offset, stop)? {
                    Frame::Mark(_) => {
                        offset += MARK_BYTES as u64;
                        continue;
                    }
                    Frame::Batch(header) => header,
                };
                let wanted =
                    header.kind == BatchKind::Effects && header.origin == self.origin && header.last() > last;
                if wanted {
                    // Sequences have no gaps: what is missing before the first was dropped.
                    if last == after && header.first.0 > after.0 + 1 && begin > LogPosition(0) {
                        return Err(LogError::Dropped(begin));
                    }
                    if last > after && out.len() - begun + header.bytes() > bytes_max {
                        at = segment.position(offset);
                        break 'segments;
                    }
                    let batch = self.window.batch(&segment, offset, &header, stop)?;
                    out.extend_from_slice(batch.bytes);
                    last = header.last();
                }
                offset += header.bytes() as u64;
            }
            at = segment.position(offset);
        }
        self.cursor = (last, at);
        if at >= end {
            self.window.release();
        }
        Ok((last > after).then_some(last))
    }
}

impl Log {
    /// [`LogReader::read`] without a memory: for a single question.
    pub fn read_after(
        &self,
        origin: NodeId,
        after: Seq,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<Option<Seq>, LogError> {
        LogReader::new(origin).read(self, after, bytes_max, out)
    }

    /// Appends to `out` whole batches of every kind and origin from `at` up to `end`, places where batches end: at least one, then
    /// while under `bytes_max`. Returns where they end, `end` when there are no more.
    ///
    /// Errors: [`LogError::Dropped`], [`LogError::Damaged`], [`LogError::Disk`]; `out` then holds whole batches still.
    pub fn read_all(
        &self,
        mut at: LogPosition,
        end: LogPosition,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<LogPosition, LogError> {
        let (mut window, begun) = (Window::new(CHUNK_BYTES), out.len());
        while at < end {
            let (segment, stop) = self.segment_at(at, end)?;
            let (mut offset, stop) = (segment.offset(at), segment.offset(stop));
            while offset < stop {
                match window.frame(&segment, offset, stop)? {
                    Frame::Mark(_) => offset += MARK_BYTES as u64,
                    Frame::Batch(header) => {
                        if out.len() > begun && out.len() - begun + header.bytes() > bytes_max {
                            return Ok(segment.position(offset));
                        }
                        out.extend_from_slice(window.batch(&segment, offset, &header, stop)?.bytes);
                        offset += header.bytes() as u64;
                    }
                }
            }
            at = segment.position(offset);
        }
        Ok(end)
    }

    /// Passes every batch appended so far to `visit`, in order, bookkeeping included.
    ///
    /// Errors: [`LogError::Dropped`] when the log does not begin at its first byte any more, before anything was visited.
    pub fn replay(
        &self,
        visit: &mut dyn FnMut(&Batch<'_>) -> Result<(), BatchError>,
    ) -> Result<(), LogError> {
        self.replay_from(LogPosition(0), visit)
    }

    /// As [`Log::replay`], from a place where a batch or a mark begins.
    pub fn replay_from(
        &self,
        from: LogPosition,
        visit: &mut dyn FnMut(&Batch<'_>) -> Result<(), BatchError>,
    ) -> Result<(), LogError> {
        let end = self.appended_upto();
        let mut window = Window::new(recover::CHUNK_BYTES);
        let mut at = from;
        while at < end {
            let (segment, stop) = self.segment_at(at, end)?;
            let (begin, stop_at) = (segment.offset(at), segment.offset(stop));
            recover::visit(&mut window, &segment, begin, stop_at, &mut |batch, _| visit(batch))?;
            at = stop;
        }
        Ok(())
    }

    /// The segment that holds `at`, and where it ends, or `end` before that.
    fn segment_at(&self, at: LogPosition, end: LogPosition) -> Result<(Arc<Segment>, LogPosition), LogError> {
        let segments = self.segments.read();
        let next = segments.partition_point(|segment| segment.header.start <= at);
        let Some(found) = next.checked_sub(1) else {
            return Err(LogError::Dropped(segments[0].header.start));
        };
        let stop = segments.get(next).map_or(end, |segment| segment.header.start.min(end));
        Ok((segments[found].clone(), stop))
    }
}
