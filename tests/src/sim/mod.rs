//! The simulated world: whole nodes (shipped engine, sessions, log on a simulated disk), the links between them and
//! everything that can go wrong, in one thread and in virtual time, all from one seed.
//!
//! ```text
//!  plan (seed) ─▶ world: queue of events in virtual time ─▶ node: clients, upkeep, starts and stops ─▶ engine ─▶ SimDisk
//!                   │   ▲                                 └▶ link: hello, streams, acks, NACKs  ─▶ Replica
//!                   │   └── faults, one by one               network: latency, cuts
//!                   └▶ after each event: what the node's log took ─▶ ledger ─▶ invariants, one file each
//! ```
//! A run has two parts: clients write while faults happen; then every fault ends, every node is started, and the world has
//! to come to one state within bounded time.
//!
//! What a link decides is beacon's own where it can be had without a socket: [`beacon::hello::Hello::judge`],
//! [`beacon::Registry`], [`beacon::acks::AckPacer`], frames. Streams, NACKs' answers and timeouts are the world's.

pub mod client;
pub mod clock;
pub mod fault;
pub mod faults;
pub mod fetch;
pub mod heal;
pub mod invariants;
pub mod ledger;
pub mod link;
pub mod network;
pub mod node;
pub mod operator;
pub mod oracle;
pub mod plan;
pub mod shrink;
pub mod transfer;
pub mod workload;
pub mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use plan::Plan;
use world::World;

/// Virtual microseconds since the beginning of a run.
pub type Us = u64;
pub const MS: Us = 1_000;
pub const SECOND: Us = 1_000_000;

/// What a run broke.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The invariant's name; `panic` when the shipped code died.
    pub invariant: &'static str,
    pub text: String,
    pub at: Us,
}

/// What a run did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    pub events: u64,
    pub commands: u64,
    pub effects: u64,
    pub starts: u64,
    pub fetches: u64,
    pub rebuilds: u64,
    /// Checkpoints that were carried to another node.
    pub transfers: u64,
    /// Members that were taken out.
    pub evictions: u64,
    /// Keys that went for want of memory.
    pub evicted_keys: u64,
    /// Effects that came too late.
    pub late: u64,
    /// Times that two nodes could not be joined any more.
    pub apart: u64,
    /// Virtual time until all was one, after the faults.
    pub healed: Us,
    /// Of everything shown at the end: the same seed gives the same.
    pub digest: u128,
}

/// A finished run.
pub struct Outcome {
    pub summary: Summary,
    pub violation: Option<Violation>,
    /// What happened, in lines; empty unless asked for.
    pub trace: Vec<String>,
}

/// Runs a plan to its end or to its first violation.
pub fn run(plan: Plan, trace: bool) -> Outcome {
    let mut world = World::new(plan, trace);
    let ran = catch_unwind(AssertUnwindSafe(|| world.run()));
    if let Err(panic) = ran {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()))
            .unwrap_or_default();
        world.violate("panic", text);
    }
    let trace = std::mem::take(&mut world.trace);
    let (summary, violation) = (world.summary.clone(), world.violation.clone());
    if violation.as_ref().is_some_and(|v| v.invariant == "panic") {
        // Locks may be held for ever: nothing of it is dropped.
        std::mem::forget(world);
    }
    Outcome { summary, violation, trace }
}
