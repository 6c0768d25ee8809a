//! Late sets: effects of this directory that came too late to be merged, kept in files until somebody decides about them. Those
//! that others wrote and only this directory shows are a set of their own, which is never replayed without being asked.
//!
//! ```text
//! LATE-000000000001        magic u32 | crc u32 | version u32 | flags u32 | created ms u64 | effects u64 | batches
//! LATE-000000000001.done   how far it was replayed: offset u64 | crc u32
//! ```
//! Replayed, each becomes a new effect of this node on what is there now, in the order in which they were written; a batch is
//! one unit. Flushes and swaps of databases are not replayed: what they were about is gone. How far a replay came is told by marks in the log, in the same units as the effects, so that
//! a crash repeats none of them; the file beside it stands for marks that were dropped with the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use parking_lot::Mutex;
use proto::{EffectId, Frontier, Hlc, NodeId};

use super::incoming::Order;
use super::install::{copy_unknown, read_file};
use crate::commands::lists;
use crate::core::remote::has_key;
use crate::core::{Engine, Key, LockPlan, Turn, Unit, WriteRefused};
use crate::disk::{Disk, DiskError};
use crate::effect::batch::{Batch, HEADER_BYTES, parse_header};
use crate::effect::{Effect, FieldOp, Op, Payload};
use crate::log::{Damage, Log, LogError, LogPosition};
use crate::state::table::SHARDS;

const PREFIX: &str = "LATE-";
const DONE_SUFFIX: &str = ".done";
const MAGIC: u32 = u32::from_le_bytes(*b"ATLT");
const VERSION: u32 = 1;
const HEAD_BYTES: usize = 32;
/// Of [`Engine::late_step`].
const STEP_EFFECTS: u64 = 10_000;
/// Replayed when the node is ready, without being asked.
const FLAG_REPLAYS: u32 = 1;

fn name(id: u64) -> String {
    format!("{PREFIX}{id:012}")
}

fn done_name(id: u64) -> String {
    format!("{PREFIX}{id:012}{DONE_SUFFIX}")
}

/// The number of a late set's file.
fn late_number(file: &str) -> Option<u64> {
    let id = file.strip_prefix(PREFIX)?.parse().ok()?;
    (name(id) == file).then_some(id)
}

/// What is known of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LateStatus {
    pub id: u64,
    /// Unix ms.
    pub created_ms: u64,
    pub effects: u64,
    /// Of batches.
    pub bytes: u64,
    /// Of them replayed.
    pub replayed_bytes: u64,
    /// It is replayed without being asked.
    pub replays: bool,
}

/// One effect of a late set, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateSet {
    pub id: proto::EffectId,
    pub hlc: Hlc,
    pub db: u32,
    pub key: Vec<u8>,
    pub kind: &'static str,
}

/// How far each set was replayed, by its number: an offset in its file.
#[derive(Default)]
pub(in crate::core) struct LateProgress(Mutex<BTreeMap<u64, u64>>);

impl LateProgress {
    fn note(&self, id: u64, offset: u64) {
        let mut done = self.0.lock();
        let known = done.entry(id).or_default();
        *known = (*known).max(offset);
    }

    fn of(&self, id: u64) -> u64 {
        self.0.lock().get(&id).copied().unwrap_or(0)
    }

    fn all(&self) -> BTreeMap<u64, u64> {
        self.0.lock().clone()
    }
}

/// The number of the next late set.
pub(super) fn next_number(disk: &dyn Disk) -> Result<u64, DiskError> {
    Ok(disk.list()?.iter().filter_map(|file| late_number(file)).max().unwrap_or(0) + 1)
}

/// Keeps what lies between two places of a log and is beyond `reached`: what was written here as the set that the order names, and
/// what others wrote as the one after it. Those have it themselves, and tell it when they come: it is only kept to be looked at.
/// Nothing is written when there is none. Done again, it comes to the same.
pub(super) fn keep(
    disk: &Arc<dyn Disk>,
    order: &Order,
    log: &Log,
    between: (LogPosition, LogPosition),
    reached: &Frontier,
    now_ms: u64,
) -> Result<(), LogError> {
    let own = |node: NodeId| log.identity().nodes.contains(&node);
    let replays = if order.replays { FLAG_REPLAYS } else { 0 };
    keep_of(disk, (order.late, replays), log, between, reached, now_ms, &own)?;
    keep_of(disk, (order.late + 1, 0), log, between, reached, now_ms, &|node| !own(node))
}

