//! HyperLogLogs as Redis keeps them: a string with a header, then 2^14 registers of 6 bits, or their runs while few are set.
//!
//! ```text
//! "HYLL" | form u8 (0 dense, 1 sparse) | zeros 3 | cached estimate u64 LE, bit 63: not valid | registers
//! sparse: 00llllll              l+1 zeros
//!         01hhhhhh llllllll     hl+1 zeros
//!         1vvvvvll              l+1 registers of v+1
//! ```
//! The sparse form is written from its runs, so that equal registers make equal bytes in whatever order they were set. The cached
//! estimate is never filled: an answer is no reason to change a value.

use crate::state::limits;

pub const REGISTERS: usize = 1 << 14;
const INDEX_BITS: u32 = 14;
/// Bits of the hash that a rank can count.
const RANK_BITS: usize = 64 - INDEX_BITS as usize;
const HEADER: usize = 16;
const DENSE_BYTES: usize = HEADER + REGISTERS * 6 / 8;
const SPARSE_RANK_MAX: u8 = 32;
const SEED: u64 = 0xadc8_3b19;
const ALPHA: f64 = 0.721_347_520_444_481_7;

/// Why a string is no HyperLogLog.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Malformed {
    /// It does not begin like one, or has the wrong size.
    Other,
    /// It begins like one, and its runs make no sense.
    Corrupted,
}

/// The register of an element, and the rank it has there.
pub fn place(element: &[u8]) -> (u16, u8) {
    let hash = murmur(element);
    let rank = (hash >> INDEX_BITS | 1 << RANK_BITS).trailing_zeros() + 1;
    ((hash & (REGISTERS as u64 - 1)) as u16, rank as u8)
}

/// MurmurHash2, 64 bits.
fn murmur(bytes: &[u8]) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    let mut hash = SEED ^ (bytes.len() as u64).wrapping_mul(M);
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        let mut k = u64::from_le_bytes(word.try_into().unwrap_or_default()).wrapping_mul(M);
        k = (k ^ k >> 47).wrapping_mul(M);
        hash = (hash ^ k).wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |tail, b| tail << 8 | u64::from(*b));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash = (hash ^ hash >> 47).wrapping_mul(M);
    hash ^ hash >> 47
}

fn is_dense(bytes: &[u8]) -> Result<bool, Malformed> {
    let header = bytes.get(..HEADER).filter(|h| h.starts_with(b"HYLL")).ok_or(Malformed::Other)?;
    match header[4] {
        0 if bytes.len() == DENSE_BYTES => Ok(true),
        1 => Ok(false),
        _ => Err(Malformed::Other),
    }
}

/// The form a string has; refuses what is none.
pub fn form(bytes: &[u8]) -> Result<&'static str, Malformed> {
    is_dense(bytes).map(|dense| if dense { "dense" } else { "sparse" })
}

/// Runs of equal registers, (length, rank) one after another.
fn runs(sparse: &[u8]) -> Result<Vec<(u16, u8)>, Malformed> {
    let (mut out, mut rest, mut total) = (Vec::new(), &sparse[HEADER..], 0);
    while let [first, tail @ ..] = rest {
        rest = tail;
        let (len, rank) = match (first >> 6, tail) {
            (0, _) => (u16::from(first & 63) + 1, 0),
            (1, [low, tail @ ..]) => {
                rest = tail;
                ((u16::from(first & 63) << 8 | u16::from(*low)) + 1, 0)
            }
            (1, []) => return Err(Malformed::Corrupted),
            _ => (u16::from(first & 3) + 1, (first >> 2 & 31) + 1),
        };
        total += usize::from(len);
        if total > REGISTERS {
            return Err(Malformed::Corrupted);
        }
        out.push((len, rank));
    }
    if total == REGISTERS { Ok(out) } else { Err(Malformed::Corrupted) }
}

/// Every register's rank.
pub fn registers(bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
    if is_dense(bytes)? {
        return Ok((0..REGISTERS).map(|i| dense_rank(bytes, i)).collect());
    }
    let runs = runs(bytes)?;
    Ok(runs.into_iter().flat_map(|(len, rank)| std::iter::repeat_n(rank, usize::from(len))).collect())
}

fn dense_rank(bytes: &[u8], register: usize) -> u8 {
    let bit = register * 6;
    let at = HEADER + bit / 8;
    let word = u16::from(bytes[at]) | u16::from(bytes.get(at + 1).copied().unwrap_or(0)) << 8;
    (word >> (bit % 8)) as u8 & 63
}

fn set_dense_rank(bytes: &mut [u8], register: usize, rank: u8) {
    let bit = register * 6;
    let (at, shift) = (HEADER + bit / 8, bit % 8);
    let (clear, set) = (!(63u16 << shift), u16::from(rank) << shift);
    bytes[at] = bytes[at] & clear as u8 | set as u8;
    if let Some(next) = bytes.get_mut(at + 1) {
        *next = *next & (clear >> 8) as u8 | (set >> 8) as u8;
    }
}

fn header(dense: bool) -> Vec<u8> {
    let mut bytes = b"HYLL\0\0\0\0\0\0\0\0\0\0\0\x80".to_vec();
    bytes[4] = u8::from(!dense);
    bytes
}

