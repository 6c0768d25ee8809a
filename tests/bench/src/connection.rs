//! One blocking connection for questions outside the measured load: PING, DBSIZE, SCAN, GET.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use proto::resp::Value;

use crate::error::BenchError;

const TIMEOUT: Duration = Duration::from_secs(30);
const READ_BYTES: usize = 64 * 1024;
/// A longer reply is a mistake of the question.
const REPLY_BYTES_MAX: usize = 64 << 20;

pub struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    used: usize,
}

impl Connection {
    pub fn open(address: SocketAddr) -> Result<Connection, BenchError> {
        let stream =
            TcpStream::connect_timeout(&address, TIMEOUT).map_err(BenchError::connection("connect"))?;
        let set = |s: &TcpStream| {
            s.set_nodelay(true)?;
            s.set_read_timeout(Some(TIMEOUT))?;
            s.set_write_timeout(Some(TIMEOUT))
        };
        set(&stream).map_err(BenchError::connection("socket options"))?;
        Ok(Connection { stream, input: Vec::with_capacity(READ_BYTES), used: 0 })
    }

    /// Sends one command and reads its reply, an error reply included.
    pub fn call(&mut self, words: &[&[u8]]) -> Result<Value, BenchError> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        self.stream.write_all(&request).map_err(BenchError::connection("write"))?;
        self.reply()
    }

    fn reply(&mut self) -> Result<Value, BenchError> {
        loop {
            if let Some((value, length)) = Value::decode(&self.input[self.used..])? {
                self.used += length;
                if self.used == self.input.len() {
                    self.input.clear();
                    self.used = 0;
                }
                return Ok(value);
            }
            self.input.drain(..self.used);
            self.used = 0;
            let filled = self.input.len();
            if filled > REPLY_BYTES_MAX {
                return Err(BenchError::Malformed("longer than the harness reads".into()));
            }
            self.input.resize(filled + READ_BYTES, 0);
            let read = self.stream.read(&mut self.input[filled..]);
            self.input.truncate(filled + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => return Err(BenchError::Closed),
                Ok(_) => {}
                Err(source) => return Err(BenchError::Connection { operation: "read", source }),
            }
        }
    }

    /// Sends whole requests as they are and waits for as many replies, none of them an error.
    pub fn pipeline(&mut self, requests: &[u8], replies: usize) -> Result<(), BenchError> {
        self.stream.write_all(requests).map_err(BenchError::connection("write"))?;
        for _ in 0..replies {
            if let error @ Value::Error(_) = self.reply()? {
                return Err(unexpected("a write", &error));
            }
        }
        Ok(())
    }

    /// Sends commands of words, some at a time, none of them answered with an error.
    pub fn fill(&mut self, commands: impl Iterator<Item = Vec<Vec<u8>>>) -> Result<(), BenchError> {
        const AT_ONCE: usize = 500;
        let (mut requests, mut count) = (Vec::new(), 0);
        for words in commands {
            requests.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
            for word in words {
                requests.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
                requests.extend_from_slice(&word);
                requests.extend_from_slice(b"\r\n");
            }
            count += 1;
            if count == AT_ONCE {
                self.pipeline(&requests, count)?;
                requests.clear();
                count = 0;
            }
        }
        self.pipeline(&requests, count)
    }

    /// A section of INFO.
    pub fn info(&mut self, section: &str) -> Result<String, BenchError> {
        match self.call(&[b"INFO", section.as_bytes()])? {
            Value::Bulk(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
            other => Err(unexpected("INFO", &other)),
        }
    }

    /// A number in a section of INFO: of the line `name:`, or, with `line`, of the field `name=` of that line.
    pub fn figure(&mut self, section: &str, line: Option<&str>, name: &str) -> Result<f64, BenchError> {
        let told = self.info(section)?;
        let of_line = |line: &str| {
            let fields = told.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(':'))?;
            fields.split(',').find_map(|f| f.strip_prefix(name)?.strip_prefix('='))
        };
        let plain = || told.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
        let text = line.map_or_else(plain, of_line);
        let number = text.and_then(|t| t.trim().parse().ok());
        number.ok_or_else(|| BenchError::Malformed(format!("no {name} in INFO {section}")))
    }

    /// `DBSIZE`.
    pub fn key_count(&mut self) -> Result<u64, BenchError> {
        match self.call(&[b"DBSIZE"])? {
            Value::Integer(count) if count >= 0 => Ok(count as u64),
            other => Err(unexpected("DBSIZE", &other)),
        }
    }
}

/// A reply that the harness has no use for.
pub fn unexpected(command: &'static str, reply: &Value) -> BenchError {
    let reply = match reply {
        Value::Error(text) | Value::Simple(text) => String::from_utf8_lossy(text).into_owned(),
        other => format!("{other:?}").chars().take(80).collect(),
    };
    BenchError::Reply { command, reply }
}
