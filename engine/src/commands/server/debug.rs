//! DEBUG: what tests need and what harms nobody.

use std::sync::atomic::Ordering::Relaxed;

use proto::resp::Replies;

use crate::commands::args::is;
use crate::commands::help;
use crate::core::{CheckpointError, key_digest};
use crate::number::parse_i64;
use crate::refusal::Refusal;
use crate::session::Call;

pub fn debug(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let allowed = match call.server.config.text("enable-debug-command").as_str() {
        "yes" => true,
        "local" => call.session.card().origin.local,
        _ => false,
    };
    if !allowed {
        return Err(Refusal::Text(
            "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it \
             from a local connection, otherwise you need to set this option in the configuration file, and then \
             restart the server.",
        ));
    }
    match &args[1..] {
        [word] if is(word, "help") => debug_help(reply),
        [word, seconds] if is(word, "sleep") => {
            let seconds = std::str::from_utf8(seconds).ok().and_then(|s| s.parse::<f64>().ok());
            let seconds = seconds.unwrap_or(0.0).clamp(0.0, 86_400.0);
            call.server.host().sleep_us((seconds * 1e6) as u64);
            reply.ok();
        }
        [word, on] if is(word, "set-active-expire") => {
            call.engine().active_expire.store(parse_i64(on).unwrap_or(0) != 0, Relaxed);
            reply.ok();
        }
        [word, key] if is(word, "object") => return object(call, key, reply),
        [word, name] if is(word, "corrupt") => {
            let done = call.with_key(name, |unit| {
                let key = unit.key(name);
                unit.damage(&key)
            });
            reply.integer(i64::from(done == Some(true)));
        }
        [word, text] if is(word, "error") => {
            return Err(Refusal::Quoted(String::from_utf8_lossy(text).into_owned()));
        }
        [word, ..]
            if call.in_transaction() && (is(word, "reload") || is(word, "loadaof") || is(word, "digest")) =>
        {
            return Err(Refusal::Text("ERR DEBUG RELOAD and DEBUG DIGEST cannot run inside a transaction"));
        }
        [word, options @ ..] if is(word, "reload") => return reload(call, options, reply),
        [word] if is(word, "loadaof") => return reload(call, &[b"nosave"], reply),
        [word] if is(word, "digest") => {
            let (digest, keys, _) = call.engine().digest(call.now_ms());
            let digest = if keys == 0 { 0 } else { digest };
            reply.simple(&format!("{digest:040x}"));
        }
        [word, keys @ ..] if is(word, "digest-value") && !call.in_transaction() => {
            reply.array(keys.len());
            for key in keys {
                let digest = call.with_key(key, |unit| {
                    unit.set_touch(false);
                    let key = unit.key(key);
                    let expiry_ms = unit.expiry(&key).and_then(|expiry| expiry.ms());
                    unit.value(&key).map_or(0, |value| key_digest(0, b"", &value, expiry_ms))
                });
                reply.simple(&format!("{:040x}", digest.unwrap_or(0)));
            }
        }
        [word, kind] if is(word, "protocol") => return protocol(kind, reply),
        [word, _] if is(word, "quicklist-packed-threshold") => reply.ok(),
        [word, _] if is(word, "set-skip-checksum-validation") => reply.ok(),
        [word, _] if is(word, "pause-cron") => reply.ok(),
        [word, ..] => return Err(Call::try_help(word, "DEBUG")),
        [] => return Err(Refusal::Arity("debug".into())),
    }
    Ok(())
}

fn object(call: &mut Call<'_>, name: &[u8], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let found = call.with_key(name, |unit| {
        unit.set_touch(false);
        let key = unit.key(name);
        let encoding = unit.encoding(&key)?;
        let idle = unit.idle_seconds(&key).unwrap_or(0);
        let bytes = unit.string(&key).ok().flatten().map_or(0, <[u8]>::len);
        unit.set_touch(true);
        Some(format!(
            "Value at:0x000000000000 refcount:1 encoding:{encoding} serializedlength:{} lru:0 lru_seconds_idle:{idle}",
            bytes + 1
        ))
    });
    match found.flatten() {
        Some(text) => reply.simple(&text),
        None => return Err(Refusal::NoSuchKey),
    }
    Ok(())
}

/// Saves unless told not to, then reads everything back as a start does. What an option would keep or merge is the same here.
fn reload(call: &mut Call<'_>, options: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let mut save = true;
    for option in options {
        match option {
            o if is(o, "nosave") => save = false,
            o if is(o, "noflush") || is(o, "merge") => {}
            _ => {
                return Err(Refusal::Text(
                    "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
                ));
            }
        }
    }
    let failed =
        |error: CheckpointError| Refusal::Quoted(format!("ERR Error trying to load the checkpoint: {error}"));
    if save {
        match call.server.checkpoint(&|| false) {
            // The one that runs is as good a beginning as ours; the log has the rest.
            Ok(_) | Err(CheckpointError::Busy | CheckpointError::Rebuilt) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    call.engine().reload().map_err(failed)?;
    reply.ok();
    Ok(())
}

/// One value of each type, for tests of clients.
fn protocol(kind: &[u8], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    match kind {
        k if is(k, "string") => reply.bulk(b"Hello World"),
        k if is(k, "integer") => reply.integer(12345),
        k if is(k, "double") => reply.double("3.141".parse().unwrap_or_default()),
        k if is(k, "null") => reply.null(),
        k if is(k, "array") => {
            reply.array(3);
            (0..3).for_each(|n| reply.integer(n));
        }
        k if is(k, "set") => {
            reply.set(3);
            (0..3).for_each(|n| reply.integer(n));
        }
        k if is(k, "map") => {
            reply.map(3);
            for n in 0..3 {
                reply.integer(n);
                reply.bool(n == 1);
            }
        }
        k if is(k, "verbatim") => reply.verbatim("txt", b"This is a verbatim\nstring"),
        k if is(k, "true") => reply.bool(true),
        k if is(k, "false") => reply.bool(false),
        _ => {
            return Err(Refusal::Text(
                "ERR Wrong protocol type name. Please use one of the following: string|integer|double|null|array|set|map|\
                 verbatim|true|false",
            ));
        }
    }
    Ok(())
}

fn debug_help(reply: &mut Replies<'_>) {
    help::answer(
        reply,
        "DEBUG",
        &[
            "CORRUPT <key>",
            "    Change a string in memory without an effect, to try out comparisons with peers.",
            "DIGEST",
            "    Output a hex signature representing the current DB content.",
            "DIGEST-VALUE <key> [<key> ...]",
            "    Output a hex signature of the values of all the specified keys.",
            "ERROR <string>",
            "    Return a Redis protocol error with <string> as message. Useful for clients",
            "    unit tests to simulate Redis errors.",
            "OBJECT <key>",
            "    Show low level info about `key` and associated value.",
            "PROTOCOL <type>",
            "    Reply with a test value of the specified type. <type> can be: string,",
            "    integer, double, null, array, set, map, verbatim, true, false.",
            "LOADAOF",
            "    Read the last checkpoint and the log after it back into memory.",
            "RELOAD [option ...]",
            "    Take a checkpoint (not with NOSAVE) and read it and the log after it back into",
            "    memory. NOFLUSH and MERGE are accepted and change nothing.",
            "SET-ACTIVE-EXPIRE <0|1>",
            "    Setting it to 0 disables expiring keys in background when they are not",
            "    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the",
            "    default.",
            "SLEEP <seconds>",
            "    Stop the server for <seconds>. Decimals allowed.",
        ],
    );
}
