//! INFO, with Redis' field names where Redis has the thing, and a section of our own.

use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

use proto::resp::Replies;

use super::REDIS_VERSION;
use crate::refusal::Refusal;
use crate::replication::Replica;
use crate::session::{Call, ProcessFacts};

const SECTIONS: [&str; 10] = [
    "server",
    "clients",
    "memory",
    "persistence",
    "stats",
    "replication",
    "cpu",
    "cluster",
    "keyspace",
    "atoll",
];

pub fn info(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let mut wanted: Vec<String> =
        args[1..].iter().map(|a| String::from_utf8_lossy(a).to_ascii_lowercase()).collect();
    if wanted.is_empty() || wanted.iter().any(|w| matches!(w.as_str(), "all" | "everything" | "default")) {
        wanted = SECTIONS.iter().map(|s| s.to_string()).collect();
    }
    let facts = call.server.host().facts();
    let mut out = String::new();
    for name in SECTIONS.iter().filter(|s| wanted.iter().any(|w| w == *s)) {
        if !out.is_empty() {
            out.push_str("\r\n");
        }
        let title = name[..1].to_uppercase() + &name[1..];
        let title = if *name == "cpu" { "CPU".to_string() } else { title };
        let _ = write!(out, "# {title}\r\n");
        for (field, value) in section(call, name, &facts) {
            let _ = write!(out, "{field}:{value}\r\n");
        }
    }
    reply.verbatim("txt", out.as_bytes());
    Ok(())
}

type Fields = Vec<(String, String)>;

fn fields(list: &[(&str, String)]) -> Fields {
    list.iter().map(|(name, value)| (name.to_string(), value.clone())).collect()
}

fn human(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes}B"),
        1024..1_048_576 => format!("{:.2}K", bytes as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.2}M", bytes as f64 / 1_048_576.0),
        _ => format!("{:.2}G", bytes as f64 / 1_073_741_824.0),
    }
}

fn section(call: &Call<'_>, name: &str, facts: &ProcessFacts) -> Fields {
    let engine = call.engine();
    let settings = call.server.settings().read();
    match name {
        "server" => fields(&[
            ("redis_version", REDIS_VERSION.into()),
            ("redis_git_sha1", "00000000".into()),
            ("redis_git_dirty", "0".into()),
            ("redis_build_id", "0".into()),
            ("redis_mode", "standalone".into()),
            ("os", facts.os.clone()),
            ("arch_bits", usize::BITS.to_string()),
            ("multiplexing_api", "epoll".into()),
            ("process_id", facts.pid.to_string()),
            ("run_id", facts.run_id.clone()),
            ("tcp_port", facts.port.to_string()),
            ("server_time_usec", call.server.host().now_us().to_string()),
            ("uptime_in_seconds", facts.uptime_seconds.to_string()),
            ("uptime_in_days", (facts.uptime_seconds / 86_400).to_string()),
            ("hz", settings.text("hz").into()),
            ("configured_hz", settings.text("hz").into()),
            ("executable", facts.executable.clone()),
            ("config_file", facts.config_file.clone()),
            ("io_threads_active", facts.threads.to_string()),
        ]),
        "clients" => fields(&[
            ("connected_clients", call.server.clients().len().to_string()),
            ("maxclients", settings.text("maxclients").into()),
            ("blocked_clients", "0".into()),
            ("tracking_clients", "0".into()),
        ]),
        "memory" => fields(&[
            ("used_memory", facts.rss_bytes.to_string()),
            ("used_memory_human", human(facts.rss_bytes)),
            ("used_memory_rss", facts.rss_bytes.to_string()),
            ("used_memory_rss_human", human(facts.rss_bytes)),
            ("used_memory_peak", facts.rss_peak_bytes.to_string()),
            ("used_memory_peak_human", human(facts.rss_peak_bytes)),
            ("maxmemory", settings.text("maxmemory").into()),
            ("maxmemory_human", "0B".into()),
            ("maxmemory_policy", settings.text("maxmemory-policy").into()),
            ("mem_allocator", "mimalloc".into()),
        ]),
        "persistence" => persistence(call),
        "stats" => stats(call),
        "replication" => replication(call, facts),
        "cpu" => fields(&[
            ("used_cpu_sys", format!("{:.6}", facts.cpu_system)),
            ("used_cpu_user", format!("{:.6}", facts.cpu_user)),
        ]),
        "cluster" => fields(&[("cluster_enabled", "0".into())]),
        "keyspace" => (0..engine.databases())
            .map(|db| (db, engine.db_len(db)))
            .filter(|(_, (keys, _))| *keys > 0)
            .map(|(db, (keys, expires))| {
                (format!("db{db}"), format!("keys={keys},expires={expires},avg_ttl=0"))
            })
            .collect(),
        _ => own(call),
    }
}

