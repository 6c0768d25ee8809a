//! A window as bytes, for checkpoints.

use proto::varint;
use smallvec::SmallVec;

use super::{AddMap, Adds, Base, Root, Window};
use crate::effect::Expiry;
use crate::image::bytes::{Fields, put_expiry, put_id, put_u64, put_value};
use crate::merge::causal::{Causal, Meta, Shared};
use crate::merge::text::Update;
use crate::number::LongDouble;
use crate::state::value::{Kind, Value};

const EXPLICIT: u8 = 1;
const SPLIT: u8 = 2;
const BASE: u8 = 4;
const BASE_EXPIRY: u8 = 8;

const DELTA: u8 = 1;
const DELTA_FLOAT: u8 = 2;
const APPEND: u8 = 3;
const OVERLAY: u8 = 4;

impl Window {
    /// Appends everything there is to know.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let flag = |on: bool, bit: u8| if on { bit } else { 0 };
        out.push(
            flag(self.explicit, EXPLICIT)
                | flag(self.split, SPLIT)
                | flag(matches!(self.base, Base::Live(_)), BASE)
                | flag(self.base_expiry.is_some(), BASE_EXPIRY),
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
        varint::put(out, self.expiries.len() as u64);
        for (meta, expiry) in &self.expiries {
            meta.encode(out);
            put_expiry(out, *expiry);
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
        varint::put(out, self.adds.len() as u64);
        for (member, adds) in &self.adds {
            varint::put_bytes(out, member);
            out.push(u8::from(adds.in_root));
            varint::put(out, adds.dots.len() as u64);
            adds.dots.iter().for_each(|dot| dot.encode(out));
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
            expiries: SmallVec::new(),
            roots: SmallVec::new(),
            updates: Vec::new(),
            adds: AddMap::default(),
            explicit: flags & EXPLICIT != 0,
            split: flags & SPLIT != 0,
            latest,
            last,
        };
        for _ in 0..fields.count()? {
            let meta = Meta::decode(fields, &mut shared)?;
            let expiry: Expiry = fields.expiry()?;
            window.expiries.push((meta, expiry));
        }
        for _ in 0..fields.count()? {
            let meta = Meta::decode(fields, &mut shared)?;
            let kind = Kind::from_bits(fields.u8()?)?;
            window.roots.push(Root { meta, kind, payload: take_payload(fields)? });
        }
        for _ in 0..fields.count()? {
            let meta = Meta::decode(fields, &mut shared)?;
            window.updates.push((meta, take_update(fields)?));
        }
        for _ in 0..fields.count()? {
            let member = fields.bytes()?;
            let in_root = fields.u8()? != 0;
            let mut dots = SmallVec::new();
            for _ in 0..fields.count()? {
                dots.push(Meta::decode(fields, &mut shared)?);
            }
            window.adds.insert(member.into(), Adds { in_root, dots });
        }
        Some(window)
    }
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
        DELTA_FLOAT => {
            let (number, rest) = fields.0.split_first_chunk::<10>()?;
            fields.0 = rest;
            Update::DeltaFloat(LongDouble::from_bytes(*number)?)
        }
        APPEND => Update::Append(fields.bytes()?.into()),
        OVERLAY => {
            let base = Some(fields.id()?).filter(|id| *id != proto::EffectId::NONE);
            Update::Overlay { base, offset: fields.varint()?, bytes: fields.bytes()?.into() }
        }
        _ => return None,
    })
}
