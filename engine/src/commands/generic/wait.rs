//! WAIT: until other regions have what this client wrote.

use proto::resp::Replies;

use crate::commands::args::{integer, patience_ms};
use crate::core::Until;
use crate::refusal::Refusal;
use crate::session::Call;

/// Counts regions, not members: a region counts when one member of it has shown the client's writes.
pub fn wait(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let regions = usize::try_from(integer(args[1])?).unwrap_or(0);
    let patience_ms = patience_ms(args[2])?;
    let seq = call.session.last_write;
    if regions > 0 && call.block(Until::Regions { seq, regions }, patience_ms) {
        return Ok(());
    }
    reply.integer(call.engine().regions_holding(seq) as i64);
    Ok(())
}
