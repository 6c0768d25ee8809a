//! How far behind each member is, by what it said last.

use std::sync::atomic::Ordering::Relaxed;

use std::collections::VecDeque;

use proto::Seq;

use super::Engine;
use crate::replication::{Member, Replica};

/// Samples kept of when our sequence had come how far.
const SAMPLES_MAX: usize = 1024;

/// When our own sequence had come how far: one sample for each tick in which it grew, thinned out as they age.
#[derive(Default)]
pub(crate) struct Ages(VecDeque<(Seq, u64)>);

impl Ages {
    pub fn note(&mut self, last: Seq, now_ms: u64) {
        if self.0.back().is_some_and(|(seq, _)| *seq >= last) {
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
        self.0.push_back((last, now_ms));
    }

    /// How long ago, ms, the first effect after `seq` was there, by the first sample that had it; 0 when there is none yet.
    pub fn since(&self, seq: Seq, now_ms: u64) -> u64 {
        let at = self.0.partition_point(|(last, _)| *last <= seq);
        self.0.get(at).map_or(0, |(_, ms)| now_ms.saturating_sub(*ms))
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
        ages.note(Seq(5), 100);
        ages.note(Seq(5), 120);
        ages.note(Seq(9), 140);
        assert_eq!(ages.since(Seq(0), 200), 100);
        assert_eq!(ages.since(Seq(5), 200), 60);
        assert_eq!(ages.since(Seq(9), 200), 0);
        for n in 10..100_000 {
            ages.note(Seq(n), n * 20);
        }
        assert!(ages.0.len() <= SAMPLES_MAX);
        assert!(
            ages.since(Seq(20), 3_000_000) > 900_000,
            "the oldest are thinned out, not forgotten at once"
        );
    }
}
