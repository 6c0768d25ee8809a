//! Effects: immutable changes, the only way state moves.
//!
//! A command's plan emits [`Op`]s; each becomes an [`Effect`] with an id (node, seq), an HLC and the tips its plan saw
//! (`deps`). [`record`] is its one encoding, carried unchanged by log, wire and archive; [`batch`] frames records.
//!
//! Invariant: an effect names everything a replica needs; no replica ever runs a command.

pub mod batch;
pub mod bits;
pub mod fields;
pub mod fork;
pub mod level;
pub mod lists;
pub mod record;
pub mod scores;
pub mod streams;

use proto::varint;
use proto::{EffectId, Frontier, Hlc};

use crate::number::LongDouble;
use crate::state::value::Kind;
pub use bits::{BitsOp, RegistersOp};
pub use fields::{FieldOp, Moments};
pub use lists::{ListOp, WholeList};
pub use scores::{ScoreOp, Scores};
pub use streams::{StreamOp, WholeStream};

/// When a key dies: Unix milliseconds, or never.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Expiry(u64);

impl Expiry {
    /// Orders above every moment, so that `max` keeps data (SEMANTICS §1.1, EXPIRE).
    pub const NEVER: Expiry = Expiry(u64::MAX);

    /// `u64::MAX` is [`Expiry::NEVER`].
    pub fn at_ms(ms: u64) -> Self {
        Expiry(ms)
    }

    pub fn ms(self) -> Option<u64> {
        (self != Self::NEVER).then_some(self.0)
    }

    /// True at and after the moment.
    pub fn reached(self, now_ms: u64) -> bool {
        self.0 <= now_ms
    }
}

/// A list of byte strings: borrowed from a command's arguments or from an encoded record.
#[derive(Clone, Copy, Debug)]
pub enum Members<'a> {
    Slices(&'a [&'a [u8]]),
    /// `count` times (varint length, bytes); checked when decoded.
    Encoded {
        count: usize,
        bytes: &'a [u8],
    },
}

impl<'a> Members<'a> {
    pub fn len(&self) -> usize {
        match self {
            Members::Slices(s) => s.len(),
            Members::Encoded { count, .. } => *count,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn iter(&self) -> MembersIter<'a> {
        MembersIter(*self)
    }

    /// Two and two; a last one without a partner is left out.
    #[inline]
    pub fn pairs(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut parts = self.iter();
        std::iter::from_fn(move || Some((parts.next()?, parts.next()?)))
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        varint::put(out, self.len() as u64);
        for member in self.iter() {
            varint::put_bytes(out, member);
        }
    }

    pub(crate) fn decode(input: &mut &'a [u8]) -> Option<Self> {
        let count = usize::try_from(varint::take(input)?).ok()?;
        let bytes = *input;
        for _ in 0..count {
            varint::take_bytes(input)?;
        }
        Some(Members::Encoded { count, bytes: &bytes[..bytes.len() - input.len()] })
    }
}

impl PartialEq for Members<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// Iterator over [`Members`].
pub struct MembersIter<'a>(Members<'a>);

impl<'a> Iterator for MembersIter<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match &mut self.0 {
            Members::Slices(slices) => {
                let (first, rest) = slices.split_first()?;
                *slices = rest;
                Some(first)
            }
            Members::Encoded { count, bytes } => {
                *count = count.checked_sub(1)?;
                varint::take_bytes(bytes)
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl ExactSizeIterator for MembersIter<'_> {}

/// A whole value as an assignment carries it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Payload<'a> {
    String(&'a [u8]),
    /// Distinct members, at least one.
    Set(Members<'a>),
    /// Fields and values in turn, at least one pair.
    Hash(Members<'a>),
    /// Distinct members, at least one.
    ZSet(Scores<'a>),
    /// Elements in order, at least one.
    List(WholeList<'a>),
    Stream(WholeStream<'a>),
}

impl Payload<'_> {
    pub fn kind(&self) -> Kind {
        match self {
            Payload::String(_) => Kind::String,
            Payload::Set(_) => Kind::Set,
            Payload::Hash(_) => Kind::Hash,
            Payload::ZSet(_) => Kind::ZSet,
            Payload::List(_) => Kind::List,
            Payload::Stream(_) => Kind::Stream,
        }
    }
}

/// What an effect does. SEMANTICS §1 names the command behind each and its merge.
#[derive(Clone, PartialEq, Debug)]
pub enum Op<'a> {
    /// ASSIGN: cancels its causal past on the key, then sets value and expiry.
    Assign { payload: Payload<'a>, expiry: Expiry },
    /// RESET of one key: cancels its causal past.
    Reset,
    /// DELTA on an integer.
    Delta(i64),
    /// DELTA on a number, in Redis' extended precision.
    DeltaFloat(LongDouble),
    /// Bytes at the end of the value.
    Append(&'a [u8]),
    /// Bytes over a range of the value; dropped if `base`, the assignment it was laid on, lost.
    /// `None`: laid on a stable or absent base.
    Overlay { base: Option<EffectId>, offset: u64, bytes: &'a [u8] },
    /// An integer within the string.
    Bits(BitsOp),
    /// Registers of a HyperLogLog, raised.
    Registers(RegistersOp),
    /// TTL of the key: absolute, or never (PERSIST).
    Ttl(Expiry),
    /// Members added to a set.
    MemberAdd(Members<'a>),
    /// Members removed from a set: each loses the adds this effect saw.
    MemberRemove(Members<'a>),
    /// On fields of a hash.
    Fields(FieldOp<'a>),
    /// On members of a sorted set.
    Scores(ScoreOp<'a>),
    /// On elements of a list.
    List(ListOp<'a>),
    /// On a stream.
    Stream(StreamOp<'a>),
    /// RESET of a whole database (`Some`) or of all; cancels exactly what `seen` contains.
    Flush { db: Option<u32>, seen: FlushSeen<'a> },
    /// Exchanges what two database numbers mean to clients. Merged by composing in (HLC, hash) order.
    SwapDb { a: u32, b: u32 },
    /// Closes a bundle: the `count` effects of this origin just before it are shown together or not at all.
    Bind { count: u64 },
    /// Nothing; holds a place in a sequence.
    Noop,
}

/// The causal context of a flush.
#[derive(Clone, Copy, Debug)]
pub enum FlushSeen<'a> {
    Frontier(&'a Frontier),
    /// Encoded as in a batch header; checked when decoded.
    Encoded(&'a [u8]),
}

impl FlushSeen<'_> {
    pub fn to_frontier(&self) -> Frontier {
        match self {
            FlushSeen::Frontier(f) => (*f).clone(),
            FlushSeen::Encoded(bytes) => record::take_frontier(&mut &bytes[..]).unwrap_or_default(),
        }
    }
}

impl PartialEq for FlushSeen<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.to_frontier() == other.to_frontier()
    }
}

/// The tips a plan saw.
pub type Deps = smallvec::SmallVec<[EffectId; 2]>;

/// One effect of a known origin and seq (its [`EffectId`] comes from its place in a batch).
#[derive(Clone, PartialEq, Debug)]
pub struct Effect<'a> {
    pub hlc: Hlc,
    /// Physical database.
    pub db: u32,
    /// Empty for effects that name no key (flush, swap, bind, noop).
    pub key: &'a [u8],
    /// The key's tips when the plan ran. Exact; empty when nothing of the key was unstable there.
    pub deps: Deps,
    /// The plan saw a dead key that still had a past: cancel what it saw first, and everything older than this
    /// moment (ms, the expiry it saw; 0 when there was none).
    pub fresh: Option<u64>,
    pub op: Op<'a>,
}
