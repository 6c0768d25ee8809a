//! Active expiry and pruning: bounded background steps.

use std::sync::atomic::Ordering::Relaxed;

use proto::Hlc;

use super::Engine;
use crate::effect::batch;
use crate::state::table::SHARDS;

impl Engine {
    /// Removes up to about `budget` keys past their expiry, going round the shards. Returns how many were looked at.
    pub fn expire_step(&self, now_ms: u64, budget: usize) -> usize {
        if !self.active_expire.load(Relaxed) {
            return 0;
        }
        // What is written after a key went has to be after its expiry, also from a turn that read the clock before us.
        self.stage.lock().observe(Hlc::from_ms(now_ms));
        let mut done = 0;
        for _ in 0..SHARDS {
            let at = self.expire_at.fetch_add(1, Relaxed) as usize % SHARDS;
            let mut shard = self.shards[at].lock();
            done += self.with_world(self.own_origin, |world| shard.expire(now_ms, budget.min(64), world));
            if done >= budget {
                break;
            }
        }
        self.tell_ready();
        done
    }

    /// Takes note of the wall clock while nothing is written, so that acks can promise it; writes what a full disk refused, if
    /// there is room by now. Call a few times a second.
    pub fn tick(&self, now_ms: u64) {
        if self.refusing.load(Relaxed) {
            // Also while no client asks: peers wait for it.
            let _ = self.end_turn();
        }
        if !self.is_alone() {
            let last = {
                let mut stage = self.stage.lock();
                stage.observe(Hlc::from_ms(now_ms));
                stage.last()
            };
            self.ages.lock().note(last, now_ms, self.stats.bytes_written.load(Relaxed));
            self.conflicts.tick(now_ms);
            self.note_divergence();
        }
    }

    /// Drops windows that became stable, leaving a mark in the log. Returns how many queue places were taken off.
    pub fn prune_step(&self) -> usize {
        if self.is_alone() {
            return 0;
        }
        // Remote effects stand still meanwhile: the mark lies in the log where every later effect saw what it says.
        let _apply = self.apply.lock();
        let shown = self.shown.lock().clone();
        // Our own next effect may be older than what the peers promise.
        let own_ms = self.stage.lock().last_hlc().ms();
        let (stable, mark) = {
            let mut peers = self.peers.lock();
            peers.stability.advance(&shown);
            if peers.stability.is_alone() && self.evictions_version() == 0 {
                // Peers are expected and none is known yet.
                return 0;
            }
            let closed_ms = peers.stability.closed_ms(&shown).map_or(0, |ms| ms.min(own_ms));
            let older = closed_ms > self.closed_ms.fetch_max(closed_ms, Relaxed);
            let stable = peers.stability.stable(&shown);
            let news = stable.iter().any(|(node, seq)| seq > peers.marked.seq(node));
            if !news {
                // Windows that are stable and wait for time alone go also while nobody writes.
                let settled = peers.base_cut.clone();
                drop(peers);
                return if older { self.prune_shards(&settled) } else { 0 };
            }
            (stable.clone(), stable)
        };
        // What is staged may not have seen all of it: it goes out under the old claim.
        if self.end_turn().is_err() {
            return 0;
        }
        {
            let mut writer = self.writer.lock();
            if let Some(log) = self.log() {
                let mut frame = Vec::new();
                batch::encode_stable_mark(&mut frame, self.node, &mark);
                if log.append(&frame).is_err() {
                    // Nothing was settled: tried again when the log takes it.
                    return 0;
                }
            }
            writer.settled.join(&stable);
        }
        let settled = {
            let mut peers = self.peers.lock();
            peers.marked.join(&stable);
            peers.base_cut.join(&stable);
            // What was stable stays so, whoever is learned since and has not acked it.
            peers.base_cut.clone()
        };
        self.prune_shards(&settled)
    }
}
