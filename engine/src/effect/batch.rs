//! Batches: consecutive effects of one origin, framed once for disk and wire.
//!
//! ```text
//! magic u32 | body-len u32 | crc u32 | kind u8 | flags u8 | zero u16 | count u32 | origin u64 | first seq u64 | hlc u64 | body
//! ```
//! Little-endian. `crc` is CRC32C over everything after itself. `hlc` is what the first record's delta counts from. The body
//! of an effects batch is its context and its settled frontier (two version vectors, each listing only what advanced since the
//! origin's previous batch) and `count` records; of a mark, a version vector, an empty one and a payload.
//!
//! Invariant: a bundle never crosses a batch.

use proto::{EffectId, Frontier, Hlc, NodeId, Seq};

use super::Effect;
use super::record::{self, RecordError};

pub const MAGIC: u32 = u32::from_le_bytes(*b"ATB1");
pub const HEADER_BYTES: usize = 40 + 4;
/// Largest body: a 512 MiB value and its frame fit several times.
pub const BODY_BYTES_MAX: usize = (1 << 31) - 1;

/// Written while the origin had no peers: everything in it was stable at once.
pub const FLAG_SOLO: u8 = 1;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum BatchKind {
    Effects = 1,
    /// Local bookkeeping, never sent: the body is the stable frontier at this point of the log.
    Stable = 2,
    /// Local bookkeeping, never sent: the members known from here on.
    Members = 3,
    /// Local bookkeeping, never sent: the evictions known from here on.
    Evictions = 4,
}

/// The fixed part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchHeader {
    pub kind: BatchKind,
    pub flags: u8,
    pub count: u32,
    pub origin: NodeId,
    pub first: Seq,
    pub hlc: Hlc,
    pub body_bytes: usize,
    pub crc: u32,
}

impl BatchHeader {
    /// Seq of the last effect; `first - 1` when there is none.
    pub fn last(&self) -> Seq {
        Seq(self.first.0 + u64::from(self.count) - 1)
    }

    /// Whole length, header included.
    pub fn bytes(&self) -> usize {
        HEADER_BYTES + self.body_bytes
    }
}

/// Why bytes are not a batch.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum BatchError {
    #[error("batch cut short: {have} of {need} bytes")]
    Truncated { have: usize, need: usize },
    #[error("batch magic is {0:#010x}")]
    Magic(u32),
    #[error("unknown batch kind {0}, written by a newer version: upgrade this node")]
    UnknownKind(u8),
    #[error("unknown batch flags {0:#x}, written by a newer version: upgrade this node")]
    UnknownFlags(u8),
    #[error("batch checksum is {found:#010x}, header says {expected:#010x}")]
    Checksum { expected: u32, found: u32 },
    #[error("batch header is malformed")]
    Header,
    #[error("batch context is malformed")]
    Context,
    #[error("effect {id:?}: {source}")]
    Record { id: EffectId, source: RecordError },
}

/// Builds the frame around `records` (encoded, `count` of them). Appends to `out`. `settled`: what the origin had folded as
/// stable before it wrote any of them, so that each of them saw it without naming it.
pub fn encode(
    out: &mut Vec<u8>,
    header: &BatchHeader,
    context: &Frontier,
    settled: &Frontier,
    records: &[u8],
) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_BYTES]);
    record::put_frontier(out, context);
    record::put_frontier(out, settled);
    out.extend_from_slice(records);
    let body_bytes = out.len() - start - HEADER_BYTES;
    assert!(body_bytes <= BODY_BYTES_MAX, "a batch body stays under {BODY_BYTES_MAX} bytes");
    let frame = &mut out[start..];
    frame[0..4].copy_from_slice(&MAGIC.to_le_bytes());
    frame[4..8].copy_from_slice(&(body_bytes as u32).to_le_bytes());
    frame[12] = header.kind as u8;
    frame[13] = header.flags;
    frame[16..20].copy_from_slice(&header.count.to_le_bytes());
    frame[20..28].copy_from_slice(&header.origin.0.to_le_bytes());
    frame[28..36].copy_from_slice(&header.first.0.to_le_bytes());
    frame[36..44].copy_from_slice(&header.hlc.0.to_le_bytes());
    let crc = crc32c::crc32c(&frame[12..]);
    frame[8..12].copy_from_slice(&crc.to_le_bytes());
}

