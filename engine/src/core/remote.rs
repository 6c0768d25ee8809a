//! Effects of other nodes: received, logged, shown in causal order.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use proto::{EffectId, Frontier, Hlc, NodeId, Seq};

use super::{Engine, Loan, LoanPart, Wanted};
use crate::effect::batch::{self, Batch, BatchError, BatchKind};
use crate::effect::fork::fork_choice_cmp;
use crate::effect::{Effect, Op};
use crate::latch::Held;
use crate::log::{LogError, LogPosition};
use crate::replication::compare::{Answer, Question};
use crate::replication::eviction::Evictions;
use crate::replication::horizon::Offer;
use crate::replication::standing::{Position, Standing, judge};
use crate::replication::{Ack, Fetch, Member, MemberReach, Received, Replica, ReplicaError, SeqRange};
use crate::state::shard::{Shard, World, free_dead};
use crate::state::table::shard_of;

/// A stamp this far ahead of our own clock (ms) is taken for damage: adopting it would stamp everything written here so.
const FUTURE_MS_MAX: u64 = 24 * 3600 * 1000;

/// A buffer for more effects than this is given back.
const DECODED_KEPT: usize = 8192;

pub(super) type AllShards<'e> = Vec<Held<'e, Shard>>;

/// The shards that a unit of remote effects touches, held.
enum Reach<'r, 'e, 'o> {
    All(&'r mut AllShards<'e>),
    /// Sorted by number.
    Some(&'r mut Vec<(usize, Held<'o, Shard>)>),
}

impl Reach<'_, '_, '_> {
    fn shard(&mut self, at: usize) -> &mut Shard {
        match self {
            Reach::All(all) => &mut all[at],
            Reach::Some(held) => {
                let found = held.binary_search_by_key(&at, |h| h.0);
                &mut held[found.expect("the unit's shards are held")].1
            }
        }
    }

    fn each(&mut self, visit: &mut dyn FnMut(&mut Shard)) {
        match self {
            Reach::All(all) => all.iter_mut().for_each(|shard| visit(shard)),
            Reach::Some(held) => held.iter_mut().for_each(|(_, shard)| visit(shard)),
        }
    }
}

/// All database swaps ever, in fork-choice order: their composition says what a client's number means.
#[derive(Default)]
pub(crate) struct Swaps(pub Vec<(Hlc, NodeId, u32, u32)>);

impl Engine {
    pub(super) fn apply_swap(&self, node: NodeId, hlc: Hlc, a: u32, b: u32) {
        let mut swaps = self.swaps.lock();
        let at = swaps.0.partition_point(|s| fork_choice_cmp((s.0, s.1), (hlc, node)).is_lt());
        if swaps.0.get(at).is_some_and(|s| (s.0, s.1) == (hlc, node)) {
            // A checkpoint brought it before the log did.
            return;
        }
        swaps.0.insert(at, (hlc, node, a, b));
        let mut map: Vec<u32> = (0..self.databases()).collect();
        for (_, _, a, b) in &swaps.0 {
            let (a, b) = (*a as usize, *b as usize);
            if a < map.len() && b < map.len() {
                map.swap(a, b);
            }
        }
        for (database, physical) in self.databases.iter().zip(map) {
            database.store(physical, Relaxed);
        }
    }

