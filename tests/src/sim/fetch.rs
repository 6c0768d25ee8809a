//! NACKs and their answers: asked of a peer over an open link, answered in pieces cut anywhere, given up when nothing comes.

use std::collections::VecDeque;
use std::sync::Arc;

use beacon::{Linked, frame};
use engine::replication::{Fetch, Replica, ReplicaError, SeqRange};
use proto::{NodeId, Seq};

use super::link::SimLink;
use super::world::{Event, World};
use super::{MS, SECOND, Us};
use crate::random::Random;

/// An answer that brings nothing for so long is given up.
const PAUSE_MAX: Us = 5 * SECOND;

/// One request and its answer.
pub struct FetchRun {
    pub conn: u64,
    /// The side that asked.
    pub side: usize,
    ranges: Vec<SeqRange>,
    turns: VecDeque<(SeqRange, Seq)>,
    /// On the way to the asker; `None`: the answer ends.
    pieces: VecDeque<(Us, Option<Vec<u8>>)>,
    rest: Vec<u8>,
    heard_at: Us,
    random: Random,
    pub flip: bool,
}

impl World {
    /// Looks for NACKs at this moment, unless one is due sooner.
    pub fn schedule_step(&mut self, slot: usize, at: Us) {
        let Some(process) = &mut self.slots[slot].process else { return };
        if process.step_at.is_none_or(|due| due > at) {
            process.step_at = Some(at);
            let boot = process.boot;
            self.at(at, Event::Step { slot, boot, due: at });
        }
    }

    /// Asks for what is due, as beacon's loop does.
    pub fn step(&mut self, slot: usize, due: Us) {
        let now = self.now;
        let Some(process) = &mut self.slots[slot].process else { return };
        if process.step_at != Some(due) {
            return;
        }
        process.step_at = None;
        let engine = process.engine.clone();
        let mut due: Vec<Fetch> = Vec::new();
        engine.step(now / 1000, &mut due);
        self.close_links_to_evicted(slot);
        for fetch in due {
            let link = self.slots[slot].process.as_ref().and_then(|p| p.registry.link(fetch.peer).cloned());
            match link {
                Some(link) => self.ask(slot, link.conn, link.side, fetch.ranges),
                None => engine.fetched(fetch.peer, &fetch.ranges, now / 1000),
            }
        }
        self.schedule_step(slot, now + self.plan.step);
    }

    /// Whoever is evicted is told so, once this node knows it.
    fn close_links_to_evicted(&mut self, slot: usize) {
        let Some(process) = &mut self.slots[slot].process else { return };
        let (engine, version) = (process.engine.clone(), process.engine.evictions_version());
        if std::mem::replace(&mut process.evictions, version) == version {
            return;
        }
        let gone = |link: &&Arc<SimLink>| engine.is_evicted(Linked::peer(&***link).directory);
        let links: Vec<_> = process.registry.links().filter(gone).map(|l| (l.conn, l.side)).collect();
        links.into_iter().for_each(|(conn, side)| self.close_evicted(conn, side));
        self.look(slot);
        self.wake_senders(slot);
        self.notice_broken_log(slot);
    }

    fn ask(&mut self, slot: usize, conn: u64, side: usize, ranges: Vec<SeqRange>) {
        let Some(c) = self.conns.get(&conn) else { return };
        let travel = self.network.travel(slot, c.ends[1 - side].slot);
        self.note(|| format!("n{slot} asks for {ranges:?}"));
        let id = self.next_id();
        self.summary.fetches += 1;
        let turns = ranges.iter().map(|r| (*r, Seq(r.first.0 - 1))).collect();
        let run = FetchRun {
            conn,
            side,
            ranges,
            turns,
            pieces: VecDeque::new(),
            rest: Vec::new(),
            heard_at: self.now,
            random: Random::new(self.plan.seed ^ id << 24),
            flip: false,
        };
        self.fetches.insert(id, run);
        self.at(self.now + travel, Event::Serve { fetch: id });
        self.at(self.now + PAUSE_MAX, Event::GiveUp { fetch: id });
    }

    /// The asked one reads the next piece off its log.
    pub fn serve(&mut self, fetch: u64) {
        let (now, chunk_bytes, cut_per_mille) = (self.now, self.plan.chunk_bytes, self.plan.cut_per_mille);
        let Some(run) = self.fetches.get(&fetch) else { return };
        let Some(c) = self.conns.get(&run.conn) else { return };
        let (asker, server) = (&c.ends[run.side], &c.ends[1 - run.side]);
        let (to, from, boot) = (asker.slot, server.slot, server.boot);
        if server.is_closed() || !self.is_running(from, boot) {
            return;
        }
        if self.network.is_cut(to, from) {
            return self.at(now + 150 * MS, Event::Serve { fetch });
        }
        let Some(engine) = self.engine(from) else { return };
        let travel = self.network.travel(from, to);
        let Some(run) = self.fetches.get_mut(&fetch) else { return };
        let (mut out, mut dropped) = (Vec::new(), false);
        let mut over = run.random.below(1000) < cut_per_mille;
        if !over {
            match run.turns.pop_front() {
                None => over = true,
                Some((range, after)) => {
                    let mut group = Vec::new();
                    match engine.read_log(range.origin, after, chunk_bytes, &mut group) {
                        Ok(Some(last)) if last > after => {
                            // Cut anywhere: the asker puts it together.
                            let mut at = 0;
                            while at < group.len() {
                                let piece = 1 + run.random.index(group.len() - at);
                                out.push(group[at..at + piece].to_vec());
                                at += piece;
                            }
                            if last < range.last {
                                run.turns.push_back((range, last));
                            }
                        }
                        Ok(_) => {}
                        Err(ReplicaError::Dropped(_)) => dropped = true,
                        Err(_) => over = true,
                    }
                }
            }
        }
        if dropped {
            // Judged anew, the peer fetches a checkpoint.
            let (conn, side) = (run.conn, 1 - run.side);
            return self.close_end(conn, side, true);
        }
        let ready = run.pieces.back().map_or(0, |p| p.0).max(now + travel);
        let idle = run.pieces.is_empty();
        let news = out.into_iter().map(Some).chain(over.then_some(None));
        run.pieces.extend((ready..).zip(news));
        let first = run.pieces.front().map(|p| p.0);
        if let Some(first) = first.filter(|_| idle) {
            self.at(first, Event::Piece { fetch });
        }
        if !over {
            self.at(now + 200, Event::Serve { fetch });
        }
    }

