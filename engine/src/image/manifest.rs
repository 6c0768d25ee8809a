//! The manifest: which blocks are the last checkpoint, and everything of the state that is of no shard.

use proto::{Frontier, Hlc, NodeId, varint};

use super::MANIFEST_FILE;
use super::block::Extent;
use super::bytes::{Fields, put_u64};
use crate::effect::record::put_frontier;
use crate::log::{Damage, Index, LogError, LogPosition};
use crate::state::table::SHARDS;

const MAGIC: u32 = u32::from_le_bytes(*b"ATCM");
/// 1: the index does not tell what lies before each segment, and no file came from a peer.
const VERSION: u32 = 2;
const VERSION_MIN: u32 = 1;
const FIXED_BYTES: usize = 16;

/// See the module.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Counts checkpoints of the directory, from 1.
    pub number: u64,
    /// Id of the data directory.
    pub directory: u64,
    /// Seed of the key hash, by which shards and chunks are cut.
    pub hash_seed: u64,
    /// One more than the highest physical database in use.
    pub databases: u32,
    /// When it was begun, Unix ms.
    pub taken_ms: u64,
    /// Replay begins here.
    pub from: LogPosition,
    /// Everything before this was durable when the manifest was written.
    pub durable: LogPosition,
    /// The first segment that is kept.
    pub first_segment: u64,
    /// The latest clock seen.
    pub hlc: Hlc,
    /// Everything before `from`, and perhaps more, is folded in every shard.
    pub shown: Frontier,
    /// What was folded as stable.
    pub base_cut: Frontier,
    /// Nodes by the number that entries give them, from 1.
    pub nodes: Vec<NodeId>,
    /// Per origin, what it had received with its latest batch.
    pub contexts: Vec<(NodeId, Frontier)>,
    /// Per origin, what it had folded as stable with its latest batch.
    pub settled: Vec<(NodeId, Frontier)>,
    /// As in a batch of kind members.
    pub members: Vec<u8>,
    /// As in a batch of kind evictions.
    pub evictions: Vec<u8>,
    pub swaps: Vec<(Hlc, NodeId, u32, u32)>,
    /// Where earlier effects lie in the log.
    pub index: Index,
    /// Checkpoint files in use and their bytes.
    pub files: Vec<(u64, u64)>,
    /// Of them those that came from a peer under another number, which their blocks still tell: ours and the peer's.
    pub cut_as: Vec<(u64, u64)>,
    /// Per shard, a full image and the changes after it, in order. Empty: the shard was empty.
    pub shards: Vec<Vec<Extent>>,
}

