//! Segments: files of whole batches, one after another, with marks of what was synced between them.
//!
//! Invariant: a segment has its name only when its header is whole and durable, so a header that does not read is damage,
//! never a torn write.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::error::{Damage, LogError};
use super::layout::{self, MARK_MAGIC, Mark, SEGMENT_HEADER_BYTES, SegmentHeader, segment_name};
use super::{LogPosition, identity};
use crate::disk::{Disk, DiskError, DiskFile};
use crate::effect::batch::{self, Batch, BatchError, BatchHeader};

/// One open segment.
pub struct Segment {
    pub header: SegmentHeader,
    pub name: String,
    pub file: Box<dyn DiskFile>,
}

/// What stands at a place in a segment.
pub enum Frame {
    Mark(Mark),
    /// The header only; the body is not checked.
    Batch(BatchHeader),
}

impl Segment {
    /// Makes an empty segment whose first byte is `start`, durable when this returns. Its salt comes of `salt_seed`, which has
    /// to be random and is never told.
    pub fn begin(
        disk: &dyn Disk,
        number: u64,
        start: LogPosition,
        salt_seed: u64,
    ) -> Result<Arc<Self>, DiskError> {
        let salt = xxh3_64_with_seed(&number.to_le_bytes(), salt_seed);
        let (name, header) = (segment_name(number), SegmentHeader { number, start, salt });
        identity::write_whole(disk, &name, &header.encode())?;
        let file = disk.open(&name)?;
        Ok(Arc::new(Segment { header, name, file }))
    }

    /// Opens an existing segment and checks its header against its name.
    pub fn open(disk: &dyn Disk, number: u64) -> Result<Self, LogError> {
        let name = segment_name(number);
        let file = disk.open(&name)?;
        let mut bytes = [0; SEGMENT_HEADER_BYTES as usize];
        let read = file.read_at(&mut bytes, 0)?;
        let header =
            SegmentHeader::decode(&bytes[..read]).map_err(|damage| LogError::damaged(&name, 0, damage))?;
        if header.number != number {
            return Err(LogError::damaged(&name, 0, Damage::Field));
        }
        Ok(Segment { header, name, file })
    }

    /// Where in the file a position of this segment lies.
    pub fn offset(&self, at: LogPosition) -> u64 {
        SEGMENT_HEADER_BYTES + (at.0 - self.header.start.0)
    }

    pub fn position(&self, offset: u64) -> LogPosition {
        LogPosition(self.header.start.0 + (offset - SEGMENT_HEADER_BYTES))
    }

    pub fn damaged(&self, offset: u64, damage: impl Into<Damage>) -> LogError {
        LogError::damaged(&self.name, offset, damage)
    }
}

/// A buffer that was once needed is kept up to here, whatever it is needed for next, bytes.
const BUFFER_KEPT: usize = 1 << 20;

/// A buffer over a stretch of one segment, so that reading on costs one read per many frames.
pub struct Window {
    chunk_bytes: usize,
    number: u64,
    start: u64,
    /// Bytes at the beginning of `buffer` that were read.
    held: usize,
    /// Never shorter than what was needed once: large batches come in rows, and a buffer that is given back is cleared anew.
    buffer: Vec<u8>,
}

impl Window {
    /// `chunk_bytes` are read at a time, more only for a larger batch.
    pub fn new(chunk_bytes: usize) -> Self {
        Window { chunk_bytes, number: 0, start: 0, held: 0, buffer: Vec::new() }
    }

    /// The bytes at `offset`: `need` of them, or more where they are at hand. Nothing at or past `end` is read.
    pub fn load(&mut self, segment: &Segment, offset: u64, need: usize, end: u64) -> Result<&[u8], LogError> {
        let held = self.start + self.held as u64;
        let hit =
            self.number == segment.header.number && offset >= self.start && offset + need as u64 <= held;
        if !hit {
            if offset + need as u64 > end {
                return Err(segment.damaged(offset, Damage::Short));
            }
            let want = (end - offset).min(need.max(self.chunk_bytes) as u64) as usize;
            (self.number, self.held) = (0, 0);
            if self.buffer.len() > BUFFER_KEPT.max(self.chunk_bytes) && want <= self.chunk_bytes {
                self.buffer = Vec::new();
            }
            if self.buffer.len() < want {
                self.buffer = vec![0; want];
            }
            let read = segment.file.read_at(&mut self.buffer[..want], offset)?;
            (self.number, self.start, self.held) = (segment.header.number, offset, read);
            if read < need {
                return Err(segment.damaged(offset, Damage::Short));
            }
        }
        Ok(&self.buffer[(offset - self.start) as usize..self.held])
    }

    /// Gives the memory back.
    pub fn release(&mut self) {
        (self.number, self.held) = (0, 0);
        self.buffer = Vec::new();
    }

    /// Reads the mark or the batch header at `offset`; that a batch ends at or before `end` is checked, its body is not.
    pub fn frame(&mut self, segment: &Segment, offset: u64, end: u64) -> Result<Frame, LogError> {
        let left = end - offset;
        let head = self.load(segment, offset, left.min(batch::HEADER_BYTES as u64) as usize, end)?;
        if layout::magic(head) == Some(MARK_MAGIC) {
            let mark = Mark::decode(head).map_err(|damage| segment.damaged(offset, damage))?;
            let honest = mark.salt == segment.header.salt && mark.synced <= segment.position(offset);
            return if honest { Ok(Frame::Mark(mark)) } else { Err(segment.damaged(offset, Damage::Field)) };
        }
        let header = batch::parse_header(head).map_err(|error| segment.damaged(offset, error))?;
        if header.bytes() as u64 > left {
            let error = BatchError::Truncated { have: left as usize, need: header.bytes() };
            return Err(segment.damaged(offset, error));
        }
        Ok(Frame::Batch(header))
    }

    /// Reads and checks the batch that [`Window::frame`] found at `offset`.
    pub fn batch(
        &mut self,
        segment: &Segment,
        offset: u64,
        header: &BatchHeader,
        end: u64,
    ) -> Result<Batch<'_>, LogError> {
        let bytes = self.load(segment, offset, header.bytes(), end)?;
        Batch::parse(bytes).map_err(|error| segment.damaged(offset, error))
    }
}
