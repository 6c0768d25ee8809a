//! Atomic units under concurrent clients, at one, two and eight reactor threads: no error, no torn read, no lost update.
//!
//! `ATOLL_TEST_SECONDS` sets the length of each probe. Keys have unrelated names, so they lie in different shards.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proto::resp::Value;
use tests::client::Client;
use tests::race::{Step, all_equal, ask, exec, items, race};
use tests::random::{Random, setting};
use tests::server::Server;

fn probe(port: u16, steps: Vec<Step<'_>>) {
    let length = Duration::from_millis(1000 * setting("ATOLL_TEST_SECONDS", 1));
    let done = race(port, length, steps);
    println!("{done} steps");
    assert!(done > 50, "only {done} steps were done");
}

fn connect(port: u16) -> Client {
    Client::connect(port).expect("the server accepts connections")
}

/// RENAME and RENAMENX move values between slots: none is ever lost, doubled or half moved.
fn rename_keeps_every_value(port: u16) {
    const VALUES: usize = 12;
    const SLOTS: u64 = 40;
    let mut setup = connect(port);
    for i in 0..VALUES {
        setup.run(&format!("SET slot:{i}:x value{i}"));
    }
    let mut steps: Vec<Step<'_>> = Vec::new();
    for id in 0..4 {
        steps.push(Box::new(move |client: &mut Client, random: &mut Random| {
            let (from, to) = (random.below(SLOTS), random.below(SLOTS));
            match ask(client, &format!("RENAMENX slot:{from}:x slot:{to}:x")) {
                Ok(Value::Integer(0 | 1)) => {}
                Err(error) if error.ends_with("ERR no such key") => {}
                other => return Err(format!("RENAMENX answered {other:?}")),
            }
            // Nobody else uses these names: every command must succeed.
            let (from, to) = (format!("own:{id}:{from}"), format!("name:{to}:{id}"));
            ask(client, &format!("SET {from} v{id}"))?;
            ask(client, &format!("RENAME {from} {to}"))?;
            let values = items(ask(client, &format!("MGET {from} {to}"))?)?;
            match values.as_slice() {
                [Value::Null, Value::Bulk(_)] => Ok(()),
                _ => Err(format!("after RENAME: {values:?}")),
            }
        }));
    }
    let all: Vec<String> = (0..SLOTS).map(|i| format!("slot:{i}:x")).collect();
    for _ in 0..2 {
        let mget = format!("MGET {}", all.join(" "));
        steps.push(Box::new(move |client: &mut Client, _: &mut Random| {
            let values = items(ask(client, &mget)?)?;
            let seen: Vec<String> =
                values.iter().filter(|v| **v != Value::Null).map(|v| format!("{v:?}")).collect();
            let distinct: HashSet<&String> = seen.iter().collect();
            match seen.len() == VALUES && distinct.len() == VALUES {
                true => Ok(()),
                false => Err(format!("{} values, {} distinct", seen.len(), distinct.len())),
            }
        }));
    }
    probe(port, steps);
}

/// COPY takes source and target in one moment; copies in both directions do not block each other.
fn copy_is_one_step(port: u16) {
    let mut setup = connect(port);
    for key in ["copy:source", "other:target", "left", "right:one"] {
        setup.run(&format!("SET {key} 0"));
    }
    let counter = AtomicU64::new(0);
    let mut steps: Vec<Step<'_>> = Vec::new();
    for at_once in [true, false, true] {
        let counter = &counter;
        steps.push(Box::new(move |client: &mut Client, _: &mut Random| {
            let value = counter.fetch_add(1, Ordering::Relaxed);
            let commands =
                [format!("SET copy:source {value}"), "COPY copy:source other:target REPLACE".to_owned()];
            match exec(client, &commands, at_once)?.as_deref() {
                Some([_, Value::Integer(1)]) => Ok(()),
                other => Err(format!("COPY in EXEC: {other:?}")),
            }
        }));
    }
    for (from, to) in [("left", "right:one"), ("right:one", "left")] {
        steps.push(Box::new(move |client: &mut Client, _: &mut Random| {
            match ask(client, &format!("COPY {from} {to} REPLACE"))? {
                Value::Integer(1) => Ok(()),
                other => Err(format!("COPY answered {other:?}")),
            }
        }));
    }
    steps.push(Box::new(|client: &mut Client, _: &mut Random| {
        all_equal(&items(ask(client, "MGET copy:source other:target")?)?, "source and copy")
    }));
    probe(port, steps);
}

