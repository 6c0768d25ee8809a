//! The table's entries, by group.

pub mod connection;
pub mod generic;
pub mod hash;
pub mod memory;
pub mod monitor;
pub mod server;
pub mod set;
pub mod sorted_set;
pub mod sorted_set_ranges;
pub mod string;
pub mod transactions;
