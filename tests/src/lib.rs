//! The test library: what the integration rings under `tests/tests` share.
//!
//! Invariant: nothing here wires a node of its own; [`server`] starts the shipped binary.

pub mod client;
pub mod proxy;
pub mod random;
pub mod script;
pub mod server;
