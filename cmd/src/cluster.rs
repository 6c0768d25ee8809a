//! Peers: the links of a node, on a runtime of their own.

use std::sync::{Arc, OnceLock};

use engine::core::Engine;

use crate::host::LinkLines;
use crate::settle::{NodeConfig, StartError};

/// Starts the links, when a cluster is configured.
pub fn start(
    _config: &NodeConfig,
    _engine: &Arc<Engine>,
    _links: &Arc<OnceLock<LinkLines>>,
) -> Result<(), StartError> {
    Ok(())
}
