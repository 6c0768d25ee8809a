//! The process as sessions see it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use engine::session::{Host, ProcessFacts};
use mio::Waker;
use parking_lot::Mutex;

use crate::process;

/// What the threads of a node share about its life.
pub struct Life {
    stopping: AtomicBool,
    wakers: Mutex<Vec<Arc<Waker>>>,
    started: Instant,
}

impl Life {
    pub fn new() -> Arc<Self> {
        Arc::new(Life { stopping: AtomicBool::new(false), wakers: Mutex::default(), started: Instant::now() })
    }

    pub fn add_waker(&self, waker: Arc<Waker>) {
        self.wakers.lock().push(waker);
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    /// Asks every thread to finish.
    pub fn stop(&self) {
        self.stopping.store(true, Relaxed);
        self.wake();
    }

    /// Wakes every reactor.
    pub fn wake(&self) {
        for waker in &*self.wakers.lock() {
            // A reactor that is gone needs no waking.
            let _ = waker.wake();
        }
    }
}

/// Lines about links for INFO replication.
pub type LinkLines = Box<dyn Fn() -> Vec<String> + Send + Sync>;

/// See the module.
pub struct NodeHost {
    pub life: Arc<Life>,
    pub port: u16,
    pub threads: usize,
    pub config_file: String,
    pub run_id: String,
    pub links: Arc<OnceLock<LinkLines>>,
}

impl Host for NodeHost {
    fn facts(&self) -> ProcessFacts {
        let (rss_bytes, rss_peak_bytes) = process::memory();
        let (cpu_user, cpu_system) = process::cpu();
        ProcessFacts {
            pid: std::process::id(),
            uptime_seconds: self.life.started.elapsed().as_secs(),
            rss_bytes,
            rss_peak_bytes,
            cpu_user,
            cpu_system,
            os: process::os(),
            executable: std::env::current_exe().map_or_else(|_| String::new(), |p| p.display().to_string()),
            config_file: self.config_file.clone(),
            port: self.port,
            threads: self.threads,
            run_id: self.run_id.clone(),
            links: self.links.get().map_or_else(Vec::new, |lines| lines()),
        }
    }

    fn now_us(&self) -> u64 {
        process::now_us()
    }

    fn sleep_ms(&self, ms: u64) {
        std::thread::sleep(std::time::Duration::from_millis(ms));
    }

    fn wake(&self) {
        self.life.wake();
    }

    fn request_shutdown(&self) {
        self.life.stop();
    }

    fn setting_changed(&self, name: &str, value: &str) {
        tracing::info!(name, value, "setting changed");
    }
}
