//! Redis' packed encodings: listpacks, ziplists, zipmaps, integer sets; and its compression.

use std::borrow::Cow;

use crate::number::push_i64;

/// An element of a packed list, as text.
pub type Element<'a> = Cow<'a, [u8]>;

fn text(n: i64) -> Element<'static> {
    let mut out = Vec::with_capacity(20);
    push_i64(&mut out, n);
    Cow::Owned(out)
}

fn take<'a>(input: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, tail) = input.split_at_checked(len)?;
    *input = tail;
    Some(head)
}

/// Little-endian, signed, of 1 to 8 bytes.
fn integer(bytes: &[u8]) -> i64 {
    let wide = bytes.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
    let spare = 64 - 8 * bytes.len() as u32;
    (wide << spare) as i64 >> spare
}

/// total u32 LE | count u16 LE | elements | 0xff
pub fn listpack(bytes: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut rest = bytes;
    let header = take(&mut rest, 6)?;
    if integer(&header[..4]) as u32 as usize != bytes.len() {
        return None;
    }
    let mut out = Vec::new();
    loop {
        let before = rest.len();
        let first = take(&mut rest, 1)?[0];
        let element = match first {
            0xff => return rest.is_empty().then_some(out),
            0..=0x7f => text(i64::from(first)),
            0x80..=0xbf => Cow::Borrowed(take(&mut rest, usize::from(first & 63))?),
            0xc0..=0xdf => {
                let low = take(&mut rest, 1)?[0];
                let n = i64::from(first & 31) << 8 | i64::from(low);
                text(n << 51 >> 51)
            }
            0xe0..=0xef => {
                let low = take(&mut rest, 1)?[0];
                Cow::Borrowed(take(&mut rest, usize::from(first & 15) << 8 | usize::from(low))?)
            }
            0xf0 => {
                let len = integer(take(&mut rest, 4)?) as u32 as usize;
                Cow::Borrowed(take(&mut rest, len)?)
            }
            0xf1 => text(integer(take(&mut rest, 2)?)),
            0xf2 => text(integer(take(&mut rest, 3)?)),
            0xf3 => text(integer(take(&mut rest, 4)?)),
            0xf4 => text(integer(take(&mut rest, 8)?)),
            _ => return None,
        };
        // How long it was, for whoever reads backwards: seven bits a byte.
        let len = before - rest.len();
        let back = match len {
            0..128 => 1,
            128..16_383 => 2,
            16_383..2_097_151 => 3,
            2_097_151..268_435_455 => 4,
            _ => 5,
        };
        take(&mut rest, back)?;
        out.push(element);
    }
}

/// total u32 LE | last u32 LE | count u16 LE | (length before, element) … | 0xff
pub fn ziplist(bytes: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut rest = bytes;
    let header = take(&mut rest, 10)?;
    if integer(&header[..4]) as u32 as usize != bytes.len() {
        return None;
    }
    let mut out = Vec::new();
    loop {
        match take(&mut rest, 1)?[0] {
            0xff => return rest.is_empty().then_some(out),
            0xfe => _ = take(&mut rest, 4)?,
            _ => {}
        }
        let first = take(&mut rest, 1)?[0];
        out.push(match first {
            0..=0x3f => Cow::Borrowed(take(&mut rest, usize::from(first))?),
            0x40..=0x7f => {
                let low = take(&mut rest, 1)?[0];
                Cow::Borrowed(take(&mut rest, usize::from(first & 63) << 8 | usize::from(low))?)
            }
            0x80 => {
                let len = take(&mut rest, 4)?.iter().fold(0, |n, b| n << 8 | usize::from(*b));
                Cow::Borrowed(take(&mut rest, len)?)
            }
            0xc0 => text(integer(take(&mut rest, 2)?)),
            0xd0 => text(integer(take(&mut rest, 4)?)),
            0xe0 => text(integer(take(&mut rest, 8)?)),
            0xf0 => text(integer(take(&mut rest, 3)?)),
            0xfe => text(integer(take(&mut rest, 1)?)),
            0xf1..=0xfd => text(i64::from(first & 15) - 1),
            _ => return None,
        });
    }
}

/// count u8 | (length, field, length, unused u8, value, unused bytes) … | 0xff
pub fn zipmap(bytes: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut rest = bytes;
    take(&mut rest, 1)?;
    let mut out = Vec::new();
    let length = |rest: &mut &[u8]| match take(rest, 1)?[0] {
        0xff => None,
        0xfe => Some(integer(take(rest, 4)?) as u32 as usize),
        len => Some(usize::from(len)),
    };
    while rest != [0xff] {
        let len = length(&mut rest)?;
        out.push(Cow::Borrowed(take(&mut rest, len)?));
        let len = length(&mut rest)?;
        let unused = take(&mut rest, 1)?[0];
        out.push(Cow::Borrowed(take(&mut rest, len)?));
        take(&mut rest, usize::from(unused))?;
    }
    Some(out)
}

/// width u32 LE | count u32 LE | integers LE
pub fn intset(bytes: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut rest = bytes;
    let width = integer(take(&mut rest, 4)?) as usize;
    let count = integer(take(&mut rest, 4)?) as u32 as usize;
    if !matches!(width, 2 | 4 | 8) || rest.len() != count.checked_mul(width)? {
        return None;
    }
    Some(rest.chunks_exact(width).map(|n| text(integer(n))).collect())
}

/// LZF: literal runs, and copies of what was written before.
pub fn decompress(bytes: &[u8], len: usize) -> Option<Vec<u8>> {
    let (mut rest, mut out) = (bytes, Vec::new());
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first < 32 {
            out.extend_from_slice(take(&mut rest, usize::from(*first) + 1)?);
        } else {
            let mut count = usize::from(first >> 5) + 2;
            if count == 9 {
                count += usize::from(take(&mut rest, 1)?[0]);
            }
            let back = (usize::from(first & 31) << 8 | usize::from(take(&mut rest, 1)?[0])) + 1;
            let from = out.len().checked_sub(back)?;
            // Byte by byte: a copy may overlap what it makes.
            (from..from + count).for_each(|at| out.push(out[at]));
        }
        if out.len() > len {
            return None;
        }
    }
    (out.len() == len).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_may_overlap_themselves() {
        // "ab", then ten bytes from two back.
        assert_eq!(decompress(b"\x01ab\xe0\x01\x01", 12).as_deref(), Some(&b"abababababab"[..]));
        assert_eq!(decompress(b"\x20\x05", 3), None);
        assert_eq!(decompress(b"\x01a", 2), None);
    }

    #[test]
    fn packed_lists_give_texts() {
        let pack = b"\x11\0\0\0\x03\0\x05\x01\x82ab\x03\xdf\xff\x02\xff";
        let mut bytes = pack.to_vec();
        bytes[0] = bytes.len() as u8;
        let elements = listpack(&bytes).unwrap();
        assert_eq!(elements, [&b"5"[..], b"ab", b"-1"].map(Cow::Borrowed));
        for cut in 0..bytes.len() {
            assert_eq!(listpack(&bytes[..cut]), None);
        }
        assert_eq!(intset(b"\x02\0\0\0\x01\0\0\0\xff\xff").unwrap(), [Cow::Borrowed(&b"-1"[..])]);
    }
}
