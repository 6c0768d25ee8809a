//! Leaving a cluster for good: a node that takes no more writes, waits until all others have what it wrote, and then asks them to
//! count it no longer.
//!
//! ```text
//! leave ─▶ writes are refused ─▶ every member is proved to have ours ─▶ our eviction is proposed, to be closed by a peer
//!       ─▶ a peer says that it knows of it ─▶ we have left: the process ends
//! ```
//! To the others it is an eviction like any other; as they have everything, nothing of it is late. If the directory is started
//! again it joins as a new member.
//!
//! Does not: time anything out. While a member is away the node stays; that member is evicted, or the node, or it is called off.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use parking_lot::Mutex;
use proto::Seq;

use super::Engine;
use crate::replication::Member;
use crate::replication::eviction::{Eviction, Evictions};

/// How long our sequence must have stood still before it counts as all there is, ms of the step's clock.
const QUIET_MS: u64 = 200;

/// See the module.
#[derive(Default)]
pub(crate) struct Leave {
    asked: AtomicBool,
    left: AtomicBool,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// Our last effect, and since when it is.
    quiet: Option<(Seq, u64)>,
    proposed: Option<Eviction>,
}

/// Why a node cannot leave, or stay.
#[derive(Debug, thiserror::Error)]
pub enum LeaveError {
    #[error("this node has no other members to leave")]
    Alone,
    #[error("this node was evicted")]
    Evicted,
    #[error("this node is not leaving")]
    NotLeaving,
    #[error("the others were told already: this node leaves")]
    Told,
}

/// What a node that leaves waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Leaving {
    No,
    /// These members are not proved to have what was written here.
    WaitsFor(Vec<Member>),
    /// Everybody has everything; the others are being told.
    Told,
    Left,
}

impl Engine {
    /// Begins to leave. Takes effect step by step: see [`Engine::leaving`].
    pub fn leave_cluster(&self) -> Result<(), LeaveError> {
        if self.was_evicted() {
            return Err(LeaveError::Evicted);
        }
        if self.other_members().is_empty() {
            return Err(LeaveError::Alone);
        }
        self.leave.asked.store(true, Relaxed);
        Ok(())
    }

    /// Stays after all, while the others were not told yet.
    pub fn stay_in_cluster(&self) -> Result<(), LeaveError> {
        let mut progress = self.leave.progress.lock();
        if progress.proposed.is_some() {
            return Err(LeaveError::Told);
        }
        progress.quiet = None;
        if self.leave.asked.swap(false, Relaxed) { Ok(()) } else { Err(LeaveError::NotLeaving) }
    }

    pub fn leaving(&self) -> Leaving {
        if self.has_left() {
            return Leaving::Left;
        }
        if !self.is_leaving() {
            return Leaving::No;
        }
        if self.leave.progress.lock().proposed.is_some() {
            return Leaving::Told;
        }
        let last = self.stage.lock().last();
        let members = self.other_members();
        let peers = self.peers.lock();
        let lacks = |m: &Member| peers.stability.proved(m.directory, self.node) < Some(last);
        Leaving::WaitsFor(members.into_iter().filter(lacks).collect())
    }

    #[inline]
    pub fn is_leaving(&self) -> bool {
        self.leave.asked.load(Relaxed)
    }

    /// The others know that this node is no member any more: its process may end.
    pub fn has_left(&self) -> bool {
        self.leave.left.load(Relaxed)
    }

    /// What peers are told: also that we are about to leave.
    pub(super) fn evictions_to_tell(&self) -> Evictions {
        let mut evictions = self.evictions();
        if let Some(proposed) = &self.leave.progress.lock().proposed {
            evictions.add(proposed);
        }
        evictions
    }

    /// Called often, with the clock of the steps, ms.
    pub(super) fn leave_step(&self, now_ms: u64) {
        if !self.is_leaving() || self.has_left() {
            return;
        }
        let last = self.stage.lock().last();
        let shown = self.shown.lock().clone();
        let others = self.other_members();
        // Who closes it: one that is reached now.
        let (closer, all_have_it) = {
            let peers = self.peers.lock();
            let up = others.iter().filter(|m| peers.heard.of(m.node).is_some_and(|heard| heard.up));
            let stable = peers.stability.stable(&shown);
            // What earlier incarnations of us wrote goes with us as well; of members that stay nothing is asked.
            let ours = shown.iter().filter(|(node, _)| !others.iter().any(|m| m.node == *node));
            let have = ours.chain([(self.node, last)]).all(|(node, seq)| stable.seq(node) >= seq);
            (up.map(|m| m.directory).min(), have)
        };
        let progress = &mut *self.leave.progress.lock();
        if progress.proposed.is_some() {
            return;
        }
        let since = progress.quiet.filter(|(seq, _)| *seq == last).map_or(now_ms, |(_, since)| since);
        progress.quiet = Some((last, since));
        if let (Some(by), true) = (closer, all_have_it && now_ms.saturating_sub(since) >= QUIET_MS) {
            let (directory, at) = (self.own.read().directory, self.stage.lock().last_hlc());
            progress.proposed = Some(Eviction::new(directory, by, at, BTreeSet::from([self.node])));
            self.evictions_version.fetch_add(1, Relaxed);
            if let Some(wake) = &*self.appended.read() {
                wake();
            }
        }
    }

    /// Peers know that we are a member no longer. True when that is what we asked for.
    pub(super) fn note_left(&self) -> bool {
        let proposed = self.leave.progress.lock().proposed.clone();
        let Some(eviction) = proposed else { return false };
        if !self.leave.left.swap(true, Relaxed) {
            self.membership_learn(&eviction);
        }
        true
    }
}
