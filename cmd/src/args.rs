//! The command line: every flag is also an `ATOLL_*` variable and a key of the TOML file.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use serde::Deserialize;

use crate::cluster_tool::args::ClusterCommand;
use crate::log_tool::args::LogCommand;

#[derive(Parser)]
#[command(name = "atoll", version, about = "A Redis-compatible store that runs in several regions at once.")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Start a node.
    Serve(Box<ServeArgs>),
    /// Read the same flags, variables and file as `serve` and say whether they are valid, without starting anything.
    Check(Box<ServeArgs>),
    /// Look at the log of a stopped node, and repair it.
    #[command(subcommand)]
    Log(LogCommand),
    /// Ask a running node about its cluster, take members out, and make join tokens.
    #[command(subcommand)]
    Cluster(ClusterCommand),
}

/// Where a setting is not given, the next source decides: flag, ATOLL_* variable, configuration file, default.
#[derive(Args, Deserialize, Default, Clone, Debug)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServeArgs {
    /// Configuration file (TOML); its keys are the names of these flags.
    #[arg(long, env = "ATOLL_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// Address to listen on for clients [default: 127.0.0.1].
    #[arg(long, env = "ATOLL_BIND", value_name = "ADDRESS")]
    pub bind: Option<String>,

    /// TCP port for clients; 0 picks a free one [default: 6379].
    #[arg(long, env = "ATOLL_PORT")]
    pub port: Option<u16>,

    /// Also listen on this Unix socket.
    #[arg(long, env = "ATOLL_UNIXSOCKET", value_name = "PATH")]
    pub unixsocket: Option<PathBuf>,

    /// Directory of the effect log and its checkpoints; created when missing [default: ./atoll-data].
    #[arg(long, env = "ATOLL_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// When writes are made durable: always (before each reply), everysec, no [default: everysec].
    #[arg(long, env = "ATOLL_APPENDFSYNC", value_name = "POLICY")]
    pub appendfsync: Option<String>,

    /// Take a checkpoint before the log has so many bytes, e.g. 256mb; 0: never for this reason [default: 256mb].
    #[arg(long, env = "ATOLL_CHECKPOINT_LOG_SIZE", value_name = "BYTES")]
    pub checkpoint_log_size: Option<String>,

    /// Take a checkpoint after so many seconds in which something was written; 0: never for this reason [default: 3600].
    #[arg(long, env = "ATOLL_CHECKPOINT_INTERVAL", value_name = "SECONDS")]
    pub checkpoint_interval: Option<u32>,

    /// Of them, log kept behind the newest checkpoint at most [default: 64mb].
    #[arg(long, env = "ATOLL_LOG_RETENTION_SIZE", value_name = "BYTES")]
    pub log_retention_size: Option<String>,

    /// Log kept for members that are away, at most; one that lacks more is sent a checkpoint; 0: all they lack [default: 0].
    #[arg(long, env = "ATOLL_LOG_ABSENT_SIZE", value_name = "BYTES")]
    pub log_absent_size: Option<String>,

    /// Reactor threads [default: the number of cores; 1 on two cores or fewer].
    #[arg(long, env = "ATOLL_THREADS")]
    pub threads: Option<usize>,

    /// Number of databases [default: 16].
    #[arg(long, env = "ATOLL_DATABASES")]
    pub databases: Option<u32>,

    /// Clients connected at once at most [default: 10000].
    #[arg(long, env = "ATOLL_MAXCLIENTS")]
    pub maxclients: Option<u32>,

    /// Memory for data, with a unit (`500mb`, `2gb`); past it keys are evicted, or writes refused; 0 no limit [default: 0].
    #[arg(long, env = "ATOLL_MAXMEMORY", value_name = "BYTES")]
    pub maxmemory: Option<String>,

    /// What goes when memory is full: noeviction, allkeys-lru, allkeys-lfu, allkeys-random, volatile-lru, volatile-lfu,
    /// volatile-random or volatile-ttl [default: noeviction].
    #[arg(long, env = "ATOLL_MAXMEMORY_POLICY", value_name = "POLICY")]
    pub maxmemory_policy: Option<String>,

    /// Memory touched ahead of need, so that no command waits while the kernel clears pages; 0 none [default: 64mb].
    #[arg(long, env = "ATOLL_WARM_MEMORY", value_name = "BYTES")]
    pub warm_memory: Option<String>,

    /// Close connections idle for so many seconds; 0 never [default: 0].
    #[arg(long, env = "ATOLL_TIMEOUT", value_name = "SECONDS")]
    pub timeout: Option<u32>,

    /// Password clients must give (AUTH).
    #[arg(long, env = "ATOLL_REQUIREPASS", value_name = "PASSWORD", hide_env_values = true)]
    pub requirepass: Option<String>,

    /// Region of this node [default: local].
    #[arg(long, env = "ATOLL_REGION", value_name = "NAME")]
    pub region: Option<String>,

    /// UDP port for peers (QUIC) [default: port + 1000].
    #[arg(long, env = "ATOLL_CLUSTER_PORT", value_name = "PORT")]
    pub cluster_port: Option<u16>,

    /// host:port at which peers reach this node [default: bind address and cluster port].
    #[arg(long, env = "ATOLL_CLUSTER_ADVERTISE", value_name = "HOST:PORT")]
    pub cluster_advertise: Option<String>,

    /// Secret that all nodes of the cluster share; turns the cluster port on.
    #[arg(long, env = "ATOLL_CLUSTER_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub cluster_secret: Option<String>,

    /// File holding the cluster secret (surrounding white space is ignored).
    #[arg(long, env = "ATOLL_CLUSTER_SECRET_FILE", value_name = "FILE")]
    pub cluster_secret_file: Option<PathBuf>,

    /// Nodes to join: host:port of their cluster ports, or DNS names; the other members are learned from them. Of NAME the SRV
    /// records of _atoll._udp.NAME are taken, else its addresses with port 7379; a name that begins with _ is an SRV name.
    #[arg(long, env = "ATOLL_JOIN", value_name = "HOST:PORT|NAME,...", value_delimiter = ',')]
    pub join: Option<Vec<String>>,

    /// Name servers for the names to join, in place of the operating system's; port 53 if none is given.
    #[arg(long, env = "ATOLL_DNS_SERVER", value_name = "ADDRESS[:PORT],...", value_delimiter = ',')]
    pub dns_server: Option<Vec<String>>,

    /// Newest feature level that this node says it knows: hold a cluster of mixed versions back [default: the program's own].
    #[arg(long, env = "ATOLL_FEATURE_LEVEL", value_name = "LEVEL")]
    pub feature_level: Option<u32>,
    /// Token of `atoll cluster join-token`, in place of --join and the cluster secret.
    #[arg(long, env = "ATOLL_JOIN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub join_token: Option<String>,

    /// What a partition means for keys that no rule names: safe (ordered by quorum) or unsafe (always on, merges later)
    /// [default: safe].
    #[arg(long, env = "ATOLL_DEFAULT_MODE", value_name = "safe|unsafe")]
    pub default_mode: Option<String>,

    /// Mode of the keys matching a glob pattern; repeatable, the first match decides. `unsafe,acks=N`: a write is answered
    /// once N other members hold it.
    #[arg(long = "rule", env = "ATOLL_RULE", value_name = "PATTERN=MODE[,acks=N]", value_delimiter = ';')]
    pub rule: Option<Vec<String>>,

    /// How long a reply waits for the members that a rule's acks asks for, in ms, before it is -NOACK; 0: for ever
    /// [default: 1000].
    #[arg(long, env = "ATOLL_ACKS_TIMEOUT", value_name = "MS")]
    pub acks_timeout: Option<u64>,

    /// Refuse writes with -DIVERGED while a member lacks more than so many bytes of this node's log; 0: never [default: 0].
    #[arg(long, env = "ATOLL_MAX_DIVERGENCE_SIZE", value_name = "BYTES")]
    pub max_divergence_size: Option<String>,

    /// Refuse writes with -DIVERGED while a member has lacked something for longer than so many ms; 0: never [default: 0].
    #[arg(long, env = "ATOLL_MAX_DIVERGENCE_TIME", value_name = "MS")]
    pub max_divergence_time: Option<u64>,

    /// Merge decisions kept for ATOLL.CONFLICTS [default: 1024].
    #[arg(long, env = "ATOLL_CONFLICT_FEED_SIZE", value_name = "N")]
    pub conflict_feed_size: Option<u32>,

    /// Pause between two ranges of keys that are compared with a peer, in ms; 0: compare nothing [default: 1000].
    #[arg(long, env = "ATOLL_COMPARE_INTERVAL", value_name = "MS")]
    pub compare_interval: Option<u64>,

    /// Log lines as text or json [default: text].
    #[arg(long, env = "ATOLL_LOG_FORMAT", value_name = "text|json")]
    pub log_format: Option<String>,

    /// error, warn, info, debug or trace [default: info].
    #[arg(long, env = "ATOLL_LOG_LEVEL", value_name = "LEVEL")]
    pub log_level: Option<String>,
}

