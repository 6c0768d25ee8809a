//! Making a failing plan small: faults are taken away while the same invariant still breaks, then time.

use super::plan::Plan;
use super::{Violation, run};

/// A smaller plan that breaks the same invariant, what it breaks, and how many runs that took.
pub fn shrink(plan: &Plan, violation: &Violation) -> (Plan, Violation, usize) {
    let mut best = (plan.clone(), violation.clone());
    let mut runs = 0;
    let attempt = |plan: Plan, best: &mut (Plan, Violation), runs: &mut usize| {
        *runs += 1;
        let found = run(plan.clone(), false).violation.filter(|v| v.invariant == best.1.invariant);
        if let Some(found) = found {
            *best = (plan, found);
            return true;
        }
        false
    };
    // Halves, quarters and so on of the faults; then one by one, until none can go.
    let mut size = best.0.faults.len();
    while size > 0 {
        let mut from = 0;
        let mut went = false;
        while from < best.0.faults.len() {
            let mut smaller = best.0.clone();
            smaller.faults.drain(from..(from + size).min(best.0.faults.len()));
            if attempt(smaller, &mut best, &mut runs) { went = true } else { from += size }
        }
        size = if went && size == 1 { 1 } else { size / 2 };
    }
    // Clients stop sooner.
    for eighths in 1..8 {
        let mut shorter = best.0.clone();
        shorter.length = plan.length * eighths / 8;
        if attempt(shorter, &mut best, &mut runs) {
            break;
        }
    }
    // Fewer clients, fewer commands of other kinds.
    for slot in 0..best.0.slots.len() {
        let mut fewer = best.0.clone();
        if fewer.slots[slot].clients > 1 {
            fewer.slots[slot].clients = 1;
            attempt(fewer, &mut best, &mut runs);
        }
    }
    for change in [
        (|p: &mut Plan| p.probe_per_mille = 0) as fn(&mut Plan),
        |p| p.transaction_per_mille = 0,
        |p| p.evict_per_mille = 0,
        |p| p.late_per_mille = 0,
        |p| p.cut_per_mille = 0,
        |p| p.jitter = 0,
    ] {
        let mut simpler = best.0.clone();
        change(&mut simpler);
        attempt(simpler, &mut best, &mut runs);
    }
    (best.0, best.1, runs)
}
