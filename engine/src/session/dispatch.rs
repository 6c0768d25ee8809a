//! One command: whether it may run, and running it.

use std::sync::atomic::Ordering::Relaxed;

use proto::Seq;
use proto::resp::Replies;

use super::call::Call;
use super::feed::Keys;
use super::meter::Meter;
use super::resolve::{Resolved, resolve};
use super::{Paused, ReplyMode, Server, Session};
use crate::commands::spec::{CommandSpec, FindKeys, Flags, KeySpec, Plan, Scope};
use crate::core::{Ended, LockPlan, Turn};
use crate::effect::level::LEVEL;
use crate::refusal::Refusal;

/// What running one command came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ran {
    Done {
        /// It may have written.
        wrote: bool,
    },
    /// Clients are paused: it was not run and must be tried again.
    Paused,
    /// It waits, and must be run again.
    Blocked,
    /// Not a Redis client, or a queue past its bound: close without an answer.
    Hangup,
}

const NOT_WRITTEN: Ran = Ran::Done { wrote: false };

/// Writes an error reply and counts its kind.
#[cold]
pub(super) fn answer_error(reply: &mut Replies<'_>, text: &[u8], server: &Server) {
    reply.error_bytes(text);
    server.counters.error(text);
}

/// Commands whose time is measured one by one: all that may take long.
#[inline]
fn may_be_slow(spec: &CommandSpec, args: usize, slowlog_us: i64) -> bool {
    (0..1000).contains(&slowlog_us)
        || matches!(spec.scope, Scope::Walk | Scope::Everything | Scope::Patterns)
        || args > 16
        || (matches!(spec.plan, Plan::Session(_)) && !spec.flags.has(Flags::FAST))
}

fn is_transaction_control(spec: &CommandSpec) -> bool {
    matches!(spec.name, "exec" | "discard" | "multi" | "watch" | "quit" | "reset")
}

impl Session {
    /// Runs one command; `found` and `keys` come from the batch's planning.
    #[inline]
    pub(super) fn run(
        &mut self,
        server: &Server,
        turn: &Turn,
        meter: &mut Meter,
        found: Option<Resolved>,
        args: &[&[u8]],
        keys: Keys<'_>,
        out: &mut Vec<u8>,
    ) -> Ran {
        let start = out.len();
        let mut reply = Replies::new(out, self.protocol);
        let Some(command) = found else { return self.unresolved(server, args, &mut reply) };
        let spec = command.spec;
        let plain = self.authenticated
            && self.queue.is_none()
            && self.reply == ReplyMode::On
            && server.paused(turn.now_ms).is_none()
            && !server.engine().is_loading();
        if !plain || !spec.takes(args.len()) || spec.flags.has(Flags::WRITE) {
            match self.admit(server, turn, command, args) {
                Admitted::Run => {}
                Admitted::Wait => return Ran::Paused,
                Admitted::Queue => {
                    self.enqueue(command, args);
                    reply.simple("QUEUED");
                    self.last = Some(command);
                    self.settle_reply(start, out);
                    let bound = server.config.live().query_bytes_max.load(Relaxed) as usize;
                    return if self.queue_bytes() > bound { Ran::Hangup } else { NOT_WRITTEN };
                }
                Admitted::Refuse(text) => {
                    self.reject(server, meter, command, &text, &mut reply);
                    self.settle_reply(start, out);
                    return NOT_WRITTEN;
                }
            }
        }
        self.last = Some(command);
        if self.unblocked_by_error(server, &mut reply) {
            return NOT_WRITTEN;
        }
        let wrote = spec.flags.has(Flags::WRITE) || self.queue_writes();
        let slowlog_us = server.config.live().slowlog_us.load(Relaxed);
        let began_us = may_be_slow(spec, args.len(), slowlog_us).then(|| server.host().monotonic_us());
        let mut waits = false;
        let result = match spec.plan {
            Plan::Data(plan) => {
                let locks = match (spec.scope_for(args), keys) {
                    (Scope::None, _) => LockPlan::None,
                    (Scope::Keys | Scope::Patterns, Keys::One(hash)) => LockPlan::One(hash),
                    (Scope::Keys | Scope::Patterns, Keys::Many(hashes)) => LockPlan::Many(hashes),
                    (Scope::Walk, _) => LockPlan::Walk,
                    (Scope::Everything, _) => LockPlan::Everything,
                };
                let mut unit = server.engine().begin(turn, self.db, locks);
                if let (Keys::One(hash), [KeySpec { begin, find: FindKeys::Range { last: 0, .. }, .. }]) =
                    (keys, spec.keys)
                {
                    unit.know_hash(args[*begin], hash);
                }
                if self.no_touch {
                    unit.set_touch(false);
                }
                if spec.flags.has(Flags::BLOCKING) {
                    unit.set_blocking(self.blocking(turn));
                }
                let result = plan(&mut unit, args, &mut reply);
                if spec.flags.has(Flags::BLOCKING)
                    && let Some((waiter, patience_ms)) = unit.settle_blocking()
                {
                    self.block(server, turn, Some(waiter), patience_ms);
                    waits = true;
                }
                self.note_writes(&unit.end());
                result
            }
            Plan::Session(plan) => {
                self.publish(turn.now_ms);
                let mut call =
                    Call { session: self, server, meter, turn, unit: None, census: None, waits: false };
                let result = plan(&mut call, args, &mut reply);
                waits = call.waits;
                result
            }
            Plan::Container => {
                Err(Refusal::Quoted(format!("ERR wrong number of arguments for '{}' command", spec.name)))
            }
        };
        if waits {
            return Ran::Blocked;
        }
        let us = began_us.map(|began| server.host().monotonic_us().saturating_sub(began));
        meter.ran(command, us, result.is_err(), &server.counters);
        if let Err(refusal) = result {
            reply.buffer().truncate(start);
            answer_error(&mut reply, refusal.text().as_bytes(), server);
        }
        if self.reply != ReplyMode::On {
            self.settle_reply(start, out);
        }
        if let Some((seq, members)) = self.asked.take()
            && out.len() > start
        {
            self.hold(server, turn.now_ms, start..out.len(), seq, members);
        }
        if let Some(us) = us
            && slowlog_us >= 0
            && us as i64 >= slowlog_us
            && !spec.flags.has(Flags::SKIP_SLOWLOG)
        {
            let len_max = server.config.live().slowlog_len_max.load(Relaxed) as usize;
            let who = (self.card.origin.addr.as_str(), self.name.as_str());
            server.slowlog.push(turn.now_ms, us, args, who, len_max);
        }
        Ran::Done { wrote }
    }

