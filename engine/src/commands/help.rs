//! The form in which containers answer HELP.

use proto::resp::Replies;

/// Answers the subcommands of a container, and HELP itself, as lines.
pub fn answer(reply: &mut Replies<'_>, container: &str, lines: &[&str]) {
    reply.array(lines.len() + 3);
    reply.simple(&format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    lines.iter().for_each(|line| reply.simple(line));
    reply.simple("HELP");
    reply.simple("    Prints this help.");
}
