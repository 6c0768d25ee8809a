//! A window as a person may read it.

use proto::{EffectId, Frontier, Hlc};

use super::dispute::Rule;
use super::{Base, Window};
use crate::merge::window::dispute;
use crate::state::table::Entry;

/// One live effect of a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExplainedEffect {
    pub id: EffectId,
    pub hlc: Hlc,
    /// What it wrote, in short.
    pub text: String,
    /// What of the key it saw, of other nodes.
    pub saw: Frontier,
    pub tip: bool,
    /// It does not show, for this reason.
    pub hidden: Option<Rule>,
    /// It is the assignment whose value shows.
    pub wins: bool,
}

/// All there is of a key.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Explanation {
    /// Type and value in short; `None` for a key that shows nothing.
    pub value: Option<(&'static str, String)>,
    /// Unix ms.
    pub expiry_ms: Option<u64>,
    /// Origin and seq of the effect folded last, as far as the node remembers.
    pub last: Option<EffectId>,
    /// The stable value below the effects, in short.
    pub base: String,
    /// Effects older than this (ms) belong to a life that ended; 0 without one.
    pub floor_ms: u64,
    pub tips: Vec<EffectId>,
    /// How many live effects there are, and the first of them in the order of their clocks.
    pub total: usize,
    pub effects: Vec<ExplainedEffect>,
}

impl Window {
    /// Adds what the window holds, `limit` effects at most.
    pub fn explain(&self, entry: &Entry<'_>, limit: usize, out: &mut Explanation) {
        out.base = match &self.base {
            Base::Absent => "absent".into(),
            Base::Live(Some(value)) => dispute::render(value.as_ref()).to_string(),
            // Lean, without an assignment above: what shows is the base with everything worked in.
            Base::Live(None) => "worked into the value".into(),
        };
        out.floor_ms = self.floor_ms;
        out.tips = self.tips().to_vec();
        let hidden = self.hidden(entry);
        let winner = self.winner(0).map(|i| self.roots[i].meta.id);
        let mut metas: Vec<_> = self.metas().collect();
        metas.sort_by_key(|m| (m.hlc, m.id));
        metas.dedup_by_key(|m| m.id);
        out.total = metas.len();
        for meta in metas.into_iter().take(limit) {
            let side = self.side(meta.id, entry, false);
            out.effects.push(ExplainedEffect {
                id: meta.id,
                hlc: meta.hlc,
                text: side.text.to_string(),
                saw: meta.seen().clone(),
                tip: out.tips.contains(&meta.id),
                hidden: hidden.iter().find(|h| h.loser == meta.id).map(|h| h.rule),
                wins: winner == Some(meta.id),
            });
        }
    }
}
