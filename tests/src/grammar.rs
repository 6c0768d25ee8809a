//! Commands at random, from patterns by family.
//!
//! A pattern is words: `a|b` one of both, `?word` present half of the time (with all that hangs on it by `+`), `{k}` a drawn
//! argument, `*word` one to four times. The drawn ones: `k` key, `m` member, `v` value, `n` integer, `d` number, `s` end of a range
//! of scores, `x` end of a range of bytes, `e` id of a stream's entry, `r` end of a range of them, `i` place, `b` place of a bit, `w` width, `c` longitude, `l` latitude.

use crate::random::Random;

/// Patterns of one family of commands.
pub struct Family {
    pub name: &'static str,
    pub patterns: &'static [&'static str],
}

/// Every family that can be driven.
pub const FAMILIES: &[Family] = &[
    Family {
        name: "string",
        patterns: &[
            "SET {k} {v}",
            "SET {k} {n} ?NX|XX ?GET",
            "GET {k}",
            "APPEND {k} {v}",
            "INCRBY {k} {n}",
            "INCRBYFLOAT {k} {d}",
            "SETRANGE {k} {i} {v}",
            "GETRANGE {k} {i} {i}",
            "STRLEN {k}",
            "GETDEL {k}",
        ],
    },
    Family {
        name: "hash",
        patterns: &[
            "HSET {k} *{m}+{v}",
            "HSET {k} {m} {n}",
            "HMSET {k} *{m}+{v}",
            "HSETNX {k} {m} {v}",
            "HGET {k} {m}",
            "HMGET {k} *{m}",
            "HDEL {k} *{m}",
            "HLEN {k}",
            "HEXISTS {k} {m}",
            "HSTRLEN {k} {m}",
            "HINCRBY {k} {m} {n}",
            "HINCRBYFLOAT {k} {m} {d}",
            "HGETALL {k}",
            "HKEYS {k}",
            "HVALS {k}",
        ],
    },
    Family {
        name: "zset",
        patterns: &[
            "ZADD {k} ?NX|XX|GT|LT ?CH *{d}+{m}",
            "ZADD {k} ?XX ?GT|LT *{d}+{m}",
            "ZADD {k} ?NX|XX|GT|LT INCR {d} {m}",
            "ZINCRBY {k} {d} {m}",
            "ZREM {k} *{m}",
            "ZSCORE {k} {m}",
            "ZMSCORE {k} *{m}",
            "ZCARD {k}",
            "ZRANK|ZREVRANK {k} {m}",
            "ZCOUNT {k} {s} {s}",
            "ZRANGE {k} {i} {i} ?REV ?WITHSCORES",
            "ZRANGE {k} {s} {s} BYSCORE ?REV ?LIMIT+{i}+{i} ?WITHSCORES",
            "ZREVRANGE {k} {i} {i} ?WITHSCORES",
            "ZRANGEBYSCORE|ZREVRANGEBYSCORE {k} {s} {s} ?WITHSCORES ?LIMIT+{i}+{i}",
            "ZRANGESTORE {k} {k} {i} {i} ?REV",
            "ZRANGESTORE {k} {k} {s} {s} BYSCORE ?REV ?LIMIT+{i}+{i}",
            "ZREMRANGEBYRANK {k} {i} {i}",
            "ZREMRANGEBYSCORE {k} {s} {s}",
            "ZPOPMIN|ZPOPMAX {k} ?{i}",
            "ZMPOP 2 {k} {k} MIN|MAX ?COUNT+{i}",
            "ZUNION|ZINTER 2 {k} {k} ?WEIGHTS+{d}+{d} ?AGGREGATE+SUM|MIN|MAX ?WITHSCORES",
            "ZUNIONSTORE|ZINTERSTORE {k} 3 {k} {k} {k} ?WEIGHTS+{d}+{d}+{d} ?AGGREGATE+SUM|MIN|MAX",
            "ZDIFF 2 {k} {k} ?WITHSCORES",
            "ZDIFFSTORE {k} 2 {k} {k}",
            "ZINTERCARD 2 {k} {k} ?LIMIT+{i}",
        ],
    },
    // By themselves: with scores that differ, what lies between two members is not specified.
    Family {
        name: "lex",
        patterns: &[
            "ZADD {k} 0 {m} 0 {m}",
            "ZREM {k} {m}",
            "ZLEXCOUNT {k} {x} {x}",
            "ZRANGE {k} {x} {x} BYLEX ?REV ?LIMIT+{i}+{i}",
            "ZRANGEBYLEX|ZREVRANGEBYLEX {k} {x} {x} ?LIMIT+{i}+{i}",
            "ZRANGESTORE {k} {k} {x} {x} BYLEX ?REV",
            "ZREMRANGEBYLEX {k} {x} {x}",
        ],
    },
    Family {
        name: "set",
        patterns: &[
            "SADD {k} *{m}",
            "SADD {k} *{n}",
            "SREM {k} *{m}",
            "SCARD {k}",
            "SISMEMBER {k} {m}",
            "SMISMEMBER {k} *{m}",
            "SMOVE {k} {k} {m}",
            "SUNION|SINTER|SDIFF {k} {k}",
            "SUNIONSTORE|SINTERSTORE|SDIFFSTORE {k} {k} {k}",
            "SINTERCARD 2 {k} {k} ?LIMIT+{i}",
            "SMEMBERS {k}",
        ],
    },
    Family {
        name: "list",
        patterns: &[
            "LPUSH|RPUSH {k} *{m}",
            "LPUSHX|RPUSHX {k} *{n}",
            "LINSERT {k} BEFORE|AFTER {m} {v}",
            "LSET {k} {i} {v}",
            "LREM {k} {i} {m}",
            "LPOP|RPOP {k} ?{i}",
            "LMPOP 2 {k} {k} LEFT|RIGHT ?COUNT+{i}",
            "LMOVE {k} {k} LEFT|RIGHT LEFT|RIGHT",
            "RPOPLPUSH {k} {k}",
            "LTRIM {k} {i} {i}",
            "LPOS {k} {m} ?RANK+{i} ?COUNT+{i} ?MAXLEN+{i}",
            "LRANGE {k} {i} {i}",
            "LINDEX {k} {i}",
            "LLEN {k}",
            "BLPOP|BRPOP {k} {k} 0.01",
        ],
    },
    Family {
        name: "bitmap",
        patterns: &[
            "SETBIT {k} {b} 0|1",
            "GETBIT {k} {b}",
            "BITCOUNT {k}",
            "BITCOUNT {k} {i} {i} ?BYTE|BIT",
            "BITPOS {k} 0|1",
            "BITPOS {k} 0|1 {i}",
            "BITPOS {k} 0|1 {i} {i} ?BYTE|BIT",
            "BITOP AND|OR|XOR {k} *{k}",
            "BITOP NOT {k} {k}",
            "BITFIELD {k} ?OVERFLOW+WRAP|SAT|FAIL ?SET+{w}+{b}+{n} ?INCRBY+{w}+{b}+{n} ?GET+{w}+{b}",
            "BITFIELD {k} INCRBY {w} {b} {n} OVERFLOW SAT|FAIL INCRBY {w} {b} {n}",
            "BITFIELD_RO {k} GET {w} {b}",
        ],
    },
    Family {
        name: "hyperloglog",
        patterns: &["PFADD {k} *{m}", "PFADD {k} *{v}", "PFCOUNT *{k}", "PFMERGE {k} *{k}", "GET {k}"],
    },
    Family {
        name: "geo",
        patterns: &[
            "GEOADD {k} ?NX|XX ?CH *{c}+{l}+{m}",
            "GEOPOS {k} *{m}",
            "GEOHASH {k} *{m}",
            "GEODIST {k} {m} {m} ?m|km|ft|mi",
            "GEOSEARCH {k} FROMLONLAT {c} {l} BYRADIUS {i} km|mi ?ASC|DESC ?WITHDIST ?WITHCOORD ?WITHHASH",
            "GEOSEARCH {k} FROMLONLAT {c} {l} BYBOX 9000 {n} km ?ASC|DESC ?WITHDIST",
            "GEOSEARCH {k} FROMMEMBER {m} BYRADIUS 5000 km ?COUNT+{i} ?ANY ?WITHDIST",
            "GEOSEARCHSTORE {k} {k} FROMLONLAT {c} {l} BYRADIUS 6000 km ?STOREDIST",
            "GEORADIUS {k} {c} {l} 4000 km ?WITHDIST ?ASC|DESC ?STORE|STOREDIST+{k}",
            "GEORADIUSBYMEMBER {k} {m} 4000 km ?WITHCOORD ?COUNT+3",
        ],
    },
    // Ids that are given: those that are chosen differ by the clock.
    Family {
        name: "stream",
        patterns: &[
            "XADD {k} {e} *{m}+{v}",
            "XADD {k} {e} f {v}",
            "XADD {k} {e} f {v}",
            "XADD {k} ?NOMKSTREAM ?MAXLEN+{i} {e} f {n}",
            "XADD {k} MINID ?~ {e} {e} f {v}",
            "XADD {k} MAXLEN ?= {i} {e} f {v} g {v}",
            "XLEN {k}",
            "XRANGE {k} {r} {r} ?COUNT+{i}",
            "XREVRANGE {k} {r} {r} ?COUNT+{i}",
            "XREAD ?COUNT+{i} STREAMS {k} {k} {e} {e}",
            "XREAD STREAMS {k} {e}",
            "XDEL {k} *{e}",
            "XTRIM {k} MAXLEN|MINID {i}",
            "XTRIM {k} MINID {e}",
            "XSETID {k} {e} ?ENTRIESADDED+{n} ?MAXDELETEDID+{e}",
            "XINFO GROUPS {k}",
            "XGROUP CREATE {k} g1|g2 {e}|$|0 ?MKSTREAM ?ENTRIESREAD+{i}",
            "XGROUP CREATE {k} g1 0 MKSTREAM",
            "XGROUP SETID {k} g1|g2 {e}|$|0 ?ENTRIESREAD+{i}",
            "XGROUP DESTROY {k} g2",
            "XGROUP CREATECONSUMER {k} g1|g2 {m}",
            "XGROUP DELCONSUMER {k} g1|g2 {m}",
            "XREADGROUP GROUP g1|g2 {m} ?COUNT+{i} ?NOACK STREAMS {k} >",
            "XREADGROUP GROUP g1 {m} COUNT 2 STREAMS {k} >",
            "XREADGROUP GROUP g1|g2 {m} ?COUNT+{i} STREAMS {k} {e}|0",
            "XACK {k} g1|g2 *{e}",
            "XPENDING {k} g1|g2",
            "XCLAIM {k} g1|g2 {m} 0 *{e} ?FORCE ?JUSTID ?RETRYCOUNT+{i} ?LASTID+{e}",
            "XAUTOCLAIM {k} g1|g2 {m} 0 {r} ?COUNT+{i} ?JUSTID",
        ],
    },
    Family {
        name: "generic",
        patterns: &[
            "DEL {k}",
            "EXISTS {k} {k}",
            "TYPE {k}",
            "RENAME {k} {k}",
            "COPY {k} {k} ?REPLACE",
            "EXPIRE {k} 1000",
            "PERSIST {k}",
        ],
    },
];

