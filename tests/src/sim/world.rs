//! The world: its queue of events in virtual time, and what happens at each.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::fetch::FetchRun;
use super::ledger::Ledger;
use super::link::Conn;
use super::network::Network;
use super::node::Slot;
use super::plan::Plan;
use super::transfer::Transfer;
use super::{SECOND, Summary, Us, Violation, invariants};
use crate::random::Random;
use crate::sim_disk::Stop;

/// Something that happens at a moment. `boot` names the process that it is for; a later one does not hear of it.
#[derive(Clone, Debug)]
pub enum Event {
    Start {
        slot: usize,
    },
    Client {
        slot: usize,
        boot: u64,
        client: usize,
    },
    Tick {
        slot: usize,
        boot: u64,
    },
    Sync {
        slot: usize,
        boot: u64,
    },
    Step {
        slot: usize,
        boot: u64,
        due: Us,
    },
    Dial {
        slot: usize,
        boot: u64,
    },
    /// An operator starts a node with a broken log again.
    Replace {
        slot: usize,
        boot: u64,
    },
    Greet {
        conn: u64,
    },
    GreetMax {
        conn: u64,
    },
    Hello {
        conn: u64,
        side: usize,
        bytes: Vec<u8>,
    },
    Send {
        conn: u64,
        side: usize,
        due: Us,
    },
    Arrive {
        conn: u64,
        side: usize,
    },
    Goodbye {
        conn: u64,
        side: usize,
    },
    Serve {
        fetch: u64,
    },
    Piece {
        fetch: u64,
    },
    GiveUp {
        fetch: u64,
    },
    /// A checkpoint of the peer's is needed, and carried.
    Borrow {
        conn: u64,
        side: usize,
    },
    Carry {
        transfer: u64,
    },
    /// A peer says that this node was evicted.
    Evicted {
        conn: u64,
        side: usize,
    },
    /// Somebody looks after the cluster.
    Operate,
    Fault {
        number: usize,
    },
    FaultEnds {
        number: usize,
    },
    RollOn {
        slot: usize,
        each: Us,
    },
    /// Somebody compares a node with the oracle.
    Compare {
        slot: usize,
    },
}

struct Scheduled {
    at: Us,
    order: u64,
    event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    /// The earliest is the greatest, for the heap.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

/// See the module.
pub struct World {
    pub plan: Plan,
    pub now: Us,
    queue: BinaryHeap<Scheduled>,
    order: u64,
    last_id: u64,
    pub random: Random,
    pub slots: Vec<Slot>,
    pub boots: u64,
    pub network: Network,
    pub conns: BTreeMap<u64, Conn>,
    pub fetches: BTreeMap<u64, FetchRun>,
    pub transfers: BTreeMap<u64, Transfer>,
    /// Pairs of slots, the lower first, that cannot be joined, and since when.
    pub apart: BTreeMap<(usize, usize), Us>,
    /// Members that lack what they said they have of an evicted one, and since when.
    pub awaited: BTreeMap<u64, Us>,
    /// Data directories that are gone for good.
    pub lost: BTreeSet<u64>,
    /// And those that somebody took out.
    pub evicted: BTreeSet<u64>,
    pub ledger: Ledger,
    /// Names of all clients that ever probed.
    pub names: Vec<String>,
    pub summary: Summary,
    pub violation: Option<Violation>,
    tracing: bool,
    pub trace: Vec<String>,
}

/// A run that does not end has lost its way.
const EVENTS_MAX: u64 = 2_000_000;

impl World {
    pub fn new(plan: Plan, tracing: bool) -> Self {
        let slots =
            plan.slots.iter().enumerate().map(|(at, s)| Slot::new(plan.seed, at, s.skew_ms)).collect();
        let mut world = World {
            now: 0,
            queue: BinaryHeap::new(),
            order: 0,
            last_id: 0,
            random: Random::new(plan.seed ^ 0x77_6f72_6c64),
            slots,
            boots: 0,
            network: Network::new(&plan),
            conns: BTreeMap::new(),
            fetches: BTreeMap::new(),
            transfers: BTreeMap::new(),
            apart: BTreeMap::new(),
            awaited: BTreeMap::new(),
            lost: BTreeSet::new(),
            evicted: BTreeSet::new(),
            ledger: Ledger::default(),
            names: Vec::new(),
            summary: Summary::default(),
            violation: None,
            tracing,
            trace: Vec::new(),
            plan,
        };
        for slot in 0..world.slots.len() {
            world.slots[slot].starting = true;
            world.at(world.plan.slots[slot].joins, Event::Start { slot });
            let moment = world.random.below(world.plan.length);
            world.at(moment, Event::Compare { slot });
        }
        world.at(SECOND, Event::Operate);
        for number in 0..world.plan.faults.len() {
            world.at(world.plan.faults[number].at, Event::Fault { number });
        }
        world
    }

    /// Runs both parts, or up to the first violation.
    pub fn run(&mut self) {
        let length = self.plan.length;
        self.run_until(length);
        self.heal();
        self.summary.effects = self.ledger.effects;
        self.summary.evictions = self.evicted.len() as u64;
        self.summary.late = self.ledger.late.len() as u64;
    }

