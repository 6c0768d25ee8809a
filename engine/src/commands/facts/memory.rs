//! MEMORY as the command table has it.

use crate::commands::server;
use crate::commands::spec::{ArgSpec, CommandSpec, FindKeys, Flags, Group, KeySpec, Plan, Scope};

const SAMPLED: &[&str] = &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"];

pub static SPECS: &[CommandSpec] = &[CommandSpec {
    name: "memory",
    arity: -2,
    acl: &["@slow"],
    group: Group::Server,
    since: "4.0.0",
    summary: "Holds the commands about memory.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        CommandSpec {
            name: "doctor",
            arity: 2,
            acl: &["@slow"],
            group: Group::Server,
            since: "4.0.0",
            summary: "Tells what is wrong with memory.",
            complexity: "O(1)",
            tips: SAMPLED,
            plan: Plan::Session(server::memory_doctor),
            ..CommandSpec::EMPTY
        },
        CommandSpec {
            name: "help",
            arity: 2,
            flags: Flags::LOADING.or(Flags::STALE),
            acl: &["@slow"],
            group: Group::Server,
            since: "4.0.0",
            summary: "Lists the subcommands.",
            complexity: "O(1)",
            plan: Plan::Session(server::memory_help),
            ..CommandSpec::EMPTY
        },
        CommandSpec {
            name: "malloc-stats",
            arity: 2,
            acl: &["@slow"],
            group: Group::Server,
            since: "4.0.0",
            summary: "Tells what the allocator counts.",
            complexity: "Depends on how much memory is allocated, could be slow",
            tips: SAMPLED,
            plan: Plan::Session(server::memory_malloc_stats),
            ..CommandSpec::EMPTY
        },
        CommandSpec {
            name: "purge",
            arity: 2,
            acl: &["@slow"],
            group: Group::Server,
            since: "4.0.0",
            summary: "Gives memory that holds nothing back to the system.",
            complexity: "Depends on how much memory is allocated, could be slow",
            tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
            plan: Plan::Session(server::memory_purge),
            ..CommandSpec::EMPTY
        },
        CommandSpec {
            name: "stats",
            arity: 2,
            acl: &["@slow"],
            scope: Scope::Walk,
            group: Group::Server,
            since: "4.0.0",
            summary: "Tells what memory is used for.",
            complexity: "O(1)",
            tips: SAMPLED,
            plan: Plan::Session(server::memory_stats),
            ..CommandSpec::EMPTY
        },
        CommandSpec {
            name: "usage",
            arity: -3,
            flags: Flags::READONLY,
            acl: &["@read", "@slow"],
            keys: &[KeySpec {
                begin: 2,
                find: FindKeys::Range { last: 0, step: 1, limit: 0 },
                flags: &["RO"],
            }],
            scope: Scope::Keys,
            group: Group::Server,
            since: "4.0.0",
            summary: "Tells how much memory a key takes.",
            complexity: "O(N) where N is the number of samples.",
            args: &[
                ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
                ArgSpec {
                    name: "count",
                    kind: "integer",
                    token: Some("SAMPLES"),
                    flags: &["optional"],
                    ..ArgSpec::EMPTY
                },
            ],
            plan: Plan::Data(server::memory_usage),
            ..CommandSpec::EMPTY
        },
    ],
    ..CommandSpec::EMPTY
}];
