//! Reading a checkpoint back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::core::Engine;
use crate::core::open::Workers;
use crate::core::remote::decode_members;
use crate::disk::{Disk, DiskFile};
use crate::image::block::{BlockReader, Extent};
use crate::image::bytes::Fields;
use crate::image::manifest::Manifest;
use crate::image::{MANIFEST_FILE, image_name};
use crate::log::{Damage, LogError, LogPosition};
use crate::replication::eviction::Evictions;
use crate::state::shard::{Loading, Shard};
use crate::state::table::SHARDS;

/// No manifest is larger: 65,535 nodes and a full index for each.
const MANIFEST_BYTES_MAX: u64 = 1 << 30;

/// The manifest on disk; `None`: no checkpoint was ever taken.
pub fn read_manifest(disk: &dyn Disk) -> Result<Option<Manifest>, LogError> {
    if !disk.list()?.iter().any(|name| name == MANIFEST_FILE) {
        return Ok(None);
    }
    let file = disk.open(MANIFEST_FILE)?;
    let mut bytes = vec![0; file.len()?.min(MANIFEST_BYTES_MAX) as usize];
    let read = file.read_at(&mut bytes, 0)?;
    Manifest::decode(&bytes[..read]).map(Some)
}

/// Takes over everything of the state that is of no shard.
pub fn apply_manifest(engine: &Engine, manifest: &Arc<Manifest>) -> Result<(), LogError> {
    let damaged = || LogError::Damaged { file: MANIFEST_FILE.into(), offset: 0, damage: Damage::Field };
    let members = decode_members(&manifest.members).ok_or_else(damaged)?;
    engine.note_members(&members);
    if !manifest.evictions.is_empty() {
        engine.replay_evictions(&Evictions::decode(&manifest.evictions).ok_or_else(damaged)?);
    }
    {
        let mut peers = engine.peers.lock();
        peers.base_cut = manifest.base_cut.clone();
        peers.contexts = manifest.contexts.iter().cloned().collect();
        peers.settled = manifest.settled.iter().cloned().collect();
    }
    for (hlc, node, a, b) in &manifest.swaps {
        engine.apply_swap(*node, *hlc, *a, *b);
    }
    *engine.shown.lock() = manifest.shown.clone();
    let mut state = engine.checkpoints.state.lock();
    state.number = manifest.number;
    state.last = Some(manifest.clone());
    Ok(())
}

/// Reads the images of all shards, on as many workers as there are. Files that the manifest does not name are removed.
pub fn load_shards(
    engine: &Engine,
    disk: &dyn Disk,
    manifest: &Manifest,
    workers: &Workers<'_>,
) -> Result<(), LogError> {
    let files = open_images(disk, manifest)?;
    super::write::remove_superseded(disk, manifest)?;
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    workers(&|| {
        while failed.lock().is_none() {
            let at = next.fetch_add(1, Relaxed);
            if at >= SHARDS {
                break;
            }
            if let Err(error) = load_shard(engine, &files, &manifest.shards[at], at) {
                *failed.lock() = Some(error);
            }
        }
    });
    failed.into_inner().map_or(Ok(()), Err)
}

/// Checkpoint files by number, and the number that their blocks tell.
pub(super) type Images = Vec<(u64, u64, Box<dyn DiskFile>)>;

/// Opens every file that the manifest names.
pub(super) fn open_images(disk: &dyn Disk, manifest: &Manifest) -> Result<Images, LogError> {
    let names = disk.list()?;
    let files = manifest.files.iter();
    files
        .map(|(number, bytes)| {
            Ok((*number, manifest.cut_as(*number), open_image(disk, &names, *number, *bytes)?))
        })
        .collect()
}

/// Opens a checkpoint's file of which the manifest says how long it is.
fn open_image(
    disk: &dyn Disk,
    names: &[String],
    number: u64,
    bytes: u64,
) -> Result<Box<dyn DiskFile>, LogError> {
    let name = image_name(number);
    let damaged = |offset, damage| LogError::Damaged { file: name.clone(), offset, damage };
    if !names.contains(&name) {
        return Err(damaged(0, Damage::Missing));
    }
    let file = disk.open(&name)?;
    match file.len()? {
        found if found < bytes => Err(damaged(found, Damage::Short)),
        found if found > bytes => Err(damaged(bytes, Damage::Field)),
        _ => Ok(file),
    }
}

