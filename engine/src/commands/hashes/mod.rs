//! Commands on hashes.

mod counter;
mod fields;
mod random;

pub use counter::{hincrby, hincrbyfloat};
pub use fields::{
    hdel, hexists, hget, hgetall, hkeys, hlen, hmget, hmset, hscan, hset, hsetnx, hstrlen, hvals,
};
pub use random::hrandfield;
