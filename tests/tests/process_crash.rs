//! kill -9 at seeded random moments under load: whatever was acknowledged is there after the restart, under every fsync
//! policy, and a transaction is there whole or not at all.
//!
//! `ATOLL_TEST_KILLS` sets the kills for each policy. A write that was sent but not answered may be there or not.

use std::collections::HashMap;
use std::time::Duration;

use proto::resp::Value;
use tests::client::{Client, encode};
use tests::race::{ask, items, pipeline};
use tests::random::{Random, seed, setting};
use tests::server::Server;

const CLIENTS: usize = 4;
const PIPELINE_MAX: u64 = 24;
const LOAD_MS_MIN: u64 = 20;
const LOAD_MS_SPREAD: u64 = 250;
const KEYS_CHECKED_MAX: usize = 8000;

/// How far a number got: the last one acknowledged and the last one sent.
#[derive(Clone, Copy, Default, Debug)]
struct Reach {
    acked: u64,
    sent: u64,
}

/// One client's writes over all rounds. Every number only grows.
#[derive(Default)]
struct Ledger {
    id: usize,
    /// SET of one key to 1, 2, 3…
    register: Reach,
    /// INCRs of one key.
    counter: Reach,
    /// A key of its own for each number.
    keys: Reach,
    /// Numbers of `keys` known to be there, and acknowledged deletes.
    present: HashMap<u64, bool>,
    /// SADDs of 1, 2, 3… to one set.
    members: Reach,
    /// MULTI: two keys set to one number and a third raised.
    bundle: Reach,
}

#[derive(Clone, Copy)]
enum Write {
    Register(u64),
    Counter(u64),
    Key(u64),
    Delete(u64),
    Member(u64),
    Bundle(u64),
}

impl Ledger {
    fn next(&mut self, random: &mut Random) -> Write {
        let step = |reach: &mut Reach| {
            reach.sent += 1;
            reach.sent
        };
        match random.below(6) {
            0 => Write::Register(step(&mut self.register)),
            1 => Write::Counter(step(&mut self.counter)),
            2 => Write::Member(step(&mut self.members)),
            3 => Write::Bundle(step(&mut self.bundle)),
            4 if self.keys.acked > 10 => {
                let victim = self.keys.acked - random.below(10);
                // From here until the answer, the key may be there or not.
                self.present.remove(&victim);
                Write::Delete(victim)
            }
            _ => Write::Key(step(&mut self.keys)),
        }
    }

    fn encode(&self, write: Write, out: &mut Vec<u8>) {
        let id = self.id;
        let commands = match write {
            Write::Register(n) => vec![format!("SET register:{id} {n}")],
            Write::Counter(_) => vec![format!("INCR counter:{id}")],
            Write::Key(n) => vec![format!("SET key:{id}:{n} value{n}")],
            Write::Delete(n) => vec![format!("DEL key:{id}:{n}")],
            Write::Member(n) => vec![format!("SADD members:{id} m{n}")],
            Write::Bundle(n) => vec![
                "MULTI".to_owned(),
                format!("SET bundle:{id}:one {n}"),
                format!("SET {id}:two:bundle {n}"),
                format!("INCR bundles:{id}"),
                "EXEC".to_owned(),
            ],
        };
        for command in commands {
            encode(&command.split(' ').collect::<Vec<_>>(), out);
        }
    }

    /// Reads the replies of one write; `None` when the server is gone.
    fn acknowledge(&mut self, write: Write, client: &mut Client) -> Option<()> {
        let replies = if matches!(write, Write::Bundle(_)) { 5 } else { 1 };
        for _ in 0..replies {
            let reply = client.read().ok()?;
            assert!(!matches!(reply, Value::Error(_)), "client {}: {reply:?}", self.id);
        }
        match write {
            Write::Register(n) => self.register.acked = n,
            Write::Counter(n) => self.counter.acked = n,
            Write::Key(n) => {
                self.keys.acked = n;
                self.present.insert(n, true);
            }
            Write::Delete(n) => {
                self.present.insert(n, false);
            }
            Write::Member(n) => self.members.acked = n,
            Write::Bundle(n) => self.bundle.acked = n,
        }
        Some(())
    }

    /// Writes until the server is gone.
    fn load(&mut self, port: u16, random: &mut Random) {
        let Ok(mut client) = Client::connect(port) else { return };
        loop {
            let writes: Vec<Write> = (0..=random.below(PIPELINE_MAX)).map(|_| self.next(random)).collect();
            let mut out = Vec::new();
            writes.iter().for_each(|write| self.encode(*write, &mut out));
            if client.send_raw(&out).is_err() {
                return;
            }
            for write in writes {
                if self.acknowledge(write, &mut client).is_none() {
                    return;
                }
            }
        }
    }

