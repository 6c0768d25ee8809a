//! Merge: what a set of effects adds up to, whatever order it came in.
//!
//! [`solo`] folds where everything is stable at once; [`window`] folds where effects may be concurrent; [`oracle`] is the slow,
//! obvious specification that both must equal.

pub mod causal;
pub mod elements;
mod list;
pub mod oracle;
pub mod solo;
pub mod streams;
pub mod text;
pub mod window;

pub(crate) use window::render;
pub use window::{Dispute, ExplainedEffect, Explanation, Pruned, Rule, Side, Verdict, Window};
