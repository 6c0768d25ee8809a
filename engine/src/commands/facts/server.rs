//! Server commands: what they say about themselves (COMMAND INFO, COMMAND DOCS), and the plan behind each.

use crate::commands::spec::{ArgSpec, CommandSpec, Flags, Group, Plan, Scope};
use crate::commands::{generic, server};

pub static SPECS: &[CommandSpec] = &[
    CommandSpec {
        name: "info",
        arity: -1,
        flags: Flags::LOADING.or(Flags::STALE),
        acl: &["@slow", "@dangerous"],
        scope: Scope::Walk,
        group: Group::Server,
        since: "1.0.0",
        summary: "Tells about the server, in sections.",
        complexity: "O(1)",
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        args: &[ArgSpec {
            name: "section",
            kind: "string",
            flags: &["optional", "multiple"],
            ..ArgSpec::EMPTY
        }],
        plan: Plan::Session(server::info),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "config",
        arity: -2,
        acl: &["@slow"],
        group: Group::Server,
        since: "2.0.0",
        summary: "Holds the commands about configuration.",
        complexity: "Depends on subcommand.",
        subcommands: &[
            CommandSpec {
                name: "get",
                arity: -3,
                flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE),
                acl: &["@admin", "@slow", "@dangerous"],
                group: Group::Server,
                since: "2.0.0",
                summary: "Answers settings.",
                complexity: "O(N) when N is the number of configuration parameters provided",
                args: &[ArgSpec {
                    name: "parameter",
                    kind: "block",
                    flags: &["multiple"],
                    args: &[ArgSpec { name: "parameter", kind: "string", ..ArgSpec::EMPTY }],
                    ..ArgSpec::EMPTY
                }],
                plan: Plan::Session(server::config_get),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "help",
                arity: 2,
                flags: Flags::LOADING.or(Flags::STALE),
                acl: &["@slow"],
                group: Group::Server,
                since: "5.0.0",
                summary: "Lists the subcommands.",
                complexity: "O(1)",
                plan: Plan::Session(server::config_help),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "resetstat",
                arity: 2,
                flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE),
                acl: &["@admin", "@slow", "@dangerous"],
                scope: Scope::Walk,
                group: Group::Server,
                since: "2.0.0",
                summary: "Sets the counters back.",
                complexity: "O(1)",
                plan: Plan::Session(server::config_resetstat),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "rewrite",
                arity: 2,
                flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE),
                acl: &["@admin", "@slow", "@dangerous"],
                group: Group::Server,
                since: "2.8.0",
                summary: "Writes the settings to the configuration file.",
                complexity: "O(1)",
                plan: Plan::Session(server::config_rewrite),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "set",
                arity: -4,
                flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE),
                acl: &["@admin", "@slow", "@dangerous"],
                group: Group::Server,
                since: "2.0.0",
                summary: "Changes settings.",
                complexity: "O(N) when N is the number of configuration parameters provided",
                tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
                args: &[ArgSpec {
                    name: "parameter_value",
                    kind: "block",
                    flags: &["multiple"],
                    args: &[
                        ArgSpec { name: "parameter", kind: "string", ..ArgSpec::EMPTY },
                        ArgSpec { name: "value", kind: "string", ..ArgSpec::EMPTY },
                    ],
                    ..ArgSpec::EMPTY
                }],
                plan: Plan::Session(server::config_set),
                ..CommandSpec::EMPTY
            },
        ],
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "command",
        arity: -1,
        flags: Flags::LOADING.or(Flags::STALE),
        acl: &["@slow", "@connection"],
        group: Group::Server,
        since: "2.8.13",
        summary: "Describes the commands.",
        complexity: "O(N) where N is the total number of Redis commands",
        tips: &["nondeterministic_output_order"],
        subcommands: &[
            CommandSpec {
                name: "count",
                arity: 2,
                flags: Flags::LOADING.or(Flags::STALE),
                acl: &["@slow", "@connection"],
                group: Group::Server,
                since: "2.8.13",
                summary: "Counts the commands.",
                complexity: "O(1)",
                plan: Plan::Session(server::command_count),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "docs",
                arity: -2,
                flags: Flags::LOADING.or(Flags::STALE),
                acl: &["@slow", "@connection"],
                group: Group::Server,
                since: "7.0.0",
                summary: "Documents some commands.",
                complexity: "O(N) where N is the number of commands to look up",
                tips: &["nondeterministic_output_order"],
                args: &[ArgSpec {
                    name: "command-name",
                    kind: "string",
                    flags: &["optional", "multiple"],
                    ..ArgSpec::EMPTY
                }],
                plan: Plan::Session(server::command_docs),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "getkeys",
                arity: -4,
                flags: Flags::LOADING.or(Flags::STALE),
                acl: &["@slow", "@connection"],
                group: Group::Server,
                since: "2.8.13",
                summary: "Finds the keys in a command.",
                complexity: "O(N) where N is the number of arguments to the command",
                plan: Plan::Session(server::command_getkeys),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "getkeysandflags",
                arity: -4,
                flags: Flags::LOADING.or(Flags::STALE),
                acl: &["@slow", "@connection"],
                group: Group::Server,
                since: "7.0.0",
                summary: "Finds the keys in a command and how it uses them.",
                complexity: "O(N) where N is the number of arguments to the command",
                plan: Plan::Session(server::command_getkeysandflags),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "help",
                arity: 2,
                flags: Flags::LOADING.or(Flags::STALE),
                acl: &["@slow", "@connection"],
                group: Group::Server,
                since: "5.0.0",
                summary: "Lists the subcommands.",
                complexity: "O(1)",
                plan: Plan::Session(server::command_help),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "info",
                arity: -2,
                flags: Flags::LOADING.or(Flags::STALE),
                acl: &["@slow", "@connection"],
                group: Group::Server,
                since: "2.8.13",
                summary: "Describes some commands.",
                complexity: "O(N) where N is the number of commands to look up",
                tips: &["nondeterministic_output_order"],
                args: &[ArgSpec {
                    name: "command-name",
                    kind: "string",
                    flags: &["optional", "multiple"],
                    ..ArgSpec::EMPTY
                }],
                plan: Plan::Session(server::command_info),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "list",
                arity: -2,
                flags: Flags::LOADING.or(Flags::STALE),
                acl: &["@slow", "@connection"],
                group: Group::Server,
                since: "7.0.0",
                summary: "Lists the commands' names.",
                complexity: "O(N) where N is the total number of Redis commands",
                tips: &["nondeterministic_output_order"],
                args: &[ArgSpec {
                    name: "filterby",
                    kind: "oneof",
                    token: Some("FILTERBY"),
                    flags: &["optional"],
                    args: &[
                        ArgSpec {
                            name: "module-name",
                            kind: "string",
                            token: Some("MODULE"),
                            ..ArgSpec::EMPTY
                        },
                        ArgSpec { name: "category", kind: "string", token: Some("ACLCAT"), ..ArgSpec::EMPTY },
                        ArgSpec {
                            name: "pattern",
                            kind: "pattern",
                            token: Some("PATTERN"),
                            ..ArgSpec::EMPTY
                        },
                    ],
                    ..ArgSpec::EMPTY
                }],
                plan: Plan::Session(server::command_list),
                ..CommandSpec::EMPTY
            },
        ],
        plan: Plan::Session(server::command),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "dbsize",
        arity: 1,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@keyspace", "@read", "@fast"],
        scope: Scope::Walk,
        group: Group::Server,
        since: "1.0.0",
        summary: "Counts the keys of the database.",
        complexity: "O(1)",
        tips: &["request_policy:all_shards", "response_policy:agg_sum"],
        plan: Plan::Data(generic::dbsize),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "flushdb",
        arity: -1,
        flags: Flags::WRITE,
        acl: &["@keyspace", "@write", "@slow", "@dangerous"],
        scope: Scope::Everything,
        group: Group::Server,
        since: "1.0.0",
        summary: "Removes every key of the database.",
        complexity: "O(N) where N is the number of keys in the selected database",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        args: &[ArgSpec {
            name: "async",
            kind: "oneof",
            flags: &["optional"],
            args: &[
                ArgSpec {
                    name: "async",
                    kind: "pure-token",
                    token: Some("ASYNC"),
                    since: Some("4.0.0"),
                    ..ArgSpec::EMPTY
                },
                ArgSpec {
                    name: "sync",
                    kind: "pure-token",
                    token: Some("SYNC"),
                    since: Some("6.2.0"),
                    ..ArgSpec::EMPTY
                },
            ],
            ..ArgSpec::EMPTY
        }],
        plan: Plan::Data(generic::flushdb),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "flushall",
        arity: -1,
        flags: Flags::WRITE,
        acl: &["@keyspace", "@write", "@slow", "@dangerous"],
        scope: Scope::Everything,
        group: Group::Server,
        since: "1.0.0",
        summary: "Removes every key of every database.",
        complexity: "O(N) where N is the total number of keys in all databases",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        args: &[ArgSpec {
            name: "async",
            kind: "oneof",
            flags: &["optional"],
            args: &[
                ArgSpec {
                    name: "async",
                    kind: "pure-token",
                    token: Some("ASYNC"),
                    since: Some("4.0.0"),
                    ..ArgSpec::EMPTY
                },
                ArgSpec {
                    name: "sync",
                    kind: "pure-token",
                    token: Some("SYNC"),
                    since: Some("6.2.0"),
                    ..ArgSpec::EMPTY
                },
            ],
            ..ArgSpec::EMPTY
        }],
        plan: Plan::Data(generic::flushall),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "time",
        arity: 1,
        flags: Flags::LOADING.or(Flags::STALE).or(Flags::FAST),
        acl: &["@fast"],
        group: Group::Server,
        since: "2.6.0",
        summary: "Tells the server's clock.",
        complexity: "O(1)",
        tips: &["nondeterministic_output"],
        plan: Plan::Session(server::time),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "debug",
        arity: -2,
        flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE),
        acl: &["@admin", "@slow", "@dangerous"],
        scope: Scope::Walk,
        group: Group::Server,
        since: "1.0.0",
        summary: "Holds the commands for debugging.",
        complexity: "Depends on subcommand.",
        plan: Plan::Session(server::debug),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "save",
        arity: 1,
        flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::NO_ASYNC_LOADING).or(Flags::NO_MULTI),
        acl: &["@admin", "@slow", "@dangerous"],
        group: Group::Server,
        since: "1.0.0",
        summary: "Takes a checkpoint and answers when it is on disk.",
        complexity: "O(N) where N is the total number of keys in all databases",
        plan: Plan::Session(server::save),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "bgsave",
        arity: -1,
        flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::NO_ASYNC_LOADING),
        acl: &["@admin", "@slow", "@dangerous"],
        group: Group::Server,
        since: "1.0.0",
        summary: "Takes a checkpoint in the background.",
        complexity: "O(1)",
        args: &[ArgSpec {
            name: "schedule",
            kind: "pure-token",
            token: Some("SCHEDULE"),
            since: Some("3.2.2"),
            flags: &["optional"],
            ..ArgSpec::EMPTY
        }],
        plan: Plan::Session(server::bgsave),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "bgrewriteaof",
        arity: 1,
        flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::NO_ASYNC_LOADING),
        acl: &["@admin", "@slow", "@dangerous"],
        group: Group::Server,
        since: "1.0.0",
        summary: "Takes a checkpoint in the background, after which the log before it is dropped.",
        complexity: "O(1)",
        plan: Plan::Session(server::bgrewriteaof),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "lastsave",
        arity: 1,
        flags: Flags::LOADING.or(Flags::STALE).or(Flags::FAST),
        acl: &["@admin", "@fast", "@dangerous"],
        group: Group::Server,
        since: "1.0.0",
        summary: "Answers when the last checkpoint was begun, in Unix seconds.",
        complexity: "O(1)",
        tips: &["nondeterministic_output"],
        plan: Plan::Session(server::lastsave),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "shutdown",
        arity: -1,
        flags: Flags::ADMIN
            .or(Flags::NOSCRIPT)
            .or(Flags::LOADING)
            .or(Flags::STALE)
            .or(Flags::NO_MULTI)
            .or(Flags::ALLOW_BUSY),
        acl: &["@admin", "@slow", "@dangerous"],
        group: Group::Server,
        since: "1.0.0",
        summary: "Stops the server.",
        complexity: "O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)",
        args: &[
            ArgSpec {
                name: "nosave_save",
                kind: "oneof",
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "nosave", kind: "pure-token", token: Some("NOSAVE"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "save", kind: "pure-token", token: Some("SAVE"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "now",
                kind: "pure-token",
                token: Some("NOW"),
                since: Some("7.0.0"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "force",
                kind: "pure-token",
                token: Some("FORCE"),
                since: Some("7.0.0"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "abort",
                kind: "pure-token",
                token: Some("ABORT"),
                since: Some("7.0.0"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Session(server::shutdown),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "lolwut",
        arity: -1,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@fast"],
        group: Group::Server,
        since: "5.0.0",
        summary: "Shows a picture and the version.",
        args: &[ArgSpec {
            name: "version",
            kind: "integer",
            token: Some("VERSION"),
            flags: &["optional"],
            ..ArgSpec::EMPTY
        }],
        plan: Plan::Session(server::lolwut),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "swapdb",
        arity: 3,
        flags: Flags::WRITE.or(Flags::FAST),
        acl: &["@keyspace", "@write", "@fast", "@dangerous"],
        scope: Scope::Everything,
        group: Group::Server,
        since: "4.0.0",
        summary: "Exchanges two databases.",
        complexity: "O(N) where N is the count of clients watching or blocking on keys from both databases.",
        args: &[
            ArgSpec { name: "index1", kind: "integer", ..ArgSpec::EMPTY },
            ArgSpec { name: "index2", kind: "integer", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(generic::swapdb),
        ..CommandSpec::EMPTY
    },
];
