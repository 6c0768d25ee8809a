//! Reading the log back: every whole batch in order, the torn tail cut.

use super::segment::{self, HEADER_BYTES, Segment};
use super::{LogError, Position};
use crate::disk::Disk;
use crate::effect::batch::{self, Batch, BatchError};

/// Bytes read at a time.
const CHUNK: usize = 1 << 20;

/// What [`scan`] found at a segment's end.
pub(super) struct Scanned {
    /// Bytes up to the end of the last whole batch.
    pub whole: u64,
    /// Why the rest is not a batch; `None` when there is no rest.
    pub rest: Option<BatchError>,
}

/// Visits every whole batch of a segment in order.
pub(super) fn scan(
    segment: &Segment,
    visit: &mut dyn FnMut(&Batch<'_>, Position) -> Result<(), LogError>,
) -> Result<Scanned, LogError> {
    let len = segment.len();
    let (mut at, mut buffer, mut start) = (HEADER_BYTES, Vec::new(), 0usize);
    loop {
        let rest = match Batch::parse(&buffer[start..]) {
            Ok(batch) => {
                visit(&batch, Position { segment: segment.number, offset: at })?;
                at += batch.bytes.len() as u64;
                start += batch.bytes.len();
                continue;
            }
            Err(error) => error,
        };
        let BatchError::Truncated { need, .. } = rest else {
            return Ok(Scanned { whole: at, rest: Some(rest) });
        };
        // The batch is not all in the buffer: read on, or it is not all in the file.
        if at + need as u64 > len {
            let rest = (at < len).then_some(rest);
            return Ok(Scanned { whole: at, rest });
        }
        buffer.drain(..start);
        start = 0;
        let have = buffer.len();
        let want = (need - have).max(CHUNK).min((len - at) as usize - have);
        buffer.resize(have + want, 0);
        let read = segment.file.read_at(&mut buffer[have..], at + have as u64)?;
        buffer.truncate(have + read);
        if read == 0 {
            let what = "file is shorter than it was".into();
            return Err(LogError::Damaged { file: segment::name(segment.number), offset: at, what });
        }
    }
}

/// True when a whole batch begins anywhere after `from`: then what is broken there is damage, not a torn tail.
fn whole_batch_after(segment: &Segment, from: u64) -> Result<bool, LogError> {
    let len = (segment.len() - from) as usize;
    let mut bytes = vec![0; len];
    let read = segment.file.read_at(&mut bytes, from)?;
    bytes.truncate(read);
    let magic = batch::MAGIC.to_le_bytes();
    let mut at = 1;
    while let Some(found) = bytes.get(at..).and_then(|b| b.windows(4).position(|w| w == magic)) {
        at += found;
        if Batch::parse(&bytes[at..]).is_ok() {
            return Ok(true);
        }
        at += 1;
    }
    Ok(false)
}

/// Opens all segments in order, visiting every batch; cuts the last one's torn tail. Returns the segments and the bytes cut.
pub(super) fn segments(
    disk: &dyn Disk,
    names: &[String],
    visit: &mut dyn FnMut(&Batch<'_>, Position) -> Result<(), LogError>,
) -> Result<(Vec<Segment>, u64), LogError> {
    let mut numbers: Vec<u64> = names.iter().filter_map(|n| segment::number(n)).collect();
    numbers.sort_unstable();
    if let Some(gap) = numbers.windows(2).find(|w| w[0] + 1 != w[1]) {
        let what = "segment is missing".into();
        return Err(LogError::Damaged { file: segment::name(gap[0] + 1), offset: 0, what });
    }
    if let Some(first) = numbers.first().filter(|first| **first != 1) {
        let what = format!("segment is missing: the log begins with {}", segment::name(*first));
        return Err(LogError::Damaged { file: segment::name(1), offset: 0, what });
    }
    let (mut opened, mut cut) = (Vec::new(), 0);
    for (i, number) in numbers.iter().enumerate() {
        let last = i + 1 == numbers.len();
        let Some(segment) = Segment::open(disk, *number)? else {
            if last {
                // A crash between creating the file and its header: nothing was in it.
                disk.remove(&segment::name(*number))?;
                disk.sync_directory()?;
                break;
            }
            let what = "segment header is cut short".into();
            return Err(LogError::Damaged { file: segment::name(*number), offset: 0, what });
        };
        let scanned = scan(&segment, visit)?;
        if let Some(rest) = scanned.rest {
            if !last || whole_batch_after(&segment, scanned.whole)? {
                let file = segment::name(*number);
                return Err(LogError::Damaged { file, offset: scanned.whole, what: rest.to_string() });
            }
            cut += segment.len() - scanned.whole;
            segment.file.truncate(scanned.whole)?;
            segment.file.sync()?;
            segment.set_len(scanned.whole);
        }
        opened.push(segment);
    }
    Ok((opened, cut))
}
