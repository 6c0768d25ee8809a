//! Commands on keys of any type.

mod delete;
mod expire;
mod flush;
mod keys;
mod object;
mod rename;
mod serialise;
mod sort;
mod wait;

pub use delete::{del, exists, touch, type_, unlink};
pub use expire::{expire, expireat, expiretime, persist, pexpire, pexpireat, pexpiretime, pttl, ttl};
pub use flush::{flushall, flushdb, swapdb};
pub use keys::{dbsize, keys, randomkey, scan};
pub(in crate::commands) use keys::{scan_cursor, scan_options};
pub use object::{object_encoding, object_freq, object_help, object_idletime, object_refcount};
pub use rename::{copy, move_, rename, renamenx};
pub use serialise::{dump, restore};
pub use sort::{sort, sort_ro};
pub use wait::wait;

use crate::commands::lists;
use crate::commands::streams;
use crate::core::{Key, Unit};
use crate::effect::{Expiry, FieldOp, Members, Moments, Op, Payload, Scores};
use crate::state::value::{Value, ValueRef};

/// A live key's value and expiry, owned.
pub(super) fn whole(unit: &mut Unit<'_>, key: &Key<'_>) -> Option<(Value, Expiry)> {
    let value = unit.value(key)?.to_value();
    Some((value, unit.expiry(key)?))
}

/// Assigns a whole value of any type.
pub(crate) fn assign_whole(unit: &mut Unit<'_>, key: &Key<'_>, value: &Value, expiry: Expiry) {
    match value.as_ref() {
        ValueRef::String(bytes) => {
            unit.emit(key, Op::Assign { payload: Payload::String(bytes), expiry });
        }
        ValueRef::Set(set) => {
            let members = set.to_vec();
            let slices: Vec<&[u8]> = members.iter().map(Vec::as_slice).collect();
            let payload = Payload::Set(Members::Slices(&slices));
            unit.emit(key, Op::Assign { payload, expiry });
        }
        ValueRef::Hash(hash) => {
            let mut pairs = Vec::with_capacity(2 * hash.len());
            hash.for_each(|field, value| pairs.extend([field, value]));
            let payload = Payload::Hash(Members::Slices(&pairs));
            unit.emit(key, Op::Assign { payload, expiry });
            let mut ends = Vec::new();
            hash.for_each(|field, _| {
                ends.extend(hash.end(field).filter(|end| *end != Expiry::NEVER).map(|end| (end, field)));
            });
            if !ends.is_empty() {
                unit.emit(key, Op::Fields(FieldOp::Expire(Moments::Slices(&ends))));
            }
        }
        ValueRef::ZSet(zset) => {
            let scores = zset.to_vec();
            let slices: Vec<(f64, &[u8])> = scores.iter().map(|(score, m)| (*score, m.as_slice())).collect();
            let payload = Payload::ZSet(Scores::Slices(&slices));
            unit.emit(key, Op::Assign { payload, expiry });
        }
        ValueRef::List(list) => {
            let values: Vec<&[u8]> = list.values().collect();
            lists::assign(unit, key, &values, expiry);
        }
        ValueRef::Stream(stream) => streams::assign(unit, key, stream, expiry),
    }
}
