//! A stream as a collection of named parts, each of which merges by itself: entries, marks, and of every group its head, its
//! consumers and its pending entries.
//!
//! ```text
//! 'e' id              an entry          'g' group 0            a group's head
//! 'm'                 the marks         'g' group 1 consumer   a consumer
//!                                       'g' group 2 id         a pending entry
//! ```
//! Ids as 16 bytes, a group's name with its length before it.

use proto::varint;
use smallvec::SmallVec;

use super::groups::{Group, Head};
use super::id::StreamId;
use super::{Marks, StreamValue};
use crate::effect::Members;

/// The name of one part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Name<'a> {
    Entry(StreamId),
    Marks,
    Group(&'a [u8]),
    Consumer(&'a [u8], &'a [u8]),
    Pending(&'a [u8], StreamId),
}

/// Parts that go together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Span<'a> {
    /// Entries up to and with this one.
    Entries(StreamId),
    /// All of a group.
    Group(&'a [u8]),
}

/// One part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// Fields and values in turn, as [`Members`] are encoded.
    Entry(Box<[u8]>),
    Marks(Box<Marks>),
    Group(Box<Head>),
    /// When it was heard of, Unix ms.
    Consumer(u64),
    Pending(Box<Delivery>),
}

impl From<Marks> for Part {
    fn from(marks: Marks) -> Part {
        Part::Marks(Box::new(marks))
    }
}

/// A pending entry by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    pub owner: Box<[u8]>,
    pub count: u64,
    /// Unix ms.
    pub time_ms: u64,
}

pub type NameBytes = SmallVec<[u8; 40]>;

impl<'a> Name<'a> {
    pub fn encode(&self) -> NameBytes {
        let mut out = NameBytes::new();
        let mut of_group = |group: &[u8], tag: u8, rest: &[u8]| {
            let mut len = Vec::with_capacity(2);
            varint::put(&mut len, group.len() as u64);
            out.push(b'g');
            [&len, group, &[tag], rest].iter().for_each(|part| out.extend_from_slice(part));
        };
        match self {
            Name::Group(group) => of_group(group, 0, b""),
            Name::Consumer(group, consumer) => of_group(group, 1, consumer),
            Name::Pending(group, id) => of_group(group, 2, &id.to_bytes()),
            Name::Marks => out.push(b'm'),
            Name::Entry(id) => {
                out.push(b'e');
                out.extend_from_slice(&id.to_bytes());
            }
        }
        out
    }

    /// `None` for bytes that name no part.
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (tag, mut rest) = bytes.split_first()?;
        Some(match tag {
            b'e' => Name::Entry(StreamId::from_bytes(rest.try_into().ok()?)),
            b'm' if rest.is_empty() => Name::Marks,
            b'g' => {
                let group = varint::take_bytes(&mut rest)?;
                match rest.split_first()? {
                    (0, []) => Name::Group(group),
                    (1, consumer) => Name::Consumer(group, consumer),
                    (2, id) => Name::Pending(group, StreamId::from_bytes(id.try_into().ok()?)),
                    _ => return None,
                }
            }
            _ => return None,
        })
    }
}

impl Span<'_> {
    /// The part lies in it.
    pub fn contains(&self, name: &[u8]) -> bool {
        match (self, Name::decode(name)) {
            (Span::Entries(upto), Some(Name::Entry(id))) => id <= *upto,
            (Span::Group(group), Some(Name::Group(of) | Name::Consumer(of, _) | Name::Pending(of, _))) => {
                of == *group
            }
            _ => false,
        }
    }
}

/// The fields of an entry as a part holds them.
pub(super) fn members(encoded: &[u8]) -> Option<Members<'_>> {
    Members::decode(&mut &encoded[..])
}

impl StreamValue {
    /// One part; `None` if there is none of the name.
    pub fn part(&self, name: &[u8]) -> Option<Part> {
        let group = |group: &[u8]| self.groups.as_ref()?.get(group);
        match Name::decode(name)? {
            Name::Entry(id) => self.get(id).map(|fields| Part::Entry(fields.to_encoded())),
            Name::Marks => (self.marks != Marks::default()).then(|| Part::Marks(Box::new(self.marks))),
            Name::Group(of) => group(of)?.head().map(|head| Part::Group(Box::new(head.clone()))),
            Name::Consumer(of, consumer) => group(of)?.registration(consumer).map(Part::Consumer),
            Name::Pending(of, id) => {
                let pending = group(of)?.pending().get(&id)?;
                let (owner, count, time_ms) = (Box::from(&*pending.owner), pending.count, pending.time_ms);
                Some(Part::Pending(Box::new(Delivery { owner, count, time_ms })))
            }
        }
    }

