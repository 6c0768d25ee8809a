//! Whether the machine was quiet: a measurement counts only when other processes use less than 0.15 core.
//!
//! Before a measurement our own servers are idle, so the whole machine's busy time tells. During one it cannot (it is
//! sampled by the clock tick, and the servers fill it), so there the other processes' own times are summed.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

use crate::children::Children;
use crate::error::BenchError;
use crate::usage::{MachineTime, Others};

pub const OTHERS_MAX_CORES: f64 = 0.15;
const STOLEN_MAX_CORES: f64 = 0.10;
const WINDOW: Duration = Duration::from_millis(200);
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Waits for quiet and watches it, within a budget of waiting for the whole run.
pub struct Quiet {
    budget: Cell<Duration>,
}

impl Quiet {
    pub fn new(budget: Duration) -> Quiet {
        Quiet { budget: Cell::new(budget) }
    }

    /// Waits until the machine is quiet, [`WAIT_MAX`] at most; `Some` says how busy it still is.
    pub fn wait(&self) -> Result<Option<String>, BenchError> {
        let started = Instant::now();
        loop {
            let (at, before) = (Instant::now(), MachineTime::now()?);
            thread::sleep(WINDOW);
            let now = MachineTime::now()?;
            let cores = (now.busy_ns - before.busy_ns) as f64 / at.elapsed().as_nanos() as f64;
            let waited = started.elapsed();
            if cores < OTHERS_MAX_CORES {
                self.spend(waited.saturating_sub(WINDOW));
                return Ok(None);
            }
            if waited > WAIT_MAX.min(self.budget.get()) {
                self.spend(waited);
                return Ok(Some(format!("{cores:.2} core busy before it")));
            }
        }
    }

    /// Whether waiting for quiet is still worth anything.
    pub fn has_patience(&self) -> bool {
        !self.budget.get().is_zero()
    }

    fn spend(&self, waited: Duration) {
        self.budget.set(self.budget.get().saturating_sub(waited));
    }
}

/// Watches the other processes from its creation.
pub struct Watch<'a> {
    children: &'a Children,
    at: Instant,
    others: Others,
    machine: MachineTime,
}

impl<'a> Watch<'a> {
    pub fn start(children: &'a Children) -> Result<Watch<'a>, BenchError> {
        let others = Others::now(&children.pids());
        Ok(Watch { children, at: Instant::now(), others, machine: MachineTime::now()? })
    }

    /// `Some` says why the time since the start was noisy.
    pub fn finish(self) -> Result<Option<String>, BenchError> {
        let wall_ns = self.at.elapsed().as_nanos() as f64;
        let others = Others::now(&self.children.pids()).cpu_ns_since(&self.others) as f64 / wall_ns;
        let stolen = (MachineTime::now()?.stolen_ns - self.machine.stolen_ns) as f64 / wall_ns;
        Ok(if others >= OTHERS_MAX_CORES {
            Some(format!("other processes used {others:.2} core"))
        } else if stolen >= STOLEN_MAX_CORES {
            Some(format!("the hypervisor took {stolen:.2} core"))
        } else {
            None
        })
    }
}
