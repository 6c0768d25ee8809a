//! A machine and the node that runs on it: starts, stops, crashes, upkeep.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use beacon::Registry;
use engine::core::{CheckpointPolicy, Engine, EngineConfig, Fsync, OpenError};
use engine::log::LogPosition;
use engine::replication::Replica;
use engine::session::{Config, Host, Lane, ProcessFacts, ProcessUsage, Server, ShutdownRequest};
use proto::{Frontier, NodeId, Seq};

use super::client::Client;
use super::clock::Clock;
use super::invariants::{self, Watched};
use super::link::SimLink;
use super::world::{Event, World};
use super::{MS, SECOND, Us};
use crate::random::Random;
use crate::sim_disk::{SimDisk, Stop};

/// Databases of every node.
pub const DATABASES: u32 = 2;

/// A machine: what outlives the processes on it.
pub struct Slot {
    pub addr: String,
    pub socket: SocketAddr,
    pub disk: SimDisk,
    pub clock: Clock,
    pub process: Option<Process>,
    pub boots: u64,
    pub paused_until: Us,
    /// A start is under way or to come.
    pub starting: bool,
    /// What the log holds, and how much of that survives a power cut.
    pub logged: Frontier,
    pub durable: Frontier,
    /// How the last process ended.
    pub stopped_by: Option<Ended>,
    /// The disk returns something else than was written.
    pub damaged: bool,
    /// So it was at a start, which read only what it needed.
    pub doubted: bool,
    /// The next start is interrupted in the middle of this disk operation.
    pub interrupt_start: Option<u64>,
    /// A crash was ordered for the middle of an operation: how, and for how long.
    pub stop_in_operation: Option<(Stop, Us)>,
    /// A peer's checkpoint was there at a start that may not have come to its end.
    pub borrowed: bool,
    /// The data directory's id, once a node has opened it.
    pub directory: Option<u64>,
    /// What invariants remember of this directory.
    pub watched: Watched,
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    Cleanly,
    /// In the middle of a clean stop: it may have been done already.
    Closing,
    Crashed(Stop),
}

/// A running node.
pub struct Process {
    /// Unique in the run.
    pub boot: u64,
    pub engine: Arc<Engine>,
    pub server: Server,
    pub lane: Lane,
    pub host: Arc<SimHost>,
    pub clients: Vec<Client>,
    pub registry: Registry<SimLink>,
    pub random: Random,
    /// The log is read up to here by the invariants.
    pub tail: LogPosition,
    /// A NACK step is scheduled for then.
    pub step_at: Option<Us>,
    /// By origin: whose stream brings its effects, over which link.
    pub carried: BTreeMap<NodeId, (NodeId, u64)>,
    /// Per slot: it refused us, not dialled again before.
    pub refused_until: Vec<Us>,
    pub refusals: u32,
    /// An operator has seen that the log is broken.
    pub doomed: bool,
    /// A checkpoint that is fetched, or is here.
    pub transfer: Option<u64>,
    /// News of evictions that the links were looked through for.
    pub evictions: u64,
}

/// The process as its sessions see it.
pub struct SimHost {
    facts: ProcessFacts,
    wall_ms: AtomicU64,
    monotonic_us: AtomicU64,
}

impl Host for SimHost {
    fn facts(&self) -> &ProcessFacts {
        &self.facts
    }

    fn usage(&self) -> ProcessUsage {
        ProcessUsage::default()
    }

    fn allocated(&self) -> u64 {
        0
    }

    fn release_memory(&self) {}

    fn monotonic_us(&self) -> u64 {
        self.monotonic_us.load(Relaxed)
    }

    fn unix_us(&self) -> u64 {
        self.wall_ms.load(Relaxed) * 1000
    }

    fn sleep_us(&self, _us: u64) {}

    fn shutdown(&self, _request: ShutdownRequest) {}

    fn wake(&self, _reactor: usize) {}

    fn killed(&self, _reactor: usize) {}

    fn links(&self) -> Vec<String> {
        Vec::new()
    }

    fn configured(&self, _name: &str, _value: &str) {}
}

impl SimHost {
    pub fn set(&self, wall_ms: u64, now: Us) {
        self.wall_ms.store(wall_ms, Relaxed);
        self.monotonic_us.store(now, Relaxed);
    }
}

