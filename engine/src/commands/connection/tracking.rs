//! CLIENT TRACKING and its kin, as on a server where no client tracks: client-side caching is not built yet.

use proto::resp::Replies;

use crate::commands::args::is;
use crate::refusal::Refusal;
use crate::session::Call;

pub fn client_tracking(_: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    match args[2] {
        word if is(word, "off") => reply.ok(),
        word if is(word, "on") => {
            return Err(Refusal::Text("ERR CLIENT TRACKING ON is not supported yet"));
        }
        _ => return Err(Refusal::Syntax),
    }
    Ok(())
}

pub fn client_trackinginfo(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(1);
    reply.bulk(b"off");
    reply.bulk(b"redirect");
    reply.integer(-1);
    reply.bulk(b"prefixes");
    reply.array(0);
    Ok(())
}

pub fn client_caching(_: &mut Call<'_>, _: &[&[u8]], _: &mut Replies<'_>) -> Result<(), Refusal> {
    Err(Refusal::Text(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
    ))
}

pub fn client_getredir(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    reply.integer(-1);
    Ok(())
}
