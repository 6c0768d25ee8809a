//! HyperLogLog commands: what they say about themselves (COMMAND INFO, COMMAND DOCS), and the plan behind each.

use crate::commands::hyperloglogs;
use crate::commands::spec::{ArgSpec, CommandSpec, FindKeys, Flags, Group, KeySpec, Plan, Scope};

pub static SPECS: &[CommandSpec] = &[
    CommandSpec {
        name: "pfadd",
        arity: -2,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@hyperloglog", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "insert"],
        }],
        scope: Scope::Keys,
        group: Group::HyperLogLog,
        since: "2.8.9",
        summary: "Adds elements to a HyperLogLog.",
        complexity: "O(1) to add every element.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "element", kind: "string", flags: &["optional", "multiple"], ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(hyperloglogs::pfadd),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "pfcount",
        arity: -2,
        flags: Flags::READONLY,
        acl: &["@read", "@hyperloglog", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: -1, step: 1, limit: 0 },
            flags: &["RW", "access"],
        }],
        scope: Scope::Keys,
        group: Group::HyperLogLog,
        since: "2.8.9",
        summary: "Estimates how many distinct elements were added.",
        complexity: "O(1) with a very small average constant time when called with a single key. O(N) with N being the number of keys, and much bigger constant times, when called with multiple keys.",
        args: &[ArgSpec {
            name: "key",
            kind: "key",
            key_spec_index: Some(0),
            flags: &["multiple"],
            ..ArgSpec::EMPTY
        }],
        plan: Plan::Data(hyperloglogs::pfcount),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "pfmerge",
        arity: -2,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        acl: &["@write", "@hyperloglog", "@slow"],
        keys: &[
            KeySpec {
                begin: 1,
                find: FindKeys::Range { last: 0, step: 1, limit: 0 },
                flags: &["RW", "access", "insert"],
            },
            KeySpec {
                begin: 2,
                find: FindKeys::Range { last: -1, step: 1, limit: 0 },
                flags: &["RO", "access"],
            },
        ],
        scope: Scope::Keys,
        group: Group::HyperLogLog,
        since: "2.8.9",
        summary: "Joins HyperLogLogs into one.",
        complexity: "O(N) to merge N HyperLogLogs, but with high constant times.",
        args: &[
            ArgSpec { name: "destkey", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec {
                name: "sourcekey",
                kind: "key",
                key_spec_index: Some(1),
                flags: &["multiple"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(hyperloglogs::pfmerge),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "pfdebug",
        arity: 3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::ADMIN),
        acl: &["@write", "@hyperloglog", "@admin", "@slow", "@dangerous"],
        keys: &[KeySpec {
            begin: 2,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "access"],
        }],
        scope: Scope::Keys,
        group: Group::HyperLogLog,
        since: "2.8.9",
        summary: "Tells the inner state of a HyperLogLog.",
        complexity: "N/A",
        args: &[
            ArgSpec { name: "subcommand", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(hyperloglogs::pfdebug),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "pfselftest",
        arity: 1,
        flags: Flags::ADMIN,
        acl: &["@hyperloglog", "@admin", "@slow", "@dangerous"],
        scope: Scope::None,
        group: Group::HyperLogLog,
        since: "2.8.9",
        summary: "Checks the estimate against itself.",
        complexity: "N/A",
        plan: Plan::Data(hyperloglogs::pfselftest),
        ..CommandSpec::EMPTY
    },
];
