//! Housekeeping threads: the everysec sync, checkpoints, expiry, pruning.

use std::cell::Cell;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use engine::core::{CheckpointError, Engine, Fsync};
use engine::session::Server;
use engine::state::graveyard;

use crate::host::Life;
use crate::{process, warm};

const SYNC_EVERY: Duration = Duration::from_millis(1000);
const TICK_EVERY: Duration = Duration::from_millis(20);
/// Keys looked at per tick by active expiry.
const EXPIRE_BUDGET: usize = 2000;
/// A checkpoint rests so many times as long as it works.
const CHECKPOINT_REST: f64 = 10.0;
/// Work that took longer waited for the disk.
const CHECKPOINT_REST_MAX: Duration = Duration::from_millis(1);
/// Of the thread that takes checkpoints.
const CHECKPOINT_NICE: i32 = 10;
/// How often the values that clients need not wait for are looked for.
const FREE_EVERY: Duration = Duration::from_millis(5);
const SWEEP_TICKS: u64 = 50;
const SAMPLE_TICKS: u64 = 5;

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.into()).spawn(|| {
        // A broken invariant: the node ends rather than goes on without its upkeep.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err() {
            std::process::abort();
        }
    })
}

/// Starts them. They end with the node's life. `warm_bytes`: memory touched ahead of need.
pub fn start(
    server: &Arc<Server>,
    life: &Arc<Life>,
    warm_bytes: u64,
) -> std::io::Result<Vec<JoinHandle<()>>> {
    let mut threads = Vec::new();
    let (engine, sync_life) = (server.engine().clone(), life.clone());
    threads.push(spawn("log-sync", move || sync_loop(&engine, &sync_life))?);
    let free_life = life.clone();
    graveyard::open();
    threads.push(spawn("free", move || free_loop(&free_life))?);
    if warm_bytes > 0 {
        let warm_life = life.clone();
        threads.push(spawn("warm", move || warm::run(warm_bytes, &warm_life))?);
    }
    let (saver, saver_life) = (server.clone(), life.clone());
    threads.push(spawn("checkpoint", move || checkpoint_loop(&saver, &saver_life))?);
    let (server, life) = (server.clone(), life.clone());
    threads.push(spawn("housekeeping", move || tick_loop(&server, &life))?);
    Ok(threads)
}

/// Sleeps up to `pause`, less when the life ends. Housekeeping has no event to wait for but time.
fn rest(life: &Life, pause: Duration) {
    let step = Duration::from_millis(50).min(pause);
    let mut left = pause;
    while !left.is_zero() && !life.is_stopping() {
        std::thread::sleep(step.min(left));
        left = left.saturating_sub(step);
    }
}

fn sync_loop(engine: &Engine, life: &Life) {
    let mut failed = false;
    while !life.is_stopping() {
        rest(life, SYNC_EVERY);
        let Some(log) = engine.log() else { return };
        if engine.fsync() != Fsync::EverySecond {
            continue;
        }
        match log.sync() {
            Ok(()) => failed = false,
            Err(error) if !failed => {
                failed = true;
                tracing::error!(%error, "the log cannot be made durable: writes are refused");
            }
            Err(_) => {}
        }
    }
}

/// Gives back the memory of big values, so that no client waits for it.
fn free_loop(life: &Life) {
    while !life.is_stopping() {
        rest(life, FREE_EVERY);
        while let Some(value) = graveyard::take() {
            drop(value);
        }
    }
}

fn checkpoint_loop(server: &Server, life: &Life) {
    // Commands come first: what a checkpoint does while the cores are busy it does with what they leave.
    let _ = rustix::process::setpriority_process(None, CHECKPOINT_NICE);
    while !life.is_stopping() {
        rest(life, TICK_EVERY);
        if server.engine().checkpoint_due(process::now_ms()) {
            let pace = Pace::new(server.engine());
            checkpoint(server, &|| {
                pace.rest();
                life.is_stopping()
            });
        }
    }
}

/// Leaves most of a core to others: after each piece of work, a rest in proportion. A piece is far shorter than what the
/// scheduler would let it run, so a reactor on the same core waits for one piece at most.
/// Where the log grows faster than the checkpoint gets on, it rests less and less.
struct Pace<'e> {
    engine: &'e Engine,
    since: Cell<Instant>,
    pieces: Cell<u32>,
    rest: Cell<f64>,
}

impl<'e> Pace<'e> {
    fn new(engine: &'e Engine) -> Self {
        Pace {
            engine,
            since: Cell::new(Instant::now()),
            pieces: Cell::new(0),
            rest: Cell::new(CHECKPOINT_REST),
        }
    }

    fn rest(&self) {
        let worked = self.since.get().elapsed();
        self.pieces.set(self.pieces.get().wrapping_add(1));
        if self.pieces.get().is_multiple_of(16) {
            let over = (self.engine.checkpoint_pressure() - 1.0).clamp(0.0, 2.0);
            self.rest.set(CHECKPOINT_REST * (1.0 - over / 2.0));
        }
        let rest = worked.mul_f64(self.rest.get()).min(CHECKPOINT_REST_MAX);
        if !rest.is_zero() {
            std::thread::sleep(rest);
        }
        self.since.set(Instant::now());
    }
}

/// Takes one and logs what came of it.
pub fn checkpoint(server: &Server, stop: &dyn Fn() -> bool) {
    let began = Instant::now();
    match server.checkpoint(stop) {
        Ok(done) => tracing::info!(
            number = done.number,
            shards = done.shards,
            entries = done.entries,
            bytes = done.bytes,
            segments_dropped = done.segments_dropped,
            ms = began.elapsed().as_millis() as u64,
            "checkpoint taken"
        ),
        Err(CheckpointError::Busy | CheckpointError::Stopped | CheckpointError::NoLog) => {}
        Err(error) => {
            tracing::warn!(%error, "no checkpoint was taken; the log still holds everything since the one before");
        }
    }
}

fn tick_loop(server: &Server, life: &Life) {
    let engine = server.engine();
    let mut ticks = 0u64;
    while !life.is_stopping() {
        rest(life, TICK_EVERY);
        ticks += 1;
        if engine.has_failed() {
            tracing::error!("the state could not be worked out again from the log: the node stops");
            life.stop();
        }
        if engine.wants_restart() && !life.is_stopping() {
            tracing::info!("a peer's checkpoint is here: the node starts again to take it over");
            life.stop();
        }
        if engine.has_left() && !life.is_stopping() {
            tracing::info!("this node left its cluster; started again, its directory joins as a new member");
            life.end();
        }
        let now_ms = process::now_ms();
        engine.tick(now_ms);
        engine.expire_step(now_ms, EXPIRE_BUDGET);
        engine.prune_step();
        match engine.late_step(&engine.turn(now_ms)) {
            Ok(_) => {}
            Err(error) if ticks.is_multiple_of(SWEEP_TICKS) => {
                tracing::error!(%error, "a late set cannot be replayed; it is kept");
            }
            Err(_) => {}
        }
        server.evict_step(now_ms);
        if ticks.is_multiple_of(SAMPLE_TICKS) {
            server.sample(now_ms);
        }
        if ticks.is_multiple_of(SWEEP_TICKS) {
            engine.sweep_indexes(false);
        }
    }
}
