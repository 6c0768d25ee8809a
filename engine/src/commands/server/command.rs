//! COMMAND and its subcommands but DOCS.

use proto::resp::Replies;

use crate::commands::args::is;
use crate::commands::spec::{CommandSpec, FindKeys, Flags, KeySpec};
use crate::commands::{all, help, lookup, subcommand};
use crate::glob;
use crate::refusal::Refusal;
use crate::session::{Call, resolve};

pub fn command(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    reply.array(all().count());
    all().for_each(|spec| describe(spec, None, reply));
    Ok(())
}

pub fn command_count(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    reply.integer(all().count() as i64);
    Ok(())
}

pub fn command_info(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    if args.len() == 2 {
        return command(call, args, reply);
    }
    reply.array(args.len() - 2);
    for name in &args[2..] {
        match named(name) {
            Some((spec, parent)) => describe(spec, parent, reply),
            None => reply.null(),
        }
    }
    Ok(())
}

/// A command by name, a subcommand by `container|name`.
pub(super) fn named(name: &[u8]) -> Option<(&'static CommandSpec, Option<&'static CommandSpec>)> {
    match name.iter().position(|b| *b == b'|') {
        None => Some((lookup(name)?, None)),
        Some(bar) => {
            let parent = lookup(&name[..bar])?;
            Some((subcommand(parent, &name[bar + 1..])?, Some(parent)))
        }
    }
}

pub(super) fn full_name(spec: &CommandSpec, parent: Option<&CommandSpec>) -> String {
    parent.map_or_else(|| spec.name.into(), |p| format!("{}|{}", p.name, spec.name))
}

fn describe(spec: &'static CommandSpec, parent: Option<&CommandSpec>, reply: &mut Replies<'_>) {
    let (first, last, step) = legacy_range(spec);
    reply.array(10);
    reply.bulk(full_name(spec, parent).as_bytes());
    reply.integer(i64::from(spec.arity));
    let flags: Vec<&str> = flags(spec).collect();
    words(&flags, reply);
    reply.integer(first);
    reply.integer(last);
    reply.integer(step);
    words(spec.acl, reply);
    reply.set(spec.tips.len());
    spec.tips.iter().for_each(|tip| reply.bulk(tip.as_bytes()));
    reply.set(spec.keys.len());
    spec.keys.iter().for_each(|key| describe_key(key, notes(spec, parent, key), reply));
    // As in Redis, a set only when there are none.
    match spec.subcommands.len() {
        0 => reply.set(0),
        subcommands => reply.array(subcommands),
    }
    spec.subcommands.iter().for_each(|sub| describe(sub, Some(spec), reply));
}

/// The flags told, with what the key specifications imply.
fn flags(spec: &'static CommandSpec) -> impl Iterator<Item = &'static str> {
    let moves = spec.keys.iter().any(|k| !matches!(k.find, FindKeys::Range { .. }));
    let flags = if moves { spec.flags.or(Flags::MOVABLEKEYS) } else { spec.flags };
    flags.names()
}

fn words(words: &[&str], reply: &mut Replies<'_>) {
    reply.set(words.len());
    words.iter().for_each(|word| reply.simple(word));
}

/// What Redis notes on the keys of a few commands.
fn notes(spec: &CommandSpec, parent: Option<&CommandSpec>, key: &KeySpec) -> Option<&'static str> {
    match spec.name {
        "sort" | "sort_ro" => match key.find {
            FindKeys::Unknown { word: "", .. } => Some(
                "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort",
            ),
            FindKeys::Unknown { .. } => Some(
                "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument array",
            ),
            _ => None,
        },
        "set" if parent.is_none() => Some("RW and ACCESS due to the optional `GET` argument"),
        "getex" | "hgetex" => Some("RW and UPDATE because it changes the TTL"),
        "xadd" => Some("UPDATE instead of INSERT because of the optional trimming feature"),
        _ => None,
    }
}

