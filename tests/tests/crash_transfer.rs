//! A checkpoint goes from a node whose log was shortened to one that is new and has written already. The start that installs it is
//! stopped at every operation of the disk, by kill and by power cut, and begun again.
//!
//! Invariant checked: in the end the new node shows the lender's state with its own early writes done on it exactly once, and the
//! lender, sent what the new node wrote, shows the same.

use std::sync::Arc;

use engine::core::{CheckpointPolicy, Engine, EngineConfig, LoanPart};
use engine::effect::batch;
use engine::replication::standing::Standing;
use engine::replication::{Replica, ReplicaError};
use proto::Seq;
use tests::batches;
use tests::plans;
use tests::sim_disk::{SimDisk, Stop};

const NOW_MS: u64 = 1_000_000;

fn open(disk: &SimDisk, seed: u64, joins: bool) -> Option<Arc<Engine>> {
    let config = EngineConfig {
        databases: 2,
        segment_bytes: 2000,
        expects_peers: joins,
        started_ms: NOW_MS,
        addr: format!("node-{joins}:1"),
        ..EngineConfig::default()
    };
    let mut ids = batches::ids(seed ^ disk.operations() << 20);
    let engine = Engine::open(config, disk.mount(), &mut || ids() | 1).ok()?.0;
    engine.set_checkpoint_policy(CheckpointPolicy { retention_bytes: 0, ..Default::default() });
    Some(engine)
}

fn run(engine: &Engine, lines: &[&str]) {
    for line in lines {
        plans::run(engine, NOW_MS, 0, line).expect("it is done");
        engine.end_turn().expect("it is written");
    }
}

fn lender(disk: &SimDisk) -> Arc<Engine> {
    let engine = open(disk, 1, false).expect("a fresh directory opens");
    for n in 0..200 {
        run(&engine, &[&format!("set key:{n} value-of-{n}")]);
    }
    run(&engine, &["incrby counter 5", "sadd members a b c", "set text hello", "del key:3"]);
    engine.checkpoint(&|| NOW_MS, &|| false).expect("it is taken");
    run(&engine, &["set key:4 after", "incrby counter 2"]);
    assert!(engine.log().expect("a log").begins_at().0 > 0, "its beginning was dropped");
    engine
}

/// Carries all of the lender's loan, in small pieces, giving up once after `cut` of them.
fn carry(from: &Engine, to: &Engine, cut: usize) {
    let mut pieces = 0;
    loop {
        let Some(loan) = Replica::lend(from).expect("it lends") else {
            from.checkpoint(&|| NOW_MS, &|| false).expect("it is taken");
            continue;
        };
        let mut gave_up = false;
        'parts: for wanted in Replica::borrow(to, &loan).expect("it borrows") {
            let mut offset = Some(wanted.offset);
            while let Some(at) = offset {
                pieces += 1;
                if pieces == cut {
                    gave_up = true;
                    break 'parts;
                }
                let mut bytes = Vec::new();
                offset = Replica::read_loan(from, loan.number, wanted.part, at, 700, &mut bytes)
                    .expect("it reads");
                Replica::borrowed(to, wanted.part, &bytes).expect("it writes");
            }
        }
        if !gave_up {
            Replica::borrowed_all(to, &from.member()).expect("it is whole");
            return;
        }
    }
}

/// A new node that wrote before and after it met the lender, with the loan collected; its disk is whole.
fn borrower(lender: &Engine, cut: usize) -> SimDisk {
    let disk = SimDisk::new(2);
    let engine = open(&disk, 2, true).expect("a fresh directory opens");
    run(&engine, &["incrby counter 10", "set early x", "sadd members d", "setrange text 1 E"]);
    let standing = engine.peer_up(&lender.member(), &engine.position(), &lender.position(), 0);
    assert_eq!(standing, Standing::Behind { stranger: true });
    assert_eq!(
        lender.peer_up(&engine.member(), &lender.position(), &engine.position(), 0),
        Standing::Ahead { stranger: true }
    );
    assert!(engine.withholds());
    run(lender, &["set key:5 later", "incrby counter 1"]);
    run(&engine, &["incrby counter 20"]);
    carry(lender, &engine, cut);
    run(&engine, &["set last y", "incrby counter 40"]);
    engine.log().expect("a log").sync().expect("it syncs");
    assert!(engine.wants_restart());
    disk
}

/// Opens, meets the lender, and replays what was written early. `None` when the machine stopped.
fn settle(disk: &SimDisk, seed: u64, lender: &Engine) -> Option<Arc<Engine>> {
    let engine = open(disk, seed, true)?;
    engine.peer_up(&lender.member(), &engine.position(), &lender.position(), 0);
    while engine.late_step(&engine.turn(NOW_MS)).ok()? {}
    engine.end_turn().ok()?;
    engine.log()?.sync().ok()?;
    (!disk.stopped()).then_some(engine)
}

fn text(engine: &Engine, line: &str) -> String {
    let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    let engine::commands::Plan::Data(plan) = engine::commands::lookup(args[0]).expect("known").plan else {
        panic!("a data command")
    };
    let mut out = Vec::new();
    let mut unit = engine.begin(&engine.turn(NOW_MS), 0, engine::core::LockPlan::Everything);
    let mut replies = proto::resp::Replies::new(&mut out, proto::resp::Protocol::Resp2);
    plan(&mut unit, &args, &mut replies).expect("it answers");
    drop(unit);
    String::from_utf8_lossy(&out).into_owned()
}

