//! A reactor: one thread, one poll loop. A turn reads every ready connection, runs what arrived, writes the log once, then
//! sends the replies.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::session::{ClientHandle, Server, Session};
use mio::event::Event;
use mio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use parking_lot::Mutex;

use crate::connection::{Connection, Fate, Stream};
use crate::host::Life;
use crate::process;

const WAKE: Token = Token(usize::MAX);
const TCP: Token = Token(usize::MAX - 1);
const UNIX: Token = Token(usize::MAX - 2);
const SCRATCH_BYTES: usize = 64 << 10;
/// Longest sleep: timeouts and killed clients are looked at so often.
const POLL_MAX: Duration = Duration::from_millis(250);
/// How soon held commands (CLIENT PAUSE, full buffers) are tried again.
const HELD_RETRY: Duration = Duration::from_millis(5);

/// Connections handed to a reactor by the accepting one.
#[derive(Default)]
pub struct Inbox(Mutex<Vec<Stream>>);

/// A reactor as the accepting one sees it.
#[derive(Clone)]
pub struct Mailbox {
    pub inbox: Arc<Inbox>,
    pub waker: Arc<Waker>,
}

/// See the module.
pub struct Reactor {
    poll: Poll,
    server: Arc<Server>,
    life: Arc<Life>,
    mailbox: Mailbox,
    /// Of the accepting reactor only: where connections go in turn.
    peers: Vec<Mailbox>,
    next_peer: usize,
    tcp: Option<TcpListener>,
    unix: Option<UnixListener>,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    spare: Vec<Vec<u8>>,
}

impl Reactor {
    pub fn new(server: Arc<Server>, life: Arc<Life>) -> std::io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        life.add_waker(waker.clone());
        let mailbox = Mailbox { inbox: Arc::default(), waker };
        Ok(Reactor {
            poll,
            server,
            life,
            mailbox,
            peers: Vec::new(),
            next_peer: 0,
            tcp: None,
            unix: None,
            connections: Vec::new(),
            free: Vec::new(),
            spare: Vec::new(),
        })
    }

    pub fn mailbox(&self) -> Mailbox {
        self.mailbox.clone()
    }

    /// Makes this the accepting reactor, dealing connections to all of `peers` in turn.
    pub fn accept_for(
        &mut self,
        peers: Vec<Mailbox>,
        mut tcp: TcpListener,
        mut unix: Option<UnixListener>,
    ) -> std::io::Result<()> {
        self.poll.registry().register(&mut tcp, TCP, Interest::READABLE)?;
        if let Some(unix) = &mut unix {
            self.poll.registry().register(unix, UNIX, Interest::READABLE)?;
        }
        self.peers = peers;
        self.tcp = Some(tcp);
        self.unix = unix;
        Ok(())
    }

    /// Runs until the node stops.
    pub fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        let mut scratch = vec![0; SCRATCH_BYTES];
        let (mut ready, mut again): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
        let mut swept = Instant::now();
        while !self.life.is_stopping() {
            let timeout = if again.is_empty() { POLL_MAX } else { self.retry_after(&again) };
            if let Err(error) = self.poll.poll(&mut events, Some(timeout))
                && error.kind() != ErrorKind::Interrupted
            {
                tracing::error!(%error, "poll failed: the node stops");
                self.life.stop();
                return;
            }
            ready.clear();
            ready.append(&mut again);
            let mut woken = false;
            for event in &events {
                match event.token() {
                    WAKE => woken = true,
                    TCP | UNIX => self.accept(),
                    Token(at) => self.note(at, event, &mut ready),
                }
            }
            if woken {
                self.take_inbox();
            }
            let turn = self.server.engine().turn(process::now_ms());
            for at in ready.iter().copied() {
                let Some(Some(connection)) = self.connections.get_mut(at) else { continue };
                match connection.turn(&self.server, &turn, &mut scratch, &mut self.spare) {
                    Fate::Again => again.push(at),
                    Fate::Dead => self.drop_connection(at),
                    Fate::Open | Fate::Closing => {}
                }
            }
            // No reply leaves before everything it may have read is in the log.
            let written = self.server.engine().end_turn();
            if let Err(error) = &written {
                tracing::error!(%error, "writes of this turn are refused");
            }
            for at in ready.iter().copied() {
                self.send(at, written.as_ref().err().map(|e| e.to_string()).as_deref());
            }
            if woken || swept.elapsed() > Duration::from_millis(500) {
                swept = Instant::now();
                self.sweep(turn.now_ms);
            }
        }
        let _ = self.server.engine().end_turn();
        for at in 0..self.connections.len() {
            self.drop_connection(at);
        }
    }

    /// At once while a connection has input left over; a little later when it only waits.
    fn retry_after(&self, again: &[usize]) -> Duration {
        let waiting = |at: &usize| matches!(self.connections.get(*at), Some(Some(c)) if c.has_output());
        if again.iter().all(waiting) { HELD_RETRY } else { Duration::from_millis(1) }
    }

    fn note(&mut self, at: usize, event: &Event, ready: &mut Vec<usize>) {
        if let Some(Some(connection)) = self.connections.get_mut(at) {
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                connection.note_readable();
            }
            if !ready.contains(&at) {
                ready.push(at);
            }
        }
    }

    fn send(&mut self, at: usize, refused: Option<&str>) {
        let Some(Some(connection)) = self.connections.get_mut(at) else { return };
        if let Some(error) = refused
            && connection.has_output()
        {
            connection.replace_output(error);
        }
        let closing = connection.is_closing();
        match connection.flush(&self.server, &mut self.spare) {
            Ok(true) if closing => self.drop_connection(at),
            Ok(_) => {}
            Err(_) => self.drop_connection(at),
        }
    }

    fn accept(&mut self) {
        loop {
            let accepted = match (&self.tcp, &self.unix) {
                (Some(tcp), unix) => match tcp.accept() {
                    Ok((stream, _)) => {
                        // Replies are small and wanted now.
                        let _ = stream.set_nodelay(true);
                        Ok(Stream::Tcp(stream))
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => match unix {
                        Some(unix) => unix.accept().map(|(stream, _)| Stream::Unix(stream)),
                        None => Err(error),
                    },
                    Err(error) => Err(error),
                },
                _ => return,
            };
            match accepted {
                Ok(stream) => self.deal(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    // Out of descriptors, most likely: the next event tries again.
                    tracing::warn!(%error, "accepting a connection failed");
                    return;
                }
            }
        }
    }

    fn deal(&mut self, mut stream: Stream) {
        let max = self.server.settings().read().number("maxclients");
        self.server.stats().connections.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if self.server.clients().len() as u64 >= max {
            self.server.stats().rejected.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            stream.write_last(b"-ERR max number of clients reached\r\n");
            return;
        }
        let peer = self.peers[self.next_peer % self.peers.len()].clone();
        self.next_peer += 1;
        if Arc::ptr_eq(&peer.inbox, &self.mailbox.inbox) {
            self.adopt(stream);
        } else {
            peer.inbox.0.lock().push(stream);
            let _ = peer.waker.wake();
        }
    }

    fn take_inbox(&mut self) {
        let arrived = std::mem::take(&mut *self.mailbox.inbox.0.lock());
        arrived.into_iter().for_each(|stream| self.adopt(stream));
    }

    fn adopt(&mut self, mut stream: Stream) {
        let at = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        if let Err(error) = stream.register(self.poll.registry(), Token(at)) {
            tracing::warn!(%error, "registering a connection failed");
            self.free.push(at);
            return;
        }
        let id = self.server.clients().next_id();
        let (addr, laddr, fd, unix) = stream.describe();
        let client = Arc::new(ClientHandle::new(id, addr, laddr, fd, unix, process::now_ms()));
        self.server.clients().add(client.clone());
        let session = Session::new(&self.server, client);
        self.connections[at] = Some(Connection::new(stream, session));
    }

    fn drop_connection(&mut self, at: usize) {
        if let Some(mut connection) = self.connections[at].take() {
            let _ = connection.stream.deregister(self.poll.registry());
            connection.into_session().finish(&self.server);
            self.free.push(at);
        }
    }

    /// Closes killed and idle connections.
    fn sweep(&mut self, now_ms: u64) {
        let timeout_ms = self.server.settings().read().number("timeout") * 1000;
        for at in 0..self.connections.len() {
            let Some(connection) = &self.connections[at] else { continue };
            let client = connection.client();
            let idle = timeout_ms > 0 && now_ms.saturating_sub(client.last_ms()) > timeout_ms;
            if idle || client.is_killed() {
                self.drop_connection(at);
            }
        }
    }
}

