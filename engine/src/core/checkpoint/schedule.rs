//! When a checkpoint is due, and what INFO tells of them.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::{CheckpointDone, CheckpointError};
use crate::core::Engine;

/// When checkpoints are taken by themselves, and how much log stays behind them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointPolicy {
    /// Before the log has so many bytes, those kept behind a checkpoint included; 0: never for this reason.
    pub log_bytes: u64,
    /// After so many seconds in which something was written; 0: never for this reason.
    pub interval_s: u64,
    /// Bytes of log kept behind the newest checkpoint at most, in whole segments.
    pub retention_bytes: u64,
    /// Bytes of log kept for members that are away, at most; 0: as much as they lack.
    pub absent_bytes: u64,
    /// After so many seconds, if so many effects were written (Redis' `save`).
    pub points: Vec<(u64, u64)>,
}

impl Default for CheckpointPolicy {
    fn default() -> Self {
        CheckpointPolicy {
            log_bytes: 256 << 20,
            interval_s: 3600,
            retention_bytes: 64 << 20,
            absent_bytes: 0,
            points: Vec::new(),
        }
    }
}

impl CheckpointPolicy {
    /// Log since the last checkpoint that makes the next one due: the room that retention leaves, and that the next images need
    /// beside those of now (`image_bytes`), but a quarter at least.
    fn due_bytes(&self, image_bytes: u64) -> u64 {
        let taken = self.retention_bytes.saturating_add(image_bytes);
        self.log_bytes.saturating_sub(taken).max(self.log_bytes / 4)
    }
}

/// Less log than this is replayed in a moment.
const WORTHWHILE_BYTES: u64 = 1 << 20;

/// After a failure the next attempt waits so long.
const RETRY_MS: u64 = 30_000;

/// For INFO.
#[derive(Clone, Debug, Default)]
pub struct CheckpointStatus {
    /// Running or asked for.
    pub in_progress: bool,
    /// How long the one that runs has taken, ms.
    pub running_ms: u64,
    /// Number of the last one; 0: there is none.
    pub number: u64,
    /// When it was begun, Unix ms.
    pub taken_ms: u64,
    pub duration_ms: u64,
    /// Taken by this process.
    pub taken: u64,
    /// Why the last attempt failed; `None`: it did not.
    pub failed: Option<String>,
    /// Effects written since the last one.
    pub effects_since: u64,
    /// Log behind the last one, bytes: what the next start replays.
    pub log_bytes_since: u64,
    /// Bytes of all checkpoint files.
    pub file_bytes: u64,
    /// Of those, bytes in use.
    pub live_bytes: u64,
    /// Bytes written by the last one.
    pub last_bytes: u64,
    /// Shards written by the last one.
    pub last_shards: u64,
}

impl Engine {
    pub fn checkpoint_policy(&self) -> CheckpointPolicy {
        self.checkpoints.policy.lock().clone()
    }

    pub fn set_checkpoint_policy(&self, policy: CheckpointPolicy) {
        *self.checkpoints.policy.lock() = policy;
    }

    /// BGSAVE: asks for one; [`Engine::checkpoint_due`] then says so. False when one runs or is asked for already.
    pub fn request_checkpoint(&self) -> bool {
        let checkpoints = &self.checkpoints;
        !checkpoints.in_progress.load(Relaxed) && !checkpoints.requested.swap(true, Relaxed)
    }

