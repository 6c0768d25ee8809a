//! A line of the table: what it reads, and its bar.

use crate::rounds::Reading;

use super::Tool;

/// What a line reads from a cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Metric {
    PerSecond,
    /// Requests per second of server processor time.
    PerCpuSecond,
    CpuPerRequest,
    P50,
    P99,
    /// The longest of all waits.
    Longest,
    BytesPerKey,
    Growth,
    /// Something over what it is compared with.
    Times,
    Seconds,
}

impl Metric {
    pub fn read(self, reading: &Reading) -> Option<f64> {
        match self {
            Metric::PerSecond => reading.per_second,
            Metric::PerCpuSecond => reading.cpu_ns.filter(|ns| *ns > 0.0).map(|ns| 1e9 / ns),
            Metric::CpuPerRequest => reading.cpu_ns,
            Metric::P50 => reading.p50_us,
            Metric::P99 => reading.p99_us,
            Metric::Longest => reading.longest_us,
            Metric::BytesPerKey => reading.bytes_per_key,
            Metric::Growth => reading.growth,
            Metric::Times => reading.times,
            Metric::Seconds => reading.seconds,
        }
    }

    /// Other processes do not move it: no ties, no noisy rounds.
    pub fn is_exact(self) -> bool {
        self == Metric::BytesPerKey
    }

    pub fn format(self, value: f64) -> String {
        match self {
            Metric::PerSecond => format!("{}/s", scaled(value)),
            Metric::PerCpuSecond => format!("{}/cpu-s", scaled(value)),
            Metric::CpuPerRequest => format!("{value:.0} ns"),
            Metric::P50 | Metric::P99 | Metric::Longest if value >= 1000.0 => {
                format!("{:.1} ms", value / 1000.0)
            }
            Metric::P50 | Metric::P99 | Metric::Longest => format!("{value:.0} µs"),
            Metric::BytesPerKey => format!("{value:.0} B"),
            Metric::Growth => format!("{:.1} %", value * 100.0),
            Metric::Times => format!("{value:.3} times"),
            Metric::Seconds => format!("{value:.2} s"),
        }
    }
}

fn scaled(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{:.2} M", v / 1e6),
        v if v >= 1e4 => format!("{:.0} k", v / 1e3),
        v if v >= 100.0 => format!("{v:.0} "),
        v => format!("{v:.2} "),
    }
}

/// What a bar is set on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum On {
    /// The metric, ours ÷ peer.
    Ratio,
    /// Server processor time per request, ours ÷ peer.
    CpuRatio,
    /// The metric itself, in its own unit.
    Ours,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    pub fn limit(self) -> f64 {
        match self {
            Bound::AtLeast(limit) | Bound::AtMost(limit) => limit,
        }
    }

    /// How far `value` is on the right side of the bound: 1 is on it, above is better, below is missed.
    pub fn score(self, value: f64) -> f64 {
        match self {
            Bound::AtLeast(limit) => value / limit,
            Bound::AtMost(limit) => limit / value,
        }
    }
}

/// One condition of a bar; all of a line's must hold.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Criterion {
    pub on: On,
    pub bound: Bound,
    pub aim: Option<f64>,
}

impl Criterion {
    pub fn aim(self, aim: f64) -> Criterion {
        Criterion { aim: Some(aim), ..self }
    }
}

pub fn at_least(ratio: f64) -> Criterion {
    Criterion { on: On::Ratio, bound: Bound::AtLeast(ratio), aim: None }
}

pub fn at_most(ratio: f64) -> Criterion {
    Criterion { on: On::Ratio, bound: Bound::AtMost(ratio), aim: None }
}

pub fn cpu_at_most(ratio: f64) -> Criterion {
    Criterion { on: On::CpuRatio, bound: Bound::AtMost(ratio), aim: None }
}

/// In the metric's own unit.
pub fn ours(bound: Bound) -> Criterion {
    Criterion { on: On::Ours, bound, aim: None }
}

pub struct Line {
    pub title: String,
    /// Which measurement it reads; several lines may read one.
    pub cell: String,
    pub metric: Metric,
    /// Empty where BUDGETS sets no bar.
    pub bar: Vec<Criterion>,
    pub needs: Vec<Tool>,
}

impl Line {
    /// A line that reads the throughput of the cell of its own name.
    pub fn new(title: impl Into<String>) -> Line {
        let title = title.into();
        Line { cell: title.clone(), title, metric: Metric::PerSecond, bar: Vec::new(), needs: Vec::new() }
    }

    pub fn metric(self, metric: Metric) -> Line {
        Line { metric, ..self }
    }

    pub fn of_cell(self, cell: impl Into<String>) -> Line {
        Line { cell: cell.into(), ..self }
    }

    pub fn bar(mut self, criterion: Criterion) -> Line {
        self.bar.push(criterion);
        self
    }

    pub fn needs(mut self, tool: Tool) -> Line {
        self.needs.push(tool);
        self
    }

    /// The bar in words.
    pub fn bar_text(&self) -> String {
        let words: Vec<String> = self.bar.iter().map(|criterion| self.criterion_text(criterion)).collect();
        if words.is_empty() { "no bar".into() } else { words.join(", ") }
    }

    fn criterion_text(&self, criterion: &Criterion) -> String {
        let sign = match criterion.bound {
            Bound::AtLeast(_) => "≥",
            Bound::AtMost(_) => "≤",
        };
        let limit = criterion.bound.limit();
        match criterion.on {
            On::Ratio => format!("{sign} {limit}×"),
            On::CpuRatio => format!("cpu {sign} {limit}×"),
            On::Ours => format!("{sign} {}", self.metric.format(limit)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_spelled_with_its_unit() {
        let line = Line::new("x").bar(at_least(1.5).aim(2.0)).bar(cpu_at_most(0.6));
        assert_eq!(line.bar_text(), "≥ 1.5×, cpu ≤ 0.6×");
        let line = Line::new("x").metric(Metric::P99).bar(ours(Bound::AtMost(20_000.0)));
        assert_eq!(line.bar_text(), "≤ 20.0 ms");
        assert_eq!(Line::new("x").bar_text(), "no bar");
    }

    #[test]
    fn scores_are_one_on_the_bar_and_above_it_when_better() {
        assert_eq!(Bound::AtLeast(2.0).score(3.0), 1.5);
        assert_eq!(Bound::AtMost(0.5).score(1.0), 0.5);
    }

    #[test]
    fn figures_are_short() {
        assert_eq!(Metric::PerSecond.format(1_234_567.0), "1.23 M/s");
        assert_eq!(Metric::PerSecond.format(80_645.0), "81 k/s");
        assert_eq!(Metric::PerSecond.format(0.25), "0.25 /s");
        assert_eq!(Metric::P50.format(850.0), "850 µs");
    }
}
