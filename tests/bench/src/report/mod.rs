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
                notes.extend(summary.notes.iter().cloned());
                lines.push(summary);
            }
        }
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
        _ => "server on one core, client on another (two reactors and two nodes: see docs of their rows)",
    };
    out.push(format!("{}; {pinning}", bench.machine.describe()));
    out.push(format!(
        "{rounds} alternating rounds; ratio = ours ÷ peer, the median of the rounds' own ratios; cpu = server processor time per request, as a ratio"
    ));
    out
}
