//! Conformance scripts: commands with the replies a real Redis gave, as text.
//!
//! ```text
//! @test name                 a section: empty databases, fresh connections; played once per protocol
//! @resp2 | @resp3            only that protocol (default: both; the player says HELLO 3 itself)
//! # …                        a comment
//! > SET k "a\x00\r\n"        a command on connection `a`, quoted as redis-cli does
//! b> GET k                   the same on connection `b`, opened at first use
//! < +OK\r\n                  the recorded reply, one per line; `<2` and `<3` where the protocols differ
//! raw> *1\r\n$a\r\n          raw bytes, in the reply's escapes
//! scan> SCAN {{cursor}}      repeats the command until its cursor is 0; the reply is the sorted set of all elements
//! send b> GET k              does not wait; `b< …` on a later line reads the reply
//! close b                    closes a connection
//! ```
//! In a command `{{5*ab}}` stands for `ab` five times, `{{$name}}` for a captured number, `{{addr_b}}` for the address of
//! connection b. In a reply `\{300*x}` stands for a long run of one byte.
//!
//! Replies that vary by nature have a matcher, `<:unordered …`, `<:deep …`, `<:int 99..100`, `<:is bulk`,
//! `<:oneof reply | reply`, `<:pick 2 a b c` (distinct), `<:draw 5 a b c`, `<:like …%d…%s…%*` (number, word, anything),
//! `<:capture name`, `<:docs …` (all but the prose of COMMAND DOCS), `<!closed`, `<!none`.

mod matcher;
mod parse;
mod play;
mod render;
mod text;

pub use matcher::{Got, Matcher};
pub use parse::parse;
pub use play::{Failure, check, record};
pub use render::render;
pub use text::escape;

use proto::resp::Protocol;

/// A file: notes before the first section, then sections.
#[derive(Debug, Default)]
pub struct Script {
    pub head: Vec<String>,
    pub sections: Vec<Section>,
}

#[derive(Debug)]
pub struct Section {
    pub name: String,
    pub protocols: Vec<Protocol>,
    pub steps: Vec<Step>,
}

#[derive(Debug)]
pub enum Step {
    /// A comment, a blank line.
    Note(String),
    Send(Send),
    /// Reads a reply that an earlier `send` did not wait for.
    Read {
        line: usize,
        connection: String,
        want: Want,
    },
    Close(String),
}

/// One command and the replies it is followed by.
#[derive(Debug)]
pub struct Send {
    /// Line in the file, from 1.
    pub line: usize,
    pub connection: String,
    pub kind: SendKind,
    /// The command as it stands in the file.
    pub text: String,
    pub wants: Vec<Want>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendKind {
    Command,
    Raw,
    Scan,
    /// A command whose reply is read later.
    Silent,
}

/// What must come, per protocol. `both` is used where the protocols agree.
#[derive(Clone, Debug, Default)]
pub struct Want {
    pub both: Option<Matcher>,
    pub resp2: Option<Matcher>,
    pub resp3: Option<Matcher>,
}

impl Want {
    pub fn of(&self, protocol: Protocol) -> Option<&Matcher> {
        let own = match protocol {
            Protocol::Resp2 => &self.resp2,
            Protocol::Resp3 => &self.resp3,
        };
        own.as_ref().or(self.both.as_ref())
    }
}

impl Script {
    /// Replies the script holds, one per command and protocol.
    pub fn replies(&self) -> usize {
        let of_step = |step: &Step| match step {
            Step::Send(send) => send.wants.len(),
            Step::Read { .. } => 1,
            _ => 0,
        };
        self.sections.iter().map(|s| s.steps.iter().map(of_step).sum::<usize>() * s.protocols.len()).sum()
    }
}