impl Slot {
    pub fn new(seed: u64, at: usize, skew_ms: i64) -> Self {
        let addr = format!("10.0.0.{}:7379", at + 1);
        Slot {
            socket: addr.parse().expect("an address"),
            addr,
            disk: SimDisk::new(seed.wrapping_mul(31) + at as u64),
            clock: Clock::new(skew_ms),
            process: None,
            boots: 0,
            paused_until: 0,
            starting: false,
            logged: Frontier::new(),
            durable: Frontier::new(),
            stopped_by: None,
            damaged: false,
            doubted: false,
            interrupt_start: None,
            stop_in_operation: None,
            borrowed: false,
            directory: None,
            watched: Watched::default(),
        }
    }
}

impl World {
    pub fn engine(&self, slot: usize) -> Option<Arc<Engine>> {
        self.slots[slot].process.as_ref().map(|p| p.engine.clone())
    }

    pub fn is_running(&self, slot: usize, boot: u64) -> bool {
        self.slots[slot].process.as_ref().is_some_and(|p| p.boot == boot)
    }

    pub fn wall_ms(&self, slot: usize) -> u64 {
        self.slots[slot].clock.wall_ms(self.now)
    }

    /// Starts the node of a slot from what its disk holds.
    pub fn start(&mut self, slot: usize) {
        self.slots[slot].starting = false;
        if self.slots[slot].process.is_some() {
            return;
        }
        self.boots += 1;
        let boot = self.boots;
        let plan = &self.plan;
        let at = &mut self.slots[slot];
        at.boots += 1;
        let mut random = Random::new(plan.seed ^ boot << 40 ^ (slot as u64) << 32);
        let config = EngineConfig {
            databases: DATABASES,
            fsync: plan.slots[slot].fsync,
            region: format!("r{}", plan.slots[slot].region),
            addr: at.addr.clone(),
            expects_peers: true,
            random_seed: random.number(),
            segment_bytes: plan.segment_bytes,
            horizon_bytes_max: plan.horizon_bytes,
            ..EngineConfig::default()
        };
        let interrupted = at.interrupt_start.take();
        if let Some(operation) = interrupted {
            at.disk.stop_at(operation);
        }
        let mut ids = random.clone();
        at.borrowed |= at.disk.names().iter().any(|name| name == "INCOMING");
        let borrowed = at.borrowed;
        let opened = Engine::open(config, at.disk.mount(), &mut || ids.number() | 1);
        if at.disk.stopped() {
            drop(opened);
            let stop = if random.index(2) == 0 { Stop::Kill } else { Stop::PowerCut };
            self.note(|| format!("n{slot} stops while it starts"));
            self.stop_machine(slot, stop);
            return self.start_after(slot, 50 * MS);
        }
        let engine = match opened {
            Ok((engine, _)) => engine,
            Err(error) => return self.refused_to_open(slot, &error),
        };
        let wall_ms = self.wall_ms(slot);
        let host = Arc::new(SimHost {
            facts: ProcessFacts::default(),
            wall_ms: AtomicU64::new(wall_ms),
            monotonic_us: AtomicU64::new(self.now),
        });
        let server = Server::new(engine.clone(), host.clone(), Config::default(), wall_ms);
        // After the settings of a server, which are those of a node.
        engine.set_checkpoint_policy(CheckpointPolicy {
            log_bytes: self.plan.checkpoint_bytes,
            interval_s: 0,
            retention_bytes: self.plan.retention_bytes,
            absent_bytes: self.plan.absent_bytes,
            points: Vec::new(),
        });
        let clients =
            (0..self.plan.slots[slot].clients).map(|c| Client::new(&server, boot, c, wall_ms)).collect();
        self.note(|| format!("n{slot} starts as {} with {:?}", engine.node(), engine.frontier()));
        self.slots[slot].process = Some(Process {
            boot,
            engine: engine.clone(),
            server,
            lane: Lane::default(),
            host,
            clients,
            registry: Registry::default(),
            random: Random::new(random.number()),
            tail: LogPosition(0),
            step_at: None,
            carried: BTreeMap::new(),
            refused_until: vec![0; self.slots.len()],
            refusals: 0,
            doomed: false,
            transfer: None,
            evictions: 0,
        });
        self.summary.starts += 1;
        let member = engine.member();
        self.slots[slot].watched.restart();
        // Not what it presents itself as, if it was evicted.
        let directory = engine.log().map_or(member.directory, |log| log.identity().directory);
        let unused = self.ledger.begin(engine.node(), slot, directory, boot);
        let damaged = self.slots[slot].damaged;
        self.slots[slot].borrowed = false;
        invariants::started(self, slot, unused, borrowed);
        self.slots[slot].directory = Some(directory);
        self.look(slot);
        if self.slots[slot].process.is_none() {
            return;
        }
        if damaged {
            self.slots[slot].durable = self.slots[slot].logged.clone();
            self.note_losses(slot);
            self.excuse_losses();
        }
        if self.plan.introduced {
            self.introduce(slot);
        }
        self.schedule_upkeep(slot, boot);
    }