fn describe_key(key: &KeySpec, notes: Option<&str>, reply: &mut Replies<'_>) {
    let numbers = |reply: &mut Replies<'_>, pairs: &[(&str, i64)]| {
        reply.map(pairs.len());
        for (name, value) in pairs {
            reply.bulk(name.as_bytes());
            reply.integer(*value);
        }
    };
    reply.map(3 + usize::from(notes.is_some()));
    if let Some(notes) = notes {
        reply.bulk(b"notes");
        reply.bulk(notes.as_bytes());
    }
    reply.bulk(b"flags");
    words(key.flags, reply);
    reply.bulk(b"begin_search");
    reply.map(2);
    reply.bulk(b"type");
    match key.find {
        FindKeys::After { word } | FindKeys::FirstHalf { word } => {
            reply.bulk(b"keyword");
            reply.bulk(b"spec");
            reply.map(2);
            reply.bulk(b"keyword");
            reply.bulk(word.to_uppercase().as_bytes());
            reply.bulk(b"startfrom");
            reply.integer(key.begin as i64);
        }
        FindKeys::Unknown { .. } => {
            reply.bulk(b"unknown");
            reply.bulk(b"spec");
            reply.map(0);
        }
        FindKeys::Range { .. } | FindKeys::Counted { .. } => {
            reply.bulk(b"index");
            reply.bulk(b"spec");
            numbers(reply, &[("index", key.begin as i64)]);
        }
    }
    reply.bulk(b"find_keys");
    reply.map(2);
    reply.bulk(b"type");
    match key.find {
        FindKeys::Range { last, step, limit } => {
            reply.bulk(b"range");
            reply.bulk(b"spec");
            numbers(
                reply,
                &[("lastkey", i64::from(last)), ("keystep", step as i64), ("limit", limit as i64)],
            );
        }
        FindKeys::FirstHalf { .. } => {
            reply.bulk(b"range");
            reply.bulk(b"spec");
            numbers(reply, &[("lastkey", -1), ("keystep", 1), ("limit", 2)]);
        }
        FindKeys::After { .. } => {
            reply.bulk(b"range");
            reply.bulk(b"spec");
            numbers(reply, &[("lastkey", 0), ("keystep", 1), ("limit", 0)]);
        }
        FindKeys::Unknown { .. } => {
            reply.bulk(b"unknown");
            reply.bulk(b"spec");
            reply.map(0);
        }
        FindKeys::Counted { count_at, first, step } => {
            reply.bulk(b"keynum");
            reply.bulk(b"spec");
            let at = [("keynumidx", count_at as i64), ("firstkey", first as i64), ("keystep", step as i64)];
            numbers(reply, &at);
        }
    }
}

/// First key, last key and step, as clients before Redis 7 want them: the specifications that are ranges, joined where they
/// touch.
fn legacy_range(spec: &CommandSpec) -> (i64, i64, i64) {
    let ranges = spec.keys.iter().filter_map(|key| match key.find {
        FindKeys::Range { last, step, .. } => {
            let begin = key.begin as i64;
            let last = i64::from(last);
            Some((begin, if last >= 0 { begin + last } else { last }, step as i64))
        }
        _ => None,
    });
    let ranges: Vec<_> = ranges.collect();
    if let ([only], 1) = (&ranges[..], spec.keys.len()) {
        return *only;
    }
    let mut joined: Option<(i64, i64)> = None;
    for (begin, last, step) in ranges {
        if step != 1 {
            continue;
        }
        joined = match joined {
            None => Some((begin, last)),
            Some((first, previous)) if previous == begin - 1 => Some((first, last)),
            kept => kept,
        };
    }
    joined.map_or((0, 0, 0), |(first, last)| (first, last, 1))
}

