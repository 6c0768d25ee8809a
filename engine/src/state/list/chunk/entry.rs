//! A live element's bytes inside a chunk: `length varint | value | length varint, its bytes in reverse`, to be read from either side.

use proto::varint;

/// Bytes of a length.
fn head_len(len: usize) -> usize {
    match len {
        0..0x80 => 1,
        len => (usize::BITS - len.leading_zeros()).div_ceil(7) as usize,
    }
}

/// Bytes of an element.
pub fn size(value: &[u8]) -> usize {
    2 * head_len(value.len()) + value.len()
}

/// Writes an element to a place of exactly its size.
pub fn write(to: &mut [u8], value: &[u8]) {
    let (head, end) = (head_len(value.len()), to.len() - 1);
    let mut n = value.len();
    for at in 0..head {
        let more = if at + 1 < head { 0x80 } else { 0 };
        (to[at], to[end - at]) = (n as u8 & 0x7f | more, n as u8 & 0x7f | more);
        n >>= 7;
    }
    to[head..=end - head].copy_from_slice(value);
}

/// The value at the front, which is then behind.
#[inline]
pub fn take_first<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let value = varint::take_bytes(input)?;
    *input = input.get(head_len(value.len())..)?;
    Some(value)
}

/// The value at the end, which is then before.
#[inline]
pub fn take_last<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (mut len, mut head) = (0, 0);
    for byte in input.iter().rev() {
        len |= usize::from(byte & 0x7f) << (7 * head);
        head += 1;
        if *byte < 0x80 {
            break;
        }
    }
    let end = input.len().checked_sub(head)?;
    let start = end.checked_sub(len)?;
    let value = &input[start..end];
    *input = &input[..start.checked_sub(head)?];
    Some(value)
}
