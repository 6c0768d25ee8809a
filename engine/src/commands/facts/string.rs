//! String commands: what they say about themselves (COMMAND INFO, COMMAND DOCS), and the plan behind each.

use crate::commands::spec::{ArgSpec, CommandSpec, FindKeys, Flags, Group, KeySpec, Plan, Scope};
use crate::commands::strings;

pub static SPECS: &[CommandSpec] = &[
    CommandSpec {
        name: "get",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@string", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::String,
        since: "1.0.0",
        summary: "Answers a string.",
        complexity: "O(1)",
        args: &[ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY }],
        plan: Plan::Data(strings::get),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "set",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        acl: &["@write", "@string", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "access", "update", "variable_flags"],
        }],
        scope: Scope::Keys,
        group: Group::String,
        since: "1.0.0",
        summary: "Sets a string, whatever the key held.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "value", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "condition",
                kind: "oneof",
                since: Some("2.6.12"),
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "nx", kind: "pure-token", token: Some("NX"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "xx", kind: "pure-token", token: Some("XX"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "get",
                kind: "pure-token",
                token: Some("GET"),
                since: Some("6.2.0"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "expiration",
                kind: "oneof",
                flags: &["optional"],
                args: &[
                    ArgSpec {
                        name: "seconds",
                        kind: "integer",
                        token: Some("EX"),
                        since: Some("2.6.12"),
                        ..ArgSpec::EMPTY
                    },
                    ArgSpec {
                        name: "milliseconds",
                        kind: "integer",
                        token: Some("PX"),
                        since: Some("2.6.12"),
                        ..ArgSpec::EMPTY
                    },
                    ArgSpec {
                        name: "unix-time-seconds",
                        kind: "unix-time",
                        token: Some("EXAT"),
                        since: Some("6.2.0"),
                        ..ArgSpec::EMPTY
                    },
                    ArgSpec {
                        name: "unix-time-milliseconds",
                        kind: "unix-time",
                        token: Some("PXAT"),
                        since: Some("6.2.0"),
                        ..ArgSpec::EMPTY
                    },
                    ArgSpec {
                        name: "keepttl",
                        kind: "pure-token",
                        token: Some("KEEPTTL"),
                        since: Some("6.0.0"),
                        ..ArgSpec::EMPTY
                    },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(strings::set),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "setnx",
        arity: 3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@string", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["OW", "insert"],
        }],
        scope: Scope::Keys,
        group: Group::String,
        since: "1.0.0",
        summary: "Sets a string unless the key exists.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "value", kind: "string", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(strings::setnx),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "setex",
        arity: 4,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        acl: &["@write", "@string", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["OW", "update"],
        }],
        scope: Scope::Keys,
        group: Group::String,
        since: "2.0.0",
        summary: "Sets a string with an expiry in seconds.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "seconds", kind: "integer", ..ArgSpec::EMPTY },
            ArgSpec { name: "value", kind: "string", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(strings::setex),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "psetex",
        arity: 4,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        acl: &["@write", "@string", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["OW", "update"],
        }],
        scope: Scope::Keys,
        group: Group::String,
        since: "2.6.0",
        summary: "Sets a string with an expiry in milliseconds.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "milliseconds", kind: "integer", ..ArgSpec::EMPTY },
            ArgSpec { name: "value", kind: "string", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(strings::psetex),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "getset",
        arity: 3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@string", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "access", "update"],
        }],
        scope: Scope::Keys,
        group: Group::String,
        since: "1.0.0",
        summary: "Sets a string and answers the old one.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "value", kind: "string", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(strings::getset),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "getdel",
        arity: 2,
        flags: Flags::WRITE.or(Flags::FAST),
        acl: &["@write", "@string", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "access", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::String,
        since: "6.2.0",
        summary: "Answers a string and removes it.",
        complexity: "O(1)",
        args: &[ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY }],
        plan: Plan::Data(strings::getdel),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "getex",
        arity: -2,
        flags: Flags::WRITE.or(Flags::FAST),
        acl: &["@write", "@string", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "access", "update"],
        }],
        scope: Scope::Keys,
        group: Group::String,
        since: "6.2.0",
        summary: "Answers a string and may set its expiry.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec {
                name: "expiration",
                kind: "oneof",
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "seconds", kind: "integer", token: Some("EX"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "milliseconds", kind: "integer", token: Some("PX"), ..ArgSpec::EMPTY },
                    ArgSpec {
                        name: "unix-time-seconds",
                        kind: "unix-time",
                        token: Some("EXAT"),
                        ..ArgSpec::EMPTY
                    },
                    ArgSpec {
                        name: "unix-time-milliseconds",
                        kind: "unix-time",
                        token: Some("PXAT"),
                        ..ArgSpec::EMPTY
                    },
                    ArgSpec { name: "persist", kind: "pure-token", token: Some("PERSIST"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(strings::getex),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "mget",
        arity: -2,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@string", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: -1, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::String,
        since: "1.0.0",
        summary: "Answers several strings.",
        complexity: "O(N) where N is the number of keys to retrieve.",
        tips: &["request_policy:multi_shard"],
        args: &[ArgSpec {
            name: "key",
            kind: "key",
            key_spec_index: Some(0),
            flags: &["multiple"],
            ..ArgSpec::EMPTY
        }],
        plan: Plan::Data(strings::mget),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "mset",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        acl: &["@write", "@string", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: -1, step: 2, limit: 0 },
            flags: &["OW", "update"],
        }],
        scope: Scope::Keys,
        group: Group::String,
        since: "1.0.1",
        summary: "Sets several strings at once.",
        complexity: "O(N) where N is the number of keys to set.",
        tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
        args: &[ArgSpec {
            name: "key_value",
            kind: "block",
            flags: &["multiple"],
            args: &[
                ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
                ArgSpec { name: "value", kind: "string", ..ArgSpec::EMPTY },
            ],
            ..ArgSpec::EMPTY
        }],
        plan: Plan::Data(strings::mset),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "msetnx",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        acl: &["@write", "@string", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: -1, step: 2, limit: 0 },
            flags: &["OW", "insert"],
        }],
        scope: Scope::Keys,
        group: Group::String,
        since: "1.0.1",
        summary: "Sets several strings at once unless any key exists.",
        complexity: "O(N) where N is the number of keys to set.",
        tips: &["request_policy:multi_shard", "response_policy:agg_min"],
        args: &[ArgSpec {
            name: "key_value",
            kind: "block",
            flags: &["multiple"],
            args: &[
                ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
                ArgSpec { name: "value", kind: "string", ..ArgSpec::EMPTY },
            ],
            ..ArgSpec::EMPTY
        }],
        plan: Plan::Data(strings::msetnx),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "append",
        arity: 3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@string", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "insert"],
        }],
        scope: Scope::Keys,
        group: Group::String,
        since: "2.0.0",
        summary: "Adds to the end of a string.",
        complexity: "O(1). The amortized time complexity is O(1) assuming the appended value is small and the already present value is of any size, since the dynamic string library used by Redis will double the free space available on every reallocation.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "value", kind: "string", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(strings::append),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "strlen",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@string", "@fast"],
        keys: &[KeySpec { begin: 1, find: FindKeys::Range { last: 0, step: 1, limit: 0 }, flags: &["RO"] }],
        scope: Scope::Keys,
        group: Group::String,
        since: "2.2.0",
        summary: "Tells a string's length.",
        complexity: "O(1)",
        args: &[ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY }],
        plan: Plan::Data(strings::strlen),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "getrange",
        arity: 4,
        flags: Flags::READONLY,
        acl: &["@read", "@string", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::String,
        since: "2.4.0",
        summary: "Answers part of a string.",
        complexity: "O(N) where N is the length of the returned string. The complexity is ultimately determined by the returned length, but because creating a substring from an existing string is very cheap, it can be considered O(1) for small strings.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "start", kind: "integer", ..ArgSpec::EMPTY },
            ArgSpec { name: "end", kind: "integer", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(strings::getrange),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "substr",
        arity: 4,
        flags: Flags::READONLY,
        acl: &["@read", "@string", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::String,
        since: "1.0.0",
        summary: "Answers part of a string.",
        complexity: "O(N) where N is the length of the returned string. The complexity is ultimately determined by the returned length, but because creating a substring from an existing string is very cheap, it can be considered O(1) for small strings.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "start", kind: "integer", ..ArgSpec::EMPTY },
            ArgSpec { name: "end", kind: "integer", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(strings::substr),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "setrange",
        arity: 4,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        acl: &["@write", "@string", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "update"],
        }],
        scope: Scope::Keys,
        group: Group::String,
        since: "2.2.0",
        summary: "Writes over part of a string.",
        complexity: "O(1), not counting the time taken to copy the new string in place. Usually, this string is very small so the amortized complexity is O(1). Otherwise, complexity is O(M) with M being the length of the value argument.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "offset", kind: "integer", ..ArgSpec::EMPTY },
            ArgSpec { name: "value", kind: "string", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(strings::setrange),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "incr",
        arity: 2,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@string", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "access", "update"],
        }],
        scope: Scope::Keys,
        group: Group::String,
        since: "1.0.0",
        summary: "Adds one to an integer.",
        complexity: "O(1)",
        args: &[ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY }],
        plan: Plan::Data(strings::incr),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "decr",
        arity: 2,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@string", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "access", "update"],
        }],
        scope: Scope::Keys,
        group: Group::String,
        since: "1.0.0",
        summary: "Takes one from an integer.",
        complexity: "O(1)",
        args: &[ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY }],
        plan: Plan::Data(strings::decr),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "incrby",
        arity: 3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@string", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "access", "update"],
        }],
        scope: Scope::Keys,
        group: Group::String,
        since: "1.0.0",
        summary: "Adds to an integer.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "increment", kind: "integer", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(strings::incrby),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "decrby",
        arity: 3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@string", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "access", "update"],
        }],
        scope: Scope::Keys,
        group: Group::String,
        since: "1.0.0",
        summary: "Takes from an integer.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "decrement", kind: "integer", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(strings::decrby),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "incrbyfloat",
        arity: 3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@string", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "access", "update"],
        }],
        scope: Scope::Keys,
        group: Group::String,
        since: "2.6.0",
        summary: "Adds to a number with a fraction.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "increment", kind: "double", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(strings::incrbyfloat),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "lcs",
        arity: -3,
        flags: Flags::READONLY,
        acl: &["@read", "@string", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 1, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::String,
        since: "7.0.0",
        summary: "Finds the longest common subsequence of two strings.",
        complexity: "O(N*M) where N and M are the lengths of s1 and s2, respectively",
        args: &[
            ArgSpec { name: "key1", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "key2", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec {
                name: "len",
                kind: "pure-token",
                token: Some("LEN"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "idx",
                kind: "pure-token",
                token: Some("IDX"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "len",
                kind: "integer",
                token: Some("MINMATCHLEN"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "withmatchlen",
                kind: "pure-token",
                token: Some("WITHMATCHLEN"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(strings::lcs),
        ..CommandSpec::EMPTY
    },
];
