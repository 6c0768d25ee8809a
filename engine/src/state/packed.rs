//! What the packed forms of collections share.

/// Equality of names in a linear search: most that differ do so in their length or their last byte, which costs no call.
#[inline]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.last() == b.last() && a == b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_are_the_same_and_others_are_not() {
        for (a, b, equal) in [("", "", true), ("a", "", false), ("ab", "ab", true), ("ab", "cb", false)] {
            assert_eq!(same(a.as_bytes(), b.as_bytes()), equal, "{a} {b}");
        }
    }
}
