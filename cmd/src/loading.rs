//! Recovery with all cores, telling how far it is.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use engine::core::{Engine, OpenError, Recovery};
use engine::log::Recovered;

const PROGRESS_EVERY: Duration = Duration::from_secs(1);
const WORKERS_MAX: usize = 16;

/// Runs recovery; logs a line a second while it takes longer than that.
pub fn recover(engine: &Engine, recovery: Recovery) -> Result<Recovered, OpenError> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX);
    let began = Instant::now();
    let (ended, waiting) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while waiting.recv_timeout(PROGRESS_EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
                tell_progress(engine, began);
            }
        });
        let recovered = recovery.run(&|job| {
            std::thread::scope(|scope| (0..workers).for_each(|_| _ = scope.spawn(job)));
        });
        drop(ended);
        recovered
    })
}

fn tell_progress(engine: &Engine, began: Instant) {
    let loading = engine.loading();
    let (done, total) = (loading.done_bytes.load(Relaxed), loading.total_bytes.load(Relaxed));
    let left = began.elapsed().as_secs_f64() * (total.saturating_sub(done) as f64 / done.max(1) as f64);
    tracing::info!(
        keys = loading.keys.load(Relaxed),
        effects = loading.effects.load(Relaxed),
        bytes = done,
        of = total,
        seconds_left = left.ceil() as u64,
        "loading"
    );
}
