//! Drives random commands at a node and at a redis-server, and prints the shortest script on which they differ.
//!
//! `differ [--seed N] [--seconds N] [--port N] [FAMILY…]`: a node of its own, or the one on a port; all families,
//! or those named. Seeds alternate between RESP2 (even) and RESP3 (odd).
//! What it prints is a conformance script with the replies of Redis.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use proto::resp::Value;
use tests::agreement::agree;
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
    /// Commands of the transaction that is open.
    queued: Option<Vec<Command>>,
}

/// What both servers answered.
struct Replies {
    ours: Vec<u8>,
    redis: Vec<u8>,
}

impl Pair {
    fn connect(ours: u16, redis: u16, resp3: bool) -> std::io::Result<Pair> {
        let mut pair = Pair { ours: Client::connect(ours)?, redis: Client::connect(redis)?, queued: None };
        if resp3 {
            pair.ours.call(&["HELLO", "3"])?;
            pair.redis.call(&["HELLO", "3"])?;
        }
        pair.run(&[b"FLUSHALL".to_vec()])?;
        Ok(pair)
    }

    /// The dump of a key as a server gives it; anything in a transaction, or if there is no such key.
    fn dump(client: &mut Client, key: &[u8], queues: bool) -> std::io::Result<Vec<u8>> {
        Ok(match queues {
            false => match client.call(&[b"DUMP", key])? {
                Value::Bulk(dump) => dump,
                _ => b"none".to_vec(),
            },
            true => b"none".to_vec(),
        })
    }

    /// Runs a command on both; each gets the other's dumps.
    fn run(&mut self, command: &[Vec<u8>]) -> std::io::Result<Replies> {
        let (mut for_ours, mut for_redis) = (command.to_vec(), command.to_vec());
        for at in 0..command.len() {
            if let Some(key) = grammar::dump_of(&command[at]) {
                for_ours[at] = Pair::dump(&mut self.redis, key, self.queued.is_some())?;
                for_redis[at] = Pair::dump(&mut self.ours, key, self.queued.is_some())?;
            }
        }
        self.ours.send(&for_ours)?;
        self.redis.send(&for_redis)?;
        Ok(Replies { ours: self.ours.read_raw()?, redis: self.redis.read_raw()? })
    }

    /// Both replies, as bytes, if they do not agree.
    fn difference(&mut self, command: &[Vec<u8>]) -> std::io::Result<Option<Replies>> {
        let replies = self.run(command)?;
        let agreed =
            agree(command, self.queued.as_deref().unwrap_or_default(), &replies.ours, &replies.redis);
        match (&mut self.queued, &replies.redis[..]) {
            (Some(queued), b"+QUEUED\r\n") => queued.push(command.to_vec()),
            (None, b"+OK\r\n") if command[0] == b"MULTI" => self.queued = Some(Vec::new()),
            (Some(_), _) if [&b"EXEC"[..], b"DISCARD"].contains(&&command[0][..]) => self.queued = None,
            _ => {}
        }
        Ok((!agreed).then_some(replies))
    }
}

/// Commands that tell everything of every key. `copied`: not their encodings, for a copy has the one its elements ask for.
fn inspection(pair: &mut Pair, copied: bool) -> std::io::Result<Vec<Command>> {
    let command = |words: &[&[u8]]| -> Command { words.iter().map(|word| word.to_vec()).collect() };
    let mut out = vec![command(&[b"DISCARD"]), command(&[b"UNWATCH"])];
    pair.redis.call(&["DISCARD"])?;
    for db in [&b"1"[..], b"0"] {
        out.push(command(&[b"SELECT", db]));
        out.push(command(&[b"DBSIZE"]));
        pair.redis.call(&[&b"SELECT"[..], db])?;
        let Value::Array(keys) = pair.redis.call(&["KEYS", "*"])? else { return Ok(out) };
        for key in keys {
            let Value::Bulk(key) = key else { continue };
            out.push(command(&[b"TYPE", &key]));
            out.push(command(&[b"PEXPIRETIME", &key]));
            if !copied {
                out.push(command(&[b"OBJECT", b"ENCODING", &key]));
            }
            out.push(match pair.redis.call(&[&b"TYPE"[..], key.as_slice()])? {
                Value::Simple(kind) if kind == b"hash" => command(&[b"HGETALL", &key]),
                Value::Simple(kind) if kind == b"set" => command(&[b"SMEMBERS", &key]),
                Value::Simple(kind) if kind == b"zset" => {
                    command(&[b"ZRANGE", &key, b"0", b"-1", b"WITHSCORES"])
                }
                Value::Simple(kind) if kind == b"stream" => command(&[b"XINFO", b"STREAM", &key, b"FULL"]),
                Value::Simple(kind) if kind == b"list" => command(&[b"LRANGE", &key, b"0", b"-1"]),
                _ => command(&[b"GET", &key]),
            });
        }
    }
    Ok(out)
}

