//! From flags, variables and file to one checked configuration.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use beacon::dns::Target;
use engine::core::{Fsync, POLICIES};
use engine::effect::level::{LEVEL, LEVEL_FIRST};
use engine::safety::{Mode, RangeRule, RangeRules};
use engine::session::parse_bytes;

use crate::args::ServeArgs;
use crate::cluster_tool::token::Token;

/// Why a node does not start, or stopped. Printed once, by main.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("configuration: {0}")]
    Config(String),
    #[error("{what}: {source}")]
    Io { what: String, source: std::io::Error },
    #[error("{0}")]
    Locked(String),
    #[error("opening the data directory {dir}: {source}")]
    Open { dir: String, source: engine::core::OpenError },
    #[error("cluster: {0}")]
    Cluster(String),
    #[error("closing the log: {0}")]
    Close(engine::log::LogError),
    #[error(
        "the state in memory was lost while it was worked out again from the log of {0}: start the node again"
    )]
    State(String),
}

impl StartError {
    /// 2 for a wrong invocation, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        if matches!(self, StartError::Config(_)) { 2 } else { 1 }
    }

    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> StartError {
        let what = what.into();
        move |source| StartError::Io { what, source }
    }
}

/// Peers: how to reach them and how they reach us.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    pub port: u16,
    pub advertise: String,
    pub secret: String,
    pub join: Vec<String>,
    pub dns_servers: Vec<SocketAddr>,
}

/// Everything a node needs to know.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    pub config_file: Option<PathBuf>,
    pub bind: String,
    pub port: u16,
    pub unixsocket: Option<PathBuf>,
    pub data_dir: PathBuf,
    pub fsync: Fsync,
    pub checkpoint_log_size: String,
    pub checkpoint_interval: u32,
    pub log_retention_size: String,
    pub log_absent_size: String,
    pub threads: usize,
    pub databases: u32,
    pub maxclients: u32,
    /// Bytes, 0 = no limit.
    pub maxmemory: u64,
    pub maxmemory_policy: String,
    /// Bytes, 0 = none.
    pub warm_memory: u64,
    pub timeout_seconds: u32,
    pub requirepass: String,
    pub region: String,
    pub feature_level: u32,
    pub cluster: Option<ClusterConfig>,
    pub rules: RangeRules,
    pub acks_timeout_ms: u64,
    pub conflict_feed_size: u32,
    pub compare_interval_ms: u64,
    pub max_divergence_size: String,
    pub max_divergence_ms: u64,
    pub log_json: bool,
    pub log_level: String,
}

fn invalid<T>(text: String) -> Result<T, StartError> {
    Err(StartError::Config(text))
}

fn default_threads() -> usize {
    match std::thread::available_parallelism().map_or(1, usize::from) {
        0..=2 => 1,
        cores => cores,
    }
}

fn file(args: &ServeArgs) -> Result<ServeArgs, StartError> {
    let Some(path) = &args.config else { return Ok(ServeArgs::default()) };
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(StartError::io(format!("reading --config {name}")))?;
    toml::from_str(&text).map_err(|error| StartError::Config(format!("{name}: {error}")))
}

fn secret(args: &ServeArgs) -> Result<Option<String>, StartError> {
    match (&args.cluster_secret, &args.cluster_secret_file) {
        (Some(_), Some(_)) => {
            invalid("--cluster-secret and --cluster-secret-file are both given: keep one".into())
        }
        (Some(secret), None) => Ok(Some(secret.clone())),
        (None, Some(path)) => {
            let what = format!("reading --cluster-secret-file {}", path.display());
            let text = std::fs::read_to_string(path).map_err(StartError::io(what))?;
            Ok(Some(text.trim().to_string()))
        }
        (None, None) => Ok(None),
    }
}

