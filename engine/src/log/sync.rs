//! Syncing: one fdatasync for everyone who waits for it, while appends go on.

use std::sync::atomic::Ordering;

use super::{Log, LogError, LogPosition};

impl Log {
    /// Makes everything appended so far durable. Callers at the same time share syncs.
    ///
    /// Errors: [`LogError::Poisoned`], for this and every later call: after a failed sync nobody knows what is on disk.
    pub fn sync(&self) -> Result<(), LogError> {
        self.sync_to(self.appended_upto())
    }

    /// Makes everything before `target`, an end that [`Log::append`] returned, durable. Costs no system call when some sync that
    /// began later than that append has ended.
    pub fn sync_to(&self, target: LogPosition) -> Result<(), LogError> {
        self.check_poison()?;
        if self.synced_upto() >= target {
            return Ok(());
        }
        let mut running = self.syncing.lock();
        while *running {
            self.sync_ended.wait(&mut running);
            self.check_poison()?;
            if self.synced_upto() >= target {
                return Ok(());
            }
        }
        // The sync that made it so may have ended between the check above and the lock.
        self.check_poison()?;
        if self.synced_upto() >= target {
            return Ok(());
        }
        *running = true;
        drop(running);
        // In this order: a segment that became active after the position was read holds nothing before it that is not durable.
        let upto = self.appended_upto();
        let active = self.segments.read().last().cloned().expect("a log has at least one segment");
        let result = active.file.sync();
        let mut running = self.syncing.lock();
        *running = false;
        let result = match result {
            Ok(()) => {
                self.syncs.fetch_add(1, Ordering::Relaxed);
                self.synced.store(upto.0, Ordering::Release);
                Ok(())
            }
            Err(error) => Err(self.poison(error)),
        };
        drop(running);
        self.sync_ended.notify_all();
        result
    }
}
