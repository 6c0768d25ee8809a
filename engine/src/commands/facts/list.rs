//! List commands: what they say about themselves (COMMAND INFO, COMMAND DOCS), and the plan behind each.

use crate::commands::lists;
use crate::commands::spec::{ArgSpec, CommandSpec, FindKeys, Flags, Group, KeySpec, Plan, Scope};

pub static SPECS: &[CommandSpec] = &[
    CommandSpec {
        name: "lpush",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@list", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "insert"],
        }],
        scope: Scope::Keys,
        group: Group::List,
        since: "1.0.0",
        summary: "Puts elements at a list's head. Makes the list if there is none.",
        complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "element", kind: "string", flags: &["multiple"], ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(lists::lpush),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "rpush",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@list", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "insert"],
        }],
        scope: Scope::Keys,
        group: Group::List,
        since: "1.0.0",
        summary: "Puts elements at a list's tail. Makes the list if there is none.",
        complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "element", kind: "string", flags: &["multiple"], ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(lists::rpush),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "lpushx",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@list", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "insert"],
        }],
        scope: Scope::Keys,
        group: Group::List,
        since: "2.2.0",
        summary: "Puts elements at the head of a list that is there.",
        complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "element", kind: "string", flags: &["multiple"], ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(lists::lpushx),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "rpushx",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        acl: &["@write", "@list", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "insert"],
        }],
        scope: Scope::Keys,
        group: Group::List,
        since: "2.2.0",
        summary: "Puts elements at the tail of a list that is there.",
        complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "element", kind: "string", flags: &["multiple"], ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(lists::rpushx),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "lpop",
        arity: -2,
        flags: Flags::WRITE.or(Flags::FAST),
        acl: &["@write", "@list", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "access", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::List,
        since: "1.0.0",
        summary: "Removes and answers elements of a list's head.",
        complexity: "O(N) where N is the number of elements returned",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec {
                name: "count",
                kind: "integer",
                since: Some("6.2.0"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(lists::lpop),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "rpop",
        arity: -2,
        flags: Flags::WRITE.or(Flags::FAST),
        acl: &["@write", "@list", "@fast"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "access", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::List,
        since: "1.0.0",
        summary: "Removes and answers elements of a list's tail.",
        complexity: "O(N) where N is the number of elements returned",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec {
                name: "count",
                kind: "integer",
                since: Some("6.2.0"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(lists::rpop),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "lmpop",
        arity: -4,
        flags: Flags::WRITE.or(Flags::MOVABLEKEYS),
        acl: &["@write", "@list", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Counted { count_at: 0, first: 1, step: 1 },
            flags: &["RW", "access", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::List,
        since: "7.0.0",
        summary: "Removes and answers elements of the first of several lists that has any.",
        complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
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
                    ArgSpec { name: "left", kind: "pure-token", token: Some("LEFT"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "right", kind: "pure-token", token: Some("RIGHT"), ..ArgSpec::EMPTY },
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
        plan: Plan::Data(lists::lmpop),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "llen",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@read", "@list", "@fast"],
        keys: &[KeySpec { begin: 1, find: FindKeys::Range { last: 0, step: 1, limit: 0 }, flags: &["RO"] }],
        scope: Scope::Keys,
        group: Group::List,
        since: "1.0.0",
        summary: "Counts a list's elements.",
        complexity: "O(1)",
        args: &[ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY }],
        plan: Plan::Data(lists::llen),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "lindex",
        arity: 3,
        flags: Flags::READONLY,
        acl: &["@read", "@list", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::List,
        since: "1.0.0",
        summary: "Answers the element at an index.",
        complexity: "O(N) where N is the number of elements to traverse to get to the element at index. This makes asking for the first or the last element of the list O(1).",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "index", kind: "integer", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(lists::lindex),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "lrange",
        arity: 4,
        flags: Flags::READONLY,
        acl: &["@read", "@list", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::List,
        since: "1.0.0",
        summary: "Answers a range of elements.",
        complexity: "O(S+N) where S is the distance of start offset from HEAD for small lists, from nearest end (HEAD or TAIL) for large lists; and N is the number of elements in the specified range.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "start", kind: "integer", ..ArgSpec::EMPTY },
            ArgSpec { name: "stop", kind: "integer", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(lists::lrange),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "ltrim",
        arity: 4,
        flags: Flags::WRITE,
        acl: &["@write", "@list", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::List,
        since: "1.0.0",
        summary: "Removes all elements outside a range.",
        complexity: "O(N) where N is the number of elements to be removed by the operation.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "start", kind: "integer", ..ArgSpec::EMPTY },
            ArgSpec { name: "stop", kind: "integer", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(lists::ltrim),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "linsert",
        arity: 5,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        acl: &["@write", "@list", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "insert"],
        }],
        scope: Scope::Keys,
        group: Group::List,
        since: "2.2.0",
        summary: "Puts an element before or behind another one.",
        complexity: "O(N) where N is the number of elements to traverse before seeing the value pivot. This means that inserting somewhere on the left end on the list (head) can be considered O(1) and inserting somewhere on the right end (tail) is O(N).",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec {
                name: "where",
                kind: "oneof",
                args: &[
                    ArgSpec { name: "before", kind: "pure-token", token: Some("BEFORE"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "after", kind: "pure-token", token: Some("AFTER"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec { name: "pivot", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "element", kind: "string", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(lists::linsert),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "lset",
        arity: 4,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        acl: &["@write", "@list", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "update"],
        }],
        scope: Scope::Keys,
        group: Group::List,
        since: "1.0.0",
        summary: "Replaces the element at an index.",
        complexity: "O(N) where N is the length of the list. Setting either the first or the last element of the list is O(1).",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "index", kind: "integer", ..ArgSpec::EMPTY },
            ArgSpec { name: "element", kind: "string", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(lists::lset),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "lrem",
        arity: 4,
        flags: Flags::WRITE,
        acl: &["@write", "@list", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::List,
        since: "1.0.0",
        summary: "Removes elements of a value.",
        complexity: "O(N+M) where N is the length of the list and M is the number of elements removed.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "count", kind: "integer", ..ArgSpec::EMPTY },
            ArgSpec { name: "element", kind: "string", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(lists::lrem),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "lpos",
        arity: -3,
        flags: Flags::READONLY,
        acl: &["@read", "@list", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::List,
        since: "6.0.6",
        summary: "Finds elements of a value.",
        complexity: "O(N) where N is the number of elements in the list, for the average case. When searching for elements near the head or the tail of the list, or when the MAXLEN option is provided, the command may run in constant time.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "element", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "rank",
                kind: "integer",
                token: Some("RANK"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "num-matches",
                kind: "integer",
                token: Some("COUNT"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "len",
                kind: "integer",
                token: Some("MAXLEN"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(lists::lpos),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "lmove",
        arity: 5,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        acl: &["@write", "@list", "@slow"],
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
        group: Group::List,
        since: "6.2.0",
        summary: "Moves an element from one end of a list to an end of another, and answers it.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "source", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "destination", kind: "key", key_spec_index: Some(1), ..ArgSpec::EMPTY },
            ArgSpec {
                name: "wherefrom",
                kind: "oneof",
                args: &[
                    ArgSpec { name: "left", kind: "pure-token", token: Some("LEFT"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "right", kind: "pure-token", token: Some("RIGHT"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "whereto",
                kind: "oneof",
                args: &[
                    ArgSpec { name: "left", kind: "pure-token", token: Some("LEFT"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "right", kind: "pure-token", token: Some("RIGHT"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(lists::lmove),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "rpoplpush",
        arity: 3,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        acl: &["@write", "@list", "@slow"],
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
        group: Group::List,
        since: "1.2.0",
        summary: "Moves a list's last element to the head of another, and answers it.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "source", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "destination", kind: "key", key_spec_index: Some(1), ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(lists::rpoplpush),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "blpop",
        arity: -3,
        flags: Flags::WRITE.or(Flags::NOSCRIPT).or(Flags::BLOCKING),
        acl: &["@write", "@list", "@slow", "@blocking"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: -2, step: 1, limit: 0 },
            flags: &["RW", "access", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::List,
        since: "2.0.0",
        summary: "As LPOP of the first of several lists that has elements, and waits for one.",
        complexity: "O(N) where N is the number of provided keys.",
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
        plan: Plan::Data(lists::blpop),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "brpop",
        arity: -3,
        flags: Flags::WRITE.or(Flags::NOSCRIPT).or(Flags::BLOCKING),
        acl: &["@write", "@list", "@slow", "@blocking"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: -2, step: 1, limit: 0 },
            flags: &["RW", "access", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::List,
        since: "2.0.0",
        summary: "As RPOP of the first of several lists that has elements, and waits for one.",
        complexity: "O(N) where N is the number of provided keys.",
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
        plan: Plan::Data(lists::brpop),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "blmove",
        arity: 6,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::NOSCRIPT).or(Flags::BLOCKING),
        acl: &["@write", "@list", "@slow", "@blocking"],
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
        group: Group::List,
        since: "6.2.0",
        summary: "As LMOVE, and waits for an element.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "source", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "destination", kind: "key", key_spec_index: Some(1), ..ArgSpec::EMPTY },
            ArgSpec {
                name: "wherefrom",
                kind: "oneof",
                args: &[
                    ArgSpec { name: "left", kind: "pure-token", token: Some("LEFT"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "right", kind: "pure-token", token: Some("RIGHT"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "whereto",
                kind: "oneof",
                args: &[
                    ArgSpec { name: "left", kind: "pure-token", token: Some("LEFT"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "right", kind: "pure-token", token: Some("RIGHT"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec { name: "timeout", kind: "double", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(lists::blmove),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "brpoplpush",
        arity: 4,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::NOSCRIPT).or(Flags::BLOCKING),
        acl: &["@write", "@list", "@slow", "@blocking"],
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
        group: Group::List,
        since: "2.2.0",
        summary: "As RPOPLPUSH, and waits for an element.",
        complexity: "O(1)",
        args: &[
            ArgSpec { name: "source", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "destination", kind: "key", key_spec_index: Some(1), ..ArgSpec::EMPTY },
            ArgSpec { name: "timeout", kind: "double", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(lists::brpoplpush),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "blmpop",
        arity: -5,
        flags: Flags::WRITE.or(Flags::BLOCKING).or(Flags::MOVABLEKEYS),
        acl: &["@write", "@list", "@slow", "@blocking"],
        keys: &[KeySpec {
            begin: 2,
            find: FindKeys::Counted { count_at: 0, first: 1, step: 1 },
            flags: &["RW", "access", "delete"],
        }],
        scope: Scope::Keys,
        group: Group::List,
        since: "7.0.0",
        summary: "As LMPOP, and waits for elements.",
        complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
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
                    ArgSpec { name: "left", kind: "pure-token", token: Some("LEFT"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "right", kind: "pure-token", token: Some("RIGHT"), ..ArgSpec::EMPTY },
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
        plan: Plan::Data(lists::blmpop),
        ..CommandSpec::EMPTY
    },
];
