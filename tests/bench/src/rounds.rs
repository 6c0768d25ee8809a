//! Alternating rounds: both sides fresh, measured next to each other, in turns of who goes first.

use std::collections::{BTreeMap, BTreeSet};

use rustix::fs::sync;
use serde::Serialize;

use crate::bench::Bench;
use crate::error::BenchError;
use crate::lean::Outcome;
use crate::quiet::Watch;
use crate::server::{Program, Server, Setup};

/// A noisy pair is measured again this often before it is kept as noisy.
const RETRIES: u32 = 2;

/// What one measurement of one side gave. Absent is what its row does not measure.
#[derive(Clone, Copy, Default, Debug, PartialEq, Serialize)]
pub struct Reading {
    /// Requests, effects or whole iterations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<f64>,
    /// Server processor time per request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_ns: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p999_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_key: Option<f64>,
    /// Share by which resident memory grew, 0.1 = a tenth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth: Option<f64>,
    /// Something over what it is compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<f64>,
    /// Cores the server, and the lean client, kept busy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_cores: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_cores: Option<f64>,
    /// What the server sent towards the disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written_mb_per_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

impl Reading {
    pub fn of(outcome: &Outcome) -> Reading {
        let (requests, seconds) = (outcome.requests as f64, outcome.seconds);
        let micros = |share| outcome.latencies.percentile(share).map(|ns| ns as f64 / 1000.0);
        Reading {
            per_second: Some(requests / seconds),
            cpu_ns: Some(outcome.servers.cpu_ns as f64 / requests),
            p50_us: micros(0.5),
            p99_us: micros(0.99),
            p999_us: micros(0.999),
            longest_us: None,
            bytes_per_key: None,
            growth: None,
            times: None,
            server_cores: Some(outcome.servers.cpu_ns as f64 / 1e9 / seconds),
            client_cores: Some(outcome.client_ns as f64 / 1e9 / seconds),
            written_mb_per_s: Some(outcome.servers.written_bytes as f64 / 1e6 / seconds),
            requests: Some(outcome.requests),
            seconds: Some(seconds),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Ours,
    Peer,
}

fn first(round: u32) -> Side {
    if round % 2 == 1 { Side::Ours } else { Side::Peer }
}

/// Both sides of one round.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    pub round: u32,
    pub first: Side,
    pub ours: Reading,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<Reading>,
    /// Why this round does not count as quiet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<String>,
}

/// Everything measured of one cell: one load on one pair of setups.
#[derive(Clone, Default, Debug, Serialize)]
pub struct Cell {
    pub samples: Vec<Sample>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Cell {
    /// The samples that count: the quiet ones if they are the majority, else all.
    pub fn counted(&self) -> Vec<&Sample> {
        let quiet: Vec<&Sample> = self.samples.iter().filter(|sample| sample.noise.is_none()).collect();
        if quiet.len() * 2 > self.samples.len() { quiet } else { self.samples.iter().collect() }
    }

    pub fn noisy_count(&self) -> usize {
        self.samples.iter().filter(|sample| sample.noise.is_some()).count()
    }
}

/// Where a group of rows puts what it measured, and which cells were asked for.
pub struct Recorder {
    pub cells: BTreeMap<String, Cell>,
    pub wanted: BTreeSet<String>,
}

impl Recorder {
    pub fn wants(&self, cell: &str) -> bool {
        self.wanted.contains(cell)
    }

