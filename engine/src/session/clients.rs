//! Who is connected.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::commands::CommandSpec;

/// One client as others see it.
#[derive(Debug)]
pub struct ClientHandle {
    pub id: u64,
    pub addr: String,
    pub laddr: String,
    pub fd: i64,
    /// Unix milliseconds.
    pub created_ms: u64,
    pub unix_socket: bool,
    last_ms: AtomicU64,
    db: AtomicU32,
    command: Mutex<&'static str>,
    name: Mutex<String>,
    killed: AtomicBool,
    /// Queued commands, or -1 outside MULTI; watched keys are told apart by flags.
    pub(crate) queued: std::sync::atomic::AtomicI64,
    pub(crate) resp3: AtomicBool,
    pub(crate) no_evict: AtomicBool,
}

impl ClientHandle {
    pub fn new(id: u64, addr: String, laddr: String, fd: i64, unix_socket: bool, now_ms: u64) -> Self {
        ClientHandle {
            id,
            addr,
            laddr,
            fd,
            created_ms: now_ms,
            unix_socket,
            last_ms: AtomicU64::new(now_ms),
            db: AtomicU32::new(0),
            command: Mutex::new("NULL"),
            name: Mutex::default(),
            killed: AtomicBool::new(false),
            queued: (-1).into(),
            resp3: AtomicBool::new(false),
            no_evict: AtomicBool::new(false),
        }
    }

    pub(crate) fn note_command(&self, now_ms: u64, db: u32, spec: &'static CommandSpec) {
        self.last_ms.store(now_ms, Relaxed);
        self.db.store(db, Relaxed);
        *self.command.lock() = spec.name;
    }

    /// When it last sent a command, Unix milliseconds.
    pub fn last_ms(&self) -> u64 {
        self.last_ms.load(Relaxed)
    }

    pub fn name(&self) -> String {
        self.name.lock().clone()
    }

    pub(crate) fn set_name(&self, name: String) {
        *self.name.lock() = name;
    }

    /// The connection is to be closed.
    pub fn kill(&self) {
        self.killed.store(true, Relaxed);
    }

    pub fn is_killed(&self) -> bool {
        self.killed.load(Relaxed)
    }

    /// A line of CLIENT LIST.
    pub fn describe(&self, now_ms: u64) -> String {
        let seconds = |from: u64| now_ms.saturating_sub(from) / 1000;
        let multi = self.queued.load(Relaxed);
        let mut flags = String::new();
        if multi >= 0 {
            flags.push('x');
        }
        if self.unix_socket {
            flags.push('U');
        }
        if self.no_evict.load(Relaxed) {
            flags.push('e');
        }
        if flags.is_empty() {
            flags.push('N');
        }
        format!(
            "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={flags} db={} sub=0 psub=0 ssub=0 multi={multi} \
             qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd={} \
             user=default redir=-1 resp={}",
            self.id,
            self.addr,
            self.laddr,
            self.fd,
            self.name.lock(),
            seconds(self.created_ms),
            seconds(self.last_ms()),
            self.db.load(Relaxed),
            self.command.lock(),
            if self.resp3.load(Relaxed) { 3 } else { 2 },
        )
    }
}

/// All clients by id.
#[derive(Default)]
pub struct Clients {
    next: AtomicU64,
    by_id: Mutex<BTreeMap<u64, Arc<ClientHandle>>>,
}

impl Clients {
    /// The next client's id, from 1.
    pub fn next_id(&self) -> u64 {
        self.next.fetch_add(1, Relaxed) + 1
    }

    pub fn add(&self, client: Arc<ClientHandle>) {
        self.by_id.lock().insert(client.id, client);
    }

    pub fn remove(&self, id: u64) {
        self.by_id.lock().remove(&id);
    }

    pub fn get(&self, id: u64) -> Option<Arc<ClientHandle>> {
        self.by_id.lock().get(&id).cloned()
    }

    pub fn all(&self) -> Vec<Arc<ClientHandle>> {
        self.by_id.lock().values().cloned().collect()
    }

    pub fn len(&self) -> usize {
        self.by_id.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
