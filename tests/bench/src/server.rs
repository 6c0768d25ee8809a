//! One server process: how it is started, when it is ready, and its end.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use proto::resp::Value;

use crate::bench::Bench;
use crate::children::Children;
use crate::connection::Connection;
use crate::error::BenchError;
use crate::machine::Pin;

/// Ten million keys may have to be read.
const READY_SECONDS: u64 = 120;
/// Between two attempts to reach a starting server.
const RETRY: Duration = Duration::from_millis(5);
const LOG_TAIL_LINES: usize = 3;
/// Below the ports that outgoing connections take.
const PORTS: std::ops::Range<u16> = 20_000..30_000;
const CLUSTER_SECRET: &str = "a secret for the benchmark's two nodes only";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Program {
    Atoll,
    Redis,
}

/// When a write reaches the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// redis-server writes nothing; atoll writes its log and never syncs it.
    None,
    Everysec,
    Always,
}

/// A server's place among others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    Alone,
    /// The first of two; the number is atoll's cluster port.
    First(u16),
    /// The second: its own cluster port, and the first's ports for clients and for the cluster.
    Second {
        cluster_port: u16,
        first_port: u16,
        first_cluster_port: u16,
    },
    /// One of several of ours in regions; joins through `join` and says that peers reach it at `advertise`.
    Member {
        region: &'static str,
        cluster_port: u16,
        advertise: u16,
        join: Option<u16>,
    },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setup {
    pub program: Program,
    pub durability: Durability,
    pub threads: u32,
    pub pin: Pin,
    pub place: Place,
    /// Developer options of the server under measurement.
    pub environment: Option<(&'static str, &'static str)>,
}

impl Setup {
    /// Atoll as users run it: `everysec`, on one reactor.
    pub fn atoll() -> Setup {
        Setup {
            program: Program::Atoll,
            durability: Durability::Everysec,
            threads: 1,
            pin: Pin::One,
            place: Place::Alone,
            environment: None,
        }
    }

    /// For rows that measure memory: what is touched ahead of need would hide what the data takes.
    pub fn unwarmed() -> Setup {
        Setup { environment: Some(("ATOLL_WARM_MEMORY", "0")), ..Setup::atoll() }
    }

    /// redis-server with persistence off.
    pub fn redis() -> Setup {
        Setup { program: Program::Redis, durability: Durability::None, ..Setup::atoll() }
    }

    fn arguments(&self, port: u16, directory: &Path) -> Vec<String> {
        match self.program {
            Program::Atoll => self.atoll_arguments(port, directory),
            Program::Redis => self.redis_arguments(port, directory),
        }
    }

    fn atoll_arguments(&self, port: u16, directory: &Path) -> Vec<String> {
        let sync = match self.durability {
            Durability::None => "no",
            Durability::Everysec => "everysec",
            Durability::Always => "always",
        };
        let data = directory.join("data").display().to_string();
        let (port, threads) = (port.to_string(), self.threads.to_string());
        let mut out = strings(&["serve", "--bind", "127.0.0.1", "--port", &port, "--data-dir", &data]);
        out.extend(strings(&["--appendfsync", sync, "--threads", &threads]));
        let (region, cluster_port) = match &self.place {
            Place::Alone => return out,
            Place::First(cluster_port) => ("east", cluster_port),
            Place::Second { cluster_port, first_cluster_port, .. } => {
                out.extend(strings(&["--join", &format!("127.0.0.1:{first_cluster_port}")]));
                ("west", cluster_port)
            }
            Place::Member { region, cluster_port, advertise, join } => {
                out.extend(join.iter().flat_map(|port| strings(&["--join", &format!("127.0.0.1:{port}")])));
                out.extend(strings(&["--cluster-advertise", &format!("127.0.0.1:{advertise}")]));
                (*region, cluster_port)
            }
        };
        out.extend(strings(&["--region", region, "--cluster-port", &cluster_port.to_string()]));
        out.extend(strings(&["--cluster-secret", CLUSTER_SECRET, "--default-mode", "unsafe"]));
        out
    }

