//! What can go wrong with the log, each naming its file and byte.

use proto::NodeId;

use super::LogPosition;
use crate::disk::DiskError;
use crate::effect::batch::BatchError;

/// Why the log refused. Only [`LogError::Full`] clears by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The disk failed while opening or reading; nothing was written wrongly.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A write or sync failed, now or earlier, so what is on disk is no longer known: no write is taken any more.
    #[error("the log takes no more writes: {0}")]
    Poisoned(DiskError),
    /// No space. Nothing of the refused append is in the log; the same append may succeed later.
    #[error("the disk is full: {0}")]
    Full(DiskError),
    /// [`Log::close_clean`](super::Log::close_clean) was called.
    #[error("the log is closed")]
    Closed,
    /// The caller handed in something that is not whole batches. Nothing was written.
    #[error("refused to append at byte {at} of the given batches: {source}")]
    NotBatches { at: usize, source: BatchError },
    /// The beginning of the log was dropped after a checkpoint, and with it what was asked for.
    #[error("the log before position {0} was dropped after a checkpoint")]
    Dropped(LogPosition),
    /// Stored bytes are not what was written.
    #[error("{file} is damaged at byte {offset}: {damage}")]
    Damaged { file: String, offset: u64, damage: Damage },
    /// A whole batch that the engine could not take back.
    #[error("{file}, batch at byte {offset}, cannot be applied: {source}")]
    Replay { file: String, offset: u64, source: BatchError },
}

/// How stored bytes differ from what was written.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum Damage {
    #[error("the file is missing")]
    Missing,
    #[error("it ends too early")]
    Short,
    #[error("its magic is {0:#010x}")]
    Magic(u32),
    #[error("its checksum does not match")]
    Checksum,
    #[error("format version {0} is not known here: written by a newer version")]
    Version(u32),
    #[error("a field contradicts the file's size or place")]
    Field,
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error("it ends at log position {found}, the next segment begins at {expected}")]
    Gap { expected: LogPosition, found: LogPosition },
    #[error("it says that the log ends at position {marked}, the log ends at {found}")]
    End { marked: LogPosition, found: LogPosition },
    #[error(
        "the log ends at position {found}, but everything before {durable} was durable when the last checkpoint was taken"
    )]
    Lost { durable: LogPosition, found: LogPosition },
    #[error("it is of node {0}, not of this directory's current node")]
    Owner(NodeId),
}

impl LogError {
    pub(super) fn damaged(file: &str, offset: u64, damage: impl Into<Damage>) -> Self {
        LogError::Damaged { file: file.to_owned(), offset, damage: damage.into() }
    }
}
