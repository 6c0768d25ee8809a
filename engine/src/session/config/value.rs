//! Reading a setting's value: checked, and brought to the form in which CONFIG GET answers it.

use super::settings::Kind;
use crate::number::parse_i64;

/// The canonical text of a value, or Redis' words against it.
pub fn canonical(kind: Kind, value: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(value);
    match kind {
        Kind::Bool => {
            let known = ["yes", "no"].into_iter().find(|k| text.eq_ignore_ascii_case(k));
            known.map(String::from).ok_or_else(|| "argument must be 'yes' or 'no'".into())
        }
        Kind::Integer { min, max } => {
            let n = parse_i64(value).ok_or("argument couldn't be parsed into an integer")?;
            within(n, min, max)
        }
        Kind::Memory { min, max } => {
            let bytes = parse_bytes(value).ok_or("argument must be a memory value")?;
            within(i64::try_from(bytes).unwrap_or(i64::MAX), min, max)
        }
        Kind::Choice(words) => {
            let known = words.iter().find(|w| text.eq_ignore_ascii_case(w));
            known
                .map(|w| (*w).to_string())
                .ok_or_else(|| format!("argument(s) must be one of the following: {}", words.join(", ")))
        }
        Kind::Text => Ok(text.into_owned()),
        Kind::Save => save(&text).ok_or_else(|| "Invalid save parameters".into()),
        Kind::OutputLimits => output_limits(&text).map(|limits| limits_text(&limits)),
        Kind::Events => {
            let known = text.chars().all(|c| "Ag$lshzxeKEtmdn".contains(c));
            if known {
                return Ok(text.into_owned());
            }
            Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".into())
        }
    }
}

fn within(n: i64, min: i64, max: i64) -> Result<String, String> {
    if (min..=max).contains(&n) {
        return Ok(n.to_string());
    }
    Err(format!("argument must be between {min} and {max} inclusive"))
}

/// Bytes from a number with an optional unit: `k` is 1000, `kb` 1024, and so on.
pub fn parse_bytes(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let number = std::str::from_utf8(&text[..digits]).ok()?.parse::<u64>().ok()?;
    let unit = match text[digits..].to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit)
}

fn save(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    if !words.len().is_multiple_of(2) {
        return None;
    }
    for pair in words.chunks(2) {
        let (seconds, changes) = (pair[0].parse::<i64>().ok()?, pair[1].parse::<i64>().ok()?);
        if seconds < 1 || changes < 0 {
            return None;
        }
    }
    Some(words.join(" "))
}

/// Limits of one class of clients: bytes at once, bytes for so many seconds; 0 is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OutputLimit {
    pub hard: u64,
    pub soft: u64,
    pub seconds: u64,
}

const CLASSES: [&str; 3] = ["normal", "slave", "pubsub"];

/// Reads limits; classes not named are `None`.
pub fn output_limits(text: &str) -> Result<[Option<OutputLimit>; 3], String> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    if words.is_empty() || !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    let mut limits = [None; 3];
    for group in words.chunks(4) {
        let class = if group[0].eq_ignore_ascii_case("replica") { "slave" } else { group[0] };
        let at = CLASSES.iter().position(|c| c.eq_ignore_ascii_case(class));
        let at = at.ok_or("Invalid client class specified in buffer limit configuration.")?;
        let hard = parse_bytes(group[1].as_bytes());
        let soft = parse_bytes(group[2].as_bytes());
        let (Some(hard), Some(soft), Ok(seconds)) = (hard, soft, group[3].parse()) else {
            return Err("Error in hard, soft or soft_seconds setting in buffer limit configuration.".into());
        };
        limits[at] = Some(OutputLimit { hard, soft, seconds });
    }
    Ok(limits)
}

/// The text of limits; a class that is `None` is left out.
pub fn limits_text(limits: &[Option<OutputLimit>; 3]) -> String {
    let named = CLASSES.iter().zip(limits).filter_map(|(c, l)| l.map(|l| (c, l)));
    let parts: Vec<String> = named.map(|(c, l)| format!("{c} {} {} {}", l.hard, l.soft, l.seconds)).collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_units_are_decimal_without_b_and_binary_with() {
        let cases =
            [("1gb", Some(1 << 30)), ("2k", Some(2000)), ("3Mb", Some(3 << 20)), ("7", Some(7)), ("x", None)];
        for (text, bytes) in cases {
            assert_eq!(parse_bytes(text.as_bytes()), bytes, "{text}");
        }
        assert_eq!(parse_bytes(b"99999999999gb"), None);
    }

    #[test]
    fn refusals_are_in_redis_words() {
        let memory = Kind::Memory { min: 1 << 20, max: i64::MAX };
        assert_eq!(
            canonical(memory, b"1").unwrap_err(),
            "argument must be between 1048576 and 9223372036854775807 inclusive"
        );
        assert_eq!(canonical(Kind::Bool, b"maybe").unwrap_err(), "argument must be 'yes' or 'no'");
        assert_eq!(canonical(Kind::Save, b"900").unwrap_err(), "Invalid save parameters");
        assert_eq!(canonical(Kind::Save, b"900  1 60 1000").unwrap(), "900 1 60 1000");
    }

    #[test]
    fn output_limits_take_units_and_the_replica_alias() {
        let limits = output_limits("replica 1mb 512kb 60 normal 0 0 0").unwrap();
        assert_eq!(limits_text(&limits), "normal 0 0 0 slave 1048576 524288 60");
        assert!(output_limits("nobody 0 0 0").is_err());
    }
}
