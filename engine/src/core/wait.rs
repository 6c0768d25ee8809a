//! Clients that wait: for keys ([`crate::state::waiters`]) or for peers, and how their reactors are told.
//!
//! A client that an effect wakes is told at the end of the turn, when the effect is in the log ([`Engine::end_turn`]), or once the
//! remote batch is shown. Being told says only that it is worth looking again: the command runs anew and may go on waiting.
//!
//! Invariants: a client is told once for any number of events since it last looked. Waiting costs nothing while nobody waits but
//! one test of an empty map for each effect.
//!
//! Lock order: `clients` and `inboxes` are leaves.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use proto::{Frontier, Seq};

use super::Engine;
use crate::state::table::shard_of;
use crate::state::waiters::Waiter;

/// What a client waits for that peers decide.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Until {
    /// A member in each of so many other regions has shown our effects up to this one.
    Regions { seq: Seq, regions: usize },
    /// So many other members, of any region, have shown our effects up to this one.
    Members { seq: Seq, members: usize },
    /// This node has shown all of it.
    Shown(Frontier),
}

/// What of a client waits: it may hold replies back while a command of it waits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Purpose {
    Command,
    Replies,
}

/// Wakes a reactor, by its number.
pub type WakeReactor = Box<dyn Fn(usize) + Send + Sync>;

/// See the module.
#[derive(Default)]
pub(crate) struct Waits {
    tickets: AtomicU64,
    /// Woken by effects that may not be in the log yet.
    ready: Mutex<Vec<Arc<Waiter>>>,
    any_ready: AtomicBool,
    /// Clients to be looked at, by reactor.
    inboxes: Mutex<Vec<Vec<u64>>>,
    /// Clients that wait for peers, with their reactors.
    clients: Mutex<BTreeMap<(u64, Purpose), (usize, Until)>>,
    count: AtomicUsize,
    wake: OnceLock<WakeReactor>,
}

impl Waits {
    pub fn ticket(&self) -> u64 {
        self.tickets.fetch_add(1, Relaxed)
    }

    /// An effect woke this client: it is told when the effect is in the log.
    #[cold]
    pub fn note(&self, waiter: &Arc<Waiter>) {
        self.ready.lock().push(waiter.clone());
        self.any_ready.store(true, Relaxed);
    }

    fn tell(&self, clients: impl Iterator<Item = (usize, u64)>) {
        let mut reactors = Vec::new();
        let mut inboxes = self.inboxes.lock();
        for (reactor, client) in clients {
            if reactor >= inboxes.len() {
                inboxes.resize_with(reactor + 1, Vec::new);
            }
            if inboxes[reactor].is_empty() {
                reactors.push(reactor);
            }
            inboxes[reactor].push(client);
        }
        drop(inboxes);
        if let Some(wake) = self.wake.get() {
            reactors.into_iter().for_each(wake);
        }
    }
}

impl Engine {
    /// How a reactor is woken when clients of it are to be looked at. Set once, before any client comes.
    pub fn on_wake(&self, wake: WakeReactor) {
        let _ = self.waits.wake.set(wake);
    }

    /// Takes the clients of a reactor that were woken since the last time, in the order in which they were.
    pub fn take_woken(&self, reactor: usize) -> Vec<u64> {
        self.waits.inboxes.lock().get_mut(reactor).map(std::mem::take).unwrap_or_default()
    }

    /// Has a client looked at in its reactor's next turn.
    pub fn wake_client(&self, reactor: usize, client: u64) {
        self.waits.tell(std::iter::once((reactor, client)));
    }

    /// Tells those whom effects woke that are in the log now.
    #[inline]
    pub(super) fn tell_ready(&self) {
        if self.waits.any_ready.load(Relaxed) {
            self.tell_all_ready();
        }
    }

    #[cold]
    fn tell_all_ready(&self) {
        self.waits.any_ready.store(false, Relaxed);
        let ready = std::mem::take(&mut *self.waits.ready.lock());
        self.waits.tell(ready.iter().map(|w| (w.reactor, w.client)));
    }

    /// A client that waits on keys is served, gives up or is gone: whoever is next is woken.
    pub fn leave(&self, waiter: &Waiter) {
        let keys = std::mem::take(&mut *waiter.keys().lock());
        for (db, key) in keys {
            let hash = self.key_hash(&key);
            let mut shard = self.shards[shard_of(hash)].lock();
            shard.leave(db, hash, &key, waiter, &|next| self.waits.note(next));
        }
        self.tell_ready();
    }

    /// Whether a wait for peers is over.
    pub fn is_reached(&self, until: &Until) -> bool {
        match until {
            Until::Regions { seq, regions } => self.regions_holding(*seq) >= *regions,
            Until::Members { seq, members } => self.members_holding(*seq) >= *members,
            Until::Shown(frontier) => self.shown.lock().covers(frontier),
        }
    }

    /// How many other regions have a member that has shown our effects up to `seq`, by its own word.
    pub fn regions_holding(&self, seq: Seq) -> usize {
        let own = self.own.read();
        let (own_region, node) = (own.region.clone(), own.node);
        drop(own);
        let peers = self.peers.lock();
        let holding =
            peers.members.iter().filter(|m| m.region != own_region && peers.heard.has(m.node, node, seq));
        holding.map(|m| m.region.as_str()).collect::<std::collections::BTreeSet<_>>().len()
    }

    /// How many other members have shown our effects up to `seq`, by their own word.
    pub fn members_holding(&self, seq: Seq) -> usize {
        let node = self.own.read().node;
        let peers = self.peers.lock();
        peers.members.iter().filter(|m| peers.heard.has(m.node, node, seq)).count()
    }

    /// Has a client woken when `until` is reached. False when it is already: nothing is noted then.
    pub fn await_peers(&self, reactor: usize, client: u64, purpose: Purpose, until: Until) -> bool {
        // Noted before looking, so that what comes in between is not missed.
        if self.waits.clients.lock().insert((client, purpose), (reactor, until.clone())).is_none() {
            self.waits.count.fetch_add(1, Relaxed);
        }
        if self.is_reached(&until) {
            self.forget_wait(client, purpose);
            return false;
        }
        true
    }

    /// A client waits for peers no more.
    pub fn forget_wait(&self, client: u64, purpose: Purpose) {
        if self.waits.clients.lock().remove(&(client, purpose)).is_some() {
            self.waits.count.fetch_sub(1, Relaxed);
        }
    }

    /// Acks arrived, or the shown frontier grew: wakes those who waited for that.
    #[inline]
    pub(super) fn progressed(&self) {
        if self.waits.count.load(Relaxed) > 0 {
            self.tell_reached();
        }
    }

    #[cold]
    fn tell_reached(&self) {
        let waiting: Vec<((u64, Purpose), Until)> =
            self.waits.clients.lock().iter().map(|(who, (_, until))| (*who, until.clone())).collect();
        let mut reached = Vec::new();
        for (who, until) in waiting {
            if !self.is_reached(&until) {
                continue;
            }
            // It may wait for something else by now.
            let mut clients = self.waits.clients.lock();
            if clients.get(&who).is_some_and(|(_, now)| *now == until)
                && let Some((reactor, _)) = clients.remove(&who)
            {
                self.waits.count.fetch_sub(1, Relaxed);
                reached.push((reactor, who.0));
            }
        }
        self.waits.tell(reached.into_iter());
    }
}
