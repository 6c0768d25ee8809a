//! Bytes as text that can be read back: printable ASCII as it is, everything else escaped, as redis-cli does.

/// Bytes of a value that are shown unless all are asked for.
const SHOWN_BYTES: usize = 64;

/// Without quotes.
pub fn escaped(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            0x20..=0x7e => out.push(byte as char),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out
}

/// In quotes, with redis-cli's short forms.
pub fn quoted(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => out.extend(['\\', byte as char]),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x07 => out.push_str("\\a"),
            0x08 => out.push_str("\\b"),
            0x20..=0x7e => out.push(byte as char),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
    out
}

/// A value in quotes, cut unless `full`.
pub fn value(bytes: &[u8], full: bool) -> String {
    match shown(bytes, full) {
        all if all.len() == bytes.len() => quoted(all),
        head => format!("{}… ({} bytes)", quoted(head), bytes.len()),
    }
}

/// `1 batch`, `2 batches`.
pub fn count(n: u64, one: &str) -> String {
    let end = match (n, one.ends_with("ch")) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{n} {one}{end}")
}

/// As many bytes of a value as are shown.
pub fn shown(bytes: &[u8], full: bool) -> &[u8] {
    if full { bytes } else { &bytes[..bytes.len().min(SHOWN_BYTES)] }
}

/// The bytes that a person typed: `\xHH` and `\\` stand for one each.
pub fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail
            .strip_prefix(b"x")
            .and_then(|t| std::str::from_utf8(t.get(..2)?).ok())
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (byte, hex, tail.first()) {
            (b'\\', Some(value), _) => {
                out.push(value);
                rest = &tail[3..];
            }
            (b'\\', None, Some(b'\\')) => {
                out.push(b'\\');
                rest = &tail[1..];
            }
            _ => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_escape_and_come_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(unescaped(&escaped(&all)), all);
        assert_eq!(unescaped("a\\x4"), b"a\\x4");
        assert_eq!(quoted(b"a\"\\\n\xff"), "\"a\\\"\\\\\\n\\xff\"");
    }

    #[test]
    fn numbers_agree_with_their_nouns() {
        assert_eq!(count(1, "batch") + &count(2, "batch") + &count(0, "effect"), "1 batch2 batches0 effects");
    }

    #[test]
    fn long_values_are_cut_and_say_so() {
        assert_eq!(value(b"ab", false), "\"ab\"");
        assert!(value(&[b'a'; 65], false).ends_with("… (65 bytes)"));
        assert_eq!(value(&[b'a'; 65], true).len(), 67);
    }
}
