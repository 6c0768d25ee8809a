//! Links between nodes: dialled, agreed on by Hello, then an ordered stream each way until one end goes.
//!
//! Decisions are beacon's ([`Hello::judge`], [`beacon::Registry`], [`AckPacer`]); what QUIC and tokio do is the world's:
//! messages of a stream arrive in order or not at all, a gone end is noticed by a goodbye or by silence.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use beacon::acks::AckPacer;
use beacon::cursors::Cursors;
use beacon::frame::{self, Frame, Packer};
use beacon::hello::{self, Hello};
use beacon::relay::{self, Peer, View};
use beacon::{Admitted, Linked, SILENT};
use engine::effect::batch::parse_header;
use engine::replication::standing::{Position, Standing};
use engine::replication::{Member, Received, Replica, ReplicaError};
use proto::{Frontier, NodeId, Seq};

use super::world::{Event, World};
use super::{MS, SECOND, Us};

/// An end that heard nothing, or was not heard, for so long gives up.
const SILENCE_MAX: Us = 5 * SECOND;
/// Between a node's looks at whom to dial.
const DIAL_PACE: Us = 450 * MS;
/// While busy, appends are collected for so long.
const LINGER: Us = MS;
/// A packet that met a cut is sent again after so long.
const RETRANSMIT: Us = 150 * MS;

/// One end's view of a link, as its node's registry keeps it.
pub struct SimLink {
    id: u64,
    peer: Member,
    process: u64,
    remote: SocketAddr,
    dialled: bool,
    pub conn: u64,
    pub side: usize,
    open: AtomicBool,
    /// As of the last look.
    silent_us: AtomicU64,
}

impl Linked for SimLink {
    fn id(&self) -> u64 {
        self.id
    }

    fn peer(&self) -> &Member {
        &self.peer
    }

    fn process(&self) -> u64 {
        self.process
    }

    fn remote(&self) -> SocketAddr {
        self.remote
    }

    fn dialled(&self) -> bool {
        self.dialled
    }

    fn is_open(&self) -> bool {
        self.open.load(Relaxed)
    }

    fn silent_for(&self) -> Duration {
        Duration::from_micros(self.silent_us.load(Relaxed))
    }
}

/// Messages on their way in one direction, in order.
#[derive(Default)]
pub struct Channel {
    queue: VecDeque<(Us, Vec<u8>)>,
    pub stalled_until: Us,
    scheduled: bool,
}

/// A connection: side 0 dialled.
pub struct Conn {
    pub ends: [End; 2],
}

pub struct End {
    pub slot: usize,
    pub boot: u64,
    pub state: EndState,
    /// When it closed.
    closed_at: Us,
    begun: Us,
    cursors: Option<Cursors>,
    acks: Option<AckPacer>,
    packer: Packer,
    told: Vec<Member>,
    told_evictions: u64,
    /// What its Hello said of its log.
    said: Position,
    /// The directory that this end said it is.
    said_as: u64,
    /// Whether the log of each has what the other lacks.
    standing: Standing,
    /// What the peer says of itself.
    reaches: BTreeSet<NodeId>,
    peer_shown: Frontier,
    /// Streams that it asked for and that the sender has not taken over yet.
    asked: Option<BTreeMap<NodeId, Seq>>,
    /// What it is to be told: whom we reach, whose effects we take from it.
    outbox: Outbox,
    send_at: Option<Us>,
    /// Towards this end.
    pub inbox: Channel,
    /// The next batches that arrive here are damaged, by this seed.
    pub flip: Option<u64>,
}

#[derive(Default)]
struct Outbox {
    reaches: BTreeSet<NodeId>,
    wanted: BTreeSet<NodeId>,
    reaches_due: bool,
    wanted_due: bool,
}

/// A batch was not taken.
#[derive(Debug)]
pub struct Refusal {
    text: String,
    /// The link is to be judged anew.
    pub begins_again: bool,
}

impl From<String> for Refusal {
    fn from(text: String) -> Self {
        Refusal { text, begins_again: false }
    }
}

