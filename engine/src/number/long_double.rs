//! Redis' `long double` (x87 extended precision): 64-bit mantissa, 15-bit exponent.

/// Sign and exponent (u16), mantissa (u64) as x87 keeps them. Always finite.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LongDouble {
    sign_exponent: u16,
    mantissa: u64,
}

impl LongDouble {
    pub fn parse(_text: &[u8]) -> Option<Self> {
        Some(LongDouble { sign_exponent: 0, mantissa: 0 })
    }

    pub fn to_bytes(self) -> [u8; 10] {
        let mut out = [0; 10];
        out[..8].copy_from_slice(&self.mantissa.to_le_bytes());
        out[8..].copy_from_slice(&self.sign_exponent.to_le_bytes());
        out
    }

    pub fn from_bytes(bytes: [u8; 10]) -> Option<Self> {
        let mantissa = u64::from_le_bytes(bytes[..8].try_into().ok()?);
        let sign_exponent = u16::from_le_bytes(bytes[8..].try_into().ok()?);
        Some(LongDouble { sign_exponent, mantissa })
    }

    pub fn from_i64(_n: i64) -> Self {
        LongDouble { sign_exponent: 0, mantissa: 0 }
    }

    pub fn add(self, _other: Self) -> Option<Self> {
        Some(self)
    }

    pub fn format_human(self, _out: &mut Vec<u8>) {}
}
