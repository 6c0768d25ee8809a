//! An effect as one JSON object, for programs. Byte strings are escaped as `text::escaped` does; moments are Unix ms.

use engine::core::decode_members;
use engine::effect::batch::{Batch, BatchKind};
use engine::effect::lists::{ElementId, IdRun, ListOp, Spot};
use engine::effect::{Effect, Expiry, FieldOp, Members, Op, Payload, ScoreOp, Scores};
use engine::log::LogPosition;
use engine::log::inspect::{Place, kind_name};
use proto::{EffectId, Frontier};
use serde_json::{Map, Value, json};

use super::{stream, text, time};

fn object(place: Place<'_>, kind: &str) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("file".into(), place.file.into());
    out.insert("offset".into(), place.offset.into());
    out.insert("position".into(), place.position.0.into());
    out.insert("kind".into(), kind.into());
    out
}

pub fn effect(place: Place<'_>, batch: &Batch<'_>, id: EffectId, effect: &Effect<'_>, full: bool) -> Value {
    let mut out = object(place, kind_name(&effect.op));
    let mut put = |name: &str, value: Value| out.insert(name.into(), value);
    put("node", id.node.to_string().into());
    put("seq", id.seq.0.into());
    put("time", time::format(effect.hlc.ms()).into());
    put("time_ms", effect.hlc.ms().into());
    put("logical", effect.hlc.logical().into());
    put("db", effect.db.into());
    put("solo", (batch.header.flags & engine::effect::batch::FLAG_SOLO != 0).into());
    put("deps", effect.deps.iter().map(|d| json!({"node": d.node.to_string(), "seq": d.seq.0})).collect());
    if let Some(floor) = effect.fresh {
        put("fresh_ms", floor.into());
    }
    if !matches!(effect.op, Op::Flush { .. } | Op::SwapDb { .. } | Op::Bind { .. } | Op::Noop) {
        put("key", text::escaped(effect.key).into());
    }
    payload(&effect.op, full, &mut |name, value| {
        put(name, value);
    });
    Value::Object(out)
}

fn payload(op: &Op<'_>, full: bool, put: &mut dyn FnMut(&str, Value)) {
    let expiry_ms = |expiry: &Expiry| expiry.ms().map_or(Value::Null, Into::into);
    match op {
        Op::Assign { payload, expiry } => {
            match payload {
                Payload::String(bytes) => value(bytes, full, put),
                Payload::Set(members) => put("members", list(members)),
                Payload::Hash(pairs) => put("fields", list_pairs(pairs)),
                Payload::ZSet(scores) => put("scores", list_scores(scores)),
                Payload::List(whole) => {
                    spot(&whole.spot, put);
                    put("values", list(&whole.values));
                }
                Payload::Stream(whole) => stream::whole_json(whole, put),
            }
            put("expires_ms", expiry_ms(expiry));
        }
        Op::Ttl(expiry) => put("expires_ms", expiry_ms(expiry)),
        Op::Reset | Op::Noop => {}
        Op::Delta(n) => put("delta", (*n).into()),
        Op::DeltaFloat(n) => {
            let mut digits = Vec::new();
            n.format_human(&mut digits);
            put("delta", String::from_utf8_lossy(&digits).into());
        }
        Op::Append(bytes) => value(bytes, full, put),
        Op::Overlay { base, offset, bytes } => {
            put("at", (*offset).into());
            put("base", base.map_or(Value::Null, |b| json!({"node": b.node.to_string(), "seq": b.seq.0})));
            value(bytes, full, put);
        }
        Op::Bits(op) => {
            put("at", op.at.into());
            put("width", op.width.into());
            put(if op.adds { "delta" } else { "value" }, op.value.into());
            put("base", op.base.map_or(Value::Null, |b| json!({"node": b.node.to_string(), "seq": b.seq.0})));
        }
        Op::Registers(op) => {
            put("dense", op.dense.into());
            put("ranks", op.ranks.iter().map(|(register, rank)| json!([register, rank])).collect());
        }
        Op::MemberAdd(members) | Op::MemberRemove(members) => put("members", list(members)),
        Op::Fields(FieldOp::Put(pairs)) => put("fields", list_pairs(pairs)),
        Op::Stream(op) => stream::json(op, put),
        Op::Fields(FieldOp::Remove(members)) | Op::Scores(ScoreOp::Remove(members)) => {
            put("members", list(members));
        }
        Op::Fields(FieldOp::Expire(moments) | FieldOp::Lapse(moments)) => {
            let moment = |(expiry, field): (Expiry, &[u8])| json!({"field": text::escaped(field), "expires_ms": expiry_ms(&expiry)});
            put("fields", moments.iter().map(moment).collect());
        }
        Op::Fields(FieldOp::Delta { field, by }) => {
            put("field", text::escaped(field).into());
            put("delta", (*by).into());
        }
        Op::Fields(FieldOp::DeltaFloat { field, by }) => {
            let mut digits = Vec::new();
            by.format_human(&mut digits);
            put("field", text::escaped(field).into());
            put("delta", String::from_utf8_lossy(&digits).into());
        }
        Op::Scores(
            ScoreOp::Put(scores) | ScoreOp::Add(scores) | ScoreOp::Max(scores) | ScoreOp::Min(scores),
        ) => put("scores", list_scores(scores)),
        Op::List(op) => list_op(op, full, put),
        Op::Flush { db, seen } => {
            put("database", db.map_or(Value::Null, Into::into));
            put("seen", frontier(&seen.to_frontier()));
        }
        Op::SwapDb { a, b } => put("databases", json!([a, b])),
        Op::Bind { count } => put("count", (*count).into()),
    }
}

