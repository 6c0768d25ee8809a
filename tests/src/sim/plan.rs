//! The plan of a run, drawn from its seed: how many nodes where, what their clients do, and every fault with its moment.
//!
//! Swarm testing: each seed leaves out most kinds of faults and commands and does the rest often.

use std::fmt;
use std::io::ErrorKind;

use engine::core::{Fsync, POLICIES};
use engine::disk::Operation;

use super::fault::{Fault, FaultKind};
use super::{MS, SECOND, Us, workload};
use crate::random::Random;
use crate::sim_disk::Stop;

/// One machine.
#[derive(Clone, Debug)]
pub struct SlotPlan {
    pub region: usize,
    pub fsync: Fsync,
    /// When its node first starts.
    pub joins: Us,
    /// Wall clock ahead of true time at the start, ms.
    pub skew_ms: i64,
    pub clients: usize,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub slots: Vec<SlotPlan>,
    /// One way, by regions.
    pub latency: Vec<Vec<Us>>,
    /// Added to each message, up to.
    pub jitter: Us,
    /// Messages in a thousand that come a round trip late.
    pub late_per_mille: u64,
    /// Answers to NACKs in a thousand that are cut short, at each piece.
    pub cut_per_mille: u64,
    /// All nodes know each other before the first command.
    pub introduced: bool,
    /// One read of the log, bytes.
    pub chunk_bytes: usize,
    pub segment_bytes: u64,
    pub horizon_bytes: usize,
    pub tick: Us,
    pub step: Us,
    pub sync: Us,
    /// Between a client's turns, up to.
    pub think: Us,
    /// Clients write until then.
    pub length: Us,
    /// Places in [`workload::FAMILIES`].
    pub families: Vec<usize>,
    pub keys: usize,
    /// One name may hold any type.
    pub mixed_types: bool,
    /// Commands in a thousand that probe what a client may rely on.
    pub probe_per_mille: u64,
    pub transaction_per_mille: u64,
    /// Turns in a thousand before which a key is evicted, and by which policy (a place in [`POLICIES`]).
    pub evict_per_mille: u64,
    pub evict_policy: usize,
    /// Log that stays behind a checkpoint at most (bytes).
    pub retention_bytes: u64,
    /// So much log makes a checkpoint due (bytes); 0: only who asks for one.
    pub checkpoint_bytes: u64,
    /// Log kept for members that are away at most (bytes); 0: as much as they lack.
    pub absent_bytes: u64,
    /// Directories that are lost are taken out.
    pub operator: bool,
    /// The slot whose node takes members out.
    pub evictor: usize,
    pub faults: Vec<Fault>,
}

