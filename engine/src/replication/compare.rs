//! What peers say to each other when they compare their states: questions and answers, as bytes.
//!
//! Who asks, when, and what follows is in [`crate::core`]; beacon carries the bytes without reading them.

use proto::{Frontier, NodeId, varint};

use crate::effect::record::{put_frontier, take_frontier};

/// Keys of one message at most.
pub const KEYS_MAX: usize = 4096;
/// Bytes of a text in a verdict.
const TEXT_MAX: usize = 256;

/// What a node asks of a peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Question {
    /// Is this the digest of your keys in `(after, upto]`? Keys that expire before `as_of_ms` do not count.
    Range { db: u32, after: Vec<u8>, upto: Vec<u8>, as_of_ms: u64, digest: u128 },
    /// What are these keys to you, once you have shown all of `frontier`?
    Probe { db: u32, as_of_ms: u64, frontier: Frontier, keys: Vec<Vec<u8>> },
    /// The key differed. `wins`: digest of the state that counts (`None`: no value), which `writer` writes anew.
    Verdict { db: u32, key: Vec<u8>, wins: Option<u128>, writer: NodeId, winner: String, loser: String },
}

/// What it is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Equal, or taken note of.
    Same,
    /// The keys there are and their digests, in key order; up to the last of them nothing is left out.
    Keys(Vec<(Vec<u8>, u128)>),
    /// Something of the frontier is not shown yet: ask again.
    NotYet,
    /// The digests asked for (`None`: no value), and what was shown when they were taken.
    Digests { frontier: Frontier, digests: Vec<Option<u128>> },
    /// Cannot be compared now.
    Skip,
}

fn put_digest(out: &mut Vec<u8>, digest: Option<u128>) {
    out.push(u8::from(digest.is_some()));
    out.extend_from_slice(&digest.unwrap_or(0).to_le_bytes());
}

fn take_digest(input: &mut &[u8]) -> Option<Option<u128>> {
    let (tag, rest) = input.split_first()?;
    let (bytes, rest) = rest.split_first_chunk::<16>()?;
    *input = rest;
    match tag {
        0 => Some(None),
        1 => Some(Some(u128::from_le_bytes(*bytes))),
        _ => None,
    }
}

fn take_count(input: &mut &[u8]) -> Option<usize> {
    usize::try_from(varint::take(input)?).ok().filter(|n| *n <= KEYS_MAX)
}

fn take_text(input: &mut &[u8]) -> Option<String> {
    let bytes = varint::take_bytes(input)?;
    (bytes.len() <= TEXT_MAX).then(|| String::from_utf8_lossy(bytes).into_owned())
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    let mut end = text.len().min(TEXT_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    varint::put_bytes(out, &text.as_bytes()[..end]);
}

impl Question {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Question::Range { db, after, upto, as_of_ms, digest } => {
                out.push(1);
                varint::put(&mut out, u64::from(*db));
                varint::put_bytes(&mut out, after);
                varint::put_bytes(&mut out, upto);
                varint::put(&mut out, *as_of_ms);
                put_digest(&mut out, Some(*digest));
            }
            Question::Probe { db, as_of_ms, frontier, keys } => {
                out.push(2);
                varint::put(&mut out, u64::from(*db));
                varint::put(&mut out, *as_of_ms);
                put_frontier(&mut out, frontier);
                varint::put(&mut out, keys.len() as u64);
                keys.iter().for_each(|key| varint::put_bytes(&mut out, key));
            }
            Question::Verdict { db, key, wins, writer, winner, loser } => {
                out.push(3);
                varint::put(&mut out, u64::from(*db));
                varint::put_bytes(&mut out, key);
                put_digest(&mut out, *wins);
                out.extend_from_slice(&writer.0.to_le_bytes());
                put_text(&mut out, winner);
                put_text(&mut out, loser);
            }
        }
        out
    }

    /// `None` for bytes that are no question.
    pub fn decode(mut input: &[u8]) -> Option<Question> {
        let input = &mut input;
        let (tag, rest) = input.split_first()?;
        *input = rest;
        let db = u32::try_from(varint::take(input)?).ok()?;
        let question = match tag {
            1 => Question::Range {
                db,
                after: varint::take_bytes(input)?.to_vec(),
                upto: varint::take_bytes(input)?.to_vec(),
                as_of_ms: varint::take(input)?,
                digest: take_digest(input)??,
            },
            2 => {
                let as_of_ms = varint::take(input)?;
                let frontier = take_frontier(input)?;
                let count = take_count(input)?;
                let keys = (0..count).map(|_| varint::take_bytes(input).map(<[u8]>::to_vec));
                Question::Probe { db, as_of_ms, frontier, keys: keys.collect::<Option<_>>()? }
            }
            3 => {
                let key = varint::take_bytes(input)?.to_vec();
                let wins = take_digest(input)?;
                let (writer, rest) = input.split_first_chunk::<8>()?;
                *input = rest;
                let writer = NodeId(u64::from_le_bytes(*writer));
                Question::Verdict {
                    db,
                    key,
                    wins,
                    writer,
                    winner: take_text(input)?,
                    loser: take_text(input)?,
                }
            }
            _ => return None,
        };
        input.is_empty().then_some(question)
    }
}

