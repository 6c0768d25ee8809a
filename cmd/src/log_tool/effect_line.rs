//! An effect on one line, for people:
//! `file:offset node:seq time db kind key value deps=… expires=…`.

use std::fmt::Write;

use engine::core::decode_members;
use engine::effect::batch::{Batch, BatchKind};
use engine::effect::lists::{ElementId, ListOp, Spot};
use engine::effect::{Effect, Expiry, FieldOp, Members, Op, Payload, ScoreOp, Scores};
use engine::log::inspect::{Place, kind_name};
use proto::{EffectId, Frontier};

use super::{stream, text, time};

/// Members of a set that are shown unless all are asked for.
const SHOWN_MEMBERS: usize = 8;

pub fn place(place: Place<'_>) -> String {
    format!("{}:{}", place.file, place.offset)
}

pub fn effect(at: Place<'_>, id: EffectId, effect: &Effect<'_>, full: bool) -> String {
    let mut out = format!(
        "{} {id} {} db{} {}",
        place(at),
        time::format(effect.hlc.ms()),
        effect.db,
        kind_name(&effect.op)
    );
    let keyed = !matches!(effect.op, Op::Flush { .. } | Op::SwapDb { .. } | Op::Bind { .. } | Op::Noop);
    if keyed {
        out.push(' ');
        out.push_str(&text::quoted(effect.key));
    }
    // Writing to a string does not fail.
    let _ = payload(&mut out, &effect.op, full);
    if !effect.deps.is_empty() {
        let deps: Vec<String> = effect.deps.iter().map(ToString::to_string).collect();
        let _ = write!(out, " deps={}", deps.join(","));
    }
    if let Some(floor) = effect.fresh {
        let _ = write!(out, " fresh={floor}");
    }
    out
}

fn payload(out: &mut String, op: &Op<'_>, full: bool) -> std::fmt::Result {
    match op {
        Op::Assign { payload, expiry } => {
            match payload {
                Payload::String(bytes) => write!(out, " {}", text::value(bytes, full))?,
                Payload::Set(members) => list(out, members, full)?,
                Payload::Hash(pairs) => list_pairs(out, pairs, full)?,
                Payload::ZSet(scores) => list_scores(out, scores, full)?,
                Payload::List(whole) => {
                    spot(out, &whole.spot)?;
                    list(out, &whole.values, full)?;
                }
                Payload::Stream(whole) => stream::whole_line(out, whole)?,
            }
            if expiry.ms().is_some() { expires(out, *expiry) } else { Ok(()) }
        }
        Op::Ttl(expiry) => expires(out, *expiry),
        Op::Reset | Op::Noop => Ok(()),
        Op::Delta(n) => write!(out, " {n:+}"),
        Op::DeltaFloat(n) => {
            let mut digits = Vec::new();
            n.format_human(&mut digits);
            write!(out, " {}", String::from_utf8_lossy(&digits))
        }
        Op::Append(bytes) => write!(out, " {}", text::value(bytes, full)),
        Op::Overlay { base, offset, bytes } => {
            write!(out, " at {offset} {}", text::value(bytes, full))?;
            base.map_or(Ok(()), |base| write!(out, " base={base}"))
        }
        Op::Bits(op) => {
            let sign = if op.adds { "+" } else { "" };
            write!(out, " at {} width {} {sign}{}", op.at, op.width, op.value)?;
            op.base.map_or(Ok(()), |base| write!(out, " base={base}"))
        }
        Op::Registers(op) => {
            write!(out, " {} registers{}", op.ranks.len(), if op.dense { " dense" } else { "" })
        }
        Op::MemberAdd(members) | Op::MemberRemove(members) => list(out, members, full),
        Op::Fields(FieldOp::Put(pairs)) => list_pairs(out, pairs, full),
        Op::Stream(op) => stream::line(out, op, full),
        Op::Fields(FieldOp::Remove(members)) | Op::Scores(ScoreOp::Remove(members)) => {
            list(out, members, full)
        }
        Op::Fields(FieldOp::Expire(moments) | FieldOp::Lapse(moments)) => {
            let shown = if full { usize::MAX } else { SHOWN_MEMBERS };
            for (moment, field) in moments.iter().take(shown) {
                write!(out, " {}", text::value(field, full))?;
                expires(out, moment)?;
            }
            let count = moments.len();
            if count > shown { write!(out, " … ({count} fields)") } else { Ok(()) }
        }
        Op::Fields(FieldOp::Delta { field, by }) => write!(out, " {} {by:+}", text::value(field, full)),
        Op::Fields(FieldOp::DeltaFloat { field, by }) => {
            let mut digits = Vec::new();
            by.format_human(&mut digits);
            write!(out, " {} {}", text::value(field, full), String::from_utf8_lossy(&digits))
        }
        Op::Scores(
            ScoreOp::Put(scores) | ScoreOp::Add(scores) | ScoreOp::Max(scores) | ScoreOp::Min(scores),
        ) => list_scores(out, scores, full),
        Op::List(op) => list_op(out, op, full),
        Op::Flush { db, seen } => {
            match db {
                Some(db) => write!(out, " database {db}")?,
                None => out.push_str(" all databases"),
            }
            write!(out, " seen={}", frontier(&seen.to_frontier()))
        }
        Op::SwapDb { a, b } => write!(out, " {a} and {b}"),
        Op::Bind { count } => write!(out, " {count}"),
    }
}

