//! Reading a checkpoint back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::core::Engine;
use crate::core::open::Workers;
use crate::core::remote::{decode_members, note_member};
use crate::disk::{Disk, DiskFile};
use crate::image::block::{BlockReader, Extent};
use crate::image::bytes::Fields;
use crate::image::manifest::Manifest;
use crate::image::{MANIFEST_FILE, image_name, image_number};
use crate::log::{Damage, LogError};
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
    {
        let mut peers = engine.peers.lock();
        for member in members {
            note_member(&mut peers.members, &member);
            peers.stability.learn(&member);
        }
        peers.base_cut = manifest.base_cut.clone();
        peers.contexts = manifest.contexts.iter().cloned().collect();
        peers.settled = manifest.settled.iter().cloned().collect();
    }
    for (hlc, node, a, b) in &manifest.swaps {
        engine.apply_swap(proto::EffectId::new(*node, proto::Seq(1)), *hlc, *a, *b);
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
    let mut files: Vec<(u64, Box<dyn DiskFile>)> = Vec::new();
    let names = disk.list()?;
    for (number, bytes) in &manifest.files {
        let name = image_name(*number);
        let damaged = |damage| LogError::Damaged { file: name.clone(), offset: 0, damage };
        if !names.contains(&name) {
            return Err(damaged(Damage::Missing));
        }
        let file = disk.open(&name)?;
        if file.len()? != *bytes {
            return Err(damaged(Damage::Short));
        }
        files.push((*number, file));
    }
    let used = |number: u64| files.iter().any(|file| file.0 == number);
    for name in names.iter().filter(|name| image_number(name).is_some_and(|number| !used(number))) {
        disk.remove(name)?;
    }
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

fn load_shard(
    engine: &Engine,
    files: &[(u64, Box<dyn DiskFile>)],
    extents: &[Extent],
    at: usize,
) -> Result<(), LogError> {
    let seed = engine.config.hash_seed;
    let hash_of = move |key: &[u8]| xxhash_rust::xxh3::xxh3_64_with_seed(key, seed);
    let mut shard = engine.shards[at].lock();
    let mut last = None;
    for extent in extents {
        let damaged = |offset, damage| LogError::Damaged { file: image_name(extent.file), offset, damage };
        let file = files.iter().find(|file| file.0 == extent.file);
        let (_, file) = file.ok_or_else(|| damaged(extent.offset, Damage::Missing))?;
        let mut reader = BlockReader::new(&**file, *extent, at);
        let mut loading = None;
        let mut offset = extent.offset;
        while let Some(body) = reader.next_body()? {
            let (mut fields, bytes) = (Fields(body), body.len() as u64);
            let malformed = || damaged(offset, Damage::Field);
            if loading.is_none() {
                loading = Some(shard.begin_load(at, &mut fields).ok_or_else(malformed)?);
            }
            if let Some(loading) = &mut loading {
                while !fields.is_empty() {
                    shard.load_chunk(loading, &mut fields, &hash_of).ok_or_else(malformed)?;
                }
            }
            offset += bytes + crate::image::block::BLOCK_HEADER_BYTES as u64;
        }
        last = loading.filter(|loading| loading.is_whole());
        if last.is_none() {
            return Err(damaged(extent.offset, Damage::Short));
        }
        engine.loading.done_bytes.fetch_add(extent.bytes, Relaxed);
    }
    if let Some(last) = last {
        engine.with_world(engine.own_origin, |world| shard.finish_load(last, world));
        engine.loading.keys.fetch_add(shard.entries() as u64, Relaxed);
    }
    Ok(())
}
