//! Every setting, with its kind, default and whether it may change at run time.

use crate::core::POLICIES;

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Bool,
    Integer {
        min: i64,
        max: i64,
    },
    /// Bytes, with a unit.
    Memory {
        min: i64,
        max: i64,
    },
    Choice(&'static [&'static str]),
    Text,
    /// Pairs of seconds and changes.
    Save,
    /// Groups of class, hard limit, soft limit, seconds.
    OutputLimits,
    /// Classes of keyspace events.
    Events,
}

/// When a value may change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// With CONFIG SET.
    Live,
    /// Only before the start.
    Fixed,
    /// It has one value; the text says why.
    Only(&'static str),
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub name: &'static str,
    /// An older name for the same value.
    pub alias: Option<&'static str>,
    pub kind: Kind,
    pub default: &'static str,
    pub change: Change,
}

const fn live(name: &'static str, kind: Kind, default: &'static str) -> Setting {
    Setting { name, alias: None, kind, default, change: Change::Live }
}

const fn fixed(name: &'static str, kind: Kind, default: &'static str) -> Setting {
    Setting { name, alias: None, kind, default, change: Change::Fixed }
}

const fn only(name: &'static str, kind: Kind, value: &'static str, why: &'static str) -> Setting {
    Setting { name, alias: None, kind, default: value, change: Change::Only(why) }
}

const fn aliased(name: &'static str, alias: &'static str, kind: Kind, default: &'static str) -> Setting {
    Setting { name, alias: Some(alias), kind, default, change: Change::Live }
}

const COUNT: Kind = Kind::Integer { min: 0, max: i32::MAX as i64 };
const SIGNED: Kind = Kind::Integer { min: i32::MIN as i64, max: i32::MAX as i64 };
const LONG: Kind = Kind::Integer { min: 0, max: i64::MAX };
const BYTES: Kind = Kind::Memory { min: 0, max: i64::MAX };
const BYTES_FROM_1M: Kind = Kind::Memory { min: 1 << 20, max: i64::MAX };

