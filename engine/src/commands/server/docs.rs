//! COMMAND DOCS.

use proto::resp::Replies;

use super::command::{full_name, named};
use crate::commands::all;
use crate::commands::spec::{ArgSpec, CommandSpec};
use crate::refusal::Refusal;
use crate::session::Call;

pub fn command_docs(_: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let asked: Vec<_> = match &args[2..] {
        [] => all().map(|spec| (spec, None)).collect(),
        names => names.iter().filter_map(|name| named(name)).collect(),
    };
    reply.map(asked.len());
    asked.into_iter().for_each(|(spec, parent)| document(spec, parent, reply));
    Ok(())
}

fn pair(name: &str, value: &str, reply: &mut Replies<'_>) {
    reply.bulk(name.as_bytes());
    reply.bulk(value.as_bytes());
}

fn document(spec: &CommandSpec, parent: Option<&CommandSpec>, reply: &mut Replies<'_>) {
    reply.bulk(full_name(spec, parent).as_bytes());
    let optional = [!spec.complexity.is_empty(), !spec.args.is_empty(), !spec.subcommands.is_empty()];
    reply.map(3 + optional.iter().filter(|there| **there).count());
    pair("summary", spec.summary, reply);
    pair("since", spec.since, reply);
    pair("group", spec.group.name(), reply);
    if !spec.complexity.is_empty() {
        pair("complexity", spec.complexity, reply);
    }
    if !spec.args.is_empty() {
        reply.bulk(b"arguments");
        arguments(spec.args, reply);
    }
    if !spec.subcommands.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(spec.subcommands.len());
        spec.subcommands.iter().for_each(|sub| document(sub, Some(spec), reply));
    }
}

fn arguments(args: &[ArgSpec], reply: &mut Replies<'_>) {
    reply.array(args.len());
    for arg in args {
        let optional = [
            arg.key_spec_index.is_some(),
            arg.token.is_some(),
            arg.since.is_some(),
            !arg.flags.is_empty(),
            !arg.args.is_empty(),
        ];
        reply.map(2 + optional.iter().filter(|there| **there).count());
        pair("name", arg.name, reply);
        pair("type", arg.kind, reply);
        if let Some(index) = arg.key_spec_index {
            reply.bulk(b"key_spec_index");
            reply.integer(index);
        }
        if let Some(token) = arg.token {
            pair("token", token, reply);
        }
        if let Some(since) = arg.since {
            pair("since", since, reply);
        }
        if !arg.flags.is_empty() {
            reply.bulk(b"flags");
            reply.set(arg.flags.len());
            arg.flags.iter().for_each(|flag| reply.simple(flag));
        }
        if !arg.args.is_empty() {
            reply.bulk(b"arguments");
            arguments(arg.args, reply);
        }
    }
}
