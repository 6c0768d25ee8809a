//! Commands on hashes.

mod counter;
mod expire;
mod fields;
mod random;

pub use counter::{hincrby, hincrbyfloat};
pub use expire::{
    hexpire, hexpireat, hexpiretime, hgetdel, hgetex, hpersist, hpexpire, hpexpireat, hpexpiretime, hpttl,
    hsetex, httl,
};
pub use fields::{
    hdel, hexists, hget, hgetall, hkeys, hlen, hmget, hmset, hscan, hset, hsetnx, hstrlen, hvals,
};
pub use random::hrandfield;