    /// An error of the whole group, for every cell of it that has no result.
    pub fn fail(&mut self, error: &BenchError) {
        for name in &self.wanted {
            let cell = self.cells.entry(name.clone()).or_default();
            if cell.samples.is_empty() && cell.error.is_none() {
                cell.error = Some(error.to_string());
            }
        }
    }
}

/// The two setups of a group.
#[derive(Clone, Debug)]
pub struct Sides {
    pub ours: Setup,
    pub peer: Option<Setup>,
}

impl Sides {
    /// In a self-test both are the peer, or redis-server where the peer is ours.
    pub fn new(bench: &Bench, ours: Setup, peer: Option<Setup>) -> Sides {
        if !bench.options.self_test {
            return Sides { ours, peer };
        }
        let as_redis = |setup: &Setup| match setup.program {
            Program::Redis => setup.clone(),
            Program::Atoll => Setup { pin: setup.pin, ..Setup::redis() },
        };
        let peer = as_redis(peer.as_ref().unwrap_or(&ours));
        Sides { ours: peer.clone(), peer: Some(peer) }
    }
}

/// Something under measurement.
pub trait Subject {
    /// Fails when a process of it has ended.
    fn check(&self) -> Result<(), BenchError>;
}

impl Subject for Server {
    fn check(&self) -> Result<(), BenchError> {
        Server::check(self)
    }
}

/// One round: both sides running.
pub struct Round<'a, T> {
    bench: &'a Bench,
    recorder: &'a mut Recorder,
    number: u32,
    ours: T,
    peer: Option<T>,
}

/// Runs every round: starts both sides with `start`, hands them to `body`, ends them.
pub fn alternate<T: Subject>(
    bench: &Bench,
    recorder: &mut Recorder,
    sides: &Sides,
    start: impl Fn(&Setup) -> Result<T, BenchError>,
    body: impl Fn(&mut Round<'_, T>) -> Result<(), BenchError>,
) -> Result<(), BenchError> {
    bench.machine.enter_client(sides.ours.pin)?;
    for number in 1..=bench.options.rounds() {
        // Who starts first alternates too: the first to be loaded gets the machine's better memory.
        let start_peer = || sides.peer.as_ref().map(&start).transpose();
        let (ours, peer) = if first(number) == Side::Ours {
            let ours = start(&sides.ours)?;
            (ours, start_peer()?)
        } else {
            let peer = start_peer()?;
            (start(&sides.ours)?, peer)
        };
        body(&mut Round { bench, recorder, number, ours, peer })?;
    }
    Ok(())
}

impl<T: Subject> Round<'_, T> {
    pub fn wants(&self, cell: &str) -> bool {
        self.recorder.wants(cell)
    }

    /// Prepares both sides; nothing is measured.
    pub fn each(
        &mut self,
        mut prepare: impl FnMut(&mut T) -> Result<(), BenchError>,
    ) -> Result<(), BenchError> {
        let mut both = [Some(&mut self.ours), self.peer.as_mut()];
        if first(self.number) == Side::Peer {
            both.reverse();
        }
        for side in both.into_iter().flatten() {
            if let Err(error) = prepare(side) {
                side.check()?;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Measures one cell on both sides; again if other processes disturbed it.
    pub fn measure(&mut self, cell: &str, run: impl FnMut(&mut T) -> Result<Reading, BenchError>) {
        self.measure_with(cell, RETRIES, run);
    }

    /// As [`Round::measure`], for what changes the server so that it cannot be done twice.
    pub fn measure_once(&mut self, cell: &str, run: impl FnMut(&mut T) -> Result<Reading, BenchError>) {
        self.measure_with(cell, 0, run);
    }

    fn measure_with(
        &mut self,
        name: &str,
        retries: u32,
        mut run: impl FnMut(&mut T) -> Result<Reading, BenchError>,
    ) {
        let failed = self.recorder.cells.get(name).is_some_and(|cell| cell.error.is_some());
        if !self.wants(name) || failed {
            return;
        }
        let mut taken = self.sample(&mut run);
        for _ in 0..retries {
            let noisy = matches!(&taken, Ok(Sample { noise: Some(_), .. }));
            if !noisy || !self.bench.quiet.has_patience() {
                break;
            }
            taken = self.sample(&mut run);
        }
        let cell = self.recorder.cells.entry(name.to_string()).or_default();
        match taken {
            Ok(sample) => {
                progress(name, self.bench.options.rounds(), &sample);
                cell.samples.push(sample);
            }
            Err(error) => {
                eprintln!("{name}: {error}");
                cell.error = Some(error.to_string());
            }
        }
    }

    fn sample(
        &mut self,
        run: &mut impl FnMut(&mut T) -> Result<Reading, BenchError>,
    ) -> Result<Sample, BenchError> {
        let first = first(self.number);
        let order = if first == Side::Ours { [Side::Ours, Side::Peer] } else { [Side::Peer, Side::Ours] };
        let (mut ours, mut peer, mut noise) = (None, None, None);
        for side in order {
            let (subject, reading) = match side {
                Side::Ours => (Some(&mut self.ours), &mut ours),
                Side::Peer => (self.peer.as_mut(), &mut peer),
            };
            let Some(subject) = subject else { continue };
            // What the other side left for the disk must not be written during this one's turn.
            sync();
            let before = self.bench.quiet.wait()?;
            let watch = Watch::start(&self.bench.children)?;
            let taken = run(subject);
            let during = watch.finish()?;
            *reading = match taken {
                Ok(taken) => Some(taken),
                Err(error) => {
                    subject.check()?;
                    return Err(error);
                }
            };
            noise = noise.or(before).or(during);
        }
        Ok(Sample { round: self.number, first, ours: ours.unwrap_or_default(), peer, noise })
    }
}

fn progress(cell: &str, rounds: u32, sample: &Sample) {
    let pick = |reading: &Reading| {
        reading
            .per_second
            .or(reading.bytes_per_key)
            .or(reading.longest_us)
            .or(reading.p50_us)
            .or(reading.times)
            .or(reading.seconds)
            .map_or("-".into(), |n| format!("{n:.0}"))
    };
    let peer = sample.peer.as_ref().map_or("-".into(), pick);
    let noise = sample.noise.as_ref().map_or(String::new(), |noise| format!("  [noisy: {noise}]"));
    eprintln!("{}/{rounds} {cell}: {} against {peer}{noise}", sample.round, pick(&sample.ours));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(noise: Option<&str>) -> Sample {
        let noise = noise.map(str::to_string);
        Sample { round: 1, first: Side::Ours, ours: Reading::default(), peer: None, noise }
    }

    #[test]
    fn noisy_rounds_count_only_where_quiet_ones_are_no_majority() {
        let mostly_quiet = Cell { samples: vec![sample(None), sample(Some("x")), sample(None)], error: None };
        assert_eq!((mostly_quiet.counted().len(), mostly_quiet.noisy_count()), (2, 1));
        let mostly_noisy = Cell { samples: vec![sample(None), sample(Some("x"))], error: None };
        assert_eq!((mostly_noisy.counted().len(), mostly_noisy.noisy_count()), (2, 1));
    }

    #[test]
    fn a_groups_error_does_not_hide_what_was_measured() {
        let wanted = ["a", "b"].map(String::from).into();
        let mut recorder = Recorder { cells: BTreeMap::new(), wanted };
        recorder.cells.entry("a".into()).or_default().samples.push(sample(None));
        recorder.fail(&BenchError::Closed);
        assert!(recorder.cells["a"].error.is_none());
        assert_eq!(recorder.cells["b"].error.as_deref(), Some("the server closed a connection"));
    }
}