    /// Makes a part what it is to be, whatever was there.
    pub fn put_part(&mut self, name: &[u8], part: &Part) {
        match (Name::decode(name), part) {
            (Some(Name::Entry(id)), Part::Entry(encoded)) => {
                if let Some(fields) = members(encoded) {
                    self.put(id, &fields);
                }
            }
            (Some(Name::Marks), Part::Marks(marks)) => self.marks = **marks,
            (Some(Name::Group(of)), Part::Group(head)) => self.group_mut(of).set_head(Some(head.clone())),
            (Some(Name::Consumer(of, consumer)), Part::Consumer(seen_ms)) => {
                self.group_mut(of).register(consumer, *seen_ms);
            }
            (Some(Name::Pending(of, id)), Part::Pending(p)) => {
                self.group_mut(of).put_pending(id, &p.owner, p.count, p.time_ms);
            }
            _ => {}
        }
    }

    pub fn remove_part(&mut self, name: &[u8]) {
        match Name::decode(name) {
            Some(Name::Entry(id)) => _ = self.remove(id),
            Some(Name::Marks) => self.marks = Marks::default(),
            Some(Name::Group(of)) => self.change_group(of, |group| group.set_head(None)),
            Some(Name::Consumer(of, consumer)) => self.change_group(of, |group| group.unregister(consumer)),
            Some(Name::Pending(of, id)) => self.change_group(of, |group| _ = group.remove_pending(id)),
            None => {}
        }
    }

    /// Removes all parts that lie in a span.
    pub fn remove_span(&mut self, span: Span<'_>) {
        match span {
            Span::Entries(upto) => self.trim(upto),
            Span::Group(name) => {
                if let Some(groups) = &mut self.groups {
                    groups.remove(name);
                }
                self.tidy_groups();
            }
        }
    }

    /// Groups that do not show and can come to show no more, all of the stream being stable.
    pub(crate) fn drop_hidden(&mut self) {
        if let Some(groups) = &mut self.groups {
            groups.retain(|_, group| group.shows());
        }
        self.tidy_groups();
    }

    pub(super) fn group_mut(&mut self, name: &[u8]) -> &mut Group {
        let groups = self.groups.get_or_insert_default();
        if !groups.contains_key(name) {
            groups.insert(name.into(), Group::default());
        }
        groups.get_mut(name).expect("just made")
    }

    /// Changes a group, if it is there, and lets go of it when nothing is left.
    pub(super) fn change_group(&mut self, name: &[u8], change: impl FnOnce(&mut Group)) {
        let Some(group) = self.groups.as_mut().and_then(|groups| groups.get_mut(name)) else { return };
        change(group);
        if group.is_empty() {
            self.remove_span(Span::Group(name));
        }
    }

    fn tidy_groups(&mut self) {
        if self.groups.as_ref().is_some_and(|groups| groups.is_empty()) {
            self.groups = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts_come_back() {
        let id = StreamId::new(3, u64::MAX);
        let long = vec![b'g'; 300];
        let names = [
            Name::Entry(id),
            Name::Marks,
            Name::Group(b""),
            Name::Consumer(b"g", b"\0c"),
            Name::Pending(&long, id),
        ];
        for name in names {
            assert_eq!(Name::decode(&name.encode()), Some(name));
        }
        assert_eq!(Name::decode(b"e123"), None);
        assert!(Span::Group(&long).contains(&names[4].encode()));
        assert!(!Span::Group(b"g").contains(&names[4].encode()));
        assert!(Span::Entries(id).contains(&names[0].encode()));
    }

    #[test]
    fn a_consumer_is_there_while_it_is_made_or_owns_something() {
        let mut stream = StreamValue::default();
        let pending = Name::Pending(b"g", StreamId::new(1, 1)).encode();
        let delivery =
            |owner: &[u8]| Part::Pending(Box::new(Delivery { owner: owner.into(), count: 2, time_ms: 9 }));
        let consumer = Name::Consumer(b"g", b"a").encode();
        stream.put_part(&pending, &delivery(b"a"));
        assert_eq!(stream.part(&pending), Some(delivery(b"a")));
        stream.put_part(&consumer, &Part::Consumer(5));
        stream.remove_part(&consumer);
        assert!(stream.group(b"g").is_none(), "nothing made the group");
        stream.put_part(&pending, &delivery(b"b"));
        let group = stream.groups.as_ref().unwrap().get(&b"g"[..]).unwrap();
        assert_eq!(group.consumers().map(|(name, _)| &**name).collect::<Vec<_>>(), [b"b"]);
        stream.remove_part(&pending);
        assert!(stream.groups.is_none());
    }
}
