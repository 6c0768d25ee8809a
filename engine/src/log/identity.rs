//! Who this data directory is: its own id for ever, and a node id for each incarnation.
//!
//! ```text
//! magic "ATID" | crc u32 | version u32 | count u32 | directory u64 | (node u64 × count, oldest first)
//! clean marker: magic "ATCL" | crc u32 | node u64 | segment u64 | offset u64
//! ```
//! Little-endian; `crc` is CRC32C of what follows it. The marker exists only between a clean stop and the next start: it says where
//! the log ended, so that nothing can have been lost and the incarnation may go on.

use proto::NodeId;

use super::LogError;
use crate::disk::Disk;

const FILE: &str = "IDENTITY";
const TEMPORARY: &str = "IDENTITY.new";
const MARKER: &str = "CLEAN";
const MAGIC: &[u8; 4] = b"ATID";
const MARKER_MAGIC: &[u8; 4] = b"ATCL";
const VERSION: u32 = 1;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    pub directory: u64,
    /// All incarnations, the current one last.
    pub nodes: Vec<NodeId>,
}

impl Identity {
    pub fn current(&self) -> NodeId {
        *self.nodes.last().expect("an identity has at least one incarnation")
    }
}

fn sealed(magic: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&magic[..], &crc32c::crc32c(body).to_le_bytes(), body].concat()
}

fn unsealed<'a>(magic: &[u8; 4], bytes: &'a [u8]) -> Option<&'a [u8]> {
    let (head, body) = bytes.split_first_chunk::<8>()?;
    let crc = u32::from_le_bytes(head[4..].try_into().ok()?);
    (head[..4] == *magic && crc == crc32c::crc32c(body)).then_some(body)
}

fn read_all(disk: &dyn Disk, name: &str) -> Result<Vec<u8>, LogError> {
    let file = disk.open(name)?;
    let mut bytes = vec![0; file.len()? as usize];
    let read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// Reads the identity; `None` in a fresh directory.
pub fn load(disk: &dyn Disk, names: &[String]) -> Result<Option<Identity>, LogError> {
    if !names.iter().any(|n| n == FILE) {
        return Ok(None);
    }
    let damaged = |what| LogError::Damaged { file: FILE.into(), offset: 0, what };
    let bytes = read_all(disk, FILE)?;
    let body = unsealed(MAGIC, &bytes).ok_or_else(|| damaged("checksum or magic does not match".into()))?;
    let u32_at = |at: usize| body.get(at..at + 4).and_then(|b| Some(u32::from_le_bytes(b.try_into().ok()?)));
    let version = u32_at(0).ok_or_else(|| damaged("cut short".into()))?;
    if version != VERSION {
        return Err(LogError::Version { file: FILE.into(), found: version, known: VERSION });
    }
    let count = u32_at(4).unwrap_or(0) as usize;
    let directory = u64_at(body, 8).ok_or_else(|| damaged("cut short".into()))?;
    let nodes: Option<Vec<NodeId>> = (0..count).map(|i| u64_at(body, 16 + 8 * i).map(NodeId)).collect();
    match nodes {
        Some(nodes) if !nodes.is_empty() && body.len() == 16 + 8 * count => {
            Ok(Some(Identity { directory, nodes }))
        }
        _ => Err(damaged("incarnations do not fit their count".into())),
    }
}

/// Replaces the identity, durably and atomically.
pub fn store(disk: &dyn Disk, identity: &Identity) -> Result<(), LogError> {
    let mut body = Vec::new();
    body.extend_from_slice(&VERSION.to_le_bytes());
    body.extend_from_slice(&(identity.nodes.len() as u32).to_le_bytes());
    body.extend_from_slice(&identity.directory.to_le_bytes());
    identity.nodes.iter().for_each(|n| body.extend_from_slice(&n.0.to_le_bytes()));
    let file = disk.open(TEMPORARY)?;
    file.truncate(0)?;
    file.write_at(&sealed(MAGIC, &body), 0)?;
    file.sync()?;
    disk.rename(TEMPORARY, FILE)?;
    disk.sync_directory()?;
    Ok(())
}

/// Reads the marker of a clean stop: node, segment and offset of the log's end. A damaged one counts as none.
pub fn clean_end(disk: &dyn Disk, names: &[String]) -> Result<Option<(NodeId, u64, u64)>, LogError> {
    if !names.iter().any(|n| n == MARKER) {
        return Ok(None);
    }
    let bytes = read_all(disk, MARKER)?;
    let Some(body) = unsealed(MARKER_MAGIC, &bytes) else { return Ok(None) };
    Ok(match (u64_at(body, 0), u64_at(body, 8), u64_at(body, 16)) {
        (Some(node), Some(segment), Some(offset)) => Some((NodeId(node), segment, offset)),
        _ => None,
    })
}

/// Writes the marker, durably. The log must be synced before.
pub fn mark_clean(disk: &dyn Disk, node: NodeId, segment: u64, offset: u64) -> Result<(), LogError> {
    let body = [node.0, segment, offset].map(u64::to_le_bytes).concat();
    let file = disk.open(MARKER)?;
    file.truncate(0)?;
    file.write_at(&sealed(MARKER_MAGIC, &body), 0)?;
    file.sync()?;
    disk.sync_directory()?;
    Ok(())
}

/// Removes the marker, durably: from here on the log may have a tail that a power cut takes.
pub fn unmark(disk: &dyn Disk, names: &[String]) -> Result<(), LogError> {
    if names.iter().any(|n| n == MARKER) {
        disk.remove(MARKER)?;
        disk.sync_directory()?;
    }
    Ok(())
}