/// Plays commands from nothing; the connections, and the place of the first difference.
fn play(ports: (u16, u16), resp3: bool, commands: &[Command]) -> std::io::Result<(Pair, Option<usize>)> {
    let mut pair = Pair::connect(ports.0, ports.1, resp3)?;
    for (place, command) in commands.iter().enumerate() {
        if pair.difference(command)?.is_some() {
            return Ok((pair, Some(place)));
        }
    }
    Ok((pair, None))
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
            match play(ports, resp3, &fewer)?.1 {
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
    if word.len() > 1000 && word.iter().all(|b| *b == word[0] && b.is_ascii_alphanumeric()) {
        return format!("{{{{{}*{}}}}}", word.len(), char::from(word[0]));
    }
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"+-.#[(_*".contains(b);
    if !word.is_empty() && word.iter().all(plain) {
        return String::from_utf8_lossy(word).into_owned();
    }
    format!("\"{}\"", escape(word).replace('"', "\\\""))
}

fn print(ports: (u16, u16), resp3: bool, seed: u64, commands: &[Command]) -> std::io::Result<()> {
    println!("@test seed {seed}\n@resp{}", if resp3 { 3 } else { 2 });
    let mut pair = Pair::connect(ports.0, ports.1, resp3)?;
    for command in commands {
        let words: Vec<String> = command.iter().map(|word| quoted(word)).collect();
        println!("> {}", words.join(" "));
        let replies = pair.run(command)?;
        println!("< {}", escape(&replies.redis));
        println!("# ours: {}", escape(&replies.ours));
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
        out.families = FAMILIES.iter().collect();
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
    // Without a limit it shares small integers among keys, and with them how long they were not used.
    let mut limited = Client::connect(redis.port).map_err(io)?;
    for [name, value] in [["maxmemory", "8gb"], ["maxmemory-policy", "allkeys-lru"]] {
        limited.call(&["CONFIG", "SET", name, value]).map_err(io)?;
    }
    let (started, mut seed, mut ran) = (Instant::now(), options.seed, 0u64);
    while started.elapsed() < Duration::from_secs(options.seconds) {
        let mut random = Random::new(seed);
        let resp3 = seed % 2 == 1;
        let mut commands: Vec<Command> =
            (0..ROUND).map(|_| grammar::command(&mut random, &options.families)).collect();
        let (mut pair, mut at) = play(ports, resp3, &commands).map_err(io)?;
        if at.is_none() {
            let copies = |c: &Command| {
                [&b"COPY"[..], b"RENAME", b"RENAMENX", b"MOVE", b"RESTORE", b"BITOP", b"SWAPDB"]
                    .contains(&&c[0][..])
            };
            let first = commands.len();
            let asked = inspection(&mut pair, commands.iter().any(copies)).map_err(io)?;
            pair.ours.call(&["DISCARD"]).map_err(io)?;
            pair.queued = None;
            for (place, command) in asked.iter().enumerate().skip(1) {
                if pair.difference(command).map_err(io)?.is_some() {
                    at = Some(first + place);
                    break;
                }
            }
            commands.extend(asked);
        }
        if let Some(at) = at {
            commands.truncate(at + 1);
            let shortest = shorten(ports, resp3, commands).map_err(io)?;
            print(ports, resp3, seed, &shortest).map_err(io)?;
            return Ok(false);
        }
        ran += commands.len() as u64;
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
