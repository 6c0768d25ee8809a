//! Commands on lists.

mod again;
mod blocking;
mod ends;
mod inner;
mod moves;
mod position;
mod range;

pub(crate) use again::{list_op, whole_list};
pub use blocking::{blmove, blmpop, blpop, brpop, brpoplpush};
pub use ends::{lmpop, lpop, lpush, lpushx, rpop, rpush, rpushx};
pub use inner::{linsert, lrem, lset};
pub use moves::{lmove, rpoplpush};
pub use position::lpos;
pub use range::{lindex, llen, lrange, ltrim};

use crate::commands::args::is;
use crate::core::{Key, Unit};
use crate::effect::lists::{ElementId, IdRun, IdRuns, ListOp, Place, Spot, WholeList};
use crate::effect::{Expiry, Members, Op, Payload};
use crate::refusal::Refusal;
use crate::state::list::{Life, ListValue};

/// One end of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    Left,
    Right,
}

impl End {
    fn from_word(word: &[u8]) -> Result<End, Refusal> {
        match word {
            word if is(word, "left") => Ok(End::Left),
            word if is(word, "right") => Ok(End::Right),
            _ => Err(Refusal::Syntax),
        }
    }
}

/// The spot at one end of a list. It hangs on the element there, if that is the very last of all, gone ones included.
pub(super) fn end_spot(list: Option<&ListValue>, end: End) -> Spot {
    let Some(list) = list else {
        let place = if end == End::Left { Place::Start } else { Place::End };
        return Spot { place, left: None, right: None };
    };
    match end {
        End::Left => match list.first() {
            Some((first, Life::Live)) => Spot { place: Place::Ahead, left: None, right: Some(first) },
            _ => Spot { place: Place::Start, left: None, right: list.first_id() },
        },
        End::Right => match list.last() {
            Some((last, Life::Live)) => Spot { place: Place::Behind, left: Some(last), right: None },
            _ => Spot { place: Place::End, left: list.last_id(), right: None },
        },
    }
}

/// Emits an insert.
pub(super) fn emit_insert(
    unit: &mut Unit<'_>,
    key: &Key<'_>,
    spot: Spot,
    moved: Option<ElementId>,
    values: &[&[u8]],
) {
    unit.emit(key, Op::List(ListOp::Insert { spot, moved, values: Members::Slices(values) }));
}

/// Emits the removal of the element at one end.
pub(super) fn emit_pop(unit: &mut Unit<'_>, key: &Key<'_>, id: ElementId) {
    unit.emit(key, Op::List(ListOp::Remove(IdRuns::Slices(&[IdRun::one(id)]))));
}

/// Emits the removal of `count` elements from number `start` on.
pub(super) fn emit_remove(
    unit: &mut Unit<'_>,
    key: &Key<'_>,
    start: usize,
    count: usize,
) -> Result<(), Refusal> {
    let runs = unit.list(key)?.map(|list| list.runs(start, count)).unwrap_or_default();
    if !runs.is_empty() {
        unit.emit(key, Op::List(ListOp::Remove(IdRuns::Slices(&runs))));
    }
    Ok(())
}

/// Assigns a whole list: it takes the old one's place.
pub(super) fn assign(unit: &mut Unit<'_>, key: &Key<'_>, values: &[&[u8]], expiry: Expiry) {
    let right = unit.list(key).ok().flatten().and_then(ListValue::first_id);
    let spot = match right {
        Some(_) => Spot { place: Place::Before, left: None, right },
        None => Spot::END,
    };
    let whole = WholeList { spot, values: Members::Slices(values) };
    unit.emit(key, Op::Assign { payload: Payload::List(whole), expiry });
}
