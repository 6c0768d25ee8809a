//! Accepting clients and dealing them to the reactors, the one with the fewest first.

use std::io::{ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use engine::session::Server;
use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token, Waker};
use parking_lot::Mutex;

use super::stream::Stream;

pub(super) const TCP: Token = Token(usize::MAX - 1);
pub(super) const UNIX: Token = Token(usize::MAX - 2);
/// When accepting is tried again after the process ran out of descriptors.
const RETRY: Duration = Duration::from_millis(100);

/// A reactor as the accepting one sees it.
#[derive(Clone)]
pub struct Mailbox {
    /// Connections that wait to be adopted.
    pub(super) inbox: Arc<Mutex<Vec<Stream>>>,
    /// Connections it has, those in the inbox included.
    pub(super) load: Arc<AtomicUsize>,
    pub(super) waker: Arc<Waker>,
}

/// Listeners and whom they feed.
pub(super) struct Acceptor {
    tcp: TcpListener,
    unix: Option<UnixListener>,
    reactors: Vec<Mailbox>,
    /// A listener has connections that could not be taken: no event will tell of them again.
    retry_at: Option<Instant>,
}

impl Acceptor {
    pub fn new(
        registry: &Registry,
        mut tcp: TcpListener,
        mut unix: Option<UnixListener>,
        reactors: Vec<Mailbox>,
    ) -> std::io::Result<Self> {
        registry.register(&mut tcp, TCP, Interest::READABLE)?;
        if let Some(unix) = &mut unix {
            registry.register(unix, UNIX, Interest::READABLE)?;
        }
        Ok(Acceptor { tcp, unix, reactors, retry_at: None })
    }

    /// How long the next attempt may wait for an event.
    pub fn patience(&self) -> Option<Duration> {
        self.retry_at.map(|at| at.saturating_duration_since(Instant::now()))
    }

    pub fn is_due(&self) -> bool {
        self.retry_at.is_some_and(|at| at <= Instant::now())
    }

    /// Takes every waiting connection.
    pub fn accept(&mut self, server: &Server) {
        let mut out_of_room = false;
        loop {
            let accepted = match self.tcp.accept() {
                Ok((stream, _)) => {
                    // Replies are small and wanted now.
                    let _ = stream.set_nodelay(true);
                    Ok(Stream::Tcp(stream))
                }
                Err(error) => Err(error),
            };
            if !self.taken(accepted, server, &mut out_of_room) {
                break;
            }
        }
        while let Some(unix) = &self.unix {
            let accepted = unix.accept().map(|(stream, _)| Stream::Unix(stream));
            if !self.taken(accepted, server, &mut out_of_room) {
                break;
            }
        }
        self.retry_at = out_of_room.then(|| Instant::now() + RETRY);
    }

    /// Deals one connection. False when the listener has none, or failed.
    fn taken(&mut self, accepted: std::io::Result<Stream>, server: &Server, out_of_room: &mut bool) -> bool {
        match accepted {
            Ok(stream) => {
                self.deal(stream, server);
                true
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => false,
                ErrorKind::Interrupted | ErrorKind::ConnectionAborted => true,
                _ => {
                    if self.retry_at.is_none() {
                        tracing::warn!(%error, "connections wait: accepting fails");
                    }
                    *out_of_room = true;
                    false
                }
            },
        }
    }

    fn deal(&mut self, mut stream: Stream, server: &Server) {
        server.traffic.connections.fetch_add(1, Relaxed);
        let clients: usize = self.reactors.iter().map(|r| r.load.load(Relaxed)).sum();
        if clients as u64 >= server.config.live().clients_max.load(Relaxed) {
            server.traffic.rejected.fetch_add(1, Relaxed);
            // A last word; lost when it cannot be sent at once.
            let _ = stream.write(b"-ERR max number of clients reached\r\n");
            return;
        }
        let idlest = self.reactors.iter().min_by_key(|r| r.load.load(Relaxed));
        if let Some(reactor) = idlest {
            reactor.load.fetch_add(1, Relaxed);
            reactor.inbox.lock().push(stream);
            let _ = reactor.waker.wake();
        }
    }
}
