//! What a server asks of the process it runs in. `cmd` implements it over the operating system, the simulator over its world.

use proto::NodeId;

/// Facts that never change while the process runs.
#[derive(Clone, Debug, Default)]
pub struct ProcessFacts {
    pub pid: u32,
    /// `sysname release machine`.
    pub os: String,
    pub executable: String,
    /// Absolute path, empty without one.
    pub config_file: String,
    /// 40 hex digits, new at every start.
    pub run_id: String,
    pub tcp_port: u16,
    /// Bytes.
    pub memory_total: u64,
    pub allocator: &'static str,
    /// Bytes allocated before the log was opened.
    pub allocated_at_start: u64,
    pub build: String,
}

/// What the process has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessUsage {
    /// Resident bytes.
    pub rss: u64,
    /// Bytes that the allocator holds ready, handed out or not.
    pub committed: u64,
    pub cpu_user_us: u64,
    pub cpu_system_us: u64,
}

/// How SHUTDOWN asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ShutdownRequest {
    /// Skip what may take time.
    pub now: bool,
    /// Go down even if the log cannot be made durable.
    pub force: bool,
    /// Take a checkpoint first, or do not, whatever the setting says.
    pub save: Option<bool>,
}

/// See the module.
pub trait Host: Send + Sync {
    fn facts(&self) -> &ProcessFacts;

    fn usage(&self) -> ProcessUsage;

    /// Bytes now allocated. Cheap: asked for before every command that adds data while there is a limit.
    fn allocated(&self) -> u64;

    /// Gives memory that holds nothing back to the system (MEMORY PURGE).
    fn release_memory(&self);

    /// A steady clock for durations, microseconds.
    fn monotonic_us(&self) -> u64;

    /// The wall clock, Unix microseconds.
    fn unix_us(&self) -> u64;

    /// Blocks the calling reactor (DEBUG SLEEP).
    fn sleep_us(&self, us: u64);

    /// Begins a clean stop; returns at once.
    fn shutdown(&self, request: ShutdownRequest);

    /// A client served by this reactor was marked as killed.
    fn killed(&self, reactor: usize);

    /// Clients served by this reactor were woken ([`crate::core::Engine::take_woken`]).
    fn wake(&self, reactor: usize);

    /// Round-trip times of the links that are up, microseconds; none where there are no real links.
    fn round_trips_us(&self) -> Vec<(NodeId, u64)> {
        Vec::new()
    }

    /// The links to peers, one `name:value` line each.
    fn links(&self) -> Vec<String>;

    /// A setting that lives in the process changed (`loglevel`).
    fn configured(&self, name: &str, value: &str);
}
