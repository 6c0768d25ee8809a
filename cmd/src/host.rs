//! The process as sessions see it.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use engine::core::Engine;
use engine::session::{Host, ProcessFacts, ProcessUsage, ShutdownRequest};
use mio::Waker;
use parking_lot::Mutex;
use proto::NodeId;

use crate::cluster::Links;
use crate::{allocator, process};

/// What the threads of a node share about its life.
pub struct Life {
    stopping: AtomicBool,
    /// Somebody wants the process gone, not only stopped to start again.
    over: AtomicBool,
    engine: Arc<Engine>,
    /// What SHUTDOWN said of a checkpoint: 0 nothing, 1 none, 2 one.
    save: AtomicU8,
    kills: AtomicU64,
    wakers: Mutex<Vec<Arc<Waker>>>,
    started: Instant,
}

impl Life {
    pub fn new(engine: Arc<Engine>) -> Arc<Self> {
        Arc::new(Life {
            stopping: AtomicBool::new(false),
            over: AtomicBool::new(false),
            engine,
            save: AtomicU8::new(0),
            kills: AtomicU64::new(0),
            wakers: Mutex::default(),
            started: Instant::now(),
        })
    }

    /// Wakers in the order of the reactors' numbers.
    pub fn add_waker(&self, waker: Arc<Waker>) {
        self.wakers.lock().push(waker);
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    /// Whether SHUTDOWN asked for a checkpoint, or for none.
    pub fn save_asked(&self) -> Option<bool> {
        match self.save.load(Relaxed) {
            0 => None,
            asked => Some(asked == 2),
        }
    }

    /// A stop that somebody asked for: the process ends, at once while nothing was written yet and nothing can be lost.
    pub fn end(&self) {
        if self.engine.is_loading() {
            tracing::info!("stopped while loading");
            std::process::exit(0);
        }
        self.over.store(true, Relaxed);
        self.stop();
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// Asks every thread to finish.
    pub fn stop(&self) {
        self.stopping.store(true, Relaxed);
        for waker in &*self.wakers.lock() {
            // A reactor that is gone needs no waking.
            let _ = waker.wake();
        }
    }

    /// A client of this reactor was marked as killed.
    fn note_kill(&self, reactor: usize) {
        self.kills.fetch_add(1, Relaxed);
        self.wake(reactor);
    }

    /// Ends a reactor's sleep.
    fn wake(&self, reactor: usize) {
        if let Some(waker) = self.wakers.lock().get(reactor) {
            // A reactor that is gone needs no waking.
            let _ = waker.wake();
        }
    }

    /// Changes whenever a client was marked as killed.
    pub fn kills(&self) -> u64 {
        self.kills.load(Relaxed)
    }
}

/// See the module.
pub struct NodeHost {
    pub life: Arc<Life>,
    pub facts: ProcessFacts,
    pub links: Arc<OnceLock<Links>>,
}

impl Host for NodeHost {
    fn facts(&self) -> &ProcessFacts {
        &self.facts
    }

    fn usage(&self) -> ProcessUsage {
        let (cpu_user_us, cpu_system_us) = process::cpu_us();
        ProcessUsage { rss: process::rss(), committed: allocator::committed(), cpu_user_us, cpu_system_us }
    }

    fn allocated(&self) -> u64 {
        allocator::allocated()
    }

    fn release_memory(&self) {
        allocator::release();
    }

    fn monotonic_us(&self) -> u64 {
        self.life.started.elapsed().as_micros() as u64
    }

    fn unix_us(&self) -> u64 {
        process::now_us()
    }

    fn sleep_us(&self, us: u64) {
        std::thread::sleep(Duration::from_micros(us));
    }

    fn shutdown(&self, request: ShutdownRequest) {
        self.life.save.store(request.save.map_or(0, |save| 1 + u8::from(save)), Relaxed);
        self.life.end();
    }

    fn killed(&self, reactor: usize) {
        self.life.note_kill(reactor);
    }

    fn wake(&self, reactor: usize) {
        self.life.wake(reactor);
    }

    fn round_trips_us(&self) -> Vec<(NodeId, u64)> {
        self.links.get().map_or_else(Vec::new, Links::round_trips_us)
    }

    fn links(&self) -> Vec<String> {
        self.links.get().map_or_else(Vec::new, Links::lines)
    }

    fn configured(&self, name: &str, value: &str) {
        let shown = if name == "requirepass" { "(hidden)" } else { value };
        tracing::info!(name, value = shown, "setting changed");
    }
}
