//! CONFIG: settings by their Redis names.

use std::collections::BTreeMap;

use crate::commands::args::is;

#[derive(Clone, Copy, Debug)]
enum Kind {
    Bool,
    /// Within bounds.
    Integer(i64, i64),
    /// Bytes, with units (`1mb`).
    Memory,
    OneOf(&'static [&'static str]),
    Text,
}

struct Known {
    name: &'static str,
    default: &'static str,
    kind: Kind,
    /// May change at run time.
    mutable: bool,
}

const fn known(name: &'static str, default: &'static str, kind: Kind, mutable: bool) -> Known {
    Known { name, default, kind, mutable }
}

const MAX: i64 = i64::MAX;

/// Settings that exist. Those that change nothing here yet are kept because clients and tools read and write them.
static KNOWN: &[Known] = &[
    known("port", "6379", Kind::Integer(0, 65535), false),
    known("bind", "127.0.0.1", Kind::Text, false),
    known("unixsocket", "", Kind::Text, false),
    known("dir", "", Kind::Text, false),
    known("databases", "16", Kind::Integer(1, i32::MAX as i64), false),
    known("io-threads", "1", Kind::Integer(1, 128), false),
    known("appendonly", "yes", Kind::OneOf(&["yes"]), true),
    known("appendfsync", "everysec", Kind::OneOf(&["always", "everysec", "no"]), false),
    known("save", "", Kind::Text, true),
    known("requirepass", "", Kind::Text, true),
    known("timeout", "0", Kind::Integer(0, i32::MAX as i64), true),
    known("tcp-keepalive", "300", Kind::Integer(0, i32::MAX as i64), true),
    known("maxclients", "10000", Kind::Integer(1, u32::MAX as i64), true),
    known("proto-max-bulk-len", "536870912", Kind::Memory, true),
    known("client-query-buffer-limit", "1073741824", Kind::Memory, true),
    known(
        "client-output-buffer-limit",
        "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
        Kind::Text,
        true,
    ),
    known("maxmemory", "0", Kind::OneOf(&["0"]), true),
    known("maxmemory-policy", "noeviction", Kind::OneOf(&["noeviction"]), true),
    known("maxmemory-samples", "5", Kind::Integer(1, i32::MAX as i64), true),
    known("hz", "10", Kind::Integer(1, 500), true),
    known("dynamic-hz", "yes", Kind::Bool, true),
    known("loglevel", "info", Kind::OneOf(&["error", "warn", "info", "debug", "trace"]), false),
    known("lazyfree-lazy-eviction", "no", Kind::Bool, true),
    known("lazyfree-lazy-expire", "no", Kind::Bool, true),
    known("lazyfree-lazy-server-del", "no", Kind::Bool, true),
    known("lazyfree-lazy-user-del", "no", Kind::Bool, true),
    known("lazyfree-lazy-user-flush", "no", Kind::Bool, true),
    known("set-max-intset-entries", "512", Kind::Integer(0, MAX), true),
    known("hash-max-listpack-entries", "512", Kind::Integer(0, MAX), true),
    known("hash-max-listpack-value", "64", Kind::Integer(0, MAX), true),
    known("hash-max-ziplist-entries", "512", Kind::Integer(0, MAX), true),
    known("hash-max-ziplist-value", "64", Kind::Integer(0, MAX), true),
    known("list-max-listpack-size", "-2", Kind::Integer(-5, MAX), true),
    known("list-max-ziplist-size", "-2", Kind::Integer(-5, MAX), true),
    known("zset-max-listpack-entries", "128", Kind::Integer(0, MAX), true),
    known("zset-max-listpack-value", "64", Kind::Integer(0, MAX), true),
    known("zset-max-ziplist-entries", "128", Kind::Integer(0, MAX), true),
    known("zset-max-ziplist-value", "64", Kind::Integer(0, MAX), true),
    known("slowlog-log-slower-than", "10000", Kind::Integer(-1, MAX), true),
    known("slowlog-max-len", "128", Kind::Integer(0, MAX), true),
    known("latency-monitor-threshold", "0", Kind::Integer(0, MAX), true),
    known("latency-tracking", "yes", Kind::Bool, true),
    known("notify-keyspace-events", "", Kind::Text, true),
    known("activedefrag", "no", Kind::Bool, true),
    known("active-expire-effort", "1", Kind::Integer(1, 10), true),
    known("close-on-oom", "no", Kind::Bool, true),
    known("cluster-enabled", "no", Kind::Bool, false),
    known("replica-read-only", "yes", Kind::Bool, true),
    known("repl-diskless-sync", "yes", Kind::Bool, true),
    known("stop-writes-on-bgsave-error", "yes", Kind::Bool, true),
    known("rdbcompression", "yes", Kind::Bool, true),
    known("rdbchecksum", "yes", Kind::Bool, true),
    known("auto-aof-rewrite-percentage", "100", Kind::Integer(0, i32::MAX as i64), true),
    known("auto-aof-rewrite-min-size", "67108864", Kind::Memory, true),
    known("busy-reply-threshold", "5000", Kind::Integer(0, MAX), true),
    known("lua-time-limit", "5000", Kind::Integer(0, MAX), true),
];

