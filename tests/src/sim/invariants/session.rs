//! What a client of one node may rely on: it reads its own writes, reads never go back, its writes keep their order, and
//! what it writes after a read is shown nowhere without what it read.
//!
//! Each client counts up a number of its own (`s:<client>`); others read it, and note what they saw (`w:<reader>:<client>`).
//! Nobody else writes these keys, so on any node, at any moment, the number may not be below a note of it.

use std::collections::BTreeMap;

use proto::resp::Value;

use crate::sim::client::Script;
use crate::sim::node::Process;
use crate::sim::world::World;

/// What an answer is to be compared with.
pub enum Probe {
    /// `SET s:<own>`.
    Wrote(u64),
    /// `GET s:<own>`.
    Own,
    /// `GET s:<client>`.
    Other(String),
    /// EXEC of `GET w:<reader>:<client>`, `GET s:<client>`.
    Note,
}

/// Per client the highest number that this process has shown.
#[derive(Default)]
pub struct Memory {
    seen: BTreeMap<String, u64>,
}

/// Adds a probe of client `at` to its script.
pub fn draw(process: &mut Process, at: usize, names: &[String], script: &mut Script) {
    let client = &mut process.clients[at];
    let own = client.name.clone();
    let other = match names.len() {
        0 => own.clone(),
        n => names[client.random.index(n)].clone(),
    };
    match client.random.index(4) {
        0 | 1 => {
            client.wrote += 1;
            let number = client.wrote;
            script.probes.push((script.lines.len(), Probe::Wrote(number)));
            script.push(format!("SET s:{own} {number}"));
            script.probes.push((script.lines.len(), Probe::Own));
            script.push(format!("GET s:{own}"));
        }
        2 => {
            script.probes.push((script.lines.len(), Probe::Other(other.clone())));
            script.push(format!("GET s:{other}"));
        }
        _ => {
            let reader = match names.len() {
                0 => own,
                n => names[client.random.index(n)].clone(),
            };
            script.push("MULTI");
            script.push(format!("GET w:{reader}:{other}"));
            script.push(format!("GET s:{other}"));
            script.probes.push((script.lines.len(), Probe::Note));
            script.push("EXEC");
        }
    }
}

fn number(value: Option<&Value>) -> Option<u64> {
    match value {
        Some(Value::Bulk(text)) => std::str::from_utf8(text).ok()?.parse().ok(),
        Some(Value::Null) => Some(0),
        _ => None,
    }
}

/// The answers of a turn were sent.
pub fn answered(world: &mut World, slot: usize, at: usize, script: &Script, replies: &[Value]) {
    for (line, probe) in &script.probes {
        let reply = replies.get(*line);
        let Some(process) = &mut world.slots[slot].process else { return };
        let client = &mut process.clients[at];
        let name = client.name.clone();
        match probe {
            Probe::Wrote(number) => {
                if matches!(reply, Some(Value::Simple(_))) {
                    client.acknowledged = *number;
                    if *number == 1 {
                        world.names.push(name);
                    }
                }
            }
            Probe::Own => {
                let (least, most) = (client.acknowledged, client.wrote);
                let Some(read) = number(reply) else { continue };
                if read < least || read > most {
                    return world.violate(
                        "session",
                        format!("{name} on n{slot} wrote {least}..{most} and reads {read}"),
                    );
                }
                seen(world, slot, &name, read);
            }
            Probe::Other(other) => {
                let Some(read) = number(reply) else { continue };
                seen(world, slot, other, read);
                if read > 0 {
                    note(world, slot, at, other, read);
                }
            }
            Probe::Note => {
                let Some(Value::Array(both)) = reply else { continue };
                let (noted, read) = (number(both.first()), number(both.get(1)));
                if let (Some(noted), Some(read)) = (noted, read)
                    && read < noted
                {
                    let text = format!("n{slot} shows a note of {noted}, and only {read}");
                    return world.violate("session", text);
                }
            }
        }
    }
}

/// Reads never go back.
fn seen(world: &mut World, slot: usize, client: &str, read: u64) {
    let highest = world.slots[slot].watched.session.seen.entry(client.to_owned()).or_default();
    if read < *highest {
        let text = format!("n{slot} showed {highest} of {client}, now {read}");
        return world.violate("session", text);
    }
    *highest = read;
}

/// What was read is written down in the client's next turn.
fn note(world: &mut World, slot: usize, at: usize, other: &str, read: u64) {
    if let Some(process) = &mut world.slots[slot].process {
        let client = &mut process.clients[at];
        client.notes.push(format!("SET w:{}:{other} {read}", client.name));
    }
}
