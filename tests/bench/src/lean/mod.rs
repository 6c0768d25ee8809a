//! The lean client: one thread, one poll loop, raw buffers. It spends a fraction of what a server spends on a request,
//! so it shows the server and not itself.
//!
//! Each connection has one batch of P requests on its way and sends the next when the last reply is in. Latency is
//! that of a batch: from its first byte written to its last reply read.

mod connection;
mod replies;
mod requests;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use crate::error::BenchError;
use crate::histogram::Histogram;
use crate::usage::{Usage, thread_cpu_ns};

use connection::Connection;
use requests::Requests;
pub use requests::{RANGES, Workload, new_key};

const STALL_SECONDS: u64 = 30;
const POLL: Duration = Duration::from_millis(100);
const POLL_PACED: Duration = Duration::from_millis(1);

/// When a load is measured and when it ends.
#[derive(Clone, Copy, Debug)]
pub enum Span {
    /// Runs for `warmup` unmeasured, then `measured`.
    Time { warmup: Duration, measured: Duration },
    /// This many requests, all measured.
    Requests(u64),
}

#[derive(Clone, Debug)]
pub struct Load {
    pub connections: usize,
    pub pipeline: usize,
    pub workload: Workload,
    pub span: Span,
    /// At most this many requests a second; `None` is as many as the server takes.
    pub pace_per_s: Option<f64>,
    /// The processes whose use is recorded.
    pub servers: Vec<u32>,
    pub seed: u64,
}

/// What was measured.
pub struct Outcome {
    pub requests: u64,
    pub seconds: f64,
    pub servers: Usage,
    /// The client thread's own processor time.
    pub client_ns: u64,
    /// Per batch, nanoseconds.
    pub latencies: Histogram,
}

/// Where a measurement starts or ends.
struct Mark {
    at: Instant,
    servers: Usage,
    client_ns: u64,
}

impl Mark {
    fn now(load: &Load) -> Result<Mark, BenchError> {
        Ok(Mark { servers: Usage::of(&load.servers)?, client_ns: thread_cpu_ns(), at: Instant::now() })
    }
}

/// Runs one load against one server. Error replies, and GETs that find nothing, fail it: they would look fast.
pub fn run(address: SocketAddr, load: &Load) -> Result<Outcome, BenchError> {
    let mut run = Run::open(address, load)?;
    let begun = Instant::now();
    let (start_at, end_at) = match load.span {
        Span::Time { warmup, measured } => (begun + warmup, Some(begun + warmup + measured)),
        Span::Requests(_) => (begun, None),
    };
    let mut start: Option<Mark> = None;
    let mut end: Option<Mark> = None;
    let mut requests = 0;
    loop {
        let now = Instant::now();
        if start.is_none() && now >= start_at {
            start = Some(Mark::now(load)?);
            run.latencies.clear();
            run.replies = 0;
        }
        if end.is_none() && end_at.is_some_and(|at| now >= at) {
            requests = run.replies;
            end = Some(Mark::now(load)?);
            run.latencies_closed = true;
            run.left = 0;
        }
        run.send(now)?;
        if run.outstanding == 0 && run.left == 0 {
            break;
        }
        run.receive()?;
    }
    run.check()?;
    let start = start.ok_or(BenchError::Stalled(0))?;
    let end = match end {
        Some(end) => end,
        None => {
            requests = run.replies;
            Mark::now(load)?
        }
    };
    Ok(Outcome {
        requests,
        seconds: end.at.duration_since(start.at).as_secs_f64(),
        servers: end.servers.since(start.servers),
        client_ns: end.client_ns.saturating_sub(start.client_ns),
        latencies: run.latencies,
    })
}

struct Run<'a> {
    load: &'a Load,
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    /// Connections with nothing on its way.
    idle: Vec<usize>,
    requests: Requests,
    /// Requests still to send; `u64::MAX` for a load that ends by time.
    left: u64,
    /// Against the pace, where there is one.
    sent_paced: u64,
    outstanding: u64,
    begun: Instant,
    last_reply: Instant,
    replies: u64,
    errors: u64,
    first_error: Option<String>,
    nulls: u64,
    latencies: Histogram,
    latencies_closed: bool,
}

