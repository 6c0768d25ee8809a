//! The clients of a server: one card each, which other clients may read (CLIENT LIST) and mark (CLIENT KILL).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use proto::resp::Protocol;

use super::resolve::Resolved;

/// Where a client came from, as its reactor knows it.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// `ip:port`, or `path:0` of a unix socket.
    pub addr: String,
    pub laddr: String,
    pub fd: i32,
    pub unix_socket: bool,
    /// The other end is this machine.
    pub local: bool,
    pub reactor: usize,
}

/// What CLIENT LIST tells, published by the session after each feed.
#[derive(Clone, Default)]
pub struct Published {
    pub active_ms: u64,
    pub db: u32,
    pub name: String,
    pub lib_name: String,
    pub lib_version: String,
    /// Queued commands, -1 outside MULTI.
    pub multi: i64,
    pub multi_bytes: usize,
    pub last: Option<Resolved>,
    pub protocol: Protocol,
    pub dirty: bool,
    pub no_evict: bool,
    pub no_touch: bool,
    pub closing: bool,
    /// Unread input and unsent output, bytes.
    pub input_bytes: usize,
    pub output_bytes: usize,
    /// Of the command that is running.
    pub argument_bytes: usize,
}

impl Published {
    /// The client runs this command, which stands in its input until it is answered.
    pub fn running(&mut self, args: &[&[u8]]) {
        let header = |n: usize| 3 + n.checked_ilog10().unwrap_or(0) as usize + 1;
        self.argument_bytes = args.iter().map(|arg| arg.len()).sum();
        self.input_bytes =
            header(args.len()) + args.iter().map(|arg| header(arg.len()) + arg.len() + 2).sum::<usize>();
    }

    /// It was answered.
    pub fn ran(&mut self) {
        (self.argument_bytes, self.input_bytes) = (0, 0);
    }
}

/// How another client asked to end this one's wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unblock {
    No,
    /// As if its time were up.
    Timeout,
    Error,
}

/// One client.
pub struct ClientCard {
    pub id: u64,
    pub origin: Origin,
    pub created_ms: u64,
    killed: AtomicBool,
    blocked: AtomicBool,
    /// [`Unblock`] as a number.
    unblock: AtomicU8,
    pub(crate) published: Mutex<Published>,
}

impl ClientCard {
    /// Another client asked to end this one.
    pub fn is_killed(&self) -> bool {
        self.killed.load(Relaxed)
    }

    pub fn kill(&self) {
        self.killed.store(true, Relaxed);
    }

    /// Its command waits.
    pub fn is_blocked(&self) -> bool {
        self.blocked.load(Relaxed)
    }

