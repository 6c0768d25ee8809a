//! Requests as raw bytes: a template is copied and only its key digits and value bytes are written anew.

/// Keys are a prefix and twelve digits, as redis-benchmark writes them.
const DIGITS: usize = 12;
const VALUE_BYTES: usize = 32;
const MSET_KEYS: usize = 10;
const SETS: u64 = 10_000;
const MEMBERS: u64 = 1_000_000;
/// Collections that are read whole.
pub const RANGES: u64 = 1000;
/// Walks all residues of any modulus of the form 10^n that is larger, in an order with no locality.
const STRIDE: u64 = 618_033_988_749;
const NEW_KEYS: u64 = 1_000_000_000_000;

/// What a load consists of. `keys` is the number of distinct keys it draws from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Workload {
    Set {
        keys: u64,
    },
    Get {
        keys: u64,
    },
    Incr {
        keys: u64,
    },
    Mset {
        keys: u64,
    },
    /// Members drawn from a million, into ten thousand sets.
    Sadd,
    /// Fields drawn from a million, in ten thousand hashes.
    Hset,
    /// Members and scores drawn from a million, in ten thousand sorted sets.
    Zadd,
    /// As [`Workload::Zadd`], small increments.
    Zincrby,
    /// Values into ten thousand lists.
    Lpush,
    Rpush,
    /// Entries of one field, with ids that the server chooses, into ten thousand streams.
    Xadd,
    /// RPUSH to ten thousand lists in turn, scattered.
    FillLists,
    /// From the lists of [`Workload::FillLists`] in turn: as many requests as it had find something.
    Lpop,
    /// The hundred elements of one of a thousand lists.
    Lrange,
    /// The fifty fields of one of a thousand hashes.
    Hgetall,
    /// The hundred members of one of a thousand sorted sets.
    Zrange,
    /// Of two sets of ten thousand members, with a hundred in common.
    Sinter,
    /// Of two sorted sets of ten thousand members, with half of them in common.
    Zunionstore,
    /// Four GETs to one SET.
    Mixed {
        keys: u64,
    },
    /// SET of every one of `keys` keys once, in scattered order.
    FillStrings {
        keys: u64,
    },
    /// INCR of every one of `keys` counters once, in scattered order.
    FillCounters {
        keys: u64,
    },
    /// SET of keys that were never there, scattered over 10^12; different `from` give different keys.
    NewKeys {
        from: u64,
    },
}

/// The `index`-th key of [`Workload::NewKeys`].
pub fn new_key(index: u64) -> String {
    format!("new:{:012}", scatter(index))
}

fn scatter(index: u64) -> u64 {
    (u128::from(index) * u128::from(STRIDE) % u128::from(NEW_KEYS)) as u64
}

struct Template {
    bytes: Vec<u8>,
    /// Where twelve digits go, and what they are drawn from.
    numbers: Vec<(usize, Draw)>,
    values: Vec<usize>,
}

#[derive(Clone, Copy)]
enum Draw {
    Random(u64),
    Scattered(u64),
}

/// Writes one workload's requests, endlessly.
pub struct Requests {
    templates: Vec<Template>,
    /// Of 100 requests, how many use the first template.
    first_percent: u64,
    scattered: u64,
    random: Random,
}

