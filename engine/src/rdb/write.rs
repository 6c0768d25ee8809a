//! Writing values.

use super::{HASH, LIST, SET, STREAM_2, STRING, ZSET, stream};
use crate::number::parse_i64;
use crate::state::value::ValueRef;

/// Texts up to this long may be integers.
const INTEGER_TEXT_MAX: usize = 11;

pub fn value(out: &mut Vec<u8>, value: &ValueRef<'_>) {
    match value {
        ValueRef::String(text) => {
            out.push(STRING);
            string(out, text);
        }
        ValueRef::List(list) => {
            out.push(LIST);
            length(out, list.len());
            list.values().for_each(|value| string(out, value));
        }
        ValueRef::Set(set) => {
            out.push(SET);
            length(out, set.len());
            set.for_each(|member| string(out, member));
        }
        ValueRef::Hash(hash) => {
            out.push(HASH);
            length(out, hash.len());
            hash.for_each(|field, value| {
                string(out, field);
                string(out, value);
            });
        }
        ValueRef::ZSet(zset) => {
            out.push(ZSET);
            length(out, zset.len());
            zset.for_each(|member, score| {
                string(out, member);
                out.extend_from_slice(&score.to_le_bytes());
            });
        }
        ValueRef::Stream(value) => {
            out.push(STREAM_2);
            stream::write(out, value);
        }
    }
}

/// 6, 14, 32 or 64 bits; the first two tell which.
pub(super) fn length(out: &mut Vec<u8>, len: usize) {
    match len {
        0..64 => out.push(len as u8),
        64..0x4000 => out.extend_from_slice(&[0x40 | (len >> 8) as u8, len as u8]),
        _ => match u32::try_from(len) {
            Ok(len) => {
                out.push(0x80);
                out.extend_from_slice(&len.to_be_bytes());
            }
            Err(_) => {
                out.push(0x81);
                out.extend_from_slice(&(len as u64).to_be_bytes());
            }
        },
    }
}

pub(super) fn string(out: &mut Vec<u8>, text: &[u8]) {
    let number = if text.len() <= INTEGER_TEXT_MAX { parse_i64(text) } else { None };
    if let Some(n) = number.and_then(|n| i8::try_from(n).ok()) {
        out.extend_from_slice(&[0xc0, n as u8]);
    } else if let Some(n) = number.and_then(|n| i16::try_from(n).ok()) {
        out.push(0xc1);
        out.extend_from_slice(&n.to_le_bytes());
    } else if let Some(n) = number.and_then(|n| i32::try_from(n).ok()) {
        out.push(0xc2);
        out.extend_from_slice(&n.to_le_bytes());
    } else {
        length(out, text.len());
        out.extend_from_slice(text);
    }
}
