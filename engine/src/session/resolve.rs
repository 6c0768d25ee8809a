//! From a request's words to a command or subcommand, and the words for a failure.

use crate::commands::{self, CommandSpec};

/// A command found, with its container if it is a subcommand.
#[derive(Clone, Copy)]
pub struct Resolved {
    pub spec: &'static CommandSpec,
    pub parent: Option<&'static CommandSpec>,
}

impl Resolved {
    /// `container|subcommand`, or the name.
    pub fn full_name(&self) -> String {
        match self.parent {
            Some(parent) => format!("{}|{}", parent.name, self.spec.name),
            None => self.spec.name.into(),
        }
    }

    /// The same name is the same command, whatever follows it.
    #[inline]
    pub(super) fn is_by_name_alone(&self) -> bool {
        self.parent.is_none() && self.spec.subcommands.is_empty()
    }

    pub(super) fn arity_refusal(&self) -> Vec<u8> {
        format!("ERR wrong number of arguments for '{}' command", self.full_name()).into_bytes()
    }
}

/// Finds what a request asks for; the error is the text to answer.
#[inline]
pub fn resolve(args: &[&[u8]]) -> Result<Resolved, Vec<u8>> {
    let Some(spec) = commands::lookup(args[0]) else { return Err(unknown(args)) };
    if spec.subcommands.is_empty() || args.len() < 2 {
        return Ok(Resolved { spec, parent: None });
    }
    match commands::subcommand(spec, args[1]) {
        Some(sub) => Ok(Resolved { spec: sub, parent: Some(spec) }),
        None => {
            let mut text = b"ERR unknown subcommand '".to_vec();
            text.extend_from_slice(printed(args[1], 128));
            text.extend_from_slice(b"'. Try ");
            text.extend(spec.name.bytes().map(|b| b.to_ascii_uppercase()));
            text.extend_from_slice(b" HELP.");
            Err(text)
        }
    }
}

fn unknown(args: &[&[u8]]) -> Vec<u8> {
    let mut preview = Vec::new();
    for arg in &args[1..] {
        if preview.len() >= 128 {
            break;
        }
        let room = 128 - preview.len();
        preview.push(b'\'');
        preview.extend_from_slice(printed(arg, room));
        preview.extend_from_slice(b"' ");
    }
    let mut text = b"ERR unknown command '".to_vec();
    text.extend_from_slice(printed(args[0], 128));
    text.extend_from_slice(b"', with args beginning with: ");
    text.append(&mut preview);
    text
}

/// What C's `%.*s` prints: up to `max` bytes, or to the first zero.
fn printed(arg: &[u8], max: usize) -> &[u8] {
    let arg = &arg[..arg.len().min(max)];
    &arg[..arg.iter().position(|b| *b == 0).unwrap_or(arg.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(words: &[&str]) -> String {
        let args: Vec<&[u8]> = words.iter().map(|w| w.as_bytes()).collect();
        String::from_utf8(resolve(&args).err().unwrap()).unwrap()
    }

    #[test]
    fn unknown_commands_are_quoted_with_a_preview_of_their_arguments() {
        assert_eq!(
            failure(&["foo", "a", "b"]),
            "ERR unknown command 'foo', with args beginning with: 'a' 'b' "
        );
        assert_eq!(failure(&[""]), "ERR unknown command '', with args beginning with: ");
        let long = "x".repeat(300);
        let text = failure(&[&long, &long, "more"]);
        let expected =
            format!("ERR unknown command '{}', with args beginning with: '{}' ", &long[..128], &long[..128]);
        assert_eq!(text, expected);
    }

    #[test]
    fn unknown_subcommands_point_to_help() {
        assert_eq!(failure(&["client", "foo"]), "ERR unknown subcommand 'foo'. Try CLIENT HELP.");
    }
}
