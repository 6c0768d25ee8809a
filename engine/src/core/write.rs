//! The end of a turn: one log write for everything staged, closed under dependencies.

use std::sync::atomic::Ordering::Relaxed;

use proto::Frontier;

use super::Engine;
use super::open::Fsync;
use super::stage::Staged;
use crate::effect::batch::{self, BatchHeader, BatchKind};
use crate::log::LogError;
use crate::refusal::Refusal;

/// Staged effects past this are written without waiting for the end of the turn (bytes).
pub(crate) const STAGED_MAX: usize = 64 << 20;

/// What the writer of batches keeps, under the log's order.
#[derive(Default)]
pub(crate) struct Writer {
    /// Everything received in the log: contexts are taken from here.
    pub received: Frontier,
    /// What our last batch's context covered: later ones list only what advanced.
    told: Frontier,
    /// What was folded as stable here before anything now staged was emitted.
    pub settled: Frontier,
    told_settled: Frontier,
    spare: Vec<u8>,
    frame: Vec<u8>,
    /// A batch the disk had no room for; goes first when there is room again.
    stuck: Vec<u8>,
    /// Last effect of what was taken from the stage, written or stuck.
    taken: proto::Seq,
}

impl Writer {
    /// The contexts and the settled frontiers of our batches so far, joined.
    pub fn told(&self) -> (Frontier, Frontier) {
        (self.told.clone(), self.told_settled.clone())
    }
}

/// The log did not take the turn's effects: no write of the turn may be acknowledged.
#[derive(Debug, thiserror::Error)]
#[error("the log refused the write: {0}")]
pub struct WriteRefused(#[from] pub LogError);

impl Engine {
    /// Writes everything staged by any reactor (and under `always`, makes it durable). Replies of a turn leave after this.
    pub fn end_turn(&self) -> Result<(), WriteRefused> {
        let wrote = {
            // Also waits for a write in progress whose effects we may have read.
            let mut writer = self.writer.lock();
            self.write_staged(&mut writer)?
        };
        if wrote {
            if self.fsync() == Fsync::Always
                && let Some(log) = self.log()
            {
                log.sync().inspect_err(|_| self.refusing.store(true, Relaxed))?;
            }
            if let Some(wake) = &*self.appended.read() {
                wake();
            }
        }
        self.tell_ready();
        Ok(())
    }

    /// Writes what is staged, if anything is. True when something was.
    pub(super) fn write_staged(&self, writer: &mut Writer) -> Result<bool, WriteRefused> {
        let staged = {
            let mut stage = self.stage.lock();
            if stage.is_empty() && writer.stuck.is_empty() {
                return Ok(false);
            }
            let spare = std::mem::take(&mut writer.spare);
            stage.take(spare)
        };
        self.write(writer, staged)?;
        Ok(true)
    }

    fn write(&self, writer: &mut Writer, staged: Staged) -> Result<(), WriteRefused> {
        let mut frame = std::mem::take(&mut writer.frame);
        frame.clear();
        frame.append(&mut writer.stuck);
        if staged.count > 0 {
            writer.taken = proto::Seq(staged.first.0 + u64::from(staged.count) - 1);
            let context: Frontier = writer
                .received
                .iter()
                .filter(|(node, seq)| *node != self.node && *seq > writer.told.seq(*node))
                .collect();
            writer.told.join(&context);
            let header = BatchHeader {
                kind: BatchKind::Effects,
                flags: if self.is_alone() { batch::FLAG_SOLO } else { 0 },
                count: staged.count,
                origin: self.node,
                first: staged.first,
                hlc: staged.base_hlc,
                body_bytes: 0,
                crc: 0,
            };
            let news = writer.settled.iter().filter(|(node, seq)| *seq > writer.told_settled.seq(*node));
            let settled: Frontier = news.collect();
            writer.told_settled.join(&settled);
            batch::encode(&mut frame, &header, &context, &settled, &staged.records);
        }
        let written = match self.log() {
            Some(log) => log.append(&frame).map(drop),
            None => Ok(()),
        };
        if let Err(error) = written {
            writer.stuck = frame;
            self.refusing.store(true, Relaxed);
            return Err(error.into());
        }
        self.refusing.store(false, Relaxed);
        // Also what was stuck until now.
        writer.received.advance(self.node, writer.taken);
        self.shown.lock().advance(self.node, writer.taken);
        self.stats.batches_written.fetch_add(1, Relaxed);
        self.stats.bytes_written.fetch_add(frame.len() as u64, Relaxed);
        self.stats.effects_written.fetch_add(u64::from(staged.count), Relaxed);
        // Buffers are reused, unless one huge turn made them huge.
        let mut records = staged.records;
        records.clear();
        for buffer in [&mut records, &mut frame] {
            if buffer.capacity() > 4 << 20 {
                *buffer = Vec::new();
            }
        }
        writer.spare = records;
        writer.frame = frame;
        Ok(())
    }

    /// Refuses write commands while the log takes none. Tries again to write what is stuck.
    #[inline]
    pub fn writable(&self) -> Result<(), Refusal> {
        if self.was_evicted() {
            return Err(Refusal::Text(
                "EVICTED this node was evicted from its cluster: it answers reads, and takes writes again when it has taken over \
                 the cluster's state as a new member; what nobody had of its writes is in ATOLL.LATE LIST then",
            ));
        }
        if self.is_leaving() {
            return Err(Refusal::Text(
                "LEAVING this node is leaving its cluster: it answers reads until it is gone; write to another one, or call it \
                 off with ATOLL.CLUSTER STAY",
            ));
        }
        if self.has_diverged() {
            return Err(Refusal::Text(
                "DIVERGED a member lacks more of what was written here than max-divergence-size or max-divergence-time allow: \
                 writes are refused until it has caught up or is evicted. See ATOLL.LAG",
            ));
        }
        if self.log().is_some_and(|log| log.is_poisoned()) {
            return Err(Refusal::Text(
                "MISCONF Atoll's effect log is broken and takes nothing until the node is started again: writes are \
                 refused, reads are answered. See log_error in INFO persistence for the reason",
            ));
        }
        if self.refusing.load(Relaxed) && self.end_turn().is_err() {
            return Err(Refusal::Text(
                "MISCONF Atoll cannot write its effect log: writes are refused until the disk takes them again. \
                 See the server's log for the reason",
            ));
        }
        Ok(())
    }
}
