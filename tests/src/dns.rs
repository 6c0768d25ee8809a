//! A small name server on a loopback UDP port: A and SRV records that a test sets and changes while it runs.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

const TYPE_A: u16 = 1;
const TYPE_SRV: u16 = 33;
const CLASS_IN: u16 = 1;
const HEADER_BYTES: usize = 12;
/// An answer: response, authoritative, recursion desired and available.
const FLAGS: u16 = 0x8580;
const NO_SUCH_NAME: u16 = 3;
const POLL: Duration = Duration::from_millis(50);

/// Records by lower-case name without the last dot: type and data.
type Zone = HashMap<String, Vec<(u16, Vec<u8>)>>;

/// A running name server; dropping it stops it.
pub struct DnsServer {
    addr: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl DnsServer {
    pub fn start() -> io::Result<DnsServer> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(POLL))?;
        let addr = socket.local_addr()?;
        let (zone, stop) = (Arc::<Mutex<Zone>>::default(), Arc::new(AtomicBool::new(false)));
        let (records, stopped) = (zone.clone(), stop.clone());
        let thread = std::thread::Builder::new().name("dns".into()).spawn(move || {
            let mut query = [0; 1500];
            while !stopped.load(Relaxed) {
                let Ok((bytes, from)) = socket.recv_from(&mut query) else { continue };
                let zone = records.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if let Some(reply) = answer(&query[..bytes], &zone) {
                    let _ = socket.send_to(&reply, from);
                }
            }
        })?;
        Ok(DnsServer { addr, zone, stop, thread: Some(thread) })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Replaces the addresses of `name`; none removes them.
    pub fn set_addresses(&self, name: &str, addresses: &[Ipv4Addr]) {
        self.set(name, TYPE_A, addresses.iter().map(|a| a.octets().to_vec()).collect());
    }

    /// Replaces the services of `name`: priority, port and target of each.
    pub fn set_services(&self, name: &str, services: &[(u16, u16, &str)]) {
        let data = services.iter().map(|(priority, port, target)| {
            let mut data = Vec::new();
            for number in [*priority, 0, *port] {
                data.extend_from_slice(&number.to_be_bytes());
            }
            for label in target.split('.').filter(|l| !l.is_empty()) {
                data.push(label.len() as u8);
                data.extend_from_slice(label.as_bytes());
            }
            data.push(0);
            data
        });
        self.set(name, TYPE_SRV, data.collect());
    }

    fn set(&self, name: &str, kind: u16, data: Vec<Vec<u8>>) {
        let mut zone = self.zone.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let records = zone.entry(name.to_lowercase()).or_default();
        records.retain(|r| r.0 != kind);
        records.extend(data.into_iter().map(|d| (kind, d)));
        if records.is_empty() {
            zone.remove(&name.to_lowercase());
        }
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(query: &[u8], zone: &Zone) -> Option<Vec<u8>> {
    let mut at = HEADER_BYTES;
    let mut name = String::new();
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(&String::from_utf8_lossy(query.get(at..at + length)?).to_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes(query.get(at..at + 2)?.try_into().ok()?);
    let question_end = at + 4;
    let records = zone.get(&name);
    let found: Vec<&Vec<u8>> = records.into_iter().flatten().filter(|r| r.0 == kind).map(|r| &r.1).collect();
    let code = if records.is_none() { NO_SUCH_NAME } else { 0 };
    let mut out = query.get(..2)?.to_vec();
    for number in [FLAGS | code, 1, found.len() as u16, 0, 0] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.extend_from_slice(query.get(HEADER_BYTES..question_end)?);
    for data in found {
        // The name is that of the question.
        out.extend_from_slice(&[0xc0, HEADER_BYTES as u8]);
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&CLASS_IN.to_be_bytes());
        out.extend_from_slice(&5u32.to_be_bytes());
        out.extend_from_slice(&(data.len() as u16).to_be_bytes());
        out.extend_from_slice(data);
    }
    Some(out)
}
