//! The log on a disk that stops at every operation, in every generation, also while it recovers.
//!
//! Invariant checked: what is found is a prefix of what was appended, never shorter than what the stop allows; the node id
//! changes exactly when a tail may be lost.

use std::collections::BTreeMap;

use engine::log::{Log, LogError, LogReader};
use proto::{NodeId, Seq};
use tests::batches::{self, open_log, put_effects};
use tests::sim_disk::{SimDisk, Stop};

const SEGMENT_BYTES: u64 = 1500;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z ^ (z >> 27)) % bound
    }
}

/// Whether the marker of a clean stop is on disk.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Marker {
    Absent,
    Unknown,
    Present,
}

/// What must hold of the directory, whatever happens to it.
struct Expected {
    seed: u64,
    random: Random,
    /// Batches handed to the log, in order; the last ones perhaps in vain.
    appended: Vec<Vec<u8>>,
    /// So many were acknowledged: a dead process keeps them.
    acknowledged: usize,
    /// So many were covered by a completed sync: a power cut keeps them.
    synced: usize,
    seqs: BTreeMap<u64, u64>,
    directory: Option<u64>,
    /// Ids that were ever current while a process ran.
    nodes: Vec<NodeId>,
    marker: Marker,
    lost: usize,
}

impl Expected {
    fn new(seed: u64) -> Self {
        Expected {
            seed,
            random: Random(seed),
            appended: Vec::new(),
            acknowledged: 0,
            synced: 0,
            seqs: BTreeMap::new(),
            directory: None,
            nodes: Vec::new(),
            marker: Marker::Absent,
            lost: 0,
        }
    }

    fn stopped(&mut self, stop: Stop) {
        if stop == Stop::PowerCut {
            self.acknowledged = self.synced;
        }
    }

    /// Opens the log and checks everything that it says. `None`: the machine stopped meanwhile.
    fn open(&mut self, disk: &SimDisk, ids: &mut dyn FnMut() -> u64) -> Option<Log> {
        let seed = self.seed;
        let (log, recovered, found) = match open_log(disk, SEGMENT_BYTES, ids) {
            Ok(opened) => opened,
            Err(error) => {
                assert!(disk.stopped(), "seed {seed}: {error}");
                return None;
            }
        };
        assert!(found.len() <= self.appended.len(), "seed {seed}: {} batches", found.len());
        assert!(found == self.appended[..found.len()], "seed {seed}: not a prefix");
        assert!(
            found.len() >= self.acknowledged,
            "seed {seed}: {} of {} are left",
            found.len(),
            self.acknowledged
        );
        self.lost += self.appended.len() - found.len();
        let identity = &recovered.identity;
        assert_eq!(*self.directory.get_or_insert(identity.directory), identity.directory, "seed {seed}");
        let current = identity.current();
        match self.marker {
            Marker::Present => assert!(recovered.clean, "seed {seed}: a clean stop was forgotten"),
            Marker::Absent => assert!(!recovered.clean, "seed {seed}: a stop passes for clean"),
            Marker::Unknown => {}
        }
        if recovered.clean {
            assert_eq!(Some(&current), self.nodes.last(), "seed {seed}: the incarnation goes on");
            assert_eq!(recovered.cut_bytes, 0);
            self.marker = Marker::Present;
        } else {
            assert!(!self.nodes.contains(&current), "seed {seed}: an id is used twice");
            self.nodes.push(current);
            self.marker = Marker::Absent;
        }
        let mut known = identity.nodes.iter();
        assert!(self.nodes.iter().all(|node| known.any(|k| k == node)), "seed {seed}: all are remembered");
        self.appended = found;
        self.acknowledged = self.appended.len();
        self.synced = self.acknowledged;
        self.seqs.clear();
        for bytes in &self.appended {
            let header = engine::effect::batch::parse_header(bytes).unwrap();
            if header.count > 0 {
                self.seqs.insert(header.origin.0, header.last().0);
            }
        }
        Some(log)
    }

    /// One generation's work. Ends early when the machine stops.
    fn work(&mut self, log: &Log, disk: &SimDisk, always: bool) -> Result<(), LogError> {
        let mut reader = LogReader::new(NodeId(2));
        let mut read = Seq(0);
        for _ in 0..3 + self.random.below(12) {
            let mut bytes = Vec::new();
            for _ in 0..1 + self.random.below(2) {
                let start = bytes.len();
                self.put_batch(log, &mut bytes);
                self.appended.push(bytes[start..].to_vec());
            }
            if self.marker == Marker::Present {
                self.marker = Marker::Unknown;
            }
            let end = log.append(&bytes)?;
            self.marker = Marker::Absent;
            if always {
                log.sync_to(end)?;
                self.synced = self.appended.len();
            }
            self.acknowledged = self.appended.len();
            if !always && self.random.below(3) == 0 {
                log.sync()?;
                self.synced = self.appended.len();
            }
            if self.random.below(4) == 0 {
                let mut out = Vec::new();
                read = reader.read(log, read, 500, &mut out)?.unwrap_or(read);
            }
        }
        assert!(!disk.stopped());
        if self.random.below(3) == 0 {
            self.marker = if self.marker == Marker::Present { Marker::Present } else { Marker::Unknown };
            log.close_clean()?;
            self.synced = self.appended.len();
            self.marker = Marker::Present;
        }
        Ok(())
    }

