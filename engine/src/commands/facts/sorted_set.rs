//! Sorted set commands: what they say about themselves (COMMAND INFO, COMMAND DOCS), and the plan behind each.

use crate::commands::spec::{ArgSpec, CommandSpec, FindKeys, Flags, Group, KeySpec, Plan, Scope};
use crate::commands::zsets;

pub static SPECS: &[CommandSpec] = &[
    CommandSpec {
        name: "zadd",
        arity: -4,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@sortedset", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "update"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "1.2.0",
        summary: "Adds members to a sorted set, or gives them new scores.",
        complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec {
                name: "condition",
                kind: "oneof",
                since: Some("3.0.2"),
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "nx", kind: "pure-token", token: Some("NX"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "xx", kind: "pure-token", token: Some("XX"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "comparison",
                kind: "oneof",
                since: Some("6.2.0"),
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "gt", kind: "pure-token", token: Some("GT"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "lt", kind: "pure-token", token: Some("LT"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "change",
                kind: "pure-token",
                token: Some("CH"),
                since: Some("3.0.2"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "increment",
                kind: "pure-token",
                token: Some("INCR"),
                since: Some("3.0.2"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "score_member",
                kind: "block",
                flags: &["multiple"],
                args: &[
                    ArgSpec { name: "score", kind: "double", ..ArgSpec::EMPTY },
                    ArgSpec { name: "member", kind: "string", ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(zsets::zadd),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zincrby",
        arity: 4,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@sortedset", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "access", "update"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "1.2.0",
        summary: "Adds to a member's score.",
        complexity: "O(log(N)) where N is the number of elements in the sorted set.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "increment", kind: "integer", ..ArgSpec::EMPTY },
            ArgSpec { name: "member", kind: "string", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(zsets::zincrby),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zrem",
        arity: -3,
        flags: Flags::WRITE.or(Flags::FAST),
        acl: &["@write", "@sortedset", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "1.2.0",
        summary: "Removes members from a sorted set.",
        complexity: "O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to be removed.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "member", kind: "string", flags: &["multiple"], ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(zsets::zrem),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zcount",
        arity: 4,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@sortedset", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "2.0.0",
        summary: "Counts members within a range of scores.",
        complexity: "O(log(N)) with N being the number of elements in the sorted set.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "min", kind: "double", ..ArgSpec::EMPTY },
            ArgSpec { name: "max", kind: "double", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(zsets::zcount),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zlexcount",
        arity: 4,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@sortedset", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "2.8.9",
        summary: "Counts members within a range of bytes.",
        complexity: "O(log(N)) with N being the number of elements in the sorted set.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "min", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "max", kind: "string", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(zsets::zlexcount),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zcard",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@sortedset", "@fast"],
        keys: &[KeySpec { begin: 1, find: FindKeys::Range { last: 0, step: 1, limit: 0 }, flags: &["RO"] }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "1.2.0",
        summary: "Counts a sorted set's members.",
        complexity: "O(1)",
        args: &[ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY }],
        plan: Plan::Data(zsets::zcard),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zscore",
        arity: 3,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@sortedset", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "1.2.0",
        summary: "Answers a member's score.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "member", kind: "string", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(zsets::zscore),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zmscore",
        arity: -3,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@sortedset", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "6.2.0",
        summary: "Answers the scores of members.",
        complexity: "O(N) where N is the number of members being requested.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "member", kind: "string", flags: &["multiple"], ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(zsets::zmscore),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zrank",
        arity: 3,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@sortedset", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "2.0.0",
        summary: "Answers a member's place.",
        complexity: "O(log(N))",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "member", kind: "string", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(zsets::zrank),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zrevrank",
        arity: 3,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@sortedset", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "2.0.0",
        summary: "Answers a member's place from the end.",
        complexity: "O(log(N))",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "member", kind: "string", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(zsets::zrevrank),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zscan",
        arity: -3,
        flags: Flags::READONLY,
        acl: &["@read", "@sortedset", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "2.8.0",
        summary: "Walks a sorted set's members, a step at a time.",
        complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection..",
        tips: &["nondeterministic_output"],
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "cursor", kind: "integer", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "pattern",
                kind: "pattern",
                token: Some("MATCH"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "count",
                kind: "integer",
                token: Some("COUNT"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(zsets::zscan),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zpopmin",
        arity: -2,
        flags: Flags::WRITE.or(Flags::FAST),
        acl: &["@write", "@sortedset", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "access", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "5.0.0",
        summary: "Takes the lowest members off a sorted set.",
        complexity: "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "count", kind: "integer", flags: &["optional"], ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(zsets::zpopmin),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zpopmax",
        arity: -2,
        flags: Flags::WRITE.or(Flags::FAST),
        acl: &["@write", "@sortedset", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "access", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "5.0.0",
        summary: "Takes the highest members off a sorted set.",
        complexity: "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "count", kind: "integer", flags: &["optional"], ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(zsets::zpopmax),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zmpop",
        arity: -4,
        flags: Flags::WRITE.or(Flags::MOVABLEKEYS),
        acl: &["@write", "@sortedset", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Counted { count_at: 0, first: 1, step: 1 },
            flags: &["RW", "access", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "7.0.0",
        summary: "Takes members off the first sorted set that has any.",
        complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.",
        args: &[
            ArgSpec { name: "numkeys", kind: "integer", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "key",
                kind: "key",
                key_spec_index: Some(0),
                flags: &["multiple"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "where",
                kind: "oneof",
                args: &[
                    ArgSpec { name: "min", kind: "pure-token", token: Some("MIN"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "max", kind: "pure-token", token: Some("MAX"), ..ArgSpec::EMPTY },
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
        ],
        plan: Plan::Data(zsets::zmpop),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "bzpopmin",
        arity: -3,
        flags: Flags::WRITE.or(Flags::NOSCRIPT).or(Flags::BLOCKING).or(Flags::FAST),
        acl: &["@write", "@sortedset", "@fast", "@blocking"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: -2, step: 1, limit: 0 },
            flags: &["RW", "access", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "5.0.0",
        summary: "Takes the lowest member off the first sorted set that has any, waiting for one.",
        complexity: "O(log(N)) with N being the number of elements in the sorted set.",
        args: &[
            ArgSpec {
                name: "key",
                kind: "key",
                key_spec_index: Some(0),
                flags: &["multiple"],
                ..ArgSpec::EMPTY
            },
            ArgSpec { name: "timeout", kind: "double", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(zsets::bzpopmin),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "bzpopmax",
        arity: -3,
        flags: Flags::WRITE.or(Flags::NOSCRIPT).or(Flags::BLOCKING).or(Flags::FAST),
        acl: &["@write", "@sortedset", "@fast", "@blocking"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: -2, step: 1, limit: 0 },
            flags: &["RW", "access", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "5.0.0",
        summary: "Takes the highest member off the first sorted set that has any, waiting for one.",
        complexity: "O(log(N)) with N being the number of elements in the sorted set.",
        args: &[
            ArgSpec {
                name: "key",
                kind: "key",
                key_spec_index: Some(0),
                flags: &["multiple"],
                ..ArgSpec::EMPTY
            },
            ArgSpec { name: "timeout", kind: "double", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(zsets::bzpopmax),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "bzmpop",
        arity: -5,
        flags: Flags::WRITE.or(Flags::BLOCKING).or(Flags::MOVABLEKEYS),
        acl: &["@write", "@sortedset", "@slow", "@blocking"],
        keys: &[KeySpec {
            begin: 2,
            find: FindKeys::Counted { count_at: 0, first: 1, step: 1 },
            flags: &["RW", "access", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "7.0.0",
        summary: "Takes members off the first sorted set that has any, waiting for one.",
        complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.",
        args: &[
            ArgSpec { name: "timeout", kind: "double", ..ArgSpec::EMPTY },
            ArgSpec { name: "numkeys", kind: "integer", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "key",
                kind: "key",
                key_spec_index: Some(0),
                flags: &["multiple"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "where",
                kind: "oneof",
                args: &[
                    ArgSpec { name: "min", kind: "pure-token", token: Some("MIN"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "max", kind: "pure-token", token: Some("MAX"), ..ArgSpec::EMPTY },
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
        ],
        plan: Plan::Data(zsets::bzmpop),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zrandmember",
        arity: -2,
        flags: Flags::READONLY,
        acl: &["@read", "@sortedset", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "6.2.0",
        summary: "Answers members of a sorted set at random.",
        complexity: "O(N) where N is the number of elements returned",
        tips: &["nondeterministic_output"],
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec {
                name: "options",
                kind: "block",
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "count", kind: "integer", ..ArgSpec::EMPTY },
                    ArgSpec {
                        name: "withscores",
                        kind: "pure-token",
                        token: Some("WITHSCORES"),
                        flags: &["optional"],
                        ..ArgSpec::EMPTY
                    },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(zsets::zrandmember),
        ..CommandSpec::EMPTY
    },
];
