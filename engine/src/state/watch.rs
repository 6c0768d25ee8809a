//! WATCH: who wants to know that a key changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use hashbrown::HashMap;
use parking_lot::Mutex;
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

/// One client's watch: set by any effect on a watched key.
#[derive(Default)]
pub struct WatchFlag {
    dirty: AtomicBool,
    keys: Mutex<Vec<WatchedKey>>,
}

/// A key under watch, by physical database.
#[derive(Clone, PartialEq, Eq)]
pub struct WatchedKey {
    pub db: u32,
    pub key: Box<[u8]>,
    /// It was live when watched: dying of age afterwards counts as a change.
    pub live: bool,
}

impl WatchFlag {
    pub fn is_dirty(&self) -> bool {
        self.dirty.load(Relaxed)
    }

    pub fn set_dirty(&self) {
        self.dirty.store(true, Relaxed);
    }

    pub(crate) fn keys(&self) -> &Mutex<Vec<WatchedKey>> {
        &self.keys
    }

    /// The key was live when it was watched: only then does it change by going.
    fn was_live(&self, db: u32, key: &[u8]) -> bool {
        self.keys.lock().iter().any(|k| k.live && k.db == db && *k.key == *key)
    }

    /// Hashes of the watched keys, to lock them.
    pub(crate) fn hashes(&self, hash: impl Fn(&[u8]) -> u64) -> Vec<u64> {
        self.keys.lock().iter().map(|k| hash(&k.key)).collect()
    }

    pub fn is_watching(&self) -> bool {
        !self.keys.lock().is_empty()
    }
}

/// A shard's watchers.
#[derive(Default)]
pub(crate) struct Watchers(HashMap<(u32, Box<[u8]>), Vec<Arc<WatchFlag>>, Xxh3DefaultBuilder>);

impl Watchers {
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn add(&mut self, db: u32, key: &[u8], flag: &Arc<WatchFlag>) {
        self.0.entry((db, key.into())).or_default().push(flag.clone());
    }

    pub fn remove(&mut self, db: u32, key: &[u8], flag: &Arc<WatchFlag>) {
        let id = (db, key.into());
        if let Some(flags) = self.0.get_mut(&id) {
            flags.retain(|f| !Arc::ptr_eq(f, flag));
            if flags.is_empty() {
                self.0.remove(&id);
            }
        }
    }

    /// The key changed.
    pub fn touch(&self, db: u32, key: &[u8]) {
        if let Some(flags) = self.0.get(&(db, key.into())) {
            flags.iter().for_each(|f| f.set_dirty());
        }
    }

    /// The key goes: nothing new for whoever watched it when it was past its expiry already.
    pub fn touch_going(&self, db: u32, key: &[u8]) {
        if let Some(flags) = self.0.get(&(db, key.into())) {
            flags.iter().filter(|f| f.was_live(db, key)).for_each(|f| f.set_dirty());
        }
    }

    /// Touches every watched key for which `changed` holds, given whether it was live when watched.
    pub fn touch_all(&self, mut changed: impl FnMut(u32, &[u8], bool) -> bool) {
        for ((db, key), flags) in &self.0 {
            let changed = flags.iter().filter(|f| changed(*db, key, f.was_live(*db, key)));
            changed.for_each(|f| f.set_dirty());
        }
    }
}
