//! Messages between nodes, generated from `proto/atoll/peer`.

/// Version 1.
#[allow(missing_docs, clippy::all)]
pub mod v1 {
    tonic::include_proto!("atoll.peer.v1");
}
