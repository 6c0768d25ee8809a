//! Numbers as Redis reads and writes them.

mod long_double;

pub use long_double::LongDouble;
