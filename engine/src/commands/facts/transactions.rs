//! Transaction commands: what they say about themselves (COMMAND INFO, COMMAND DOCS), and the plan behind each.

use crate::commands::spec::{ArgSpec, CommandSpec, FindKeys, Flags, Group, KeySpec, Plan, Scope};
use crate::commands::transactions;

pub static SPECS: &[CommandSpec] = &[
    CommandSpec {
        name: "multi",
        arity: 1,
        flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE).or(Flags::FAST).or(Flags::ALLOW_BUSY),
        acl: &["@fast", "@transaction"],
        group: Group::Transactions,
        since: "1.2.0",
        summary: "Begins a transaction.",
        complexity: "O(1)",
        plan: Plan::Session(transactions::multi),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "exec",
        arity: 1,
        flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE).or(Flags::SKIP_SLOWLOG),
        acl: &["@slow", "@transaction"],
        group: Group::Transactions,
        since: "1.2.0",
        summary: "Runs the queued commands of a transaction at once.",
        complexity: "Depends on commands in the transaction",
        plan: Plan::Session(transactions::exec),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "discard",
        arity: 1,
        flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE).or(Flags::FAST).or(Flags::ALLOW_BUSY),
        acl: &["@fast", "@transaction"],
        group: Group::Transactions,
        since: "2.0.0",
        summary: "Forgets the queued commands of a transaction.",
        complexity: "O(N), when N is the number of queued commands",
        plan: Plan::Session(transactions::discard),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "watch",
        arity: -2,
        flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE).or(Flags::FAST).or(Flags::ALLOW_BUSY),
        acl: &["@fast", "@transaction"],
        keys: &[KeySpec { begin: 1, find: FindKeys::Range { last: -1, step: 1, limit: 0 }, flags: &["RO"] }],
        scope: Scope::Keys,
        group: Group::Transactions,
        since: "2.2.0",
        summary: "Makes the next transaction fail if a key changes before it.",
        complexity: "O(1) for every key.",
        args: &[ArgSpec {
            name: "key",
            kind: "key",
            key_spec_index: Some(0),
            flags: &["multiple"],
            ..ArgSpec::EMPTY
        }],
        plan: Plan::Session(transactions::watch),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "unwatch",
        arity: 1,
        flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE).or(Flags::FAST).or(Flags::ALLOW_BUSY),
        acl: &["@fast", "@transaction"],
        group: Group::Transactions,
        since: "2.2.0",
        summary: "Forgets every watched key.",
        complexity: "O(1)",
        plan: Plan::Session(transactions::unwatch),
        ..CommandSpec::EMPTY
    },
];
