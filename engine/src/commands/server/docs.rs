//! COMMAND DOCS.

use proto::resp::Replies;

use super::command::{full_name, named};
use crate::commands::spec::{ArgSpec, CommandSpec};
use crate::commands::{self};
use crate::refusal::Refusal;
use crate::session::Call;

pub fn command_docs(_: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let specs: Vec<(&CommandSpec, &str)> = match args.len() {
        2 => commands::all().map(|spec| (spec, "")).collect(),
        _ => args[2..].iter().filter_map(|name| named(name)).collect(),
    };
    reply.map(specs.len());
    for (spec, container) in specs {
        describe(spec, container, reply);
    }
    Ok(())
}

fn describe(spec: &CommandSpec, container: &str, reply: &mut Replies<'_>) {
    reply.bulk(full_name(spec, container).as_bytes());
    let texts = [
        ("summary", spec.summary),
        ("since", spec.since),
        ("group", spec.group),
        ("complexity", spec.complexity),
    ];
    let texts: Vec<_> = texts.iter().filter(|t| !t.1.is_empty()).collect();
    let (args, subs) = (!spec.args.is_empty(), !spec.subcommands.is_empty());
    reply.map(texts.len() + usize::from(args) + usize::from(subs));
    for (name, text) in texts {
        reply.bulk(name.as_bytes());
        reply.bulk(text.as_bytes());
    }
    if args {
        reply.bulk(b"arguments");
        arguments(spec.args, reply);
    }
    if subs {
        reply.bulk(b"subcommands");
        reply.map(spec.subcommands.len());
        spec.subcommands.iter().for_each(|sub| describe(sub, spec.name, reply));
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
        reply.map(2 + optional.iter().filter(|o| **o).count());
        let mut text = |name: &str, value: &str| {
            reply.bulk(name.as_bytes());
            reply.bulk(value.as_bytes());
        };
        text("name", arg.name);
        text("type", arg.kind);
        if let Some(index) = arg.key_spec_index {
            reply.bulk(b"key_spec_index");
            reply.integer(index);
        }
        for (name, value) in [("token", arg.token), ("since", arg.since)] {
            if let Some(value) = value {
                reply.bulk(name.as_bytes());
                reply.bulk(value.as_bytes());
            }
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
