//! What one peer takes from us: per origin, how far its stream has come. Pure.

use std::collections::BTreeMap;

use proto::{NodeId, Seq};

/// By origin, the last seq sent or known at the peer.
#[derive(Clone, Debug)]
pub struct Cursors {
    own: NodeId,
    at: BTreeMap<NodeId, Seq>,
}

impl Cursors {
    /// `unasked`: where our own stream begins for a peer too old to ask for it; else nothing is streamed before it asks.
    pub fn new(own: NodeId, unasked: Option<Seq>) -> Self {
        Self { own, at: unasked.map(|after| (own, after)).into_iter().collect() }
    }

    /// The peer takes exactly `asked` from now on. What is on its way of a stream that goes on is not sent again.
    pub fn replace(&mut self, asked: BTreeMap<NodeId, Seq>) {
        let before = std::mem::take(&mut self.at);
        let keep = |(origin, after): (NodeId, Seq)| {
            (origin, before.get(&origin).map_or(after, |cursor| after.max(*cursor)))
        };
        self.at = asked.into_iter().map(keep).collect();
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (NodeId, &mut Seq)> {
        self.at.iter_mut().map(|(origin, cursor)| (*origin, cursor))
    }

    /// Our own effects up to here are on the stream; all of them where another brings them.
    pub fn own(&self) -> Seq {
        self.at.get(&self.own).copied().unwrap_or(Seq(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_goes_on_keeps_its_place_and_a_new_one_begins_where_it_is_asked() {
        let (own, other) = (NodeId(1), NodeId(2));
        let mut cursors = Cursors::new(own, None);
        assert_eq!(cursors.own(), Seq(u64::MAX), "no ack waits for what a relay brings");
        cursors.replace([(own, Seq(5)), (other, Seq(7))].into());
        cursors.iter_mut().for_each(|(_, at)| at.0 += 10);
        cursors.replace([(own, Seq(9))].into());
        assert_eq!(cursors.own(), Seq(15));
        cursors.replace([(own, Seq(40)), (other, Seq(8))].into());
        assert_eq!(cursors.iter_mut().map(|c| c.1.0).collect::<Vec<_>>(), [40, 8]);
        assert_eq!(Cursors::new(own, Some(Seq(3))).own(), Seq(3));
    }
}
