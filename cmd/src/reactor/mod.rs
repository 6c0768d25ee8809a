//! A reactor: one thread, one poll loop. A turn reads every ready connection, runs what arrived, writes the log once, then
//! sends the replies.
//!
//! Invariants: no reply leaves before the log took everything it may have read; a connection takes a bounded part of a turn; the
//! clock is read once per turn.

mod accept;
mod connection;
mod stream;
mod waiting;

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use engine::core::{Turn, WriteRefused};
use engine::session::{Lane, Server, Session};
use mio::event::Event;
use mio::net::{TcpListener, UnixListener};
use mio::{Events, Poll, Token, Waker};
use parking_lot::Mutex;

pub use accept::Mailbox;
use accept::{Acceptor, TCP, UNIX};
use connection::{Connection, Next};
use waiting::Waiting;

use crate::host::Life;
use crate::process;

const WAKE: Token = Token(usize::MAX);
const EVENTS: usize = 1024;
const SCRATCH_BYTES: usize = 64 << 10;
/// Replies of a turn past which the connections left wait for the next, bytes.
const REPLIES_MAX: usize = 4 << 20;
/// A reply buffer larger than this is not kept, bytes.
const REPLIES_KEPT: usize = 1 << 20;
/// Longest sleep, and how often timeouts, limits and counters are looked after.
const HOUSEKEEPING: Duration = Duration::from_millis(250);
/// How soon commands held by a pause are tried again.
const PAUSED_RETRY: Duration = Duration::from_millis(5);
/// One client's command may wake another's, and that a third one's: so far within one turn.
const SERVED_ROUNDS: usize = 16;
/// How long a closing connection may take to accept its last replies.
const CLOSING_MAX_MS: u64 = 10_000;

/// What a connection did in the turn.
struct Touched {
    at: usize,
    /// Its part of the turn's replies.
    replies: std::ops::Range<usize>,
    next: Next,
}

/// See the module.
pub struct Reactor {
    number: usize,
    poll: Poll,
    server: Arc<Server>,
    life: Arc<Life>,
    mailbox: Mailbox,
    acceptor: Option<Acceptor>,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    lane: Lane,
    replies: Vec<u8>,
    touched: Vec<Touched>,
    /// The log took nothing when last asked.
    refused: bool,
    /// To be looked at in the next turn without an event.
    again: Vec<usize>,
    /// Held by a pause.
    later: Vec<usize>,
    /// Clients whose command waits.
    waiting: Waiting,
}

