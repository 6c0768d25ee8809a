//! When fields of a hash end.

use std::collections::BTreeSet;

use hashbrown::HashMap;
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use crate::effect::Expiry;

/// The fields that end, by name and by moment. One moment is *now*: what ended at it or before is hidden.
#[derive(Clone, Debug, Default)]
pub struct Ends {
    by_field: HashMap<Box<[u8]>, u64, Xxh3DefaultBuilder>,
    by_moment: BTreeSet<(u64, Box<[u8]>)>,
    now_ms: u64,
    hidden: usize,
}

impl Ends {
    /// How many fields end.
    pub fn len(&self) -> usize {
        self.by_field.len()
    }

    pub fn of(&self, field: &[u8]) -> Expiry {
        self.by_field.get(field).map_or(Expiry::NEVER, |ms| Expiry::at_ms(*ms))
    }

    pub fn set(&mut self, field: &[u8], end: Expiry) {
        if let Some(ms) = self.by_field.remove(field) {
            self.by_moment.remove(&(ms, field.into()));
            self.hidden -= usize::from(ms <= self.now_ms);
        }
        if let Some(ms) = end.ms() {
            self.by_field.insert(field.into(), ms);
            self.by_moment.insert((ms, field.into()));
            self.hidden += usize::from(ms <= self.now_ms);
        }
    }

    pub fn set_now(&mut self, now_ms: u64) {
        let from = self.now_ms.min(now_ms);
        let between = self.by_moment.range((from.saturating_add(1), Box::default())..);
        let changed = between.take_while(|(ms, _)| *ms <= self.now_ms.max(now_ms)).count();
        if now_ms >= self.now_ms {
            self.hidden += changed
        } else {
            self.hidden -= changed
        }
        self.now_ms = now_ms;
    }

    pub fn hidden(&self) -> usize {
        self.hidden
    }

    pub fn hides(&self, field: &[u8]) -> bool {
        self.hidden > 0 && self.of(field).reached(self.now_ms)
    }

    pub fn first_ms(&self) -> Option<u64> {
        self.by_moment.first().map(|(ms, _)| *ms)
    }

    pub fn last_ms(&self) -> Option<u64> {
        self.by_moment.last().map(|(ms, _)| *ms)
    }

    /// Takes off the field that ends first, if it does so by `ms`.
    pub fn take_first(&mut self, ms: u64) -> Option<Box<[u8]>> {
        if self.first_ms()? > ms {
            return None;
        }
        let (ms, field) = self.by_moment.pop_first()?;
        self.by_field.remove(&field);
        self.hidden -= usize::from(ms <= self.now_ms);
        Some(field)
    }

    /// Bytes out of line, about.
    pub fn heap_bytes(&self, block: fn(usize) -> usize) -> usize {
        let names: usize = self.by_field.keys().take(64).map(|field| 2 * block(field.len())).sum();
        let names = names * self.len() / self.len().clamp(1, 64);
        names + self.by_field.allocation_size() + self.len() * 32
    }
}
