//! Connection commands: what they say about themselves (COMMAND INFO, COMMAND DOCS), and the plan behind each.

use crate::commands::connection;
use crate::commands::spec::{ArgSpec, CommandSpec, Flags, Group, Plan};

pub static SPECS: &[CommandSpec] = &[
    CommandSpec {
        name: "ping",
        arity: -1,
        flags: Flags::FAST,
        acl: &["@fast", "@connection"],
        group: Group::Connection,
        since: "1.0.0",
        summary: "Answers PONG, or the argument.",
        complexity: "O(1)",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        args: &[ArgSpec { name: "message", kind: "string", flags: &["optional"], ..ArgSpec::EMPTY }],
        plan: Plan::Session(connection::ping),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "echo",
        arity: 2,
        flags: Flags::LOADING.or(Flags::STALE).or(Flags::FAST),
        acl: &["@fast", "@connection"],
        group: Group::Connection,
        since: "1.0.0",
        summary: "Answers its argument.",
        complexity: "O(1)",
        args: &[ArgSpec { name: "message", kind: "string", ..ArgSpec::EMPTY }],
        plan: Plan::Session(connection::echo),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hello",
        arity: -1,
        flags: Flags::NOSCRIPT
            .or(Flags::LOADING)
            .or(Flags::STALE)
            .or(Flags::FAST)
            .or(Flags::NO_AUTH)
            .or(Flags::ALLOW_BUSY),
        acl: &["@fast", "@connection"],
        group: Group::Connection,
        since: "6.0.0",
        summary: "Chooses the protocol version, and may authenticate and name the connection.",
        complexity: "O(1)",
        args: &[ArgSpec {
            name: "arguments",
            kind: "block",
            flags: &["optional"],
            args: &[
                ArgSpec { name: "protover", kind: "integer", ..ArgSpec::EMPTY },
                ArgSpec {
                    name: "username_password",
                    kind: "block",
                    token: Some("AUTH"),
                    flags: &["optional"],
                    args: &[
                        ArgSpec { name: "username", kind: "string", ..ArgSpec::EMPTY },
                        ArgSpec { name: "password", kind: "string", ..ArgSpec::EMPTY },
                    ],
                    ..ArgSpec::EMPTY
                },
                ArgSpec {
                    name: "clientname",
                    kind: "string",
                    token: Some("SETNAME"),
                    flags: &["optional"],
                    ..ArgSpec::EMPTY
                },
            ],
            ..ArgSpec::EMPTY
        }],
        plan: Plan::Session(connection::hello),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "auth",
        arity: -2,
        flags: Flags::NOSCRIPT
            .or(Flags::LOADING)
            .or(Flags::STALE)
            .or(Flags::FAST)
            .or(Flags::NO_AUTH)
            .or(Flags::ALLOW_BUSY),
        acl: &["@fast", "@connection"],
        group: Group::Connection,
        since: "1.0.0",
        summary: "Authenticates the connection.",
        complexity: "O(N) where N is the number of passwords defined for the user",
        args: &[
            ArgSpec {
                name: "username",
                kind: "string",
                since: Some("6.0.0"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec { name: "password", kind: "string", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Session(connection::auth),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "select",
        arity: 2,
        flags: Flags::LOADING.or(Flags::STALE).or(Flags::FAST),
        acl: &["@fast", "@connection"],
        group: Group::Connection,
        since: "1.0.0",
        summary: "Chooses the database.",
        complexity: "O(1)",
        args: &[ArgSpec { name: "index", kind: "integer", ..ArgSpec::EMPTY }],
        plan: Plan::Session(connection::select),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "reset",
        arity: 1,
        flags: Flags::NOSCRIPT
            .or(Flags::LOADING)
            .or(Flags::STALE)
            .or(Flags::FAST)
            .or(Flags::NO_AUTH)
            .or(Flags::ALLOW_BUSY),
        acl: &["@fast", "@connection"],
        group: Group::Connection,
        since: "6.2.0",
        summary: "Returns the connection to its first state.",
        complexity: "O(1)",
        plan: Plan::Session(connection::reset),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "quit",
        arity: -1,
        flags: Flags::NOSCRIPT
            .or(Flags::LOADING)
            .or(Flags::STALE)
            .or(Flags::FAST)
            .or(Flags::NO_AUTH)
            .or(Flags::ALLOW_BUSY),
        acl: &["@fast", "@connection"],
        group: Group::Connection,
        since: "1.0.0",
        summary: "Closes the connection.",
        complexity: "O(1)",
        plan: Plan::Session(connection::quit),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "client",
        arity: -2,
        acl: &["@slow"],
        group: Group::Connection,
        since: "2.4.0",
        summary: "Holds the commands about connections.",
        complexity: "Depends on subcommand.",
        subcommands: &[
            CommandSpec {
                name: "caching",
                arity: 3,
                flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE),
                acl: &["@slow", "@connection"],
                group: Group::Connection,
                since: "6.0.0",
                summary: "Says whether the next command's keys are tracked.",
                complexity: "O(1)",
                args: &[ArgSpec {
                    name: "mode",
                    kind: "oneof",
                    args: &[
                        ArgSpec { name: "yes", kind: "pure-token", token: Some("YES"), ..ArgSpec::EMPTY },
                        ArgSpec { name: "no", kind: "pure-token", token: Some("NO"), ..ArgSpec::EMPTY },
                    ],
                    ..ArgSpec::EMPTY
                }],
                plan: Plan::Session(connection::client_caching),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "getname",
                arity: 2,
                flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE),
                acl: &["@slow", "@connection"],
                group: Group::Connection,
                since: "2.6.9",
                summary: "Tells the connection's name.",
                complexity: "O(1)",
                plan: Plan::Session(connection::client_getname),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "getredir",
                arity: 2,
                flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE),
                acl: &["@slow", "@connection"],
                group: Group::Connection,
                since: "6.0.0",
                summary: "Tells where tracking notices go.",
                complexity: "O(1)",
                plan: Plan::Session(connection::client_getredir),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "help",
                arity: 2,
                flags: Flags::LOADING.or(Flags::STALE),
                acl: &["@slow", "@connection"],
                group: Group::Connection,
                since: "5.0.0",
                summary: "Lists the subcommands.",
                complexity: "O(1)",
                plan: Plan::Session(connection::client_help),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "id",
                arity: 2,
                flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE),
                acl: &["@slow", "@connection"],
                group: Group::Connection,
                since: "5.0.0",
                summary: "Tells the connection's id.",
                complexity: "O(1)",
                plan: Plan::Session(connection::client_id),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "info",
                arity: 2,
                flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE),
                acl: &["@slow", "@connection"],
                group: Group::Connection,
                since: "6.2.0",
                summary: "Describes the connection.",
                complexity: "O(1)",
                tips: &["nondeterministic_output"],
                plan: Plan::Session(connection::client_info),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "kill",
                arity: -3,
                flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE),
                acl: &["@admin", "@slow", "@dangerous", "@connection"],
                group: Group::Connection,
                since: "2.4.0",
                summary: "Closes connections.",
                complexity: "O(N) where N is the number of client connections",
                args: &[ArgSpec {
                    name: "filter",
                    kind: "oneof",
                    args: &[
                        ArgSpec { name: "ip:port", kind: "string", ..ArgSpec::EMPTY },
                        ArgSpec {
                            name: "new-format",
                            kind: "oneof",
                            flags: &["multiple"],
                            args: &[
                                ArgSpec {
                                    name: "client-id",
                                    kind: "integer",
                                    token: Some("ID"),
                                    since: Some("2.8.12"),
                                    flags: &["optional"],
                                    ..ArgSpec::EMPTY
                                },
                                ArgSpec {
                                    name: "normal_master_slave_pubsub",
                                    kind: "oneof",
                                    token: Some("TYPE"),
                                    since: Some("2.8.12"),
                                    flags: &["optional"],
                                    args: &[
                                        ArgSpec {
                                            name: "normal",
                                            kind: "pure-token",
                                            token: Some("NORMAL"),
                                            ..ArgSpec::EMPTY
                                        },
                                        ArgSpec {
                                            name: "master",
                                            kind: "pure-token",
                                            token: Some("MASTER"),
                                            since: Some("3.2.0"),
                                            ..ArgSpec::EMPTY
                                        },
                                        ArgSpec {
                                            name: "slave",
                                            kind: "pure-token",
                                            token: Some("SLAVE"),
                                            ..ArgSpec::EMPTY
                                        },
                                        ArgSpec {
                                            name: "replica",
                                            kind: "pure-token",
                                            token: Some("REPLICA"),
                                            since: Some("5.0.0"),
                                            ..ArgSpec::EMPTY
                                        },
                                        ArgSpec {
                                            name: "pubsub",
                                            kind: "pure-token",
                                            token: Some("PUBSUB"),
                                            ..ArgSpec::EMPTY
                                        },
                                    ],
                                    ..ArgSpec::EMPTY
                                },
                                ArgSpec {
                                    name: "username",
                                    kind: "string",
                                    token: Some("USER"),
                                    flags: &["optional"],
                                    ..ArgSpec::EMPTY
                                },
                                ArgSpec {
                                    name: "ip:port",
                                    kind: "string",
                                    token: Some("ADDR"),
                                    flags: &["optional"],
                                    ..ArgSpec::EMPTY
                                },
                                ArgSpec {
                                    name: "ip:port",
                                    kind: "string",
                                    token: Some("LADDR"),
                                    since: Some("6.2.0"),
                                    flags: &["optional"],
                                    ..ArgSpec::EMPTY
                                },
                                ArgSpec {
                                    name: "yes/no",
                                    kind: "string",
                                    token: Some("SKIPME"),
                                    flags: &["optional"],
                                    ..ArgSpec::EMPTY
                                },
                            ],
                            ..ArgSpec::EMPTY
                        },
                    ],
                    ..ArgSpec::EMPTY
                }],
                plan: Plan::Session(connection::client_kill),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "list",
                arity: -2,
                flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE),
                acl: &["@admin", "@slow", "@dangerous", "@connection"],
                group: Group::Connection,
                since: "2.4.0",
                summary: "Describes all connections.",
                complexity: "O(N) where N is the number of client connections",
                tips: &["nondeterministic_output"],
                args: &[
                    ArgSpec {
                        name: "normal_master_replica_pubsub",
                        kind: "oneof",
                        token: Some("TYPE"),
                        since: Some("5.0.0"),
                        flags: &["optional"],
                        args: &[
                            ArgSpec {
                                name: "normal",
                                kind: "pure-token",
                                token: Some("NORMAL"),
                                ..ArgSpec::EMPTY
                            },
                            ArgSpec {
                                name: "master",
                                kind: "pure-token",
                                token: Some("MASTER"),
                                ..ArgSpec::EMPTY
                            },
                            ArgSpec {
                                name: "replica",
                                kind: "pure-token",
                                token: Some("REPLICA"),
                                ..ArgSpec::EMPTY
                            },
                            ArgSpec {
                                name: "pubsub",
                                kind: "pure-token",
                                token: Some("PUBSUB"),
                                ..ArgSpec::EMPTY
                            },
                        ],
                        ..ArgSpec::EMPTY
                    },
                    ArgSpec {
                        name: "id",
                        kind: "block",
                        token: Some("ID"),
                        since: Some("6.2.0"),
                        flags: &["optional"],
                        args: &[ArgSpec {
                            name: "client-id",
                            kind: "integer",
                            flags: &["multiple"],
                            ..ArgSpec::EMPTY
                        }],
                        ..ArgSpec::EMPTY
                    },
                ],
                plan: Plan::Session(connection::client_list),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "no-evict",
                arity: 3,
                flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE),
                acl: &["@admin", "@slow", "@dangerous", "@connection"],
                group: Group::Connection,
                since: "7.0.0",
                summary: "Shields the connection from eviction.",
                complexity: "O(1)",
                args: &[ArgSpec {
                    name: "enabled",
                    kind: "oneof",
                    args: &[
                        ArgSpec { name: "on", kind: "pure-token", token: Some("ON"), ..ArgSpec::EMPTY },
                        ArgSpec { name: "off", kind: "pure-token", token: Some("OFF"), ..ArgSpec::EMPTY },
                    ],
                    ..ArgSpec::EMPTY
                }],
                plan: Plan::Session(connection::client_no_evict),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "pause",
                arity: -3,
                flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE),
                acl: &["@admin", "@slow", "@dangerous", "@connection"],
                group: Group::Connection,
                since: "2.9.50",
                summary: "Holds commands back for a time.",
                complexity: "O(1)",
                args: &[
                    ArgSpec { name: "timeout", kind: "integer", ..ArgSpec::EMPTY },
                    ArgSpec {
                        name: "mode",
                        kind: "oneof",
                        since: Some("6.2.0"),
                        flags: &["optional"],
                        args: &[
                            ArgSpec {
                                name: "write",
                                kind: "pure-token",
                                token: Some("WRITE"),
                                ..ArgSpec::EMPTY
                            },
                            ArgSpec { name: "all", kind: "pure-token", token: Some("ALL"), ..ArgSpec::EMPTY },
                        ],
                        ..ArgSpec::EMPTY
                    },
                ],
                plan: Plan::Session(connection::client_pause),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "reply",
                arity: 3,
                flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE),
                acl: &["@slow", "@connection"],
                group: Group::Connection,
                since: "3.2.0",
                summary: "Turns replies on or off.",
                complexity: "O(1)",
                args: &[ArgSpec {
                    name: "on_off_skip",
                    kind: "oneof",
                    args: &[
                        ArgSpec { name: "on", kind: "pure-token", token: Some("ON"), ..ArgSpec::EMPTY },
                        ArgSpec { name: "off", kind: "pure-token", token: Some("OFF"), ..ArgSpec::EMPTY },
                        ArgSpec { name: "skip", kind: "pure-token", token: Some("SKIP"), ..ArgSpec::EMPTY },
                    ],
                    ..ArgSpec::EMPTY
                }],
                plan: Plan::Session(connection::client_reply),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "setname",
                arity: 3,
                flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE),
                acl: &["@slow", "@connection"],
                group: Group::Connection,
                since: "2.6.9",
                summary: "Names the connection.",
                complexity: "O(1)",
                args: &[ArgSpec { name: "connection-name", kind: "string", ..ArgSpec::EMPTY }],
                plan: Plan::Session(connection::client_setname),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "tracking",
                arity: -3,
                flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE),
                acl: &["@slow", "@connection"],
                group: Group::Connection,
                since: "6.0.0",
                summary: "Turns tracking of keys on or off.",
                complexity: "O(1). Some options may introduce additional complexity.",
                args: &[
                    ArgSpec {
                        name: "status",
                        kind: "oneof",
                        args: &[
                            ArgSpec { name: "on", kind: "pure-token", token: Some("ON"), ..ArgSpec::EMPTY },
                            ArgSpec { name: "off", kind: "pure-token", token: Some("OFF"), ..ArgSpec::EMPTY },
                        ],
                        ..ArgSpec::EMPTY
                    },
                    ArgSpec {
                        name: "client-id",
                        kind: "integer",
                        token: Some("REDIRECT"),
                        flags: &["optional"],
                        ..ArgSpec::EMPTY
                    },
                    ArgSpec {
                        name: "prefix",
                        kind: "string",
                        token: Some("PREFIX"),
                        flags: &["optional", "multiple", "multiple_token"],
                        ..ArgSpec::EMPTY
                    },
                    ArgSpec {
                        name: "bcast",
                        kind: "pure-token",
                        token: Some("BCAST"),
                        flags: &["optional"],
                        ..ArgSpec::EMPTY
                    },
                    ArgSpec {
                        name: "optin",
                        kind: "pure-token",
                        token: Some("OPTIN"),
                        flags: &["optional"],
                        ..ArgSpec::EMPTY
                    },
                    ArgSpec {
                        name: "optout",
                        kind: "pure-token",
                        token: Some("OPTOUT"),
                        flags: &["optional"],
                        ..ArgSpec::EMPTY
                    },
                    ArgSpec {
                        name: "noloop",
                        kind: "pure-token",
                        token: Some("NOLOOP"),
                        flags: &["optional"],
                        ..ArgSpec::EMPTY
                    },
                ],
                plan: Plan::Session(connection::client_tracking),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "trackinginfo",
                arity: 2,
                flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE),
                acl: &["@slow", "@connection"],
                group: Group::Connection,
                since: "6.2.0",
                summary: "Tells about tracking.",
                complexity: "O(1)",
                plan: Plan::Session(connection::client_trackinginfo),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "unblock",
                arity: -3,
                flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE),
                acl: &["@admin", "@slow", "@dangerous", "@connection"],
                group: Group::Connection,
                since: "5.0.0",
                summary: "Wakes a blocked connection.",
                complexity: "O(log N) where N is the number of client connections",
                args: &[
                    ArgSpec { name: "client-id", kind: "integer", ..ArgSpec::EMPTY },
                    ArgSpec {
                        name: "timeout_error",
                        kind: "oneof",
                        flags: &["optional"],
                        args: &[
                            ArgSpec {
                                name: "timeout",
                                kind: "pure-token",
                                token: Some("TIMEOUT"),
                                ..ArgSpec::EMPTY
                            },
                            ArgSpec {
                                name: "error",
                                kind: "pure-token",
                                token: Some("ERROR"),
                                ..ArgSpec::EMPTY
                            },
                        ],
                        ..ArgSpec::EMPTY
                    },
                ],
                plan: Plan::Session(connection::client_unblock),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "unpause",
                arity: 2,
                flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE),
                acl: &["@admin", "@slow", "@dangerous", "@connection"],
                group: Group::Connection,
                since: "6.2.0",
                summary: "Ends a pause.",
                complexity: "O(N) Where N is the number of paused clients",
                plan: Plan::Session(connection::client_unpause),
                ..CommandSpec::EMPTY
            },
        ],
        ..CommandSpec::EMPTY
    },
];