fn element(id: ElementId) -> Value {
    json!({"node": format!("{:016x}", id.node), "seq": id.seq, "index": id.index})
}

/// Neighbours of an insert, and which of them it hangs on.
fn spot(spot: &Spot, put: &mut dyn FnMut(&str, Value)) {
    put("place", format!("{:?}", spot.place).to_lowercase().into());
    put("left", spot.left.map_or(Value::Null, element));
    put("right", spot.right.map_or(Value::Null, element));
}

fn list_op(op: &ListOp<'_>, full: bool, put: &mut dyn FnMut(&str, Value)) {
    match op {
        ListOp::Insert { spot: at, moved, values } => {
            spot(at, put);
            if let Some(id) = moved {
                put("moved", element(*id));
            }
            put("values", list(values));
        }
        ListOp::Remove(runs) => {
            let run = |run: IdRun| json!({"first": element(run.first), "last": element(run.at(run.len - 1))});
            put("runs", runs.iter().map(run).collect());
        }
        ListOp::Set { id, value: bytes } => {
            put("element", element(*id));
            value(bytes, full, put);
        }
        ListOp::Trim { first, last } => {
            put("first", element(*first));
            put("last", element(*last));
        }
    }
}

fn value(bytes: &[u8], full: bool, put: &mut dyn FnMut(&str, Value)) {
    put("value", text::escaped(text::shown(bytes, full)).into());
    put("value_bytes", bytes.len().into());
}

/// Fields and values in turn.
pub(super) fn list_pairs(pairs: &Members<'_>) -> Value {
    let mut parts = pairs.iter();
    let pair = || Some(json!([text::escaped(parts.next()?), text::escaped(parts.next()?)]));
    std::iter::from_fn(pair).collect()
}

/// Members with their scores as texts, for JSON has no infinity.
fn list_scores(scores: &Scores<'_>) -> Value {
    scores.iter().map(|(score, member)| json!([text::escaped(member), score.to_string()])).collect()
}

fn list(members: &Members<'_>) -> Value {
    members.iter().map(|member| Value::from(text::escaped(member))).collect()
}

fn frontier(frontier: &Frontier) -> Value {
    frontier.iter().map(|(node, seq)| (node.to_string(), Value::from(seq.0))).collect()
}

/// A stable mark or a list of members.
pub fn bookkeeping(place: Place<'_>, batch: &Batch<'_>) -> Value {
    let stable = batch.header.kind == BatchKind::Stable;
    let mut out = object(place, if stable { "stable-mark" } else { "members" });
    out.insert("node".into(), batch.header.origin.to_string().into());
    if stable {
        out.insert("stable".into(), frontier(&batch.context().unwrap_or_default()));
    } else {
        let members = decode_members(batch.payload()).unwrap_or_default();
        let members: Vec<Value> = members
            .iter()
            .map(|m| {
                json!({
                    "directory": format!("{:016x}", m.directory),
                    "node": m.node.to_string(),
                    "incarnation": m.incarnation,
                    "region": m.region,
                    "addr": m.addr,
                })
            })
            .collect();
        out.insert("members".into(), members.into());
    }
    Value::Object(out)
}

/// A sync mark.
pub fn mark(place: Place<'_>, synced: LogPosition) -> Value {
    let mut out = object(place, "sync-mark");
    out.insert("synced".into(), synced.0.into());
    Value::Object(out)
}
