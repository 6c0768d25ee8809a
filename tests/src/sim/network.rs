//! Who reaches whom, how fast, and since when not.

use super::Us;
use super::plan::Plan;
use crate::random::Random;

/// See the module. Directions are told apart: a cut may be one-way.
pub struct Network {
    cuts: Vec<Vec<u32>>,
    since: Vec<Vec<Us>>,
    regions: Vec<usize>,
    latency: Vec<Vec<Us>>,
    jitter: Us,
    late_per_mille: u64,
    random: Random,
}

impl Network {
    pub fn new(plan: &Plan) -> Self {
        let count = plan.slots.len();
        Network {
            cuts: vec![vec![0; count]; count],
            since: vec![vec![0; count]; count],
            regions: plan.slots.iter().map(|s| s.region).collect(),
            latency: plan.latency.clone(),
            jitter: plan.jitter,
            late_per_mille: plan.late_per_mille,
            random: Random::new(plan.seed ^ 0x6e65_7477),
        }
    }

    pub fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cuts[from][to] > 0
    }

    /// How long nothing has passed in this direction.
    pub fn cut_for(&self, from: usize, to: usize, now: Us) -> Us {
        if self.is_cut(from, to) { now - self.since[from][to] } else { 0 }
    }

    pub fn cut(&mut self, from: usize, to: usize, now: Us) {
        if self.cuts[from][to] == 0 {
            self.since[from][to] = now;
        }
        self.cuts[from][to] += 1;
    }

    pub fn mend(&mut self, from: usize, to: usize) {
        self.cuts[from][to] = self.cuts[from][to].saturating_sub(1);
    }

    pub fn mend_all(&mut self) {
        self.cuts.iter_mut().flatten().for_each(|cuts| *cuts = 0);
        self.late_per_mille = 0;
    }

    /// Without jitter, one way.
    pub fn distance(&self, from: usize, to: usize) -> Us {
        self.latency[self.regions[from]][self.regions[to]]
    }

    pub fn is_same_region(&self, a: usize, b: usize) -> bool {
        self.regions[a] == self.regions[b]
    }

    /// One message's time on the way; a lost packet costs a round trip more.
    pub fn travel(&mut self, from: usize, to: usize) -> Us {
        let distance = self.distance(from, to);
        let late = self.random.below(1000) < self.late_per_mille;
        distance + self.random.below(self.jitter + 1) + if late { 2 * distance + 25_000 } else { 0 }
    }
}