/// Works the configuration out and checks it.
pub fn settle(args: ServeArgs) -> Result<NodeConfig, StartError> {
    let config_file = args.config.clone();
    let from_file = file(&args)?;
    // A secret on the command line replaces one from the file, of either kind.
    let from_file = if args.cluster_secret.is_some() || args.cluster_secret_file.is_some() {
        ServeArgs { cluster_secret: None, cluster_secret_file: None, ..from_file }
    } else {
        from_file
    };
    let args = args.or(from_file);
    let fsync = match args.appendfsync.as_deref() {
        None | Some("everysec") => Fsync::EverySecond,
        Some("always") => Fsync::Always,
        Some("no") => Fsync::No,
        Some(other) => return invalid(format!("--appendfsync '{other}': it is always, everysec or no")),
    };
    let log_json = match args.log_format.as_deref() {
        None | Some("text") => false,
        Some("json") => true,
        Some(other) => return invalid(format!("--log-format '{other}': it is text or json")),
    };
    let log_level = args.log_level.clone().unwrap_or_else(|| "info".into());
    if !["error", "warn", "info", "debug", "trace"].contains(&log_level.as_str()) {
        return invalid(format!("--log-level '{log_level}': it is error, warn, info, debug or trace"));
    }
    let default = match args.default_mode.as_deref() {
        None => Mode::Safe,
        Some(text) => match Mode::parse(text) {
            Some(mode) => mode,
            None => return invalid(format!("--default-mode '{text}': it is safe or unsafe")),
        },
    };
    let rules: Result<Vec<RangeRule>, _> =
        args.rule.iter().flatten().map(|text| RangeRule::parse(text)).collect();
    let rules = rules.map_err(|error| StartError::Config(format!("--rule: {error}")))?;
    let rules = RangeRules { default, rules };
    let threads = args.threads.unwrap_or_else(default_threads);
    if !(1..=128).contains(&threads) {
        return invalid(format!("--threads {threads}: it is between 1 and 128"));
    }
    let databases = args.databases.unwrap_or(16);
    if !(1..=10_000).contains(&databases) {
        return invalid(format!("--databases {databases}: it is between 1 and 10000"));
    }
    let maxclients = args.maxclients.unwrap_or(10_000);
    if maxclients == 0 {
        return invalid("--maxclients 0: at least 1".into());
    }
    let maxmemory = bytes("--maxmemory", args.maxmemory.as_deref(), "0")?;
    let warm_memory = bytes("--warm-memory", args.warm_memory.as_deref(), "64mb")?;
    let maxmemory_policy = args.maxmemory_policy.clone().unwrap_or_else(|| "noeviction".into());
    if !POLICIES.contains(&maxmemory_policy.as_str()) {
        return invalid(format!(
            "--maxmemory-policy '{maxmemory_policy}': it is one of {}",
            POLICIES.join(", ")
        ));
    }
    let bind = args.bind.clone().unwrap_or_else(|| "127.0.0.1".into());
    let port = args.port.unwrap_or(6379);
    let region = args.region.clone().unwrap_or_else(|| "local".into());
    if region.is_empty() || !region.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        return invalid(format!("--region '{region}': letters, digits, '-', '_' and '.' only"));
    }
    let feature_level = args.feature_level.unwrap_or(LEVEL);
    if !(LEVEL_FIRST..=LEVEL).contains(&feature_level) {
        return invalid(format!(
            "--feature-level {feature_level}: this program knows {LEVEL_FIRST} to {LEVEL}"
        ));
    }
    let cluster = cluster(&args, &bind, port)?;
    if cluster.is_some()
        && let Some(what) = rules.first_safe()
    {
        return invalid(format!(
            "{what} needs quorum-ordered ranges, which this version does not have yet: a node with peers serves \
             unsafe ranges only. Give --default-mode unsafe and make every --rule unsafe"
        ));
    }
    Ok(NodeConfig {
        config_file,
        bind,
        port,
        unixsocket: args.unixsocket,
        data_dir: args.data_dir.unwrap_or_else(|| "./atoll-data".into()),
        fsync,
        checkpoint_log_size: size("--checkpoint-log-size", args.checkpoint_log_size, "256mb")?,
        checkpoint_interval: args.checkpoint_interval.unwrap_or(3600),
        log_retention_size: size("--log-retention-size", args.log_retention_size, "64mb")?,
        log_absent_size: size("--log-absent-size", args.log_absent_size, "0")?,
        threads,
        databases,
        maxclients,
        maxmemory,
        maxmemory_policy,
        warm_memory,
        timeout_seconds: args.timeout.unwrap_or(0),
        requirepass: args.requirepass.unwrap_or_default(),
        region,
        feature_level,
        cluster,
        rules,
        acks_timeout_ms: args.acks_timeout.unwrap_or(1000),
        conflict_feed_size: args.conflict_feed_size.unwrap_or(1024),
        max_divergence_size: size("--max-divergence-size", args.max_divergence_size, "0")?,
        max_divergence_ms: args.max_divergence_time.unwrap_or(0),
        compare_interval_ms: args.compare_interval.unwrap_or(1000),
        log_json,
        log_level,
    })
}

/// A number of bytes, with a unit or without.
fn bytes(flag: &str, given: Option<&str>, default: &str) -> Result<u64, StartError> {
    let text = given.unwrap_or(default);
    match parse_bytes(text.as_bytes()) {
        Some(bytes) => Ok(bytes),
        None => invalid(format!("{flag} '{text}': bytes, or a number with kb, mb or gb")),
    }
}

/// A number of bytes as CONFIG SET takes it: `100`, `64kb`, `256mb`, `2gb`.
fn size(flag: &str, given: Option<String>, default: &str) -> Result<String, StartError> {
    let text = given.unwrap_or_else(|| default.into());
    match engine::session::Config::default().init("checkpoint-log-size", &text) {
        Ok(()) => Ok(text),
        Err(_) => invalid(format!("{flag} '{text}': a number of bytes, or one with kb, mb or gb")),
    }
}

