//! Repairs of a damaged log, stopped by a power cut at every operation: what is cut is in the side directory before it leaves
//! the log, and the repaired directory opens with exactly what was before the damage.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use engine::log::inspect::{Found, RepairError, RepairPlan, Trouble, apply, plan, survey, survey_file};
use proto::{NodeId, Seq};
use tests::batches::{effects, ids, open_log};
use tests::sim_disk::{SimDisk, Stop};

const SEGMENT_BYTES: u64 = 900;
const BATCHES: u64 = 16;

/// Three segments, stopped cleanly.
fn directory() -> SimDisk {
    let disk = SimDisk::new(11);
    let (log, _, _) = open_log(&disk, SEGMENT_BYTES, &mut ids(5)).expect("a fresh directory opens");
    for seq in 1..=BATCHES {
        log.append(&effects(NodeId(2), Seq(seq), 1, 40)).expect("it appends");
        log.sync().expect("it syncs");
    }
    log.close_clean().expect("it closes");
    assert_eq!(log.stat().segments, 3);
    disk
}

fn flip(disk: &SimDisk, file: &str, at: usize) {
    let mut bytes = disk.content(file);
    bytes[at] ^= 1;
    disk.set_content(file, &bytes);
}

fn planned(disk: &SimDisk) -> Result<RepairPlan, RepairError> {
    plan(&*disk.mount(), &mut ids(70))
}

fn repair(disk: &SimDisk, side: &SimDisk) -> Result<(), RepairError> {
    let plan = planned(disk)?;
    apply(&*disk.mount(), &*side.mount(), &plan, 9)
}

/// First seqs of the whole batches in all segments of a directory.
fn whole_batches(disk: &SimDisk) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    for name in disk.names().iter().filter(|name| name.ends_with(".seg")) {
        survey_file(&*disk.mount(), name, &mut |step| {
            if let Found::Batch { batch, .. } = step {
                found.insert(batch.header.first.0);
            }
            ControlFlow::Continue(())
        })
        .expect("the file reads");
    }
    found
}

