<<<<<<< HEAD
//! The test library: what the integration rings under `tests/tests` share.
//!
//! Invariant: nothing here wires a node of its own; [`server`] starts the shipped binary.

pub mod client;
pub mod race;
pub mod random;
pub mod script;
pub mod server;
=======
//! Drivers, simulation and fixtures shared by the test rings.

pub mod proxy;
>>>>>>> beacon
