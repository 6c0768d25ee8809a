//! AUTH and HELLO.

use proto::resp::{Protocol, Replies};

use super::client::checked_name;
use crate::commands::args::is;
use crate::number::parse_i64;
use crate::refusal::Refusal;
use crate::session::Call;

const WRONG_PASSWORD: Refusal =
    Refusal::Text("WRONGPASS invalid username-password pair or user is disabled.");

/// There is one user, `default`; without a password set, any is right for it.
fn log_in(call: &mut Call<'_>, user: &[u8], password: &[u8]) -> Result<(), Refusal> {
    let expected = call.server.config.text("requirepass");
    let right = expected.is_empty() || same_in_constant_time(expected.as_bytes(), password);
    if user != b"default" || !right {
        return Err(WRONG_PASSWORD);
    }
    call.session.set_authenticated(true);
    Ok(())
}

/// Takes as long for any two texts of these lengths, so that time tells nothing of the password.
fn same_in_constant_time(expected: &[u8], given: &[u8]) -> bool {
    let mut differs = expected.len() ^ given.len();
    for (at, byte) in expected.iter().enumerate() {
        differs |= usize::from(byte ^ given.get(at).copied().unwrap_or(!byte));
    }
    differs == 0
}

pub fn auth(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    match args {
        [_, password] => {
            if call.server.config.text("requirepass").is_empty() {
                return Err(Refusal::Text(
                    "ERR AUTH <password> called without any password configured for the default user. Are you sure \
                     your configuration is correct?",
                ));
            }
            log_in(call, b"default", password)?;
        }
        [_, user, password] => log_in(call, user, password)?,
        _ => return Err(Refusal::Syntax),
    }
    reply.ok();
    Ok(())
}

pub fn hello(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let mut protocol = call.session.protocol;
    if let Some(version) = args.get(1) {
        protocol = match parse_i64(version) {
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            Some(_) => return Err(Refusal::Text("NOPROTO unsupported protocol version")),
            None => {
                return Err(Refusal::Text("ERR Protocol version is not an integer or out of range"));
            }
        };
    }
    let (mut user, mut name) = (None, None);
    let mut rest = args.get(2..).unwrap_or_default();
    loop {
        match rest {
            [] => break,
            [word, u, password, tail @ ..] if is(word, "auth") => {
                user = Some((*u, *password));
                rest = tail;
            }
            [word, n, tail @ ..] if is(word, "setname") => {
                name = Some(checked_name(n, "Client names")?);
                rest = tail;
            }
            [word, ..] => {
                let word = String::from_utf8_lossy(word);
                return Err(Refusal::Quoted(format!("ERR Syntax error in HELLO option '{word}'")));
            }
        }
    }
    if let Some((user, password)) = user {
        log_in(call, user, password)?;
    }
    if !call.session.authenticated {
        return Err(Refusal::Text(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH \
             <user> <pass> option can be used to authenticate the client and select the RESP protocol version at \
             the same time",
        ));
    }
    if let Some(name) = name {
        call.session.set_name(name);
    }
    call.session.protocol = protocol;
    reply.set_protocol(protocol);
    reply.map(7);
    reply.bulk(b"server");
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk(crate::REDIS_VERSION.as_bytes());
    reply.bulk(b"proto");
    reply.integer(if protocol == Protocol::Resp3 { 3 } else { 2 });
    reply.bulk(b"id");
    reply.integer(call.session.id() as i64);
    reply.bulk(b"mode");
    reply.bulk(b"standalone");
    reply.bulk(b"role");
    reply.bulk(b"master");
    reply.bulk(b"modules");
    reply.array(0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::same_in_constant_time;

    #[test]
    fn passwords_are_compared_whole() {
        assert!(same_in_constant_time(b"secret", b"secret"));
        for wrong in [&b"secre"[..], b"secrets", b"", b"Secret"] {
            assert!(!same_in_constant_time(b"secret", wrong));
        }
        assert!(same_in_constant_time(b"", b""));
    }
}
