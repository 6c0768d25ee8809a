//! Collecting a peer's checkpoint in files of its own, until all of it is here.
//!
//! A cut transfer goes on where it was: a checkpoint's files are never written again, so what has the lender's directory and
//! the file's number in its name and is shorter than the file is the beginning of it.

use std::sync::atomic::Ordering::Relaxed;

use proto::NodeId;

use crate::core::Engine;
use crate::disk::{Disk, DiskFile};
use crate::image::block::BlockReader;
use crate::image::bytes::{Fields, put_u64};
use crate::image::manifest::Manifest;
use crate::image::{MANIFEST_FILE, image_name};
use crate::log::{Damage, LogError, LogPosition};
use crate::replication::{Member, ReplicaError};

/// All of a loan is here; what is to be done with it.
pub(in crate::core) const INCOMING_FILE: &str = "INCOMING";
const PREFIX: &str = "incoming-";
const MAGIC: u32 = u32::from_le_bytes(*b"ATIN");
const VERSION: u32 = 1;
const HEAD_BYTES: usize = 12;

/// A checkpoint's file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoanFile {
    pub number: u64,
    pub bytes: u64,
}

/// What a peer lends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loan {
    /// Number of the checkpoint.
    pub number: u64,
    /// The lender's data directory.
    pub directory: u64,
    pub manifest_bytes: u64,
    pub files: Vec<LoanFile>,
    /// The log that goes with it.
    pub log_from: LogPosition,
    pub log_end: LogPosition,
}

impl Loan {
    /// About what is to be carried.
    pub fn bytes(&self) -> u64 {
        let files = self.files.iter().fold(0u64, |sum, file| sum.saturating_add(file.bytes));
        let log = self.log_end.0.saturating_sub(self.log_from.0);
        self.manifest_bytes.saturating_add(files).saturating_add(log)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoanPart {
    Manifest,
    /// By number.
    Image(u64),
    /// Batches up to here.
    Log {
        end: LogPosition,
    },
}

/// What is still to be carried of a loan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    pub part: LoanPart,
    /// To begin at; of the log, a position.
    pub offset: u64,
}

/// A transfer under way.
pub(in crate::core) struct Incoming {
    loan: Loan,
    part: Option<(LoanPart, Box<dyn DiskFile>, u64)>,
}

fn part_name(directory: u64, part: LoanPart) -> String {
    match part {
        LoanPart::Manifest => format!("{PREFIX}{directory:016x}-{MANIFEST_FILE}"),
        LoanPart::Image(number) => format!("{PREFIX}{directory:016x}-{}", image_name(number)),
        LoanPart::Log { .. } => format!("{PREFIX}{directory:016x}-log"),
    }
}

/// True for files of a transfer.
fn is_incoming(name: &str) -> bool {
    name == INCOMING_FILE || name.starts_with(PREFIX)
}

/// Removes every file of a transfer, the marker last.
pub(super) fn remove_all(disk: &dyn Disk) -> Result<(), LogError> {
    let names = disk.list()?;
    for name in names.iter().filter(|name| name.starts_with(PREFIX)) {
        disk.remove(name)?;
    }
    disk.sync_directory()?;
    if names.iter().any(|name| name == INCOMING_FILE) {
        disk.remove(INCOMING_FILE)?;
        disk.sync_directory()?;
    }
    Ok(())
}

/// What the marker says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Order {
    /// The lender's directory.
    pub directory: u64,
    /// Number of the checkpoint that this becomes here; its files follow, in the manifest's order.
    pub number: u64,
    /// Who the node is from then on: directory and node, unless it goes on as it is.
    pub become_new: Option<(u64, NodeId)>,
    /// Number of the late set for what cannot be merged.
    pub late: u64,
    /// It is replayed as new effects when the state is there; else it is kept to be looked at.
    pub replays: bool,
    /// As in a batch of kind members: everybody known, the lender included.
    pub members: Vec<u8>,
}

