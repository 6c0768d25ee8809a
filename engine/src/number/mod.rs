//! Numbers as Redis reads and writes them.

pub mod bits;
mod double;
pub mod geohash;
mod integer;
mod long_double;

pub use double::{parse_bound, parse_f64};
pub use integer::{parse_i64, push_i64};
pub use long_double::LongDouble;
