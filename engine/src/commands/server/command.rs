//! COMMAND and its subcommands but DOCS.

use proto::resp::Replies;

use crate::commands::args::is;
use crate::commands::connection::help;
use crate::commands::spec::{CommandSpec, FindKeys, KeySpec};
use crate::commands::{self};
use crate::glob;
use crate::refusal::Refusal;
use crate::session::Call;

type Outcome = Result<(), Refusal>;

pub fn command(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    reply.array(commands::all().count());
    commands::all().for_each(|spec| describe(spec, "", reply));
    Ok(())
}

pub fn command_count(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    reply.integer(commands::all().count() as i64);
    Ok(())
}

pub fn command_info(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    if args.len() == 2 {
        return command(call, args, reply);
    }
    reply.array(args.len() - 2);
    for name in &args[2..] {
        match named(name) {
            Some((spec, container)) => describe(spec, container, reply),
            None => reply.null_array(),
        }
    }
    Ok(())
}

/// Finds `get` or `config|get`; the second part is the container's name.
pub(super) fn named(name: &[u8]) -> Option<(&'static CommandSpec, &'static str)> {
    match name.iter().position(|b| *b == b'|') {
        None => commands::lookup(name).map(|spec| (spec, "")),
        Some(at) => {
            let container = commands::lookup(&name[..at])?;
            Some((commands::subcommand(container, &name[at + 1..])?, container.name))
        }
    }
}

pub(super) fn full_name(spec: &CommandSpec, container: &str) -> String {
    if container.is_empty() { spec.name.into() } else { format!("{container}|{}", spec.name) }
}

/// First key, last key and step as clients before Redis 7 read them.
fn legacy_range(keys: &[KeySpec]) -> (i64, i64, i64) {
    let mut out: Option<(i64, i64, i64)> = None;
    for key in keys {
        let FindKeys::Range { last, step, .. } = key.find else { continue };
        let first = key.begin as i64;
        let last = if last >= 0 { first + i64::from(last) } else { i64::from(last) };
        out = Some(match out {
            None => (first, last, step as i64),
            // Neighbours are one range.
            Some((begin, end, 1)) if end + 1 == first && step == 1 => (begin, last, 1),
            Some(range) => range,
        });
    }
    out.unwrap_or_default()
}

fn describe(spec: &CommandSpec, container: &str, reply: &mut Replies<'_>) {
    reply.array(10);
    reply.bulk(full_name(spec, container).as_bytes());
    reply.integer(i64::from(spec.arity));
    reply.set(spec.flags.names().count());
    spec.flags.names().for_each(|name| reply.simple(name));
    let (first, last, step) = legacy_range(spec.keys);
    [first, last, step].into_iter().for_each(|n| reply.integer(n));
    reply.set(spec.acl.len());
    spec.acl.iter().for_each(|category| reply.simple(category));
    reply.array(spec.tips.len());
    spec.tips.iter().for_each(|tip| reply.bulk(tip.as_bytes()));
    reply.array(spec.keys.len());
    spec.keys.iter().for_each(|key| describe_key(key, reply));
    reply.array(spec.subcommands.len());
    spec.subcommands.iter().for_each(|sub| describe(sub, spec.name, reply));
}

fn describe_key(key: &KeySpec, reply: &mut Replies<'_>) {
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(key.flags.len());
    key.flags.iter().for_each(|flag| reply.simple(flag));
    let part = |name: &str, kind: &str, fields: &[(&str, i64)], reply: &mut Replies<'_>| {
        reply.bulk(name.as_bytes());
        reply.map(2);
        reply.bulk(b"type");
        reply.bulk(kind.as_bytes());
        reply.bulk(b"spec");
        reply.map(fields.len());
        for (field, value) in fields {
            reply.bulk(field.as_bytes());
            reply.integer(*value);
        }
    };
    part("begin_search", "index", &[("index", key.begin as i64)], reply);
    match key.find {
        FindKeys::Range { last, step, limit } => {
            let fields = [("lastkey", i64::from(last)), ("keystep", step as i64), ("limit", limit as i64)];
            part("find_keys", "range", &fields, reply);
        }
        FindKeys::Counted { count_at, first, step } => {
            let fields =
                [("keynumidx", count_at as i64), ("firstkey", first as i64), ("keystep", step as i64)];
            part("find_keys", "keynum", &fields, reply);
        }
    }
}

