//! Commands at random, from patterns by family.
//!
//! A pattern is words: `a|b` one of both, `?word` present half of the time (with all that hangs on it by `+`), `{k}` a drawn
//! argument, `*word` one to four times, `%word` often enough for a collection to leave its compact form. The drawn ones: `k`
//! key, `lex`, `hll` and `place` keys that one family has to itself, `bk` those with bits, `watched` the others, `span` of a box, `weight` what SORT looks up, `m` member, `q` one of many members, `v`
//! value, `n` integer, `bits` the same for a field of bits, `d` number, `s` end of a range of scores, `x` end of a range of bytes,
//! `e` id of a stream's entry, `r` end of a range of them, `i` place, `b` place of a bit, `w` width, `c` longitude, `l` latitude,
//! `ttl`, `at_s` and `at_ms` expiries that no run reaches, `no_ttl` what is none, `patience` of who waits, `glob` pattern of names, `db` database, `dump` what DUMP
//! of a key gives, see [`dump_of`].
//!
//! Now and then a command is spoiled: a word too many or too few.

mod families;

pub use families::FAMILIES;

use crate::random::Random;

/// Groups of the command table that read or write keys: all of them are drawn.
pub const DATA_GROUPS: [&str; 11] = [
    "string",
    "hash",
    "sorted-set",
    "set",
    "list",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "generic",
    "transactions",
];

/// Patterns of one family of commands.
pub struct Family {
    pub name: &'static str,
    pub patterns: &'static [&'static str],
}

const KEYS: [&str; 6] = ["a", "b", "c", "d", "key\0", "\u{e9}"];
/// Of so many commands one is spoiled.
const SPOILED_ONE_IN: u64 = 80;
/// `%`: so many at most.
const MANY: usize = 150;
/// Drawn now and then: a long one, and one with every kind of byte that needs care.
const ODD_KEYS: [&str; 2] = ["", "{k\r\n*?[]\\"];
const LONG_KEY_BYTES: usize = 70_000;
/// A drawn word that stands for what DUMP of the key behind it gives.
const DUMP_OF: &[u8] = b"dump of ";
const NUMBERS: [&str; 12] = [
    "0",
    "1",
    "-1",
    "2",
    "7",
    "100",
    "-128",
    "255",
    "65536",
    "9223372036854775807",
    "-9223372036854775808",
    "x",
];
const DOUBLES: [&str; 20] = [
    "0", "1", "-1", "2", "3", "0.5", "1.5", "-2.25", "1e3", "inf", "-inf", "0.1", "abc", "-0", "+5", "1e400",
    "0x10", " 1", "1 ", "",
];
const INTEGERS_ODD: [&str; 9] =
    ["x", "", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "1.0", " 1", "+1", "01"];

