//! Segments: files of whole batches, one after another.
//!
//! ```text
//! magic "ATSG" | crc u32 | version u32 | reserved u32 | number u64 | batches…
//! ```
//! Little-endian; `crc` is CRC32C of the 16 bytes after it.

use std::sync::atomic::{AtomicU64, Ordering};

use super::LogError;
use crate::disk::{Disk, DiskFile};

pub const HEADER_BYTES: u64 = 24;
const MAGIC: &[u8; 4] = b"ATSG";
const VERSION: u32 = 1;

/// File name of a segment.
pub fn name(number: u64) -> String {
    format!("log-{number:012}.seg")
}

/// Number in a segment's file name.
pub fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("log-")?.strip_suffix(".seg")?;
    if digits.len() == 12 { digits.parse().ok() } else { None }
}

/// One open segment.
pub struct Segment {
    pub number: u64,
    pub file: Box<dyn DiskFile>,
    /// Bytes of whole batches appended so far, header included.
    len: AtomicU64,
}

impl Segment {
    /// Creates an empty segment; durable with the next sync of directory and file.
    pub fn create(disk: &dyn Disk, number: u64) -> Result<Self, LogError> {
        let file = disk.open(&name(number))?;
        file.truncate(0)?;
        let mut body = Vec::new();
        body.extend_from_slice(&VERSION.to_le_bytes());
        body.extend_from_slice(&0u32.to_le_bytes());
        body.extend_from_slice(&number.to_le_bytes());
        let header = [&MAGIC[..], &crc32c::crc32c(&body).to_le_bytes(), &body].concat();
        file.write_at(&header, 0)?;
        file.sync()?;
        disk.sync_directory()?;
        Ok(Segment { number, file, len: AtomicU64::new(HEADER_BYTES) })
    }

    /// Opens a segment and checks its header. `None`: the file is too short to have one (a creation cut short).
    pub fn open(disk: &dyn Disk, number: u64) -> Result<Option<Self>, LogError> {
        let file = disk.open(&name(number))?;
        let mut header = [0; HEADER_BYTES as usize];
        let read = file.read_at(&mut header, 0)?;
        if (read as u64) < HEADER_BYTES {
            return Ok(None);
        }
        let damaged = |what: &str| LogError::Damaged { file: name(number), offset: 0, what: what.into() };
        let word =
            |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        if header[..4] != *MAGIC || word(4) != crc32c::crc32c(&header[8..]) {
            return Err(damaged("segment header: checksum or magic does not match"));
        }
        if word(8) != VERSION {
            return Err(LogError::Version { file: name(number), found: word(8), known: VERSION });
        }
        if u64::from(word(16)) | u64::from(word(20)) << 32 != number {
            return Err(damaged("segment header: number is not the file name's"));
        }
        let len = AtomicU64::new(file.len()?);
        Ok(Some(Segment { number, file, len }))
    }

    pub fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire)
    }

    pub fn set_len(&self, len: u64) {
        self.len.store(len, Ordering::Release);
    }
}
