//! Commands on consumer groups: what they say about themselves, and the plan behind each.

use crate::commands::spec::{ArgSpec, CommandSpec, FindKeys, Flags, Group, KeySpec, Plan, Scope};
use crate::commands::streams;

pub static SPECS: &[CommandSpec] = &[
    CommandSpec {
        name: "xgroup",
        arity: -2,
        acl: &["@slow"],
        group: Group::Stream,
        since: "5.0.0",
        summary: "Holds the commands that make and change consumer groups.",
        complexity: "Depends on subcommand.",
        subcommands: &[
            CommandSpec {
                name: "create",
                arity: -5,
                flags: Flags::WRITE.or(Flags::DENYOOM),
                acl: &["@write", "@stream", "@slow"],
                keys: &[KeySpec {
                    begin: 2,
                    find: FindKeys::Range { last: 0, step: 1, limit: 0 },
                    flags: &["RW", "insert"],
                }],
                scope: Scope::Keys,
                group: Group::Stream,
                since: "5.0.0",
                summary: "Makes a consumer group.",
                complexity: "O(1)",
                args: &[
                    ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
                    ArgSpec { name: "groupname", kind: "string", ..ArgSpec::EMPTY },
                    ArgSpec {
                        name: "id",
                        kind: "oneof",
                        args: &[
                            ArgSpec { name: "id", kind: "string", ..ArgSpec::EMPTY },
                            ArgSpec {
                                name: "new_id",
                                kind: "pure-token",
                                token: Some("$"),
                                ..ArgSpec::EMPTY
                            },
                        ],
                        ..ArgSpec::EMPTY
                    },
                    ArgSpec {
                        name: "mkstream",
                        kind: "pure-token",
                        token: Some("MKSTREAM"),
                        flags: &["optional"],
                        ..ArgSpec::EMPTY
                    },
                    ArgSpec {
                        name: "entries_read",
                        kind: "integer",
                        token: Some("ENTRIESREAD"),
                        flags: &["optional"],
                        ..ArgSpec::EMPTY
                    },
                ],
                plan: Plan::Data(streams::xgroup_create),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "createconsumer",
                arity: 5,
                flags: Flags::WRITE.or(Flags::DENYOOM),
                acl: &["@write", "@stream", "@slow"],
                keys: &[KeySpec {
                    begin: 2,
                    find: FindKeys::Range { last: 0, step: 1, limit: 0 },
                    flags: &["RW", "insert"],
                }],
                scope: Scope::Keys,
                group: Group::Stream,
                since: "6.2.0",
                summary: "Makes a consumer of a group.",
                complexity: "O(1)",
                args: &[
                    ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
                    ArgSpec { name: "groupname", kind: "string", ..ArgSpec::EMPTY },
                    ArgSpec { name: "consumername", kind: "string", ..ArgSpec::EMPTY },
                ],
                plan: Plan::Data(streams::xgroup_createconsumer),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "delconsumer",
                arity: 5,
                flags: Flags::WRITE,
                acl: &["@write", "@stream", "@slow"],
                keys: &[KeySpec {
                    begin: 2,
                    find: FindKeys::Range { last: 0, step: 1, limit: 0 },
                    flags: &["RW", "delete"],
                }],
                scope: Scope::Keys,
                group: Group::Stream,
                since: "5.0.0",
                summary: "Removes a consumer of a group and what is pending for it.",
                complexity: "O(N) where N is the number of its pending entries",
                args: &[
                    ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
                    ArgSpec { name: "groupname", kind: "string", ..ArgSpec::EMPTY },
                    ArgSpec { name: "consumername", kind: "string", ..ArgSpec::EMPTY },
                ],
                plan: Plan::Data(streams::xgroup_delconsumer),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "destroy",
                arity: 4,
                flags: Flags::WRITE,
                acl: &["@write", "@stream", "@slow"],
                keys: &[KeySpec {
                    begin: 2,
                    find: FindKeys::Range { last: 0, step: 1, limit: 0 },
                    flags: &["RW", "delete"],
                }],
                scope: Scope::Keys,
                group: Group::Stream,
                since: "5.0.0",
                summary: "Removes a consumer group.",
                complexity: "O(N) where N is the number of its pending entries",
                args: &[
                    ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
                    ArgSpec { name: "groupname", kind: "string", ..ArgSpec::EMPTY },
                ],
                plan: Plan::Data(streams::xgroup_destroy),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "help",
                arity: 2,
                flags: Flags::LOADING.or(Flags::STALE),
                acl: &["@stream", "@slow"],
                group: Group::Stream,
                since: "5.0.0",
                summary: "Lists the subcommands.",
                complexity: "O(1)",
                plan: Plan::Session(streams::xgroup_help),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "setid",
                arity: -5,
                flags: Flags::WRITE,
                acl: &["@write", "@stream", "@slow"],
                keys: &[KeySpec {
                    begin: 2,
                    find: FindKeys::Range { last: 0, step: 1, limit: 0 },
                    flags: &["RW", "update"],
                }],
                scope: Scope::Keys,
                group: Group::Stream,
                since: "5.0.0",
                summary: "Sets from where a consumer group reads on.",
                complexity: "O(1)",
                args: &[
                    ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
                    ArgSpec { name: "groupname", kind: "string", ..ArgSpec::EMPTY },
                    ArgSpec {
                        name: "id",
                        kind: "oneof",
                        args: &[
                            ArgSpec { name: "id", kind: "string", ..ArgSpec::EMPTY },
                            ArgSpec {
                                name: "new_id",
                                kind: "pure-token",
                                token: Some("$"),
                                ..ArgSpec::EMPTY
                            },
                        ],
                        ..ArgSpec::EMPTY
                    },
                    ArgSpec {
                        name: "entries_read",
                        kind: "integer",
                        token: Some("ENTRIESREAD"),
                        flags: &["optional"],
                        ..ArgSpec::EMPTY
                    },
                ],
                plan: Plan::Data(streams::xgroup_setid),
                ..CommandSpec::EMPTY
            },
        ],
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "xreadgroup",
        arity: -7,
        flags: Flags::WRITE.or(Flags::BLOCKING).or(Flags::MOVABLEKEYS),
        acl: &["@write", "@stream", "@slow", "@blocking"],
        keys: &[KeySpec {
            begin: 4,
            find: FindKeys::FirstHalf { word: "streams" },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Stream,
        since: "5.0.0",
        summary: "Reads new entries for a group, or a consumer's pending ones, and may wait for them.",
        complexity: "O(log(N)+M) for each stream, N being its entries and M those delivered",
        args: &[
            ArgSpec {
                name: "group_consumer",
                kind: "block",
                token: Some("GROUP"),
                args: &[
                    ArgSpec { name: "group", kind: "string", ..ArgSpec::EMPTY },
                    ArgSpec { name: "consumer", kind: "string", ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "count",
                kind: "integer",
                token: Some("COUNT"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "milliseconds",
                kind: "integer",
                token: Some("BLOCK"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "noack",
                kind: "pure-token",
                token: Some("NOACK"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "streams",
                kind: "block",
                token: Some("STREAMS"),
                args: &[
                    ArgSpec {
                        name: "key",
                        kind: "key",
                        key_spec_index: Some(0),
                        flags: &["multiple"],
                        ..ArgSpec::EMPTY
                    },
                    ArgSpec { name: "id", kind: "string", flags: &["multiple"], ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(streams::xreadgroup),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "xack",
        arity: -4,
        flags: Flags::WRITE.or(Flags::FAST),
        acl: &["@write", "@stream", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "update"],
        }],
        scope: Scope::Keys,
        group: Group::Stream,
        since: "5.0.0",
        summary: "Ends the delivery of entries: they are pending no more.",
        complexity: "O(1) for each id",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "group", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "id", kind: "string", flags: &["multiple"], ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(streams::xack),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "xpending",
        arity: -3,
        flags: Flags::READONLY,
        acl: &["@read", "@stream", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Stream,
        since: "5.0.0",
        summary: "Tells what was delivered to a group and not acknowledged.",
        complexity: "O(N) where N is the number of entries told",
        tips: &["nondeterministic_output"],
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "group", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "filters",
                kind: "block",
                flags: &["optional"],
                args: &[
                    ArgSpec {
                        name: "min-idle-time",
                        kind: "integer",
                        token: Some("IDLE"),
                        since: Some("6.2.0"),
                        flags: &["optional"],
                        ..ArgSpec::EMPTY
                    },
                    ArgSpec { name: "start", kind: "string", ..ArgSpec::EMPTY },
                    ArgSpec { name: "end", kind: "string", ..ArgSpec::EMPTY },
                    ArgSpec { name: "count", kind: "integer", ..ArgSpec::EMPTY },
                    ArgSpec { name: "consumer", kind: "string", flags: &["optional"], ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(streams::xpending),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "xclaim",
        arity: -6,
        flags: Flags::WRITE.or(Flags::FAST),
        acl: &["@write", "@stream", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "update"],
        }],
        scope: Scope::Keys,
        group: Group::Stream,
        since: "5.0.0",
        summary: "Takes over pending entries by their ids.",
        complexity: "O(log(N)) for each id, N being the pending entries of the group",
        tips: &["nondeterministic_output"],
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "group", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "consumer", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "min-idle-time", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "id", kind: "string", flags: &["multiple"], ..ArgSpec::EMPTY },
            ArgSpec {
                name: "ms",
                kind: "integer",
                token: Some("IDLE"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "unix-time-milliseconds",
                kind: "unix-time",
                token: Some("TIME"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "count",
                kind: "integer",
                token: Some("RETRYCOUNT"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "force",
                kind: "pure-token",
                token: Some("FORCE"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "justid",
                kind: "pure-token",
                token: Some("JUSTID"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "id",
                kind: "string",
                token: Some("LASTID"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(streams::xclaim),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "xautoclaim",
        arity: -6,
        flags: Flags::WRITE.or(Flags::FAST),
        acl: &["@write", "@stream", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::Stream,
        since: "6.2.0",
        summary: "Takes over pending entries that were idle for long.",
        complexity: "O(N) where N is the number of pending entries looked at",
        tips: &["nondeterministic_output"],
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "group", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "consumer", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "min-idle-time", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "start", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "count",
                kind: "integer",
                token: Some("COUNT"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "justid",
                kind: "pure-token",
                token: Some("JUSTID"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(streams::xautoclaim),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "xinfo",
        arity: -2,
        acl: &["@slow"],
        group: Group::Stream,
        since: "5.0.0",
        summary: "Holds the commands that tell about streams.",
        complexity: "Depends on subcommand.",
        subcommands: &[
            CommandSpec {
                name: "consumers",
                arity: 4,
                flags: Flags::READONLY,
                acl: &["@read", "@stream", "@slow"],
                keys: &[KeySpec {
                    begin: 2,
                    find: FindKeys::Range { last: 0, step: 1, limit: 0 },
                    flags: &["RO", "access"],
                }],
                scope: Scope::Keys,
                group: Group::Stream,
                since: "5.0.0",
                summary: "Tells the consumers of a group.",
                complexity: "O(N) where N is the number of consumers",
                tips: &["nondeterministic_output"],
                args: &[
                    ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
                    ArgSpec { name: "groupname", kind: "string", ..ArgSpec::EMPTY },
                ],
                plan: Plan::Data(streams::xinfo_consumers),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "groups",
                arity: 3,
                flags: Flags::READONLY,
                acl: &["@read", "@stream", "@slow"],
                keys: &[KeySpec {
                    begin: 2,
                    find: FindKeys::Range { last: 0, step: 1, limit: 0 },
                    flags: &["RO", "access"],
                }],
                scope: Scope::Keys,
                group: Group::Stream,
                since: "5.0.0",
                summary: "Tells the consumer groups of a stream.",
                complexity: "O(N) where N is the number of groups",
                args: &[ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY }],
                plan: Plan::Data(streams::xinfo_groups),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "help",
                arity: 2,
                flags: Flags::LOADING.or(Flags::STALE),
                acl: &["@stream", "@slow"],
                group: Group::Stream,
                since: "5.0.0",
                summary: "Lists the subcommands.",
                complexity: "O(1)",
                plan: Plan::Session(streams::xinfo_help),
                ..CommandSpec::EMPTY
            },
            CommandSpec {
                name: "stream",
                arity: -3,
                flags: Flags::READONLY,
                acl: &["@read", "@stream", "@slow"],
                keys: &[KeySpec {
                    begin: 2,
                    find: FindKeys::Range { last: 0, step: 1, limit: 0 },
                    flags: &["RO", "access"],
                }],
                scope: Scope::Keys,
                group: Group::Stream,
                since: "5.0.0",
                summary: "Tells about a stream.",
                complexity: "O(1); with FULL, O(N) where N is the number of things told",
                args: &[
                    ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
                    ArgSpec {
                        name: "full",
                        kind: "block",
                        token: Some("FULL"),
                        flags: &["optional"],
                        args: &[ArgSpec {
                            name: "count",
                            kind: "integer",
                            token: Some("COUNT"),
                            flags: &["optional"],
                            ..ArgSpec::EMPTY
                        }],
                        ..ArgSpec::EMPTY
                    },
                ],
                plan: Plan::Data(streams::xinfo_stream),
                ..CommandSpec::EMPTY
            },
        ],
        ..CommandSpec::EMPTY
    },
];
