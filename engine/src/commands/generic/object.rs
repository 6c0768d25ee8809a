//! OBJECT ENCODING, REFCOUNT, IDLETIME, FREQ, HELP.

use proto::resp::Replies;

use crate::commands::help;
use crate::core::Unit;
use crate::number::parse_i64;
use crate::refusal::Refusal;

fn of_key(
    unit: &mut Unit<'_>,
    args: &[&[u8]],
    reply: &mut Replies<'_>,
    answer: impl FnOnce(&mut Unit<'_>, &mut Replies<'_>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    unit.set_touch(false);
    let key = unit.key(args[2]);
    if unit.kind(&key).is_none() {
        reply.null();
        return Ok(());
    }
    answer(unit, reply)
}

pub fn object_encoding(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    of_key(unit, args, reply, |unit, reply| {
        let key = unit.key(args[2]);
        reply.bulk(unit.encoding(&key).unwrap_or_default().as_bytes());
        Ok(())
    })
}

pub fn object_refcount(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    of_key(unit, args, reply, |unit, reply| {
        // Redis shares the integers below 10,000, unless the text was built piecewise.
        let key = unit.key(args[2]);
        let integer = unit.encoding(&key) == Some("int");
        let shared = match unit.string(&key) {
            Ok(Some(text)) if integer => parse_i64(text).is_some_and(|n| (0..10_000).contains(&n)),
            _ => false,
        };
        reply.integer(if shared { i64::from(i32::MAX) } else { 1 });
        Ok(())
    })
}

pub fn object_idletime(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    of_key(unit, args, reply, |unit, reply| {
        if unit.counts_uses() {
            return Err(Refusal::Text(
                "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
            ));
        }
        let key = unit.key(args[2]);
        reply.integer(unit.idle_seconds(&key).unwrap_or(0) as i64);
        Ok(())
    })
}

pub fn object_freq(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    of_key(unit, args, reply, |unit, reply| {
        let key = unit.key(args[2]);
        if let Some(Some(count)) = unit.frequency(&key) {
            reply.integer(i64::from(count));
            return Ok(());
        }
        Err(Refusal::Text(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
        ))
    })
}

pub fn object_help(_: &mut Unit<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    help::answer(
        reply,
        "OBJECT",
        &[
            "ENCODING <key>",
            "    Return the kind of internal representation used in order to store the value",
            "    associated with a <key>.",
            "FREQ <key>",
            "    Return the access frequency index of the <key>. The returned integer is",
            "    proportional to the logarithm of the recent access frequency of the key.",
            "IDLETIME <key>",
            "    Return the idle time of the <key>, that is the approximated number of",
            "    seconds elapsed since the last access to the key.",
            "REFCOUNT <key>",
            "    Return the number of references of the value associated with the specified",
            "    <key>.",
        ],
    );
    Ok(())
}
