//! MULTI: the queue, and running it as one unit.

use std::sync::Arc;

use proto::resp::Replies;

use super::call::{Call, Census, InUnit};
use super::resolve::Resolved;
use super::{Server, Session};
use crate::commands::spec::{Flags, KeySpec, Plan, Scope};
use crate::core::{LockPlan, Turn};
use crate::refusal::Refusal;
use crate::state::watch::WatchFlag;

struct Queued {
    command: Resolved,
    /// End of its arguments in [`Queue::args`].
    args_end: usize,
}

/// Commands waiting for EXEC.
#[derive(Default)]
pub(super) struct Queue {
    commands: Vec<Queued>,
    /// Ends of the arguments in `text`.
    args: Vec<usize>,
    text: Vec<u8>,
    /// A command could not be queued: EXEC will refuse.
    failed: bool,
    writes: bool,
    /// Has a command that adds data.
    grows: bool,
}

impl Queue {
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Memory it takes.
    pub fn bytes(&self) -> usize {
        self.text.len() + self.args.len() * size_of::<usize>() + self.commands.len() * size_of::<Queued>()
    }

    fn push(&mut self, command: Resolved, args: &[&[u8]]) {
        for arg in args {
            self.text.extend_from_slice(arg);
            self.args.push(self.text.len());
        }
        self.writes |= command.spec.flags.has(Flags::WRITE);
        self.grows |= command.spec.flags.has(Flags::DENYOOM);
        self.commands.push(Queued { command, args_end: self.args.len() });
    }

    /// The arguments of a command, into `out`.
    fn args<'a>(&'a self, at: usize, out: &mut Vec<&'a [u8]>) {
        let first = at.checked_sub(1).map_or(0, |i| self.commands[i].args_end);
        let mut from = first.checked_sub(1).map_or(0, |i| self.args[i]);
        out.clear();
        for end in &self.args[first..self.commands[at].args_end] {
            out.push(&self.text[from..*end]);
            from = *end;
        }
    }
}

impl Session {
    pub(crate) fn in_multi(&self) -> bool {
        self.queue.is_some()
    }

    /// The transaction writes.
    pub(super) fn queue_writes(&self) -> bool {
        self.queue.as_ref().is_some_and(|q| q.writes)
    }

    /// The transaction adds data.
    pub(super) fn queue_grows(&self) -> bool {
        self.queue.as_ref().is_some_and(|q| q.grows)
    }

    pub(super) fn queue_bytes(&self) -> usize {
        self.queue.as_ref().map_or(0, |q| q.bytes())
    }

    pub(super) fn enqueue(&mut self, command: Resolved, args: &[&[u8]]) {
        if let Some(queue) = &mut self.queue
            && !queue.failed
        {
            queue.push(command, args);
        }
    }

    /// A command was refused while queueing.
    pub(super) fn spoil(&mut self) {
        if let Some(queue) = &mut self.queue {
            queue.failed = true;
        }
    }

    pub(crate) fn begin_multi(&mut self) -> Result<(), Refusal> {
        if self.queue.is_some() {
            return Err(Refusal::Text("ERR MULTI calls can not be nested"));
        }
        self.queue = Some(Box::default());
        Ok(())
    }

    /// Forgets the queue and the watches.
    pub(crate) fn discard(&mut self, server: &Server) -> bool {
        let was = self.queue.take().is_some();
        self.unwatch(server);
        was
    }

    pub(crate) fn watch(&mut self, server: &Server, turn: &Turn, keys: &[&[u8]]) -> Result<(), Refusal> {
        if self.queue.is_some() {
            return Err(Refusal::Text("ERR WATCH inside MULTI is not allowed"));
        }
        let flag = self.watch.get_or_insert_with(|| Arc::new(WatchFlag::default()));
        // What is watched after the transaction is lost anyway needs no watch.
        if !flag.is_dirty() {
            keys.iter().for_each(|key| server.engine().watch(turn, self.db, key, flag));
        }
        Ok(())
    }
}

/// What EXEC must lock.
#[derive(Default)]
struct Wanted {
    everything: bool,
    hashes: Vec<u64>,
    census: bool,
}

fn wanted(queue: &Queue, watch: Option<&WatchFlag>, server: &Server) -> Wanted {
    let engine = server.engine();
    let mut wanted = Wanted::default();
    let (mut args, mut keys) = (Vec::new(), Vec::<(usize, &'static KeySpec)>::new());
    for (at, queued) in queue.commands.iter().enumerate() {
        let spec = queued.command.spec;
        queue.args(at, &mut args);
        match spec.scope_for(&args) {
            Scope::Everything | Scope::Walk => wanted.everything = true,
            Scope::Keys | Scope::Patterns => {
                keys.clear();
                spec.key_positions(&args, &mut keys);
                wanted.hashes.extend(keys.iter().map(|(at, _)| engine.key_hash(args[*at])));
            }
            Scope::None => {}
        }
        match spec.name {
            "info" | "resetstat" | "stats" => wanted.census = true,
            // DEBUG OBJECT reads a key that its specification does not name.
            "debug" => wanted.hashes.extend(args.get(2).map(|key| engine.key_hash(key))),
            _ => {}
        }
    }
    // Watched keys are held too: two transactions that each watch what the other writes must not both pass.
    if let Some(flag) = watch {
        wanted.hashes.extend(flag.hashes(|key| engine.key_hash(key)));
    }
    wanted
}

/// EXEC.
pub(crate) fn exec(call: &mut Call<'_>, reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let Call { session, server, turn, meter, .. } = call;
    let (server, turn) = (*server, *turn);
    let Some(queue) = session.queue.take() else { return Err(Refusal::Text("ERR EXEC without MULTI")) };
    if queue.failed {
        session.unwatch(server);
        return Err(Refusal::Text("EXECABORT Transaction discarded because of previous errors."));
    }
    let engine = server.engine();
    let watch = session.watch.take();
    let wanted = wanted(&queue, watch.as_deref(), server);
    let census = wanted.census.then(|| Census::take(engine));
    let plan = if wanted.everything {
        LockPlan::Everything
    } else if wanted.hashes.is_empty() {
        LockPlan::None
    } else {
        LockPlan::Many(&wanted.hashes)
    };
    let mut unit = engine.begin(turn, session.db, plan);
    if !watch.as_ref().is_some_and(|flag| unit.watch_failed(flag)) {
        reply.array(queue.len());
        let mut args = Vec::new();
        for at in 0..queue.len() {
            queue.args(at, &mut args);
            let command = queue.commands[at].command;
            session.last = Some(command);
            let start = reply.buffer().len();
            let result = match command.spec.plan {
                Plan::Data(plan) => {
                    unit.set_touch(!session.no_touch);
                    plan(&mut unit, &args, reply)
                }
                Plan::Session(plan) => {
                    let inner: &mut dyn InUnit = &mut unit;
                    let mut inner = Call {
                        session,
                        server,
                        meter,
                        turn,
                        unit: Some(inner),
                        census: census.as_ref(),
                        waits: false,
                    };
                    let result = plan(&mut inner, &args, reply);
                    unit.set_db(session.db);
                    result
                }
                Plan::Container => {
                    unreachable!("containers are resolved to subcommands before they are queued")
                }
            };
            meter.ran(command, None, result.is_err(), &server.counters);
            if let Err(refusal) = result {
                reply.buffer().truncate(start);
                super::dispatch::answer_error(reply, refusal.text().as_bytes(), server);
            }
        }
    } else {
        reply.null_array();
    }
    session.note_writes(&unit.end());
    if let Some(flag) = watch {
        engine.unwatch(&flag);
    }
    Ok(())
}
