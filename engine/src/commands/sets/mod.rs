//! Commands on sets.

mod algebra;
mod members;
mod random;

pub use algebra::{sdiff, sdiffstore, sinter, sintercard, sinterstore, sunion, sunionstore};
pub use members::{sadd, scard, sismember, smembers, smismember, smove, srem, sscan};
pub use random::{spop, srandmember};
