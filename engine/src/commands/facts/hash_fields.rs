//! Commands on fields that end: what they say about themselves (COMMAND INFO, COMMAND DOCS), and the plan behind each.

use crate::commands::hashes;
use crate::commands::spec::{ArgSpec, CommandSpec, FindKeys, Flags, Group, KeySpec, Plan, Scope};

const ONE: FindKeys = FindKeys::Range { last: 0, step: 1, limit: 0 };

const KEY: ArgSpec = ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY };
const FIELDS: ArgSpec = ArgSpec {
    name: "fields",
    kind: "block",
    token: Some("FIELDS"),
    args: &[
        ArgSpec { name: "numfields", kind: "integer", ..ArgSpec::EMPTY },
        ArgSpec { name: "field", kind: "string", flags: &["multiple"], ..ArgSpec::EMPTY },
    ],
    ..ArgSpec::EMPTY
};
const PAIRS: ArgSpec = ArgSpec {
    name: "fields",
    kind: "block",
    token: Some("FIELDS"),
    args: &[
        ArgSpec { name: "numfields", kind: "integer", ..ArgSpec::EMPTY },
        ArgSpec {
            name: "data",
            kind: "block",
            flags: &["multiple"],
            args: &[
                ArgSpec { name: "field", kind: "string", ..ArgSpec::EMPTY },
                ArgSpec { name: "value", kind: "string", ..ArgSpec::EMPTY },
            ],
            ..ArgSpec::EMPTY
        },
    ],
    ..ArgSpec::EMPTY
};
const SECONDS: ArgSpec = ArgSpec { name: "seconds", kind: "integer", ..ArgSpec::EMPTY };
const MILLISECONDS: ArgSpec = ArgSpec { name: "milliseconds", kind: "integer", ..ArgSpec::EMPTY };
const UNIX_SECONDS: ArgSpec = ArgSpec { name: "unix-time-seconds", kind: "unix-time", ..ArgSpec::EMPTY };
const UNIX_MILLISECONDS: ArgSpec =
    ArgSpec { name: "unix-time-milliseconds", kind: "unix-time", ..ArgSpec::EMPTY };

const CONDITION: ArgSpec = ArgSpec {
    name: "condition",
    kind: "oneof",
    flags: &["optional"],
    args: &[
        ArgSpec { name: "nx", kind: "pure-token", token: Some("NX"), ..ArgSpec::EMPTY },
        ArgSpec { name: "xx", kind: "pure-token", token: Some("XX"), ..ArgSpec::EMPTY },
        ArgSpec { name: "gt", kind: "pure-token", token: Some("GT"), ..ArgSpec::EMPTY },
        ArgSpec { name: "lt", kind: "pure-token", token: Some("LT"), ..ArgSpec::EMPTY },
    ],
    ..ArgSpec::EMPTY
};
const GET_EXPIRATION: ArgSpec = ArgSpec {
    name: "expiration",
    kind: "oneof",
    flags: &["optional"],
    args: &[
        ArgSpec { name: "seconds", kind: "integer", token: Some("EX"), ..ArgSpec::EMPTY },
        ArgSpec { name: "milliseconds", kind: "integer", token: Some("PX"), ..ArgSpec::EMPTY },
        ArgSpec { name: "unix-time-seconds", kind: "unix-time", token: Some("EXAT"), ..ArgSpec::EMPTY },
        ArgSpec { name: "unix-time-milliseconds", kind: "unix-time", token: Some("PXAT"), ..ArgSpec::EMPTY },
        ArgSpec { name: "persist", kind: "pure-token", token: Some("PERSIST"), ..ArgSpec::EMPTY },
    ],
    ..ArgSpec::EMPTY
};
const SET_CONDITION: ArgSpec = ArgSpec {
    name: "condition",
    kind: "oneof",
    flags: &["optional"],
    args: &[
        ArgSpec { name: "fnx", kind: "pure-token", token: Some("FNX"), ..ArgSpec::EMPTY },
        ArgSpec { name: "fxx", kind: "pure-token", token: Some("FXX"), ..ArgSpec::EMPTY },
    ],
    ..ArgSpec::EMPTY
};
const SET_EXPIRATION: ArgSpec = ArgSpec {
    name: "expiration",
    kind: "oneof",
    flags: &["optional"],
    args: &[
        ArgSpec { name: "seconds", kind: "integer", token: Some("EX"), ..ArgSpec::EMPTY },
        ArgSpec { name: "milliseconds", kind: "integer", token: Some("PX"), ..ArgSpec::EMPTY },
        ArgSpec { name: "unix-time-seconds", kind: "unix-time", token: Some("EXAT"), ..ArgSpec::EMPTY },
        ArgSpec { name: "unix-time-milliseconds", kind: "unix-time", token: Some("PXAT"), ..ArgSpec::EMPTY },
        ArgSpec { name: "keepttl", kind: "pure-token", token: Some("KEEPTTL"), ..ArgSpec::EMPTY },
    ],
    ..ArgSpec::EMPTY
};