impl<'a> Run<'a> {
    fn open(address: SocketAddr, load: &'a Load) -> Result<Run<'a>, BenchError> {
        let poll = Poll::new().map_err(BenchError::connection("epoll"))?;
        let mut connections = Vec::with_capacity(load.connections);
        for at in 0..load.connections {
            connections.push(Connection::open(address, poll.registry(), Token(at))?);
        }
        Ok(Run {
            load,
            poll,
            events: Events::with_capacity(load.connections.max(16)),
            idle: (0..load.connections).rev().collect(),
            connections,
            requests: Requests::new(load.workload, load.seed),
            left: match load.span {
                Span::Requests(count) => count,
                Span::Time { .. } => u64::MAX,
            },
            sent_paced: 0,
            outstanding: 0,
            begun: Instant::now(),
            last_reply: Instant::now(),
            replies: 0,
            errors: 0,
            first_error: None,
            nulls: 0,
            latencies: Histogram::new(),
            latencies_closed: false,
        })
    }

    /// Requests that may be sent now.
    fn allowance(&self, now: Instant) -> u64 {
        match self.load.pace_per_s {
            None => self.left,
            Some(pace) => {
                let due = (now.duration_since(self.begun).as_secs_f64() * pace) as u64;
                due.saturating_sub(self.sent_paced).min(self.left)
            }
        }
    }

    /// Gives every idle connection its next batch.
    fn send(&mut self, now: Instant) -> Result<(), BenchError> {
        let mut allowance = self.allowance(now);
        while allowance > 0 {
            let Some(at) = self.idle.pop() else { break };
            let batch = (self.load.pipeline as u64).min(allowance);
            let connection = &mut self.connections[at];
            connection.start(&mut self.requests, batch as usize)?;
            allowance -= batch;
            self.left -= if self.left == u64::MAX { 0 } else { batch };
            self.sent_paced += batch;
            self.outstanding += batch;
        }
        Ok(())
    }

    /// Waits for replies and reads them.
    fn receive(&mut self) -> Result<(), BenchError> {
        let timeout = if self.load.pace_per_s.is_some() { POLL_PACED } else { POLL };
        if let Err(source) = self.poll.poll(&mut self.events, Some(timeout)) {
            if source.kind() == std::io::ErrorKind::Interrupted {
                return Ok(());
            }
            return Err(BenchError::Connection { operation: "epoll", source });
        }
        let pipeline = self.load.pipeline as u64;
        for event in self.events.iter() {
            let at = event.token().0;
            let connection = &mut self.connections[at];
            connection.flush()?;
            let Some(read) = connection.read()? else { continue };
            self.replies += read.replies as u64;
            self.outstanding -= read.replies as u64;
            self.errors += read.errors as u64;
            self.nulls += read.nulls as u64;
            if read.first_error.is_some() && self.first_error.is_none() {
                self.first_error = read.first_error;
            }
            if let Some(latency) = read.batch_latency {
                if !self.latencies_closed {
                    self.latencies.record(latency.as_nanos() as u64);
                }
                let batch = if self.load.pace_per_s.is_none() { self.left.min(pipeline) } else { 0 };
                if batch == 0 {
                    self.idle.push(at);
                    continue;
                }
                connection.start(&mut self.requests, batch as usize)?;
                self.left -= if self.left == u64::MAX { 0 } else { batch };
                self.outstanding += batch;
            }
        }
        match self.events.is_empty() {
            false => self.last_reply = Instant::now(),
            true if self.outstanding > 0 && self.last_reply.elapsed().as_secs() >= STALL_SECONDS => {
                return Err(BenchError::Stalled(STALL_SECONDS));
            }
            true => {}
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), BenchError> {
        if self.errors > 0 {
            let first = self.first_error.take().unwrap_or_default();
            return Err(BenchError::ErrorReplies { count: self.errors, first });
        }
        match self.nulls {
            0 => Ok(()),
            nulls => Err(BenchError::Misses(nulls)),
        }
    }
}
