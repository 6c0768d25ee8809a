//! A client's socket, TCP or Unix.

use std::io::{Read, Write};

use engine::session::Origin;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

/// See the module.
pub enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Stream::Tcp(s) => s.read(into),
            Stream::Unix(s) => s.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Stream::Tcp(s) => s.write(bytes),
            Stream::Unix(s) => s.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Stream {
    pub fn register(&mut self, registry: &Registry, token: Token) -> std::io::Result<()> {
        match self {
            Stream::Tcp(s) => registry.register(s, token, Interest::READABLE),
            Stream::Unix(s) => registry.register(s, token, Interest::READABLE),
        }
    }

    /// Also asks for the moment when the socket takes more, or no longer.
    pub fn want_writable(&mut self, registry: &Registry, token: Token, wanted: bool) -> std::io::Result<()> {
        let interest = if wanted { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        match self {
            Stream::Tcp(s) => registry.reregister(s, token, interest),
            Stream::Unix(s) => registry.reregister(s, token, interest),
        }
    }

    pub fn deregister(&mut self, registry: &Registry) -> std::io::Result<()> {
        match self {
            Stream::Tcp(s) => registry.deregister(s),
            Stream::Unix(s) => registry.deregister(s),
        }
    }

    /// Where the client comes from.
    pub fn origin(&self, reactor: usize) -> Origin {
        use std::os::fd::AsRawFd;
        let text = |addr: &std::io::Result<std::net::SocketAddr>| {
            addr.as_ref().map_or_else(|_| "?:0".into(), ToString::to_string)
        };
        match self {
            Stream::Tcp(s) => {
                let (peer, own) = (s.peer_addr(), s.local_addr());
                let local = peer.as_ref().is_ok_and(|p| p.ip().is_loopback());
                let (addr, laddr) = (text(&peer), text(&own));
                Origin { addr, laddr, fd: s.as_raw_fd(), unix_socket: false, local, reactor }
            }
            Stream::Unix(s) => {
                let path = s.local_addr().ok().and_then(|a| a.as_pathname().map(|p| p.display().to_string()));
                let addr = format!("{}:0", path.unwrap_or_default());
                Origin {
                    laddr: addr.clone(),
                    addr,
                    fd: s.as_raw_fd(),
                    unix_socket: true,
                    local: true,
                    reactor,
                }
            }
        }
    }
}
