//! A window as bytes, for checkpoints.

mod parts;

use proto::varint;
use smallvec::SmallVec;

use self::parts::{put_part, put_stream_write, take_part, take_stream_write};
use super::{Base, Lapsed, Root, Window};
use crate::effect::{BitsOp, Expiry, RegistersOp};
use crate::hyperloglog;
use crate::image::bytes::{Fields, put_expiry, put_id, put_u64, put_value};
use crate::merge::causal::{Causal, Meta, Shared};
use crate::merge::elements::{Element, Elements, Write};
use crate::merge::list::ListWindow;
use crate::merge::text::Update;
use crate::number::LongDouble;
use crate::state::value::{Item, Kind, Value};

const EXPLICIT: u8 = 1;
const SPLIT: u8 = 2;
const BASE: u8 = 4;
const BASE_EXPIRY: u8 = 8;
/// Elements of other kinds than sets follow those of sets.
const MORE_ELEMENTS: u8 = 16;
const LIST: u8 = 32;
const LAPSED: u8 = 64;

const DELTA: u8 = 1;
const DELTA_FLOAT: u8 = 2;
const APPEND: u8 = 3;
const OVERLAY: u8 = 4;
const BITS: u8 = 5;
const REGISTERS: u8 = 6;
const PUT: u8 = 8;
const ADD: u8 = 9;
const MAX: u8 = 10;
const MIN: u8 = 11;
const STREAM_WRITE: u8 = 12;
const EXPIRE: u8 = 13;

const MEMBER: u8 = 1;
const FIELD: u8 = 2;
const SCORE: u8 = 3;
const PART: u8 = 4;
const ENDING_FIELD: u8 = 5;

impl Window {
    /// Appends everything there is to know.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let flag = |on: bool, bit: u8| if on { bit } else { 0 };
        out.push(
            flag(self.explicit, EXPLICIT)
                | flag(self.split, SPLIT)
                | flag(matches!(self.base, Base::Live(_)), BASE)
                | flag(self.base_expiry.is_some(), BASE_EXPIRY)
                | flag(self.elements.0.iter().any(|g| g.kind != Kind::Set), MORE_ELEMENTS)
                | flag(self.list.is_some(), LIST)
                | flag(self.lapsed.is_some(), LAPSED),
        );
        put_u64(out, self.latest.0);
        put_id(out, self.last);
        varint::put(out, self.floor_ms);
        if let Base::Live(payload) = &self.base {
            put_payload(out, payload.as_ref());
        }
        if let Some(expiry) = self.base_expiry {
            put_expiry(out, expiry);
        }
        self.causal.encode(out);
        varint::put(out, self.expiries().count() as u64);
        for (meta, expiry) in self.expiries() {
            meta.encode(out);
            put_expiry(out, expiry);
        }
        varint::put(out, self.roots.len() as u64);
        for root in &self.roots {
            root.meta.encode(out);
            out.push(root.kind as u8);
            put_payload(out, root.payload.as_ref());
        }
        varint::put(out, self.updates.len() as u64);
        for (meta, update) in &self.updates {
            meta.encode(out);
            put_update(out, update);
        }
        let sets = self.elements.of(Kind::Set);
        varint::put(out, sets.map_or(0, |sets| sets.len()) as u64);
        for (member, element) in sets.into_iter().flatten() {
            varint::put_bytes(out, member);
            out.push(u8::from(element.below.is_some()));
            varint::put(out, element.writes.len() as u64);
            element.writes.iter().for_each(|(dot, _)| dot.encode(out));
        }
        let others = self.elements.0.iter().filter(|g| g.kind != Kind::Set);
        if others.clone().next().is_some() {
            varint::put(out, others.clone().count() as u64);
        }
        for group in others {
            out.push(group.kind as u8);
            varint::put(out, group.elements.len() as u64);
            for (member, element) in &group.elements {
                varint::put_bytes(out, member);
                put_item(out, element.below.as_ref());
                varint::put(out, element.writes.len() as u64);
                for (meta, write) in &element.writes {
                    meta.encode(out);
                    put_write(out, write);
                }
            }
        }
        if let Some(list) = &self.list {
            list.encode(out);
        }
        if let Some(lapsed) = &self.lapsed {
            varint::put(out, lapsed.len() as u64);
            for (field, ms) in lapsed.iter() {
                varint::put_bytes(out, field);
                varint::put(out, *ms);
            }
        }
    }

    /// Reads what [`Window::encode`] wrote.
    pub fn decode(fields: &mut Fields<'_>) -> Option<Window> {
        let flags = fields.u8()?;
        let (latest, last, floor_ms) = (fields.hlc()?, fields.id()?, fields.varint()?);
        let base = if flags & BASE != 0 { Base::Live(take_payload(fields)?) } else { Base::Absent };
        let base_expiry = if flags & BASE_EXPIRY != 0 { Some(fields.expiry()?) } else { None };
        let mut shared = Shared::default();
        let causal = Causal::decode(fields, &mut shared)?;
        let mut window = Window {
            causal,
            floor_ms,
            base,
            base_expiry,
            expiries: Vec::new(),
            roots: SmallVec::new(),
            updates: Vec::new(),
            elements: Elements::default(),
            lapsed: None,
            list: None,
            explicit: flags & EXPLICIT != 0,
            split: flags & SPLIT != 0,
            latest,
            last,
            passed: 0,
        };
        for _ in 0..fields.count()? {
            let meta = Meta::decode(fields, &mut shared)?;
            let expiry: Expiry = fields.expiry()?;
            window.expiries.push((meta, expiry));
        }
        for _ in 0..fields.count()? {
            let meta = Meta::decode(fields, &mut shared)?;
            let kind = Kind::from_bits(fields.u8()?)?;
            let own = window.expiries.iter().position(|expiry| expiry.0.id == meta.id);
            let expiry = own.map(|at| window.expiries.remove(at).1);
            window.roots.push(Root { meta, kind, payload: take_payload(fields)?, expiry });
        }
        for _ in 0..fields.count()? {
            let meta = Meta::decode(fields, &mut shared)?;
            window.updates.push((meta, take_update(fields)?));
        }
        for _ in 0..fields.count()? {
            let member = fields.bytes()?;
            let below = (fields.u8()? != 0).then_some(Item::Member);
            let mut writes = SmallVec::new();
            for _ in 0..fields.count()? {
                writes.push((Meta::decode(fields, &mut shared)?, Write::Put(Item::Member)));
            }
            window.elements.make(Kind::Set).insert(member.into(), Element { below, writes });
        }
        let groups = if flags & MORE_ELEMENTS != 0 { fields.count()? } else { 0 };
        for _ in 0..groups {
            let kind = Kind::from_bits(fields.u8()?)?;
            for _ in 0..fields.count()? {
                let member = fields.bytes()?;
                let below = take_item(fields)?;
                let mut writes = SmallVec::new();
                for _ in 0..fields.count()? {
                    let meta = Meta::decode(fields, &mut shared)?;
                    writes.push((meta, take_write(fields)?));
                }
                window.elements.make(kind).insert(member.into(), Element { below, writes });
            }
        }
        if flags & LIST != 0 {
            window.list = Some(Box::new(ListWindow::decode(fields, &mut shared)?));
        }
        if flags & LAPSED != 0 {
            let mut lapsed = Lapsed::default();
            for _ in 0..fields.count()? {
                lapsed.insert(fields.bytes()?.into(), fields.varint()?);
            }
            window.lapsed = Some(Box::new(lapsed));
        }
        Some(window)
    }
}

