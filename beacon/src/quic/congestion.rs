//! Congestion control for long lines that lose packets at random: the window follows what is *delivered*, not what is lost.
//!
//! ```text
//! window = gain × delivery rate (best of the last 10 rounds) × (least round-trip of 10 s + slack)
//! gain:    2 while the rate still grows (start), then 1.5, 0.75, and six rounds of 1.1, for ever
//! ```
//! A round lasts from a packet's sending to its ack. The 1.5 round looks for more room, the 0.75 round drains the queue it
//! made and shows the true round-trip time. Random loss of p lowers every round's delivery alike and is outgrown while
//! 1.5 × (1 - p) > 1; a line that turns out wider by [`GROWTH`] is started on again. Loss above [`HEAVY_LOSS`] in an
//! ordinary round is congestion: the estimate falls at once to what was delivered, at most by half. `docs/adr/0001-congestion-control.md` has the comparison with the stock controllers.
//!
//! Invariant: rounds in which the application had nothing to send never lower the estimate.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::congestion::{Controller, ControllerFactory};
use quinn_proto::RttEstimator;

const INITIAL_PACKETS: u64 = 96;
const WINDOW_PACKETS_MIN: u64 = 16;
const START_GAIN: f64 = 2.0;
const CYCLE: [f64; 8] = [1.5, 0.75, 1.1, 1.1, 1.1, 1.1, 1.1, 1.1];
/// Rounds without so much growth, in a row, end the start.
const GROWTH: f64 = 1.25;
const FLAT_ROUNDS_MAX: u32 = 3;
const RATES_KEPT: usize = 10;
const RTT_KEPT: Duration = Duration::from_secs(10);
/// Scheduling and delayed acks: without it a link of microseconds could not be filled.
const SLACK: Duration = Duration::from_millis(4);
const HEAVY_LOSS: f64 = 0.3;
/// Fewer packets in a round say nothing about loss.
const JUDGED_PACKETS_MIN: u64 = 48;

/// Builds [`Steady`] controllers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SteadyConfig;

