//! The complete commands of one parse: flat, reused, pointing into the input.

/// Arguments and side bytes kept allocated between parses; a rare huge command gives its memory back.
const ARGS_KEPT: usize = 1 << 10;
const SIDE_BYTES_KEPT: usize = 4 << 10;

/// Where an argument lies, counted from the front of the input or (inline commands) of the side buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub start: usize,
    pub len: usize,
}

#[derive(Clone, Copy, Debug)]
struct Command {
    /// End of its arguments in `spans`.
    spans_end: usize,
    /// End of its bytes in the input.
    input_end: usize,
    /// An inline command: unquoting made its arguments, they are no slices of the input.
    side: bool,
}

/// Complete commands of one parse. Reused between parses.
#[derive(Default, Debug)]
pub struct Requests {
    spans: Vec<Span>,
    commands: Vec<Command>,
    side: Vec<u8>,
}

impl Requests {
    pub fn new() -> Self {
        Self::default()
    }

    /// Complete commands.
    #[inline]
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Forgets all commands, and the memory that only an unusually large one needed.
    #[inline]
    pub fn clear(&mut self) {
        self.commands.clear();
        self.spans.clear();
        self.side.clear();
        if self.spans.capacity() > ARGS_KEPT || self.side.capacity() > SIDE_BYTES_KEPT {
            self.spans.shrink_to(ARGS_KEPT);
            self.side.shrink_to(SIDE_BYTES_KEPT);
        }
    }

    #[inline]
    fn spans_of(&self, command: usize) -> &[Span] {
        let from = command.checked_sub(1).map_or(0, |before| self.commands[before].spans_end);
        &self.spans[from..self.commands[command].spans_end]
    }

    /// The bytes that a command's spans count from.
    #[inline]
    fn source<'a>(&'a self, command: usize, input: &'a [u8]) -> &'a [u8] {
        if self.commands[command].side { &self.side } else { input }
    }

    /// Arguments of a command, its name included; never zero.
    #[inline]
    pub fn arg_count(&self, command: usize) -> usize {
        self.spans_of(command).len()
    }

    /// One argument; `input` is the buffer that was parsed.
    #[inline]
    pub fn arg<'a>(&'a self, command: usize, at: usize, input: &'a [u8]) -> &'a [u8] {
        slice(self.source(command, input), self.spans_of(command)[at])
    }

    /// Replaces `out` by the arguments of a command.
    #[inline]
    pub fn args<'a>(&'a self, command: usize, input: &'a [u8], out: &mut Vec<&'a [u8]>) {
        out.clear();
        out.extend(self.args_of(command, input));
    }

    /// The arguments of a command.
    #[inline]
    pub fn args_of<'a>(&'a self, command: usize, input: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let source = self.source(command, input);
        self.spans_of(command).iter().map(move |span| slice(source, *span))
    }

    /// Input bytes up to the end of a command.
    pub fn end(&self, command: usize) -> usize {
        self.commands[command].input_end
    }

    /// Bytes of memory held, used or not.
    pub fn memory_bytes(&self) -> usize {
        self.spans.capacity() * size_of::<Span>()
            + self.commands.capacity() * size_of::<Command>()
            + self.side.capacity()
    }

    /// Where the next command's arguments begin; see [`Requests::rewind`].
    #[inline]
    pub(super) fn mark(&self) -> usize {
        self.spans.len()
    }

    #[inline]
    pub(super) fn push_span(&mut self, start: usize, len: usize) {
        self.spans.push(Span { start, len });
    }

    /// Copies a word of an inline command.
    pub(super) fn push_word(&mut self, word: &[u8]) {
        self.spans.push(Span { start: self.side.len(), len: word.len() });
        self.side.extend_from_slice(word);
    }

    /// Closes a command whose arguments were pushed since the last one.
    #[inline]
    pub(super) fn finish_command(&mut self, input_end: usize, side: bool) {
        self.commands.push(Command { spans_end: self.spans.len(), input_end, side });
    }

    /// Takes back the arguments pushed since `mark`.
    pub(super) fn rewind(&mut self, mark: usize) -> impl Iterator<Item = Span> + '_ {
        self.spans.drain(mark..)
    }
}

#[inline]
fn slice(source: &[u8], span: Span) -> &[u8] {
    &source[span.start..span.start + span.len]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_huge_command_gives_its_memory_back() {
        let mut requests = Requests::new();
        for at in 0..100_000 {
            requests.push_span(at, 1);
        }
        requests.finish_command(100_000, false);
        assert_eq!(requests.arg_count(0), 100_000);
        requests.clear();
        assert!(requests.memory_bytes() < 64 << 10);
    }
}
