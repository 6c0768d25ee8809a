//! At a start: a borrowed checkpoint takes the place of the state that was there.
//!
//! ```text
//! own log   ... │ from: the lender's log after its checkpoint │ own effects that the lender lacks │ members
//!               └── a new segment; what lies before it is dropped once the manifest has its name
//! ```
//! Every step may be repeated: until the manifest is published all of it is done anew, and what was appended twice is left out.

use std::sync::Arc;

use hashbrown::HashMap;
use proto::{Frontier, NodeId};

use super::incoming::{self, INCOMING_FILE, LoanPart, Order};
use super::late;
use crate::core::checkpoint::read_manifest;
use crate::disk::{Disk, DiskFile};
use crate::effect::batch::{self, Batch, BatchError, BatchKind, FLAG_SOLO, HEADER_BYTES};
use crate::image::manifest::Manifest;
use crate::image::{MANIFEST_FILE, image_name};
use crate::log::{Damage, Identity, Index, Log, LogError, LogOptions, LogStart};

/// Batches are appended in groups of about so many bytes.
const GROUP_BYTES: usize = 4 << 20;

/// Puts a whole borrowed checkpoint in place, if there is one.
///
/// Errors: damage to it or to the node's own log, by file and offset; nothing was lost then.
pub fn run(
    segment_bytes: u64,
    disk: &Arc<dyn Disk>,
    now_ms: u64,
    fresh_id: &mut dyn FnMut() -> u64,
) -> Result<(), LogError> {
    let names = disk.list()?;
    if !names.iter().any(|name| name == INCOMING_FILE) {
        return Ok(());
    }
    let order = Order::decode(&read_file(&**disk, INCOMING_FILE)?)?;
    let own = read_manifest(&**disk)?;
    if own.as_ref().is_none_or(|own| own.number != order.number) {
        crate::log::forget_clean(&**disk)?;
        let manifest = incoming::read_manifest(&**disk, order.directory)?;
        let options = LogOptions { segment_bytes, fresh_id };
        let log = open_own_log(disk, options, own)?;
        publish(disk, &order, manifest, &log, now_ms)?;
    }
    incoming::remove_all(&**disk)
}

fn open_own_log(
    disk: &Arc<dyn Disk>,
    options: LogOptions<'_>,
    own: Option<Manifest>,
) -> Result<Log, LogError> {
    let start = own.map(|own| LogStart {
        first_segment: own.first_segment,
        from: own.from,
        durable: own.durable,
        index: own.index,
    });
    Log::prepare(disk.clone(), options)?.replay(start, &mut |_, _| Ok(())).map(|(log, _)| log)
}

fn publish(
    disk: &Arc<dyn Disk>,
    order: &Order,
    mut manifest: Manifest,
    log: &Log,
    now_ms: u64,
) -> Result<(), LogError> {
    let lent_log = order.name(LoanPart::Log { end: manifest.from });
    let lent = Lent::read(&**disk, &lent_log, &manifest)?;
    if order.become_new.is_none() && !lent.reached.covers(&log.dropped()) {
        // The old state alone has something that the loan has not: the loan is given up.
        return Ok(());
    }
    let directory = order.become_new.map_or(log.identity().directory, |(directory, _)| directory);
    let files = take_images(&**disk, order, &manifest)?;
    let merges = order.become_new.is_none() && lent.merges_with(log)?;
    // What a start before this one appended, and did not publish, is the lender's and counts as known.
    log.cut_segment(1)?;
    let from = log.appended_upto();
    append_file(disk, &lent_log, log)?;
    let beyond = log.begins_at();
    if merges {
        let mut taken = lent.reached.clone();
        copy_unknown(log, beyond, from, &mut taken, &mut |group| log.append(group).map(drop))?;
    } else {
        late::keep(disk, order, log, (beyond, from), &lent.reached, now_ms)?;
    }
    let mut members = Vec::new();
    batch::encode_members(&mut members, log.identity().current(), &order.members);
    log.append(&members)?;
    log.sync()?;
    if let Some((directory, node)) = order.become_new {
        crate::log::claim(&**disk, &Identity { directory, nodes: vec![node] })?;
    }
    manifest.cut_as = files.iter().map(|(theirs, ours)| (*ours, manifest.cut_as(*theirs))).collect();
    let renamed = |number: u64| files.iter().find(|f| f.0 == number).map_or(number, |f| f.1);
    for extent in manifest.shards.iter_mut().flatten() {
        extent.file = renamed(extent.file);
    }
    manifest.files.iter_mut().for_each(|file| file.0 = renamed(file.0));
    manifest.number = order.number;
    manifest.directory = directory;
    manifest.index = Index::beginning(from, manifest.index.reached());
    manifest.from = from;
    manifest.durable = log.synced_upto();
    manifest.first_segment = log.first_kept(from, 0);
    crate::log::write_whole(&**disk, MANIFEST_FILE, &manifest.encode())?;
    Ok(())
}

/// Gives the images the names they have from now on: pairs of the lender's number and ours.
fn take_images(disk: &dyn Disk, order: &Order, manifest: &Manifest) -> Result<Vec<(u64, u64)>, LogError> {
    let count = manifest.files.len() as u64;
    let names = disk.list()?;
    let mut files = Vec::new();
    for (at, (number, _)) in (0u64..).zip(&manifest.files) {
        let (theirs, ours) = (order.name(LoanPart::Image(*number)), order.number - count + at);
        files.push((*number, ours));
        if names.contains(&theirs) {
            disk.rename(&theirs, &image_name(ours))?;
        } else if !names.contains(&image_name(ours)) {
            return Err(LogError::Damaged { file: theirs, offset: 0, damage: Damage::Missing });
        }
    }
    disk.sync_directory()?;
    Ok(files)
}

