//! One pass over a directory: every file, every frame, every record; whatever is wrong is told and passed.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use proto::{NodeId, Seq};

use super::finding::{Finding, Trouble};
use super::frames::{Frames, Step};
use crate::core::{CheckpointFacts, inspect_checkpoint};
use crate::disk::Disk;
use crate::effect::batch::{Batch, BatchError, BatchKind};
use crate::image::{MANIFEST_FILE, image_number};
use crate::log::error::{Damage, LogError};
use crate::log::layout::{
    CLEAN_FILE, Clean, IDENTITY_FILE, Identity, SEGMENT_HEADER_BYTES, SegmentHeader, UNFINISHED,
    segment_name, segment_number,
};
use crate::log::recover::{self, CHUNK_BYTES};
use crate::log::segment::{Segment, Window};
use crate::log::{LogPosition, identity};
use crate::replication::eviction::Evictions;

/// Where a frame stands.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub file: &'a str,
    pub offset: u64,
    pub position: LogPosition,
}

/// What a survey passes, in the order of the log.
pub enum Found<'a> {
    Segment {
        name: &'a str,
        bytes: u64,
    },
    Mark {
        place: Place<'a>,
        synced: LogPosition,
    },
    /// Its checksum holds; whether its records decode was told by a finding before it.
    Batch {
        place: Place<'a>,
        batch: Batch<'a>,
    },
    Finding(&'a Finding),
}

/// Where the log stops being right.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Cut {
    /// Of the segment.
    pub number: u64,
    /// Nothing of the segment is kept when this lies before the end of its header.
    pub offset: u64,
}

/// What a survey adds up to.
#[derive(Clone, Default, Debug)]
pub struct Survey {
    /// As far as it reads.
    pub identity: Option<Identity>,
    /// The marker of a clean stop reads and is this directory's.
    pub clean: bool,
    pub segments: u64,
    /// In all segment files.
    pub bytes: u64,
    /// Where the log begins and ends, as far as headers tell.
    pub start: LogPosition,
    pub end: LogPosition,
    pub harmless: u64,
    pub damages: u64,
    pub newer: u64,
    /// The first damage to the log, torn tails included, that the checkpoint does not stand for.
    pub cut: Option<Cut>,
    /// Segments below this number are damaged and not needed: the checkpoint stands for them.
    pub spare_below: Option<u64>,
    /// `IDENTITY` or `CLEAN` is not as it should be.
    pub identity_damaged: bool,
    pub clean_damaged: bool,
    /// The manifest of the last checkpoint, as far as it reads.
    pub checkpoint: Option<CheckpointFacts>,
    /// The checkpoint is not as it should be.
    pub checkpoint_damaged: bool,
    /// The visitor did not want the rest.
    pub stopped: bool,
}

type Visit<'v> = dyn FnMut(Found<'_>) -> ControlFlow<()> + 'v;

/// True when there is a file of ours in the directory.
pub fn is_data_directory(names: &[String]) -> bool {
    let ours = |name: &String| {
        [IDENTITY_FILE, CLEAN_FILE, MANIFEST_FILE].contains(&name.as_str())
            || segment_number(name).is_some()
            || image_number(name).is_some()
    };
    names.iter().any(ours)
}

/// Reads the whole directory. Errors: [`LogError::Disk`] only; everything else is a finding.
pub fn survey(disk: &dyn Disk, visit: &mut Visit<'_>) -> Result<Survey, LogError> {
    let names = disk.list()?;
    let mut pass = Pass::new(visit);
    // Without a checkpoint the log is all there is, so it has to begin at the beginning.
    pass.whole_log = !names.iter().any(|name| name == MANIFEST_FILE);
    pass.clean_present = names.iter().any(|name| name == CLEAN_FILE);
    for name in names.iter().filter(|name| name.ends_with(UNFINISHED)) {
        let _ = pass.find(name, 0, Trouble::Unfinished, None);
    }
    pass.survey.identity = pass.file(IDENTITY_FILE, identity::load(disk, &names))?;
    pass.survey.identity_damaged = pass.survey.damages + pass.survey.newer > 0;
    let clean = pass.file(CLEAN_FILE, identity::load_clean(disk, &names))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment_number(name)).collect();
    numbers.sort_unstable();
    pass.identity_missing(disk, &names, &numbers)?;
    pass.checkpoint(disk)?;
    if let Some(checkpoint) = &pass.survey.checkpoint {
        let first = checkpoint.first_segment;
        for number in numbers.iter().filter(|number| **number < first) {
            let _ = pass.find(&segment_name(*number), 0, Trouble::Superseded, None);
        }
        numbers.retain(|number| *number >= first);
    }
    pass.find_beginning(disk, &numbers)?;
    pass.segments(disk, &numbers)?;
    pass.reaches_checkpoint(disk, &numbers)?;
    if pass.clean_present && !pass.survey.stopped {
        pass.clean(clean.as_ref());
    }
    Ok(pass.survey)
}

