//! The sending direction: a cursor over our own log, woken by appends. Nothing is queued but the chunk being written.
//!
//! Order on the stream: every own effect up to `ack.own` before the ack. So an ack is taken first and written when the
//! cursor has passed its `own`.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use engine::replication::Member;
use proto::{NodeId, Seq};
use tokio::time::{Instant, sleep_until};

use super::{Link, LinkError};
use crate::acks::{ACK_EVERY, AckPacer};
use crate::frame::{self, Packer};
use crate::node::Shared;

/// One read of the log, and the most that waits for the peer.
pub(super) const CHUNK_BYTES: usize = 256 * 1024;
/// While busy, appends are collected for so long.
const LINGER: Duration = Duration::from_millis(1);
/// A path longer than this is compressed even inside a region.
const NEAR: Duration = Duration::from_millis(5);

pub(super) async fn run(shared: Arc<Shared>, link: Arc<Link>) -> Result<(), LinkError> {
    let mut stream = link.connection.open_uni().await?;
    let own = shared.replica.member();
    let far = own.region != link.peer.region || link.connection.rtt() > NEAR;
    let mut packer = Packer::new(far);
    let mut cursor = link.peer_has;
    let begun = Instant::now();
    let mut acks = AckPacer::new(own.node);
    // The Hello told the members first.
    let mut told: Vec<Member> = shared.replica.members();
    let mut told_at = Instant::now();
    let (mut group, mut out) = (Vec::new(), Vec::new());
    loop {
        // Registered before looking, so that an append in between wakes us.
        let news = shared.notifier.news();
        tokio::pin!(news);
        news.as_mut().enable();

        let now_ack = shared.replica.ack();
        let mut more = false;
        if now_ack.own > cursor {
            let (read, bytes) = read(&shared, own.node, cursor, group).await?;
            group = bytes;
            if let Some(last) = read.filter(|last| *last > cursor) {
                out.clear();
                packer.put_batches(&mut out, &group);
                link.counters.sent_batches.fetch_add(frame::batches(&group).count() as u64, Relaxed);
                link.counters.sent_bytes.fetch_add(group.len() as u64, Relaxed);
                stream.write_all(&out).await?;
                cursor = last;
                more = group.len() >= CHUNK_BYTES / 2;
            }
        }
        let wrote_at = Instant::now();
        let wake_at = begun + acks.consider(now_ack, wrote_at - begun);
        if let Some(ack) = acks.take(cursor, wrote_at - begun) {
            out.clear();
            if wrote_at >= told_at + ACK_EVERY {
                told_at = wrote_at;
                let members = shared.replica.members();
                if members != told {
                    frame::put_members(&mut out, &members);
                    told = members;
                }
            }
            frame::put_ack(&mut out, &ack);
            stream.write_all(&out).await?;
        }
        if more {
            continue;
        }
        tokio::select! {
            () = &mut news => sleep_until(wrote_at + LINGER).await,
            () = sleep_until(wake_at) => {}
        }
    }
}

async fn read(
    shared: &Arc<Shared>,
    origin: NodeId,
    after: Seq,
    mut group: Vec<u8>,
) -> Result<(Option<Seq>, Vec<u8>), LinkError> {
    let replica = shared.replica.clone();
    let read = tokio::task::spawn_blocking(move || {
        group.clear();
        let last = replica.read_log(origin, after, CHUNK_BYTES, &mut group)?;
        Ok::<_, LinkError>((last, group))
    });
    read.await.unwrap_or(Err(LinkError::Ended))
}