impl Requests {
    pub fn new(workload: Workload, seed: u64) -> Requests {
        let set = |prefix, draw| Template::command("SET", 2).key(prefix, draw).value();
        let get = |keys| Template::command("GET", 1).key("key:", Draw::Random(keys));
        let incr = |draw| Template::command("INCR", 1).key("counter:", draw);
        let mut first_percent = 100;
        let mut scattered = 0;
        let templates = match workload {
            Workload::Set { keys } => vec![set("key:", Draw::Random(keys))],
            Workload::Get { keys } => vec![get(keys)],
            Workload::Incr { keys } => vec![incr(Draw::Random(keys))],
            Workload::Mset { keys } => {
                let start = Template::command("MSET", 2 * MSET_KEYS);
                vec![(0..MSET_KEYS).fold(start, |mset, _| mset.key("key:", Draw::Random(keys)).value())]
            }
            Workload::Sadd => {
                let start = Template::command("SADD", 2);
                vec![start.key("set:", Draw::Random(SETS)).key("member:", Draw::Random(MEMBERS))]
            }
            Workload::Hset => {
                let start = Template::command("HSET", 3).key("hash:", Draw::Random(SETS));
                vec![start.key("field:", Draw::Random(MEMBERS)).value()]
            }
            Workload::Zadd | Workload::Zincrby => {
                let (name, scores) = match workload {
                    Workload::Zadd => ("ZADD", MEMBERS),
                    _ => ("ZINCRBY", 100),
                };
                let start = Template::command(name, 3).key("zset:", Draw::Random(SETS));
                vec![start.key("", Draw::Random(scores)).key("member:", Draw::Random(MEMBERS))]
            }
            Workload::Lpush => vec![Template::command("LPUSH", 2).key("list:", Draw::Random(SETS)).value()],
            Workload::Rpush => vec![Template::command("RPUSH", 2).key("list:", Draw::Random(SETS)).value()],
            Workload::Xadd => {
                let start = Template::command("XADD", 4).key("stream:", Draw::Random(SETS));
                vec![start.word("*").word("field").value()]
            }
            Workload::FillLists => {
                vec![Template::command("RPUSH", 2).key("pop:", Draw::Scattered(SETS)).value()]
            }
            Workload::Lpop => vec![Template::command("LPOP", 1).key("pop:", Draw::Scattered(SETS))],
            Workload::Lrange => {
                let start = Template::command("LRANGE", 3).key("elements:", Draw::Random(RANGES));
                vec![start.word("0").word("99")]
            }
            Workload::Hgetall => vec![Template::command("HGETALL", 1).key("fields:", Draw::Random(RANGES))],
            Workload::Zrange => {
                let start = Template::command("ZRANGE", 3).key("members:", Draw::Random(RANGES));
                vec![start.word("0").word("99")]
            }
            Workload::Sinter => vec![Template::command("SINTER", 2).word("inter:a").word("inter:b")],
            Workload::Zunionstore => {
                let start = Template::command("ZUNIONSTORE", 4).word("union").word("2");
                vec![start.word("union:a").word("union:b")]
            }
            Workload::Mixed { keys } => {
                first_percent = 80;
                vec![get(keys), set("key:", Draw::Random(keys))]
            }
            Workload::FillStrings { keys } => vec![set("key:", Draw::Scattered(keys))],
            Workload::FillCounters { keys } => vec![incr(Draw::Scattered(keys))],
            Workload::NewKeys { from } => {
                scattered = scatter(from);
                vec![set("new:", Draw::Scattered(NEW_KEYS))]
            }
        };
        Requests { templates, first_percent, scattered, random: Random(seed | 1) }
    }

    /// Appends one request.
    #[inline]
    pub fn append(&mut self, out: &mut Vec<u8>) {
        let second = self.first_percent < 100 && self.random.below(100) >= self.first_percent;
        let template = &self.templates[usize::from(second)];
        let start = out.len();
        out.extend_from_slice(&template.bytes);
        let request = &mut out[start..];
        for (at, draw) in &template.numbers {
            let number = match draw {
                Draw::Random(space) => self.random.below(*space),
                Draw::Scattered(space) => {
                    let number = self.scattered;
                    self.scattered = (number + STRIDE % space) % space;
                    number
                }
            };
            write_digits(&mut request[*at..*at + DIGITS], number);
        }
        for at in &template.values {
            for chunk in request[*at..*at + VALUE_BYTES].chunks_exact_mut(8) {
                chunk.copy_from_slice(&self.random.next().to_le_bytes());
            }
        }
    }
}

impl Template {
    /// `name`, to be followed by `arguments` more words.
    fn command(name: &str, arguments: usize) -> Template {
        let bytes = format!("*{}\r\n${}\r\n{name}\r\n", 1 + arguments, name.len()).into_bytes();
        Template { bytes, numbers: Vec::new(), values: Vec::new() }
    }

    /// A word of `prefix` and twelve digits.
    fn key(mut self, prefix: &str, draw: Draw) -> Template {
        self.bytes.extend_from_slice(format!("${}\r\n{prefix}", prefix.len() + DIGITS).as_bytes());
        self.numbers.push((self.bytes.len(), draw));
        self.bytes.extend_from_slice(b"000000000000\r\n");
        self
    }

    /// A word that is always the same.
    fn word(mut self, word: &str) -> Template {
        self.bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
        self
    }

    /// A word of random bytes.
    fn value(mut self) -> Template {
        self.bytes.extend_from_slice(format!("${VALUE_BYTES}\r\n").as_bytes());
        self.values.push(self.bytes.len());
        self.bytes.extend_from_slice(&[b'v'; VALUE_BYTES]);
        self.bytes.extend_from_slice(b"\r\n");
        self
    }
}