    /// The next piece of an answer arrives.
    pub fn piece(&mut self, fetch: u64) {
        let now = self.now;
        let Some(run) = self.fetches.get(&fetch) else { return };
        let Some(c) = self.conns.get(&run.conn) else { return };
        let asker = &c.ends[run.side];
        let (slot, from) = (asker.slot, c.ends[1 - run.side].slot);
        if asker.link().is_none() || !self.is_running(slot, asker.boot) {
            return;
        }
        if self.network.is_cut(from, slot) {
            return self.at(now + 150 * MS, Event::Piece { fetch });
        }
        let Some(link) = asker.link().cloned() else { return };
        let (conn, side) = (run.conn, run.side);
        let Some(run) = self.fetches.get_mut(&fetch) else { return };
        run.heard_at = now;
        let Some((_, Some(mut piece))) = run.pieces.pop_front() else { return self.end_fetch(fetch) };
        if std::mem::take(&mut run.flip) {
            let bit = run.random.index(piece.len() * 8);
            piece[bit / 8] ^= 1 << (bit % 8);
        }
        run.rest.extend_from_slice(&piece);
        let next = run.pieces.front().map(|p| p.0);
        let taken = match frame::whole_batches(&run.rest) {
            Ok(0) => Ok(()),
            Ok(whole) => {
                let group: Vec<u8> = run.rest.drain(..whole).collect();
                self.deliver(slot, &link, &group)
            }
            Err(error) => Err(error.to_string().into()),
        };
        self.look(slot);
        if let Err(error) = taken {
            self.note(|| format!("n{slot} gives an answer up: {error}"));
            self.end_fetch(fetch);
            if error.begins_again {
                self.close_end(conn, side, true);
            }
        } else if let Some(next) = next {
            self.at(next.max(now), Event::Piece { fetch });
        }
        self.notice_broken_log(slot);
    }

    /// Nothing came for too long?
    pub fn give_up(&mut self, fetch: u64) {
        let Some(run) = self.fetches.get(&fetch) else { return };
        let due = run.heard_at + PAUSE_MAX;
        if due > self.now { self.at(due, Event::GiveUp { fetch }) } else { self.end_fetch(fetch) }
    }

    fn end_fetch(&mut self, fetch: u64) {
        let Some(run) = self.fetches.remove(&fetch) else { return };
        let Some(c) = self.conns.get(&run.conn) else { return };
        let asker = &c.ends[run.side];
        let (slot, boot) = (asker.slot, asker.boot);
        if let (Some(link), true) = (asker.link().cloned(), self.is_running(slot, boot))
            && let Some(engine) = self.engine(slot)
        {
            engine.fetched(beacon::Linked::peer(&*link).node, &run.ranges, self.now / 1000);
            self.schedule_step(slot, self.now + 2 * MS);
        }
    }

    /// The asking end of a connection is gone: its node hears that nothing more will come.
    pub fn end_fetches(&mut self, conn: u64, side: usize, peer: NodeId) {
        let Some(slot) = self.conns.get(&conn).map(|c| c.ends[side].slot) else { return };
        let of_end = |run: &FetchRun| run.conn == conn && run.side == side;
        let ended: Vec<u64> = self.fetches.iter().filter(|f| of_end(f.1)).map(|f| *f.0).collect();
        for run in ended.iter().filter_map(|id| self.fetches.remove(id)).collect::<Vec<_>>() {
            if let Some(engine) = self.engine(slot) {
                engine.fetched(peer, &run.ranges, self.now / 1000);
            }
        }
    }

    /// Answers under way to a slot from another.
    pub fn fetches_between(&self, from: usize, to: usize) -> Vec<u64> {
        let between = |run: &FetchRun| {
            self.conns
                .get(&run.conn)
                .is_some_and(|c| c.ends[run.side].slot == to && c.ends[1 - run.side].slot == from)
        };
        self.fetches.iter().filter(|(_, run)| between(run)).map(|(id, _)| *id).collect()
    }

    pub fn flip_fetch(&mut self, fetch: u64) {
        if let Some(run) = self.fetches.get_mut(&fetch) {
            run.flip = true;
        }
    }
}
