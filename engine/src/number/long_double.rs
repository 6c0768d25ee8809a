//! Redis' `long double`: x87 extended precision, worked out exactly and rounded to nearest even.

use std::cmp::Ordering;

/// A finite number: sign, 64-bit mantissa, power of two.
///
/// Value = ±mantissa · 2^exponent, the mantissa's top bit set unless zero (or subnormal at the least exponent).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LongDouble {
    negative: bool,
    mantissa: u64,
    exponent: i32,
}

/// Exponent of the least subnormal, and of the greatest finite mantissa.
const EXPONENT_MIN: i32 = -16445;
const EXPONENT_MAX: i32 = 16320;
/// Decimal digits that `%.17Lf` shows after the point.
const DECIMALS: usize = 17;
/// Text longer than this is no number to Redis.
const TEXT_MAX: usize = 5 * 1024 - 1;

/// Unsigned integer of any size, little-endian words.
#[derive(Clone, Debug)]
struct Big(Vec<u32>);

impl Big {
    fn from_u64(n: u64) -> Self {
        let mut big = Big(vec![n as u32, (n >> 32) as u32]);
        big.trim();
        big
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    fn mul_add(&mut self, factor: u32, add: u32) {
        let mut carry = u64::from(add);
        for word in &mut self.0 {
            let product = u64::from(*word) * u64::from(factor) + carry;
            *word = product as u32;
            carry = product >> 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn shift_left(&mut self, bits: usize) {
        if self.is_zero() {
            return;
        }
        if !bits.is_multiple_of(32) {
            let mut carry = 0;
            for word in &mut self.0 {
                let shifted = u64::from(*word) << (bits % 32) | carry;
                *word = shifted as u32;
                carry = shifted >> 32;
            }
            if carry > 0 {
                self.0.push(carry as u32);
            }
        }
        self.0.splice(0..0, std::iter::repeat_n(0, bits / 32));
    }

    fn bits(&self) -> usize {
        self.0.last().map_or(0, |top| self.0.len() * 32 - top.leading_zeros() as usize)
    }

    fn bit(&self, at: usize) -> bool {
        self.0.get(at / 32).is_some_and(|w| w >> (at % 32) & 1 == 1)
    }

    /// Any of the bits below `at` is set.
    fn any_below(&self, at: usize) -> bool {
        self.0.iter().take(at / 32).any(|w| *w != 0)
            || self.0.get(at / 32).is_some_and(|w| w & ((1u32 << (at % 32)) - 1) != 0)
    }

    /// 64 bits from `at` up.
    fn window(&self, at: usize) -> u64 {
        (0..64).rev().fold(0, |n, i| n << 1 | u64::from(self.bit(at + i)))
    }

    fn cmp(&self, other: &Big) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    fn sub(&mut self, other: &Big) {
        let mut borrow = 0i64;
        for (i, word) in self.0.iter_mut().enumerate() {
            let difference = i64::from(*word) - i64::from(other.0.get(i).copied().unwrap_or(0)) + borrow;
            *word = difference as u32;
            borrow = difference >> 32;
        }
        self.trim();
    }

    /// Divides by a small number, leaving the quotient; returns the remainder.
    fn div_small(&mut self, divisor: u32) -> u32 {
        let mut rest = 0u64;
        for word in self.0.iter_mut().rev() {
            let n = rest << 32 | u64::from(*word);
            *word = (n / u64::from(divisor)) as u32;
            rest = n % u64::from(divisor);
        }
        self.trim();
        rest as u32
    }

    /// Multiplies by a power of ten.
    fn scale_up(&mut self, power: usize) {
        for _ in 0..power / 9 {
            self.mul_add(1_000_000_000, 0);
        }
        self.mul_add(10u32.pow((power % 9) as u32), 0);
    }

    /// Divides by a power of ten; true when something was cut off.
    fn scale_down(&mut self, power: usize) -> bool {
        let mut cut = false;
        for _ in 0..power / 9 {
            cut |= self.div_small(1_000_000_000) != 0;
        }
        cut | (self.div_small(10u32.pow((power % 9) as u32)) != 0)
    }
}

impl LongDouble {
    const ZERO: LongDouble = LongDouble { negative: false, mantissa: 0, exponent: 0 };

    pub fn from_i64(n: i64) -> Self {
        Self::round(n < 0, Big::from_u64(n.unsigned_abs()), 0, false).unwrap_or(Self::ZERO)
    }

    /// Rounds ±(n + sticky) · 2^exponent; `sticky`: something below n was cut off. `None` when too large.
    fn round(negative: bool, n: Big, exponent: i32, sticky: bool) -> Option<Self> {
        if n.is_zero() {
            return Some(LongDouble { negative, ..Self::ZERO });
        }
        let bits = n.bits() as i32;
        // Bits to drop so that 64 are left, more for subnormals.
        let drop = (bits - 64).max(EXPONENT_MIN - exponent);
        if drop <= 0 {
            let lift = (-drop).min(64 - bits).max(0);
            return Self::fits(negative, n.window(0) << lift, exponent - lift);
        }
        let at = drop as usize;
        let mantissa = n.window(at);
        let (half, below) = (n.bit(at - 1), sticky || n.any_below(at - 1));
        let up = half && (below || mantissa & 1 == 1);
        match mantissa.checked_add(u64::from(up)) {
            Some(mantissa) => Self::fits(negative, mantissa, exponent + drop),
            None => Self::fits(negative, 1 << 63, exponent + drop + 1),
        }
    }

    fn fits(negative: bool, mantissa: u64, exponent: i32) -> Option<Self> {
        if mantissa == 0 {
            return Some(LongDouble { negative, ..Self::ZERO });
        }
        (exponent <= EXPONENT_MAX).then_some(LongDouble { negative, mantissa, exponent })
    }

    /// Reads what Redis accepts as a number with a fraction: decimal with optional exponent, or hexadecimal; no spaces, no
    /// infinity, no NaN.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.len() > TEXT_MAX {
            return None;
        }
        let (negative, rest) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let (hex, rest) = match rest {
            [b'0', b'x' | b'X', rest @ ..] => (true, rest),
            _ => (false, rest),
        };
        let marker = if hex { b'p' } else { b'e' };
        let end = rest.iter().position(|b| b.to_ascii_lowercase() == marker).unwrap_or(rest.len());
        let mut digits = Big(Vec::new());
        let (mut seen, mut after_point, mut point) = (false, 0i32, false);
        for b in &rest[..end] {
            match (char::from(*b).to_digit(if hex { 16 } else { 10 }), b) {
                (Some(digit), _) => {
                    seen = true;
                    digits.mul_add(if hex { 16 } else { 10 }, digit);
                    digits.trim();
                    after_point += i32::from(point);
                }
                (None, b'.') if !point => point = true,
                _ => return None,
            }
        }
        if !seen {
            return None;
        }
        let mut power = 0i32;
        if end < rest.len() {
            let text = std::str::from_utf8(&rest[end + 1..]).ok()?;
            let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
            if unsigned.is_empty() || !unsigned.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            let magnitude = unsigned.parse::<i32>().unwrap_or(1_000_000).min(1_000_000);
            power = if text.starts_with('-') { -magnitude } else { magnitude };
        }
        if digits.is_zero() {
            return Some(LongDouble { negative, ..Self::ZERO });
        }
        let read = if hex {
            Self::round(negative, digits, power - 4 * after_point, false)
        } else {
            Self::scaled(negative, digits, power - after_point)
        };
        // What is not zero but too small to tell from it is out of range.
        read.filter(|n| n.mantissa != 0)
    }

    /// ±n · 10^power, rounded; `None` when too large.
    fn scaled(negative: bool, mut n: Big, power: i32) -> Option<Self> {
        if power > 5000 {
            return None;
        }
        if power >= 0 {
            n.scale_up(power as usize);
            return Self::round(negative, n, 0, false);
        }
        if power < -12_000 {
            // The longest text begins below 10^5120, the least number lies above 10^-4951.
            return Some(LongDouble { negative, ..Self::ZERO });
        }
        // Shift up until the quotient has bits to spare (a decimal digit is less than 10/3 bits), then divide.
        let power = power.unsigned_abs() as usize;
        let lift = (power * 10 / 3 + 72).saturating_sub(n.bits());
        n.shift_left(lift);
        let sticky = n.scale_down(power);
        Self::round(negative, n, -(lift as i32), sticky)
    }

    /// The sum, rounded to nearest even; `None` when it is infinite.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        if self.mantissa == 0 {
            let negative = other.negative && (self.negative || other.mantissa != 0);
            return Some(LongDouble { negative, ..other });
        }
        if other.mantissa == 0 {
            return Some(self);
        }
        let (high, low) = if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        // Beyond 130 places apart, the lower one only makes the result inexact.
        let apart = (high.exponent - low.exponent).min(200);
        let far = high.exponent - low.exponent > 200;
        let mut a = Big::from_u64(high.mantissa);
        a.shift_left(apart as usize);
        let b = if far { Big::from_u64(1) } else { Big::from_u64(low.mantissa) };
        let exponent = high.exponent - apart;
        if high.negative == low.negative {
            let mut sum = a;
            sum.0.resize(sum.0.len().max(b.0.len()) + 1, 0);
            let mut carry = 0u64;
            for (i, word) in sum.0.iter_mut().enumerate() {
                let n = u64::from(*word) + u64::from(b.0.get(i).copied().unwrap_or(0)) + carry;
                *word = n as u32;
                carry = n >> 32;
            }
            sum.trim();
            return Self::round(high.negative, sum, exponent, false);
        }
        match a.cmp(&b) {
            Ordering::Equal => Some(Self::ZERO),
            Ordering::Greater => {
                a.sub(&b);
                Self::round(high.negative, a, exponent, false)
            }
            Ordering::Less => {
                let mut difference = b;
                difference.sub(&a);
                Self::round(low.negative, difference, exponent, false)
            }
        }
    }

    /// Appends the number as Redis answers it: `%.17Lf` without trailing zeros.
    pub fn format_human(self, out: &mut Vec<u8>) {
        let mut n = Big::from_u64(self.mantissa);
        n.scale_up(DECIMALS);
        let shift = self.exponent;
        let mut scaled = if shift >= 0 {
            n.shift_left(shift as usize);
            n
        } else {
            let drop = (-shift) as usize;
            let (half, below) = (drop > 0 && n.bit(drop - 1), drop > 1 && n.any_below(drop - 1));
            let mut kept = Big((0..n.0.len().saturating_sub(drop / 32)).map(|_| 0).collect());
            for i in 0..kept.0.len() {
                kept.0[i] = (n.window(drop + 32 * i) & 0xffff_ffff) as u32;
            }
            kept.trim();
            if half && (below || kept.bit(0)) {
                kept.0.push(0);
                let mut i = 0;
                while i < kept.0.len() {
                    let (sum, carry) = kept.0[i].overflowing_add(1);
                    kept.0[i] = sum;
                    if !carry {
                        break;
                    }
                    i += 1;
                }
                kept.trim();
            }
            kept
        };
        let mut digits = Vec::new();
        while !scaled.is_zero() {
            let mut group = scaled.div_small(1_000_000_000);
            for _ in 0..9 {
                digits.push(b'0' + (group % 10) as u8);
                group /= 10;
            }
        }
        while digits.len() > DECIMALS + 1 && digits.last() == Some(&b'0') {
            digits.pop();
        }
        digits.resize(digits.len().max(DECIMALS + 1), b'0');
        let zeros = digits.iter().take_while(|d| **d == b'0').count().min(DECIMALS);
        let negative = self.negative && digits.iter().any(|d| *d != b'0');
        if negative {
            out.push(b'-');
        }
        out.extend(digits[DECIMALS..].iter().rev());
        if zeros < DECIMALS {
            out.push(b'.');
            out.extend(digits[zeros..DECIMALS].iter().rev());
        }
    }

    /// Sign and exponent (u16), mantissa (u64), little-endian.
    pub fn to_bytes(self) -> [u8; 10] {
        let mut out = [0; 10];
        let biased = if self.mantissa == 0 { 0 } else { (self.exponent - EXPONENT_MIN + 1) as u16 };
        out[..8].copy_from_slice(&self.mantissa.to_le_bytes());
        out[8..].copy_from_slice(&(biased | u16::from(self.negative) << 15).to_le_bytes());
        out
    }

    /// Inverse of [`LongDouble::to_bytes`]; `None` for what it never writes.
    pub fn from_bytes(bytes: [u8; 10]) -> Option<Self> {
        let (mantissa, tail) = bytes.split_first_chunk::<8>()?;
        let mantissa = u64::from_le_bytes(*mantissa);
        let tail = u16::from_le_bytes([tail[0], tail[1]]);
        let (negative, biased) = (tail >> 15 == 1, i32::from(tail & 0x7fff));
        match (mantissa, biased) {
            (0, 0) => Some(LongDouble { negative, ..Self::ZERO }),
            (0, _) | (_, 0) => None,
            _ => {
                let exponent = biased + EXPONENT_MIN - 1;
                let normal = mantissa >> 63 == 1 || exponent == EXPONENT_MIN;
                (normal && exponent <= EXPONENT_MAX).then_some(LongDouble { negative, mantissa, exponent })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let mut out = Vec::new();
        LongDouble::parse(text.as_bytes()).unwrap().format_human(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn sum(a: &str, b: &str) -> String {
        let mut out = Vec::new();
        let a = LongDouble::parse(a.as_bytes()).unwrap();
        a.checked_add(LongDouble::parse(b.as_bytes()).unwrap()).unwrap().format_human(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn sums_read_as_redis_shows_them() {
        assert_eq!(sum("3.0", "0.1"), "3.1");
        assert_eq!(sum("5.0e3", "2.0e2"), "5200");
        assert_eq!(sum("0.1", "0.2"), "0.3");
        assert_eq!(sum("1", "-1"), "0");
        assert_eq!(sum("17179869184", "1.5"), "17179869185.5");
        assert_eq!(sum("-1.5", "0.25"), "-1.25");
        assert_eq!(shown("0x10"), "16");
        assert_eq!(shown("1e-18"), "0");
        assert_eq!(shown("-0"), "0");
        assert_eq!(shown("1e20"), "100000000000000000000");
    }

    #[test]
    fn bytes_round_trip_and_nonsense_is_refused() {
        for text in ["0", "1", "-2.5", "1e4900", "3e-4940", "0.1"] {
            let n = LongDouble::parse(text.as_bytes()).unwrap();
            assert_eq!(LongDouble::from_bytes(n.to_bytes()), Some(n), "{text}");
        }
        for text in ["", " 1", "1 ", "abc", "1e", "--1", "1.2.3", "inf", "nan", "0x", "."] {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(LongDouble::from_bytes([1, 0, 0, 0, 0, 0, 0, 0, 9, 0]), None);
    }
}
