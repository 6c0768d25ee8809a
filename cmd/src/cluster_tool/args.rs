//! Flags of `atoll cluster`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What `atoll cluster` does.
#[derive(Subcommand)]
pub enum ClusterCommand {
    /// How the node stands in its cluster: members, who is suspect, evictions under way, late sets.
    Status(NodeArgs),
    /// Node, directory, region, address and state of each member.
    Members(NodeArgs),
    /// Take out a member that does not come back: nothing waits for it any more. What nobody has of its writes is late.
    Evict {
        /// Node id, directory id or address, as `members` lists them.
        member: String,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Take an evicted member off the list.
    Forget {
        /// Node id, directory id or address, as `members` lists them.
        member: String,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Make the node leave for good: it refuses writes, waits until all others have what it wrote, and ends.
    Leave(NodeArgs),
    /// Call a leave off, while the others were not told.
    Stay(NodeArgs),
    /// Writes of an evicted node that came too late: look at them, do them again, or drop them. Ask the node that wrote them.
    #[command(subcommand)]
    Late(LateCommand),
    /// Print a token with which a new node joins: `atoll serve --join-token TOKEN`. It holds the cluster secret.
    JoinToken(TokenArgs),
}

#[derive(Subcommand)]
pub enum LateCommand {
    /// The late sets, or the effects of one.
    List {
        set: Option<u64>,
        /// Effects at most.
        #[arg(long, default_value_t = 100)]
        count: usize,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Do all of a set again as new writes on what is there now.
    Replay {
        set: u64,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Remove a set. What is in it is lost.
    Drop {
        set: u64,
        #[command(flatten)]
        node: NodeArgs,
    },
}

/// Which node is asked.
#[derive(Args)]
pub struct NodeArgs {
    /// Its host.
    #[arg(long, default_value = "127.0.0.1")]
    pub host: String,
    /// Its port for clients.
    #[arg(long, env = "ATOLL_PORT", default_value_t = 6379)]
    pub port: u16,
    /// Its password.
    #[arg(long, env = "ATOLL_REQUIREPASS", hide_env_values = true)]
    pub password: Option<String>,
    /// Answer as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What a token is made of.
#[derive(Args)]
pub struct TokenArgs {
    /// host:port of cluster ports by which the new node finds the others.
    #[arg(long, env = "ATOLL_JOIN", value_name = "HOST:PORT,...", value_delimiter = ',', required = true)]
    pub join: Vec<String>,
    /// Secret that all nodes of the cluster share.
    #[arg(long, env = "ATOLL_CLUSTER_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub cluster_secret: Option<String>,
    /// File holding the cluster secret.
    #[arg(long, env = "ATOLL_CLUSTER_SECRET_FILE", value_name = "FILE")]
    pub cluster_secret_file: Option<PathBuf>,
    /// A node that starts with the token later than this many seconds from now is refused.
    #[arg(long, default_value_t = 86_400, value_name = "SECONDS")]
    pub valid_for: u64,
}
