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
        let Some(flags) = self.0.get_mut(&id).filter(|flags| flags.iter().any(|f| Arc::ptr_eq(f, flag)))
        else {
            // Databases changed places since the client told its keys.
            return self.0.retain(|(_, other), flags| {
                if **other == *key {
                    flags.retain(|f| !Arc::ptr_eq(f, flag));
                }
                !flags.is_empty()
            });
        };
        flags.retain(|f| !Arc::ptr_eq(f, flag));
        if flags.is_empty() {
            self.0.remove(&id);
        }
    }

    /// Two databases changed places: who watches a key of a number watches what is behind the number now.
    pub fn swap(&mut self, a: u32, b: u32) {
        if a == b || self.0.keys().all(|(db, _)| *db != a && *db != b) {
            return;
        }
        let other = |db: u32| match db {
            db if db == a => b,
            db if db == b => a,
            db => db,
        };
        let mut told: Vec<(*const WatchFlag, Box<[u8]>)> = Vec::new();
        for ((db, key), flags) in std::mem::take(&mut self.0) {
            for flag in &flags {
                // One that watches the name in both is told once.
                let id = (Arc::as_ptr(flag), key.clone());
                if !told.contains(&id) {
                    let mut keys = flag.keys.lock();
                    keys.iter_mut().filter(|k| k.key == key).for_each(|k| k.db = other(k.db));
                    told.push(id);
                }
            }
            self.0.insert((other(db), key), flags);
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
