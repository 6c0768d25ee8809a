//! Doubles as Redis reads them.

/// So many decimal digits are less than 2^53.
const DIGITS_EXACT: usize = 15;

/// Reads a double as C's `strtod` does, the whole text: decimal or hexadecimal, `inf`, `infinity`. `None` for anything else, for NaN,
/// for blanks, and for what is too large or too small to tell from infinity or zero.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    // Most are a few digits, and such a number is exact.
    if (1..=DIGITS_EXACT).contains(&text.len()) && text.iter().all(u8::is_ascii_digit) {
        return Some(text.iter().fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0')) as f64);
    }
    read(text, false)
}

/// As [`parse_f64`], as the ends of a range are read: blanks before it are skipped, nothing is zero, what is too large is infinite.
pub fn parse_bound(text: &[u8]) -> Option<f64> {
    let text = text.split(|b| *b == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some(0.0);
    }
    let first = text.iter().position(|b| !matches!(b, b' ' | 9..=13))?;
    read(&text[first..], true)
}

fn read(text: &[u8], any_size: bool) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    let sign = if negative { -1.0 } else { 1.0 };
    if digits.eq_ignore_ascii_case("inf") || digits.eq_ignore_ascii_case("infinity") {
        return Some(sign * f64::INFINITY);
    }
    if let Some(hex) = digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        return hexadecimal(hex).map(|value| sign * value);
    }
    // Rust reads what C reads but for the words, which were dealt with.
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let value: f64 = digits.parse().ok()?;
    let mantissa = digits.split(['e', 'E']).next().unwrap_or_default();
    let vanished = value == 0.0 && mantissa.bytes().any(|b| matches!(b, b'1'..=b'9'));
    (any_size || value.is_finite() && !vanished).then_some(sign * value)
}

/// Digits, a point, a power of two after `p`. Read with 60 bits, which is more than a double keeps.
fn hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, power) = match text.split_once(['p', 'P']) {
        Some((mantissa, power)) => (mantissa, power.parse::<i32>().ok()?.clamp(-5000, 5000)),
        None => (text, 0),
    };
    let (mut value, mut shift, mut point, mut any) = (0u64, 0i32, false, false);
    for c in mantissa.chars() {
        if c == '.' && !point {
            point = true;
            continue;
        }
        let digit = u64::from(c.to_digit(16)?);
        any = true;
        if value >> 56 == 0 {
            value = value << 4 | digit;
            shift -= if point { 4 } else { 0 };
        } else if !point {
            shift += 4;
        }
    }
    let exponent = power.saturating_add(shift);
    // In two steps: the power alone may leave the range that the product stays in.
    let half = exponent / 2;
    let result = value as f64 * 2f64.powi(half) * 2f64.powi(exponent - half);
    (any && result.is_finite() && (result != 0.0 || value == 0)).then_some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_strtod_reads_them() {
        for (text, value) in [
            ("1", Some(1.0)),
            ("+1.5e3", Some(1500.0)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("-inf", Some(f64::NEG_INFINITY)),
            ("+Infinity", Some(f64::INFINITY)),
            ("0x10", Some(16.0)),
            ("-0x1.8p1", Some(-3.0)),
            ("0x", None),
            ("nan", None),
            ("", None),
            (" 1", None),
            ("1 ", None),
            ("1e400", None),
            ("1e-400", None),
            ("0e-400", Some(0.0)),
            ("e5", None),
            ("1_0", None),
            ("--1", None),
        ] {
            assert_eq!(parse_f64(text.as_bytes()), value, "{text:?}");
        }
        assert_eq!(parse_bound(b""), Some(0.0));
        assert_eq!(parse_bound(b" \t7"), Some(7.0));
        assert_eq!(parse_bound(b"1e400"), Some(f64::INFINITY));
        assert_eq!(parse_bound(b"nan"), None);
        assert_eq!(parse_bound(b"1x"), None);
    }
}