fn put_item(out: &mut Vec<u8>, item: Option<&Item>) {
    match item {
        None => out.push(0),
        Some(Item::Member) => out.push(MEMBER),
        Some(Item::Field(value, Expiry::NEVER)) => {
            out.push(FIELD);
            varint::put_bytes(out, value);
        }
        Some(Item::Field(value, end)) => {
            out.push(ENDING_FIELD);
            put_expiry(out, *end);
            varint::put_bytes(out, value);
        }
        Some(Item::Score(score)) => {
            out.push(SCORE);
            put_u64(out, score.to_bits());
        }
        Some(Item::Stream(part)) => {
            out.push(PART);
            put_part(out, part);
        }
    }
}

fn take_item(fields: &mut Fields<'_>) -> Option<Option<Item>> {
    Some(match fields.u8()? {
        0 => None,
        MEMBER => Some(Item::Member),
        FIELD => Some(Item::Field(fields.bytes()?.into(), Expiry::NEVER)),
        ENDING_FIELD => {
            let end = fields.expiry()?;
            Some(Item::Field(fields.bytes()?.into(), end))
        }
        SCORE => Some(Item::Score(fields.score()?)),
        PART => Some(Item::Stream(take_part(&mut fields.0)?)),
        _ => return None,
    })
}

fn put_write(out: &mut Vec<u8>, write: &Write) {
    let mut number = |tag: u8, n: f64| {
        out.push(tag);
        put_u64(out, n.to_bits());
    };
    match write {
        Write::Add(n) => number(ADD, *n),
        Write::Max(n) => number(MAX, *n),
        Write::Min(n) => number(MIN, *n),
        Write::Expire(end) => {
            out.push(EXPIRE);
            put_expiry(out, *end);
        }
        Write::Put(item) => {
            out.push(PUT);
            put_item(out, Some(item));
        }
        Write::Delta(n) => {
            out.push(DELTA);
            varint::put(out, varint::zigzag(*n));
        }
        Write::DeltaFloat(n) => {
            out.push(DELTA_FLOAT);
            out.extend_from_slice(&n.to_bytes());
        }
        Write::Stream(write) => {
            out.push(STREAM_WRITE);
            put_stream_write(out, write);
        }
    }
}