    /// Checks what is there against what was acknowledged, and goes on from there.
    fn verify(&mut self, client: &mut Client) -> Result<(), String> {
        let id = self.id;
        let names = [
            format!("register:{id}"),
            format!("counter:{id}"),
            format!("bundle:{id}:one"),
            format!("{id}:two:bundle"),
            format!("bundles:{id}"),
        ];
        let values = items(ask(client, &format!("MGET {}", names.join(" ")))?)?;
        let numbers: Vec<u64> = values.iter().map(number).collect();
        settle("register", &mut self.register, numbers[0])?;
        settle("counter", &mut self.counter, numbers[1])?;
        if numbers[2] != numbers[3] {
            return Err(format!("half a transaction: {} and {}", numbers[2], numbers[3]));
        }
        settle("transaction", &mut self.bundle, numbers[2])?;
        if numbers[4] != numbers[2] {
            return Err(format!("{} transactions counted, {} seen", numbers[4], numbers[2]));
        }
        self.verify_members(client)?;
        self.verify_keys(client)
    }

    /// One connection's writes survive as a prefix: the members are exactly 1 to some number.
    fn verify_members(&mut self, client: &mut Client) -> Result<(), String> {
        let id = self.id;
        let Value::Integer(count) = ask(client, &format!("SCARD members:{id}"))? else {
            return Err("SCARD".into());
        };
        let first = self.members.acked.saturating_sub(5000).max(1);
        settle("set", &mut self.members, count as u64)?;
        for chunk in (first..=self.members.acked).collect::<Vec<_>>().chunks(500) {
            let names: Vec<String> = chunk.iter().map(|n| format!("m{n}")).collect();
            let found = items(ask(client, &format!("SMISMEMBER members:{id} {}", names.join(" ")))?)?;
            if let Some(missing) = found.iter().position(|f| *f != Value::Integer(1)) {
                return Err(format!("member {} of {count} is missing", chunk[missing]));
            }
        }
        Ok(())
    }

    fn verify_keys(&mut self, client: &mut Client) -> Result<(), String> {
        let id = self.id;
        let known: Vec<(u64, bool)> = self.present.iter().map(|(n, there)| (*n, *there)).collect();
        for chunk in known.chunks(500) {
            let commands: Vec<String> = chunk.iter().map(|(n, _)| format!("GET key:{id}:{n}")).collect();
            for ((n, there), reply) in chunk.iter().zip(pipeline(client, &commands)?) {
                let expected =
                    if *there { Value::Bulk(format!("value{n}").into_bytes()) } else { Value::Null };
                if reply != expected {
                    return Err(format!("key {n}, acknowledged as there: {there}, is {reply:?}"));
                }
            }
        }
        self.keys.acked = self.keys.sent;
        // Older keys are sampled, so that many rounds stay quick.
        if self.present.len() > KEYS_CHECKED_MAX {
            self.present.retain(|n, _| n % 8 == 0);
        }
        Ok(())
    }
}

fn number(value: &Value) -> u64 {
    match value {
        Value::Bulk(text) => String::from_utf8_lossy(text).parse().expect("a number"),
        Value::Null => 0,
        other => panic!("not a number: {other:?}"),
    }
}

/// The value found must lie between what was acknowledged and what was sent; the next round goes on from it.
fn settle(what: &str, reach: &mut Reach, found: u64) -> Result<(), String> {
    if found < reach.acked || found > reach.sent {
        return Err(format!("{what} is {found}, {reach:?}"));
    }
    *reach = Reach { acked: found, sent: found };
    Ok(())
}

fn kill_again_and_again(policy: &str) {
    let mut random = Random::new(seed());
    let mut server = Server::with(&[
        "--appendfsync",
        policy,
        "--threads",
        "2",
        // Checkpoints are taken all the time.
        "--checkpoint-log-size",
        "50kb",
        "--log-retention-size",
        "0",
    ]);
    let mut ledgers: Vec<Ledger> = (0..CLIENTS).map(|id| Ledger { id, ..Ledger::default() }).collect();
    for kill in 0..setting("ATOLL_TEST_KILLS", 5) {
        let port = server.port();
        let load_ms = LOAD_MS_MIN + random.below(LOAD_MS_SPREAD);
        std::thread::scope(|scope| {
            for ledger in &mut ledgers {
                let mut random = Random::new(random.number());
                scope.spawn(move || ledger.load(port, &mut random));
            }
            // Not a wait for something: this is the random moment of the kill.
            std::thread::sleep(Duration::from_millis(load_ms));
            server.kill9();
        });
        server.launch();
        let mut client = server.client();
        for ledger in &mut ledgers {
            if let Err(error) = ledger.verify(&mut client) {
                panic!(
                    "seed {}, {policy}, kill {kill} after {load_ms} ms, client {}: {error}",
                    seed(),
                    ledger.id
                );
            }
        }
    }
    let written: u64 = ledgers.iter().map(|l| l.register.acked + l.counter.acked + l.keys.acked).sum();
    println!("{policy}: {written} plain writes acknowledged");
    assert!(written > 100, "only {written} writes");
}

#[test]
fn kill9_under_fsync_always_loses_nothing_acknowledged() {
    kill_again_and_again("always");
}

#[test]
fn kill9_under_fsync_everysec_loses_nothing_acknowledged() {
    kill_again_and_again("everysec");
}

#[test]
fn kill9_under_fsync_no_loses_nothing_acknowledged() {
    kill_again_and_again("no");
}
