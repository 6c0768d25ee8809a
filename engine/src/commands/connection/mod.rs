//! Commands on the connection itself.

mod auth;
mod client;
mod clients;
mod tracking;

use proto::resp::Replies;

use crate::commands::args;
use crate::refusal::Refusal;
use crate::session::Call;

pub use auth::{auth, hello};
pub use client::{
    client_getname, client_id, client_info, client_no_evict, client_no_touch, client_reply, client_setinfo,
    client_setname,
};
pub use clients::{client_help, client_kill, client_list, client_pause, client_unblock, client_unpause};
pub use tracking::{client_caching, client_getredir, client_tracking, client_trackinginfo};

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

pub fn reset(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    call.session.reset(call.server);
    reply.set_protocol(call.session.protocol);
    reply.simple("RESET");
    Ok(())
}

pub fn quit(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    call.session.closing = true;
    reply.ok();
    Ok(())
}
