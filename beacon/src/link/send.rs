//! The sending direction: cursors over our log, one per origin that the peer takes from us, woken by appends. Nothing is queued
//! but the chunk being written.
//!
//! Order on the stream: where the peer takes our own effects from us, every one up to `ack.own` goes before the ack, so that it
//! is proved on arrival. So an ack is taken first and written when the cursor has passed its `own`. Where a relay carries them
//! the ack goes at once: it counts at the peer when the effects are there, whichever way they came.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use engine::effect::level::LEVEL_STREAMS;
use engine::replication::Member;
use engine::replication::standing::Standing;
use proto::{NodeId, Seq};
use tokio::time::{Instant, sleep_until};

use super::{Link, LinkError};
use crate::acks::AckPacer;
use crate::cursors::Cursors;
use crate::frame::{self, Packer};
use crate::node::Shared;
use crate::sent::Group;

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
    let unasked = (link.level < LEVEL_STREAMS).then_some(link.peer_has);
    let mut cursors = Cursors::new(own.node, unasked);
    let begun = Instant::now();
    let mut acks = AckPacer::new(own.node);
    // The Hello told some; who was met since is not known there.
    let mut told: Vec<Member> = Vec::new();
    // Told again after the Hello: it may have changed since.
    let mut told_evictions = 0;
    let (mut group, mut out) = (Vec::new(), Vec::new());
    loop {
        // Registered before looking, so that an append in between wakes us.
        let news = shared.notifier.news();
        tokio::pin!(news);
        news.as_mut().enable();

        if let Some(asked) = link.asked.lock().take() {
            cursors.replace(asked);
        }
        out.clear();
        link.put_outbox(&shared, &mut out);
        let version = shared.replica.evictions_version();
        if version != told_evictions {
            told_evictions = version;
            frame::put_evictions(&mut out, &shared.replica.evictions());
        }
        if !out.is_empty() {
            stream.write_all(&out).await?;
        }
        let now_ack = shared.replica.ack();
        let mut more = false;
        // A peer that lacks what only our checkpoint has takes everything over with it, and begins the link again; unless others
        // have brought it what it lacked.
        let lacks = || !link.said().shown.covers(&shared.replica.position().dropped);
        let ahead = matches!(link.standing(), Standing::Ahead { .. }) && lacks();
        let idle = ahead || shared.replica.withholds();
        for (origin, cursor) in cursors.iter_mut().filter(|_| !idle) {
            let newest = if origin == own.node { now_ack.own } else { now_ack.applied.seq(origin) };
            if newest <= *cursor {
                continue;
            }
            let (read, bytes) = read(&shared, origin, *cursor, group).await?;
            group = bytes;
            if let Some(last) = read.filter(|last| *last > *cursor) {
                out.clear();
                packer.put_batches(&mut out, &group);
                note(&shared, &link, own.node, origin, (*cursor, last), &group);
                stream.write_all(&out).await?;
                *cursor = last;
                more |= group.len() >= CHUNK_BYTES / 2;
            }
        }
        let wrote_at = Instant::now();
        let wake_at = begun + acks.consider(now_ack, wrote_at - begun);
        // Who takes over a checkpoint speaks of a state that it is about to give up.
        let due = if shared.replica.withholds() { None } else { acks.take(cursors.own(), wrote_at - begun) };
        if let Some(ack) = due {
            out.clear();
            // Before the ack, always: who counts it knows of everyone who was a member when what it says was shown. A new member
            // that takes over our checkpoint relies on nobody having settled more without counting it. And the ack is made anew:
            // it was to be made knowing everyone who is told.
            let members = shared.replica.members();
            if members != told {
                frame::put_members(&mut out, &members);
                told = members;
                acks.renew();
                stream.write_all(&out).await?;
                continue;
            }
            frame::put_ack(&mut out, &ack);
            stream.write_all(&out).await?;
        }
        if more {
            continue;
        }
        tokio::select! {
            () = &mut news => sleep_until(wrote_at + LINGER).await,
            () = link.news.notified() => {}
            () = sleep_until(wake_at) => {}
        }
    }
}

/// Counts a group that goes out.
fn note(shared: &Shared, link: &Link, own: NodeId, origin: NodeId, (after, last): (Seq, Seq), group: &[u8]) {
    let (batches, bytes) = (frame::batches(group).count() as u64, group.len() as u64);
    link.counters.sent_batches.fetch_add(batches, Relaxed);
    link.counters.sent_bytes.fetch_add(bytes, Relaxed);
    if origin != own {
        link.counters.relayed_batches.fetch_add(batches, Relaxed);
        link.counters.relayed_bytes.fetch_add(bytes, Relaxed);
    }
    shared.sent.note(own, &link.peer.region, &Group { origin, after, last, batches, bytes });
}

impl Link {
    /// Writes what the peer is to be told. A stream is asked for from what is shown here at this moment.
    fn put_outbox(&self, shared: &Shared, out: &mut Vec<u8>) {
        if self.level < LEVEL_STREAMS {
            return;
        }
        let mut outbox = self.outbox.lock();
        if std::mem::take(&mut outbox.reaches_due) {
            frame::put_reaches(out, &outbox.reaches);
        }
        if std::mem::take(&mut outbox.wanted_due) {
            let shown = shared.replica.frontier();
            let streams = outbox.wanted.iter().map(|origin| (*origin, shown.seq(*origin))).collect();
            frame::put_streams(out, &streams);
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