impl Answer {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Answer::Same => out.push(1),
            Answer::NotYet => out.push(2),
            Answer::Skip => out.push(3),
            Answer::Keys(keys) => {
                out.push(4);
                varint::put(&mut out, keys.len() as u64);
                for (key, digest) in keys {
                    varint::put_bytes(&mut out, key);
                    put_digest(&mut out, Some(*digest));
                }
            }
            Answer::Digests { frontier, digests } => {
                out.push(5);
                put_frontier(&mut out, frontier);
                varint::put(&mut out, digests.len() as u64);
                digests.iter().for_each(|digest| put_digest(&mut out, *digest));
            }
        }
        out
    }

    /// `None` for bytes that are no answer.
    pub fn decode(mut input: &[u8]) -> Option<Answer> {
        let input = &mut input;
        let (tag, rest) = input.split_first()?;
        *input = rest;
        let answer = match tag {
            1 => Answer::Same,
            2 => Answer::NotYet,
            3 => Answer::Skip,
            4 => {
                let count = take_count(input)?;
                let one = |_| Some((varint::take_bytes(input)?.to_vec(), take_digest(input)??));
                Answer::Keys((0..count).map(one).collect::<Option<_>>()?)
            }
            5 => {
                let frontier = take_frontier(input)?;
                let count = take_count(input)?;
                let digests = (0..count).map(|_| take_digest(input)).collect::<Option<_>>()?;
                Answer::Digests { frontier, digests }
            }
            _ => return None,
        };
        input.is_empty().then_some(answer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proto::Seq;

    use super::*;

    fn messages() -> (Vec<Question>, Vec<Answer>) {
        let frontier: Frontier = [(NodeId(3), Seq(9)), (NodeId(7), Seq(1 << 40))].into_iter().collect();
        let questions = vec![
            Question::Range { db: 3, after: b"a".to_vec(), upto: b"".to_vec(), as_of_ms: 5, digest: 7 },
            Question::Probe {
                db: 0,
                as_of_ms: 5,
                frontier: frontier.clone(),
                keys: vec![b"k".to_vec(), vec![]],
            },
            Question::Verdict {
                db: 1,
                key: b"k".to_vec(),
                wins: None,
                writer: NodeId(5),
                winner: "w".into(),
                loser: "l".into(),
            },
        ];
        let answers = vec![
            Answer::Same,
            Answer::NotYet,
            Answer::Skip,
            Answer::Keys(vec![(b"k".to_vec(), u128::MAX)]),
            Answer::Digests { frontier, digests: vec![None, Some(1)] },
        ];
        (questions, answers)
    }

    #[test]
    fn messages_are_read_back_and_cut_ones_refused() {
        let (questions, answers) = messages();
        for question in questions {
            let bytes = question.encode();
            assert!((0..bytes.len()).all(|end| Question::decode(&bytes[..end]).is_none()));
            assert_eq!(Question::decode(&bytes), Some(question));
        }
        for answer in answers {
            let bytes = answer.encode();
            assert!((0..bytes.len()).all(|end| Answer::decode(&bytes[..end]).is_none()));
            assert_eq!(Answer::decode(&bytes), Some(answer));
        }
    }

    proptest! {
        #[test]
        fn law_any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (Question::decode(&bytes), Answer::decode(&bytes));
        }
    }
}
