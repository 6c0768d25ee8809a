//! What every row needs: the options, the machine, the programs and the run's processes.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::children::{Children, EndAll};
use crate::error::BenchError;
use crate::lean::{self, Load, Outcome, Span, Workload};
use crate::machine::Machine;
use crate::options::Options;
use crate::programs::{Programs, build_atoll, target_directory};
use crate::quiet::Quiet;
use crate::rounds::Reading;
use crate::rows::Group;
use crate::server::{Server, Setup};

/// As the bars say.
pub const CONNECTIONS: usize = 50;
/// Waiting for quiet adds at most this to a run.
const QUIET_BUDGET: Duration = Duration::from_secs(600);
const FILL_PIPELINE: usize = 64;

pub struct Bench {
    pub options: Options,
    pub machine: Machine,
    pub programs: Programs,
    pub children: Children,
    pub quiet: Quiet,
    pub scale: Scale,
    pub started: SystemTime,
    target: PathBuf,
    _end_all: EndAll,
}

/// How much work a measurement is.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Keys in the keyspace.
    pub keys: u64,
    /// Keys of the rows about recovery and checkpoints.
    pub many_keys: u64,
    pub warmup: Duration,
    pub measured: Duration,
    /// Requests of one redis-benchmark run, by pipeline depth.
    pub requests: fn(usize) -> u64,
}

const FULL: Scale = Scale {
    keys: 1_000_000,
    many_keys: 10_000_000,
    warmup: Duration::from_millis(300),
    measured: Duration::from_millis(1500),
    requests: |pipeline| match pipeline {
        1 => 150_000,
        16 => 1_200_000,
        _ => 2_400_000,
    },
};

const QUICK: Scale = Scale {
    keys: 100_000,
    many_keys: 400_000,
    warmup: Duration::from_millis(50),
    measured: Duration::from_millis(200),
    requests: |pipeline| match pipeline {
        1 => 20_000,
        _ => 200_000,
    },
};

impl Bench {
    pub fn open(options: &Options, groups: &[Group]) -> Result<Bench, BenchError> {
        let target = target_directory()?;
        let uses_atoll = !options.self_test && !groups.is_empty();
        let atoll = match &options.server {
            _ if !uses_atoll => None,
            Some(path) => Some(std::fs::canonicalize(path).map_err(|source| BenchError::File {
                operation: "find",
                path: path.clone(),
                source,
            })?),
            None => Some(build_atoll(&target)?),
        };
        let children = Children::open(&target.join("bench"))?;
        Ok(Bench {
            options: options.clone(),
            machine: Machine::open()?,
            programs: Programs::find(atoll),
            quiet: Quiet::new(if options.quick { Duration::ZERO } else { QUIET_BUDGET }),
            scale: if options.quick { QUICK } else { FULL },
            started: SystemTime::now(),
            target,
            _end_all: EndAll(children.clone()),
            children,
        })
    }

    /// Where reports go.
    pub fn report_directory(&self) -> PathBuf {
        self.target.join("bench")
    }

    /// Starts a fresh server and waits until it answers.
    pub fn start(&self, setup: &Setup) -> Result<Server, BenchError> {
        Server::start(self, setup)
    }

    /// A load of `workload` as most rows use it: fifty connections for the usual time.
    pub fn load(&self, server: &Server, workload: Workload, pipeline: usize) -> Load {
        Load {
            connections: CONNECTIONS,
            pipeline,
            workload,
            span: Span::Time { warmup: self.scale.warmup, measured: self.scale.measured },
            pace_per_s: None,
            servers: vec![server.pid()],
            seed: 0x5eed,
        }
    }

    /// Runs [`Bench::load`] and reads it.
    pub fn measure(
        &self,
        server: &Server,
        workload: Workload,
        pipeline: usize,
    ) -> Result<Reading, BenchError> {
        Ok(Reading::of(&lean::run(server.address(), &self.load(server, workload, pipeline))?))
    }

    /// Writes every key of the keyspace, or every counter, once.
    pub fn fill(&self, server: &Server, workload: Workload, count: u64) -> Result<Outcome, BenchError> {
        let load = Load { span: Span::Requests(count), ..self.load(server, workload, FILL_PIPELINE) };
        lean::run(server.address(), &load)
    }

    /// The keyspace of GET, SET and MSET.
    pub fn fill_strings(&self, server: &Server) -> Result<(), BenchError> {
        let keys = self.scale.keys;
        self.fill(server, Workload::FillStrings { keys }, keys).map(drop)
    }

    /// The keyspace of INCR.
    pub fn fill_counters(&self, server: &Server) -> Result<(), BenchError> {
        let keys = self.scale.keys;
        self.fill(server, Workload::FillCounters { keys }, keys).map(drop)
    }
}
