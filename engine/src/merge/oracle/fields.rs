//! When fields of a hash end, and what is over then.

use std::collections::BTreeMap;

use super::Observed;
use crate::effect::{Expiry, FieldOp, Op};
use crate::merge::elements::{self, Write};
use crate::state::value::{Item, Value};

/// Of each field the latest moment at which somebody who wrote it anew had seen it end: what is older is dead.
pub(super) struct Lapses(BTreeMap<Vec<u8>, u64>);

impl Lapses {
    pub fn new(effects: &[Observed<'_>]) -> Self {
        let mut lapses = BTreeMap::new();
        for effect in effects {
            let Op::Fields(FieldOp::Lapse(moments)) = &effect.effect.op else { continue };
            for (moment, field) in moments.iter() {
                let latest = lapses.entry(field.to_vec()).or_insert(0);
                *latest = moment.ms().unwrap_or(0).max(*latest);
            }
        }
        Lapses(lapses)
    }

    pub fn ended(&self, field: &[u8], by: &Observed<'_>) -> bool {
        self.0.get(field).is_some_and(|ms| by.effect.hlc.ms() < *ms)
    }

    /// Takes from the value of an assignment what had ended.
    pub fn take_from(&self, value: &mut Value, root: &Observed<'_>) {
        if let Value::Hash(hash) = value {
            self.0.keys().filter(|field| self.ended(field, root)).for_each(|field| _ = hash.remove(field));
        }
    }
}

/// What a field comes to, and when it ends. `below`: what the winning assignment has, which never ends by itself.
pub(super) fn resolve(
    below: Option<(Item, &Observed<'_>)>,
    writes: &[(&Observed<'_>, Write)],
) -> Option<Item> {
    let (mut below, mut writes) = (below, writes.to_vec());
    loop {
        let of_root = below.iter().map(|(_, root)| (*root, Expiry::NEVER));
        let of_writes = writes.iter().filter_map(|(by, write)| match write {
            Write::Put(_) => Some((*by, Expiry::NEVER)),
            Write::Expire(end) => Some((*by, *end)),
            _ => None,
        });
        let said: Vec<(&Observed<'_>, Expiry)> = of_root.chain(of_writes).collect();
        let replaced = |by: &Observed<'_>| said.iter().any(|(later, _)| later.saw(by));
        let end = said.iter().filter(|(by, _)| !replaced(by)).map(|(_, end)| *end).max();
        let end = end.unwrap_or(Expiry::NEVER);
        let stamps = writes.iter().map(|w| w.0).chain(below.iter().map(|b| b.1));
        let latest_ms = stamps.map(|by| by.effect.hlc.ms()).max();
        match end.ms() {
            // Something is not older than the end: whatever is older was over by then.
            Some(ms) if latest_ms.is_some_and(|latest_ms| ms <= latest_ms) => {
                writes.retain(|(by, _)| by.effect.hlc.ms() >= ms);
                below = below.filter(|(_, root)| root.effect.hlc.ms() >= ms);
            }
            _ => {
                let below = below.map(|(item, _)| item);
                let mut item = elements::resolve(below, writes.iter().map(|(by, write)| (by.rank(), write)));
                if let Some(Item::Field(_, own)) = &mut item {
                    *own = end;
                }
                return item;
            }
        }
    }
}