/// Kinds of faults that the swarm draws from.
const KINDS: usize = 19;

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Plan {
        let mut random = Random::new(seed ^ 0x0a70_1100_5eed);
        let r = &mut random;
        let regions = 1 + r.index(4);
        let count = 2 + [0, 0, 1, 1, 1, 2, 2, 3, 4][r.index(9)];
        let length = SECOND + r.below(6 * SECOND);
        let late = r.index(4) == 0;
        let slots: Vec<SlotPlan> = (0..count)
            .map(|at| SlotPlan {
                region: if at < regions { at } else { r.index(regions) },
                fsync: [Fsync::Always, Fsync::EverySecond, Fsync::EverySecond, Fsync::No][r.index(4)],
                joins: if late && at > 1 && r.index(2) == 0 { r.below(length) } else { r.below(20 * MS) },
                skew_ms: r.below(200) as i64 - 100,
                clients: 1 + r.index(3),
            })
            .collect();
        let latency = (0..regions)
            .map(|a| (0..regions).map(|b| if a == b { MS / 4 } else { (5 + r.below(120)) * MS }).collect())
            .collect();
        let families = workload::draw_families(r);
        let flushes = families.iter().any(|f| workload::FAMILIES[*f].flushes);
        let turns = 60 + r.below(240);
        let clients: usize = slots.iter().map(|s| s.clients).sum();
        let mut plan = Plan {
            seed,
            latency,
            jitter: r.below(10 * MS),
            late_per_mille: [0, 0, 10, 100][r.index(4)],
            cut_per_mille: [0, 0, 100, 400][r.index(4)],
            introduced: r.index(2) == 0,
            chunk_bytes: [100, 1000, 4000, 256 << 10][r.index(4)],
            segment_bytes: [2_000, 8_000, 64 << 10, 1 << 20][r.index(4)],
            horizon_bytes: [3_000, 20_000, 64 << 20, 64 << 20][r.index(4)],
            tick: (80 + r.below(320)) * MS,
            step: (10 + r.below(40)) * MS,
            sync: (200 + r.below(1000)) * MS,
            think: 2 * length * clients as u64 / turns,
            length,
            keys: 1 + r.index(12),
            mixed_types: r.index(3) == 0,
            probe_per_mille: if flushes { 0 } else { [0, 100, 400][r.index(3)] },
            transaction_per_mille: [0, 50, 300][r.index(3)],
            families,
            slots,
            evict_per_mille: 0,
            evict_policy: 0,
            retention_bytes: u64::MAX,
            checkpoint_bytes: 0,
            absent_bytes: 0,
            operator: false,
            evictor: 0,
            faults: Vec::new(),
        };
        plan.faults = draw_faults(r, &plan);
        plan.draw_members(&mut Random::new(seed ^ 0x6d65_6d62_6572));
        plan.draw_memory(&mut Random::new(seed ^ 0x6d65_6d6f_7279));
        plan
    }

    /// How log is dropped and who is taken out: half of the runs keep everything.
    fn draw_members(&mut self, r: &mut Random) {
        self.operator = r.index(2) == 0;
        self.evictor = r.index(self.slots.len());
        if r.index(2) == 0 {
            self.retention_bytes = [0, 2_000, 20_000][r.index(3)];
            self.checkpoint_bytes = [0, 3_000, 12_000, 60_000][r.index(4)];
            // Who waits for the checkpoint of a member that is lost goes on once that one is evicted.
            self.operator = true;
            self.absent_bytes = [0, 0, 0, 4_000, 20_000][r.index(5)];
        }
        if self.slots.len() > 2 && r.index(4) == 0 {
            for _ in 0..1 + r.index(2) {
                let (at, slot) = (r.below(self.length), r.index(self.slots.len()));
                self.faults.push(Fault { at, seed: r.number(), kind: FaultKind::Evict { slot } });
            }
            self.faults.sort_by_key(|f| f.at);
        }
    }

    /// Memory is short in a quarter of the runs. What is probed has no expiry: where there are probes, only keys with one go.
    fn draw_memory(&mut self, r: &mut Random) {
        if r.index(4) == 0 {
            self.evict_per_mille = [20, 100, 400][r.index(3)];
            let probed = self.probe_per_mille > 0 || self.transaction_per_mille > 0;
            let fits =
                |policy: &str| policy.starts_with("volatile") || !probed && policy.starts_with("allkeys");
            let policies: Vec<usize> = (0..POLICIES.len()).filter(|at| fits(POLICIES[*at])).collect();
            self.evict_policy = policies[r.index(policies.len())];
        }
    }

    /// Two nodes may have dropped what the other never saw: log is not kept for the absent, or a machine lost what it had acked.
    pub fn may_come_apart(&self) -> bool {
        let loses = |f: &Fault| {
            matches!(
                f.kind,
                FaultKind::Crash { stop: Stop::PowerCut, .. }
                    | FaultKind::CrashTwice { .. }
                    | FaultKind::Wipe { .. }
                    | FaultKind::FlipAtRest { .. }
            )
        };
        self.absent_bytes > 0 || self.faults.iter().any(loses)
    }
}

fn draw_faults(r: &mut Random, plan: &Plan) -> Vec<Fault> {
    if r.index(12) == 0 {
        return Vec::new();
    }
    let kinds: Vec<usize> = (0..1 + r.index(6)).map(|_| r.index(KINDS)).collect();
    let count = 1 + r.index(3 + 2 * plan.slots.len());
    let mut faults: Vec<Fault> = (0..count)
        .map(|_| {
            let kind = kinds[r.index(kinds.len())];
            let at = r.below(plan.length);
            Fault { at, seed: r.number(), kind: draw_fault(r, plan, kind) }
        })
        .collect();
    faults.sort_by_key(|f| f.at);
    faults
}

