//! Everything that decides: effects, merge, state, commands, sessions, log and replication.
//!
//! Invariant: no sockets, files, clocks, threads or OS randomness; time and IO are arguments and traits, so that the
//! simulator runs this code as it ships. Only a latch that is held makes a thread wait.

pub mod commands;
pub mod core;
pub mod disk;
pub mod effect;
pub mod glob;
pub mod hyperloglog;
pub(crate) mod image;
pub mod latch;
pub mod log;
pub mod merge;
pub mod number;
#[cfg(feature = "planted")]
pub mod planted;
pub mod rdb;
pub mod refusal;
pub mod replication;
pub mod safety;
pub mod session;
pub mod state;

/// The Redis version whose replies are given, as HELLO and INFO tell it.
pub const REDIS_VERSION: &str = "7.0.15";

/// Our own version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