pub static SPECS: &[CommandSpec] = &[
    CommandSpec {
        name: "hexpire",
        arity: -6,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@hash", "@fast"],
        keys: &[KeySpec { begin: 1, find: ONE, flags: &["RW", "update"] }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "7.4.0",
        summary: "Has fields of a hash end in so many seconds.",
        complexity: "O(N) where N is the number of specified fields.",
        args: &[KEY, SECONDS, CONDITION, FIELDS],
        plan: Plan::Data(hashes::hexpire),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hpexpire",
        arity: -6,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@hash", "@fast"],
        keys: &[KeySpec { begin: 1, find: ONE, flags: &["RW", "update"] }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "7.4.0",
        summary: "Has fields of a hash end in so many milliseconds.",
        complexity: "O(N) where N is the number of specified fields.",
        args: &[KEY, MILLISECONDS, CONDITION, FIELDS],
        plan: Plan::Data(hashes::hpexpire),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hexpireat",
        arity: -6,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@hash", "@fast"],
        keys: &[KeySpec { begin: 1, find: ONE, flags: &["RW", "update"] }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "7.4.0",
        summary: "Has fields of a hash end at a Unix time in seconds.",
        complexity: "O(N) where N is the number of specified fields.",
        args: &[KEY, UNIX_SECONDS, CONDITION, FIELDS],
        plan: Plan::Data(hashes::hexpireat),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hpexpireat",
        arity: -6,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@hash", "@fast"],
        keys: &[KeySpec { begin: 1, find: ONE, flags: &["RW", "update"] }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "7.4.0",
        summary: "Has fields of a hash end at a Unix time in milliseconds.",
        complexity: "O(N) where N is the number of specified fields.",
        args: &[KEY, UNIX_MILLISECONDS, CONDITION, FIELDS],
        plan: Plan::Data(hashes::hpexpireat),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "httl",
        arity: -5,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@hash", "@fast"],
        keys: &[KeySpec { begin: 1, find: ONE, flags: &["RO", "access"] }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "7.4.0",
        summary: "Tells in how many seconds fields of a hash end.",
        complexity: "O(N) where N is the number of specified fields.",
        tips: &["nondeterministic_output"],
        args: &[KEY, FIELDS],
        plan: Plan::Data(hashes::httl),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hpttl",
        arity: -5,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@hash", "@fast"],
        keys: &[KeySpec { begin: 1, find: ONE, flags: &["RO", "access"] }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "7.4.0",
        summary: "Tells in how many milliseconds fields of a hash end.",
        complexity: "O(N) where N is the number of specified fields.",
        tips: &["nondeterministic_output"],
        args: &[KEY, FIELDS],
        plan: Plan::Data(hashes::hpttl),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hexpiretime",
        arity: -5,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@hash", "@fast"],
        keys: &[KeySpec { begin: 1, find: ONE, flags: &["RO", "access"] }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "7.4.0",
        summary: "Tells at which Unix time in seconds fields of a hash end.",
        complexity: "O(N) where N is the number of specified fields.",
        args: &[KEY, FIELDS],
        plan: Plan::Data(hashes::hexpiretime),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hpexpiretime",
        arity: -5,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@hash", "@fast"],
        keys: &[KeySpec { begin: 1, find: ONE, flags: &["RO", "access"] }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "7.4.0",
        summary: "Tells at which Unix time in milliseconds fields of a hash end.",
        complexity: "O(N) where N is the number of specified fields.",
        args: &[KEY, FIELDS],
        plan: Plan::Data(hashes::hpexpiretime),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hpersist",
        arity: -5,
        flags: Flags::WRITE.or(Flags::FAST),
        acl: &["@write", "@hash", "@fast"],
        keys: &[KeySpec { begin: 1, find: ONE, flags: &["RW", "update"] }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "7.4.0",
        summary: "Has fields of a hash never end.",
        complexity: "O(N) where N is the number of specified fields.",
        args: &[KEY, FIELDS],
        plan: Plan::Data(hashes::hpersist),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hgetex",
        arity: -5,
        flags: Flags::WRITE.or(Flags::FAST),
        acl: &["@write", "@hash", "@fast"],
        keys: &[KeySpec { begin: 1, find: ONE, flags: &["RW", "update"] }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "8.0.0",
        summary: "Answers values of fields of a hash, and says when they end.",
        complexity: "O(N) where N is the number of specified fields.",
        args: &[KEY, GET_EXPIRATION, FIELDS],
        plan: Plan::Data(hashes::hgetex),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hsetex",
        arity: -6,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@hash", "@fast"],
        keys: &[KeySpec { begin: 1, find: ONE, flags: &["RW", "update"] }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "8.0.0",
        summary: "Sets fields of a hash, and says when they end.",
        complexity: "O(N) where N is the number of fields being set.",
        args: &[KEY, SET_CONDITION, SET_EXPIRATION, PAIRS],
        plan: Plan::Data(hashes::hsetex),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hgetdel",
        arity: -5,
        flags: Flags::WRITE.or(Flags::FAST),
        acl: &["@write", "@hash", "@fast"],
        keys: &[KeySpec { begin: 1, find: ONE, flags: &["RW", "access", "delete"] }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "8.0.0",
        summary: "Answers values of fields of a hash, and removes them.",
        complexity: "O(N) where N is the number of specified fields.",
        args: &[KEY, FIELDS],
        plan: Plan::Data(hashes::hgetdel),
        ..CommandSpec::EMPTY
    },
];
