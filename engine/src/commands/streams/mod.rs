//! Commands on streams.

mod add;
mod claim;
mod consume;
mod groups;
mod ids;
mod info;
mod pending;
mod range;
mod read;
mod trim;

pub use add::{xadd, xdel, xlen, xsetid};
pub use claim::{xautoclaim, xclaim};
pub use consume::xreadgroup;
pub use groups::{
    xgroup_create, xgroup_createconsumer, xgroup_delconsumer, xgroup_destroy, xgroup_help, xgroup_setid,
};
pub use info::{xinfo_consumers, xinfo_groups, xinfo_help, xinfo_stream};
pub use pending::{xack, xpending};
pub use range::{xrange, xrevrange};
pub use read::xread;
pub use trim::xtrim;

use crate::core::{Key, Unit};
use crate::effect::{Expiry, Op, Payload, StreamOp, WholeStream};
use crate::refusal::Refusal;
use crate::state::stream::{Group, StreamValue};

/// Makes a whole stream the value of a key.
pub(in crate::commands) fn assign(unit: &mut Unit<'_>, to: &Key<'_>, stream: &StreamValue, expiry: Expiry) {
    let mut bytes = Vec::new();
    stream.encode(&mut bytes);
    if let Some(whole) = WholeStream::new(&bytes) {
        unit.emit(to, Op::Assign { payload: Payload::Stream(whole), expiry });
    }
}

fn emit(unit: &mut Unit<'_>, key: &Key<'_>, op: StreamOp<'_>) {
    unit.emit(key, Op::Stream(op));
}

/// A client's bytes in an error: as in Redis, up to a zero byte.
fn quoted(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes.split(|b| *b == 0).next().unwrap_or_default())
}

/// A stream and its group, or the refusal that both must exist.
fn stream_and_group<'u>(
    unit: &'u mut Unit<'_>,
    key: &Key<'_>,
    group: &[u8],
) -> Result<(&'u StreamValue, &'u Group), Refusal> {
    let name = key.bytes;
    let found = unit.stream(key)?.and_then(|stream| Some((stream, stream.group(group)?)));
    found.ok_or_else(|| {
        Refusal::Quoted(format!(
            "NOGROUP No such key '{}' or consumer group '{}'",
            quoted(name),
            quoted(group)
        ))
    })
}
