//! MEMORY, and what INFO tells about memory.

use std::sync::atomic::Ordering::Relaxed;

use proto::resp::Replies;

use super::info::{Lines, human};
use crate::commands::args::is;
use crate::commands::help;
use crate::core::Unit;
use crate::number::parse_i64;
use crate::refusal::Refusal;
use crate::session::{Call, Memory, memory_ratio as ratio};
use crate::state::graveyard;

/// Members of a collection that are looked at when nothing is said.
const SAMPLES: usize = 5;
/// Below this the parts of the process itself outweigh the data.
const DOCTOR_BYTES_MIN: u64 = 5 << 20;

pub fn memory_usage(unit: &mut Unit<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let mut samples = SAMPLES;
    let mut words = args[3..].iter();
    while let Some(word) = words.next() {
        let (true, Some(number)) = (is(word, "samples"), words.next()) else { return Err(Refusal::Syntax) };
        let number = parse_i64(number).ok_or(Refusal::NotInteger)?;
        samples = usize::try_from(number).map_err(|_| Refusal::Syntax)?;
    }
    unit.set_touch(false);
    let key = unit.key(args[2]);
    match unit.footprint(&key, samples) {
        Some(bytes) => reply.integer(bytes as i64),
        None => reply.null(),
    }
    Ok(())
}

/// One value of MEMORY STATS.
enum Stat {
    Bytes(u64),
    Float(f64),
    /// Bytes of a database's table and of its expiries.
    Database(u64, u64),
}

pub fn memory_stats(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    use Stat::{Bytes, Database, Float};
    let (m, census) = (Memory::of(call), call.census());
    let mut stats: Vec<(String, Stat)> = Vec::new();
    let mut put = |name: &str, stat: Stat| stats.push((name.into(), stat));
    put("peak.allocated", Bytes(m.peak));
    put("total.allocated", Bytes(m.used));
    put("startup.allocated", Bytes(m.startup));
    put("replication.backlog", Bytes(0));
    put("clients.slaves", Bytes(0));
    put("clients.normal", Bytes(m.clients));
    for name in ["cluster.links", "aof.buffer", "lua.caches", "functions.caches"] {
        put(name, Bytes(0));
    }
    for (db, (overhead, _)) in
        census.overheads.iter().zip(&census.databases).enumerate().filter(|(_, d)| d.1.0 > 0)
    {
        put(&format!("db.{db}"), Database(overhead.main, overhead.expires));
    }
    put("overhead.total", Bytes(m.overhead));
    put("keys.count", Bytes(m.keys));
    put("keys.bytes-per-key", Bytes((m.used - m.startup).checked_div(m.keys).unwrap_or(0)));
    put("dataset.bytes", Bytes(m.dataset()));
    put("dataset.percentage", Float(m.dataset_percent()));
    put("peak.percentage", Float(m.peak_percent()));
    put("allocator.allocated", Bytes(m.used));
    put("allocator.active", Bytes(m.committed));
    put("allocator.resident", Bytes(m.rss));
    put("allocator-fragmentation.ratio", Float(ratio(m.committed, m.used)));
    put("allocator-fragmentation.bytes", Bytes(m.committed - m.used));
    put("allocator-rss.ratio", Float(ratio(m.rss, m.committed)));
    put("allocator-rss.bytes", Bytes(m.rss.wrapping_sub(m.committed)));
    put("rss-overhead.ratio", Float(1.0));
    put("rss-overhead.bytes", Bytes(0));
    put("fragmentation", Float(m.fragmentation()));
    put("fragmentation.bytes", Bytes(m.rss.wrapping_sub(m.used)));
    reply.map(stats.len());
    for (name, stat) in stats {
        reply.bulk(name.as_bytes());
        match stat {
            // Differences may be negative: two's complement brings them back.
            Bytes(bytes) => reply.integer(bytes as i64),
            Float(value) => reply.double(value),
            Database(main, expires) => {
                reply.map(3);
                for (part, bytes) in [("main", main), ("expires", expires), ("slot-to-keys", 0)] {
                    reply.bulk(format!("overhead.hashtable.{part}").as_bytes());
                    reply.integer(bytes as i64);
                }
            }
        }
    }
    Ok(())
}

pub fn memory_doctor(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let server = call.server;
    let (used, rss) = (server.memory_used(), server.host().usage().rss);
    reply.verbatim("txt", diagnosis(used, server.memory_most(), rss).as_bytes());
    Ok(())
}

/// What can be said about memory in use, at its most, and resident, in bytes.
fn diagnosis(used: u64, peak: u64, rss: u64) -> String {
    if used < DOCTOR_BYTES_MIN {
        return "There is almost no data here: nothing can be said about its memory yet.\n".into();
    }
    let mut text = String::new();
    if peak * 2 > used * 3 {
        text.push_str(
            " * Peak: at some time more than one and a half times the memory was in use. Pages freed since may still be \
             resident; MEMORY PURGE gives back what can be given back.\n",
        );
    }
    if rss * 5 > used * 7 && rss - used > 10 << 20 {
        text.push_str(
            " * Fragmentation: the process holds far more memory than is in use. It was freed in pieces between others \
             that stay; it is used again as data comes in, and a restart packs it.\n",
        );
    }
    if text.is_empty() {
        return "No problem with memory is visible.\n".into();
    }
    format!("What is visible about memory:\n\n{text}")
}

