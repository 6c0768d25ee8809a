//! The request side: what a client may send, and how malformed input is named.
//!
//! [`RequestParser`] turns a connection's bytes into [`Requests`]: pipelined commands as argument ranges of the input,
//! without an allocation per command.

mod batch;
mod parser;

pub use batch::Requests;
pub use parser::RequestParser;

/// What a client may send.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// Largest argument (`proto-max-bulk-len`), bytes.
    pub bulk_bytes_max: usize,
    /// Most arguments of one command.
    pub args_max: usize,
    /// Input bytes in which the end of an inline command or of a length line must be found.
    pub inline_bytes_max: usize,
    /// Before AUTH on a server with a password: 10 arguments of 16 KiB.
    pub unauthenticated: bool,
}

impl Default for RequestLimits {
    fn default() -> Self {
        RequestLimits {
            bulk_bytes_max: 512 << 20,
            args_max: i32::MAX as usize,
            inline_bytes_max: 64 << 10,
            unauthenticated: false,
        }
    }
}

/// Malformed input: answered with [`ProtocolError::line`], then the connection is closed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProtocolError {
    #[error("Protocol error: invalid multibulk length")]
    MultibulkLength,
    #[error("Protocol error: unauthenticated multibulk length")]
    UnauthenticatedMultibulk,
    #[error("Protocol error: too big mbulk count string")]
    MultibulkLine,
    #[error("Protocol error: expected '$', got '{}'", .0.escape_ascii())]
    ExpectedBulk(u8),
    #[error("Protocol error: invalid bulk length")]
    BulkLength,
    #[error("Protocol error: unauthenticated bulk length")]
    UnauthenticatedBulk,
    #[error("Protocol error: too big bulk count string")]
    BulkLine,
    #[error("Protocol error: unbalanced quotes in request")]
    Quotes,
    #[error("Protocol error: too big inline request")]
    InlineLine,
}

impl ProtocolError {
    /// The client's answer, for [`super::Replies::error_bytes`]: it may quote a byte that is no text.
    pub fn line(&self) -> Vec<u8> {
        match self {
            ProtocolError::ExpectedBulk(byte) => {
                let mut line = b"ERR Protocol error: expected '$', got '".to_vec();
                line.extend([*byte, b'\'']);
                line
            }
            other => format!("ERR {other}").into_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_quotes_the_byte_as_it_came() {
        assert_eq!(ProtocolError::ExpectedBulk(0xff).line(), b"ERR Protocol error: expected '$', got '\xff'");
        assert_eq!(ProtocolError::BulkLength.line(), b"ERR Protocol error: invalid bulk length");
    }
}
