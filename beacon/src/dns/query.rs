//! Single questions to name servers, through hickory; host names through the operating system where no server was given.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;

use super::{DnsError, Service};

/// See the module.
pub struct Query {
    /// The reason when there is none.
    resolver: Result<TokioResolver, String>,
    /// Name servers were given: they know the hosts too.
    given: bool,
    patience: Duration,
}

impl Query {
    pub fn new(servers: &[SocketAddr], patience: Duration) -> Self {
        let tune = |options: &mut ResolverOpts| {
            options.timeout = patience / 2;
            options.attempts = 2;
            options.cache_size = 0;
        };
        let given = !servers.is_empty();
        let resolver = if given {
            let servers = servers.iter().map(|server| {
                let at = |mut connection: ConnectionConfig| {
                    connection.port = server.port();
                    connection
                };
                NameServerConfig::new(
                    server.ip(),
                    true,
                    vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())],
                )
            });
            let config = ResolverConfig::from_name_servers(servers.collect());
            let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
            tune(builder.options_mut());
            builder.build()
        } else {
            TokioResolver::builder_tokio().and_then(|mut builder| {
                tune(builder.options_mut());
                builder.build()
            })
        };
        Self { resolver: resolver.map_err(|e| e.to_string()), given, patience }
    }

    /// SRV records of `name`; none is no error.
    pub async fn services(&self, name: &str) -> Result<Vec<Service>, DnsError> {
        let resolver = self.resolver.as_ref().map_err(|reason| DnsError::NoServers(reason.clone()))?;
        let lookup = match tokio::time::timeout(self.patience, resolver.srv_lookup(absolute(name))).await {
            Ok(Ok(lookup)) => lookup,
            Ok(Err(error)) if error.is_no_records_found() => return Ok(Vec::new()),
            Ok(Err(error)) => return Err(failed(name, &error)),
            Err(_) => return Err(silent(name)),
        };
        let services = lookup.answers().iter().filter_map(|record| match &record.data {
            // A target of "." says that the service is not to be had.
            RData::SRV(srv) if !srv.target.is_root() => Some(Service {
                priority: srv.priority,
                port: srv.port,
                target: srv.target.to_string().trim_end_matches('.').to_string(),
            }),
            _ => None,
        });
        Ok(services.collect())
    }

    /// Addresses of `host`, at least one.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        let none = || DnsError::None { name: host.into(), what: "address" };
        let ips: Vec<IpAddr> = if self.given {
            let resolver = self.resolver.as_ref().map_err(|reason| DnsError::NoServers(reason.clone()))?;
            match tokio::time::timeout(self.patience, resolver.lookup_ip(absolute(host))).await {
                Ok(Ok(lookup)) => lookup.iter().collect(),
                Ok(Err(error)) if error.is_no_records_found() => Vec::new(),
                Ok(Err(error)) => return Err(failed(host, &error)),
                Err(_) => return Err(silent(host)),
            }
        } else {
            let asked = tokio::net::lookup_host((host.trim_end_matches('.'), 0));
            match tokio::time::timeout(self.patience, asked).await {
                Ok(Ok(addrs)) => addrs.map(|a| a.ip()).collect(),
                Ok(Err(error)) => {
                    return Err(DnsError::Failed { name: host.into(), reason: error.to_string() });
                }
                Err(_) => return Err(silent(host)),
            }
        };
        if ips.is_empty() { Err(none()) } else { Ok(ips) }
    }
}

/// A name that no search list is appended to.
fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

fn failed(name: &str, error: &NetError) -> DnsError {
    DnsError::Failed { name: name.into(), reason: error.to_string() }
}

fn silent(name: &str) -> DnsError {
    DnsError::Failed { name: name.into(), reason: "no answer".into() }
}
