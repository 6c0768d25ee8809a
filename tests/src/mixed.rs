//! Write commands of every kind on a keyspace small enough for nodes to meet on keys: what long tests of clusters write.

use crate::client::{Client, encode};
use crate::random::Random;

/// How often, and what: `{k}` and `{o}` are numbers of keys, `{v}` a number that differs from command to command of a pipeline,
/// `{v:n}` the same below n. What is between `;` is sent in order.
const PATTERNS: &[(u64, &str)] = &[
    (800, "SET string{k} {v}"),
    (500, "INCRBY counter{k} {v}"),
    (100, "INCRBYFLOAT float{k} 0.5"),
    (100, "APPEND text{k} {v}"),
    (100, "SETRANGE text{k} 3 {v}"),
    (100, "MSET string{k} {v} pair{k} {v}"),
    (100, "SET expiring{k} {v} PX 3600000"),
    (100, "EXPIRE string{k} 7200"),
    (100, "PERSIST string{k}"),
    (100, "DEL text{k}"),
    (100, "COPY string{k} copy{o} REPLACE"),
    (50, "RENAME copy{k} copy{o}"),
    (100, "GETDEL pair{k}"),
    (100, "SETNX once{k} {v}"),
    (100, "MULTI;INCR counter{k};SADD set{k} {v};SET string{k} {v};EXEC"),
    (400, "SADD set{k} {v} shared"),
    (100, "SREM set{k} shared"),
    (100, "SPOP set{k}"),
    (100, "SMOVE set{k} set{o} shared"),
    (100, "SUNIONSTORE union{k} set{k} set{o}"),
    (50, "SORT set{k} ALPHA STORE sorted{o}"),
    (200, "HSET hash{k} f{v:7} {v}"),
    (100, "HINCRBY hash{k} count 3"),
    (50, "HINCRBYFLOAT hash{k} float 0.25"),
    (100, "HDEL hash{k} f{v:7}"),
    (50, "HPEXPIRE hash{k} 3600000 FIELDS 2 f{v:7} count"),
    (50, "HPEXPIRE hash{k} 40 FIELDS 1 f{v:7}"),
    (50, "HPERSIST hash{k} FIELDS 1 count"),
    (50, "HSETEX hash{k} FNX EX 3600 FIELDS 1 f{v:7} {v}"),
    (30, "HGETDEL hash{k} FIELDS 1 f{v:7}"),
    (200, "ZADD zset{k} {v} m{v:9}"),
    (100, "ZINCRBY zset{k} 2 m{v:9}"),
    (50, "ZADD zset{k} GT CH {v} m{v:9}"),
    (50, "ZREM zset{k} m{v:9}"),
    (50, "ZPOPMIN zset{k}"),
    (50, "ZUNIONSTORE zunion{k} 2 zset{k} zset{o} AGGREGATE MAX"),
    (50, "ZREMRANGEBYRANK zunion{k} 0 2"),
    (200, "RPUSH list{k} {v}"),
    (100, "LPUSH list{k} {v} shared"),
    (100, "LPOP list{k}"),
    (100, "RPOP list{k}"),
    (100, "LMOVE list{k} list{o} LEFT RIGHT"),
    (100, "LINSERT list{k} BEFORE shared {v}"),
    (100, "LREM list{k} 1 shared"),
    (50, "LSET list{k} 0 {v}"),
    (50, "LTRIM list{k} 0 30"),
    (200, "XADD stream{k} MAXLEN 50 * n {v}"),
    (50, "XTRIM stream{k} MAXLEN ~ 20"),
    (50, "XGROUP CREATE stream{k} readers 0 MKSTREAM"),
    (100, "XREADGROUP GROUP readers c{v:3} COUNT 3 STREAMS stream{k} >"),
    (50, "XAUTOCLAIM stream{k} readers c{v:3} 0 0 COUNT 2"),
    (100, "XADD given{k} {v}-* n {v}"),
    (50, "XGROUP CREATE given{k} readers 0"),
    (50, "XREADGROUP GROUP readers c{v:3} COUNT 5 STREAMS given{k} >"),
    (50, "XACK given{k} readers {v}-0"),
    (50, "XCLAIM given{k} readers c{v:3} 0 {v}-0"),
    (50, "XDEL given{k} {v}-0"),
    (20, "DEL given{k}"),
    (100, "PFADD visitors{k} {v} {o}"),
    (50, "PFMERGE visitors{k} visitors{o}"),
    (100, "SETBIT bits{k} {v} 1"),
    (50, "BITFIELD bits{k} INCRBY u8 #{v:9} 1"),
    (50, "BITOP OR anded{k} bits{k} bits{o}"),
    (50, "GEOADD places{k} 13.{v} 38.{v} p{v:9}"),
    (1, "SELECT 3;SET kept{v:50} {v};FLUSHDB;SET flushed{v:50} {v};SELECT 0"),
];

/// Beginnings of the errors that other writers may cause.
const REFUSED: &[&[u8]] = &[
    b"-BUSYGROUP",
    b"-NOGROUP",
    b"-ERR no such key",
    b"-ERR index out of range",
    b"-ERR The ID specified in XADD",
    b"-ERR The XGROUP subcommand requires the key to exist",
];

/// A writer of all kinds of values.
#[derive(Clone, Copy, Debug)]
pub struct Mixed {
    /// Keys of each kind.
    pub keys: u64,
}

impl Mixed {
    /// Appends one command or a few; how many replies they have.
    pub fn put(&self, random: &mut Random, value: u64, out: &mut Vec<u8>) -> u64 {
        let sum: u64 = PATTERNS.iter().map(|p| p.0).sum();
        let (mut at, key, other) = (random.below(sum), random.below(self.keys), random.below(self.keys));
        let drawn = PATTERNS.iter().find(|(weight, _)| {
            let here = at < *weight;
            at = at.wrapping_sub(*weight);
            here
        });
        let text = drawn.expect("below the sum").1.replace("{k}", &key.to_string());
        let mut text = text.replace("{o}", &other.to_string()).replace("{v}", &value.to_string());
        while let Some(begin) = text.find("{v:") {
            let end = begin + text[begin..].find('}').expect("a pattern is whole");
            let below: u64 = text[begin + 3..end].parse().expect("a number");
            text.replace_range(begin..=end, &(value % below).to_string());
        }
        let commands = text.split(';').map(|command| command.split(' ').collect::<Vec<_>>());
        commands.map(|words| encode(&words, out)).count() as u64
    }

    /// Writes about `count` commands in pipelines; `false` when the connection broke.
    pub fn write(&self, port: u16, random: &mut Random, count: u64) -> bool {
        let Ok(mut client) = Client::connect(port) else { return false };
        let mut left = count;
        let mut out = Vec::new();
        while left > 0 {
            out.clear();
            let some = left.min(100);
            let replies: u64 = (0..some).map(|i| self.put(random, left - i, &mut out)).sum();
            if client.send_raw(&out).is_err() {
                return false;
            }
            for _ in 0..replies {
                let Ok(reply) = client.read_raw() else { return false };
                if reply.starts_with(b"-LOADING") {
                    return false;
                }
                let refused = REFUSED.iter().any(|error| reply.starts_with(error));
                assert!(refused || reply[0] != b'-', "{}", String::from_utf8_lossy(&reply));
            }
            left -= some;
        }
        true
    }
}
