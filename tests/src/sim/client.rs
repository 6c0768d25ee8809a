//! Clients: sessions on one node each, whose commands are drawn, run in turns and answered after the log took them.

use engine::core::{Fsync, POLICIES, Policy, Pool};
use engine::replication::Replica;
use engine::session::{Flow, Origin, Server, Session};
use proto::Seq;
use proto::resp::Value;

use super::MS;
use super::invariants::session::{self, Probe};
use super::node::Process;
use super::plan::Plan;
use super::workload::{Draw, FAMILIES};
use super::world::World;
use crate::random::Random;

/// Commands of one client in a turn at most.
const PIPELINE: u64 = 3;
/// Ids of entries that a client remembers.
const IDS_KEPT: usize = 12;
/// Keys looked at for one that is evicted.
const SAMPLES: usize = 3;

/// One connection. Its name is unique in the run: with the process it ends.
pub struct Client {
    pub name: String,
    pub session: Session,
    pub random: Random,
    /// The last number it wrote to its own probe, and the last it was told yes for.
    pub wrote: u64,
    pub acknowledged: u64,
    /// What it read of others and writes down next.
    pub notes: Vec<String>,
    /// Ids of entries that it was told last.
    pub ids: Vec<String>,
}

/// What a client sends at once, and what is to be made of the answers.
#[derive(Default)]
pub struct Script {
    pub lines: Vec<String>,
    pub probes: Vec<(usize, Probe)>,
}

impl Script {
    pub fn push(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }
}

impl Client {
    pub fn new(server: &Server, boot: u64, at: usize, wall_ms: u64) -> Self {
        Client {
            name: format!("{boot}.{at}"),
            session: Session::new(server, Origin::default(), wall_ms),
            random: Random::new(boot << 8 ^ at as u64),
            wrote: 0,
            acknowledged: 0,
            notes: Vec::new(),
            ids: Vec::new(),
        }
    }

    /// Keeps the ids that an answer names.
    fn remember(&mut self, reply: &Value) {
        match reply {
            Value::Bulk(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                let is_id = text.split_once('-').is_some_and(|(ms, seq)| {
                    [ms, seq].iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
                });
                if is_id && !self.ids.iter().any(|id| *id == text) {
                    self.ids.push(text.into_owned());
                    let surplus = self.ids.len().saturating_sub(IDS_KEPT);
                    self.ids.drain(..surplus);
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.remember(value)),
            _ => {}
        }
    }
}

/// RESP of one line of words.
fn encode(line: &str, out: &mut Vec<u8>) {
    let words: Vec<&str> = line.split(' ').collect();
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
}

impl World {
    /// A turn of a node: one client, sometimes two, each with a few commands, one write of the log, then the answers.
    pub fn client_turn(&mut self, slot: usize, client: usize) {
        let Some(mut process) = self.slots[slot].process.take() else { return };
        let wall_ms = self.wall_ms(slot);
        process.host.set(wall_ms, self.now);
        let mut taking_part = vec![client];
        if process.clients.len() > 1 && process.random.index(4) == 0 {
            taking_part.push((client + 1) % process.clients.len());
        }
        self.press(slot, &mut process, wall_ms);
        let mut answers = Vec::new();
        for at in taking_part {
            let script = self.draw(&mut process, at);
            let (replies, open) = self.feed(slot, &mut process, at, &script, wall_ms);
            answers.push((at, script, replies, open));
        }
        let own = process.engine.node();
        let before = process.engine.frontier().seq(own);
        let written = process.engine.end_turn();
        let taken = process.engine.ack().own;
        let (engine, fsync) = (process.engine.clone(), process.engine.fsync());
        self.slots[slot].process = Some(process);
        // What the log took is known before anybody is told.
        self.look(slot);
        match written {
            Ok(()) if !self.slots[slot].disk.stopped() => {
                if let Some(origin) = self.ledger.origins.get_mut(&own) {
                    origin.acknowledged = origin.acknowledged.max(taken);
                }
                if fsync == Fsync::Always && engine.frontier().seq(own) > before {
                    self.slots[slot].durable = self.slots[slot].logged.clone();
                }
                for (at, script, replies, open) in answers {
                    session::answered(self, slot, at, &script, &replies);
                    if !open {
                        self.reconnect(slot, at);
                    }
                }
            }
            _ => answers.iter().for_each(|(at, ..)| self.reconnect(slot, *at)),
        }
        self.wake_senders(slot);
        self.notice_broken_log(slot);
    }

