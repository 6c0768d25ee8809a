//! SAVE and its kin: checkpoints. The log is always on, so nothing that was acknowledged depends on them.

use proto::resp::Replies;

use crate::commands::args::is;
use crate::core::CheckpointError;
use crate::refusal::Refusal;
use crate::session::Call;

const BUSY: Refusal = Refusal::Text("ERR Background save already in progress");

pub fn save(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    match call.server.checkpoint(&|| false) {
        Ok(_) => {
            reply.ok();
            Ok(())
        }
        Err(CheckpointError::Busy) => Err(BUSY),
        Err(error) => Err(Refusal::Quoted(format!("ERR {error}"))),
    }
}

pub fn bgsave(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    if args.len() > 2 || args.get(1).is_some_and(|word| !is(word, "schedule")) {
        return Err(Refusal::Syntax);
    }
    if !call.engine().request_checkpoint() {
        return Err(BUSY);
    }
    reply.simple("Background saving started");
    Ok(())
}

/// A checkpoint is what shortens the log.
pub fn bgrewriteaof(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    if !call.engine().request_checkpoint() {
        return Err(Refusal::Text("ERR Background append only file rewriting already in progress"));
    }
    reply.simple("Background append only file rewriting started");
    Ok(())
}

pub fn lastsave(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let taken_ms = call.engine().checkpoint_status(call.now_ms()).taken_ms;
    let taken_ms = if taken_ms == 0 { call.server.started_ms } else { taken_ms };
    reply.integer((taken_ms / 1000) as i64);
    Ok(())
}
