//! Bits of a string, counted from the highest of the first byte, as SETBIT and BITFIELD count them.

/// The bits `at..at + width` as a number, `width` ≤ 64; what lies past the end is zero.
pub fn read(bytes: &[u8], at: u64, width: u32) -> u64 {
    let mut value = 0;
    for bit in at..at + u64::from(width) {
        let byte = bytes.get((bit >> 3) as usize).copied().unwrap_or(0);
        value = value << 1 | u64::from(byte >> (7 - (bit & 7)) & 1);
    }
    value
}

/// Sets the bits `at..at + width` to the low bits of a number, lengthening with zeros.
pub fn write(bytes: &mut Vec<u8>, at: u64, width: u32, value: u64) {
    let end = (at + u64::from(width)).div_ceil(8) as usize;
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    for i in 0..u64::from(width) {
        let bit = at + i;
        let mask = 1 << (7 - (bit & 7));
        let byte = &mut bytes[(bit >> 3) as usize];
        if value >> (u64::from(width) - 1 - i) & 1 == 1 {
            *byte |= mask;
        } else {
            *byte &= !mask;
        }
    }
}

/// The low `width` bits of a number.
pub fn low(value: u64, width: u32) -> u64 {
    if width >= 64 { value } else { value & ((1 << width) - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_counted_from_the_highest() {
        let mut bytes = Vec::new();
        write(&mut bytes, 7, 1, 1);
        assert_eq!(bytes, [1]);
        write(&mut bytes, 4, 8, 0xa5);
        assert_eq!(bytes, [0x0a, 0x50]);
        assert_eq!((read(&bytes, 4, 8), read(&bytes, 12, 64)), (0xa5, 0));
        write(&mut bytes, 1, 64, u64::MAX);
        assert_eq!((read(&bytes, 0, 1), read(&bytes, 1, 64), bytes.len()), (0, u64::MAX, 9));
        assert_eq!((low(0x1ff, 8), low(u64::MAX, 64)), (0xff, u64::MAX));
    }
}