impl Stream {
    fn register(&mut self, registry: &Registry, token: Token) -> std::io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self {
            Stream::Tcp(s) => registry.register(s, token, interest),
            Stream::Unix(s) => registry.register(s, token, interest),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> std::io::Result<()> {
        match self {
            Stream::Tcp(s) => registry.deregister(s),
            Stream::Unix(s) => registry.deregister(s),
        }
    }

    /// Address, local address, descriptor, and whether it is a Unix socket.
    fn describe(&self) -> (String, String, i64, bool) {
        use std::os::fd::AsRawFd;
        let text = |addr: std::io::Result<std::net::SocketAddr>| {
            addr.map_or_else(|_| "?:0".into(), |a| a.to_string())
        };
        match self {
            Stream::Tcp(s) => (text(s.peer_addr()), text(s.local_addr()), i64::from(s.as_raw_fd()), false),
            Stream::Unix(s) => {
                let path = unix_path(s);
                (format!("{path}:0"), format!("{path}:0"), i64::from(s.as_raw_fd()), true)
            }
        }
    }

    /// A last word before the connection is dropped; lost when it cannot be sent at once.
    fn write_last(&mut self, bytes: &[u8]) {
        use std::io::Write;
        let _ = match self {
            Stream::Tcp(s) => TcpStream::write(s, bytes),
            Stream::Unix(s) => UnixStream::write(s, bytes),
        };
    }
}

fn unix_path(stream: &UnixStream) -> String {
    let path = stream.local_addr().ok().and_then(|a| a.as_pathname().map(|p| p.display().to_string()));
    path.unwrap_or_default()
}
