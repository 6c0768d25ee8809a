//! A client's session: from the bytes it sent to the bytes it is answered, without any IO.
//!
//! A reactor (or the simulator) owns a [`Session`] per connection, one [`Lane`] of scratch memory, and one [`Server`] for all. Each
//! [`Session::feed`] takes whole commands off the input, up to 32 at a time: their keys are hashed and prefetched, then they run in
//! order. What a turn's commands answered may leave only after [`crate::core::Engine::end_turn`].
//!
//! Invariants: a command runs to its end or not at all; a client's commands run in the order they came; a queue of MULTI, a
//! request and the replies of one feed are bounded.

mod block;
mod call;
pub mod clients;
pub mod config;
mod dispatch;
mod feed;
mod held;
pub mod host;
mod memory;
pub mod meter;
mod resolve;
mod server;
pub mod slowlog;
mod transaction;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use proto::Seq;
use proto::resp::{Protocol, RequestLimits, RequestParser};

pub use call::Call;
pub use clients::{ClientCard, Filter, Origin, Unblock};
pub use config::{Config, ConfigRefusal, parse_bytes};
pub use feed::{Fed, Flow, Lane};
pub use host::{Host, ProcessFacts, ProcessUsage, ShutdownRequest};
pub(crate) use memory::{Memory, ratio as memory_ratio};
pub use resolve::{Resolved, resolve};
pub use server::{Paused, Rates, Server, Traffic};
pub(crate) use transaction::exec as run_exec;

use crate::state::watch::WatchFlag;
use transaction::Queue;

/// CLIENT REPLY.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum ReplyMode {
    #[default]
    On,
    Off,
    /// The next command is not answered.
    SkipNext,
    /// This command is not answered.
    Skip,
}

/// One client's state.
pub struct Session {
    card: Arc<ClientCard>,
    parser: RequestParser,
    pub(crate) db: u32,
    pub(crate) protocol: Protocol,
    pub(crate) authenticated: bool,
    pub(crate) reply: ReplyMode,
    pub(crate) name: String,
    pub(crate) lib_name: String,
    pub(crate) lib_version: String,
    pub(crate) no_evict: bool,
    pub(crate) no_touch: bool,
    /// Close once the replies so far are sent.
    pub(crate) closing: bool,
    queue: Option<Box<Queue>>,
    /// A command of it waits.
    blocked: Option<Box<block::Blocked>>,
    /// Replies that wait for peers.
    held: Option<Box<held::Held>>,
    /// The command that runs wrote what so many other members must hold: effect and number.
    asked: Option<(Seq, u32)>,
    /// The last effect that a command of it emitted; 0 before the first.
    pub(crate) last_write: Seq,
    watch: Option<Arc<WatchFlag>>,
    last: Option<Resolved>,
    /// The parser's view of the input or of its limits is out of date.
    reparse: bool,
}

impl Session {
    pub fn new(server: &Server, origin: Origin, now_ms: u64) -> Self {
        let authenticated = !server.config.live().needs_password.load(Relaxed);
        let mut session = Session {
            card: server.clients.register(origin, now_ms),
            parser: RequestParser::new(RequestLimits::default()),
            db: 0,
            protocol: Protocol::Resp2,
            authenticated,
            reply: ReplyMode::On,
            name: String::new(),
            lib_name: String::new(),
            lib_version: String::new(),
            no_evict: false,
            no_touch: false,
            closing: false,
            queue: None,
            blocked: None,
            held: None,
            asked: None,
            last_write: Seq(0),
            watch: None,
            last: None,
            reparse: false,
        };
        session.restart_parser(server);
        session
    }

    pub fn id(&self) -> u64 {
        self.card.id
    }

    pub fn card(&self) -> &Arc<ClientCard> {
        &self.card
    }

    /// Bytes of input that complete the argument now arriving, counted from the first byte not consumed; 0 when not known.
    pub fn input_needed(&self) -> usize {
        self.parser.need()
    }

    /// The connection is gone: the session leaves nothing behind.
    pub fn close(&mut self, server: &Server) {
        self.unblock(server);
        self.drop_held(server);
        self.unwatch(server);
        self.queue = None;
        server.clients.remove(self.card.id);
    }

    /// Forgets what the parser knows of a request not yet complete: its bytes are still in the input.
    fn restart_parser(&mut self, server: &Server) {
        let limits = RequestLimits {
            bulk_bytes_max: server.config.live().bulk_bytes_max.load(Relaxed) as usize,
            unauthenticated: !self.authenticated,
            ..RequestLimits::default()
        };
        self.parser = RequestParser::new(limits);
        self.reparse = false;
    }

    pub(crate) fn set_authenticated(&mut self, authenticated: bool) {
        self.reparse |= self.authenticated != authenticated;
        self.authenticated = authenticated;
    }

    pub(crate) fn set_name(&mut self, name: &[u8]) {
        self.name = String::from_utf8_lossy(name).into_owned();
    }

    /// RESET: as a new connection, but for the authentication's sake of a password set since.
    pub(crate) fn reset(&mut self, server: &Server) {
        self.discard(server);
        self.db = 0;
        self.protocol = Protocol::Resp2;
        self.reply = ReplyMode::On;
        self.name = String::new();
        self.no_evict = false;
        self.no_touch = false;
        self.set_authenticated(!server.config.live().needs_password.load(Relaxed));
    }

    /// Ends every watch.
    pub(crate) fn unwatch(&mut self, server: &Server) {
        if let Some(flag) = self.watch.take() {
            server.engine().unwatch(&flag);
        }
    }

    /// Shows others what this client is doing.
    fn publish(&self, now_ms: u64) {
        let mut published = self.card.published.lock();
        published.active_ms = now_ms;
        published.db = self.db;
        published.last = self.last;
        published.protocol = self.protocol;
        published.multi = self.queue.as_ref().map_or(-1, |q| q.len() as i64);
        published.multi_bytes = self.queue.as_ref().map_or(0, |q| q.bytes());
        published.dirty = self.watch.as_ref().is_some_and(|w| w.is_dirty());
        published.no_evict = self.no_evict;
        published.no_touch = self.no_touch;
        published.closing = self.closing;
        if published.name != self.name {
            published.name.clone_from(&self.name);
        }
        if published.lib_name != self.lib_name || published.lib_version != self.lib_version {
            published.lib_name.clone_from(&self.lib_name);
            published.lib_version.clone_from(&self.lib_version);
        }
    }
}
