//! What an effect did to a list, done once more on what is there now: late sets.

use super::{End, assign, emit_insert, end_spot};
use crate::core::{Key, Unit};
use crate::effect::lists::{ElementId, IdRun, IdRuns, ListOp, Place, Spot, WholeList};
use crate::effect::{Expiry, Op};
use crate::state::list::ListValue;

/// Elements are put beside the neighbours they had, or at the end nearer to them; what is not there is neither removed nor set.
pub(crate) fn list_op(unit: &mut Unit<'_>, key: &Key<'_>, op: &ListOp<'_>) {
    match op {
        ListOp::Insert { spot, values, .. } => {
            let now =
                unit.list(key).ok().flatten().map_or(end_spot(None, nearer(spot)), |list| beside(list, spot));
            let mut values: Vec<&[u8]> = values.iter().collect();
            if now.place.is_reversed() != spot.place.is_reversed() {
                values.reverse();
            }
            emit_insert(unit, key, now, None, &values);
        }
        ListOp::Remove(runs) => {
            let ids = runs.iter().flat_map(|run| (0..run.len).map(move |at| run.at(at)));
            let there: Vec<IdRun> = ids.filter(|id| is_there(unit, key, *id)).map(IdRun::one).collect();
            if !there.is_empty() {
                unit.emit(key, Op::List(ListOp::Remove(IdRuns::Slices(&there))));
            }
        }
        ListOp::Set { id, .. } => {
            if is_there(unit, key, *id) {
                unit.emit(key, Op::List(op.clone()));
            }
        }
        ListOp::Trim { first, last } => {
            if is_there(unit, key, *first) && is_there(unit, key, *last) {
                unit.emit(key, Op::List(op.clone()));
            }
        }
    }
}

/// A whole list takes the place of what is there.
pub(crate) fn whole_list(unit: &mut Unit<'_>, key: &Key<'_>, list: &WholeList<'_>, expiry: Expiry) {
    let values: Vec<&[u8]> = list.values.iter().collect();
    assign(unit, key, &values, expiry);
}

fn nearer(spot: &Spot) -> End {
    if spot.place.is_reversed() { End::Left } else { End::Right }
}

/// Only the ends of a list are hung on without knowing more; beside an inner neighbour, on that one.
fn beside(list: &ListValue, spot: &Spot) -> Spot {
    let at = |id: Option<ElementId>| id.and_then(|id| position(list, id));
    match (at(spot.left), at(spot.right)) {
        (_, Some(right)) if right > 0 => {
            Spot { place: Place::Before, left: list.id(right - 1), right: list.id(right) }
        }
        (_, Some(_)) => end_spot(Some(list), End::Left),
        (Some(left), None) if left + 1 < list.len() => {
            Spot { place: Place::Before, left: list.id(left), right: list.id(left + 1) }
        }
        (Some(_), None) => end_spot(Some(list), End::Right),
        (None, None) => end_spot(Some(list), nearer(spot)),
    }
}

/// The number of a live element.
fn position(list: &ListValue, id: ElementId) -> Option<usize> {
    let found = list.find(id, None).filter(|pos| list.is_live(*pos))?;
    (0..list.len()).find(|at| list.place(*at) == Some(found))
}

fn is_there(unit: &mut Unit<'_>, key: &Key<'_>, id: ElementId) -> bool {
    let list = unit.list(key).ok().flatten();
    list.is_some_and(|list| list.find(id, None).is_some_and(|pos| list.is_live(pos)))
}