    /// Runs what is due up to a moment, and stops there.
    pub fn run_until(&mut self, until: Us) {
        while self.violation.is_none() && self.queue.peek().is_some_and(|next| next.at <= until) {
            let Some(Scheduled { at, event, .. }) = self.queue.pop() else { break };
            self.now = self.now.max(at);
            let paused = self.target(&event).map_or(0, |slot| self.slots[slot].paused_until);
            if paused > self.now {
                self.at(paused, event);
                continue;
            }
            self.summary.events += 1;
            if self.summary.events > EVENTS_MAX {
                self.violate("bounds", "the run does not end".into());
            }
            self.happen(event);
        }
        if self.violation.is_none() {
            self.now = self.now.max(until);
        }
    }

    /// Puts an event into the queue; of one moment's events the first put comes first.
    pub fn at(&mut self, at: Us, event: Event) {
        self.order += 1;
        self.queue.push(Scheduled { at: at.max(self.now), order: self.order, event });
    }

    pub fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The machine on which an event happens; none for what is the world's.
    fn target(&self, event: &Event) -> Option<usize> {
        match event {
            Event::Client { slot, .. }
            | Event::Tick { slot, .. }
            | Event::Sync { slot, .. }
            | Event::Step { slot, .. }
            | Event::Dial { slot, .. } => Some(*slot),
            Event::Hello { conn, side, .. }
            | Event::Send { conn, side, .. }
            | Event::Arrive { conn, side }
            | Event::Goodbye { conn, side }
            | Event::Evicted { conn, side }
            | Event::Borrow { conn, side } => self.conns.get(conn).map(|c| c.ends[*side].slot),
            Event::Greet { conn } => self.conns.get(conn).map(|c| c.ends[0].slot),
            Event::Serve { fetch } => {
                let run = self.fetches.get(fetch)?;
                self.conns.get(&run.conn).map(|c| c.ends[1 - run.side].slot)
            }
            Event::Piece { fetch } | Event::GiveUp { fetch } => {
                let run = self.fetches.get(fetch)?;
                self.conns.get(&run.conn).map(|c| c.ends[run.side].slot)
            }
            _ => None,
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Start { slot } => self.start(slot),
            Event::Client { slot, boot, client }
                if self.is_running(slot, boot) && self.now < self.plan.length =>
            {
                self.client_turn(slot, client);
                let think = 1 + self.random.below(self.plan.think + 1);
                self.at(self.now + think, Event::Client { slot, boot, client });
            }
            Event::Tick { slot, boot } if self.is_running(slot, boot) => {
                self.tick(slot);
                let pause = self.plan.tick / 2 + self.random.below(self.plan.tick);
                self.at(self.now + pause, Event::Tick { slot, boot });
            }
            Event::Sync { slot, boot } if self.is_running(slot, boot) => {
                self.sync(slot);
                self.at(self.now + self.plan.sync, Event::Sync { slot, boot });
            }
            Event::Step { slot, boot, due } if self.is_running(slot, boot) => self.step(slot, due),
            Event::Dial { slot, boot } if self.is_running(slot, boot) => self.dial(slot),
            Event::Replace { slot, boot } if self.is_running(slot, boot) => {
                self.crash(slot, Stop::Kill);
                self.start(slot);
            }
            Event::Greet { conn } => self.greet(conn),
            Event::GreetMax { conn } => self.drop_greeting(conn),
            Event::Hello { conn, side, bytes } => self.hello(conn, side, bytes),
            Event::Send { conn, side, due } => self.send(conn, side, due),
            Event::Arrive { conn, side } => self.arrive(conn, side),
            Event::Goodbye { conn, side } => self.goodbye(conn, side),
            Event::Serve { fetch } => self.serve(fetch),
            Event::Piece { fetch } => self.piece(fetch),
            Event::GiveUp { fetch } => self.give_up(fetch),
            Event::Borrow { conn, side } => self.borrow(conn, side),
            Event::Carry { transfer } => self.carry(transfer),
            Event::Evicted { conn, side } => self.told_evicted(conn, side),
            Event::Operate => self.operate(),
            Event::Fault { number } => self.begin_fault(number),
            Event::FaultEnds { number } => self.end_fault(number),
            Event::RollOn { slot, each } => self.roll_on(slot, each),
            Event::Compare { slot } => invariants::convergence::compare(self, slot),
            // For a process that is gone.
            _ => {}
        }
    }

    /// The first violation counts; the run ends with it.
    pub fn violate(&mut self, invariant: &'static str, text: String) {
        self.note(|| format!("VIOLATION of {invariant}: {text}"));
        if self.violation.is_none() {
            self.violation = Some(Violation { invariant, text, at: self.now });
        }
    }

    /// A line of the trace.
    pub fn note(&mut self, line: impl FnOnce() -> String) {
        if self.tracing {
            self.trace.push(format!("{:>9.4} {}", self.now as f64 / 1e6, line()));
        }
    }
}
