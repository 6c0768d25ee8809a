//! How far behind each member is, by what it said last.

use std::sync::atomic::Ordering::Relaxed;

use std::collections::VecDeque;

use proto::Seq;

use super::Engine;
use crate::replication::{Member, Replica};

/// Samples kept of when our sequence had come how far.
const SAMPLES_MAX: usize = 1024;

/// When our own sequence had come how far, and how much log that was: one sample for each tick in which it grew, thinned out as
/// they age.
#[derive(Default)]
pub(crate) struct Ages(VecDeque<Sample>);

#[derive(Clone, Copy)]
struct Sample {
    last: Seq,
    at_ms: u64,
    /// Of our batches since the start.
    bytes: u64,
}

impl Ages {
    pub fn note(&mut self, last: Seq, at_ms: u64, bytes: u64) {
        if self.0.back().is_some_and(|sample| sample.last >= last) {
            return;
        }
        if self.0.len() >= SAMPLES_MAX {
            // Of the older half every other one goes: an age so great need not be exact.
            let mut at = 0;
            self.0.retain(|_| {
                at += 1;
                at > SAMPLES_MAX / 2 || at % 2 == 0
            });
        }
        self.0.push_back(Sample { last, at_ms, bytes });
    }

    /// How long ago, ms, the first effect after `seq` was there, by the first sample that had it; 0 when there is none yet.
    pub fn since(&self, seq: Seq, now_ms: u64) -> u64 {
        let at = self.0.partition_point(|sample| sample.last <= seq);
        self.0.get(at).map_or(0, |sample| now_ms.saturating_sub(sample.at_ms))
    }

    /// Bytes of our batches after `seq`, of `bytes` up to now: what lies between two samples is taken as even.
    pub fn bytes_since(&self, seq: Seq, last: Seq, bytes: u64) -> u64 {
        let at = self.0.partition_point(|sample| sample.last <= seq);
        let next = self.0.get(at).copied().unwrap_or(Sample { last, at_ms: 0, bytes });
        // Before the first sample nothing was counted.
        let Some(before) = at.checked_sub(1).map(|at| self.0[at]) else { return bytes };
        let (effects, left) = (next.last.0.saturating_sub(before.last.0), next.last.0.saturating_sub(seq.0));
        let between = next.bytes.saturating_sub(before.bytes);
        let part = u128::from(between) * u128::from(left) / u128::from(effects.max(1));
        bytes.saturating_sub(next.bytes) + part as u64
    }
}

/// One member's distance, as of its last ack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lag {
    pub member: Member,
    /// It was heard at all.
    pub heard: bool,
    /// A link to it is up.
    pub up: bool,
    /// Effects shown here that it has not shown: of all origins, and of ours.
    pub lacks: u64,
    pub lacks_ours: u64,
    /// Log of ours that it has not shown, bytes, as measured between samples.
    pub lacks_bytes: u64,
    /// For how long the oldest effect of ours that it has not shown has been there, ms; 0 when it has all. Sampled 50 times a second.
    pub behind_ms: u64,
    /// Effects of it that it told of and that are not shown here.
    pub we_lack: u64,
    /// Since its last ack, ms.
    pub heard_ms: u64,
    /// Its clock then less ours now, ms: at most its clock's lead; the time since the ack makes it smaller.
    pub clock_ms: i64,
}

impl Engine {
    /// How far behind the other members are, in the order in which they were learned.
    pub fn lags(&self) -> Vec<Lag> {
        // Asked within a transaction the stage is held by whoever asks: then what is written counts, at the clock last heard.
        let staged = self.stage.try_lock().map(|stage| (stage.last(), stage.last_hlc().ms()));
        let mut shown = self.shown.lock().clone();
        let (last, now_ms) = staged.unwrap_or_else(|| (shown.seq(self.node), self.closed_ms.load(Relaxed)));
        shown.advance(self.node, last);
        let members = self.members();
        let peers = self.peers.lock();
        let ages = self.ages.lock();
        let bytes = self.stats.bytes_written.load(Relaxed);
        let lag = |member: Member| {
            let heard = peers.heard.of(member.node).cloned().unwrap_or_default();
            let lacks = |origin, seq: Seq| seq.0.saturating_sub(heard.applied.seq(origin).0);
            let lacks_ours = lacks(self.node, last);
            let has = heard.applied.seq(self.node);
            Lag {
                heard: heard.at_ms > 0,
                up: heard.up,
                lacks: shown.iter().map(|(origin, seq)| lacks(origin, seq)).sum(),
                lacks_ours,
                lacks_bytes: if lacks_ours == 0 { 0 } else { ages.bytes_since(has, last, bytes) },
                behind_ms: if lacks_ours == 0 { 0 } else { ages.since(has, now_ms) },
                we_lack: heard.own.0.saturating_sub(shown.seq(member.node).0),
                heard_ms: now_ms.saturating_sub(heard.at_ms),
                clock_ms: heard.hlc.ms() as i64 - now_ms as i64,
                member,
            }
        };
        members.into_iter().filter(|member| member.node != self.node).map(lag).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_that_of_the_first_sample_that_had_the_effect() {
        let mut ages = Ages::default();
        assert_eq!(ages.since(Seq(0), 100), 0);
        ages.note(Seq(5), 100, 50);
        ages.note(Seq(5), 120, 50);
        ages.note(Seq(9), 140, 450);
        assert_eq!(ages.bytes_since(Seq(2), Seq(10), 460), 460, "before the first sample");
        assert_eq!(ages.bytes_since(Seq(5), Seq(10), 460), 410);
        assert_eq!(ages.bytes_since(Seq(7), Seq(10), 460), 210);
        assert_eq!(ages.bytes_since(Seq(9), Seq(10), 460), 10);
        assert_eq!(ages.bytes_since(Seq(10), Seq(10), 460), 0);
        assert_eq!(ages.since(Seq(0), 200), 100);
        assert_eq!(ages.since(Seq(5), 200), 60);
        assert_eq!(ages.since(Seq(9), 200), 0);
        for n in 10..100_000 {
            ages.note(Seq(n), n * 20, n);
        }
        assert!(ages.0.len() <= SAMPLES_MAX);
        assert!(
            ages.since(Seq(20), 3_000_000) > 900_000,
            "the oldest are thinned out, not forgotten at once"
        );
    }
}
