//! Cutting a damaged log at its first damage, with everything that is cut kept in a side directory.
//!
//! Invariant: a file is shortened or removed only when what it loses is durable in the side directory; files go from the last
//! one backwards, so a repair that is itself interrupted leaves a log that the next repair takes.

use std::ops::ControlFlow;

use super::Tally;
use super::survey::{Cut, Found, Survey, survey, survey_file};
use crate::disk::{Disk, DiskError, DiskFile};
use crate::effect::batch::{BatchKind, FLAG_SOLO};
use crate::image::{MANIFEST_FILE, image_number};
use crate::log::error::LogError;
use crate::log::layout::{
    CLEAN_FILE, IDENTITY_FILE, Identity, SEGMENT_HEADER_BYTES, SegmentHeader, segment_name, segment_number,
};
use crate::log::recover::CHUNK_BYTES;
use crate::log::segment::Segment;
use crate::log::{LogPosition, identity};
use proto::NodeId;

/// Why a directory is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RepairError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the directory holds data of a newer version: use that version")]
    Newer,
    #[error(
        "the checkpoint is of no use without the log up to position {needed}, and the log does not reach back to its beginning to \
         do without the checkpoint: restore the directory from a copy, or start an empty one and let the other nodes fill it"
    )]
    Checkpoint { needed: LogPosition },
    #[error(
        "IDENTITY cannot be rebuilt: {why}. Put a copy of IDENTITY back, or start an empty directory and let the other nodes \
         fill it"
    )]
    Identity { why: &'static str },
}

impl From<DiskError> for RepairError {
    fn from(error: DiskError) -> Self {
        RepairError::Log(error.into())
    }
}

/// An identity worked out from other files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    pub identity: Identity,
    /// What it was worked out from.
    pub why: &'static str,
}

/// What a repair does.
#[derive(Clone, Default, Debug)]
pub struct RepairPlan {
    /// The log ends here.
    pub cut: Option<Cut>,
    /// Segments that lose bytes, ascending.
    pub segments: Vec<u64>,
    /// Bytes that go to the side directory, and what still decodes of them.
    pub cut_bytes: u64,
    pub cut_tally: Tally,
    /// The marker of a clean stop goes to the side directory: it does not speak true any more.
    pub moves_clean: bool,
    /// The checkpoint's files go to the side directory: they are damaged, or the log is cut where they need it. The whole log is
    /// there to do without.
    pub moves_checkpoint: Vec<String>,
    /// Segments below this number are damaged, and the checkpoint stands for them: they go to the side directory.
    pub drops_below: Option<u64>,
    /// A damaged IDENTITY goes to the side directory.
    pub moves_identity: bool,
    pub rebuilt: Option<Rebuilt>,
    /// Nothing of the log is left: it begins anew.
    pub begins: bool,
}

impl RepairPlan {
    /// The directory is sound.
    pub fn is_empty(&self) -> bool {
        self.cut.is_none()
            && !self.moves_clean
            && self.rebuilt.is_none()
            && self.moves_checkpoint.is_empty()
            && self.drops_below.is_none()
    }
}

/// Works out what a repair would do, and writes nothing. `fresh_id`: random ids.
///
/// Errors: what must not be repaired, with what to do instead; [`LogError::Disk`].
pub fn plan(disk: &dyn Disk, fresh_id: &mut dyn FnMut() -> u64) -> Result<RepairPlan, RepairError> {
    let mut owners = Owners::default();
    let found = survey(disk, &mut |found| owners.note(&found))?;
    if found.newer > 0 {
        return Err(RepairError::Newer);
    }
    let names = disk.list()?;
    let mut plan = RepairPlan { cut: found.cut, ..RepairPlan::default() };
    if found.identity_damaged {
        plan.moves_identity = names.iter().any(|name| name == IDENTITY_FILE);
        plan.rebuilt = Some(rebuild(disk, &names, &found, &owners, fresh_id)?);
    }
    let present = names.iter().any(|name| name == CLEAN_FILE);
    plan.moves_clean = present && (found.clean_damaged || found.cut.is_some());
    let ends_at = match found.cut {
        Some(cut) => plan.note_cut(disk, &names, cut)?,
        None => found.end,
    };
    let needed = found.checkpoint.as_ref().map_or(LogPosition(0), |checkpoint| checkpoint.durable);
    if found.checkpoint_damaged || ends_at < needed {
        let whole = names.iter().any(|name| segment_number(name) == Some(1));
        if !whole || found.cut.is_some_and(|cut| cut.number == 1 && !keeps_header(cut)) {
            return Err(RepairError::Checkpoint { needed });
        }
        let ours = |name: &&String| *name == MANIFEST_FILE || image_number(name).is_some();
        plan.moves_checkpoint = names.iter().filter(ours).cloned().collect();
    } else {
        plan.drops_below = found.spare_below;
    }
    Ok(plan)
}

