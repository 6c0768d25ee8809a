//! What all sessions of a process share: the engine, settings, clients, counters and the pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use super::clients::Clients;
use super::config::{Config, ConfigRefusal};
use super::host::Host;
use super::meter::Counters;
use super::slowlog::SlowLog;
use crate::core::{CheckpointDone, CheckpointError, CheckpointPolicy, Engine, Fsync, Pool};

/// Traffic, counted by the reactors.
#[derive(Default, Debug)]
pub struct Traffic {
    pub connections: AtomicU64,
    pub rejected: AtomicU64,
    pub bytes_in: AtomicU64,
    pub bytes_out: AtomicU64,
    pub reads: AtomicU64,
    pub writes: AtomicU64,
    /// Clients closed because their unsent replies grew past the limit.
    pub output_limited: AtomicU64,
}

/// Who waits while clients are paused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Paused {
    Writes,
    All,
}

#[derive(Default)]
struct Pause {
    until_ms: AtomicU64,
    all: AtomicBool,
}

/// Rates over the last samples.
#[derive(Clone, Copy, Default, Debug)]
pub struct Rates {
    pub calls_per_second: u64,
    pub in_per_second: u64,
    pub out_per_second: u64,
}

const SAMPLES: usize = 16;

#[derive(Default)]
struct Sampler {
    /// (ms, calls, in, out) at each sample, oldest first.
    samples: std::collections::VecDeque<(u64, u64, u64, u64)>,
}

/// See the module.
pub struct Server {
    engine: Arc<Engine>,
    host: Arc<dyn Host>,
    pub config: Config,
    pub clients: Clients,
    pub counters: Counters,
    pub traffic: Traffic,
    pub slowlog: SlowLog,
    pause: Pause,
    sampler: Mutex<Sampler>,
    /// Clients whose command waits.
    pub(crate) blocked: AtomicU64,
    /// Writes whose reply waited for peers, and those of them whose time was up first.
    pub(crate) acked_writes: AtomicU64,
    pub(crate) acks_missed: AtomicU64,
    pub(super) memory_peak: AtomicU64,
    pub(super) eviction: Mutex<Pool>,
    pub started_ms: u64,
}

impl Server {
    pub fn new(engine: Arc<Engine>, host: Arc<dyn Host>, config: Config, now_ms: u64) -> Self {
        let server = Server {
            engine,
            host,
            config,
            clients: Clients::default(),
            counters: Counters::default(),
            traffic: Traffic::default(),
            slowlog: SlowLog::default(),
            pause: Pause::default(),
            sampler: Mutex::default(),
            blocked: AtomicU64::new(0),
            acked_writes: AtomicU64::new(0),
            acks_missed: AtomicU64::new(0),
            memory_peak: AtomicU64::new(0),
            eviction: Mutex::default(),
            started_ms: now_ms,
        };
        server.engine.set_string_bytes_max(server.config.live().bulk_bytes_max.load(Relaxed));
        server.engine.set_lfu(server.config.live().lfu());
        server.engine.set_compare_interval(server.config.text("compare-interval").parse().unwrap_or(0));
        let feed_size = server.config.text("conflict-feed-size").parse().unwrap_or(0);
        server.engine.set_conflict_feed_size(feed_size);
        server.bound_divergence();
        server.plan_checkpoints();
        // Not held: the host's links hold the engine.
        let host = Arc::downgrade(&server.host);
        server.engine.on_wake(Box::new(move |reactor| {
            if let Some(host) = host.upgrade() {
                host.wake(reactor);
            }
        }));
        server
    }

    /// Tells the engine what the settings say of checkpoints.
    fn plan_checkpoints(&self) {
        let number = |name: &str| self.config.text(name).parse().unwrap_or(0);
        let save = self.config.text("save");
        let numbers: Vec<u64> = save.split_whitespace().filter_map(|n| n.parse().ok()).collect();
        self.engine.set_checkpoint_policy(CheckpointPolicy {
            log_bytes: number("checkpoint-log-size"),
            interval_s: number("checkpoint-interval"),
            retention_bytes: number("log-retention-size"),
            absent_bytes: number("log-absent-size"),
            points: numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect(),
        });
    }

    fn bound_divergence(&self) {
        let number = |name: &str| self.config.text(name).parse().unwrap_or(0);
        self.engine.set_max_divergence(number("max-divergence-size"), number("max-divergence-time"));
    }

