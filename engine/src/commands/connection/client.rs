//! CLIENT's subcommands but KILL.

use std::sync::atomic::Ordering::Relaxed;

use proto::resp::Replies;

use super::help;
use crate::commands::args::{self, is};
use crate::number::parse_i64;
use crate::refusal::Refusal;
use crate::session::{Call, ReplyMode};

type Outcome = Result<(), Refusal>;

/// A client's name holds printable characters only, so that CLIENT LIST stays readable by machines.
pub(super) fn check_name(name: &[u8]) -> Outcome {
    if name.iter().all(|b| (b'!'..=b'~').contains(b)) {
        return Ok(());
    }
    Err(Refusal::Text("ERR Client names cannot contain spaces, newlines or special characters."))
}

pub fn client_id(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    reply.integer(call.session.client.id as i64);
    Ok(())
}

pub fn client_info(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    let line = call.session.client.describe(call.turn().now_ms) + "\n";
    reply.verbatim("txt", line.as_bytes());
    Ok(())
}

pub fn client_list(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    let all = call.server.clients().all();
    let mut wanted = None;
    let mut none = false;
    match &args[2..] {
        [] => {}
        [word, kind] if is(word, "type") => {
            let known = ["normal", "master", "slave", "replica", "pubsub"];
            match known.iter().find(|k| is(kind, k)) {
                Some(kind) => none = *kind != "normal",
                None => {
                    let kind = String::from_utf8_lossy(kind);
                    return Err(Refusal::Quoted(format!("ERR Unknown client type '{kind}'")));
                }
            }
        }
        [word, ids @ ..] if is(word, "id") && !ids.is_empty() => {
            let invalid = Refusal::Text("ERR Invalid client ID");
            let ids: Option<Vec<u64>> =
                ids.iter().map(|id| parse_i64(id).and_then(|id| u64::try_from(id).ok())).collect();
            wanted = Some(ids.ok_or(invalid)?);
        }
        _ => return Err(Refusal::Syntax),
    }
    let mut out = String::new();
    for client in all {
        if !none && wanted.as_ref().is_none_or(|ids| ids.contains(&client.id)) {
            out.push_str(&client.describe(call.turn().now_ms));
            out.push('\n');
        }
    }
    reply.verbatim("txt", out.as_bytes());
    Ok(())
}

pub fn client_getname(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    match call.session.client.name() {
        name if name.is_empty() => reply.null(),
        name => reply.bulk(name.as_bytes()),
    }
    Ok(())
}

pub fn client_setname(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    check_name(args[2])?;
    call.session.client.set_name(String::from_utf8_lossy(args[2]).into_owned());
    reply.ok();
    Ok(())
}

pub fn client_reply(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    match args[2] {
        word if is(word, "on") => {
            call.session.reply_mode = ReplyMode::On;
            reply.ok();
        }
        word if is(word, "off") => call.session.reply_mode = ReplyMode::Off,
        word if is(word, "skip") => {
            if call.session.reply_mode != ReplyMode::Off {
                call.session.reply_mode = ReplyMode::SkipNext;
            }
        }
        _ => return Err(Refusal::Syntax),
    }
    Ok(())
}

pub fn client_pause(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    let all = match args.get(3) {
        None => true,
        Some(word) if is(word, "all") => true,
        Some(word) if is(word, "write") => false,
        Some(_) => return Err(Refusal::Text("ERR CLIENT PAUSE mode must be WRITE or ALL")),
    };
    let not_integer = Refusal::Text("ERR timeout is not an integer or out of range");
    let ms = parse_i64(args[2]).ok_or(not_integer)?;
    if ms < 0 {
        return Err(Refusal::Text("ERR timeout is negative"));
    }
    let until_ms = call.turn().now_ms.saturating_add(ms as u64);
    call.server.pause(until_ms, all);
    reply.ok();
    Ok(())
}

pub fn client_unpause(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    call.server.unpause();
    reply.ok();
    Ok(())
}

pub fn client_no_evict(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    let on = match args[2] {
        word if is(word, "on") => true,
        word if is(word, "off") => false,
        _ => return Err(Refusal::Syntax),
    };
    call.session.client.no_evict.store(on, Relaxed);
    reply.ok();
    Ok(())
}

pub fn client_unblock(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    if let Some(word) = args.get(3)
        && !is(word, "timeout")
        && !is(word, "error")
    {
        return Err(Refusal::Text("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"));
    }
    args::integer(args[2])?;
    // No command blocks yet.
    let _ = call;
    reply.integer(0);
    Ok(())
}

const NO_TRACKING: Refusal =
    Refusal::Text("ERR client tracking is not available in this version of Atoll; see docs/commands.md");

pub fn client_tracking(_: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    match args[2] {
        word if is(word, "off") => {
            reply.ok();
            Ok(())
        }
        word if is(word, "on") => Err(NO_TRACKING),
        _ => Err(Refusal::Syntax),
    }
}

pub fn client_caching(_: &mut Call<'_>, _: &[&[u8]], _: &mut Replies<'_>) -> Outcome {
    Err(Refusal::Text(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
    ))
}

pub fn client_getredir(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    reply.integer(-1);
    Ok(())
}

pub fn client_trackinginfo(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
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

pub fn client_help(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    help(
        reply,
        "CLIENT",
        &[
            ("GETNAME", "Return the name of the current connection."),
            ("ID", "Return the ID of the current connection."),
            ("INFO", "Return information about the current client connection."),
            ("KILL <ip:port>", "Kill connection made from <ip:port>."),
            (
                "KILL <option> <value> [<option> <value> [...]]",
                "Kill connections by ID, TYPE, USER, ADDR, LADDR or SKIPME.",
            ),
            ("LIST [TYPE normal|...] [ID id ...]", "Return information about client connections."),
            ("NO-EVICT (ON|OFF)", "Protect current client connection from eviction."),
            (
                "PAUSE <timeout> [WRITE|ALL]",
                "Suspend all, or just write, clients for <timeout> milliseconds.",
            ),
            ("REPLY (ON|OFF|SKIP)", "Control the replies sent to the current connection."),
            ("SETNAME <name>", "Assign the name <name> to the current connection."),
            ("UNPAUSE", "Stop the current client pause, resuming traffic."),
        ],
    );
    Ok(())
}
