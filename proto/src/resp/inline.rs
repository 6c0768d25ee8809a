//! Inline commands: words with the quoting of Redis' `sdssplitargs`.

/// Splits a line into words. `None` when quotes are unbalanced or a closing quote is not followed by a space.
pub fn split(line: &[u8], mut word: impl FnMut(&[u8])) -> Option<()> {
    let mut at = 0;
    let mut current = Vec::new();
    loop {
        while line.get(at).is_some_and(|b| is_space(*b)) {
            at += 1;
        }
        if at >= line.len() || line[at] == 0 {
            return Some(());
        }
        current.clear();
        loop {
            match line.get(at) {
                // Vertical tab and form feed separate words, but do not end one.
                None | Some(0 | b' ' | b'\n' | b'\r' | b'\t') => break,
                Some(b'"') => {
                    at = double_quoted(line, at + 1, &mut current)?;
                    break;
                }
                Some(b'\'') => {
                    at = single_quoted(line, at + 1, &mut current)?;
                    break;
                }
                Some(b) => {
                    current.push(*b);
                    at += 1;
                }
            }
        }
        word(&current);
    }
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\n' | b'\r' | b'\t' | 0x0b | 0x0c)
}

fn closed(line: &[u8], at: usize) -> Option<usize> {
    line.get(at).is_none_or(|b| is_space(*b) || *b == 0).then_some(at)
}

fn double_quoted(line: &[u8], mut at: usize, out: &mut Vec<u8>) -> Option<usize> {
    loop {
        match *line.get(at..)? {
            [] | [0, ..] => return None,
            [b'\\', b'x', a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                let digit = |c: u8| char::from(c).to_digit(16).unwrap_or(0) as u8;
                out.push(digit(a) << 4 | digit(b));
                at += 4;
            }
            [b'\\', c, ..] if c != 0 => {
                out.push(match c {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => other,
                });
                at += 2;
            }
            [b'"', ..] => return closed(line, at + 1),
            [b, ..] => {
                out.push(b);
                at += 1;
            }
        }
    }
}

fn single_quoted(line: &[u8], mut at: usize, out: &mut Vec<u8>) -> Option<usize> {
    loop {
        match *line.get(at..)? {
            [] | [0, ..] => return None,
            [b'\\', b'\'', ..] => {
                out.push(b'\'');
                at += 2;
            }
            [b'\'', ..] => return closed(line, at + 1),
            [b, ..] => {
                out.push(b);
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    fn words(line: &str) -> Option<Vec<String>> {
        let mut out = Vec::new();
        super::split(line.as_bytes(), |w| out.push(String::from_utf8_lossy(w).into_owned()))?;
        Some(out)
    }

    #[test]
    fn quotes_and_escapes_follow_redis() {
        assert_eq!(words(r#"  set "a\x41\n" 'it\'s' x"y"  "#).unwrap(), ["set", "aA\n", "it's", "xy"]);
        assert_eq!(words("").unwrap(), [""; 0]);
        assert_eq!(words(r#""""#).unwrap(), [""]);
        assert_eq!(words("\x0ba\x0bb\"c\"\x0bd \x0c e").unwrap(), ["a\x0bbc", "d", "e"]);
        for bad in [r#""a"b"#, r#""a"#, "'a", "'a'b", r#""a\"#] {
            assert_eq!(words(bad), None, "{bad}");
        }
    }
}
