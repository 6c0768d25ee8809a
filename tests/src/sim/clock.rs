//! A machine's wall clock: skewed, jumping in both directions, standing still. True time is the world's.

use super::Us;

/// True time at the beginning of every run, Unix ms.
pub const BEGIN_MS: u64 = 1_700_000_000_000;

#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Ahead of true time, ms.
    pub ahead_ms: i64,
    /// It shows this for ever.
    pub frozen_ms: Option<u64>,
}

impl Clock {
    pub fn new(ahead_ms: i64) -> Self {
        Clock { ahead_ms, frozen_ms: None }
    }

    /// What the machine takes for Unix time, ms.
    pub fn wall_ms(&self, now: Us) -> u64 {
        self.frozen_ms.unwrap_or_else(|| (BEGIN_MS + now / 1000).saturating_add_signed(self.ahead_ms))
    }

    pub fn freeze(&mut self, now: Us) {
        self.frozen_ms = Some(self.wall_ms(now));
    }

    /// It goes on from where it stood, or at the right time.
    pub fn thaw(&mut self, now: Us, catches_up: bool) {
        if let Some(stood_ms) = self.frozen_ms.take()
            && !catches_up
        {
            self.ahead_ms = stood_ms as i64 - (BEGIN_MS + now / 1000) as i64;
        }
    }
}
