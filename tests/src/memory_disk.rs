//! A disk in memory for worlds without faults: everything written is there.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::disk::{Disk, DiskError, DiskFile, Operation};
use std::sync::{Mutex, PoisonError};

/// Holds a copy of the files of a data directory.
pub fn copy_of(dir: &std::path::Path) -> std::io::Result<MemoryDisk> {
    let disk = MemoryDisk::default();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        // What a repair put aside is no part of the directory.
        if entry.file_type()?.is_dir() {
            continue;
        }
        let content = std::fs::read(entry.path())?;
        let name = entry.file_name().to_string_lossy().into_owned();
        locked(&disk.0).insert(name, Arc::new(Mutex::new(content)));
    }
    Ok(disk)
}

type Content = Arc<Mutex<Vec<u8>>>;

/// Files by name.
#[derive(Default)]
pub struct MemoryDisk(Mutex<BTreeMap<String, Content>>);

struct MemoryFile(Content);

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Disk for MemoryDisk {
    fn list(&self) -> Result<Vec<String>, DiskError> {
        Ok(locked(&self.0).keys().cloned().collect())
    }

    fn open(&self, name: &str) -> Result<Box<dyn DiskFile>, DiskError> {
        Ok(Box::new(MemoryFile(locked(&self.0).entry(name.into()).or_default().clone())))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        let mut files = locked(&self.0);
        let missing = || DiskError::new(Operation::Rename, from, &std::io::ErrorKind::NotFound.into());
        let content = files.remove(from).ok_or_else(missing)?;
        files.insert(to.into(), content);
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        locked(&self.0).remove(name);
        Ok(())
    }

    fn sync_directory(&self) -> Result<(), DiskError> {
        Ok(())
    }
}

impl DiskFile for MemoryFile {
    fn len(&self) -> Result<u64, DiskError> {
        Ok(locked(&self.0).len() as u64)
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        let content = locked(&self.0);
        let rest = content.get(offset as usize..).unwrap_or_default();
        let len = rest.len().min(into.len());
        into[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), DiskError> {
        let mut content = locked(&self.0);
        let end = offset as usize + bytes.len();
        if content.len() < end {
            content.resize(end, 0);
        }
        content[offset as usize..end].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> Result<(), DiskError> {
        Ok(())
    }

    fn truncate(&self, len: u64) -> Result<(), DiskError> {
        locked(&self.0).resize(len as usize, 0);
        Ok(())
    }
}
