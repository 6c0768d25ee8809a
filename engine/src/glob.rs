//! Redis' glob patterns (`*`, `?`, `[...]`, `\`).

/// True when the whole of `text` matches.
///
/// Backtracks to the last star only, so time is O(pattern · text) at worst.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        if p < pattern.len() && pattern[p] == b'*' {
            while pattern.get(p + 1) == Some(&b'*') {
                p += 1;
            }
            p += 1;
            star = Some((p, t));
            if p == pattern.len() {
                return true;
            }
            continue;
        }
        if t == text.len() {
            // Redis accepts trailing stars after the end of the text.
            return pattern[p..].iter().all(|b| *b == b'*');
        }
        let step = if p < pattern.len() { one(&pattern[p..], text[t]) } else { None };
        match (step, star) {
            (Some(used), _) => {
                p += used;
                t += 1;
            }
            (None, Some((after, from))) => {
                star = Some((after, from + 1));
                p = after;
                t = from + 1;
            }
            (None, None) => return false,
        }
    }
}

/// Matches one byte against the element at the front of a pattern; returns the element's length.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern[0] {
        b'?' => Some(1),
        b'[' => class(pattern, byte),
        b'\\' if pattern.len() >= 2 => (pattern[1] == byte).then_some(2),
        literal => (literal == byte).then_some(1),
    }
}

fn class(pattern: &[u8], byte: u8) -> Option<usize> {
    let mut at = 1;
    let negated = pattern.get(at) == Some(&b'^');
    at += usize::from(negated);
    let mut hit = false;
    loop {
        match pattern[at.min(pattern.len())..] {
            [b'\\', literal, ..] => {
                hit |= literal == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            // An unterminated class ends with the pattern.
            [] => break,
            [low, b'-', high, ..] => {
                hit |= (low.min(high)..=low.max(high)).contains(&byte);
                at += 3;
            }
            [literal, ..] => {
                hit |= literal == byte;
                at += 1;
            }
        }
    }
    (hit != negated).then_some(at)
}

/// The bytes every match begins with.
pub fn literal_prefix(pattern: &[u8]) -> &[u8] {
    let end = pattern.iter().position(|b| matches!(b, b'*' | b'?' | b'[' | b'\\'));
    &pattern[..end.unwrap_or(pattern.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_in_redis() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*c", "abcbc", true),
            ("a*c", "abcb", false),
            ("h?llo", "hello", true),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hallo", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("[abc", "b", true),
            ("a**b", "ab", true),
            ("[\\]]", "]", true),
            ("a\\", "a\\", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
        assert!(!matches(&b"a*".repeat(60), &[b'a'; 59]));
    }

    #[test]
    fn the_literal_prefix_stops_at_the_first_special() {
        assert_eq!(literal_prefix(b"user:*"), b"user:");
        assert_eq!(literal_prefix(b"plain"), b"plain");
        assert_eq!(literal_prefix(b"[a]"), b"");
    }
}
