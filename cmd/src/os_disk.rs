//! The operating system's files behind the engine's disk: one data directory, held by one process.
//!
//! Invariant: while an [`OsDisk`] or one of its files lives, no other process can open the directory. The lock is the kernel's
//! (flock), so it goes with the process however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::disk::{Disk, DiskError, DiskFile, Operation};

/// Held locked, empty, never removed: removing it would let two processes lock two files of one name.
const LOCK_FILE: &str = "LOCK";

/// A data directory.
pub struct OsDisk {
    directory: PathBuf,
    lock: Arc<File>,
}

struct OsFile {
    file: File,
    name: String,
    /// Outlives the disk for as long as a file is written.
    _lock: Arc<File>,
}

impl OsDisk {
    /// Opens the directory, made with its parents when missing.
    ///
    /// Errors: of kind `WouldBlock` when another process has it.
    pub fn open(directory: &Path) -> Result<OsDisk, DiskError> {
        let shown = directory.display().to_string();
        let fail = |operation| move |error: io::Error| DiskError::new(operation, &shown, &error);
        if !directory.is_dir() {
            std::fs::create_dir_all(directory).map_err(fail.clone()(Operation::Open))?;
            let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
            File::open(parent.unwrap_or(Path::new(".")))
                .and_then(|parent| parent.sync_all())
                .map_err(fail.clone()(Operation::SyncDirectory))?;
        }
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(directory.join(LOCK_FILE))
            .map_err(fail.clone()(Operation::Lock))?;
        lock.try_lock().map_err(|error| {
            fail(Operation::Lock)(match error {
                TryLockError::WouldBlock => {
                    io::Error::new(io::ErrorKind::WouldBlock, "another process is using this data directory")
                }
                TryLockError::Error(error) => error,
            })
        })?;
        Ok(OsDisk { directory: directory.to_owned(), lock: Arc::new(lock) })
    }

    fn sync_directory_of(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }
}

impl Disk for OsDisk {
    fn list(&self) -> Result<Vec<String>, DiskError> {
        let list = || -> io::Result<Vec<String>> {
            let mut names = Vec::new();
            for entry in std::fs::read_dir(&self.directory)? {
                let entry = entry?;
                // A name that is not UTF-8 is none of ours.
                if entry.file_type()?.is_file()
                    && let Ok(name) = entry.file_name().into_string()
                {
                    names.push(name);
                }
            }
            Ok(names)
        };
        list().map_err(|error| DiskError::new(Operation::List, &self.directory.display().to_string(), &error))
    }

    fn open(&self, name: &str) -> Result<Box<dyn DiskFile>, DiskError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.directory.join(name))
            .map_err(|error| DiskError::new(Operation::Open, name, &error))?;
        Ok(Box::new(OsFile { file, name: name.to_owned(), _lock: self.lock.clone() }))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        std::fs::rename(self.directory.join(from), self.directory.join(to))
            .map_err(|error| DiskError::new(Operation::Rename, from, &error))
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        std::fs::remove_file(self.directory.join(name))
            .map_err(|error| DiskError::new(Operation::Remove, name, &error))
    }

    fn sync_directory(&self) -> Result<(), DiskError> {
        self.sync_directory_of().map_err(|error| {
            DiskError::new(Operation::SyncDirectory, &self.directory.display().to_string(), &error)
        })
    }
}

impl OsFile {
    fn failed(&self, operation: Operation) -> impl FnOnce(io::Error) -> DiskError + '_ {
        move |error| DiskError::new(operation, &self.name, &error)
    }
}

impl DiskFile for OsFile {
    fn len(&self) -> Result<u64, DiskError> {
        Ok(self.file.metadata().map_err(self.failed(Operation::Read))?.len())
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        let mut done = 0;
        while done < into.len() {
            match self.file.read_at(&mut into[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(Operation::Read)(error)),
            }
        }
        Ok(done)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), DiskError> {
        self.file.write_all_at(bytes, offset).map_err(self.failed(Operation::Write))
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.file.sync_data().map_err(self.failed(Operation::Sync))
    }

    fn truncate(&self, len: u64) -> Result<(), DiskError> {
        self.file.set_len(len).map_err(self.failed(Operation::Truncate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_made_written_renamed_and_removed() {
        let place = tempfile::tempdir().unwrap();
        let disk = OsDisk::open(&place.path().join("deep/data")).unwrap();
        let file = disk.open("a").unwrap();
        file.write_at(b"hello", 3).unwrap();
        file.sync().unwrap();
        let mut bytes = [9; 10];
        assert_eq!(file.read_at(&mut bytes, 0).unwrap(), 8);
        assert_eq!(&bytes[..8], b"\0\0\0hello");
        assert_eq!(file.read_at(&mut bytes, 100).unwrap(), 0);
        file.truncate(4).unwrap();
        assert_eq!(file.len().unwrap(), 4);
        disk.rename("a", "b").unwrap();
        disk.sync_directory().unwrap();
        let mut names = disk.list().unwrap();
        names.sort();
        assert_eq!(names, [LOCK_FILE, "b"]);
        disk.remove("b").unwrap();
        let error = disk.remove("b").unwrap_err();
        assert_eq!((error.kind, error.operation), (io::ErrorKind::NotFound, Operation::Remove));
        assert!(error.to_string().contains("removing b"), "{error}");
    }

    #[test]
    fn a_second_opener_is_refused_until_the_last_file_is_closed() {
        let place = tempfile::tempdir().unwrap();
        let disk = OsDisk::open(place.path()).unwrap();
        let error = OsDisk::open(place.path()).err().unwrap();
        assert_eq!((error.kind, error.operation), (io::ErrorKind::WouldBlock, Operation::Lock));
        assert!(error.to_string().contains("another process"), "{error}");
        let file = disk.open("a").unwrap();
        drop(disk);
        assert!(OsDisk::open(place.path()).is_err());
        drop(file);
        OsDisk::open(place.path()).unwrap();
    }

    #[test]
    fn a_full_disk_keeps_its_kind() {
        let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else { return };
        let lock = Arc::new(File::open("/dev/null").unwrap());
        let file = OsFile { file: full, name: "full".into(), _lock: lock };
        assert!(file.write_at(b"x", 0).unwrap_err().is_full());
    }

    #[test]
    fn a_log_lives_on_it() {
        let place = tempfile::tempdir().unwrap();
        let mut nodes = Vec::new();
        for start in 0..3u64 {
            let disk = Arc::new(OsDisk::open(place.path()).unwrap());
            let mut id = 100 * start;
            let mut fresh = || {
                id += 1;
                id
            };
            let options = engine::log::LogOptions { segment_bytes: 4096, fresh_id: &mut fresh };
            let mut batches = 0;
            let (log, recovered) = engine::log::Log::open(disk, options, &mut |_| {
                batches += 1;
                Ok(())
            })
            .unwrap();
            assert_eq!((batches, recovered.clean), (start, start == 2));
            nodes.push(recovered.identity.current());
            let mut bytes = Vec::new();
            let stable = [(nodes[0], proto::Seq(1))].into_iter().collect();
            engine::effect::batch::encode_stable_mark(&mut bytes, nodes[0], &stable);
            log.append(&bytes).unwrap();
            if start == 1 {
                log.close_clean().unwrap();
            }
        }
        assert!(nodes[0] != nodes[1] && nodes[1] == nodes[2]);
    }
}
