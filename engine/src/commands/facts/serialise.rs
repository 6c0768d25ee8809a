//! Serialising commands: what they say about themselves (COMMAND INFO, COMMAND DOCS), and the plan behind each.

use crate::commands::generic;
use crate::commands::spec::{ArgSpec, CommandSpec, FindKeys, Flags, Group, KeySpec, Plan, Scope};

pub static SPECS: &[CommandSpec] = &[
    CommandSpec {
        name: "dump",
        arity: 2,
        flags: Flags::READONLY,
        acl: &["@keyspace", "@read", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Generic,
        since: "2.6.0",
        summary: "Answers a value in Redis' serialised form.",
        complexity: "O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1).",
        tips: &["nondeterministic_output"],
        args: &[ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY }],
        plan: Plan::Data(generic::dump),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "restore",
        arity: -4,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        acl: &["@keyspace", "@write", "@slow", "@dangerous"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["OW", "update"],
        }],
        scope: Scope::Keys,
        group: Group::Generic,
        since: "2.6.0",
        summary: "Makes a value of its serialised form.",
        complexity: "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "ttl", kind: "integer", ..ArgSpec::EMPTY },
            ArgSpec { name: "serialized-value", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "replace",
                kind: "pure-token",
                token: Some("REPLACE"),
                since: Some("3.0.0"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "absttl",
                kind: "pure-token",
                token: Some("ABSTTL"),
                since: Some("5.0.0"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "seconds",
                kind: "integer",
                token: Some("IDLETIME"),
                since: Some("5.0.0"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "frequency",
                kind: "integer",
                token: Some("FREQ"),
                since: Some("5.0.0"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(generic::restore),
        ..CommandSpec::EMPTY
    },
];
