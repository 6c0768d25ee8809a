//! Numbers as text, on the stack: integers and doubles of replies.

/// The text of a number.
#[derive(Clone, Copy)]
pub struct Decimal {
    bytes: [u8; CAPACITY],
    from: u8,
    to: u8,
}

/// The longest is a double such as `-0.00012345678901234567`.
const CAPACITY: usize = 32;
const SIGNIFICANT_DIGITS: usize = 17;

/// Writes a number's digits so that they end before `end`; returns where they begin. There must be room: 20 bytes at most.
#[inline]
pub fn put_digits(text: &mut [u8], end: usize, value: u64) -> usize {
    let (mut at, mut rest) = (end, value);
    // Two at a time: half the divisions.
    while rest >= 10 {
        let pair = (rest % 100) as u8;
        rest /= 100;
        at -= 2;
        text[at..at + 2].copy_from_slice(&[b'0' + pair / 10, b'0' + pair % 10]);
    }
    if rest > 0 || at == end {
        at -= 1;
        text[at] = b'0' + rest as u8;
    }
    at
}

impl Decimal {
    #[inline]
    pub fn integer(value: i64) -> Decimal {
        let mut text = Decimal::unsigned(value.unsigned_abs());
        if value < 0 {
            text.from -= 1;
            text.bytes[usize::from(text.from)] = b'-';
        }
        text
    }

    #[inline]
    pub fn unsigned(value: u64) -> Decimal {
        let mut bytes = [0; CAPACITY];
        let at = put_digits(&mut bytes, CAPACITY, value);
        Decimal { bytes, from: at as u8, to: CAPACITY as u8 }
    }

    /// `%.17g` as C prints it, but `nan` without a sign.
    pub fn double(value: f64) -> Decimal {
        // Whole numbers below 2^53, the commonest scores.
        if value.abs() < 9e15 && value == value.trunc() && (value != 0.0 || value.is_sign_positive()) {
            return Decimal::integer(value as i64);
        }
        let mut text = Decimal { bytes: [0; CAPACITY], from: 0, to: 0 };
        if value.is_nan() {
            text.put(b"nan");
            return text;
        }
        if value.is_sign_negative() {
            text.put(b"-");
        }
        if value.is_infinite() {
            text.put(b"inf");
        } else if value == 0.0 {
            text.put(b"0");
        } else {
            text.put_digits(value.abs());
        }
        text
    }

    /// A positive finite number.
    fn put_digits(&mut self, value: f64) {
        use std::fmt::Write;
        let mut scientific = Decimal { bytes: [0; CAPACITY], from: 0, to: 0 };
        // One digit, the point, sixteen digits, the exponent: within the capacity, and writing to it cannot fail.
        let written = write!(scientific, "{value:.16e}");
        assert!(written.is_ok(), "a double's digits outgrew their buffer");
        let scientific = scientific.as_bytes();
        let mut digits = [b'0'; SIGNIFICANT_DIGITS];
        digits[0] = scientific[0];
        digits[1..].copy_from_slice(&scientific[2..SIGNIFICANT_DIGITS + 1]);
        let exponent = exponent(&scientific[SIGNIFICANT_DIGITS + 2..]);
        let used = digits.iter().rposition(|d| *d != b'0').map_or(1, |last| last + 1);
        match usize::try_from(exponent) {
            Ok(point) if point < SIGNIFICANT_DIGITS => {
                self.put(&digits[..=point]);
                if used > point + 1 {
                    self.put(b".");
                    self.put(&digits[point + 1..used]);
                }
            }
            Err(_) if exponent >= -4 => {
                self.put(&b"0.0000"[..(1 - exponent) as usize]);
                self.put(&digits[..used]);
            }
            _ => {
                self.put(&digits[..1]);
                if used > 1 {
                    self.put(b".");
                    self.put(&digits[1..used]);
                }
                self.put(if exponent < 0 { b"e-" } else { b"e+" });
                if exponent.abs() < 10 {
                    self.put(b"0");
                }
                self.put(Decimal::integer(i64::from(exponent.abs())).as_bytes());
            }
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        let from = usize::from(self.to);
        self.bytes[from..from + bytes.len()].copy_from_slice(bytes);
        self.to += bytes.len() as u8;
    }

    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[usize::from(self.from)..usize::from(self.to)]
    }
}

impl std::fmt::Write for Decimal {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if usize::from(self.to) + text.len() > CAPACITY {
            return Err(std::fmt::Error);
        }
        self.put(text.as_bytes());
        Ok(())
    }
}

/// `-5`, `308`.
fn exponent(text: &[u8]) -> i32 {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let value = digits.iter().fold(0, |value, digit| value * 10 + i32::from(digit - b'0'));
    if negative { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn double(value: f64) -> String {
        String::from_utf8(Decimal::double(value).as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn digits_are_those_of_the_number() {
        let powers = (0..20).map(|n| 10u64.pow(n));
        for value in powers.flat_map(|p| [p - 1, p, p + 1, p.saturating_mul(7)]).chain([u64::MAX]) {
            assert_eq!(Decimal::unsigned(value).as_bytes(), value.to_string().as_bytes());
        }
    }

    #[test]
    fn doubles_follow_percent_17g() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (0.1, "0.10000000000000001"),
            (3.0, "3"),
            (100.0, "100"),
            (100.5, "100.5"),
            (9e15, "9000000000000000"),
            (1e16, "10000000000000000"),
            (12345678901234568.0, "12345678901234568"),
            (1e17, "1e+17"),
            (1.2345e22, "1.2345e+22"),
            (0.5, "0.5"),
            (0.001, "0.001"),
            (0.0001, "0.0001"),
            (1.5e-5, "1.5e-05"),
            (0.00012345678901234567, "0.00012345678901234567"),
            (-2.25, "-2.25"),
            (f64::MAX, "1.7976931348623157e+308"),
            (-f64::MIN_POSITIVE, "-2.2250738585072014e-308"),
            (5e-324, "4.9406564584124654e-324"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(double(value), text);
        }
    }

    #[test]
    fn integers_at_the_ends_of_their_range() {
        for value in [0, 9, 10, -1, 99, 100, i64::MAX, i64::MIN] {
            assert_eq!(Decimal::integer(value).as_bytes(), value.to_string().as_bytes());
        }
        assert_eq!(Decimal::unsigned(u64::MAX).as_bytes(), u64::MAX.to_string().as_bytes());
    }

    proptest! {
        #[test]
        fn a_double_read_back_is_the_same(bits: u64) {
            let value = f64::from_bits(bits);
            if !value.is_nan() {
                prop_assert_eq!(double(value).parse::<f64>().unwrap().to_bits(), bits);
            }
        }
    }
}
