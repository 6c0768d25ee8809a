//! How the parts of a stream merge, beyond what all elements do.
//!
//! | part | concurrent |
//! |---|---|
//! | entry | the latest of equal ids |
//! | marks | the highest last and removed id; additions are added up. An assignment (XSETID) replaces what it saw |
//! | group's head | the pointwise maximum of the cursors. An assignment (CREATE, SETID) replaces what it saw |
//! | pending entry | acknowledged for ever, else the highest count, else the latest |
//! | consumer | the latest |

use proto::{Hlc, NodeId};

use super::causal::Meta;
use super::elements::{Change, Element, ElementMap, Write, show};
use crate::effect::fork::fork_choice_cmp;
use crate::effect::streams::{Advance, Deliver};
use crate::effect::{Op, StreamOp};
use crate::state::stream::{Delivery, Head, Marks, Name, Part, Span, StreamId};
use crate::state::value::{Item, ValueMut};

/// Elements of a window are looked through for those of a span while there are no more of them.
const LOOKED_THROUGH: usize = 64;

/// What an effect makes of one part without assigning it.
#[derive(Clone, PartialEq, Debug)]
pub enum StreamWrite {
    Marks(Box<Marked>),
    Advance(Box<Advance>),
    /// The pending entry is done with.
    Ack,
}

/// On the marks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Marked {
    /// Raised to this.
    pub last: StreamId,
    /// So many more.
    pub added: u64,
    /// Raised to this.
    pub deleted: StreamId,
    /// The stream exists from here on.
    pub makes: bool,
}

impl StreamWrite {
    /// In any order they come to the same.
    pub fn commutes(&self) -> bool {
        match self {
            StreamWrite::Marks(_) => true,
            StreamWrite::Advance(advance) => matches!(advance.read, crate::effect::streams::Read::By(_)),
            StreamWrite::Ack => false,
        }
    }

    /// The key is a stream because of it.
    pub fn makes(&self) -> bool {
        matches!(self, StreamWrite::Marks(marked) if marked.makes)
    }

    pub fn apply(&self, value: &mut Option<Item>) {
        match self {
            StreamWrite::Marks(marked) => {
                let mut marks = match value {
                    Some(Item::Stream(Part::Marks(marks))) => **marks,
                    _ => Marks::default(),
                };
                marked.apply(&mut marks);
                *value = Some(Item::Stream(marks.into()));
            }
            StreamWrite::Advance(advance) => {
                let mut head = match value.take() {
                    Some(Item::Stream(Part::Group(head))) => head,
                    _ => Box::new(Head::default()),
                };
                head.cursor.join(&advance.cursor);
                head.read = advance.read.apply(head.read);
                *value = Some(Item::Stream(Part::Group(head)));
            }
            StreamWrite::Ack => *value = None,
        }
    }
}

impl Marked {
    pub fn apply(&self, marks: &mut Marks) {
        marks.last = marks.last.max(self.last);
        marks.added = marks.added.saturating_add(self.added);
        marks.deleted = marks.deleted.max(self.deleted);
        marks.made |= self.makes;
    }
}

type Rank = (Hlc, NodeId);

/// What concurrent assignments of a part come to.
pub fn resolve_puts<'w>(puts: impl Iterator<Item = (Rank, &'w Part)>) -> Option<Part> {
    let mut winner: Option<(Rank, Part)> = None;
    for (rank, part) in puts {
        winner = Some(match (winner, part) {
            (None, part) => (rank, part.clone()),
            (Some((first, Part::Marks(mut a))), Part::Marks(b)) => {
                a.last = a.last.max(b.last);
                a.added = a.added.max(b.added);
                a.deleted = a.deleted.max(b.deleted);
                a.made |= b.made;
                (first, Part::Marks(a))
            }
            (Some((first, Part::Group(mut a))), Part::Group(b)) => {
                a.cursor.join(&b.cursor);
                a.read = a.read.max(b.read);
                a.made |= b.made;
                (first, Part::Group(a))
            }
            (Some((other, Part::Pending(a))), Part::Pending(b)) => {
                let later = fork_choice_cmp(rank, other).is_gt();
                if (b.count, later) > (a.count, !later) {
                    (rank, Part::Pending(b.clone()))
                } else {
                    (other, Part::Pending(a))
                }
            }
            (Some(known), part) => {
                if fork_choice_cmp(rank, known.0).is_gt() {
                    (rank, part.clone())
                } else {
                    known
                }
            }
        });
    }
    winner.map(|winner| winner.1)
}

fn put(part: Part) -> Change {
    Change::Write(Write::Put(Item::Stream(part)))
}

fn marked(last: StreamId, added: u64, deleted: StreamId, makes: bool) -> Change {
    Change::Write(Write::Stream(StreamWrite::Marks(Box::new(Marked { last, added, deleted, makes }))))
}

