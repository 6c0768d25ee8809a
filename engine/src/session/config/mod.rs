//! Settings under Redis' names: CONFIG GET and CONFIG SET, and the values that the hot path reads.
//!
//! Invariants: a CONFIG SET of several settings takes all of them or none; a value read back is the canonical text.

mod settings;
mod value;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use parking_lot::{Mutex, RwLock};

use crate::core::{POLICIES, Policy};
use crate::glob;
use crate::state::access::Lfu;
use crate::state::limits;
use settings::{Change, SETTINGS};
pub use value::{OutputLimit, parse_bytes};

/// Values that are read often, kept in step with their texts.
#[derive(Default)]
pub struct Live {
    pub needs_password: AtomicBool,
    /// Bytes.
    pub bulk_bytes_max: AtomicU64,
    pub query_bytes_max: AtomicU64,
    /// Output limits of normal clients: bytes at once; bytes for so many seconds. 0 = none.
    pub output_hard: AtomicU64,
    pub output_soft: AtomicU64,
    pub output_soft_seconds: AtomicU64,
    /// How long a reply waits for the members that a rule's `acks` asks for, ms, 0 = for ever.
    pub acks_timeout_ms: AtomicU64,
    /// Seconds a client may be idle, 0 = for ever.
    pub timeout_seconds: AtomicU64,
    pub clients_max: AtomicU64,
    /// Microseconds; negative = off.
    pub slowlog_us: AtomicI64,
    pub slowlog_len_max: AtomicU64,
    pub databases: AtomicU32,
    /// Allocated bytes past which keys are evicted and commands that add data refused, 0 = none.
    pub memory_max: AtomicU64,
    /// Place in [`POLICIES`].
    pub eviction_policy: AtomicUsize,
    /// Keys looked at for each one evicted.
    pub eviction_samples: AtomicUsize,
    /// How long a command may go on evicting, 0 to 100.
    pub eviction_tenacity: AtomicU32,
    pub lfu_log_factor: AtomicU32,
    pub lfu_decay_minutes: AtomicU32,
}

impl Live {
    /// The policy in force; `None` evicts nothing.
    pub fn policy(&self) -> Option<Policy> {
        Policy::at(self.eviction_policy.load(Relaxed))
    }

    /// How uses are to be counted; `None` under a policy that does not.
    pub fn lfu(&self) -> Option<Lfu> {
        self.policy().filter(|policy| policy.counts_uses()).map(|_| Lfu {
            log_factor: self.lfu_log_factor.load(Relaxed),
            decay_minutes: self.lfu_decay_minutes.load(Relaxed),
        })
    }
}

/// Why CONFIG SET took nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConfigRefusal {
    #[error("ERR Unknown option or number of arguments for CONFIG SET - '{0}'")]
    Unknown(String),
    #[error("ERR CONFIG SET failed (possibly related to argument '{name}') - {why}")]
    Failed { name: String, why: String },
}

/// See the module.
pub struct Config {
    values: RwLock<Vec<String>>,
    live: Live,
    /// One CONFIG SET at a time.
    setting: Mutex<()>,
}

impl Default for Config {
    fn default() -> Self {
        let values = SETTINGS.iter().map(|s| s.default.to_string()).collect();
        let config = Config { values: RwLock::new(values), live: Live::default(), setting: Mutex::new(()) };
        (0..SETTINGS.len()).for_each(|at| config.refresh(at));
        config
    }
}

fn position(name: &str) -> Option<usize> {
    let named = |n: &str| n.eq_ignore_ascii_case(name);
    SETTINGS.iter().position(|s| named(s.name) || s.alias.is_some_and(named))
}

impl Config {
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// The value of a setting, empty when there is none of this name.
    pub fn text(&self, name: &str) -> String {
        position(name).map_or_else(String::new, |at| self.values.read()[at].clone())
    }

    /// Gives a setting its value before the start, also one that cannot change afterwards.
    pub fn init(&self, name: &str, value: &str) -> Result<(), ConfigRefusal> {
        let at = position(name).ok_or_else(|| ConfigRefusal::Unknown(name.into()))?;
        let text = value::canonical(SETTINGS[at].kind, value.as_bytes())
            .map_err(|why| ConfigRefusal::Failed { name: name.into(), why })?;
        self.put(at, text);
        Ok(())
    }

    /// Names and values that match any of the patterns, each once. A name given without wildcards is told as it was spelled.
    pub fn matching(&self, patterns: &[&[u8]]) -> Vec<(String, String)> {
        let wanted =
            |name: &str| patterns.iter().any(|p| glob::matches(&p.to_ascii_lowercase(), name.as_bytes()));
        let values = self.values.read();
        let names = SETTINGS.iter().enumerate();
        names
            .flat_map(|(at, s)| [Some(s.name), s.alias].into_iter().flatten().map(move |n| (n, at)))
            .filter(|(name, _)| wanted(name))
            .map(|(name, at)| {
                let spelled = patterns.iter().find(|p| p.eq_ignore_ascii_case(name.as_bytes()));
                let name = spelled.map_or_else(|| name.into(), |p| String::from_utf8_lossy(p).into_owned());
                (name, values[at].clone())
            })
            .collect()
    }