    pub(super) fn flush_shards<'s>(
        &self,
        shards: impl Iterator<Item = &'s mut Shard>,
        id: EffectId,
        db: Option<u32>,
        seen: &Frontier,
    ) {
        self.with_world(self.own_origin, |world| shards.for_each(|shard| shard.flush(id, db, seen, world)));
    }

    /// Folds what is new in a batch; bundles at once. Returns the latest clock in it. `solo` overrides the engine's own state;
    /// `held`: the caller holds every shard.
    pub(super) fn fold_batch(
        &self,
        batch: &Batch<'_>,
        solo: Option<bool>,
        held: Option<&mut AllShards<'_>>,
    ) -> Result<Hlc, BatchError> {
        let effects = self.decoded(batch)?;
        let latest = effects.last().map_or(batch.header.hlc, |e| e.1.hlc);
        self.fold_effects(batch, &effects, solo, held)?;
        self.reuse(effects);
        Ok(latest)
    }

    /// The effects of a batch, in a buffer that goes back with [`Engine::reuse`].
    fn decoded<'b>(&self, batch: &Batch<'b>) -> Result<Vec<(EffectId, Effect<'b>)>, BatchError> {
        let mut effects = emptied(std::mem::take(&mut *self.decode_buffer.lock()));
        for effect in batch.effects() {
            effects.push(effect?);
        }
        Ok(effects)
    }

    fn reuse(&self, effects: Vec<(EffectId, Effect<'_>)>) {
        if effects.capacity() <= DECODED_KEPT {
            *self.decode_buffer.lock() = emptied(effects);
        }
    }

    fn fold_effects(
        &self,
        batch: &Batch<'_>,
        effects: &[(EffectId, Effect<'_>)],
        solo: Option<bool>,
        mut held: Option<&mut AllShards<'_>>,
    ) -> Result<(), BatchError> {
        let origin = batch.header.origin;
        let settled = {
            let mut peers = self.peers.lock();
            let known = peers.settled.entry(origin).or_default();
            known.join(&batch.settled()?);
            known.clone()
        };
        let shown = self.shown.lock().seq(origin);
        let new = effects.iter().position(|e| e.0.seq > shown).unwrap_or(effects.len());
        let effects = &effects[new..];
        let number = self.origins.index(origin);
        self.with_world(number, |world| {
            let mut world = world.clone();
            world.solo = solo.unwrap_or(world.solo);
            world.settled = &settled;
            let mut at = 0;
            for (start, end) in bundles(effects) {
                self.fold_singles(&effects[at..start], &world, held.as_deref_mut());
                self.fold_unit(&effects[start..end], &world, held.as_deref_mut());
                at = end;
            }
            self.fold_singles(&effects[at..], &world, held);
        });
        self.shown.lock().advance(origin, batch.header.last());
        Ok(())
    }

    /// Effects that are units of their own. Their keys are brought near some steps ahead, as a client's pipeline is.
    fn fold_singles(
        &self,
        effects: &[(EffectId, Effect<'_>)],
        world: &World<'_>,
        mut all: Option<&mut AllShards<'_>>,
    ) {
        const AHEAD: usize = 32;
        let mut hashes = [0; AHEAD];
        for some in effects.chunks(AHEAD) {
            for (hash, (_, effect)) in hashes.iter_mut().zip(some) {
                *hash = self.key_hash(effect.key);
            }
            // The prefetches take each shard for a moment; whoever holds all of them is past caring.
            if all.is_none() {
                let keyed = || hashes.iter().zip(some).filter(|(_, e)| has_key(&e.1.op));
                keyed().for_each(|(hash, _)| self.prefetch_slot(*hash));
                keyed().for_each(|(hash, e)| self.prefetch_entry(e.1.db, *hash));
            }
            for (hash, unit) in hashes.iter().zip(some) {
                let (id, effect) = unit;
                match &mut all {
                    None if has_key(&effect.op) => {
                        if effect.db >= self.databases() {
                            self.note_database(effect.db);
                        } else {
                            self.shards[shard_of(*hash)].lock().fold(*hash, *id, effect, world);
                        }
                    }
                    all => self.fold_unit(std::slice::from_ref(unit), world, all.as_deref_mut()),
                }
            }
        }
    }

    /// Folds the effects of one unit at once.
    fn fold_unit(&self, unit: &[(EffectId, Effect<'_>)], world: &World<'_>, all: Option<&mut AllShards<'_>>) {
        let everything =
            unit.iter().any(|e| matches!(e.1.op, Op::Flush { .. } | Op::SwapDb { .. })) || unit.len() > 256;
        let mut wanted: Vec<usize> = match (&all, everything) {
            (Some(_), _) => Vec::new(),
            (None, true) => (0..self.shards.len()).collect(),
            (None, false) => {
                unit.iter().filter(|e| has_key(&e.1.op)).map(|e| self.shard_index(e.1.key)).collect()
            }
        };
        wanted.sort_unstable();
        wanted.dedup();
        let mut own: Vec<(usize, Held<'_, Shard>)> =
            wanted.into_iter().map(|at| (at, self.shards[at].lock())).collect();
        let mut reach = match all {
            Some(all) => Reach::All(all),
            None => Reach::Some(&mut own),
        };
        for (id, effect) in unit {
            match &effect.op {
                Op::Flush { db, seen } => {
                    let seen = seen.to_frontier();
                    reach.each(&mut |shard| shard.flush(*id, *db, &seen, world));
                }
                Op::SwapDb { a, b } => {
                    let physical = |db: u32| self.databases.get(db as usize).map(|p| p.load(Relaxed));
                    if let (Some(a), Some(b)) = (physical(*a), physical(*b)) {
                        let now_ms = effect.hlc.ms();
                        reach.each(&mut |shard| {
                            shard.touch_swapped(a, b, now_ms, |key| self.key_hash(key));
                            shard.waiters.all_changed(|db| db == a || db == b, world.woken);
                        });
                    }
                    self.apply_swap(id.node, effect.hlc, *a, *b);
                }
                Op::Bind { .. } | Op::Noop => {}
                // A database that this node was not given: kept in the log, shown nowhere.
                _ if effect.db >= self.databases() => self.note_database(effect.db),
                _ => {
                    let hash = self.key_hash(effect.key);
                    reach.shard(shard_of(hash)).fold(hash, *id, effect, world);
                }
            }
        }
    }

    /// Remembers that there are effects on a database that this node was not given.
    fn note_database(&self, db: u32) {
        self.databases_seen.fetch_max(db.saturating_add(1), Relaxed);
    }

    /// One more than the highest database that effects name; at least as many as there are.
    pub(super) fn databases_seen(&self) -> u32 {
        self.databases_seen.load(Relaxed).max(self.databases())
    }

    fn shard_index(&self, key: &[u8]) -> usize {
        shard_of(self.key_hash(key))
    }

    /// Writes a batch to the log and shows it. The caller holds `apply` and knows that it is due.
    fn show(&self, bytes: &[u8]) -> Result<(), ReplicaError> {
        let batch = Batch::parse(bytes)?;
        let origin = batch.header.origin;
        if self.misses_base(&batch)? {
            if self.log().is_some_and(|log| log.begins_at() > LogPosition(0)) {
                *self.unmergeable.lock() = Some(EffectId::new(origin, batch.header.last()));
                return Err(ReplicaError::Unmergeable(origin));
            }
            self.rebuild()?;
        }
        let effects = self.decoded(&batch)?;
        {
            let mut writer = self.writer.lock();
            if let Some(log) = self.log() {
                let taken = log.append(bytes);
                #[cfg(feature = "planted")]
                if taken.is_err() && crate::planted::is(crate::planted::Planted::FrontierFirst) {
                    self.shown.lock().advance(origin, batch.header.last());
                }
                taken.map_err(|e| ReplicaError::Log(e.to_string()))?;
            }
            writer.received.advance(origin, batch.header.last());
        }
        let latest = effects.iter().map(|e| e.1.hlc).max().unwrap_or_default();
        self.stage.lock().observe(latest);
        self.fold_effects(&batch, &effects, None, None)?;
        self.reuse(effects);
        self.stats.remote_batches.fetch_add(1, Relaxed);
        self.stats.remote_effects.fetch_add(u64::from(batch.header.count), Relaxed);
        Ok(())
    }

    /// Shows a batch that is due and what was held for it. Returns how many batches. The caller holds `apply`.
    fn show_with_held(&self, bytes: &[u8]) -> Result<usize, ReplicaError> {
        self.show(bytes)?;
        let mut batches = 1;
        loop {
            let shown = self.shown.lock().clone();
            let next = self.peers.lock().horizon.next_ready(&shown);
            let Some(next) = next else { return Ok(batches) };
            self.show(&next.bytes)?;
            batches += 1;
        }
    }

    /// True when a link to `peer` that begins again would bring a checkpoint that nobody is lending yet. Not so of a peer
    /// that is waiting for a checkpoint of ours.
    fn would_lend(&self, peer: NodeId) -> bool {
        let peers = self.peers.lock();
        let lends = |standing: &Standing| matches!(standing, Standing::Behind { .. });
        let waits = |standing: &Standing| matches!(standing, Standing::Ahead { .. });
        !peers.standings.values().any(lends) && !peers.standings.get(&peer).is_some_and(waits)
    }

    /// True when the batch was written without knowing something that was folded here as stable.
    pub(super) fn misses_base(&self, batch: &Batch<'_>) -> Result<bool, BatchError> {
        let context = batch.context()?;
        let mut peers = self.peers.lock();
        let known = peers.contexts.entry(batch.header.origin).or_default();
        known.join(&context);
        let known = known.clone();
        Ok(!peers.base_cut.iter().all(|(node, seq)| node == batch.header.origin || known.seq(node) >= seq))
    }

    /// Works the state out again from the log with nothing taken as stable. For the rare case that a member appears with writes
    /// made before it knew what others had already settled.
    pub(super) fn rebuild(&self) -> Result<(), ReplicaError> {
        let Some(log) = self.log() else { return Ok(()) };
        if log.begins_at() > crate::log::LogPosition(0) {
            // Asked before anything is forgotten.
            return Err(ReplicaError::Log(LogError::Dropped(log.begins_at()).to_string()));
        }
        self.stats.rebuilds.fetch_add(1, Relaxed);
        self.lending.outdate(self.checkpoints.last().map_or(0, |last| last.number));
        // Nobody sees the state in between.
        let mut shards: AllShards<'_> = self.shards.iter().map(|s| s.lock()).collect();
        self.end_turn().map_err(|e| ReplicaError::Log(e.to_string()))?;
        self.alone.store(false, Relaxed);
        // What could not arrive any more may be what has arrived now.
        self.closed_ms.store(0, Relaxed);
        let shown = self.forget(&mut shards);
        {
            let mut peers = self.peers.lock();
            peers.base_cut = Frontier::new();
            peers.marked = Frontier::new();
            // Each batch counts with what its origin had settled then, not with what it settled since.
            peers.settled.clear();
        }
        let mut hlc = Hlc(0);
        self.replaying.store(true, Relaxed);
        let replayed = log.replay(&mut |batch| match batch.header.kind {
            BatchKind::Effects => {
                hlc = hlc.max(self.fold_batch(batch, Some(false), Some(&mut shards))?);
                Ok(())
            }
            BatchKind::Stable | BatchKind::Members | BatchKind::Evictions => Ok(()),
        });
        self.replaying.store(false, Relaxed);
        replayed.map_err(|e| {
            self.fail();
            ReplicaError::Log(e.to_string())
        })?;
        self.shown.lock().join(&shown);
        Ok(())
    }

    /// Empties every shard and index, and what was shown, which is returned.
    pub(super) fn forget(&self, shards: &mut AllShards<'_>) -> Frontier {
        for shard in shards.iter_mut() {
            shard.reset(self.config.index);
        }
        for index in &self.indexes {
            index.lock().clear(free_dead);
        }
        self.swaps.lock().0.clear();
        std::mem::take(&mut *self.shown.lock())
    }

    /// What is there now is neither the old state nor the new: nobody may see it or save it.
    pub(super) fn fail(&self) {
        self.loading.active.store(true, Relaxed);
        self.failed.store(true, Relaxed);
    }

    pub(super) fn prune_shards(&self, stable: &Frontier) -> usize {
        let mut pruned = 0;
        for shard in &self.shards {
            let mut shard = shard.lock();
            if shard.has_unstable() {
                pruned += self.with_world(self.own_origin, |world| shard.prune(stable, world));
            }
        }
        pruned
    }

    pub(super) fn replay_members(&self, batch: &Batch<'_>) -> Result<(), BatchError> {
        let members = decode_members(batch.payload()).ok_or(BatchError::Header)?;
        self.note_members(&members);
        Ok(())
    }

    /// Members that a log or a checkpoint names; one that came from a peer names this node too.
    pub(super) fn note_members(&self, members: &[Member]) {
        let own = self.own.read().directory;
        let mut peers = self.peers.lock();
        for member in members.iter().filter(|member| member.directory != own) {
            self.note_incarnation(member);
            note_member(&mut peers.members, member);
            if self.counts(member.directory) {
                peers.stability.learn(member);
            }
        }
        self.note_level(&peers);
    }
}

/// The buffer without what it held, for effects that live otherwise.
fn emptied<'b>(mut effects: Vec<(EffectId, Effect<'_>)>) -> Vec<(EffectId, Effect<'b>)> {
    effects.clear();
    // Collected in place: the memory stays.
    effects.into_iter().map(|_| unreachable!("it was cleared")).collect()
}

/// The bundles among a batch's effects, as ranges that end after their bind.
fn bundles(effects: &[(EffectId, Effect<'_>)]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut free = 0;
    for (at, (_, effect)) in effects.iter().enumerate() {
        if let Op::Bind { count } = effect.op {
            // Effects that an earlier batch brought are shown already: a bundle may begin before this slice.
            let start = at.saturating_sub(usize::try_from(count).unwrap_or(at)).max(free);
            free = at + 1;
            found.push((start, free));
        }
    }
    found
}

pub(super) fn has_key(op: &Op<'_>) -> bool {
    !matches!(op, Op::Flush { .. } | Op::SwapDb { .. } | Op::Bind { .. } | Op::Noop)
}

pub(super) fn note_member(members: &mut Vec<Member>, member: &Member) -> bool {
    match members.iter_mut().find(|m| m.directory == member.directory) {
        Some(known) if known.incarnation > member.incarnation || known == member => false,
        Some(known) => {
            let mut member = member.clone();
            if known.incarnation == member.incarnation {
                // Whoever heard of it last through others may not know its level yet.
                member.level = member.level.max(known.level);
            }
            let news = *known != member;
            *known = member;
            news
        }
        None => {
            members.push(member.clone());
            true
        }
    }
}

/// What begins the members' encoding: no data directory has this id, and a list without it is of the first format.
const MEMBERS_FORMAT_2: [u8; 8] = [0; 8];

pub(super) fn encode_members(members: &[Member]) -> Vec<u8> {
    let mut out = MEMBERS_FORMAT_2.to_vec();
    let mut entry = Vec::new();
    for m in members {
        entry.clear();
        entry.extend_from_slice(&m.directory.to_le_bytes());
        entry.extend_from_slice(&m.node.0.to_le_bytes());
        proto::varint::put(&mut entry, m.incarnation);
        proto::varint::put_bytes(&mut entry, m.region.as_bytes());
        proto::varint::put_bytes(&mut entry, m.addr.as_bytes());
        proto::varint::put(&mut entry, u64::from(m.level));
        proto::varint::put_bytes(&mut out, &entry);
    }
    out
}

/// Inverse of the members' encoding in a batch; `None` when malformed.
pub fn decode_members(input: &[u8]) -> Option<Vec<Member>> {
    let mut out = Vec::new();
    if let Some(mut input) = input.strip_prefix(&MEMBERS_FORMAT_2) {
        while !input.is_empty() {
            let mut entry = proto::varint::take_bytes(&mut input)?;
            let mut member = take_member(&mut entry)?;
            member.level = u32::try_from(proto::varint::take(&mut entry)?).ok()?;
            out.push(member);
        }
    } else {
        let mut input = input;
        while !input.is_empty() {
            out.push(take_member(&mut input)?);
        }
    }
    Some(out)
}

fn take_member(input: &mut &[u8]) -> Option<Member> {
    let (directory, rest) = input.split_first_chunk::<8>()?;
    let (node, rest) = rest.split_first_chunk::<8>()?;
    *input = rest;
    let incarnation = proto::varint::take(input)?;
    let region = String::from_utf8(proto::varint::take_bytes(input)?.to_vec()).ok()?;
    let addr = String::from_utf8(proto::varint::take_bytes(input)?.to_vec()).ok()?;
    let node = NodeId(u64::from_le_bytes(*node));
    Some(Member { directory: u64::from_le_bytes(*directory), node, incarnation, region, addr, level: 0 })
}

impl Replica for Engine {
    fn member(&self) -> Member {
        self.own.read().clone()
    }

    fn members(&self) -> Vec<Member> {
        let mut members = self.other_members();
        members.push(self.member());
        members
    }

    fn learn(&self, member: &Member) -> bool {
        if member.directory == self.own.read().directory {
            return false;
        }
        self.note_incarnation(member);
        if Engine::is_evicted(self, member.directory) {
            return false;
        }
        // The order of locks: nothing of the keyspace is taken while `peers` is held.
        let _apply = self.apply.lock();
        if self.is_alone() {
            let shards: Vec<_> = self.shards.iter().map(|s| s.lock()).collect();
            // The last batch of the solitary time; everything up to here was folded as stable.
            let _ = self.end_turn();
            self.alone.store(false, Relaxed);
            let shown = self.shown.lock().clone();
            self.peers.lock().base_cut.join(&shown);
            self.writer.lock().settled.join(&shown);
            drop(shards);
        }
        let mut peers = self.peers.lock();
        let before = peers.members.iter().find(|m| m.directory == member.directory).map(|m| m.node);
        peers.stability.learn(member);
        if !note_member(&mut peers.members, member) {
            return false;
        }
        if let Some(before) = before.filter(|node| *node != member.node) {
            // What others have of it is in what they ack; what is still on its way from it is nobody's.
            peers.superseded.insert(before);
            peers.horizon.forget(before);
        }
        self.note_level(&peers);
        let mut frame = Vec::new();
        batch::encode_members(&mut frame, self.node, &encode_members(&peers.members));
        drop(peers);
        if let Some(log) = self.log() {
            // Lost, it is learned again.
            let _ = log.append(&frame);
        }
        true
    }

    fn informed(&self, peer: NodeId, members: &[Member]) {
        self.peers.lock().stability.informed(peer, members);
    }

    fn position(&self) -> Position {
        if self.was_evicted() {
            // The new member that it is going to be has nothing yet.
            return Position::default();
        }
        let dropped = self.log().map_or_else(Frontier::new, |log| log.dropped());
        let shown = self.shown.lock().clone();
        let mut settled = self.peers.lock().base_cut.clone();
        if self.is_alone() {
            settled.join(&shown);
        }
        Position { shown, dropped, settled }
    }

    fn peer_up(&self, peer: &Member, said: &Position, position: &Position, _now_ms: u64) -> Standing {
        let mut standing = judge(said, position);
        if self.was_evicted() {
            standing = Standing::Behind { stranger: true };
        }
        if standing == Standing::Apart {
            // It never becomes one.
            return standing;
        }
        self.learn(peer);
        let now_ms = self.stage.lock().last_hlc().ms();
        let merged_there = self.unmergeable.lock().is_some_and(|id| position.shown.contains(id));
        if standing.is_level() && merged_there {
            standing = Standing::Behind { stranger: false };
        }
        {
            let mut peers = self.peers.lock();
            peers.heard.up(peer.node, &position.shown, now_ms);
            peers.standings.insert(peer.node, standing);
            match standing {
                Standing::Behind { stranger: true } => _ = peers.strange_to.insert(peer.directory),
                _ => _ = peers.strange_to.remove(&peer.directory),
            }
        }
        self.settle_withholding();
        match standing {
            Standing::Behind { .. } => {}
            Standing::Level | Standing::Ahead { .. } => {
                let near = self.own.read().region == peer.region;
                let mut peers = self.peers.lock();
                peers.nack.peer_up(peer.node, &position.shown);
                peers.nack.place(peer.node, near);
            }
            Standing::Apart => {}
        }
        self.progressed();
        standing
    }

    fn evictions(&self) -> Evictions {
        self.evictions_to_tell()
    }

    fn evictions_version(&self) -> u64 {
        Engine::evictions_version(self)
    }

    fn is_evicted(&self, directory: u64) -> bool {
        Engine::is_evicted(self, directory)
    }

    fn learn_evictions(&self, told: &Evictions) -> Result<bool, ReplicaError> {
        Engine::learn_evictions(self, told).map_err(|error| ReplicaError::Log(error.to_string()))
    }

    fn become_evicted(&self, directory: u64) -> bool {
        Engine::become_evicted(self, directory);
        self.has_left()
    }

    fn withholds(&self) -> bool {
        self.withholding.load(Relaxed)
    }

    fn lend(&self) -> Result<Option<Loan>, ReplicaError> {
        Engine::lend(self)
    }

    fn read_loan(
        &self,
        number: u64,
        part: LoanPart,
        offset: u64,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<Option<u64>, ReplicaError> {
        Engine::read_loan(self, number, part, offset, bytes_max, out)
    }

    fn borrow(&self, loan: &Loan) -> Result<Vec<Wanted>, ReplicaError> {
        Engine::borrow(self, loan)
    }

    fn borrowed(&self, part: LoanPart, bytes: &[u8]) -> Result<(), ReplicaError> {
        Engine::borrowed(self, part, bytes)
    }

    fn borrowed_all(&self, lender: &Member) -> Result<(), ReplicaError> {
        Engine::borrowed_all(self, lender)
    }

    fn peer_down(&self, node: NodeId, _now_ms: u64) {
        let mut peers = self.peers.lock();
        peers.nack.peer_down(node);
        peers.heard.down(node);
        peers.standings.remove(&node);
    }

    fn feature_level(&self) -> u32 {
        Engine::feature_level(self)
    }

    fn stamps_until(&self, unix_ms: u64) {
        self.stamp_max_ms.store(unix_ms, Relaxed);
    }

    fn carried(&self, origin: NodeId, by: Option<NodeId>, _now_ms: u64) {
        self.peers.lock().nack.carried(origin, by);
    }

    fn reached(&self, members: &[MemberReach], _now_ms: u64) {
        self.peers.lock().reach = members.to_vec();
    }

    fn frontier(&self) -> Frontier {
        self.shown.lock().clone()
    }

    fn ack(&self) -> Ack {
        // In this order: whatever is written after `own` was written seeing `applied`.
        let applied = self.shown.lock().clone();
        let stage = self.stage.lock();
        Ack { applied, own: stage.last(), hlc: stage.last_hlc() }
    }

    fn batch(&self, peer: NodeId, bytes: &[u8], now_ms: u64) -> Result<Received, ReplicaError> {
        let batch = Batch::parse(bytes)?;
        if batch.header.kind != BatchKind::Effects {
            return Err(BatchError::Header.into());
        }
        let latest = batch.check()?;
        let stamp_max_ms = self.stamp_max_ms.load(Relaxed);
        if latest.ms() > stamp_max_ms {
            return Err(ReplicaError::Ahead(batch.header.origin, latest.ms() - stamp_max_ms));
        }
        let own_ms = self.stage.lock().last_hlc().ms();
        let ahead_ms = latest.ms().saturating_sub(own_ms);
        if own_ms > 0 && ahead_ms > FUTURE_MS_MAX {
            return Err(ReplicaError::Future(batch.header.origin, ahead_ms / 1000));
        }
        if !self.origins.has_room_for(batch.header.origin) {
            return Err(ReplicaError::TooManyOrigins(batch.header.origin));
        }
        if self.was_evicted() {
            // Everything comes with the checkpoint.
            return Ok(Received::Duplicate);
        }
        let _apply = self.apply.lock();
        if self.late_after(batch.header.origin).is_some_and(|limit| batch.header.last() > limit) {
            self.stats.late_batches.fetch_add(1, Relaxed);
            return Ok(Received::Duplicate);
        }
        if batch.header.origin == self.node {
            let last = batch.header.last();
            if last > self.stage.lock().last() {
                return Err(ReplicaError::OwnOrigin(EffectId::new(self.node, last)));
            }
            self.stats.duplicate_batches.fetch_add(1, Relaxed);
            return Ok(Received::Duplicate);
        }
        let shown = self.shown.lock().clone();
        let offer = {
            let mut peers = self.peers.lock();
            if peers.superseded.contains(&peer) {
                return Ok(Received::Duplicate);
            }
            let reached: Frontier = [(batch.header.origin, batch.header.last())].into_iter().collect();
            peers.nack.announced(peer, &reached);
            peers.nack.brought(peer, now_ms);
            peers.horizon.offer(&shown, &batch)?
        };
        match offer {
            Offer::Duplicate => {
                self.stats.duplicate_batches.fetch_add(1, Relaxed);
                return Ok(Received::Duplicate);
            }
            Offer::Held => {
                self.stats.held_batches.fetch_add(1, Relaxed);
                return Ok(Received::Held);
            }
            Offer::Dropped => {
                self.stats.dropped_batches.fetch_add(1, Relaxed);
                return Ok(Received::Dropped);
            }
            Offer::Ready => {}
        }
        let shown = self.show_with_held(batch.bytes);
        self.tell_ready();
        self.progressed();
        match shown {
            Err(ReplicaError::Unmergeable(_)) if !self.would_lend(peer) => {
                self.stats.dropped_batches.fetch_add(1, Relaxed);
                Ok(Received::Dropped)
            }
            shown => shown.map(|batches| Received::Shown { batches }),
        }
    }

    fn acked(&self, peer: NodeId, ack: &Ack, _now_ms: u64) {
        let shown = self.shown.lock().clone();
        let now_ms = self.stage.lock().last_hlc().ms();
        {
            let mut peers = self.peers.lock();
            peers.nack.announced(peer, &ack.applied);
            peers.stability.acked(peer, ack, &shown);
            peers.heard.acked(peer, ack, now_ms);
        }
        self.progressed();
    }

    fn step(&self, now_ms: u64, out: &mut Vec<Fetch>) {
        self.membership_step();
        self.leave_step(now_ms);
        let shown = self.shown.lock().clone();
        let mut peers = self.peers.lock();
        let peers = &mut *peers;
        self.note_level(peers);
        peers.nack.step(now_ms, &shown, &peers.horizon, out);
    }

    fn fetched(&self, peer: NodeId, ranges: &[SeqRange], _now_ms: u64) {
        self.peers.lock().nack.fetched(peer, ranges);
    }

    fn read_log(
        &self,
        origin: NodeId,
        after: Seq,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<Option<Seq>, ReplicaError> {
        match self.log() {
            Some(log) => log.read_after(origin, after, bytes_max, out).map_err(|error| match error {
                LogError::Dropped(_) => ReplicaError::Dropped(origin),
                other => ReplicaError::Log(other.to_string()),
            }),
            None => Ok(None),
        }
    }

    fn compare_due(&self, now_ms: u64) -> Option<(NodeId, Vec<u8>)> {
        self.next_question(now_ms).map(|(peer, question)| (peer, question.encode()))
    }

    fn compare_asked(&self, question: &[u8]) -> Option<Vec<u8>> {
        Some(self.answer_question(Question::decode(question)?).encode())
    }

    fn compared(&self, peer: NodeId, answer: Option<&[u8]>, now_ms: u64) -> Option<String> {
        self.take_answer(peer, answer.and_then(Answer::decode), now_ms)
    }

    fn hlc(&self) -> Hlc {
        self.stage.lock().last_hlc()
    }
}

/// What waits for peers, each bounded.
#[derive(Clone, Copy, Debug)]
pub struct Queues {
    pub horizon_batches: usize,
    /// Bookkeeping included.
    pub horizon_bytes: usize,
    /// Ranges asked for.
    pub nacks: usize,
}

impl Engine {
    /// What waits for peers just now.
    pub fn queues(&self) -> Queues {
        let peers = self.peers.lock();
        Queues {
            horizon_batches: peers.horizon.len(),
            horizon_bytes: peers.horizon.bytes(),
            nacks: peers.nack.in_flight(),
        }
    }
}

/// The engine as a trait object for the links.
pub fn replica(engine: &Arc<Engine>) -> Arc<dyn Replica> {
    engine.clone()
}