/// Everything that `from` has of its own, shown to `to`.
fn send(from: &Engine, to: &Engine) {
    let mut bytes = Vec::new();
    Replica::read_log(from, from.node(), Seq(0), usize::MAX, &mut bytes).expect("it reads");
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let one = batch::parse_header(rest).expect("a batch").bytes();
        to.batch(from.node(), &rest[..one], 0).expect("it is taken");
        rest = &rest[one..];
    }
}

#[test]
fn a_start_that_installs_a_checkpoint_may_stop_anywhere() {
    let lent_disk = SimDisk::new(1);
    let lender = lender(&lent_disk);
    let disk = borrower(&lender, 9);
    let began = disk.operations();
    let whole = disk.copy();
    let engine = settle(&whole, 3, &lender).expect("nothing stops it");
    let operations = whole.operations() - began;
    assert_eq!(text(&engine, "get counter"), "$2\r\n78\r\n");
    assert_eq!(text(&engine, "get text"), "$5\r\nhEllo\r\n");
    assert_eq!(text(&engine, "scard members"), ":4\r\n");
    assert_eq!(text(&engine, "get early"), "$1\r\nx\r\n");
    assert_eq!(text(&engine, "get last"), "$1\r\ny\r\n");
    assert_eq!(text(&engine, "get key:5"), "$5\r\nlater\r\n");
    let expected = engine.digest(NOW_MS).0;
    assert!(!whole.names().iter().any(|n| n.starts_with("incoming") || n.starts_with("INCOMING")));
    assert!(!whole.names().iter().any(|n| n.starts_with("LATE")), "{:?}", whole.names());
    // The lender counts the new node, and merges what it wrote.
    assert!(lender.peer_up(&engine.member(), &lender.position(), &engine.position(), 0).is_level());
    send(&engine, &lender);
    assert_eq!(lender.digest(NOW_MS).0, expected, "both show the same");

    assert!(operations > 60, "{operations} operations are worth stopping at");
    for kind in [Stop::Kill, Stop::PowerCut] {
        for at in 0..operations {
            let disk = disk.copy();
            disk.stop_at(at);
            assert!(settle(&disk, 3, &lender).is_none(), "it stops at {at}");
            disk.restart(kind);
            let engine =
                settle(&disk, 5, &lender).unwrap_or_else(|| panic!("it starts after a {kind:?} at {at}"));
            assert_eq!(engine.digest(NOW_MS).0, expected, "after a {kind:?} at {at}");
            drop(engine);
            let again = settle(&disk, 6, &lender).expect("and once more");
            assert_eq!(again.digest(NOW_MS).0, expected, "after a {kind:?} at {at} and another start");
        }
    }
}

#[test]
fn a_damaged_part_is_told_and_carried_again() {
    let lent_disk = SimDisk::new(1);
    let lender = lender(&lent_disk);
    let disk = SimDisk::new(2);
    let engine = open(&disk, 2, true).expect("a fresh directory opens");
    engine.peer_up(&lender.member(), &engine.position(), &lender.position(), 0);
    lender.peer_up(&engine.member(), &lender.position(), &engine.position(), 0);
    let loan = loop {
        match Replica::lend(&*lender).expect("it lends") {
            Some(loan) => break loan,
            None => _ = lender.checkpoint(&|| NOW_MS, &|| false).expect("it is taken"),
        }
    };
    for wanted in Replica::borrow(&*engine, &loan).expect("it borrows") {
        let mut offset = Some(wanted.offset);
        while let Some(at) = offset {
            let mut bytes = Vec::new();
            offset = Replica::read_loan(&*lender, loan.number, wanted.part, at, 1 << 20, &mut bytes)
                .expect("it reads");
            if let (LoanPart::Image(_), Some(byte)) = (wanted.part, bytes.get_mut(400)) {
                *byte ^= 4;
            }
            Replica::borrowed(&*engine, wanted.part, &bytes).expect("it writes");
        }
    }
    match Replica::borrowed_all(&*engine, &lender.member()) {
        Err(ReplicaError::Loan(why)) => assert!(why.contains("not whole"), "{why}"),
        other => panic!("the damage was not seen: {other:?}"),
    }
    assert!(!engine.wants_restart());
    assert!(!disk.names().iter().any(|n| n.starts_with("incoming")), "{:?}", disk.names());
    carry(&lender, &engine, usize::MAX);
    let engine = settle(&disk, 3, &lender).expect("it starts");
    assert_eq!(engine.digest(NOW_MS).0, lender.digest(NOW_MS).0);
    assert!(
        Replica::read_loan(&*lender, loan.number + 7, LoanPart::Manifest, 0, 10, &mut Vec::new()).is_err()
    );
}

#[test]
fn a_borrowed_manifest_that_is_damaged_on_the_disk_is_told_by_its_name() {
    let lent_disk = SimDisk::new(1);
    let lender = lender(&lent_disk);
    let disk = borrower(&lender, 9);
    let manifest = |name: &String| name.starts_with("incoming-") && name.ends_with("-CHECKPOINT");
    let name = disk.names().into_iter().find(manifest).expect("it is there");
    let mut bytes = disk.content(&name);
    bytes[20] ^= 1;
    disk.set_content(&name, &bytes);
    let config = EngineConfig { databases: 2, expects_peers: true, ..EngineConfig::default() };
    let mut ids = batches::ids(3);
    let Err(error) = Engine::open(config, disk.mount(), &mut || ids() | 1) else {
        panic!("it does not start")
    };
    assert!(error.to_string().contains(&name), "{error} names {name}");
}
