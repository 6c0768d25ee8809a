//! Bytes as printable text and back.

const RUN_MIN: usize = 64;

/// `\r \n \\ \xHH`, and `\{300*x}` for a long run of one byte.
pub fn escape(bytes: &[u8]) -> String {
    let mut out = String::new();
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        let run = rest.iter().take_while(|b| *b == first).count();
        if run >= RUN_MIN {
            out.push_str(&format!("\\{{{run}*{}}}", one(*first)));
            rest = &rest[run..];
        } else {
            out.push_str(&one(*first));
            rest = &rest[1..];
        }
    }
    out
}

fn one(byte: u8) -> String {
    match byte {
        b'\r' => "\\r".into(),
        b'\n' => "\\n".into(),
        b'\\' => "\\\\".into(),
        b' '..=b'~' => char::from(byte).into(),
        _ => format!("\\x{byte:02x}"),
    }
}

/// The inverse of [`escape`].
pub fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        let Some((kind, tail)) = rest.split_first() else { return Err("text ends in a backslash".into()) };
        rest = tail;
        match kind {
            b'r' => out.push(b'\r'),
            b'n' => out.push(b'\n'),
            b'\\' => out.push(b'\\'),
            b'x' => {
                let hex = rest.get(..2).and_then(|h| std::str::from_utf8(h).ok());
                let byte = hex.and_then(|h| u8::from_str_radix(h, 16).ok()).ok_or("bad \\x escape")?;
                out.push(byte);
                rest = &rest[2..];
            }
            b'{' => {
                let end = rest.iter().position(|b| *b == b'}').ok_or("unclosed \\{")?;
                let inner = std::str::from_utf8(&rest[..end]).map_err(|_| "bad \\{")?;
                let (count, unit) = inner.split_once('*').ok_or("\\{ without *")?;
                let count: usize = count.parse().map_err(|_| "bad count in \\{")?;
                out.extend(unescape(unit)?.repeat(count));
                rest = &rest[end + 1..];
            }
            other => return Err(format!("unknown escape \\{}", char::from(*other))),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_and_long_runs_survive_the_round_trip() {
        let all: Vec<u8> = (0..=255).collect();
        let run = [b"a".repeat(63), vec![b'\\'; 64], vec![0; 70_000], b"tail".to_vec()].concat();
        for bytes in [all, run, Vec::new()] {
            assert_eq!(unescape(&escape(&bytes)).unwrap(), bytes);
        }
        assert_eq!(escape(&[b'x'; 65]), "\\{65*x}");
        assert!(unescape("\\q").is_err());
    }
}