impl Manifest {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 << 10);
        out.extend_from_slice(&MAGIC.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        let fixed = [
            self.number,
            self.directory,
            self.hash_seed,
            u64::from(self.databases),
            self.taken_ms,
            self.from.0,
            self.durable.0,
            self.first_segment,
            self.hlc.0,
        ];
        fixed.into_iter().for_each(|field| put_u64(&mut out, field));
        put_frontier(&mut out, &self.shown);
        put_frontier(&mut out, &self.base_cut);
        varint::put(&mut out, self.nodes.len() as u64);
        self.nodes.iter().for_each(|node| put_u64(&mut out, node.0));
        for frontiers in [&self.contexts, &self.settled] {
            varint::put(&mut out, frontiers.len() as u64);
            for (node, frontier) in frontiers {
                put_u64(&mut out, node.0);
                put_frontier(&mut out, frontier);
            }
        }
        varint::put_bytes(&mut out, &self.members);
        varint::put(&mut out, self.swaps.len() as u64);
        for (hlc, node, a, b) in &self.swaps {
            put_u64(&mut out, hlc.0);
            put_u64(&mut out, node.0);
            varint::put(&mut out, u64::from(*a));
            varint::put(&mut out, u64::from(*b));
        }
        self.index.encode(&mut out);
        varint::put(&mut out, self.files.len() as u64);
        for (number, bytes) in &self.files {
            varint::put(&mut out, *number);
            varint::put(&mut out, *bytes);
        }
        varint::put_bytes(&mut out, &self.evictions);
        varint::put(&mut out, self.cut_as.len() as u64);
        for (ours, theirs) in &self.cut_as {
            varint::put(&mut out, *ours);
            varint::put(&mut out, *theirs);
        }
        for extents in &self.shards {
            varint::put(&mut out, extents.len() as u64);
            for extent in extents {
                for field in [extent.file, extent.offset, extent.bytes, extent.entries] {
                    varint::put(&mut out, field);
                }
            }
        }
        let crc = crc32c::crc32c(&out[8..]);
        out[4..8].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Errors: [`LogError::Damaged`] naming the manifest.
    pub fn decode(bytes: &[u8]) -> Result<Manifest, LogError> {
        let damaged = |damage| LogError::Damaged { file: MANIFEST_FILE.into(), offset: 0, damage };
        let word = |at: usize| bytes.get(at..).and_then(|b| b.first_chunk()).map(|b| u32::from_le_bytes(*b));
        if bytes.len() < FIXED_BYTES {
            return Err(damaged(Damage::Short));
        }
        if word(0) != Some(MAGIC) {
            return Err(damaged(Damage::Magic(word(0).unwrap_or(0))));
        }
        if word(4) != Some(crc32c::crc32c(&bytes[8..])) {
            return Err(damaged(Damage::Checksum));
        }
        let version = word(8).unwrap_or(0);
        if !(VERSION_MIN..=VERSION).contains(&version) {
            return Err(damaged(Damage::Version(version)));
        }
        let mut fields = Fields(&bytes[FIXED_BYTES..]);
        let manifest = Self::take(&mut fields, version).filter(|_| fields.is_empty());
        manifest.ok_or_else(|| damaged(Damage::Field))
    }

    fn take(fields: &mut Fields<'_>, version: u32) -> Option<Manifest> {
        let mut manifest = Manifest {
            number: fields.u64()?,
            directory: fields.u64()?,
            hash_seed: fields.u64()?,
            databases: u32::try_from(fields.u64()?).ok()?,
            taken_ms: fields.u64()?,
            from: LogPosition(fields.u64()?),
            durable: LogPosition(fields.u64()?),
            first_segment: fields.u64()?,
            hlc: fields.hlc()?,
            shown: fields.frontier()?,
            base_cut: fields.frontier()?,
            nodes: Vec::new(),
            contexts: Vec::new(),
            settled: Vec::new(),
            members: Vec::new(),
            evictions: Vec::new(),
            swaps: Vec::new(),
            index: Index::default(),
            files: Vec::new(),
            cut_as: Vec::new(),
            shards: Vec::with_capacity(SHARDS),
        };
        for _ in 0..fields.count().filter(|nodes| *nodes < usize::from(u16::MAX))? {
            manifest.nodes.push(NodeId(fields.u64()?));
        }
        for _ in 0..fields.count()? {
            manifest.contexts.push((NodeId(fields.u64()?), fields.frontier()?));
        }
        for _ in 0..fields.count()? {
            manifest.settled.push((NodeId(fields.u64()?), fields.frontier()?));
        }
        manifest.members = fields.bytes()?.to_vec();
        for _ in 0..fields.count()? {
            let (hlc, node) = (fields.hlc()?, NodeId(fields.u64()?));
            let (a, b) = (u32::try_from(fields.varint()?).ok()?, u32::try_from(fields.varint()?).ok()?);
            manifest.swaps.push((hlc, node, a, b));
        }
        manifest.index = Index::decode(&mut fields.0, version >= 2)?;
        for _ in 0..fields.count()? {
            manifest.files.push((fields.varint()?, fields.varint()?));
        }
        if version >= 2 {
            manifest.evictions = fields.bytes()?.to_vec();
        }
        for _ in 0..if version >= 2 { fields.count()? } else { 0 } {
            manifest.cut_as.push((fields.varint()?, fields.varint()?));
        }
        for _ in 0..SHARDS {
            let mut extents = Vec::new();
            for _ in 0..fields.count()? {
                let (file, offset) = (fields.varint()?, fields.varint()?);
                let (bytes, entries) = (fields.varint()?, fields.varint()?);
                offset.checked_add(bytes)?;
                extents.push(Extent { file, offset, bytes, entries });
            }
            manifest.shards.push(extents);
        }
        Some(manifest)
    }

    /// The number that the blocks of a file tell.
    pub fn cut_as(&self, file: u64) -> u64 {
        self.cut_as.iter().find(|(ours, _)| *ours == file).map_or(file, |(_, theirs)| *theirs)
    }

    /// Bytes of all extents in use.
    pub fn live_bytes(&self) -> u64 {
        self.shards.iter().flatten().fold(0, |sum, extent| sum.saturating_add(extent.bytes))
    }

    /// Bytes of all files in use, superseded extents included.
    pub fn file_bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.1))
    }
}
