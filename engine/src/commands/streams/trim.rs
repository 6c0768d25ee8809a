//! XTRIM, and the rules of trimming that XADD shares.

use proto::resp::Replies;

use super::{emit, ids};
use crate::commands::args::{self, is};
use crate::core::Unit;
use crate::effect::StreamOp;
use crate::refusal::Refusal;
use crate::state::limits::STREAM_ENTRIES;
use crate::state::stream::TrimTo;

const EXACT_LIMIT: Refusal =
    Refusal::Text("ERR syntax error, LIMIT cannot be used without the special ~ option");

/// What is asked to go.
pub(super) struct Trim {
    pub to: TrimTo,
    /// Whole chunks only (`~`).
    pub whole: bool,
    /// So many entries at most, 0 for any number.
    pub limit: u64,
}

/// Options as XADD and XTRIM read them one by one.
#[derive(Default)]
pub(super) struct Options {
    to: Option<TrimTo>,
    whole: bool,
    limit: Option<u64>,
}

impl Options {
    /// Reads an option at the front of the arguments and what belongs to it; how many words that were, 0 for none of these.
    pub fn take(&mut self, args: &[&[u8]]) -> Result<usize, Refusal> {
        let [word, next, ..] = args else { return Ok(0) };
        if is(word, "limit") {
            let limit = args::integer(next)?;
            let refused = Refusal::Text("ERR The LIMIT argument must be >= 0.");
            self.limit = Some(u64::try_from(limit).map_err(|_| refused)?);
            return Ok(2);
        }
        let by_len = is(word, "maxlen");
        if !by_len && !is(word, "minid") {
            return Ok(0);
        }
        if self.to.is_some() {
            let both = "ERR syntax error, MAXLEN and MINID options at the same time are not compatible";
            return Err(Refusal::Text(both));
        }
        let (whole, at) = match (*next, args.len()) {
            (b"~", 3..) => (true, 2),
            (b"=", 3..) => (false, 2),
            _ => (false, 1),
        };
        self.whole = whole;
        self.to = Some(if by_len {
            let len = args::integer(args[at])?;
            let refused = Refusal::Text("ERR The MAXLEN argument must be >= 0.");
            TrimTo::Len(u64::try_from(len).map_err(|_| refused)?)
        } else {
            TrimTo::Id(ids::strict(args[at], 0)?)
        });
        Ok(at + 1)
    }

    /// What the options come to. `may_miss`: nothing need be asked for.
    pub fn finish(self, may_miss: bool) -> Result<Option<Trim>, Refusal> {
        let Some(to) = self.to else {
            let without = "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy";
            return match self.limit {
                None => Ok(None),
                Some(0) if may_miss => Err(EXACT_LIMIT),
                Some(0) => Ok(None),
                Some(_) => Err(Refusal::Text(without)),
            };
        };
        if self.limit.is_some() && !self.whole {
            return Err(EXACT_LIMIT);
        }
        let usual = match 100 * STREAM_ENTRIES.get() as u64 {
            0 => 10_000,
            entries => entries.min(1_000_000),
        };
        let limit = self.limit.unwrap_or(if self.whole { usual } else { 0 });
        Ok(Some(Trim { to, whole: self.whole, limit }))
    }
}

pub fn xtrim(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let mut options = Options::default();
    let mut rest = &args[2..];
    while !rest.is_empty() {
        match options.take(rest)? {
            0 => return Err(Refusal::Syntax),
            words => rest = &rest[words..],
        }
    }
    let without = "ERR syntax error, XTRIM must be called with a trimming strategy";
    let trim = options.finish(false)?.ok_or(Refusal::Text(without))?;
    let key = unit.key(args[1]);
    let planned =
        unit.stream(&key)?.and_then(|stream| stream.plan_trim(trim.to, trim.whole, trim.limit, None));
    if let Some((_, upto)) = planned {
        emit(unit, &key, StreamOp::Trim { upto });
    }
    reply.integer(planned.map_or(0, |(gone, _)| gone as i64));
    Ok(())
}