/// Visits what an effect does to each part it names.
pub fn each_change(op: &StreamOp<'_>, visit: &mut dyn FnMut(&[u8], Change)) {
    match op {
        StreamOp::Add { id, fields, upto } => {
            if id > upto {
                let mut encoded = Vec::new();
                fields.encode(&mut encoded);
                visit(&Name::Entry(*id).encode(), put(Part::Entry(encoded.into())));
            }
            visit(&Name::Marks.encode(), marked(*id, 1, StreamId::MIN, true));
        }
        StreamOp::Remove(ids) => {
            ids.iter().for_each(|id| visit(&Name::Entry(id).encode(), Change::Remove));
            let deleted = ids.iter().max().unwrap_or_default();
            visit(&Name::Marks.encode(), marked(StreamId::MIN, 0, deleted, false));
        }
        StreamOp::Set(marks) => visit(&Name::Marks.encode(), put((*marks).into())),
        StreamOp::GroupSet { group, head, fresh } => {
            visit(&Name::Group(group).encode(), put(Part::Group(head.clone())));
            if *fresh {
                visit(&Name::Marks.encode(), marked(StreamId::MIN, 0, StreamId::MIN, true));
            }
        }
        StreamOp::Trim { .. } | StreamOp::GroupDrop { .. } => {}
        StreamOp::Deliver(deliver) => each_delivery(deliver, visit),
        StreamOp::Ack { group, ids } => ids.iter().for_each(|id| {
            visit(&Name::Pending(group, id).encode(), Change::Write(Write::Stream(StreamWrite::Ack)));
        }),
        StreamOp::ConsumerDrop { group, consumer, ids } => {
            visit(&Name::Consumer(group, consumer).encode(), Change::Remove);
            ids.iter().for_each(|id| visit(&Name::Pending(group, id).encode(), Change::Remove));
        }
    }
}

fn each_delivery(deliver: &Deliver<'_>, visit: &mut dyn FnMut(&[u8], Change)) {
    let Deliver { group, consumer, seen_ms, advance, time_ms, entries } = deliver;
    if let Some(advance) = advance {
        let advance = StreamWrite::Advance(Box::new(advance.clone()));
        visit(&Name::Group(group).encode(), Change::Write(Write::Stream(advance)));
    }
    visit(&Name::Consumer(group, consumer).encode(), put(Part::Consumer(*seen_ms)));
    for (id, count) in entries.iter() {
        let delivery = Delivery { owner: (*consumer).into(), count, time_ms: *time_ms };
        visit(&Name::Pending(group, id).encode(), put(Part::Pending(Box::new(delivery))));
    }
}

/// The parts that an effect takes away without naming them, as far as it saw them. They go before what it names changes.
pub fn span<'a>(op: &Op<'a>) -> Option<Span<'a>> {
    match op {
        Op::Stream(StreamOp::Add { upto, .. } | StreamOp::Trim { upto }) if *upto > StreamId::MIN => {
            Some(Span::Entries(*upto))
        }
        Op::Stream(StreamOp::GroupSet { group, fresh: true, .. } | StreamOp::GroupDrop { group }) => {
            Some(Span::Group(group))
        }
        _ => None,
    }
}

/// The effect takes parts away and makes none.
pub fn removes(op: &StreamOp<'_>) -> bool {
    matches!(op, StreamOp::Trim { .. } | StreamOp::GroupDrop { .. } | StreamOp::ConsumerDrop { .. })
}

/// Takes a span out of a lean window. `below_goes`: what lies below was seen.
pub fn take_span(
    held: &mut ElementMap,
    visible: &mut ValueMut<'_>,
    meta: &Meta,
    span: Span<'_>,
    below_goes: bool,
) {
    let ValueMut::Stream(stream) = visible else { return };
    let names: Vec<Box<[u8]>> = match span {
        // Whatever is held of an entry shows.
        Span::Entries(upto) if held.len() > LOOKED_THROUGH => {
            let ids = stream.entries().map(|e| e.0).take_while(|id| *id <= upto);
            let names = ids.map(|id| Name::Entry(id).encode());
            names.filter(|name| held.contains_key(&name[..])).map(|name| Box::from(&name[..])).collect()
        }
        _ => held.keys().filter(|name| span.contains(name)).cloned().collect(),
    };
    if below_goes {
        stream.remove_span(span);
    }
    for name in names {
        let Some(element) = held.get_mut(&name) else { continue };
        element.writes.retain(|w| !meta.saw(w.0.id));
        if below_goes {
            element.below = None;
        }
        show(visible, &name, element.shown(None));
        if element.writes.is_empty() {
            held.remove(&name);
        }
    }
}

/// Takes what was seen of a span from elements that are kept apart.
pub fn cancel_span(held: &mut ElementMap, meta: &Meta, span: Span<'_>) {
    held.retain(|name, element: &mut Element| {
        if span.contains(name) {
            element.writes.retain(|w| !meta.saw(w.0.id));
        }
        !element.writes.is_empty()
    });
}
