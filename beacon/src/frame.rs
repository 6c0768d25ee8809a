//! Frames of the ordered stream: what one direction of a link carries.
//!
//! ```text
//! type u8 | payload-bytes u32 little-endian | payload
//! 1 batches        whole encoded batches, one after another
//! 2 batches, zstd  raw-bytes u32 little-endian | one zstd frame of them
//! 3 ack            protobuf Ack: what is written after `own` was written having seen `applied`
//! 4 members        protobuf Members: all the sender knows
//! 5 reaches        protobuf Reaches: the nodes the sender has a healthy link to (from feature level 2)
//! 6 streams        protobuf Streams: whose effects the sender takes from here, and after which seq (from feature level 2)
//! 7 evictions      members that are none any more, as the engine encodes them
//! ```
//! Reading is total over bytes: a peer's mistake is an error, never a panic, and no buffer is sized by a peer's word alone.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use engine::effect::batch::{self, BatchError};
use engine::replication::eviction::Evictions;
use engine::replication::{Ack, Member};
use prost::Message;
use proto::peer::v1;
use proto::{NodeId, Seq};

use crate::message::{self, MessageError};

pub const HEADER_BYTES: usize = 5;
/// One batch is never cut, so the largest batch bounds the frame.
pub const PAYLOAD_BYTES_MAX: usize = batch::HEADER_BYTES + batch::BODY_BYTES_MAX;
/// Of acks and members.
const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Groups shorter than this are sent as they are.
pub const COMPRESS_BYTES_MIN: usize = 1024;
const COMPRESS_LEVEL: i32 = 1;
/// A raw size that a peer names is trusted up to here; beyond, the buffer grows as bytes come out.
const TRUSTED_BYTES: usize = 4 << 20;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum FrameKind {
    Batches = 1,
    BatchesZstd = 2,
    Ack = 3,
    Members = 4,
    Reaches = 5,
    Streams = 6,
    Evictions = 7,
}

/// Why bytes are not a frame. The link is closed with this text.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("unknown frame type {0}, sent by a newer version: upgrade this node")]
    UnknownKind(u8),
    #[error("frame of {bytes} bytes, type {kind:?} may have {max}")]
    TooLong { kind: FrameKind, bytes: usize, max: usize },
    #[error("frame of type {0:?} is malformed")]
    Malformed(FrameKind),
    #[error("frame of type {kind:?}: {source}")]
    Protobuf { kind: FrameKind, source: prost::DecodeError },
    #[error("batch in a frame: {0}")]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Message(#[from] MessageError),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameHeader {
    pub kind: FrameKind,
    pub payload_bytes: usize,
}

/// A frame's meaning.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// Raw batches; walk them with [`batches`].
    Batches(Bytes),
    Ack(Ack),
    Evictions(Evictions),
    Members(Vec<Member>),
    Reaches(BTreeSet<NodeId>),
    /// Origin and the last seq that the asker has.
    Streams(BTreeMap<NodeId, Seq>),
}

/// Reads a header and checks the length it names.
pub fn decode_header(header: &[u8; HEADER_BYTES]) -> Result<FrameHeader, FrameError> {
    let kind = match header[0] {
        1 => FrameKind::Batches,
        2 => FrameKind::BatchesZstd,
        3 => FrameKind::Ack,
        4 => FrameKind::Members,
        5 => FrameKind::Reaches,
        6 => FrameKind::Streams,
        7 => FrameKind::Evictions,
        unknown => return Err(FrameError::UnknownKind(unknown)),
    };
    let payload_bytes = u32::from_le_bytes([header[1], header[2], header[3], header[4]]) as usize;
    let max = match kind {
        FrameKind::Batches | FrameKind::BatchesZstd => PAYLOAD_BYTES_MAX,
        FrameKind::Ack
        | FrameKind::Members
        | FrameKind::Reaches
        | FrameKind::Streams
        | FrameKind::Evictions => MESSAGE_BYTES_MAX,
    };
    if payload_bytes > max {
        return Err(FrameError::TooLong { kind, bytes: payload_bytes, max });
    }
    Ok(FrameHeader { kind, payload_bytes })
}