/// How a directory is damaged, and how many batches lie before that.
type Damage = (&'static str, fn(&SimDisk));

const DAMAGES: [Damage; 6] = [
    ("a batch of the second segment", |disk| flip(disk, "log-000000000002.seg", 400)),
    ("the header of the second segment", |disk| flip(disk, "log-000000000002.seg", 20)),
    ("the header of the first segment", |disk| flip(disk, "log-000000000001.seg", 30)),
    ("a batch of the last segment", |disk| flip(disk, "log-000000000003.seg", 60)),
    ("the second segment is lost", |disk| disk.lose("log-000000000002.seg")),
    ("the first segment is shorter", |disk| {
        let bytes = disk.content("log-000000000001.seg");
        disk.set_content("log-000000000001.seg", &bytes[..300]);
    }),
];

#[test]
fn crash_repair_at_every_operation_keeps_all_that_was_whole() {
    for (name, damage) in DAMAGES {
        let damaged = directory();
        damage(&damaged);
        assert!(open_log(&damaged.copy(), SEGMENT_BYTES, &mut ids(6)).is_err(), "{name}");
        let before = whole_batches(&damaged);
        let mut stop = 0;
        loop {
            let (disk, first, second) = (damaged.copy(), SimDisk::new(stop), SimDisk::new(1));
            disk.stop_at(stop);
            let ended = repair(&disk, &first);
            let stopped = disk.stopped();
            assert!(stopped || ended.is_ok(), "{name}: {ended:?}");
            disk.restart(Stop::PowerCut);
            first.restart(Stop::PowerCut);
            let mut left = whole_batches(&disk);
            left.extend(whole_batches(&first));
            assert_eq!(left, before, "{name}, stop at {stop}");
            repair(&disk, &second).unwrap_or_else(|error| panic!("{name}, stop at {stop}: {error}"));
            let (_, recovered, found) = open_log(&disk, SEGMENT_BYTES, &mut ids(8))
                .unwrap_or_else(|error| panic!("{name}, stop at {stop}: {error}"));
            assert!(!recovered.clean && recovered.cut_bytes == 0, "{name}, stop at {stop}");
            assert_eq!(recovered.identity.nodes.len(), 2, "a new incarnation is claimed");
            let seqs = found.iter().map(|b| engine::effect::batch::parse_header(b).expect("whole").first.0);
            assert!(seqs.eq(1..=found.len() as u64), "{name}, stop at {stop}: no prefix");
            if !stopped {
                break;
            }
            stop += 1;
        }
        assert!(stop > 10, "{name}: {stop} operations");
    }
}

#[test]
fn a_torn_tail_is_cut_to_the_side() {
    let disk = directory();
    disk.lose("CLEAN");
    let last = disk.content("log-000000000003.seg");
    disk.set_content("log-000000000003.seg", &last[..last.len() - 5]);
    let side = SimDisk::new(1);
    let planned = planned(&disk).expect("a plan");
    assert_eq!((planned.segments.as_slice(), planned.cut_tally.effects), (&[3][..], 0));
    repair(&disk, &side).expect("it repairs");
    let kept = side.content("log-000000000003.seg");
    let cut = disk.content("log-000000000003.seg").len();
    assert_eq!(kept[40..], last[cut..last.len() - 5]);
    let sound = survey(&*disk.mount(), &mut |_| ControlFlow::Continue(())).expect("it reads");
    assert_eq!((sound.damages, sound.harmless), (0, 0));
}

#[test]
fn a_damaged_marker_alone_is_moved_aside() {
    let (disk, side) = (directory(), SimDisk::new(1));
    flip(&disk, "CLEAN", 20);
    let marker = disk.content("CLEAN");
    repair(&disk, &side).expect("it repairs");
    assert_eq!(side.content("CLEAN"), marker);
    let (_, recovered, found) = open_log(&disk, SEGMENT_BYTES, &mut ids(8)).expect("it opens");
    assert_eq!((recovered.clean, found.len() as u64), (false, BATCHES));
}

#[test]
fn an_identity_is_rebuilt_only_where_nobody_else_counts_on_it() {
    // Its batches are of a node that was not alone.
    let disk = directory();
    disk.lose("IDENTITY");
    assert!(matches!(planned(&disk), Err(RepairError::Identity { .. })));
    // Nothing was ever written: the marker tells all.
    let disk = SimDisk::new(4);
    let (log, recovered, _) = open_log(&disk, SEGMENT_BYTES, &mut ids(5)).expect("a fresh directory opens");
    log.close_clean().expect("it closes");
    flip(&disk, "IDENTITY", 17);
    let (damaged, side) = (disk.content("IDENTITY"), SimDisk::new(1));
    repair(&disk, &side).expect("it repairs");
    assert_eq!(side.content("IDENTITY"), damaged);
    let (_, again, _) = open_log(&disk, SEGMENT_BYTES, &mut ids(8)).expect("it opens");
    assert_eq!((again.identity, again.clean), (recovered.identity, true));
}

#[test]
fn a_directory_with_newer_data_is_left_alone() {
    let disk = directory();
    let mut header = disk.content("log-000000000003.seg");
    header[8] = 2;
    let crc = crc32c::crc32c(&header[8..40]);
    header[4..8].copy_from_slice(&crc.to_le_bytes());
    disk.set_content("log-000000000003.seg", &header);
    assert_eq!(planned(&disk).map(|_| ()), Err(RepairError::Newer));
}

#[test]
fn a_record_that_cannot_be_read_in_a_whole_batch_is_found_and_cut() {
    let disk = directory();
    let name = "log-000000000003.seg";
    let mut bytes = disk.content(name);
    let at = (40..bytes.len()).find(|at| bytes[*at..].starts_with(b"ATB1")).expect("a batch");
    // The record's kind, behind header, context, settled and length.
    bytes[at + 44 + 12] = 8;
    let end = at + 44 + u32::from_le_bytes(bytes[at + 4..at + 8].try_into().expect("four bytes")) as usize;
    let crc = crc32c::crc32c(&bytes[at + 12..end]);
    bytes[at + 8..at + 12].copy_from_slice(&crc.to_le_bytes());
    disk.set_content(name, &bytes);
    let cut = planned(&disk).expect("a plan").cut.expect("a cut");
    assert_eq!((cut.number, cut.offset), (3, at as u64));
}

#[test]
fn a_hole_in_a_sequence_is_named() {
    let disk = SimDisk::new(4);
    let (log, _, _) = open_log(&disk, SEGMENT_BYTES, &mut ids(5)).expect("a fresh directory opens");
    let whole = effects(NodeId(2), Seq(1), 2, 10);
    log.append(&[&whole[..], &effects(NodeId(2), Seq(4), 1, 10)].concat()).expect("it appends");
    drop(log);
    let mut named = Vec::new();
    let found = survey(&*disk.mount(), &mut |found| {
        if let Found::Finding(finding) = found {
            named.push((finding.offset, finding.trouble.clone()));
        }
        ControlFlow::Continue(())
    })
    .expect("it reads");
    let missing = Trouble::Missing { origin: NodeId(2), last: Seq(2), first: Seq(4) };
    assert_eq!((named, found.damages), (vec![(40 + whole.len() as u64, missing)], 1));
}