/// One argument of the kind.
fn draw(random: &mut Random, kind: &str) -> Vec<u8> {
    let pick = |random: &mut Random, of: &[&str]| of[random.index(of.len())].as_bytes().to_vec();
    match kind {
        "k" => match random.below(400) {
            0 => vec![b'K'; LONG_KEY_BYTES],
            1..3 => pick(random, &ODD_KEYS),
            _ => pick(random, &KEYS),
        },
        // A write of bits that changes none is a change to us: who watches a key is not told the same.
        "bk" => pick(random, &KEYS[..2]),
        "watched" => pick(random, &KEYS[2..]),
        "place" => pick(random, &["place1", "place2", "place3"]),
        "span" => pick(random, &["9000", "800", "1", "0", "-1", "x", "1e3"]),
        "lex" => pick(random, &["lex1", "lex2", "lex3"]),
        "hll" => pick(random, &["hll1", "hll2", "hll3", "hll4"]),
        "weight" => format!("w_m{}", random.below(9)).into_bytes(),
        "q" => format!("m{}", random.below(400)).into_bytes(),
        "ttl" => (1_000_000 + random.below(900_000_000)).to_string().into_bytes(),
        "no_ttl" => pick(random, &["0", "-1", "x", "", "1.5", "9223372036854775807", "-9223372036854775808"]),
        "at_s" => pick(random, &["9999999999", "9999999998", "8888888888"]),
        "at_ms" => pick(random, &["9999999999999", "9999999999000", "8888888888888"]),
        "patience" => pick(random, &["0.01", "0.01", "0.01", "-1", "x", "1e400"]),
        "glob" => pick(random, &["*", "m*", "?", "[a-c]", "m[^1-5]", "k*\\0", "v?", "", "[", "\\*"]),
        "db" => pick(random, &["0", "0", "0", "1", "1", "16", "-1", "x"]),
        "dump" => [DUMP_OF, &pick(random, &KEYS)].concat(),
        // Not the least of all: asked to saturate it, Redis' check overflows and gives the greatest.
        "bits" => match draw(random, "n") {
            n if n == b"-9223372036854775808" => b"-4611686018427387904".to_vec(),
            n => n,
        },
        "m" => match random.below(20) {
            0 => b"".to_vec(),
            1 => b"\x00\r\n\xff".to_vec(),
            2 => vec![b'm'; 70],
            n => format!("m{}", n % 9).into_bytes(),
        },
        "v" => match random.below(12) {
            0 => b"".to_vec(),
            1 => vec![b'v'; random.index(200)],
            2 => b"\xff\x00\x80".to_vec(),
            n => format!("v{n}").into_bytes(),
        },
        "n" => match random.below(3) {
            0 => pick(random, &NUMBERS),
            _ => (random.below(200) as i64 - 100).to_string().into_bytes(),
        },
        "d" => match random.below(60) {
            0 => b"nan".to_vec(),
            n if n < 30 => random.below(9).to_string().into_bytes(),
            _ => pick(random, &DOUBLES),
        },
        "s" => {
            let open = if random.below(4) == 0 { "(" } else { "" };
            let end = ["-inf", "+inf", "0", "1", "2", "3", "5", "1.5"][random.index(8)];
            format!("{open}{end}").into_bytes()
        }
        "e" => match random.below(20) {
            0 => pick(random, &["0-0", "abc", "-", "5-x", "18446744073709551615-18446744073709551615"]),
            1..4 => format!("{}", random.below(12)).into_bytes(),
            4..6 => format!("{}-*", random.below(12)).into_bytes(),
            _ => format!("{}-{}", random.below(12), random.below(5)).into_bytes(),
        },
        "r" => match random.below(6) {
            0 => b"-".to_vec(),
            1 => b"+".to_vec(),
            2 => format!("({}-{}", random.below(12), random.below(4)).into_bytes(),
            _ => format!("{}", random.below(12)).into_bytes(),
        },
        "x" => pick(random, &["-", "+", "[m1", "(m1", "[m5", "(m7", "[", "[m", "m"]),
        "i" => match random.below(30) {
            0 => pick(random, &INTEGERS_ODD),
            n => (n as i64 % 12 - 4).to_string().into_bytes(),
        },
        "b" => match random.below(6) {
            0 => pick(random, &["-1", "#1", "#3", "x", "4294967296"]),
            _ => random.below(100).to_string().into_bytes(),
        },
        "w" => pick(random, &["u1", "u8", "i8", "u5", "i16", "u63", "i64", "i5", "u64", "i1"]),
        "c" => format!("{:.4}", random.below(3_600_000) as f64 / 10_000.0 - 180.0).into_bytes(),
        _ => format!("{:.4}", random.below(1_700_000) as f64 / 10_000.0 - 85.0).into_bytes(),
    }
}

/// The key of which a word stands for the dump.
pub fn dump_of(word: &[u8]) -> Option<&[u8]> {
    word.strip_prefix(DUMP_OF)
}

/// Leaves a word out, says one twice, or adds one. Not of what may wait, it might do so for ever, nor of SPOP, which might draw.
fn spoil(random: &mut Random, command: &mut Vec<Vec<u8>>) {
    let may_wait =
        command[0].starts_with(b"B") && !command[0].starts_with(b"BIT") || command[0].starts_with(b"XREAD");
    if may_wait || command[0] == b"SPOP" || command.len() < 2 {
        return;
    }
    let at = 1 + random.index(command.len() - 1);
    match random.below(3) {
        0 => _ = command.remove(at),
        1 => command.insert(at, command[at].clone()),
        _ => command.push(b"x".to_vec()),
    }
}

/// One command of the families at random.
pub fn command(random: &mut Random, families: &[&Family]) -> Vec<Vec<u8>> {
    let family = families[random.index(families.len())];
    let pattern = family.patterns[random.index(family.patterns.len())];
    let mut out = Vec::new();
    for word in pattern.split(' ') {
        let (word, times) = match word.split_at_checked(1) {
            Some(("?", word)) if !word.is_empty() => (word, random.index(2)),
            Some(("*", word)) if !word.is_empty() => (word, 1 + random.index(4)),
            Some(("%", word)) if !word.is_empty() => (word, 1 + random.index(MANY)),
            _ => (word, 1),
        };
        for _ in 0..times {
            for part in word.split('+').filter(|part| !part.is_empty()) {
                let choices: Vec<&str> = part.split('|').collect();
                let chosen = choices[random.index(choices.len())];
                match chosen.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                    Some(kind) => out.push(draw(random, kind)),
                    None => out.push(chosen.as_bytes().to_vec()),
                }
            }
        }
    }
    if random.below(SPOILED_ONE_IN) == 0 {
        spoil(random, &mut out);
    }
    out
}