/// Right-aligned decimal over zeros.
#[inline]
fn write_digits(out: &mut [u8], mut number: u64) {
    let mut at = out.len();
    while number > 0 && at > 0 {
        at -= 1;
        out[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// xorshift64*: cheap, and the same for the same seed.
struct Random(u64);

impl Random {
    #[inline]
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    #[inline]
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proto::resp::Value;

    use super::*;

    /// A request is itself an array of bulk strings, so the reply reader reads it.
    fn words(bytes: &[u8]) -> Vec<Vec<u8>> {
        let (value, length) = Value::decode(bytes).unwrap().unwrap();
        assert_eq!(length, bytes.len());
        let Value::Array(list) = value else { panic!("{value:?}") };
        list.into_iter()
            .map(|word| if let Value::Bulk(bytes) = word { bytes } else { panic!("{word:?}") })
            .collect()
    }

    fn one(requests: &mut Requests) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        requests.append(&mut out);
        words(&out)
    }

    #[test]
    fn requests_are_whole_commands_with_sixteen_byte_keys_and_32_byte_values() {
        let set = one(&mut Requests::new(Workload::Set { keys: 1000 }, 7));
        assert_eq!((set[0].as_slice(), set[1].len(), set[2].len(), set.len()), (&b"SET"[..], 16, 32, 3));
        let get = one(&mut Requests::new(Workload::Get { keys: 1000 }, 7));
        assert_eq!((get[0].as_slice(), get[1].len(), get.len()), (&b"GET"[..], 16, 2));
        let mset = one(&mut Requests::new(Workload::Mset { keys: 1000 }, 7));
        assert_eq!((mset[0].as_slice(), mset.len()), (&b"MSET"[..], 21));
        assert!(mset[1..].iter().step_by(2).all(|key| key.len() == 16 && key.starts_with(b"key:")));
        let sadd = one(&mut Requests::new(Workload::Sadd, 7));
        assert_eq!(
            (sadd[0].as_slice(), &sadd[1][..4], &sadd[2][..7], sadd.len()),
            (&b"SADD"[..], &b"set:"[..], &b"member:"[..], 3)
        );
        let xadd = one(&mut Requests::new(Workload::Xadd, 7));
        assert_eq!((xadd[0].as_slice(), xadd[2].as_slice(), xadd[4].len()), (&b"XADD"[..], &b"*"[..], 32));
    }

    #[test]
    fn a_fill_writes_every_key_once() {
        let mut requests = Requests::new(Workload::FillStrings { keys: 1000 }, 7);
        let keys: HashSet<Vec<u8>> = (0..1000).map(|_| one(&mut requests).swap_remove(1)).collect();
        assert_eq!(keys.len(), 1000);
        assert!(keys.contains(&b"key:000000000999"[..]));
    }

    #[test]
    fn new_keys_differ_for_ever_and_can_be_named_by_index() {
        let mut requests = Requests::new(Workload::NewKeys { from: 5 }, 7);
        let keys: Vec<Vec<u8>> = (0..1000).map(|_| one(&mut requests).swap_remove(1)).collect();
        for (at, key) in keys.iter().enumerate() {
            assert_eq!(new_key(5 + at as u64).as_bytes(), key);
        }
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 1000);
    }

    #[test]
    fn lists_are_popped_in_turn_as_they_were_filled() {
        let (mut fill, mut pop) = (Requests::new(Workload::FillLists, 7), Requests::new(Workload::Lpop, 7));
        let filled: HashSet<Vec<u8>> = (0..SETS).map(|_| one(&mut fill).swap_remove(1)).collect();
        let popped: HashSet<Vec<u8>> = (0..SETS).map(|_| one(&mut pop).swap_remove(1)).collect();
        assert_eq!((filled.len() as u64, &filled), (SETS, &popped));
        assert_eq!(one(&mut Requests::new(Workload::Lrange, 7))[2..], [b"0".to_vec(), b"99".to_vec()]);
    }

    #[test]
    fn the_mixed_load_reads_four_times_as_often_as_it_writes() {
        let mut requests = Requests::new(Workload::Mixed { keys: 1000 }, 7);
        let gets = (0..10_000).filter(|_| one(&mut requests)[0] == b"GET").count();
        assert!((7_700..8_300).contains(&gets), "{gets}");
    }

    #[test]
    fn random_keys_cover_their_space_and_stay_in_it() {
        let mut requests = Requests::new(Workload::Set { keys: 10 }, 7);
        let keys: HashSet<Vec<u8>> = (0..1000).map(|_| one(&mut requests).swap_remove(1)).collect();
        assert_eq!(keys.len(), 10);
    }
}
