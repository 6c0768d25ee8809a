//! Ordered key index.

/// What the index holds.
pub trait Keyed: Copy + Send {
    fn key(&self) -> &[u8];
    fn is_dead(&self) -> bool;
}
