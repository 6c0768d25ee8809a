//! CLIENT KILL, old form and filters.

use proto::resp::Replies;

use crate::commands::args::is;
use crate::number::parse_i64;
use crate::refusal::Refusal;
use crate::session::{Call, ClientHandle};

#[derive(Default)]
struct Filter {
    id: Option<u64>,
    addr: Option<String>,
    laddr: Option<String>,
    /// A type no connection here has, or a user that is not the default one.
    nobody: bool,
    keep_me: bool,
}

impl Filter {
    fn matches(&self, client: &ClientHandle, me: u64) -> bool {
        !self.nobody
            && self.id.is_none_or(|id| id == client.id)
            && self.addr.as_ref().is_none_or(|a| *a == client.addr)
            && self.laddr.as_ref().is_none_or(|a| *a == client.laddr)
            && !(self.keep_me && client.id == me)
    }
}

fn filter(args: &[&[u8]]) -> Result<Filter, Refusal> {
    let mut filter = Filter { keep_me: true, ..Filter::default() };
    let mut pairs = args.chunks_exact(2);
    for pair in pairs.by_ref() {
        let text = || String::from_utf8_lossy(pair[1]).into_owned();
        match pair[0] {
            word if is(word, "id") => {
                let invalid = Refusal::Text("ERR client-id should be greater than 0");
                let id = parse_i64(pair[1]).filter(|id| *id > 0).ok_or(invalid)?;
                filter.id = Some(id as u64);
            }
            word if is(word, "addr") => filter.addr = Some(text()),
            word if is(word, "laddr") => filter.laddr = Some(text()),
            word if is(word, "type") => {
                let known = ["normal", "master", "slave", "replica", "pubsub"];
                match known.iter().find(|k| is(pair[1], k)) {
                    Some(kind) => filter.nobody |= *kind != "normal",
                    None => {
                        return Err(Refusal::Quoted(format!("ERR Unknown client type '{}'", text())));
                    }
                }
            }
            word if is(word, "user") => {
                if pair[1] != b"default" {
                    return Err(Refusal::Quoted(format!("ERR No such user '{}'", text())));
                }
            }
            word if is(word, "skipme") => match pair[1] {
                value if is(value, "yes") => filter.keep_me = true,
                value if is(value, "no") => filter.keep_me = false,
                _ => return Err(Refusal::Syntax),
            },
            _ => return Err(Refusal::Syntax),
        }
    }
    if pairs.remainder().is_empty() { Ok(filter) } else { Err(Refusal::Syntax) }
}

pub fn client_kill(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let old_form = args.len() == 3;
    let filter = if old_form {
        Filter { addr: Some(String::from_utf8_lossy(args[2]).into_owned()), ..Filter::default() }
    } else {
        filter(&args[2..])?
    };
    let me = call.session.client.id;
    let mut killed = 0;
    for client in call.server.clients().all() {
        if filter.matches(&client, me) {
            if client.id == me {
                // The answer still goes out.
                call.session.closing = true;
            } else {
                client.kill();
            }
            killed += 1;
        }
    }
    if killed > 0 {
        call.server.host().wake();
    }
    if !old_form {
        reply.integer(killed);
    } else if killed == 0 {
        return Err(Refusal::Text("ERR No such client"));
    } else {
        reply.ok();
    }
    Ok(())
}
