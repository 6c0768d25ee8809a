//! Records or checks conformance scripts.
//!
//! `conform record FILE…` plays the scripts against a redis-server started for it and writes the replies into them.
//! `conform check [--port N] FILE…` compares: against a server that runs already, or a redis-server of its own.

use std::process::ExitCode;

use tests::redis::Redis;
use tests::script;

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let usage = "conform record FILE… | conform check [--port N] FILE…";
    if args.len() < 2 {
        eprintln!("{usage}");
        return ExitCode::FAILURE;
    }
    let verb = args.remove(0);
    let port = (args[0] == "--port").then(|| args.drain(..2).nth(1).and_then(|p| p.parse().ok())).flatten();
    let mut bad = 0;
    for file in &args {
        let outcome = match verb.as_str() {
            "record" => record(file),
            "check" => check(file, port),
            _ => Err(usage.to_owned()),
        };
        if let Err(error) = outcome {
            eprintln!("{file}: {error}");
            bad += 1;
        }
    }
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn record(file: &str) -> Result<(), String> {
    let redis = Redis::start()?;
    let mut script = read(file)?;
    script::record(&mut script, redis.port)?;
    std::fs::write(file, script::render(&script)).map_err(|e| e.to_string())?;
    println!("{file}: {} replies", script.replies());
    Ok(())
}

fn check(file: &str, port: Option<u16>) -> Result<(), String> {
    let redis = if port.is_none() { Some(Redis::start()?) } else { None };
    let port = port.or(redis.as_ref().map(|r| r.port)).ok_or("no port")?;
    let script = read(file)?;
    let failures = script::check(&script, port).map_err(|e| e.to_string())?;
    for failure in &failures {
        println!("{file}: {failure}");
    }
    println!("{file}: {} of {} replies differ", failures.len(), script.replies());
    if failures.is_empty() { Ok(()) } else { Err("differs".into()) }
}

fn read(file: &str) -> Result<script::Script, String> {
    let text = std::fs::read_to_string(file).map_err(|e| e.to_string())?;
    script::parse(&text)
}