/// Appends a mark of the stable frontier (local bookkeeping).
pub fn encode_stable_mark(out: &mut Vec<u8>, node: NodeId, stable: &Frontier) {
    encode_bookkeeping(out, BatchKind::Stable, node, stable, &[]);
}

/// Appends the members known (local bookkeeping; `members` is the engine's encoding).
pub fn encode_members(out: &mut Vec<u8>, node: NodeId, members: &[u8]) {
    encode_bookkeeping(out, BatchKind::Members, node, &Frontier::new(), members);
}

/// Appends the evictions known (local bookkeeping; `evictions` is their encoding).
pub fn encode_evictions(out: &mut Vec<u8>, node: NodeId, evictions: &[u8]) {
    encode_bookkeeping(out, BatchKind::Evictions, node, &Frontier::new(), evictions);
}

fn encode_bookkeeping(out: &mut Vec<u8>, kind: BatchKind, node: NodeId, frontier: &Frontier, payload: &[u8]) {
    let header = BatchHeader {
        kind,
        flags: 0,
        count: 0,
        origin: node,
        first: Seq(1),
        hlc: Hlc(0),
        body_bytes: 0,
        crc: 0,
    };
    encode(out, &header, frontier, &Frontier::new(), payload);
}

/// Reads a header without looking at the body. Needs [`HEADER_BYTES`]; checks magic, kind, flags and sizes, not the checksum.
pub fn parse_header(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
    let Some(h) = bytes.first_chunk::<HEADER_BYTES>() else {
        return Err(BatchError::Truncated { have: bytes.len(), need: HEADER_BYTES });
    };
    let u32_at = |at: usize| u32::from_le_bytes([h[at], h[at + 1], h[at + 2], h[at + 3]]);
    let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
    if u32_at(0) != MAGIC {
        return Err(BatchError::Magic(u32_at(0)));
    }
    let kind = match h[12] {
        1 => BatchKind::Effects,
        2 => BatchKind::Stable,
        3 => BatchKind::Members,
        4 => BatchKind::Evictions,
        unknown => return Err(BatchError::UnknownKind(unknown)),
    };
    if h[13] & !FLAG_SOLO != 0 {
        return Err(BatchError::UnknownFlags(h[13]));
    }
    let header = BatchHeader {
        kind,
        flags: h[13],
        count: u32_at(16),
        origin: NodeId(u64_at(20)),
        first: Seq(u64_at(28)),
        hlc: Hlc(u64_at(36)),
        body_bytes: u32_at(4) as usize,
        crc: u32_at(8),
    };
    let sane = header.first.0 >= 1
        && header.first.0.checked_add(u64::from(header.count)).is_some()
        && header.body_bytes <= BODY_BYTES_MAX
        && (header.kind != BatchKind::Effects || header.count >= 1)
        && header.origin != NodeId(0);
    if sane { Ok(header) } else { Err(BatchError::Header) }
}

