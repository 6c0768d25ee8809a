//! Every process this run started, and its directory: ended and removed on return, on error and on a signal.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tempfile::TempDir;

use crate::error::BenchError;

/// Owner of the run's directory and processes; a process is killed through its handle, so never by a reused id.
#[derive(Clone)]
pub struct Children {
    inner: Arc<Mutex<Inner>>,
    directory: PathBuf,
}

struct Inner {
    running: Vec<Child>,
    directory: Option<TempDir>,
    /// Set by a signal: nothing may start any more.
    closed: bool,
}

impl Children {
    /// Creates the run's directory under `parent` and listens for signals.
    pub fn open(parent: &Path) -> Result<Children, BenchError> {
        let failed =
            |operation| move |source| BenchError::File { operation, path: parent.to_path_buf(), source };
        std::fs::create_dir_all(parent).map_err(failed("create"))?;
        let directory =
            tempfile::Builder::new().prefix("run-").tempdir_in(parent).map_err(failed("create in"))?;
        let path = directory.path().to_path_buf();
        let inner = Inner { running: Vec::new(), directory: Some(directory), closed: false };
        let children = Children { inner: Arc::new(Mutex::new(inner)), directory: path };
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(BenchError::Signals)?;
        let of_signals = children.clone();
        thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                of_signals.end_all();
                eprintln!("bench: ended by signal {signal}");
                std::process::exit(128 + signal);
            }
        });
        Ok(children)
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a process and owns it from its first moment.
    pub fn spawn(&self, command: &mut Command) -> Result<u32, BenchError> {
        let mut inner = self.lock();
        let program = command.get_program().to_string_lossy().into_owned();
        if inner.closed {
            return Err(BenchError::Spawn { program, source: std::io::ErrorKind::Interrupted.into() });
        }
        let child = command.spawn().map_err(|source| BenchError::Spawn { program, source })?;
        let pid = child.id();
        inner.running.push(child);
        Ok(pid)
    }

    /// `Some` once the process has ended.
    pub fn ended(&self, pid: u32) -> Option<ExitStatus> {
        let mut inner = self.lock();
        let child = inner.running.iter_mut().find(|child| child.id() == pid)?;
        child.try_wait().ok().flatten()
    }

    /// Kills a process and forgets it.
    pub fn end(&self, pid: u32) {
        let mut inner = self.lock();
        if let Some(at) = inner.running.iter().position(|child| child.id() == pid) {
            end(inner.running.swap_remove(at));
        }
    }

    pub fn pids(&self) -> Vec<u32> {
        self.lock().running.iter().map(Child::id).collect()
    }

    /// Kills everything and removes the run's directory.
    fn end_all(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.running.drain(..).for_each(end);
        // Failing to remove it leaves a directory under target/, nothing worse.
        drop(inner.directory.take());
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.running.drain(..).for_each(end);
    }
}

fn end(mut child: Child) {
    // Both fail only when the process is gone already.
    let _ = child.kill();
    let _ = child.wait();
}

/// Ends everything when the run's owner goes, also by a panic; the signal thread holds a copy of [`Children`] for ever.
pub struct EndAll(pub Children);

impl Drop for EndAll {
    fn drop(&mut self) {
        self.0.end_all();
    }
}
