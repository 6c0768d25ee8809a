//! Ids and clocks: who wrote an effect, which one it was, and when.

use std::fmt;

use smallvec::SmallVec;

/// A node's identity: 64 random bits, new for every *incarnation* of a data directory, so an [`EffectId`] is never
/// reused. Zero is never a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NodeId(pub u64);

/// Position of an effect in its node's dense sequence, from 1. Zero means "none yet".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(pub u64);

/// Hybrid logical clock: 48 bits of Unix milliseconds above 16 logical bits. Unique and monotonic per node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hlc(pub u64);

/// Names one effect for ever (the "dot" of the CRDT literature).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EffectId {
    pub node: NodeId,
    pub seq: Seq,
}

impl EffectId {
    pub const NONE: EffectId = EffectId { node: NodeId(0), seq: Seq(0) };
    /// Stands for "whatever is stable", where an effect names the value it was made on.
    pub const STABLE: EffectId = EffectId { node: NodeId(0), seq: Seq(1) };

    pub fn new(node: NodeId, seq: Seq) -> Self {
        Self { node, seq }
    }
}

impl Hlc {
    /// The first instant of a millisecond.
    pub fn from_ms(ms: u64) -> Self {
        Hlc(ms << 16)
    }

    /// Unix milliseconds.
    pub fn ms(self) -> u64 {
        self.0 >> 16
    }

    pub fn logical(self) -> u16 {
        self.0 as u16
    }
}

/// Version vector: node id → highest contiguous seq. Sorted by node id; absent means zero.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Frontier(SmallVec<[(NodeId, Seq); 4]>);

impl Frontier {
    pub const fn new() -> Self {
        Frontier(SmallVec::new_const())
    }

    pub fn seq(&self, node: NodeId) -> Seq {
        match self.0.binary_search_by_key(&node, |e| e.0) {
            Ok(i) => self.0[i].1,
            Err(_) => Seq(0),
        }
    }

    /// Sets a component, upwards or downwards; zero removes it.
    pub fn set(&mut self, node: NodeId, seq: Seq) {
        match self.0.binary_search_by_key(&node, |e| e.0) {
            Ok(i) if seq.0 == 0 => {
                self.0.remove(i);
            }
            Ok(i) => self.0[i].1 = seq,
            Err(_) if seq.0 == 0 => {}
            Err(i) => self.0.insert(i, (node, seq)),
        }
    }

    /// Raises a component; never lowers it.
    pub fn advance(&mut self, node: NodeId, seq: Seq) {
        if self.seq(node) < seq {
            self.set(node, seq);
        }
    }

    pub fn contains(&self, id: EffectId) -> bool {
        id.seq <= self.seq(id.node)
    }

    /// True when every component of `other` is reached here.
    pub fn covers(&self, other: &Frontier) -> bool {
        other.iter().all(|(node, seq)| self.seq(node) >= seq)
    }

    /// Pointwise maximum.
    pub fn join(&mut self, other: &Frontier) {
        for (node, seq) in other.iter() {
            self.advance(node, seq);
        }
    }

    /// Pointwise minimum.
    pub fn meet(&mut self, other: &Frontier) {
        for e in self.0.iter_mut() {
            e.1 = e.1.min(other.seq(e.0));
        }
        self.0.retain(|e| e.1.0 != 0);
    }

    pub fn iter(&self) -> impl Iterator<Item = (NodeId, Seq)> + '_ {
        self.0.iter().copied()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(NodeId, Seq)> for Frontier {
    fn from_iter<T: IntoIterator<Item = (NodeId, Seq)>>(iter: T) -> Self {
        let mut f = Frontier::new();
        for (node, seq) in iter {
            f.advance(node, seq);
        }
        f
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.ms(), self.logical())
    }
}

impl fmt::Debug for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for EffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.node, self.seq)
    }
}

impl fmt::Debug for EffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:{:?}", self.node, self.seq)
    }
}

impl fmt::Debug for Frontier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frontier_join_and_meet_are_pointwise() {
        let a: Frontier = [(NodeId(1), Seq(5)), (NodeId(2), Seq(3))].into_iter().collect();
        let b: Frontier = [(NodeId(2), Seq(7)), (NodeId(3), Seq(1))].into_iter().collect();
        let mut join = a.clone();
        join.join(&b);
        assert_eq!(join.iter().map(|e| e.1.0).collect::<Vec<_>>(), [5, 7, 1]);
        let mut meet = a.clone();
        meet.meet(&b);
        assert_eq!(meet.iter().collect::<Vec<_>>(), [(NodeId(2), Seq(3))]);
        assert!(join.covers(&a) && join.covers(&b) && !a.covers(&join));
    }
}
