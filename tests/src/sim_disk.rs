//! A disk in memory that forgets what was not synced.
//!
//! Two images: *live*, what the running process reads back, and *durable*, what a power cut leaves. Writes, truncations and
//! names travel from the first to the second only by a sync, or by a seeded choice at a cut: any subset of the unsynced
//! writes, each torn at any byte or missing any of its sectors; any subset of the unsynced changes of names. A killed
//! process loses nothing but the rest of the write it was in.
//!
//! Every call counts as one operation; [`SimDisk::fail_at`] stops the machine in the middle of one. Handles of before a stop fail
//! for ever after it, as files of a dead process do.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use engine::disk::{Disk, DiskError, DiskFile, Operation};
use parking_lot::Mutex;

const SECTOR_BYTES: u64 = 512;

/// How the machine stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// The process dies; the page cache stays.
    Kill,
    /// What was not synced may be lost or torn.
    PowerCut,
}

/// The disk itself; it outlives the processes that use it. Cloning the handle shares the disk, [`SimDisk::copy`] does not.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

#[derive(Clone)]
struct State {
    files: Vec<File>,
    live: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    unsynced_names: Vec<NameChange>,
    random: u64,
    operations: u64,
    writes: u64,
    syncs: u64,
    stop_at: Option<u64>,
    stopped: bool,
    /// Grows with every start: tells handles of dead processes.
    boot: u64,
    capacity_bytes: u64,
    /// Somebody looks who is no part of the machine.
    aside: bool,
    failure: Option<(Operation, io::ErrorKind)>,
    failure_at: Option<(u64, io::ErrorKind)>,
}

#[derive(Clone, Default)]
struct File {
    live: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Truncate(u64),
}

#[derive(Clone)]
enum NameChange {
    Set(String, usize),
    Remove(String),
    Move(String, String, usize),
}

/// One process' view of the disk.
struct Mount {
    disk: SimDisk,
    boot: u64,
}

struct Handle {
    mount: Mount,
    name: String,
    file: usize,
}

impl SimDisk {
    pub fn new(seed: u64) -> Self {
        SimDisk(Arc::new(Mutex::new(State {
            files: Vec::new(),
            live: BTreeMap::new(),
            durable: BTreeMap::new(),
            unsynced_names: Vec::new(),
            random: seed,
            operations: 0,
            writes: 0,
            syncs: 0,
            stop_at: None,
            stopped: false,
            boot: 0,
            capacity_bytes: u64::MAX,
            aside: false,
            failure: None,
            failure_at: None,
        })))
    }

    /// An independent disk with the same content.
    pub fn copy(&self) -> Self {
        SimDisk(Arc::new(Mutex::new(self.0.lock().clone())))
    }

    /// What a process gets; valid until the next stop.
    pub fn mount(&self) -> Arc<dyn Disk> {
        Arc::new(Mount { disk: self.clone(), boot: self.0.lock().boot })
    }

    /// Stops the machine in the middle of the operation with this number, counted from now, from 0.
    pub fn stop_at(&self, operation: u64) {
        let mut state = self.0.lock();
        state.stop_at = Some(state.operations + operation);
    }

    /// True when the operation of [`SimDisk::stop_at`] came.
    pub fn stopped(&self) -> bool {
        self.0.lock().stopped
    }

    /// Starts the machine again, as the stop left its disk.
    pub fn restart(&self, stop: Stop) {
        let mut state = self.0.lock();
        state.stop_at = None;
        state.stopped = false;
        state.failure = None;
        state.failure_at = None;
        state.boot += 1;
        if stop == Stop::PowerCut {
            state.cut();
        }
    }

    /// Operations so far.
    pub fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// File writes so far.
    pub fn writes(&self) -> u64 {
        self.0.lock().writes
    }

    /// File syncs so far.
    pub fn syncs(&self) -> u64 {
        self.0.lock().syncs
    }

    /// Bytes that all files together may have; `u64::MAX` for no bound.
    pub fn set_capacity(&self, bytes: u64) {
        self.0.lock().capacity_bytes = bytes;
    }

    /// Bytes of all files together.
    pub fn used_bytes(&self) -> u64 {
        self.0.lock().used_bytes()
    }