/// Reads a whole payload.
pub fn decode_payload(kind: FrameKind, payload: Bytes) -> Result<Frame, FrameError> {
    let protobuf = |source| FrameError::Protobuf { kind, source };
    Ok(match kind {
        FrameKind::Batches => Frame::Batches(payload),
        FrameKind::BatchesZstd => Frame::Batches(decompress(&payload)?),
        FrameKind::Ack => Frame::Ack(message::take_ack(v1::Ack::decode(payload).map_err(protobuf)?)?),
        FrameKind::Members => {
            let members = v1::Members::decode(payload).map_err(protobuf)?.members;
            Frame::Members(message::take_members(members)?)
        }
        FrameKind::Reaches => {
            Frame::Reaches(message::take_reaches(v1::Reaches::decode(payload).map_err(protobuf)?)?)
        }
        FrameKind::Streams => {
            Frame::Streams(message::take_streams(v1::Streams::decode(payload).map_err(protobuf)?)?)
        }
        FrameKind::Evictions => {
            Frame::Evictions(Evictions::decode(&payload).ok_or(FrameError::Malformed(kind))?)
        }
    })
}

/// The frame at the front of `bytes` and its whole length; `None` while it is incomplete. Pure, for fuzzing.
pub fn decode(bytes: &[u8]) -> Result<Option<(Frame, usize)>, FrameError> {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let header = decode_header(header)?;
    let end = HEADER_BYTES + header.payload_bytes;
    let Some(payload) = bytes.get(HEADER_BYTES..end) else { return Ok(None) };
    let frame = decode_payload(header.kind, Bytes::copy_from_slice(payload))?;
    Ok(Some((frame, end)))
}

/// Walks whole encoded batches. Ends after the first error. Checks headers and lengths only.
pub fn batches(group: &[u8]) -> impl Iterator<Item = Result<&[u8], BatchError>> {
    let mut rest = group;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let have = rest.len();
        let found = batch::parse_header(rest).and_then(|header| {
            let need = header.bytes();
            if need > have { Err(BatchError::Truncated { have, need }) } else { Ok(need) }
        });
        Some(match found {
            Ok(need) => {
                let (one, tail) = rest.split_at(need);
                rest = tail;
                Ok(one)
            }
            Err(error) => {
                rest = &[];
                Err(error)
            }
        })
    })
}

/// Bytes at the front that are whole batches. A header bounds how much is waited for.
pub fn whole_batches(bytes: &[u8]) -> Result<usize, BatchError> {
    let mut end = 0;
    while bytes.len() - end >= batch::HEADER_BYTES {
        let next = end + batch::parse_header(&bytes[end..])?.bytes();
        if next > bytes.len() {
            break;
        }
        end = next;
    }
    Ok(end)
}

/// Appends an ack frame.
pub fn put_ack(out: &mut Vec<u8>, ack: &Ack) {
    put_message(out, FrameKind::Ack, &message::put_ack(ack));
}

/// Appends a members frame.
pub fn put_members(out: &mut Vec<u8>, members: &[Member]) {
    let members = members.iter().take(message::MEMBERS_MAX).map(message::put_member).collect();
    put_message(out, FrameKind::Members, &v1::Members { members });
}

/// Appends a frame naming whom the sender reaches.
pub fn put_reaches(out: &mut Vec<u8>, nodes: &BTreeSet<NodeId>) {
    put_message(out, FrameKind::Reaches, &message::put_reaches(nodes));
}

/// Appends a frame asking for streams.
pub fn put_streams(out: &mut Vec<u8>, streams: &BTreeMap<NodeId, Seq>) {
    put_message(out, FrameKind::Streams, &message::put_streams(streams));
}

