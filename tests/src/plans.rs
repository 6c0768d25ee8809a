//! Commands run straight on an engine, by their real plans and without a session.

use engine::commands::{self, Plan};
use engine::core::{Engine, LockPlan};
use engine::refusal::Refusal;
use proto::resp::{Protocol, Replies};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Runs one line of words at a moment in a database. A refusal emitted nothing.
pub fn run(engine: &Engine, now_ms: u64, db: u32, line: &str) -> Result<(), Refusal> {
    let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    let spec = commands::lookup(args[0]).expect("a known command");
    let spec = args.get(1).and_then(|word| commands::subcommand(spec, word)).unwrap_or(spec);
    let Plan::Data(plan) = spec.plan else { panic!("a data command") };
    let mut out = Vec::new();
    let mut unit = engine.begin(&engine.turn(now_ms), db, LockPlan::Everything);
    plan(&mut unit, &args, &mut Replies::new(&mut out, Protocol::Resp2))
}

/// Names with a prefix that lie in the first `shards` of the 1024 shards, for an engine whose key hash has this seed.
pub fn keys_of_shards(prefix: &str, hash_seed: u64, shards: u64, count: usize) -> Vec<String> {
    let names = (0..).map(|n| format!("{prefix}{n}"));
    names.filter(|name| xxh3_64_with_seed(name.as_bytes(), hash_seed) >> 54 < shards).take(count).collect()
}
