//! Commands on the connection itself.

mod auth;
mod client;
mod clients;
mod tracking;

use proto::resp::Replies;

use crate::commands::args::integer;
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
    let number = integer(args[1])?;
    let number = i32::try_from(number).map_err(|_| Refusal::NotInteger)?;
    let db = u32::try_from(number).ok().filter(|db| *db < call.engine().databases());
    call.session.db = db.ok_or(Refusal::DbIndexOutOfRange)?;
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
