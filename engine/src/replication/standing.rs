//! How two nodes stand to each other when a link comes up: whether the log of one still has what the other lacks.
//!
//! ```text
//! theirs.dropped ⊆ ours.shown  and  ours.dropped ⊆ theirs.shown   level: streams and NACKs do the rest
//! theirs.dropped ⊄ ours.shown                                     behind: we need a checkpoint of theirs
//! both ways                                                       apart: each lacks what the other dropped
//! ```
//! Who is behind is a *stranger* too unless it has shown everything that the other folded as stable: what it wrote so far was
//! written beside a base whose history is gone, and cannot be merged any more.
//!
//! Pure; both ends judge the same two positions and agree.

use proto::Frontier;

/// What a node says of itself at the handshake.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Position {
    /// Everything shown.
    pub shown: Frontier,
    /// What the log does not have any more.
    pub dropped: Frontier,
    /// What was folded as stable.
    pub settled: Frontier,
}

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    Level,
    /// We need a checkpoint of the peer's.
    Behind {
        stranger: bool,
    },
    /// The peer needs one of ours.
    Ahead {
        stranger: bool,
    },
    Apart,
}

impl Standing {
    /// What passes over the link is no use to one of the two until it has a checkpoint.
    pub fn is_level(self) -> bool {
        self == Standing::Level
    }
}

/// See the module.
pub fn judge(ours: &Position, theirs: &Position) -> Standing {
    let behind = !ours.shown.covers(&theirs.dropped);
    let ahead = !theirs.shown.covers(&ours.dropped);
    match (behind, ahead) {
        (true, true) => Standing::Apart,
        (true, false) => Standing::Behind { stranger: !ours.shown.covers(&theirs.settled) },
        (false, true) => Standing::Ahead { stranger: !theirs.shown.covers(&ours.settled) },
        (false, false) => Standing::Level,
    }
}

#[cfg(test)]
mod tests {
    use proto::{NodeId, Seq};

    use super::*;

    fn at(components: &[(u64, u64)]) -> Frontier {
        components.iter().map(|&(n, s)| (NodeId(n), Seq(s))).collect()
    }

    fn position(shown: &[(u64, u64)], dropped: &[(u64, u64)], settled: &[(u64, u64)]) -> Position {
        Position { shown: at(shown), dropped: at(dropped), settled: at(settled) }
    }

    #[test]
    fn both_ends_agree() {
        let old = position(&[(1, 9), (2, 4)], &[(1, 5)], &[(1, 8)]);
        let fresh = Position::default();
        assert_eq!(judge(&fresh, &old), Standing::Behind { stranger: true });
        assert_eq!(judge(&old, &fresh), Standing::Ahead { stranger: true });
        let away = position(&[(1, 4)], &[], &[]);
        assert_eq!(
            judge(&away, &position(&[(1, 9)], &[(1, 5)], &[(1, 3)])),
            Standing::Behind { stranger: false }
        );
        let near = position(&[(1, 5)], &[], &[]);
        assert!(judge(&near, &old).is_level());
        let other = position(&[(3, 7)], &[(3, 2)], &[(3, 7)]);
        assert_eq!(judge(&other, &old), Standing::Apart);
        assert_eq!(judge(&old, &other), Standing::Apart);
    }
}
