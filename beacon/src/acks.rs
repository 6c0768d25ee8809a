//! When an ack goes into the ordered stream, and where: behind every own effect up to its `own`.
//!
//! Pure: time is a duration since any beginning. An ack is taken first and sent when the sender's cursor has passed it.

use std::time::Duration;

use engine::replication::Ack;
use proto::{NodeId, Seq};

/// While busy, acks of others' effects and of only our own go out at most so often.
const ACK_PAUSE: Duration = Duration::from_millis(2);
const OWN_ACK_PAUSE: Duration = Duration::from_millis(10);
/// Idle peers still tell their clock.
pub const ACK_EVERY: Duration = Duration::from_secs(1);

/// The acks of one direction of a link.
#[derive(Debug)]
pub struct AckPacer {
    own: NodeId,
    sent: Option<Ack>,
    sent_at: Duration,
    /// Taken, but the cursor is not there yet.
    pending: Option<Ack>,
}

impl AckPacer {
    /// `own` is the sending node.
    pub fn new(own: NodeId) -> Self {
        AckPacer { own, sent: None, sent_at: Duration::ZERO, pending: None }
    }

    /// Takes `ack` when one is due. Returns when to look again.
    pub fn consider(&mut self, ack: Ack, now: Duration) -> Duration {
        if self.pending.is_some() {
            return now + ACK_EVERY;
        }
        let pause = match &self.sent {
            None => Duration::ZERO,
            Some(sent) if sent.applied == ack.applied => ACK_EVERY,
            Some(sent) => {
                let others = |(node, seq)| node != self.own && sent.applied.seq(node) != seq;
                if ack.applied.iter().any(others) { ACK_PAUSE } else { OWN_ACK_PAUSE }
            }
        };
        let due = if self.sent.is_none() { now } else { self.sent_at + pause };
        if due <= now {
            self.pending = Some(ack);
            return now + ACK_EVERY;
        }
        due
    }

    /// None was sent that counts: the next one is taken anew, at once.
    pub fn renew(&mut self) {
        (self.sent, self.pending) = (None, None);
    }

    /// The ack to send now that every own effect up to `cursor` is on the stream, if one waits for that.
    pub fn take(&mut self, cursor: Seq, now: Duration) -> Option<Ack> {
        let ack = self.pending.take_if(|ack| ack.own <= cursor)?;
        (self.sent, self.sent_at) = (Some(ack.clone()), now);
        Some(ack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn ack(own: u64, other: u64) -> Ack {
        let applied = [(NodeId(1), Seq(own)), (NodeId(2), Seq(other))].into_iter().collect();
        Ack { applied, own: Seq(own), hlc: Default::default() }
    }

    #[test]
    fn an_ack_waits_for_the_cursor() {
        let mut acks = AckPacer::new(NodeId(1));
        acks.consider(ack(5, 0), MS);
        assert_eq!(acks.take(Seq(4), MS), None);
        acks.consider(ack(9, 0), 2 * MS);
        assert_eq!(acks.take(Seq(5), 2 * MS), Some(ack(5, 0)), "the one that was taken, not a later one");
        assert_eq!(acks.take(Seq(9), 2 * MS), None);
    }

    #[test]
    fn acks_of_others_effects_hurry_and_an_idle_node_tells_its_clock() {
        let mut acks = AckPacer::new(NodeId(1));
        acks.consider(ack(1, 1), MS);
        acks.take(Seq(1), MS);
        assert_eq!(acks.consider(ack(1, 2), 2 * MS), 3 * MS);
        assert_eq!(acks.consider(ack(2, 1), 2 * MS), 11 * MS);
        assert_eq!(acks.consider(ack(1, 1), 2 * MS), MS + ACK_EVERY);
    }
}
