//! The Hello exchange on the first bidirectional stream, under a time limit.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use engine::replication::standing::Position;
use proto::NodeId;
use quinn::{Connection, RecvStream, SendStream, VarInt};

use super::{Link, LinkError, close};
use crate::hello::{self, Agreed, Hello, Refused};
use crate::node::Shared;

const HELLO_MAX: Duration = Duration::from_secs(5);
const ALREADY_LINKED: &str = "already linked: node ";

/// A peer whose Hello was accepted.
pub(crate) struct Arrival {
    pub hello: Hello,
    pub agreed: Agreed,
    /// What we said of ourselves.
    pub said: Position,
    /// The directory that we said we are.
    pub said_as: u64,
}

/// How a handshake failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("refused: {0}")]
    Refused(#[from] Refused),
    #[error("no hello within {} s", HELLO_MAX.as_secs())]
    Slow,
    /// The dialled address is ours.
    #[error("this is the node itself")]
    Ourselves,
    /// It is told so, and joins again as a new member.
    #[error("the peer was evicted from the cluster")]
    PeerEvicted,
    /// The peer keeps another connection.
    #[error("already linked")]
    AlreadyLinked(Option<NodeId>),
}

/// The text beside [`close::ALREADY_LINKED`]; names the closer, so that the dialler learns who is at the address.
pub(super) fn already_linked(own: NodeId) -> String {
    format!("{ALREADY_LINKED}{own}")
}

/// Our Hello, owed to a dialler whose own was accepted.
pub(crate) struct Answer {
    send: SendStream,
    ours: Hello,
}

impl Answer {
    pub(super) async fn send(mut self) -> Result<(), LinkError> {
        let sent = tokio::time::timeout(HELLO_MAX, put(&mut self.send, &self.ours)).await;
        sent.unwrap_or(Err(LinkError::Protocol("the hello was not taken in time")))
    }
}

/// Dialler's side: says Hello, hears and judges the answer.
pub(crate) async fn greet(
    shared: &Arc<Shared>,
    connection: &Connection,
) -> Result<Arc<Link>, HandshakeError> {
    let arrival = limited(connection, async {
        let (mut send, mut recv) = connection.open_bi().await.map_err(LinkError::from)?;
        let ours = ours(shared);
        put(&mut send, &ours).await?;
        take(shared, connection, &mut recv, &ours).await
    });
    super::admit(shared, connection, arrival.await?, true)
}

/// Acceptor's side: hears and judges. The answer is sent once the link is admitted, so that a dialler is never told yes
/// and then no.
pub(crate) async fn accept(
    shared: &Arc<Shared>,
    connection: &Connection,
) -> Result<(Arc<Link>, Answer), HandshakeError> {
    let (arrival, answer) = limited(connection, async {
        let (send, mut recv) = connection.accept_bi().await.map_err(LinkError::from)?;
        let ours = ours(shared);
        let arrival = take(shared, connection, &mut recv, &ours).await?;
        Ok((arrival, Answer { send, ours }))
    })
    .await?;
    Ok((super::admit(shared, connection, arrival, false)?, answer))
}

async fn limited<T, F>(connection: &Connection, exchange: F) -> Result<T, HandshakeError>
where
    F: Future<Output = Result<T, HandshakeError>>,
{
    let done = tokio::time::timeout(HELLO_MAX, exchange).await.unwrap_or(Err(HandshakeError::Slow));
    if let Err(HandshakeError::Slow) = done {
        connection.close(VarInt::from_u32(close::PROTOCOL), b"no hello in time");
    }
    // What the peer said when it closed is the better answer than a broken stream.
    match (done, connection.close_reason()) {
        (Err(HandshakeError::Link(_)), Some(quinn::ConnectionError::ApplicationClosed(closed))) => {
            let code = closed.error_code.into_inner();
            if code == u64::from(close::OURSELVES) {
                Err(HandshakeError::Ourselves)
            } else if code == u64::from(close::EVICTED) {
                Err(LinkError::Evicted.into())
            } else if code == u64::from(close::ALREADY_LINKED) {
                Err(HandshakeError::AlreadyLinked(linked_node(&closed.reason)))
            } else {
                Err(LinkError::from(quinn::ConnectionError::ApplicationClosed(closed)).into())
            }
        }
        (Err(HandshakeError::Link(_)), Some(reason)) => Err(LinkError::from(reason).into()),
        (done, _) => done,
    }
}

