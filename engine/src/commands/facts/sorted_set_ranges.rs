//! Sorted set commands on ranges and on several sets: what they say about themselves, and the plan behind each.

use crate::commands::spec::{ArgSpec, CommandSpec, FindKeys, Flags, Group, KeySpec, Plan, Scope};
use crate::commands::zsets;

pub static SPECS: &[CommandSpec] = &[
    CommandSpec {
        name: "zremrangebyscore",
        arity: 4,
        flags: Flags::WRITE,
        acl: &["@write", "@sortedset", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "1.2.0",
        summary: "Removes members within a range of scores.",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "min", kind: "double", ..ArgSpec::EMPTY },
            ArgSpec { name: "max", kind: "double", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(zsets::zremrangebyscore),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zremrangebyrank",
        arity: 4,
        flags: Flags::WRITE,
        acl: &["@write", "@sortedset", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "2.0.0",
        summary: "Removes members within a range of places.",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "start", kind: "integer", ..ArgSpec::EMPTY },
            ArgSpec { name: "stop", kind: "integer", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(zsets::zremrangebyrank),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zremrangebylex",
        arity: 4,
        flags: Flags::WRITE,
        acl: &["@write", "@sortedset", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "2.8.9",
        summary: "Removes members within a range of bytes.",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "min", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "max", kind: "string", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(zsets::zremrangebylex),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zunionstore",
        arity: -4,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::MOVABLEKEYS),
        acl: &["@write", "@sortedset", "@slow"],
        keys: &[
            KeySpec {
                begin: 1,
                find: FindKeys::Range { last: 0, step: 1, limit: 0 },
                flags: &["OW", "update"],
            },
            KeySpec {
                begin: 2,
                find: FindKeys::Counted { count_at: 0, first: 1, step: 1 },
                flags: &["RO", "access"],
            },
        ],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "2.0.0",
        summary: "Stores the union of sorted sets.",
        complexity: "O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.",
        args: &[
            ArgSpec { name: "destination", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "numkeys", kind: "integer", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "key",
                kind: "key",
                key_spec_index: Some(1),
                flags: &["multiple"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "weight",
                kind: "integer",
                token: Some("WEIGHTS"),
                flags: &["optional", "multiple"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "aggregate",
                kind: "oneof",
                token: Some("AGGREGATE"),
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "sum", kind: "pure-token", token: Some("SUM"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "min", kind: "pure-token", token: Some("MIN"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "max", kind: "pure-token", token: Some("MAX"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(zsets::zunionstore),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zinterstore",
        arity: -4,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::MOVABLEKEYS),
        acl: &["@write", "@sortedset", "@slow"],
        keys: &[
            KeySpec {
                begin: 1,
                find: FindKeys::Range { last: 0, step: 1, limit: 0 },
                flags: &["OW", "update"],
            },
            KeySpec {
                begin: 2,
                find: FindKeys::Counted { count_at: 0, first: 1, step: 1 },
                flags: &["RO", "access"],
            },
        ],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "2.0.0",
        summary: "Stores what sorted sets have in common.",
        complexity: "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.",
        args: &[
            ArgSpec { name: "destination", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "numkeys", kind: "integer", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "key",
                kind: "key",
                key_spec_index: Some(1),
                flags: &["multiple"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "weight",
                kind: "integer",
                token: Some("WEIGHTS"),
                flags: &["optional", "multiple"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "aggregate",
                kind: "oneof",
                token: Some("AGGREGATE"),
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "sum", kind: "pure-token", token: Some("SUM"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "min", kind: "pure-token", token: Some("MIN"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "max", kind: "pure-token", token: Some("MAX"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(zsets::zinterstore),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zdiffstore",
        arity: -4,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::MOVABLEKEYS),
        acl: &["@write", "@sortedset", "@slow"],
        keys: &[
            KeySpec {
                begin: 1,
                find: FindKeys::Range { last: 0, step: 1, limit: 0 },
                flags: &["OW", "update"],
            },
            KeySpec {
                begin: 2,
                find: FindKeys::Counted { count_at: 0, first: 1, step: 1 },
                flags: &["RO", "access"],
            },
        ],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "6.2.0",
        summary: "Stores what only the first sorted set has.",
        complexity: "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.",
        args: &[
            ArgSpec { name: "destination", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "numkeys", kind: "integer", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "key",
                kind: "key",
                key_spec_index: Some(1),
                flags: &["multiple"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(zsets::zdiffstore),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zunion",
        arity: -3,
        flags: Flags::READONLY.or(Flags::MOVABLEKEYS),
        acl: &["@read", "@sortedset", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Counted { count_at: 0, first: 1, step: 1 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "6.2.0",
        summary: "Answers the union of sorted sets.",
        complexity: "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.",
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
                name: "weight",
                kind: "integer",
                token: Some("WEIGHTS"),
                flags: &["optional", "multiple"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "aggregate",
                kind: "oneof",
                token: Some("AGGREGATE"),
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "sum", kind: "pure-token", token: Some("SUM"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "min", kind: "pure-token", token: Some("MIN"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "max", kind: "pure-token", token: Some("MAX"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "withscores",
                kind: "pure-token",
                token: Some("WITHSCORES"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(zsets::zunion),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zinter",
        arity: -3,
        flags: Flags::READONLY.or(Flags::MOVABLEKEYS),
        acl: &["@read", "@sortedset", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Counted { count_at: 0, first: 1, step: 1 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "6.2.0",
        summary: "Answers what sorted sets have in common.",
        complexity: "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.",
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
                name: "weight",
                kind: "integer",
                token: Some("WEIGHTS"),
                flags: &["optional", "multiple"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "aggregate",
                kind: "oneof",
                token: Some("AGGREGATE"),
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "sum", kind: "pure-token", token: Some("SUM"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "min", kind: "pure-token", token: Some("MIN"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "max", kind: "pure-token", token: Some("MAX"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "withscores",
                kind: "pure-token",
                token: Some("WITHSCORES"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(zsets::zinter),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zdiff",
        arity: -3,
        flags: Flags::READONLY.or(Flags::MOVABLEKEYS),
        acl: &["@read", "@sortedset", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Counted { count_at: 0, first: 1, step: 1 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "6.2.0",
        summary: "Answers what only the first sorted set has.",
        complexity: "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.",
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
                name: "withscores",
                kind: "pure-token",
                token: Some("WITHSCORES"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(zsets::zdiff),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zintercard",
        arity: -3,
        flags: Flags::READONLY.or(Flags::MOVABLEKEYS),
        acl: &["@read", "@sortedset", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Counted { count_at: 0, first: 1, step: 1 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "7.0.0",
        summary: "Counts what sorted sets have in common.",
        complexity: "O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted sets.",
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
                name: "limit",
                kind: "integer",
                token: Some("LIMIT"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(zsets::zintercard),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zrange",
        arity: -4,
        flags: Flags::READONLY,
        acl: &["@read", "@sortedset", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "1.2.0",
        summary: "Answers a range of a sorted set.",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "start", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "stop", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "sortby",
                kind: "oneof",
                since: Some("6.2.0"),
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "byscore", kind: "pure-token", token: Some("BYSCORE"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "bylex", kind: "pure-token", token: Some("BYLEX"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "rev",
                kind: "pure-token",
                token: Some("REV"),
                since: Some("6.2.0"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "offset_count",
                kind: "block",
                token: Some("LIMIT"),
                since: Some("6.2.0"),
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "offset", kind: "integer", ..ArgSpec::EMPTY },
                    ArgSpec { name: "count", kind: "integer", ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "withscores",
                kind: "pure-token",
                token: Some("WITHSCORES"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(zsets::zrange),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zrangestore",
        arity: -5,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        acl: &["@write", "@sortedset", "@slow"],
        keys: &[
            KeySpec {
                begin: 1,
                find: FindKeys::Range { last: 0, step: 1, limit: 0 },
                flags: &["OW", "update"],
            },
            KeySpec {
                begin: 2,
                find: FindKeys::Range { last: 0, step: 1, limit: 0 },
                flags: &["RO", "access"],
            },
        ],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "6.2.0",
        summary: "Stores a range of a sorted set.",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements stored into the destination key.",
        args: &[
            ArgSpec { name: "dst", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "src", kind: "key", key_spec_index: Some(1), ..ArgSpec::EMPTY },
            ArgSpec { name: "min", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "max", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "sortby",
                kind: "oneof",
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "byscore", kind: "pure-token", token: Some("BYSCORE"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "bylex", kind: "pure-token", token: Some("BYLEX"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "rev",
                kind: "pure-token",
                token: Some("REV"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "offset_count",
                kind: "block",
                token: Some("LIMIT"),
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "offset", kind: "integer", ..ArgSpec::EMPTY },
                    ArgSpec { name: "count", kind: "integer", ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(zsets::zrangestore),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zrangebyscore",
        arity: -4,
        flags: Flags::READONLY,
        acl: &["@read", "@sortedset", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "1.0.5",
        summary: "Answers members within a range of scores.",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "min", kind: "double", ..ArgSpec::EMPTY },
            ArgSpec { name: "max", kind: "double", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "withscores",
                kind: "pure-token",
                token: Some("WITHSCORES"),
                since: Some("2.0.0"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "offset_count",
                kind: "block",
                token: Some("LIMIT"),
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "offset", kind: "integer", ..ArgSpec::EMPTY },
                    ArgSpec { name: "count", kind: "integer", ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(zsets::zrangebyscore),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zrevrangebyscore",
        arity: -4,
        flags: Flags::READONLY,
        acl: &["@read", "@sortedset", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "2.2.0",
        summary: "Answers members within a range of scores, highest first.",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "max", kind: "double", ..ArgSpec::EMPTY },
            ArgSpec { name: "min", kind: "double", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "withscores",
                kind: "pure-token",
                token: Some("WITHSCORES"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "offset_count",
                kind: "block",
                token: Some("LIMIT"),
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "offset", kind: "integer", ..ArgSpec::EMPTY },
                    ArgSpec { name: "count", kind: "integer", ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(zsets::zrevrangebyscore),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zrangebylex",
        arity: -4,
        flags: Flags::READONLY,
        acl: &["@read", "@sortedset", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "2.8.9",
        summary: "Answers members within a range of bytes.",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "min", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "max", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "offset_count",
                kind: "block",
                token: Some("LIMIT"),
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "offset", kind: "integer", ..ArgSpec::EMPTY },
                    ArgSpec { name: "count", kind: "integer", ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(zsets::zrangebylex),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zrevrangebylex",
        arity: -4,
        flags: Flags::READONLY,
        acl: &["@read", "@sortedset", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "2.8.9",
        summary: "Answers members within a range of bytes, last first.",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "max", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "min", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "offset_count",
                kind: "block",
                token: Some("LIMIT"),
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "offset", kind: "integer", ..ArgSpec::EMPTY },
                    ArgSpec { name: "count", kind: "integer", ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(zsets::zrevrangebylex),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "zrevrange",
        arity: -4,
        flags: Flags::READONLY,
        acl: &["@read", "@sortedset", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::SortedSet,
        since: "1.2.0",
        summary: "Answers members within a range of places, highest first.",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "start", kind: "integer", ..ArgSpec::EMPTY },
            ArgSpec { name: "stop", kind: "integer", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "withscores",
                kind: "pure-token",
                token: Some("WITHSCORES"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(zsets::zrevrange),
        ..CommandSpec::EMPTY
    },
];
