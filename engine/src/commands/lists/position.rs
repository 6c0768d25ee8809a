//! LPOS.

use proto::resp::Replies;

use crate::commands::args::{at_least, integer, is};
use crate::core::Unit;
use crate::refusal::Refusal;
use crate::state::list::{Life, ListValue, Pos};

const ZERO_RANK: &str = "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list";

/// What to look for.
struct Query<'a> {
    value: &'a [u8],
    /// Matches to pass over.
    skip: u64,
    from_back: bool,
    most: usize,
    /// Elements to compare.
    compared_max: usize,
}

pub fn lpos(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (mut rank, mut count, mut maxlen) = (1, None, 0);
    let mut rest = &args[3..];
    while let [word, tail @ ..] = rest {
        let [number, tail @ ..] = tail else { return Err(Refusal::Syntax) };
        if is(word, "rank") {
            rank = integer(number)?;
            if rank == 0 {
                return Err(Refusal::Text(ZERO_RANK));
            }
        } else if is(word, "count") {
            count = Some(at_least(number, 0, "ERR COUNT can't be negative")?);
        } else if is(word, "maxlen") {
            maxlen = at_least(number, 0, "ERR MAXLEN can't be negative")?;
        } else {
            return Err(Refusal::Syntax);
        }
        rest = tail;
    }
    let key = unit.key(args[1]);
    let query = Query {
        value: args[2],
        // As in Redis, the least of all ranks passes over nothing.
        skip: if rank == i64::MIN { 0 } else { rank.unsigned_abs() - 1 },
        from_back: rank < 0,
        most: match count {
            None => 1,
            Some(0) => usize::MAX,
            Some(count) => count,
        },
        compared_max: if maxlen == 0 { usize::MAX } else { maxlen },
    };
    let found = unit.list(&key)?.map(|list| positions(list, &query)).unwrap_or_default();
    if count.is_some() {
        reply.array(found.len());
        found.iter().for_each(|at| reply.integer(*at as i64));
    } else {
        match found.first() {
            Some(at) => reply.integer(*at as i64),
            None => reply.null(),
        }
    }
    Ok(())
}

fn positions(list: &ListValue, query: &Query<'_>) -> Vec<usize> {
    let mut found = Vec::new();
    let (mut skip, mut compared) = (query.skip, 0);
    let mut cursor = list.cursor(if query.from_back { list.end() } else { Pos::default() });
    while found.len() < query.most && compared < query.compared_max {
        let next = if query.from_back { cursor.prev() } else { cursor.next() };
        let Some((_, item)) = next else { break };
        if item.life != Life::Live {
            continue;
        }
        if item.value == query.value {
            if skip == 0 {
                found.push(if query.from_back { list.len() - 1 - compared } else { compared });
            } else {
                skip -= 1;
            }
        }
        compared += 1;
    }
    found
}
