//! Commands about the server.

mod command;
mod config;
mod debug;
mod docs;
mod info;

use proto::resp::Replies;

use crate::refusal::Refusal;
use crate::session::Call;

pub use command::{
    command, command_count, command_getkeys, command_getkeysandflags, command_help, command_info,
    command_list,
};
pub use config::{config_get, config_help, config_resetstat, config_rewrite, config_set};
pub use debug::debug;
pub use docs::command_docs;
pub use info::info;

/// The Redis version whose behaviour this follows; clients look at it.
pub const REDIS_VERSION: &str = "7.0.15";

pub fn time(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let now_us = call.server.host().now_us();
    reply.array(2);
    reply.bulk((now_us / 1_000_000).to_string().as_bytes());
    reply.bulk((now_us % 1_000_000).to_string().as_bytes());
    Ok(())
}

pub fn shutdown(call: &mut Call<'_>, args: &[&[u8]], _: &mut Replies<'_>) -> Result<(), Refusal> {
    use crate::commands::args::is;
    let (mut save, mut nosave) = (false, false);
    for word in &args[1..] {
        match word {
            word if is(word, "save") => save = true,
            word if is(word, "nosave") => nosave = true,
            word if is(word, "now") || is(word, "force") => {}
            word if is(word, "abort") && args.len() == 2 => {
                return Err(Refusal::Text("ERR No shutdown in progress."));
            }
            _ => return Err(Refusal::Syntax),
        }
    }
    if save && nosave {
        return Err(Refusal::Syntax);
    }
    // No reply: the connection ends with the server.
    call.server.host().request_shutdown();
    call.session.closing = true;
    Ok(())
}

/// A ring of islands around still water.
const ATOLL: &str = "
          .  -~\"^\"~-  .
      .~'   _ . - . _   '~.
    .'   .'   ~   ~   '.   '.
   /   /   ~    ~    ~   \\   \\
  |   |  ~   ~    ~   ~   |   |
   \\   \\   ~    ~    ~   /   /
    '.   '.  ~   ~   ~ .'   .'
      '~._  ' - . - '  _.~'
           ' ~ - - ~ '
";

pub fn lolwut(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let text = format!("{ATOLL}\nAtoll {}, as Redis ver. {REDIS_VERSION}\n", env!("CARGO_PKG_VERSION"));
    reply.verbatim("txt", text.as_bytes());
    Ok(())
}
