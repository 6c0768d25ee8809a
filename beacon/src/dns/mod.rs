//! Where a name leads: the addresses of the nodes behind it.
//!
//! | name | asked for |
//! |---|---|
//! | `host:port`, `1.2.3.4:port`, `[::1]:port` | A and AAAA of the host |
//! | `_service._proto.name` | SRV of it |
//! | `name` | SRV of `_atoll._udp.name`; without any, A and AAAA with [`DEFAULT_PORT`] |
//!
//! Every target of the SRV records of the lowest priority that lead anywhere counts, and every address of each: the node
//! links to all of them, so there is nothing to weigh. Answers are not kept: who asks does so because something is wrong.
//!
//! Host names go to the operating system's resolver, unless name servers were given: those are then asked for everything.

mod query;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub use query::Query;

/// Of a node that is named without a port: Redis' port and a thousand.
pub const DEFAULT_PORT: u16 = 7379;
/// Of one name.
const ADDRS_MAX: usize = 16;
const TARGETS_MAX: usize = 16;

/// Why a name leads nowhere; names it.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum DnsError {
    #[error("'{0}' is no host:port, name or SRV name")]
    Name(String),
    #[error("{name} has no {what} records")]
    None { name: String, what: &'static str },
    #[error("the SRV records of {name} lead to no address: {reason}")]
    Targets { name: String, reason: String },
    #[error("neither {srv} nor {host} has records that lead anywhere")]
    Neither { srv: String, host: String },
    #[error("asking for {name}: {reason}")]
    Failed { name: String, reason: String },
    #[error("the name servers for SRV records are unknown: {0}; give --dns-server")]
    NoServers(String),
}

/// One SRV record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Service {
    pub priority: u16,
    pub port: u16,
    pub target: String,
}

/// What is joined, as written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    Addr(SocketAddr),
    Host {
        host: String,
        port: u16,
    },
    Srv(String),
    /// SRV of `_atoll._udp.name`, else the name itself.
    Name(String),
}

impl Target {
    /// Reads what an operator wrote. Errors say what is allowed.
    pub fn parse(text: &str) -> Result<Target, DnsError> {
        let wrong = || DnsError::Name(text.to_string());
        if let Ok(addr) = text.parse::<SocketAddr>() {
            return Ok(Target::Addr(addr));
        }
        if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(Target::Addr(SocketAddr::new(ip, DEFAULT_PORT)));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse::<u16>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let label = |l: &str| {
            !l.is_empty()
                && l.len() <= 63
                && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if host.len() > 253 || !host.strip_suffix('.').unwrap_or(host).split('.').all(label) {
            return Err(wrong());
        }
        let host = host.to_string();
        Ok(match port {
            Some(port) => Target::Host { host, port },
            None if host.starts_with('_') => Target::Srv(host),
            None => Target::Name(host),
        })
    }
}

/// Asks the network.
pub struct Resolver {
    query: Query,
}

impl Resolver {
    /// `servers` in place of those of the operating system; each answer is waited for `patience` at most.
    pub fn new(servers: &[SocketAddr], patience: Duration) -> Self {
        Self { query: Query::new(servers, patience) }
    }

    /// All addresses behind `text`, without duplicates; at least one.
    pub async fn resolve(&self, text: &str) -> Result<Vec<SocketAddr>, DnsError> {
        let mut addrs = match Target::parse(text)? {
            Target::Addr(addr) => vec![addr],
            Target::Host { host, port } => self.hosts(&host, port).await?,
            Target::Srv(name) => self.services(&name).await?.ok_or(DnsError::None { name, what: "SRV" })?,
            Target::Name(name) => {
                let srv = format!("_atoll._udp.{name}");
                match self.services(&srv).await {
                    Ok(Some(addrs)) => addrs,
                    Ok(None) => match self.hosts(&name, DEFAULT_PORT).await {
                        Err(DnsError::None { .. }) => return Err(DnsError::Neither { srv, host: name }),
                        answer => answer?,
                    },
                    // Where only the host is known, no name server need be.
                    Err(error) => self.hosts(&name, DEFAULT_PORT).await.map_err(|_| error)?,
                }
            }
        };
        addrs.sort_unstable();
        addrs.dedup();
        addrs.truncate(ADDRS_MAX);
        Ok(addrs)
    }

    async fn hosts(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, DnsError> {
        let ips = self.query.addresses(host).await?;
        Ok(ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }

    /// `None`: there is no such record.
    async fn services(&self, name: &str) -> Result<Option<Vec<SocketAddr>>, DnsError> {
        let mut services = self.query.services(name).await?;
        if services.is_empty() {
            return Ok(None);
        }
        services.sort_by_key(|s| s.priority);
        services.truncate(TARGETS_MAX);
        let (mut addrs, mut reason) = (Vec::new(), String::new());
        let mut priority = None;
        for service in services {
            if priority.is_some_and(|p| p < service.priority) && !addrs.is_empty() {
                break;
            }
            priority = Some(service.priority);
            match self.hosts(&service.target, service.port).await {
                Ok(found) => addrs.extend(found),
                Err(error) => reason = error.to_string(),
            }
        }
        if addrs.is_empty() { Err(DnsError::Targets { name: name.into(), reason }) } else { Ok(Some(addrs)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_joined_is_an_address_a_host_a_service_or_a_name() {
        let host = |h: &str, port| Target::Host { host: h.into(), port };
        for (text, target) in [
            ("127.0.0.1:7379", Target::Addr(([127, 0, 0, 1], 7379).into())),
            ("10.0.0.1", Target::Addr(([10, 0, 0, 1], DEFAULT_PORT).into())),
            ("[::1]:9000", Target::Addr("[::1]:9000".parse().unwrap())),
            ("::1", Target::Addr("[::1]:7379".parse().unwrap())),
            ("eu.example:9000", host("eu.example", 9000)),
            ("localhost:1", host("localhost", 1)),
            ("_atoll._udp.eu.example", Target::Srv("_atoll._udp.eu.example".into())),
            ("eu.example.", Target::Name("eu.example.".into())),
        ] {
            assert_eq!(Target::parse(text), Ok(target), "{text}");
        }
        for text in ["", ":7379", "eu example", "eu..example", "eu:port", "eu:70000", "http://eu:1"] {
            assert_eq!(Target::parse(text), Err(DnsError::Name(text.into())), "{text}");
        }
    }
}
