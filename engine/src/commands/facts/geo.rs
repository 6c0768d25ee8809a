//! Geographic commands: what they say about themselves (COMMAND INFO, COMMAND DOCS), and the plan behind each.

use crate::commands::geo;
use crate::commands::spec::{ArgSpec, CommandSpec, FindKeys, Flags, Group, KeySpec, Plan, Scope};

// What GEOSEARCH and GEOSEARCHSTORE have in common.
const SEARCH_FROM: ArgSpec = ArgSpec {
    name: "from",
    kind: "oneof",
    args: &[
        ArgSpec { name: "member", kind: "string", token: Some("FROMMEMBER"), ..ArgSpec::EMPTY },
        ArgSpec {
            name: "longitude_latitude",
            kind: "block",
            token: Some("FROMLONLAT"),
            args: &[
                ArgSpec { name: "longitude", kind: "double", ..ArgSpec::EMPTY },
                ArgSpec { name: "latitude", kind: "double", ..ArgSpec::EMPTY },
            ],
            ..ArgSpec::EMPTY
        },
    ],
    ..ArgSpec::EMPTY
};

const SEARCH_BY: ArgSpec = ArgSpec {
    name: "by",
    kind: "oneof",
    args: &[
        ArgSpec {
            name: "circle",
            kind: "block",
            args: &[
                ArgSpec { name: "radius", kind: "double", token: Some("BYRADIUS"), ..ArgSpec::EMPTY },
                ArgSpec {
                    name: "unit",
                    kind: "oneof",
                    args: &[
                        ArgSpec { name: "m", kind: "pure-token", token: Some("M"), ..ArgSpec::EMPTY },
                        ArgSpec { name: "km", kind: "pure-token", token: Some("KM"), ..ArgSpec::EMPTY },
                        ArgSpec { name: "ft", kind: "pure-token", token: Some("FT"), ..ArgSpec::EMPTY },
                        ArgSpec { name: "mi", kind: "pure-token", token: Some("MI"), ..ArgSpec::EMPTY },
                    ],
                    ..ArgSpec::EMPTY
                },
            ],
            ..ArgSpec::EMPTY
        },
        ArgSpec {
            name: "box",
            kind: "block",
            args: &[
                ArgSpec { name: "width", kind: "double", token: Some("BYBOX"), ..ArgSpec::EMPTY },
                ArgSpec { name: "height", kind: "double", ..ArgSpec::EMPTY },
                ArgSpec {
                    name: "unit",
                    kind: "oneof",
                    args: &[
                        ArgSpec { name: "m", kind: "pure-token", token: Some("M"), ..ArgSpec::EMPTY },
                        ArgSpec { name: "km", kind: "pure-token", token: Some("KM"), ..ArgSpec::EMPTY },
                        ArgSpec { name: "ft", kind: "pure-token", token: Some("FT"), ..ArgSpec::EMPTY },
                        ArgSpec { name: "mi", kind: "pure-token", token: Some("MI"), ..ArgSpec::EMPTY },
                    ],
                    ..ArgSpec::EMPTY
                },
            ],
            ..ArgSpec::EMPTY
        },
    ],
    ..ArgSpec::EMPTY
};

const SEARCH_ORDER: ArgSpec = ArgSpec {
    name: "order",
    kind: "oneof",
    flags: &["optional"],
    args: &[
        ArgSpec { name: "asc", kind: "pure-token", token: Some("ASC"), ..ArgSpec::EMPTY },
        ArgSpec { name: "desc", kind: "pure-token", token: Some("DESC"), ..ArgSpec::EMPTY },
    ],
    ..ArgSpec::EMPTY
};

const SEARCH_COUNT: ArgSpec = ArgSpec {
    name: "count",
    kind: "block",
    flags: &["optional"],
    args: &[
        ArgSpec { name: "count", kind: "integer", token: Some("COUNT"), ..ArgSpec::EMPTY },
        ArgSpec {
            name: "any",
            kind: "pure-token",
            token: Some("ANY"),
            flags: &["optional"],
            ..ArgSpec::EMPTY
        },
    ],
    ..ArgSpec::EMPTY
};

