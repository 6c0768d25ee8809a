//! One connection of the load: a batch out, its replies in.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::error::BenchError;

use super::replies;
use super::requests::Requests;

/// Larger than any batch's replies.
const INPUT_BYTES: usize = 64 * 1024;

pub struct Connection {
    stream: TcpStream,
    output: Vec<u8>,
    written: usize,
    input: Box<[u8]>,
    filled: usize,
    outstanding: usize,
    started: Instant,
}

/// What one readiness brought.
#[derive(Default)]
pub struct Received {
    pub replies: usize,
    pub errors: usize,
    pub nulls: usize,
    pub first_error: Option<String>,
    /// Set when the batch's last reply is in.
    pub batch_latency: Option<Duration>,
}

impl Connection {
    pub fn open(address: SocketAddr, registry: &Registry, token: Token) -> Result<Connection, BenchError> {
        let stream = std::net::TcpStream::connect(address).map_err(BenchError::connection("connect"))?;
        let set = |s: &std::net::TcpStream| s.set_nodelay(true).and_then(|()| s.set_nonblocking(true));
        set(&stream).map_err(BenchError::connection("socket options"))?;
        let mut stream = TcpStream::from_std(stream);
        registry
            .register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)
            .map_err(BenchError::connection("epoll"))?;
        Ok(Connection {
            stream,
            output: Vec::new(),
            written: 0,
            input: vec![0; INPUT_BYTES].into_boxed_slice(),
            filled: 0,
            outstanding: 0,
            started: Instant::now(),
        })
    }

    /// Writes a batch of `count` requests; the last one's replies are all in.
    pub fn start(&mut self, requests: &mut Requests, count: usize) -> Result<(), BenchError> {
        self.output.clear();
        self.written = 0;
        for _ in 0..count {
            requests.append(&mut self.output);
        }
        self.outstanding = count;
        self.started = Instant::now();
        self.flush()
    }

    /// Writes what the socket takes of the batch; the rest goes when it is writable again.
    pub fn flush(&mut self) -> Result<(), BenchError> {
        while self.written < self.output.len() {
            match self.stream.write(&self.output[self.written..]) {
                Ok(0) => return Err(BenchError::Closed),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => return Err(BenchError::Connection { operation: "write", source }),
            }
        }
        Ok(())
    }

    /// Reads until the batch is answered or the socket is empty. `None` when nothing was awaited.
    /// A read that does not fill the buffer has emptied the socket: the next bytes raise a new readiness.
    pub fn read(&mut self) -> Result<Option<Received>, BenchError> {
        if self.outstanding == 0 {
            return Ok(None);
        }
        let mut received = Received::default();
        loop {
            let space = self.input.len() - self.filled;
            let count = match self.stream.read(&mut self.input[self.filled..]) {
                Ok(0) => return Err(BenchError::Closed),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Some(received)),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(source) => return Err(BenchError::Connection { operation: "read", source }),
            };
            self.filled += count;
            let counted = replies::count(&self.input[..self.filled], self.outstanding)?;
            if counted.errors > 0 && received.first_error.is_none() {
                received.first_error = replies::first_error(&self.input[..counted.consumed]);
            }
            received.replies += counted.replies;
            received.errors += counted.errors;
            received.nulls += counted.nulls;
            self.outstanding -= counted.replies;
            self.input.copy_within(counted.consumed..self.filled, 0);
            self.filled -= counted.consumed;
            if self.outstanding == 0 {
                if self.filled > 0 {
                    return Err(BenchError::Malformed("more replies than requests".into()));
                }
                received.batch_latency = Some(self.started.elapsed());
                return Ok(Some(received));
            }
            if self.filled == self.input.len() {
                return Err(BenchError::Malformed("a reply longer than the load asks for".into()));
            }
            if count < space {
                return Ok(Some(received));
            }
        }
    }
}