impl RepairPlan {
    /// Returns where the log ends then.
    fn note_cut(&mut self, disk: &dyn Disk, names: &[String], cut: Cut) -> Result<LogPosition, RepairError> {
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment_number(name)).collect();
        numbers.sort_unstable();
        let kept = |number: u64| number < cut.number || (number == cut.number && keeps_header(cut));
        self.begins = !numbers.first().is_some_and(|lowest| kept(*lowest));
        let mut position = LogPosition(0);
        for number in numbers {
            let name = segment_name(number);
            let file = disk.open(&name)?;
            let length = file.len()?;
            let from = if number == cut.number { cut.offset } else { 0 };
            if number < cut.number || (number == cut.number && from >= length) {
                position = LogPosition(position.0.max(Segment::open(disk, number)?.position(length).0));
                continue;
            }
            if keeps_header(cut) && number == cut.number {
                position = Segment::open(disk, number)?.position(from);
            }
            self.segments.push(number);
            self.cut_bytes += length - from;
            survey_file(disk, &name, &mut |found| {
                if let Found::Batch { place, batch } = &found
                    && place.offset >= from
                {
                    self.cut_tally.note(batch);
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(position)
    }
}

fn keeps_header(cut: Cut) -> bool {
    cut.offset >= SEGMENT_HEADER_BYTES
}

/// Does what [`plan`] said. `side` is an empty directory below the repaired one.
///
/// Segments keep their names there. One of which only the rest was cut begins with a header of its own, so that it reads as a
/// segment that starts at the cut; everything else is copied byte for byte.
pub fn apply(disk: &dyn Disk, side: &dyn Disk, plan: &RepairPlan, salt_seed: u64) -> Result<(), RepairError> {
    for number in &plan.segments {
        let rest = plan.cut.filter(|cut| cut.number == *number && keeps_header(*cut));
        keep_segment(disk, side, *number, rest)?;
    }
    for (name, moved) in [(CLEAN_FILE, plan.moves_clean), (IDENTITY_FILE, plan.moves_identity)] {
        if moved {
            let (from, to) = (disk.open(name)?, fresh(side, name)?);
            copy(&*from, 0, &*to, 0)?;
        }
    }
    let spare = |number: &u64| plan.drops_below.is_some_and(|first| *number < first);
    let names = disk.list()?;
    let spare: Vec<u64> = names.iter().filter_map(|name| segment_number(name)).filter(spare).collect();
    for number in &spare {
        keep_segment(disk, side, *number, None)?;
    }
    for name in &plan.moves_checkpoint {
        let (from, to) = (disk.open(name)?, fresh(side, name)?);
        copy(&*from, 0, &*to, 0)?;
    }
    side.sync_directory()?;
    // The side directory's own name.
    disk.sync_directory()?;
    if plan.moves_clean {
        disk.remove(CLEAN_FILE)?;
        disk.sync_directory()?;
    }
    // The manifest goes first: without it the rest is nothing.
    let (manifest, images): (Vec<_>, Vec<_>) =
        plan.moves_checkpoint.iter().partition(|name| *name == MANIFEST_FILE);
    for name in manifest.into_iter().chain(images) {
        disk.remove(name)?;
        disk.sync_directory()?;
    }
    if let Some(first) = plan.drops_below
        && let Some(mut manifest) = crate::core::read_manifest(disk)?
    {
        manifest.first_segment = first;
        crate::log::write_whole(disk, MANIFEST_FILE, &manifest.encode())?;
    }
    for number in &spare {
        disk.remove(&segment_name(*number))?;
    }
    for number in plan.segments.iter().rev() {
        let name = segment_name(*number);
        match plan.cut.filter(|cut| cut.number == *number && keeps_header(*cut)) {
            Some(cut) => {
                let file = disk.open(&name)?;
                file.truncate(cut.offset)?;
                file.sync()?;
            }
            None => disk.remove(&name)?,
        }
        disk.sync_directory()?;
    }
    if plan.begins {
        Segment::begin(disk, 1, LogPosition(0), salt_seed)?;
    }
    if let Some(rebuilt) = &plan.rebuilt {
        identity::store(disk, &rebuilt.identity)?;
    }
    Ok(())
}

fn keep_segment(disk: &dyn Disk, side: &dyn Disk, number: u64, rest: Option<Cut>) -> Result<(), RepairError> {
    let name = segment_name(number);
    let (from, to) = (disk.open(&name)?, fresh(side, &name)?);
    let Some(cut) = rest else { return Ok(copy(&*from, 0, &*to, 0)?) };
    let segment = Segment::open(disk, number)?;
    let header = SegmentHeader { start: segment.position(cut.offset), ..segment.header };
    to.write_at(&header.encode(), 0)?;
    Ok(copy(&*from, cut.offset, &*to, SEGMENT_HEADER_BYTES)?)
}

fn fresh(side: &dyn Disk, name: &str) -> Result<Box<dyn DiskFile>, DiskError> {
    let file = side.open(name)?;
    file.truncate(0)?;
    Ok(file)
}

/// Copies from `offset` to the end, durably.
fn copy(from: &dyn DiskFile, mut offset: u64, to: &dyn DiskFile, mut at: u64) -> Result<(), DiskError> {
    let mut bytes = vec![0; CHUNK_BYTES];
    loop {
        let read = from.read_at(&mut bytes, offset)?;
        if read == 0 {
            return to.sync();
        }
        to.write_at(&bytes[..read], at)?;
        (offset, at) = (offset + read as u64, at + read as u64);
    }
}

/// What the log tells of the directory's own nodes.
#[derive(Default)]
struct Owners {
    /// Origins in the order of the log.
    origins: Vec<NodeId>,
    /// Something in the log was not written alone.
    peers: bool,
}

impl Owners {
    fn note(&mut self, found: &Found<'_>) -> ControlFlow<()> {
        if let Found::Batch { batch, .. } = found {
            let header = &batch.header;
            if !self.origins.contains(&header.origin) {
                self.origins.push(header.origin);
            }
            let alone = header.kind == BatchKind::Effects && header.flags & FLAG_SOLO != 0;
            self.peers |= !alone && header.kind != BatchKind::Stable;
        }
        ControlFlow::Continue(())
    }
}

/// Works the identity out, if nobody else counts on what only it can tell.
fn rebuild(
    disk: &dyn Disk,
    names: &[String],
    found: &Survey,
    owners: &Owners,
    fresh_id: &mut dyn FnMut() -> u64,
) -> Result<Rebuilt, RepairError> {
    if owners.peers {
        let why = "other nodes know this directory by its number of incarnations, which stands nowhere else";
        return Err(RepairError::Identity { why });
    }
    if found.cut.is_some() && found.damages > 1 {
        let why = "the log is damaged as well, so it cannot tell whether the directory had peers";
        return Err(RepairError::Identity { why });
    }
    let mut nodes = owners.origins.clone();
    match identity::load_clean(disk, names) {
        Ok(Some(clean)) => {
            nodes.retain(|node| *node != clean.node);
            nodes.push(clean.node);
            let identity = Identity { directory: clean.directory, nodes };
            let why =
                "CLEAN names the directory and its node, the log its earlier nodes; it never had a peer";
            Ok(Rebuilt { identity, why })
        }
        _ if found.checkpoint.is_some() && !found.checkpoint_damaged => {
            let manifest = crate::core::read_manifest(disk)?
                .ok_or(RepairError::Identity { why: "the checkpoint went away while it was read" })?;
            let later = nodes.into_iter().filter(|node| !manifest.nodes.contains(node));
            let nodes: Vec<NodeId> = manifest.nodes.iter().copied().chain(later).collect();
            if !manifest.members.is_empty() {
                let why = "other nodes know this directory by its number of incarnations, which stands nowhere else";
                return Err(RepairError::Identity { why });
            }
            let identity = Identity { directory: manifest.directory, nodes };
            let why =
                "CHECKPOINT names the directory and its nodes, the log its later ones; it never had a peer";
            Ok(Rebuilt { identity, why })
        }
        _ if nodes.is_empty() => {
            Err(RepairError::Identity { why: "neither CLEAN nor the log tells who the directory was" })
        }
        _ => {
            let identity = Identity { directory: fresh_id(), nodes };
            let why = "the log names its nodes and never had a peer, so a new directory id is as good as the old one";
            Ok(Rebuilt { identity, why })
        }
    }
}