    /// Memory is short, now and then: a key goes.
    fn press(&mut self, slot: usize, process: &mut Process, wall_ms: u64) {
        let plan = &self.plan;
        if plan.evict_per_mille == 0 || process.random.below(1000) >= plan.evict_per_mille {
            return;
        }
        let (engine, mut pool) = (&process.engine, Pool::default());
        let name = POLICIES[plan.evict_policy];
        if let Some(policy) = Policy::at(plan.evict_policy)
            && engine.writable().is_ok()
            && engine.evict_one(&engine.turn(wall_ms), policy, SAMPLES, &mut pool)
        {
            self.summary.evicted_keys += 1;
            self.note(|| format!("n{slot} frees memory by {name}"));
        }
    }

    /// Runs a script's lines; what was answered, and whether the connection is still open.
    fn feed(
        &mut self,
        slot: usize,
        process: &mut Process,
        at: usize,
        script: &Script,
        wall_ms: u64,
    ) -> (Vec<Value>, bool) {
        let mut input = Vec::new();
        script.lines.iter().for_each(|line| encode(line, &mut input));
        let turn = process.engine.turn(wall_ms);
        let (mut out, mut done, mut open) = (Vec::new(), 0, true);
        while done < input.len() && open {
            let session = &mut process.clients[at].session;
            let fed = session.feed(&process.server, &turn, &mut process.lane, &input[done..], &mut out);
            done += fed.consumed;
            self.summary.commands += fed.commands as u64;
            open = !matches!(fed.flow, Flow::Close | Flow::Hangup);
            assert!(fed.consumed > 0 || !open, "whole commands are taken");
        }
        let mut replies = Vec::new();
        let mut rest = &out[..];
        while let Some((value, bytes)) = Value::decode(rest).expect("replies are RESP") {
            process.clients[at].remember(&value);
            replies.push(value);
            rest = &rest[bytes..];
        }
        self.note(|| {
            format!("n{slot} {}: {} -> {replies:?}", process.clients[at].name, script.lines.join("; "))
        });
        (replies, open)
    }

    fn reconnect(&mut self, slot: usize, at: usize) {
        let wall_ms = self.wall_ms(slot);
        let Some(process) = &mut self.slots[slot].process else { return };
        let client = &mut process.clients[at];
        client.session.close(&process.server);
        client.session = Session::new(&process.server, Origin::default(), wall_ms);
    }

    fn draw(&mut self, process: &mut Process, at: usize) -> Script {
        let plan = &self.plan;
        let mut script = Script::default();
        process.clients[at].notes.drain(..).for_each(|line| script.push(line));
        let lines = 1 + process.clients[at].random.below(PIPELINE);
        let ms = self.now / MS;
        for _ in 0..lines {
            let chance = process.clients[at].random.below(1000);
            if chance < plan.probe_per_mille {
                session::draw(process, at, &self.names, &mut script);
            } else if chance < plan.probe_per_mille + plan.transaction_per_mille {
                let client = &mut process.clients[at];
                script.push("MULTI");
                for _ in 0..1 + client.random.below(3) {
                    let line = draw_line(client, plan, ms);
                    script.push(line);
                }
                // The same member on both sides, or on neither, wherever anybody looks.
                let token = format!("{}.{}", client.name, client.random.below(1 << 40));
                script.push(format!("SADD pair:a {token}"));
                script.push(format!("SADD pair:b {token}"));
                script.push(if client.random.index(10) == 0 { "DISCARD" } else { "EXEC" });
            } else {
                let client = &mut process.clients[at];
                script.push(draw_line(client, plan, ms));
            }
        }
        script
    }

    /// Everything staged was taken by the log.
    pub fn is_written(&self, slot: usize) -> bool {
        self.slots[slot].process.as_ref().is_some_and(|p| {
            let own: Seq = p.engine.ack().own;
            p.engine.frontier().seq(p.engine.node()) == own
        })
    }
}

fn draw_line(client: &mut Client, plan: &Plan, ms: u64) -> String {
    let (random, ids) = (&mut client.random, &client.ids[..]);
    let family = plan.families[random.index(plan.families.len())];
    (FAMILIES[family].draw)(&mut Draw { random, keys: plan.keys, mixed: plan.mixed_types, ms, ids })
}
