//! Replays the recorded replies of a real Redis against ours: one test for each script, on a server of its own.

use std::collections::BTreeSet;

use engine::commands;
use proto::resp::Protocol;
use tests::grammar::DATA_GROUPS;
use tests::script::{self, SendKind, Step};
use tests::server::{Server, workspace_dir};

const FAILURES_SHOWN: usize = 25;

fn replay(file: &str) {
    let text = std::fs::read_to_string(workspace_dir().join("tests/conformance").join(file)).expect(file);
    let script = script::parse(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
    let server = Server::start();
    let failures = script::check(&script, server.port()).unwrap_or_else(|e| panic!("{file}: {e}"));
    for failure in failures.iter().take(FAILURES_SHOWN) {
        println!("{file}: {failure}");
    }
    assert!(failures.is_empty(), "{file}: {} of {} replies differ", failures.len(), script.replies());
}

macro_rules! scripts {
    ($($name:ident: $file:literal,)*) => {
        const FILES: &[&str] = &[$($file),*];
        $(#[test]
        fn $name() {
            replay($file);
        })*
    };
}

scripts! {
    bitmaps_bits: "bitmaps/bits.txt",
    bitmaps_field: "bitmaps/field.txt",
    clients_redis_py: "clients/redis_py.txt",
    connection_basics: "connection/basics.txt",
    connection_client: "connection/client.txt",
    connection_hello: "connection/hello.txt",
    connection_protocol: "connection/protocol.txt",
    generic_arity: "generic/arity.txt",
    generic_dump: "generic/dump.txt",
    generic_expire: "generic/expire.txt",
    generic_keys: "generic/keys.txt",
    generic_object: "generic/object.txt",
    generic_options: "generic/options.txt",
    generic_rename_copy_move: "generic/rename_copy_move.txt",
    generic_scan: "generic/scan.txt",
    generic_sort: "generic/sort.txt",
    generic_wrongtype: "generic/wrongtype.txt",
    geo_places: "geo/places.txt",
    geo_search: "geo/search.txt",
    hashes_expire: "hashes/expire.txt",
    hashes_fields: "hashes/fields.txt",
    hashes_incr: "hashes/incr.txt",
    hashes_scan_random: "hashes/scan_random.txt",
    hyperloglogs_basics: "hyperloglogs/basics.txt",
    lists_blocking: "lists/blocking.txt",
    lists_ends: "lists/ends.txt",
    lists_inner: "lists/inner.txt",
    lists_moves: "lists/moves.txt",
    lists_position: "lists/position.txt",
    lists_range: "lists/range.txt",
    server_command: "server/command.txt",
    server_command_docs: "server/command_docs.txt",
    server_command_info: "server/command_info.txt",
    server_config: "server/config.txt",
    server_flush_and_time: "server/flush_and_time.txt",
    server_memory: "server/memory.txt",
    sets_algebra: "sets/algebra.txt",
    sets_basic: "sets/basic.txt",
    sets_pop: "sets/pop.txt",
    sets_scan: "sets/scan.txt",
    sorted_sets_add: "sorted_sets/add.txt",
    sorted_sets_algebra: "sorted_sets/algebra.txt",
    sorted_sets_blocking: "sorted_sets/blocking.txt",
    sorted_sets_pop_scan: "sorted_sets/pop_scan.txt",
    sorted_sets_range: "sorted_sets/range.txt",
    streams_add: "streams/add.txt",
    streams_claim: "streams/claim.txt",
    streams_consume: "streams/consume.txt",
    streams_dump: "streams/dump.txt",
    streams_facts: "streams/facts.txt",
    streams_groups: "streams/groups.txt",
    streams_range: "streams/range.txt",
    streams_read: "streams/read.txt",
    strings_get: "strings/get.txt",
    strings_incr: "strings/incr.txt",
    strings_incrbyfloat: "strings/incrbyfloat.txt",
    strings_lcs: "strings/lcs.txt",
    strings_multi_key: "strings/multi_key.txt",
    strings_range: "strings/range.txt",
    strings_set: "strings/set.txt",
    transactions_multi: "transactions/multi.txt",
    transactions_watch: "transactions/watch.txt",
}

/// Scripts on disk, relative to `tests/conformance`.
fn on_disk() -> Vec<String> {
    let root = workspace_dir().join("tests/conformance");
    let mut found = Vec::new();
    for group in std::fs::read_dir(&root).expect("the conformance directory") {
        let group = group.expect("a directory entry").path();
        if !group.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(&group).expect("a group of scripts") {
            let file = file.expect("a directory entry").path();
            found.push(file.strip_prefix(&root).expect("below the root").to_string_lossy().into_owned());
        }
    }
    found.sort();
    found
}

#[test]
fn every_script_is_replayed_and_holds_recorded_replies() {
    let mut listed: Vec<String> = FILES.iter().map(|f| f.to_string()).collect();
    listed.sort();
    assert_eq!(listed, on_disk());
    let mut replies = 0;
    for file in FILES {
        let text = std::fs::read_to_string(workspace_dir().join("tests/conformance").join(file)).expect(file);
        let script = script::parse(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert_eq!(script::render(&script), text, "{file} is not as the recorder writes it");
        replies += script.replies();
    }
    assert!(replies >= 3000, "{replies} recorded replies");
}

/// These take keys of every type, or none, or refuse a type in words of their own.
const OF_ANY_TYPE: [&str; 45] = [
    "copy",
    "lcs",
    "del",
    "discard",
    "dump",
    "exec",
    "exists",
    "expire",
    "expireat",
    "expiretime",
    "keys",
    "mget",
    "move",
    "mset",
    "msetnx",
    "multi",
    "object|encoding",
    "object|freq",
    "object|help",
    "object|idletime",
    "object|refcount",
    "persist",
    "pexpire",
    "pexpireat",
    "pexpiretime",
    "pfselftest",
    "psetex",
    "pttl",
    "randomkey",
    "rename",
    "renamenx",
    "restore",
    "scan",
    "set",
    "setex",
    "setnx",
    "touch",
    "ttl",
    "type",
    "unlink",
    "unwatch",
    "watch",
    "wait",
    "xgroup|help",
    "xinfo|help",
];

/// What the scripts hold of each command, by its name or `container|subcommand`: `ok`, `arity`, `type`.
fn recorded() -> BTreeSet<(String, &'static str)> {
    let mut out = BTreeSet::new();
    for file in FILES {
        let text = std::fs::read_to_string(workspace_dir().join("tests/conformance").join(file)).expect(file);
        let script = script::parse(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
        for send in script.sections.iter().flat_map(|s| &s.steps).filter_map(|step| match step {
            Step::Send(send) if send.kind != SendKind::Raw => Some(send),
            _ => None,
        }) {
            let words: Vec<String> = send.text.split(' ').take(2).map(str::to_ascii_lowercase).collect();
            let name = match &words[..] {
                [name, sub] if ["object", "xgroup", "xinfo"].contains(&&name[..]) => format!("{name}|{sub}"),
                [name, ..] => name.trim_matches('"').into(),
                [] => continue,
            };
            for want in send.wants.iter().filter_map(|want| want.of(Protocol::Resp2)) {
                out.insert((
                    name.clone(),
                    match &want.text {
                        text if text.contains("wrong number of arguments") => "arity",
                        text if text.starts_with("-WRONGTYPE") => "type",
                        text if text.starts_with('-') => continue,
                        _ => "ok",
                    },
                ));
            }
        }
    }
    out
}

#[test]
fn every_data_command_is_recorded_with_success_wrong_arity_and_wrong_type() {
    let recorded = recorded();
    let mut missing = Vec::new();
    let mut look = |name: &str, arity: i32| {
        // With one word and any number behind it no number is wrong.
        let kinds = ["ok", "arity", "type"].into_iter().filter(|kind| match *kind {
            "arity" => arity != -1,
            "type" => !OF_ANY_TYPE.contains(&name),
            _ => name != "wait",
        });
        missing.extend(
            kinds.filter(|kind| !recorded.contains(&(name.into(), *kind))).map(|k| format!("{name}: {k}")),
        );
    };
    for spec in commands::all().filter(|spec| DATA_GROUPS.contains(&spec.group.name())) {
        if spec.subcommands.is_empty() {
            look(spec.name, spec.arity);
        }
        spec.subcommands.iter().for_each(|sub| look(&format!("{}|{}", spec.name, sub.name), sub.arity));
    }
    assert!(missing.is_empty(), "not recorded: {missing:?}");
}
