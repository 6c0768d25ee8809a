//! Stream commands: what they say about themselves (COMMAND INFO, COMMAND DOCS), and the plan behind each.

use crate::commands::spec::{ArgSpec, CommandSpec, FindKeys, Flags, Group, KeySpec, Plan, Scope};
use crate::commands::streams;

pub static SPECS: &[CommandSpec] = &[
    CommandSpec {
        name: "xadd",
        arity: -5,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@stream", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "update"],
        }],
        scope: Scope::Keys,
        group: Group::Stream,
        since: "5.0.0",
        summary: "Appends an entry to a stream.",
        complexity: "O(1) for an entry; O(N) for N entries trimmed",
        tips: &["nondeterministic_output"],
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec {
                name: "nomkstream",
                kind: "pure-token",
                token: Some("NOMKSTREAM"),
                since: Some("6.2.0"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "trim",
                kind: "block",
                flags: &["optional"],
                args: &[
                    ArgSpec {
                        name: "strategy",
                        kind: "oneof",
                        args: &[
                            ArgSpec {
                                name: "maxlen",
                                kind: "pure-token",
                                token: Some("MAXLEN"),
                                ..ArgSpec::EMPTY
                            },
                            ArgSpec {
                                name: "minid",
                                kind: "pure-token",
                                token: Some("MINID"),
                                since: Some("6.2.0"),
                                ..ArgSpec::EMPTY
                            },
                        ],
                        ..ArgSpec::EMPTY
                    },
                    ArgSpec {
                        name: "operator",
                        kind: "oneof",
                        flags: &["optional"],
                        args: &[
                            ArgSpec { name: "equal", kind: "pure-token", token: Some("="), ..ArgSpec::EMPTY },
                            ArgSpec {
                                name: "approximately",
                                kind: "pure-token",
                                token: Some("~"),
                                ..ArgSpec::EMPTY
                            },
                        ],
                        ..ArgSpec::EMPTY
                    },
                    ArgSpec { name: "threshold", kind: "string", ..ArgSpec::EMPTY },
                    ArgSpec {
                        name: "count",
                        kind: "integer",
                        token: Some("LIMIT"),
                        since: Some("6.2.0"),
                        flags: &["optional"],
                        ..ArgSpec::EMPTY
                    },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "id_or_auto",
                kind: "oneof",
                args: &[
                    ArgSpec { name: "auto_id", kind: "pure-token", token: Some("*"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "id", kind: "string", ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "field_value",
                kind: "block",
                flags: &["multiple"],
                args: &[
                    ArgSpec { name: "field", kind: "string", ..ArgSpec::EMPTY },
                    ArgSpec { name: "value", kind: "string", ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(streams::xadd),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "xlen",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@stream", "@fast"],
        keys: &[KeySpec { begin: 1, find: FindKeys::Range { last: 0, step: 1, limit: 0 }, flags: &["RO"] }],
        scope: Scope::Keys,
        group: Group::Stream,
        since: "5.0.0",
        summary: "Counts the entries of a stream.",
        complexity: "O(1)",
        args: &[ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY }],
        plan: Plan::Data(streams::xlen),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "xrange",
        arity: -4,
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
        summary: "Reads entries between two ids.",
        complexity: "O(log(N)+M) where N is the number of entries and M of those read",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "start", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "end", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "count",
                kind: "integer",
                token: Some("COUNT"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(streams::xrange),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "xrevrange",
        arity: -4,
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
        summary: "Reads entries between two ids, the latest first.",
        complexity: "O(log(N)+M) where N is the number of entries and M of those read",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "end", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "start", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "count",
                kind: "integer",
                token: Some("COUNT"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(streams::xrevrange),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "xread",
        arity: -4,
        flags: Flags::READONLY.or(Flags::BLOCKING).or(Flags::MOVABLEKEYS),
        acl: &["@read", "@stream", "@slow", "@blocking"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::FirstHalf { word: "streams" },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Stream,
        since: "5.0.0",
        summary: "Reads the entries after given ids of one or more streams, and may wait for them.",
        complexity: "O(log(N)+M) for each stream, N being its entries and M those read",
        args: &[
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
        plan: Plan::Data(streams::xread),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "xdel",
        arity: -3,
        flags: Flags::WRITE.or(Flags::FAST),
        acl: &["@write", "@stream", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::Stream,
        since: "5.0.0",
        summary: "Removes entries from a stream.",
        complexity: "O(1) for each id",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "id", kind: "string", flags: &["multiple"], ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(streams::xdel),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "xtrim",
        arity: -4,
        flags: Flags::WRITE,
        acl: &["@write", "@stream", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::Stream,
        since: "5.0.0",
        summary: "Removes the oldest entries of a stream.",
        complexity: "O(N) where N is the number of entries removed",
        tips: &["nondeterministic_output"],
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec {
                name: "trim",
                kind: "block",
                args: &[
                    ArgSpec {
                        name: "strategy",
                        kind: "oneof",
                        args: &[
                            ArgSpec {
                                name: "maxlen",
                                kind: "pure-token",
                                token: Some("MAXLEN"),
                                ..ArgSpec::EMPTY
                            },
                            ArgSpec {
                                name: "minid",
                                kind: "pure-token",
                                token: Some("MINID"),
                                since: Some("6.2.0"),
                                ..ArgSpec::EMPTY
                            },
                        ],
                        ..ArgSpec::EMPTY
                    },
                    ArgSpec {
                        name: "operator",
                        kind: "oneof",
                        flags: &["optional"],
                        args: &[
                            ArgSpec { name: "equal", kind: "pure-token", token: Some("="), ..ArgSpec::EMPTY },
                            ArgSpec {
                                name: "approximately",
                                kind: "pure-token",
                                token: Some("~"),
                                ..ArgSpec::EMPTY
                            },
                        ],
                        ..ArgSpec::EMPTY
                    },
                    ArgSpec { name: "threshold", kind: "string", ..ArgSpec::EMPTY },
                    ArgSpec {
                        name: "count",
                        kind: "integer",
                        token: Some("LIMIT"),
                        since: Some("6.2.0"),
                        flags: &["optional"],
                        ..ArgSpec::EMPTY
                    },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(streams::xtrim),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "xsetid",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@stream", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "update"],
        }],
        scope: Scope::Keys,
        group: Group::Stream,
        since: "5.0.0",
        summary: "Sets what a stream remembers of its entries.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "last-id", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "entries_added",
                kind: "integer",
                token: Some("ENTRIESADDED"),
                since: Some("7.0.0"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "max_deleted_entry_id",
                kind: "string",
                token: Some("MAXDELETEDID"),
                since: Some("7.0.0"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(streams::xsetid),
        ..CommandSpec::EMPTY
    },
];
