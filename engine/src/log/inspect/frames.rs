//! Every frame of one segment, also those behind damage: where a frame cannot be read, the next whole one is looked for.
//!
//! Does not decide what damage means: [`super::survey`] does.

use std::ops::ControlFlow;

use crate::effect::batch::{self, Batch, BatchError};
use crate::log::error::{Damage, LogError};
use crate::log::layout::{self, MARK_BYTES, MARK_MAGIC, Mark, SEGMENT_HEADER_BYTES};
use crate::log::recover::CHUNK_BYTES;
use crate::log::segment::{Frame, Segment, Window};

/// What stands at an offset of a segment.
pub(super) enum Step<'a> {
    Mark(Mark),
    Batch(Batch<'a>),
    /// Reading goes on at `resumed`; `None`: nothing whole follows.
    Damaged {
        damage: Damage,
        /// A whole batch of a newer version.
        newer: bool,
        resumed: Option<u64>,
    },
}

/// A segment being read leniently. Holds one chunk, or one batch when that is larger.
pub(super) struct Frames<'s> {
    segment: &'s Segment,
    /// The header was read: salt and start are known, marks can be checked against them.
    known: bool,
    length: u64,
    window: Window,
}

impl<'s> Frames<'s> {
    pub fn new(segment: &'s Segment, known: bool) -> Result<Self, LogError> {
        Ok(Frames { segment, known, length: segment.file.len()?, window: Window::new(CHUNK_BYTES) })
    }

    pub fn visit(
        &mut self,
        visit: &mut dyn FnMut(u64, Step<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, LogError> {
        let mut offset = SEGMENT_HEADER_BYTES;
        while offset < self.length {
            let (next, flow) = match self.step(offset) {
                Ok((next, step)) => (next, visit(offset, step)),
                Err(LogError::Damaged { damage, .. }) => {
                    let newer = self.newer_ends(offset, damage)?;
                    let resumed = match newer {
                        Some(end) => (end < self.length).then_some(end),
                        None => self.resume(offset)?,
                    };
                    let flow = visit(offset, Step::Damaged { damage, newer: newer.is_some(), resumed });
                    (resumed.unwrap_or(self.length), flow)
                }
                Err(error) => return Err(error),
            };
            if flow.is_break() {
                return Ok(flow);
            }
            offset = next;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The frame at `offset`, checked, and where it ends.
    fn step(&mut self, offset: u64) -> Result<(u64, Step<'_>), LogError> {
        let (segment, length) = (self.segment, self.length);
        match self.window.frame(segment, offset, length) {
            Ok(Frame::Mark(mark)) => Ok((offset + MARK_BYTES as u64, Step::Mark(mark))),
            Ok(Frame::Batch(header)) => {
                let batch = self.window.batch(segment, offset, &header, length)?;
                Ok((offset + header.bytes() as u64, Step::Batch(batch)))
            }
            // Whether a mark is honest cannot be told without the header.
            Err(LogError::Damaged { damage: Damage::Field, .. }) if !self.known => {
                let bytes = self.window.load(segment, offset, MARK_BYTES, length)?;
                let mark = Mark::decode(bytes).map_err(|damage| segment.damaged(offset, damage))?;
                Ok((offset + MARK_BYTES as u64, Step::Mark(mark)))
            }
            Err(error) => Err(error),
        }
    }

    fn is_whole(&mut self, offset: u64) -> Result<bool, LogError> {
        match self.step(offset) {
            Ok(_) => Ok(true),
            Err(LogError::Damaged { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Where a whole batch of an unknown kind or with unknown flags ends: length and checksum are where they always were.
    fn newer_ends(&mut self, offset: u64, damage: Damage) -> Result<Option<u64>, LogError> {
        let Damage::Batch(BatchError::UnknownKind(_) | BatchError::UnknownFlags(_)) = damage else {
            return Ok(None);
        };
        let head = self.window.load(self.segment, offset, batch::HEADER_BYTES, self.length)?;
        let bytes = layout::batch_bytes(head);
        let end = offset + bytes as u64;
        let whole = end <= self.length
            && layout::is_whole_batch(self.window.load(self.segment, offset, bytes, self.length)?);
        Ok(whole.then_some(end))
    }

    /// The first whole frame behind the damaged one at `offset`: where its header says that it ends, else wherever one is found.
    fn resume(&mut self, offset: u64) -> Result<Option<u64>, LogError> {
        if self.length - offset >= batch::HEADER_BYTES as u64 {
            let head = self.window.load(self.segment, offset, batch::HEADER_BYTES, self.length)?;
            if let Ok(header) = batch::parse_header(head) {
                let next = offset + header.bytes() as u64;
                if next < self.length && self.is_whole(next)? {
                    return Ok(Some(next));
                }
            }
        }
        let needles = [batch::MAGIC.to_le_bytes(), MARK_MAGIC.to_le_bytes()];
        let mut at = offset + 1;
        while at + MARK_BYTES as u64 <= self.length {
            let stretch = self.window.load(self.segment, at, MARK_BYTES, self.length)?;
            match stretch.windows(4).position(|four| needles.iter().any(|needle| four == needle)) {
                None => at += (stretch.len() - 3) as u64,
                Some(skip) => {
                    at += skip as u64;
                    if self.is_whole(at)? {
                        return Ok(Some(at));
                    }
                    at += 1;
                }
            }
        }
        Ok(None)
    }
}
