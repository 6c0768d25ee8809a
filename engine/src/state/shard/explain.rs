//! What a shard knows of one key.

use super::{Shard, Slot};
use crate::effect::Expiry;
use crate::merge::{ExplainedEffect, Explanation, render};
use crate::state::value::ValueRef;

impl Shard {
    /// Changes a string behind everybody's back, as failing memory might: for tests of comparisons. False for anything else.
    pub(crate) fn damage(&mut self, db: u32, hash: u64, key: &[u8]) -> bool {
        let Some(mut entry) = self.find(db, hash, key) else { return false };
        let Some(ValueRef::String(bytes)) = entry.value() else { return false };
        let damaged = [bytes, b"?"].concat();
        let expiry = entry.expiry();
        entry.set_string(&damaged, expiry);
        true
    }

    /// All there is of a key, `limit` effects at most, and the place of its tip: index of the origin, seq. `None` for a key of which
    /// nothing is left.
    pub(crate) fn explain(
        &mut self,
        db: u32,
        hash: u64,
        key: &[u8],
        limit: usize,
    ) -> Option<(Explanation, (u16, u64))> {
        let ptr = self.find(db, hash, key)?.ptr();
        let windows = &self.windows;
        let table = &mut self.parts.get_mut(db as usize)?.table;
        let entry = table.find(hash, key).filter(|entry| entry.ptr() == ptr)?;
        let shown = entry.value().map(|value| render(value).to_string()).unwrap_or_default();
        let mut out = Explanation {
            value: entry.kind().map(|kind| (kind.name(), shown.clone())),
            expiry_ms: entry.expiry().ms(),
            ..Explanation::default()
        };
        match windows.get(&ptr) {
            None => out.base = shown,
            Some(Slot::Assigned { id, hlc }) => {
                out.base = "absent".into();
                out.tips = vec![*id];
                out.total = 1;
                let life = match entry.expiry() {
                    Expiry::NEVER => String::new(),
                    expiry => format!(", expires at {} ms", expiry.ms().unwrap_or(0)),
                };
                out.effects.push(ExplainedEffect {
                    id: *id,
                    hlc: *hlc,
                    text: shown + &life,
                    saw: Default::default(),
                    tip: true,
                    hidden: None,
                    wins: true,
                });
            }
            Some(Slot::Open(window)) => window.explain(&entry, limit, &mut out),
        }
        Some((out, entry.tip()))
    }
}
