//! Where an origin's effects are in the log: one sparse entry per stretch.

use hashbrown::HashMap;
use proto::{NodeId, Seq};
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use super::Position;
use crate::effect::batch::BatchHeader;

/// Log bytes between two entries of an origin.
const STRETCH: u64 = 32 << 10;

#[derive(Default)]
struct Origin {
    /// (first seq, where its batch begins), ascending.
    places: Vec<(Seq, Position)>,
    last: Seq,
}

/// Sparse index of all origins; about 24 bytes per 32 KiB of log.
#[derive(Default)]
pub(super) struct Index(HashMap<NodeId, Origin, Xxh3DefaultBuilder>);

impl Index {
    pub fn note(&mut self, header: &BatchHeader, at: Position) {
        let origin = self.0.entry(header.origin).or_default();
        // Overlapping batches (a gap filled twice) do not go back.
        if header.last() <= origin.last {
            return;
        }
        let far = origin
            .places
            .last()
            .is_none_or(|(_, p)| p.segment != at.segment || at.offset - p.offset >= STRETCH);
        if far {
            origin.places.push((header.first, at));
        }
        origin.last = header.last();
    }

    /// Where to begin reading for the first effect after `after`; `None` when there is none.
    pub fn place(&self, origin: NodeId, after: Seq) -> Option<Position> {
        let origin = self.0.get(&origin)?;
        if origin.last <= after {
            return None;
        }
        let at = origin.places.partition_point(|(first, _)| first.0 <= after.0 + 1);
        Some(origin.places[at.saturating_sub(1)].1)
    }

    /// Last seq of each origin.
    pub fn last(&self, origin: NodeId) -> Seq {
        self.0.get(&origin).map_or(Seq(0), |o| o.last)
    }
}