/// MSETNX of two keys is a lock that one client holds at a time, and is seen whole or not at all.
fn msetnx_is_all_or_nothing(port: u16) {
    const PAIRS: u64 = 3;
    let holders: Vec<AtomicU64> = (0..PAIRS).map(|_| AtomicU64::new(0)).collect();
    let mut steps: Vec<Step<'_>> = Vec::new();
    for id in 0..4 {
        let holders = &holders;
        steps.push(Box::new(move |client: &mut Client, random: &mut Random| {
            let pair = random.below(PAIRS);
            let (x, y) = (format!("lock:{pair}:x"), format!("{pair}:other:y"));
            if ask(client, &format!("MSETNX {x} {id} {y} {id}"))? == Value::Integer(0) {
                return Ok(());
            }
            if holders[pair as usize].fetch_add(1, Ordering::SeqCst) != 0 {
                return Err("two clients hold the same MSETNX lock".into());
            }
            let values = items(ask(client, &format!("MGET {x} {y}"))?)?;
            let own = Value::Bulk(id.to_string().into_bytes());
            if values != [own.clone(), own] {
                return Err(format!("client {id} holds the lock but reads {values:?}"));
            }
            holders[pair as usize].fetch_sub(1, Ordering::SeqCst);
            match ask(client, &format!("DEL {x} {y}"))? {
                Value::Integer(2) => Ok(()),
                other => Err(format!("DEL of the held lock: {other:?}")),
            }
        }));
    }
    for _ in 0..2 {
        steps.push(Box::new(move |client: &mut Client, random: &mut Random| {
            let pair = random.below(PAIRS);
            let (x, y) = (format!("lock:{pair}:x"), format!("{pair}:other:y"));
            all_equal(&items(ask(client, &format!("MGET {x} {y}"))?)?, "an MSETNX pair")?;
            match ask(client, &format!("EXISTS {x} {y}"))? {
                Value::Integer(0 | 2) => Ok(()),
                other => Err(format!("EXISTS of a pair: {other:?}")),
            }
        }));
    }
    probe(port, steps);
}

/// SMOVE keeps every member in exactly one set.
fn smove_keeps_every_member(port: u16) {
    const MEMBERS: u64 = 10;
    const SETS: u64 = 6;
    let mut setup = connect(port);
    for member in 0..MEMBERS {
        setup.run(&format!("SADD box:{}:of m{member}", member % SETS));
    }
    let mut steps: Vec<Step<'_>> = Vec::new();
    for _ in 0..4 {
        steps.push(Box::new(move |client: &mut Client, random: &mut Random| {
            let (from, to, member) = (random.below(SETS), random.below(SETS), random.below(MEMBERS));
            match ask(client, &format!("SMOVE box:{from}:of box:{to}:of m{member}"))? {
                Value::Integer(0 | 1) => Ok(()),
                other => Err(format!("SMOVE answered {other:?}")),
            }
        }));
    }
    for at_once in [true, false] {
        steps.push(Box::new(move |client: &mut Client, _: &mut Random| {
            let commands: Vec<String> = (0..SETS).map(|i| format!("SMEMBERS box:{i}:of")).collect();
            let sets = exec(client, &commands, at_once)?.ok_or("EXEC answered nil")?;
            let mut members: Vec<Value> = Vec::new();
            for set in sets {
                members.extend(items(set)?);
            }
            let distinct: HashSet<String> = members.iter().map(|m| format!("{m:?}")).collect();
            match members.len() == MEMBERS as usize && distinct.len() == members.len() {
                true => Ok(()),
                false => Err(format!("{} members, {} distinct", members.len(), distinct.len())),
            }
        }));
    }
    probe(port, steps);
}

/// Two INCRs of one key in a transaction have nobody between them.
fn exec_on_one_key_is_not_interleaved(port: u16) {
    let mut steps: Vec<Step<'_>> = Vec::new();
    let mine = AtomicU64::new(0);
    for id in 0..5 {
        let mine = &mine;
        steps.push(Box::new(move |client: &mut Client, _: &mut Random| {
            let commands = ["INCR counter".to_owned(), "INCR counter".to_owned()];
            let replies = exec(client, &commands, id % 2 == 0)?.ok_or("EXEC answered nil")?;
            mine.fetch_add(2, Ordering::Relaxed);
            match replies.as_slice() {
                [Value::Integer(a), Value::Integer(b)] if *b == a + 1 && b % 2 == 0 => Ok(()),
                _ => Err(format!("interleaved: {replies:?}")),
            }
        }));
    }
    probe(port, steps);
    let expected = Value::Bulk(mine.into_inner().to_string().into_bytes());
    assert_eq!(connect(port).run("GET counter"), expected);
}

