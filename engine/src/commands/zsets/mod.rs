//! Commands on sorted sets.

mod add;
mod algebra;
mod blocking;
mod bounds;
mod pop;
mod range;
mod read;
mod remove;

pub(in crate::commands) use add::{Options as AddOptions, add_all};
pub use add::{zadd, zincrby};
pub use algebra::{zdiff, zdiffstore, zinter, zintercard, zinterstore, zunion, zunionstore};
pub use blocking::{bzmpop, bzpopmax, bzpopmin};
pub use pop::{zmpop, zpopmax, zpopmin};
pub use range::{
    zrange, zrangebylex, zrangebyscore, zrangestore, zrevrange, zrevrangebylex, zrevrangebyscore,
};
pub use read::{zcard, zcount, zlexcount, zmscore, zrandmember, zrank, zrevrank, zscan, zscore};
pub use remove::{zrem, zremrangebylex, zremrangebyrank, zremrangebyscore};

use crate::core::{Key, Unit};
use crate::effect::{Expiry, Op, Payload, Scores};

/// Makes a computed sorted set the value of a key; nothing computed removes the key.
pub(in crate::commands) fn store(unit: &mut Unit<'_>, to: &Key<'_>, scores: &[(f64, &[u8])]) {
    if !scores.is_empty() {
        let payload = Payload::ZSet(Scores::Slices(scores));
        unit.emit(to, Op::Assign { payload, expiry: Expiry::NEVER });
    } else if unit.kind(to).is_some() {
        unit.emit(to, Op::Reset);
    }
}