    /// SAVE: takes a checkpoint on the caller's thread. `stop` ends the attempt.
    pub fn checkpoint(&self, stop: &dyn Fn() -> bool) -> Result<CheckpointDone, CheckpointError> {
        self.engine.checkpoint(&|| self.host.unix_us() / 1000, stop)
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    pub fn host(&self) -> &dyn Host {
        &*self.host
    }

    /// CONFIG SET, with everything that follows from it.
    pub fn configure(&self, pairs: &[(&[u8], &[u8])]) -> Result<(), ConfigRefusal> {
        for (name, value) in self.config.set(pairs)? {
            match name {
                "proto-max-bulk-len" => {
                    self.engine.set_string_bytes_max(self.config.live().bulk_bytes_max.load(Relaxed));
                }
                "maxmemory-policy" | "lfu-log-factor" | "lfu-decay-time" => {
                    self.engine.set_lfu(self.config.live().lfu());
                }
                "save"
                | "checkpoint-interval"
                | "checkpoint-log-size"
                | "log-retention-size"
                | "log-absent-size" => {
                    self.plan_checkpoints();
                }
                "max-divergence-size" | "max-divergence-time" => self.bound_divergence(),
                "compare-interval" => self.engine.set_compare_interval(value.parse().unwrap_or(0)),
                "conflict-feed-size" => self.engine.set_conflict_feed_size(value.parse().unwrap_or(0)),
                "appendfsync" => self.engine.set_fsync(match value.as_str() {
                    "always" => Fsync::Always,
                    "no" => Fsync::No,
                    _ => Fsync::EverySecond,
                }),
                _ => self.host.configured(name, &value),
            }
        }
        Ok(())
    }

    /// CLIENT PAUSE: a longer or stricter pause in force stays.
    pub fn pause(&self, until_ms: u64, paused: Paused, now_ms: u64) {
        let in_force = self.paused(now_ms).is_some();
        if in_force {
            self.pause.until_ms.fetch_max(until_ms, Relaxed);
            self.pause.all.fetch_or(paused == Paused::All, Relaxed);
        } else {
            self.pause.all.store(paused == Paused::All, Relaxed);
            self.pause.until_ms.store(until_ms, Relaxed);
        }
    }

    pub fn unpause(&self) {
        self.pause.until_ms.store(0, Relaxed);
    }

    #[inline]
    pub fn paused(&self, now_ms: u64) -> Option<Paused> {
        if self.pause.until_ms.load(Relaxed) <= now_ms {
            return None;
        }
        Some(if self.pause.all.load(Relaxed) { Paused::All } else { Paused::Writes })
    }

    /// Takes a sample for the rates; call about ten times a second.
    pub fn sample(&self, now_ms: u64) {
        let calls = self.counters.calls();
        let (inward, outward) = (self.traffic.bytes_in.load(Relaxed), self.traffic.bytes_out.load(Relaxed));
        self.memory_used();
        let mut sampler = self.sampler.lock();
        sampler.samples.push_back((now_ms, calls, inward, outward));
        if sampler.samples.len() > SAMPLES {
            sampler.samples.pop_front();
        }
    }

    pub fn rates(&self) -> Rates {
        let sampler = self.sampler.lock();
        let (Some(first), Some(last)) = (sampler.samples.front(), sampler.samples.back()) else {
            return Rates::default();
        };
        let ms = last.0.saturating_sub(first.0).max(1);
        let per_second = |a: u64, b: u64| b.saturating_sub(a) * 1000 / ms;
        Rates {
            calls_per_second: per_second(first.1, last.1),
            in_per_second: per_second(first.2, last.2),
            out_per_second: per_second(first.3, last.3),
        }
    }

    /// CONFIG RESETSTAT.
    pub fn reset_stats(&self, keyspace: crate::state::shard::ShardStats) {
        self.counters.reset();
        let t = &self.traffic;
        for counter in
            [&t.connections, &t.rejected, &t.bytes_in, &t.bytes_out, &t.reads, &t.writes, &t.output_limited]
        {
            counter.store(0, Relaxed);
        }
        let mut sampler = self.sampler.lock();
        sampler.samples.clear();
        drop(sampler);
        self.engine.reset_stats(keyspace);
    }
}
