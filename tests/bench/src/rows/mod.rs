//! The budget rows. A group is what shares one pair of setups; a line of the table reads one metric of one cell.

mod disk;
mod durability;
mod freeing;
mod index;
pub mod line;
mod memory;
mod reactors;
mod replication;
mod scan;
mod small;
mod streams;
mod throughput;
mod types;
mod wide;

use std::collections::BTreeMap;

use crate::bench::Bench;
use crate::error::BenchError;
use crate::rounds::{Cell, Recorder};

pub use line::Line;

/// A program that a row cannot do without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tool {
    RedisServer,
    RedisBenchmark,
}

impl Tool {
    pub fn name(self) -> &'static str {
        match self {
            Tool::RedisServer => "redis-server",
            Tool::RedisBenchmark => "redis-benchmark",
        }
    }

    fn is_missing(self, bench: &Bench) -> bool {
        match self {
            Tool::RedisServer => bench.programs.redis_server.is_none(),
            Tool::RedisBenchmark => bench.programs.redis_benchmark.is_none(),
        }
    }
}

pub struct Group {
    pub needs: &'static [Tool],
    pub lines: Vec<Line>,
    run: fn(&Bench, &mut Recorder) -> Result<(), BenchError>,
}

/// The groups, in the order of the table.
fn all() -> Vec<Group> {
    vec![
        throughput::group(),
        types::group(),
        durability::everysec_group(),
        durability::always_group(),
        durability::log_cost_group(),
        reactors::group(),
        memory::group(),
        small::group(),
        streams::group(),
        freeing::group(),
        scan::group(),
        index::group(),
        disk::bytes_group(),
        disk::rdb_group(),
        disk::aof_group(),
        disk::checkpoint_group(),
        replication::group(),
        wide::lines_group(),
        wide::foreground_group(),
    ]
}

/// The groups with only the lines whose title contains one of `filters`; all of them without any.
pub fn selected(filters: &[String]) -> Result<Vec<Group>, BenchError> {
    let filters: Vec<String> =
        filters.iter().map(|f| f.trim().to_lowercase()).filter(|f| !f.is_empty()).collect();
    let mut groups = all();
    for group in &mut groups {
        group.lines.retain(|line| {
            let title = line.title.to_lowercase();
            filters.is_empty() || filters.iter().any(|filter| title.contains(filter))
        });
    }
    groups.retain(|group| !group.lines.is_empty());
    if groups.is_empty() {
        return Err(BenchError::NoSuchRow(filters.join(", ")));
    }
    Ok(groups)
}

impl Group {
    /// Why a line of this group cannot be measured here.
    pub fn skipped(&self, bench: &Bench, line: &Line) -> Option<String> {
        let mut needed = self.needs.iter().chain(&line.needs);
        needed.find(|tool| tool.is_missing(bench)).map(|tool| format!("{} is not installed", tool.name()))
    }
}

/// Measures every group. An error of one group is recorded in its cells and does not stop the others.
pub fn run(bench: &Bench, groups: &[Group]) -> BTreeMap<String, Cell> {
    let mut out = BTreeMap::new();
    for group in groups {
        let measurable = group.lines.iter().filter(|line| group.skipped(bench, line).is_none());
        let wanted = measurable.map(|line| line.cell.clone()).collect();
        let mut recorder = Recorder { cells: BTreeMap::new(), wanted };
        if recorder.wanted.is_empty() {
            continue;
        }
        if let Err(error) = (group.run)(bench, &mut recorder) {
            eprintln!("{error}");
            recorder.fail(&error);
        }
        out.append(&mut recorder.cells);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn titles_are_unique_and_hold_no_comma_so_every_row_can_be_asked_for() {
        let groups = selected(&[]).unwrap();
        let titles: Vec<&str> =
            groups.iter().flat_map(|g| &g.lines).map(|line| line.title.as_str()).collect();
        assert_eq!(titles.iter().collect::<BTreeSet<_>>().len(), titles.len());
        assert!(titles.iter().all(|title| !title.contains(',')), "{titles:?}");
    }

    #[test]
    fn no_two_groups_share_a_cell() {
        let mut seen = BTreeSet::new();
        for group in all() {
            let cells: BTreeSet<String> = group.lines.iter().map(|line| line.cell.clone()).collect();
            assert!(cells.is_disjoint(&seen), "{cells:?}");
            seen.extend(cells);
        }
    }

    #[test]
    fn rows_are_chosen_by_any_part_of_their_title_in_any_case() {
        let groups = selected(&["p=16 set REDIS".into(), "scan".into()]).unwrap();
        assert!(groups.len() >= 2);
        assert!(groups.iter().flat_map(|g| &g.lines).all(|line| {
            let title = line.title.to_lowercase();
            title.contains("p=16 set redis") || title.contains("scan")
        }));
        assert!(selected(&["no such row".into()]).is_err());
    }
}
