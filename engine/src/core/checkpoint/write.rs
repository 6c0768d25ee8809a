//! Taking a checkpoint.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use proto::Frontier;

use super::{CheckpointDone, CheckpointError};
use crate::core::Engine;
use crate::core::remote::encode_members;
use crate::disk::Disk;
use crate::image::block::{BlockWriter, Extent};
use crate::image::manifest::Manifest;
use crate::image::{MANIFEST_FILE, image_name, image_number};
use crate::log::{Log, LogPosition};
use crate::state::table::SHARDS;

/// A shard's changes are collected in so many extents at most before it is written whole again.
const CHAIN_MAX: usize = 8;
/// Files may have this share of superseded bytes (percent of those in use), and always some.
const DEAD_PERCENT_MAX: u64 = 50;
const DEAD_BYTES_MIN: u64 = 16 << 20;
/// A segment with less is not ended for a checkpoint.
const CUT_BYTES_MIN: u64 = 1 << 20;

impl Engine {
    /// Takes a checkpoint; blocks the caller, never a command for longer than it takes to copy a few hundred entries. `clock` gives
    /// Unix ms; `stop` is asked between chunks and ends the attempt. When it is published, what it replaces is removed.
    ///
    /// Errors: [`CheckpointError`]; the one before counts then.
    pub fn checkpoint(
        &self,
        clock: &dyn Fn() -> u64,
        stop: &dyn Fn() -> bool,
    ) -> Result<CheckpointDone, CheckpointError> {
        let log = self.log().ok_or(CheckpointError::NoLog)?;
        let checkpoints = &self.checkpoints;
        let Some(_running) = checkpoints.running.try_lock() else { return Err(CheckpointError::Busy) };
        let begun_ms = clock();
        checkpoints.begun_ms.store(begun_ms, Relaxed);
        checkpoints.in_progress.store(true, Relaxed);
        checkpoints.requested.store(false, Relaxed);
        let outcome = self.take(log, begun_ms, stop);
        if outcome.is_ok() {
            checkpoints.effects_before.store(checkpoints.effects_at_begin.load(Relaxed), Relaxed);
        } else {
            // Nobody knows which shards were asked for their changes: they have to tell everything next time.
            self.shards.iter().for_each(|shard| shard.lock().lose_track());
        }
        self.note_checkpoint(&outcome, begun_ms, clock());
        checkpoints.in_progress.store(false, Relaxed);
        outcome.map(|(done, _)| done)
    }

    fn take(
        &self,
        log: &Log,
        begun_ms: u64,
        stop: &dyn Fn() -> bool,
    ) -> Result<(CheckpointDone, Arc<Manifest>), CheckpointError> {
        if let Some(poisoned) = log.poisoned() {
            return Err(poisoned.into());
        }
        if self.is_loading() {
            return Err(CheckpointError::Partial);
        }
        let needed = self.databases_seen();
        if needed > self.databases() {
            return Err(CheckpointError::Databases { needed });
        }
        let (before, number) = {
            let mut state = self.checkpoints.state.lock();
            state.number += 1;
            (state.last.clone(), state.number)
        };
        let rebuilds = self.stats.rebuilds.load(Relaxed);
        log.cut_segment(CUT_BYTES_MIN.min(self.config.segment_bytes / 2))?;
        let mut manifest = self.begin_manifest(log, number, begun_ms)?;
        let disk = &**log.disk();
        let name = image_name(number);
        let written = self.write_shards(disk, &mut manifest, before.as_deref(), stop);
        let published = written.and_then(|done| {
            // What the images hold has to be in the log, for the next node to read after them.
            self.end_turn().map_err(|refused| refused.0)?;
            let replayed = self.late_progress();
            log.sync()?;
            self.save_late(disk, &replayed)?;
            if self.stats.rebuilds.load(Relaxed) != rebuilds {
                return Err(CheckpointError::Rebuilt);
            }
            manifest.durable = log.synced_upto();
            manifest.nodes = self.origins.list().split_off(1);
            manifest.first_segment = self.first_segment_kept(log, &manifest);
            crate::log::write_whole(disk, MANIFEST_FILE, &manifest.encode())?;
            Ok(done)
        });
        let mut done = match published {
            Ok(done) => done,
            Err(error) => {
                // Only a failure of the disk may come after the manifest has its name.
                if !matches!(error, CheckpointError::Disk(_)) || !is_published(disk, number) {
                    let _ = disk.remove(&name);
                }
                return Err(error);
            }
        };
        // From here on nothing can fail the checkpoint: what is not removed now is removed after the next.
        if self.lending.pinned(self.lending_ms()).is_none() {
            let _ = remove_superseded(disk, &manifest);
        }
        done.segments_dropped = log.drop_before(manifest.first_segment).unwrap_or(0);
        Ok((done, Arc::new(manifest)))
    }