    /// Remembers what its commands emitted last.
    #[inline]
    pub(super) fn note_writes(&mut self, ended: &Ended) {
        self.last_write = self.last_write.max(ended.last);
        if ended.acks > 0 && ended.last > Seq(0) {
            self.asked = Some((ended.last, ended.acks));
        }
    }

    /// The checks before a command runs, in Redis' order.
    fn admit(&self, server: &Server, turn: &Turn, command: Resolved, args: &[&[u8]]) -> Admitted {
        let spec = command.spec;
        if !spec.takes(args.len()) {
            return Admitted::Refuse(command.arity_refusal());
        }
        if !self.authenticated && !spec.flags.has(Flags::NO_AUTH) {
            return Admitted::refuse("NOAUTH Authentication required.");
        }
        if self.in_multi() && spec.flags.has(Flags::NO_MULTI) {
            return Admitted::refuse("ERR Command not allowed inside a transaction");
        }
        if server.engine().is_loading() && !spec.flags.has(Flags::LOADING) {
            return Admitted::refuse("LOADING Redis is loading the dataset in memory");
        }
        let writes = spec.flags.has(Flags::WRITE) || (spec.name == "exec" && self.queue_writes());
        if writes && let Err(refusal) = server.engine().writable() {
            return Admitted::Refuse(refusal.text().as_bytes().to_vec());
        }
        if writes && server.engine().feature_level() < LEVEL && spec.level() > server.engine().feature_level()
        {
            let refusal = server.engine().refuse_level(spec.name, spec.level());
            return Admitted::Refuse(refusal.text().as_bytes().to_vec());
        }
        let grows = || spec.flags.has(Flags::DENYOOM) || (spec.name == "exec" && self.queue_grows());
        if server.has_memory_limit() && grows() && !server.make_room(turn) {
            return Admitted::refuse("OOM command not allowed when used memory > 'maxmemory'.");
        }
        match server.paused(turn.now_ms) {
            Some(Paused::All) => return Admitted::Wait,
            Some(Paused::Writes) if writes => return Admitted::Wait,
            _ => {}
        }
        if self.in_multi() && !is_transaction_control(spec) {
            return Admitted::Queue;
        }
        Admitted::Run
    }

    /// Refuses a command that exists.
    #[cold]
    fn reject(
        &mut self,
        server: &Server,
        meter: &mut Meter,
        command: Resolved,
        text: &[u8],
        reply: &mut Replies<'_>,
    ) {
        meter.rejected(command, &server.counters);
        if command.spec.name == "exec" {
            // Refusing EXEC ends its transaction.
            self.discard(server);
            let why = text.strip_prefix(b"ERR ").unwrap_or(text);
            let text = [b"EXECABORT Transaction discarded because of: ", why].concat();
            return answer_error(reply, &text, server);
        }
        self.spoil();
        answer_error(reply, text, server);
    }

    /// Answers what is no command.
    #[cold]
    fn unresolved(&mut self, server: &Server, args: &[&[u8]], reply: &mut Replies<'_>) -> Ran {
        // A browser made to talk to us.
        if args[0].eq_ignore_ascii_case(b"post") || args[0].eq_ignore_ascii_case(b"host:") {
            return Ran::Hangup;
        }
        let start = reply.buffer().len();
        if let Err(text) = resolve(args) {
            self.spoil();
            answer_error(reply, &text, server);
        }
        self.settle_reply(start, reply.buffer());
        NOT_WRITTEN
    }

    /// CLIENT REPLY OFF and SKIP: takes the answer back.
    fn settle_reply(&mut self, start: usize, out: &mut Vec<u8>) {
        match self.reply {
            ReplyMode::On => {}
            ReplyMode::Off => out.truncate(start),
            ReplyMode::SkipNext => {
                out.truncate(start);
                self.reply = ReplyMode::Skip;
            }
            ReplyMode::Skip => {
                out.truncate(start);
                self.reply = ReplyMode::On;
            }
        }
    }
}

enum Admitted {
    Run,
    Queue,
    Wait,
    Refuse(Vec<u8>),
}

impl Admitted {
    fn refuse(text: &str) -> Self {
        Admitted::Refuse(text.as_bytes().to_vec())
    }
}
