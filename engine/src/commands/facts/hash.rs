//! Hash commands: what they say about themselves (COMMAND INFO, COMMAND DOCS), and the plan behind each.

use crate::commands::hashes;
use crate::commands::spec::{ArgSpec, CommandSpec, FindKeys, Flags, Group, KeySpec, Plan, Scope};

pub static SPECS: &[CommandSpec] = &[
    CommandSpec {
        name: "hset",
        arity: -4,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@hash", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "update"],
        }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "2.0.0",
        summary: "Sets fields of a hash.",
        complexity: "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called with multiple field/value pairs.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
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
        plan: Plan::Data(hashes::hset),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hsetnx",
        arity: 4,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@hash", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "insert"],
        }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "2.0.0",
        summary: "Sets a field of a hash, unless it is there.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "field", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "value", kind: "string", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(hashes::hsetnx),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hget",
        arity: 3,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@hash", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "2.0.0",
        summary: "Answers a field of a hash.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "field", kind: "string", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(hashes::hget),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hmset",
        arity: -4,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@hash", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "update"],
        }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "2.0.0",
        summary: "Sets fields of a hash.",
        complexity: "O(N) where N is the number of fields being set.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
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
        plan: Plan::Data(hashes::hmset),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hmget",
        arity: -3,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@hash", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "2.0.0",
        summary: "Answers fields of a hash.",
        complexity: "O(N) where N is the number of fields being requested.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "field", kind: "string", flags: &["multiple"], ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(hashes::hmget),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hincrby",
        arity: 4,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@hash", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "access", "update"],
        }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "2.0.0",
        summary: "Adds an integer to a field of a hash.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "field", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "increment", kind: "integer", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(hashes::hincrby),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hincrbyfloat",
        arity: 4,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@hash", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "access", "update"],
        }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "2.6.0",
        summary: "Adds a number to a field of a hash.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "field", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "increment", kind: "double", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(hashes::hincrbyfloat),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hdel",
        arity: -3,
        flags: Flags::WRITE.or(Flags::FAST),
        acl: &["@write", "@hash", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "2.0.0",
        summary: "Removes fields from a hash.",
        complexity: "O(N) where N is the number of fields to be removed.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "field", kind: "string", flags: &["multiple"], ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(hashes::hdel),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hlen",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@hash", "@fast"],
        keys: &[KeySpec { begin: 1, find: FindKeys::Range { last: 0, step: 1, limit: 0 }, flags: &["RO"] }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "2.0.0",
        summary: "Counts a hash's fields.",
        complexity: "O(1)",
        args: &[ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY }],
        plan: Plan::Data(hashes::hlen),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hstrlen",
        arity: 3,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@hash", "@fast"],
        keys: &[KeySpec { begin: 1, find: FindKeys::Range { last: 0, step: 1, limit: 0 }, flags: &["RO"] }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "3.2.0",
        summary: "Answers the length of a field's value.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "field", kind: "string", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(hashes::hstrlen),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hkeys",
        arity: 2,
        flags: Flags::READONLY,
        acl: &["@read", "@hash", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "2.0.0",
        summary: "Answers all fields of a hash.",
        complexity: "O(N) where N is the size of the hash.",
        tips: &["nondeterministic_output_order"],
        args: &[ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY }],
        plan: Plan::Data(hashes::hkeys),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hvals",
        arity: 2,
        flags: Flags::READONLY,
        acl: &["@read", "@hash", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "2.0.0",
        summary: "Answers all values of a hash.",
        complexity: "O(N) where N is the size of the hash.",
        tips: &["nondeterministic_output_order"],
        args: &[ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY }],
        plan: Plan::Data(hashes::hvals),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hgetall",
        arity: 2,
        flags: Flags::READONLY,
        acl: &["@read", "@hash", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "2.0.0",
        summary: "Answers all fields of a hash with their values.",
        complexity: "O(N) where N is the size of the hash.",
        tips: &["nondeterministic_output_order"],
        args: &[ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY }],
        plan: Plan::Data(hashes::hgetall),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hexists",
        arity: 3,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@hash", "@fast"],
        keys: &[KeySpec { begin: 1, find: FindKeys::Range { last: 0, step: 1, limit: 0 }, flags: &["RO"] }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "2.0.0",
        summary: "Tells whether a field is in a hash.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "field", kind: "string", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(hashes::hexists),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hrandfield",
        arity: -2,
        flags: Flags::READONLY,
        acl: &["@read", "@hash", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "6.2.0",
        summary: "Answers fields of a hash at random.",
        complexity: "O(N) where N is the number of fields returned",
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
                        name: "withvalues",
                        kind: "pure-token",
                        token: Some("WITHVALUES"),
                        flags: &["optional"],
                        ..ArgSpec::EMPTY
                    },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(hashes::hrandfield),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "hscan",
        arity: -3,
        flags: Flags::READONLY,
        acl: &["@read", "@hash", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Hash,
        since: "2.8.0",
        summary: "Walks a hash's fields, a step at a time.",
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
        plan: Plan::Data(hashes::hscan),
        ..CommandSpec::EMPTY
    },
];