pub fn put_evictions(out: &mut Vec<u8>, evictions: &Evictions) {
    let mut payload = Vec::new();
    evictions.encode(&mut payload);
    out.push(FrameKind::Evictions as u8);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&payload);
}

/// Appends the header of a raw batches frame whose payload of `bytes` follows.
pub fn put_batches_header(out: &mut Vec<u8>, bytes: usize) {
    out.push(FrameKind::Batches as u8);
    out.extend_from_slice(&(bytes as u32).to_le_bytes());
}

/// Compresses groups while that pays; one per direction of a link.
pub struct Packer {
    zstd: Option<zstd::bulk::Compressor<'static>>,
    /// Groups to send raw before compression is tried again.
    skip: u32,
    /// The last group did not shrink.
    failures: u32,
}

impl Packer {
    /// `compress` is false for links where bytes are cheaper than cycles.
    pub fn new(compress: bool) -> Self {
        let zstd = compress.then(|| zstd::bulk::Compressor::new(COMPRESS_LEVEL).ok()).flatten();
        Self { zstd, skip: 0, failures: 0 }
    }

    /// Appends one frame holding `group`, compressed when that saves a tenth.
    pub fn put_batches(&mut self, out: &mut Vec<u8>, group: &[u8]) {
        if let Some(packed) = self.pack(group) {
            out.push(FrameKind::BatchesZstd as u8);
            out.extend_from_slice(&(packed.len() as u32 + 4).to_le_bytes());
            out.extend_from_slice(&(group.len() as u32).to_le_bytes());
            out.extend_from_slice(&packed);
        } else {
            put_batches_header(out, group.len());
            out.extend_from_slice(group);
        }
    }

    fn pack(&mut self, group: &[u8]) -> Option<Vec<u8>> {
        let zstd = self.zstd.as_mut().filter(|_| group.len() >= COMPRESS_BYTES_MIN)?;
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        let packed = zstd.compress(group).ok().filter(|p| p.len() < group.len() / 10 * 9);
        self.failures = if packed.is_some() { 0 } else { (self.failures + 1).min(6) };
        self.skip = (1 << self.failures) - 1;
        packed
    }
}

fn put_message(out: &mut Vec<u8>, kind: FrameKind, message: &impl Message) {
    out.push(kind as u8);
    out.extend_from_slice(&(message.encoded_len() as u32).to_le_bytes());
    out.extend_from_slice(&message.encode_to_vec());
}