/// Keeps what some origins wrote.
fn keep_of(
    disk: &Arc<dyn Disk>,
    (id, flags): (u64, u32),
    log: &Log,
    (begin, end): (LogPosition, LogPosition),
    reached: &Frontier,
    now_ms: u64,
    of: &dyn Fn(NodeId) -> bool,
) -> Result<(), LogError> {
    // It has its name only when it is whole: begun again, it is written again.
    let unfinished = format!("{}{}", name(id), crate::log::UNFINISHED);
    let file = disk.open(&unfinished)?;
    file.truncate(0)?;
    let (mut offset, mut effects, mut taken) = (HEAD_BYTES as u64, 0, reached.clone());
    copy_unknown(log, begin, end, &mut taken, &mut |group| {
        let (mut rest, mut kept) = (group, Vec::new());
        while let Ok(header) = parse_header(rest) {
            let (one, more) = rest.split_at(header.bytes());
            rest = more;
            if of(header.origin) {
                effects += u64::from(header.count);
                kept.extend_from_slice(one);
            }
        }
        if !kept.is_empty() {
            file.write_at(&kept, offset)?;
            offset += kept.len() as u64;
        }
        Ok(())
    })?;
    if effects == 0 {
        disk.remove(&unfinished)?;
        return Ok(());
    }
    let mut head = Vec::with_capacity(HEAD_BYTES);
    head.extend_from_slice(&MAGIC.to_le_bytes());
    head.extend_from_slice(&[0; 4]);
    head.extend_from_slice(&VERSION.to_le_bytes());
    head.extend_from_slice(&flags.to_le_bytes());
    head.extend_from_slice(&now_ms.to_le_bytes());
    head.extend_from_slice(&effects.to_le_bytes());
    let crc = crc32c::crc32c(&head[8..]);
    head[4..8].copy_from_slice(&crc.to_le_bytes());
    file.write_at(&head, 0)?;
    file.sync()?;
    disk.rename(&unfinished, &name(id))?;
    disk.sync_directory()?;
    Ok(())
}

fn read_head(disk: &dyn Disk, id: u64) -> Result<LateStatus, LogError> {
    let file = disk.open(&name(id))?;
    let mut head = [0; HEAD_BYTES];
    let read = file.read_at(&mut head, 0)?;
    let damaged = |damage| LogError::Damaged { file: name(id), offset: 0, damage };
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
    if read < HEAD_BYTES {
        return Err(damaged(Damage::Short));
    }
    if word(0) != MAGIC {
        return Err(damaged(Damage::Magic(word(0))));
    }
    if word(4) != crc32c::crc32c(&head[8..]) {
        return Err(damaged(Damage::Checksum));
    }
    if word(8) != VERSION {
        return Err(damaged(Damage::Version(word(8))));
    }
    Ok(LateStatus {
        id,
        created_ms: long(16),
        effects: long(24),
        bytes: file.len()?.saturating_sub(HEAD_BYTES as u64),
        replayed_bytes: 0,
        replays: word(12) & FLAG_REPLAYS != 0,
    })
}

/// One batch of a set at an offset, and where the next begins; `None` at the end.
fn read_batch(disk: &dyn Disk, id: u64, offset: u64) -> Result<Option<(Vec<u8>, u64)>, LogError> {
    let file = disk.open(&name(id))?;
    if offset >= file.len()? {
        return Ok(None);
    }
    let damaged = |source| LogError::Damaged { file: name(id), offset, damage: Damage::Batch(source) };
    let mut bytes = vec![0; HEADER_BYTES];
    let read = file.read_at(&mut bytes, offset)?;
    let header = parse_header(&bytes[..read]).map_err(damaged)?;
    bytes.resize(header.bytes(), 0);
    let read = file.read_at(&mut bytes, offset)?;
    bytes.truncate(read);
    Batch::parse(&bytes).map_err(damaged)?;
    Ok(Some((bytes, offset + header.bytes() as u64)))
}

/// Why a late set could not be looked at or replayed.
#[derive(Debug, thiserror::Error)]
pub enum LateError {
    #[error("there is no late set {0}")]
    Unknown(u64),
    #[error(
        "what is next in late set {0} may come back from a member that has it: wait until all members are linked, or evict those \
         that are lost"
    )]
    Awaited(u64),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Refused(#[from] WriteRefused),
}

