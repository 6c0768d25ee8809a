//! Commands on the server.

mod command;
mod config;
mod debug;
mod docs;
mod info;
mod lolwut;
mod memory;
mod monitor;
mod persistence;

use proto::resp::Replies;

use crate::commands::args::is;
use crate::refusal::Refusal;
use crate::session::{Call, ShutdownRequest};

pub use command::{
    command, command_count, command_getkeys, command_getkeysandflags, command_help, command_info,
    command_list,
};
pub use config::{config_get, config_help, config_resetstat, config_rewrite, config_set};
pub use debug::debug;
pub use docs::command_docs;
pub use info::info;
pub use lolwut::lolwut;
pub use memory::{memory_doctor, memory_help, memory_malloc_stats, memory_purge, memory_stats, memory_usage};
pub use monitor::{
    latency_doctor, latency_graph, latency_help, latency_histogram, latency_history, latency_latest,
    latency_reset, slowlog_get, slowlog_help, slowlog_len, slowlog_reset,
};

pub use persistence::{bgrewriteaof, bgsave, lastsave, save};

pub fn time(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let us = call.server.host().unix_us();
    reply.array(2);
    reply.bulk_integer((us / 1_000_000) as i64);
    reply.bulk_integer((us % 1_000_000) as i64);
    Ok(())
}

/// Everything acknowledged is in the log already: SAVE only makes the next start faster, NOSAVE this stop.
pub fn shutdown(call: &mut Call<'_>, args: &[&[u8]], _: &mut Replies<'_>) -> Result<(), Refusal> {
    let mut request = ShutdownRequest::default();
    let (mut save, mut nosave, mut abort) = (false, false, false);
    for word in &args[1..] {
        match word {
            w if is(w, "save") => save = true,
            w if is(w, "nosave") => nosave = true,
            w if is(w, "now") => request.now = true,
            w if is(w, "force") => request.force = true,
            w if is(w, "abort") => abort = true,
            _ => return Err(Refusal::Syntax),
        }
    }
    if (abort && args.len() > 2) || (save && nosave) {
        return Err(Refusal::Syntax);
    }
    if abort {
        return Err(Refusal::Text("ERR No shutdown in progress."));
    }
    request.save = if save {
        Some(true)
    } else if nosave {
        Some(false)
    } else {
        None
    };
    call.server.host().shutdown(request);
    // The connection ends with the server, without an answer.
    call.session.closing = true;
    Ok(())
}
