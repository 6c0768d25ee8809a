//! CLIENT on the own connection.

use proto::resp::Replies;

use crate::commands::args::is;
use crate::refusal::Refusal;
use crate::session::{Call, ReplyMode};

/// A name that CLIENT LIST can print: no spaces, newlines or other special characters.
pub(super) fn checked_name<'a>(name: &'a [u8], what: &str) -> Result<&'a [u8], Refusal> {
    if name.iter().all(|b| (b'!'..=b'~').contains(b)) {
        return Ok(name);
    }
    Err(Refusal::Quoted(format!("ERR {what} cannot contain spaces, newlines or special characters.")))
}

pub fn client_id(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    reply.integer(call.session.id() as i64);
    Ok(())
}

pub fn client_info(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let mut line = String::new();
    let card = call.session.card();
    card.published.lock().running(args);
    card.describe(call.now_ms(), &mut line);
    card.published.lock().ran();
    line.push('\n');
    reply.verbatim("txt", line.as_bytes());
    Ok(())
}

pub fn client_getname(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    match call.session.name.as_str() {
        "" => reply.null(),
        name => reply.bulk(name.as_bytes()),
    }
    Ok(())
}

pub fn client_setname(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    call.session.set_name(checked_name(args[2], "Client names")?);
    reply.ok();
    Ok(())
}

/// As Redis 7.2: client libraries send it at once after connecting.
pub fn client_setinfo(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (which, value) = (args[2], args[3]);
    let text = || String::from_utf8_lossy(value).into_owned();
    if is(which, "lib-name") {
        checked_name(value, "lib-name")?;
        call.session.lib_name = text();
    } else if is(which, "lib-ver") {
        checked_name(value, "lib-ver")?;
        call.session.lib_version = text();
    } else {
        let which = String::from_utf8_lossy(which);
        return Err(Refusal::Quoted(format!("ERR Unrecognized option '{which}'")));
    }
    reply.ok();
    Ok(())
}

fn on_off(word: &[u8]) -> Result<bool, Refusal> {
    match word {
        w if is(w, "on") => Ok(true),
        w if is(w, "off") => Ok(false),
        _ => Err(Refusal::Syntax),
    }
}

pub fn client_no_evict(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    call.session.no_evict = on_off(args[2])?;
    reply.ok();
    Ok(())
}

/// As Redis 7.2.
pub fn client_no_touch(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    call.session.no_touch = on_off(args[2])?;
    reply.ok();
    Ok(())
}

pub fn client_reply(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let word = args[2];
    if is(word, "on") {
        call.session.reply = ReplyMode::On;
        reply.ok();
    } else if is(word, "off") {
        call.session.reply = ReplyMode::Off;
    } else if is(word, "skip") {
        if call.session.reply != ReplyMode::Off {
            call.session.reply = ReplyMode::SkipNext;
        }
    } else {
        return Err(Refusal::Syntax);
    }
    Ok(())
}
