//! Effects on streams, for people and as JSON.

use std::fmt::Write;

use engine::effect::StreamOp;
use engine::effect::streams::{Advance, Read, WholeStream};
use engine::state::stream::{Cursor, Marks, StreamId};
use serde_json::{Value, json};

use super::text;

/// Ids that are shown on a line unless all are asked for.
const SHOWN_IDS: usize = 8;

fn cursor_text(cursor: &Cursor) -> String {
    let slots: Vec<String> = cursor.slots.iter().map(|(_, id)| id.to_string()).collect();
    if slots.is_empty() { cursor.floor.to_string() } else { format!("{} {}", cursor.floor, slots.join(" ")) }
}

fn read_text(read: Read) -> String {
    match read {
        Read::By(n) => format!("+{n}"),
        Read::To(Some(n)) => n.to_string(),
        Read::To(None) => "unknown".into(),
    }
}

fn ids_line(out: &mut String, ids: impl ExactSizeIterator<Item = String>, full: bool) -> std::fmt::Result {
    let count = ids.len();
    let shown = if full { count } else { SHOWN_IDS };
    for id in ids.take(shown) {
        write!(out, " {id}")?;
    }
    if count > shown { write!(out, " … ({count} ids)") } else { Ok(()) }
}

fn texts(ids: impl Iterator<Item = StreamId>) -> std::vec::IntoIter<String> {
    ids.map(|id| id.to_string()).collect::<Vec<_>>().into_iter()
}

/// A whole stream, on a line.
pub fn whole_line(out: &mut String, whole: &WholeStream<'_>) -> std::fmt::Result {
    let stream = whole.value();
    write!(out, " {} entries, last {}", stream.len(), stream.last_id())?;
    for (name, group) in stream.groups() {
        write!(out, " group {} at {}", text::quoted(name), group.last())?;
    }
    Ok(())
}

/// A whole stream, as JSON.
pub fn whole_json(whole: &WholeStream<'_>, put: &mut dyn FnMut(&str, Value)) {
    let stream = whole.value();
    put("entries", stream.len().into());
    put("last", stream.last_id().to_string().into());
    put("groups", stream.groups().map(|(name, _)| Value::from(text::escaped(name))).collect());
}

/// An effect on a stream, on a line.
pub fn line(out: &mut String, op: &StreamOp<'_>, full: bool) -> std::fmt::Result {
    match op {
        StreamOp::Add { id, fields, upto } => {
            write!(out, " {id}")?;
            super::effect_line::list_pairs(out, fields, full)?;
            if *upto > StreamId::MIN { write!(out, " trims to {upto}") } else { Ok(()) }
        }
        StreamOp::Remove(ids) => ids_line(out, texts(ids.iter()), full),
        StreamOp::Trim { upto } => write!(out, " to {upto}"),
        StreamOp::Set(Marks { last, added, deleted, .. }) => {
            write!(out, " last={last} added={added} deleted={deleted}")
        }
        StreamOp::GroupSet { group, head, fresh } => {
            let new = if *fresh { "new " } else { "" };
            write!(out, " {new}{} at {}", text::quoted(group), cursor_text(&head.cursor))?;
            head.read.map_or(Ok(()), |read| write!(out, " read={read}"))
        }
        StreamOp::GroupDrop { group } => write!(out, " {}", text::quoted(group)),
        StreamOp::Deliver(deliver) => {
            write!(out, " {} to {}", text::quoted(deliver.group), text::quoted(deliver.consumer))?;
            if let Some(Advance { cursor, read }) = &deliver.advance {
                write!(out, " reads on to {} ({})", cursor_text(cursor), read_text(*read))?;
            }
            let entries: Vec<String> =
                deliver.entries.iter().map(|(id, count)| format!("{id}×{count}")).collect();
            ids_line(out, entries.into_iter(), full)
        }
        StreamOp::Ack { group, ids } => {
            write!(out, " {}", text::quoted(group))?;
            ids_line(out, texts(ids.iter()), full)
        }
        StreamOp::ConsumerDrop { group, consumer, ids } => {
            write!(out, " {} of {}", text::quoted(consumer), text::quoted(group))?;
            ids_line(out, texts(ids.iter()), full)
        }
    }
}

fn id_json(id: StreamId) -> Value {
    id.to_string().into()
}

fn cursor_json(cursor: &Cursor) -> Value {
    let slots: Value = cursor.slots.iter().map(|(slot, id)| json!([slot, id.to_string()])).collect();
    json!({"floor": cursor.floor.to_string(), "slots": slots})
}

/// An effect on a stream, as JSON.
pub fn json(op: &StreamOp<'_>, put: &mut dyn FnMut(&str, Value)) {
    let ids = |ids: &mut dyn Iterator<Item = StreamId>| -> Value { ids.map(id_json).collect() };
    match op {
        StreamOp::Add { id, fields, upto } => {
            put("id", id_json(*id));
            put("fields", super::effect_json::list_pairs(fields));
            if *upto > StreamId::MIN {
                put("upto", id_json(*upto));
            }
        }
        StreamOp::Remove(list) => put("ids", ids(&mut list.iter())),
        StreamOp::Trim { upto } => put("upto", id_json(*upto)),
        StreamOp::Set(marks) => {
            put("last", id_json(marks.last));
            put("added", marks.added.into());
            put("deleted", id_json(marks.deleted));
        }
        StreamOp::GroupSet { group, head, fresh } => {
            put("group", text::escaped(group).into());
            put("new", (*fresh).into());
            put("cursor", cursor_json(&head.cursor));
            put("read", head.read.map_or(Value::Null, Into::into));
        }
        StreamOp::GroupDrop { group } => put("group", text::escaped(group).into()),
        StreamOp::Deliver(deliver) => {
            put("group", text::escaped(deliver.group).into());
            put("consumer", text::escaped(deliver.consumer).into());
            put("seen_ms", deliver.seen_ms.into());
            put("time_ms", deliver.time_ms.into());
            if let Some(advance) = &deliver.advance {
                put("cursor", cursor_json(&advance.cursor));
                put("read", read_text(advance.read).into());
            }
            let entries = deliver.entries.iter().map(|(id, count)| json!([id.to_string(), count]));
            put("entries", entries.collect());
        }
        StreamOp::Ack { group, ids: list } => {
            put("group", text::escaped(group).into());
            put("ids", ids(&mut list.iter()));
        }
        StreamOp::ConsumerDrop { group, consumer, ids: list } => {
            put("group", text::escaped(group).into());
            put("consumer", text::escaped(consumer).into());
            put("ids", ids(&mut list.iter()));
        }
    }
}