fn cluster(args: &ServeArgs, bind: &str, port: u16) -> Result<Option<ClusterConfig>, StartError> {
    let token = args.join_token.as_deref().map(Token::decode).transpose();
    let token = token.map_err(|error| StartError::Config(format!("--join-token: {error}")))?;
    if token.is_some() && (args.cluster_secret.is_some() || args.cluster_secret_file.is_some()) {
        return invalid("--join-token holds the cluster's secret: give it or the secret, not both".into());
    }
    let mut join = args.join.clone().unwrap_or_default();
    join.extend(token.iter().flat_map(|token| token.join.clone()));
    let secret = match token {
        Some(token) => Some(token.secret),
        None => secret(args)?,
    };
    let Some(secret) = secret else {
        let given = [
            (!join.is_empty(), "--join"),
            (args.cluster_port.is_some(), "--cluster-port"),
            (args.cluster_advertise.is_some(), "--cluster-advertise"),
            (args.dns_server.is_some(), "--dns-server"),
        ];
        return match given.iter().find(|g| g.0) {
            Some((_, flag)) => invalid(format!(
                "{flag} needs the cluster's secret: give --cluster-secret or --cluster-secret-file"
            )),
            None => Ok(None),
        };
    };
    if secret.len() < 8 {
        return invalid("the cluster secret is shorter than 8 characters: choose a longer one".into());
    }
    for peer in &join {
        if let Err(error) = Target::parse(peer) {
            return invalid(format!("--join: {error}"));
        }
    }
    let dns_servers: Result<Vec<SocketAddr>, StartError> =
        args.dns_server.iter().flatten().map(|text| dns_server(text)).collect();
    let cluster_port = match (args.cluster_port, port) {
        (Some(port), _) => port,
        (None, 0) => 0,
        (None, port) => match port.checked_add(1000) {
            Some(port) => port,
            None => return invalid(format!("--port {port} + 1000 is no port: give --cluster-port")),
        },
    };
    let advertise = args.cluster_advertise.clone();
    if let Some(advertise) = &advertise {
        check_host_port("--cluster-advertise", advertise)?;
    }
    let advertise = advertise.unwrap_or_else(|| format!("{bind}:{cluster_port}"));
    Ok(Some(ClusterConfig { port: cluster_port, advertise, secret, join, dns_servers: dns_servers? }))
}

fn dns_server(text: &str) -> Result<SocketAddr, StartError> {
    let ip = || text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
    match text.parse::<SocketAddr>().or_else(|_| ip()) {
        Ok(server) => Ok(server),
        Err(_) => invalid(format!("--dns-server '{text}': an IP address, with or without a port")),
    }
}

fn check_host_port(flag: &str, text: &str) -> Result<(), StartError> {
    let valid =
        text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if valid { Ok(()) } else { invalid(format!("{flag} '{text}': write host:port")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(args: ServeArgs) -> String {
        settle(args).expect_err("refused").to_string()
    }

    #[test]
    fn wrong_and_contradictory_values_are_named() {
        let text = |t: &str| Some(t.to_string());
        let level = ServeArgs { feature_level: Some(99), ..Default::default() };
        assert!(refused(level).contains("--feature-level 99: this program knows 1 to"));
        let secret = text("long enough");
        assert!(
            refused(ServeArgs { appendfsync: text("sometimes"), ..Default::default() })
                .contains("--appendfsync")
        );
        assert!(
            refused(ServeArgs { join: Some(vec!["a:1".into()]), ..Default::default() })
                .contains("--join needs")
        );
        let both = ServeArgs {
            cluster_secret: secret.clone(),
            cluster_secret_file: Some("f".into()),
            ..Default::default()
        };
        assert!(refused(both).contains("both given"));
        let clustered = ServeArgs { cluster_secret: secret.clone(), ..Default::default() };
        let join = ServeArgs { join: Some(vec!["eu:port".into()]), ..clustered.clone() };
        assert!(refused(join).contains("'eu:port' is no host:port"));
        let server = ServeArgs { dns_server: Some(vec!["ns.example".into()]), ..clustered };
        assert!(refused(server).contains("--dns-server 'ns.example'"));
        let safe = ServeArgs { cluster_secret: secret.clone(), ..Default::default() };
        assert!(refused(safe).contains("the default mode 'safe'"));
        let rule = ServeArgs {
            cluster_secret: secret,
            default_mode: text("unsafe"),
            rule: Some(vec!["stock:*=safe".into()]),
            ..Default::default()
        };
        assert!(refused(rule).contains("rule 'stock:*=safe'"));
    }

    #[test]
    fn flags_come_before_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("atoll.toml");
        std::fs::write(&path, "port = 7000\nregion = \"eu\"\nrule = [\"a*=unsafe\"]\n").unwrap();
        let args = ServeArgs { config: Some(path.clone()), port: Some(7001), ..Default::default() };
        let config = settle(args).unwrap();
        assert_eq!((config.port, config.region.as_str(), config.rules.rules.len()), (7001, "eu", 1));
        std::fs::write(&path, "prot = 7000\n").unwrap();
        assert!(refused(ServeArgs { config: Some(path), ..Default::default() }).contains("prot"));
    }
}
