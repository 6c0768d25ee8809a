//! A node's life: open, listen, run, stop.

use std::io::IsTerminal;
use std::net::ToSocketAddrs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use engine::core::{Engine, EngineConfig, Fsync};
use engine::session::{Config, ProcessFacts, Server};
use mio::net::{TcpListener, UnixListener};

use crate::host::{Life, NodeHost};
use crate::os_disk::OsDisk;
use crate::reactor::Reactor;
use crate::settle::{NodeConfig, StartError};
use crate::{allocator, background, process};

fn start_logging(config: &NodeConfig) {
    let filter = tracing_subscriber::EnvFilter::new(&config.log_level);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    if config.log_json {
        builder.json().init();
    } else {
        builder.init();
    }
}

fn listen_tcp(bind: &str, port: u16) -> Result<TcpListener, StartError> {
    let what = || format!("listening on {bind}:{port}");
    let addrs = (bind, port).to_socket_addrs().map_err(StartError::io(what()))?;
    let mut last = std::io::Error::other("the address resolves to nothing");
    for addr in addrs {
        match TcpListener::bind(addr) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(StartError::Io { what: what(), source: last })
}

fn listen_unix(path: &Path) -> Result<UnixListener, StartError> {
    // A socket that nobody answers is left over from a killed node.
    if path.exists() && std::os::unix::net::UnixStream::connect(path).is_err() {
        std::fs::remove_file(path)
            .map_err(StartError::io(format!("removing the stale socket {}", path.display())))?;
    }
    UnixListener::bind(path).map_err(StartError::io(format!("listening on --unixsocket {}", path.display())))
}

/// The settings as CONFIG GET shows them.
fn settings(config: &NodeConfig, port: u16) -> Result<Config, StartError> {
    let settings = Config::default();
    let fsync = match config.fsync {
        Fsync::Always => "always",
        Fsync::EverySecond => "everysec",
        Fsync::No => "no",
    };
    // Redis has four levels, each with another name.
    let log_level = match config.log_level.as_str() {
        "trace" | "debug" => "debug",
        "info" => "notice",
        _ => "warning",
    };
    let dir = std::fs::canonicalize(&config.data_dir).unwrap_or_else(|_| config.data_dir.clone());
    let unixsocket = config.unixsocket.as_ref().map_or_else(String::new, |p| p.display().to_string());
    for (name, value) in [
        ("port", port.to_string()),
        ("bind", config.bind.clone()),
        ("unixsocket", unixsocket),
        ("dir", dir.display().to_string()),
        ("databases", config.databases.to_string()),
        ("io-threads", config.threads.to_string()),
        ("appendfsync", fsync.to_string()),
        ("requirepass", config.requirepass.clone()),
        ("maxmemory", config.maxmemory.to_string()),
        ("maxmemory-policy", config.maxmemory_policy.clone()),
        ("timeout", config.timeout_seconds.to_string()),
        ("maxclients", config.maxclients.to_string()),
        ("loglevel", log_level.to_string()),
        ("checkpoint-log-size", config.checkpoint_log_size.clone()),
        ("checkpoint-interval", config.checkpoint_interval.to_string()),
        ("log-retention-size", config.log_retention_size.clone()),
        ("acks-timeout", config.acks_timeout_ms.to_string()),
        ("conflict-feed-size", config.conflict_feed_size.to_string()),
        ("log-absent-size", config.log_absent_size.clone()),
        ("max-divergence-size", config.max_divergence_size.clone()),
        ("max-divergence-time", config.max_divergence_ms.to_string()),
        ("compare-interval", config.compare_interval_ms.to_string()),
    ] {
        settings.init(name, &value).map_err(|refusal| StartError::Config(refusal.to_string()))?;
    }
    Ok(settings)
}

fn facts(config: &NodeConfig, engine: &Engine, port: u16, allocated_at_start: u64) -> ProcessFacts {
    ProcessFacts {
        pid: std::process::id(),
        os: process::os(),
        executable: std::env::current_exe().map_or_else(|_| String::new(), |p| p.display().to_string()),
        config_file: config.config_file.as_ref().map_or_else(String::new, |p| p.display().to_string()),
        run_id: format!("{:016x}{:024x}", engine.node().0, process::now_us()),
        tcp_port: port,
        memory_total: process::memory_total(),
        allocator: "mimalloc",
        allocated_at_start,
        build: "0".into(),
    }
}

/// Measuring only: parts that can be left out to see what they cost.
fn without(part: &str) -> bool {
    std::env::var(format!("ATOLL_BENCH_NO_{part}")).is_ok_and(|v| v == "1")
}

/// Runs a node until it is told to stop.
pub fn serve(config: NodeConfig) -> Result<(), StartError> {
    start_logging(&config);
    let disk = Arc::new(OsDisk::open(&config.data_dir)?);
    let tcp = listen_tcp(&config.bind, config.port)?;
    let port = tcp.local_addr().map_or(config.port, |a| a.port());
    let unix = config.unixsocket.as_deref().map(listen_unix).transpose()?;
    let settings = settings(&config, port)?;
    let engine_config = EngineConfig {
        databases: config.databases,
        fsync: config.fsync,
        region: config.region.clone(),
        level: config.feature_level,
        addr: config.cluster.as_ref().map_or_else(String::new, |c| c.advertise.clone()),
        expects_peers: config.cluster.as_ref().is_some_and(|c| !c.join.is_empty()),
        rules: config.rules.clone(),
        random_seed: process::random_id(),
        lfu: settings.live().lfu(),
        block_bytes: allocator::block_bytes,
        index: !without("INDEX"),
        log: !without("LOG"),
        started_ms: process::now_ms(),
        ..EngineConfig::default()
    };
    let dir = config.data_dir.display().to_string();
    let at_start = allocator::allocated();
    let (engine, recovery) = Engine::prepare(engine_config, disk, &mut process::random_id)
        .map_err(|source| StartError::Open { dir: dir.clone(), source })?;
    let life = Life::new(engine.clone());
    let links = Arc::new(OnceLock::new());
    let host =
        NodeHost { life: life.clone(), facts: facts(&config, &engine, port, at_start), links: links.clone() };
    let server = Arc::new(Server::new(engine.clone(), Arc::new(host), settings, process::now_ms()));
    let signals = watch_signals(&life)?;
    // Whoever connects meanwhile is told that the node is loading.
    let reactors = reactors(&config, &server, &life, tcp, unix)?;
    let recovered = crate::loading::recover(&engine, recovery);
    let recovered = match recovered {
        Ok(recovered) => recovered,
        Err(source) => {
            life.stop();
            reactors.into_iter().for_each(|thread| _ = thread.join());
            return Err(StartError::Open { dir, source });
        }
    };
    if recovered.cut_bytes > 0 {
        tracing::info!(bytes = recovered.cut_bytes, "cut a torn tail off the log");
    }
    let cluster = crate::cluster::start(&config, &engine, &links)?;
    let housekeeping =
        background::start(&server, &life, config.warm_memory).map_err(StartError::io("starting threads"))?;
    tracing::info!(
        node = %engine.node(),
        address = %format!("{}:{port}", config.bind),
        data_dir = %dir,
        effects = recovered.effects,
        clean_start = recovered.clean,
        "ready to accept connections"
    );
    for thread in reactors.into_iter().chain(housekeeping) {
        if thread.join().is_err() {
            life.stop();
        }
    }
    if let Some(cluster) = cluster {
        cluster.stop();
    }
    if let Some(path) = &config.unixsocket {
        let _ = std::fs::remove_file(path);
    }
    if engine.has_failed() {
        return Err(StartError::State(dir));
    }
    let restarts = engine.wants_restart() && !life.is_over();
    if !restarts
        && life.save_asked().unwrap_or_else(|| server.config.text("checkpoint-on-shutdown") == "yes")
        && engine.checkpoint_worthwhile(life.save_asked() == Some(true))
    {
        background::checkpoint(&server, &|| false);
    }
    if let Some(log) = engine.log() {
        log.close_clean().map_err(StartError::Close)?;
    }
    // Until here a second signal ends the process at once.
    signals.close();
    tracing::info!("stopped cleanly");
    if restarts {
        return Err(StartError::io("starting again")(process::start_again()));
    }
    // Memory goes back to the system with the process; to take a large state apart first would only keep the stop waiting.
    std::process::exit(0)
}

fn reactors(
    config: &NodeConfig,
    server: &Arc<Server>,
    life: &Arc<Life>,
    tcp: TcpListener,
    unix: Option<UnixListener>,
) -> Result<Vec<std::thread::JoinHandle<()>>, StartError> {
    let mut reactors = Vec::new();
    for number in 0..config.threads {
        let reactor = Reactor::new(number, server.clone(), life.clone());
        reactors.push(reactor.map_err(StartError::io("creating a poll loop"))?);
    }
    let mailboxes = reactors.iter().map(Reactor::mailbox).collect();
    reactors[0].accept_for(mailboxes, tcp, unix).map_err(StartError::io("registering listeners"))?;
    let mut threads = Vec::new();
    for (i, reactor) in reactors.into_iter().enumerate() {
        let run = move || {
            // A panic in a reactor is a broken invariant: the node ends rather than goes on with less.
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| reactor.run()));
            if ended.is_err() {
                std::process::abort();
            }
        };
        let spawned = std::thread::Builder::new().name(format!("reactor-{i}")).spawn(run);
        threads.push(spawned.map_err(StartError::io("starting a reactor"))?);
    }
    Ok(threads)
}

/// First SIGTERM or SIGINT: a clean stop. Second: at once.
fn watch_signals(life: &Arc<Life>) -> Result<signal_hook::iterator::Handle, StartError> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals =
        signal_hook::iterator::Signals::new([SIGINT, SIGTERM]).map_err(StartError::io("watching signals"))?;
    let handle = signals.handle();
    let life = life.clone();
    let run = move || {
        for signal in signals.forever() {
            if life.is_stopping() {
                tracing::warn!(signal, "second signal: ending at once");
                std::process::exit(1);
            }
            tracing::info!(signal, "stopping");
            life.end();
        }
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(run)
        .map_err(StartError::io("starting threads"))?;
    Ok(handle)
}