    /// Sets all pairs or none. Returns what is now set.
    pub fn set(&self, pairs: &[(&[u8], &[u8])]) -> Result<Vec<(&'static str, String)>, ConfigRefusal> {
        let _one_at_a_time = self.setting.lock();
        let mut planned: Vec<(usize, String)> = Vec::with_capacity(pairs.len());
        for (name, value) in pairs {
            let name = String::from_utf8_lossy(name).into_owned();
            let Some(at) = position(&name) else { return Err(ConfigRefusal::Unknown(name)) };
            let failed = |why: String| ConfigRefusal::Failed { name: name.clone(), why };
            let setting = &SETTINGS[at];
            if setting.change == Change::Fixed {
                return Err(failed("can't set immutable config".into()));
            }
            if planned.iter().any(|(p, _)| *p == at) {
                return Err(failed("duplicate parameter".into()));
            }
            let mut text = value::canonical(setting.kind, value).map_err(failed)?;
            match setting.change {
                Change::Only(why) if text != setting.default => {
                    let text =
                        format!("can't set immutable config: it can only be '{}', {why}", setting.default);
                    return Err(failed(text));
                }
                _ => {}
            }
            if setting.name == "client-output-buffer-limit" {
                text = self.merged_limits(&text);
            }
            planned.push((at, text));
        }
        for (at, text) in &planned {
            self.put(*at, text.clone());
        }
        Ok(planned.into_iter().map(|(at, text)| (SETTINGS[at].name, text)).collect())
    }

    /// Classes that a change does not name keep their limits.
    fn merged_limits(&self, text: &str) -> String {
        let old = value::output_limits(&self.text("client-output-buffer-limit")).unwrap_or_default();
        let new = value::output_limits(text).unwrap_or_default();
        let merged = [0, 1, 2].map(|i| new[i].or(old[i]));
        value::limits_text(&merged)
    }

    fn put(&self, at: usize, text: String) {
        self.values.write()[at] = text;
        self.refresh(at);
    }

    fn refresh(&self, at: usize) {
        let text = self.values.read()[at].clone();
        let number = || text.parse::<u64>().unwrap_or(0);
        let live = &self.live;
        match SETTINGS[at].name {
            "requirepass" => live.needs_password.store(!text.is_empty(), Relaxed),
            "proto-max-bulk-len" => live.bulk_bytes_max.store(number(), Relaxed),
            "client-query-buffer-limit" => live.query_bytes_max.store(number(), Relaxed),
            "acks-timeout" => live.acks_timeout_ms.store(number(), Relaxed),
            "timeout" => live.timeout_seconds.store(number(), Relaxed),
            "maxclients" => live.clients_max.store(number(), Relaxed),
            "slowlog-log-slower-than" => live.slowlog_us.store(text.parse().unwrap_or(-1), Relaxed),
            "slowlog-max-len" => live.slowlog_len_max.store(number(), Relaxed),
            "databases" => live.databases.store(number() as u32, Relaxed),
            "maxmemory" => live.memory_max.store(number(), Relaxed),
            "maxmemory-policy" => {
                let place = POLICIES.iter().position(|p| *p == text).unwrap_or(POLICIES.len() - 1);
                live.eviction_policy.store(place, Relaxed);
            }
            "maxmemory-samples" => live.eviction_samples.store(number() as usize, Relaxed),
            "maxmemory-eviction-tenacity" => live.eviction_tenacity.store(number() as u32, Relaxed),
            "lfu-log-factor" => live.lfu_log_factor.store(number() as u32, Relaxed),
            "lfu-decay-time" => live.lfu_decay_minutes.store(number() as u32, Relaxed),
            "client-output-buffer-limit" => {
                let limits = value::output_limits(&text).unwrap_or_default();
                let normal = limits[0].unwrap_or_default();
                live.output_hard.store(normal.hard, Relaxed);
                live.output_soft.store(normal.soft, Relaxed);
                live.output_soft_seconds.store(normal.seconds, Relaxed);
            }
            name => {
                if let Some(limit) = limits::LIMITS.iter().find(|limit| limit.name == name) {
                    limit.set(usize::try_from(number()).unwrap_or(usize::MAX));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_settings_change_together_or_not_at_all() {
        let config = Config::default();
        let refused = config.set(&[(b"timeout", b"7"), (b"hz", b"x")]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "ERR CONFIG SET failed (possibly related to argument 'hz') - argument couldn't be parsed into an integer"
        );
        assert_eq!(config.text("timeout"), "0");
        config.set(&[(b"timeout", b"7"), (b"client-output-buffer-limit", b"normal 1mb 0 0")]).unwrap();
        assert_eq!(config.live().timeout_seconds.load(Relaxed), 7);
        assert_eq!(config.live().output_hard.load(Relaxed), 1 << 20);
        assert!(config.text("client-output-buffer-limit").contains("pubsub 33554432"));
    }

    #[test]
    fn fixed_unknown_and_repeated_settings_are_refused_by_name() {
        let config = Config::default();
        let text = |pairs: &[(&[u8], &[u8])]| config.set(pairs).unwrap_err().to_string();
        assert!(text(&[(b"port", b"1")]).ends_with("can't set immutable config"));
        assert_eq!(
            text(&[(b"foo", b"1")]),
            "ERR Unknown option or number of arguments for CONFIG SET - 'foo'"
        );
        assert!(text(&[(b"hz", b"10"), (b"hz", b"11")]).ends_with("duplicate parameter"));
        assert!(text(&[(b"appendonly", b"no")]).contains("the effect log is always on"));
        config.set(&[(b"appendonly", b"yes")]).unwrap();
    }

    #[test]
    fn patterns_match_names_and_aliases() {
        let config = Config::default();
        let names: Vec<_> = config.matching(&[b"SLAVE-*", b"hz"]).into_iter().map(|m| m.0).collect();
        assert_eq!(names, ["hz", "slave-read-only", "slave-serve-stale-data"]);
    }
}
