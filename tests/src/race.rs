//! Concurrent clients against one server until a deadline: the frame of the atomicity probes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proto::resp::Value;

use crate::client::{Client, encode};
use crate::random::{Random, seed};

/// One client of a race: runs a step again and again. An error, or a reply that breaks the probe's rule, ends the race.
pub type Step<'a> = Box<dyn FnMut(&mut Client, &mut Random) -> Result<(), String> + Send + 'a>;

/// Runs every step on a connection and thread of its own. Returns how many steps were done; fails on the first error.
pub fn race(port: u16, length: Duration, steps: Vec<Step<'_>>) -> u64 {
    let stop = AtomicBool::new(false);
    let done = AtomicU64::new(0);
    let deadline = Instant::now() + length;
    let failures: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = steps
            .into_iter()
            .enumerate()
            .map(|(index, mut step)| {
                let (stop, done) = (&stop, &done);
                scope.spawn(move || {
                    let mut random = Random::new(seed().wrapping_mul(1000) + index as u64);
                    let mut client = Client::connect(port).map_err(|e| e.to_string())?;
                    while !stop.load(Ordering::Relaxed) && Instant::now() < deadline {
                        if let Err(error) = step(&mut client, &mut random) {
                            stop.store(true, Ordering::Relaxed);
                            return Err(format!("client {index}: {error}"));
                        }
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        threads.into_iter().filter_map(|t| t.join().expect("a racing client panicked").err()).collect()
    });
    assert!(failures.is_empty(), "seed {}: {}", seed(), failures.join("; "));
    done.into_inner()
}

/// Sends commands (words split at spaces) in one write and reads all their replies.
pub fn pipeline(client: &mut Client, commands: &[String]) -> Result<Vec<Value>, String> {
    let mut out = Vec::new();
    for command in commands {
        encode(&command.split(' ').collect::<Vec<_>>(), &mut out);
    }
    client.send_raw(&out).map_err(|e| e.to_string())?;
    commands.iter().map(|_| client.read().map_err(|e| e.to_string())).collect()
}

/// One command; an error reply is an error.
pub fn ask(client: &mut Client, command: &str) -> Result<Value, String> {
    let words: Vec<&str> = command.split(' ').collect();
    match client.call(&words) {
        Ok(Value::Error(text)) => Err(format!("{command}: {}", String::from_utf8_lossy(&text))),
        Ok(value) => Ok(value),
        Err(error) => Err(format!("{command}: {error}")),
    }
}

/// MULTI, the commands, EXEC: in one write or in one write each. `None` when a watch failed.
pub fn exec(client: &mut Client, commands: &[String], at_once: bool) -> Result<Option<Vec<Value>>, String> {
    let all: Vec<String> = [&["MULTI".to_owned()], commands, &["EXEC".to_owned()]].concat();
    let mut last = Value::Null;
    if at_once {
        for reply in pipeline(client, &all)? {
            if let Value::Error(text) = reply {
                return Err(format!("{all:?}: {}", String::from_utf8_lossy(&text)));
            }
            last = reply;
        }
    } else {
        for command in &all {
            last = ask(client, command)?;
        }
    }
    match last {
        Value::Null => Ok(None),
        Value::Array(replies) => match replies.iter().find(|r| matches!(r, Value::Error(_))) {
            Some(error) => Err(format!("{commands:?}: {error:?}")),
            None => Ok(Some(replies)),
        },
        other => Err(format!("EXEC answered {other:?}")),
    }
}

/// Items of a list reply.
pub fn items(value: Value) -> Result<Vec<Value>, String> {
    match value {
        Value::Array(items) | Value::Set(items) => Ok(items),
        other => Err(format!("not a list: {other:?}")),
    }
}

/// Fails unless all values are equal.
pub fn all_equal(values: &[Value], what: &str) -> Result<(), String> {
    match values.iter().all(|v| *v == values[0]) {
        true => Ok(()),
        false => Err(format!("torn read of {what}: {values:?}")),
    }
}
