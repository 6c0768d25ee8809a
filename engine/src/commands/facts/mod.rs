//! The table's entries, by group.

pub mod bitmap;
pub mod connection;
pub mod generic;
pub mod geo;
pub mod hash;
pub mod hash_fields;
pub mod hyperloglog;
pub mod list;
pub mod memory;
pub mod monitor;
pub mod serialise;
pub mod server;
pub mod set;
pub mod sort;
pub mod sorted_set;
pub mod sorted_set_ranges;
pub mod stream;
pub mod stream_groups;
pub mod string;
pub mod transactions;
