//! State: what the effects add up to.

pub mod set;
