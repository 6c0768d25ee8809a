//! CONFIG.

use proto::resp::Replies;

use crate::commands::help;
use crate::refusal::Refusal;
use crate::session::Call;

pub fn config_get(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let found = call.server.config.matching(&args[2..]);
    reply.map(found.len());
    for (name, value) in found {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    Ok(())
}

pub fn config_set(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let words = &args[2..];
    if !words.len().is_multiple_of(2) {
        return Err(Refusal::Syntax);
    }
    let pairs: Vec<(&[u8], &[u8])> = words.chunks_exact(2).map(|p| (p[0], p[1])).collect();
    call.server.configure(&pairs).map_err(|refusal| Refusal::Quoted(refusal.to_string()))?;
    reply.ok();
    Ok(())
}

pub fn config_resetstat(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    call.meter.flush(&call.server.counters);
    call.server.reset_stats(call.census().shards);
    reply.ok();
    Ok(())
}

/// Settings come from flags, the environment and a file written by hand; no server rewrites them.
pub fn config_rewrite(call: &mut Call<'_>, _: &[&[u8]], _: &mut Replies<'_>) -> Result<(), Refusal> {
    if call.server.host().facts().config_file.is_empty() {
        return Err(Refusal::Text("ERR The server is running without a config file"));
    }
    Err(Refusal::Text("ERR The config file is not rewritten: change it by hand"))
}

pub fn config_help(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    help::answer(
        reply,
        "CONFIG",
        &[
            "GET <pattern>",
            "    Return parameters matching the glob-like <pattern> and their values.",
            "SET <directive> <value>",
            "    Set the configuration <directive> to <value>.",
            "RESETSTAT",
            "    Reset statistics reported by the INFO command.",
            "REWRITE",
            "    Rewrite the configuration file.",
        ],
    );
    Ok(())
}
