//! State: what the effects add up to.

pub mod access;
pub mod footprint;
pub mod graveyard;
mod handle;
pub mod hash;
mod hash_table;
pub mod limits;
pub mod list;
mod packed;
mod ranked;
pub(crate) mod sample;
pub mod set;
pub mod shard;
mod spots;
pub mod stream;
pub mod table;
pub mod value;
pub mod waiters;
pub mod watch;
pub mod zset;
