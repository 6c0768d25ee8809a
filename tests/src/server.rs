//! The real `atoll` binary as a fixture: started in a fresh data directory on a free loopback port, killed by its pid.
//!
//! Owns the process, its data directory and its log. A test whose server logged an unexpected WARN, ERROR or panic fails
//! when the fixture is dropped.

use std::fs::File;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use proto::resp::Value;

use crate::client::Client;
use crate::random::setting;

/// Seconds for a start and for a stop; `ATOLL_TEST_PATIENCE` for long loads on a full machine.
const PATIENCE_S: u64 = 30;
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A running server, or one that was stopped and may be started again on the same directory and port.
pub struct Server {
    dir: tempfile::TempDir,
    port: u16,
    args: Vec<String>,
    variables: Vec<(String, String)>,
    child: Option<Child>,
    allowed: Vec<String>,
    /// Where the data lies, and the command that a start goes through to see it.
    elsewhere: Option<(PathBuf, Vec<String>)>,
}

impl Server {
    /// Starts a node with default flags.
    pub fn start() -> Server {
        Server::with(&[])
    }

    /// Starts a node with extra flags of `atoll serve`.
    pub fn with(args: &[&str]) -> Server {
        let mut server = Server::stopped(args);
        server.launch();
        server
    }

    /// Starts a node with extra flags and environment variables.
    pub fn with_variables(args: &[&str], variables: &[(&str, &str)]) -> Server {
        let mut server = Server::stopped(args);
        server.variables = variables.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
        server.launch();
        server
    }

    /// A node that was not started yet.
    pub fn stopped(args: &[&str]) -> Server {
        let dir = tempfile::Builder::new().prefix("atoll-test-").tempdir().expect("a temporary directory");
        let args = args.iter().map(|a| a.to_string()).collect();
        let (variables, allowed) = (Vec::new(), Vec::new());
        Server { dir, port: free_port(), args, variables, child: None, allowed, elsewhere: None }
    }

    /// More flags, for the next start.
    pub fn add_args(&mut self, args: &[&str]) {
        self.args.extend(args.iter().map(|a| a.to_string()));
    }

    /// A flag's value, for the next start.
    pub fn set_arg(&mut self, flag: &str, value: &str) {
        match self.args.iter().position(|a| a == flag) {
            Some(at) => self.args[at + 1] = value.to_string(),
            None => self.add_args(&[flag, value]),
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn data_dir(&self) -> PathBuf {
        self.elsewhere.as_ref().map_or_else(|| self.dir.path().join("data"), |(dir, _)| dir.clone())
    }

    /// Keeps the data in a directory that only processes started through `wrapper` see.
    pub fn keep_data_in(&mut self, dir: PathBuf, wrapper: Vec<String>) {
        self.elsewhere = Some((dir, wrapper));
    }

    /// Starts the process and waits for its end; for starts that fail.
    pub fn launch_in_vain(&mut self) -> ExitStatus {
        self.spawn();
        self.wait()
    }

    /// Process id of the running server.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the server runs").id()
    }

    pub fn client(&self) -> Client {
        Client::connect(self.port).expect("the server accepts connections")
    }

    /// Everything the server wrote to stdout and stderr, over all its starts.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Log lines holding `text` are expected and fail no test.
    pub fn allow_log(&mut self, text: &str) {
        self.allowed.push(text.to_owned());
    }

    /// Starts the process and waits until it answers PING.
    pub fn launch(&mut self) {
        self.spawn();
        let deadline = Instant::now() + patience();
        while !self.answers() {
            if let Some(status) = self.child.as_mut().and_then(|c| c.try_wait().ok().flatten()) {
                self.child = None;
                panic!("the server ended at start with {status}:\n{}", self.log());
            }
            assert!(Instant::now() < deadline, "the server is not ready:\n{}", self.log());
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    fn spawn(&mut self) {
        assert!(self.child.is_none(), "the server runs already");
        let log = File::options().create(true).append(true).open(self.log_path()).expect("a log file");
        let wrapper = self.elsewhere.as_ref().map_or(&[][..], |(_, wrapper)| wrapper);
        let binary = binary().display().to_string();
        let mut words = wrapper.iter().chain([&binary]);
        let mut command = Command::new(words.next().expect("at least the binary"));
        let child = command
            .args(words)
            .arg("serve")
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--data-dir"])
            .arg(self.data_dir())
            .args(&self.args)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log file"))
            .stderr(log)
            .spawn()
            .expect("the atoll binary starts");
        self.child = Some(child);
    }

    fn answers(&self) -> bool {
        let Ok(mut client) = Client::connect(self.port) else { return false };
        match client.call(&["PING"]) {
            Ok(Value::Simple(text)) => text == b"PONG",
            Ok(Value::Error(text)) => text.starts_with(b"NOAUTH"),
            _ => false,
        }
    }

    /// SIGKILL, and waits for the end.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("the server can be killed");
            child.wait().expect("the server can be awaited");
        }
    }

    /// Sends a signal by name (`TERM`, `INT`) and waits for the end.
    pub fn signal(&mut self, name: &str) -> ExitStatus {
        let pid = self.pid();
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status();
        assert!(sent.expect("sh runs").success(), "kill -{name} {pid}");
        self.wait()
    }

    /// SIGTERM: a clean stop.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM")
    }

