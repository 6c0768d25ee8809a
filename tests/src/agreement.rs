//! When two servers' replies to one command agree: the same bytes, or the same but for what the command leaves open.
//!
//! What is left open: the order of elements that have none, elements drawn at random, how long something has been, and a few
//! facts that `docs/commands.md` says are told otherwise.

use proto::resp::Value;

/// Milliseconds by which two servers may see the same moment apart; also in seconds.
const APART_MS: i64 = 5000;
const APART_S: i64 = 5;
/// Integers past this are moments.
const MOMENT_MS: i64 = 100_000_000_000;
/// Where a HyperLogLog keeps its last estimate.
const ESTIMATE: std::ops::Range<usize> = 8..16;

/// True when the replies to a command, as bytes, agree. `queued`: for EXEC, the commands of the transaction.
pub fn agree(command: &[Vec<u8>], queued: &[Vec<Vec<u8>>], ours: &[u8], theirs: &[u8]) -> bool {
    if ours == theirs {
        return true;
    }
    let (Ok(Some((ours, _))), Ok(Some((theirs, _)))) = (Value::decode(ours), Value::decode(theirs)) else {
        return false;
    };
    match (ours, theirs) {
        (Value::Array(ours), Value::Array(theirs)) if name(command) == "EXEC" => {
            ours.len() == theirs.len()
                && ours.len() == queued.len()
                && queued.iter().zip(ours.iter().zip(&theirs)).all(|(of, (a, b))| a == b || same(of, a, b))
        }
        // Of one value in two forms, such as the two kinds of nil, one is wrong.
        (ours, theirs) => (ours != theirs || has_zero(&ours)) && same(command, &ours, &theirs),
    }
}

/// True when two replies are the same but for what the command leaves open; false when it leaves nothing open.
fn same(command: &[Vec<u8>], ours: &Value, theirs: &Value) -> bool {
    if let Some(apart) = apart(command) {
        return match (ours, theirs) {
            (Value::Integer(a), Value::Integer(b)) => a.min(b) >= &0 && (a - b).abs() <= apart || a == b,
            _ => false,
        };
    }
    // Redis 7.0 reads an error left behind by an earlier number out of range as one of its own: any list can be refused.
    if let (Value::Array(_), Value::Error(text), "SORT" | "SORT_RO") = (ours, theirs, &name(command)[..]) {
        return text.starts_with(b"ERR One or more scores can't be converted into double");
    }
    match normal(command) {
        Some(normal) => normal(ours.clone()) == normal(theirs.clone()),
        None => false,
    }
}

fn name(command: &[Vec<u8>]) -> String {
    String::from_utf8_lossy(&command[0]).to_ascii_uppercase()
}

fn has_word(command: &[Vec<u8>], word: &str) -> bool {
    command.iter().any(|w| w.eq_ignore_ascii_case(word.as_bytes()))
}

/// How far apart the answers of commands may be that tell of time.
fn apart(command: &[Vec<u8>]) -> Option<i64> {
    match name(command).as_str() {
        "TTL" | "EXPIRETIME" => Some(APART_S),
        "PTTL" | "PEXPIRETIME" => Some(APART_MS),
        "OBJECT" if has_word(command, "IDLETIME") => Some(APART_S),
        _ => None,
    }
}

/// Takes out of a reply what its command leaves open; `None` when that is nothing.
fn normal(command: &[Vec<u8>]) -> Option<fn(Value) -> Value> {
    let open: fn(Value) -> Value = match name(command).as_str() {
        "SMEMBERS" | "SUNION" | "SINTER" | "SDIFF" | "HKEYS" | "HVALS" | "KEYS" | "SPOP" => {
            |reply| sorted(reply, 1)
        }
        // Redis' comparison of texts ends at a zero byte.
        "SORT" | "SORT_RO" if has_word(command, "ALPHA") && has_word(command, "LIMIT") => shape,
        "SORT" | "SORT_RO" if has_word(command, "ALPHA") || has_word(command, "NOSORT") => {
            |reply| sorted(reply, 1)
        }
        // Of members at the same distance any may come first.
        "GEORADIUS" | "GEORADIUSBYMEMBER" | "GEORADIUS_RO" | "GEORADIUSBYMEMBER_RO" | "GEOSEARCH" => {
            |reply| sorted(reply, 1)
        }
        "HGETALL" => |reply| sorted(reply, 2),
        "SCAN" | "SSCAN" => |reply| scanned(reply, 1),
        "HSCAN" | "ZSCAN" => |reply| scanned(reply, 2),
        "RANDOMKEY" | "SRANDMEMBER" | "HRANDFIELD" | "ZRANDMEMBER" | "DUMP" => shape,
        "XPENDING" => without_idle,
        "XINFO" => without_moments,
        "GET" | "GETDEL" | "GETSET" | "MGET" | "SET" | "GETEX" => without_estimate,
        name if name.starts_with(['Z', 'G']) || name.starts_with("BZ") => without_sign_of_zero,
        _ => return None,
    };
    Some(open)
}

