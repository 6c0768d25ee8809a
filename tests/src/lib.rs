//! The test library: what the integration rings under `tests/tests` share.
//!
//! Invariant: nothing here wires a node of its own; [`server`] starts the shipped binary.

pub mod agreement;
pub mod batches;
pub mod client;
pub mod cluster;
pub mod dns;
pub mod grammar;
pub mod log_effects;
pub mod memory_disk;
pub mod mixed;
pub mod plans;
pub mod proxy;
pub mod race;
pub mod random;
pub mod redis;
pub mod script;
pub mod server;
pub mod sim;
pub mod sim_disk;
pub mod small_disk;