impl ServeArgs {
    /// Takes from `other` whatever is not set here.
    pub fn or(self, other: ServeArgs) -> ServeArgs {
        ServeArgs {
            config: self.config,
            bind: self.bind.or(other.bind),
            port: self.port.or(other.port),
            unixsocket: self.unixsocket.or(other.unixsocket),
            data_dir: self.data_dir.or(other.data_dir),
            appendfsync: self.appendfsync.or(other.appendfsync),
            checkpoint_log_size: self.checkpoint_log_size.or(other.checkpoint_log_size),
            checkpoint_interval: self.checkpoint_interval.or(other.checkpoint_interval),
            log_retention_size: self.log_retention_size.or(other.log_retention_size),
            log_absent_size: self.log_absent_size.or(other.log_absent_size),
            threads: self.threads.or(other.threads),
            databases: self.databases.or(other.databases),
            maxclients: self.maxclients.or(other.maxclients),
            maxmemory: self.maxmemory.or(other.maxmemory),
            maxmemory_policy: self.maxmemory_policy.or(other.maxmemory_policy),
            warm_memory: self.warm_memory.or(other.warm_memory),
            timeout: self.timeout.or(other.timeout),
            requirepass: self.requirepass.or(other.requirepass),
            region: self.region.or(other.region),
            cluster_port: self.cluster_port.or(other.cluster_port),
            cluster_advertise: self.cluster_advertise.or(other.cluster_advertise),
            cluster_secret: self.cluster_secret.or(other.cluster_secret),
            cluster_secret_file: self.cluster_secret_file.or(other.cluster_secret_file),
            join: self.join.or(other.join),
            dns_server: self.dns_server.or(other.dns_server),
            feature_level: self.feature_level.or(other.feature_level),
            join_token: self.join_token.or(other.join_token),
            default_mode: self.default_mode.or(other.default_mode),
            rule: self.rule.or(other.rule),
            acks_timeout: self.acks_timeout.or(other.acks_timeout),
            max_divergence_size: self.max_divergence_size.or(other.max_divergence_size),
            max_divergence_time: self.max_divergence_time.or(other.max_divergence_time),
            compare_interval: self.compare_interval.or(other.compare_interval),
            conflict_feed_size: self.conflict_feed_size.or(other.conflict_feed_size),
            log_format: self.log_format.or(other.log_format),
            log_level: self.log_level.or(other.log_level),
        }
    }
}