    fn put_batch(&mut self, log: &Log, bytes: &mut Vec<u8>) {
        if self.random.below(8) == 0 {
            let stable = [(NodeId(2), Seq(9))].into_iter().collect();
            engine::effect::batch::encode_stable_mark(bytes, NodeId(1), &stable);
            return;
        }
        let origin = [log.identity().current().0, 2, 3][self.random.below(3) as usize];
        let (count, value) = match self.random.below(20) {
            0 => (30, 60),
            1 => (1, 2000),
            _ => (1 + self.random.below(3) as u32, self.random.below(120) as usize),
        };
        let last = self.seqs.entry(origin).or_default();
        put_effects(bytes, NodeId(origin), Seq(*last + 1), count, value);
        *last += u64::from(count);
    }

    /// Everything the readers give equals what was appended.
    fn check_readers(&mut self, log: &Log) {
        for origin in self.seqs.keys().copied() {
            let own = |bytes: &&Vec<u8>| {
                let header = engine::effect::batch::parse_header(bytes).unwrap();
                header.origin.0 == origin && header.count > 0
            };
            let expected: Vec<u8> = self.appended.iter().filter(own).flatten().copied().collect();
            let (mut reader, mut out, mut after) = (LogReader::new(NodeId(origin)), Vec::new(), Seq(0));
            let bytes_max = 1 + self.random.below(1000) as usize;
            while let Some(last) = reader.read(log, after, bytes_max, &mut out).unwrap() {
                assert!(last > after);
                after = last;
            }
            assert!(out == expected, "seed {}: origin {origin}", self.seed);
        }
    }
}

/// One machine's life: it stops at operation `stop_at` of its first generation, then at random ones.
/// Returns (stops, batches lost); `None` when the first generation ended before `stop_at`.
fn live(seed: u64, stop_at: u64, stop: Option<Stop>, always: bool) -> Option<(u64, usize)> {
    let mut expected = Expected::new(seed.wrapping_mul(0x1_0001) ^ 0x5eed);
    let disk = SimDisk::new(seed ^ stop_at << 20);
    let mut ids = batches::ids(seed);
    let (mut stops, mut next_stop) = (0, Some(stop_at));
    for generation in 0..5 {
        if let Some(at) = next_stop {
            disk.stop_at(at);
        }
        if let Some(log) = expected.open(&disk, &mut ids) {
            if next_stop.is_none() {
                expected.check_readers(&log);
            }
            if let Err(error) = expected.work(&log, &disk, always) {
                assert!(disk.stopped(), "seed {seed}, stop at {stop_at}: {error}");
            }
        }
        if generation == 0 && !disk.stopped() {
            return None;
        }
        stops += u64::from(disk.stopped());
        let how = stop.unwrap_or([Stop::Kill, Stop::PowerCut][expected.random.below(2) as usize]);
        disk.restart(how);
        expected.stopped(how);
        next_stop = (generation < 3).then(|| expected.random.below(60));
    }
    let log = expected.open(&disk, &mut ids).expect("nothing stops the last start");
    expected.check_readers(&log);
    Some((stops, expected.lost))
}

/// Lives for every operation of each seed's first generation.
fn every_stop(seeds: std::ops::Range<u64>, stop: Option<Stop>, always: bool) -> (u64, usize) {
    let (mut stops, mut lost) = (0, 0);
    for seed in seeds {
        let mut at = 0;
        while let Some((s, l)) = live(seed, at, stop, always) {
            (stops, lost, at) = (stops + s, lost + l, at + 1);
        }
        assert!(at > 15, "seed {seed} ended at operation {at}");
    }
    (stops, lost)
}

#[test]
fn crash_by_power_cut_under_everysec_loses_only_what_no_sync_covered() {
    let (stops, lost) = every_stop(0..40, Some(Stop::PowerCut), false);
    println!("{stops} power cuts, {lost} batches lost");
    assert!(stops > 2000 && lost > 500, "{stops} stops, {lost} lost");
}

#[test]
fn crash_by_power_cut_under_always_loses_nothing_acknowledged() {
    let (stops, _) = every_stop(1000..1030, Some(Stop::PowerCut), true);
    println!("{stops} power cuts");
    assert!(stops > 2000, "{stops} stops");
}

#[test]
fn crash_by_kill_loses_nothing_acknowledged() {
    let (stops, _) = every_stop(2000..2030, Some(Stop::Kill), false);
    println!("{stops} kills");
    assert!(stops > 2000, "{stops} stops");
}

#[test]
fn crash_by_kill_and_power_cut_in_turn_keeps_the_prefix() {
    let (stops, _) = every_stop(3000..3030, None, false);
    println!("{stops} stops");
    assert!(stops > 2000, "{stops} stops");
}
