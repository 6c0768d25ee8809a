//! A small blocking RESP client that hands out replies as raw bytes or decoded.
//!
//! It owns one connection and what was read from it but not consumed. It knows no command's meaning.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use proto::resp::Value;

/// How long a reply may take before the test fails.
pub const REPLY_TIMEOUT: Duration = Duration::from_secs(20);

pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Bytes of `buffer` already consumed.
    at: usize,
}

impl Client {
    /// Connects to a loopback port.
    pub fn connect(port: u16) -> io::Result<Client> {
        let stream =
            TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
        stream.set_write_timeout(Some(REPLY_TIMEOUT))?;
        Ok(Client { stream, buffer: Vec::new(), at: 0 })
    }

    /// The client's own end, as CLIENT LIST shows it.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    pub fn set_reply_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(Some(timeout))
    }

    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    pub fn send<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<()> {
        let mut out = Vec::new();
        encode(args, &mut out);
        self.send_raw(&out)
    }

    /// One whole reply as it came. `UnexpectedEof` when the server closed, `WouldBlock` or `TimedOut` when nothing came.
    pub fn read_raw(&mut self) -> io::Result<Vec<u8>> {
        self.read_both().map(|(raw, _)| raw)
    }

    pub fn read(&mut self) -> io::Result<Value> {
        self.read_both().map(|(_, value)| value)
    }

    fn read_both(&mut self) -> io::Result<(Vec<u8>, Value)> {
        loop {
            let decoded = Value::decode(&self.buffer[self.at..])
                .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
            if let Some((value, len)) = decoded {
                let raw = self.buffer[self.at..self.at + len].to_vec();
                self.at += len;
                if self.at == self.buffer.len() {
                    self.buffer.clear();
                    self.at = 0;
                }
                return Ok((raw, value));
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut chunk = [0; 16 << 10];
        match self.stream.read(&mut chunk)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            len => {
                self.buffer.extend_from_slice(&chunk[..len]);
                Ok(())
            }
        }
    }

    /// Sends one command and waits for its reply.
    pub fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<Value> {
        self.send(args)?;
        self.read()
    }

    /// As [`Client::call`] with words split at spaces; the server must answer.
    pub fn run(&mut self, command: &str) -> Value {
        let words: Vec<&str> = command.split(' ').collect();
        self.call(&words).unwrap_or_else(|e| panic!("no reply to {command}: {e}"))
    }
}

/// Appends a command in its wire form.
pub fn encode<A: AsRef<[u8]>>(args: &[A], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", args.len()).as_bytes());
    for arg in args {
        let arg = arg.as_ref();
        out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}