    /// It may be full.
    pub fn is_limited(&self) -> bool {
        self.0.lock().capacity_bytes < u64::MAX
    }

    /// Nothing that was ordered to go wrong does any more.
    pub fn heal(&self) {
        let mut state = self.0.lock();
        (state.capacity_bytes, state.stop_at, state.failure, state.failure_at) = (u64::MAX, None, None, None);
    }

    /// Looks at the disk without being noticed: what `look` does is not counted and never fails.
    pub fn aside<T>(&self, look: impl FnOnce() -> T) -> T {
        self.0.lock().aside = true;
        let seen = look();
        self.0.lock().aside = false;
        seen
    }

    /// The next such operation fails once with this error, having been done by half if it is a write.
    pub fn fail_next(&self, operation: Operation, kind: io::ErrorKind) {
        self.0.lock().failure = Some((operation, kind));
    }

    /// The operation with this number, counted from now, from 0, fails once with this error, having been done by half.
    pub fn fail_at(&self, operation: u64, kind: io::ErrorKind) {
        let mut state = self.0.lock();
        state.failure_at = Some((state.operations + operation, kind));
    }

    /// True when the operation of [`SimDisk::fail_at`] came.
    pub fn failed(&self) -> bool {
        self.0.lock().failure_at.is_none()
    }

    pub fn names(&self) -> Vec<String> {
        self.0.lock().live.keys().cloned().collect()
    }

    /// A file's content; empty when there is none.
    pub fn content(&self, name: &str) -> Vec<u8> {
        let state = self.0.lock();
        state.live.get(name).map(|file| state.files[*file].live.clone()).unwrap_or_default()
    }

    /// Replaces a file's content behind everyone's back, durably. For damage.
    pub fn set_content(&self, name: &str, bytes: &[u8]) {
        let mut state = self.0.lock();
        let file = File { live: bytes.to_vec(), durable: bytes.to_vec(), unsynced: Vec::new() };
        state.files.push(file);
        let number = state.files.len() - 1;
        state.live.insert(name.into(), number);
        state.durable.insert(name.into(), number);
    }

    /// Loses a file behind everyone's back.
    pub fn lose(&self, name: &str) {
        let mut state = self.0.lock();
        state.live.remove(name);
        state.durable.remove(name);
    }
}

impl State {
    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// Power is lost: the durable image, and of the unsynced what chance left, is what there is now.
    fn cut(&mut self) {
        let rough = self.below(4);
        let changes = std::mem::take(&mut self.unsynced_names);
        let mut names = std::mem::take(&mut self.durable);
        // A journal keeps names in order; a rougher one does not.
        let kept = self.below(changes.len() as u64 + 1) as usize;
        for (i, change) in changes.into_iter().enumerate() {
            let survives = if rough == 0 { self.below(2) == 0 } else { i < kept };
            if survives {
                change.apply(&mut names);
            }
        }
        for number in 0..self.files.len() {
            let mut file = std::mem::take(&mut self.files[number]);
            let mut bytes = std::mem::take(&mut file.durable);
            let kept = self.below(file.unsynced.len() as u64 + 1) as usize;
            for (i, change) in file.unsynced.drain(..).enumerate() {
                match rough {
                    // Everything, or nothing, of what was not synced.
                    1 => change.apply(&mut bytes),
                    2 => {}
                    // In order up to somewhere, where one write is torn.
                    3 if i < kept => change.apply(&mut bytes),
                    3 if i == kept => change.tear_byte(self, &mut bytes),
                    3 => {}
                    // Any writes, any sectors of them.
                    _ => change.tear_sectors(self, &mut bytes),
                }
            }
            self.files[number] = File { live: bytes.clone(), durable: bytes, unsynced: Vec::new() };
        }
        self.live = names.clone();
        self.durable = names;
    }

    fn used_bytes(&self) -> u64 {
        self.live.values().map(|file| self.files[*file].live.len() as u64).sum()
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            NameChange::Set(name, file) => drop(names.insert(name.clone(), *file)),
            NameChange::Remove(name) => drop(names.remove(name)),
            NameChange::Move(from, to, file) => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
        }
    }
}

