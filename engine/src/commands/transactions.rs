//! MULTI, EXEC, DISCARD, WATCH, UNWATCH.

use std::sync::atomic::Ordering::Relaxed;

use proto::resp::Replies;

use super::spec::CommandSpec;
use crate::refusal::Refusal;
use crate::session::{Call, Transaction};

/// Refusals that do not break the transaction they happen in.
pub const NESTED: &str = "ERR MULTI calls can not be nested";
pub const WATCH_INSIDE: &str = "ERR WATCH inside MULTI is not allowed";

/// Commands that run inside MULTI instead of being queued.
pub fn runs_at_once(spec: &CommandSpec) -> bool {
    matches!(spec.name, "exec" | "discard" | "multi" | "watch" | "quit" | "reset")
}

pub fn multi(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    if call.session.transaction.is_some() {
        return Err(Refusal::Text(NESTED));
    }
    call.session.transaction = Some(Transaction::default());
    call.session.client.queued.store(0, Relaxed);
    reply.ok();
    Ok(())
}

pub fn exec(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let Some(transaction) = call.session.transaction.take() else {
        return Err(Refusal::Text("ERR EXEC without MULTI"));
    };
    call.session.client.queued.store(-1, Relaxed);
    let engine = call.engine().clone();
    if transaction.broken {
        call.session.unwatch(&engine);
        return Err(Refusal::Text("EXECABORT Transaction discarded because of previous errors."));
    }
    let turn = call.turn();
    let server = call.server;
    if call.session.run_queue(server, &turn, &transaction.queue, reply).is_none() {
        reply.null_array();
    }
    call.session.unwatch(&engine);
    Ok(())
}

pub fn discard(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    if call.session.transaction.take().is_none() {
        return Err(Refusal::Text("ERR DISCARD without MULTI"));
    }
    call.session.client.queued.store(-1, Relaxed);
    let engine = call.engine().clone();
    call.session.unwatch(&engine);
    reply.ok();
    Ok(())
}

pub fn watch(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    if call.session.transaction.is_some() {
        return Err(Refusal::Text(WATCH_INSIDE));
    }
    let flag = call.session.watch.get_or_insert_with(Default::default).clone();
    for key in &args[1..] {
        call.engine().watch(&call.turn(), call.session.db, key, &flag);
    }
    reply.ok();
    Ok(())
}

pub fn unwatch(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let engine = call.engine().clone();
    call.session.unwatch(&engine);
    reply.ok();
    Ok(())
}