/// Why a setting was refused; texts as Redis 7.0 has them.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SettingError {
    #[error("Unknown option or number of arguments for CONFIG SET - '{0}'")]
    Unknown(String),
    #[error("CONFIG SET failed (possibly related to argument '{name}') - {why}")]
    Refused { name: String, why: String },
}

/// Current values by name.
#[derive(Clone, Debug)]
pub struct Settings(BTreeMap<&'static str, String>);

impl Default for Settings {
    fn default() -> Self {
        Settings(KNOWN.iter().map(|k| (k.name, k.default.to_string())).collect())
    }
}

fn find(name: &[u8]) -> Option<&'static Known> {
    KNOWN.iter().find(|k| is(name, k.name))
}

/// Reads bytes with an optional unit, as Redis' `memtoull`.
fn memory(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

fn check(known: &Known, value: &str) -> Result<String, String> {
    match known.kind {
        Kind::Text => Ok(value.into()),
        Kind::Bool => match value.to_ascii_lowercase().as_str() {
            "yes" => Ok("yes".into()),
            "no" => Ok("no".into()),
            _ => Err("argument must be 'yes' or 'no'".into()),
        },
        Kind::Integer(min, max) => match value.parse::<i64>() {
            Ok(n) if (min..=max).contains(&n) => Ok(n.to_string()),
            Ok(_) => Err(format!("argument must be between {min} and {max} inclusive")),
            Err(_) => Err("argument couldn't be parsed into an integer".into()),
        },
        Kind::Memory => match memory(value) {
            Some(bytes) => Ok(bytes.to_string()),
            None => Err("argument must be a memory value".into()),
        },
        Kind::OneOf(values) => match values.iter().find(|v| v.eq_ignore_ascii_case(value)) {
            Some(value) => Ok((*value).into()),
            None => {
                let all: Vec<_> = values.iter().map(|v| v.to_string()).collect();
                Err(format!("argument(s) must be one of the following: {}", all.join(", ")))
            }
        },
    }
}

impl Settings {
    /// A value as text; empty for an unknown name.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// A value as a number; zero where it is none.
    pub fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or(0)
    }

    /// Sets a start-up value that was checked elsewhere.
    pub fn preset(&mut self, name: &'static str, value: String) {
        debug_assert!(find(name.as_bytes()).is_some());
        self.0.insert(name, value);
    }

    /// Names and values matching a glob pattern, in any case.
    pub fn matching(&self, pattern: &[u8]) -> impl Iterator<Item = (&'static str, &str)> {
        let pattern = pattern.to_ascii_lowercase();
        self.0
            .iter()
            .filter(move |(n, _)| crate::glob::matches(&pattern, n.as_bytes()))
            .map(|(n, v)| (*n, v.as_str()))
    }

    /// Changes several settings, all or none.
    pub fn change(&mut self, pairs: &[(&[u8], &[u8])]) -> Result<Vec<&'static str>, SettingError> {
        let mut changes: Vec<(&'static str, String)> = Vec::new();
        for (name, value) in pairs {
            let shown = String::from_utf8_lossy(name).into_owned();
            let known = find(name).ok_or_else(|| SettingError::Unknown(shown.clone()))?;
            let refused = |why: String| SettingError::Refused { name: shown.clone(), why };
            if changes.iter().any(|(n, _)| *n == known.name) {
                return Err(refused("duplicate parameter".into()));
            }
            if !known.mutable {
                return Err(refused("can't set immutable config".into()));
            }
            let value = String::from_utf8_lossy(value);
            changes.push((known.name, check(known, &value).map_err(refused)?));
        }
        let names = changes.iter().map(|c| c.0).collect();
        self.0.extend(changes);
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_settings_change_all_or_none() {
        let mut settings = Settings::default();
        let pairs: [(&[u8], &[u8]); 2] = [(b"timeout", b"5"), (b"proto-max-bulk-len", b"1mb")];
        assert_eq!(settings.change(&pairs), Ok(vec!["timeout", "proto-max-bulk-len"]));
        assert_eq!(settings.number("proto-max-bulk-len"), 1 << 20);
        let pairs: [(&[u8], &[u8]); 2] = [(b"timeout", b"9"), (b"hz", b"0")];
        assert!(settings.change(&pairs).is_err());
        assert_eq!(settings.text("timeout"), "5");
        assert!(matches!(settings.change(&[(b"nosuch", b"1")]), Err(SettingError::Unknown(_))));
        assert!(settings.change(&[(b"port", b"1")]).is_err());
    }
}