impl Reactor {
    pub fn new(number: usize, server: Arc<Server>, life: Arc<Life>) -> std::io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        life.add_waker(waker.clone());
        let mailbox =
            Mailbox { inbox: Arc::new(Mutex::default()), load: Arc::new(AtomicUsize::new(0)), waker };
        Ok(Reactor {
            number,
            poll,
            server,
            life,
            mailbox,
            acceptor: None,
            connections: Vec::new(),
            free: Vec::new(),
            lane: Lane::default(),
            replies: Vec::new(),
            touched: Vec::new(),
            refused: false,
            again: Vec::new(),
            later: Vec::new(),
            waiting: Waiting::default(),
        })
    }

    pub fn mailbox(&self) -> Mailbox {
        self.mailbox.clone()
    }

    /// Makes this the accepting reactor, which deals connections to all of `reactors`.
    pub fn accept_for(
        &mut self,
        reactors: Vec<Mailbox>,
        tcp: TcpListener,
        unix: Option<UnixListener>,
    ) -> std::io::Result<()> {
        self.acceptor = Some(Acceptor::new(self.poll.registry(), tcp, unix, reactors)?);
        Ok(())
    }

    /// Runs until the node stops.
    pub fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        let mut scratch = vec![0; SCRATCH_BYTES];
        let mut ready = Vec::new();
        let (mut looked_after, mut kills_seen) = (Instant::now(), 0);
        while !self.life.is_stopping() {
            let timeout = self.patience(process::now_ms());
            if let Err(error) = self.poll.poll(&mut events, Some(timeout))
                && error.kind() != ErrorKind::Interrupted
            {
                tracing::error!(%error, "polling failed: the node stops");
                self.life.stop();
                break;
            }
            let began = Instant::now();
            let now_ms = process::now_ms();
            ready.append(&mut self.again);
            ready.append(&mut self.later);
            let woken = self.note_events(&events, &mut ready);
            if woken {
                self.adopt_all(now_ms, &mut ready);
            }
            self.note_waiting(woken, now_ms, &mut ready);
            if !ready.is_empty() {
                self.turn(now_ms, &mut ready, &mut scratch);
                self.lane.meter.turn(began.elapsed().as_micros() as u64);
            }
            let kills = self.life.kills();
            if kills != kills_seen || began.duration_since(looked_after) > HOUSEKEEPING {
                kills_seen = kills;
                looked_after = began;
                self.look_after(now_ms);
            }
        }
        let _ = self.server.engine().end_turn();
        (0..self.connections.len()).for_each(|at| self.drop_connection(at));
        self.lane.meter.flush(&self.server.counters);
    }

    /// How long to wait for events.
    fn patience(&self, now_ms: u64) -> Duration {
        if !self.again.is_empty() {
            return Duration::ZERO;
        }
        let most = if self.later.is_empty() { HOUSEKEEPING } else { PAUSED_RETRY };
        let most = self.waiting.patience(now_ms).map_or(most, |wait| wait.min(most));
        self.acceptor.as_ref().and_then(Acceptor::patience).map_or(most, |accept| accept.min(most))
    }

    /// Lists the connections that have something to do. True when another thread woke this one.
    fn note_events(&mut self, events: &Events, ready: &mut Vec<usize>) -> bool {
        let (mut woken, mut arrivals) = (false, self.acceptor.as_ref().is_some_and(Acceptor::is_due));
        for at in &*ready {
            if let Some(Some(connection)) = self.connections.get_mut(*at) {
                connection.listed = true;
            }
        }
        for event in events {
            match event.token() {
                WAKE => woken = true,
                TCP | UNIX => arrivals = true,
                Token(at) => self.note(at, event, ready),
            }
        }
        if arrivals && let Some(acceptor) = &mut self.acceptor {
            acceptor.accept(&self.server);
        }
        woken
    }

    /// Lists the waiting connections that were woken.
    fn note_woken(&mut self, ready: &mut Vec<usize>) {
        self.note_waiting(true, 0, ready);
    }

    /// Lists the waiting connections that were woken, or whose time is up.
    fn note_waiting(&mut self, woken: bool, now_ms: u64, ready: &mut Vec<usize>) {
        let mut list = |at: usize, connection: &mut Connection| {
            connection.session.wake();
            if !connection.listed {
                connection.listed = true;
                ready.push(at);
            }
        };
        if woken {
            for client in self.server.engine().take_woken(self.number) {
                if let Some(at) = self.waiting.find(client)
                    && let Some(connection) = &mut self.connections[at]
                {
                    list(at, connection);
                }
            }
        }
        while let Some(at) = self.waiting.take_due(now_ms) {
            if let Some(connection) = &mut self.connections[at] {
                list(at, connection);
            }
        }
    }

    fn note(&mut self, at: usize, event: &Event, ready: &mut Vec<usize>) {
        let Some(Some(connection)) = self.connections.get_mut(at) else { return };
        connection.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        if !connection.listed {
            connection.listed = true;
            ready.push(at);
        }
    }

    /// Runs the ready connections.
    fn run_ready(&mut self, turn: &Turn, ready: &mut Vec<usize>, scratch: &mut [u8]) {
        for at in ready.drain(..) {
            let Some(Some(connection)) = self.connections.get_mut(at) else { continue };
            connection.listed = false;
            let from = self.replies.len();
            if from > REPLIES_MAX {
                self.again.push(at);
                continue;
            }
            let next = connection.turn(&self.server, turn, &mut self.lane, scratch, &mut self.replies);
            self.touched.push(Touched { at, replies: from..self.replies.len(), next });
            self.note_patience(at);
        }
    }

    /// Keeps in mind whether a connection waits, and how long.
    fn note_patience(&mut self, at: usize) {
        let Some(Some(connection)) = self.connections.get_mut(at) else { return };
        if let Some(deadline_ms) = connection.session.waits() {
            connection.noted_waiting = true;
            self.waiting.note(connection.card().id, at, deadline_ms);
        } else if connection.noted_waiting {
            connection.noted_waiting = false;
            self.waiting.forget(connection.card().id);
        }
    }

    /// Runs the ready connections, writes the log, sends the replies.
    fn turn(&mut self, now_ms: u64, ready: &mut Vec<usize>, scratch: &mut [u8]) {
        let turn = self.server.engine().turn(now_ms);
        self.run_ready(&turn, ready, scratch);
        let mut written = self.server.engine().end_turn();
        // Whom that woke is served before anybody is told of it.
        for _ in 0..SERVED_ROUNDS {
            if written.is_err() || self.waiting.is_empty() {
                break;
            }
            self.note_woken(ready);
            if ready.is_empty() {
                break;
            }
            self.run_ready(&turn, ready, scratch);
            written = self.server.engine().end_turn();
        }
        match &written {
            Err(error) if !self.refused => {
                tracing::error!(%error, "writes are refused from now on");
            }
            Ok(()) if self.refused => tracing::info!("writes are taken again"),
            _ => {}
        }
        self.refused = written.is_err();
        let mut touched = std::mem::take(&mut self.touched);
        touched.drain(..).for_each(|t| self.settle(t, &written, now_ms));
        self.touched = touched;
        self.replies.clear();
        if self.replies.capacity() > REPLIES_KEPT {
            self.replies = Vec::new();
        }
    }

    /// Sends a connection's replies and does what it needs next.
    fn settle(&mut self, touched: Touched, written: &Result<(), WriteRefused>, now_ms: u64) {
        let Touched { at, replies, mut next } = touched;
        let Some(Some(connection)) = self.connections.get_mut(at) else { return };
        let refusal = match written {
            Err(error) if connection.wrote => format!("-MISCONF {error}\r\n"),
            _ => String::new(),
        };
        let sent = if refusal.is_empty() {
            let part = connection.session.hold_back(&self.server, &self.replies, replies);
            connection.send(&self.replies[part], &self.server)
        } else {
            // What became of its writes is not known: it is told so, and nothing else.
            next = Next::Close;
            connection.send(refusal.as_bytes(), &self.server)
        };
        let Ok(all_out) = sent else { return self.drop_connection(at) };
        if next == Next::Close {
            connection.closing = true;
        }
        let done =
            next == Next::Drop || (connection.closing && all_out && !connection.session.holds_replies());
        if done || connection.output_limited(&self.server, now_ms) {
            if !done {
                self.server.traffic.output_limited.fetch_add(1, Relaxed);
                tracing::warn!(
                    client = connection.card().id,
                    "closing a client that does not take its replies"
                );
            }
            return self.drop_connection(at);
        }
        if connection.awaits_writable == all_out {
            connection.awaits_writable = !all_out;
            let wanted = connection.stream.want_writable(self.poll.registry(), Token(at), !all_out);
            if wanted.is_err() {
                return self.drop_connection(at);
            }
            let (input, output) = connection.buffered();
            connection.card().set_buffers(input, output);
        }
        let may_go_on = connection.may_go_on();
        // Replies may be held back since just now.
        self.note_patience(at);
        match next {
            Next::Again => self.again.push(at),
            Next::Later => self.later.push(at),
            // Commands that waited for the replies to go out.
            Next::Wait if may_go_on => self.again.push(at),
            _ => {}
        }
    }

    /// Takes over the connections dealt to this reactor.
    fn adopt_all(&mut self, now_ms: u64, ready: &mut Vec<usize>) {
        let arrived = std::mem::take(&mut *self.mailbox.inbox.lock());
        for mut stream in arrived {
            let at = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            if let Err(error) = stream.register(self.poll.registry(), Token(at)) {
                tracing::warn!(%error, "registering a connection failed");
                self.free.push(at);
                self.mailbox.load.fetch_sub(1, Relaxed);
                continue;
            }
            let session = Session::new(&self.server, stream.origin(self.number), now_ms);
            let mut connection = Connection::new(stream, session);
            // What it sent already is read without waiting for its event.
            connection.readable = true;
            connection.listed = true;
            self.connections[at] = Some(connection);
            ready.push(at);
        }
    }

    fn drop_connection(&mut self, at: usize) {
        if let Some(mut connection) = self.connections[at].take() {
            self.waiting.forget(connection.card().id);
            let _ = connection.stream.deregister(self.poll.registry());
            connection.session.close(&self.server);
            self.mailbox.load.fetch_sub(1, Relaxed);
            self.free.push(at);
        }
    }

    /// Closes killed, idle and stuck connections; folds the counters.
    fn look_after(&mut self, now_ms: u64) {
        self.lane.meter.flush(&self.server.counters);
        let timeout_ms = self.server.config.live().timeout_seconds.load(Relaxed) * 1000;
        for at in 0..self.connections.len() {
            let Some(connection) = &mut self.connections[at] else { continue };
            let idle_ms = now_ms.saturating_sub(connection.card().active_ms());
            let over = connection.card().is_killed()
                || (timeout_ms > 0 && idle_ms > timeout_ms && connection.session.waits().is_none())
                || (connection.closing && idle_ms > CLOSING_MAX_MS)
                || connection.output_limited(&self.server, now_ms);
            if over {
                self.drop_connection(at);
            }
        }
    }
}