pub fn command_list(_: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    let keep: Box<dyn Fn(&CommandSpec, &str) -> bool> = match &args[2..] {
        [] => Box::new(|_, _| true),
        [filterby, kind, value] if is(filterby, "filterby") => {
            let value = value.to_vec();
            match kind {
                kind if is(kind, "module") => Box::new(|_, _| false),
                kind if is(kind, "aclcat") => {
                    Box::new(move |spec, _| spec.acl.iter().any(|c| is(&value, &c[1..])))
                }
                kind if is(kind, "pattern") => {
                    let value = value.to_ascii_lowercase();
                    Box::new(move |_, name| glob::matches(&value, name.as_bytes()))
                }
                _ => return Err(Refusal::Syntax),
            }
        }
        _ => return Err(Refusal::Syntax),
    };
    let mut names = Vec::new();
    let filtered = args.len() > 2;
    for spec in commands::all() {
        if keep(spec, spec.name) {
            names.push(spec.name.to_string());
        }
        for sub in spec.subcommands.iter().filter(|_| filtered) {
            let name = full_name(sub, spec.name);
            if keep(sub, &name) {
                names.push(name);
            }
        }
    }
    reply.array(names.len());
    names.iter().for_each(|name| reply.bulk(name.as_bytes()));
    Ok(())
}

fn keys_of<'a>(args: &'a [&'a [u8]]) -> Result<Vec<(&'a [u8], &'static KeySpec)>, Refusal> {
    let args = &args[2..];
    let spec = commands::lookup(args[0]).ok_or(Refusal::Text("ERR Invalid command specified"))?;
    let spec = match args.get(1).and_then(|name| commands::subcommand(spec, name)) {
        Some(sub) => sub,
        None => spec,
    };
    if spec.keys.is_empty() {
        return Err(Refusal::Text("ERR The command has no key arguments"));
    }
    if !spec.takes(args.len()) {
        return Err(Refusal::Text("ERR Invalid number of arguments specified for command"));
    }
    let mut positions = Vec::new();
    if !spec.key_positions(args, &mut positions) {
        return Err(Refusal::Text("ERR Invalid arguments specified for command"));
    }
    Ok(positions.into_iter().map(|(at, key)| (args[at], key)).collect())
}

pub fn command_getkeys(_: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    let keys = keys_of(args)?;
    reply.array(keys.len());
    keys.iter().for_each(|(key, _)| reply.bulk(key));
    Ok(())
}

pub fn command_getkeysandflags(_: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    let keys = keys_of(args)?;
    reply.array(keys.len());
    for (key, spec) in keys {
        reply.array(2);
        reply.bulk(key);
        reply.set(spec.flags.len());
        spec.flags.iter().for_each(|flag| reply.simple(flag));
    }
    Ok(())
}

pub fn command_help(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    help(
        reply,
        "COMMAND",
        &[
            ("(no subcommand)", "Return details about all Redis commands."),
            ("COUNT", "Return the total number of commands in this Redis server."),
            ("LIST", "Return a list of all commands in this Redis server."),
            ("INFO [<command-name> ...]", "Return details about multiple Redis commands."),
            ("DOCS [<command-name> ...]", "Return documentation details about multiple Redis commands."),
            ("GETKEYS <full-command>", "Return the keys from a full Redis command."),
            (
                "GETKEYSANDFLAGS <full-command>",
                "Return the keys and the access flags from a full Redis command.",
            ),
        ],
    );
    Ok(())
}
