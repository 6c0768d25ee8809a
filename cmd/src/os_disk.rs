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
    /// Held while the node runs; the kernel lets go of it with the process, however that ends.
    _lock: File,
}

impl OsDisk {
    /// Creates the directory when missing and locks it.
    pub fn open(dir: &Path) -> Result<OsDisk, StartError> {
        let name = dir.display();
        std::fs::create_dir_all(dir)
            .map_err(StartError::io(format!("creating the data directory {name}")))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(dir.join(LOCK))
            .map_err(StartError::io(format!("opening {name}/{LOCK}")))?;
        match lock.try_lock() {
            Ok(()) => Ok(OsDisk { dir: dir.to_path_buf(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StartError::Locked(format!(
                "the data directory {name} is in use by another node: stop that one, or give another --data-dir"
            ))),
            Err(TryLockError::Error(source)) => {
                Err(StartError::Io { what: format!("locking {name}/{LOCK}"), source })
            }
        }
    }
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
            if let Ok(name) = entry.file_name().into_string()
                && name != LOCK
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn open(&self, name: &str) -> Result<Box<dyn DiskFile>, DiskError> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
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
        assert_eq!(disk.list().unwrap(), ["b"]);
    }
}
