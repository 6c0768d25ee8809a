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
    /// A stream whose ids clients choose.
    Ids,
    Registers,
}

impl Holds {
    const ALL: [Holds; 9] = [Text, Counter, Set, Hash, ZSet, List, Stream, Ids, Registers];

    fn prefix(self) -> &'static str {
        match self {
            Holds::String => "str",
            Holds::Counter => "num",
            Holds::Set => "set",
            Holds::Hash => "hash",
            Holds::ZSet => "zset",
            Holds::List => "list",
            Holds::Stream => "stream",
            Holds::Ids => "ids",
            Holds::Registers => "hll",
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
    /// How long clients have been writing, ms.
    pub ms: u64,
    /// Ids of entries that this client was told.
    pub ids: &'r [String],
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

    /// A key of any type.
    pub fn any(&mut self) -> String {
        let holds = Holds::ALL[self.random.index(Holds::ALL.len())];
        self.key(holds)
    }

    pub fn stream(&mut self) -> String {
        let holds = [Stream, Ids][self.random.index(2)];
        self.key(holds)
    }

    /// The first part of an id that a client chooses now: few, so that nodes choose equal ones.
    fn id_ms(&self) -> u64 {
        1 + self.ms / 8
    }

    /// An id that an entry may have.
    pub fn id(&mut self) -> String {
        let (ms, place) = (self.id_ms(), self.random.index(self.ids.len() + 1));
        match self.ids.get(place).filter(|_| self.random.index(4) > 0) {
            Some(id) => id.clone(),
            None => format!("{}-{}", 1 + self.random.below(ms), 1 + self.random.below(3)),
        }
    }

    pub fn group(&mut self) -> String {
        format!("g{}", self.random.below(2))
    }

    pub fn member(&mut self) -> String {
        format!("m{}", self.random.below(6))
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    /// A time to live, ms: some end within the run.
    fn ttl(&mut self) -> u64 {
        1 + self.random.below([50, 2_000, 100_000][self.random.clone().index(3)])
    }
}

const fn family(name: &'static str, draw: fn(&mut Draw<'_>) -> String) -> Family {
    Family { name, flushes: false, expires: false, draw }
}

const fn expiring(name: &'static str, draw: fn(&mut Draw<'_>) -> String) -> Family {
    Family { name, flushes: false, expires: true, draw }
}

use Holds::{Counter, Hash, Ids, List, Registers, Set, Stream, String as Text, ZSet};

