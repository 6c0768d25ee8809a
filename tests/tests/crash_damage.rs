//! Damage of every kind to every field of every file: a start gives exactly the right log or names the file and the byte, and
//! a survey names the same.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use engine::effect::batch;
use engine::log::LogError;
use engine::log::inspect::{Found, Severity, survey};
use proto::{NodeId, Seq};
use tests::batches::{effects, ids, open_log};
use tests::sim_disk::SimDisk;

const SEGMENT_BYTES: u64 = 900;
const SECTOR: usize = 512;

/// What has to come of a damaged directory.
#[derive(Clone, PartialEq, Debug)]
enum Expected {
    /// The log opens with so many of its batches; nothing is called damaged.
    Opens(usize),
    /// It does not, and this file and byte are named.
    Damaged(String, u64),
}

type Files = BTreeMap<String, Vec<u8>>;

/// A stretch of a file that has a meaning of its own.
struct Field {
    file: String,
    name: &'static str,
    from: usize,
    to: usize,
}

/// A mark or a batch of a segment.
#[derive(Clone)]
struct Frame {
    file: String,
    from: usize,
    to: usize,
    /// Batches of the whole log before this frame.
    before: usize,
    position: u64,
    /// What a mark calls durable.
    synced: Option<u64>,
}

struct Directory {
    clean: bool,
    files: Files,
    batches: Vec<Vec<u8>>,
    fields: Vec<Field>,
    frames: Vec<Frame>,
    last: String,
}

const HEADER: [(&str, usize); 7] =
    [("magic", 4), ("crc", 4), ("version", 4), ("zero", 4), ("number", 8), ("start", 8), ("salt", 8)];
const MARK: [(&str, usize); 4] = [("mark magic", 4), ("mark crc", 4), ("mark salt", 8), ("synced", 8)];
const BATCH: [(&str, usize); 10] = [
    ("batch magic", 4),
    ("body-len", 4),
    ("batch crc", 4),
    ("kind", 1),
    ("flags", 1),
    ("batch zero", 2),
    ("count", 4),
    ("origin", 8),
    ("first", 8),
    ("hlc", 8),
];

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

impl Directory {
    /// Three segments with marks in all of them. Not clean: the last batches were never covered by a sync that a mark tells of.
    fn new(clean: bool) -> Directory {
        let disk = SimDisk::new(7);
        let mut ids = ids(3);
        // A first incarnation, so that the identity has two.
        drop(open_log(&disk, SEGMENT_BYTES, &mut ids).expect("a fresh directory opens"));
        let (log, _, _) = open_log(&disk, SEGMENT_BYTES, &mut ids).expect("it opens again");
        let mut batches = Vec::new();
        let mut first = 1;
        while log.stat().segments < 3 || batches.len() < 12 {
            let count = 1 + first as u32 % 3;
            let bytes = effects(NodeId(2), Seq(first), count, 40);
            log.append(&bytes).expect("it appends");
            if batches.len() % 3 == 1 {
                log.sync().expect("it syncs");
            }
            first += u64::from(count);
            batches.push(bytes);
        }
        for extra in 0..5 {
            let bytes = effects(NodeId(2), Seq(first + extra), 1, 40);
            log.append(&bytes).expect("it appends");
            if extra < 2 {
                log.sync().expect("it syncs");
            }
            batches.push(bytes);
        }
        if clean {
            log.close_clean().expect("it closes");
        }
        let files = disk.names().into_iter().map(|name| (name.clone(), disk.content(&name))).collect();
        let mut found = Directory {
            clean,
            files,
            batches,
            fields: Vec::new(),
            frames: Vec::new(),
            last: "log-000000000003.seg".into(),
        };
        found.map();
        found
    }