impl ControllerFactory for SteadyConfig {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        Box::new(Steady::new(now, current_mtu))
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Steady {
    mtu: u64,
    window: u64,
    /// Bytes per second, latest last.
    rates: VecDeque<f64>,
    rtt_min: Option<(Duration, Instant)>,
    phase: Phase,
    round: Round,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Phase {
    Start { flat_rounds: u32 },
    Cycle { at: usize },
}

#[derive(Clone, Copy, Debug)]
struct Round {
    started: Instant,
    acked: u64,
    lost: u64,
    /// Least of the round.
    rtt: Duration,
    /// The window was never full.
    app_limited: bool,
    /// An ack of a packet sent in this round has come.
    over: bool,
}

impl Round {
    fn new(now: Instant, app_limited: bool) -> Self {
        Round { started: now, acked: 0, lost: 0, rtt: Duration::MAX, app_limited, over: false }
    }
}

impl Steady {
    fn new(now: Instant, mtu: u16) -> Self {
        Self {
            mtu: u64::from(mtu),
            window: INITIAL_PACKETS * u64::from(mtu),
            rates: VecDeque::new(),
            rtt_min: None,
            phase: Phase::Start { flat_rounds: 0 },
            round: Round::new(now, true),
        }
    }

    /// `idle`: the next round begins with nothing to send.
    fn finish_round(&mut self, now: Instant, idle: bool) {
        let round = std::mem::replace(&mut self.round, Round::new(now, idle));
        let seconds = now.duration_since(round.started).as_secs_f64();
        if round.acked == 0 || seconds <= 0.0 {
            return;
        }
        match self.rtt_min {
            Some((least, at)) if round.rtt > least && now.duration_since(at) < RTT_KEPT => {}
            _ => self.rtt_min = Some((round.rtt, now)),
        }
        let (rate, best) = (round.acked as f64 / seconds, self.rate());
        if round.app_limited && rate <= best {
            return;
        }
        let seen = round.acked + round.lost;
        let judged = seen >= JUDGED_PACKETS_MIN * self.mtu;
        let congested = judged && round.lost as f64 / seen as f64 > HEAVY_LOSS;
        if congested && matches!(self.phase, Phase::Cycle { at: 2.. }) {
            self.rates.clear();
            self.rates.push_back(best / 2.0);
        }
        self.rates.push_back(rate);
        if self.rates.len() > RATES_KEPT {
            self.rates.pop_front();
        }
        self.phase = self.next_phase(rate, best, congested, round.app_limited);
        self.size_window();
    }

    fn next_phase(&self, rate: f64, best: f64, congested: bool, app_limited: bool) -> Phase {
        match self.phase {
            _ if rate >= best * GROWTH => Phase::Start { flat_rounds: 0 },
            Phase::Cycle { at } => Phase::Cycle { at: (at + 1) % CYCLE.len() },
            start @ Phase::Start { .. } if app_limited => start,
            // Drain first what the start has queued.
            Phase::Start { flat_rounds } if congested || flat_rounds + 1 >= FLAT_ROUNDS_MAX => {
                Phase::Cycle { at: 1 }
            }
            Phase::Start { flat_rounds } => Phase::Start { flat_rounds: flat_rounds + 1 },
        }
    }

    fn rate(&self) -> f64 {
        self.rates.iter().copied().fold(0.0, f64::max)
    }

    fn size_window(&mut self) {
        let Some((rtt, _)) = self.rtt_min else { return };
        let (gain, least) = match self.phase {
            Phase::Start { .. } => (START_GAIN, INITIAL_PACKETS),
            Phase::Cycle { at } => (CYCLE[at], WINDOW_PACKETS_MIN),
        };
        let window = gain * self.rate() * (rtt + SLACK).as_secs_f64();
        self.window = (window as u64).max(least * self.mtu);
    }
}

impl Controller for Steady {
    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, _app_limited: bool, _rtt: &RttEstimator) {
        self.round.acked += bytes;
        self.round.rtt = self.round.rtt.min(now.saturating_duration_since(sent));
        self.round.over |= sent >= self.round.started;
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool, _largest: Option<u64>) {
        let idle = app_limited && in_flight < self.window / 2;
        self.round.app_limited |= idle;
        if self.round.over {
            self.finish_round(now, idle);
        }
    }

    fn on_congestion_event(&mut self, now: Instant, _sent: Instant, persistent: bool, lost_bytes: u64) {
        self.round.lost += lost_bytes;
        if persistent {
            // The path was dead: what was measured on it is not believed any more.
            let window = (self.window / 2).max(INITIAL_PACKETS * self.mtu);
            *self = Steady { window, mtu: self.mtu, ..Steady::new(now, self.mtu as u16) };
        }
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.mtu = u64::from(new_mtu);
        self.window = self.window.max(WINDOW_PACKETS_MIN * self.mtu);
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        INITIAL_PACKETS * self.mtu
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MTU: u64 = 1400;

    /// A line in rounds: what is sent at once arrives at `bytes_per_s` after `rtt`, a queue of one `queue` at most, and
    /// every `nth` packet is lost. Returns delivered and dropped bytes over `rounds`.
    struct Line {
        bytes_per_s: f64,
        rtt: Duration,
        queue: Duration,
        nth: u64,
        sent: u64,
        now: Instant,
    }

    impl Line {
        fn round(&mut self, steady: &mut Steady) -> (u64, u64) {
            let start = self.now;
            let packets = steady.window() / MTU;
            let (mut acked, mut dropped) = (0, 0);
            let mut last = start;
            let mut wire = Duration::ZERO;
            for _ in 0..packets {
                self.sent += 1;
                // Beyond the queue and what leaves it meanwhile.
                if self.nth > 0 && self.sent.is_multiple_of(self.nth) || wire > self.queue + self.rtt {
                    dropped += MTU;
                    continue;
                }
                wire += Duration::from_secs_f64(MTU as f64 / self.bytes_per_s);
                last = start + self.rtt.max(wire);
                steady.round.acked += MTU;
                steady.round.rtt = steady.round.rtt.min(self.rtt.max(wire));
                acked += MTU;
            }
            self.now = last + Duration::from_micros(10);
            steady.on_congestion_event(self.now, start, false, dropped);
            steady.round.over = true;
            steady.on_end_acks(self.now, 0, false, None);
            (acked, dropped)
        }

        fn run(&mut self, steady: &mut Steady, rounds: usize) -> (f64, f64) {
            let start = self.now;
            let (mut acked, mut dropped) = (0, 0);
            for _ in 0..rounds {
                let (a, d) = self.round(steady);
                acked += a;
                dropped += d;
            }
            let rate = acked as f64 / (self.now - start).as_secs_f64();
            (rate / self.bytes_per_s, dropped as f64 / (acked + dropped) as f64)
        }
    }

    fn line(bytes_per_s: f64, nth: u64) -> (Line, Steady) {
        let now = Instant::now();
        let (rtt, queue) = (Duration::from_millis(80), Duration::from_millis(50));
        (Line { bytes_per_s, rtt, queue, nth, sent: 0, now }, Steady::new(now, MTU as u16))
    }

    #[test]
    fn random_loss_does_not_keep_it_from_filling_the_line() {
        for nth in [0, 20, 7] {
            let (mut line, mut steady) = line(10e6, nth);
            line.run(&mut steady, 20);
            let (filled, lost) = line.run(&mut steady, 80);
            assert!(filled > 0.75, "every {nth}th lost: {filled}");
            assert!(lost < 0.05 + 1.0 / nth.max(20) as f64 * 3.0, "{lost}");
        }
    }

    #[test]
    fn it_follows_a_line_that_becomes_narrow() {
        let (mut line, mut steady) = line(20e6, 0);
        line.run(&mut steady, 30);
        line.bytes_per_s = 2e6;
        line.run(&mut steady, 20);
        let bdp = 2e6 * 0.084;
        assert!((steady.window() as f64) < 2.0 * bdp, "{}", steady.window());
        let (filled, lost) = line.run(&mut steady, 40);
        assert!(filled > 0.75 && lost < 0.1, "{filled} {lost}");
    }

    #[test]
    fn idle_rounds_keep_the_estimate_and_a_dead_path_forgets_it() {
        let (mut line, mut steady) = line(10e6, 0);
        line.run(&mut steady, 30);
        let rate = steady.rate();
        for _ in 0..30 {
            line.now += Duration::from_millis(80);
            steady.round.acked = MTU;
            steady.round.over = true;
            steady.on_end_acks(line.now, 0, true, None);
        }
        assert_eq!(steady.rate(), rate);
        steady.on_congestion_event(line.now, line.now, true, MTU);
        assert_eq!(steady.rate(), 0.0);
        assert!(steady.window() >= INITIAL_PACKETS * MTU);
    }
}
