//! Bytes of the log's own frames: segment header, sync mark, identity, clean-shutdown marker. All little-endian, each
//! with CRC32C over everything after the checksum itself. `docs/format.md` draws them.

use proto::NodeId;

use super::LogPosition;
use super::error::Damage;
use crate::effect::batch;

pub const VERSION: u32 = 1;

pub const SEGMENT_MAGIC: u32 = u32::from_le_bytes(*b"ATLS");
pub const MARK_MAGIC: u32 = u32::from_le_bytes(*b"ATLM");
pub const IDENTITY_MAGIC: u32 = u32::from_le_bytes(*b"ATID");
pub const CLEAN_MAGIC: u32 = u32::from_le_bytes(*b"ATCL");

pub const SEGMENT_HEADER_BYTES: u64 = 40;
pub const MARK_BYTES: usize = 24;
pub const IDENTITY_FIXED_BYTES: usize = 24;
pub const CLEAN_BYTES: usize = 40;

pub const IDENTITY_FILE: &str = "IDENTITY";
pub const CLEAN_FILE: &str = "CLEAN";
/// A file that is still being written; removed at start.
pub const UNFINISHED: &str = ".new";

const SEGMENT_PREFIX: &str = "log-";
const SEGMENT_SUFFIX: &str = ".seg";
const SEGMENT_DIGITS: usize = 12;

/// `log-000000000001.seg`, from 1.
pub fn segment_name(number: u64) -> String {
    format!("{SEGMENT_PREFIX}{number:0SEGMENT_DIGITS$}{SEGMENT_SUFFIX}")
}

/// Inverse of [`segment_name`]; `None` for any other file.
pub fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(SEGMENT_PREFIX)?.strip_suffix(SEGMENT_SUFFIX)?;
    let number = digits.parse().ok()?;
    (segment_name(number) == name).then_some(number)
}

/// The fixed part of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentHeader {
    pub number: u64,
    /// Position of the first byte after the header.
    pub start: LogPosition,
    /// Random; repeated in the segment's marks, so that no stored value can pass for one.
    pub salt: u64,
}

/// Says, inside a segment, that everything before `synced` was durable when the mark was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    pub salt: u64,
    pub synced: LogPosition,
}

/// Who the directory is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Made once.
    pub directory: u64,
    /// Every incarnation, oldest first; the last is current. Never empty.
    pub nodes: Vec<NodeId>,
}

impl Identity {
    /// The current incarnation.
    pub fn current(&self) -> NodeId {
        *self.nodes.last().expect("an identity has at least one incarnation")
    }
}

/// Left by a clean shutdown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clean {
    pub directory: u64,
    pub node: NodeId,
    pub end: LogPosition,
}

/// Writes fields behind magic and checksum.
struct Frame(Vec<u8>);

impl Frame {
    fn new(magic: u32) -> Self {
        let mut bytes = magic.to_le_bytes().to_vec();
        bytes.extend_from_slice(&[0; 4]);
        Frame(bytes)
    }

    fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn finish(mut self) -> Vec<u8> {
        let crc = crc32c::crc32c(&self.0[8..]);
        self.0[4..8].copy_from_slice(&crc.to_le_bytes());
        self.0
    }
}

/// The first four bytes as the magic they are compared by.
pub fn magic(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|b| u32::from_le_bytes(*b))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

/// Magic and checksum of a whole frame of at least eight bytes.
fn check(bytes: &[u8], expected: u32) -> Result<(), Damage> {
    if u32_at(bytes, 0) != expected {
        return Err(Damage::Magic(u32_at(bytes, 0)));
    }
    if crc32c::crc32c(&bytes[8..]) != u32_at(bytes, 4) {
        return Err(Damage::Checksum);
    }
    Ok(())
}

/// Magic, checksum and the version that stands right behind it.
fn check_versioned(bytes: &[u8], expected: u32) -> Result<(), Damage> {
    check(bytes, expected)?;
    match u32_at(bytes, 8) {
        VERSION => Ok(()),
        other => Err(Damage::Version(other)),
    }
}

impl SegmentHeader {
    pub fn encode(&self) -> Vec<u8> {
        Frame::new(SEGMENT_MAGIC)
            .u32(VERSION)
            .u32(0)
            .u64(self.number)
            .u64(self.start.0)
            .u64(self.salt)
            .finish()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let bytes = bytes.get(..SEGMENT_HEADER_BYTES as usize).ok_or(Damage::Short)?;
        check_versioned(bytes, SEGMENT_MAGIC)?;
        let (start, salt) = (LogPosition(u64_at(bytes, 24)), u64_at(bytes, 32));
        Ok(SegmentHeader { number: u64_at(bytes, 16), start, salt })
    }
}