/// Reads one file of frames: a segment of any name, or a side file of a repair.
pub fn survey_file(disk: &dyn Disk, name: &str, visit: &mut Visit<'_>) -> Result<Survey, LogError> {
    let mut pass = Pass::new(visit);
    let file = disk.open(name)?;
    let header = read_header(&*file)?;
    let known = header.is_ok();
    if let Err(damage) = header {
        let _ = pass.find(name, 0, damage.into(), None);
    }
    let header = header.unwrap_or(SegmentHeader { number: 1, start: LogPosition(0), salt: 0 });
    pass.survey.start = header.start;
    pass.segment(&Segment { header, name: name.to_owned(), file }, known, None)?;
    Ok(pass.survey)
}

fn read_header(file: &dyn crate::disk::DiskFile) -> Result<Result<SegmentHeader, Damage>, LogError> {
    let mut bytes = [0; SEGMENT_HEADER_BYTES as usize];
    let read = file.read_at(&mut bytes, 0)?;
    Ok(SegmentHeader::decode(&bytes[..read]))
}

struct Pass<'p, 'v> {
    visit: &'p mut Visit<'v>,
    survey: Survey,
    whole_log: bool,
    clean_present: bool,
    /// Where the log begins to matter.
    begins: Option<Cut>,
    /// Last seq of each origin so far.
    last: BTreeMap<NodeId, Seq>,
}

impl<'p, 'v> Pass<'p, 'v> {
    fn new(visit: &'p mut Visit<'v>) -> Self {
        let survey = Survey::default();
        Pass { visit, survey, whole_log: false, clean_present: false, begins: None, last: BTreeMap::new() }
    }

