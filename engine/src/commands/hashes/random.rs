//! HRANDFIELD.

use proto::resp::Replies;

use crate::commands::args::{self, is};
use crate::commands::pick;
use crate::core::Unit;
use crate::refusal::Refusal;

pub fn hrandfield(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let Some((count, with_values)) = pick::options(&args[2..], |word| is(word, "withvalues"))? else {
        let key = unit.key(args[1]);
        let mut seed = unit.random();
        let mut random = move || args::splitmix(&mut seed);
        match unit.hash(&key)?.and_then(|hash| hash.random(&mut random)) {
            Some((field, _)) => reply.bulk(field),
            None => reply.null(),
        }
        return Ok(());
    };
    let bytes_max = unit.string_bytes_max();
    let key = unit.key(args[1]);
    let mut seed = unit.random();
    let mut random = move || args::splitmix(&mut seed);
    let Some(hash) = unit.hash(&key)? else {
        reply.array(0);
        return Ok(());
    };
    let write = |reply: &mut Replies<'_>, field: &[u8], value: &[u8]| {
        pick::pair(reply, with_values);
        reply.bulk(field);
        if with_values {
            reply.bulk(value);
        }
    };
    match usize::try_from(count) {
        // Negative: with repetition, exactly so many.
        Err(_) => {
            let start = reply.buffer().len();
            let n = pick::repeated(count, bytes_max)?;
            pick::header(reply, n, with_values);
            for _ in 0..n {
                if let Some((field, value)) = hash.random(&mut random) {
                    write(reply, field, value);
                }
                pick::bounded(reply, start, bytes_max)?;
            }
        }
        Ok(count) if count.saturating_mul(3) > hash.len() => {
            let mut all = Vec::with_capacity(hash.len());
            hash.for_each(|field, value| all.push((field, value)));
            let count = count.min(all.len());
            // All of them come as they lie.
            if count < all.len() {
                pick::shuffle(&mut all, count, &mut random);
            }
            pick::header(reply, count, with_values);
            all[..count].iter().for_each(|(field, value)| write(reply, field, value));
        }
        Ok(count) => {
            let mut chosen = std::collections::BTreeMap::new();
            while chosen.len() < count {
                chosen.extend(hash.random(&mut random));
            }
            pick::header(reply, count, with_values);
            chosen.into_iter().for_each(|(field, value)| write(reply, field, value));
        }
    }
    Ok(())
}
