//! Numbers as Redis reads and writes them.

mod integer;
mod long_double;

pub use integer::{parse_i64, push_i64};
pub use long_double::LongDouble;
