//! What all sessions of a node share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use parking_lot::RwLock;

use super::clients::Clients;
use super::settings::Settings;
use crate::commands::{CommandSpec, Flags};
use crate::core::Engine;

/// Facts about the process, for INFO.
#[derive(Clone, Debug, Default)]
pub struct ProcessFacts {
    pub pid: u32,
    pub uptime_seconds: u64,
    pub rss_bytes: u64,
    pub rss_peak_bytes: u64,
    /// Seconds of CPU, user and system.
    pub cpu_user: f64,
    pub cpu_system: f64,
    pub os: String,
    pub executable: String,
    pub config_file: String,
    pub port: u16,
    pub threads: usize,
    pub run_id: String,
    /// Links to peers as `name:value` lines.
    pub links: Vec<String>,
}

/// What the process does for sessions. Implemented by `cmd`, and by the simulator.
pub trait Host: Send + Sync {
    fn facts(&self) -> ProcessFacts;

    /// Unix microseconds.
    fn now_us(&self) -> u64;

    /// Blocks the calling reactor (DEBUG SLEEP).
    fn sleep_ms(&self, ms: u64);

    /// Wakes every reactor: something changed that concerns other connections (CLIENT KILL, UNPAUSE).
    fn wake(&self);

    /// Ends the process cleanly, soon.
    fn request_shutdown(&self);

    /// A setting changed at run time.
    fn setting_changed(&self, name: &str, value: &str);
}

/// Counters of sessions.
#[derive(Default, Debug)]
pub struct ServerStats {
    pub commands: AtomicU64,
    pub errors: AtomicU64,
    pub connections: AtomicU64,
    pub rejected: AtomicU64,
    pub input_bytes: AtomicU64,
    pub output_bytes: AtomicU64,
}

/// See the module.
pub struct Server {
    engine: Arc<Engine>,
    host: Box<dyn Host>,
    settings: RwLock<Settings>,
    clients: Clients,
    stats: ServerStats,
    bulk_bytes_max: AtomicUsize,
    query_bytes_max: AtomicUsize,
    pause_until_ms: AtomicU64,
    pause_all: AtomicBool,
}

impl Server {
    pub fn new(engine: Arc<Engine>, settings: Settings, host: Box<dyn Host>) -> Arc<Self> {
        let server = Server {
            engine,
            host,
            settings: RwLock::new(settings),
            clients: Clients::default(),
            stats: ServerStats::default(),
            bulk_bytes_max: AtomicUsize::new(0),
            query_bytes_max: AtomicUsize::new(0),
            pause_until_ms: AtomicU64::new(0),
            pause_all: AtomicBool::new(false),
        };
        server.apply_settings();
        Arc::new(server)
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    pub fn host(&self) -> &dyn Host {
        &*self.host
    }

    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    pub fn stats(&self) -> &ServerStats {
        &self.stats
    }

    pub fn settings(&self) -> &RwLock<Settings> {
        &self.settings
    }

    /// Takes over what the settings say now.
    pub(crate) fn apply_settings(&self) {
        let settings = self.settings.read();
        let bulk = settings.number("proto-max-bulk-len");
        self.bulk_bytes_max.store(bulk as usize, Relaxed);
        self.engine.set_string_bytes_max(bulk);
        self.query_bytes_max.store(settings.number("client-query-buffer-limit") as usize, Relaxed);
    }

    pub(crate) fn bulk_bytes_max(&self) -> usize {
        self.bulk_bytes_max.load(Relaxed)
    }

    /// `client-query-buffer-limit`, bytes.
    pub fn query_bytes_max(&self) -> usize {
        self.query_bytes_max.load(Relaxed)
    }

    /// `requirepass`, when set.
    pub fn password(&self) -> Option<String> {
        let settings = self.settings.read();
        let password = settings.text("requirepass");
        (!password.is_empty()).then(|| password.to_string())
    }

    /// Holds commands back until a moment (Unix ms): all, or only those that write.
    pub(crate) fn pause(&self, until_ms: u64, all: bool) {
        self.pause_all.store(all, Relaxed);
        self.pause_until_ms.fetch_max(until_ms, Relaxed);
    }

    pub(crate) fn unpause(&self) {
        self.pause_until_ms.store(0, Relaxed);
        self.host.wake();
    }

    #[inline]
    pub(super) fn paused(&self, now_ms: u64, spec: &CommandSpec) -> bool {
        let until_ms = self.pause_until_ms.load(Relaxed);
        if until_ms <= now_ms {
            return false;
        }
        // CLIENT must get through, or nothing could end the pause.
        let held = self.pause_all.load(Relaxed) || spec.flags.has(Flags::WRITE) || spec.name == "exec";
        held && spec.name != "client"
    }
}