const KEYS: [&str; 6] = ["a", "b", "c", "d", "key\0", "\u{e9}"];
const NUMBERS: [&str; 12] = [
    "0",
    "1",
    "-1",
    "2",
    "7",
    "100",
    "-128",
    "255",
    "65536",
    "9223372036854775807",
    "-9223372036854775808",
    "x",
];
const DOUBLES: [&str; 13] =
    ["0", "1", "-1", "2", "3", "0.5", "1.5", "-2.25", "1e3", "inf", "-inf", "0.1", "abc"];

/// One argument of the kind.
fn draw(random: &mut Random, kind: &str) -> Vec<u8> {
    let pick = |random: &mut Random, of: &[&str]| of[random.index(of.len())].as_bytes().to_vec();
    match kind {
        "k" => pick(random, &KEYS),
        "m" => match random.below(20) {
            0 => b"".to_vec(),
            1 => b"\x00\r\n\xff".to_vec(),
            2 => vec![b'm'; 70],
            n => format!("m{}", n % 9).into_bytes(),
        },
        "v" => match random.below(12) {
            0 => b"".to_vec(),
            1 => vec![b'v'; random.index(200)],
            2 => b"\xff\x00\x80".to_vec(),
            n => format!("v{n}").into_bytes(),
        },
        "n" => match random.below(3) {
            0 => pick(random, &NUMBERS),
            _ => (random.below(200) as i64 - 100).to_string().into_bytes(),
        },
        "d" => match random.below(40) {
            0 => b"nan".to_vec(),
            n if n < 20 => random.below(9).to_string().into_bytes(),
            _ => pick(random, &DOUBLES),
        },
        "s" => {
            let open = if random.below(4) == 0 { "(" } else { "" };
            let end = ["-inf", "+inf", "0", "1", "2", "3", "5", "1.5"][random.index(8)];
            format!("{open}{end}").into_bytes()
        }
        "e" => match random.below(20) {
            0 => pick(random, &["0-0", "abc", "-", "5-x", "18446744073709551615-18446744073709551615"]),
            1..4 => format!("{}", random.below(12)).into_bytes(),
            4..6 => format!("{}-*", random.below(12)).into_bytes(),
            _ => format!("{}-{}", random.below(12), random.below(5)).into_bytes(),
        },
        "r" => match random.below(6) {
            0 => b"-".to_vec(),
            1 => b"+".to_vec(),
            2 => format!("({}-{}", random.below(12), random.below(4)).into_bytes(),
            _ => format!("{}", random.below(12)).into_bytes(),
        },
        "x" => pick(random, &["-", "+", "[m1", "(m1", "[m5", "(m7", "[", "[m", "m"]),
        "i" => match random.below(30) {
            0 => b"x".to_vec(),
            n => (n as i64 % 12 - 4).to_string().into_bytes(),
        },
        "b" => match random.below(6) {
            0 => pick(random, &["-1", "#1", "#3", "x", "4294967296"]),
            _ => random.below(100).to_string().into_bytes(),
        },
        "w" => pick(random, &["u1", "u8", "i8", "u5", "i16", "u63", "i64", "i5", "u64", "i1"]),
        "c" => format!("{:.4}", random.below(3_600_000) as f64 / 10_000.0 - 180.0).into_bytes(),
        _ => format!("{:.4}", random.below(1_700_000) as f64 / 10_000.0 - 85.0).into_bytes(),
    }
}

/// One command of the families at random.
pub fn command(random: &mut Random, families: &[&Family]) -> Vec<Vec<u8>> {
    let family = families[random.index(families.len())];
    let pattern = family.patterns[random.index(family.patterns.len())];
    let mut out = Vec::new();
    for word in pattern.split(' ') {
        let (word, times) = match (word.strip_prefix('?'), word.strip_prefix('*')) {
            (Some(word), _) => (word, random.index(2)),
            (_, Some(word)) => (word, 1 + random.index(4)),
            _ => (word, 1),
        };
        for _ in 0..times {
            for part in word.split('+').filter(|part| !part.is_empty()) {
                let choices: Vec<&str> = part.split('|').collect();
                let chosen = choices[random.index(choices.len())];
                match chosen.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                    Some(kind) => out.push(draw(random, kind)),
                    None => out.push(chosen.as_bytes().to_vec()),
                }
            }
        }
    }
    out
}
