//! A node's place in the world: finding peers, proving who they are, and keeping one QUIC link to each, over which effects
//! flow in order and what is missing is fetched.
//!
//! ```text
//! dial ──▶ link (handshake ─▶ send | receive | fetch | heartbeat) ──▶ engine::replication::Replica
//!             ├── registry: one link per peer
//!             └── streams: who is reached, whose stream brings what (relay decides)
//! ```
//! Invariant: nothing is queued for a peer. A link holds cursors into the log and at most one chunk; a slow or absent peer
//! costs nothing, and a returning one goes on from its own frontier.
//! Invariant: everything from a peer is bounded, checked and answered with a reason, never with a panic.
//!
//! Does not: know what an effect means, decide what is shown or stable, or parse a client's command.

pub mod acks;
mod alarm;
mod compare;
pub mod cursors;
mod dial;
pub mod dns;
pub mod frame;
pub mod hello;
mod link;
pub mod message;
mod node;
mod quic;
mod registry;
pub mod relay;
mod sent;
mod streams;

pub use alarm::Alarm;
pub use dial::JoinStatus;
pub use node::{Beacon, BeaconConfig, BeaconError, Notifier};
pub use quic::identity::{IdentityError, WRONG_SECRET};
pub use registry::{Admitted, LinkState, LinkStatus, Linked, Registry, SILENT};
pub use sent::RegionSent;
