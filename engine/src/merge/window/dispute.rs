//! What a window hides, by which rule, and behind what: for the conflict feed and for explanations.
//!
//! Looked at only when an effect arrives that did not see all of the key, before it is folded and after: what is hidden after
//! and was not before is a decision just made. Nothing here changes a value.

use std::fmt;

use proto::{EffectId, Hlc};
use smallvec::SmallVec;

use super::{Base, Window};
use crate::effect::fork::fork_choice_cmp;
use crate::effect::{Effect, Expiry, Members, Op};
use crate::merge::causal::Meta;
use crate::merge::elements::{self, Write};
use crate::merge::text::{self, Update};
use crate::number::parse_i64;
use crate::state::stream::{Name, Part};
use crate::state::table::Entry;
use crate::state::value::{Item, Kind, Value, ValueRef};

/// Bytes of a value that a rendering shows.
const SHOWN_MAX: usize = 48;

/// Why something that a client wrote does not show.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rule {
    /// Of concurrent whole values the latest wins.
    Lww,
    /// A key has one type: the one created last.
    Type,
    /// An overlay shows only on the value it was laid on.
    Overlay,
    /// A delta on something that is no number.
    Delta,
    /// A sum past 64 bits stops at the limit.
    Overflow,
    /// Of concurrent expiries the longest life counts.
    Ttl,
    /// Of concurrent values of one field or one member's score the latest wins.
    Element,
    /// Older than a new life of the key.
    Late,
    /// No merge: members showed different states of the same effects, and one was written again.
    Digest,
}

impl Rule {
    pub const ALL: [Rule; 9] = [
        Rule::Lww,
        Rule::Type,
        Rule::Overlay,
        Rule::Delta,
        Rule::Overflow,
        Rule::Ttl,
        Rule::Element,
        Rule::Late,
        Rule::Digest,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Rule::Lww => "lww",
            Rule::Type => "type",
            Rule::Overlay => "overlay",
            Rule::Delta => "delta",
            Rule::Overflow => "overflow",
            Rule::Ttl => "ttl",
            Rule::Element => "element",
            Rule::Late => "late",
            Rule::Digest => "digest",
        }
    }
}

/// A short rendering of what an effect wrote. A value is worked into words when somebody reads it: after a partition there may
/// be millions, of which the feed keeps the last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Text {
    Words(String),
    /// The beginning of a string, and how long it is.
    Value(Box<[u8]>, usize),
}

impl Text {
    fn of_string(bytes: &[u8]) -> Text {
        Text::Value(bytes[..bytes.len().min(SHOWN_MAX)].into(), bytes.len())
    }
}

impl From<String> for Text {
    fn from(words: String) -> Text {
        Text::Words(words)
    }
}

impl From<&str> for Text {
    fn from(words: &str) -> Text {
        Text::Words(words.into())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Text::Words(words) => f.write_str(words),
            Text::Value(head, len) => {
                write!(f, "\"{}\"", head.escape_ascii())?;
                if head.len() < *len { write!(f, "… {len} bytes") } else { Ok(()) }
            }
        }
    }
}

/// One side of a decision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Side {
    /// [`EffectId::STABLE`] for a value whose effects are gone by being stable.
    pub id: EffectId,
    pub hlc: Hlc,
    pub text: Text,
}

/// A decision that hides what a client wrote.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dispute {
    pub rule: Rule,
    pub winner: Side,
    pub loser: Side,
}

/// A live effect that does not show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Hidden {
    pub rule: Rule,
    pub loser: EffectId,
    /// `None`: the stable value.
    winner: Option<EffectId>,
}

pub(super) type HiddenList = SmallVec<[Hidden; 4]>;

