//! LINSERT, LSET, LREM: by value or by place.

use proto::resp::Replies;

use super::{End, emit_insert, end_spot};
use crate::commands::args::{integer, is};
use crate::core::{Key, Unit};
use crate::effect::Op;
use crate::effect::lists::{ElementId, IdRun, IdRuns, ListOp, Place, Spot};
use crate::refusal::Refusal;
use crate::state::list::{Life, ListValue, Pos};

pub fn linsert(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let before = match args[2] {
        word if is(word, "before") => true,
        word if is(word, "after") => false,
        _ => return Err(Refusal::Syntax),
    };
    let key = unit.key(args[1]);
    let Some(list) = unit.list(&key)? else {
        reply.integer(0);
        return Ok(());
    };
    let Some(pivot) = list.values().position(|value| value == args[3]) else {
        reply.integer(-1);
        return Ok(());
    };
    // The new element's number.
    let at = if before { pivot } else { pivot + 1 };
    let len = list.len();
    let spot = if at == 0 {
        end_spot(Some(list), End::Left)
    } else if at == len {
        end_spot(Some(list), End::Right)
    } else {
        inner_spot(unit, &key, at)?
    };
    emit_insert(unit, &key, spot, None, &[args[4]]);
    reply.integer(len as i64 + 1);
    Ok(())
}

/// The spot between the live elements number `at - 1` and `at`.
fn inner_spot(unit: &mut Unit<'_>, key: &Key<'_>, at: usize) -> Result<Spot, Refusal> {
    let Some(list) = unit.list(key)? else { return Ok(Spot::END) };
    let (left, right) = (list.id(at - 1), list.id(at));
    let adjacent = match list.place(at - 1).map(|pos| list.cursor(list.behind(pos)).next()) {
        Some(Some((_, next))) => next.life == Life::Live,
        _ => false,
    };
    // One insert after another between the same two: they form a run, which others' do not part.
    let leads = match (left, right) {
        (Some(left), Some(right)) => adjacent && unit.list_leads_to(key, left, right),
        _ => false,
    };
    Ok(Spot { place: if leads { Place::Behind } else { Place::Before }, left, right })
}

pub fn lset(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let key = unit.key(args[1]);
    let list = unit.list(&key)?.ok_or(Refusal::NoSuchKey)?;
    let index = integer(args[2])?;
    let id = super::range::at_index(index, list.len()).and_then(|at| list.id(at));
    let id = id.ok_or(Refusal::IndexOutOfRange)?;
    unit.emit(&key, Op::List(ListOp::Set { id, value: args[3] }));
    reply.ok();
    Ok(())
}

pub fn lrem(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let count = integer(args[2])?;
    let key = unit.key(args[1]);
    let Some(list) = unit.list(&key)? else {
        reply.integer(0);
        return Ok(());
    };
    let most =
        if count == 0 { usize::MAX } else { usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX) };
    let found = matching(list, args[3], count < 0, most);
    reply.integer(found.len() as i64);
    if !found.is_empty() {
        let mut runs: Vec<IdRun> = Vec::new();
        for id in found {
            if !runs.last_mut().is_some_and(|run| run.extend(id)) {
                runs.push(IdRun::one(id));
            }
        }
        unit.emit(&key, Op::List(ListOp::Remove(IdRuns::Slices(&runs))));
    }
    Ok(())
}

/// Names of up to `most` elements with a value, the first ones or the last ones; in the list's order.
fn matching(list: &ListValue, value: &[u8], from_back: bool, most: usize) -> Vec<ElementId> {
    let mut found = Vec::new();
    let mut cursor = list.cursor(if from_back { list.end() } else { Pos::default() });
    while found.len() < most {
        let next = if from_back { cursor.prev() } else { cursor.next() };
        let Some((_, item)) = next else { break };
        if item.life == Life::Live && item.value == value {
            found.push(item.id);
        }
    }
    if from_back {
        found.reverse();
    }
    found
}
