//! Links between nodes over real QUIC sockets and a bad network: convergence, resumption, refusals.

mod node;
mod process_discovery;
mod process_links;
mod process_relay;
mod process_versions;
