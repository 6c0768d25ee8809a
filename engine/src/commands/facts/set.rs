//! Set commands: what they say about themselves (COMMAND INFO, COMMAND DOCS), and the plan behind each.

use crate::commands::sets;
use crate::commands::spec::{ArgSpec, CommandSpec, FindKeys, Flags, Group, KeySpec, Plan, Scope};

pub static SPECS: &[CommandSpec] = &[
    CommandSpec {
        name: "sadd",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@set", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "insert"],
        }],
        scope: Scope::Keys,
        group: Group::Set,
        since: "1.0.0",
        summary: "Adds members to a set.",
        complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "member", kind: "string", flags: &["multiple"], ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(sets::sadd),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "srem",
        arity: -3,
        flags: Flags::WRITE.or(Flags::FAST),
        acl: &["@write", "@set", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::Set,
        since: "1.0.0",
        summary: "Removes members from a set.",
        complexity: "O(N) where N is the number of members to be removed.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "member", kind: "string", flags: &["multiple"], ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(sets::srem),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "smembers",
        arity: 2,
        flags: Flags::READONLY,
        acl: &["@read", "@set", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Set,
        since: "1.0.0",
        summary: "Answers all members of a set.",
        complexity: "O(N) where N is the set cardinality.",
        tips: &["nondeterministic_output_order"],
        args: &[ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY }],
        plan: Plan::Data(sets::smembers),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "sismember",
        arity: 3,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@set", "@fast"],
        keys: &[KeySpec { begin: 1, find: FindKeys::Range { last: 0, step: 1, limit: 0 }, flags: &["RO"] }],
        scope: Scope::Keys,
        group: Group::Set,
        since: "1.0.0",
        summary: "Tells whether a member is in a set.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "member", kind: "string", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(sets::sismember),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "smismember",
        arity: -3,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@set", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Set,
        since: "6.2.0",
        summary: "Tells which members are in a set.",
        complexity: "O(N) where N is the number of elements being checked for membership",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "member", kind: "string", flags: &["multiple"], ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(sets::smismember),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "scard",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@set", "@fast"],
        keys: &[KeySpec { begin: 1, find: FindKeys::Range { last: 0, step: 1, limit: 0 }, flags: &["RO"] }],
        scope: Scope::Keys,
        group: Group::Set,
        since: "1.0.0",
        summary: "Counts a set's members.",
        complexity: "O(1)",
        args: &[ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY }],
        plan: Plan::Data(sets::scard),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "smove",
        arity: 4,
        flags: Flags::WRITE.or(Flags::FAST),
        acl: &["@write", "@set", "@fast"],
        keys: &[
            KeySpec {
                begin: 1,
                find: FindKeys::Range { last: 0, step: 1, limit: 0 },
                flags: &["RW", "access", "delete"],
            },
            KeySpec {
                begin: 2,
                find: FindKeys::Range { last: 0, step: 1, limit: 0 },
                flags: &["RW", "insert"],
            },
        ],
        scope: Scope::Keys,
        group: Group::Set,
        since: "1.0.0",
        summary: "Moves a member from one set to another.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "source", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "destination", kind: "key", key_spec_index: Some(1), ..ArgSpec::EMPTY },
            ArgSpec { name: "member", kind: "string", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(sets::smove),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "spop",
        arity: -2,
        flags: Flags::WRITE.or(Flags::FAST),
        acl: &["@write", "@set", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "access", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::Set,
        since: "1.0.0",
        summary: "Removes random members of a set and answers them.",
        complexity: "Without the count argument O(1), otherwise O(N) where N is the value of the passed count.",
        tips: &["nondeterministic_output"],
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec {
                name: "count",
                kind: "integer",
                since: Some("3.2.0"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(sets::spop),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "srandmember",
        arity: -2,
        flags: Flags::READONLY,
        acl: &["@read", "@set", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Set,
        since: "1.0.0",
        summary: "Answers random members of a set.",
        complexity: "Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.",
        tips: &["nondeterministic_output"],
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec {
                name: "count",
                kind: "integer",
                since: Some("2.6.0"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(sets::srandmember),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "sinter",
        arity: -2,
        flags: Flags::READONLY,
        acl: &["@read", "@set", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: -1, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Set,
        since: "1.0.0",
        summary: "Answers what sets have in common.",
        complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
        tips: &["nondeterministic_output_order"],
        args: &[ArgSpec {
            name: "key",
            kind: "key",
            key_spec_index: Some(0),
            flags: &["multiple"],
            ..ArgSpec::EMPTY
        }],
        plan: Plan::Data(sets::sinter),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "sunion",
        arity: -2,
        flags: Flags::READONLY,
        acl: &["@read", "@set", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: -1, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Set,
        since: "1.0.0",
        summary: "Answers the members of any of several sets.",
        complexity: "O(N) where N is the total number of elements in all given sets.",
        tips: &["nondeterministic_output_order"],
        args: &[ArgSpec {
            name: "key",
            kind: "key",
            key_spec_index: Some(0),
            flags: &["multiple"],
            ..ArgSpec::EMPTY
        }],
        plan: Plan::Data(sets::sunion),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "sdiff",
        arity: -2,
        flags: Flags::READONLY,
        acl: &["@read", "@set", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: -1, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Set,
        since: "1.0.0",
        summary: "Answers what a set has and others have not.",
        complexity: "O(N) where N is the total number of elements in all given sets.",
        tips: &["nondeterministic_output_order"],
        args: &[ArgSpec {
            name: "key",
            kind: "key",
            key_spec_index: Some(0),
            flags: &["multiple"],
            ..ArgSpec::EMPTY
        }],
        plan: Plan::Data(sets::sdiff),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "sinterstore",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        acl: &["@write", "@set", "@slow"],
        keys: &[
            KeySpec {
                begin: 1,
                find: FindKeys::Range { last: 0, step: 1, limit: 0 },
                flags: &["RW", "update"],
            },
            KeySpec {
                begin: 2,
                find: FindKeys::Range { last: -1, step: 1, limit: 0 },
                flags: &["RO", "access"],
            },
        ],
        scope: Scope::Keys,
        group: Group::Set,
        since: "1.0.0",
        summary: "Stores what sets have in common.",
        complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
        args: &[
            ArgSpec { name: "destination", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec {
                name: "key",
                kind: "key",
                key_spec_index: Some(1),
                flags: &["multiple"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(sets::sinterstore),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "sunionstore",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        acl: &["@write", "@set", "@slow"],
        keys: &[
            KeySpec {
                begin: 1,
                find: FindKeys::Range { last: 0, step: 1, limit: 0 },
                flags: &["OW", "update"],
            },
            KeySpec {
                begin: 2,
                find: FindKeys::Range { last: -1, step: 1, limit: 0 },
                flags: &["RO", "access"],
            },
        ],
        scope: Scope::Keys,
        group: Group::Set,
        since: "1.0.0",
        summary: "Stores the members of any of several sets.",
        complexity: "O(N) where N is the total number of elements in all given sets.",
        args: &[
            ArgSpec { name: "destination", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec {
                name: "key",
                kind: "key",
                key_spec_index: Some(1),
                flags: &["multiple"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(sets::sunionstore),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "sdiffstore",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        acl: &["@write", "@set", "@slow"],
        keys: &[
            KeySpec {
                begin: 1,
                find: FindKeys::Range { last: 0, step: 1, limit: 0 },
                flags: &["OW", "update"],
            },
            KeySpec {
                begin: 2,
                find: FindKeys::Range { last: -1, step: 1, limit: 0 },
                flags: &["RO", "access"],
            },
        ],
        scope: Scope::Keys,
        group: Group::Set,
        since: "1.0.0",
        summary: "Stores what a set has and others have not.",
        complexity: "O(N) where N is the total number of elements in all given sets.",
        args: &[
            ArgSpec { name: "destination", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec {
                name: "key",
                kind: "key",
                key_spec_index: Some(1),
                flags: &["multiple"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(sets::sdiffstore),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "sintercard",
        arity: -3,
        flags: Flags::READONLY.or(Flags::MOVABLEKEYS),
        acl: &["@read", "@set", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Counted { count_at: 0, first: 1, step: 1 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Set,
        since: "7.0.0",
        summary: "Counts what sets have in common.",
        complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
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
        plan: Plan::Data(sets::sintercard),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "sscan",
        arity: -3,
        flags: Flags::READONLY,
        acl: &["@read", "@set", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Set,
        since: "2.8.0",
        summary: "Walks a set's members, a step at a time.",
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
        plan: Plan::Data(sets::sscan),
        ..CommandSpec::EMPTY
    },
];
