//! Sessions: one client's conversation, from bytes to bytes.
//!
//! [`Session::feed`] parses what has arrived, brings the keys of all complete commands near, then runs them in order, writing replies
//! to a buffer. It does no IO: the reactor owns sockets and calls [`crate::core::Engine::end_turn`] before replies leave.

mod clients;
mod dispatch;
mod server;
mod settings;

use std::sync::Arc;

use proto::resp::{Protocol, Replies, RequestLimits, RequestParser, Requests};
use smallvec::SmallVec;

use crate::commands::{self, CommandSpec, Plan, Scope};
use crate::core::{Engine, Turn};
use crate::state::watch::WatchFlag;

pub use clients::{ClientHandle, Clients};
pub use server::{Host, ProcessFacts, Server, ServerStats};
pub use settings::{SettingError, Settings};

/// Complete commands parsed and prefetched at a time.
const PIPELINE_MAX: usize = 32;
/// Arguments kept without allocation.
pub type Args<'a> = SmallVec<[&'a [u8]; 16]>;

/// What the connection does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// Feed again when more arrives.
    Open,
    /// Send what was written, then close.
    Close,
    /// Replies fill the output buffer: feed again, with the same input, when they have drained.
    Full,
    /// CLIENT PAUSE holds the next command: feed again later.
    Paused,
}

/// What a feed took and decided.
#[derive(Clone, Copy, Debug)]
pub struct Fed {
    /// Bytes of the input's front that are done with.
    pub consumed: usize,
    pub flow: Flow,
}

/// A queued command of a transaction.
pub(crate) struct Queued {
    pub spec: &'static CommandSpec,
    pub args: Vec<Vec<u8>>,
}

/// MULTI's state.
#[derive(Default)]
pub(crate) struct Transaction {
    pub queue: Vec<Queued>,
    pub bytes: usize,
    /// A command was refused while queueing: EXEC will abort.
    pub broken: bool,
}

/// CLIENT REPLY's state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReplyMode {
    On,
    Off,
    /// The reply of the next command is left out.
    SkipNext,
    Skip,
}

/// See the module.
pub struct Session {
    pub(crate) client: Arc<ClientHandle>,
    parser: RequestParser,
    requests: Requests,
    pub(crate) protocol: Protocol,
    pub(crate) db: u32,
    pub(crate) authenticated: bool,
    pub(crate) transaction: Option<Transaction>,
    pub(crate) watch: Option<Arc<WatchFlag>>,
    pub(crate) reply_mode: ReplyMode,
    pub(crate) closing: bool,
}

/// What a session command may reach.
pub struct Call<'c> {
    pub(crate) session: &'c mut Session,
    pub(crate) server: &'c Arc<Server>,
    turn: Turn,
}

impl Call<'_> {
    pub fn engine(&self) -> &Arc<Engine> {
        self.server.engine()
    }

    pub fn turn(&self) -> Turn {
        self.turn
    }
}

impl Session {
    pub fn new(server: &Server, client: Arc<ClientHandle>) -> Self {
        let limits = RequestLimits::default();
        Session {
            client,
            parser: RequestParser::new(limits),
            requests: Requests::new(),
            protocol: Protocol::Resp2,
            db: 0,
            authenticated: server.password().is_none(),
            transaction: None,
            watch: None,
            reply_mode: ReplyMode::On,
            closing: false,
        }
    }

    /// The client as CLIENT LIST sees it.
    pub fn client(&self) -> &Arc<ClientHandle> {
        &self.client
    }

    /// Input bytes without which another feed is useless; 0 when unknown. Lets the reader make room at once for a large argument.
    pub fn need(&self) -> usize {
        self.parser.need()
    }