    fn put_fields(&mut self, file: &str, mut at: usize, fields: &[(&'static str, usize)]) -> usize {
        for (name, bytes) in fields {
            self.fields.push(Field { file: file.into(), name, from: at, to: at + bytes });
            at += bytes;
        }
        at
    }

    fn map(&mut self) {
        let mut before = 0;
        for (file, bytes) in self.files.clone() {
            match file.as_str() {
                "IDENTITY" => {
                    let fixed = [("magic", 4), ("crc", 4), ("version", 4), ("count", 4), ("directory", 8)];
                    let at = self.put_fields(&file, 0, &fixed);
                    self.put_fields(&file, at, &[("node 1", 8), ("node 2", 8)]);
                }
                "CLEAN" => {
                    let fields = [("magic", 4), ("crc", 4), ("version", 4), ("zero", 4), ("directory", 8)];
                    let at = self.put_fields(&file, 0, &fields);
                    self.put_fields(&file, at, &[("node", 8), ("end", 8)]);
                }
                _ => {
                    let start = u64_at(&bytes, 24);
                    let mut at = self.put_fields(&file, 0, &HEADER);
                    while at < bytes.len() {
                        let position = start + (at as u64 - 40);
                        let mark = bytes[at..].starts_with(b"ATLM");
                        let (to, synced) = if mark {
                            (self.put_fields(&file, at, &MARK), Some(u64_at(&bytes, at + 16)))
                        } else {
                            let length = batch::parse_header(&bytes[at..]).expect("a batch").bytes();
                            let body = self.put_fields(&file, at, &BATCH);
                            // Context: one component of 1 + 8 + 1 bytes; settled: none.
                            let records = self.put_fields(&file, body, &[("context", 10), ("settled", 1)]);
                            self.put_fields(&file, records, &[("records", at + length - records)]);
                            (at + length, None)
                        };
                        self.frames.push(Frame {
                            file: file.clone(),
                            from: at,
                            to,
                            before,
                            position,
                            synced,
                        });
                        before += usize::from(!mark);
                        at = to;
                    }
                }
            }
        }
        assert_eq!(before, self.batches.len());
        for file in ["log-000000000001.seg", "log-000000000002.seg", "log-000000000003.seg"] {
            let marks = self.frames.iter().filter(|f| f.file == file && f.synced.is_some()).count();
            assert!(marks > 0 && (marks > 1 || file != self.last), "{file} has {marks} marks");
        }
    }

    /// The table: bytes `from..to` of a file are not what was written.
    fn overwritten(&self, file: &str, from: usize, to: usize) -> Expected {
        let whole_files = file == "IDENTITY" || file == "CLEAN";
        if whole_files || from < 40 {
            return Expected::Damaged(file.into(), 0);
        }
        let frame = self.frames.iter().find(|f| f.file == file && f.to > from).expect("a frame");
        let durable = self.frames.iter().any(|mark| {
            mark.file == file && mark.from >= to && mark.synced.is_some_and(|synced| synced > frame.position)
        });
        match file != self.last || self.clean || durable {
            true => Expected::Damaged(file.into(), frame.from as u64),
            false => Expected::Opens(frame.before),
        }
    }

    /// The table: a file ends at `length`, before its end.
    fn truncated(&self, file: &str, length: usize) -> Expected {
        if file == "IDENTITY" || file == "CLEAN" || length < 40 {
            return Expected::Damaged(file.into(), 0);
        }
        if file != self.last {
            // The next segment says where this one ended.
            return Expected::Damaged(file.into(), length as u64);
        }
        let frame = self.frames.iter().find(|f| f.file == file && f.to > length).expect("a frame");
        match self.clean {
            false => Expected::Opens(frame.before),
            true if frame.from == length => Expected::Damaged("CLEAN".into(), 0),
            true => Expected::Damaged(file.into(), frame.from as u64),
        }
    }

    fn check(&self, cell: &str, files: &Files, expected: &Expected) {
        let cell = format!("clean {}: {cell}", self.clean);
        let disk = SimDisk::new(1);
        for (name, bytes) in files {
            disk.set_content(name, bytes);
        }
        self.check_survey(&cell, &disk, expected);
        let opened = open_log(&disk, SEGMENT_BYTES, &mut ids(99));
        match (opened, expected) {
            (Ok((_, _, found)), Expected::Opens(batches)) => {
                assert!(found == self.batches[..*batches], "{cell}: {} batches, not {batches}", found.len());
            }
            (Err(LogError::Damaged { file, offset, .. }), Expected::Damaged(..)) => {
                assert_eq!(&Expected::Damaged(file, offset), expected, "{cell}");
            }
            (Ok((_, _, found)), _) => {
                panic!("{cell}: it opens with {} batches, not {expected:?}", found.len())
            }
            (Err(error), _) => panic!("{cell}: {error}, not {expected:?}"),
        }
    }

    fn check_survey(&self, cell: &str, disk: &SimDisk, expected: &Expected) {
        let mut damages = Vec::new();
        let survey = survey(&*disk.mount(), &mut |found| {
            if let Found::Finding(finding) = found
                && finding.trouble.severity() != Severity::Harmless
            {
                damages.push(Expected::Damaged(finding.file.clone(), finding.offset));
            }
            ControlFlow::Continue(())
        })
        .unwrap_or_else(|error| panic!("{cell}: {error}"));
        match expected {
            Expected::Opens(_) => assert_eq!(survey.damages, 0, "{cell}: {damages:?}"),
            named => assert!(damages.contains(named), "{cell}: {damages:?} lack {named:?}"),
        }
    }

    fn both() -> [Directory; 2] {
        [Directory::new(true), Directory::new(false)]
    }
}

fn all_of(directory: &Directory) -> Expected {
    Expected::Opens(directory.batches.len())
}

#[test]
fn crash_damage_by_a_flipped_bit() {
    for directory in Directory::both() {
        directory.check("untouched", &directory.files, &all_of(&directory));
        for field in &directory.fields {
            for at in field.from..field.to {
                let mut files = directory.files.clone();
                files.get_mut(&field.file).expect("the file")[at] ^= 1 << (at * 5 % 8);
                let expected = directory.overwritten(&field.file, at, at + 1);
                directory.check(
                    &format!("{} {} byte {at} flipped", field.file, field.name),
                    &files,
                    &expected,
                );
            }
        }
    }
}

#[test]
fn crash_damage_by_zeros() {
    for directory in Directory::both() {
        for field in &directory.fields {
            let mut files = directory.files.clone();
            let bytes = files.get_mut(&field.file).expect("the file");
            let unchanged = bytes[field.from..field.to].iter().all(|byte| *byte == 0);
            bytes[field.from..field.to].fill(0);
            let expected = match unchanged {
                true => all_of(&directory),
                false => directory.overwritten(&field.file, field.from, field.to),
            };
            directory.check(&format!("{} {} zeroed", field.file, field.name), &files, &expected);
        }
    }
}

#[test]
fn crash_damage_by_truncation() {
    for directory in Directory::both() {
        for field in &directory.fields {
            for length in [field.from, (field.from + field.to) / 2] {
                let mut files = directory.files.clone();
                files.get_mut(&field.file).expect("the file").truncate(length);
                let expected = directory.truncated(&field.file, length);
                directory.check(
                    &format!("{} {} ends at {length}", field.file, field.name),
                    &files,
                    &expected,
                );
            }
        }
    }
}

/// A sector holds what lay at that place of another segment, as a recycled file or a lost write leaves it.
#[test]
fn crash_damage_by_a_sector_of_old_data() {
    for directory in Directory::both() {
        let mut seen = 0;
        for (file, bytes) in &directory.files {
            let donor = match file.as_str() {
                "log-000000000001.seg" => "log-000000000002.seg",
                _ => "log-000000000001.seg",
            };
            let donor = &directory.files[donor];
            for from in (0..bytes.len()).step_by(SECTOR) {
                let to = bytes.len().min(from + SECTOR);
                let mut files = directory.files.clone();
                let damaged = files.get_mut(file).expect("the file");
                let old = donor.iter().copied().chain(std::iter::repeat(0));
                for (byte, old) in damaged[from..to].iter_mut().zip(old.skip(from)) {
                    *byte = old;
                }
                let first = (from..to).find(|at| damaged[*at] != bytes[*at]).expect("the sectors differ");
                let expected = directory.overwritten(file, first, to);
                directory.check(&format!("{file} sector at {from} is old"), &files, &expected);
                seen += 1;
            }
        }
        assert!(seen >= 6, "{seen} sectors");
    }
}

#[test]
fn crash_damage_by_deleted_files() {
    let damaged = |file: &str| Expected::Damaged(file.into(), 0);
    for directory in Directory::both() {
        let third = directory.frames.iter().find(|f| f.file == directory.last).expect("frames").before;
        // Without the marker of a clean stop nothing tells that there was a last segment.
        let last = if directory.clean { damaged("CLEAN") } else { Expected::Opens(third) };
        let table = [
            ("IDENTITY", damaged("IDENTITY")),
            ("log-000000000001.seg", damaged("log-000000000001.seg")),
            ("log-000000000002.seg", damaged("log-000000000002.seg")),
            ("log-000000000003.seg", last),
            // A directory without the marker is one whose node crashed.
            ("CLEAN", all_of(&directory)),
        ];
        for (file, expected) in table {
            let mut files = directory.files.clone();
            files.remove(file);
            directory.check(&format!("{file} deleted"), &files, &expected);
        }
    }
}

#[test]
fn crash_damage_by_duplicated_and_renamed_files() {
    let damaged = |file: &str| Expected::Damaged(file.into(), 0);
    for directory in Directory::both() {
        let copies = [
            ("log-000000000001.seg", "log-000000000004.seg", damaged("log-000000000004.seg")),
            ("log-000000000003.seg", "log-000000000004.seg", damaged("log-000000000004.seg")),
            ("log-000000000001.seg", "log-000000000002.seg", damaged("log-000000000002.seg")),
            ("log-000000000002.seg", "log-000000000009.seg", damaged("log-000000000004.seg")),
            ("log-000000000001.seg", "log-000000000001.seg.old", all_of(&directory)),
            ("log-000000000001.seg", "IDENTITY", damaged("IDENTITY")),
            ("IDENTITY", "CLEAN", damaged("CLEAN")),
            ("IDENTITY", "IDENTITY.old", all_of(&directory)),
        ];
        for (from, to, expected) in copies {
            let mut files = directory.files.clone();
            let bytes = files[from].clone();
            files.insert(to.into(), bytes);
            directory.check(&format!("{from} copied to {to}"), &files, &expected);
        }
        let names = [
            ("log-000000000001.seg", "log-000000000004.seg", damaged("log-000000000001.seg")),
            ("log-000000000002.seg", "log-000000000004.seg", damaged("log-000000000002.seg")),
            ("log-000000000003.seg", "log-000000000004.seg", damaged("log-000000000003.seg")),
            ("IDENTITY", "IDENTITY.old", damaged("IDENTITY")),
        ];
        for (from, to, expected) in names {
            let mut files = directory.files.clone();
            let bytes = files.remove(from).expect("the file");
            files.insert(to.into(), bytes);
            directory.check(&format!("{from} renamed to {to}"), &files, &expected);
        }
    }
}

/// The marker of an earlier incarnation, and of another directory.
#[test]
fn crash_damage_by_files_of_others() {
    let directory = Directory::new(true);
    let mut files = directory.files.clone();
    let stranger = Directory::stranger();
    files.insert("CLEAN".into(), stranger["CLEAN"].clone());
    directory.check("CLEAN of another", &files, &Expected::Damaged("CLEAN".into(), 0));
    let mut files = directory.files.clone();
    files.insert("IDENTITY".into(), stranger["IDENTITY"].clone());
    directory.check("IDENTITY of another", &files, &Expected::Damaged("CLEAN".into(), 0));
}

impl Directory {
    fn stranger() -> Files {
        let disk = SimDisk::new(8);
        let (log, _, _) = open_log(&disk, SEGMENT_BYTES, &mut ids(55)).expect("a fresh directory opens");
        log.close_clean().expect("it closes");
        disk.names().into_iter().map(|name| (name.clone(), disk.content(&name))).collect()
    }
}
