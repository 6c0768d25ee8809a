//! A UDP link that a person can break: `udp-proxy LISTEN TARGET`, then commands on stdin.

use std::io::BufRead;
use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use tests::proxy::{Conditions, Path, Proxy};

const HELP: &str = "\
usage: udp-proxy LISTEN TARGET      (host:port each)
commands on stdin:
  cut | cut to | cut back   nothing passes (to: towards the target, back: from it)
  heal                      both directions pass again
  delay MS, jitter MS       each way
  loss %, duplicate %, reorder %
  rate BYTES_PER_S | rate off
  target HOST:PORT          the node moved
  show, clear, quit";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (Some(listen), Some(target)) =
        (args.first().and_then(|a| resolve(a)), args.get(1).and_then(|a| resolve(a)))
    else {
        eprintln!("{HELP}");
        return ExitCode::from(2);
    };
    let proxy = match Proxy::start_at(listen, target, u64::from(std::process::id())) {
        Ok(proxy) => proxy,
        Err(error) => {
            eprintln!("udp-proxy: {listen}: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("{} -> {target}", proxy.addr());
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words == ["quit"] {
            return ExitCode::SUCCESS;
        }
        if obey(&proxy, &words) {
            println!("{:?}\n{:?}", proxy.conditions(), proxy.counts());
        } else if !words.is_empty() {
            println!("{HELP}");
        }
    }
    // Without a terminal it goes on until it is killed.
    loop {
        std::thread::park();
    }
}

fn resolve(text: &str) -> Option<SocketAddr> {
    text.to_socket_addrs().ok()?.next()
}

fn obey(proxy: &Proxy, words: &[&str]) -> bool {
    let both = |change: &dyn Fn(&mut Path)| {
        proxy.change(|c| {
            change(&mut c.to);
            change(&mut c.back);
        });
        true
    };
    let number = words
        .get(1)
        .and_then(|w| w.trim_end_matches('%').parse::<f64>().ok())
        .filter(|n| (0.0..=1e9).contains(n));
    match (words, number) {
        (["show"], _) => true,
        (["clear"], _) => {
            proxy.set(Conditions::default());
            true
        }
        (["cut"], _) => both(&|p| p.cut = true),
        (["cut", "to"], _) => {
            proxy.change(|c| c.to.cut = true);
            true
        }
        (["cut", "back"], _) => {
            proxy.change(|c| c.back.cut = true);
            true
        }
        (["heal"], _) => both(&|p| p.cut = false),
        (["delay", _], Some(ms)) => both(&|p| p.delay = Duration::from_secs_f64(ms / 1000.0)),
        (["jitter", _], Some(ms)) => both(&|p| p.jitter = Duration::from_secs_f64(ms / 1000.0)),
        (["loss", _], Some(percent)) => both(&|p| p.loss = percent / 100.0),
        (["duplicate", _], Some(percent)) => both(&|p| p.duplicate = percent / 100.0),
        (["reorder", _], Some(percent)) => both(&|p| p.reorder = percent / 100.0),
        (["rate", "off"], _) => both(&|p| p.bytes_per_s = None),
        (["rate", _], Some(rate)) => both(&|p| p.bytes_per_s = Some(rate as u64)),
        (["target", target], _) => match resolve(target) {
            Some(target) => {
                proxy.set_target(target);
                true
            }
            None => false,
        },
        _ => false,
    }
}
