//! The patterns: every command of each family with every option it has. See [`super`] for how they are written.

use super::Family;

/// Every family that can be driven.
pub const FAMILIES: &[Family] = &[
    Family {
        name: "string",
        patterns: &[
            "SET {k} {v}",
            "SET {k} {n} ?NX|XX ?GET",
            "SET {k} {v} ?NX|XX ?GET ?KEEPTTL",
            "SET {k} {v} ?GET EX|PX {ttl} ?NX|XX",
            "SET {k} {v} EXAT {at_s}",
            "SET {k} {v} PXAT {at_ms}",
            "SET {k} {v} EX|PX|EXAT|PXAT {no_ttl}",
            "SETEX|PSETEX {k} {ttl} {v}",
            "SETEX|PSETEX {k} {no_ttl} {v}",
            "SETNX {k} {v}",
            "GETSET {k} {v}",
            "GET {k}",
            "GETEX {k} ?PERSIST",
            "GETEX {k} EX|PX {ttl}",
            "GETEX {k} EXAT|PXAT|EX|PX {no_ttl}",
            "GETEX {k} EXAT {at_s}",
            "GETEX {k} PXAT {at_ms}",
            "GETDEL {k}",
            "MGET *{k}",
            "MSET *{k}+{v}",
            "MSETNX *{k}+{v}",
            "APPEND {k} {v}",
            "INCR|DECR {k}",
            "INCRBY|DECRBY {k} {n}",
            "INCRBYFLOAT {k} {d}",
            "SETRANGE {k} {i} {v}",
            "SETRANGE {k} 536870912|536870911|-1 {v}",
            "GETRANGE|SUBSTR {k} {i} {i}",
            "STRLEN {k}",
            "LCS {k} {k} ?LEN",
            "LCS {k} {k} IDX ?MINMATCHLEN+{i} ?WITHMATCHLEN",
        ],
    },
    Family {
        name: "hash",
        patterns: &[
            "HSET {k} *{m}+{v}",
            "HSET {k} {m} {n}",
            "HSET {k} %{q}+{v}",
            "HMSET {k} *{m}+{v}",
            "HSETNX {k} {m} {v}",
            "HGET {k} {m}",
            "HMGET {k} *{m}",
            "HDEL {k} *{m}",
            "HDEL {k} %{q}",
            "HLEN {k}",
            "HEXISTS {k} {m}",
            "HSTRLEN {k} {m}",
            "HINCRBY {k} {m} {n}",
            "HINCRBYFLOAT {k} {m} {d}",
            "HGETALL {k}",
            "HKEYS {k}",
            "HVALS {k}",
            "HRANDFIELD {k}",
            "HRANDFIELD {k} {i} ?WITHVALUES",
            "HSCAN {k} 0|0|x ?MATCH+{glob} COUNT 1000",
        ],
    },
    Family {
        name: "zset",
        patterns: &[
            "ZADD {k} ?NX|XX|GT|LT ?CH *{d}+{m}",
            "ZADD {k} ?XX ?GT|LT *{d}+{m}",
            "ZADD {k} ?NX|XX|GT|LT INCR {d} {m}",
            "ZADD {k} ?CH %{d}+{q}",
            "ZINCRBY {k} {d} {m}",
            "ZREM {k} *{m}",
            "ZREM {k} %{q}",
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
            "BZPOPMIN|BZPOPMAX {k} {k} {patience}",
            "BZMPOP {patience} 2 {k} {k} MIN|MAX ?COUNT+{i}",
            "ZUNION|ZINTER 2 {k} {k} ?WEIGHTS+{d}+{d} ?AGGREGATE+SUM|MIN|MAX ?WITHSCORES",
            "ZUNIONSTORE|ZINTERSTORE {k} 3 {k} {k} {k} ?WEIGHTS+{d}+{d}+{d} ?AGGREGATE+SUM|MIN|MAX",
            "ZDIFF {i} {k} {k} ?WITHSCORES",
            "ZDIFF 2 {k} {k} ?WITHSCORES",
            "ZDIFFSTORE {k} 2 {k} {k}",
            "ZINTERCARD 2 {k} {k} ?LIMIT+{i}",
            "ZRANDMEMBER {k}",
            "ZRANDMEMBER {k} {i} ?WITHSCORES",
            "ZSCAN {k} 0|0|x ?MATCH+{glob} COUNT 1000",
        ],
    },
    // On keys of its own: with scores that differ, what lies between two members is not specified.
    Family {
        name: "lex",
        patterns: &[
            "ZADD {lex} 0 {m} 0 {m}",
            "ZADD {lex} %0+{q}",
            "ZREM {lex} {m}",
            "ZLEXCOUNT {lex} {x} {x}",
            "ZRANGE {lex} {x} {x} BYLEX ?REV ?LIMIT+{i}+{i}",
            "ZRANGEBYLEX|ZREVRANGEBYLEX {lex} {x} {x} ?LIMIT+{i}+{i}",
            "ZRANGESTORE {lex} {lex} {x} {x} BYLEX ?REV ?LIMIT+{i}+{i}",
            "ZREMRANGEBYLEX {lex} {x} {x}",
        ],
    },
    Family {
        name: "set",
        patterns: &[
            "SADD {k} *{m}",
            "SADD {k} *{n}",
            "SADD {k} %{q}",
            "SREM {k} *{m}",
            "SREM {k} %{q}",
            "SCARD {k}",
            "SISMEMBER {k} {m}",
            "SMISMEMBER {k} *{m}",
            "SMOVE {k} {k} {m}",
            "SUNION|SINTER|SDIFF *{k}",
            "SUNIONSTORE|SINTERSTORE|SDIFFSTORE {k} *{k}",
            "SINTERCARD {i} {k} {k} ?LIMIT+{i}",
            "SINTERCARD 2 {k} {k} ?LIMIT+{i}",
            "SMEMBERS {k}",
            "SPOP {k} 0|-1|x|1000",
            "SRANDMEMBER {k}",
            "SRANDMEMBER {k} {i}",
            "SSCAN {k} 0|0|x ?MATCH+{glob} COUNT 1000",
        ],
    },
    Family {
        name: "list",
        patterns: &[
            "LPUSH|RPUSH {k} *{m}",
            "LPUSH|RPUSH {k} %{v}",
            "LPUSHX|RPUSHX {k} *{n}",
            "LINSERT {k} BEFORE|AFTER {m} {v}",
            "LSET {k} {i} {v}",
            "LREM {k} {i} {m}",
            "LPOP|RPOP {k} ?{i}",
            "LMPOP 2 {k} {k} LEFT|RIGHT ?COUNT+{i}",
            "LMPOP {i} {k} {k} LEFT|RIGHT",
            "LMOVE {k} {k} LEFT|RIGHT LEFT|RIGHT",
            "RPOPLPUSH {k} {k}",
            "LTRIM {k} {i} {i}",
            "LPOS {k} {m} ?RANK+{i} ?COUNT+{i} ?MAXLEN+{i}",
            "LRANGE {k} {i} {i}",
            "LINDEX {k} {i}",
            "LLEN {k}",
            "BLPOP|BRPOP {k} {k} {patience}",
            "BLMOVE {k} {k} LEFT|RIGHT LEFT|RIGHT {patience}",
            "BRPOPLPUSH {k} {k} {patience}",
            "BLMPOP {patience} 2 {k} {k} LEFT|RIGHT ?COUNT+{i}",
        ],
    },
    Family {
        name: "bitmap",
        patterns: &[
            "SETBIT {bk} {b} 0|1",
            "GETBIT {k} {b}",
            "BITCOUNT {k}",
            "BITCOUNT {k} {i} {i} ?BYTE|BIT",
            "BITPOS {k} 0|1",
            "BITPOS {k} 0|1 {i}",
            "BITPOS {k} 0|1 {i} {i} ?BYTE|BIT",
            "BITOP AND|OR|XOR {k} *{k}",
            "BITOP NOT {k} {k}",
            "BITFIELD {bk} ?OVERFLOW+WRAP|SAT|FAIL ?SET+{w}+{b}+{bits} ?INCRBY+{w}+{b}+{n} ?GET+{w}+{b}",
            "BITFIELD {bk} INCRBY {w} {b} {n} OVERFLOW SAT|FAIL INCRBY {w} {b} {n}",
            "BITFIELD_RO {k} *GET+{w}+{b}",
        ],
    },
    // On keys of its own: what commands on bits make of one is nothing that its own commands promise to keep.
    Family {
        name: "hyperloglog",
        patterns: &[
            "PFADD {hll} *{m}",
            "PFADD {hll} *{v}",
            "PFADD {hll} %{q}",
            "PFADD {hll}",
            "PFCOUNT *{hll}",
            "PFCOUNT {k} {hll}",
            "PFMERGE {hll} *{hll}",
            "PFMERGE {hll} {k}",
        ],
    },
    // On keys of its own: how far it is between scores that are no positions is nothing to rely on.
    Family {
        name: "geo",
        patterns: &[
            "GEOADD {place} ?NX|XX ?CH *{c}+{l}+{m}",
            "GEOPOS {place} *{m}",
            "GEOHASH {place} *{m}",
            "GEODIST {place} {m} {m} ?m|km|ft|mi",
            "GEOSEARCH {place} FROMLONLAT {c} {l} BYRADIUS {i} m|km|ft|mi ?ASC|DESC ?WITHDIST ?WITHCOORD ?WITHHASH",
            "GEOSEARCH {place} FROMLONLAT {c} {l} BYBOX 9000 {span} m|km|ft|mi ?ASC|DESC ?WITHDIST",
            "GEOSEARCH {place} FROMMEMBER {m} BYRADIUS 5000 km ?COUNT+{i} ?ANY ?WITHDIST",
            "GEOSEARCHSTORE {k} {place} FROMLONLAT {c} {l} BYRADIUS 6000 m|km|ft|mi ?STOREDIST",
            "GEOSEARCHSTORE {k} {place} FROMMEMBER {m} BYBOX 9000 {span} km ASC|DESC ?COUNT+{i} ?ANY ?STOREDIST",
            "GEORADIUS {place} {c} {l} 4000 m|km|ft|mi ?WITHDIST ?ASC|DESC ?STORE|STOREDIST+{k}",
            "GEORADIUSBYMEMBER {place} {m} 4000 m|km|ft|mi ?WITHCOORD ?COUNT+3 ?ANY ?STORE|STOREDIST+{k}",
            "GEORADIUS|GEORADIUS_RO {place} {c} {l} 4000 m|km|ft|mi ?WITHCOORD ?WITHDIST ?WITHHASH ?COUNT+{i} ?ANY ASC|DESC",
            "GEORADIUSBYMEMBER|GEORADIUSBYMEMBER_RO {place} {m} 9000 m|km|ft|mi ?WITHDIST ?WITHHASH ?COUNT+3 ASC|DESC",
            "GEORADIUSBYMEMBER_RO {place} {m} 9000 m|km|ft|mi ?WITHCOORD ?COUNT+3+ANY",
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
            "XADD {k} MINID ?~|= {e} {e} f {v}",
            "XADD {k} MAXLEN ?= {i} {e} f {v} g {v}",
            "XADD {k} MAXLEN|MINID ~ {i} LIMIT {i} {e} f {v}",
            "XLEN {k}",
            "XRANGE {k} {r} {r} ?COUNT+{i}",
            "XREVRANGE {k} {r} {r} ?COUNT+{i}",
            "XREAD ?COUNT+{i} STREAMS {k} {k} {e} {e}",
            "XREAD ?COUNT+{i} BLOCK 1|x|-1 STREAMS {k} {k} {e}|$ {e}",
            "XREAD STREAMS {k} {e}",
            "XDEL {k} *{e}",
            "XTRIM {k} MAXLEN|MINID ?~|= {i} ?LIMIT+{i}",
            "XTRIM {k} MINID {e}",
            "XSETID {k} {e} ?ENTRIESADDED+{n} ?MAXDELETEDID+{e}",
            "XINFO GROUPS {k}",
            "XINFO CONSUMERS {k} g1|g2",
            "XINFO STREAM {k}",
            "XINFO STREAM {k} FULL ?COUNT+{i}",
            "XGROUP CREATE {k} g1|g2 {e}|$|0 ?MKSTREAM ?ENTRIESREAD+{i}",
            "XGROUP CREATE {k} g1 0 MKSTREAM",
            "XGROUP SETID {k} g1|g2 {e}|$|0 ?ENTRIESREAD+{i}",
            "XGROUP DESTROY {k} g2",
            "XGROUP CREATECONSUMER {k} g1|g2 {m}",
            "XGROUP DELCONSUMER {k} g1|g2 {m}",
            "XREADGROUP GROUP g1|g2 {m} ?COUNT+{i} ?NOACK STREAMS {k} >",
            "XREADGROUP GROUP g1|g2 {m} BLOCK 1 ?NOACK STREAMS {k} >",
            "XREADGROUP GROUP g1 {m} COUNT 2 STREAMS {k} >",
            "XREADGROUP GROUP g1|g2 {m} ?COUNT+{i} STREAMS {k} {e}|0",
            "XACK {k} g1|g2 *{e}",
            "XPENDING {k} g1|g2",
            "XPENDING {k} g1|g2 ?IDLE+0|3600000|x {r} {r} {i} ?{m}",
            "XCLAIM {k} g1|g2 {m} 0 *{e} ?FORCE ?JUSTID ?RETRYCOUNT+{i} ?LASTID+{e}",
            "XCLAIM {k} g1|g2 {m} 0|3600000 *{e} ?IDLE+0|7200000|x ?FORCE ?JUSTID",
            "XCLAIM {k} g1|g2 {m} 0|3600000 *{e} ?TIME+{n} ?RETRYCOUNT+{i}",
            "XAUTOCLAIM {k} g1|g2 {m} 0|3600000 {r} ?COUNT+{i} ?JUSTID",
        ],
    },
    Family {
        name: "generic",
        patterns: &[
            "DEL|UNLINK *{k}",
            "EXISTS|TOUCH *{k}",
            "TYPE {k}",
            "RENAME|RENAMENX {k} {k}",
            "COPY {k} {k} ?DB+{db} ?REPLACE",
            "MOVE {k} {db}",
            "EXPIRE|PEXPIRE {k} {ttl} ?NX|XX|GT|LT",
            "EXPIREAT {k} {at_s} ?NX|XX|GT|LT",
            "PEXPIREAT {k} {at_ms} ?NX|XX|GT|LT",
            "EXPIRE|PEXPIRE|EXPIREAT|PEXPIREAT {k} 0|-1|x|9223372036854775807",
            "PERSIST {k}",
            "TTL|PTTL|EXPIRETIME|PEXPIRETIME {k}",
            "KEYS {glob}",
            "SCAN 0|0|x ?MATCH+{glob} COUNT 1000 ?TYPE+string|list|hash|set|zset|stream|none",
            "RANDOMKEY",
            "DBSIZE",
            "SELECT {db}",
            "SELECT 0",
            "SELECT 0",
            "SWAPDB {db} {db}",
            "FLUSHDB|FLUSHALL ?ASYNC|SYNC",
            "DUMP {k}",
            "OBJECT IDLETIME|FREQ {k}",
            "RESTORE {k} 0|{ttl}|-1|x {dump} ?REPLACE",
            "RESTORE {k} {at_ms} {dump} ABSTTL ?REPLACE ?IDLETIME+{i} ?FREQ+{i}",
            "RESTORE {k} 0 {v} ?REPLACE",
            "SET {weight} {d}",
            "HSET {weight} f {d}",
            "SORT {k} ALPHA ?LIMIT+{i}+{i} ?ASC|DESC",
            "SORT|SORT_RO {k} ?LIMIT+{i}+{i} ?ASC|DESC",
            "SORT|SORT_RO {k} BY w_* ?GET+# ?GET+w_* ?LIMIT+{i}+{i} ?ASC|DESC",
            "SORT|SORT_RO {k} BY w_*->f GET # GET w_*->f",
            "SORT|SORT_RO {k} BY nosort ALPHA ?GET+#",
            "SORT {k} ALPHA ?BY+nosort ?GET+# ?ASC|DESC STORE {k}",
        ],
    },
    Family {
        name: "transaction",
        patterns: &["MULTI", "EXEC", "EXEC", "EXEC", "DISCARD", "WATCH *{watched}", "UNWATCH"],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use engine::commands::{self, CommandSpec, spec::ArgSpec};

    use super::FAMILIES;
    use crate::grammar::DATA_GROUPS;

    /// What is not drawn, and why: `command` or `command TOKEN`.
    const LEFT_OUT: [(&str, &str); 13] = [
        ("pfdebug", "tells of encodings, and changes them"),
        ("pfselftest", "takes seconds and shows nothing"),
        ("wait", "waits for replicas"),
        ("object", "its subcommands are drawn one by one, but for REFCOUNT"),
        ("object|encoding", "asked at the end, unless something was copied"),
        ("object|refcount", "tells how Redis shares values"),
        ("object|help", "prose"),
        ("xgroup|help", "prose"),
        ("xinfo|help", "prose"),
        ("xadd *", "the clock decides"),
        ("xautoclaim *", "the clock decides"),
        ("scan COUNT", "drawn, as one word with its number"),
        ("restore-asking", "is of clusters"),
    ];

    fn tokens(args: &[ArgSpec], out: &mut BTreeSet<String>) {
        for arg in args {
            out.extend(arg.token.map(str::to_ascii_uppercase));
            tokens(arg.args, out);
        }
    }

    /// First words, and all words of a pattern, upper case.
    fn words(pattern: &str) -> (Vec<String>, BTreeSet<String>) {
        let parts = |word: &str| -> Vec<String> {
            let parts = word.trim_start_matches(['?', '*', '%']).split(['+', '|']);
            parts.map(str::to_ascii_uppercase).collect()
        };
        let mut all = pattern.split(' ');
        let names = all.next().map(parts).unwrap_or_default();
        // A lone asterisk is a word, not a sign.
        (names, all.flat_map(|word| if word == "*" { vec![word.into()] } else { parts(word) }).collect())
    }

    fn missing(name: &str, container: Option<&str>, spec: &CommandSpec, out: &mut Vec<String>) {
        let left_out = |what: &str| LEFT_OUT.iter().any(|(left, _)| *left == what);
        if left_out(name) || spec.since >= "7.4" {
            return;
        }
        let first = container.unwrap_or(spec.name).to_ascii_uppercase();
        let mut seen: Option<BTreeSet<String>> = None;
        for pattern in FAMILIES.iter().flat_map(|family| family.patterns) {
            let (names, words) = words(pattern);
            let of_sub = container.is_none() || words.contains(&spec.name.to_ascii_uppercase());
            if names.contains(&first) && of_sub {
                seen.get_or_insert_default().extend(words);
            }
        }
        let Some(seen) = seen else { return out.push(name.into()) };
        let mut wanted = BTreeSet::new();
        tokens(spec.args, &mut wanted);
        let not_seen = wanted.into_iter().filter(|token| !token.is_empty() && !seen.contains(token));
        out.extend(not_seen.map(|token| format!("{name} {token}")).filter(|what| !left_out(what)));
    }

    #[test]
    fn every_command_of_the_families_is_drawn_with_every_option() {
        let mut out = Vec::new();
        for spec in commands::all().filter(|spec| DATA_GROUPS.contains(&spec.group.name())) {
            if spec.subcommands.is_empty() {
                missing(spec.name, None, spec, &mut out);
            }
            for sub in spec.subcommands {
                missing(&format!("{}|{}", spec.name, sub.name), Some(spec.name), sub, &mut out);
            }
        }
        assert!(out.is_empty(), "not drawn: {out:?}");
    }
}
