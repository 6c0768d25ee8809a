//! The path of one peer to one node: a UDP forwarder that a row cuts and heals. It adds no delay and loses nothing by itself.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::SockRef;

const BUFFER_BYTES: usize = 4 << 20;
const PACKET_BYTES_MAX: usize = 64 * 1024;
const POLL: Duration = Duration::from_millis(50);

#[derive(Default)]
struct State {
    cut: AtomicBool,
    ended: AtomicBool,
    /// Who sent last; answers go there.
    peer: Mutex<Option<SocketAddr>>,
}

/// Two threads, one for each direction; dropping it ends them.
pub struct Forwarder {
    port: u16,
    state: Arc<State>,
    threads: Vec<JoinHandle<()>>,
}

impl Forwarder {
    /// Listens on a free loopback port and passes packets to `target`.
    pub fn start(target: u16) -> io::Result<Forwarder> {
        let socket = || {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.set_read_timeout(Some(POLL))?;
            // The kernel gives what it allows.
            let _ = SockRef::from(&socket).set_recv_buffer_size(BUFFER_BYTES);
            let _ = SockRef::from(&socket).set_send_buffer_size(BUFFER_BYTES);
            Ok::<_, io::Error>(Arc::new(socket))
        };
        let (near, far) = (socket()?, socket()?);
        let port = near.local_addr()?.port();
        let state = Arc::new(State::default());
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, target));
        let mut threads = Vec::new();
        let (from, to, shared) = (near.clone(), far.clone(), state.clone());
        threads.push(std::thread::spawn(move || {
            pass(&from, &shared, |packet, sender| {
                *shared.peer.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
                let _ = to.send_to(packet, target);
            });
        }));
        let shared = state.clone();
        threads.push(std::thread::spawn(move || {
            pass(&far, &shared, |packet, _| {
                let peer = *shared.peer.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(peer) = peer {
                    let _ = near.send_to(packet, peer);
                }
            });
        }));
        Ok(Forwarder { port, state, threads })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn cut(&self, cut: bool) {
        self.state.cut.store(cut, Relaxed);
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.state.ended.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn pass(from: &UdpSocket, state: &State, mut deliver: impl FnMut(&[u8], SocketAddr)) {
    let mut packet = vec![0; PACKET_BYTES_MAX];
    while !state.ended.load(Relaxed) {
        // A timeout, or the kernel's word that nobody listened at the last packet's target.
        let Ok((bytes, sender)) = from.recv_from(&mut packet) else { continue };
        if !state.cut.load(Relaxed) {
            deliver(&packet[..bytes], sender);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_pass_both_ways_until_it_is_cut() {
        let (node, peer) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        for socket in [&node, &peer] {
            socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        }
        let forwarder = Forwarder::start(node.local_addr().unwrap().port()).unwrap();
        let mut buffer = [0; 16];
        peer.send_to(b"there", ("127.0.0.1", forwarder.port())).unwrap();
        let (bytes, from) = node.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..bytes], b"there");
        node.send_to(b"back", from).unwrap();
        assert_eq!(peer.recv_from(&mut buffer).unwrap().0, 4);
        forwarder.cut(true);
        node.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        peer.send_to(b"lost", ("127.0.0.1", forwarder.port())).unwrap();
        assert!(node.recv_from(&mut buffer).is_err());
    }
}