/// Holds a zero, which equals one with the other sign.
fn has_zero(reply: &Value) -> bool {
    match reply {
        Value::Double(n) => *n == 0.0,
        Value::Array(items) => items.iter().any(has_zero),
        _ => false,
    }
}

/// Redis keeps the sign of a score that is zero, but not in a sorted set in its compact form.
fn without_sign_of_zero(reply: Value) -> Value {
    match reply {
        Value::Bulk(text) if text == b"-0" => Value::Bulk(b"0".to_vec()),
        Value::Double(-0.0) => Value::Double(0.0),
        Value::Array(items) => Value::Array(items.into_iter().map(without_sign_of_zero).collect()),
        other => other,
    }
}

/// Elements, or groups of so many of them, in order.
fn sorted(reply: Value, group: usize) -> Value {
    match reply {
        Value::Array(items) | Value::Set(items) => {
            let mut groups: Vec<Vec<Value>> = items.chunks(group).map(<[Value]>::to_vec).collect();
            groups.sort_by_cached_key(|group| format!("{group:?}"));
            Value::Array(groups.concat())
        }
        Value::Map(mut pairs) => {
            pairs.sort_by_cached_key(|pair| format!("{pair:?}"));
            Value::Map(pairs)
        }
        other => other,
    }
}

/// A cursor and elements that come in no order.
fn scanned(reply: Value, group: usize) -> Value {
    match reply {
        Value::Array(mut parts) if parts.len() == 2 => {
            parts[1] = sorted(std::mem::replace(&mut parts[1], Value::Null), group);
            Value::Array(parts)
        }
        other => other,
    }
}

/// How many there are of what, but not which.
fn shape(reply: Value) -> Value {
    match reply {
        Value::Array(items) => Value::Array(items.into_iter().map(shape).collect()),
        Value::Bulk(_) => Value::Bulk(Vec::new()),
        Value::Double(_) => Value::Double(0.0),
        other => other,
    }
}

/// Entries of the long form of XPENDING without the third of their parts.
fn without_idle(reply: Value) -> Value {
    let Value::Array(items) = reply else { return reply };
    let entry = |item| match item {
        Value::Array(mut parts) if parts.len() == 4 => {
            parts.remove(2);
            Value::Array(parts)
        }
        other => other,
    };
    Value::Array(items.into_iter().map(entry).collect())
}

/// Without moments, times since, and how a stream's entries are held.
fn without_moments(reply: Value) -> Value {
    let open = |key: &Value| match key {
        Value::Bulk(key) => [&b"idle"[..], b"radix-tree-keys", b"radix-tree-nodes"].contains(&&key[..]),
        _ => false,
    };
    match reply {
        Value::Integer(n) if n > MOMENT_MS => Value::Integer(0),
        Value::Array(items) => {
            let mut out: Vec<Value> = Vec::with_capacity(items.len());
            for item in items {
                let hidden = matches!(item, Value::Integer(_)) && out.last().is_some_and(open);
                out.push(if hidden { Value::Null } else { without_moments(item) });
            }
            Value::Array(out)
        }
        Value::Map(pairs) => {
            let hide =
                |(key, value)| if open(&key) { (key, Value::Null) } else { (key, without_moments(value)) };
            Value::Map(pairs.into_iter().map(hide).collect())
        }
        other => other,
    }
}

/// HyperLogLogs without the estimate that Redis keeps in them.
fn without_estimate(reply: Value) -> Value {
    match reply {
        Value::Bulk(mut bytes) if bytes.starts_with(b"HYLL") && bytes.len() >= ESTIMATE.end => {
            bytes[ESTIMATE].fill(0);
            Value::Bulk(bytes)
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_estimate).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreed(command: &str, ours: &[u8], theirs: &[u8]) -> bool {
        let words: Vec<Vec<u8>> = command.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        agree(&words, &[vec![b"SMEMBERS".to_vec()]], ours, theirs)
    }

    #[test]
    fn only_what_a_command_leaves_open_may_differ() {
        let (ab, ba, ac) = (
            b"*2\r\n+a\r\n+b\r\n".as_slice(),
            b"*2\r\n+b\r\n+a\r\n".as_slice(),
            b"*2\r\n+a\r\n+c\r\n".as_slice(),
        );
        assert!(agreed("SMEMBERS s", ab, ba) && !agreed("SMEMBERS s", ab, ac) && !agreed("LRANGE l", ab, ba));
        assert!(agreed("TTL k", b":9\r\n", b":10\r\n") && !agreed("TTL k", b":-1\r\n", b":1\r\n"));
        assert!(!agreed("LLEN k", b":9\r\n", b":10\r\n"));
        let entry = |idle: &str| format!("*1\r\n*4\r\n+1-0\r\n+c\r\n:{idle}\r\n:1\r\n").into_bytes();
        assert!(agreed("XPENDING s g - + 1", &entry("7"), &entry("8")));
        let exec = |reply: &[u8]| [b"*1\r\n", reply].concat();
        assert!(agreed("EXEC", &exec(ab), &exec(ba)) && !agreed("EXEC", &exec(ab), &exec(ac)));
    }
}
