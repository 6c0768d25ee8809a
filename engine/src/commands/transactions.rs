//! MULTI, EXEC, DISCARD, WATCH, UNWATCH. The queue itself belongs to the session.

use proto::resp::Replies;

use crate::refusal::Refusal;
use crate::session::{Call, run_exec};

pub fn multi(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    call.session.begin_multi()?;
    reply.ok();
    Ok(())
}

pub fn exec(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    run_exec(call, reply)
}

pub fn discard(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    if !call.session.in_multi() {
        return Err(Refusal::Text("ERR DISCARD without MULTI"));
    }
    call.session.discard(call.server);
    reply.ok();
    Ok(())
}

pub fn watch(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let turn = *call.turn();
    call.session.watch(call.server, &turn, &args[1..])?;
    reply.ok();
    Ok(())
}

/// Inside EXEC the watches are already gone.
pub fn unwatch(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    call.session.unwatch(call.server);
    reply.ok();
    Ok(())
}