impl Window {
    /// The live effects that do not show, each with the rule; `entry` shows the window's value.
    pub(super) fn hidden(&self, entry: &Entry<'_>) -> HiddenList {
        let mut out = HiddenList::new();
        if self.split {
            // Two lives: the older one is over, which is no dispute.
            return out;
        }
        let winner = self.winner(0);
        let winner_id = winner.map(|i| self.roots[i].meta.id);
        for (i, root) in self.roots.iter().enumerate() {
            if Some(i) != winner {
                out.push(Hidden { rule: Rule::Lww, loser: root.meta.id, winner: winner_id });
            }
        }
        let kind = entry.kind();
        if let Some(kind) = kind {
            self.hidden_types(kind, winner, &mut out);
        }
        if kind == Some(Kind::String) || kind.is_none() {
            self.hidden_updates(entry, winner, &mut out);
        }
        let longest = self.expiries().max_by_key(|e| e.1);
        for (meta, expiry) in self.expiries() {
            let lost = |h: &Hidden| h.rule == Rule::Lww && h.loser == meta.id;
            if let Some((longer, most)) = longest
                && expiry < most
                && !out.iter().any(lost)
            {
                out.push(Hidden { rule: Rule::Ttl, loser: meta.id, winner: Some(longer.id) });
            }
        }
        out
    }

    /// What is alive of a type that the key does not have.
    fn hidden_types(&self, kind: Kind, winner: Option<usize>, out: &mut HiddenList) {
        let mut losers: SmallVec<[EffectId; 4]> = SmallVec::new();
        let empty = |value: &Value| value.is_empty_collection();
        if let Some(root) = winner.map(|i| &self.roots[i])
            && root.kind != kind
            && !root.payload.as_ref().is_some_and(empty)
            && (root.kind != Kind::List || self.list_root_live(root.meta.id))
        {
            losers.push(root.meta.id);
        }
        if kind != Kind::String {
            let shown = self.updates.iter().filter(|(m, u)| self.shows(m, u, winner, 0));
            losers.extend(shown.map(|(meta, _)| meta.id));
        }
        for other in Kind::ALL.into_iter().filter(|other| *other != kind) {
            losers.extend(self.element_metas(other).map(|meta| meta.id));
        }
        if losers.is_empty() {
            return;
        }
        losers.sort_unstable();
        losers.dedup();
        let winner = self.shown_creator(kind, winner);
        out.extend(losers.into_iter().map(|loser| Hidden { rule: Rule::Type, loser, winner }));
    }

    /// An effect that stands for the type that shows.
    fn shown_creator(&self, kind: Kind, winner: Option<usize>) -> Option<EffectId> {
        let root = winner.map(|i| &self.roots[i]).filter(|root| root.kind == kind);
        let first = |metas: &mut dyn Iterator<Item = &Meta>| {
            metas.min_by(|a, b| fork_choice_cmp(a.rank(), b.rank())).map(|m| m.id)
        };
        match (root, kind) {
            (Some(root), _) => Some(root.meta.id),
            (None, Kind::String) => first(&mut self.updates.iter().map(|u| &u.0)),
            (None, kind) => first(&mut self.element_metas(kind)),
        }
    }

    /// Effects on the elements of a collection of this type.
    fn element_metas(&self, kind: Kind) -> impl Iterator<Item = &Meta> {
        let held = self.elements.of(kind).into_iter().flat_map(|held| held.values());
        let list = self.list.iter().filter(move |_| kind == Kind::List).flat_map(|list| list.metas());
        let writes = held.flat_map(|element| element.writes.iter().filter(|write| write.1.makes()));
        writes.map(|write| &write.0).chain(list)
    }

    /// Of the elements that the effect names, the values that its own lost to or won over.
    fn lost_elements(&self, id: EffectId, op: &Op<'_>, hlc: Hlc, out: &mut Vec<Dispute>) {
        let Some(held) = elements::kind_of(op).and_then(|kind| self.elements.of(kind)) else { return };
        elements::each_change(op, hlc, &mut |name, _| {
            let Some(element) = held.get(name) else { return };
            let puts = || element.writes.iter().filter_map(|(m, w)| Some((m, put(w)?)));
            let Some(latest) = puts().max_by(|a, b| fork_choice_cmp(a.0.rank(), b.0.rank())) else { return };
            let side = |(meta, item): (&Meta, &Item)| Side {
                id: meta.id,
                hlc: meta.hlc,
                text: render_element(name, item).into(),
            };
            for lost in puts().filter(|p| p.1 != latest.1 && (p.0.id == id || latest.0.id == id)) {
                out.push(Dispute { rule: Rule::Element, winner: side(latest), loser: side(lost) });
            }
        });
    }