    fn tell(&mut self, found: Found<'_>) -> ControlFlow<()> {
        if !self.survey.stopped && (self.visit)(found).is_break() {
            self.survey.stopped = true;
        }
        if self.survey.stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn find(&mut self, file: &str, offset: u64, trouble: Trouble, resumed: Option<u64>) -> ControlFlow<()> {
        use super::Severity;
        let count = match trouble.severity() {
            Severity::Harmless => &mut self.survey.harmless,
            Severity::Damage => &mut self.survey.damages,
            Severity::Newer => &mut self.survey.newer,
        };
        *count += 1;
        self.tell(Found::Finding(&Finding { file: file.to_owned(), offset, trouble, resumed }))
    }

    /// A finding of the log itself: it is right up to here at most.
    fn find_in_log(
        &mut self,
        file: &str,
        number: u64,
        offset: u64,
        trouble: impl Into<Trouble>,
        resumed: Option<u64>,
    ) -> ControlFlow<()> {
        let trouble = trouble.into();
        if matches!(trouble, Trouble::Damage(_) | Trouble::Newer(_)) {
            // What follows in the sequences is not known to be missing: it may be what is damaged here.
            self.last.clear();
            self.whole_log = false;
        }
        let cut = Cut { number, offset };
        match self.begins {
            Some(begins) if cut < begins => {
                if number < begins.number {
                    self.survey.spare_below = Some(begins.number);
                }
            }
            _ => self.survey.cut = Some(self.survey.cut.map_or(cut, |first| first.min(cut))),
        }
        self.find(file, offset, trouble, resumed)
    }

    /// A file that is written whole.
    fn file<T>(&mut self, name: &str, loaded: Result<Option<T>, LogError>) -> Result<Option<T>, LogError> {
        match loaded {
            Err(LogError::Damaged { offset, damage, .. }) => {
                let _ = self.find(name, offset, damage.into(), None);
                Ok(None)
            }
            other => other,
        }
    }

    /// A directory without an identity is one whose very first start was interrupted, or it is damaged.
    fn identity_missing(
        &mut self,
        disk: &dyn Disk,
        names: &[String],
        numbers: &[u64],
    ) -> Result<(), LogError> {
        if names.iter().any(|name| name == IDENTITY_FILE) {
            return Ok(());
        }
        let begun = match numbers {
            [] => false,
            [only] => disk.open(&segment_name(*only))?.len()? > SEGMENT_HEADER_BYTES,
            _ => true,
        };
        if begun || self.clean_present {
            self.survey.identity_damaged = true;
            let _ = self.find(IDENTITY_FILE, 0, Damage::Missing.into(), None);
        }
        Ok(())
    }

    /// Every block and entry of the checkpoint.
    fn checkpoint(&mut self, disk: &dyn Disk) -> Result<(), LogError> {
        let mut found = Vec::new();
        let mut damaged = |file: &str, offset, damage| found.push((file.to_owned(), offset, damage));
        self.survey.checkpoint = inspect_checkpoint(disk, &mut damaged)?;
        for (file, offset, damage) in found {
            self.survey.checkpoint_damaged = true;
            let _ = self.find(&file, offset, damage.into(), None);
        }
        Ok(())
    }

    /// The place of the checkpoint in the log.
    fn find_beginning(&mut self, disk: &dyn Disk, numbers: &[u64]) -> Result<(), LogError> {
        let Some(checkpoint) = self.survey.checkpoint.as_ref().filter(|_| !self.survey.checkpoint_damaged)
        else {
            return Ok(());
        };
        for number in numbers {
            let file = disk.open(&segment_name(*number))?;
            if let Ok(header) = read_header(&*file)?
                && header.number == *number
                && header.start <= checkpoint.from
            {
                let offset = SEGMENT_HEADER_BYTES + (checkpoint.from.0 - header.start.0);
                self.begins = Some(Cut { number: *number, offset });
            }
        }
        Ok(())
    }

    /// The log begins where the checkpoint needs it, and goes on at least as far as it did when that was taken.
    fn reaches_checkpoint(&mut self, disk: &dyn Disk, numbers: &[u64]) -> Result<(), LogError> {
        let Some(checkpoint) = &self.survey.checkpoint else { return Ok(()) };
        let (first, from, durable) = (checkpoint.first_segment, checkpoint.from, checkpoint.durable);
        if self.survey.stopped {
            return Ok(());
        }
        let missing = numbers.first().is_none_or(|lowest| *lowest != first);
        if missing || self.survey.start > from {
            let _ = self.find_in_log(&segment_name(first), first, 0, Damage::Missing, None);
        } else if self.survey.end < durable && self.survey.cut.is_none() {
            let last = numbers[numbers.len() - 1];
            let name = segment_name(last);
            let length = disk.open(&name)?.len()?;
            let damage = Damage::Lost { durable, found: self.survey.end };
            let _ = self.find_in_log(&name, last, length, damage, None);
        }
        Ok(())
    }

    fn segments(&mut self, disk: &dyn Disk, numbers: &[u64]) -> Result<(), LogError> {
        let lowest = numbers.first().copied().unwrap_or(1);
        let begun = self.survey.identity.is_some() || self.clean_present || self.survey.identity_damaged;
        let checkpointed = self.survey.checkpoint.is_some();
        if (numbers.is_empty() && begun && !checkpointed) || (self.whole_log && lowest > 1) {
            let _ = self.find_in_log(&segment_name(1), 1, 0, Damage::Missing, None);
        }
        let mut expected = (self.whole_log && lowest == 1).then_some(LogPosition(0));
        for (i, number) in numbers.iter().enumerate() {
            if i > 0 && numbers[i - 1] + 1 != *number {
                let missing = numbers[i - 1] + 1;
                let _ = self.find_in_log(&segment_name(missing), missing, 0, Damage::Missing, None);
                expected = None;
            }
            let name = segment_name(*number);
            let file = disk.open(&name)?;
            let (length, header) = (file.len()?, read_header(&*file)?);
            let header = header.and_then(|header| match header.number == *number {
                true => Ok(header),
                false => Err(Damage::Field),
            });
            let known = header.is_ok();
            if let Err(damage) = header {
                let _ = self.find_in_log(&name, *number, 0, damage, None);
            }
            let start = expected.unwrap_or(LogPosition(0));
            let header = header.unwrap_or(SegmentHeader { number: *number, start, salt: 0 });
            if let Some(expected) = expected
                && header.start != expected
            {
                let _ = self.gap(numbers, i, header.start, expected, disk)?;
            }
            let segment = Segment { header, name, file };
            if i == 0 {
                self.survey.start = segment.header.start;
            }
            self.survey.segments += 1;
            self.survey.bytes += length;
            expected = Some(segment.position(length.max(SEGMENT_HEADER_BYTES)));
            self.survey.end = segment.position(length.max(SEGMENT_HEADER_BYTES));
            let tail = i + 1 == numbers.len() && known && !self.clean_present;
            self.segment(&segment, known, tail.then_some(length))?;
            if self.survey.stopped {
                break;
            }
        }
        Ok(())
    }

    /// Two segments do not meet, or the first does not begin at the beginning. As the node, this blames the end of the former.
    fn gap(
        &mut self,
        numbers: &[u64],
        i: usize,
        start: LogPosition,
        found: LogPosition,
        disk: &dyn Disk,
    ) -> Result<ControlFlow<()>, LogError> {
        if i == 0 {
            let first = numbers[0];
            return Ok(self.find_in_log(&segment_name(first), first, 0, Damage::Field, None));
        }
        let former = numbers[i - 1];
        let name = segment_name(former);
        let length = disk.open(&name)?.len()?;
        Ok(self.find_in_log(&name, former, length, Damage::Gap { expected: start, found }, None))
    }

    /// Every frame of a segment. `tail`: its length, when it is the last one and may be torn.
    fn segment(&mut self, segment: &Segment, known: bool, tail: Option<u64>) -> Result<(), LogError> {
        let bytes = segment.file.len()?;
        if self.tell(Found::Segment { name: &segment.name, bytes }).is_break() {
            return Ok(());
        }
        let number = segment.header.number;
        // What a checkpoint vouches for was durable, and cannot be torn.
        let durable = self.survey.checkpoint.as_ref().map_or(LogPosition(0), |checkpoint| checkpoint.durable);
        let mut failed = None;
        let _ = Frames::new(segment, known)?.visit(&mut |offset, step| {
            let place = Place { file: &segment.name, offset, position: segment.position(offset) };
            match step {
                Step::Mark(mark) => self.tell(Found::Mark { place, synced: mark.synced }),
                Step::Batch(batch) => self.batch(number, place, batch),
                Step::Damaged { damage, newer: true, resumed } => {
                    self.find_in_log(&segment.name, number, offset, Trouble::Newer(damage), resumed)
                }
                Step::Damaged { damage, resumed, .. } => match torn(segment, offset, tail, damage) {
                    Ok(Some(bytes)) if place.position >= durable => {
                        let _ =
                            self.find_in_log(&segment.name, number, offset, Trouble::Torn { bytes }, None);
                        // What follows goes with it, whole or not.
                        ControlFlow::Break(())
                    }
                    Ok(_) => {
                        self.find_in_log(&segment.name, number, offset, Trouble::Damage(damage), resumed)
                    }
                    Err(error) => {
                        failed = Some(error);
                        ControlFlow::Break(())
                    }
                },
            }
        })?;
        failed.map_or(Ok(()), Err)
    }

    fn batch(&mut self, number: u64, place: Place<'_>, batch: Batch<'_>) -> ControlFlow<()> {
        if let Err(error) = check(&batch) {
            self.find_in_log(place.file, number, place.offset, Damage::Batch(error), None)?;
        }
        let header = &batch.header;
        if header.kind == BatchKind::Effects {
            let first = !self.last.contains_key(&header.origin);
            let last = self.last.entry(header.origin).or_default();
            let missing = header.first.0 > last.0 + 1 && (!first || self.whole_log);
            let trouble = Trouble::Missing { origin: header.origin, last: *last, first: header.first };
            *last = header.last().max(*last);
            if missing {
                self.find_in_log(place.file, number, place.offset, trouble, None)?;
            }
        }
        self.tell(Found::Batch { place, batch })
    }

    /// The marker speaks for the current incarnation and the very end of the log.
    fn clean(&mut self, clean: Option<&Clean>) {
        let Some(clean) = clean else {
            self.survey.clean_damaged = true;
            return;
        };
        let owner = self.survey.identity.as_ref().map(|identity| identity::check_owner(clean, identity));
        let damage = match owner {
            Some(Err(LogError::Damaged { damage, .. })) => Some(damage),
            _ if clean.end != self.survey.end && self.survey.cut.is_none() => {
                Some(Damage::End { marked: clean.end, found: self.survey.end })
            }
            _ => None,
        };
        match damage {
            None => self.survey.clean = self.survey.cut.is_none(),
            Some(damage) => {
                self.survey.clean_damaged = true;
                let _ = self.find(CLEAN_FILE, 0, damage.into(), None);
            }
        }
    }
}

/// Bytes of the torn tail at `offset`; `None` when it is damage.
fn torn(segment: &Segment, offset: u64, tail: Option<u64>, damage: Damage) -> Result<Option<u64>, LogError> {
    let Some(length) = tail else { return Ok(None) };
    let torn = recover::is_torn(&mut Window::new(CHUNK_BYTES), segment, offset, length, damage)?;
    Ok(torn.then_some(length - offset))
}

/// Everything of a batch decodes.
fn check(batch: &Batch<'_>) -> Result<(), BatchError> {
    match batch.header.kind {
        BatchKind::Effects => batch.check().map(drop),
        BatchKind::Stable | BatchKind::Members | BatchKind::Evictions => {
            batch.context()?;
            batch.settled()?;
            let whole = match batch.header.kind {
                BatchKind::Members => crate::core::decode_members(batch.payload()).is_some(),
                BatchKind::Evictions => Evictions::decode(batch.payload()).is_some(),
                BatchKind::Stable | BatchKind::Effects => true,
            };
            if whole { Ok(()) } else { Err(BatchError::Header) }
        }
    }
}
