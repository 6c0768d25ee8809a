//! What comes out: an aligned table with notes, and every round as JSON.

mod json;
mod summary;
mod table;

use std::collections::BTreeMap;

use crate::bench::Bench;
use crate::rounds::Cell;
use crate::rows::Group;

use summary::Summary;

pub struct Report {
    head: Vec<String>,
    lines: Vec<Summary>,
    notes: Vec<String>,
}

impl Report {
    pub fn new(bench: &Bench, groups: &[Group], cells: &BTreeMap<String, Cell>) -> Report {
        let mut lines = Vec::new();
        let mut notes = bench.programs.missing();
        for group in groups {
            for line in &group.lines {
                let summary = Summary::of(line, cells.get(&line.cell), group.skipped(bench, line));
                lines.push(summary);
            }
        }
        notes.extend(noise(cells));
        Report { head: head(bench), lines, notes }
    }

    /// The table and its notes.
    pub fn text(&self) -> String {
        let mut out = String::from("\n");
        for line in &self.head {
            out += &format!("{line}\n");
        }
        out += "\n";
        out += &table::results(&self.lines);
        if !self.notes.is_empty() {
            out += "\nnotes\n";
            for note in &self.notes {
                out += &format!("- {note}\n");
            }
        }
        out
    }
}

/// Notes by cell; where nearly everything was noisy, that is the one thing to know.
fn noise(cells: &BTreeMap<String, Cell>) -> Vec<String> {
    let disturbed = cells.values().filter(|cell| cell.noisy_count() * 2 > cell.samples.len()).count();
    if disturbed > 3 && disturbed * 4 > cells.len() * 3 {
        return vec![format!(
            "{disturbed} of {} measurements were disturbed by other processes in most rounds: this run does not count",
            cells.len()
        )];
    }
    cells.iter().flat_map(|(name, cell)| summary::notes(name, cell)).collect()
}

/// The rows and their bars.
pub fn list(groups: &[Group]) -> String {
    table::rows(groups.iter().flat_map(|group| &group.lines))
}

fn head(bench: &Bench) -> Vec<String> {
    let mut out = Vec::new();
    if bench.options.quick {
        out.push("SMOKE RUN (--quick): it shows that the rows run; its figures mean nothing".into());
    }
    if bench.options.self_test {
        out.push("SELF-TEST: redis-server on both sides, every ratio should be near 1".into());
    }
    let versions: Vec<String> =
        bench.programs.versions().into_iter().map(|(name, version)| format!("{name}: {version}")).collect();
    out.push(versions.join("; "));
    let rounds = bench.options.rounds();
    let pinning = match bench.machine.core_count() {
        1 => "one core, nothing pinned",
        2 | 3 => "server on one core, client on another; two reactors and two nodes unpinned",
        _ => "server on one core (two reactors and two nodes on two), client on the others",
    };
    out.push(format!("{}; {pinning}", bench.machine.describe()));
    out.push(format!(
        "{rounds} alternating rounds; ratio = ours ÷ peer, the median of the rounds' own ratios; cpu = server processor time per request, as a ratio"
    ));
    out
}
