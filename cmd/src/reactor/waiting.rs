//! The clients of a reactor whose command waits, and when each one's time is up.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// See the module. Clients are named by id; `at` is a connection's place.
#[derive(Default)]
pub(super) struct Waiting {
    clients: HashMap<u64, (usize, u64)>,
    /// Deadline in Unix ms, client.
    deadlines: BTreeSet<(u64, u64)>,
}

impl Waiting {
    /// The client waits until `deadline_ms`; `u64::MAX` is for ever.
    pub fn note(&mut self, client: u64, at: usize, deadline_ms: u64) {
        if self.clients.get(&client) != Some(&(at, deadline_ms)) {
            self.forget(client);
            self.clients.insert(client, (at, deadline_ms));
            if deadline_ms < u64::MAX {
                self.deadlines.insert((deadline_ms, client));
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    pub fn forget(&mut self, client: u64) {
        if let Some((_, deadline_ms)) = self.clients.remove(&client) {
            self.deadlines.remove(&(deadline_ms, client));
        }
    }

    /// The place of a client that waits.
    pub fn find(&self, client: u64) -> Option<usize> {
        self.clients.get(&client).map(|(at, _)| *at)
    }

    /// The place of a client whose time is up; each is told once.
    pub fn take_due(&mut self, now_ms: u64) -> Option<usize> {
        let (deadline_ms, client) = self.deadlines.first().copied().filter(|(ms, _)| *ms <= now_ms)?;
        self.deadlines.remove(&(deadline_ms, client));
        self.find(client)
    }

    /// Until the next one's time is up.
    pub fn patience(&self, now_ms: u64) -> Option<Duration> {
        self.deadlines.first().map(|(ms, _)| Duration::from_millis(ms.saturating_sub(now_ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_due_once_when_its_time_is_up() {
        let mut waiting = Waiting::default();
        assert_eq!(waiting.patience(5), None);
        waiting.note(1, 10, u64::MAX);
        waiting.note(2, 20, 70);
        waiting.note(3, 30, 50);
        waiting.note(3, 31, 60);
        assert_eq!(waiting.patience(55), Some(Duration::from_millis(5)));
        assert_eq!(waiting.take_due(59), None);
        waiting.note(4, 40, 65);
        waiting.forget(4);
        assert_eq!([80, 80, 80].map(|now_ms| waiting.take_due(now_ms)), [Some(31), Some(20), None]);
        // Told already: noting it again as it is changes nothing.
        waiting.note(3, 31, 60);
        assert_eq!((waiting.take_due(80), waiting.patience(80)), (None, None));
        assert_eq!((waiting.find(1), waiting.find(3), waiting.find(4)), (Some(10), Some(31), None));
    }
}