fn linked_node(reason: &[u8]) -> Option<NodeId> {
    let hex = std::str::from_utf8(reason).ok()?.strip_prefix(ALREADY_LINKED)?;
    u64::from_str_radix(hex, 16).ok().filter(|n| *n != 0).map(NodeId)
}

fn ours(shared: &Shared) -> Hello {
    let replica = &shared.replica;
    Hello {
        version_min: hello::VERSION_MIN,
        version_max: hello::VERSION_MAX,
        features: hello::FEATURES,
        member: replica.member(),
        position: replica.position(),
        members: replica.members(),
        evictions: replica.evictions(),
        hlc: replica.hlc(),
        process: shared.process,
        cluster_level: replica.feature_level(),
    }
}

async fn put(send: &mut SendStream, ours: &Hello) -> Result<(), LinkError> {
    let message = ours.encode();
    let mut bytes = (message.len() as u32).to_le_bytes().to_vec();
    bytes.extend_from_slice(&message);
    send.write_all(&bytes).await?;
    let _ = send.finish();
    Ok(())
}

async fn take(
    shared: &Arc<Shared>,
    connection: &Connection,
    recv: &mut RecvStream,
    ours: &Hello,
) -> Result<Arrival, HandshakeError> {
    let mut length = [0; 4];
    recv.read_exact(&mut length).await.map_err(exact)?;
    let length = u32::from_le_bytes(length) as usize;
    let judged = if length > hello::HELLO_BYTES_MAX {
        Err(LinkError::Protocol("hello too long"))
    } else {
        let bytes = read(recv, length).await?;
        Ok(Hello::decode(bytes).and_then(|theirs| {
            let agreed = theirs.judge(ours, wall_ms())?;
            let said_as = ours.member.directory;
            Ok(Arrival { hello: theirs, agreed, said: ours.position.clone(), said_as })
        }))
    };
    match judged {
        Ok(Ok(arrival)) => Ok(arrival),
        Ok(Err(Refused::Ourselves)) => {
            connection.close(VarInt::from_u32(close::OURSELVES), b"this is the node itself");
            Err(HandshakeError::Ourselves)
        }
        Ok(Err(refused)) => {
            let text = refused.to_string();
            shared.alarms.raise(refused.name(), format!("peer at {}: {text}", connection.remote_address()));
            connection.close(VarInt::from_u32(close::REFUSED), text.as_bytes());
            Err(refused.into())
        }
        Err(error) => {
            connection.close(VarInt::from_u32(close::PROTOCOL), error.to_string().as_bytes());
            Err(error.into())
        }
    }
}

/// Reads exactly `bytes`, in memory that grows as they come.
pub(super) async fn read(recv: &mut RecvStream, bytes: usize) -> Result<Bytes, LinkError> {
    const STEP: usize = 1 << 20;
    let mut out = Vec::with_capacity(bytes.min(STEP));
    while out.len() < bytes {
        match recv.read_chunk(bytes - out.len(), true).await? {
            Some(chunk) => out.extend_from_slice(&chunk.bytes),
            None => return Err(LinkError::Ended),
        }
    }
    Ok(out.into())
}

pub(super) fn exact(error: quinn::ReadExactError) -> LinkError {
    match error {
        quinn::ReadExactError::FinishedEarly(_) => LinkError::Ended,
        quinn::ReadExactError::ReadError(error) => error.into(),
    }
}

pub(super) fn wall_ms() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closer_of_a_second_connection_is_named() {
        let node = NodeId(0xabc);
        assert_eq!(linked_node(already_linked(node).as_bytes()), Some(node));
        assert_eq!(linked_node(b"already linked: node xyz"), None);
        assert_eq!(linked_node(b"\xff"), None);
    }
}
