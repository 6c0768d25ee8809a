//! A list's window as bytes, for checkpoints.

use proto::{EffectId, varint};

use super::{Insert, Inserts, ListWindow};
use crate::effect::lists::{ElementId, Spot};
use crate::effect::record::put_frontier;
use crate::image::bytes::{Fields, put_u64};
use crate::merge::causal::{Meta, Shared};
use crate::state::list::ListValue;

impl ListWindow {
    /// Appends everything there is to know.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.doc.is_some()) | self.generation << 1);
        if let Some(doc) = &self.doc {
            doc.encode(out);
        }
        varint::put(out, self.base_live);
        put_frontier(out, &self.closing);
        put_frontier(out, &self.latest);
        varint::put(out, self.inserts.len() as u64);
        for (run, insert) in &self.inserts {
            put_u64(out, run.0);
            put_u64(out, run.1);
            insert.meta.encode(out);
            varint::put(out, insert.others.len() as u64);
            insert.others.iter().for_each(|other| other.encode(out));
            insert.spot.encode(out, EffectId::NONE, u8::from(insert.root));
            varint::put(out, u64::from(insert.live));
        }
        varint::put(out, self.values.len() as u64);
        for (id, meta) in &self.values {
            id.encode(out, EffectId::NONE);
            meta.encode(out);
        }
    }

    /// Reads what [`ListWindow::encode`] wrote.
    pub fn decode(fields: &mut Fields<'_>, shared: &mut Shared) -> Option<ListWindow> {
        let flags = fields.u8().filter(|flags| *flags <= 3)?;
        let doc = if flags & 1 != 0 { Some(ListValue::decode(fields)?) } else { None };
        let mut window = ListWindow {
            doc,
            inserts: Inserts::default(),
            values: Default::default(),
            base_live: fields.varint()?,
            generation: flags >> 1,
            closing: fields.frontier()?,
            latest: fields.frontier()?,
            twice: false,
            near: None,
            lost: Vec::new(),
        };
        for _ in 0..fields.count()? {
            let run = (fields.u64()?, fields.u64()?);
            let meta = Meta::decode(fields, shared)?;
            let mut others = smallvec::SmallVec::new();
            for _ in 0..fields.count()? {
                others.push(Meta::decode(fields, shared)?);
            }
            let (spot, root) = Spot::decode(&mut fields.0, EffectId::NONE)?;
            let live = u32::try_from(fields.varint()?).ok()?;
            window.twice |= !others.is_empty();
            window.inserts.insert(run, Insert { meta, others, spot, live, root: root != 0 });
        }
        for _ in 0..fields.count()? {
            let id = ElementId::decode(&mut fields.0, EffectId::NONE)?;
            window.values.insert(id, Meta::decode(fields, shared)?);
        }
        Some(window)
    }
}