impl Order {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&MAGIC.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&VERSION.to_le_bytes());
        put_u64(&mut out, self.directory);
        put_u64(&mut out, self.number);
        let (directory, node) = self.become_new.unwrap_or((0, NodeId(0)));
        put_u64(&mut out, directory);
        put_u64(&mut out, node.0);
        put_u64(&mut out, self.late);
        out.push(u8::from(self.replays));
        proto::varint::put_bytes(&mut out, &self.members);
        let crc = crc32c::crc32c(&out[8..]);
        out[4..8].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub fn decode(bytes: &[u8]) -> Result<Order, LogError> {
        let damaged = |damage| LogError::Damaged { file: INCOMING_FILE.into(), offset: 0, damage };
        let word = |at: usize| bytes.get(at..).and_then(|b| b.first_chunk()).map(|b| u32::from_le_bytes(*b));
        if bytes.len() < HEAD_BYTES || word(0) != Some(MAGIC) {
            return Err(damaged(Damage::Magic(word(0).unwrap_or(0))));
        }
        if word(4) != Some(crc32c::crc32c(&bytes[8..])) {
            return Err(damaged(Damage::Checksum));
        }
        if word(8) != Some(VERSION) {
            return Err(damaged(Damage::Version(word(8).unwrap_or(0))));
        }
        let mut fields = Fields(&bytes[HEAD_BYTES..]);
        let take = |fields: &mut Fields<'_>| {
            let (directory, number) = (fields.u64()?, fields.u64()?);
            let (new_directory, new_node) = (fields.u64()?, NodeId(fields.u64()?));
            let become_new = (new_directory != 0).then_some((new_directory, new_node));
            let (late, replays) = (fields.u64()?, fields.u8()? != 0);
            let members = fields.bytes()?.to_vec();
            Some(Order { directory, number, become_new, late, replays, members })
        };
        take(&mut fields).filter(|_| fields.is_empty()).ok_or_else(|| damaged(Damage::Field))
    }

    pub fn name(&self, part: LoanPart) -> String {
        part_name(self.directory, part)
    }
}

fn failed(error: impl std::fmt::Display) -> ReplicaError {
    ReplicaError::Loan(error.to_string())
}

impl Engine {
    /// Begins to collect a loan, or goes on with it. Returns what is to be asked for, in order.
    pub(in crate::core) fn borrow(&self, loan: &Loan) -> Result<Vec<Wanted>, ReplicaError> {
        let disk = self.log().ok_or_else(|| failed("this node keeps no log"))?.disk().clone();
        let mut incoming = self.incoming.lock();
        let mut wanted = vec![Wanted { part: LoanPart::Manifest, offset: 0 }];
        let mut names = vec![part_name(loan.directory, LoanPart::Manifest)];
        let mut done = 0;
        for file in &loan.files {
            let part = LoanPart::Image(file.number);
            let name = part_name(loan.directory, part);
            let here = disk.open(&name).map_err(failed)?;
            let mut offset = here.len().map_err(failed)?;
            if offset > file.bytes {
                here.truncate(0).map_err(failed)?;
                offset = 0;
            }
            done += offset;
            if offset < file.bytes {
                wanted.push(Wanted { part, offset });
            }
            names.push(name);
        }
        let log = LoanPart::Log { end: loan.log_end };
        names.push(part_name(loan.directory, log));
        wanted.push(Wanted { part: log, offset: loan.log_from.0 });
        for name in disk.list().map_err(failed)? {
            if is_incoming(&name) && !names.contains(&name) {
                disk.remove(&name).map_err(failed)?;
            }
        }
        let loading = &self.borrowing;
        loading.total_bytes.store(loan.bytes(), Relaxed);
        loading.done_bytes.store(done, Relaxed);
        loading.active.store(true, Relaxed);
        *incoming = Some(Incoming { loan: loan.clone(), part: None });
        Ok(wanted)
    }

    /// The next bytes of a part.
    pub(in crate::core) fn borrowed(&self, part: LoanPart, bytes: &[u8]) -> Result<(), ReplicaError> {
        let disk = self.log().ok_or_else(|| failed("this node keeps no log"))?.disk().clone();
        let mut incoming = self.incoming.lock();
        let incoming = incoming.as_mut().ok_or_else(|| failed("no transfer is under way"))?;
        if incoming.part.as_ref().is_none_or(|open| open.0 != part) {
            if let Some((_, file, _)) = incoming.part.take() {
                file.sync().map_err(failed)?;
            }
            let file = disk.open(&part_name(incoming.loan.directory, part)).map_err(failed)?;
            // Only a checkpoint's file goes on where it was.
            let offset = match part {
                LoanPart::Image(_) => file.len().map_err(failed)?,
                LoanPart::Manifest | LoanPart::Log { .. } => {
                    file.truncate(0).map_err(failed)?;
                    0
                }
            };
            incoming.part = Some((part, file, offset));
        }
        let Some((_, file, offset)) = &mut incoming.part else { return Err(failed("no part is open")) };
        file.write_at(bytes, *offset).map_err(failed)?;
        file.begin_write_back(*offset, bytes.len() as u64);
        *offset += bytes.len() as u64;
        self.borrowing.done_bytes.fetch_add(bytes.len() as u64, Relaxed);
        Ok(())
    }

