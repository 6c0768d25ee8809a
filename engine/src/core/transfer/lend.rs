//! Lending the last checkpoint and the log after it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use parking_lot::Mutex;

use super::{Loan, LoanFile, LoanPart};
use crate::core::Engine;
use crate::image::image_name;
use crate::image::manifest::Manifest;
use crate::log::LogPosition;
use crate::replication::ReplicaError;

/// With more log than this behind it a checkpoint is taken anew before it is lent (bytes).
const LOG_BYTES_MAX: u64 = 32 << 20;
/// A loan that nobody reads from for so long is over.
const IDLE_MS: u64 = 60_000;

/// What is lent now.
#[derive(Default)]
pub(crate) struct Lending(Mutex<State>);

#[derive(Default)]
struct State {
    lent: Option<Lent>,
    /// A newer checkpoint than this was asked for.
    older_than: Option<u64>,
    /// Checkpoints up to this number are of no use to others.
    stale: u64,
}

struct Lent {
    manifest: Arc<Manifest>,
    encoded: Arc<Vec<u8>>,
    used_ms: u64,
}

impl Lending {
    /// The state was worked out again, for something that was written beside the base of this checkpoint: who has no more than it and
    /// the log after it cannot do that.
    pub fn outdate(&self, number: u64) {
        let mut state = self.0.lock();
        state.stale = state.stale.max(number);
    }

    /// The manifest whose files and log have to stay, as of `now_ms`.
    pub fn pinned(&self, now_ms: u64) -> Option<Arc<Manifest>> {
        let mut state = self.0.lock();
        if state.lent.as_ref().is_some_and(|lent| now_ms > lent.used_ms.saturating_add(IDLE_MS)) {
            state.lent = None;
        }
        state.lent.as_ref().map(|lent| lent.manifest.clone())
    }
}

impl Engine {
    /// The clock by which loans run out, ms.
    pub(in crate::core) fn lending_ms(&self) -> u64 {
        self.stage.lock().last_hlc().ms()
    }

    /// Offers the last checkpoint with the log up to its end now; `None` while a newer one is being taken: ask again soon.
    pub(in crate::core) fn lend(&self) -> Result<Option<Loan>, ReplicaError> {
        let log = self.log().ok_or_else(|| ReplicaError::Loan("this node keeps no log".into()))?;
        if self.withholding.load(Relaxed) {
            return Err(ReplicaError::Loan("this node is to take over another's state itself".into()));
        }
        let now_ms = self.lending_ms();
        let pinned = self.lending.pinned(now_ms);
        let last = self.checkpoints.last();
        let mut state = self.lending.0.lock();
        let stale = state.stale;
        let fits = |manifest: &Arc<Manifest>| {
            manifest.number > stale && log.bytes_since(manifest.from) <= LOG_BYTES_MAX
        };
        let newer = |manifest: &Arc<Manifest>| {
            manifest.number > stale && state.older_than.is_some_and(|n| manifest.number > n)
        };
        let manifest = match (pinned.filter(fits), last) {
            (Some(pinned), _) => pinned,
            (None, Some(last)) if fits(&last) || newer(&last) => last,
            (None, last) => {
                state.older_than.get_or_insert(last.map_or(0, |last| last.number));
                drop(state);
                self.request_checkpoint();
                return Ok(None);
            }
        };
        state.older_than = None;
        let known = state.lent.take().filter(|lent| lent.manifest.number == manifest.number);
        let encoded = known.map_or_else(|| Arc::new(manifest.encode()), |lent| lent.encoded);
        let loan = Loan {
            number: manifest.number,
            directory: manifest.directory,
            manifest_bytes: encoded.len() as u64,
            files: manifest.files.iter().map(|&(number, bytes)| LoanFile { number, bytes }).collect(),
            log_from: manifest.from,
            log_end: log.appended_upto(),
        };
        state.lent = Some(Lent { manifest, encoded, used_ms: now_ms });
        Ok(Some(loan))
    }

    /// Appends up to about `bytes_max` of a part from `offset` on; of the log, whole batches from the position `offset`. Returns
    /// the offset to go on from, `None` when that was the last.
    pub(in crate::core) fn read_loan(
        &self,
        number: u64,
        part: LoanPart,
        offset: u64,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<Option<u64>, ReplicaError> {
        let over = || ReplicaError::Loan("the loan is over: ask for it again".into());
        let now_ms = self.lending_ms();
        let (manifest, encoded) = {
            let mut state = self.lending.0.lock();
            let lent = state.lent.as_mut().filter(|lent| lent.manifest.number == number).ok_or_else(over)?;
            lent.used_ms = now_ms;
            (lent.manifest.clone(), lent.encoded.clone())
        };
        let log = self.log().ok_or_else(over)?;
        let (end, read) = match part {
            LoanPart::Manifest => {
                let from = usize::try_from(offset).map_or(encoded.len(), |at| at.min(encoded.len()));
                let some = &encoded[from..encoded.len().min(from + bytes_max)];
                out.extend_from_slice(some);
                (encoded.len() as u64, some.len() as u64)
            }
            LoanPart::Image(file) => {
                let (_, bytes) = manifest.files.iter().find(|f| f.0 == file).ok_or_else(over)?;
                let want = bytes.saturating_sub(offset).min(bytes_max as u64) as usize;
                let begun = out.len();
                out.resize(begun + want, 0);
                let disk = |e: crate::disk::DiskError| ReplicaError::Loan(e.to_string());
                let file = log.disk().open(&image_name(file)).map_err(disk)?;
                let read = file.read_at(&mut out[begun..], offset).map_err(disk)?;
                if read < want {
                    return Err(ReplicaError::Loan(format!("{} is too short", image_name(number))));
                }
                (*bytes, want as u64)
            }
            LoanPart::Log { end } => {
                if LogPosition(offset) < manifest.from || end > log.appended_upto() {
                    return Err(over());
                }
                let next = log
                    .read_all(LogPosition(offset), end, bytes_max, out)
                    .map_err(|e| ReplicaError::Loan(e.to_string()))?;
                (end.0, next.0 - offset)
            }
        };
        let next = offset + read;
        Ok((next < end && read > 0).then_some(next))
    }
}
