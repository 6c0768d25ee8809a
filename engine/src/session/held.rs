//! Replies that wait for peers: a rule with `acks = n` lets the answer of a write leave once n other members hold it.
//!
//! The commands themselves do not wait: the client's next ones run, and their replies queue up behind, so a pipeline costs one round
//! trip. When the time of a write is up its reply becomes an error; the write stands.
//!
//! Invariants: replies leave in the order of their commands. What is held is bounded: past the bound no further command of the
//! client runs.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;

use proto::Seq;

use super::{Server, Session};
use crate::core::{Purpose, Until};

/// A write and its reply.
struct Gate {
    /// Place of the reply in the turn's buffer, then in what is held.
    reply: Range<usize>,
    seq: Seq,
    members: u32,
    deadline_ms: u64,
}

/// What a session holds back.
#[derive(Default)]
pub(super) struct Held {
    bytes: Vec<u8>,
    /// In the order of their replies.
    gates: VecDeque<Gate>,
    /// Of this turn: not yet in `bytes`.
    fresh: Vec<Gate>,
    /// Where in the turn's buffer what was released ends.
    released: usize,
}

impl Held {
    pub fn deadline_ms(&self) -> u64 {
        self.gates.front().map_or(u64::MAX, |gate| gate.deadline_ms)
    }
}

impl Session {
    /// The reply at `reply` of the turn's buffer belongs to a write that so many other members must hold.
    pub(super) fn hold(&mut self, server: &Server, now_ms: u64, reply: Range<usize>, seq: Seq, members: u32) {
        let patience_ms = match server.config.live().acks_timeout_ms.load(Relaxed) {
            0 => u64::MAX,
            ms => ms,
        };
        let deadline_ms = now_ms.saturating_add(patience_ms);
        let held = self.held.get_or_insert_with(Box::default);
        held.fresh.push(Gate { reply, seq, members, deadline_ms });
        server.acked_writes.fetch_add(1, Relaxed);
    }

    /// Bytes of replies held back.
    #[inline]
    pub fn held_bytes(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.bytes.len())
    }

    /// Replies are held back.
    #[inline]
    pub fn holds_replies(&self) -> bool {
        self.held.is_some()
    }

    /// Appends the replies that may leave now to the turn's buffer, before anything else of this client. Call when a turn begins.
    #[inline]
    pub fn release(&mut self, server: &Server, now_ms: u64, out: &mut Vec<u8>) {
        if self.held.is_some() {
            self.release_some(server, now_ms, out);
        }
    }

    fn release_some(&mut self, server: &Server, now_ms: u64, out: &mut Vec<u8>) {
        let Some(held) = &mut self.held else { return };
        let mut done = 0;
        while let Some(gate) = held.gates.front() {
            let (seq, members) = (gate.seq, gate.members as usize);
            let reached = server.engine().is_reached(&Until::Members { seq, members });
            if !reached && now_ms < gate.deadline_ms {
                break;
            }
            if reached {
                out.extend_from_slice(&held.bytes[done..gate.reply.end]);
            } else {
                out.extend_from_slice(&held.bytes[done..gate.reply.start]);
                let have = server.engine().members_holding(seq);
                let text = format!(
                    "NOACK {have} of the {members} other members that the key's rule asks for have this write by now; it \
                     stands on this node and will reach them. Do not send it again"
                );
                out.extend_from_slice(format!("-{text}\r\n").as_bytes());
                server.counters.error(text.as_bytes());
                server.acks_missed.fetch_add(1, Relaxed);
            }
            done = gate.reply.end;
            held.gates.pop_front();
        }
        if held.gates.is_empty() {
            // Up to here everything waited for the last gate only.
            out.extend_from_slice(&held.bytes[done..]);
            server.engine().forget_wait(self.card.id, Purpose::Replies);
            self.held = None;
            return;
        }
        // What stands between two writes waited for the first.
        if let Some(next) = held.gates.front() {
            out.extend_from_slice(&held.bytes[done..next.reply.start]);
            done = next.reply.start;
        }
        held.bytes.drain(..done);
        for gate in &mut held.gates {
            gate.reply = gate.reply.start - done..gate.reply.end - done;
        }
        held.released = out.len();
    }

    /// Takes the client's part of the turn's replies and returns the part that may leave now. Call when the log has the turn.
    #[inline]
    pub fn hold_back(&mut self, server: &Server, all: &[u8], part: Range<usize>) -> Range<usize> {
        if self.held.is_none() { part } else { self.hold_some_back(server, all, part) }
    }

    fn hold_some_back(&mut self, server: &Server, all: &[u8], part: Range<usize>) -> Range<usize> {
        let Some(held) = &mut self.held else { return part };
        let free = match held.fresh.first() {
            _ if !held.gates.is_empty() => held.released.clamp(part.start, part.end),
            Some(first) => first.reply.start,
            None => part.end,
        };
        held.released = 0;
        let moved = held.bytes.len();
        held.bytes.extend_from_slice(&all[free..part.end]);
        for gate in held.fresh.drain(..) {
            let reply = gate.reply.start - free + moved..gate.reply.end - free + moved;
            held.gates.push_back(Gate { reply, ..gate });
        }
        let Some(first) = held.gates.front() else {
            self.held = None;
            return part;
        };
        let until = Until::Members { seq: first.seq, members: first.members as usize };
        let (reactor, client) = (self.card.origin.reactor, self.card.id);
        if !server.engine().await_peers(reactor, client, Purpose::Replies, until) {
            // Reached already: looked at in the next turn.
            server.engine().wake_client(reactor, client);
        }
        part.start..free
    }

    /// Forgets what is held: it will never be sent.
    pub(super) fn drop_held(&mut self, server: &Server) {
        if self.held.take().is_some() {
            server.engine().forget_wait(self.card.id, Purpose::Replies);
        }
    }
}
