//! A bound on how far this node goes on alone: past it, it refuses writes until its peers have caught up.
//!
//! Off unless an operator sets it: an unsafe range is there to be written always. What it bounds is the work of the merge that
//! follows, the log and the memory that are held for a member that is away.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::Engine;

/// See the module. Limits of 0 are none.
#[derive(Default)]
pub(crate) struct Divergence {
    bytes_max: AtomicU64,
    ms_max: AtomicU64,
    refusing: AtomicBool,
}

impl Engine {
    /// Writes are refused while a member lacks more than `bytes` of our log, or has lacked some of it for longer than `ms`.
    pub fn set_max_divergence(&self, bytes: u64, ms: u64) {
        self.divergence.bytes_max.store(bytes, Relaxed);
        self.divergence.ms_max.store(ms, Relaxed);
        self.note_divergence();
    }

    /// Called with every tick.
    pub(super) fn note_divergence(&self) {
        let d = &self.divergence;
        let (bytes_max, ms_max) = (d.bytes_max.load(Relaxed), d.ms_max.load(Relaxed));
        let over = (bytes_max > 0 || ms_max > 0)
            && self.lags().iter().any(|lag| {
                let far = bytes_max > 0 && lag.lacks_bytes > bytes_max;
                let long = ms_max > 0 && lag.behind_ms > ms_max;
                far || long
            });
        d.refusing.store(over, Relaxed);
    }

    /// Writes are refused because a member is too far behind.
    #[inline]
    pub fn has_diverged(&self) -> bool {
        self.divergence.refusing.load(Relaxed)
    }
}