fn load_shard(engine: &Engine, files: &Images, extents: &[Extent], at: usize) -> Result<(), LogError> {
    let hash_of = |key: &[u8]| engine.key_hash(key);
    let mut shard = engine.shards[at].lock();
    let last = read_extents(&mut shard, files, extents, at, engine.databases(), &hash_of)?;
    let bytes = extents.iter().map(|extent| extent.bytes).sum();
    engine.loading.done_bytes.fetch_add(bytes, Relaxed);
    if let Some(last) = last {
        engine.with_world(engine.own_origin, |world| shard.finish_load(last, world));
        engine.loading.keys.fetch_add(shard.entries() as u64, Relaxed);
    }
    Ok(())
}

/// Reads all extents of one shard into it.
pub(super) fn read_extents(
    shard: &mut Shard,
    files: &Images,
    extents: &[Extent],
    at: usize,
    databases: u32,
    hash_of: &dyn Fn(&[u8]) -> u64,
) -> Result<Option<Loading>, LogError> {
    let mut last = None;
    for extent in extents {
        let damaged = |offset, damage| LogError::Damaged { file: image_name(extent.file), offset, damage };
        let file = files.iter().find(|file| file.0 == extent.file);
        let (_, cut_as, file) = file.ok_or_else(|| damaged(extent.offset, Damage::Missing))?;
        let mut reader = BlockReader::new(&**file, *extent, *cut_as, at);
        let mut loading = None;
        let mut offset = extent.offset;
        while let Some(body) = reader.next_body()? {
            let (mut fields, bytes) = (Fields(body), body.len() as u64);
            let malformed = || damaged(offset, Damage::Field);
            if loading.is_none() {
                loading = Some(shard.begin_load(at, databases, &mut fields).ok_or_else(malformed)?);
            }
            if let Some(loading) = &mut loading {
                while !fields.is_empty() {
                    shard.load_chunk(loading, &mut fields, hash_of).ok_or_else(malformed)?;
                }
            }
            offset += bytes + crate::image::block::BLOCK_HEADER_BYTES as u64;
        }
        last = loading.filter(|loading| loading.is_whole());
        if last.is_none() {
            return Err(damaged(extent.offset, Damage::Short));
        }
    }
    Ok(last)
}

/// What a look at a checkpoint from outside tells.
#[derive(Clone, Debug, Default)]
pub struct CheckpointFacts {
    pub number: u64,
    /// Unix ms.
    pub taken_ms: u64,
    /// The log is needed from here on.
    pub from: LogPosition,
    /// The log is needed up to here at least.
    pub durable: LogPosition,
    pub first_segment: u64,
    pub files: u64,
    pub file_bytes: u64,
    pub live_bytes: u64,
    /// Entries in all shards.
    pub entries: u64,
}

/// Looks at every entry of a directory's checkpoint. Damage goes to `damaged` (file, offset, what); what can
/// be read behind it is read. `None`: there is no checkpoint, or its manifest does not read.
pub fn inspect(
    disk: &dyn Disk,
    damaged: &mut dyn FnMut(&str, u64, Damage),
) -> Result<Option<CheckpointFacts>, LogError> {
    let mut tell = |error: LogError| match error {
        LogError::Damaged { file, offset, damage } => {
            damaged(&file, offset, damage);
            Ok(())
        }
        other => Err(other),
    };
    let manifest = match read_manifest(disk) {
        Ok(Some(manifest)) => manifest,
        Ok(None) => return Ok(None),
        Err(error) => return tell(error).map(|()| None),
    };
    let mut facts = CheckpointFacts {
        number: manifest.number,
        taken_ms: manifest.taken_ms,
        from: manifest.from,
        durable: manifest.durable,
        first_segment: manifest.first_segment,
        files: manifest.files.len() as u64,
        file_bytes: manifest.file_bytes(),
        live_bytes: manifest.live_bytes(),
        entries: 0,
    };
    let names = disk.list()?;
    let mut files: Images = Vec::new();
    for (number, bytes) in &manifest.files {
        match open_image(disk, &names, *number, *bytes) {
            Ok(file) => files.push((*number, manifest.cut_as(*number), file)),
            Err(error) => tell(error)?,
        }
    }
    let seed = manifest.hash_seed;
    let hash_of = move |key: &[u8]| xxhash_rust::xxh3::xxh3_64_with_seed(key, seed);
    for (at, extents) in manifest.shards.iter().enumerate() {
        // The file as a whole was told of.
        if !extents.iter().all(|extent| files.iter().any(|file| file.0 == extent.file)) {
            continue;
        }
        let mut shard = Shard::default();
        match read_extents(&mut shard, &files, extents, at, manifest.databases, &hash_of) {
            Ok(_) => facts.entries += shard.entries() as u64,
            Err(error) => tell(error)?,
        }
    }
    Ok(Some(facts))
}
