//! Drives random commands at a node and at a redis-server, and prints the shortest script on which they differ.
//!
//! `differ [--seed N] [--seconds N] [--port N] [FAMILY…]`: a node of its own, or the one on a port; all families
//! but `lex`, or those named.
//! What it prints is a conformance script with the replies of Redis.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use proto::resp::Value;
use tests::client::Client;
use tests::grammar::{self, FAMILIES, Family};
use tests::random::Random;
use tests::redis::Redis;
use tests::script::escape;
use tests::server::Server;

/// Commands between two comparisons of everything.
const ROUND: usize = 300;
const USAGE: &str = "differ [--seed N] [--seconds N] [--port N] [FAMILY…]";

type Command = Vec<Vec<u8>>;

struct Pair {
    ours: Client,
    redis: Client,
}

impl Pair {
    fn connect(ours: u16, redis: u16, resp3: bool) -> std::io::Result<Pair> {
        let mut pair = Pair { ours: Client::connect(ours)?, redis: Client::connect(redis)? };
        if resp3 {
            pair.ours.call(&["HELLO", "3"])?;
            pair.redis.call(&["HELLO", "3"])?;
        }
        Ok(pair)
    }

    /// Both replies, as bytes; equal ones are dropped.
    fn difference(&mut self, command: &[Vec<u8>]) -> std::io::Result<Option<(Vec<u8>, Vec<u8>)>> {
        self.ours.send(command)?;
        self.redis.send(command)?;
        let (ours, redis) = (self.ours.read_raw()?, self.redis.read_raw()?);
        if ours == redis || unordered(command) && sorted(&ours) == sorted(&redis) {
            return Ok(None);
        }
        Ok(Some((ours, redis)))
    }
}

/// Commands whose elements come in no order.
fn unordered(command: &[Vec<u8>]) -> bool {
    let name = command[0].to_ascii_uppercase();
    [&b"SMEMBERS"[..], b"SUNION", b"SINTER", b"SDIFF", b"HGETALL", b"HKEYS", b"HVALS"].contains(&&name[..])
}

/// A reply with its elements, or its pairs, in order.
fn sorted(reply: &[u8]) -> Option<BTreeMap<String, usize>> {
    let (value, _) = Value::decode(reply).ok()??;
    let items: Vec<String> = match value {
        Value::Array(items) | Value::Set(items) => items.iter().map(|item| format!("{item:?}")).collect(),
        Value::Map(pairs) => pairs.iter().map(|pair| format!("{pair:?}")).collect(),
        other => vec![format!("{other:?}")],
    };
    let mut counts = BTreeMap::new();
    items.into_iter().for_each(|item| *counts.entry(item).or_default() += 1);
    Some(counts)
}

/// Commands that tell everything of every key. `copied`: not their encodings, for a copy has the one its elements ask for.
fn inspection(pair: &mut Pair, copied: bool) -> std::io::Result<Vec<Command>> {
    let command = |words: &[&[u8]]| -> Command { words.iter().map(|word| word.to_vec()).collect() };
    let mut out = vec![command(&[b"DBSIZE"])];
    let Value::Array(keys) = pair.redis.call(&["KEYS", "*"])? else { return Ok(out) };
    for key in keys {
        let Value::Bulk(key) = key else { continue };
        out.push(command(&[b"TYPE", &key]));
        if !copied {
            out.push(command(&[b"OBJECT", b"ENCODING", &key]));
        }
        out.push(match pair.redis.call(&[&b"TYPE"[..], key.as_slice()])? {
            Value::Simple(kind) if kind == b"hash" => command(&[b"HGETALL", &key]),
            Value::Simple(kind) if kind == b"set" => command(&[b"SMEMBERS", &key]),
            Value::Simple(kind) if kind == b"zset" => command(&[b"ZRANGE", &key, b"0", b"-1", b"WITHSCORES"]),
            Value::Simple(kind) if kind == b"stream" => command(&[b"XRANGE", &key, b"-", b"+"]),
            Value::Simple(kind) if kind == b"list" => command(&[b"LRANGE", &key, b"0", b"-1"]),
            _ => command(&[b"GET", &key]),
        });
    }
    Ok(out)
}

