//! Dropping the beginning of the log once a checkpoint stands for it.

use super::{Log, LogError, LogPosition};

impl Log {
    /// Where the log begins.
    pub fn begins_at(&self) -> LogPosition {
        self.segments.read()[0].header.start
    }

    /// Number of the first segment that is kept when `needed` and what follows has to stay, and of what lies before it as many whole
    /// segments as hold at most `retained_bytes`. The active segment always stays.
    pub fn first_kept(&self, needed: LogPosition, retained_bytes: u64) -> u64 {
        let segments = self.segments.read();
        let holding = segments.windows(2).position(|pair| pair[1].header.start > needed);
        let holding = holding.unwrap_or(segments.len() - 1);
        let begin = segments[holding].header.start.0;
        let kept = segments[..holding].iter().position(|s| begin - s.header.start.0 <= retained_bytes);
        segments[kept.unwrap_or(holding)].header.number
    }

    /// Removes the segments below this number, which a published checkpoint no longer needs. Returns how many went. What could not
    /// be removed stays readable and is tried again by the next call.
    pub fn drop_before(&self, first_kept: u64) -> Result<usize, LogError> {
        let mut dropped = 0;
        loop {
            let (name, begins_at) = {
                let segments = self.segments.read();
                match &segments[..] {
                    [first, next, ..] if first.header.number < first_kept => {
                        (first.name.clone(), next.header.start)
                    }
                    _ => break,
                }
            };
            self.disk.remove(&name)?;
            self.segments.write().remove(0);
            self.index.lock().drop_before(begins_at);
            dropped += 1;
        }
        if dropped > 0 {
            self.disk.sync_directory()?;
        }
        Ok(dropped)
    }

    /// Removes files of segments below the first one kept: a stop came between publishing a checkpoint and dropping them.
    pub fn remove_leftovers(&self, names: &[String], first_kept: u64) -> Result<(), LogError> {
        let old = |name: &&String| super::layout::segment_number(name).is_some_and(|n| n < first_kept);
        for name in names.iter().filter(old) {
            self.disk.remove(name)?;
        }
        Ok(())
    }

    /// Of each origin the effects that were dropped: only checkpoints hold them.
    pub fn dropped(&self) -> proto::Frontier {
        let begin = self.begins_at();
        self.index.lock().before(begin)
    }

    /// Where the first batch with an effect beyond `frontier` lies, or a little before; the log's end when there is none.
    pub fn first_beyond(&self, frontier: &proto::Frontier) -> LogPosition {
        let end = self.appended_upto();
        self.index.lock().first_beyond(frontier).unwrap_or(end)
    }

    /// A copy of where each origin's effects lie, for a checkpoint.
    pub fn index(&self) -> super::Index {
        self.index.lock().clone()
    }

    /// The disk under the log.
    pub fn disk(&self) -> &std::sync::Arc<dyn crate::disk::Disk> {
        &self.disk
    }

    /// Bytes appended after `since`.
    pub fn bytes_since(&self, since: LogPosition) -> u64 {
        self.appended_upto().0.saturating_sub(since.0)
    }
}
