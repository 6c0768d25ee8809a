//! Heartbeats by datagram: `ours u64 | yours u64`, little-endian counters. The echo shows a path that is cut in one
//! direction, which QUIC alone does not: the side that still hears would never time out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Link, LinkError};
use crate::quic::transport::SILENCE_MAX;
use crate::registry::Linked;

const EVERY: Duration = Duration::from_millis(250);

pub(super) async fn run(link: Arc<Link>) -> Result<(), LinkError> {
    let (mut ours, mut yours, mut echoed) = (0u64, 0u64, 0u64);
    let unheard_max = (SILENCE_MAX.as_millis() / EVERY.as_millis()) as u64;
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {
                ours += 1;
                if ours - echoed > unheard_max && link.silent_for() < EVERY * 8 {
                    return Err(LinkError::OneWay);
                }
                let mut beat = [0; 16];
                beat[..8].copy_from_slice(&ours.to_le_bytes());
                beat[8..].copy_from_slice(&yours.to_le_bytes());
                match link.connection.send_datagram(Bytes::copy_from_slice(&beat)) {
                    Ok(()) => {}
                    Err(quinn::SendDatagramError::ConnectionLost(error)) => return Err(error.into()),
                    Err(_) => return Err(LinkError::Protocol("the peer takes no datagrams")),
                }
            }
            beat = link.connection.read_datagram() => {
                let beat = beat?;
                link.heard();
                if let Ok(beat) = <[u8; 16]>::try_from(&beat[..]) {
                    let [theirs, echo] = [0, 8].map(|at| {
                        let mut word = [0; 8];
                        word.copy_from_slice(&beat[at..at + 8]);
                        u64::from_le_bytes(word)
                    });
                    yours = yours.max(theirs);
                    // An echo of what was never sent proves nothing.
                    let echo = echo.min(ours);
                    if echo > echoed {
                        echoed = echo;
                        link.answered();
                    }
                }
            }
        }
    }
}
