//! Clients that wait for keys: a shard's queues, and who is woken when a key comes to have a value.
//!
//! Invariants: a queue is in the order in which its clients began to wait. While a key has a value, the first client of its queue
//! that would take of that type is woken; when it leaves, the next is.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;
use parking_lot::Mutex;
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use super::value::Kind;

/// What a client waits for on its keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Want {
    /// A value of this type.
    pub kind: Kind,
    /// It takes nothing away from others (XREAD): every change of the key wakes it. Otherwise it is woken in its turn (BLPOP).
    pub shares: bool,
    /// Also woken when the key goes or is of another type (XREADGROUP).
    pub going: bool,
}

/// One blocked client.
pub struct Waiter {
    /// Grows with every client that begins to wait.
    ticket: u64,
    pub(crate) client: u64,
    pub(crate) reactor: usize,
    want: Want,
    woken: AtomicBool,
    /// Physical database and key of each queue it is in.
    keys: Mutex<Vec<(u32, Box<[u8]>)>>,
    /// What its command noted when it began to wait.
    notes: OnceLock<Box<[u64]>>,
}

impl Waiter {
    pub(crate) fn new(ticket: u64, client: u64, reactor: usize, want: Want) -> Self {
        Waiter {
            ticket,
            client,
            reactor,
            want,
            woken: AtomicBool::new(false),
            keys: Mutex::default(),
            notes: OnceLock::new(),
        }
    }

    pub(crate) fn notes(&self) -> &OnceLock<Box<[u64]>> {
        &self.notes
    }

    pub(crate) fn ticket(&self) -> u64 {
        self.ticket
    }

    /// It looks at its keys now: what changes from here on wakes it again. Their shards are held.
    pub(crate) fn looks(&self) {
        self.woken.store(false, Relaxed);
    }

    /// True for the first to wake it since it looked.
    fn wake(&self) -> bool {
        !self.woken.swap(true, Relaxed)
    }

    pub(crate) fn keys(&self) -> &Mutex<Vec<(u32, Box<[u8]>)>> {
        &self.keys
    }
}

/// Where woken clients are put down.
pub(crate) type Woken<'w> = &'w dyn Fn(&Arc<Waiter>);

/// A shard's queues.
#[derive(Default)]
pub(crate) struct Waiters(HashMap<(u32, Box<[u8]>), Vec<Arc<Waiter>>, Xxh3DefaultBuilder>);

impl Waiters {
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes its place in the queue of a key; again does nothing.
    pub fn join(&mut self, db: u32, key: &[u8], waiter: &Arc<Waiter>) {
        let queue = self.0.entry((db, key.into())).or_default();
        if let Err(at) = queue.binary_search_by_key(&waiter.ticket, |w| w.ticket) {
            queue.insert(at, waiter.clone());
        }
    }

    /// Leaves the queue; `kind`: what the key is now, so that the next is woken if there is something for it.
    pub fn leave(&mut self, db: u32, key: &[u8], waiter: &Waiter, kind: Option<Kind>, woken: Woken<'_>) {
        let id = (db, key.into());
        let Some(queue) = self.0.get_mut(&id) else { return };
        queue.retain(|w| w.ticket != waiter.ticket);
        if queue.is_empty() {
            self.0.remove(&id);
        } else if let Some(kind) = kind
            && !waiter.want.shares
        {
            wake_first(queue, kind, woken);
        }
    }

    /// The client that began to wait first of those that would take of this type from the key.
    pub fn first_taker(&self, db: u32, key: &[u8], kind: Kind) -> Option<&Arc<Waiter>> {
        first_taker(self.0.get(&(db, key.into()))?, kind)
    }

    /// The key changed and is of this type now, or nothing.
    pub fn changed(&self, db: u32, key: &[u8], kind: Option<Kind>, woken: Woken<'_>) {
        let Some(queue) = self.0.get(&(db, key.into())) else { return };
        if let Some(kind) = kind {
            wake_first(queue, kind, woken);
        }
        let concerned = |w: &&Arc<Waiter>| match kind {
            Some(kind) if w.want.kind == kind => w.want.shares,
            _ => w.want.going,
        };
        queue.iter().filter(concerned).filter(|w| w.wake()).for_each(woken);
    }

    /// Wakes everyone who waits on a key of these databases: what the keys are has changed as a whole.
    pub fn all_changed(&self, concerned: impl Fn(u32) -> bool, woken: Woken<'_>) {
        let queues = self.0.iter().filter(|((db, _), _)| concerned(*db));
        queues.flat_map(|(_, queue)| queue).filter(|w| w.wake()).for_each(woken);
    }
}

fn first_taker(queue: &[Arc<Waiter>], kind: Kind) -> Option<&Arc<Waiter>> {
    queue.iter().find(|w| !w.want.shares && w.want.kind == kind)
}

fn wake_first(queue: &[Arc<Waiter>], kind: Kind, woken: Woken<'_>) {
    if let Some(first) = first_taker(queue, kind)
        && first.wake()
    {
        woken(first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter(ticket: u64, kind: Kind, shares: bool, going: bool) -> Arc<Waiter> {
        Arc::new(Waiter::new(ticket, ticket, 0, Want { kind, shares, going }))
    }

    /// Tickets of those woken.
    fn woken(run: impl FnOnce(Woken<'_>)) -> Vec<u64> {
        let tickets = Mutex::new(Vec::new());
        run(&|w| tickets.lock().push(w.ticket));
        tickets.into_inner()
    }

    #[test]
    fn takers_are_woken_one_by_one_in_the_order_they_came_and_readers_all_at_once() {
        let mut queues = Waiters::default();
        let all = [
            waiter(3, Kind::Set, false, false),
            waiter(1, Kind::String, false, false),
            waiter(2, Kind::Set, false, false),
            waiter(4, Kind::Set, true, false),
            waiter(5, Kind::Set, true, true),
        ];
        all.iter().for_each(|w| queues.join(0, b"k", w));
        assert_eq!(woken(|w| queues.changed(0, b"other", Some(Kind::Set), w)), []);
        assert_eq!(woken(|w| queues.changed(1, b"k", Some(Kind::Set), w)), []);
        assert_eq!(woken(|w| queues.changed(0, b"k", Some(Kind::Set), w)), [2, 4, 5]);
        assert_eq!(woken(|w| queues.changed(0, b"k", Some(Kind::Set), w)), [], "each once until it looked");
        // The first finds nothing and goes on waiting, in its place.
        all[2].looks();
        queues.join(0, b"k", &all[2]);
        assert_eq!(woken(|w| queues.changed(0, b"k", Some(Kind::Set), w)), [2]);
        // It is served and leaves something: the next one's turn.
        assert_eq!(woken(|w| queues.leave(0, b"k", &all[2], Some(Kind::Set), w)), [3]);
        assert_eq!(queues.first_taker(0, b"k", Kind::Set).unwrap().ticket(), 3);
        all[4].looks();
        assert_eq!(woken(|w| queues.changed(0, b"k", None, w)), [5], "a key that goes");
        for w in &all {
            woken(|gone| queues.leave(0, b"k", w, None, gone));
        }
        assert!(queues.is_empty());
    }
}