fn persistence(call: &Call<'_>) -> Fields {
    let log = call.engine().log().map(|log| (log.stat(), log.poisoned())).unwrap_or_default();
    fields(&[
        ("loading", "0".into()),
        ("rdb_changes_since_last_save", "0".into()),
        ("rdb_bgsave_in_progress", "0".into()),
        ("aof_enabled", "1".into()),
        ("aof_rewrite_in_progress", "0".into()),
        ("aof_last_write_status", if log.1.is_none() { "ok" } else { "err" }.into()),
        ("aof_current_size", log.0.bytes.to_string()),
        ("log_segments", log.0.segments.to_string()),
        ("log_bytes", log.0.bytes.to_string()),
        ("log_appended_bytes", log.0.appended_bytes.to_string()),
        ("log_syncs", log.0.syncs.to_string()),
        ("log_error", log.1.map_or_else(String::new, |e| e.to_string())),
    ])
}

fn stats(call: &Call<'_>) -> Fields {
    let stats = call.server.stats();
    let (shards, windows, unstable) = call.engine().shard_stats();
    let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Relaxed).to_string();
    fields(&[
        ("total_connections_received", load(&stats.connections)),
        ("total_commands_processed", load(&stats.commands)),
        ("total_net_input_bytes", load(&stats.input_bytes)),
        ("total_net_output_bytes", load(&stats.output_bytes)),
        ("rejected_connections", load(&stats.rejected)),
        ("expired_keys", shards.expired.to_string()),
        ("evicted_keys", "0".into()),
        ("keyspace_hits", shards.hits.to_string()),
        ("keyspace_misses", shards.misses.to_string()),
        ("total_error_replies", load(&stats.errors)),
        ("merge_forks", shards.forks.to_string()),
        ("merge_type_clashes", shards.clashes.to_string()),
        ("merge_late_effects", shards.late.to_string()),
        ("window_keys", windows.to_string()),
        ("window_queue", unstable.to_string()),
    ])
}

fn replication(call: &Call<'_>, facts: &ProcessFacts) -> Fields {
    let engine = call.engine();
    let s = engine.stats();
    let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Relaxed).to_string();
    let mut out = fields(&[
        ("role", "master".into()),
        ("connected_slaves", "0".into()),
        ("master_replid", format!("{:040x}", engine.node().0)),
        ("master_repl_offset", engine.ack().own.to_string()),
        ("members", engine.members().len().to_string()),
        ("remote_batches", load(&s.remote_batches)),
        ("remote_effects", load(&s.remote_effects)),
        ("held_batches", load(&s.held_batches)),
        ("dropped_batches", load(&s.dropped_batches)),
        ("duplicate_batches", load(&s.duplicate_batches)),
        ("full_rebuilds", load(&s.rebuilds)),
    ]);
    for line in &facts.links {
        if let Some((name, value)) = line.split_once(':') {
            out.push((name.into(), value.into()));
        }
    }
    out
}

fn own(call: &Call<'_>) -> Fields {
    let engine = call.engine();
    let s = engine.stats();
    let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Relaxed).to_string();
    let rules = engine.rules().read();
    let listed: Vec<String> = rules.rules.iter().map(|r| r.to_string()).collect();
    fields(&[
        ("atoll_version", env!("CARGO_PKG_VERSION").into()),
        ("node", engine.node().to_string()),
        ("region", engine.member().region),
        ("alone", u8::from(engine.is_alone()).to_string()),
        ("default_mode", rules.default.name().into()),
        ("rules", listed.join(",")),
        ("effects_written", load(&s.effects_written)),
        ("batches_written", load(&s.batches_written)),
        ("bytes_written", load(&s.bytes_written)),
    ])
}
