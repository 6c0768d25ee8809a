//! INFO: sections under Redis' names, with Redis' field names for what exists here, and a section of our own.

use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

use proto::resp::Replies;

use crate::refusal::Refusal;
use crate::replication::Replica;
use crate::session::Call;

/// Sections in the order in which they are told; true for those of a plain INFO.
const SECTIONS: &[(&str, bool)] = &[
    ("server", true),
    ("clients", true),
    ("memory", true),
    ("persistence", true),
    ("stats", true),
    ("replication", true),
    ("cpu", true),
    ("modules", true),
    ("commandstats", false),
    ("errorstats", true),
    ("cluster", true),
    ("keyspace", true),
    ("atoll", true),
];

pub fn info(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    call.meter.flush(&call.server.counters);
    let asked: Vec<String> =
        args[1..].iter().map(|a| String::from_utf8_lossy(a).to_ascii_lowercase()).collect();
    let has = |word: &str| asked.iter().any(|a| a == word);
    let (all, default) = (has("all") || has("everything"), asked.is_empty() || has("default"));
    let mut text = String::new();
    for (name, in_default) in SECTIONS {
        if !(all || (default && *in_default) || has(name)) {
            continue;
        }
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        section(call, name, &mut text);
    }
    reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// Lines of `name:value`.
pub(super) struct Lines<'a>(&'a mut String);

impl Lines<'_> {
    pub(super) fn put(&mut self, name: &str, value: impl std::fmt::Display) {
        let _ = write!(self.0, "{name}:{value}\r\n");
    }

    pub(super) fn zeros(&mut self, names: &[&str]) {
        names.iter().for_each(|name| self.put(name, 0));
    }
}

fn section(call: &Call<'_>, name: &str, text: &mut String) {
    let title = match name {
        "cpu" => "CPU".to_string(),
        name => name[..1].to_ascii_uppercase() + &name[1..],
    };
    let _ = write!(text, "# {title}\r\n");
    let lines = &mut Lines(text);
    match name {
        "server" => server(call, lines),
        "clients" => clients(call, lines),
        "memory" => super::memory::info_memory(call, lines),
        "persistence" => persistence(call, lines),
        "stats" => stats(call, lines),
        "replication" => replication(call, lines),
        "cpu" => cpu(call, lines),
        "commandstats" => {
            for (name, t) in call.server.counters.commands() {
                let each = if t.calls == 0 { 0.0 } else { t.us as f64 / t.calls as f64 };
                let value = format_args!(
                    "calls={},usec={},usec_per_call={each:.2},rejected_calls={},failed_calls={}",
                    t.calls, t.us, t.rejected, t.failed
                );
                lines.put(&format!("cmdstat_{name}"), value);
            }
        }
        "errorstats" => {
            for (kind, count) in call.server.counters.error_kinds() {
                lines.put(&format!("errorstat_{kind}"), format_args!("count={count}"));
            }
        }
        "cluster" => lines.put("cluster_enabled", 0),
        "keyspace" => {
            for (db, (keys, expires)) in call.census().databases.iter().enumerate().filter(|(_, d)| d.0 > 0) {
                lines.put(&format!("db{db}"), format_args!("keys={keys},expires={expires},avg_ttl=0"));
            }
        }
        "atoll" => atoll(call, lines),
        _ => {}
    }
}

fn server(call: &Call<'_>, lines: &mut Lines<'_>) {
    let (server, facts) = (call.server, call.server.host().facts());
    let uptime_s = call.now_ms().saturating_sub(server.started_ms) / 1000;
    let hz = server.config.text("hz");
    lines.put("redis_version", crate::REDIS_VERSION);
    lines.put("redis_git_sha1", "00000000");
    lines.put("redis_git_dirty", 0);
    lines.put("redis_build_id", &facts.build);
    lines.put("redis_mode", "standalone");
    lines.put("os", &facts.os);
    lines.put("arch_bits", usize::BITS);
    lines.put("monotonic_clock", "POSIX clock_gettime");
    lines.put("multiplexing_api", "epoll");
    lines.put("process_id", facts.pid);
    lines.put("process_supervised", "no");
    lines.put("run_id", &facts.run_id);
    lines.put("tcp_port", facts.tcp_port);
    lines.put("server_time_usec", server.host().unix_us());
    lines.put("uptime_in_seconds", uptime_s);
    lines.put("uptime_in_days", uptime_s / 86_400);
    lines.put("hz", &hz);
    lines.put("configured_hz", &hz);
    lines.put("lru_clock", call.now_ms() / 1000 % (1 << 24));
    lines.put("executable", &facts.executable);
    lines.put("config_file", &facts.config_file);
    lines.put("io_threads_active", 0);
}

