//! What a session command may reach.

use crate::core::{Engine, LockPlan, Turn, Unit};
use crate::refusal::Refusal;
use crate::session::meter::Meter;
use crate::session::{Server, Session};
use crate::state::footprint::Overhead;
use crate::state::shard::ShardStats;

/// The unit of the transaction that a session command runs in.
pub(crate) trait InUnit {
    fn with(&mut self, run: &mut dyn FnMut(&mut Unit<'_>));
}

impl InUnit for Unit<'_> {
    fn with(&mut self, run: &mut dyn FnMut(&mut Unit<'_>)) {
        run(self);
    }
}

/// Sizes and counters of the keyspace, taken in one go.
#[derive(Clone, Default)]
pub(crate) struct Census {
    /// Keys and keys with an expiry, by client's database number.
    pub databases: Vec<(u64, u64)>,
    pub shards: ShardStats,
    pub windows: usize,
    pub unstable: usize,
    /// By client's database number.
    pub overheads: Vec<Overhead>,
}

impl Census {
    pub fn take(engine: &Engine) -> Self {
        let (shards, windows, unstable) = engine.shard_stats();
        let databases = (0..engine.databases()).map(|db| engine.db_len(db)).collect();
        let overheads = (0..engine.databases()).map(|db| engine.overhead(db)).collect();
        Census { databases, shards, windows, unstable, overheads }
    }
}

/// See the module. `'s` is the length of the call.
pub struct Call<'s> {
    pub(crate) session: &'s mut Session,
    pub(crate) server: &'s Server,
    pub(crate) meter: &'s mut Meter,
    pub(super) turn: &'s Turn,
    pub(super) unit: Option<&'s mut dyn InUnit>,
    /// Taken before a transaction locked its shards.
    pub(super) census: Option<&'s Census>,
    /// The client waits: nothing was answered.
    pub(super) waits: bool,
}

impl Call<'_> {
    pub fn engine(&self) -> &std::sync::Arc<Engine> {
        self.server.engine()
    }

    pub fn turn(&self) -> &Turn {
        self.turn
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.turn.now_ms
    }

    /// Sizes of the keyspace; inside EXEC as they were when it began.
    pub(crate) fn census(&self) -> Census {
        self.census.cloned().unwrap_or_else(|| Census::take(self.server.engine()))
    }

    /// Runs over one key of the selected database. Inside EXEC the key must be among those that
    /// [`super::transaction`] locks for this command.
    pub(crate) fn with_key<R>(&mut self, key: &[u8], run: impl FnOnce(&mut Unit<'_>) -> R) -> Option<R> {
        let (mut run, mut result) = (Some(run), None);
        let mut once = |unit: &mut Unit<'_>| result = run.take().map(|run| run(unit));
        match &mut self.unit {
            Some(unit) => unit.with(&mut once),
            None => {
                let engine = self.server.engine();
                once(&mut engine.begin(self.turn, self.session.db, LockPlan::One(engine.key_hash(key))));
            }
        }
        result
    }

    /// Inside EXEC: shards are held, and what takes all of them would wait for ever.
    pub(crate) fn in_transaction(&self) -> bool {
        self.unit.is_some()
    }

    /// The refusal for a word that is no subcommand, or one with the wrong number of arguments.
    pub(crate) fn try_help(word: &[u8], container: &str) -> Refusal {
        Refusal::Quoted(format!(
            "ERR unknown subcommand or wrong number of arguments for '{}'. Try {container} HELP.",
            String::from_utf8_lossy(&word[..word.len().min(128)])
        ))
    }
}
