//! The UDP socket and the connection parameters, chosen for links of 40-300 ms and several percent of loss.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use quinn::{ClientConfig, Endpoint, EndpointConfig, IdleTimeout, ServerConfig, TransportConfig, VarInt};
use socket2::{Domain, Protocol, Socket, Type};

use super::congestion;
use super::identity::Identity;

/// A link without a packet for so long is down.
pub const SILENCE_MAX: Duration = Duration::from_secs(5);
/// Something is sent at least so often.
const KEEP_ALIVE: Duration = Duration::from_millis(500);
/// Of one stream and of all streams of a link; well above 100 MB/s × 80 ms, and the bound on what a peer can make us hold.
const STREAM_WINDOW_BYTES: u32 = 8 << 20;
const LINK_WINDOW_BYTES: u32 = 24 << 20;
const SOCKET_BUFFER_BYTES: usize = 4 << 20;
/// Unfinished handshakes held at once.
const INCOMING_MAX: usize = 64;

/// Binds `addr` and makes both roles of this node's endpoint.
pub fn endpoint(addr: SocketAddr, identity: &Identity) -> io::Result<Endpoint> {
    let transport = Arc::new(transport());
    let mut server = ServerConfig::with_crypto(identity.server.clone());
    server.transport_config(transport.clone()).max_incoming(INCOMING_MAX);
    let mut client = ClientConfig::new(identity.client.clone());
    client.transport_config(transport);
    let runtime = quinn::default_runtime().ok_or_else(|| io::Error::other("no tokio runtime"))?;
    let mut endpoint = Endpoint::new(EndpointConfig::default(), Some(server), socket(addr)?, runtime)?;
    endpoint.set_default_client_config(client);
    Ok(endpoint)
}

fn socket(addr: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    // Best effort: the kernel caps what it gives.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

fn transport() -> TransportConfig {
    let mut t = TransportConfig::default();
    t.max_idle_timeout(IdleTimeout::try_from(SILENCE_MAX).ok())
        .keep_alive_interval(Some(KEEP_ALIVE))
        // First handshake probe after three of these.
        .initial_rtt(Duration::from_millis(100))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(LINK_WINDOW_BYTES))
        .send_window(u64::from(STREAM_WINDOW_BYTES))
        .max_concurrent_bidi_streams(VarInt::from_u32(16))
        .max_concurrent_uni_streams(VarInt::from_u32(2))
        .datagram_receive_buffer_size(Some(16 << 10))
        .datagram_send_buffer_size(16 << 10)
        // Jitter reorders packets by more than the usual three; the time threshold finds real losses.
        .packet_threshold(64);
    t.congestion_controller_factory(Arc::new(congestion::SteadyConfig));
    t
}