fn take_write(fields: &mut Fields<'_>) -> Option<Write> {
    Some(match fields.u8()? {
        PUT => Write::Put(take_item(fields)??),
        DELTA => Write::Delta(varint::unzigzag(fields.varint()?)),
        DELTA_FLOAT => Write::DeltaFloat(take_long_double(fields)?),
        ADD => Write::Add(fields.score()?),
        MAX => Write::Max(fields.score()?),
        MIN => Write::Min(fields.score()?),
        STREAM_WRITE => Write::Stream(take_stream_write(&mut fields.0)?),
        EXPIRE => Write::Expire(fields.expiry()?),
        _ => return None,
    })
}

fn take_long_double(fields: &mut Fields<'_>) -> Option<LongDouble> {
    let (number, rest) = fields.0.split_first_chunk::<10>()?;
    fields.0 = rest;
    LongDouble::from_bytes(*number)
}

fn put_payload(out: &mut Vec<u8>, payload: Option<&Value>) {
    match payload {
        None => out.push(0),
        Some(value) => put_value(out, &value.as_ref()),
    }
}

fn take_payload(fields: &mut Fields<'_>) -> Option<Option<Value>> {
    if fields.0.first() == Some(&0) {
        fields.u8()?;
        return Some(None);
    }
    fields.value().map(Some)
}

fn put_update(out: &mut Vec<u8>, update: &Update) {
    match update {
        Update::Delta(n) => {
            out.push(DELTA);
            varint::put(out, varint::zigzag(*n));
        }
        Update::DeltaFloat(n) => {
            out.push(DELTA_FLOAT);
            out.extend_from_slice(&n.to_bytes());
        }
        Update::Append(bytes) => {
            out.push(APPEND);
            varint::put_bytes(out, bytes);
        }
        Update::Bits(op) => {
            out.push(BITS);
            put_id(out, op.base.unwrap_or(proto::EffectId::NONE));
            varint::put(out, op.at);
            out.push(op.width);
            out.push(u8::from(op.adds));
            varint::put(out, op.value);
        }
        Update::Registers(op) => {
            out.push(REGISTERS);
            out.push(u8::from(op.dense));
            varint::put(out, op.ranks.len() as u64);
            for (register, rank) in &op.ranks {
                out.extend_from_slice(&register.to_le_bytes());
                out.push(*rank);
            }
        }
        Update::Overlay { base, offset, bytes } => {
            out.push(OVERLAY);
            put_id(out, base.unwrap_or(proto::EffectId::NONE));
            varint::put(out, *offset);
            varint::put_bytes(out, bytes);
        }
    }
}

fn take_update(fields: &mut Fields<'_>) -> Option<Update> {
    Some(match fields.u8()? {
        DELTA => Update::Delta(varint::unzigzag(fields.varint()?)),
        DELTA_FLOAT => Update::DeltaFloat(take_long_double(fields)?),
        APPEND => Update::Append(fields.bytes()?.into()),
        BITS => {
            let base = Some(fields.id()?).filter(|id| *id != proto::EffectId::NONE);
            let (at, width, adds) = (fields.varint()?, fields.u8()?, fields.u8()? != 0);
            let fits = (1..=64).contains(&width);
            Update::Bits(BitsOp { base, at, width: fits.then_some(width)?, value: fields.varint()?, adds })
        }
        REGISTERS => {
            let (dense, mut ranks) = (fields.u8()? != 0, Vec::new());
            for _ in 0..fields.count()? {
                let (register, rest) = fields.0.split_first_chunk::<2>()?;
                fields.0 = rest;
                let register = u16::from_le_bytes(*register);
                ranks.push((
                    (usize::from(register) < hyperloglog::REGISTERS).then_some(register)?,
                    fields.u8()? & 63,
                ));
            }
            Update::Registers(Box::new(RegistersOp { dense, ranks }))
        }
        OVERLAY => {
            let base = Some(fields.id()?).filter(|id| *id != proto::EffectId::NONE);
            Update::Overlay { base, offset: fields.varint()?, bytes: fields.bytes()?.into() }
        }
        _ => return None,
    })
}