pub fn memory_purge(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    call.server.host().release_memory();
    reply.ok();
    Ok(())
}

pub fn memory_malloc_stats(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let (used, usage) = (call.server.memory_used(), call.server.host().usage());
    let text = format!(
        "allocator: {}\nallocated: {used}\nmost allocated: {}\ncommitted: {}\nresident: {}\n",
        call.server.host().facts().allocator,
        call.server.memory_most(),
        usage.committed,
        usage.rss,
    );
    reply.verbatim("txt", text.as_bytes());
    Ok(())
}

pub fn memory_help(_: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    help::answer(
        reply,
        "MEMORY",
        &[
            "DOCTOR",
            "    Return memory problems reports.",
            "MALLOC-STATS",
            "    Return internal statistics report from the memory allocator.",
            "PURGE",
            "    Attempt to purge dirty pages for reclamation by the allocator.",
            "STATS",
            "    Return information about the memory usage of the server.",
            "USAGE <key> [SAMPLES <count>]",
            "    Return memory in bytes used by <key> and its value. Nested values are",
            "    sampled up to <count> times (default: 5, 0 means sample all).",
        ],
    );
    Ok(())
}

/// The section of INFO.
pub(super) fn info_memory(call: &Call<'_>, lines: &mut Lines<'_>) {
    let (server, facts) = (call.server, call.server.host().facts());
    let m = Memory::of(call);
    for (name, bytes) in [("used_memory", m.used), ("used_memory_rss", m.rss), ("used_memory_peak", m.peak)] {
        lines.put(name, bytes);
        lines.put(&format!("{name}_human"), human(bytes));
    }
    lines.put("used_memory_peak_perc", format_args!("{:.2}%", m.peak_percent()));
    lines.put("used_memory_overhead", m.overhead);
    lines.put("used_memory_startup", m.startup);
    lines.put("used_memory_dataset", m.dataset());
    lines.put("used_memory_dataset_perc", format_args!("{:.2}%", m.dataset_percent()));
    lines.put("allocator_allocated", m.used);
    lines.put("allocator_active", m.committed);
    lines.put("allocator_resident", m.rss);
    lines.put("total_system_memory", facts.memory_total);
    lines.put("total_system_memory_human", human(facts.memory_total));
    lines.zeros(&["used_memory_lua", "used_memory_vm_eval"]);
    lines.put("used_memory_lua_human", human(0));
    lines.zeros(&[
        "used_memory_scripts_eval",
        "number_of_cached_scripts",
        "number_of_functions",
        "number_of_libraries",
        "used_memory_vm_functions",
        "used_memory_vm_total",
    ]);
    lines.put("used_memory_vm_total_human", human(0));
    lines.zeros(&["used_memory_functions", "used_memory_scripts"]);
    lines.put("used_memory_scripts_human", human(0));
    let memory_max = server.config.live().memory_max.load(Relaxed);
    lines.put("maxmemory", memory_max);
    lines.put("maxmemory_human", human(memory_max));
    lines.put("maxmemory_policy", server.config.text("maxmemory-policy"));
    let difference = |a: u64, b: u64| a as i64 - b as i64;
    lines.put("allocator_frag_ratio", format_args!("{:.2}", ratio(m.committed, m.used)));
    lines.put("allocator_frag_bytes", m.committed - m.used);
    lines.put("allocator_rss_ratio", format_args!("{:.2}", ratio(m.rss, m.committed)));
    lines.put("allocator_rss_bytes", difference(m.rss, m.committed));
    lines.put("rss_overhead_ratio", "1.00");
    lines.put("rss_overhead_bytes", 0);
    lines.put("mem_fragmentation_ratio", format_args!("{:.2}", m.fragmentation()));
    lines.put("mem_fragmentation_bytes", difference(m.rss, m.used));
    lines.put("mem_not_counted_for_evict", m.dead);
    lines.zeros(&["mem_replication_backlog", "mem_total_replication_buffers", "mem_clients_slaves"]);
    lines.put("mem_clients_normal", m.clients);
    lines.zeros(&["mem_cluster_links", "mem_aof_buffer"]);
    lines.put("mem_allocator", facts.allocator);
    lines.zeros(&["active_defrag_running"]);
    let (pending, freed) = graveyard::counts();
    lines.put("lazyfree_pending_objects", pending);
    lines.put("lazyfreed_objects", freed);
}

#[cfg(test)]
mod tests {
    use super::diagnosis;

    #[test]
    fn the_doctor_names_peak_and_fragmentation_where_there_is_enough_data() {
        let mb = |n: u64| n << 20;
        assert!(diagnosis(mb(1), mb(90), mb(90)).contains("almost no data"));
        assert!(diagnosis(mb(100), mb(101), mb(110)).contains("No problem"));
        let both = diagnosis(mb(100), mb(200), mb(160));
        assert!(both.contains("Peak") && both.contains("Fragmentation"));
        assert!(!diagnosis(mb(100), mb(100), mb(160)).contains("Peak"));
    }
}