    /// Everything of the state that is of no shard, at a place where the log and the state are one.
    fn begin_manifest(&self, log: &Log, number: u64, taken_ms: u64) -> Result<Manifest, CheckpointError> {
        // Remote effects and marks stand still, and nobody is between writing a batch and saying so.
        let _apply = self.apply.lock();
        let mut writer = self.writer.lock();
        self.write_staged(&mut writer).map_err(|refused| refused.0)?;
        let from = log.appended_upto();
        let index = log.index();
        let shown = self.shown.lock().clone();
        // What our own batches said so far: those that follow list only what is new since.
        let (told, told_settled) = writer.told();
        drop(writer);
        // Before `peers`, under which nothing is taken.
        let directory = log.identity().directory;
        let hlc = self.stage.lock().last_hlc();
        let swaps = self.swaps.lock().0.clone();
        self.checkpoints.effects_at_begin.store(self.effects_taken(), Relaxed);
        let mut evictions = Vec::new();
        self.evictions().encode(&mut evictions);
        let mut peers = self.peers.lock();
        peers.contexts.entry(self.node).or_default().join(&told);
        peers.settled.entry(self.node).or_default().join(&told_settled);
        let mut base_cut = peers.base_cut.clone();
        if self.is_alone() {
            base_cut.join(&shown);
        }
        let sorted = |map: &hashbrown::HashMap<_, Frontier, _>| {
            let mut list: Vec<_> = map.iter().map(|(node, frontier)| (*node, frontier.clone())).collect();
            list.sort_unstable_by_key(|(node, _)| *node);
            list
        };
        let manifest = Manifest {
            number,
            directory,
            hash_seed: self.config.hash_seed,
            databases: 0,
            taken_ms,
            from,
            durable: from,
            first_segment: 1,
            hlc,
            shown,
            base_cut,
            nodes: Vec::new(),
            contexts: sorted(&peers.contexts),
            settled: sorted(&peers.settled),
            members: encode_members(&peers.members),
            evictions,
            swaps,
            index,
            files: Vec::new(),
            cut_as: Vec::new(),
            shards: Vec::with_capacity(SHARDS),
        };
        Ok(manifest)
    }

    fn write_shards(
        &self,
        disk: &dyn Disk,
        manifest: &mut Manifest,
        before: Option<&Manifest>,
        stop: &dyn Fn() -> bool,
    ) -> Result<CheckpointDone, CheckpointError> {
        let file = disk.open(&image_name(manifest.number))?;
        file.truncate(0)?;
        let mut writer = BlockWriter::new(file, manifest.number);
        let crowded = before.and_then(crowded_file);
        let mut done =
            CheckpointDone { number: manifest.number, bytes: 0, entries: 0, shards: 0, segments_dropped: 0 };
        for at in 0..SHARDS {
            let known = before.map_or(&[][..], |before| &before.shards[at]);
            let crowded = known.iter().any(|extent| Some(extent.file) == crowded);
            let (extents, databases) = self.write_shard(&mut writer, at, known, crowded, stop)?;
            manifest.databases = manifest.databases.max(databases);
            if let Some(new) = extents.last().filter(|extent| extent.file == manifest.number) {
                done.shards += 1;
                done.entries += new.entries;
            }
            manifest.shards.push(extents);
        }
        done.bytes = writer.finish()?;
        disk.sync_directory()?;
        let mut sizes: Vec<(u64, u64)> = before.map_or(Vec::new(), |before| before.files.clone());
        sizes.push((manifest.number, done.bytes));
        sizes.retain(|(file, _)| manifest.shards.iter().flatten().any(|extent| extent.file == *file));
        manifest.files = sizes;
        let renamed = before.map_or(&[][..], |before| &before.cut_as);
        let used = |file: &u64| manifest.files.iter().any(|f| f.0 == *file);
        manifest.cut_as = renamed.iter().filter(|(ours, _)| used(ours)).copied().collect();
        Ok(done)
    }

    /// Writes one shard, or its changes, or nothing. Returns its extents, and one more than the highest database with keys.
    fn write_shard(
        &self,
        writer: &mut BlockWriter,
        at: usize,
        known: &[Extent],
        rewrite: bool,
        stop: &dyn Fn() -> bool,
    ) -> Result<(Vec<Extent>, u32), CheckpointError> {
        if stop() {
            return Err(CheckpointError::Stopped);
        }
        let apply = self.apply.lock();
        let mut shard = self.shards[at].lock();
        let databases = shard.parts().filter(|(_, part)| !part.table.is_empty()).map(|(db, _)| db + 1).last();
        let databases = databases.unwrap_or(0);
        let track = &shard.track;
        let pristine = known.is_empty() && shard.is_empty() && shard.changes == 0;
        let same = !known.is_empty() && shard.changes == 0 && track.removed.is_some();
        if pristine || same && !rewrite {
            return Ok((known.to_vec(), databases));
        }
        let entries = known.first().map_or(0, |full| full.entries);
        let later: u64 = known.iter().skip(1).map(|extent| extent.entries).sum();
        let full = rewrite
            || known.is_empty()
            || known.len() > CHAIN_MAX
            || (later + shard.changes) * 2 > entries.max(1);
        drop((shard, apply));
        let mut full = full;
        loop {
            match self.write_extent(writer, at, full, stop)? {
                Written::Whole(extent) => return Ok((vec![extent], databases)),
                Written::Changes(extent) => {
                    return Ok((known.iter().copied().chain([extent]).collect(), databases));
                }
                // What was written of it lies in the file unused.
                Written::Lost => full = true,
            }
        }
    }