    /// Everybody who runs knows of everybody else who runs.
    fn introduce(&mut self, slot: usize) {
        if self.slots[slot].boots > 1 || self.now >= self.plan.length {
            return;
        }
        let members: Vec<_> =
            self.slots.iter().filter_map(|s| Some(s.process.as_ref()?.engine.member())).collect();
        for at in 0..self.slots.len() {
            if let Some(engine) = self.engine(at) {
                members.iter().for_each(|m| _ = engine.learn(m));
                self.look(at);
            }
        }
    }

    fn schedule_upkeep(&mut self, slot: usize, boot: u64) {
        let tick = self.random.below(self.plan.tick);
        let sync = self.random.below(self.plan.sync);
        self.at(self.now + tick, Event::Tick { slot, boot });
        self.at(self.now + sync, Event::Sync { slot, boot });
        self.at(self.now + 1, Event::Dial { slot, boot });
        self.schedule_step(slot, self.now + self.plan.step);
        for client in 0..self.plan.slots[slot].clients {
            let think = self.random.below(self.plan.think + 1);
            self.at(self.now + think, Event::Client { slot, boot, client });
        }
    }

    /// The start failed: rightly only when the disk is damaged, and then by the name of a file.
    fn refused_to_open(&mut self, slot: usize, error: &OpenError) {
        let text = error.to_string();
        self.note(|| format!("n{slot} does not start: {text}"));
        if self.slots[slot].disk.is_limited() {
            // Nothing is wrong with what is there.
            return self.start_after(slot, SECOND / 2);
        }
        if !self.slots[slot].damaged && !self.slots[slot].doubted {
            return self.violate("durability", format!("n{slot} does not start on a sound disk: {text}"));
        }
        let named = self.slots[slot].disk.names().iter().any(|name| text.contains(name.as_str()));
        if !named {
            return self
                .violate("durability", format!("n{slot} is damaged, and the error names no file: {text}"));
        }
        self.wipe(slot);
        self.start_after(slot, SECOND);
    }

    /// Damage that a start did not see is found by whoever reads more, by the name of the file: the directory is given up. False when
    /// there can be none.
    pub fn gives_up_damaged(&mut self, slot: usize, error: &str) -> bool {
        // A disk without room refuses by itself, unless it says what it read.
        let refuses = self.slots[slot].disk.is_limited() && !error.contains("is damaged");
        if !self.slots[slot].doubted || refuses {
            return false;
        }
        self.note(|| format!("n{slot} is damaged behind its checkpoint: {error}"));
        self.crash(slot, Stop::Kill);
        self.wipe(slot);
        self.start_after(slot, SECOND);
        true
    }

    pub fn start_after(&mut self, slot: usize, pause: Us) {
        self.slots[slot].starting = true;
        self.at(self.now + pause, Event::Start { slot });
    }

    /// The directory is lost; what is there now is empty.
    pub fn wipe(&mut self, slot: usize) {
        self.note(|| format!("n{slot} loses its directory"));
        let seed = self.random.number();
        let at = &mut self.slots[slot];
        at.disk = SimDisk::new(seed);
        at.damaged = false;
        at.doubted = false;
        at.borrowed = false;
        at.logged = Frontier::new();
        at.durable = Frontier::new();
        at.stopped_by = None;
        at.watched = Watched::default();
        self.lost.extend(at.directory.take());
        self.ledger.origins.values_mut().filter(|o| o.slot == slot).for_each(|o| o.kept = Some(Seq(0)));
        self.excuse_losses();
    }

    /// A clean stop with a goodbye. Without room for it, the process ends as by a kill.
    pub fn stop_cleanly(&mut self, slot: usize) {
        let Some(engine) = self.engine(slot) else { return };
        let closed = engine.end_turn().is_ok()
            && engine.log().is_some_and(|log| log.close_clean().is_ok())
            && !self.slots[slot].disk.stopped();
        self.look(slot);
        if !closed {
            self.crash(slot, Stop::Kill);
            self.slots[slot].stopped_by = Some(Ended::Closing);
            return;
        }
        self.note(|| format!("n{slot} stops"));
        self.slots[slot].durable = self.slots[slot].logged.clone();
        self.say_goodbye(slot);
        self.end_process(slot);
        self.slots[slot].disk.restart(Stop::Kill);
        self.slots[slot].stopped_by = Some(Ended::Cleanly);
    }

