//! Every round of every cell, with the lines made of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::bench::Bench;
use crate::error::BenchError;
use crate::rounds::Cell;
use crate::statistics::Ratio;

use super::Report;
use super::summary::Summary;

#[derive(Serialize)]
struct Document<'a> {
    started: String,
    /// A smoke run's figures mean nothing.
    quick: bool,
    self_test: bool,
    rounds: u32,
    machine: String,
    programs: BTreeMap<&'static str, String>,
    lines: Vec<Row<'a>>,
    notes: &'a [String],
    cells: &'a BTreeMap<String, Cell>,
}

#[derive(Serialize)]
struct Row<'a> {
    row: &'a str,
    ours: Option<f64>,
    peer: Option<f64>,
    ratio: Option<f64>,
    ratio_least: Option<f64>,
    ratio_most: Option<f64>,
    cpu_ratio: Option<f64>,
    bar: &'a str,
    verdict: String,
    noisy_rounds: usize,
}

impl<'a> Row<'a> {
    fn of(summary: &'a Summary) -> Row<'a> {
        let part = |pick: fn(Ratio) -> f64| summary.ratio.map(pick);
        Row {
            row: &summary.title,
            ours: summary.ours,
            peer: summary.peer,
            ratio: part(|ratio| ratio.median),
            ratio_least: part(|ratio| ratio.least),
            ratio_most: part(|ratio| ratio.most),
            cpu_ratio: summary.cpu_ratio.map(|ratio| ratio.median),
            bar: &summary.bar,
            verdict: summary.verdict.to_string(),
            noisy_rounds: summary.noisy_rounds,
        }
    }
}

impl Report {
    /// Writes the document and says where.
    pub fn write_json(&self, bench: &Bench, cells: &BTreeMap<String, Cell>) -> Result<PathBuf, BenchError> {
        let started = utc(bench.started);
        let default = || bench.report_directory().join(format!("{started}.json"));
        let path = bench.options.json.clone().unwrap_or_else(default);
        let document = Document {
            quick: bench.options.quick,
            self_test: bench.options.self_test,
            rounds: bench.options.rounds(),
            machine: bench.machine.describe(),
            programs: bench.programs.versions().into_iter().collect(),
            lines: self.lines.iter().map(Row::of).collect(),
            notes: &self.notes,
            cells,
            started,
        };
        let text = serde_json::to_string_pretty(&document)?;
        let failed = |source| BenchError::File { operation: "write", path: path.clone(), source };
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(failed)?;
        }
        fs::write(&path, text).map_err(failed)?;
        Ok(path)
    }
}

/// `20260102T030405Z`.
fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (mut days, rest) = (seconds / 86_400, seconds % 86_400);
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year}{month:02}{:02}T{hour:02}{minute:02}{second:02}Z", days + 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_spelled_in_utc() {
        let at = |seconds| utc(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "19700101T000000Z");
        assert_eq!(at(951_827_696), "20000229T123456Z");
        assert_eq!(at(1_767_225_599), "20251231T235959Z");
    }
}
