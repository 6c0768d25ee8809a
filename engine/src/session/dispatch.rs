//! From a parsed command to its plan: lookup, arity, authentication, queueing, locks.

use std::sync::Arc;

use proto::resp::Replies;
use smallvec::SmallVec;

use super::{Call, Queued, ReplyMode, Server, Session, is_single_key};
use crate::commands::{self, CommandSpec, Flags, Plan, Scope};
use crate::core::{LockPlan, Turn, Unit};
use crate::refusal::Refusal;

/// Most of a client's text quoted in an error.
const QUOTED_MAX: usize = 128;

impl Session {
    pub(super) fn command(
        &mut self,
        server: &Arc<Server>,
        turn: &Turn,
        spec: Option<&'static CommandSpec>,
        args: &[&[u8]],
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        if let Err(refusal) = self.attempt(server, turn, spec, args, out) {
            if self.transaction.is_some()
                && !matches!(
                    refusal,
                    Refusal::Text(
                        crate::commands::transactions::NESTED | crate::commands::transactions::WATCH_INSIDE
                    )
                )
            {
                if let Some(transaction) = &mut self.transaction {
                    transaction.broken = true;
                }
            }
            out.truncate(start);
            server.stats().errors.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Replies::new(out, self.protocol).error(&refusal.text());
        }
        match self.reply_mode {
            ReplyMode::On => {}
            ReplyMode::SkipNext => {
                out.truncate(start);
                self.reply_mode = ReplyMode::Skip;
            }
            ReplyMode::Skip => {
                out.truncate(start);
                self.reply_mode = ReplyMode::On;
            }
            ReplyMode::Off => out.truncate(start),
        }
    }

    fn attempt(
        &mut self,
        server: &Arc<Server>,
        turn: &Turn,
        spec: Option<&'static CommandSpec>,
        args: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let spec = match resolve(spec, args) {
            Ok(spec) => spec,
            // Nothing is told to strangers.
            Err(_) if !self.authenticated => return Err(Refusal::NoAuth),
            Err(refusal) => return Err(refusal),
        };
        if !self.authenticated && !spec.flags.has(Flags::NO_AUTH) {
            return Err(Refusal::NoAuth);
        }
        self.client.note_command(turn.now_ms, self.db, spec);
        if self.transaction.is_some() && !commands::transactions::runs_at_once(spec) {
            return self.queue(server, spec, args, out);
        }
        if spec.flags.has(Flags::WRITE) {
            server.engine().writable()?;
        }
        self.execute(server, turn, spec, args, out)
    }

    fn queue(
        &mut self,
        server: &Server,
        spec: &'static CommandSpec,
        args: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        if spec.flags.has(Flags::NO_MULTI) {
            return Err(Refusal::Text("ERR Command not allowed inside a transaction"));
        }
        if spec.flags.has(Flags::WRITE) {
            server.engine().writable()?;
        }
        let Some(transaction) = &mut self.transaction else { return Ok(()) };
        let bytes: usize = args.iter().map(|a| a.len() + 32).sum();
        if transaction.bytes + bytes > server.query_bytes_max() {
            return Err(Refusal::Text("ERR transaction is larger than client-query-buffer-limit"));
        }
        transaction.bytes += bytes;
        transaction.queue.push(Queued { spec, args: args.iter().map(|a| a.to_vec()).collect() });
        Replies::new(out, self.protocol).simple("QUEUED");
        Ok(())
    }

    /// Runs one command that is not queued.
    fn execute(
        &mut self,
        server: &Arc<Server>,
        turn: &Turn,
        spec: &'static CommandSpec,
        args: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let engine = server.engine();
        match spec.plan {
            Plan::Data(plan) => {
                let mut reply = Replies::new(out, self.protocol);
                if is_single_key(spec) {
                    let hash = engine.key_hash(args[spec.keys[0].begin]);
                    let mut unit = engine.begin(turn, self.db, LockPlan::One(hash));
                    return plan(&mut unit, args, &mut reply);
                }
                let mut hashes: SmallVec<[u64; 16]> = SmallVec::new();
                let lock = match spec.scope {
                    Scope::None => LockPlan::None,
                    Scope::Walk => LockPlan::Walk,
                    Scope::Everything => LockPlan::Everything,
                    Scope::Keys => {
                        key_hashes(server, spec, args, &mut hashes);
                        LockPlan::Many(&hashes)
                    }
                };
                let mut unit = engine.begin(turn, self.db, lock);
                plan(&mut unit, args, &mut reply)
            }
            Plan::Session(plan) => self.call(server, turn, plan, args, out),
            Plan::Container => Err(Refusal::Arity(spec.name.into())),
        }
    }

