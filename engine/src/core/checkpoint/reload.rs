//! Reading the state back while the node runs (DEBUG RELOAD).

use std::sync::atomic::Ordering::Relaxed;

use super::load::{apply_manifest, open_images, read_extents};
use super::{CheckpointError, Manifest};
use crate::core::Engine;
use crate::core::remote::AllShards;
use crate::log::{Log, LogError};

impl Engine {
    /// Forgets the state, and reads it from the last checkpoint and the log after it, as a start does. Nobody sees the state in
    /// between. Not to be called from within a unit.
    ///
    /// Errors: [`CheckpointError`]; when the state could not be read back, [`Engine::has_failed`] from then on.
    pub fn reload(&self) -> Result<(), CheckpointError> {
        let log = self.log().ok_or(CheckpointError::NoLog)?;
        let _running = self.checkpoints.running.lock();
        let last = self.checkpoints.state.lock().last.clone();
        let _apply = self.apply.lock();
        {
            let mut shards: AllShards<'_> = self.shards.iter().map(|s| s.lock()).collect();
            self.end_turn().map_err(|refused| refused.0)?;
            let shown = self.forget(&mut shards);
            // Each batch comes as it came then: others of before it may follow.
            self.closed_ms.store(0, Relaxed);
            if let Err(error) = self.read_back(log, last.as_ref(), &mut shards) {
                self.fail();
                return Err(error.into());
            }
            self.shown.lock().join(&shown);
        }
        if self.must_rebuild.swap(false, Relaxed) && self.rebuild().is_err() {
            return Err(CheckpointError::Partial);
        }
        Ok(())
    }

    fn read_back(
        &self,
        log: &Log,
        last: Option<&std::sync::Arc<Manifest>>,
        shards: &mut AllShards<'_>,
    ) -> Result<(), LogError> {
        let mut from = crate::log::LogPosition(0);
        {
            // Each batch counts with what its origin had settled then, not with what it settled since.
            let mut peers = self.peers.lock();
            peers.base_cut = proto::Frontier::new();
            peers.contexts.clear();
            peers.settled.clear();
        }
        if let Some(manifest) = last {
            from = manifest.from;
            apply_manifest(self, manifest)?;
            let files = open_images(&**log.disk(), manifest)?;
            let hash_of = |key: &[u8]| self.key_hash(key);
            for (at, extents) in manifest.shards.iter().enumerate() {
                let shard = &mut shards[at];
                if let Some(loading) = read_extents(shard, &files, extents, at, self.databases(), &hash_of)? {
                    self.with_world(self.own_origin, |world| shard.finish_load(loading, world));
                }
            }
            self.with_world(self.own_origin, |world| {
                shards.iter_mut().for_each(|shard| _ = shard.prune(&manifest.base_cut, world));
            });
        }
        let mut hlc = proto::Hlc(0);
        log.replay_from(from, &mut |batch| self.replay(batch, &mut hlc, Some(shards)))?;
        shards.iter_mut().for_each(|shard| shard.end_load());
        Ok(())
    }
}
