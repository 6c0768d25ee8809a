//! SLOWLOG and LATENCY.

use proto::resp::Replies;

use crate::commands::help;
use crate::number::parse_i64;
use crate::refusal::Refusal;
use crate::session::Call;

pub fn slowlog_get(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let count = match args.get(2) {
        None => 10,
        Some(arg) => {
            let count = parse_i64(arg).filter(|n| *n >= -1);
            count.ok_or(Refusal::Text("ERR count should be greater than or equal to -1"))?
        }
    };
    let entries = call.server.slowlog.latest(usize::try_from(count).unwrap_or(usize::MAX));
    reply.array(entries.len());
    for entry in entries {
        reply.array(6);
        reply.integer(entry.id as i64);
        reply.integer(entry.at as i64);
        reply.integer(entry.us as i64);
        reply.array(entry.args.len());
        entry.args.iter().for_each(|arg| reply.bulk(arg));
        reply.bulk(entry.addr.as_bytes());
        reply.bulk(entry.name.as_bytes());
    }
    Ok(())
}

pub fn slowlog_len(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    reply.integer(call.server.slowlog.len() as i64);
    Ok(())
}

pub fn slowlog_reset(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    call.server.slowlog.clear();
    reply.ok();
    Ok(())
}

pub fn slowlog_help(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    help::answer(
        reply,
        "SLOWLOG",
        &[
            "GET [<count>]",
            "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
            "    Entries are made of:",
            "    id, timestamp, time in microseconds, arguments array, client IP and port,",
            "    client name",
            "LEN",
            "    Return the length of the slowlog.",
            "RESET",
            "    Reset the slowlog.",
        ],
    );
    Ok(())
}

/// No events are sampled: the list is always empty.
pub fn latency_latest(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    reply.array(0);
    Ok(())
}

pub fn latency_history(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    reply.array(0);
    Ok(())
}

pub fn latency_reset(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    reply.integer(0);
    Ok(())
}

pub fn latency_graph(_: &mut Call<'_>, args: &[&[u8]], _: &mut Replies<'_>) -> Result<(), Refusal> {
    let event = String::from_utf8_lossy(args[2]);
    Err(Refusal::Quoted(format!("ERR No samples available for event '{event}'")))
}

pub fn latency_histogram(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    reply.map(0);
    Ok(())
}

pub fn latency_doctor(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    reply.verbatim(
        "txt",
        b"No latency events are sampled on this server. See SLOWLOG GET and INFO commandstats.\n",
    );
    Ok(())
}

pub fn latency_help(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    help::answer(
        reply,
        "LATENCY",
        &[
            "DOCTOR",
            "    Return a human readable latency analysis report.",
            "GRAPH <event>",
            "    Return an ASCII latency graph for the <event> class.",
            "HISTORY <event>",
            "    Return time-latency samples for the <event> class.",
            "LATEST",
            "    Return the latest latency samples for all events.",
            "RESET [<event> ...]",
            "    Reset latency data of one or more <event> classes.",
            "    (default: reset all data for all event classes)",
            "HISTOGRAM [COMMAND ...]",
            "    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
            "    If no commands are specified then all histograms are replied.",
        ],
    );
    Ok(())
}
