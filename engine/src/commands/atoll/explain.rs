//! ATOLL.EXPLAIN: a key's effects as this node has them, and why it shows what it shows.

use proto::resp::Replies;

use super::conflicts::region;
use crate::core::Unit;
use crate::merge::{ExplainedEffect, Explanation};
use crate::refusal::Refusal;
use crate::replication::Member;

/// Effects told of.
const EFFECTS_MAX: usize = 100;

pub fn explain(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let Some(explained) = unit.explain(&key, EFFECTS_MAX) else {
        reply.null();
        return Ok(());
    };
    let members = unit.members();
    let Explanation { value, expiry_ms, last, base, floor_ms, tips, total, effects } = explained;
    let texts = |names: &[String], reply: &mut Replies<'_>| {
        reply.array(names.len());
        names.iter().for_each(|name| reply.bulk(name.as_bytes()));
    };
    reply.map(10);
    let (kind, shown) = value.map_or(("none", String::new()), |(kind, shown)| (kind, shown));
    for (name, text) in [("type", kind.to_owned()), ("value", shown)] {
        reply.bulk(name.as_bytes());
        reply.bulk(text.as_bytes());
    }
    reply.bulk(b"expires-ms");
    reply.integer(expiry_ms.map_or(-1, |ms| ms as i64));
    reply.bulk(b"last");
    reply.bulk(last.map_or_else(String::new, |id| id.to_string()).as_bytes());
    reply.bulk(b"state");
    reply.bulk(if total == 0 && tips.is_empty() { b"stable" } else { b"unstable" });
    reply.bulk(b"base");
    reply.bulk(base.as_bytes());
    reply.bulk(b"floor-ms");
    reply.integer(floor_ms as i64);
    reply.bulk(b"tips");
    texts(&tips.iter().map(|id| id.to_string()).collect::<Vec<_>>(), reply);
    reply.bulk(b"live-effects");
    reply.integer(total as i64);
    reply.bulk(b"effects");
    reply.array(effects.len());
    effects.iter().for_each(|effect| one(effect, &members, reply));
    Ok(())
}

fn one(effect: &ExplainedEffect, members: &[Member], reply: &mut Replies<'_>) {
    let why = match (effect.hidden, effect.wins) {
        (Some(rule), _) => format!("hidden: {}", rule.name()),
        (None, true) => "wins: the latest assignment".into(),
        (None, false) => "shows".into(),
    };
    let saw: Vec<String> = effect.saw.iter().map(|(node, seq)| format!("{node}:{}", seq.0)).collect();
    let fields = [
        ("effect", effect.id.to_string()),
        ("region", region(effect.id.node, members)),
        ("hlc", effect.hlc.to_string()),
        ("wrote", effect.text.clone()),
        ("saw", saw.join(" ")),
        ("tip", if effect.tip { "yes" } else { "no" }.into()),
        ("why", why),
    ];
    reply.map(fields.len());
    for (name, text) in fields {
        reply.bulk(name.as_bytes());
        reply.bulk(text.as_bytes());
    }
}