    /// Waits for a server that was told to stop.
    pub fn wait(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("the server runs");
        let deadline = Instant::now() + patience();
        loop {
            if let Some(status) = child.try_wait().expect("the server can be awaited") {
                return status;
            }
            if Instant::now() > deadline {
                child.kill().and_then(|()| child.wait()).expect("the server can be killed");
                panic!("the server did not stop:\n{}", self.log());
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// Kills the process without warning and starts it again on its data.
    pub fn restart(&mut self) {
        self.kill9();
        self.launch();
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn unexpected_log_lines(&self) -> Vec<String> {
        const BAD: [&str; 5] =
            [" WARN ", " ERROR ", "\"level\":\"WARN\"", "\"level\":\"ERROR\"", "panicked at"];
        let bad =
            |line: &&str| BAD.iter().any(|mark| line.contains(mark) || line.starts_with(mark.trim_start()));
        let expected = |line: &str| self.allowed.iter().any(|text| line.contains(text.as_str()));
        plain(&self.log()).lines().filter(bad).filter(|line| !expected(line)).map(str::to_owned).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!(
                "--- end of the server's log ---\n{}",
                lines[lines.len().saturating_sub(40)..].join("\n")
            );
            return;
        }
        let lines = self.unexpected_log_lines();
        assert!(lines.is_empty(), "unexpected log lines:\n{}", lines.join("\n"));
    }
}

/// Text without the colours of a terminal.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\x1b[") {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 2..];
        rest = tail.find('m').map_or("", |end| &tail[end + 1..]);
    }
    out + rest
}

/// A port whose successor by 1000 (the cluster port) is free as well, below the range the system hands to clients.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 11_000;
    const COUNT: u16 = 20_000;
    let start = (std::process::id() % 199) as u16 * 100;
    for _ in 0..COUNT {
        let port = FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let free =
            |p: u16| TcpListener::bind(("127.0.0.1", p)).is_ok() && UdpSocket::bind(("127.0.0.1", p)).is_ok();
        if free(port) && free(port + 1000) {
            return port;
        }
    }
    panic!("no free port");
}

/// The `atoll` binary of the profile the tests were built with, brought up to date once per test process.
/// `ATOLL_BIN` names another one.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("ATOLL_BIN") {
            return path.into();
        }
        let exe = std::env::current_exe().expect("the test's own path");
        let mut profile_dir = exe.parent().expect("the test lies in a directory");
        if profile_dir.file_name().is_some_and(|name| name == "deps") {
            profile_dir = profile_dir.parent().expect("deps lies in the profile's directory");
        }
        let profile = match profile_dir.file_name().and_then(|n| n.to_str()) {
            Some("debug") | None => "dev",
            Some(name) => name,
        };
        let target_dir = profile_dir.parent().expect("the profile lies in the target directory");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args(["build", "--quiet", "-p", "cmd", "--bin", "atoll", "--profile", profile, "--target-dir"])
            .arg(target_dir)
            .current_dir(workspace_dir())
            .status()
            .expect("cargo runs");
        assert!(status.success(), "the atoll binary does not build");
        profile_dir.join("atoll")
    })
}

/// How long a node may take to start or to stop.
pub fn patience() -> Duration {
    Duration::from_secs(setting("ATOLL_TEST_PATIENCE", PATIENCE_S))
}

/// The repository's root.
pub fn workspace_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lies in the workspace")
}