fn clients(call: &Call<'_>, lines: &mut Lines<'_>) {
    lines.put("connected_clients", call.server.clients.len());
    lines.put("cluster_connections", 0);
    lines.put("maxclients", call.server.config.live().clients_max.load(Relaxed));
    lines.zeros(&["client_recent_max_input_buffer", "client_recent_max_output_buffer"]);
    lines.put("blocked_clients", call.server.blocked.load(Relaxed));
    lines.zeros(&["tracking_clients"]);
    lines.put("clients_in_timeout_table", call.server.blocked.load(Relaxed));
}

/// Bytes as Redis prints them for people.
pub(super) fn human(bytes: u64) -> String {
    let units = ["K", "M", "G", "T", "P"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.2}{}", units[unit])
}

fn persistence(call: &Call<'_>, lines: &mut Lines<'_>) {
    let poisoned = call.engine().log().is_some_and(|log| log.poisoned().is_some());
    let stat = call.engine().log().map(|log| log.stat()).unwrap_or_default();
    let checkpoint = call.engine().checkpoint_status(call.now_ms());
    let (loading, started_ms) = (call.engine().loading(), call.server.started_ms);
    let is_loading = call.engine().is_loading();
    let seconds = |ms: u64, known: bool| if known { (ms / 1000) as i64 } else { -1 };
    let status = if checkpoint.failed.is_some() { "err" } else { "ok" };
    let taken_ms = if checkpoint.number == 0 { started_ms } else { checkpoint.taken_ms };
    let duration = seconds(checkpoint.duration_ms, checkpoint.taken > 0);
    let running = seconds(checkpoint.running_ms, checkpoint.in_progress);
    lines.put("loading", u8::from(is_loading));
    lines.zeros(&["async_loading"]);
    lines.zeros(&["current_cow_peak", "current_cow_size", "current_cow_size_age"]);
    lines.zeros(&["current_save_keys_processed", "current_save_keys_total"]);
    lines.put("current_fork_perc", "0.00");
    lines.put("rdb_changes_since_last_save", checkpoint.effects_since);
    lines.put("rdb_bgsave_in_progress", u8::from(checkpoint.in_progress));
    lines.put("rdb_last_save_time", taken_ms / 1000);
    lines.put("rdb_last_bgsave_status", status);
    lines.put("rdb_last_bgsave_time_sec", duration);
    lines.put("rdb_current_bgsave_time_sec", running);
    lines.put("rdb_saves", checkpoint.taken);
    lines.zeros(&["rdb_last_cow_size", "rdb_last_load_keys_expired"]);
    lines.put("rdb_last_load_keys_loaded", loading.keys.load(Relaxed));
    lines.put("aof_enabled", u8::from(call.engine().log().is_some() || is_loading));
    lines.put("aof_rewrite_in_progress", u8::from(checkpoint.in_progress));
    lines.zeros(&["aof_rewrite_scheduled"]);
    lines.put("aof_last_rewrite_time_sec", duration);
    lines.put("aof_current_rewrite_time_sec", running);
    lines.put("aof_last_bgrewrite_status", status);
    lines.put("aof_rewrites", checkpoint.taken);
    lines.zeros(&["aof_rewrites_consecutive_failures", "aof_last_cow_size"]);
    lines.zeros(&["module_fork_in_progress", "module_fork_last_cow_size"]);
    lines.put("aof_last_write_status", if poisoned { "err" } else { "ok" });
    lines.put("aof_current_size", stat.bytes + checkpoint.file_bytes);
    lines.put("aof_base_size", checkpoint.file_bytes);
    if is_loading {
        let (total, done) = (loading.total_bytes.load(Relaxed), loading.done_bytes.load(Relaxed));
        let elapsed_ms = call.now_ms().saturating_sub(started_ms);
        let eta_ms = elapsed_ms.saturating_mul(total.saturating_sub(done)) / done.max(1);
        lines.put("loading_start_time", started_ms / 1000);
        lines.put("loading_total_bytes", total);
        lines.put("loading_loaded_bytes", done);
        lines.put("loading_loaded_perc", format_args!("{:.2}", done as f64 * 100.0 / total.max(1) as f64));
        lines.put("loading_eta_seconds", eta_ms.div_ceil(1000));
    }
    lines.put("checkpoint_number", checkpoint.number);
    lines.put("checkpoint_file_bytes", checkpoint.file_bytes);
    lines.put("checkpoint_live_bytes", checkpoint.live_bytes);
    lines.put("checkpoint_last_bytes", checkpoint.last_bytes);
    lines.put("checkpoint_last_shards", checkpoint.last_shards);
    lines.put("checkpoint_log_bytes_since", checkpoint.log_bytes_since);
    lines.put("checkpoint_last_error", checkpoint.failed.unwrap_or_default());
    lines.put("log_begins_at", stat.begins_at);
    let transfer = call.engine().borrowing();
    lines.put("transfer_active", u8::from(transfer.active.load(Relaxed)));
    lines.put("transfer_bytes", transfer.done_bytes.load(Relaxed));
    lines.put("transfer_total_bytes", transfer.total_bytes.load(Relaxed));
    lines.put("log_segments", stat.segments);
    lines.put("log_bytes", stat.bytes);
    lines.put("log_appended_bytes", stat.appended_bytes);
    lines.put("log_syncs", stat.syncs);
    lines.put(
        "log_error",
        call.engine().log().and_then(|log| log.poisoned()).map_or_else(String::new, |e| e.to_string()),
    );
}

