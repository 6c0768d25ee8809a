//! The disk's seam: files of one flat directory. The OS implements it in `cmd`, the simulator in `tests`.

use std::fmt;

/// An operation on a file failed. Carries what the operating system said, by kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation} {file}: {detail}")]
pub struct DiskError {
    pub operation: Operation,
    pub file: String,
    pub kind: std::io::ErrorKind,
    pub detail: String,
}

impl DiskError {
    pub fn new(operation: Operation, file: &str, error: &std::io::Error) -> Self {
        DiskError { operation, file: file.into(), kind: error.kind(), detail: error.to_string() }
    }

    /// The disk (or quota) is full: nothing is broken, and space may return.
    pub fn is_full(&self) -> bool {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self.kind, StorageFull | QuotaExceeded)
    }
}

/// What was tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    List,
    Open,
    Read,
    Write,
    Sync,
    Truncate,
    Rename,
    Remove,
    SyncDirectory,
    /// Taking the directory for this process.
    Lock,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::List => "listing",
            Operation::Open => "opening",
            Operation::Read => "reading",
            Operation::Write => "writing",
            Operation::Sync => "syncing",
            Operation::Truncate => "truncating",
            Operation::Rename => "renaming",
            Operation::Remove => "removing",
            Operation::SyncDirectory => "syncing the directory of",
            Operation::Lock => "locking",
        })
    }
}

/// A directory. Creation, renames and removals are durable after [`Disk::sync_directory`].
pub trait Disk: Send + Sync {
    /// Names of all files.
    fn list(&self) -> Result<Vec<String>, DiskError>;

    /// Opens a file for reading and writing, created empty when missing.
    fn open(&self, name: &str) -> Result<Box<dyn DiskFile>, DiskError>;

    /// Replaces `to` by `from` atomically.
    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError>;

    fn remove(&self, name: &str) -> Result<(), DiskError>;

    fn sync_directory(&self) -> Result<(), DiskError>;
}

/// An open file. Offsets in bytes.
pub trait DiskFile: Send + Sync {
    fn len(&self) -> Result<u64, DiskError>;

    fn is_empty(&self) -> Result<bool, DiskError> {
        Ok(self.len()? == 0)
    }

    /// Fills `into` from `offset`; returns fewer bytes only at the end of the file.
    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize, DiskError>;

    /// Writes all of `bytes`; on an error any part of them may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), DiskError>;

    /// Makes content and length durable.
    fn sync(&self) -> Result<(), DiskError>;

    fn truncate(&self, len: u64) -> Result<(), DiskError>;

    /// A hint: these bytes are written and will not be read soon, so the disk may begin with them. Promises nothing.
    fn begin_write_back(&self, _offset: u64, _len: u64) {}
}
