//! `atoll cluster`: asking a running node about its cluster, over its client port, and making join tokens.
//!
//! Exit codes: 0 done, 1 the node refused, 2 it could not be asked.

pub mod args;
mod ask;
mod leave;
pub mod token;

use std::process::ExitCode;

use proto::resp::Value;

use args::{ClusterCommand, LateCommand, NodeArgs};
use ask::AskError;

/// Runs a command and says how it went.
pub fn run(command: ClusterCommand) -> ExitCode {
    let outcome = match command {
        ClusterCommand::Status(node) => show(&node, &["ATOLL.CLUSTER", "STATUS"]),
        ClusterCommand::Members(node) => show(&node, &["ATOLL.CLUSTER", "MEMBERS"]),
        ClusterCommand::Evict { member, node } => show(&node, &["ATOLL.CLUSTER", "EVICT", &member]),
        ClusterCommand::Forget { member, node } => show(&node, &["ATOLL.CLUSTER", "FORGET", &member]),
        ClusterCommand::Leave(node) => leave::run(&node),
        ClusterCommand::Stay(node) => show(&node, &["ATOLL.CLUSTER", "STAY"]),
        ClusterCommand::Late(LateCommand::List { set, count, node }) => match set {
            None => show(&node, &["ATOLL.LATE", "LIST"]),
            Some(set) => show(&node, &["ATOLL.LATE", "LIST", &set.to_string(), "COUNT", &count.to_string()]),
        },
        ClusterCommand::Late(LateCommand::Replay { set, node }) => {
            show(&node, &["ATOLL.LATE", "REPLAY", &set.to_string()])
        }
        ClusterCommand::Late(LateCommand::Drop { set, node }) => {
            show(&node, &["ATOLL.LATE", "DROP", &set.to_string()])
        }
        ClusterCommand::JoinToken(args) => {
            return match token::make(&args) {
                Ok(token) => {
                    println!("{token}");
                    ExitCode::SUCCESS
                }
                Err(error) => {
                    eprintln!("atoll: {error}");
                    ExitCode::from(2)
                }
            };
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("atoll: {error}");
            ExitCode::from(if matches!(error, AskError::Refused(_)) { 1 } else { 2 })
        }
    }
}

fn show(node: &NodeArgs, command: &[&str]) -> Result<(), AskError> {
    let answer = ask::ask(node, command)?;
    if node.json {
        println!("{}", json(&answer));
    } else {
        lines(&answer);
    }
    Ok(())
}

fn text(value: &Value) -> String {
    match value {
        Value::Simple(bytes) | Value::Bulk(bytes) | Value::Error(bytes) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
        Value::Integer(n) => n.to_string(),
        Value::Null => String::new(),
        other => json(other).to_string(),
    }
}

/// Maps as `name: value` lines, lists of maps as a line each.
fn lines(answer: &Value) {
    match answer {
        Value::Map(pairs) => {
            pairs.iter().for_each(|(name, value)| println!("{}: {}", text(name), text(value)))
        }
        Value::Array(items) => {
            for item in items {
                match item {
                    Value::Map(pairs) => {
                        let fields: Vec<String> = pairs
                            .iter()
                            .map(|(name, value)| format!("{}={}", text(name), text(value)))
                            .collect();
                        println!("{}", fields.join("  "));
                    }
                    Value::Array(parts) => {
                        println!("{}", parts.iter().map(text).collect::<Vec<_>>().join("  "));
                    }
                    other => println!("{}", text(other)),
                }
            }
        }
        other => println!("{}", text(other)),
    }
}

fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Integer(n) => (*n).into(),
        Value::Null => serde_json::Value::Null,
        Value::Array(items) | Value::Set(items) => items.iter().map(json).collect(),
        Value::Map(pairs) => {
            serde_json::Value::Object(pairs.iter().map(|(name, value)| (text(name), json(value))).collect())
        }
        other => text(other).into(),
    }
}