    /// Runs the complete commands at the front of `input`, appending replies to `out`, until there are none, or `out` grows past
    /// `out_max`.
    pub fn feed(
        &mut self,
        server: &Arc<Server>,
        turn: &Turn,
        input: &[u8],
        out: &mut Vec<u8>,
        out_max: usize,
    ) -> Fed {
        self.parser.limits.bulk_bytes_max = server.bulk_bytes_max();
        self.parser.limits.unauthenticated = !self.authenticated;
        let mut consumed = 0;
        let mut requests = std::mem::take(&mut self.requests);
        let flow = loop {
            if out.len() >= out_max {
                break Flow::Full;
            }
            let rest = &input[consumed..];
            if rest.is_empty() {
                break Flow::Open;
            }
            match self.parser.parse(rest, PIPELINE_MAX, &mut requests) {
                Ok(taken) if requests.is_empty() => {
                    consumed += taken;
                    if taken == 0 {
                        break Flow::Open;
                    }
                }
                Ok(taken) => match self.run(server, turn, rest, &requests, out) {
                    (_, Flow::Open) => consumed += taken,
                    (done, flow) => {
                        // What was parsed behind a pause is parsed again.
                        consumed += done;
                        self.parser = RequestParser::new(self.parser.limits);
                        break flow;
                    }
                },
                Err(error) => {
                    Replies::new(out, self.protocol).error(&format!("ERR {error}"));
                    break Flow::Close;
                }
            }
        };
        self.requests = requests;
        Fed { consumed, flow }
    }

    /// Runs parsed commands in order; returns the input bytes of those that ran.
    fn run(
        &mut self,
        server: &Arc<Server>,
        turn: &Turn,
        input: &[u8],
        requests: &Requests,
        out: &mut Vec<u8>,
    ) -> (usize, Flow) {
        let engine = server.engine();
        let mut specs: SmallVec<[Option<&'static CommandSpec>; PIPELINE_MAX]> = SmallVec::new();
        for i in 0..requests.len() {
            specs.push(commands::lookup(requests.arg(i, 0, input)));
        }
        // First keys of all commands: slots, then entries, come near while we go over the others.
        if requests.len() > 1 && self.transaction.is_none() {
            let mut hashes: SmallVec<[u64; PIPELINE_MAX]> = SmallVec::new();
            for (i, spec) in specs.iter().enumerate() {
                let first = spec.and_then(|s| s.keys.first()).map(|k| k.begin);
                if let Some(first) = first.filter(|first| *first < requests.arg_count(i)) {
                    let hash = engine.key_hash(requests.arg(i, first, input));
                    engine.prefetch_slot(self.db, hash);
                    hashes.push(hash);
                }
            }
            hashes.iter().for_each(|hash| engine.prefetch_entry(self.db, *hash));
        }
        let mut args: Args<'_> = SmallVec::new();
        for (i, spec) in specs.iter().enumerate() {
            if let Some(spec) = spec
                && server.paused(turn.now_ms, spec)
                && self.transaction.is_none()
            {
                return (i.checked_sub(1).map_or(0, |before| requests.end(before)), Flow::Paused);
            }
            args.clear();
            args.extend(requests.args_of(i, input));
            self.command(server, turn, *spec, &args, out);
            if self.closing || self.client.is_killed() {
                return (requests.end(i), Flow::Close);
            }
        }
        server.stats().commands.fetch_add(requests.len() as u64, std::sync::atomic::Ordering::Relaxed);
        (requests.len(), Flow::Open)
    }

    /// Forgets WATCHed keys.
    pub(crate) fn unwatch(&mut self, engine: &Engine) {
        if let Some(flag) = self.watch.take() {
            engine.unwatch(&flag);
        }
    }

    /// The connection is gone: lets go of everything that outlives it.
    pub fn finish(mut self, server: &Server) {
        self.unwatch(server.engine());
        server.clients().remove(self.client.id);
    }
}

/// A data command's locks: one key in the commonest case.
pub(crate) fn is_single_key(spec: &CommandSpec) -> bool {
    use commands::spec::FindKeys;
    matches!(spec.plan, Plan::Data(_))
        && spec.scope == Scope::Keys
        && matches!(spec.keys, [k] if matches!(k.find, FindKeys::Range { last: 0, .. }))
}