/// What the loan has when its log is replayed.
struct Lent {
    reached: Frontier,
    base_cut: Frontier,
}

impl Lent {
    fn read(disk: &dyn Disk, log: &str, manifest: &Manifest) -> Result<Lent, LogError> {
        let mut lent = Lent { reached: manifest.shown.clone(), base_cut: manifest.base_cut.clone() };
        for_each_batch(disk, log, &mut |batch| {
            match batch.header.kind {
                BatchKind::Effects => {
                    lent.reached.advance(batch.header.origin, batch.header.last());
                    if batch.header.flags & FLAG_SOLO != 0 {
                        lent.base_cut.advance(batch.header.origin, batch.header.last());
                    }
                }
                BatchKind::Stable => lent.base_cut.join(&batch.context()?),
                BatchKind::Members | BatchKind::Evictions => {}
            }
            Ok(())
        })?;
        Ok(lent)
    }

    /// True when everything that only the own log has was written knowing what the lender folded as stable.
    fn merges_with(&self, log: &Log) -> Result<bool, LogError> {
        let mut contexts: HashMap<NodeId, Frontier> = HashMap::new();
        let mut merges = true;
        log.replay_from(log.begins_at(), &mut |batch| {
            if batch.header.kind == BatchKind::Effects {
                let origin = batch.header.origin;
                let known = contexts.entry(origin).or_default();
                known.join(&batch.context()?);
                if batch.header.last() > self.reached.seq(origin) {
                    merges &= self.base_cut.iter().all(|(n, seq)| n == origin || known.seq(n) >= seq);
                }
            }
            Ok(())
        })?;
        Ok(merges)
    }
}

/// Hands over, in groups, the batches between two places of a log that have effects beyond `taken`, each once.
pub(super) fn copy_unknown(
    log: &Log,
    begin: crate::log::LogPosition,
    end: crate::log::LogPosition,
    taken: &mut Frontier,
    put: &mut dyn FnMut(&[u8]) -> Result<(), LogError>,
) -> Result<(), LogError> {
    let (mut at, mut read, mut group) = (begin, Vec::new(), Vec::new());
    while at < end {
        read.clear();
        at = log.read_all(at, end, GROUP_BYTES, &mut read)?;
        let mut rest = &read[..];
        while !rest.is_empty() {
            let header =
                batch::parse_header(rest).map_err(|source| LogError::NotBatches { at: 0, source })?;
            let (one, more) = rest.split_at(header.bytes());
            rest = more;
            if header.kind == BatchKind::Effects && header.last() > taken.seq(header.origin) {
                taken.advance(header.origin, header.last());
                group.extend_from_slice(one);
            }
        }
        if !group.is_empty() {
            put(&group)?;
            group.clear();
        }
    }
    Ok(())
}

fn append_file(disk: &Arc<dyn Disk>, name: &str, log: &Log) -> Result<(), LogError> {
    let mut group = Vec::new();
    for_each_batch(&**disk, name, &mut |batch| {
        group.extend_from_slice(batch.bytes);
        Ok(())
    })?;
    // In groups: one append is one write.
    let mut rest = &group[..];
    while !rest.is_empty() {
        let mut bytes = 0;
        while bytes < rest.len() && bytes < GROUP_BYTES {
            let header = batch::parse_header(&rest[bytes..])
                .map_err(|source| LogError::NotBatches { at: bytes, source })?;
            bytes += header.bytes();
        }
        log.append(&rest[..bytes])?;
        rest = &rest[bytes..];
    }
    Ok(())
}

/// Visits the batches of a file that holds nothing else.
fn for_each_batch(
    disk: &dyn Disk,
    name: &str,
    visit: &mut dyn FnMut(&Batch<'_>) -> Result<(), BatchError>,
) -> Result<(), LogError> {
    let file = disk.open(name)?;
    let length = file.len()?;
    let damaged = |offset, source: BatchError| LogError::Damaged {
        file: name.into(),
        offset,
        damage: Damage::Batch(source),
    };
    let (mut at, mut bytes) = (0, Vec::new());
    while at < length {
        read_exactly(&*file, at, HEADER_BYTES.min((length - at) as usize), &mut bytes)?;
        let header = batch::parse_header(&bytes).map_err(|e| damaged(at, e))?;
        read_exactly(&*file, at, header.bytes().min((length - at) as usize), &mut bytes)?;
        let batch = Batch::parse(&bytes).map_err(|e| damaged(at, e))?;
        visit(&batch).map_err(|e| damaged(at, e))?;
        at += header.bytes() as u64;
    }
    Ok(())
}

fn read_exactly(file: &dyn DiskFile, at: u64, bytes: usize, into: &mut Vec<u8>) -> Result<(), LogError> {
    into.resize(bytes, 0);
    let read = file.read_at(into, at)?;
    into.truncate(read);
    Ok(())
}

pub(super) fn read_file(disk: &dyn Disk, name: &str) -> Result<Vec<u8>, LogError> {
    let file = disk.open(name)?;
    let mut bytes = Vec::new();
    let length = file.len()?.min(64 << 20) as usize;
    read_exactly(&*file, 0, length, &mut bytes)?;
    Ok(bytes)
}