fn draw_fault(r: &mut Random, plan: &Plan, kind: usize) -> FaultKind {
    let slots = plan.slots.len();
    let slot = r.index(slots);
    let other = (slot + 1 + r.index(slots - 1)) % slots;
    let lasts = match r.index(4) {
        0 => r.below(200 * MS),
        1 => r.below(12 * SECOND),
        _ => r.below(2 * SECOND),
    };
    let down = match r.index(3) {
        0 => r.below(8 * SECOND),
        _ => 10 * MS + r.below(SECOND),
    };
    let operation = (r.index(2) == 0).then(|| r.below(30));
    match kind {
        0 | 1 => {
            let all = (1 << slots) - 1;
            let from = 1 + r.below(all - 1) as u32;
            let to = match r.index(3) {
                0 => 1 << other,
                _ => !from & all as u32,
            };
            FaultKind::Cut { from, to: to & !from, back: kind == 0, lasts }
        }
        2 => FaultKind::Break { a: slot, b: other },
        3 => FaultKind::Stall { from: slot, to: other, lasts },
        4 => FaultKind::Pause { slot, lasts },
        5 | 6 => FaultKind::Crash { slot, stop: [Stop::Kill, Stop::PowerCut][kind - 5], operation, down },
        7 => {
            let stop = [Stop::Kill, Stop::PowerCut][r.index(2)];
            FaultKind::CrashTwice { slot, stop, operation: r.below(30), down }
        }
        8 => FaultKind::Restart { slot, down },
        9 => FaultKind::RollingRestart { each: 50 * MS + r.below(500 * MS) },
        10 => FaultKind::ClockJump {
            slot,
            by_ms: match r.index(3) {
                0 => r.below(400) as i64,
                1 => r.below(30_000) as i64,
                _ => -(r.below(30_000) as i64),
            },
        },
        11 => FaultKind::ClockFreeze { slot, lasts },
        12 => FaultKind::DiskFull { slot, room: r.below(400), lasts },
        13 => FaultKind::DiskFail {
            slot,
            operation: [Operation::Write, Operation::Sync, Operation::Open, Operation::SyncDirectory]
                [[0, 0, 0, 1, 1, 2, 3][r.index(7)]],
            kind: [ErrorKind::Other, ErrorKind::StorageFull][r.index(2)],
        },
        14 => FaultKind::FlipOnWire { from: slot, to: other },
        15 => FaultKind::Checkpoint { slot, gives_up: r.index(4) == 0 },
        16 => FaultKind::Reload { slot },
        17 => FaultKind::Resend { from: slot, to: other },
        _ => match r.index(3) {
            0 => FaultKind::Wipe { slot, down },
            _ => FaultKind::FlipAtRest { slot, clean: r.index(2) == 0, down },
        },
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {} nodes, {:.3} s", self.seed, self.slots.len(), self.length as f64 / 1e6)?;
        for (at, slot) in self.slots.iter().enumerate() {
            writeln!(
                f,
                "  node {at}: region {}, fsync {:?}, joins at {:.3} s, clock {:+} ms, {} clients",
                slot.region,
                slot.fsync,
                slot.joins as f64 / 1e6,
                slot.skew_ms,
                slot.clients
            )?;
        }
        let names: Vec<&str> = self.families.iter().map(|at| workload::FAMILIES[*at].name).collect();
        writeln!(
            f,
            "  {} keys{}, {} per mille transactions, {} probes; {}",
            self.keys,
            if self.mixed_types { " of any type" } else { "" },
            self.transaction_per_mille,
            self.probe_per_mille,
            names.join(" ")
        )?;
        if self.evict_per_mille > 0 {
            let policy = POLICIES[self.evict_policy];
            writeln!(f, "  memory is short before {} of 1000 turns: {policy}", self.evict_per_mille)?;
        }
        if self.retention_bytes < u64::MAX {
            writeln!(
                f,
                "  log: {} bytes stay, {} for the absent, a checkpoint each {}",
                self.retention_bytes, self.absent_bytes, self.checkpoint_bytes
            )?;
        }
        writeln!(
            f,
            "  node {} evicts{}",
            self.evictor,
            if self.operator { ", also who is lost" } else { "" }
        )?;
        writeln!(
            f,
            "  chunks {}, segments {}, horizon {} bytes; jitter {} us, {} late, {} cut per mille{}",
            self.chunk_bytes,
            self.segment_bytes,
            self.horizon_bytes,
            self.jitter,
            self.late_per_mille,
            self.cut_per_mille,
            if self.introduced { "; introduced" } else { "" }
        )?;
        for (at, fault) in self.faults.iter().enumerate() {
            writeln!(f, "  fault {at:>2} {fault}")?;
        }
        Ok(())
    }
}