/// Every family.
pub const FAMILIES: &[Family] = &[
    family("set", |d| format!("SET {} {}", d.key(Text), d.value())),
    family("set-options", |d| {
        let option = ["NX", "XX", "KEEPTTL", "GET"][d.below(4) as usize];
        format!("SET {} {} {option}", d.key(Text), d.value())
    }),
    expiring("set-px", |d| format!("SET {} {} PX {}", d.key(Text), d.value(), d.ttl())),
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
        format!("HPEXPIRE {} {} FIELDS 2 {} {}", d.key(Hash), d.ttl(), d.member(), d.member())
    }),
    family("hpersist", |d| format!("HPERSIST {} FIELDS 1 {}", d.key(Hash), d.member())),
    expiring("hsetex", |d| {
        format!("HSETEX {} PX {} FIELDS 1 {} {}", d.key(Hash), d.ttl(), d.member(), d.value())
    }),
    family("hsetex-keepttl", |d| {
        format!("HSETEX {} KEEPTTL FIELDS 1 n{} {}", d.key(Hash), d.below(4), d.below(100))
    }),
    expiring("hgetex", |d| format!("HGETEX {} PX {} FIELDS 1 n{}", d.key(Hash), d.ttl(), d.below(4))),
    family("hgetex-persist", |d| format!("HGETEX {} PERSIST FIELDS 1 n{}", d.key(Hash), d.below(4))),
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
    family("xadd-id", |d| format!("XADD {} {}-{} f {}", d.key(Ids), d.id_ms(), 1 + d.below(3), d.value())),
    family("xadd-part", |d| format!("XADD {} {}-* f {}", d.key(Ids), d.id_ms(), d.value())),
    family("xadd-trim", |d| format!("XADD {} MAXLEN {} * f {}", d.key(Stream), d.below(20), d.value())),
    family("xadd-minid", |d| format!("XADD {} MINID {} * f {}", d.key(Stream), d.id(), d.value())),
    family("xtrim", |d| format!("XTRIM {} MAXLEN {}", d.stream(), d.below(10))),
    family("xtrim-minid", |d| format!("XTRIM {} MINID {}", d.stream(), d.id())),
    family("xdel", |d| format!("XDEL {} {} {}", d.stream(), d.id(), d.id())),
    family("xsetid", |d| format!("XSETID {} {}-9", d.key(Ids), d.id_ms())),
    family("xgroup-create", |d| format!("XGROUP CREATE {} {} 0 MKSTREAM", d.stream(), d.group())),
    family("xgroup-create-end", |d| format!("XGROUP CREATE {} {} $", d.stream(), d.group())),
    family("xgroup-setid", |d| format!("XGROUP SETID {} {} {}", d.stream(), d.group(), d.id())),
    family("xgroup-destroy", |d| format!("XGROUP DESTROY {} {}", d.stream(), d.group())),
    family("xgroup-consumers", |d| {
        let what = ["CREATECONSUMER", "DELCONSUMER"][d.below(2) as usize];
        format!("XGROUP {what} {} {} {}", d.stream(), d.group(), d.member())
    }),
    family("xreadgroup", |d| {
        let (group, consumer, count) = (d.group(), d.member(), 1 + d.below(4));
        format!("XREADGROUP GROUP {group} {consumer} COUNT {count} STREAMS {} >", d.stream())
    }),
    family("xreadgroup-noack", |d| {
        format!("XREADGROUP GROUP {} {} NOACK STREAMS {} >", d.group(), d.member(), d.stream())
    }),
    family("xreadgroup-own", |d| {
        format!("XREADGROUP GROUP {} {} STREAMS {} 0", d.group(), d.member(), d.stream())
    }),
    family("xack", |d| format!("XACK {} {} {} {}", d.stream(), d.group(), d.id(), d.id())),
    family("xclaim", |d| {
        let force = ["FORCE", "JUSTID", "RETRYCOUNT 3"][d.below(3) as usize];
        format!("XCLAIM {} {} {} 0 {} {} {force}", d.stream(), d.group(), d.member(), d.id(), d.id())
    }),
    family("xautoclaim", |d| {
        format!("XAUTOCLAIM {} {} {} 0 0 COUNT {}", d.stream(), d.group(), d.member(), 1 + d.below(5))
    }),
    family("setbit", |d| format!("SETBIT {} {} {}", d.key(Text), d.below(40), d.below(2))),
    family("bitfield", |d| {
        format!("BITFIELD {} INCRBY u4 {} 3 SET u3 4 {}", d.key(Text), d.below(20), d.below(8))
    }),
    family("bitop", |d| format!("BITOP OR {} {} {}", d.key(Text), d.key(Text), d.key(Text))),
    family("pfadd", |d| format!("PFADD {} {} {}", d.key(Registers), d.value(), d.below(1000))),
    family("pfmerge", |d| format!("PFMERGE {} {}", d.key(Registers), d.key(Registers))),
    family("geoadd", |d| format!("GEOADD {} {} {} {}", d.key(ZSet), d.below(170), d.below(80), d.member())),
    family("sort-store", |d| {
        let from = [Set, List][d.below(2) as usize];
        format!("SORT {} ALPHA STORE {}", d.key(from), d.key(List))
    }),
    family("del", |d| format!("DEL {} {}", d.any(), d.any())),
    expiring("expire", |d| format!("PEXPIRE {} {}", d.any(), d.ttl())),
    family("persist", |d| format!("PERSIST {}", d.any())),
    family("rename", |d| {
        let holds = Holds::ALL[d.below(9) as usize];
        format!("RENAME {} {}", d.key(holds), d.key(holds))
    }),
    family("copy", |d| {
        let holds = Holds::ALL[d.below(9) as usize];
        format!("COPY {} {} REPLACE", d.key(holds), d.key(holds))
    }),
    family("move", |d| format!("MOVE {} 1", d.any())),
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
