//! State: what the effects add up to.

pub mod access;
pub mod footprint;
mod hash_set;
pub(crate) mod sample;
pub mod set;
pub mod shard;
pub mod table;
pub mod value;
pub mod waiters;
pub mod watch;