    pub(super) fn set_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Relaxed);
        self.unblock.store(0, Relaxed);
    }

    /// Asks to end its wait; its reactor is to be woken.
    pub fn ask_unblock(&self, how: Unblock) {
        self.unblock.store(how as u8, Relaxed);
    }

    pub(super) fn unblock(&self) -> Unblock {
        match self.unblock.load(Relaxed) {
            0 => Unblock::No,
            1 => Unblock::Timeout,
            _ => Unblock::Error,
        }
    }

    /// Last command, Unix milliseconds.
    pub fn active_ms(&self) -> u64 {
        self.published.lock().active_ms
    }

    /// Bytes waiting in the reactor for this client.
    pub fn set_buffers(&self, input_bytes: usize, output_bytes: usize) {
        let mut published = self.published.lock();
        published.input_bytes = input_bytes;
        published.output_bytes = output_bytes;
    }

    /// Appends the line of CLIENT LIST, without its end of line.
    pub fn describe(&self, now_ms: u64, out: &mut String) {
        let p = self.published.lock();
        let mut flags = String::new();
        let marks = [
            (self.is_blocked(), 'b'),
            (p.multi >= 0, 'x'),
            (p.dirty, 'd'),
            (p.closing, 'c'),
            (self.is_killed(), 'A'),
        ];
        flags.extend(marks.iter().filter(|m| m.0).map(|m| m.1));
        let marks = [(self.origin.unix_socket, 'U'), (p.no_evict, 'e'), (p.no_touch, 'T')];
        flags.extend(marks.iter().filter(|m| m.0).map(|m| m.1));
        if flags.is_empty() {
            flags.push('N');
        }
        let memory = p.input_bytes + p.output_bytes + p.multi_bytes + size_of::<Self>();
        let _ = write!(
            out,
            "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={flags} db={} sub=0 psub=0 ssub=0 multi={} \
             qbuf={} qbuf-free=0 argv-mem={} multi-mem={} rbs=0 rbp=0 obl=0 oll={} omem={} tot-mem={memory} events=r \
             cmd={} user=default redir=-1 resp={}",
            self.id,
            self.origin.addr,
            self.origin.laddr,
            self.origin.fd,
            p.name,
            now_ms.saturating_sub(self.created_ms) / 1000,
            now_ms.saturating_sub(p.active_ms) / 1000,
            p.db,
            p.multi,
            p.input_bytes,
            p.argument_bytes,
            p.multi_bytes,
            u8::from(p.output_bytes > 0),
            p.output_bytes,
            p.last.map_or_else(|| "NULL".into(), |l| l.full_name()),
            match p.protocol {
                Protocol::Resp2 => 2,
                Protocol::Resp3 => 3,
            },
        );
    }
}

/// Which clients CLIENT KILL and CLIENT LIST mean.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub id: Option<u64>,
    pub ids: Option<Vec<u64>>,
    pub addr: Option<Vec<u8>>,
    pub laddr: Option<Vec<u8>>,
    /// False selects no client: the type exists, none has it here.
    pub none: bool,
    /// Leave this client out.
    pub skip: Option<u64>,
}

impl Filter {
    fn matches(&self, card: &ClientCard) -> bool {
        !self.none
            && self.id.is_none_or(|id| id == card.id)
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&card.id))
            && self.addr.as_ref().is_none_or(|a| *a == card.origin.addr.as_bytes())
            && self.laddr.as_ref().is_none_or(|a| *a == card.origin.laddr.as_bytes())
            && self.skip != Some(card.id)
    }
}

/// All clients, by id.
#[derive(Default)]
pub struct Clients {
    next_id: AtomicU64,
    cards: Mutex<BTreeMap<u64, Arc<ClientCard>>>,
}

impl Clients {
    pub(super) fn register(&self, origin: Origin, now_ms: u64) -> Arc<ClientCard> {
        let published = Published { active_ms: now_ms, multi: -1, ..Published::default() };
        let card = Arc::new(ClientCard {
            id: self.next_id.fetch_add(1, Relaxed) + 1,
            origin,
            created_ms: now_ms,
            killed: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            unblock: AtomicU8::new(0),
            published: Mutex::new(published),
        });
        self.cards.lock().insert(card.id, card.clone());
        card
    }

    pub(super) fn remove(&self, id: u64) {
        self.cards.lock().remove(&id);
    }

    pub fn len(&self) -> usize {
        self.cards.lock().len()
    }

    /// Bytes of all cards and of what waits in buffers and queues.
    pub fn memory(&self) -> u64 {
        let cards = self.cards.lock();
        let sum = cards.values().map(|card| {
            let p = card.published.lock();
            p.input_bytes + p.output_bytes + p.multi_bytes + size_of::<ClientCard>()
        });
        sum.sum::<usize>() as u64
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn exists(&self, id: u64) -> bool {
        self.cards.lock().contains_key(&id)
    }

    /// Clients that match, in the order of their ids.
    pub fn select(&self, filter: &Filter) -> Vec<Arc<ClientCard>> {
        self.cards.lock().values().filter(|c| filter.matches(c)).cloned().collect()
    }
}
