//! The receiving direction: frames in order, each finished before the next is read.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use quinn::RecvStream;

use super::{Link, LinkError, deliver, handshake};
use crate::frame::{self, Frame};
use crate::hello::AHEAD_MS_MAX;
use crate::node::Shared;

pub(super) async fn run(shared: Arc<Shared>, link: Arc<Link>) -> Result<(), LinkError> {
    let mut stream = link.connection.accept_uni().await?;
    tokio::select! {
        ended = frames(&shared, &link, &mut stream) => ended,
        second = link.connection.accept_uni() => {
            second?;
            Err(LinkError::Protocol("a second effects stream"))
        }
    }
}

async fn frames(shared: &Arc<Shared>, link: &Arc<Link>, stream: &mut RecvStream) -> Result<(), LinkError> {
    loop {
        let mut header = [0; frame::HEADER_BYTES];
        stream.read_exact(&mut header).await.map_err(handshake::exact)?;
        let header = frame::decode_header(&header)?;
        let payload = handshake::read(stream, header.payload_bytes).await?;
        link.heard();
        match frame::decode_payload(header.kind, payload)? {
            Frame::Batches(group) => {
                let bytes = group.len() as u64;
                let batches = deliver(shared, link, group).await?;
                link.counters.received_batches.fetch_add(batches as u64, Relaxed);
                link.counters.received_bytes.fetch_add(bytes, Relaxed);
            }
            Frame::Ack(ack) => {
                let ahead_ms = ack.hlc.ms().saturating_sub(handshake::wall_ms());
                if ahead_ms > AHEAD_MS_MAX {
                    return Err(LinkError::ClockAhead { ahead_ms });
                }
                link.said.lock().shown.join(&ack.applied);
                shared.replica.acked(link.peer.node, &ack, shared.now_ms());
            }
            Frame::Members(members) => {
                shared.replica.informed(link.peer.node, &members);
                let mut news = false;
                for member in &members {
                    news |= shared.replica.learn(member);
                }
                if news {
                    shared.links_moved();
                }
            }
            Frame::Evictions(evictions) => {
                let replica = shared.replica.clone();
                let learned = tokio::task::spawn_blocking(move || replica.learn_evictions(&evictions)).await;
                if learned.unwrap_or(Ok(false))? {
                    shared.links_moved();
                }
            }
            Frame::Reaches(nodes) => {
                link.said.lock().reaches = nodes;
                shared.streams_due.notify_one();
            }
            Frame::Streams(streams) => {
                *link.asked.lock() = Some(streams);
                link.news.notify_one();
            }
        }
    }
}
