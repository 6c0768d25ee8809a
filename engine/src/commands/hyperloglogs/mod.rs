//! Commands on HyperLogLogs.

mod debug;
mod elements;

pub use debug::{pfdebug, pfselftest};
pub use elements::{pfadd, pfcount, pfmerge};

use crate::core::{Key, Unit};
use crate::hyperloglog::{self, Malformed};
use crate::refusal::Refusal;

fn refusal(malformed: Malformed) -> Refusal {
    Refusal::Text(match malformed {
        Malformed::Other => "WRONGTYPE Key is not a valid HyperLogLog string value.",
        Malformed::Corrupted => "INVALIDOBJ Corrupted HLL object detected",
    })
}

/// The registers of a key; `None` when there is none.
fn registers(unit: &mut Unit<'_>, key: &Key<'_>) -> Result<Option<Vec<u8>>, Refusal> {
    let Some(bytes) = unit.string(key)? else { return Ok(None) };
    hyperloglog::registers(bytes).map(Some).map_err(refusal)
}