/// Two counters raised in one transaction are always equal.
fn exec_on_two_keys_is_seen_whole(port: u16) {
    connect(port).run("MSET first:counter 0 another:one 0");
    let mut steps: Vec<Step<'_>> = Vec::new();
    for id in 0..4 {
        steps.push(Box::new(move |client: &mut Client, _: &mut Random| {
            // In both orders, so that a wrong lock order would block.
            let mut commands = vec!["INCR first:counter".to_owned(), "INCR another:one".to_owned()];
            if id % 2 == 1 {
                commands.reverse();
            }
            let replies = exec(client, &commands, id < 2)?.ok_or("EXEC answered nil")?;
            all_equal(&replies, "two counters")
        }));
    }
    for _ in 0..2 {
        steps.push(Box::new(move |client: &mut Client, random: &mut Random| {
            if random.below(2) == 0 {
                return all_equal(&items(ask(client, "MGET first:counter another:one")?)?, "two counters");
            }
            let commands = ["GET another:one".to_owned(), "GET first:counter".to_owned()];
            all_equal(&exec(client, &commands, true)?.ok_or("EXEC answered nil")?, "two counters")
        }));
    }
    probe(port, steps);
}

/// Optimistic increments: as many succeed as the counter says.
fn watch_loses_no_update(port: u16) {
    connect(port).run("SET watched 0");
    let won = AtomicU64::new(0);
    let mut steps: Vec<Step<'_>> = Vec::new();
    for id in 0..4 {
        let won = &won;
        steps.push(Box::new(move |client: &mut Client, _: &mut Random| {
            ask(client, "WATCH watched")?;
            let Value::Bulk(text) = ask(client, "GET watched")? else { return Err("GET watched".into()) };
            let value: u64 = String::from_utf8_lossy(&text).parse().map_err(|_| "not a number")?;
            let commands = [format!("SET watched {}", value + 1), format!("SET shadow:of:it {}", value + 1)];
            if exec(client, &commands, id % 2 == 0)?.is_some() {
                won.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        }));
    }
    probe(port, steps);
    let won = won.into_inner();
    assert!(won > 0);
    let expected = Value::Bulk(won.to_string().into_bytes());
    assert_eq!(
        connect(port).run("MGET watched shadow:of:it"),
        Value::Array(vec![expected.clone(), expected])
    );
}

/// A value that went away and came back is a change; writes to other keys are none.
fn watch_sees_aba_and_nothing_else(port: u16) {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for id in 0..3 {
        let mut other = connect(port);
        steps.push(Box::new(move |client: &mut Client, random: &mut Random| {
            let key = format!("aba:{id}:{}", random.below(8));
            ask(client, &format!("SET {key} a"))?;
            ask(client, &format!("WATCH {key}"))?;
            let disturbed = random.below(2) == 0;
            if disturbed {
                match random.below(3) {
                    0 => {
                        ask(&mut other, &format!("SET {key} b"))?;
                        ask(&mut other, &format!("SET {key} a"))?;
                    }
                    1 => {
                        ask(&mut other, &format!("DEL {key}"))?;
                        ask(&mut other, &format!("SET {key} a"))?;
                    }
                    _ => {
                        ask(&mut other, &format!("RENAME {key} {key}:away"))?;
                        ask(&mut other, &format!("RENAME {key}:away {key}"))?;
                    }
                }
            }
            let passed = exec(client, &[format!("APPEND {key} x")], random.below(2) == 0)?.is_some();
            match passed == disturbed {
                true => Err(format!("disturbed: {disturbed}, EXEC ran: {passed}")),
                false => Ok(()),
            }
        }));
    }
    for _ in 0..3 {
        steps.push(Box::new(|client: &mut Client, random: &mut Random| {
            let n = random.below(1000);
            ask(client, &format!("MSET noise:{n} 1 {n}:more 2")).map(|_| ())
        }));
    }
    probe(port, steps);
}

/// MSETs of the same keys never mix, neither while they race nor afterwards.
fn mset_is_seen_whole(port: u16) {
    const KEYS: u64 = 8;
    let keys: Vec<String> = (0..KEYS).map(|i| format!("wide:{i}:{}", i * 7919)).collect();
    let mset = |keys: &[String], value: u64| {
        let pairs: Vec<String> = keys.iter().map(|k| format!("{k} {value}")).collect();
        format!("MSET {}", pairs.join(" "))
    };
    connect(port).run(&mset(&keys, 0));
    let mut steps: Vec<Step<'_>> = Vec::new();
    for id in 0..4u64 {
        let mut keys = keys.clone();
        steps.push(Box::new(move |client: &mut Client, random: &mut Random| {
            keys.rotate_left(random.below(KEYS) as usize);
            ask(client, &mset(&keys, id * 1_000_000 + random.below(1_000_000))).map(|_| ())
        }));
    }
    for _ in 0..3 {
        let mget = format!("MGET {}", keys.join(" "));
        steps.push(Box::new(move |client: &mut Client, _: &mut Random| {
            all_equal(&items(ask(client, &mget)?)?, "an MSET")
        }));
    }
    probe(port, steps);
    let values = items(connect(port).run(&format!("MGET {}", keys.join(" ")))).expect("a list");
    all_equal(&values, "the last MSET").expect("one MSET won");
}

/// A transaction on four keys is seen whole, by MGET and by other transactions.
fn exec_on_four_keys_is_seen_whole(port: u16) {
    const KEYS: [&str; 4] = ["alpha", "beta:2", "gamma:three", "d"];
    connect(port).run("MSET alpha 0 beta:2 0 gamma:three 0 d 0");
    let mut steps: Vec<Step<'_>> = Vec::new();
    for id in 0..4u64 {
        steps.push(Box::new(move |client: &mut Client, random: &mut Random| {
            let value = id * 1_000_000 + random.below(1_000_000);
            let mut commands: Vec<String> = KEYS.iter().map(|k| format!("SET {k} {value}")).collect();
            commands.rotate_left(random.below(4) as usize);
            exec(client, &commands, id % 2 == 0)?.map(|_| ()).ok_or("EXEC answered nil".into())
        }));
    }
    steps.push(Box::new(|client: &mut Client, _: &mut Random| {
        all_equal(&items(ask(client, &format!("MGET {}", KEYS.join(" ")))?)?, "four keys")
    }));
    for at_once in [true, false] {
        steps.push(Box::new(move |client: &mut Client, _: &mut Random| {
            let commands: Vec<String> = KEYS.iter().map(|k| format!("GET {k}")).collect();
            all_equal(&exec(client, &commands, at_once)?.ok_or("EXEC answered nil")?, "four keys")
        }));
    }
    probe(port, steps);
}

/// Two sets that are always replaced together hold the same member, for every command that reads both.
fn set_algebra_reads_one_moment(port: u16) {
    let mut setup = connect(port);
    setup.run("SADD one:side 0");
    setup.run("SADD the:other 0");
    let mut steps: Vec<Step<'_>> = Vec::new();
    for id in 0..3u64 {
        steps.push(Box::new(move |client: &mut Client, random: &mut Random| {
            let member = id * 1_000_000 + random.below(1_000_000);
            let commands = [
                "DEL one:side the:other".to_owned(),
                format!("SADD one:side {member}"),
                format!("SADD the:other {member}"),
            ];
            exec(client, &commands, id != 0)?.map(|_| ()).ok_or("EXEC answered nil".into())
        }));
    }
    for id in 0..3 {
        steps.push(Box::new(move |client: &mut Client, random: &mut Random| {
            let command = match random.below(4) {
                0 => format!("SUNIONSTORE result:{id} one:side the:other"),
                1 => format!("SINTERSTORE out:{id} one:side the:other"),
                2 => "SINTERCARD 2 one:side the:other".to_owned(),
                _ => {
                    let difference = items(ask(client, "SDIFF one:side the:other")?)?;
                    return match difference.is_empty() {
                        true => Ok(()),
                        false => Err(format!("SDIFF of equal sets: {difference:?}")),
                    };
                }
            };
            match ask(client, &command)? {
                Value::Integer(1) => Ok(()),
                other => Err(format!("{command}: {other:?}")),
            }
        }));
    }
    probe(port, steps);
}

macro_rules! probes {
    ($($name:ident,)*) => { probes! { @at one_thread 1 $($name)* } probes! { @at two_threads 2 $($name)* } probes! { @at eight_threads 8 $($name)* } };
    (@at $module:ident $threads:literal $($name:ident)*) => {
        mod $module {
            use super::*;
            $(#[test]
            fn $name() {
                let server = Server::with(&["--threads", stringify!($threads)]);
                super::$name(server.port());
            })*
        }
    };
}

probes! {
    rename_keeps_every_value,
    copy_is_one_step,
    msetnx_is_all_or_nothing,
    smove_keeps_every_member,
    exec_on_one_key_is_not_interleaved,
    exec_on_two_keys_is_seen_whole,
    watch_loses_no_update,
    watch_sees_aba_and_nothing_else,
    mset_is_seen_whole,
    exec_on_four_keys_is_seen_whole,
    set_algebra_reads_one_moment,
}