fn write_into(into: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let (start, end) = (offset as usize, offset as usize + bytes.len());
    if into.len() < end {
        into.resize(end, 0);
    }
    into[start..end].copy_from_slice(bytes);
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Write { offset, bytes: new } => write_into(bytes, *offset, new),
            Change::Truncate(length) => bytes.resize(*length as usize, 0),
        }
    }

    fn tear_byte(&self, state: &mut State, bytes: &mut Vec<u8>) {
        match self {
            Change::Write { offset, bytes: new } => {
                let kept = state.below(new.len() as u64 + 1) as usize;
                write_into(bytes, *offset, &new[..kept]);
                // The length may be ahead of the content.
                if state.below(2) == 0 && bytes.len() < *offset as usize + new.len() {
                    bytes.resize(*offset as usize + new.len(), 0);
                }
            }
            Change::Truncate(_) => {}
        }
    }

    fn tear_sectors(&self, state: &mut State, bytes: &mut Vec<u8>) {
        let Change::Write { offset, bytes: new } = self else {
            if state.below(2) == 0 {
                self.apply(bytes);
            }
            return;
        };
        let mut at = 0;
        while at < new.len() {
            let place = offset + at as u64;
            let in_sector = (SECTOR_BYTES - place % SECTOR_BYTES) as usize;
            let end = new.len().min(at + in_sector);
            if state.below(3) != 0 {
                write_into(bytes, place, &new[at..end]);
            }
            at = end;
        }
    }
}

impl Mount {
    /// Does one operation, unless the machine stops or fails in it. `done` gets what part of its work is to be done before a
    /// stop or failure: the whole when there is none.
    fn operate<T>(
        &self,
        operation: Operation,
        name: &str,
        work: impl FnOnce(&mut State, Extent) -> io::Result<T>,
    ) -> Result<T, DiskError> {
        let mut state = self.disk.0.lock();
        let fail = |error: io::Error| DiskError::new(operation, name, &error);
        if state.stopped || state.boot != self.boot {
            return Err(fail(io::Error::other("the machine has stopped")));
        }
        if state.aside {
            return work(&mut state, Extent::Whole).map_err(fail);
        }
        let number = state.operations;
        state.operations += 1;
        if state.stop_at == Some(number) {
            state.stopped = true;
            let _ = work(&mut state, Extent::Part);
            return Err(fail(io::Error::other("the machine stops")));
        }
        let counted = state.failure_at.take_if(|(at, _)| *at == number);
        let named = state.failure.take_if(|(failing, _)| *failing == operation).map(|(_, kind)| kind);
        if let Some(kind) = counted.map(|(_, kind)| kind).or(named) {
            let _ = work(&mut state, Extent::Part);
            return Err(fail(kind.into()));
        }
        work(&mut state, Extent::Whole).map_err(fail)
    }
}

/// How much of an operation is done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    /// A seeded part, possibly all or nothing. An atomic operation is done or not.
    Part,
}