    /// Overlays without their base, deltas without a number, sums past the limit.
    fn hidden_updates(&self, entry: &Entry<'_>, winner: Option<usize>, out: &mut HiddenList) {
        let only_deltas = || self.updates.iter().all(|u| matches!(u.1, Update::Delta(_)));
        // The common case of many increments: a number well inside the limits hides nothing.
        if let Some(ValueRef::String(bytes)) = entry.value()
            && parse_i64(bytes).is_some_and(|n| n > i64::MIN && n < i64::MAX)
            && only_deltas()
        {
            return;
        }
        if self.updates.is_empty() {
            return;
        }
        let winner_id = winner.map(|i| self.roots[i].meta.id);
        let mut ordered: Vec<_> = self.updates.iter().collect();
        ordered.sort_by(|a, b| fork_choice_cmp(a.0.rank(), b.0.rank()));
        let mut value = match self.source(winner, 0) {
            Some(Value::String(bytes)) => Some(bytes.clone()),
            _ => None,
        };
        for (meta, update) in ordered {
            let mut hide = |rule| out.push(Hidden { rule, loser: meta.id, winner: winner_id });
            if !self.shows(meta, update, winner, 0) {
                hide(Rule::Overlay);
                continue;
            }
            if let Update::Delta(n) = update
                && let Some(current) = value.as_deref().map_or(Some(0), parse_i64)
                && current.checked_add(*n).is_none()
            {
                hide(Rule::Overflow);
            }
            if !text::apply(&mut value, update) {
                hide(Rule::Delta);
            }
        }
    }

    /// What is hidden now and was not before the effect was folded.
    pub(super) fn disputes_since(
        &self,
        before: &HiddenList,
        id: EffectId,
        effect: &Effect<'_>,
        entry: &Entry<'_>,
    ) -> Vec<Dispute> {
        let news = self.hidden(entry).into_iter().filter(|now| {
            // A new winner over the same loser is a decision too; an overlay stays hidden whoever wins.
            !before.iter().any(|b| {
                (b.rule, b.loser) == (now.rule, now.loser)
                    && (b.winner == now.winner || now.rule != Rule::Lww)
            })
        });
        let dispute = |hidden: Hidden| Dispute {
            rule: hidden.rule,
            winner: match hidden.winner {
                Some(id) => self.side(id, entry, hidden.rule == Rule::Ttl),
                None => self.base_side(),
            },
            loser: self.side(hidden.loser, entry, hidden.rule == Rule::Ttl),
        };
        let mut disputes: Vec<Dispute> = news.map(dispute).collect();
        self.lost_elements(id, &effect.op, effect.hlc, &mut disputes);
        disputes
    }

    fn base_side(&self) -> Side {
        let text = match &self.base {
            Base::Live(Some(value)) => render(value.as_ref()),
            Base::Live(None) => "stable".into(),
            Base::Absent => "nothing".into(),
        };
        Side { id: EffectId::STABLE, hlc: Hlc(0), text }
    }