fn stats(call: &Call<'_>, lines: &mut Lines<'_>) {
    let (server, traffic, rates) = (call.server, &call.server.traffic, call.server.rates());
    let census = call.census();
    let shards = &census.shards;
    let kbps = |bytes: u64| format!("{:.2}", bytes as f64 / 1024.0);
    lines.put("total_connections_received", traffic.connections.load(Relaxed));
    lines.put("total_commands_processed", server.counters.calls());
    lines.put("instantaneous_ops_per_sec", rates.calls_per_second);
    lines.put("total_net_input_bytes", traffic.bytes_in.load(Relaxed));
    lines.put("total_net_output_bytes", traffic.bytes_out.load(Relaxed));
    lines.put("instantaneous_input_kbps", kbps(rates.in_per_second));
    lines.put("instantaneous_output_kbps", kbps(rates.out_per_second));
    lines.put("rejected_connections", traffic.rejected.load(Relaxed));
    lines.zeros(&["sync_full", "sync_partial_ok", "sync_partial_err"]);
    lines.put("expired_keys", shards.expired);
    lines.put("expired_subkeys", shards.expired_fields);
    lines.put("evicted_keys", shards.evicted);
    lines.put("evicted_clients", 0);
    lines.put("keyspace_hits", shards.hits);
    lines.put("keyspace_misses", shards.misses);
    lines.zeros(&["pubsub_channels", "pubsub_patterns", "latest_fork_usec", "total_forks"]);
    lines.zeros(&["migrate_cached_sockets"]);
    lines.zeros(&["tracking_total_keys", "tracking_total_items", "tracking_total_prefixes"]);
    lines.put("unexpected_error_replies", 0);
    lines.put("total_error_replies", server.counters.errors());
    lines.put("total_reads_processed", traffic.reads.load(Relaxed));
    lines.put("total_writes_processed", traffic.writes.load(Relaxed));
    lines.put("client_output_buffer_limit_disconnections", traffic.output_limited.load(Relaxed));
    lines.put("merge_forks", shards.forks);
    lines.put("merge_type_clashes", shards.clashes);
    lines.put("merge_late_effects", shards.late);
    for (rule, count) in call.engine().conflict_counts() {
        lines.put(&format!("conflicts_{}", rule.name()), count);
    }
    lines.put("window_keys", census.windows);
    lines.put("window_queue", census.unstable);
}

