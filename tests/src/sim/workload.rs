//! What clients send: a table of command families. A new type of value adds its rows here, nothing else.

use crate::random::Random;

/// Which names a family works on, unless the run mixes types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holds {
    String,
    Counter,
    Set,
    Hash,
    ZSet,
    List,
    Stream,
}

impl Holds {
    fn prefix(self) -> &'static str {
        match self {
            Holds::String => "str",
            Holds::Counter => "num",
            Holds::Set => "set",
            Holds::Hash => "hash",
            Holds::ZSet => "zset",
            Holds::List => "list",
            Holds::Stream => "stream",
        }
    }
}

/// Commands of one kind. `draw` gives one line of words.
pub struct Family {
    pub name: &'static str,
    /// It empties or exchanges whole databases.
    pub flushes: bool,
    /// It gives keys an end within the run.
    pub expires: bool,
    pub draw: fn(&mut Draw<'_>) -> String,
}

/// The names and values of one run.
pub struct Draw<'r> {
    pub random: &'r mut Random,
    pub keys: usize,
    pub mixed: bool,
}

impl Draw<'_> {
    pub fn key(&mut self, holds: Holds) -> String {
        let at = self.random.index(self.keys);
        if self.mixed { format!("k{at}") } else { format!("{}:{at}", holds.prefix()) }
    }

    pub fn value(&mut self) -> String {
        match self.random.index(12) {
            0 => "x".repeat(200),
            n => format!("v{n}{}", self.random.below(100)),
        }
    }

    pub fn member(&mut self) -> String {
        format!("m{}", self.random.below(6))
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    /// A time to live, ms: some end within the run.
    fn ms(&mut self) -> u64 {
        1 + self.random.below([50, 2_000, 100_000][self.random.clone().index(3)])
    }
}

const fn family(name: &'static str, draw: fn(&mut Draw<'_>) -> String) -> Family {
    Family { name, flushes: false, expires: false, draw }
}

const fn expiring(name: &'static str, draw: fn(&mut Draw<'_>) -> String) -> Family {
    Family { name, flushes: false, expires: true, draw }
}

use Holds::{Counter, Hash, List, Set, Stream, String as Text, ZSet};