impl From<DiskError> for LateError {
    fn from(error: DiskError) -> Self {
        LateError::Log(error.into())
    }
}

impl Engine {
    /// An own batch was read from the log at the start: notes how far replays of late sets had come.
    pub(in crate::core) fn note_late_marks(&self, batch: &Batch<'_>) {
        for (_, effect) in batch.effects().filter_map(Result::ok) {
            if let (Op::Noop, Some(offset)) = (&effect.op, effect.fresh) {
                self.late.note(u64::from(effect.db), offset);
            }
        }
    }

    /// How far replays are; to be made durable by [`Engine::save_late`] once the log is.
    pub(in crate::core) fn late_progress(&self) -> BTreeMap<u64, u64> {
        self.late.all()
    }

    /// Writes how far replays are, before the log that has their marks is dropped.
    pub(in crate::core) fn save_late(
        &self,
        disk: &dyn Disk,
        done: &BTreeMap<u64, u64>,
    ) -> Result<(), DiskError> {
        let names = disk.list()?;
        for (id, offset) in done {
            if names.contains(&name(*id)) {
                let mut bytes = offset.to_le_bytes().to_vec();
                bytes.extend_from_slice(&crc32c::crc32c(&offset.to_le_bytes()).to_le_bytes());
                crate::log::write_whole(disk, &done_name(*id), &bytes)?;
            }
        }
        Ok(())
    }

    /// The late sets of this directory, oldest first.
    pub fn late_sets(&self) -> Result<Vec<LateStatus>, LateError> {
        let Some(log) = self.log() else { return Ok(Vec::new()) };
        let disk = &**log.disk();
        let names = disk.list()?;
        let mut ids: Vec<u64> = names.iter().filter_map(|file| late_number(file)).collect();
        ids.sort_unstable();
        let mut sets = Vec::new();
        for id in ids {
            if names.contains(&done_name(id)) {
                let bytes = read_file(disk, &done_name(id))?;
                if let Some((offset, crc)) = bytes.split_first_chunk::<8>()
                    && crc == crc32c::crc32c(offset).to_le_bytes()
                {
                    self.late.note(id, u64::from_le_bytes(*offset));
                }
            }
            let mut status = read_head(disk, id)?;
            status.replayed_bytes = self.late.of(id).saturating_sub(HEAD_BYTES as u64);
            sets.push(status);
        }
        Ok(sets)
    }

    fn late_set(&self, id: u64) -> Result<LateStatus, LateError> {
        self.late_sets()?.into_iter().find(|set| set.id == id).ok_or(LateError::Unknown(id))
    }

    /// Up to `count` effects of a set that were not replayed yet, in the order in which they were written.
    pub fn late_effects(&self, id: u64, count: usize) -> Result<Vec<LateSet>, LateError> {
        self.late_set(id)?;
        let Some(log) = self.log() else { return Ok(Vec::new()) };
        let mut at = self.late.of(id).max(HEAD_BYTES as u64);
        let mut found = Vec::new();
        while found.len() < count
            && let Some((bytes, next)) = read_batch(&**log.disk(), id, at)?
        {
            at = next;
            let batch = Batch::parse(&bytes).map_err(|_| LateError::Unknown(id))?;
            for (effect_id, effect) in batch.effects().filter_map(Result::ok) {
                if found.len() < count && !matches!(effect.op, Op::Bind { .. }) {
                    found.push(LateSet {
                        id: effect_id,
                        hlc: effect.hlc,
                        db: effect.db,
                        key: effect.key.to_vec(),
                        kind: crate::log::inspect::kind_name(&effect.op),
                    });
                }
            }
        }
        Ok(found)
    }

    /// Replays a set from where it was left, up to about `budget` effects. Returns how many were written, and whether that was all of
    /// it; then the set is gone.
    pub fn late_replay(&self, id: u64, turn: &Turn, budget: u64) -> Result<(u64, bool), LateError> {
        match self.replay_late(id, turn, budget, &|effect| self.is_nobodys(effect))? {
            (0, false) => Err(LateError::Awaited(id)),
            done => Ok(done),
        }
    }