impl From<ReplicaError> for Refusal {
    fn from(error: ReplicaError) -> Self {
        let begins_again = matches!(error, ReplicaError::Unmergeable(_));
        Refusal { text: error.to_string(), begins_again }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

pub enum EndState {
    Greeting,
    Up(Arc<SimLink>),
    Closed,
}

impl End {
    fn new(slot: usize, boot: u64) -> Self {
        End {
            slot,
            boot,
            state: EndState::Greeting,
            closed_at: 0,
            begun: 0,
            cursors: None,
            acks: None,
            packer: Packer::new(false),
            told: Vec::new(),
            told_evictions: 0,
            said: Position::default(),
            said_as: 0,
            standing: Standing::Level,
            reaches: BTreeSet::new(),
            peer_shown: Frontier::new(),
            asked: None,
            // The first word is said even if it is that nothing is wanted.
            outbox: Outbox { wanted_due: true, ..Outbox::default() },
            send_at: None,
            inbox: Channel::default(),
            flip: None,
        }
    }

    pub fn is_closed(&self) -> bool {
        matches!(self.state, EndState::Closed)
    }

    pub fn link(&self) -> Option<&Arc<SimLink>> {
        match &self.state {
            EndState::Up(link) => Some(link),
            _ => None,
        }
    }
}

impl World {
    /// Tries every address that has no healthy link.
    pub fn dial(&mut self, slot: usize) {
        self.refresh_silence(slot);
        let Some(process) = &self.slots[slot].process else { return };
        let own = process.engine.member();
        let members = process.engine.members();
        let boot = process.boot;
        // Slots that start later are learned of through the others.
        let joins = |at: usize| self.plan.slots[at].joins <= 20 * MS;
        let mut targets = Vec::new();
        for target in (0..self.slots.len()).filter(|t| *t != slot) {
            let there = &self.slots[target];
            let of_addr: Vec<&Member> =
                members.iter().filter(|m| m.addr == there.addr && m.directory != own.directory).collect();
            let linked = process.registry.is_linked(&there.addr)
                || of_addr.iter().any(|m| process.registry.is_linked_directory(m.directory))
                || process.registry.needs_no_dial(there.socket);
            let wanted = joins(target) || !of_addr.is_empty();
            if wanted && !linked && process.refused_until[target] <= self.now {
                targets.push(target);
            }
        }
        for target in targets {
            let through = !self.network.is_cut(slot, target) && !self.network.is_cut(target, slot);
            let Some(there) = &self.slots[target].process else { continue };
            let there_boot = there.boot;
            let socket = self.slots[target].socket;
            let turn = self.slots[slot].process.as_mut().is_some_and(|p| through && p.registry.greet(socket));
            if !turn {
                continue;
            }
            let id = self.next_id();
            self.conns.insert(id, Conn { ends: [End::new(slot, boot), End::new(target, there_boot)] });
            let set_up = self.network.travel(slot, target) + self.network.travel(target, slot);
            self.at(self.now + set_up, Event::Greet { conn: id });
            self.at(self.now + 5 * SECOND, Event::GreetMax { conn: id });
        }
        let pace = DIAL_PACE - self.random.below(DIAL_PACE / 4);
        self.at(self.now + pace, Event::Dial { slot, boot });
    }

    fn hello_of(&self, slot: usize) -> Option<Hello> {
        let process = self.slots[slot].process.as_ref()?;
        let replica = &process.engine;
        Some(Hello {
            version_min: hello::VERSION_MIN,
            version_max: hello::VERSION_MAX,
            features: hello::FEATURES,
            member: replica.member(),
            position: replica.position(),
            evictions: replica.evictions(),
            members: replica.members(),
            hlc: replica.hlc(),
            process: process.boot,
            cluster_level: replica.feature_level(),
        })
    }

    /// The connection is set up: the dialler says Hello.
    pub fn greet(&mut self, conn: u64) {
        let Some(ends) = self.conns.get(&conn).map(|c| &c.ends) else { return };
        let (from, to) = (ends[0].slot, ends[1].slot);
        if ends.iter().any(|e| e.is_closed() || !self.is_running(e.slot, e.boot))
            || self.network.is_cut(from, to)
        {
            return self.drop_greeting(conn);
        }
        let Some(ours) = self.hello_of(from) else { return };
        self.end(conn, 0, |end| (end.said, end.said_as) = (ours.position.clone(), ours.member.directory));
        let travel = self.network.travel(from, to);
        self.at(self.now + travel, Event::Hello { conn, side: 1, bytes: ours.encode() });
    }

    /// Nothing came of it.
    pub fn drop_greeting(&mut self, conn: u64) {
        let greeting = |e: &End| matches!(e.state, EndState::Greeting);
        if self.conns.get(&conn).is_some_and(|c| c.ends.iter().any(greeting)) {
            for side in [0, 1] {
                self.close_end(conn, side, true);
            }
        }
    }

    /// A Hello arrived: it is judged, and the link admitted or refused.
    pub fn hello(&mut self, conn: u64, side: usize, bytes: Vec<u8>) {
        let Some(here) = self.conns.get(&conn).map(|c| &c.ends[side]) else { return };
        let (slot, boot) = (here.slot, here.boot);
        let other = self.conns[&conn].ends[1 - side].slot;
        if !matches!(here.state, EndState::Greeting) || !self.is_running(slot, boot) {
            return;
        }
        if self.network.is_cut(other, slot) {
            return self.at(self.now + RETRANSMIT, Event::Hello { conn, side, bytes });
        }
        let Some(ours) = self.hello_of(slot) else { return };
        let wall_ms = self.wall_ms(slot);
        let judged =
            Hello::decode(bytes.into()).and_then(|theirs| theirs.judge(&ours, wall_ms).map(|_| theirs));
        let theirs = match judged {
            Ok(theirs) => theirs,
            Err(refused) => {
                self.note(|| format!("n{slot} refuses n{other}: {refused}"));
                self.refused(slot, other);
                self.refused(other, slot);
                self.close_end(conn, 1 - side, false);
                return self.close_end(conn, side, false);
            }
        };
        if side == 1 {
            self.end(conn, side, |end| {
                (end.said, end.said_as) = (ours.position.clone(), ours.member.directory)
            });
        }
        if self.admit(conn, side, theirs) && side == 1 {
            let travel = self.network.travel(slot, other);
            self.at(self.now + travel, Event::Hello { conn, side: 0, bytes: ours.encode() });
        }
    }

    pub fn refused(&mut self, slot: usize, by: usize) {
        let now = self.now;
        if let Some(process) = &mut self.slots[slot].process {
            process.refusals += 1;
            let pause = (DIAL_PACE << process.refusals.min(4)).min(5 * SECOND);
            process.refused_until[by] = now + pause;
        }
    }

    /// As `beacon::link::admit`: the registry decides, the replica is told.
    fn admit(&mut self, conn: u64, side: usize, theirs: Hello) -> bool {
        self.refresh_silence(self.conns[&conn].ends[side].slot);
        let (slot, other) = (self.conns[&conn].ends[side].slot, self.conns[&conn].ends[1 - side].slot);
        let id = self.next_id();
        let now_ms = self.now / 1000;
        let remote = self.slots[other].socket;
        let Some(process) = &mut self.slots[slot].process else { return false };
        let engine = process.engine.clone();
        let own = engine.member();
        let said = self.conns[&conn].ends[side].said.clone();
        let peer_has = theirs.position.shown.seq(own.node);
        let ours = engine.ack().own;
        if peer_has > ours {
            self.violate(
                "identity",
                format!("n{other} has {peer_has} effects of n{slot}, whose log ends at {ours}"),
            );
            return false;
        }
        if let Err(error) = Replica::learn_evictions(&*engine, &theirs.evictions) {
            self.note(|| format!("n{slot} cannot write who is evicted: {error}"));
            self.close_end(conn, side, true);
            return false;
        }
        if Replica::is_evicted(&*engine, theirs.member.directory) {
            self.close_evicted(conn, side);
            return false;
        }
        let Some(process) = &mut self.slots[slot].process else { return false };
        let link = Arc::new(SimLink {
            id,
            peer: theirs.member.clone(),
            process: theirs.process,
            remote,
            dialled: side == 0,
            conn,
            side,
            open: AtomicBool::new(true),
            silent_us: AtomicU64::new(0),
        });
        let standing;
        match process.registry.admit(own.node, &link) {
            Admitted::Yes { replaced } => {
                if let Some(old) = replaced {
                    if old.peer.node != link.peer.node {
                        engine.peer_down(old.peer.node, now_ms);
                    }
                    self.close_end(old.conn, old.side, true);
                }
                standing = engine.peer_up(&link.peer, &said, &theirs.position, now_ms);
                if standing == Standing::Apart {
                    if let Some(process) = &mut self.slots[slot].process {
                        process.registry.remove(&link);
                    }
                    self.close_end(conn, side, true);
                    self.apart(slot, other);
                    return false;
                }
                self.apart.remove(&(slot.min(other), slot.max(other)));
                theirs.members.iter().for_each(|m| _ = engine.learn(m));
            }
            Admitted::AlreadyLinked => {
                let socket = self.slots[slot].socket;
                if let Some(process) = &mut self.slots[other].process {
                    process.registry.answer(socket, own.node);
                }
                self.close_end(conn, side, true);
                return false;
            }
            Admitted::Duplicate { .. } => {
                // The peer's earlier process has the same id: it stopped cleanly, and its link is not silent for long enough yet.
                self.close_end(conn, side, true);
                return false;
            }
        }
        if side == 0
            && let Some(process) = &mut self.slots[slot].process
        {
            process.registry.greeted(remote);
            process.refusals = 0;
        }
        self.note(|| format!("n{slot} linked to n{other}, which has {peer_has} of ours"));
        let far = !self.network.is_same_region(slot, other) && self.plan.seed.is_multiple_of(8);
        let now = self.now;
        let Some(end) = self.conns.get_mut(&conn).map(|c| &mut c.ends[side]) else { return false };
        end.state = EndState::Up(link);
        end.begun = now;
        // Every node of a run knows of streams on request.
        end.cursors = Some(Cursors::new(own.node, None));
        end.peer_shown = theirs.position.shown;
        end.acks = Some(AckPacer::new(own.node));
        end.packer = Packer::new(far);
        end.standing = standing;
        self.schedule_send(conn, side, now);
        self.schedule_arrival(conn, side, now);
        if !standing.is_level() {
            self.note(|| format!("n{slot} is {standing:?} of n{other}"));
        }
        if let Standing::Behind { .. } = standing {
            self.at(now, Event::Borrow { conn, side });
        }
        self.plan_streams(slot);
        self.look(slot);
        true
    }

    /// Wakes the senders of a node soon: its log or frontier grew.
    pub fn wake_senders(&mut self, slot: usize) {
        let Some(process) = &self.slots[slot].process else { return };
        let ends: Vec<(u64, usize)> = process.registry.links().map(|l| (l.conn, l.side)).collect();
        for (conn, side) in ends {
            self.schedule_send(conn, side, self.now + LINGER);
        }
    }

    fn schedule_send(&mut self, conn: u64, side: usize, at: Us) {
        let Some(end) = self.conns.get_mut(&conn).map(|c| &mut c.ends[side]) else { return };
        if end.send_at.is_none_or(|due| due > at) {
            end.send_at = Some(at);
            self.at(at, Event::Send { conn, side, due: at });
        }
    }

    /// One round of `beacon::link::send`.
    pub fn send(&mut self, conn: u64, side: usize, due: Us) {
        let now = self.now;
        let Some(end) = self.conns.get_mut(&conn).map(|c| &mut c.ends[side]) else { return };
        if end.send_at != Some(due) {
            return;
        }
        end.send_at = None;
        let (slot, boot) = (end.slot, end.boot);
        let Some(engine) = self.engine(slot).filter(|_| self.is_running(slot, boot)) else { return };
        let (chunk_bytes, mut out) = (self.plan.chunk_bytes, Vec::new());
        let Some(end) = self.conns.get_mut(&conn).map(|c| &mut c.ends[side]) else { return };
        let (EndState::Up(_), Some(acks), Some(cursors)) = (&end.state, &mut end.acks, &mut end.cursors)
        else {
            return;
        };
        if let Some(asked) = end.asked.take() {
            cursors.replace(asked);
        }
        let shown = engine.frontier();
        if std::mem::take(&mut end.outbox.reaches_due) {
            frame::put_reaches(&mut out, &end.outbox.reaches);
        }
        if std::mem::take(&mut end.outbox.wanted_due) {
            let streams = end.outbox.wanted.iter().map(|origin| (*origin, shown.seq(*origin))).collect();
            frame::put_streams(&mut out, &streams);
        }
        let mut messages: Vec<Vec<u8>> = Vec::new();
        let version = Replica::evictions_version(&*engine);
        if version != end.told_evictions {
            end.told_evictions = version;
            frame::put_evictions(&mut out, &Replica::evictions(&*engine));
        }
        if !out.is_empty() {
            messages.push(std::mem::take(&mut out));
        }
        let ack = engine.ack();
        let (mut more, mut unreadable) = (false, None);
        let withholds = engine.withholds();
        let lacks = || !end.peer_shown.covers(&engine.position().dropped);
        let idle = matches!(end.standing, Standing::Ahead { .. }) && lacks() || withholds;
        for (origin, cursor) in cursors.iter_mut().filter(|_| !idle) {
            let newest = if origin == engine.node() { ack.own } else { ack.applied.seq(origin) };
            if newest <= *cursor {
                continue;
            }
            let mut group = Vec::new();
            match engine.read_log(origin, *cursor, chunk_bytes, &mut group) {
                Ok(last) => {
                    if let Some(last) = last.filter(|last| *last > *cursor) {
                        end.packer.put_batches(&mut out, &group);
                        messages.push(std::mem::take(&mut out));
                        *cursor = last;
                        more |= group.len() >= chunk_bytes / 2;
                    }
                }
                Err(error) => unreadable = Some(error),
            }
        }
        let upto = cursors.own();
        if let Some(error) = unreadable {
            self.note(|| format!("n{slot} cannot read its log: {error}"));
            if matches!(error, ReplicaError::Log(_)) && self.gives_up_damaged(slot, &error.to_string()) {
                return;
            }
            return self.close_end(conn, side, true);
        }
        let since = Duration::from_micros(now - end.begun);
        let wake = acks.consider(ack, since);
        let due = if withholds { None } else { acks.take(upto, since) };
        if let Some(ack) = due {
            let members = engine.members();
            if members != end.told {
                frame::put_members(&mut out, &members);
                end.told = members;
                acks.renew();
                more = true;
            } else {
                frame::put_ack(&mut out, &ack);
            }
        }
        let next = if more { now + 10 } else { end.begun + wake.as_micros() as Us };
        for message in messages.into_iter().chain((!out.is_empty()).then_some(out)) {
            self.post(conn, side, message);
        }
        self.schedule_send(conn, side, next.max(now + 10));
    }

    /// Puts a message on the stream that leaves `side`.
    fn post(&mut self, conn: u64, side: usize, message: Vec<u8>) {
        let now = self.now;
        let Some(ends) = self.conns.get(&conn).map(|c| &c.ends) else { return };
        let (from, to) = (ends[side].slot, ends[1 - side].slot);
        let travel = self.network.travel(from, to);
        let Some(there) = self.conns.get_mut(&conn).map(|c| &mut c.ends[1 - side]) else { return };
        if there.is_closed() {
            return;
        }
        let ready = there.inbox.queue.back().map_or(0, |m| m.0).max(now + travel);
        there.inbox.queue.push_back((ready, message));
        self.schedule_arrival(conn, 1 - side, ready);
    }

    fn schedule_arrival(&mut self, conn: u64, side: usize, at: Us) {
        let Some(end) = self.conns.get_mut(&conn).map(|c| &mut c.ends[side]) else { return };
        // Nobody reads before the Hello.
        let Some(ready) = end.inbox.queue.front().map(|m| m.0).filter(|_| end.link().is_some()) else {
            return;
        };
        if !end.inbox.scheduled {
            end.inbox.scheduled = true;
            self.at(at.max(ready), Event::Arrive { conn, side });
        }
    }

    /// The next message of a stream is due at `side`.
    pub fn arrive(&mut self, conn: u64, side: usize) {
        let now = self.now;
        let Some(c) = self.conns.get_mut(&conn) else { return };
        let from = c.ends[1 - side].slot;
        let end = &mut c.ends[side];
        end.inbox.scheduled = false;
        let Some(link) = end.link().cloned() else { return };
        let (slot, boot) = (end.slot, end.boot);
        if !self.is_running(slot, boot) {
            return;
        }
        if self.network.is_cut(from, slot) {
            return self.schedule_arrival(conn, side, now + RETRANSMIT);
        }
        let Some(end) = self.conns.get_mut(&conn).map(|c| &mut c.ends[side]) else { return };
        if end.inbox.stalled_until > now {
            let until = end.inbox.stalled_until;
            return self.schedule_arrival(conn, side, until);
        }
        let Some((_, mut message)) = end.inbox.queue.pop_front() else { return };
        let flip = if message[0] <= 2 { end.flip.take() } else { None };
        if let Some(seed) = flip {
            let bits = (message.len() - frame::HEADER_BYTES) as u64 * 8;
            let bit = seed % bits;
            message[frame::HEADER_BYTES + (bit / 8) as usize] ^= 1 << (bit % 8);
        }
        let taken = self.take_frames(conn, side, &link, &message);
        self.look(slot);
        match taken {
            Ok(()) if flip.is_some() => {
                self.violate("identity", format!("n{slot} took a batch with a wrong bit"));
            }
            Ok(()) => {}
            Err(error) => {
                self.note(|| format!("n{slot} ends its link to n{from}: {error}"));
                self.close_end(conn, side, true);
                self.refused(slot, from);
            }
        }
        self.notice_broken_log(slot);
        self.schedule_arrival(conn, side, now);
    }

    /// As `beacon::link::receive`.
    fn take_frames(&mut self, conn: u64, side: usize, link: &SimLink, message: &[u8]) -> Result<(), String> {
        let Some(slot) = self.conns.get(&conn).map(|c| c.ends[side].slot) else { return Ok(()) };
        let Some(engine) = self.engine(slot) else { return Ok(()) };
        let mut rest = message;
        while !rest.is_empty() {
            let (frame, bytes) = frame::decode(rest)
                .map_err(|e| e.to_string())?
                .ok_or_else(|| "an incomplete frame".to_owned())?;
            rest = &rest[bytes..];
            match frame {
                Frame::Batches(group) => self.deliver(slot, link, &group).map_err(|refusal| refusal.text)?,
                Frame::Ack(ack) => {
                    if ack.hlc.ms() > self.wall_ms(slot) + hello::AHEAD_MS_MAX {
                        return Err("the clock of the peer is ahead".into());
                    }
                    self.end(conn, side, |end| end.peer_shown.join(&ack.applied));
                    engine.acked(link.peer.node, &ack, self.now / 1000);
                }
                Frame::Reaches(nodes) => {
                    self.end(conn, side, |end| end.reaches = nodes);
                    self.plan_streams(slot);
                }
                Frame::Streams(streams) => {
                    self.end(conn, side, |end| end.asked = Some(streams));
                    self.schedule_send(conn, side, self.now);
                }
                Frame::Members(members) => {
                    engine.informed(link.peer.node, &members);
                    members.iter().for_each(|m| _ = engine.learn(m));
                }
                Frame::Evictions(told) => {
                    _ = Replica::learn_evictions(&*engine, &told).map_err(|e| e.to_string())?
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, conn: u64, side: usize, change: impl FnOnce(&mut End)) {
        if let Some(c) = self.conns.get_mut(&conn) {
            change(&mut c.ends[side]);
        }
    }

    /// As `beacon`'s loop over streams: who is reached, whose stream brings what ([`relay::carriers`] decides), who is told.
    pub fn plan_streams(&mut self, slot: usize) {
        self.refresh_silence(slot);
        let Some(process) = &self.slots[slot].process else { return };
        let engine = process.engine.clone();
        let (own, boot) = (engine.member(), process.boot);
        let links: Vec<Arc<SimLink>> = process.registry.links().cloned().collect();
        let ours = |l: &SimLink| self.conns.get(&l.conn).map(|c| &c.ends[l.side]);
        let unheard = |l: &SimLink| {
            let there = self.conns.get(&l.conn).map_or(slot, |c| c.ends[1 - l.side].slot);
            Duration::from_micros(self.network.cut_for(slot, there, self.now))
        };
        let healthy = |l: &SimLink| l.is_open() && l.silent_for() < SILENT && unheard(l) < SILENT;
        let peers: Vec<Peer> = links
            .iter()
            .filter_map(|l| {
                let end = ours(l)?;
                Some(Peer {
                    node: l.peer.node,
                    region: l.peer.region.clone(),
                    healthy: healthy(l),
                    on_request: true,
                    reaches: end.reaches.clone(),
                    shown: end.peer_shown.clone(),
                })
            })
            .collect();
        let reached: BTreeSet<NodeId> = peers.iter().filter(|p| p.healthy).map(|p| p.node).collect();
        let view = View {
            own: own.node,
            region: own.region.clone(),
            shown: engine.frontier(),
            regions: engine.members().into_iter().map(|m| (m.node, m.region)).collect(),
            peers,
        };
        let carriers = relay::carriers(&view);
        for link in &links {
            let wanted = carriers.iter().filter(|c| *c.1 == link.peer.node).map(|c| *c.0).collect();
            let mut due = false;
            self.end(link.conn, link.side, |end| {
                end.outbox.reaches_due |= end.outbox.reaches != reached;
                end.outbox.wanted_due |= end.outbox.wanted != wanted;
                due = end.outbox.reaches_due || end.outbox.wanted_due;
                end.outbox.reaches.clone_from(&reached);
                end.outbox.wanted = wanted;
            });
            if due {
                self.schedule_send(link.conn, link.side, self.now);
            }
        }
        let link_id = |node| links.iter().find(|l| l.peer.node == node).map_or(0, |l| l.id);
        let now: BTreeMap<NodeId, (NodeId, u64)> =
            carriers.into_iter().map(|(origin, by)| (origin, (by, link_id(by)))).collect();
        let now_ms = self.now / 1000;
        let Some(process) = self.slots[slot].process.as_mut().filter(|p| p.boot == boot) else { return };
        let told = std::mem::replace(&mut process.carried, now.clone());
        for origin in told.keys().filter(|o| !now.contains_key(o)) {
            engine.carried(*origin, None, now_ms);
        }
        for (origin, by) in now.iter().filter(|(o, by)| told.get(o) != Some(by)) {
            engine.carried(*origin, Some(by.0), now_ms);
        }
    }

    /// As `beacon::link::deliver`.
    pub fn deliver(&mut self, slot: usize, link: &SimLink, group: &[u8]) -> Result<(), Refusal> {
        let Some(engine) = self.engine(slot) else { return Ok(()) };
        engine.stamps_until(self.wall_ms(slot) + hello::AHEAD_MS_MAX);
        let (mut shown, mut waits, mut result) = (false, false, Ok(()));
        for batch in frame::batches(group) {
            let received = batch
                .as_ref()
                .map_err(|e| e.to_string().into())
                .and_then(|b| engine.batch(link.peer.node, b, self.now / 1000).map_err(Refusal::from));
            self.note(|| {
                let header = batch.ok().and_then(|b| parse_header(b).ok());
                let ids = header.map(|h| format!("{}:{}..{}", h.origin, h.first, h.last()));
                format!("n{slot} from {}: {} {received:?}", link.peer.node, ids.unwrap_or_default())
            });
            match received {
                Ok(Received::Shown { .. }) => shown = true,
                Ok(Received::Held | Received::Dropped) => waits = true,
                Ok(Received::Duplicate) => {}
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        if shown {
            self.wake_senders(slot);
        }
        if waits {
            self.schedule_step(slot, self.now + 2 * MS);
        }
        result
    }

    /// One end goes. With `goodbye` the other hears of it, if anything gets through.
    pub fn close_end(&mut self, conn: u64, side: usize, goodbye: bool) {
        let now = self.now;
        let Some(c) = self.conns.get_mut(&conn) else { return };
        let other = c.ends[1 - side].slot;
        let end = &mut c.ends[side];
        if end.is_closed() {
            return;
        }
        let (slot, boot) = (end.slot, end.boot);
        let state = std::mem::replace(&mut end.state, EndState::Closed);
        end.closed_at = now;
        end.inbox.queue.clear();
        let both_closed = c.ends.iter().all(End::is_closed);
        let socket = self.slots[other].socket;
        if let Some(process) = self.slots[slot].process.as_mut().filter(|p| p.boot == boot) {
            if side == 0 && matches!(state, EndState::Greeting) {
                process.registry.greeted(socket);
            }
            if let EndState::Up(link) = &state {
                link.open.store(false, Relaxed);
                if process.registry.remove(link) {
                    process.engine.peer_down(link.peer.node, now / 1000);
                }
                self.end_fetches(conn, side, link.peer.node);
            }
        }
        if goodbye && !both_closed {
            let travel = self.network.travel(slot, other);
            self.at(now + travel, Event::Goodbye { conn, side: 1 - side });
        }
        if both_closed {
            self.conns.remove(&conn);
        }
        if matches!(state, EndState::Up(_)) && self.is_running(slot, boot) {
            self.plan_streams(slot);
        }
    }

    /// One end goes, and tells the other that it was evicted.
    pub fn close_evicted(&mut self, conn: u64, side: usize) {
        let Some(ends) = self.conns.get(&conn).map(|c| &c.ends) else { return };
        let (slot, other) = (ends[side].slot, ends[1 - side].slot);
        let travel = self.network.travel(slot, other);
        self.at(self.now + travel, Event::Evicted { conn, side: 1 - side });
        self.close_end(conn, side, false);
    }

    /// The other end went, saying that this node was evicted.
    pub fn told_evicted(&mut self, conn: u64, side: usize) {
        let Some(ends) = self.conns.get(&conn).map(|c| &c.ends) else { return };
        let (slot, boot, from) = (ends[side].slot, ends[side].boot, ends[1 - side].slot);
        let said_as = ends[side].said_as;
        if ends[side].is_closed() || !self.is_running(slot, boot) || self.network.is_cut(from, slot) {
            return;
        }
        self.note(|| format!("n{slot} hears that it was evicted"));
        if let Some(engine) = self.engine(slot) {
            engine.become_evicted(said_as);
        }
        self.close_end(conn, side, false);
        self.look(slot);
        self.notice_broken_log(slot);
    }

    /// The other end said that it goes.
    pub fn goodbye(&mut self, conn: u64, side: usize) {
        let Some(c) = self.conns.get(&conn) else { return };
        if !self.network.is_cut(c.ends[1 - side].slot, c.ends[side].slot) {
            self.close_end(conn, side, false);
        }
    }

    fn ends_of(&self, slot: usize) -> Vec<(u64, usize)> {
        let sides = |(id, c): (&u64, &Conn)| {
            let open = |side: &usize| c.ends[*side].slot == slot && !c.ends[*side].is_closed();
            [0, 1].into_iter().find(open).map(|side| (*id, side))
        };
        self.conns.iter().filter_map(sides).collect()
    }

    /// A process ends politely.
    pub fn say_goodbye(&mut self, slot: usize) {
        for (conn, side) in self.ends_of(slot) {
            self.close_end(conn, side, true);
        }
    }

    /// A process is gone; its peers find out by silence.
    pub fn abandon_links(&mut self, slot: usize) {
        for (conn, side) in self.ends_of(slot) {
            self.close_end(conn, side, false);
        }
    }

    /// How long an end has heard nothing.
    fn silence(&self, conn: u64, side: usize) -> Us {
        let Some(ends) = self.conns.get(&conn).map(|c| &c.ends) else { return Us::MAX };
        let (here, there) = (&ends[side], &ends[1 - side]);
        let gone = if there.is_closed() { self.now - there.closed_at } else { 0 };
        let paused = self.slots[there.slot].paused_until > self.now;
        let held = if paused { 2 * SECOND } else { 0 };
        gone.max(held).max(self.network.cut_for(there.slot, here.slot, self.now))
    }

    fn refresh_silence(&mut self, slot: usize) {
        let Some(process) = &self.slots[slot].process else { return };
        for link in process.registry.links() {
            link.silent_us.store(self.silence(link.conn, link.side), Relaxed);
        }
    }

    /// Ends links over which nothing comes, or over which we are not heard.
    pub fn end_silent_links(&mut self, slot: usize) {
        for (conn, side) in self.ends_of(slot) {
            let Some(ends) = self.conns.get(&conn).map(|c| &c.ends) else { continue };
            let unheard = self.network.cut_for(slot, ends[1 - side].slot, self.now);
            if self.silence(conn, side).max(unheard) > SILENCE_MAX {
                self.close_end(conn, side, true);
            }
        }
    }

    /// Every open connection between two slots.
    pub fn conns_between(&self, a: usize, b: usize) -> Vec<u64> {
        let joins = |c: &Conn| {
            (c.ends[0].slot, c.ends[1].slot) == (a, b) || (c.ends[0].slot, c.ends[1].slot) == (b, a)
        };
        self.conns.iter().filter(|(_, c)| joins(c)).map(|(id, _)| *id).collect()
    }
}