/// Ordered by name.
pub static SETTINGS: &[Setting] = &[
    live("acks-timeout", LONG, "1000"),
    live("active-expire-effort", Kind::Integer { min: 1, max: 10 }, "1"),
    live("activedefrag", Kind::Bool, "no"),
    live("activerehashing", Kind::Bool, "yes"),
    live("aof-rewrite-incremental-fsync", Kind::Bool, "yes"),
    live("aof-use-rdb-preamble", Kind::Bool, "yes"),
    live("appendfsync", Kind::Choice(&["everysec", "always", "no"]), "everysec"),
    only("appendonly", Kind::Bool, "yes", "the effect log is always on"),
    live("auto-aof-rewrite-min-size", BYTES, "67108864"),
    live("auto-aof-rewrite-percentage", COUNT, "100"),
    fixed("bind", Kind::Text, "127.0.0.1"),
    aliased("busy-reply-threshold", "lua-time-limit", LONG, "5000"),
    live("checkpoint-interval", COUNT, "3600"),
    live("checkpoint-log-size", BYTES, "268435456"),
    live("checkpoint-on-shutdown", Kind::Bool, "yes"),
    live(
        "client-output-buffer-limit",
        Kind::OutputLimits,
        "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
    ),
    live("client-query-buffer-limit", BYTES_FROM_1M, "1073741824"),
    only("cluster-enabled", Kind::Bool, "no", "nodes find each other by --join, not by Redis Cluster"),
    live("compare-interval", LONG, "1000"),
    live("conflict-feed-size", Kind::Integer { min: 0, max: 1_000_000 }, "1024"),
    only("daemonize", Kind::Bool, "no", "the process stays in the foreground"),
    fixed("databases", Kind::Integer { min: 1, max: i32::MAX as i64 }, "16"),
    fixed("dbfilename", Kind::Text, "dump.rdb"),
    fixed("dir", Kind::Text, ""),
    live("disable-thp", Kind::Bool, "yes"),
    live("dynamic-hz", Kind::Bool, "yes"),
    fixed("enable-debug-command", Kind::Choice(&["yes", "no", "local"]), "local"),
    aliased("hash-max-listpack-entries", "hash-max-ziplist-entries", LONG, "512"),
    aliased("hash-max-listpack-value", "hash-max-ziplist-value", LONG, "64"),
    live("hll-sparse-max-bytes", LONG, "3000"),
    live("hz", COUNT, "10"),
    fixed("io-threads", Kind::Integer { min: 1, max: 1024 }, "1"),
    live("jemalloc-bg-thread", Kind::Bool, "yes"),
    live("latency-monitor-threshold", LONG, "0"),
    live("latency-tracking", Kind::Bool, "yes"),
    live("lazyfree-lazy-eviction", Kind::Bool, "no"),
    live("lazyfree-lazy-expire", Kind::Bool, "no"),
    live("lazyfree-lazy-server-del", Kind::Bool, "no"),
    live("lazyfree-lazy-user-del", Kind::Bool, "no"),
    live("lazyfree-lazy-user-flush", Kind::Bool, "no"),
    live("lfu-decay-time", COUNT, "1"),
    live("lfu-log-factor", COUNT, "10"),
    live("list-compress-depth", COUNT, "0"),
    aliased("list-max-listpack-size", "list-max-ziplist-size", SIGNED, "-2"),
    live("log-absent-size", BYTES, "0"),
    live("log-retention-size", BYTES, "67108864"),
    fixed("logfile", Kind::Text, ""),
    live("loglevel", Kind::Choice(&["debug", "verbose", "notice", "warning"]), "notice"),
    live("max-divergence-size", BYTES, "0"),
    live("max-divergence-time", LONG, "0"),
    live("maxclients", Kind::Integer { min: 1, max: u32::MAX as i64 }, "10000"),
    live("maxmemory", BYTES, "0"),
    live("maxmemory-eviction-tenacity", Kind::Integer { min: 0, max: 100 }, "10"),
    live("maxmemory-policy", Kind::Choice(&POLICIES), "noeviction"),
    live("maxmemory-samples", Kind::Integer { min: 1, max: i32::MAX as i64 }, "5"),
    live("min-replicas-max-lag", COUNT, "10"),
    only("min-replicas-to-write", COUNT, "0", "there are no replicas in Redis' sense"),
    live("no-appendfsync-on-rewrite", Kind::Bool, "no"),
    only("notify-keyspace-events", Kind::Events, "", "there are no keyspace events yet"),
    fixed("pidfile", Kind::Text, ""),
    fixed("port", Kind::Integer { min: 0, max: 65535 }, "6379"),
    live("proto-max-bulk-len", BYTES_FROM_1M, "536870912"),
    live("repl-backlog-size", Kind::Memory { min: 1, max: i64::MAX }, "1048576"),
    live("repl-diskless-sync", Kind::Bool, "yes"),
    live("repl-diskless-sync-delay", COUNT, "5"),
    live("repl-timeout", Kind::Integer { min: 1, max: i32::MAX as i64 }, "60"),
    aliased("replica-read-only", "slave-read-only", Kind::Bool, "yes"),
    aliased("replica-serve-stale-data", "slave-serve-stale-data", Kind::Bool, "yes"),
    live("requirepass", Kind::Text, ""),
    live("sanitize-dump-payload", Kind::Choice(&["no", "yes", "clients"]), "no"),
    live("save", Kind::Save, ""),
    live("set-max-intset-entries", LONG, "512"),
    live("shutdown-timeout", COUNT, "10"),
    live("slowlog-log-slower-than", Kind::Integer { min: -1, max: i64::MAX }, "10000"),
    live("slowlog-max-len", LONG, "128"),
    live("stop-writes-on-bgsave-error", Kind::Bool, "yes"),
    live("stream-node-max-bytes", BYTES, "4096"),
    live("stream-node-max-entries", LONG, "100"),
    fixed("tcp-backlog", COUNT, "511"),
    fixed("tcp-keepalive", COUNT, "300"),
    live("timeout", COUNT, "0"),
    live("tracking-table-max-keys", LONG, "1000000"),
    fixed("unixsocket", Kind::Text, ""),
    fixed("unixsocketperm", Kind::Text, "0"),
    aliased("zset-max-listpack-entries", "zset-max-ziplist-entries", LONG, "128"),
    aliased("zset-max-listpack-value", "zset-max-ziplist-value", LONG, "64"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::config::value::canonical;

    #[test]
    fn names_are_ordered_and_every_default_is_valid() {
        assert!(SETTINGS.is_sorted_by(|a, b| a.name < b.name));
        for setting in SETTINGS {
            assert_eq!(
                canonical(setting.kind, setting.default.as_bytes()).as_deref(),
                Ok(setting.default),
                "{}",
                setting.name
            );
        }
    }
}
