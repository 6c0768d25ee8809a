//! ATOLL.LAG: how far behind the other members are.

use proto::resp::Replies;

use crate::refusal::Refusal;
use crate::session::Call;

pub fn lag(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let lags = call.engine().lags();
    let round_trips = call.server.host().round_trips_us();
    reply.array(lags.len());
    for lag in lags {
        let rtt_us = round_trips.iter().find(|(node, _)| *node == lag.member.node).map(|(_, us)| *us);
        let texts = [
            ("node", lag.member.node.to_string()),
            ("region", lag.member.region),
            ("addr", lag.member.addr),
            ("link", if lag.up { "up" } else { "down" }.into()),
        ];
        // What was never heard is not known.
        let known = |n: u64| if lag.heard { n as i64 } else { -1 };
        let numbers = [
            ("lacks-effects", known(lag.lacks)),
            ("lacks-ours", known(lag.lacks_ours)),
            ("lacks-bytes", known(lag.lacks_bytes)),
            ("behind-ms", known(lag.behind_ms)),
            ("we-lack", known(lag.we_lack)),
            ("heard-ms", known(lag.heard_ms)),
            ("clock-ms", if lag.heard { lag.clock_ms } else { 0 }),
            ("rtt-us", rtt_us.map_or(-1, |us| us as i64)),
        ];
        reply.map(texts.len() + numbers.len());
        for (name, text) in texts {
            reply.bulk(name.as_bytes());
            reply.bulk(text.as_bytes());
        }
        for (name, number) in numbers {
            reply.bulk(name.as_bytes());
            reply.integer(number);
        }
    }
    Ok(())
}
