//! One client's socket, its session, and what is left over between turns.
//!
//! An idle client keeps no buffer: requests are read into the reactor's scratch memory and replies go into the turn's; only what
//! is incomplete, or not taken by the socket, is kept here.

use std::io::{ErrorKind, Read, Write};
use std::sync::atomic::Ordering::Relaxed;

use engine::core::Turn;
use engine::session::{ClientCard, Flow, Lane, Server, Session};

use super::stream::Stream;

/// Unsent replies past which no further command of the client runs. Its requests are still read, so that a client which sends
/// all before it reads any does not lock up.
const BACKLOG_HIGH: usize = 1 << 20;
/// Most that is read of an argument whose end is known, at a time.
const READ_MAX: usize = 1 << 20;

/// What a connection needs of the next turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Nothing until an event.
    Wait,
    /// More input is here.
    Again,
    /// Commands wait for a pause to end.
    Later,
    /// Close once the replies are out.
    Close,
    /// Close now.
    Drop,
}

/// See the module.
pub(super) struct Connection {
    pub stream: Stream,
    pub session: Session,
    /// Input not run yet, from `input_start`.
    input: Vec<u8>,
    input_start: usize,
    /// Replies not sent yet, from `sent`.
    backlog: Vec<u8>,
    sent: usize,
    /// The socket may have more to read.
    pub readable: bool,
    /// It ended what it sends; what it sent before is still run.
    ended: bool,
    /// Input was left alone because too many replies are unsent.
    held: bool,
    /// Already among the turn's ready ones.
    pub listed: bool,
    pub closing: bool,
    /// Asked the poll for the moment when the socket takes more.
    pub awaits_writable: bool,
    /// Since when the backlog is over the soft limit, Unix ms.
    over_soft_ms: Option<u64>,
    /// A command that may have written ran in this turn.
    pub wrote: bool,
    /// Listed among the reactor's waiting clients.
    pub noted_waiting: bool,
}

impl Connection {
    pub fn new(stream: Stream, session: Session) -> Self {
        Connection {
            stream,
            session,
            input: Vec::new(),
            input_start: 0,
            backlog: Vec::new(),
            sent: 0,
            readable: false,
            ended: false,
            held: false,
            listed: false,
            closing: false,
            awaits_writable: false,
            over_soft_ms: None,
            wrote: false,
            noted_waiting: false,
        }
    }

    pub fn card(&self) -> &ClientCard {
        self.session.card()
    }

    fn waiting_input(&self) -> usize {
        self.input.len() - self.input_start
    }

    pub fn unsent(&self) -> usize {
        self.backlog.len() - self.sent
    }

    /// Commands were held back until the replies before them are out, and may go on.
    pub fn may_go_on(&self) -> bool {
        self.held && self.unsent() + self.session.held_bytes() < BACKLOG_HIGH
    }

    /// Bytes held for this client.
    pub fn buffered(&self) -> (usize, usize) {
        (self.waiting_input(), self.unsent())
    }

    /// Runs what waits, reads once, runs that. Replies are appended to `out`.
    pub fn turn(
        &mut self,
        server: &Server,
        turn: &Turn,
        lane: &mut Lane,
        scratch: &mut [u8],
        out: &mut Vec<u8>,
    ) -> Next {
        self.wrote = false;
        self.session.release(server, turn.now_ms, out);
        if self.closing {
            return Next::Close;
        }
        let start = out.len();
        let mut next = Next::Wait;
        self.held = self.unsent() + self.session.held_bytes() >= BACKLOG_HIGH;
        let blocked = self.session.is_waiting(turn.now_ms);
        if self.waiting_input() > 0 && !self.held && !blocked {
            next = self.feed_waiting(server, turn, lane, out);
        }
        if self.readable && matches!(next, Next::Wait | Next::Later) {
            // A turn with much to say is long enough.
            self.held |= self.unsent() + (out.len() - start) >= BACKLOG_HIGH;
            let may_run = next == Next::Wait && !self.held && !self.session.is_blocked();
            next = match self.read(server, turn, lane, scratch, out, may_run) {
                Next::Wait if next == Next::Later => Next::Later,
                read => read,
            };
        }
        next
    }

    /// Runs input that waited.
    fn feed_waiting(&mut self, server: &Server, turn: &Turn, lane: &mut Lane, out: &mut Vec<u8>) -> Next {
        let fed = self.session.feed(server, turn, lane, &self.input[self.input_start..], out);
        self.wrote |= fed.wrote;
        self.input_start += fed.consumed;
        if self.input_start == self.input.len() {
            self.input = Vec::new();
            self.input_start = 0;
        } else if self.input_start > self.input.len() / 2 {
            self.input.drain(..self.input_start);
            self.input_start = 0;
        }
        self.follow(fed.flow, server)
    }

