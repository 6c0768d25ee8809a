//! `atoll cluster leave`: asks a node to leave and tells what it waits for, until it has ended.

use std::time::Duration;

use proto::resp::Value;

use super::args::NodeArgs;
use super::ask::{AskError, ask};
use super::text;

const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Returns when the node is gone, or stays after all.
pub fn run(node: &NodeArgs) -> Result<(), AskError> {
    ask(node, &["ATOLL.CLUSTER", "LEAVE"])?;
    let mut told = String::new();
    loop {
        let status = match ask(node, &["ATOLL.CLUSTER", "STATUS"]) {
            Ok(status) => status,
            // Nobody answers there any more.
            Err(AskError::Io(..)) => {
                println!("left");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let state = field(&status, "leaving");
        if state == "no" {
            return Err(AskError::Refused("the leave was called off".into()));
        }
        let line = match field(&status, "leaving_waits_for") {
            lacking if lacking.is_empty() => format!("leaving: {state}"),
            lacking => format!("leaving: waits until {lacking} have what was written here"),
        };
        if line != told {
            println!("{line}");
            told = line;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn field(status: &Value, name: &str) -> String {
    match status {
        Value::Map(pairs) => {
            pairs.iter().find(|(n, _)| text(n) == name).map(|(_, v)| text(v)).unwrap_or_default()
        }
        _ => String::new(),
    }
}
