//! CLIENT on other connections: LIST, KILL, PAUSE, UNPAUSE, UNBLOCK, and HELP.

use proto::resp::Replies;

use crate::commands::args::{integer, is};
use crate::number::parse_i64;
use crate::refusal::Refusal;
use crate::session::{Call, Filter, Paused, Unblock};

/// TYPE: the types exist, but every client here is a normal one.
fn typed(filter: &mut Filter, word: &[u8]) -> Result<(), Refusal> {
    let known = ["normal", "master", "replica", "slave", "pubsub"].into_iter().find(|t| is(word, t));
    let Some(known) = known else {
        let word = String::from_utf8_lossy(word);
        return Err(Refusal::Quoted(format!("ERR Unknown client type '{word}'")));
    };
    filter.none |= known != "normal";
    Ok(())
}

pub fn client_list(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let mut filter = Filter::default();
    match &args[2..] {
        [] => {}
        [word, kind] if is(word, "type") => typed(&mut filter, kind)?,
        [word, ids @ ..] if is(word, "id") && !ids.is_empty() => {
            let id = |arg: &&[u8]| parse_i64(arg).map(|id| u64::try_from(id).unwrap_or(0));
            let ids: Option<Vec<u64>> = ids.iter().map(id).collect();
            filter.ids = Some(ids.ok_or(Refusal::Text("ERR Invalid client ID"))?);
        }
        _ => return Err(Refusal::Syntax),
    }
    let mut text = String::new();
    call.session.card().published.lock().running(args);
    for card in call.server.clients.select(&filter) {
        card.describe(call.now_ms(), &mut text);
        text.push('\n');
    }
    call.session.card().published.lock().ran();
    reply.verbatim("txt", text.as_bytes());
    Ok(())
}

pub fn client_kill(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let old_form = args.len() == 3;
    let mut filter = Filter::default();
    let mut skip_me = true;
    if old_form {
        filter.addr = Some(args[2].to_vec());
        skip_me = false;
    } else {
        let mut options = args[2..].chunks_exact(2);
        if !options.remainder().is_empty() {
            return Err(Refusal::Syntax);
        }
        for option in &mut options {
            let (word, value) = (option[0], option[1]);
            if is(word, "id") {
                let id = parse_i64(value).filter(|id| *id >= 1);
                let id = id.ok_or(Refusal::Text("ERR client-id should be greater than 0"))?;
                filter.id = Some(id as u64);
            } else if is(word, "type") {
                typed(&mut filter, value)?;
            } else if is(word, "addr") {
                filter.addr = Some(value.to_vec());
            } else if is(word, "laddr") {
                filter.laddr = Some(value.to_vec());
            } else if is(word, "user") {
                if value != b"default" {
                    let value = String::from_utf8_lossy(value);
                    return Err(Refusal::Quoted(format!("ERR No such user '{value}'")));
                }
            } else if is(word, "skipme") {
                skip_me = match value {
                    v if is(v, "yes") => true,
                    v if is(v, "no") => false,
                    _ => return Err(Refusal::Syntax),
                };
            } else {
                return Err(Refusal::Syntax);
            }
        }
    }
    filter.skip = skip_me.then(|| call.session.id());
    let killed = call.server.clients.select(&filter);
    for card in &killed {
        if card.id == call.session.id() {
            call.session.closing = true;
        } else {
            card.kill();
            call.server.host().killed(card.origin.reactor);
        }
    }
    match (old_form, killed.len()) {
        (true, 0) => return Err(Refusal::Text("ERR No such client")),
        (true, _) => reply.ok(),
        (false, count) => reply.integer(count as i64),
    }
    Ok(())
}

pub fn client_pause(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    if args.len() > 4 {
        return Err(Refusal::Text(
            "ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP.",
        ));
    }
    let paused = match args.get(3) {
        None => Paused::All,
        Some(word) if is(word, "all") => Paused::All,
        Some(word) if is(word, "write") => Paused::Writes,
        Some(_) => return Err(Refusal::Text("ERR CLIENT PAUSE mode must be WRITE or ALL")),
    };
    let ms = parse_i64(args[2]).ok_or(Refusal::Text("ERR timeout is not an integer or out of range"))?;
    let ms = u64::try_from(ms).map_err(|_| Refusal::Text("ERR timeout is negative"))?;
    let until_ms = call.now_ms().checked_add(ms);
    let until_ms = until_ms.ok_or(Refusal::Text("ERR timeout is out of range"))?;
    call.server.pause(until_ms, paused, call.now_ms());
    reply.ok();
    Ok(())
}

pub fn client_unpause(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    call.server.unpause();
    reply.ok();
    Ok(())
}

pub fn client_unblock(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let how = match &args[3..] {
        [] => Unblock::Timeout,
        [reason] if is(reason, "timeout") => Unblock::Timeout,
        [reason] if is(reason, "error") => Unblock::Error,
        [_] => return Err(Refusal::Text("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
        _ => {
            return Err(Refusal::Text(
                "ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP.",
            ));
        }
    };
    let id = integer(args[2])?;
    let filter = Filter { id: Some(u64::try_from(id).unwrap_or(0)), ..Filter::default() };
    let blocked = call.server.clients.select(&filter).into_iter().find(|card| card.is_blocked());
    if let Some(card) = &blocked {
        card.ask_unblock(how);
        call.engine().wake_client(card.origin.reactor, card.id);
    }
    reply.integer(i64::from(blocked.is_some()));
    Ok(())
}

pub fn client_help(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    crate::commands::help::answer(reply, "CLIENT", CLIENT_HELP);
    Ok(())
}

const CLIENT_HELP: &[&str] = &[
    "CACHING (YES|NO)",
    "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
    "GETREDIR",
    "    Return the client ID we are redirecting to when tracking is enabled.",
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "KILL <ip:port>",
    "    Kill connection made from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Kill connections. Options are:",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made from the specified address",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made to specified local address",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Kill connections by type.",
    "    * USER <username>",
    "      Kill connections authenticated by <username>.",
    "    * SKIPME (YES|NO)",
    "      Skip killing current connection (default: yes).",
    "LIST [options ...]",
    "    Return information about client connections. Options:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Return clients of specified type.",
    "UNPAUSE",
    "    Stop the current client pause, resuming traffic.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Suspend all, or just write, clients for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Control the replies sent to the current connection.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    Unblock the specified blocked client.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Control server assisted client side caching.",
    "TRACKINGINFO",
    "    Report tracking status for the current connection.",
    "NO-EVICT (ON|OFF)",
    "    Protect current client connection from eviction.",
];
