//! The feature level that this node may write at: the least that any member knows.

use std::sync::atomic::Ordering::Relaxed;

use super::{Engine, Peers};
use crate::effect::level::LEVEL_FIRST;
use crate::refusal::Refusal;

impl Engine {
    /// What every member knows; nothing newer is written.
    #[inline]
    pub fn feature_level(&self) -> u32 {
        self.level.load(Relaxed)
    }

    /// Refuses what needs `level` while a member knows less, and names that member.
    #[cold]
    pub fn refuse_level(&self, what: &str, level: u32) -> Refusal {
        let members = self.peers.lock().members.clone();
        let lagging = members.into_iter().find(|m| m.level < level && self.counts(m.directory));
        let whom = match lagging {
            Some(m) => {
                format!("node {} ({}, {}) knows {}", m.node, m.region, m.addr, m.level.max(LEVEL_FIRST))
            }
            None => format!("this node is held at {} by --feature-level", self.config.level),
        };
        Refusal::Quoted(format!(
            "ERR '{what}' needs feature level {level} on every node, and {whom}: upgrade it first"
        ))
    }

    /// Works the level out again. Members came, went or said more of themselves.
    pub(crate) fn note_level(&self, peers: &Peers) {
        let counted = peers.members.iter().filter(|m| self.counts(m.directory));
        let least = counted.map(|m| m.level.max(LEVEL_FIRST)).min();
        self.level.store(least.map_or(self.config.level, |l| l.min(self.config.level)), Relaxed);
    }
}