pub fn command_list(_: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let wanted: Box<dyn Fn(&CommandSpec, &str) -> bool> = match &args[2..] {
        [] => Box::new(|_, _| true),
        [word, kind, value] if is(word, "filterby") => match kind {
            k if is(k, "module") => Box::new(|_, _| false),
            k if is(k, "aclcat") => {
                Box::new(|spec, _| spec.acl.iter().any(|c| c.as_bytes()[1..].eq_ignore_ascii_case(value)))
            }
            k if is(k, "pattern") => {
                let pattern = value.to_ascii_lowercase();
                Box::new(move |_, name| glob::matches(&pattern, name.as_bytes()))
            }
            _ => return Err(Refusal::Syntax),
        },
        _ => return Err(Refusal::Syntax),
    };
    let filtered = args.len() > 2;
    let mut names = Vec::new();
    for spec in all() {
        let subs = spec.subcommands.iter().filter(|_| filtered).map(|s| (s, full_name(s, Some(spec))));
        let both = std::iter::once((spec, spec.name.to_string())).chain(subs);
        names.extend(both.filter(|(s, name)| wanted(s, name)).map(|(_, name)| name));
    }
    reply.array(names.len());
    names.iter().for_each(|name| reply.bulk(name.as_bytes()));
    Ok(())
}

fn keys_of(args: &[&[u8]]) -> Result<Vec<(usize, &'static KeySpec)>, Refusal> {
    let command = &args[2..];
    let found = resolve(command).map_err(|_| Refusal::Text("ERR Invalid command specified"))?;
    if found.spec.keys.is_empty() {
        return Err(Refusal::Text("ERR The command has no key arguments"));
    }
    if !found.spec.takes(command.len()) {
        return Err(Refusal::Text("ERR Invalid number of arguments specified for command"));
    }
    let mut keys = Vec::new();
    if !found.spec.key_positions(command, &mut keys) || keys.is_empty() {
        return Err(Refusal::Text("ERR Invalid arguments specified for command"));
    }
    Ok(keys)
}

pub fn command_getkeys(_: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let keys = keys_of(args)?;
    reply.array(keys.len());
    keys.iter().for_each(|(at, _)| reply.bulk(args[2 + at]));
    Ok(())
}

pub fn command_getkeysandflags(
    _: &mut Call<'_>,
    args: &[&[u8]],
    reply: &mut Replies<'_>,
) -> Result<(), Refusal> {
    let keys = keys_of(args)?;
    let optional_get = |spec: &KeySpec| spec.flags.contains(&"variable_flags");
    reply.array(keys.len());
    for (at, spec) in keys {
        reply.array(2);
        reply.bulk(args[2 + at]);
        // SET reads only with its GET option.
        if optional_get(spec) && !args[2..].iter().any(|arg| is(arg, "get")) {
            words(&["OW", "update"], reply);
        } else {
            let flags: Vec<&str> = spec.flags.iter().filter(|f| **f != "variable_flags").copied().collect();
            words(&flags, reply);
        }
    }
    Ok(())
}

pub fn command_help(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    help::answer(
        reply,
        "COMMAND",
        &[
            "(no subcommand)",
            "    Return details about all Redis commands.",
            "COUNT",
            "    Return the total number of commands in this Redis server.",
            "LIST",
            "    Return a list of all commands in this Redis server.",
            "INFO [<command-name> ...]",
            "    Return details about multiple Redis commands.",
            "    If no command names are given, documentation details for all",
            "    commands are returned.",
            "DOCS [<command-name> ...]",
            "    Return documentation details about multiple Redis commands.",
            "    If no command names are given, documentation details for all",
            "    commands are returned.",
            "GETKEYS <full-command>",
            "    Return the keys from a full Redis command.",
            "GETKEYSANDFLAGS <full-command>",
            "    Return the keys and the access flags from a full Redis command.",
        ],
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_legacy_range_joins_neighbouring_specifications() {
        let range = |name: &str| legacy_range(lookup(name.as_bytes()).unwrap());
        assert_eq!(range("get"), (1, 1, 1));
        assert_eq!(range("mset"), (1, -1, 2));
        assert_eq!(range("rename"), (1, 2, 1));
        assert_eq!(range("ping"), (0, 0, 0));
        assert_eq!(range("sintercard"), (0, 0, 0));
    }
}
