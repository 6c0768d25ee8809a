//! What both ends of every wire share: ids and clocks as plain types, varints, the RESP codec and the generated
//! peer messages.
//!
//! Invariant: nothing here knows what a command means or how effects merge.

pub mod id;
pub mod peer;
pub mod resp;
pub mod varint;

pub use id::{EffectId, Frontier, Hlc, NodeId, Seq};
