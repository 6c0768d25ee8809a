//! What effects do to lists, and how elements are named.
//!
//! An element is named for ever by the effect that pushed it and its place in that command; one that moved from list to
//! list by a hash of its old name and its new list, so that two nodes that move it alike make one copy. An insert names
//! the *live* elements it was put between, never one that is gone; see [`Place`] for what it hangs on.

use proto::varint::{put, put_bytes, take, take_bytes};
use proto::{EffectId, NodeId, Seq};

use super::Members;

pub const KIND_INSERT: u8 = 64;
pub const KIND_REMOVE: u8 = 65;
pub const KIND_SET: u8 = 66;
pub const KIND_TRIM: u8 = 67;

/// Names one element of a list for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ElementId {
    pub node: u64,
    pub seq: u64,
    /// Place in the command; [`ElementId::MOVED`] when node and seq are a hash.
    pub index: u32,
}

impl ElementId {
    pub const MOVED: u32 = u32::MAX;

    pub fn new(effect: EffectId, index: u32) -> Self {
        ElementId { node: effect.node.0, seq: effect.seq.0, index }
    }

    /// The name that an element gets in the list it is moved to.
    pub fn moved_to(self, db: u32, key: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(24 + key.len());
        bytes.extend_from_slice(&self.node.to_le_bytes());
        bytes.extend_from_slice(&self.seq.to_le_bytes());
        bytes.extend_from_slice(&self.index.to_le_bytes());
        bytes.extend_from_slice(&db.to_le_bytes());
        bytes.extend_from_slice(key);
        let hash = xxhash_rust::xxh3::xxh3_128(&bytes);
        ElementId { node: (hash >> 64) as u64, seq: hash as u64, index: Self::MOVED }
    }

    /// What all elements of one insert share.
    pub fn run(self) -> RunKey {
        (self.node, self.seq)
    }

    pub(crate) fn encode(self, out: &mut Vec<u8>, own: EffectId) {
        if self.index == Self::MOVED {
            out.push(2);
            out.extend_from_slice(&self.node.to_le_bytes());
            out.extend_from_slice(&self.seq.to_le_bytes());
            return;
        }
        if self.node == own.node.0 && self.seq <= own.seq.0 {
            out.push(0);
            put(out, own.seq.0 - self.seq);
        } else {
            out.push(1);
            out.extend_from_slice(&self.node.to_le_bytes());
            put(out, self.seq);
        }
        put(out, u64::from(self.index));
    }

    pub(crate) fn decode(input: &mut &[u8], own: EffectId) -> Option<Self> {
        let (&tag, rest) = input.split_first()?;
        *input = rest;
        let mut word = || {
            let (head, rest) = input.split_first_chunk::<8>()?;
            *input = rest;
            Some(u64::from_le_bytes(*head))
        };
        let (node, seq) = match tag {
            0 => (own.node.0, own.seq.0.checked_sub(take(input)?)?),
            1 => (word()?, take(input)?),
            2 => return Some(ElementId { node: word()?, seq: word()?, index: Self::MOVED }),
            _ => return None,
        };
        let index = u32::try_from(take(input)?).ok().filter(|index| *index != Self::MOVED)?;
        Some(ElementId { node, seq, index })
    }
}

/// Key of an insert among its list's: its effect, or the hash that names its one moved element.
pub type RunKey = (u64, u64);

/// How the names of a run's elements follow one another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// Seqs change from one to the next, else indices do.
    pub by_seq: bool,
    /// Downwards.
    pub down: bool,
}

/// A run has at most so many elements.
const LEN_MAX: u32 = 1 << 26;

/// Elements whose names follow from the first one's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdRun {
    pub first: ElementId,
    pub len: u32,
    pub step: Step,
}

impl IdRun {
    pub fn one(first: ElementId) -> Self {
        IdRun { first, len: 1, step: Step { by_seq: false, down: false } }
    }

    pub fn at(&self, i: u32) -> ElementId {
        let ElementId { node, seq, index } = self.first;
        match (self.step.by_seq, self.step.down) {
            (false, false) => ElementId { node, seq, index: index.wrapping_add(i) },
            (false, true) => ElementId { node, seq, index: index.wrapping_sub(i) },
            (true, false) => ElementId { node, seq: seq.wrapping_add(u64::from(i)), index },
            (true, true) => ElementId { node, seq: seq.wrapping_sub(u64::from(i)), index },
        }
    }

    /// How the element after the last would follow; `None` when its name does not.
    fn step_to(&self, id: ElementId) -> Option<Step> {
        let last = self.at(self.len - 1);
        if id.node != last.node || id.index == ElementId::MOVED || last.index == ElementId::MOVED {
            return None;
        }
        let step = if id.seq == last.seq {
            let up = id.index.checked_sub(last.index) == Some(1);
            (up || last.index.checked_sub(id.index) == Some(1)).then_some(Step { by_seq: false, down: !up })
        } else if id.index == last.index {
            let up = id.seq.checked_sub(last.seq) == Some(1);
            (up || last.seq.checked_sub(id.seq) == Some(1)).then_some(Step { by_seq: true, down: !up })
        } else {
            None
        };
        step.filter(|step| (self.len == 1 || *step == self.step) && self.len < LEN_MAX)
    }

