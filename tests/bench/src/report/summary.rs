//! One line's outcome: medians, ratios, and what they say about the bar.

use std::fmt;

use crate::rounds::{Cell, Reading, Sample};
use crate::rows::line::{Criterion, Line, On};
use crate::statistics::{Ratio, median};

/// Differences below this are ties on a noisy machine.
const TIE: f64 = 0.15;
const BUSY_CORES: f64 = 0.95;
const IDLE_CORES: f64 = 0.85;

#[derive(Clone, PartialEq, Debug)]
pub enum Verdict {
    Met {
        aim: bool,
    },
    /// Missed by less than the machine's noise.
    Tie,
    Missed,
    NoBar,
    Skipped(String),
    Failed(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Met { aim: true } => f.write_str("MET, and the aim"),
            Verdict::Met { aim: false } => f.write_str("MET"),
            Verdict::Tie => f.write_str("TIE (short of the bar by less than 15 %)"),
            Verdict::Missed => f.write_str("MISSED"),
            Verdict::NoBar => f.write_str("-"),
            Verdict::Skipped(why) => write!(f, "SKIPPED: {why}"),
            Verdict::Failed(why) => write!(f, "FAILED: {why}"),
        }
    }
}

pub struct Summary {
    pub title: String,
    pub bar: String,
    /// Medians, in the metric's own unit.
    pub ours: Option<f64>,
    pub peer: Option<f64>,
    pub ours_text: String,
    pub peer_text: String,
    pub ratio: Option<Ratio>,
    pub cpu_ratio: Option<Ratio>,
    pub verdict: Verdict,
    pub noisy_rounds: usize,
    pub rounds: usize,
}

impl Summary {
    pub fn of(line: &Line, cell: Option<&Cell>, skipped: Option<String>) -> Summary {
        let nothing = Cell::default();
        let cell = cell.unwrap_or(&nothing);
        let counted = cell.counted();
        let read = |pick: fn(&Sample) -> Option<&Reading>| {
            median(counted.iter().filter_map(|sample| line.metric.read(pick(sample)?)))
        };
        let ours = read(|sample| Some(&sample.ours));
        let peer = read(|sample| sample.peer.as_ref());
        let ratio_of = |read: &dyn Fn(&Reading) -> Option<f64>| {
            Ratio::of(counted.iter().map(|s| (read(&s.ours), s.peer.as_ref().and_then(read))))
        };
        let ratio = ratio_of(&|reading| line.metric.read(reading));
        let cpu_ratio = ratio_of(&|reading| reading.cpu_ns);
        let verdict = match (skipped, &cell.error) {
            (Some(why), _) => Verdict::Skipped(why),
            (None, Some(why)) => Verdict::Failed(why.clone()),
            (None, None) => verdict(line, ours, ratio, cpu_ratio),
        };
        let text = |value: Option<f64>| value.map_or("-".into(), |value| line.metric.format(value));
        Summary {
            title: line.title.clone(),
            bar: line.bar_text(),
            ours,
            peer,
            ours_text: text(ours),
            peer_text: text(peer),
            ratio,
            cpu_ratio,
            verdict,
            noisy_rounds: if line.metric.is_exact() { 0 } else { cell.noisy_count() },
            rounds: cell.samples.len(),
        }
    }
}

fn verdict(line: &Line, ours: Option<f64>, ratio: Option<Ratio>, cpu_ratio: Option<Ratio>) -> Verdict {
    let measured = |criterion: &Criterion| match criterion.on {
        On::Ratio => ratio.map(|ratio| ratio.median),
        On::CpuRatio => cpu_ratio.map(|ratio| ratio.median),
        On::Ours => ours,
    };
    let mut worst = f64::INFINITY;
    let mut aim = line.bar.iter().any(|criterion| criterion.aim.is_some());
    for criterion in &line.bar {
        let Some(value) = measured(criterion) else { return Verdict::Failed("nothing was measured".into()) };
        let score = criterion.bound.score(value);
        worst = worst.min(score);
        aim &= criterion.aim.is_none_or(|aim| score >= criterion.bound.score(aim));
    }
    match worst {
        _ if line.bar.is_empty() => Verdict::NoBar,
        score if score >= 1.0 => Verdict::Met { aim },
        score if score > 1.0 - TIE && !line.metric.is_exact() => Verdict::Tie,
        _ => Verdict::Missed,
    }
}

/// What a reader must know of a cell before believing its figures. Who waited for whom is told of quiet rounds only.
pub fn notes(name: &str, cell: &Cell) -> Vec<String> {
    let counted = cell.counted();
    let noisy = cell.noisy_count();
    if noisy > 0 {
        let rounds = cell.samples.len();
        let reason = cell.samples.iter().find_map(|sample| sample.noise.as_deref()).unwrap_or("busy");
        let left_out = counted.len() < rounds;
        let used = if left_out { "left out" } else { "counted all the same" };
        let note = format!("{name}: {noisy} of {rounds} rounds noisy ({reason}), {used}");
        if !left_out {
            return vec![note];
        }
        return std::iter::once(note).chain(limits(name, &counted)).collect();
    }
    limits(name, &counted)
}

