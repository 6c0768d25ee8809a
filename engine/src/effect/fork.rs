//! Fork choice: one order on concurrent effects that every node computes alike.

use std::cmp::Ordering;

use proto::{Hlc, NodeId};
use sha2::{Digest, Sha256};

/// SHA-256 over node id and HLC, both as little-endian u64. Breaks ties only.
pub fn fork_choice_hash(node: NodeId, hlc: Hlc) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(node.0.to_le_bytes());
    hasher.update(hlc.0.to_le_bytes());
    hasher.finalize().into()
}

/// Orders two effects by (HLC, hash, node); of concurrent assignments the greatest wins. The hash is computed only on an
/// HLC tie.
pub fn fork_choice_cmp(a: (Hlc, NodeId), b: (Hlc, NodeId)) -> Ordering {
    a.0.cmp(&b.0).then_with(|| {
        if a.1 == b.1 {
            return Ordering::Equal;
        }
        fork_choice_hash(a.1, a.0).cmp(&fork_choice_hash(b.1, b.0)).then(a.1.cmp(&b.1))
    })
}

/// `a` loses to `b`.
pub fn fork_choice_less(a: (Hlc, NodeId), b: (Hlc, NodeId)) -> bool {
    fork_choice_cmp(a, b) == Ordering::Less
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_hlc_wins_whatever_the_hash() {
        for node in 1..50 {
            assert!(fork_choice_less((Hlc(9), NodeId(node)), (Hlc(10), NodeId(100 - node))));
        }
    }

    #[test]
    fn a_tie_is_decided_by_the_hash_and_is_total() {
        let (a, b) = ((Hlc(7), NodeId(1)), (Hlc(7), NodeId(2)));
        assert_ne!(fork_choice_less(a, b), fork_choice_less(b, a));
        assert_eq!(fork_choice_less(a, b), fork_choice_hash(a.1, a.0) < fork_choice_hash(b.1, b.0));
    }
}