/// Plays commands from nothing; the place of the first difference.
fn play(ports: (u16, u16), resp3: bool, commands: &[Command]) -> std::io::Result<Option<usize>> {
    let mut pair = Pair::connect(ports.0, ports.1, resp3)?;
    pair.difference(&[b"FLUSHALL".to_vec()])?;
    for (place, command) in commands.iter().enumerate() {
        if pair.difference(command)?.is_some() {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// Leaves out what is not needed for the difference.
fn shorten(ports: (u16, u16), resp3: bool, commands: Vec<Command>) -> std::io::Result<Vec<Command>> {
    let mut kept = commands;
    let mut step = kept.len().div_ceil(2);
    loop {
        let mut at = 0;
        while at + 1 < kept.len() {
            let mut fewer = kept.clone();
            fewer.drain(at..(at + step).min(kept.len() - 1));
            match play(ports, resp3, &fewer)? {
                Some(place) => {
                    fewer.truncate(place + 1);
                    kept = fewer;
                }
                None => at += step,
            }
        }
        if step == 1 {
            return Ok(kept);
        }
        step = step.div_ceil(2);
    }
}

fn quoted(word: &[u8]) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"+-.#[(_*".contains(b);
    if !word.is_empty() && word.iter().all(plain) {
        return String::from_utf8_lossy(word).into_owned();
    }
    format!("\"{}\"", escape(word).replace('"', "\\\""))
}

fn print(ports: (u16, u16), resp3: bool, seed: u64, commands: &[Command]) -> std::io::Result<()> {
    println!("@test seed {seed}\n@resp{}", if resp3 { 3 } else { 2 });
    let mut pair = Pair::connect(ports.0, ports.1, resp3)?;
    pair.difference(&[b"FLUSHALL".to_vec()])?;
    for command in commands {
        let words: Vec<String> = command.iter().map(|word| quoted(word)).collect();
        println!("> {}", words.join(" "));
        pair.redis.send(command)?;
        println!("< {}", escape(&pair.redis.read_raw()?));
        pair.ours.send(command)?;
        println!("# ours: {}", escape(&pair.ours.read_raw()?));
    }
    Ok(())
}

struct Options {
    seed: u64,
    seconds: u64,
    port: Option<u16>,
    families: Vec<&'static Family>,
}

fn options() -> Result<Options, String> {
    let mut out = Options { seed: 1, seconds: 60, port: None, families: Vec::new() };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|n| n.parse().ok()).ok_or(USAGE.to_owned());
        match arg.as_str() {
            "--seed" => out.seed = number()?,
            "--seconds" => out.seconds = number()?,
            "--port" => out.port = Some(number()? as u16),
            name => {
                let found = FAMILIES.iter().find(|family| family.name == name);
                out.families.push(found.ok_or_else(|| {
                    let names: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
                    format!("{name} is no family; there are {}", names.join(", "))
                })?);
            }
        }
    }
    if out.families.is_empty() {
        out.families = FAMILIES.iter().filter(|family| family.name != "lex").collect();
    }
    Ok(out)
}

fn run() -> Result<bool, String> {
    let options = options()?;
    let node = if options.port.is_none() { Some(Server::start()) } else { None };
    let ours = options.port.or(node.as_ref().map(Server::port)).ok_or(USAGE)?;
    let redis = Redis::start()?;
    let ports = (ours, redis.port);
    let io = |e: std::io::Error| e.to_string();
    let (started, mut seed, mut ran) = (Instant::now(), options.seed, 0u64);
    while started.elapsed() < Duration::from_secs(options.seconds) {
        let mut random = Random::new(seed);
        let resp3 = seed % 2 == 1;
        let mut commands: Vec<Command> =
            (0..ROUND).map(|_| grammar::command(&mut random, &options.families)).collect();
        let mut at = play(ports, resp3, &commands).map_err(io)?;
        if at.is_none() {
            let mut pair = Pair::connect(ports.0, ports.1, resp3).map_err(io)?;
            let copies = |c: &Command| c[0] == b"COPY" || c[0] == b"RENAME";
            commands.extend(inspection(&mut pair, commands.iter().any(copies)).map_err(io)?);
            at = play(ports, resp3, &commands).map_err(io)?;
        }
        if let Some(at) = at {
            commands.truncate(at + 1);
            let shortest = shorten(ports, resp3, commands).map_err(io)?;
            print(ports, resp3, seed, &shortest).map_err(io)?;
            return Ok(false);
        }
        ran += ROUND as u64;
        seed += 1;
    }
    println!("{ran} commands, seeds {} to {}: no difference", options.seed, seed - 1);
    Ok(true)
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