    /// True when [`IdRun::extend`] would take the element in.
    pub fn follows(&self, id: ElementId) -> bool {
        self.step_to(id).is_some()
    }

    /// Takes in the element after the last. False when its name does not follow.
    pub fn extend(&mut self, id: ElementId) -> bool {
        let Some(step) = self.step_to(id) else { return false };
        self.step = step;
        self.len += 1;
        true
    }

    /// Where in the run an element is.
    pub fn position(&self, id: ElementId) -> Option<u32> {
        if id.node != self.first.node {
            return None;
        }
        let (ahead, behind) = if self.step.by_seq {
            if id.index != self.first.index {
                return None;
            }
            (id.seq.checked_sub(self.first.seq), self.first.seq.checked_sub(id.seq))
        } else {
            if id.seq != self.first.seq {
                return None;
            }
            let (a, b) = (u64::from(id.index), u64::from(self.first.index));
            (a.checked_sub(b), b.checked_sub(a))
        };
        let distance = if self.step.down { behind } else { ahead }?;
        (distance < u64::from(self.len)).then_some(distance as u32)
    }
}

/// Runs of elements, borrowed from a plan or from an encoded record.
#[derive(Clone, Copy, Debug)]
pub enum IdRuns<'a> {
    Slices(&'a [IdRun]),
    /// `count` encoded runs of the effect `own`; checked when decoded.
    Encoded {
        count: usize,
        bytes: &'a [u8],
        own: EffectId,
    },
}

impl<'a> IdRuns<'a> {
    pub fn iter(&self) -> impl Iterator<Item = IdRun> + use<'a> {
        let (slices, count, mut bytes, own) = match *self {
            IdRuns::Slices(runs) => (runs, 0, &[][..], EffectId::NONE),
            IdRuns::Encoded { count, bytes, own } => (&[][..], count, bytes, own),
        };
        let encoded = (0..count).map_while(move |_| take_run(&mut bytes, own));
        slices.iter().copied().chain(encoded)
    }

    /// Elements named.
    pub fn elements(&self) -> u64 {
        match self {
            // What a pop names.
            IdRuns::Slices([run]) => u64::from(run.len),
            runs => runs.iter().map(|run| u64::from(run.len)).sum(),
        }
    }

    /// The only element; `None` when there are several, or none.
    #[inline]
    pub fn one(&self) -> Option<ElementId> {
        match self {
            IdRuns::Slices([run]) if run.len == 1 => Some(run.first),
            IdRuns::Slices(_) => None,
            IdRuns::Encoded { count, bytes, own } => {
                let only = take_run(&mut &**bytes, *own).filter(|run| *count == 1 && run.len == 1)?;
                Some(only.first)
            }
        }
    }

    fn encode(&self, out: &mut Vec<u8>, own: EffectId) {
        let put_run = |out: &mut Vec<u8>, run: &IdRun| {
            let step = u64::from(run.step.by_seq) << 1 | u64::from(run.step.down);
            put(out, u64::from(run.len) << 2 | step);
            run.first.encode(out, own);
        };
        if let IdRuns::Slices([run]) = self {
            out.push(1);
            return put_run(out, run);
        }
        put(out, self.iter().count() as u64);
        self.iter().for_each(|run| put_run(out, &run));
    }

    fn decode(input: &mut &'a [u8], own: EffectId) -> Option<Self> {
        let count = usize::try_from(take(input)?).ok()?;
        let bytes = *input;
        for _ in 0..count {
            take_run(input, own)?;
        }
        Some(IdRuns::Encoded { count, bytes: &bytes[..bytes.len() - input.len()], own })
    }
}

fn take_run(input: &mut &[u8], own: EffectId) -> Option<IdRun> {
    let head = take(input)?;
    let len = u32::try_from(head >> 2).ok().filter(|len| (1..=LEN_MAX).contains(len))?;
    let step = Step { by_seq: head & 2 != 0, down: head & 1 != 0 };
    let first = ElementId::decode(input, own)?;
    Some(IdRun { first, len, step })
}

impl PartialEq for IdRuns<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// What an insert hangs on, and so where it stands among others put to the same place without having seen it.
///
/// A run's further elements hang on the one before: behind it, or ahead of it for `Ahead` and `Start`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Place {
    /// Behind the left neighbour; of several the earlier first.
    Behind = 0,
    /// Just before the right neighbour; of several the later nearer to it.
    Before = 1,
    /// Ahead of the right neighbour and of all that is put before it; of several the later further ahead.
    Ahead = 2,
    /// At the list's beginning; of several the later further ahead.
    Start = 3,
    /// At the list's end; of several the earlier first.
    End = 4,
}

impl Place {
    /// The command's values come out in reverse.
    pub fn is_reversed(self) -> bool {
        matches!(self, Place::Ahead | Place::Start)
    }

    pub(crate) fn from_bits(bits: u8) -> Option<Place> {
        [Place::Behind, Place::Before, Place::Ahead, Place::Start, Place::End]
            .into_iter()
            .find(|place| *place as u8 == bits)
    }
}