/// The sparse form of runs; `None` when it has to be dense.
fn encode_runs(runs: &[(u16, u8)]) -> Option<Vec<u8>> {
    let mut out = header(false);
    for (len, rank) in runs {
        let mut len = *len;
        match rank {
            0 if len <= 64 => out.push((len - 1) as u8),
            0 => out.extend_from_slice(&[0x40 | ((len - 1) >> 8) as u8, (len - 1) as u8]),
            rank if *rank > SPARSE_RANK_MAX => return None,
            rank => {
                while len > 0 {
                    let part = len.min(4);
                    out.push(0x80 | (rank - 1) << 2 | (part - 1) as u8);
                    len -= part;
                }
            }
        }
    }
    (out.len() <= limits::HLL_SPARSE_BYTES.get().saturating_add(HEADER)).then_some(out)
}

fn encode_dense(ranks: &[u8]) -> Vec<u8> {
    let mut out = header(true);
    out.resize(DENSE_BYTES, 0);
    ranks
        .iter()
        .enumerate()
        .filter(|(_, rank)| **rank > 0)
        .for_each(|(i, rank)| set_dense_rank(&mut out, i, *rank));
    out
}

/// One that nothing was added to.
pub fn empty() -> Vec<u8> {
    let mut out = header(false);
    out.extend_from_slice(&[0x7f, 0xff]);
    out
}

/// Raises registers (ascending), of nothing or of a value; `dense`: whatever becomes of them. False when the value is no HyperLogLog,
/// and is left.
pub fn raise(value: &mut Option<Vec<u8>>, ranks: &[(u16, u8)], dense: bool) -> bool {
    let bytes = value.get_or_insert_with(empty);
    match is_dense(bytes) {
        Err(_) => return false,
        Ok(true) => {
            for (register, rank) in ranks {
                if dense_rank(bytes, usize::from(*register)) < *rank {
                    set_dense_rank(bytes, usize::from(*register), *rank);
                }
            }
            // The estimate kept in it holds no longer.
            bytes[HEADER - 1] |= 0x80;
            return true;
        }
        Ok(false) => {}
    }
    let Ok(before) = runs(bytes) else { return false };
    let raised = raise_runs(&before, ranks);
    let encoded = if dense { None } else { encode_runs(&raised) };
    *bytes = encoded.unwrap_or_else(|| {
        let all: Vec<u8> =
            raised.iter().flat_map(|(len, rank)| std::iter::repeat_n(*rank, usize::from(*len))).collect();
        encode_dense(&all)
    });
    true
}

/// Runs with registers raised, neighbours of one rank joined.
fn raise_runs(before: &[(u16, u8)], ranks: &[(u16, u8)]) -> Vec<(u16, u8)> {
    let mut out: Vec<(u16, u8)> = Vec::with_capacity(before.len() + 2 * ranks.len());
    let mut push = |len: u16, rank: u8| match out.last_mut() {
        _ if len == 0 => {}
        Some((last, of)) if *of == rank => *last += len,
        _ => out.push((len, rank)),
    };
    let (mut first, mut ranks) = (0u16, ranks.iter().peekable());
    for (len, rank) in before {
        let (mut at, end) = (first, first + len);
        while let Some((register, raised)) = ranks.next_if(|(register, _)| *register < end) {
            push(register - at, *rank);
            push(1, (*raised).max(*rank));
            at = register + 1;
        }
        push(end - at, *rank);
        first = end;
    }
    out
}

/// How many distinct elements registers tell of.
pub fn estimate(ranks: &[u8]) -> u64 {
    let mut counts = [0u32; 64];
    ranks.iter().for_each(|rank| counts[usize::from(rank & 63)] += 1);
    let m = REGISTERS as f64;
    let mut z = m * tau((m - f64::from(counts[RANK_BITS + 1])) / m);
    for count in counts[1..=RANK_BITS].iter().rev() {
        z = (z + f64::from(*count)) * 0.5;
    }
    z += m * sigma(f64::from(counts[0]) / m);
    (ALPHA * m * m / z).round() as u64
}

/// Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017).
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if before == z {
            return z;
        }
    }
}

/// As [`sigma`].
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if before == z {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_registers_make_equal_bytes_in_any_order() {
        let elements: Vec<Vec<u8>> = (0..3000).map(|n: u32| n.to_string().into_bytes()).collect();
        for count in [1, 10, 300, 3000] {
            let (mut forth, mut back) = (None, None);
            for element in &elements[..count] {
                assert!(raise(&mut forth, &[place(element)], false));
            }
            for element in elements[..count].iter().rev() {
                assert!(raise(&mut back, &[place(element)], false));
            }
            assert_eq!(forth, back);
            let bytes = forth.unwrap();
            let ranks = registers(&bytes).unwrap();
            let told = estimate(&ranks) as f64;
            assert!((told - count as f64).abs() <= count as f64 * 0.05, "{told} for {count}");
            assert_eq!(form(&bytes), Ok(if count < 3000 { "sparse" } else { "dense" }));
        }
    }

    #[test]
    fn what_is_no_hyperloglog_is_left() {
        for bytes in
            [&b"abc"[..], b"HYLL\x02\0\0\0\0\0\0\0\0\0\0\0", b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xfe"]
        {
            let mut value = Some(bytes.to_vec());
            assert!(!raise(&mut value, &[(1, 2)], false));
            assert_eq!(value.as_deref(), Some(bytes));
        }
        assert_eq!(estimate(&registers(&empty()).unwrap()), 0);
    }
}