/// An element by its name: node:seq.index, or the hash of one that moved.
fn element(id: ElementId) -> String {
    match id.index {
        ElementId::MOVED => format!("{:016x}{:016x}", id.node, id.seq),
        index => format!("{:016x}:{}.{index}", id.node, id.seq),
    }
}

fn spot(out: &mut String, spot: &Spot) -> std::fmt::Result {
    let name = |id: Option<ElementId>| id.map_or("-".into(), element);
    let place = format!("{:?}", spot.place).to_lowercase();
    write!(out, " {place} ({}, {})", name(spot.left), name(spot.right))
}

fn list_op(out: &mut String, op: &ListOp<'_>, full: bool) -> std::fmt::Result {
    match op {
        ListOp::Insert { spot: at, moved, values } => {
            spot(out, at)?;
            if let Some(id) = moved {
                write!(out, " moved={}", element(*id))?;
            }
            list(out, values, full)
        }
        ListOp::Remove(runs) => {
            let shown = if full { usize::MAX } else { SHOWN_MEMBERS };
            for run in runs.iter().take(shown) {
                write!(out, " {}", element(run.first))?;
                if run.len > 1 {
                    write!(out, "..{}", element(run.at(run.len - 1)))?;
                }
            }
            let count = runs.iter().count();
            if count > shown { write!(out, " … ({count} runs)") } else { Ok(()) }
        }
        ListOp::Set { id, value } => write!(out, " {} {}", element(*id), text::value(value, full)),
        ListOp::Trim { first, last } => write!(out, " to {} … {}", element(*first), element(*last)),
    }
}

fn expires(out: &mut String, expiry: Expiry) -> std::fmt::Result {
    match expiry.ms() {
        Some(ms) => write!(out, " expires={}", time::format(ms)),
        None => write!(out, " expires=never"),
    }
}

fn list(out: &mut String, members: &Members<'_>, full: bool) -> std::fmt::Result {
    let shown = if full { members.len() } else { SHOWN_MEMBERS };
    for member in members.iter().take(shown) {
        write!(out, " {}", text::value(member, full))?;
    }
    if members.len() > shown { write!(out, " … ({} members)", members.len()) } else { Ok(()) }
}

pub(super) fn list_pairs(out: &mut String, pairs: &Members<'_>, full: bool) -> std::fmt::Result {
    let (count, mut parts) = (pairs.len() / 2, pairs.iter());
    let shown = if full { count } else { SHOWN_MEMBERS };
    for _ in 0..shown.min(count) {
        let (field, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        write!(out, " {}={}", text::value(field, full), text::value(value, full))?;
    }
    if count > shown { write!(out, " … ({count} fields)") } else { Ok(()) }
}

fn list_scores(out: &mut String, scores: &Scores<'_>, full: bool) -> std::fmt::Result {
    let shown = if full { scores.len() } else { SHOWN_MEMBERS };
    for (score, member) in scores.iter().take(shown) {
        write!(out, " {score} {}", text::value(member, full))?;
    }
    if scores.len() > shown { write!(out, " … ({} members)", scores.len()) } else { Ok(()) }
}

fn frontier(frontier: &Frontier) -> String {
    let parts: Vec<String> = frontier.iter().map(|(node, seq)| format!("{node}:{seq}")).collect();
    parts.join(",")
}

/// A stable mark or a list of members.
pub fn bookkeeping(at: Place<'_>, batch: &Batch<'_>) -> String {
    let (place, origin) = (place(at), batch.header.origin);
    if batch.header.kind == BatchKind::Stable {
        let stable = frontier(&batch.context().unwrap_or_default());
        return format!("{place} {origin} stable mark: {stable}");
    }
    let members = decode_members(batch.payload()).unwrap_or_default();
    let members: Vec<String> = members
        .iter()
        .map(|m| {
            let (region, addr) = (text::escaped(m.region.as_bytes()), text::escaped(m.addr.as_bytes()));
            format!("{} ({region}, {addr}, incarnation {})", m.node, m.incarnation)
        })
        .collect();
    format!("{place} {origin} members: {}", members.join("; "))
}