impl Mark {
    pub fn encode(&self) -> Vec<u8> {
        Frame::new(MARK_MAGIC).u64(self.salt).u64(self.synced.0).finish()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let bytes = bytes.get(..MARK_BYTES).ok_or(Damage::Short)?;
        check(bytes, MARK_MAGIC)?;
        Ok(Mark { salt: u64_at(bytes, 8), synced: LogPosition(u64_at(bytes, 16)) })
    }
}

impl Identity {
    pub fn encode(&self) -> Vec<u8> {
        let frame = Frame::new(IDENTITY_MAGIC).u32(VERSION).u32(self.nodes.len() as u32).u64(self.directory);
        self.nodes.iter().fold(frame, |frame, node| frame.u64(node.0)).finish()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        if bytes.len() < IDENTITY_FIXED_BYTES {
            return Err(Damage::Short);
        }
        check_versioned(bytes, IDENTITY_MAGIC)?;
        let count = u32_at(bytes, 12) as usize;
        let nodes = &bytes[IDENTITY_FIXED_BYTES..];
        if count == 0 || nodes.len() as u64 != count as u64 * 8 {
            return Err(Damage::Field);
        }
        let nodes = nodes.chunks_exact(8).map(|node| NodeId(u64_at(node, 0))).collect();
        Ok(Identity { directory: u64_at(bytes, 16), nodes })
    }
}

impl Clean {
    pub fn encode(&self) -> Vec<u8> {
        Frame::new(CLEAN_MAGIC)
            .u32(VERSION)
            .u32(0)
            .u64(self.directory)
            .u64(self.node.0)
            .u64(self.end.0)
            .finish()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        if bytes.len() < CLEAN_BYTES {
            return Err(Damage::Short);
        }
        check_versioned(bytes, CLEAN_MAGIC)?;
        if bytes.len() != CLEAN_BYTES {
            return Err(Damage::Field);
        }
        let (node, end) = (NodeId(u64_at(bytes, 24)), LogPosition(u64_at(bytes, 32)));
        Ok(Clean { directory: u64_at(bytes, 16), node, end })
    }
}

/// Length of the batch whose header (whole, with its magic) begins `head`, known to this version or not.
pub fn batch_bytes(head: &[u8]) -> usize {
    batch::HEADER_BYTES + u32_at(head, 4) as usize
}

/// True when `bytes` begin with a batch whose checksum holds, known to this version or not.
pub fn is_whole_batch(bytes: &[u8]) -> bool {
    bytes.get(12..batch_bytes(bytes)).is_some_and(|checked| crc32c::crc32c(checked) == u32_at(bytes, 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> [Vec<u8>; 4] {
        let header = SegmentHeader { number: 3, start: LogPosition(900), salt: 7 };
        let mark = Mark { salt: 7, synced: LogPosition(950) };
        let identity = Identity { directory: 5, nodes: vec![NodeId(8), NodeId(9)] };
        let clean = Clean { directory: 5, node: NodeId(9), end: LogPosition(1000) };
        assert_eq!(SegmentHeader::decode(&header.encode()), Ok(header));
        assert_eq!(Mark::decode(&mark.encode()), Ok(mark));
        assert_eq!(Identity::decode(&identity.encode()), Ok(identity.clone()));
        assert_eq!(Clean::decode(&clean.encode()), Ok(clean));
        [header.encode(), mark.encode(), identity.encode(), clean.encode()]
    }

    fn refused(frame: usize, bytes: &[u8]) -> bool {
        match frame {
            0 => SegmentHeader::decode(bytes).is_err(),
            1 => Mark::decode(bytes).is_err(),
            2 => Identity::decode(bytes).is_err(),
            _ => Clean::decode(bytes).is_err(),
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_of_a_frame_is_refused() {
        for (frame, bytes) in frames().into_iter().enumerate() {
            for bit in 0..bytes.len() * 8 {
                let mut bad = bytes.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert!(refused(frame, &bad), "frame {frame}, bit {bit}");
            }
            for cut in 0..bytes.len() {
                assert!(refused(frame, &bytes[..cut]), "frame {frame}, cut {cut}");
            }
        }
    }

    #[test]
    fn a_newer_version_is_named() {
        let header = Frame::new(SEGMENT_MAGIC).u32(VERSION + 1).u32(0).u64(1).u64(0).u64(0).finish();
        assert_eq!(SegmentHeader::decode(&header), Err(Damage::Version(VERSION + 1)));
    }

    #[test]
    fn segment_names_sort_and_parse_back() {
        assert_eq!(segment_name(1), "log-000000000001.seg");
        assert_eq!(segment_number(&segment_name(987)), Some(987));
        for other in ["log-1.seg", "IDENTITY", "log-000000000001.seg.new", "log-+00000000001.seg"] {
            assert_eq!(segment_number(other), None);
        }
    }
}