    /// All parts are here: checks them and leaves the order to install them at the next start, which [`Engine::wants_restart`] asks
    /// for from then on. What fails the check is removed, to be carried again.
    pub(in crate::core) fn borrowed_all(&self, lender: &Member) -> Result<(), ReplicaError> {
        let disk = self.log().ok_or_else(|| failed("this node keeps no log"))?.disk().clone();
        let mut incoming = self.incoming.lock();
        let Some(Incoming { loan, part }) = incoming.take() else {
            return Err(failed("no transfer is under way"));
        };
        if let Some((_, file, _)) = part {
            file.sync().map_err(failed)?;
        }
        let manifest = match check(&*disk, &loan) {
            Ok(manifest) => manifest,
            Err(error) => {
                remove_all(&*disk).map_err(failed)?;
                return Err(failed(format!("what the peer sent is not whole: {error}")));
            }
        };
        if manifest.databases > self.databases() {
            return Err(failed(format!(
                "the peer has keys in database {}: start this node with --databases {} or more",
                manifest.databases - 1,
                manifest.databases
            )));
        }
        let mut members = self.peers.lock().members.clone();
        super::super::remote::note_member(&mut members, lender);
        let become_new = self.successor();
        let order = Order {
            directory: loan.directory,
            number: self.checkpoints.reserve(1 + loan.files.len() as u64),
            become_new,
            late: super::late::next_number(&*disk).map_err(failed)?,
            replays: become_new.is_none(),
            members: super::super::remote::encode_members(&members),
        };
        disk.sync_directory().map_err(failed)?;
        crate::log::write_whole(&*disk, INCOMING_FILE, &order.encode()).map_err(failed)?;
        self.restart.store(true, Relaxed);
        Ok(())
    }
}

/// Reads every byte of what came. Its entries were checked when they were written; each block has a checksum.
fn check(disk: &dyn Disk, loan: &Loan) -> Result<Manifest, LogError> {
    let manifest = read_manifest(disk, loan.directory)?;
    for file in &loan.files {
        let name = part_name(loan.directory, LoanPart::Image(file.number));
        let found = disk.open(&name)?;
        if found.len()? != file.bytes {
            return Err(LogError::Damaged { offset: found.len()?, file: name, damage: Damage::Short });
        }
        for (at, extents) in manifest.shards.iter().enumerate() {
            for extent in extents.iter().filter(|extent| extent.file == file.number) {
                let mut reader = BlockReader::new(&*found, *extent, manifest.cut_as(file.number), at);
                while reader.next_body()?.is_some() {}
            }
        }
    }
    Ok(manifest)
}

pub(super) fn read_manifest(disk: &dyn Disk, directory: u64) -> Result<Manifest, LogError> {
    let name = part_name(directory, LoanPart::Manifest);
    let file = disk.open(&name)?;
    let mut bytes = vec![0; file.len()? as usize];
    let read = file.read_at(&mut bytes, 0)?;
    Manifest::decode(&bytes[..read]).map_err(|error| match error {
        // Damage is told by the name that the file has here.
        LogError::Damaged { offset, damage, .. } => LogError::Damaged { file: name, offset, damage },
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_round_trips_and_any_damage_is_refused() {
        let order = Order {
            directory: 7,
            number: 9,
            become_new: Some((3, NodeId(4))),
            late: 6,
            replays: false,
            members: vec![1, 2, 3],
        };
        let bytes = order.encode();
        assert_eq!(Order::decode(&bytes).expect("whole"), order);
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Order::decode(&bad).is_err(), "bit {bit}");
        }
        assert!((0..bytes.len()).all(|cut| Order::decode(&bytes[..cut]).is_err()));
    }
}
