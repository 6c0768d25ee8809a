//! Whether a reply is the one that was recorded.

use proto::resp::{Value, inline};

use super::text::{escape, unescape};

/// What came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Got {
    Reply(Vec<u8>),
    Closed,
    Nothing,
}

impl std::fmt::Display for Got {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Got::Reply(bytes) => f.write_str(&escape(bytes)),
            Got::Closed => f.write_str("(the connection was closed)"),
            Got::Nothing => f.write_str("(no reply)"),
        }
    }
}

/// One expected reply: the rule's word (empty for an exact reply) and the text after it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Matcher {
    pub rule: String,
    pub text: String,
}

impl Matcher {
    /// A recorded reply replaces the text of these; the others are written by hand.
    pub fn is_recorded(&self) -> bool {
        matches!(self.rule.as_str(), "" | "unordered" | "deep" | "docs")
    }

    /// Checks a reply; the error says why it does not fit.
    pub fn check(&self, got: &Got) -> Result<(), String> {
        let reply = match (self.rule.as_str(), got) {
            ("!closed", Got::Closed) | ("!none", Got::Nothing) => return Ok(()),
            ("!closed" | "!none", _) | (_, Got::Closed | Got::Nothing) => return Err("differs".into()),
            (_, Got::Reply(reply)) => reply,
        };
        let fits = match self.rule.as_str() {
            "" => *reply == unescape(&self.text)?,
            "unordered" => sorted(decode(&unescape(&self.text)?)?, false) == sorted(decode(reply)?, false),
            "deep" => sorted(decode(&unescape(&self.text)?)?, true) == sorted(decode(reply)?, true),
            "docs" => worded(decode(&unescape(&self.text)?)?) == worded(decode(reply)?),
            "int" => in_range(&self.text, reply)?,
            "is" => self.text.split('|').any(|kind| kind.trim() == kind_of(reply)),
            "oneof" => {
                let options: Result<Vec<_>, _> = self.text.split(" | ").map(unescape).collect();
                options?.contains(reply)
            }
            "pick" => drawn(&self.text, reply, true)?,
            "draw" => drawn(&self.text, reply, false)?,
            "like" => like(self.text.as_bytes(), escape(reply).as_bytes()),
            "capture" => matches!(decode(reply)?, Value::Integer(_)),
            rule => return Err(format!("no such matcher: {rule}")),
        };
        if fits { Ok(()) } else { Err("differs".into()) }
    }
}

