//! What can go wrong in the world, one named thing at one moment each: the unit that a failing run is shrunk by.

use std::fmt;
use std::io::ErrorKind;

use engine::disk::Operation;

use super::Us;
use crate::sim_disk::Stop;

/// A fault at a moment. Everything random in it comes from `seed`, so that taking one away changes no other.
#[derive(Clone, Debug)]
pub struct Fault {
    pub at: Us,
    pub seed: u64,
    pub kind: FaultKind,
}

/// Slots are machines by number; a duration ends the fault.
#[derive(Clone, Debug)]
pub enum FaultKind {
    /// Nothing passes from the slots in `from` to those in `to` (bit masks); with `back`, nor the other way.
    Cut {
        from: u32,
        to: u32,
        back: bool,
        lasts: Us,
    },
    /// Every connection between the two breaks at once.
    Break {
        a: usize,
        b: usize,
    },
    /// What `from` streams to `to` stands still; answers to NACKs do not.
    Stall {
        from: usize,
        to: usize,
        lasts: Us,
    },
    Pause {
        slot: usize,
        lasts: Us,
    },
    /// The machine stops, now or in the middle of the disk operation with this number from now.
    Crash {
        slot: usize,
        stop: Stop,
        operation: Option<u64>,
        down: Us,
    },
    /// As a crash, and the start after it is interrupted in the middle of a disk operation too.
    CrashTwice {
        slot: usize,
        stop: Stop,
        operation: u64,
        down: Us,
    },
    /// A clean stop.
    Restart {
        slot: usize,
        down: Us,
    },
    /// All slots in turn, cleanly.
    RollingRestart {
        each: Us,
    },
    ClockJump {
        slot: usize,
        by_ms: i64,
    },
    ClockFreeze {
        slot: usize,
        lasts: Us,
    },
    /// The disk has so many bytes of room left.
    DiskFull {
        slot: usize,
        room: u64,
        lasts: Us,
    },
    DiskFail {
        slot: usize,
        operation: Operation,
        kind: ErrorKind,
    },
    /// One bit of the next batches between the two is wrong on arrival.
    FlipOnWire {
        from: usize,
        to: usize,
    },
    /// A stopped node's disk returns one bit wrong.
    FlipAtRest {
        slot: usize,
        clean: bool,
        down: Us,
    },
    /// `gives_up`: the attempt ends before it is done.
    Checkpoint {
        slot: usize,
        gives_up: bool,
    },
    Reload {
        slot: usize,
    },
    /// The directory is lost; a new one begins at the same address.
    Wipe {
        slot: usize,
        down: Us,
    },
    /// The member is taken out, whether it runs or not, and returns as a new one.
    Evict {
        slot: usize,
    },
    /// Batches are sent again, from anywhere in the log.
    Resend {
        from: usize,
        to: usize,
    },
}

impl FaultKind {
    /// For plans that are told to people and for the swarm's choice.
    pub fn name(&self) -> &'static str {
        match self {
            FaultKind::Cut { back: true, .. } => "partition",
            FaultKind::Cut { .. } => "one-way cut",
            FaultKind::Break { .. } => "break",
            FaultKind::Stall { .. } => "stall",
            FaultKind::Pause { .. } => "pause",
            FaultKind::Crash { stop: Stop::Kill, .. } => "kill",
            FaultKind::Crash { .. } => "power cut",
            FaultKind::CrashTwice { .. } => "crash in recovery",
            FaultKind::Restart { .. } => "restart",
            FaultKind::RollingRestart { .. } => "rolling restart",
            FaultKind::ClockJump { .. } => "clock jump",
            FaultKind::ClockFreeze { .. } => "clock freeze",
            FaultKind::DiskFull { .. } => "disk full",
            FaultKind::DiskFail { .. } => "disk failure",
            FaultKind::FlipOnWire { .. } => "flip on the wire",
            FaultKind::FlipAtRest { .. } => "flip at rest",
            FaultKind::Checkpoint { .. } => "checkpoint",
            FaultKind::Reload { .. } => "reload",
            FaultKind::Wipe { .. } => "wipe",
            FaultKind::Evict { .. } => "evict",
            FaultKind::Resend { .. } => "resend",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8.3} s  {:<18}{:?}", self.at as f64 / 1e6, self.kind.name(), self.kind)
    }
}
