//! Command names to commands: every request asks.

use std::sync::LazyLock;

use super::{CommandSpec, all};

/// A power of two, four times the number of commands at least: most are found at the first look.
const SLOTS: usize = 2048;

/// Open addressing with linear probing.
static BY_NAME: LazyLock<Box<[Option<&'static CommandSpec>]>> = LazyLock::new(|| {
    let mut slots = vec![None; SLOTS].into_boxed_slice();
    for spec in all() {
        let mut at = home(spec.name.as_bytes());
        while slots[at].is_some() {
            at = (at + 1) % SLOTS;
        }
        slots[at] = Some(spec);
    }
    slots
});

/// Where a name is looked for first, whatever its case.
#[inline]
fn home(name: &[u8]) -> usize {
    // The bit that tells the cases of a letter apart is set in all bytes; names that this makes alike are compared.
    let word = |bytes: &[u8]| {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(word) | 0x2020_2020_2020_2020
    };
    let (head, tail) = match name.first_chunk::<8>() {
        Some(head) => (u64::from_le_bytes(*head) | 0x2020_2020_2020_2020, &name[name.len() - 8..]),
        None => (word(name), &name[..0]),
    };
    let mixed = (head ^ word(tail).rotate_left(29)).wrapping_add(name.len() as u64);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SLOTS.ilog2())) as usize
}

/// The command of this name, in any case.
#[inline]
pub fn find(name: &[u8]) -> Option<&'static CommandSpec> {
    let mut at = home(name);
    loop {
        let spec = BY_NAME[at]?;
        if spec.name.as_bytes().eq_ignore_ascii_case(name) {
            return Some(spec);
        }
        at = (at + 1) % SLOTS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_found_near_its_home() {
        assert!(all().count() * 4 <= SLOTS);
        for spec in all() {
            assert!(std::ptr::eq(find(spec.name.as_bytes()).unwrap(), spec), "{}", spec.name);
            assert!(std::ptr::eq(find(spec.name.to_uppercase().as_bytes()).unwrap(), spec), "{}", spec.name);
        }
        let far = BY_NAME
            .iter()
            .enumerate()
            .filter(|(at, slot)| slot.is_some_and(|s| home(s.name.as_bytes()) != *at));
        assert!(far.count() * 4 < all().count());
        for missing in [&b""[..], b"GETT", b"no such command", &[0; 100]] {
            assert!(find(missing).is_none());
        }
    }
}