fn decode(reply: &[u8]) -> Result<Value, String> {
    match Value::decode(reply) {
        Ok(Some((value, len))) if len == reply.len() => Ok(value),
        Ok(_) => Err("not one whole reply".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn kind_of(reply: &[u8]) -> &'static str {
    match decode(reply) {
        Ok(Value::Simple(_)) => "simple",
        Ok(Value::Error(_)) => "error",
        Ok(Value::Integer(_)) => "integer",
        Ok(Value::Bulk(_)) => "bulk",
        Ok(Value::Null) => "null",
        Ok(Value::Array(_)) => "array",
        Ok(Value::Map(_)) => "map",
        Ok(Value::Set(_)) => "set",
        Ok(Value::Push(_)) => "push",
        Ok(Value::Double(_)) => "double",
        Ok(Value::Bool(_)) => "bool",
        Ok(Value::BigNumber(_)) => "number",
        Ok(Value::Verbatim(..)) => "verbatim",
        Err(_) => "malformed",
    }
}

/// Sorts the items of the outermost list, or of all lists.
fn sorted(value: Value, deep: bool) -> Value {
    let inner = |v: Value| if deep { sorted(v, true) } else { v };
    let list = |items: Vec<Value>| {
        let mut items: Vec<Value> = items.into_iter().map(inner).collect();
        items.sort_by_cached_key(|v| format!("{v:?}"));
        items
    };
    match value {
        Value::Array(items) => Value::Array(list(items)),
        Value::Set(items) => Value::Set(list(items)),
        Value::Map(pairs) => {
            let mut pairs: Vec<_> = pairs.into_iter().map(|(k, v)| (k, inner(v))).collect();
            pairs.sort_by_cached_key(|v| format!("{v:?}"));
            Value::Map(pairs)
        }
        other => other,
    }
}

/// COMMAND DOCS without its prose: summaries are our own, and the history of a command is Redis'.
fn worded(value: Value) -> Value {
    let is = |v: &Value, word: &str| matches!(v, Value::Bulk(bytes) if bytes == word.as_bytes());
    let prose = |key: &Value| ["summary", "history", "complexity"].iter().any(|word| is(key, word));
    match value {
        Value::Map(pairs) => {
            let kept = pairs.into_iter().filter(|(key, _)| !prose(key));
            Value::Map(kept.map(|(key, value)| (key, worded(value))).collect())
        }
        Value::Array(items) => {
            let mut kept = Vec::new();
            let mut items = items.into_iter();
            while let Some(item) = items.next() {
                if prose(&item) {
                    items.next();
                } else {
                    kept.push(worded(item));
                }
            }
            Value::Array(kept)
        }
        other => other,
    }
}

fn in_range(text: &str, reply: &[u8]) -> Result<bool, String> {
    let bounds = text.split_once("..").ok_or("int needs a range")?;
    let low: i64 = bounds.0.parse().map_err(|_| "bad range")?;
    let high: i64 = bounds.1.parse().map_err(|_| "bad range")?;
    Ok(matches!(decode(reply)?, Value::Integer(n) if (low..=high).contains(&n)))
}

/// `count word…`: a list of `count` of the words, all different or not.
fn drawn(text: &str, reply: &[u8], distinct: bool) -> Result<bool, String> {
    let mut words = Vec::new();
    inline::split(text.as_bytes(), |w| words.push(w.to_vec())).ok_or("unbalanced quotes")?;
    let (count, pool) = words.split_first().ok_or("pick needs a count")?;
    let count: usize = std::str::from_utf8(count).ok().and_then(|c| c.parse().ok()).ok_or("bad count")?;
    let (Value::Array(items) | Value::Set(items)) = decode(reply)? else { return Ok(false) };
    let known = |v: &Value| matches!(v, Value::Bulk(bytes) if pool.contains(bytes));
    let repeated = (1..items.len()).any(|i| items[..i].contains(&items[i]));
    Ok(items.len() == count && items.iter().all(known) && !(distinct && repeated))
}

/// `%d` a number, `%s` a run without blanks, `%*` anything, `%%` a percent sign.
fn like(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'%', b'%', rest @ ..] => text.first() == Some(&b'%') && like(rest, &text[1..]),
        [b'%', kind @ (b'd' | b's' | b'*'), rest @ ..] => {
            let allowed = |b: &u8| match kind {
                b'd' => b.is_ascii_digit() || *b == b'-' || *b == b'.',
                b's' => *b != b' ' && *b != b'\\',
                _ => true,
            };
            let longest = text.iter().take_while(|b| allowed(b)).count();
            let shortest = usize::from(*kind == b'd');
            (shortest..=longest).rev().any(|len| like(rest, &text[len..]))
        }
        [first, rest @ ..] => text.first() == Some(first) && like(rest, &text[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(rule: &str, text: &str, reply: &str) -> bool {
        let matcher = Matcher { rule: rule.into(), text: text.into() };
        matcher.check(&Got::Reply(unescape(reply).unwrap())).is_ok()
    }

    #[test]
    fn matchers_accept_only_what_they_say() {
        assert!(fits("", "+OK\\r\\n", "+OK\\r\\n") && !fits("", "+OK\\r\\n", "+KO\\r\\n"));
        assert!(fits("unordered", "*2\\r\\n:1\\r\\n:2\\r\\n", "*2\\r\\n:2\\r\\n:1\\r\\n"));
        assert!(!fits("unordered", "*2\\r\\n:1\\r\\n:2\\r\\n", "~2\\r\\n:2\\r\\n:1\\r\\n"));
        assert!(!fits("unordered", "*2\\r\\n:1\\r\\n:2\\r\\n", "*2\\r\\n:2\\r\\n:2\\r\\n"));
        let documented =
            |text: &str| format!("*3\\r\\n$7\\r\\nsummary\\r\\n${}\\r\\n{text}\\r\\n:1\\r\\n", text.len());
        assert!(fits("docs", &documented("Some words"), &documented("Others")));
        assert!(!fits("docs", "*1\\r\\n:2\\r\\n", "*1\\r\\n:1\\r\\n"));
        assert!(fits("int", "99..100", ":99\\r\\n") && !fits("int", "99..100", ":98\\r\\n"));
        assert!(fits("is", "bulk | null", "$-1\\r\\n") && !fits("is", "bulk", ":1\\r\\n"));
        assert!(
            fits("oneof", ":1\\r\\n | :2\\r\\n", ":2\\r\\n")
                && !fits("oneof", ":1\\r\\n | :2\\r\\n", ":3\\r\\n")
        );
        assert!(fits("pick", "1 a b", "*1\\r\\n$1\\r\\nb\\r\\n"));
        assert!(!fits("pick", "2 a b", "*2\\r\\n$1\\r\\nb\\r\\n$1\\r\\nb\\r\\n"));
        assert!(fits("draw", "2 a b", "*2\\r\\n$1\\r\\nb\\r\\n$1\\r\\nb\\r\\n"));
        assert!(fits("like", "+id=%d name=%s x%*\\r\\n", "+id=12 name= xyz w\\r\\n"));
        assert!(!fits("like", "+id=%d\\r\\n", "+id=\\r\\n"));
    }
}
