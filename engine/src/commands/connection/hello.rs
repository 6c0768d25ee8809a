//! HELLO and AUTH.

use std::sync::atomic::Ordering::Relaxed;

use proto::resp::{Protocol, Replies};

use super::client::check_name;
use crate::commands::args::is;
use crate::number::parse_i64;
use crate::refusal::Refusal;
use crate::session::Call;

const WRONG_PASSWORD: Refusal =
    Refusal::Text("WRONGPASS invalid username-password pair or user is disabled.");

/// Equal in a time that does not depend on where they differ.
fn same_secret(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |diff, (x, y)| diff | (x ^ y)) == 0
}

fn authenticate(call: &mut Call<'_>, user: &[u8], password: &[u8]) -> Result<(), Refusal> {
    let known = match call.server.password() {
        Some(expected) => same_secret(expected.as_bytes(), password),
        None => true,
    };
    if user != b"default" || !known {
        return Err(WRONG_PASSWORD);
    }
    call.session.authenticated = true;
    Ok(())
}

pub fn auth(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    match args {
        [_, _] if call.server.password().is_none() => {
            return Err(Refusal::Text(
                "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
            ));
        }
        [_, password] => authenticate(call, b"default", password)?,
        [_, user, password] => authenticate(call, user, password)?,
        _ => return Err(Refusal::Syntax),
    }
    reply.ok();
    Ok(())
}

pub fn hello(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let mut protocol = None;
    if let Some(version) = args.get(1) {
        protocol = Some(match parse_i64(version) {
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            Some(_) => return Err(Refusal::Text("NOPROTO unsupported protocol version")),
            None => {
                return Err(Refusal::Text("ERR Protocol version is not an integer or out of range"));
            }
        });
    }
    let (mut rest, mut name) = (args.get(2..).unwrap_or_default(), None);
    loop {
        match rest {
            [] => break,
            [word, user, password, tail @ ..] if is(word, "auth") => {
                authenticate(call, user, password)?;
                rest = tail;
            }
            [word, value, tail @ ..] if is(word, "setname") => {
                check_name(value)?;
                name = Some(String::from_utf8_lossy(value).into_owned());
                rest = tail;
            }
            [word, ..] => {
                let word = String::from_utf8_lossy(word);
                return Err(Refusal::Quoted(format!("ERR Syntax error in HELLO option '{word}'")));
            }
        }
    }
    if !call.session.authenticated {
        return Err(Refusal::Text(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
        ));
    }
    if let Some(name) = name {
        call.session.client.set_name(name);
    }
    if let Some(protocol) = protocol {
        call.session.protocol = protocol;
        call.session.client.resp3.store(protocol == Protocol::Resp3, Relaxed);
        reply.set_protocol(protocol);
    }
    reply.map(7);
    reply.bulk(b"server");
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk(crate::commands::server::REDIS_VERSION.as_bytes());
    reply.bulk(b"proto");
    reply.integer(if reply.is_resp3() { 3 } else { 2 });
    reply.bulk(b"id");
    reply.integer(call.session.client.id as i64);
    reply.bulk(b"mode");
    reply.bulk(b"standalone");
    reply.bulk(b"role");
    reply.bulk(b"master");
    reply.bulk(b"modules");
    reply.array(0);
    Ok(())
}
