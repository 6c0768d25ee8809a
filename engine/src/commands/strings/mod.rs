//! Commands on strings.

mod counter;
mod get;
mod lcs;
mod many;
mod options;
mod range;
mod set;

pub use counter::{decr, decrby, incr, incrby, incrbyfloat};
pub use get::{get, getdel, getex, getset, strlen};
pub use lcs::lcs;
pub use many::{mget, mset, msetnx};
pub use range::{append, getrange, setrange, substr};
pub use set::{psetex, set, setex, setnx};

use crate::effect::{Expiry, Op, Payload};

/// An assignment of a string.
pub(super) fn assign(value: &[u8], expiry: Expiry) -> Op<'_> {
    Op::Assign { payload: Payload::String(value), expiry }
}