    /// A live effect and what it wrote; `expiry`: the expiry it set rather than its value.
    pub(super) fn side(&self, id: EffectId, entry: &Entry<'_>, expiry: bool) -> Side {
        let hlc = self.metas().find(|m| m.id == id).map_or(Hlc(0), |m| m.hlc);
        let set = || self.expiries().find(|e| e.0.id == id).map(|e| render_expiry(e.1).into());
        let root = || {
            let root = self.roots.iter().find(|r| r.meta.id == id)?;
            Some(match &root.payload {
                Some(value) => render(value.as_ref()),
                None if root.kind == Kind::List => "list".into(),
                // Lean: the entry has it.
                None => entry.value().map_or_else(|| "nothing".into(), render),
            })
        };
        let update = || self.updates.iter().find(|u| u.0.id == id).map(|u| render_update(&u.1).into());
        let text = match expiry {
            true => set().or_else(root),
            false => root().or_else(update).or_else(set),
        };
        let elements = || format!("{} elements", self.metas().filter(|m| m.id == id).count()).into();
        Side { id, hlc, text: text.unwrap_or_else(elements) }
    }
}

/// The decision about an effect that is older than the key's present life.
pub(super) fn late(id: EffectId, effect: &Effect<'_>, floor_ms: u64) -> Dispute {
    let winner = Side {
        id: EffectId::STABLE,
        hlc: Hlc::from_ms(floor_ms),
        text: format!("a new life since {floor_ms} ms").into(),
    };
    Dispute { rule: Rule::Late, winner, loser: Side { id, hlc: effect.hlc, text: render_op(&effect.op) } }
}

fn render_op(op: &Op<'_>) -> Text {
    match op {
        Op::Assign { payload, .. } => render(Value::from_payload(payload, EffectId::NONE).as_ref()),
        Op::Reset => "reset".into(),
        Op::Delta(n) => render_update(&Update::Delta(*n)).into(),
        Op::DeltaFloat(n) => render_update(&Update::DeltaFloat(*n)).into(),
        Op::Append(bytes) => format!("append {}", shown(bytes)).into(),
        Op::Overlay { offset, bytes, .. } => format!("overlay at {offset} {}", shown(bytes)).into(),
        Op::Ttl(expiry) => render_expiry(*expiry).into(),
        _ => "elements".into(),
    }
}

fn render_update(update: &Update) -> String {
    match update {
        Update::Delta(n) => format!("delta {n}"),
        Update::DeltaFloat(n) => {
            let mut text = Vec::new();
            n.format_human(&mut text);
            format!("delta {}", String::from_utf8_lossy(&text))
        }
        Update::Append(bytes) => format!("append {}", shown(bytes)),
        Update::Overlay { offset, bytes, .. } => format!("overlay at {offset} {}", shown(bytes)),
        Update::Bits(_) => "bits".into(),
        Update::Registers(_) => "registers".into(),
    }
}

fn render_expiry(expiry: Expiry) -> String {
    expiry.ms().map_or_else(|| "expires never".into(), |ms| format!("expires at {ms} ms"))
}

/// The value that an effect on an element put there, if a client would miss it.
fn put(write: &Write) -> Option<&Item> {
    match write {
        Write::Put(Item::Stream(part)) if !matches!(part, Part::Entry(_)) => None,
        Write::Put(item) => Some(item),
        _ => None,
    }
}

fn render_element(name: &[u8], item: &Item) -> String {
    match Name::decode(name) {
        Some(Name::Entry(id)) if matches!(item, Item::Stream(_)) => format!("{id} {}", render_item(item)),
        _ => format!("{} {}", shown(name), render_item(item)),
    }
}

fn render_item(item: &Item) -> String {
    match item {
        Item::Stream(Part::Entry(fields)) => match Members::decode(&mut &fields[..]) {
            Some(fields) => fields.iter().map(shown).collect::<Vec<_>>().join(" "),
            None => shown(fields),
        },
        Item::Stream(_) => "part of a stream".into(),
        Item::Member => "member".into(),
        Item::Field(bytes, _) => shown(bytes),
        Item::Score(score) => format!("score {score}"),
    }
}

/// A value in short.
pub(crate) fn render(value: ValueRef<'_>) -> Text {
    match value {
        ValueRef::String(bytes) => Text::of_string(bytes),
        collection => format!("{} of {}", collection.kind().name(), collection.len()).into(),
    }
}

/// Printable text of a string's beginning.
fn shown(bytes: &[u8]) -> String {
    Text::of_string(bytes).to_string()
}
