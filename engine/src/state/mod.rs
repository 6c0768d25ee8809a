//! State: what the effects add up to.

pub mod set;
pub mod table;
pub mod value;
