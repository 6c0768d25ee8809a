//! ATOLL.TOKEN and ATOLL.WAIT: to read one's own writes on another node.
//!
//! A token is the frontier shown when it was asked for, as text that means nothing to clients:
//! `base64url(version, component count, (node, seq) …, checksum)`.

use proto::resp::Replies;
use proto::{Frontier, NodeId, Seq, varint};

use crate::commands::args::patience_ms;
use crate::core::Until;
use crate::refusal::Refusal;
use crate::session::Call;

const VERSION: u8 = 1;
const CHECKSUM_BYTES: usize = 4;
/// Of a token that is read, characters.
const TOKEN_MAX: usize = 1 << 20;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub fn token(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    // What is staged is in the log before the answer leaves.
    reply.bulk(encode(&call.engine().frontier_with_staged()).as_bytes());
    Ok(())
}

pub fn wait(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let frontier = decode(args[1]).ok_or(Refusal::Text(
        "ERR malformed token: pass on, unchanged, what ATOLL.TOKEN answered on a node of this version",
    ))?;
    let patience_ms = patience_ms(args[2])?;
    let until = Until::Shown(frontier);
    if call.block(until.clone(), patience_ms) {
        return Ok(());
    }
    let Until::Shown(frontier) = until else { unreachable!("made above") };
    let shown = call.engine().frontier_with_staged();
    if shown.covers(&frontier) {
        reply.ok();
        return Ok(());
    }
    let missing: u64 = frontier.iter().map(|(node, seq)| seq.0.saturating_sub(shown.seq(node).0)).sum();
    Err(Refusal::Quoted(format!(
        "BEHIND this node lacks {missing} effects that the token names: wait longer, or read where it was taken"
    )))
}

fn encode(frontier: &Frontier) -> String {
    let mut bytes = vec![VERSION];
    varint::put(&mut bytes, frontier.len() as u64);
    for (node, seq) in frontier.iter() {
        bytes.extend_from_slice(&node.0.to_le_bytes());
        varint::put(&mut bytes, seq.0);
    }
    bytes.extend_from_slice(&checksum(&bytes));
    let mut text = String::with_capacity(bytes.len() * 4 / 3 + 2);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, b| word << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        let digits = (0..=chunk.len()).map(|i| ALPHABET[(word >> (18 - 6 * i) & 63) as usize]);
        text.extend(digits.map(char::from));
    }
    text
}

fn decode(text: &[u8]) -> Option<Frontier> {
    if text.len() > TOKEN_MAX {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for chunk in text.chunks(4) {
        let mut word = 0;
        for c in chunk {
            word = word << 6 | ALPHABET.iter().position(|a| a == c)? as u32;
        }
        let whole = chunk.len().checked_sub(1).filter(|n| *n > 0)?;
        let word = word << (6 * (4 - chunk.len()));
        bytes.extend((0..whole).map(|i| (word >> (16 - 8 * i)) as u8));
    }
    let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM_BYTES)?)?;
    if checksum(body) != sum {
        return None;
    }
    let (version, mut rest) = body.split_first()?;
    let count = varint::take(&mut rest).filter(|_| *version == VERSION)?;
    let mut components = Vec::new();
    for _ in 0..count {
        let (node, after) = rest.split_first_chunk::<8>()?;
        rest = after;
        components.push((NodeId(u64::from_le_bytes(*node)), Seq(varint::take(&mut rest)?)));
    }
    // Sorted, or every insertion would move what is there.
    components.sort_unstable();
    rest.is_empty().then(|| components.into_iter().collect())
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    (xxhash_rust::xxh3::xxh3_64(bytes) as u32).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn law_a_token_is_read_back_and_any_change_of_it_is_refused(
            components in prop::collection::btree_map(1u64.., 0u64.., 0..6),
            at in any::<prop::sample::Index>(),
            other in any::<u8>(),
        ) {
            let frontier: Frontier = components.iter().map(|(n, s)| (NodeId(*n), Seq(*s))).collect();
            let text = encode(&frontier);
            let read = decode(text.as_bytes()).unwrap();
            prop_assert!(read.covers(&frontier) && frontier.covers(&read));
            let mut changed = text.into_bytes();
            let at = at.index(changed.len());
            let same = changed[at] == other;
            changed[at] = other;
            // The last digit may carry bits that no byte needs.
            prop_assume!(same || at + 1 < changed.len());
            prop_assert_eq!(decode(&changed).is_some(), same);
            prop_assert!(decode(&changed[..at]).is_none());
        }
    }

    #[test]
    fn nonsense_is_no_token() {
        for text in ["", "A", "AA", "hello", "AQAAAAAA", "****"] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }
}
