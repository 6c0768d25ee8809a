//! One question to a running node over its client port.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use proto::resp::Value;

use super::args::NodeArgs;

/// A replay of a long late set takes its time.
const ANSWER_MAX: Duration = Duration::from_secs(600);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("asking {0}: {1}")]
    Io(String, io::Error),
    #[error("the node's answer is not RESP: {0}")]
    Reply(#[from] proto::resp::DecodeError),
    #[error("{0}")]
    Refused(String),
}

/// Asks in RESP3, so that maps are maps.
pub fn ask(node: &NodeArgs, command: &[&str]) -> Result<Value, AskError> {
    let at = format!("{}:{}", node.host, node.port);
    let failed = |error| AskError::Io(at.clone(), error);
    let mut stream = TcpStream::connect(&at).map_err(failed)?;
    stream.set_read_timeout(Some(ANSWER_MAX)).map_err(failed)?;
    let mut hello = vec!["HELLO", "3"];
    if let Some(password) = &node.password {
        hello.extend(["AUTH", "default", password]);
    }
    let mut unread = Vec::new();
    for (at_last, words) in [(false, &hello[..]), (true, command)] {
        stream.write_all(&encode(words)).map_err(failed)?;
        let answer = read(&mut stream, &mut unread, &at)?;
        if let Value::Error(text) = &answer {
            return Err(AskError::Refused(String::from_utf8_lossy(text).into_owned()));
        }
        if at_last {
            return Ok(answer);
        }
    }
    unreachable!("the last of two questions returns")
}

fn encode(words: &[&str]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        out.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    out
}

fn read(stream: &mut TcpStream, unread: &mut Vec<u8>, at: &str) -> Result<Value, AskError> {
    let mut chunk = [0; 16 << 10];
    loop {
        if let Some((value, length)) = Value::decode(unread)? {
            unread.drain(..length);
            return Ok(value);
        }
        match stream.read(&mut chunk).map_err(|error| AskError::Io(at.into(), error))? {
            0 => return Err(AskError::Io(at.into(), io::ErrorKind::UnexpectedEof.into())),
            read => unread.extend_from_slice(&chunk[..read]),
        }
    }
}
