//! State: what the effects add up to.

pub mod set;
pub mod shard;
pub mod table;
pub mod value;
pub mod watch;
