//! One client's socket and its buffers.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;

use engine::core::Turn;
use engine::session::{ClientHandle, Flow, Server, Session};
use mio::net::{TcpStream, UnixStream};

/// Replies waiting for a slow client before its next commands wait too (bytes).
const OUT_HIGH: usize = 1 << 20;
/// Reads of one connection in a turn, so that a busy one starves nobody.
const READS_PER_TURN: usize = 8;

/// TCP or Unix.
pub enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Stream::Tcp(s) => s.read(into),
            Stream::Unix(s) => s.read(into),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Stream::Tcp(s) => s.write(bytes),
            Stream::Unix(s) => s.write(bytes),
        }
    }
}

/// What became of a connection in a turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Open,
    /// Feed or read again next turn without waiting for an event.
    Again,
    /// Gone once its output is sent.
    Closing,
    /// Gone now.
    Dead,
}

/// See the module.
pub struct Connection {
    pub stream: Stream,
    session: Session,
    /// Input of an incomplete command, and whatever waits behind a pause.
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    /// The socket may have more to read.
    readable: bool,
    /// Commands wait for the output to drain or a pause to end.
    held: bool,
    closing: bool,
}

impl Connection {
    pub fn new(stream: Stream, session: Session) -> Self {
        Connection {
            stream,
            session,
            input: Vec::new(),
            output: Vec::new(),
            sent: 0,
            readable: false,
            held: false,
            closing: false,
        }
    }

    pub fn client(&self) -> &Arc<ClientHandle> {
        self.session.client()
    }

    pub fn into_session(self) -> Session {
        self.session
    }

    pub fn note_readable(&mut self) {
        self.readable = true;
    }

    pub fn is_closing(&self) -> bool {
        self.closing
    }

    pub fn has_output(&self) -> bool {
        self.sent < self.output.len()
    }

    /// Reads and runs what there is. `scratch` is the reactor's read buffer; `spare` its pool of output buffers.
    pub fn turn(
        &mut self,
        server: &Arc<Server>,
        turn: &Turn,
        scratch: &mut [u8],
        spare: &mut Vec<Vec<u8>>,
    ) -> Fate {
        if self.closing || self.client().is_killed() {
            self.closing = true;
            return Fate::Closing;
        }
        if self.output.capacity() == 0
            && let Some(buffer) = spare.pop()
        {
            self.output = buffer;
        }
        if self.held {
            match self.feed_held(server, turn) {
                Fate::Open => {}
                fate => return fate,
            }
        }
        for _ in 0..READS_PER_TURN {
            if !self.readable {
                return Fate::Open;
            }
            let into = self.read_space(scratch.len());
            let direct = into == 0;
            let read = if direct {
                self.stream.read(scratch)
            } else {
                let start = self.input.len();
                self.input.resize(start + into, 0);
                let read = self.stream.read(&mut self.input[start..]);
                self.input.truncate(start + *read.as_ref().unwrap_or(&0));
                read
            };
            let read = match read {
                Ok(0) => {
                    self.closing = true;
                    return Fate::Closing;
                }
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.readable = false;
                    return Fate::Open;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Fate::Dead,
            };
            server.stats().input_bytes.fetch_add(read as u64, std::sync::atomic::Ordering::Relaxed);
            // A short read emptied the socket; the next arrival is a new event.
            let full = read == if direct { scratch.len() } else { into };
            let fate = if direct {
                self.feed_direct(server, turn, &scratch[..read])
            } else {
                self.feed_held(server, turn)
            };
            if self.input.len() > server.query_bytes_max() {
                return Fate::Dead;
            }
            match fate {
                Fate::Open if full => {}
                Fate::Open => {
                    self.readable = false;
                    return Fate::Open;
                }
                fate => return fate,
            }
        }
        Fate::Again
    }

    /// 0: read into the scratch buffer. Otherwise so many bytes onto the input, which holds a part of a command.
    fn read_space(&mut self, scratch: usize) -> usize {
        if self.input.is_empty() {
            return 0;
        }
        let want = self.session.need().saturating_sub(self.input.len());
        // A large argument's room is made at once, but only as its bytes really come.
        let want = want.clamp(scratch, (self.input.len() * 2).max(scratch));
        self.input.reserve(want);
        want
    }

    fn feed_direct(&mut self, server: &Arc<Server>, turn: &Turn, bytes: &[u8]) -> Fate {
        let fed = self.session.feed(server, turn, bytes, &mut self.output, self.sent + OUT_HIGH);
        self.input.extend_from_slice(&bytes[fed.consumed..]);
        self.follow(fed.flow)
    }

    fn feed_held(&mut self, server: &Arc<Server>, turn: &Turn) -> Fate {
        let input = std::mem::take(&mut self.input);
        let fed = self.session.feed(server, turn, &input, &mut self.output, self.sent + OUT_HIGH);
        self.input = input;
        if fed.consumed == self.input.len() {
            // Idle clients keep no buffer.
            self.input = Vec::new();
        } else {
            self.input.drain(..fed.consumed);
        }
        self.follow(fed.flow)
    }

    fn follow(&mut self, flow: Flow) -> Fate {
        self.held = matches!(flow, Flow::Full | Flow::Paused);
        match flow {
            Flow::Open => Fate::Open,
            Flow::Close => {
                self.closing = true;
                Fate::Closing
            }
            Flow::Full | Flow::Paused => Fate::Again,
        }
    }

    /// Sends what waits. True when all of it is out.
    pub fn flush(&mut self, server: &Server, spare: &mut Vec<Vec<u8>>) -> Result<bool, std::io::Error> {
        while self.sent < self.output.len() {
            match self.stream.write(&self.output[self.sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.sent += written;
                    server
                        .stats()
                        .output_bytes
                        .fetch_add(written as u64, std::sync::atomic::Ordering::Relaxed);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // Keep the buffer from growing at both ends.
                    if self.sent > OUT_HIGH / 2 {
                        self.output.drain(..self.sent);
                        self.sent = 0;
                    }
                    return Ok(false);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.sent = 0;
        let mut buffer = std::mem::take(&mut self.output);
        buffer.clear();
        if buffer.capacity() > 0 && buffer.capacity() <= 1 << 16 && spare.len() < 1024 {
            spare.push(buffer);
        }
        Ok(true)
    }

    /// The log refused the turn's writes: no reply of it may go out.
    pub fn replace_output(&mut self, error: &str) {
        self.output.truncate(self.sent);
        self.output.extend_from_slice(format!("-MISCONF {error}\r\n").as_bytes());
        self.closing = true;
    }
}
