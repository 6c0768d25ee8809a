//! A redis-server for the time of a run, on a free loopback port.

use std::process::{Child, Command, Stdio};

use crate::client::Client;
use crate::server::free_port;

/// Ends with the value.
pub struct Redis {
    child: Child,
    _dir: tempfile::TempDir,
    pub port: u16,
}

impl Redis {
    /// Starts the `redis-server` of the path, without persistence, and waits until it takes connections.
    pub fn start() -> Result<Redis, String> {
        let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
        let port = free_port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--enable-debug-command", "yes", "--dir"])
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|e| format!("redis-server: {e}"))?;
        let redis = Redis { child, _dir: dir, port };
        for _ in 0..1000 {
            if Client::connect(port).is_ok() {
                return Ok(redis);
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Err("redis-server is not ready".into())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
