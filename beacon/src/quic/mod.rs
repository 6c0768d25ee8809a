//! QUIC: certificates from the cluster's secret, the socket, and how links behave under loss and delay.

pub mod congestion;
pub mod identity;
pub mod transport;

use std::net::SocketAddr;

use crate::alarm::Alarms;
use crate::link::HandshakeError;

/// Raises the alarm when a connection failed for a reason an operator must know.
pub(crate) fn report(alarms: &Alarms, remote: SocketAddr, error: &quinn::ConnectionError) {
    let text = identity::explain(error);
    if identity::is_wrong_secret(error) {
        alarms.raise("wrong_secret", format!("{remote}: {text}"));
    } else {
        tracing::debug!(%remote, "connection failed: {text}");
    }
}

/// The same for a handshake that failed after the connection was made.
pub(crate) fn report_handshake(alarms: &Alarms, remote: SocketAddr, error: &HandshakeError) {
    match error {
        // Raised where it was decided.
        HandshakeError::Refused(_) => {}
        HandshakeError::Link(crate::link::LinkError::Connection(
            closed @ quinn::ConnectionError::ApplicationClosed(_),
        )) => alarms.raise("refused", format!("{remote}: {}", identity::explain(closed))),
        HandshakeError::Link(crate::link::LinkError::Connection(error)) => report(alarms, remote, error),
        other => tracing::debug!(%remote, "handshake failed: {other}"),
    }
}