/// Every family.
pub const FAMILIES: &[Family] = &[
    family("set", |d| format!("SET {} {}", d.key(Text), d.value())),
    family("set-options", |d| {
        let option = ["NX", "XX", "KEEPTTL", "GET"][d.below(4) as usize];
        format!("SET {} {} {option}", d.key(Text), d.value())
    }),
    expiring("set-px", |d| format!("SET {} {} PX {}", d.key(Text), d.value(), d.ms())),
    family("append", |d| format!("APPEND {} {}", d.key(Text), d.below(10))),
    family("setrange", |d| format!("SETRANGE {} {} {}", d.key(Text), d.below(8), d.value())),
    family("getdel", |d| format!("GETDEL {}", d.key(Text))),
    family("mset", |d| format!("MSET {} {} {} {}", d.key(Text), d.value(), d.key(Text), d.value())),
    family("incr", |d| format!("INCRBY {} {}", d.key(Counter), d.below(100))),
    family("decr", |d| format!("DECRBY {} {}", d.key(Counter), d.below(100))),
    family("incrbyfloat", |d| format!("INCRBYFLOAT {} {}.5", d.key(Counter), d.below(10))),
    family("set-number", |d| format!("SET {} {}", d.key(Counter), d.below(1000))),
    family("sadd", |d| format!("SADD {} {} {}", d.key(Set), d.member(), d.member())),
    family("srem", |d| format!("SREM {} {}", d.key(Set), d.member())),
    family("spop", |d| format!("SPOP {}", d.key(Set))),
    family("smove", |d| format!("SMOVE {} {} {}", d.key(Set), d.key(Set), d.member())),
    family("sunionstore", |d| format!("SUNIONSTORE {} {} {}", d.key(Set), d.key(Set), d.key(Set))),
    family("hset", |d| {
        format!("HSET {} {} {} {} {}", d.key(Hash), d.member(), d.value(), d.member(), d.below(100))
    }),
    family("hsetnx", |d| format!("HSETNX {} {} {}", d.key(Hash), d.member(), d.value())),
    family("hdel", |d| format!("HDEL {} {} {}", d.key(Hash), d.member(), d.member())),
    family("hincrby", |d| format!("HINCRBY {} n{} {}", d.key(Hash), d.below(4), d.below(100))),
    family("hincrbyfloat", |d| format!("HINCRBYFLOAT {} n{} {}.5", d.key(Hash), d.below(4), d.below(10))),
    expiring("hpexpire", |d| {
        format!("HPEXPIRE {} {} FIELDS 2 {} {}", d.key(Hash), d.ms(), d.member(), d.member())
    }),
    family("hpersist", |d| format!("HPERSIST {} FIELDS 1 {}", d.key(Hash), d.member())),
    expiring("hsetex", |d| {
        format!("HSETEX {} PX {} FIELDS 1 {} {}", d.key(Hash), d.ms(), d.member(), d.value())
    }),
    family("hsetex-keepttl", |d| {
        format!("HSETEX {} KEEPTTL FIELDS 1 n{} {}", d.key(Hash), d.below(4), d.below(100))
    }),
    expiring("hgetex", |d| format!("HGETEX {} PX {} FIELDS 1 n{}", d.key(Hash), d.ms(), d.below(4))),
    family("hgetdel", |d| format!("HGETDEL {} FIELDS 1 {}", d.key(Hash), d.member())),
    family("zadd", |d| {
        format!("ZADD {} {} {} {} {}", d.key(ZSet), d.below(100), d.member(), d.below(100), d.member())
    }),
    family("zadd-gt", |d| format!("ZADD {} GT {} {}", d.key(ZSet), d.below(200), d.member())),
    family("zadd-lt", |d| format!("ZADD {} LT {} {}", d.key(ZSet), d.below(200), d.member())),
    family("zincrby", |d| format!("ZINCRBY {} {} {}", d.key(ZSet), d.below(50), d.member())),
    family("zrem", |d| format!("ZREM {} {} {}", d.key(ZSet), d.member(), d.member())),
    family("zpopmin", |d| format!("ZPOPMIN {}", d.key(ZSet))),
    family("zunionstore", |d| format!("ZUNIONSTORE {} 2 {} {}", d.key(ZSet), d.key(ZSet), d.key(ZSet))),
    family("rpush", |d| format!("RPUSH {} {} {} {}", d.key(List), d.member(), d.value(), d.member())),
    family("lpush", |d| format!("LPUSH {} {} {}", d.key(List), d.value(), d.member())),
    family("linsert", |d| {
        let side = ["BEFORE", "AFTER"][d.below(2) as usize];
        format!("LINSERT {} {side} {} {}", d.key(List), d.member(), d.value())
    }),
    family("lset", |d| format!("LSET {} {} {}", d.key(List), d.below(3), d.value())),
    family("lrem", |d| format!("LREM {} {} {}", d.key(List), d.below(3), d.member())),
    family("lpop", |d| format!("LPOP {} {}", d.key(List), 1 + d.below(3))),
    family("rpop", |d| format!("RPOP {}", d.key(List))),
    family("ltrim", |d| format!("LTRIM {} {} -{}", d.key(List), d.below(2), 1 + d.below(3))),
    family("lmove", |d| {
        let (from, to) = (["LEFT", "RIGHT"][d.below(2) as usize], ["LEFT", "RIGHT"][d.below(2) as usize]);
        format!("LMOVE {} {} {from} {to}", d.key(List), d.key(List))
    }),
    family("xadd", |d| format!("XADD {} * {} {}", d.key(Stream), d.member(), d.value())),
    family("xadd-id", |d| {
        format!("XADD {} {}-{} f {}", d.key(Stream), d.below(300), 1 + d.below(3), d.value())
    }),
    family("xadd-trim", |d| format!("XADD {} MAXLEN {} * f {}", d.key(Stream), d.below(20), d.value())),
    family("xtrim", |d| format!("XTRIM {} MAXLEN {}", d.key(Stream), d.below(10))),
    family("xdel", |d| format!("XDEL {} {}-{}", d.key(Stream), d.below(300), 1 + d.below(3))),
    family("xsetid", |d| format!("XSETID {} {}", d.key(Stream), d.below(300))),
    family("xgroup-create", |d| format!("XGROUP CREATE {} g{} 0 MKSTREAM", d.key(Stream), d.below(2))),
    family("xgroup-destroy", |d| format!("XGROUP DESTROY {} g{}", d.key(Stream), d.below(2))),
    family("xgroup-delconsumer", |d| {
        format!("XGROUP DELCONSUMER {} g{} {}", d.key(Stream), d.below(2), d.member())
    }),
    family("xreadgroup", |d| {
        let (group, consumer, count) = (d.below(2), d.member(), 1 + d.below(4));
        format!("XREADGROUP GROUP g{group} {consumer} COUNT {count} STREAMS {} >", d.key(Stream))
    }),
    family("xreadgroup-own", |d| {
        format!("XREADGROUP GROUP g{} {} STREAMS {} 0", d.below(2), d.member(), d.key(Stream))
    }),
    family("xack", |d| format!("XACK {} g{} {}-{}", d.key(Stream), d.below(2), d.below(300), 1 + d.below(3))),
    family("xautoclaim", |d| {
        format!("XAUTOCLAIM {} g{} {} 0 0 COUNT {}", d.key(Stream), d.below(2), d.member(), 1 + d.below(5))
    }),
    family("del", |d| {
        let holds = [Text, Counter, Set, Hash, ZSet, List, Stream][d.below(7) as usize];
        format!("DEL {} {}", d.key(holds), d.key(holds))
    }),
    expiring("expire", |d| {
        let holds = [Text, Counter, Set, Hash, ZSet, List, Stream][d.below(7) as usize];
        format!("PEXPIRE {} {}", d.key(holds), d.ms())
    }),
    family("persist", |d| format!("PERSIST {}", d.key(Text))),
    family("rename", |d| {
        let holds = [Text, Set, Hash, ZSet, List, Stream][d.below(6) as usize];
        format!("RENAME {} {}", d.key(holds), d.key(holds))
    }),
    family("copy", |d| {
        let holds = [Text, Set, Hash, ZSet, List, Stream][d.below(6) as usize];
        format!("COPY {} {} REPLACE", d.key(holds), d.key(holds))
    }),
    family("move", |d| format!("MOVE {} 1", d.key(Text))),
    Family { name: "flushdb", flushes: true, expires: false, draw: |_| "FLUSHDB".into() },
    Family { name: "flushall", flushes: true, expires: false, draw: |_| "FLUSHALL".into() },
    Family { name: "swapdb", flushes: true, expires: false, draw: |_| "SWAPDB 0 1".into() },
];

/// The families of a run: all that do not flush, or a few of any kind.
pub fn draw_families(random: &mut Random) -> Vec<usize> {
    if random.index(3) == 0 {
        return (0..FAMILIES.len()).filter(|at| !FAMILIES[*at].flushes).collect();
    }
    (0..2 + random.index(8)).map(|_| random.index(FAMILIES.len())).collect()
}