    /// True when it is time for [`Engine::checkpoint`]. Call now and then.
    pub fn checkpoint_due(&self, now_ms: u64) -> bool {
        let checkpoints = &self.checkpoints;
        if checkpoints.requested.load(Relaxed) {
            return true;
        }
        let Some(log) = self.log() else { return false };
        let policy = self.checkpoint_policy();
        let mut state = checkpoints.state.lock();
        if state.last_attempt_ms == 0 {
            // The interval counts from the start on.
            state.last_attempt_ms = now_ms;
        }
        if state.failed.is_some() && now_ms < state.last_attempt_ms + RETRY_MS {
            return false;
        }
        let image_bytes = state.last.as_ref().map_or(0, |last| last.live_bytes());
        let (from, taken_ms) = match &state.last {
            Some(last) => (last.from, last.taken_ms.max(state.last_attempt_ms)),
            None => (crate::log::LogPosition(0), state.last_attempt_ms),
        };
        let grown = log.bytes_since(from.max(log.begins_at()));
        // A log that only grew by the marks that a checkpoint itself leaves is no reason for another.
        let wrote = grown > 4096;
        let effects = self.effects_taken().saturating_sub(checkpoints.effects_before.load(Relaxed));
        let point = |(seconds, changes): &(u64, u64)| {
            effects >= *changes && now_ms >= taken_ms.saturating_add(seconds.saturating_mul(1000))
        };
        policy.points.iter().any(point)
            || policy.log_bytes > 0 && grown >= policy.due_bytes(image_bytes)
            || policy.interval_s > 0
                && wrote
                && now_ms >= taken_ms.saturating_add(policy.interval_s.saturating_mul(1000))
    }

    /// Effects that this process wrote or took from peers.
    pub(super) fn effects_taken(&self) -> u64 {
        self.stats.effects_written.load(Relaxed) + self.stats.remote_effects.load(Relaxed)
    }

    /// How far the log has outgrown what makes a checkpoint due, while one runs: 1 is at the limit, 0 when there is none.
    pub fn checkpoint_pressure(&self) -> f64 {
        let status = self.checkpoint_status(0);
        let limit = self.checkpoints.policy.lock().due_bytes(status.live_bytes);
        let since = status.log_bytes_since;
        if limit == 0 { 0.0 } else { since as f64 / limit as f64 }
    }

    /// At a stop: true when replaying the log would take the next start longer than a moment; `asked`: when there is any log at all.
    pub fn checkpoint_worthwhile(&self, asked: bool) -> bool {
        let since = self.checkpoint_status(0).log_bytes_since;
        since > if asked { 0 } else { WORTHWHILE_BYTES }
    }

    pub fn checkpoint_status(&self, now_ms: u64) -> CheckpointStatus {
        let checkpoints = &self.checkpoints;
        let running = checkpoints.in_progress.load(Relaxed);
        let written = self.effects_taken();
        let state = checkpoints.state.lock();
        let last = state.last.as_ref();
        let log_bytes_since =
            self.log().map_or(0, |log| log.bytes_since(last.map_or(log.begins_at(), |last| last.from)));
        CheckpointStatus {
            in_progress: running || checkpoints.requested.load(Relaxed),
            running_ms: if running { now_ms.saturating_sub(checkpoints.begun_ms.load(Relaxed)) } else { 0 },
            number: last.map_or(0, |last| last.number),
            taken_ms: last.map_or(0, |last| last.taken_ms),
            duration_ms: state.last_duration_ms,
            taken: state.taken,
            failed: state.failed.clone(),
            effects_since: written.saturating_sub(checkpoints.effects_before.load(Relaxed)),
            log_bytes_since,
            file_bytes: last.map_or(0, |last| last.file_bytes()),
            live_bytes: last.map_or(0, |last| last.live_bytes()),
            last_bytes: state.last_bytes,
            last_shards: state.last_shards,
        }
    }

    pub(super) fn note_checkpoint(
        &self,
        outcome: &Result<(CheckpointDone, Arc<super::Manifest>), CheckpointError>,
        begun_ms: u64,
        ended_ms: u64,
    ) {
        let mut state = self.checkpoints.state.lock();
        state.last_attempt_ms = ended_ms;
        match outcome {
            Ok((done, manifest)) => {
                state.last = Some(manifest.clone());
                state.taken += 1;
                state.failed = None;
                state.last_duration_ms = ended_ms.saturating_sub(begun_ms);
                state.last_bytes = done.bytes;
                state.last_shards = done.shards;
            }
            Err(CheckpointError::Stopped | CheckpointError::Busy) => {}
            Err(error) => state.failed = Some(error.to_string()),
        }
    }
}
