//! The operating system's directory as the engine's disk, locked against a second node.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use engine::disk::{Disk, DiskError, DiskFile, Operation};

use crate::settle::StartError;

const LOCK: &str = "LOCK";

/// A data directory held by this process.
pub struct OsDisk {
    dir: PathBuf,
    read_only: bool,
    /// Held while the node runs; the kernel lets go of it with the process, however that ends. `None` where no node ever runs.
    _lock: Option<File>,
}

/// What is done with a directory that a node left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Nothing is written but the lock, and not even that where nothing can be written.
    Read,
    Write,
}

impl OsDisk {
    /// Creates the directory when missing and locks it.
    pub fn open(dir: &Path) -> Result<OsDisk, StartError> {
        let name = dir.display();
        std::fs::create_dir_all(dir)
            .map_err(StartError::io(format!("creating the data directory {name}")))?;
        let lock = create_lock(dir).map_err(StartError::io(format!("opening {name}/{LOCK}")))?;
        match lock.try_lock() {
            Ok(()) => Ok(OsDisk { dir: dir.to_path_buf(), read_only: false, _lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => Err(StartError::Locked(format!(
                "the data directory {name} is in use by another node: stop that one, or give another --data-dir"
            ))),
            Err(TryLockError::Error(source)) => {
                Err(StartError::Io { what: format!("locking {name}/{LOCK}"), source })
            }
        }
    }

    /// Opens the directory of a stopped node, or a copy of one, and locks it. It has to exist and to hold files of ours.
    pub fn open_stopped(dir: &Path, access: Access) -> Result<OsDisk, StartError> {
        let name = dir.display();
        let mut disk = OsDisk::bare(dir, access);
        let names = disk
            .list()
            .map_err(|error| StartError::Config(format!("the data directory {name}: {}", error.detail)))?;
        if !engine::log::inspect::is_data_directory(&names) {
            return Err(StartError::Config(format!("{name} is no Atoll data directory: it has no log")));
        }
        let lock = match create_lock(dir) {
            // A copy on a medium that cannot be written: no node runs on it.
            Err(error) if access == Access::Read && cannot_write(&error) => return Ok(disk),
            lock => lock.map_err(StartError::io(format!("opening {name}/{LOCK}")))?,
        };
        match lock.try_lock() {
            Ok(()) => {
                disk._lock = Some(lock);
                Ok(disk)
            }
            Err(TryLockError::WouldBlock) => Err(StartError::Locked(format!(
                "the data directory {name} is in use by a running node: stop it first, or give a copy of the directory"
            ))),
            Err(TryLockError::Error(source)) => {
                Err(StartError::Io { what: format!("locking {name}/{LOCK}"), source })
            }
        }
    }

    /// A directory in which no node runs; nothing is checked or locked.
    pub fn bare(dir: &Path, access: Access) -> OsDisk {
        OsDisk { dir: dir.to_path_buf(), read_only: access == Access::Read, _lock: None }
    }
}

fn create_lock(dir: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(dir.join(LOCK))
}

fn cannot_write(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem)
}

fn failed(operation: Operation, name: &str) -> impl FnOnce(std::io::Error) -> DiskError {
    move |error| DiskError::new(operation, name, &error)
}

impl Disk for OsDisk {
    fn list(&self) -> Result<Vec<String>, DiskError> {
        let entries = std::fs::read_dir(&self.dir).map_err(failed(Operation::List, "."))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed(Operation::List, "."))?;
            // What a repair put aside lies in directories of its own, and a volume has its `lost+found`.
            let is_directory = entry.file_type().map_err(failed(Operation::List, "."))?.is_dir();
            if let Ok(name) = entry.file_name().into_string()
                && name != LOCK
                && !is_directory
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn open(&self, name: &str) -> Result<Box<dyn DiskFile>, DiskError> {
        let file = OpenOptions::new()
            .create(!self.read_only)
            .truncate(false)
            .read(true)
            .write(!self.read_only)
            .open(self.dir.join(name))
            .map_err(failed(Operation::Open, name))?;
        Ok(Box::new(OsFile { name: name.into(), file }))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        std::fs::rename(self.dir.join(from), self.dir.join(to)).map_err(failed(Operation::Rename, from))
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        std::fs::remove_file(self.dir.join(name)).map_err(failed(Operation::Remove, name))
    }

    fn sync_directory(&self) -> Result<(), DiskError> {
        File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(failed(Operation::SyncDirectory, "."))
    }
}

struct OsFile {
    name: String,
    file: File,
}

impl DiskFile for OsFile {
    fn len(&self) -> Result<u64, DiskError> {
        Ok(self.file.metadata().map_err(failed(Operation::Read, &self.name))?.len())
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        let mut done = 0;
        while done < into.len() {
            match self.file.read_at(&mut into[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(DiskError::new(Operation::Read, &self.name, &error)),
            }
        }
        Ok(done)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), DiskError> {
        self.file.write_all_at(bytes, offset).map_err(failed(Operation::Write, &self.name))
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.file.sync_data().map_err(failed(Operation::Sync, &self.name))
    }

    fn begin_write_back(&self, offset: u64, len: u64) {
        use rustix::fs::{Advice, fadvise};
        // What is not wanted any more the kernel begins to write, without a commit of the journal.
        let _ = fadvise(&self.file, offset, std::num::NonZeroU64::new(len), Advice::DontNeed);
    }

    fn truncate(&self, len: u64) -> Result<(), DiskError> {
        self.file.set_len(len).map_err(failed(Operation::Truncate, &self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_opener_is_refused_until_the_first_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new");
        let first = OsDisk::open(&path).unwrap();
        assert!(matches!(OsDisk::open(&path), Err(StartError::Locked(_))));
        drop(first);
        OsDisk::open(&path).unwrap();
    }

    #[test]
    fn what_is_written_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let disk = OsDisk::open(dir.path()).unwrap();
        let file = disk.open("a").unwrap();
        file.write_at(b"hello", 3).unwrap();
        file.sync().unwrap();
        let mut bytes = [9; 16];
        assert_eq!(file.read_at(&mut bytes, 0).unwrap(), 8);
        assert_eq!(bytes[..8], *b"\0\0\0hello");
        disk.rename("a", "b").unwrap();
        disk.sync_directory().unwrap();
        std::fs::create_dir(dir.path().join("repaired-1")).unwrap();
        assert_eq!(disk.list().unwrap(), ["b"], "files only");
    }

    #[test]
    fn a_tool_takes_a_directory_of_ours_that_nobody_uses() {
        let dir = tempfile::tempdir().unwrap();
        let refused = |path: &Path| match OsDisk::open_stopped(path, Access::Read) {
            Ok(_) => panic!("{} was taken", path.display()),
            Err(error) => error.to_string(),
        };
        assert!(refused(&dir.path().join("none")).contains("none"));
        assert!(refused(dir.path()).contains("no Atoll data directory"));
        assert!(!dir.path().join(LOCK).exists(), "a refused directory is left as it is");
        let node = OsDisk::open(dir.path()).unwrap();
        node.open("IDENTITY").unwrap();
        assert!(refused(dir.path()).contains("running node"));
        drop(node);
        let disk = OsDisk::open_stopped(dir.path(), Access::Read).unwrap();
        assert!(disk.open("IDENTITY").unwrap().write_at(b"x", 0).is_err());
        assert!(disk.open("missing").is_err());
    }
}
