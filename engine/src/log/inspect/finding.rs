//! What a survey of a directory can find wrong, and how much that matters.

use proto::{NodeId, Seq};

use crate::effect::batch::BatchError;
use crate::effect::record::RecordError;
use crate::log::error::Damage;

/// Something in the directory is not as a clean stop leaves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub file: String,
    /// Byte in the file; 0 for a file that is missing.
    pub offset: u64,
    pub trouble: Trouble,
    /// Where reading went on behind it, for what cannot be passed by one frame.
    pub resumed: Option<u64>,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    #[error(transparent)]
    Damage(Damage),
    /// Whole, and not for this version to judge.
    #[error("{0}")]
    Newer(Damage),
    /// The log holds no effects between the two.
    #[error("effects of {origin} are missing: {first} follows {last}")]
    Missing { origin: NodeId, last: Seq, first: Seq },
    #[error("torn tail: {bytes} bytes that no sync ever covered; the next start cuts them off")]
    Torn { bytes: u64 },
    #[error("unfinished file of an interrupted start or stop; the next start removes it")]
    Unfinished,
    #[error("superseded by the checkpoint; the next start removes it")]
    Superseded,
}

/// What follows from a finding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// The next start tidies it up; nothing that was durable is lost.
    Harmless,
    /// A node does not start on it, or would show too little.
    Damage,
    /// Written by a newer version: whole, but not for this one to judge.
    Newer,
}

impl Trouble {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            Trouble::Torn { .. } | Trouble::Unfinished | Trouble::Superseded => Severity::Harmless,
            Trouble::Newer(_) => Severity::Newer,
            Trouble::Damage(_) | Trouble::Missing { .. } => Severity::Damage,
        }
    }
}

impl From<Damage> for Trouble {
    /// For bytes whose checksum was seen to hold, or that have none: an unknown kind of batch is not among what is called
    /// newer here, as its header may be what is damaged.
    fn from(damage: Damage) -> Self {
        use RecordError::{UnknownFlags, UnknownKind};
        match damage {
            Damage::Version(_)
            | Damage::Batch(BatchError::Record { source: UnknownKind(_) | UnknownFlags(_), .. }) => {
                Trouble::Newer(damage)
            }
            _ => Trouble::Damage(damage),
        }
    }
}