    /// AOF rewrites are off: atoll's log is not rewritten during a measurement either.
    fn redis_arguments(&self, port: u16, directory: &Path) -> Vec<String> {
        let (appendonly, sync) = match self.durability {
            Durability::None => ("no", "no"),
            Durability::Everysec => ("yes", "everysec"),
            Durability::Always => ("yes", "always"),
        };
        let directory = directory.display().to_string();
        let mut out = strings(&["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir", &directory]);
        out.extend(strings(&["--save", "", "--appendonly", appendonly, "--appendfsync", sync]));
        out.extend(strings(&["--auto-aof-rewrite-percentage", "0", "--protected-mode", "no"]));
        if let Place::Second { first_port, .. } = &self.place {
            out.extend(strings(&["--replicaof", &format!("127.0.0.1 {first_port}")]));
        }
        if self.place != Place::Alone {
            // A full copy in the middle of a measurement would measure the copy.
            out.extend(strings(&["--repl-backlog-size", "512mb", "--repl-diskless-sync-delay", "0"]));
            out.extend(strings(&["--client-output-buffer-limit", "replica 0 0 0"]));
        }
        out
    }
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}

/// A running server in its own directory; dropping it kills the process and removes the directory.
pub struct Server {
    children: Children,
    path: PathBuf,
    pid: u32,
    address: SocketAddr,
    directory: PathBuf,
    program: String,
    setup: Setup,
}

impl Server {
    pub fn start(bench: &Bench, setup: &Setup) -> Result<Server, BenchError> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let path = match setup.program {
            Program::Atoll => bench.programs.atoll.clone().unwrap_or_else(|| "atoll".into()),
            Program::Redis => bench.programs.redis_server.clone().unwrap_or_else(|| "redis-server".into()),
        };
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let directory = bench.children.directory().join(format!("server-{number}"));
        let failed = |operation, path: &Path| {
            let path = path.to_path_buf();
            move |source| BenchError::File { operation, path, source }
        };
        fs::create_dir_all(&directory).map_err(failed("create", &directory))?;
        let log = log_path(&directory);
        let output = File::create(&log).map_err(failed("create", &log))?;
        let errors = output.try_clone().map_err(failed("create", &log))?;
        let port = free_tcp_port()?;
        let mut command = command(&path, setup, port, &directory);
        command.stdout(output).stderr(errors);
        let pid = bench.machine.as_server(setup.pin, || bench.children.spawn(&mut command))??;
        let program = path_name(&path);
        let server = Server {
            path,
            children: bench.children.clone(),
            pid,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            directory,
            program,
            setup: setup.clone(),
        };
        server.await_ready()?;
        Ok(server)
    }

    fn await_ready(&self) -> Result<(), BenchError> {
        let deadline = Instant::now() + Duration::from_secs(READY_SECONDS);
        loop {
            let answer = Connection::open(self.address).and_then(|mut c| c.call(&[b"PING"]));
            if matches!(answer, Ok(Value::Simple(text)) if text == b"PONG") {
                return Ok(());
            }
            self.check()?;
            if Instant::now() >= deadline {
                let tail = self.log_tail();
                return Err(BenchError::NotReady {
                    program: self.program.clone(),
                    seconds: READY_SECONDS,
                    tail,
                });
            }
            thread::sleep(RETRY);
        }
    }

    /// Kills the process and starts it again on what it left; returns the seconds until it answers.
    pub fn start_again(&mut self, bench: &Bench) -> Result<f64, BenchError> {
        self.children.end(self.pid);
        let mut command = command(&self.path, &self.setup, self.address.port(), &self.directory);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let began = Instant::now();
        self.pid = bench.machine.as_server(self.setup.pin, || bench.children.spawn(&mut command))??;
        self.await_ready()?;
        Ok(began.elapsed().as_secs_f64())
    }

    /// Fails when the process has ended.
    pub fn check(&self) -> Result<(), BenchError> {
        match self.children.ended(self.pid) {
            None => Ok(()),
            Some(status) => {
                Err(BenchError::Ended { program: self.program.clone(), status, tail: self.log_tail() })
            }
        }
    }

    /// The last lines the server printed, ready to follow a message.
    fn log_tail(&self) -> String {
        let text = fs::read(log_path(&self.directory)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let mut lines: Vec<&str> =
            text.lines().rev().filter(|line| !line.trim().is_empty()).take(LOG_TAIL_LINES).collect();
        lines.reverse();
        lines.iter().fold(String::new(), |tail, line| tail + ": " + line.trim())
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The setup it was started with.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Bytes in the files of its directory.
    pub fn disk_bytes(&self) -> u64 {
        disk_bytes(&self.directory)
    }

    pub fn connect(&self) -> Result<Connection, BenchError> {
        Connection::open(self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.children.end(self.pid);
        // What stays is removed with the run's directory.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn path_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn command(path: &Path, setup: &Setup, port: u16, directory: &Path) -> Command {
    let mut command = Command::new(path);
    command.args(setup.arguments(port, directory)).current_dir(directory).stdin(Stdio::null());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ATOLL_")) {
        command.env_remove(name);
    }
    command.envs(setup.environment);
    command
}

fn log_path(directory: &Path) -> PathBuf {
    directory.join("output.log")
}

fn disk_bytes(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => disk_bytes(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    });
    bytes.sum()
}

/// Ports are taken in turn, starting at a place of this process' own, and tried by binding them.
fn free_port(is_free: impl Fn(SocketAddr) -> bool) -> Result<u16, BenchError> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let count = u32::from(PORTS.end - PORTS.start);
    for _ in 0..count {
        let turn = std::process::id().wrapping_mul(61).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + (turn % count) as u16;
        if is_free(SocketAddr::from((Ipv4Addr::LOCALHOST, port))) {
            return Ok(port);
        }
    }
    Err(BenchError::NoPort)
}