fn replication(call: &Call<'_>, lines: &mut Lines<'_>) {
    let (engine, stats) = (call.engine(), call.engine().stats());
    lines.put("role", "master");
    lines.put("connected_slaves", 0);
    lines.put("master_failover_state", "no-failover");
    lines.put("master_replid", format_args!("{:040x}", engine.node().0));
    lines.put("master_replid2", "0".repeat(40));
    lines.put("master_repl_offset", engine.frontier().seq(engine.node()).0);
    lines.put("second_repl_offset", -1);
    lines.zeros(&[
        "repl_backlog_active",
        "repl_backlog_size",
        "repl_backlog_first_byte_offset",
        "repl_backlog_histlen",
    ]);
    lines.put("ready", u8::from(engine.is_ready()));
    lines.put("members", engine.members().len());
    lines.put("feature_level", engine.feature_level());
    lines.put("remote_batches", stats.remote_batches.load(Relaxed));
    lines.put("remote_effects", stats.remote_effects.load(Relaxed));
    let queues = engine.queues();
    lines.put("horizon_batches", queues.horizon_batches);
    lines.put("horizon_bytes", queues.horizon_bytes);
    lines.put("horizon_bytes_max", engine.config().horizon_bytes_max);
    lines.put("nacks_in_flight", queues.nacks);
    lines.put("held_batches", stats.held_batches.load(Relaxed));
    lines.put("dropped_batches", stats.dropped_batches.load(Relaxed));
    lines.put("duplicate_batches", stats.duplicate_batches.load(Relaxed));
    lines.put("unstable_effects", call.census().unstable);
    lines.put("diverged", u8::from(engine.has_diverged()));
    lines.put("full_rebuilds", stats.rebuilds.load(Relaxed));
    let compared = engine.compare_stats();
    lines.put("compared_ranges", compared.ranges);
    lines.put("compared_keys", compared.keys);
    lines.put("compare_candidates", compared.candidates);
    lines.put("compare_differences", compared.differences);
    lines.put("compare_repairs", compared.repairs);
    lines.put("acked_writes", call.server.acked_writes.load(Relaxed));
    lines.put("acks_missed", call.server.acks_missed.load(Relaxed));
    for (i, lag) in engine.lags().iter().enumerate() {
        let value = format_args!(
            "node={},region={},up={},lacks={},lacks_ours={},lacks_bytes={},behind_ms={},we_lack={},heard_ms={}",
            lag.member.node,
            lag.member.region,
            u8::from(lag.up),
            lag.lacks,
            lag.lacks_ours,
            lag.lacks_bytes,
            lag.behind_ms,
            lag.we_lack,
            lag.heard_ms,
        );
        lines.put(&format!("lag{i}"), value);
    }
    for link in call.server.host().links() {
        if let Some((name, value)) = link.split_once(':') {
            lines.put(name, value);
        }
    }
}

fn cpu(call: &Call<'_>, lines: &mut Lines<'_>) {
    let usage = call.server.host().usage();
    let seconds = |us: u64| format!("{:.6}", us as f64 / 1e6);
    lines.put("used_cpu_sys", seconds(usage.cpu_system_us));
    lines.put("used_cpu_user", seconds(usage.cpu_user_us));
    lines.put("used_cpu_sys_children", seconds(0));
    lines.put("used_cpu_user_children", seconds(0));
}

fn atoll(call: &Call<'_>, lines: &mut Lines<'_>) {
    let (engine, stats) = (call.engine(), call.engine().stats());
    lines.put("atoll_version", crate::VERSION);
    lines.put("node", engine.node());
    lines.put("region", &engine.config().region);
    lines.put("alone", u8::from(engine.is_alone()));
    {
        let rules = engine.rules().read();
        let listed: Vec<String> = rules.rules.iter().map(|r| r.to_string()).collect();
        lines.put("default_mode", rules.default.name());
        lines.put("rules", listed.join(","));
    }
    lines.put("effects_written", stats.effects_written.load(Relaxed));
    lines.put("batches_written", stats.batches_written.load(Relaxed));
    lines.put("bytes_written", stats.bytes_written.load(Relaxed));
    for (origin, seq) in engine.frontier().iter() {
        lines.put(&format!("frontier_{origin}"), seq.0);
    }
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn bytes_for_people_have_two_digits_and_a_unit() {
        let cases = [(0, "0B"), (1023, "1023B"), (2_128_560, "2.03M"), (25_276_510_208, "23.54G")];
        for (bytes, text) in cases {
            assert_eq!(human(bytes), text);
        }
    }
}