    /// The same, up to the first batch that `due` says is not.
    fn replay_late(
        &self,
        id: u64,
        turn: &Turn,
        budget: u64,
        due: &dyn Fn(EffectId) -> bool,
    ) -> Result<(u64, bool), LateError> {
        self.late_set(id)?;
        let Some(log) = self.log() else { return Ok((0, true)) };
        let disk = log.disk().clone();
        let _one = self.late_turn.lock();
        let mut written = 0;
        loop {
            let at = self.late.of(id).max(HEAD_BYTES as u64);
            let Some((bytes, next)) = read_batch(&*disk, id, at)? else { break };
            let batch = Batch::parse(&bytes).map_err(|_| LateError::Unknown(id))?;
            let last = EffectId::new(batch.header.origin, batch.header.last());
            if self.shown.lock().contains(last) {
                // It came back: a peer had it, and merged it.
                self.late.note(id, next);
                continue;
            }
            if !due(last) {
                return Ok((written, false));
            }
            let effects: Vec<_> = batch.effects().filter_map(Result::ok).collect();
            written += self.replay_late_batch(turn, &effects, id, next);
            self.end_turn()?;
            if written >= budget {
                return Ok((written, false));
            }
        }
        log.sync()?;
        self.late_remove(id)?;
        Ok((written, true))
    }

    /// One unit for a whole batch: so the mark and what it tells of are one.
    fn replay_late_batch(
        &self,
        turn: &Turn,
        effects: &[(proto::EffectId, Effect<'_>)],
        id: u64,
        next: u64,
    ) -> u64 {
        let keyed = |e: &&(proto::EffectId, Effect<'_>)| has_key(&e.1.op) && e.1.db < self.databases();
        let hashes: Vec<u64> = effects.iter().filter(keyed).map(|e| self.key_hash(e.1.key)).collect();
        let plan = if hashes.len() > SHARDS { LockPlan::Everything } else { LockPlan::Many(&hashes) };
        let mut unit = self.begin(turn, 0, plan);
        let mut written = 0;
        for (_, effect) in effects.iter().filter(keyed) {
            let key = Key { bytes: effect.key, hash: self.key_hash(effect.key), db: effect.db };
            again(&mut unit, &key, &effect.op);
            written += 1;
        }
        unit.mark_late(id as u32, next);
        drop(unit);
        self.late.note(id, next);
        written
    }

    /// True when no member has an effect, as all of them have said since the start.
    fn is_nobodys(&self, effect: EffectId) -> bool {
        let members = self.other_members();
        let peers = self.peers.lock();
        let lacks = |node: NodeId| peers.heard.of(node).is_some_and(|heard| !heard.applied.contains(effect));
        members.iter().all(|member| lacks(member.node))
    }

    /// Replays a little of the sets that need no asking, of what no member has: what one has comes back from it. Call often; false
    /// when there is nothing to do, or not yet.
    pub fn late_step(&self, turn: &Turn) -> Result<bool, LateError> {
        if !self.late_due.load(Relaxed) || self.wants_restart() || self.withholding.load(Relaxed) {
            return Ok(false);
        }
        match self.late_sets()?.iter().find(|set| set.replays) {
            Some(set) => {
                let due = |effect| self.is_nobodys(effect);
                self.replay_late(set.id, turn, STEP_EFFECTS, &due).map(|(written, done)| written > 0 || done)
            }
            None => {
                self.late_due.store(false, Relaxed);
                Ok(false)
            }
        }
    }

    /// Removes a late set for good.
    pub fn late_drop(&self, id: u64) -> Result<LateStatus, LateError> {
        let status = self.late_set(id)?;
        self.late_remove(id)?;
        Ok(status)
    }

    fn late_remove(&self, id: u64) -> Result<(), LateError> {
        if let Some(log) = self.log() {
            let disk = &**log.disk();
            disk.remove(&name(id))?;
            if disk.list()?.contains(&done_name(id)) {
                disk.remove(&done_name(id))?;
            }
            disk.sync_directory()?;
        }
        Ok(())
    }
}

/// Emits what an effect did on what is there now.
fn again(unit: &mut Unit<'_>, key: &Key<'_>, op: &Op<'_>) {
    let op = match op {
        Op::List(op) => return lists::list_op(unit, key, op),
        Op::Assign { payload: Payload::List(list), expiry } => {
            return lists::whole_list(unit, key, list, *expiry);
        }
        // What had ended was another value of the field.
        Op::Fields(FieldOp::Lapse(_)) => return,
        // It was laid on a value that is not there any more.
        Op::Overlay { offset, bytes, .. } => {
            Op::Overlay { base: unit.overlay_base(key), offset: *offset, bytes }
        }
        other => other.clone(),
    };
    unit.emit(key, op);
}
