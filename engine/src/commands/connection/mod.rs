//! Commands about the connection.

mod client;
mod hello;
mod kill;

use proto::resp::{Protocol, Replies};

use super::args;
use crate::refusal::Refusal;
use crate::session::{Call, ReplyMode};

pub use client::{
    client_caching, client_getname, client_getredir, client_help, client_id, client_info, client_list,
    client_no_evict, client_pause, client_reply, client_setname, client_tracking, client_trackinginfo,
    client_unblock, client_unpause,
};
pub use hello::{auth, hello};
pub use kill::client_kill;

pub fn ping(_: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    match args {
        [_] => reply.simple("PONG"),
        [_, message] => reply.bulk(message),
        _ => return Err(Refusal::Arity("ping".into())),
    }
    Ok(())
}

pub fn echo(_: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    reply.bulk(args[1]);
    Ok(())
}

pub fn select(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    call.session.db = args::database(args[1], u64::from(call.engine().databases()))? as u32;
    reply.ok();
    Ok(())
}

pub fn quit(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    call.session.closing = true;
    reply.ok();
    Ok(())
}

pub fn reset(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let engine = call.engine().clone();
    let session = &mut *call.session;
    session.transaction = None;
    session.client.queued.store(-1, std::sync::atomic::Ordering::Relaxed);
    session.unwatch(&engine);
    session.protocol = Protocol::Resp2;
    session.client.resp3.store(false, std::sync::atomic::Ordering::Relaxed);
    session.client.set_name(String::new());
    session.client.no_evict.store(false, std::sync::atomic::Ordering::Relaxed);
    session.reply_mode = ReplyMode::On;
    session.db = 0;
    session.authenticated = call.server.password().is_none();
    reply.set_protocol(Protocol::Resp2);
    reply.simple("RESET");
    Ok(())
}

/// The answer of a container's HELP, as Redis lays it out.
pub(in crate::commands) fn help(reply: &mut Replies<'_>, name: &str, lines: &[(&str, &str)]) {
    reply.array(lines.len() * 2 + 3);
    reply.simple(&format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    for (usage, what) in lines {
        reply.simple(usage);
        reply.simple(&format!("    {what}"));
    }
    reply.simple("HELP");
    reply.simple("    Prints this help.");
}
