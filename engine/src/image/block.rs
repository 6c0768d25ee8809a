//! Blocks: checksummed frames of a checkpoint file. The blocks of one shard stand together; that stretch is an [`Extent`].

use super::image_name;
use crate::disk::{DiskError, DiskFile, Operation};
use crate::log::{Damage, LogError};

pub const BLOCK_MAGIC: u32 = u32::from_le_bytes(*b"ATIB");
pub const BLOCK_HEADER_BYTES: usize = 28;
/// A block is closed when it has grown past this.
pub const BLOCK_BYTES: usize = 64 << 10;
/// The disk is asked to begin in such steps, so that it has no mountain of them when the log wants to sync. A sync here would make
/// the log's appends wait for the file system's journal.
const WRITE_BACK_BYTES: u64 = 1 << 20;

/// Where a shard's image lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    /// Number of the checkpoint whose file it is.
    pub file: u64,
    pub offset: u64,
    pub bytes: u64,
    /// Entries in it.
    pub entries: u64,
}

/// Appends blocks to one checkpoint's file.
pub struct BlockWriter {
    file: Box<dyn DiskFile>,
    number: u64,
    offset: u64,
    begun_upto: u64,
    /// Header and body of the block being filled.
    block: Vec<u8>,
    shard: u32,
    index: u32,
    begun: u64,
}

impl BlockWriter {
    /// Over an empty file.
    pub fn new(file: Box<dyn DiskFile>, number: u64) -> Self {
        BlockWriter {
            file,
            number,
            offset: 0,
            begun_upto: 0,
            block: Vec::new(),
            shard: 0,
            index: 0,
            begun: 0,
        }
    }

    /// Begins a shard's extent.
    pub fn begin(&mut self, shard: usize) {
        (self.shard, self.index, self.begun) = (shard as u32, 0, self.offset);
        self.block.clear();
        self.block.resize(BLOCK_HEADER_BYTES, 0);
    }

    /// Where the body grows.
    pub fn body(&mut self) -> &mut Vec<u8> {
        &mut self.block
    }

    /// Writes the block out if it is large enough.
    pub fn step(&mut self) -> Result<(), DiskError> {
        if self.block.len() >= BLOCK_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), DiskError> {
        let Ok(body) = u32::try_from(self.block.len() - BLOCK_HEADER_BYTES) else {
            // The values of one chunk are larger than a block can say; the log keeps them.
            let error = std::io::Error::new(std::io::ErrorKind::FileTooLarge, "a block of 4 GiB or more");
            return Err(DiskError::new(Operation::Write, &image_name(self.number), &error));
        };
        self.block[0..4].copy_from_slice(&BLOCK_MAGIC.to_le_bytes());
        self.block[8..12].copy_from_slice(&body.to_le_bytes());
        self.block[12..16].copy_from_slice(&self.shard.to_le_bytes());
        self.block[16..20].copy_from_slice(&self.index.to_le_bytes());
        self.block[20..28].copy_from_slice(&self.number.to_le_bytes());
        let crc = crc32c::crc32c(&self.block[8..]);
        self.block[4..8].copy_from_slice(&crc.to_le_bytes());
        self.file.write_at(&self.block, self.offset)?;
        self.offset += self.block.len() as u64;
        self.index += 1;
        self.block.truncate(BLOCK_HEADER_BYTES);
        if self.block.capacity() > 4 * BLOCK_BYTES {
            self.block.shrink_to(BLOCK_BYTES);
        }
        if self.offset - self.begun_upto >= WRITE_BACK_BYTES {
            self.file.begin_write_back(self.begun_upto, self.offset - self.begun_upto);
            self.begun_upto = self.offset;
        }
        Ok(())
    }

    /// Ends the shard's extent.
    pub fn end(&mut self, entries: u64) -> Result<Extent, DiskError> {
        self.flush()?;
        Ok(Extent { file: self.number, offset: self.begun, bytes: self.offset - self.begun, entries })
    }

    /// Makes everything durable; returns the file's length.
    pub fn finish(self) -> Result<u64, DiskError> {
        self.file.sync()?;
        Ok(self.offset)
    }
}

/// Reads the bodies of one extent in order.
pub struct BlockReader<'f> {
    file: &'f dyn DiskFile,
    extent: Extent,
    /// The number that the blocks tell.
    number: u64,
    shard: u32,
    index: u32,
    /// Bytes of the extent that were read.
    at: u64,
    block: Vec<u8>,
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |four| u32::from_le_bytes(*four))
}

impl<'f> BlockReader<'f> {
    /// `number`: of the checkpoint that wrote the file, at the node that wrote it.
    pub fn new(file: &'f dyn DiskFile, extent: Extent, number: u64, shard: usize) -> Self {
        BlockReader { file, extent, number, shard: shard as u32, index: 0, at: 0, block: Vec::new() }
    }

    /// The next body; `None` after the last.
    ///
    /// Errors: [`LogError::Damaged`] naming the block; [`LogError::Disk`].
    pub fn next_body(&mut self) -> Result<Option<&[u8]>, LogError> {
        let left = self.extent.bytes.saturating_sub(self.at);
        let here = self.extent.offset + self.at;
        let damaged = |damage| LogError::Damaged { file: image_name(self.extent.file), offset: here, damage };
        if left == 0 {
            return Ok(None);
        }
        // The whole block with one read where it has the usual size.
        let want = left.min(BLOCK_BYTES as u64 + (16 << 10)) as usize;
        self.block.resize(want, 0);
        let read = self.file.read_at(&mut self.block, here)?;
        if read < BLOCK_HEADER_BYTES {
            return Err(damaged(Damage::Short));
        }
        let magic = u32_at(&self.block, 0);
        if magic != BLOCK_MAGIC {
            return Err(damaged(Damage::Magic(magic)));
        }
        let total = BLOCK_HEADER_BYTES + u32_at(&self.block, 8) as usize;
        if total as u64 > left {
            return Err(damaged(Damage::Field));
        }
        if total > read {
            self.block.resize(total, 0);
            let more = self.file.read_at(&mut self.block[read..], here + read as u64)?;
            if read + more < total {
                return Err(damaged(Damage::Short));
            }
        }
        self.block.truncate(total);
        if crc32c::crc32c(&self.block[8..]) != u32_at(&self.block, 4) {
            return Err(damaged(Damage::Checksum));
        }
        let number = u64::from(u32_at(&self.block, 20)) | u64::from(u32_at(&self.block, 24)) << 32;
        let place = (u32_at(&self.block, 12), u32_at(&self.block, 16), number);
        if place != (self.shard, self.index, self.number) {
            return Err(damaged(Damage::Field));
        }
        self.index += 1;
        self.at += total as u64;
        Ok(Some(&self.block[BLOCK_HEADER_BYTES..]))
    }
}