    fn read(
        &mut self,
        server: &Server,
        turn: &Turn,
        lane: &mut Lane,
        scratch: &mut [u8],
        out: &mut Vec<u8>,
        may_run: bool,
    ) -> Next {
        let direct = self.waiting_input() == 0;
        if !may_run && self.session.input_limited(server, self.waiting_input()) {
            // Its replies, or a pause, come first; the kernel holds the client back meanwhile.
            return Next::Wait;
        }
        let read = if direct { self.read_scratch(scratch) } else { self.read_more(scratch.len()) };
        let Ok(read) = read else { return Next::Drop };
        if self.ended && self.session.is_blocked() {
            // Nobody is there any more whom the answer would reach.
            return Next::Drop;
        }
        if read == 0 {
            // What waits is still to be answered, unless it can never be.
            let answerable = self.waiting_input() > 0 && !may_run;
            return if self.ended && !answerable { Next::Close } else { Next::Wait };
        }
        server.traffic.reads.fetch_add(1, Relaxed);
        server.traffic.bytes_in.fetch_add(read as u64, Relaxed);
        let next = match (direct, may_run) {
            (true, true) => {
                let fed = self.session.feed(server, turn, lane, &scratch[..read], out);
                self.wrote |= fed.wrote;
                self.input.extend_from_slice(&scratch[fed.consumed..read]);
                self.follow(fed.flow, server)
            }
            (true, false) => {
                self.input.extend_from_slice(&scratch[..read]);
                Next::Wait
            }
            (false, true) => self.feed_waiting(server, turn, lane, out),
            (false, false) => Next::Wait,
        };
        if next == Next::Wait && self.readable { Next::Again } else { next }
    }

    /// Reads into the scratch memory. A short read emptied the socket; the next arrival is a new event.
    fn read_scratch(&mut self, scratch: &mut [u8]) -> std::io::Result<usize> {
        loop {
            match self.stream.read(scratch) {
                Ok(0) => {
                    self.end();
                    return Ok(0);
                }
                Ok(read) => {
                    self.readable = read == scratch.len();
                    return Ok(read);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.readable = false;
                    return Ok(0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads behind the input that waits; of a large argument as much as it still needs, within reason.
    fn read_more(&mut self, least: usize) -> std::io::Result<usize> {
        let missing = self.session.input_needed().saturating_sub(self.waiting_input());
        // Room is made as bytes really come: a length alone is only a claim.
        let most = self.input.len().clamp(least, READ_MAX);
        let limit = missing.clamp(least, most);
        let before = self.input.len();
        self.input.reserve(limit);
        let ended = (&mut self.stream).take(limit as u64).read_to_end(&mut self.input);
        let read = self.input.len() - before;
        match ended {
            // Less than was asked for, and no error.
            Ok(_) if read < limit => {
                self.end();
                Ok(read)
            }
            Ok(_) => Ok(read),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                Ok(read)
            }
            Err(error) => Err(error),
        }
    }

    /// The client sends no more.
    fn end(&mut self) {
        self.readable = false;
        self.ended = true;
    }

    fn follow(&mut self, flow: Flow, server: &Server) -> Next {
        match flow {
            Flow::Idle if self.session.input_limited(server, self.waiting_input()) => {
                tracing::warn!(
                    client = self.card().id,
                    bytes = self.waiting_input(),
                    "closing a client whose request is past client-query-buffer-limit"
                );
                Next::Drop
            }
            Flow::Idle if self.ended => Next::Close,
            Flow::Idle => Next::Wait,
            Flow::More => Next::Again,
            Flow::Paused => Next::Later,
            Flow::Blocked if self.ended => Next::Drop,
            Flow::Blocked => Next::Wait,
            Flow::Close => Next::Close,
            Flow::Hangup => Next::Drop,
        }
    }

    /// Sends the turn's replies behind what still waits. True when all is out.
    pub fn send(&mut self, replies: &[u8], server: &Server) -> std::io::Result<bool> {
        let mut rest = replies;
        if self.unsent() > 0 && !self.drain(server)? {
            self.backlog.extend_from_slice(rest);
            return Ok(false);
        }
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    count_sent(server, written);
                    rest = &rest[written..];
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.backlog.extend_from_slice(rest);
                    return Ok(false);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Sends what waits. True when nothing is left.
    fn drain(&mut self, server: &Server) -> std::io::Result<bool> {
        while self.sent < self.backlog.len() {
            match self.stream.write(&self.backlog[self.sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    count_sent(server, written);
                    self.sent += written;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.sent > self.backlog.len() / 2 {
                        self.backlog.drain(..self.sent);
                        self.sent = 0;
                    }
                    return Ok(false);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.backlog = Vec::new();
        self.sent = 0;
        Ok(true)
    }

    /// Its unsent replies outgrew `client-output-buffer-limit`.
    pub fn output_limited(&mut self, server: &Server, now_ms: u64) -> bool {
        let live = server.config.live();
        let (hard, soft) = (live.output_hard.load(Relaxed), live.output_soft.load(Relaxed));
        let unsent = self.unsent() as u64;
        if hard > 0 && unsent > hard {
            return true;
        }
        if soft == 0 || unsent <= soft {
            self.over_soft_ms = None;
            return false;
        }
        let since_ms = *self.over_soft_ms.get_or_insert(now_ms);
        now_ms.saturating_sub(since_ms) > live.output_soft_seconds.load(Relaxed) * 1000
    }
}

fn count_sent(server: &Server, bytes: usize) {
    server.traffic.writes.fetch_add(1, Relaxed);
    server.traffic.bytes_out.fetch_add(bytes as u64, Relaxed);
}
