//! Who this data directory is (its own id for ever, a node id for each incarnation) and whether it was left in order.
//!
//! Invariant: both files are replaced whole: after a crash there is the old one or the new one.

use proto::NodeId;

use super::error::{Damage, LogError};
use super::layout::{CLEAN_FILE, Clean, IDENTITY_FILE, Identity, UNFINISHED};
use crate::disk::{Disk, DiskError};

/// Larger than any of these files can be: a million incarnations.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// Puts a file of this content under `name`, durably and at once.
pub fn write_whole(disk: &dyn Disk, name: &str, bytes: &[u8]) -> Result<(), DiskError> {
    let unfinished = format!("{name}{UNFINISHED}");
    let file = disk.open(&unfinished)?;
    file.truncate(0)?;
    file.write_at(bytes, 0)?;
    file.sync()?;
    disk.rename(&unfinished, name)?;
    disk.sync_directory()
}

/// Removes what a crash left half made. Nothing needs it gone for good, so the directory is not synced.
pub(super) fn remove_unfinished(disk: &dyn Disk, names: &[String]) -> Result<(), DiskError> {
    names.iter().filter(|name| name.ends_with(UNFINISHED)).try_for_each(|name| disk.remove(name))
}

fn read_whole<T>(
    disk: &dyn Disk,
    names: &[String],
    name: &str,
    decode: impl FnOnce(&[u8]) -> Result<T, Damage>,
) -> Result<Option<T>, LogError> {
    if !names.iter().any(|n| n == name) {
        return Ok(None);
    }
    let file = disk.open(name)?;
    let mut bytes = vec![0; file.len()?.min(FILE_BYTES_MAX) as usize];
    let read = file.read_at(&mut bytes, 0)?;
    decode(&bytes[..read]).map(Some).map_err(|damage| LogError::damaged(name, 0, damage))
}

/// The identity; `None` in a fresh directory.
pub(super) fn load(disk: &dyn Disk, names: &[String]) -> Result<Option<Identity>, LogError> {
    read_whole(disk, names, IDENTITY_FILE, Identity::decode)
}

/// The identity with one more incarnation, or a new one; not stored yet.
pub(super) fn next(known: Option<&Identity>, fresh_id: &mut dyn FnMut() -> u64) -> Identity {
    let mut identity =
        known.cloned().unwrap_or_else(|| Identity { directory: fresh_id(), nodes: Vec::new() });
    let node = loop {
        let node = NodeId(fresh_id());
        if node != NodeId(0) && !identity.nodes.contains(&node) {
            break node;
        }
    };
    identity.nodes.push(node);
    identity
}

/// Claims the identity's current incarnation, durably.
pub(crate) fn store(disk: &dyn Disk, identity: &Identity) -> Result<(), DiskError> {
    write_whole(disk, IDENTITY_FILE, &identity.encode())
}

/// A marker speaks for the current incarnation only.
pub(super) fn check_owner(clean: &Clean, identity: &Identity) -> Result<(), LogError> {
    match (clean.directory, clean.node) == (identity.directory, identity.current()) {
        true => Ok(()),
        false => Err(LogError::damaged(CLEAN_FILE, 0, Damage::Owner(clean.node))),
    }
}

/// The marker of a clean stop, if the last one was.
pub(super) fn load_clean(disk: &dyn Disk, names: &[String]) -> Result<Option<Clean>, LogError> {
    read_whole(disk, names, CLEAN_FILE, Clean::decode)
}

/// Leaves the marker, durably. The log must be synced up to its end before.
pub(super) fn mark_clean(disk: &dyn Disk, clean: &Clean) -> Result<(), DiskError> {
    write_whole(disk, CLEAN_FILE, &clean.encode())
}

/// Removes the marker, durably: from here on a power cut may take a tail.
pub(crate) fn unmark_clean(disk: &dyn Disk) -> Result<(), DiskError> {
    match disk.remove(CLEAN_FILE) {
        Err(error) if error.kind != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    disk.sync_directory()
}
