//! SORT: what it says about itself (COMMAND INFO, COMMAND DOCS), and the plan behind it.

use crate::commands::generic;
use crate::commands::spec::{ArgSpec, CommandSpec, FindKeys, Flags, Group, KeySpec, Plan, Scope};

const SORTED: KeySpec =
    KeySpec { begin: 1, find: FindKeys::Range { last: 0, step: 1, limit: 0 }, flags: &["RO", "access"] };
/// What patterns name depends on the elements.
const NAMED: KeySpec =
    KeySpec { begin: 2, find: FindKeys::Unknown { word: "", over: &[] }, flags: &["RO", "access"] };
const STORED: KeySpec = KeySpec {
    begin: 2,
    find: FindKeys::Unknown { word: "store", over: &[("limit", 2), ("get", 1), ("by", 1)] },
    flags: &["OW", "update"],
};

const KEY: ArgSpec = ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY };
const BY: ArgSpec = ArgSpec {
    name: "pattern",
    kind: "pattern",
    key_spec_index: Some(1),
    token: Some("BY"),
    flags: &["optional"],
    ..ArgSpec::EMPTY
};
const LIMIT: ArgSpec = ArgSpec {
    name: "offset_count",
    kind: "block",
    token: Some("LIMIT"),
    flags: &["optional"],
    args: &[
        ArgSpec { name: "offset", kind: "integer", ..ArgSpec::EMPTY },
        ArgSpec { name: "count", kind: "integer", ..ArgSpec::EMPTY },
    ],
    ..ArgSpec::EMPTY
};
const GET: ArgSpec = ArgSpec {
    name: "pattern",
    kind: "pattern",
    key_spec_index: Some(1),
    token: Some("GET"),
    flags: &["optional", "multiple", "multiple_token"],
    ..ArgSpec::EMPTY
};
const ORDER: ArgSpec = ArgSpec {
    name: "order",
    kind: "oneof",
    flags: &["optional"],
    args: &[
        ArgSpec { name: "asc", kind: "pure-token", token: Some("ASC"), ..ArgSpec::EMPTY },
        ArgSpec { name: "desc", kind: "pure-token", token: Some("DESC"), ..ArgSpec::EMPTY },
    ],
    ..ArgSpec::EMPTY
};
const ALPHA: ArgSpec = ArgSpec {
    name: "sorting",
    kind: "pure-token",
    token: Some("ALPHA"),
    flags: &["optional"],
    ..ArgSpec::EMPTY
};

const COMPLEXITY: &str = "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned elements. When the elements are not sorted, complexity is O(N).";

pub static SPECS: &[CommandSpec] = &[
    CommandSpec {
        name: "sort",
        arity: -2,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::MOVABLEKEYS),
        acl: &["@write", "@set", "@sortedset", "@list", "@slow", "@dangerous"],
        keys: &[SORTED, NAMED, STORED],
        scope: Scope::Patterns,
        group: Group::Generic,
        since: "1.0.0",
        summary: "Answers, or stores, the elements of a list, set or sorted set in order.",
        complexity: COMPLEXITY,
        args: &[
            KEY,
            BY,
            LIMIT,
            GET,
            ORDER,
            ALPHA,
            ArgSpec {
                name: "destination",
                kind: "key",
                key_spec_index: Some(2),
                token: Some("STORE"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(generic::sort),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "sort_ro",
        arity: -2,
        flags: Flags::READONLY.or(Flags::MOVABLEKEYS),
        acl: &["@read", "@set", "@sortedset", "@list", "@slow", "@dangerous"],
        keys: &[SORTED, NAMED],
        scope: Scope::Patterns,
        group: Group::Generic,
        since: "7.0.0",
        summary: "Answers the elements of a list, set or sorted set in order.",
        complexity: COMPLEXITY,
        args: &[KEY, BY, LIMIT, GET, ORDER, ALPHA],
        plan: Plan::Data(generic::sort_ro),
        ..CommandSpec::EMPTY
    },
];
