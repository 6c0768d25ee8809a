//! Reading the log back at start: every whole batch in order, the torn tail cut, anything else damaged named.
//!
//! A power cut may take any part of what was not synced, also the middle of it. What was synced is known from the marks:
//! damage before a position that some mark behind it calls synced is damage to durable data and stops the start; damage with
//! no such mark behind it is the torn tail, and the log is cut there. Segments before the last were synced whole.

use std::sync::Arc;

use super::error::{Damage, LogError};
use super::layout::{self, MARK_BYTES, MARK_MAGIC, Mark, SEGMENT_HEADER_BYTES, segment_name, segment_number};
use super::segment::{Frame, Segment, Window};
use super::{LogPosition, Visit};
use crate::disk::Disk;
use crate::effect::batch::{self, BatchError};

/// Bytes read at a time.
pub(super) const CHUNK_BYTES: usize = 1 << 20;

/// The log as it was found.
pub(super) struct Found {
    pub segments: Vec<Arc<Segment>>,
    /// End of the last whole batch.
    pub end: LogPosition,
    pub cut_bytes: u64,
    /// What the last mark of the last segment says.
    pub marked: LogPosition,
}

/// Opens the segments from number `first` on and checks that they follow one another, by number and by position. The batches are
/// not read.
pub(super) fn open_segments(
    disk: &dyn Disk,
    names: &[String],
    first: u64,
) -> Result<Vec<Arc<Segment>>, LogError> {
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment_number(name)).collect();
    numbers.retain(|number| *number >= first);
    numbers.sort_unstable();
    for (expected, number) in (first..).zip(&numbers) {
        if *number != expected {
            return Err(LogError::damaged(&segment_name(expected), 0, Damage::Missing));
        }
    }
    let segments: Vec<Arc<Segment>> =
        numbers.iter().map(|number| Segment::open(disk, *number).map(Arc::new)).collect::<Result<_, _>>()?;
    if let Some(segment) = segments.first()
        && (segment.header.number == 1) != (segment.header.start == LogPosition(0))
    {
        return Err(segment.damaged(0, Damage::Field));
    }
    for pair in segments.windows(2) {
        let (length, expected) = (pair[0].file.len()?, pair[1].header.start);
        let found = pair[0].position(length.max(SEGMENT_HEADER_BYTES));
        if found != expected {
            return Err(pair[0].damaged(length, Damage::Gap { expected, found }));
        }
    }
    Ok(segments)
}

/// What must be there.
pub(super) struct Bounds {
    /// Batches before this are not read.
    pub from: LogPosition,
    /// Nothing before this may be torn off.
    pub durable: LogPosition,
    /// Nothing at all may be torn off.
    pub whole: bool,
}

/// Visits the batches of the segments (at least one).
pub(super) fn read(
    segments: Vec<Arc<Segment>>,
    bounds: &Bounds,
    visit: &mut Visit<'_>,
) -> Result<Found, LogError> {
    let mut window = Window::new(CHUNK_BYTES);
    let (mut end, mut cut_bytes, mut marked) = (LogPosition(0), 0, LogPosition(0));
    for (i, segment) in segments.iter().enumerate() {
        let length = segment.file.len()?;
        marked = segment.header.start;
        end = segment.position(length.max(SEGMENT_HEADER_BYTES));
        let begin = segment.offset(bounds.from.max(segment.header.start));
        let result = match begin <= length {
            true => visit_frames(&mut window, segment, begin, length, &mut marked, visit),
            // A later segment has what is wanted, or the last one is too short, which is found below.
            false => Ok(()),
        };
        match result {
            Ok(()) => {}
            Err(LogError::Damaged { offset, damage, .. }) => {
                let last = i + 1 == segments.len();
                let durable = segment.position(offset) < bounds.durable;
                let whole = bounds.whole || durable || !last;
                if whole || !is_torn(&mut window, segment, offset, length, damage)? {
                    return Err(segment.damaged(offset, damage));
                }
                cut_bytes = length - offset;
                segment.file.truncate(offset)?;
                end = segment.position(offset);
            }
            Err(error) => return Err(error),
        }
    }
    if end < bounds.durable {
        let damage = Damage::Lost { durable: bounds.durable, found: end };
        let last = segments.last().expect("a log has at least one segment");
        return Err(last.damaged(last.offset(end), damage));
    }
    Ok(Found { segments, end, cut_bytes, marked })
}

/// Visits the batches of a segment between two offsets.
pub(super) fn visit(
    window: &mut Window,
    segment: &Segment,
    begin: u64,
    end: u64,
    visit: &mut Visit<'_>,
) -> Result<(), LogError> {
    visit_frames(window, segment, begin, end, &mut LogPosition(0), visit)
}

fn visit_frames(
    window: &mut Window,
    segment: &Segment,
    mut offset: u64,
    end: u64,
    marked: &mut LogPosition,
    visit: &mut Visit<'_>,
) -> Result<(), LogError> {
    while offset < end {
        match window.frame(segment, offset, end)? {
            Frame::Mark(mark) => {
                *marked = mark.synced;
                offset += MARK_BYTES as u64;
            }
            Frame::Batch(header) => {
                let batch = window.batch(segment, offset, &header, end)?;
                visit(&batch, segment.position(offset)).map_err(|source| LogError::Replay {
                    file: segment.name.clone(),
                    offset,
                    source,
                })?;
                offset += header.bytes() as u64;
            }
        }
    }
    Ok(())
}

/// True when nothing says that the bytes at `offset` were ever durable, or are more than this version can read.
pub(super) fn is_torn(
    window: &mut Window,
    segment: &Segment,
    offset: u64,
    length: u64,
    damage: Damage,
) -> Result<bool, LogError> {
    if matches!(damage, Damage::Batch(BatchError::UnknownKind(_) | BatchError::UnknownFlags(_))) {
        // A batch of a newer version is data, not damage: its length and checksum are where they always were.
        let head = window.load(segment, offset, batch::HEADER_BYTES, length)?;
        let bytes = layout::batch_bytes(head);
        if offset + bytes as u64 <= length
            && layout::is_whole_batch(window.load(segment, offset, bytes, length)?)
        {
            return Ok(false);
        }
    }
    let needle = MARK_MAGIC.to_le_bytes();
    let mut at = offset + 1;
    while at + MARK_BYTES as u64 <= length {
        let stretch = window.load(segment, at, MARK_BYTES, length)?;
        let found = stretch.windows(needle.len()).position(|four| four == needle);
        match found {
            None => at += (stretch.len() - (needle.len() - 1)) as u64,
            Some(skip) if skip + MARK_BYTES <= stretch.len() => {
                let says = Mark::decode(&stretch[skip..]);
                if says.is_ok_and(|m| m.salt == segment.header.salt && m.synced > segment.position(offset)) {
                    return Ok(false);
                }
                at += skip as u64 + 1;
            }
            Some(skip) => at += skip as u64,
        }
    }
    Ok(true)
}
