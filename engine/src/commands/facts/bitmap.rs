//! Bitmap commands: what they say about themselves (COMMAND INFO, COMMAND DOCS), and the plan behind each.

use crate::commands::bitmaps;
use crate::commands::spec::{ArgSpec, CommandSpec, FindKeys, Flags, Group, KeySpec, Plan, Scope};

pub static SPECS: &[CommandSpec] = &[
    CommandSpec {
        name: "setbit",
        arity: 4,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        acl: &["@write", "@bitmap", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "access", "update"],
        }],
        scope: Scope::Keys,
        group: Group::Bitmap,
        since: "2.2.0",
        summary: "Sets one bit of a string.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "offset", kind: "integer", ..ArgSpec::EMPTY },
            ArgSpec { name: "value", kind: "integer", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(bitmaps::setbit),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "getbit",
        arity: 3,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@bitmap", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Bitmap,
        since: "2.2.0",
        summary: "Answers one bit of a string.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "offset", kind: "integer", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(bitmaps::getbit),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "bitfield",
        arity: -2,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        acl: &["@write", "@bitmap", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "access", "update", "variable_flags"],
        }],
        scope: Scope::Keys,
        group: Group::Bitmap,
        since: "3.2.0",
        summary: "Reads and changes integers of any width within a string.",
        complexity: "O(1) for each subcommand specified",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec {
                name: "operation",
                kind: "oneof",
                flags: &["optional", "multiple"],
                args: &[
                    ArgSpec {
                        name: "encoding_offset",
                        kind: "block",
                        token: Some("GET"),
                        args: &[
                            ArgSpec { name: "encoding", kind: "string", ..ArgSpec::EMPTY },
                            ArgSpec { name: "offset", kind: "integer", ..ArgSpec::EMPTY },
                        ],
                        ..ArgSpec::EMPTY
                    },
                    ArgSpec {
                        name: "write",
                        kind: "block",
                        args: &[
                            ArgSpec {
                                name: "wrap_sat_fail",
                                kind: "oneof",
                                token: Some("OVERFLOW"),
                                flags: &["optional"],
                                args: &[
                                    ArgSpec {
                                        name: "wrap",
                                        kind: "pure-token",
                                        token: Some("WRAP"),
                                        ..ArgSpec::EMPTY
                                    },
                                    ArgSpec {
                                        name: "sat",
                                        kind: "pure-token",
                                        token: Some("SAT"),
                                        ..ArgSpec::EMPTY
                                    },
                                    ArgSpec {
                                        name: "fail",
                                        kind: "pure-token",
                                        token: Some("FAIL"),
                                        ..ArgSpec::EMPTY
                                    },
                                ],
                                ..ArgSpec::EMPTY
                            },
                            ArgSpec {
                                name: "write_operation",
                                kind: "oneof",
                                args: &[
                                    ArgSpec {
                                        name: "encoding_offset_value",
                                        kind: "block",
                                        token: Some("SET"),
                                        args: &[
                                            ArgSpec { name: "encoding", kind: "string", ..ArgSpec::EMPTY },
                                            ArgSpec { name: "offset", kind: "integer", ..ArgSpec::EMPTY },
                                            ArgSpec { name: "value", kind: "integer", ..ArgSpec::EMPTY },
                                        ],
                                        ..ArgSpec::EMPTY
                                    },
                                    ArgSpec {
                                        name: "encoding_offset_increment",
                                        kind: "block",
                                        token: Some("INCRBY"),
                                        args: &[
                                            ArgSpec { name: "encoding", kind: "string", ..ArgSpec::EMPTY },
                                            ArgSpec { name: "offset", kind: "integer", ..ArgSpec::EMPTY },
                                            ArgSpec { name: "increment", kind: "integer", ..ArgSpec::EMPTY },
                                        ],
                                        ..ArgSpec::EMPTY
                                    },
                                ],
                                ..ArgSpec::EMPTY
                            },
                        ],
                        ..ArgSpec::EMPTY
                    },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(bitmaps::bitfield),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "bitfield_ro",
        arity: -2,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@bitmap", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Bitmap,
        since: "6.0.0",
        summary: "Reads integers of any width within a string.",
        complexity: "O(1) for each subcommand specified",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec {
                name: "encoding_offset",
                kind: "block",
                token: Some("GET"),
                flags: &["optional", "multiple", "multiple_token"],
                args: &[
                    ArgSpec { name: "encoding", kind: "string", ..ArgSpec::EMPTY },
                    ArgSpec { name: "offset", kind: "integer", ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(bitmaps::bitfield_ro),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "bitop",
        arity: -4,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        acl: &["@write", "@bitmap", "@slow"],
        keys: &[
            KeySpec {
                begin: 2,
                find: FindKeys::Range { last: 0, step: 1, limit: 0 },
                flags: &["OW", "update"],
            },
            KeySpec {
                begin: 3,
                find: FindKeys::Range { last: -1, step: 1, limit: 0 },
                flags: &["RO", "access"],
            },
        ],
        scope: Scope::Keys,
        group: Group::Bitmap,
        since: "2.6.0",
        summary: "Combines strings bit by bit and stores the result.",
        complexity: "O(N)",
        args: &[
            ArgSpec { name: "operation", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "destkey", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec {
                name: "key",
                kind: "key",
                key_spec_index: Some(1),
                flags: &["multiple"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(bitmaps::bitop),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "bitcount",
        arity: -2,
        flags: Flags::READONLY,
        acl: &["@read", "@bitmap", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Bitmap,
        since: "2.6.0",
        summary: "Counts the bits that are set.",
        complexity: "O(N)",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec {
                name: "index",
                kind: "block",
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "start", kind: "integer", ..ArgSpec::EMPTY },
                    ArgSpec { name: "end", kind: "integer", ..ArgSpec::EMPTY },
                    ArgSpec {
                        name: "index_unit",
                        kind: "oneof",
                        since: Some("7.0.0"),
                        flags: &["optional"],
                        args: &[
                            ArgSpec {
                                name: "byte",
                                kind: "pure-token",
                                token: Some("BYTE"),
                                ..ArgSpec::EMPTY
                            },
                            ArgSpec { name: "bit", kind: "pure-token", token: Some("BIT"), ..ArgSpec::EMPTY },
                        ],
                        ..ArgSpec::EMPTY
                    },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(bitmaps::bitcount),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "bitpos",
        arity: -3,
        flags: Flags::READONLY,
        acl: &["@read", "@bitmap", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Bitmap,
        since: "2.8.7",
        summary: "Finds the first bit that is set, or clear.",
        complexity: "O(N)",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "bit", kind: "integer", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "index",
                kind: "block",
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "start", kind: "integer", ..ArgSpec::EMPTY },
                    ArgSpec {
                        name: "end_index",
                        kind: "block",
                        flags: &["optional"],
                        args: &[
                            ArgSpec { name: "end", kind: "integer", ..ArgSpec::EMPTY },
                            ArgSpec {
                                name: "index_unit",
                                kind: "oneof",
                                since: Some("7.0.0"),
                                flags: &["optional"],
                                args: &[
                                    ArgSpec {
                                        name: "byte",
                                        kind: "pure-token",
                                        token: Some("BYTE"),
                                        ..ArgSpec::EMPTY
                                    },
                                    ArgSpec {
                                        name: "bit",
                                        kind: "pure-token",
                                        token: Some("BIT"),
                                        ..ArgSpec::EMPTY
                                    },
                                ],
                                ..ArgSpec::EMPTY
                            },
                        ],
                        ..ArgSpec::EMPTY
                    },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(bitmaps::bitpos),
        ..CommandSpec::EMPTY
    },
];
