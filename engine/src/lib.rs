//! Everything that decides: effects, merge, state, commands, sessions, log and replication.
//!
//! Invariant: no sockets, files, clocks, threads or OS randomness; time and IO are arguments and traits, so that the
//! simulator runs this code as it ships.

pub mod effect;
pub mod merge;
pub mod number;
pub mod refusal;
pub mod replication;
pub mod state;
