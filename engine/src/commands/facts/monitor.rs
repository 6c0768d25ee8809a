//! SLOWLOG and LATENCY as the command table has them.

use crate::commands::server;
use crate::commands::spec::{ArgSpec, CommandSpec, Flags, Group, Plan};

pub static SPECS: &[CommandSpec] = &[
    CommandSpec {
        name: "slowlog",
        arity: -2,
        acl: &["@slow"],
        group: Group::Server,
        since: "2.2.12",
        summary: "Holds the commands of the slow log.",
        complexity: "Depends on subcommand.",
        subcommands: &[
            CommandSpec {
                name: "get",
                arity: -2,
                flags: Flags::ADMIN.or(Flags::LOADING.or(Flags::STALE)),
                acl: &["@admin", "@slow", "@dangerous"],
                group: Group::Server,
                since: "2.2.12",
                summary: "Answers the latest slow commands.",
                complexity: "O(N) where N is the number of entries returned",
                tips: &["request_policy:all_nodes", "nondeterministic_output"],
                args: &[ArgSpec { name: "count", kind: "integer", flags: &["optional"], ..ArgSpec::EMPTY }],
                plan: Plan::Session(server::slowlog_get),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "help",
                arity: 2,
                flags: Flags::LOADING.or(Flags::STALE),
                acl: &["@slow"],
                group: Group::Server,
                since: "6.2.0",
                summary: "Lists the subcommands.",
                complexity: "O(1)",
                plan: Plan::Session(server::slowlog_help),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "len",
                arity: 2,
                flags: Flags::ADMIN.or(Flags::LOADING.or(Flags::STALE)),
                acl: &["@admin", "@slow", "@dangerous"],
                group: Group::Server,
                since: "2.2.12",
                summary: "Counts the entries of the slow log.",
                complexity: "O(1)",
                tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
                plan: Plan::Session(server::slowlog_len),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "reset",
                arity: 2,
                flags: Flags::ADMIN.or(Flags::LOADING.or(Flags::STALE)),
                acl: &["@admin", "@slow", "@dangerous"],
                group: Group::Server,
                since: "2.2.12",
                summary: "Empties the slow log.",
                complexity: "O(N) where N is the number of entries in the slowlog",
                tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
                plan: Plan::Session(server::slowlog_reset),
                ..CommandSpec::EMPTY
            },
        ],
        plan: Plan::Container,
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "latency",
        arity: -2,
        acl: &["@slow"],
        group: Group::Server,
        since: "2.8.13",
        summary: "Holds the commands of the latency monitor.",
        complexity: "Depends on subcommand.",
        subcommands: &[
            CommandSpec {
                name: "doctor",
                arity: 2,
                flags: Flags::ADMIN.or(Flags::NOSCRIPT.or(Flags::LOADING.or(Flags::STALE))),
                acl: &["@admin", "@slow", "@dangerous"],
                group: Group::Server,
                since: "2.8.13",
                summary: "Answers a report on latency.",
                complexity: "O(1)",
                tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
                plan: Plan::Session(server::latency_doctor),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "graph",
                arity: 3,
                flags: Flags::ADMIN.or(Flags::NOSCRIPT.or(Flags::LOADING.or(Flags::STALE))),
                acl: &["@admin", "@slow", "@dangerous"],
                group: Group::Server,
                since: "2.8.13",
                summary: "Draws the latency of an event.",
                complexity: "O(1)",
                tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
                args: &[ArgSpec { name: "event", kind: "string", flags: &[], ..ArgSpec::EMPTY }],
                plan: Plan::Session(server::latency_graph),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "help",
                arity: 2,
                flags: Flags::LOADING.or(Flags::STALE),
                acl: &["@slow"],
                group: Group::Server,
                since: "2.8.13",
                summary: "Lists the subcommands.",
                complexity: "O(1)",
                plan: Plan::Session(server::latency_help),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "histogram",
                arity: -2,
                flags: Flags::ADMIN.or(Flags::NOSCRIPT.or(Flags::LOADING.or(Flags::STALE))),
                acl: &["@admin", "@slow", "@dangerous"],
                group: Group::Server,
                since: "7.0.0",
                summary: "Answers the distribution of the times commands took.",
                complexity: "O(N) where N is the number of commands with latency information being retrieved.",
                tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
                args: &[ArgSpec {
                    name: "COMMAND",
                    kind: "string",
                    flags: &["optional", "multiple"],
                    ..ArgSpec::EMPTY
                }],
                plan: Plan::Session(server::latency_histogram),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "history",
                arity: 3,
                flags: Flags::ADMIN.or(Flags::NOSCRIPT.or(Flags::LOADING.or(Flags::STALE))),
                acl: &["@admin", "@slow", "@dangerous"],
                group: Group::Server,
                since: "2.8.13",
                summary: "Answers the samples of an event.",
                complexity: "O(1)",
                tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
                args: &[ArgSpec { name: "event", kind: "string", flags: &[], ..ArgSpec::EMPTY }],
                plan: Plan::Session(server::latency_history),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "latest",
                arity: 2,
                flags: Flags::ADMIN.or(Flags::NOSCRIPT.or(Flags::LOADING.or(Flags::STALE))),
                acl: &["@admin", "@slow", "@dangerous"],
                group: Group::Server,
                since: "2.8.13",
                summary: "Answers the latest sample of every event.",
                complexity: "O(1)",
                tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
                plan: Plan::Session(server::latency_latest),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "reset",
                arity: -2,
                flags: Flags::ADMIN.or(Flags::NOSCRIPT.or(Flags::LOADING.or(Flags::STALE))),
                acl: &["@admin", "@slow", "@dangerous"],
                group: Group::Server,
                since: "2.8.13",
                summary: "Forgets the samples of some events or of all.",
                complexity: "O(1)",
                tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
                args: &[ArgSpec {
                    name: "event",
                    kind: "string",
                    flags: &["optional", "multiple"],
                    ..ArgSpec::EMPTY
                }],
                plan: Plan::Session(server::latency_reset),
                ..CommandSpec::EMPTY
            },
        ],
        plan: Plan::Container,
        ..CommandSpec::EMPTY
    },
];