    /// The process is gone at once; with a power cut also what was not synced.
    pub fn crash(&mut self, slot: usize, stop: Stop) {
        if self.slots[slot].process.is_none() {
            return;
        }
        self.note(|| format!("n{slot} {stop:?}"));
        self.end_process(slot);
        self.slots[slot].stopped_by = Some(Ended::Crashed(stop));
        self.stop_machine(slot, stop);
    }

    /// What the disk goes on with. A start that was interrupted has written nothing for anybody yet.
    fn stop_machine(&mut self, slot: usize, stop: Stop) {
        let at = &mut self.slots[slot];
        at.disk.restart(stop);
        if stop == Stop::PowerCut {
            at.logged = at.durable.clone();
        }
        if stop == Stop::PowerCut {
            self.note_losses(slot);
            self.excuse_losses();
        }
    }

    /// Of what was written here, the machine kept what it has now.
    fn note_losses(&mut self, slot: usize) {
        let logged = &self.slots[slot].logged;
        for (node, origin) in self.ledger.origins.iter_mut().filter(|(_, o)| o.slot == slot) {
            origin.kept = Some(logged.seq(*node));
        }
    }

    fn end_process(&mut self, slot: usize) {
        self.abandon_links(slot);
        self.slots[slot].process = None;
        self.slots[slot].paused_until = 0;
    }

    /// What no disk holds any more need not come back.
    fn excuse_losses(&mut self) {
        for (node, origin) in &mut self.ledger.origins {
            let held = self.slots.iter().map(|s| s.logged.seq(*node)).max().unwrap_or_default();
            origin.acknowledged = origin.acknowledged.min(held);
        }
    }

    /// One round of housekeeping, as `cmd`'s threads do it.
    pub fn tick(&mut self, slot: usize) {
        let Some(engine) = self.engine(slot) else { return };
        let wall_ms = self.wall_ms(slot);
        engine.tick(wall_ms);
        if self.random.index(3) == 0 {
            // Looks at every shard.
            engine.expire_step(wall_ms, 2000);
        }
        engine.prune_step();
        self.look(slot);
        if engine.has_failed() {
            self.note(|| format!("n{slot} could not work its state out again"));
            if self.gives_up_damaged(slot, "the state could not be worked out again") {
                return;
            }
            self.crash(slot, Stop::Kill);
            return self.start_after(slot, SECOND / 2);
        }
        if engine.wants_restart() {
            return self.start_again(slot);
        }
        // A refusal is met again at the next tick.
        let _ = engine.late_step(&engine.turn(wall_ms));
        self.look(slot);
        if engine.checkpoint_due(wall_ms) {
            self.checkpoint(slot, u64::MAX);
        }
        self.notice_broken_log(slot);
        self.end_silent_links(slot);
        self.plan_streams(slot);
    }

    /// The log is made durable once in a while.
    pub fn sync(&mut self, slot: usize) {
        let Some(engine) = self.engine(slot) else { return };
        if engine.fsync() != Fsync::EverySecond {
            return;
        }
        let logged = self.slots[slot].logged.clone();
        if engine.log().is_some_and(|log| log.sync().is_ok()) {
            self.slots[slot].durable = logged;
        }
        self.notice_broken_log(slot);
    }

    /// A machine that stopped in the middle of an operation is down; a broken log brings an operator, later.
    pub fn notice_broken_log(&mut self, slot: usize) {
        if self.slots[slot].disk.stopped() {
            let (stop, down) = self.slots[slot].stop_in_operation.take().unwrap_or((Stop::Kill, SECOND));
            self.crash(slot, stop);
            return self.start_after(slot, down);
        }
        let Some(process) = &mut self.slots[slot].process else { return };
        if process.engine.log().is_some_and(|log| log.is_poisoned()) && !process.doomed {
            process.doomed = true;
            let (boot, pause) = (process.boot, 100 * MS + process.random.below(2 * SECOND));
            self.note(|| format!("n{slot}'s log is broken"));
            self.at(self.now + pause, Event::Replace { slot, boot });
        }
    }
}