impl Extent {
    fn happens(self, state: &mut State) -> bool {
        self == Extent::Whole || state.below(2) == 0
    }
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Disk for Mount {
    fn list(&self) -> Result<Vec<String>, DiskError> {
        self.operate(Operation::List, ".", |state, _| Ok(state.live.keys().cloned().collect()))
    }

    fn open(&self, name: &str) -> Result<Box<dyn DiskFile>, DiskError> {
        let file = self.operate(Operation::Open, name, |state, extent| {
            if let Some(file) = state.live.get(name) {
                return Ok(*file);
            }
            if extent.happens(state) {
                let file = state.files.len();
                state.files.push(File::default());
                state.live.insert(name.into(), file);
                state.unsynced_names.push(NameChange::Set(name.into(), file));
            }
            state.live.get(name).copied().ok_or_else(missing)
        })?;
        let mount = Mount { disk: self.disk.clone(), boot: self.boot };
        Ok(Box::new(Handle { mount, name: name.into(), file }))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        self.operate(Operation::Rename, from, |state, extent| {
            let file = *state.live.get(from).ok_or_else(missing)?;
            if extent.happens(state) {
                let change = NameChange::Move(from.into(), to.into(), file);
                change.apply(&mut state.live);
                state.unsynced_names.push(change);
            }
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        self.operate(Operation::Remove, name, |state, extent| {
            state.live.get(name).ok_or_else(missing)?;
            if extent.happens(state) {
                let change = NameChange::Remove(name.into());
                change.apply(&mut state.live);
                state.unsynced_names.push(change);
            }
            Ok(())
        })
    }

    fn sync_directory(&self) -> Result<(), DiskError> {
        self.operate(Operation::SyncDirectory, ".", |state, extent| {
            if extent.happens(state) {
                state.unsynced_names.clear();
                state.durable = state.live.clone();
            }
            Ok(())
        })
    }
}

impl DiskFile for Handle {
    fn len(&self) -> Result<u64, DiskError> {
        self.mount
            .operate(Operation::Read, &self.name, |state, _| Ok(state.files[self.file].live.len() as u64))
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        self.mount.operate(Operation::Read, &self.name, |state, _| {
            let live = &state.files[self.file].live;
            let from = live.get(offset as usize..).unwrap_or_default();
            let read = from.len().min(into.len());
            into[..read].copy_from_slice(&from[..read]);
            Ok(read)
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), DiskError> {
        self.mount.operate(Operation::Write, &self.name, |state, extent| {
            state.writes += 1;
            let mut part = match extent {
                Extent::Whole => bytes.len(),
                Extent::Part => state.below(bytes.len() as u64 + 1) as usize,
            };
            let grown = (offset + part as u64).saturating_sub(state.files[self.file].live.len() as u64);
            let room = state.capacity_bytes.saturating_sub(state.used_bytes());
            part -= grown.saturating_sub(room).min(part as u64) as usize;
            let change = Change::Write { offset, bytes: bytes[..part].to_vec() };
            let file = &mut state.files[self.file];
            change.apply(&mut file.live);
            file.unsynced.push(change);
            if part < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        })
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.mount.operate(Operation::Sync, &self.name, |state, extent| {
            state.syncs += 1;
            if extent.happens(state) {
                let file = &mut state.files[self.file];
                file.durable.clone_from(&file.live);
                file.unsynced.clear();
            }
            Ok(())
        })
    }

    fn truncate(&self, len: u64) -> Result<(), DiskError> {
        self.mount.operate(Operation::Truncate, &self.name, |state, extent| {
            if extent.happens(state) {
                let file = &mut state.files[self.file];
                let change = Change::Truncate(len);
                change.apply(&mut file.live);
                file.unsynced.push(change);
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_cut_keeps_what_was_synced_and_a_kill_keeps_all() {
        for seed in 0..200 {
            let disk = SimDisk::new(seed);
            let mount = disk.mount();
            let file = mount.open("a").unwrap();
            file.write_at(b"synced", 0).unwrap();
            file.sync().unwrap();
            mount.sync_directory().unwrap();
            file.write_at(b"not", 6).unwrap();
            mount.open("b").unwrap();
            let killed = disk.copy();
            killed.restart(Stop::Kill);
            assert_eq!((killed.content("a"), killed.names().len()), (b"syncednot".to_vec(), 2));
            disk.restart(Stop::PowerCut);
            assert!(disk.content("a").starts_with(b"synced"));
            assert!(file.read_at(&mut [0], 0).is_err(), "a dead process reads nothing");
        }
    }

    #[test]
    fn the_same_seed_leaves_the_same_disk() {
        let run = |seed| {
            let disk = SimDisk::new(seed);
            let file = disk.mount().open("a").unwrap();
            disk.mount().sync_directory().unwrap();
            for i in 0..20 {
                file.write_at(&[i; 700], u64::from(i) * 700).unwrap();
            }
            disk.restart(Stop::PowerCut);
            disk.content("a")
        };
        assert_eq!(run(7), run(7));
        assert!((0..20).any(|seed| run(seed) != run(7)));
    }

    #[test]
    fn a_full_disk_takes_a_part_and_says_so() {
        let disk = SimDisk::new(1);
        let file = disk.mount().open("a").unwrap();
        disk.set_capacity(4);
        assert!(file.write_at(b"123456", 0).unwrap_err().is_full());
        assert_eq!(disk.content("a"), b"1234");
        disk.set_capacity(100);
        file.write_at(b"123456", 0).unwrap();
    }
}