    fn write_extent(
        &self,
        writer: &mut BlockWriter,
        at: usize,
        full: bool,
        stop: &dyn Fn() -> bool,
    ) -> Result<Written, CheckpointError> {
        let hash_of = |key: &[u8]| self.key_hash(key);
        let nodes = self.origins.list();
        let mut capture = None;
        writer.begin(at);
        for chunk in 0.. {
            if chunk > 0 && stop() {
                return Err(CheckpointError::Stopped);
            }
            let apply = self.apply.lock();
            let mut shard = self.shards[at].lock();
            let frontier = self.folded_upto();
            let capture = capture.get_or_insert_with(|| {
                shard.begin_image(at, full, &frontier, &nodes, &hash_of, writer.body())
            });
            if capture.is_of_changes() && shard.track.removed.is_none() {
                // A flush, or more removals than are remembered: what is gone can no longer be listed.
                return Ok(Written::Lost);
            }
            shard.image_chunk(capture, chunk, &frontier, &hash_of, writer.body());
            let last = chunk + 1 == capture.ranges.count();
            drop((shard, apply));
            writer.step()?;
            if last {
                let extent = writer.end(capture.entries)?;
                return Ok(if capture.is_of_changes() {
                    Written::Changes(extent)
                } else {
                    Written::Whole(extent)
                });
            }
        }
        unreachable!("an image has a last chunk")
    }

    /// Everything that is folded in a shard the caller holds, with `apply` held too: no unit that has staged effects for it can be
    /// under way.
    fn folded_upto(&self) -> Arc<Frontier> {
        let mut frontier = self.shown.lock().clone();
        frontier.advance(self.node, self.stage.lock().last());
        Arc::new(frontier)
    }

    /// A node with peers keeps what some member may lack, unless that is more than the policy allows; and what is lent.
    fn first_segment_kept(&self, log: &Log, manifest: &Manifest) -> u64 {
        let policy = self.checkpoint_policy();
        if self.borrowing().active.load(Relaxed) {
            // What a peer's checkpoint has not is taken from here.
            return log.first_kept(LogPosition(0), 0);
        }
        let mut needed = manifest.from;
        if !self.is_alone() {
            let base_cut = self.peers.lock().base_cut.clone();
            let lacked = log.first_beyond(&base_cut);
            let bound = match policy.absent_bytes {
                0 => LogPosition(0),
                bytes => LogPosition(log.appended_upto().0.saturating_sub(bytes)),
            };
            needed = needed.min(lacked.max(bound));
        }
        if let Some(lent) = self.lending.pinned(self.lending_ms()) {
            needed = needed.min(lent.from);
        }
        log.first_kept(needed, policy.retention_bytes)
    }
}

/// What one pass over a shard came to.
enum Written {
    Whole(Extent),
    Changes(Extent),
    /// The changes could not be told to the end: the shard has to be written whole.
    Lost,
}

/// The file with the largest share of superseded bytes, when there are too many of them in all.
fn crowded_file(manifest: &Manifest) -> Option<u64> {
    let (live, all) = (manifest.live_bytes(), manifest.file_bytes());
    if (all - live.min(all)) <= DEAD_BYTES_MIN.max(live / 100 * DEAD_PERCENT_MAX) {
        return None;
    }
    let dead = |(file, bytes): &(u64, u64)| {
        let extents = manifest.shards.iter().flatten().filter(|extent| extent.file == *file);
        bytes.saturating_sub(extents.map(|extent| extent.bytes).sum())
    };
    manifest.files.iter().max_by_key(|file| dead(file)).map(|file| file.0)
}

/// True when the manifest on disk is of this number, or cannot be read.
fn is_published(disk: &dyn Disk, number: u64) -> bool {
    match super::read_manifest(disk) {
        Ok(found) => found.is_some_and(|manifest| manifest.number == number),
        Err(_) => true,
    }
}

/// Removes checkpoint files that the manifest does not name.
pub(super) fn remove_superseded(disk: &dyn Disk, manifest: &Manifest) -> Result<(), crate::disk::DiskError> {
    let used = |number: u64| manifest.files.iter().any(|file| file.0 == number);
    for name in disk.list()? {
        if image_number(&name).is_some_and(|number| !used(number)) {
            disk.remove(&name)?;
        }
    }
    Ok(())
}
