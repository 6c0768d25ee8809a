//! CONFIG GET, SET, RESETSTAT, REWRITE, HELP.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use proto::resp::Replies;

use crate::commands::connection::help;
use crate::refusal::Refusal;
use crate::session::Call;

type Outcome = Result<(), Refusal>;

pub fn config_get(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    let settings = call.server.settings().read();
    let found: BTreeMap<&str, &str> =
        args[2..].iter().flat_map(|pattern| settings.matching(pattern)).collect();
    reply.map(found.len());
    for (name, value) in found {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    Ok(())
}

pub fn config_set(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    if args.len() % 2 != 0 {
        return Err(Refusal::Arity("config|set".into()));
    }
    let pairs: Vec<(&[u8], &[u8])> = args[2..].chunks_exact(2).map(|p| (p[0], p[1])).collect();
    let changed = call.server.settings().write().change(&pairs);
    let changed = changed.map_err(|error| Refusal::Quoted(format!("ERR {error}")))?;
    call.server.apply_settings();
    for name in changed {
        let value = call.server.settings().read().text(name).to_string();
        call.server.host().setting_changed(name, &value);
    }
    reply.ok();
    Ok(())
}

pub fn config_resetstat(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    call.engine().reset_stats();
    let stats = call.server.stats();
    for counter in [
        &stats.commands,
        &stats.errors,
        &stats.connections,
        &stats.rejected,
        &stats.input_bytes,
        &stats.output_bytes,
    ] {
        counter.store(0, Relaxed);
    }
    reply.ok();
    Ok(())
}

pub fn config_rewrite(_: &mut Call<'_>, _: &[&[u8]], _: &mut Replies<'_>) -> Outcome {
    Err(Refusal::Text("ERR The server is running without a config file"))
}

pub fn config_help(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Outcome {
    help(
        reply,
        "CONFIG",
        &[
            ("GET <pattern>", "Return parameters matching the glob-like <pattern> and their values."),
            ("SET <directive> <value>", "Set the configuration <directive> to <value>."),
            ("RESETSTAT", "Reset statistics reported by the INFO command."),
            ("REWRITE", "Rewrite the configuration file."),
        ],
    );
    Ok(())
}
