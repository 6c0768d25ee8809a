//! ATOLL.CONFLICTS: what merges decided against somebody.

use proto::NodeId;
use proto::resp::Replies;

use crate::commands::args::{integer_within, is};
use crate::core::Conflict;
use crate::glob;
use crate::merge::Side;
use crate::refusal::Refusal;
use crate::replication::{Member, Replica};
use crate::session::Call;

/// Decisions answered unless COUNT says otherwise.
const COUNT: i64 = 10;

pub fn conflicts(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (mut count, mut after, mut pattern) = (COUNT, None, None);
    let mut options = args[1..].chunks_exact(2);
    for option in &mut options {
        match option[0] {
            word if is(word, "count") => count = integer_within(option[1], 1, i64::from(i32::MAX))?,
            word if is(word, "after") => after = Some(integer_within(option[1], 0, i64::MAX)? as u64),
            word if is(word, "key") => pattern = Some(option[1]),
            _ => return Err(Refusal::Syntax),
        }
    }
    if !options.remainder().is_empty() {
        return Err(Refusal::Syntax);
    }
    let wanted = |c: &Conflict| {
        after.is_none_or(|after| c.number > after) && pattern.is_none_or(|p| glob::matches(p, &c.key))
    };
    let mut found: Vec<(Conflict, u32)> = Vec::new();
    call.engine().conflicts(after.is_none(), &mut |conflict, db| {
        if wanted(conflict) {
            found.push((conflict.clone(), db));
        }
        found.len() < count as usize
    });
    if after.is_none() {
        found.reverse();
    }
    let members = call.engine().members();
    reply.array(found.len());
    for (conflict, db) in &found {
        one(conflict, *db, &members, reply);
    }
    Ok(())
}

fn one(conflict: &Conflict, db: u32, members: &[Member], reply: &mut Replies<'_>) {
    let dispute = &conflict.dispute;
    reply.map(7);
    reply.bulk(b"id");
    reply.integer(conflict.number as i64);
    reply.bulk(b"time-ms");
    reply.integer(conflict.at_ms as i64);
    reply.bulk(b"db");
    reply.integer(i64::from(db));
    reply.bulk(b"key");
    reply.bulk(&conflict.key);
    reply.bulk(b"rule");
    reply.bulk(dispute.rule.name().as_bytes());
    for (name, side) in [("winner", &dispute.winner), ("loser", &dispute.loser)] {
        reply.bulk(name.as_bytes());
        one_side(side, members, reply);
    }
}

fn one_side(side: &Side, members: &[Member], reply: &mut Replies<'_>) {
    let stable = side.id == proto::EffectId::STABLE;
    let texts = [
        ("effect", if stable { "stable".into() } else { side.id.to_string() }),
        ("region", if stable { String::new() } else { region(side.id.node, members) }),
        ("hlc", side.hlc.to_string()),
        ("value", side.text.to_string()),
    ];
    reply.map(texts.len());
    for (name, text) in texts {
        reply.bulk(name.as_bytes());
        reply.bulk(text.as_bytes());
    }
}

/// Of a node, by the member table; an earlier incarnation is not in it.
pub(super) fn region(node: NodeId, members: &[Member]) -> String {
    members.iter().find(|m| m.node == node).map_or_else(|| "?".into(), |m| m.region.clone())
}
