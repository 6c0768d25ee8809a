//! DEBUG: what tests and operators need of it.

use proto::resp::Replies;

use crate::commands::args::is;
use crate::commands::connection::help;
use crate::core::LockPlan;
use crate::refusal::Refusal;
use crate::session::Call;

/// Longest DEBUG SLEEP (ms): an hour.
const SLEEP_MS_MAX: f64 = 3_600_000.0;

pub fn debug(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    match &args[1..] {
        [word, seconds] if is(word, "sleep") => {
            let seconds: f64 = std::str::from_utf8(seconds).ok().and_then(|s| s.parse().ok()).unwrap_or(0.0);
            call.server.host().sleep_ms((seconds * 1000.0).clamp(0.0, SLEEP_MS_MAX) as u64);
            reply.ok();
        }
        [word, value] if is(word, "set-active-expire") => {
            let on = *value != b"0";
            call.engine().active_expire.store(on, std::sync::atomic::Ordering::Relaxed);
            reply.ok();
        }
        [word, key] if is(word, "object") => object(call, key, reply)?,
        [word, ..] if is(word, "help") => help(
            reply,
            "DEBUG",
            &[
                ("OBJECT <key>", "Show low level info about <key> and associated value."),
                ("SET-ACTIVE-EXPIRE <0|1>", "Setting it to 0 disables expiring keys in background."),
                ("SLEEP <seconds>", "Stop the server for <seconds>. Decimals allowed."),
            ],
        ),
        [word, ..] => {
            let word = String::from_utf8_lossy(word);
            return Err(Refusal::Quoted(format!(
                "ERR unknown subcommand or wrong number of arguments for '{word}'. Try DEBUG HELP."
            )));
        }
        [] => return Err(Refusal::Arity("debug".into())),
    }
    Ok(())
}

fn object(call: &mut Call<'_>, key: &[u8], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let engine = call.engine();
    let turn = call.turn();
    let mut unit = engine.begin(&turn, call.session.db, LockPlan::One(engine.key_hash(key)));
    unit.set_touch(false);
    let key = unit.key(key);
    let Some(encoding) = unit.encoding(&key) else { return Err(Refusal::NoSuchKey) };
    let idle = unit.idle_seconds(&key).unwrap_or(0);
    let len = match unit.value(&key) {
        Some(crate::state::value::ValueRef::String(bytes)) => bytes.len(),
        Some(crate::state::value::ValueRef::Set(set)) => set.heap_bytes(),
        None => 0,
    };
    reply.simple(&format!(
        "Value at:0x0 refcount:1 encoding:{encoding} serializedlength:{len} lru:{} lru_seconds_idle:{idle}",
        (turn.now_ms / 1000 - idle) & 0xff_ffff,
    ));
    Ok(())
}