/// The place of an insert: the live neighbours its author saw, and which of them it hangs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spot {
    pub place: Place,
    pub left: Option<ElementId>,
    pub right: Option<ElementId>,
}

impl Spot {
    /// At the end of a list in which nothing is alive.
    pub const END: Spot = Spot { place: Place::End, left: None, right: None };

    /// The element it hangs on; `None` for the list's ends.
    pub fn parent(&self) -> Option<ElementId> {
        match self.place {
            Place::Behind => self.left,
            Place::Before | Place::Ahead => self.right,
            Place::Start | Place::End => None,
        }
    }

    fn is_whole(&self) -> bool {
        matches!(self.place, Place::Start | Place::End) || self.parent().is_some()
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>, own: EffectId, more: u8) {
        let has = |id: Option<ElementId>, bit: u8| if id.is_some() { bit } else { 0 };
        out.push(self.place as u8 | has(self.left, 8) | has(self.right, 16) | more << 5);
        for id in [self.left, self.right].into_iter().flatten() {
            id.encode(out, own);
        }
    }

    /// The spot, and the bits above it.
    pub(crate) fn decode(input: &mut &[u8], own: EffectId) -> Option<(Self, u8)> {
        let (&head, rest) = input.split_first()?;
        *input = rest;
        let place = Place::from_bits(head & 7)?;
        let left = if head & 8 != 0 { Some(ElementId::decode(input, own)?) } else { None };
        let right = if head & 16 != 0 { Some(ElementId::decode(input, own)?) } else { None };
        Some((Spot { place, left, right }, head >> 5)).filter(|(spot, _)| spot.is_whole())
    }
}

/// What an effect does to a list.
#[derive(Clone, PartialEq, Debug)]
pub enum ListOp<'a> {
    /// Elements put between two neighbours. `moved`: the one element's name, which it has from another list.
    Insert { spot: Spot, moved: Option<ElementId>, values: Members<'a> },
    /// Elements that are gone for ever.
    Remove(IdRuns<'a>),
    /// Another value for one element.
    Set { id: ElementId, value: &'a [u8] },
    /// Everything seen before `first` and behind `last` is gone for ever. Its author saw no moved element, which might come to stand
    /// on the other side of these.
    Trim { first: ElementId, last: ElementId },
}

impl<'a> ListOp<'a> {
    pub(crate) fn kind(&self) -> u8 {
        match self {
            ListOp::Insert { .. } => KIND_INSERT,
            ListOp::Remove(_) => KIND_REMOVE,
            ListOp::Set { .. } => KIND_SET,
            ListOp::Trim { .. } => KIND_TRIM,
        }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>, own: EffectId) {
        match self {
            ListOp::Insert { spot, moved, values } => {
                spot.encode(out, own, u8::from(moved.is_some()));
                if let Some(id) = moved {
                    id.encode(out, own);
                }
                values.encode(out);
            }
            ListOp::Remove(runs) => runs.encode(out, own),
            ListOp::Set { id, value } => {
                id.encode(out, own);
                put_bytes(out, value);
            }
            ListOp::Trim { first, last } => {
                first.encode(out, own);
                last.encode(out, own);
            }
        }
    }

    pub(crate) fn decode(input: &mut &'a [u8], kind: u8, own: EffectId) -> Option<Self> {
        Some(match kind {
            KIND_INSERT => {
                let (spot, more) = Spot::decode(input, own)?;
                let moved = match more {
                    0 => None,
                    1 => Some(ElementId::decode(input, own).filter(|id| id.index == ElementId::MOVED)?),
                    _ => return None,
                };
                let values = Members::decode(input)?;
                let most = if moved.is_some() { 1 } else { ElementId::MOVED as usize };
                if values.is_empty() || values.len() > most {
                    return None;
                }
                ListOp::Insert { spot, moved, values }
            }
            KIND_REMOVE => ListOp::Remove(IdRuns::decode(input, own)?),
            KIND_SET => ListOp::Set { id: ElementId::decode(input, own)?, value: take_bytes(input)? },
            KIND_TRIM => {
                ListOp::Trim { first: ElementId::decode(input, own)?, last: ElementId::decode(input, own)? }
            }
            _ => return None,
        })
    }
}

/// A whole list as an assignment carries it: it stands where the old list's first element stood.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct WholeList<'a> {
    pub spot: Spot,
    pub values: Members<'a>,
}

impl<'a> WholeList<'a> {
    pub(crate) fn encode(&self, out: &mut Vec<u8>, own: EffectId) {
        self.spot.encode(out, own, 0);
        self.values.encode(out);
    }

    pub(crate) fn decode(input: &mut &'a [u8], own: EffectId) -> Option<Self> {
        let (spot, more) = Spot::decode(input, own)?;
        let values = Members::decode(input)?;
        let whole = WholeList { spot, values };
        (more == 0 && !spot.place.is_reversed() && !values.is_empty()).then_some(whole)
    }
}

/// The effect that pushed an element, unless it moved.
pub fn effect_of(run: RunKey) -> EffectId {
    EffectId::new(NodeId(run.0), Seq(run.1))
}
