//! Damage to checkpoints: every kind of it to every field of the manifest and to every block of the images. Each is told by file
//! and offset, or is harmless and shows exactly what was shown; nothing is lost in silence, nothing panics.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use engine::core::{CheckpointPolicy, Engine, EngineConfig, OpenError};
use engine::log::inspect::{self, Found, RepairError};
use engine::log::{Damage, LogError};
use tests::batches;
use tests::plans::{self, keys_of_shards};
use tests::sim_disk::SimDisk;

const HASH_SEED: u64 = 7;
const NOW_MS: u64 = 1_000_000;
const MANIFEST: &str = "CHECKPOINT";

fn open(disk: &SimDisk, retention_bytes: u64) -> Result<Arc<Engine>, OpenError> {
    let config = EngineConfig {
        databases: 2,
        hash_seed_override: Some(HASH_SEED),
        segment_bytes: 2000,
        ..EngineConfig::default()
    };
    let mut ids = batches::ids(disk.operations());
    let engine = Engine::open(config, disk.mount(), &mut || ids() | 1)?.0;
    engine.set_checkpoint_policy(CheckpointPolicy { retention_bytes, ..Default::default() });
    Ok(engine)
}

fn run(engine: &Engine, lines: &[String]) {
    for line in lines {
        plans::run(engine, NOW_MS, 0, line).expect("it is done");
    }
    engine.end_turn().expect("it is written");
}

/// A directory with full images, changes over them, and log behind; and what it shows.
fn directory(retention_bytes: u64) -> (SimDisk, u128) {
    let disk = SimDisk::new(1);
    let engine = open(&disk, retention_bytes).expect("a fresh directory opens");
    let keys = keys_of_shards("key:", HASH_SEED, 2, 60);
    run(&engine, &keys.iter().map(|k| format!("set {k} value-of-{k}")).collect::<Vec<_>>());
    run(&engine, &[format!("sadd s a b {}", "m".repeat(300)), format!("set {} x px 100000000", keys[3])]);
    engine.checkpoint(&|| NOW_MS, &|| false).expect("it is taken");
    run(&engine, &[format!("set {} changed", keys[0]), format!("del {}", keys[1]), "swapdb 0 1".into()]);
    engine.checkpoint(&|| NOW_MS, &|| false).expect("it is taken");
    for (n, key) in keys.iter().enumerate().take(40) {
        run(&engine, &[format!("set {key} after-{n}")]);
    }
    engine.log().expect("a log").sync().expect("it syncs");
    let shown = engine.digest(NOW_MS).0;
    (disk, shown)
}

/// What opening a damaged copy comes to.
fn outcome(disk: &SimDisk, shown: u128) -> Result<(), (String, u64, Damage)> {
    match open(disk, 0) {
        Ok(engine) => {
            assert_eq!(engine.digest(NOW_MS).0, shown, "what opens shows what was shown");
            Ok(())
        }
        Err(OpenError::Log(LogError::Damaged { file, offset, damage })) => Err((file, offset, damage)),
        Err(other) => panic!("not told as damage: {other}"),
    }
}

/// Files that a survey finds damaged.
fn surveyed(disk: &SimDisk) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    inspect::survey(&*disk.mount(), &mut |found| {
        if let Found::Finding(finding) = found
            && finding.trouble.severity() == inspect::Severity::Damage
        {
            files.insert(finding.file.clone());
        }
        ControlFlow::Continue(())
    })
    .expect("the disk reads");
    files
}

fn images(disk: &SimDisk) -> Vec<String> {
    disk.names().into_iter().filter(|name| name.ends_with(".img")).collect()
}

#[test]
fn every_flipped_bit_and_every_cut_of_the_manifest_is_told() {
    let (disk, shown) = directory(0);
    let whole = disk.content(MANIFEST);
    for at in 0..whole.len() {
        for bit in [0, 7] {
            let damaged = disk.copy();
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            damaged.set_content(MANIFEST, &bytes);
            let (file, offset, _) = outcome(&damaged, shown).expect_err("a flipped bit is seen");
            assert_eq!((file.as_str(), offset), (MANIFEST, 0), "byte {at}");
        }
    }
    for cut in (0..whole.len()).step_by(7) {
        let damaged = disk.copy();
        damaged.set_content(MANIFEST, &whole[..cut]);
        let (file, ..) = outcome(&damaged, shown).expect_err("a cut is seen");
        assert_eq!((file.as_str(), surveyed(&damaged).contains(MANIFEST)), (MANIFEST, true), "cut at {cut}");
    }
    let longer = disk.copy();
    longer.set_content(MANIFEST, &[&whole[..], &[0]].concat());
    assert_eq!(outcome(&longer, shown).expect_err("a longer file is seen").2, Damage::Checksum);
}