/// A whole batch whose checksum holds.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    pub header: BatchHeader,
    /// Frame bytes, header included.
    pub bytes: &'a [u8],
    body: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Parses the batch at the front of `bytes`; what follows it is ignored (see [`BatchHeader::bytes`]).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let header = parse_header(bytes)?;
        let need = header.bytes();
        if bytes.len() < need {
            return Err(BatchError::Truncated { have: bytes.len(), need });
        }
        let bytes = &bytes[..need];
        let found = crc32c::crc32c(&bytes[12..]);
        if found != header.crc {
            return Err(BatchError::Checksum { expected: header.crc, found });
        }
        Ok(Batch { header, bytes, body: &bytes[HEADER_BYTES..] })
    }

    /// The frontier the batch was written at (or, for a mark, the stable frontier).
    pub fn context(&self) -> Result<Frontier, BatchError> {
        record::take_frontier(&mut &self.body[..]).ok_or(BatchError::Context)
    }

    /// What the origin had folded as stable before this batch (what advanced since its previous one).
    pub fn settled(&self) -> Result<Frontier, BatchError> {
        let mut rest = self.body;
        record::take_frontier(&mut rest).ok_or(BatchError::Context)?;
        record::take_frontier(&mut rest).ok_or(BatchError::Context)
    }

    /// The body after the frontiers.
    pub fn payload(&self) -> &'a [u8] {
        let mut rest = self.body;
        match (record::take_frontier(&mut rest), record::take_frontier(&mut rest)) {
            (Some(_), Some(_)) => rest,
            _ => &[],
        }
    }

    /// Decodes the effects in order, stopping after the first error. Yields exactly `count` or ends with an error.
    pub fn effects(&self) -> Effects<'a> {
        let mut input = self.body;
        let error = match (record::take_frontier(&mut input), record::take_frontier(&mut input)) {
            (Some(_), Some(_)) => None,
            _ => Some(BatchError::Context),
        };
        let h = &self.header;
        Effects { input, next: h.first, left: h.count, hlc: h.hlc, origin: h.origin, error }
    }

    /// Decodes every record once: a batch from a peer is checked before any of it is kept. Returns the latest stamp in it.
    pub fn check(&self) -> Result<Hlc, BatchError> {
        self.context()?;
        self.settled()?;
        self.effects().try_fold(self.header.hlc, |latest, effect| Ok(latest.max(effect?.1.hlc)))
    }
}

/// Iterator of [`Batch::effects`].
pub struct Effects<'a> {
    input: &'a [u8],
    next: Seq,
    left: u32,
    hlc: Hlc,
    origin: NodeId,
    error: Option<BatchError>,
}

impl<'a> Iterator for Effects<'a> {
    type Item = Result<(EffectId, Effect<'a>), BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.error.take() {
            self.left = 0;
            return Some(Err(error));
        }
        if self.left == 0 {
            return (!std::mem::take(&mut self.input).is_empty()).then_some(Err(BatchError::Header));
        }
        let id = EffectId::new(self.origin, self.next);
        match record::decode(&mut self.input, id, self.hlc) {
            Ok(effect) => {
                self.next.0 += 1;
                self.left -= 1;
                self.hlc = effect.hlc;
                Some(Ok((id, effect)))
            }
            Err(source) => {
                self.left = 0;
                self.input = &[];
                Some(Err(BatchError::Record { id, source }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::{Deps, Op};

    fn sample() -> Vec<u8> {
        let origin = NodeId(5);
        let mut records = Vec::new();
        let mut hlc = Hlc(100);
        for seq in 11..14 {
            let effect = Effect {
                hlc: Hlc(hlc.0 + 1),
                db: 0,
                key: b"k",
                deps: Deps::new(),
                fresh: None,
                op: Op::Delta(seq as i64),
            };
            record::encode(&mut records, &effect, EffectId::new(origin, Seq(seq)), hlc);
            hlc = effect.hlc;
        }
        let header = BatchHeader {
            kind: BatchKind::Effects,
            flags: FLAG_SOLO,
            count: 3,
            origin,
            first: Seq(11),
            hlc: Hlc(100),
            body_bytes: 0,
            crc: 0,
        };
        let mut out = Vec::new();
        encode(&mut out, &header, &[(NodeId(9), Seq(4))].into_iter().collect(), &Frontier::new(), &records);
        out
    }

    #[test]
    fn a_batch_round_trips() {
        let bytes = sample();
        let batch = Batch::parse(&bytes).unwrap();
        assert_eq!(batch.header.last(), Seq(13));
        assert_eq!(batch.context().unwrap().seq(NodeId(9)), Seq(4));
        let effects: Vec<_> = batch.effects().collect::<Result<_, _>>().unwrap();
        assert_eq!(effects.iter().map(|e| e.0.seq.0).collect::<Vec<_>>(), [11, 12, 13]);
        assert_eq!(effects[2].1.op, Op::Delta(13));
        batch.check().unwrap();
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_refused() {
        let bytes = sample();
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1 << (at % 8);
            assert!(Batch::parse(&bad).is_err(), "flip at {at}");
            assert!(Batch::parse(&bytes[..at]).is_err(), "cut at {at}");
        }
    }
}