/// Where the server was not what limited the figure.
fn limits(name: &str, counted: &[&Sample]) -> Vec<String> {
    let mut out = Vec::new();
    let ours: fn(&Sample) -> Option<&Reading> = |sample| Some(&sample.ours);
    let peer: fn(&Sample) -> Option<&Reading> = |sample| sample.peer.as_ref();
    for (side, pick) in [("ours", ours), ("the peer", peer)] {
        let mid = |read: fn(&Reading) -> Option<f64>| median(counted.iter().filter_map(|s| read(pick(s)?)));
        let (Some(server), Some(client)) = (mid(|r| r.server_cores), mid(|r| r.client_cores)) else {
            continue;
        };
        if client > BUSY_CORES && server < BUSY_CORES {
            out.push(format!(
                "{name}: the client was the limit of {side} (client {client:.2} core, server {server:.2})"
            ));
        } else if server < IDLE_CORES && client < IDLE_CORES {
            let written = mid(|r| r.written_mb_per_s).unwrap_or(0.0);
            out.push(format!(
                "{name}: {side} waited (server {server:.2} core, client {client:.2}, {written:.0} MB/s towards the disk)"
            ));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rounds::Side;
    use crate::rows::line::{Bound, Metric};

    fn line(limit: f64, aim: f64) -> Line {
        let on = On::Ratio;
        Line::new("row").bar(Criterion { on, bound: Bound::AtLeast(limit), aim: Some(aim) })
    }

    fn cell(pairs: &[(f64, f64)]) -> Cell {
        let reading =
            |value| Reading { per_second: Some(value), cpu_ns: Some(1e9 / value), ..Reading::default() };
        let sample = |(ours, peer): &(f64, f64)| Sample {
            round: 1,
            first: Side::Ours,
            ours: reading(*ours),
            peer: Some(reading(*peer)),
            noise: None,
        };
        Cell { samples: pairs.iter().map(sample).collect(), error: None }
    }

    fn verdict_of(line: &Line, cell: &Cell) -> Verdict {
        Summary::of(line, Some(cell), None).verdict
    }

    #[test]
    fn a_bar_is_met_missed_or_within_the_noise() {
        let line = line(2.0, 3.0);
        assert_eq!(verdict_of(&line, &cell(&[(3.1, 1.0)])), Verdict::Met { aim: true });
        assert_eq!(verdict_of(&line, &cell(&[(2.1, 1.0)])), Verdict::Met { aim: false });
        assert_eq!(verdict_of(&line, &cell(&[(1.8, 1.0)])), Verdict::Tie);
        assert_eq!(verdict_of(&line, &cell(&[(1.6, 1.0)])), Verdict::Missed);
    }

    #[test]
    fn the_worst_criterion_decides() {
        let cpu = Criterion { on: On::CpuRatio, bound: Bound::AtMost(0.1), aim: None };
        assert_eq!(verdict_of(&line(2.0, 3.0).bar(cpu), &cell(&[(4.0, 1.0)])), Verdict::Missed);
    }

    #[test]
    fn bytes_are_exact_and_have_no_ties() {
        let bar = Criterion { on: On::Ours, bound: Bound::AtMost(100.0), aim: None };
        let line = Line::new("row").metric(Metric::BytesPerKey).bar(bar);
        let mut cell = cell(&[(1.0, 1.0)]);
        cell.samples[0].ours.bytes_per_key = Some(101.0);
        assert_eq!(verdict_of(&line, &cell), Verdict::Missed);
    }

    #[test]
    fn what_was_not_measured_says_why() {
        let skipped = Summary::of(&line(1.0, 1.0), None, Some("x is not installed".into()));
        assert_eq!(skipped.verdict.to_string(), "SKIPPED: x is not installed");
        let failed = Cell { error: Some("broken".into()), ..Cell::default() };
        assert_eq!(verdict_of(&line(1.0, 1.0), &failed), Verdict::Failed("broken".into()));
        assert!(matches!(verdict_of(&line(1.0, 1.0), &Cell::default()), Verdict::Failed(_)));
    }

    #[test]
    fn a_side_that_waited_is_named_with_what_it_wrote() {
        let mut cell = cell(&[(2.0, 1.0)]);
        let waiting = Reading { server_cores: Some(0.3), client_cores: Some(0.2), ..cell.samples[0].ours };
        cell.samples[0].ours = Reading { written_mb_per_s: Some(140.0), ..waiting };
        cell.samples[0].peer = Some(Reading { client_cores: Some(0.99), ..waiting });
        let notes = notes("row", &cell);
        assert_eq!(notes[0], "row: ours waited (server 0.30 core, client 0.20, 140 MB/s towards the disk)");
        assert_eq!(notes[1], "row: the client was the limit of the peer (client 0.99 core, server 0.30)");
    }

    #[test]
    fn a_noisy_round_is_named_and_left_out() {
        let mut cell = cell(&[(2.0, 1.0), (2.0, 1.0), (9.0, 1.0)]);
        cell.samples[2].noise = Some("others".into());
        let summary = Summary::of(&line(1.0, 1.0), Some(&cell), None);
        assert_eq!(summary.ours, Some(2.0));
        assert_eq!(notes("row", &cell), ["row: 1 of 3 rounds noisy (others), left out"]);
    }
}