#[test]
fn every_flipped_byte_of_an_image_is_told_or_lies_in_what_is_superseded() {
    let (disk, shown) = directory(0);
    let names = images(&disk);
    assert_eq!(names.len(), 2, "a full image and changes: {:?}", disk.names());
    for name in names {
        let whole = disk.content(&name);
        let mut told = 0;
        for at in 0..whole.len() {
            let damaged = disk.copy();
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            damaged.set_content(&name, &bytes);
            if let Err((file, offset, _)) = outcome(&damaged, shown) {
                assert_eq!(file, name);
                assert!(offset <= at as u64, "byte {at} is told at {offset}");
                told += 1;
                if at % 50 == 0 {
                    assert!(surveyed(&damaged).contains(&name), "verify names {name} for byte {at}");
                }
            }
        }
        assert_eq!(told, whole.len(), "{name} holds nothing superseded yet");
    }
}

#[test]
fn an_image_that_is_cut_longer_zeroed_missing_or_of_another_is_told() {
    let (disk, shown) = directory(0);
    for name in images(&disk) {
        let whole = disk.content(&name);
        let other = disk.content(images(&disk).iter().find(|other| **other != name).expect("two"));
        let longer = [&whole[..], &[0]].concat();
        let mut sector = whole.clone();
        let end = sector.len().min(512);
        sector[..end].fill(0);
        for (what, bytes) in [
            ("cut", &whole[..whole.len() - 1]),
            ("empty", &[][..]),
            ("longer", &longer[..]),
            ("zeroed", &vec![0; whole.len()][..]),
            ("torn sector", &sector[..]),
            ("another's", &other[..]),
        ] {
            let damaged = disk.copy();
            damaged.set_content(&name, bytes);
            let (file, ..) = outcome(&damaged, shown).expect_err(what);
            assert_eq!(file, name, "{what}");
            assert!(surveyed(&damaged).contains(&name), "{what}");
        }
        let damaged = disk.copy();
        damaged.lose(&name);
        assert_eq!(outcome(&damaged, shown), Err((name.clone(), 0, Damage::Missing)));
    }
}

#[test]
fn without_its_manifest_a_log_that_begins_late_is_told_and_a_whole_one_is_read() {
    let (late, shown) = directory(0);
    assert!(!late.names().contains(&"log-000000000001.seg".to_string()));
    late.lose(MANIFEST);
    assert_eq!(outcome(&late, shown), Err((MANIFEST.into(), 0, Damage::Missing)));
    let (whole, shown) = directory(1 << 30);
    whole.lose(MANIFEST);
    assert_eq!(outcome(&whole, shown), Ok(()));
}

#[test]
fn segments_that_the_checkpoint_needs_are_told_when_missing_or_too_short() {
    let (disk, shown) = directory(0);
    let segments: Vec<String> = disk.names().into_iter().filter(|name| name.ends_with(".seg")).collect();
    assert!(segments.len() >= 2, "{segments:?}");
    let first = disk.copy();
    first.lose(&segments[0]);
    assert_eq!(outcome(&first, shown), Err((segments[0].clone(), 0, Damage::Missing)));
    // An older state of the whole log: shorter than the checkpoint saw it.
    let short = disk.copy();
    segments[1..].iter().for_each(|name| short.lose(name));
    let header = disk.content(&segments[0])[..40].to_vec();
    short.set_content(&segments[0], &header);
    let (file, _, damage) = outcome(&short, shown).expect_err("what was durable is missing");
    assert_eq!(file, segments[0]);
    assert!(matches!(damage, Damage::Lost { .. }), "{damage}");
    assert!(surveyed(&short).contains(&segments[0]));
}

#[test]
fn repair_does_without_a_damaged_checkpoint_only_where_the_whole_log_is_there() {
    let repair = |disk: &SimDisk, side: &SimDisk| -> Result<(), RepairError> {
        let plan = inspect::plan(&*disk.mount(), &mut || 5)?;
        inspect::apply(&*disk.mount(), &*side.mount(), &plan, 9)
    };
    let flip = |disk: &SimDisk, name: &str, at: usize| {
        let mut bytes = disk.content(name);
        bytes[at] ^= 4;
        disk.set_content(name, &bytes);
    };
    let (late, _) = directory(0);
    flip(&late, &images(&late)[0], 100);
    assert!(matches!(repair(&late, &SimDisk::new(2)), Err(RepairError::Checkpoint { .. })));
    let (whole, shown) = directory(1 << 30);
    let (image, side) = (images(&whole)[0].clone(), SimDisk::new(2));
    flip(&whole, &image, 100);
    let damaged = whole.content(&image);
    assert!(outcome(&whole, shown).is_err());
    repair(&whole, &side).expect("it repairs");
    assert_eq!(side.content(&image), damaged);
    assert!(!whole.names().contains(&MANIFEST.to_string()));
    assert_eq!(outcome(&whole, shown), Ok(()));
    // Damage before the checkpoint's place costs nothing but the segments that have it.
    let (early, shown) = directory(1 << 30);
    let first = "log-000000000001.seg";
    flip(&early, first, 300);
    assert!(surveyed(&early).contains(first));
    let side = SimDisk::new(3);
    repair(&early, &side).expect("it repairs");
    assert!(side.names().contains(&first.to_string()) && !early.names().contains(&first.to_string()));
    assert_eq!(outcome(&early, shown), Ok(()));
}