    fn call(
        &mut self,
        server: &Arc<Server>,
        turn: &Turn,
        plan: commands::spec::SessionPlan,
        args: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let protocol = self.protocol;
        let mut reply = Replies::new(out, protocol);
        plan(&mut Call { session: self, server, turn: *turn }, args, &mut reply)
    }

    /// EXEC: all queued commands over one set of locks. `None`: a watched key changed.
    pub(crate) fn run_queue(
        &mut self,
        server: &Arc<Server>,
        turn: &Turn,
        queue: &[Queued],
        reply: &mut Replies<'_>,
    ) -> Option<()> {
        let engine = server.engine().clone();
        let mut hashes: SmallVec<[u64; 16]> = SmallVec::new();
        let mut everything = false;
        for queued in queue {
            let args: SmallVec<[&[u8]; 16]> = queued.args.iter().map(Vec::as_slice).collect();
            everything |= matches!(queued.spec.plan, Plan::Data(_))
                && matches!(queued.spec.scope, Scope::Walk | Scope::Everything);
            key_hashes(server, queued.spec, &args, &mut hashes);
        }
        if let Some(flag) = &self.watch {
            hashes.extend(flag.hashes(|key| engine.key_hash(key)));
        }
        let lock = if everything { LockPlan::Everything } else { LockPlan::Many(&hashes) };
        let mut unit: Option<Unit<'_>> = Some(engine.begin(turn, self.db, lock));
        if let (Some(flag), Some(unit)) = (&self.watch, &mut unit)
            && unit.watch_failed(flag)
        {
            return None;
        }
        reply.array(queue.len());
        for queued in queue {
            let args: SmallVec<[&[u8]; 16]> = queued.args.iter().map(Vec::as_slice).collect();
            let start = reply.buffer().len();
            let outcome = match queued.spec.plan {
                Plan::Data(plan) => {
                    let unit = unit.get_or_insert_with(|| engine.begin(turn, self.db, lock));
                    unit.set_touch(true);
                    plan(unit, &args, reply)
                }
                Plan::Session(plan) => {
                    if queued.spec.scope == Scope::Walk {
                        // It looks at every shard itself, and must find them free.
                        unit = None;
                    }
                    let outcome = plan(&mut Call { session: self, server, turn: *turn }, &args, reply);
                    reply.set_protocol(self.protocol);
                    if let Some(unit) = &mut unit {
                        unit.set_db(self.db);
                    }
                    outcome
                }
                Plan::Container => Err(Refusal::Arity(queued.spec.name.into())),
            };
            if let Err(refusal) = outcome {
                reply.buffer().truncate(start);
                reply.error(&refusal.text());
            }
        }
        Some(())
    }
}

fn key_hashes(server: &Server, spec: &'static CommandSpec, args: &[&[u8]], out: &mut SmallVec<[u64; 16]>) {
    let mut positions = Vec::new();
    spec.key_positions(args, &mut positions);
    out.extend(positions.iter().map(|(at, _)| server.engine().key_hash(args[*at])));
}

/// Finds the subcommand and checks the number of arguments.
fn resolve(spec: Option<&'static CommandSpec>, args: &[&[u8]]) -> Result<&'static CommandSpec, Refusal> {
    let Some(spec) = spec else { return Err(unknown_command(args)) };
    if spec.subcommands.is_empty() || args.len() < 2 && !matches!(spec.plan, Plan::Container) {
        if !spec.takes(args.len()) {
            return Err(Refusal::Arity(spec.name.into()));
        }
        return Ok(spec);
    }
    let Some(name) = args.get(1) else { return Err(Refusal::Arity(spec.name.into())) };
    match commands::subcommand(spec, name) {
        Some(sub) if sub.takes(args.len()) => Ok(sub),
        Some(sub) => Err(Refusal::Arity(format!("{}|{}", spec.name, sub.name))),
        None => {
            let name = quoted(name, QUOTED_MAX);
            let container = spec.name.to_uppercase();
            Err(Refusal::Quoted(format!("ERR unknown subcommand '{name}'. Try {container} HELP.")))
        }
    }
}

fn unknown_command(args: &[&[u8]]) -> Refusal {
    let name = quoted(args[0], QUOTED_MAX);
    let mut preview = String::new();
    for arg in &args[1..] {
        if preview.len() >= QUOTED_MAX {
            break;
        }
        let room = QUOTED_MAX - preview.len();
        preview.push_str(&format!("'{}' ", quoted(arg, room)));
    }
    Refusal::Quoted(format!("ERR unknown command '{name}', with args beginning with: {preview}"))
}

/// A client's text inside an error: cut, invalid bytes replaced, line breaks made spaces by the writer.
fn quoted(text: &[u8], max: usize) -> String {
    String::from_utf8_lossy(&text[..text.len().min(max)]).into_owned()
}
