//! Write commands of every kind on a keyspace small enough for nodes to meet on keys: what long tests of clusters write.

use proto::resp::Value;

use crate::client::{Client, encode};
use crate::random::Random;
use crate::server::Server;

/// Which kinds of values a node takes.
#[derive(Clone, Copy, Debug)]
pub struct Kinds {
    keys: u64,
    hashes: bool,
    sorted_sets: bool,
    lists: bool,
    streams: bool,
}

impl Kinds {
    /// Asks the node; `keys` of each kind.
    pub fn of(node: &Server, keys: u64) -> Kinds {
        let mut client = node.client();
        let mut has = |name: &str| match client.run(&format!("COMMAND INFO {name}")) {
            Value::Array(infos) => matches!(infos.first(), Some(Value::Array(_))),
            _ => false,
        };
        Kinds {
            keys,
            hashes: has("hset"),
            sorted_sets: has("zadd"),
            lists: has("rpush"),
            streams: has("xadd"),
        }
    }

    /// Appends one command or one transaction; how many replies it has.
    pub fn put(&self, random: &mut Random, value: u64, out: &mut Vec<u8>) -> u64 {
        let key = random.below(self.keys);
        let other = random.below(self.keys);
        let (text, number) = (|prefix: &str| format!("{prefix}{key}"), value.to_string());
        let mut one = |words: &[&str]| encode(words, out);
        match random.below(44) {
            0..8 => one(&["SET", &text("string"), &number]),
            8..13 => one(&["INCRBY", &text("counter"), &number]),
            13 => one(&["INCRBYFLOAT", &text("float"), "0.5"]),
            14..18 => one(&["SADD", &text("set"), &number, "shared"]),
            18 => one(&["SREM", &text("set"), "shared"]),
            19 => one(&["SPOP", &text("set")]),
            20 => one(&["SMOVE", &text("set"), &format!("set{other}"), "shared"]),
            21 => one(&["SUNIONSTORE", &text("union"), &text("set"), &format!("set{other}")]),
            22 => one(&["APPEND", &text("text"), &number]),
            23 => one(&["SETRANGE", &text("text"), "3", &number]),
            24 => one(&["MSET", &text("string"), &number, &text("pair"), &number]),
            25 => one(&["SET", &text("expiring"), &number, "PX", "3600000"]),
            26 => one(&["EXPIRE", &text("string"), "7200"]),
            27 => one(&["PERSIST", &text("string")]),
            28 => one(&["DEL", &text("text")]),
            29 => one(&["COPY", &text("string"), &format!("copy{other}"), "REPLACE"]),
            30 => one(&["GETDEL", &text("pair")]),
            31 => {
                one(&["MULTI"]);
                one(&["INCR", &text("counter")]);
                one(&["SADD", &text("set"), &number]);
                one(&["SET", &text("string"), &number]);
                one(&["EXEC"]);
                return 5;
            }
            32 | 33 if self.hashes => one(&["HSET", &text("hash"), &format!("f{}", value % 7), &number]),
            34 if self.hashes => one(&["HINCRBY", &text("hash"), "count", "3"]),
            35 if self.hashes => one(&["HDEL", &text("hash"), &format!("f{}", value % 7)]),
            36 if self.sorted_sets => one(&["ZADD", &text("zset"), &number, &format!("m{}", value % 9)]),
            37 if self.sorted_sets => one(&["ZINCRBY", &text("zset"), "2", &format!("m{}", value % 9)]),
            38 if self.lists => one(&["RPUSH", &text("list"), &number]),
            39 if self.lists => one(&["LPOP", &text("list")]),
            40 if self.lists => one(&["LPUSH", &text("list"), &number, "shared"]),
            41 if self.lists => one(&["LMOVE", &text("list"), &format!("list{other}"), "LEFT", "RIGHT"]),
            42 if self.lists => one(&["LINSERT", &text("list"), "BEFORE", "shared", &number]),
            43 if self.lists => one(&["LREM", &text("list"), "1", "shared"]),
            40 if self.streams => one(&["XADD", &text("stream"), "*", "n", &number]),
            41 if self.streams => one(&["XADD", &text("stream"), "MAXLEN", "50", "*", "n", &number]),
            42 if self.streams => one(&["XTRIM", &text("stream"), "MAXLEN", "~", "20"]),
            _ => one(&["SETNX", &text("once"), &number]),
        }
        1
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
                let loading = reply.starts_with(b"-LOADING");
                assert!(loading || reply[0] != b'-', "{}", String::from_utf8_lossy(&reply));
                if loading {
                    return false;
                }
            }
            left -= some;
        }
        true
    }
}