fn decompress(payload: &[u8]) -> Result<Bytes, FrameError> {
    let malformed = || FrameError::Malformed(FrameKind::BatchesZstd);
    let (raw_bytes, packed) = payload.split_first_chunk::<4>().ok_or_else(malformed)?;
    let raw_bytes = u32::from_le_bytes(*raw_bytes) as usize;
    if raw_bytes > PAYLOAD_BYTES_MAX {
        return Err(FrameError::TooLong {
            kind: FrameKind::BatchesZstd,
            bytes: raw_bytes,
            max: PAYLOAD_BYTES_MAX,
        });
    }
    let mut raw = Vec::with_capacity(raw_bytes.min(TRUSTED_BYTES));
    let decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(|_| malformed())?;
    // One byte more than named shows a liar without unpacking the rest.
    let mut limited = std::io::Read::take(decoder.single_frame(), raw_bytes as u64 + 1);
    std::io::Read::read_to_end(&mut limited, &mut raw).map_err(|_| malformed())?;
    if raw.len() != raw_bytes {
        return Err(malformed());
    }
    Ok(raw.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proto::{Frontier, Hlc};

    use super::*;

    fn some_batches() -> Vec<u8> {
        let mut out = Vec::new();
        for first in [1, 4] {
            let header = batch::BatchHeader {
                kind: batch::BatchKind::Effects,
                flags: 0,
                count: 3,
                origin: NodeId(7),
                first: Seq(first),
                hlc: Hlc(1),
                body_bytes: 0,
                crc: 0,
            };
            batch::encode(&mut out, &header, &Frontier::new(), &Frontier::new(), &[0x55; 900]);
        }
        out
    }

    #[test]
    fn groups_are_packed_when_that_pays_and_come_back_whole() {
        let group = some_batches();
        let mut out = Vec::new();
        Packer::new(true).put_batches(&mut out, &group);
        assert_eq!(out[0], FrameKind::BatchesZstd as u8);
        assert!(out.len() < group.len() / 2);
        let (frame, bytes) = decode(&out).unwrap().unwrap();
        assert_eq!((frame, bytes), (Frame::Batches(group.clone().into()), out.len()));
        out.clear();
        Packer::new(false).put_batches(&mut out, &group);
        assert_eq!(out[0], FrameKind::Batches as u8);
        assert_eq!(decode(&out).unwrap().unwrap().0, Frame::Batches(group.clone().into()));
        let walked: Vec<_> = batches(&group).map(|b| b.unwrap().len()).collect();
        assert_eq!(walked, [group.len() / 2, group.len() / 2]);
        assert!(batches(&group[..group.len() - 1]).last().unwrap().is_err());
    }

    #[test]
    fn incompressible_groups_are_tried_less_and_less_often() {
        let mut random = 1u64;
        let noise: Vec<u8> = (0..4096)
            .map(|_| {
                random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (random >> 56) as u8
            })
            .collect();
        let mut packer = Packer::new(true);
        assert!(packer.pack(&noise).is_none());
        assert_eq!(packer.skip, 1);
        assert!(packer.pack(&noise).is_none());
        assert!(packer.pack(&noise).is_none());
        assert_eq!(packer.skip, 3);
    }

    #[test]
    fn what_a_node_reaches_and_asks_for_travels() {
        let nodes: BTreeSet<NodeId> = [3, 9].map(NodeId).into();
        let streams: BTreeMap<NodeId, Seq> = [(NodeId(3), Seq(70)), (NodeId(9), Seq(0))].into();
        let mut out = Vec::new();
        put_reaches(&mut out, &nodes);
        let first = out.len();
        put_streams(&mut out, &streams);
        assert_eq!(decode(&out).unwrap().unwrap(), (Frame::Reaches(nodes), first));
        assert_eq!(decode(&out[first..]).unwrap().unwrap().0, Frame::Streams(streams));
    }

    #[test]
    fn a_frame_that_lies_about_its_raw_size_is_refused() {
        let packed = zstd::bulk::compress(&[0; 1 << 20], 1).unwrap();
        for claimed in [0u32, 1, (1 << 20) - 1, (1 << 20) + 1, u32::MAX] {
            let payload = [&claimed.to_le_bytes()[..], &packed].concat();
            assert!(decode_payload(FrameKind::BatchesZstd, payload.into()).is_err(), "{claimed}");
        }
    }

    #[test]
    fn an_ack_travels_and_an_overlong_one_is_refused_by_its_header() {
        let ack = Ack { applied: [(NodeId(3), Seq(9))].into_iter().collect(), own: Seq(4), hlc: Hlc(77) };
        let mut out = Vec::new();
        put_ack(&mut out, &ack);
        assert_eq!(decode(&out[..out.len() - 1]).unwrap(), None);
        assert_eq!(decode(&out).unwrap().unwrap(), (Frame::Ack(ack), out.len()));
        out[4] = 0xff;
        assert!(matches!(decode(&out), Err(FrameError::TooLong { .. })));
        out[0] = 9;
        assert!(matches!(decode(&out), Err(FrameError::UnknownKind(9))));
    }

    proptest! {
        #[test]
        fn law_decoding_any_bytes_ends(kind in 0u8..8, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut frame = vec![kind];
            frame.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            frame.extend_from_slice(&bytes);
            if let Ok(Some((Frame::Batches(group), _))) = decode(&frame) {
                batches(&group).for_each(drop);
            }
        }
    }
}