fn free_tcp_port() -> Result<u16, BenchError> {
    free_port(|address| TcpListener::bind(address).is_ok())
}

/// A port for node-to-node traffic.
pub fn free_udp_port() -> Result<u16, BenchError> {
    free_port(|address| UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peer_keeps_nothing_unless_its_row_says_so() {
        let plain = Setup::redis().arguments(21_000, Path::new("d")).join(" ");
        assert!(
            plain.contains("--save  --appendonly no") && plain.contains("--bind 127.0.0.1 --port 21000"),
            "{plain}"
        );
        let always = Setup { durability: Durability::Always, ..Setup::redis() };
        let text = always.arguments(21_000, Path::new("d")).join(" ");
        assert!(text.contains("--appendonly yes --appendfsync always"), "{text}");
    }

    #[test]
    fn ours_syncs_every_second_on_one_reactor_unless_its_row_says_otherwise() {
        let text = Setup::atoll().arguments(21_000, Path::new("d")).join(" ");
        assert_eq!(
            text,
            "serve --bind 127.0.0.1 --port 21000 --data-dir d/data --appendfsync everysec --threads 1"
        );
    }

    #[test]
    fn the_second_node_joins_the_first_in_another_region() {
        let place = Place::Second { cluster_port: 3, first_port: 1, first_cluster_port: 2 };
        let text = Setup { place, ..Setup::atoll() }.arguments(9, Path::new("d")).join(" ");
        assert!(text.contains("--join 127.0.0.1:2 --region west --cluster-port 3"), "{text}");
        assert!(text.ends_with("--default-mode unsafe"), "{text}");
    }

    #[test]
    fn two_free_ports_differ() {
        assert_ne!(free_tcp_port().unwrap(), free_udp_port().unwrap());
    }
}