pub static SPECS: &[CommandSpec] = &[
    CommandSpec {
        name: "geoadd",
        arity: -5,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        acl: &["@write", "@geo", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RW", "update"],
        }],
        scope: Scope::Keys,
        group: Group::Geo,
        since: "3.2.0",
        summary: "Adds places to a geographic index.",
        complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec {
                name: "condition",
                kind: "oneof",
                since: Some("6.2.0"),
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "nx", kind: "pure-token", token: Some("NX"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "xx", kind: "pure-token", token: Some("XX"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "change",
                kind: "pure-token",
                token: Some("CH"),
                since: Some("6.2.0"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "longitude_latitude_member",
                kind: "block",
                flags: &["multiple"],
                args: &[
                    ArgSpec { name: "longitude", kind: "double", ..ArgSpec::EMPTY },
                    ArgSpec { name: "latitude", kind: "double", ..ArgSpec::EMPTY },
                    ArgSpec { name: "member", kind: "string", ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(geo::geoadd),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "georadius",
        arity: -6,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::MOVABLEKEYS),
        acl: &["@write", "@geo", "@slow"],
        keys: &[
            KeySpec {
                begin: 1,
                find: FindKeys::Range { last: 0, step: 1, limit: 0 },
                flags: &["RO", "access"],
            },
            KeySpec { begin: 6, find: FindKeys::After { word: "store" }, flags: &["OW", "update"] },
            KeySpec { begin: 6, find: FindKeys::After { word: "storedist" }, flags: &["OW", "update"] },
        ],
        scope: Scope::Keys,
        group: Group::Geo,
        since: "3.2.0",
        summary: "Finds places within a distance of a position.",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "longitude", kind: "double", ..ArgSpec::EMPTY },
            ArgSpec { name: "latitude", kind: "double", ..ArgSpec::EMPTY },
            ArgSpec { name: "radius", kind: "double", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "unit",
                kind: "oneof",
                args: &[
                    ArgSpec { name: "m", kind: "pure-token", token: Some("M"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "km", kind: "pure-token", token: Some("KM"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "ft", kind: "pure-token", token: Some("FT"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "mi", kind: "pure-token", token: Some("MI"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "withcoord",
                kind: "pure-token",
                token: Some("WITHCOORD"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "withdist",
                kind: "pure-token",
                token: Some("WITHDIST"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "withhash",
                kind: "pure-token",
                token: Some("WITHHASH"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "count",
                kind: "block",
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "count", kind: "integer", token: Some("COUNT"), ..ArgSpec::EMPTY },
                    ArgSpec {
                        name: "any",
                        kind: "pure-token",
                        token: Some("ANY"),
                        since: Some("6.2.0"),
                        flags: &["optional"],
                        ..ArgSpec::EMPTY
                    },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "order",
                kind: "oneof",
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "asc", kind: "pure-token", token: Some("ASC"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "desc", kind: "pure-token", token: Some("DESC"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "key",
                kind: "key",
                key_spec_index: Some(1),
                token: Some("STORE"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "key",
                kind: "key",
                key_spec_index: Some(2),
                token: Some("STOREDIST"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(geo::georadius),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "georadiusbymember",
        arity: -5,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::MOVABLEKEYS),
        acl: &["@write", "@geo", "@slow"],
        keys: &[
            KeySpec {
                begin: 1,
                find: FindKeys::Range { last: 0, step: 1, limit: 0 },
                flags: &["RO", "access"],
            },
            KeySpec { begin: 5, find: FindKeys::After { word: "store" }, flags: &["OW", "update"] },
            KeySpec { begin: 5, find: FindKeys::After { word: "storedist" }, flags: &["OW", "update"] },
        ],
        scope: Scope::Keys,
        group: Group::Geo,
        since: "3.2.0",
        summary: "Finds places within a distance of a member.",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "member", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "radius", kind: "double", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "unit",
                kind: "oneof",
                args: &[
                    ArgSpec { name: "m", kind: "pure-token", token: Some("M"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "km", kind: "pure-token", token: Some("KM"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "ft", kind: "pure-token", token: Some("FT"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "mi", kind: "pure-token", token: Some("MI"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "withcoord",
                kind: "pure-token",
                token: Some("WITHCOORD"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "withdist",
                kind: "pure-token",
                token: Some("WITHDIST"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "withhash",
                kind: "pure-token",
                token: Some("WITHHASH"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "count",
                kind: "block",
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "count", kind: "integer", token: Some("COUNT"), ..ArgSpec::EMPTY },
                    ArgSpec {
                        name: "any",
                        kind: "pure-token",
                        token: Some("ANY"),
                        flags: &["optional"],
                        ..ArgSpec::EMPTY
                    },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "order",
                kind: "oneof",
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "asc", kind: "pure-token", token: Some("ASC"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "desc", kind: "pure-token", token: Some("DESC"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "key",
                kind: "key",
                key_spec_index: Some(1),
                token: Some("STORE"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "key",
                kind: "key",
                key_spec_index: Some(2),
                token: Some("STOREDIST"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(geo::georadiusbymember),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "georadius_ro",
        arity: -6,
        flags: Flags::READONLY,
        acl: &["@read", "@geo", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Geo,
        since: "3.2.10",
        summary: "Finds places within a distance of a position.",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "longitude", kind: "double", ..ArgSpec::EMPTY },
            ArgSpec { name: "latitude", kind: "double", ..ArgSpec::EMPTY },
            ArgSpec { name: "radius", kind: "double", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "unit",
                kind: "oneof",
                args: &[
                    ArgSpec { name: "m", kind: "pure-token", token: Some("M"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "km", kind: "pure-token", token: Some("KM"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "ft", kind: "pure-token", token: Some("FT"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "mi", kind: "pure-token", token: Some("MI"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "withcoord",
                kind: "pure-token",
                token: Some("WITHCOORD"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "withdist",
                kind: "pure-token",
                token: Some("WITHDIST"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "withhash",
                kind: "pure-token",
                token: Some("WITHHASH"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "count",
                kind: "block",
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "count", kind: "integer", token: Some("COUNT"), ..ArgSpec::EMPTY },
                    ArgSpec {
                        name: "any",
                        kind: "pure-token",
                        token: Some("ANY"),
                        since: Some("6.2.0"),
                        flags: &["optional"],
                        ..ArgSpec::EMPTY
                    },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "order",
                kind: "oneof",
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "asc", kind: "pure-token", token: Some("ASC"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "desc", kind: "pure-token", token: Some("DESC"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(geo::georadius_ro),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "georadiusbymember_ro",
        arity: -5,
        flags: Flags::READONLY,
        acl: &["@read", "@geo", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Geo,
        since: "3.2.10",
        summary: "Finds places within a distance of a member.",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "member", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "radius", kind: "double", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "unit",
                kind: "oneof",
                args: &[
                    ArgSpec { name: "m", kind: "pure-token", token: Some("M"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "km", kind: "pure-token", token: Some("KM"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "ft", kind: "pure-token", token: Some("FT"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "mi", kind: "pure-token", token: Some("MI"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "withcoord",
                kind: "pure-token",
                token: Some("WITHCOORD"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "withdist",
                kind: "pure-token",
                token: Some("WITHDIST"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "withhash",
                kind: "pure-token",
                token: Some("WITHHASH"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "count",
                kind: "block",
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "count", kind: "integer", token: Some("COUNT"), ..ArgSpec::EMPTY },
                    ArgSpec {
                        name: "any",
                        kind: "pure-token",
                        token: Some("ANY"),
                        flags: &["optional"],
                        ..ArgSpec::EMPTY
                    },
                ],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "order",
                kind: "oneof",
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "asc", kind: "pure-token", token: Some("ASC"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "desc", kind: "pure-token", token: Some("DESC"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(geo::georadiusbymember_ro),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "geohash",
        arity: -2,
        flags: Flags::READONLY,
        acl: &["@read", "@geo", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Geo,
        since: "3.2.0",
        summary: "Answers places as geohash texts.",
        complexity: "O(log(N)) for each member requested, where N is the number of elements in the sorted set.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "member", kind: "string", flags: &["multiple"], ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(geo::geohash),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "geopos",
        arity: -2,
        flags: Flags::READONLY,
        acl: &["@read", "@geo", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Geo,
        since: "3.2.0",
        summary: "Answers the positions of members.",
        complexity: "O(N) where N is the number of members requested.",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "member", kind: "string", flags: &["multiple"], ..ArgSpec::EMPTY },
        ],
        plan: Plan::Data(geo::geopos),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "geodist",
        arity: -4,
        flags: Flags::READONLY,
        acl: &["@read", "@geo", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Geo,
        since: "3.2.0",
        summary: "Answers the distance between two members.",
        complexity: "O(log(N))",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "member1", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "member2", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec {
                name: "unit",
                kind: "oneof",
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "m", kind: "pure-token", token: Some("M"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "km", kind: "pure-token", token: Some("KM"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "ft", kind: "pure-token", token: Some("FT"), ..ArgSpec::EMPTY },
                    ArgSpec { name: "mi", kind: "pure-token", token: Some("MI"), ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(geo::geodist),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "geosearch",
        arity: -7,
        flags: Flags::READONLY,
        acl: &["@read", "@geo", "@slow"],
        keys: &[KeySpec {
            begin: 1,
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: &["RO", "access"],
        }],
        scope: Scope::Keys,
        group: Group::Geo,
        since: "6.2.0",
        summary: "Finds places within a circle or a box.",
        complexity: "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as the filter and M is the number of items inside the shape",
        args: &[
            ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            SEARCH_FROM,
            SEARCH_BY,
            SEARCH_ORDER,
            SEARCH_COUNT,
            ArgSpec {
                name: "withcoord",
                kind: "pure-token",
                token: Some("WITHCOORD"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "withdist",
                kind: "pure-token",
                token: Some("WITHDIST"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "withhash",
                kind: "pure-token",
                token: Some("WITHHASH"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(geo::geosearch),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "geosearchstore",
        arity: -8,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        acl: &["@write", "@geo", "@slow"],
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
        group: Group::Geo,
        since: "6.2.0",
        summary: "Stores places found within a circle or a box.",
        complexity: "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as the filter and M is the number of items inside the shape",
        args: &[
            ArgSpec { name: "destination", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY },
            ArgSpec { name: "source", kind: "key", key_spec_index: Some(1), ..ArgSpec::EMPTY },
            SEARCH_FROM,
            SEARCH_BY,
            SEARCH_ORDER,
            SEARCH_COUNT,
            ArgSpec {
                name: "storedist",
                kind: "pure-token",
                token: Some("STOREDIST"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Data(geo::geosearchstore),
        ..CommandSpec::EMPTY
    },
];
