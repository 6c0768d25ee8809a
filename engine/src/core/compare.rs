//! Comparing states with peers: do two nodes show the same where they folded the same?
//!
//! A node goes round its keys, a range at a time, and asks a peer for the digest of the same range. Ranges rarely stand still, so a
//! difference only names candidates. A key's difference is *proved* before anything follows:
//!
//! ```text
//!   here                                        peer
//!   t1  tip, digest, frontier F1 of the key ──▶
//!                                          t2   once it has shown F1: digest, frontier F2
//!   t3  once F2 is shown here: the tip is   ◀──
//!       still that of t1
//! ```
//! Then nothing was folded on the key here between t1 and t3; the peer had folded all of that at t2, and nothing that is not in it.
//! Both folded the same effects of the key, so different digests mean that one of the states is damaged. No stability is
//! needed for that, no standstill, and no clock but to leave out keys that are about to expire.
//!
//! A proved difference is put to all other linked members. The state that most of them show counts; of equally many a value
//! before none, then the greater digest. A node that has it writes it again, as an effect like any other, so all come to show it.
//!
//! Does not: compare keys that are large (`VALUE_MAX`), have a window, or expire soon.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use proto::{EffectId, Frontier, Hlc, NodeId};

use super::digest::key_digest;
use super::unit::Key;
use super::{Engine, LockPlan, Turn};
use crate::effect::Op;
use crate::merge::{Dispute, Rule, Side, render};
use crate::replication::compare::{Answer, KEYS_MAX, Question};
use crate::state::table::shard_of;

/// Keys of a range.
const RANGE_KEYS: usize = 1000;
/// Candidates looked into at a time.
const CANDIDATES_MAX: usize = 64;
/// Names of a range or of an answer, bytes.
const NAMES_MAX: usize = 128 << 10;
/// A value that takes more memory is left out, bytes.
const VALUE_MAX: usize = 1 << 20;
/// Keys that expire within this of the question are left out, ms; clocks of members differ by less.
const EXPIRY_MARGIN_MS: u64 = 5_000;
/// How often a probe is repeated while one side has not shown what the other has, and the pause between, ms.
const TRIES_MAX: u32 = 40;
const RETRY_MS: u64 = 50;

/// Tip (index of the origin, seq) and digest of a key.
type State = ((u16, u64), u128);

/// A key whose digest differs from a peer's.
struct Candidate {
    key: Vec<u8>,
    /// Its state when it was first looked at: tip (index of the origin, seq) and digest.
    tip: (u16, u64),
    digest: u128,
    /// What other members were proved to show for the same effects.
    votes: Vec<(NodeId, Option<u128>)>,
}

enum Stage {
    Idle,
    /// A range was asked for: its keys here, with tip and digest.
    Range {
        peer: NodeId,
        keys: Vec<(Vec<u8>, (u16, u64), u128)>,
    },
    /// To be asked.
    Probe {
        peers: Vec<NodeId>,
        candidates: Vec<Candidate>,
        tries: u32,
    },
    /// Asked; the first of the peers.
    Probing {
        peers: Vec<NodeId>,
        candidates: Vec<Candidate>,
        tries: u32,
    },
    /// Answered, but with more than is shown here.
    Behind {
        peers: Vec<NodeId>,
        candidates: Vec<Candidate>,
        frontier: Frontier,
        digests: Vec<Option<u128>>,
        tries: u32,
    },
    /// To be told to these.
    Verdicts(Vec<(NodeId, Question)>),
    /// Told.
    Telling(Vec<(NodeId, Question)>),
}

struct Round {
    stage: Stage,
    next_ms: u64,
    /// Database and key behind which the next range begins.
    db: u32,
    after: Vec<u8>,
    /// Counts rounds over all keys: each goes to the next peer.
    turn: usize,
    /// What an operator is to be told.
    told: Option<String>,
}

/// See the module.
pub(crate) struct Compare {
    round: Mutex<Round>,
    interval_ms: AtomicU64,
    ranges: AtomicU64,
    keys: AtomicU64,
    candidates: AtomicU64,
    differences: AtomicU64,
    repairs: AtomicU64,
}

/// Counters of comparisons since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CompareStats {
    /// Ranges that a peer answered for, and keys in them.
    pub ranges: u64,
    pub keys: u64,
    /// Keys that were looked into, most of them being written meanwhile.
    pub candidates: u64,
    /// Keys proved to differ.
    pub differences: u64,
    /// States written again by this node.
    pub repairs: u64,
}

impl Default for Compare {
    fn default() -> Self {
        let round = Round { stage: Stage::Idle, next_ms: 0, db: 0, after: Vec::new(), turn: 0, told: None };
        Compare {
            round: Mutex::new(round),
            interval_ms: AtomicU64::new(1000),
            ranges: AtomicU64::new(0),
            keys: AtomicU64::new(0),
            candidates: AtomicU64::new(0),
            differences: AtomicU64::new(0),
            repairs: AtomicU64::new(0),
        }
    }
}

impl Engine {
    /// Pause between two ranges, ms; 0 compares nothing.
    pub fn set_compare_interval(&self, ms: u64) {
        self.compare.interval_ms.store(ms, Relaxed);
    }

    pub fn compare_stats(&self) -> CompareStats {
        let c = &self.compare;
        CompareStats {
            ranges: c.ranges.load(Relaxed),
            keys: c.keys.load(Relaxed),
            candidates: c.candidates.load(Relaxed),
            differences: c.differences.load(Relaxed),
            repairs: c.repairs.load(Relaxed),
        }
    }

    /// The next question, if one is due now (monotonic ms), and whom to ask. Its answer, or that there is none, goes to
    /// [`Engine::take_answer`] before this is called again.
    pub(super) fn next_question(&self, now_ms: u64) -> Option<(NodeId, Question)> {
        let interval_ms = self.compare.interval_ms.load(Relaxed);
        if interval_ms == 0 || self.is_loading() || self.is_alone() {
            return None;
        }
        let round = &mut *self.compare.round.lock();
        if now_ms < round.next_ms {
            return None;
        }
        match std::mem::replace(&mut round.stage, Stage::Idle) {
            Stage::Idle => {
                round.next_ms = now_ms + interval_ms;
                self.next_range(round)
            }
            Stage::Probe { peers, mut candidates, tries } => {
                let db = round.db;
                let as_of_ms = self.as_of_ms();
                let (frontier, states) =
                    self.states(db, as_of_ms, candidates.iter().map(|c| c.key.as_slice()));
                // What was written since is looked at again in the next round.
                let mut states = states.into_iter();
                candidates.retain(|c| states.next().flatten() == Some((c.tip, c.digest)));
                let peer = *peers.first().filter(|_| !candidates.is_empty())?;
                let keys = candidates.iter().map(|c| c.key.clone()).collect();
                round.stage = Stage::Probing { peers, candidates, tries };
                Some((peer, Question::Probe { db, as_of_ms, frontier, keys }))
            }
            Stage::Behind { peers, candidates, frontier, digests, tries } => {
                if self.shown.lock().covers(&frontier) {
                    self.weigh(round, peers, candidates, &digests);
                } else if tries < TRIES_MAX {
                    round.next_ms = now_ms + RETRY_MS;
                    round.stage = Stage::Behind { peers, candidates, frontier, digests, tries: tries + 1 };
                }
                None
            }
            Stage::Verdicts(mut left) => {
                let next = left.pop()?;
                round.stage = Stage::Telling(left);
                Some(next)
            }
            // No answer came for what was asked, nor that there is none.
            Stage::Range { .. } | Stage::Probing { .. } | Stage::Telling(_) => None,
        }
    }

    fn as_of_ms(&self) -> u64 {
        self.stage.lock().last_hlc().ms() + EXPIRY_MARGIN_MS
    }

    fn linked_peers(&self) -> Vec<NodeId> {
        let peers = self.peers.lock();
        let linked = peers.members.iter().filter(|m| peers.heard.of(m.node).is_some_and(|heard| heard.up));
        linked.map(|m| m.node).collect()
    }

    fn next_range(&self, round: &mut Round) -> Option<(NodeId, Question)> {
        let peers = self.linked_peers();
        if peers.is_empty() {
            return None;
        }
        let names = self.keys_between(round.db, &round.after, None, RANGE_KEYS, NAMES_MAX);
        // The key without a name alone is no place to go on from.
        let Some(upto) = names.last().cloned().filter(|name| !name.is_empty()) else {
            round.after = Vec::new();
            round.db += 1;
            if round.db >= self.databases() {
                round.db = 0;
                round.turn = round.turn.wrapping_add(1);
            }
            return None;
        };
        let peer = peers[round.turn % peers.len()];
        let as_of_ms = self.as_of_ms();
        let db = round.db;
        let after = std::mem::replace(&mut round.after, upto.clone());
        let keys = self.comparable(db, as_of_ms, names);
        let digest = keys.iter().fold(0u128, |sum, k| sum.wrapping_add(k.2));
        self.compare.keys.fetch_add(keys.len() as u64, Relaxed);
        round.stage = Stage::Range { peer, keys };
        Some((peer, Question::Range { db, after, upto, as_of_ms, digest }))
    }

    /// Of these keys those that can be compared, with tip and digest.
    fn comparable(&self, db: u32, as_of_ms: u64, names: Vec<Vec<u8>>) -> Vec<(Vec<u8>, (u16, u64), u128)> {
        let state = |name: Vec<u8>| {
            let (tip, digest) = self.state(db, as_of_ms, &name, false)?;
            Some((name, tip, digest))
        };
        names.into_iter().filter_map(state).collect()
    }

    /// Tip and digest of a key that shows a value, unless it expires soon or is large; `windowed`: also while it has a window.
    fn state(&self, db: u32, as_of_ms: u64, name: &[u8], windowed: bool) -> Option<State> {
        let hash = self.key_hash(name);
        let mut shard = self.shards[shard_of(hash)].lock();
        if shard.footprint(db, hash, name, 5, self.config.block_bytes)? > VALUE_MAX {
            return None;
        }
        let mut entry = shard.find(db, hash, name)?;
        if !entry.show_at(as_of_ms) || (entry.windowed() && !windowed) {
            return None;
        }
        let digest = key_digest(db, name, &entry.value()?, entry.expiry().ms());
        Some((entry.tip(), digest))
    }

    /// States of keys, and a frontier with everything that is folded in them and nothing that is not folded here.
    fn states<'k>(
        &self,
        db: u32,
        as_of_ms: u64,
        keys: impl Iterator<Item = &'k [u8]>,
    ) -> (Frontier, Vec<Option<State>>) {
        // No remote batch is half folded; a local effect is staged before it is folded.
        let _apply = self.apply.lock();
        let states = keys.map(|key| self.state(db, as_of_ms, key, true)).collect();
        (self.frontier_with_staged(), states)
    }

    /// Answers a peer.
    pub(super) fn answer_question(&self, question: Question) -> Answer {
        if self.is_loading() {
            return Answer::Skip;
        }
        let now_ms = self.stage.lock().last_hlc().ms();
        match question {
            Question::Range { db, after, upto, as_of_ms, digest } => {
                if db >= self.databases() || now_ms > as_of_ms {
                    return Answer::Skip;
                }
                let names = self.keys_between(db, &after, Some(&upto), KEYS_MAX, NAMES_MAX);
                let keys = self.comparable(db, as_of_ms, names);
                if keys.iter().fold(0u128, |sum, k| sum.wrapping_add(k.2)) == digest {
                    return Answer::Same;
                }
                Answer::Keys(keys.into_iter().map(|(key, _, digest)| (key, digest)).collect())
            }
            Question::Probe { db, as_of_ms, frontier, keys } => {
                if db >= self.databases() || now_ms > as_of_ms {
                    return Answer::Skip;
                }
                if !self.shown.lock().covers(&frontier) {
                    return Answer::NotYet;
                }
                let (frontier, states) = self.states(db, as_of_ms, keys.iter().map(Vec::as_slice));
                Answer::Digests { frontier, digests: states.into_iter().map(|s| s.map(|s| s.1)).collect() }
            }
            Question::Verdict { db, key, wins, writer, winner, loser } => {
                self.note_difference(db, &key, winner, loser);
                if writer == self.node && db < self.databases() {
                    self.write_again(db, &key, wins);
                }
                Answer::Same
            }
        }
    }

    /// Takes the answer to the last question, `None` when there was none. Returns what an operator is to be told.
    pub(super) fn take_answer(&self, peer: NodeId, answer: Option<Answer>, now_ms: u64) -> Option<String> {
        let round = &mut *self.compare.round.lock();
        match (std::mem::replace(&mut round.stage, Stage::Idle), answer) {
            (Stage::Range { peer: asked, .. }, Some(Answer::Same)) if asked == peer => {
                self.compare.ranges.fetch_add(1, Relaxed);
            }
            (Stage::Range { peer: asked, keys }, Some(Answer::Keys(theirs))) if asked == peer => {
                self.compare.ranges.fetch_add(1, Relaxed);
                let same = |key: &Vec<u8>, digest: u128| {
                    theirs.binary_search_by(|t| t.0.cmp(key)).is_ok_and(|at| theirs[at].1 == digest)
                };
                let different = keys.into_iter().filter(|(key, _, digest)| !same(key, *digest));
                let candidate = |(key, tip, digest)| Candidate { key, tip, digest, votes: Vec::new() };
                let candidates: Vec<Candidate> = different.take(CANDIDATES_MAX).map(candidate).collect();
                self.compare.candidates.fetch_add(candidates.len() as u64, Relaxed);
                if !candidates.is_empty() {
                    // The one that differs first; it most often names a key that is being written.
                    let mut peers = self.linked_peers();
                    peers.retain(|p| *p != peer);
                    peers.insert(0, peer);
                    round.stage = Stage::Probe { peers, candidates, tries: 0 };
                    round.next_ms = now_ms + RETRY_MS;
                }
            }
            (Stage::Probing { peers, candidates, tries }, Some(Answer::NotYet)) if tries < TRIES_MAX => {
                round.next_ms = now_ms + RETRY_MS;
                round.stage = Stage::Probe { peers, candidates, tries: tries + 1 };
            }
            (Stage::Probing { peers, candidates, tries }, Some(Answer::Digests { frontier, digests }))
                if digests.len() == candidates.len() =>
            {
                if self.shown.lock().covers(&frontier) {
                    self.weigh(round, peers, candidates, &digests);
                    return round.told.take();
                }
                round.next_ms = now_ms + RETRY_MS;
                round.stage = Stage::Behind { peers, candidates, frontier, digests, tries };
            }
            // One that cannot tell does not vote, unless it is the one that differs.
            (Stage::Probing { peers, candidates, .. }, _)
                if candidates.iter().all(|c| !c.votes.is_empty()) =>
            {
                self.next_vote(round, peers, candidates);
            }
            (Stage::Telling(left), _) if !left.is_empty() => round.stage = Stage::Verdicts(left),
            _ => {}
        }
        round.told.take()
    }

    /// The first of `peers` showed `digests`, and all it showed is shown here: what is unchanged here since it was asked is proved.
    fn weigh(
        &self,
        round: &mut Round,
        peers: Vec<NodeId>,
        candidates: Vec<Candidate>,
        digests: &[Option<u128>],
    ) {
        let db = round.db;
        let mut kept = Vec::new();
        for (mut candidate, theirs) in candidates.into_iter().zip(digests) {
            let unchanged =
                self.state(db, 0, &candidate.key, true) == Some((candidate.tip, candidate.digest));
            let first = candidate.votes.is_empty();
            if unchanged && !(first && *theirs == Some(candidate.digest)) {
                candidate.votes.push((peers[0], *theirs));
                kept.push(candidate);
            }
        }
        if !kept.is_empty() {
            self.next_vote(round, peers, kept);
        }
    }

    fn next_vote(&self, round: &mut Round, mut peers: Vec<NodeId>, candidates: Vec<Candidate>) {
        peers.remove(0);
        if !peers.is_empty() {
            round.stage = Stage::Probe { peers, candidates, tries: 0 };
            return;
        }
        let db = round.db;
        let mut told = String::new();
        let mut verdicts = Vec::new();
        for candidate in &candidates {
            let verdict = self.judge(db, candidate);
            if told.is_empty() {
                told = format!(
                    "{} keys differ from a peer's though both folded the same effects, the first in database {db} is '{}': \
                     memory or disk of one is damaged, or this is a bug; the state that most members show is written again",
                    candidates.len(),
                    candidate.key.escape_ascii()
                );
            }
            let Question::Verdict { wins, writer, winner, loser, .. } = &verdict else { continue };
            self.compare.differences.fetch_add(1, Relaxed);
            self.note_difference(db, &candidate.key, winner.clone(), loser.clone());
            if *writer == self.node {
                self.write_again(db, &candidate.key, *wins);
            }
            verdicts.extend(candidate.votes.iter().map(|(node, _)| (*node, verdict.clone())));
        }
        round.stage = Stage::Verdicts(verdicts);
        round.told = Some(told);
    }

    /// Which state counts, and who writes it.
    fn judge(&self, db: u32, candidate: &Candidate) -> Question {
        let all = || candidate.votes.iter().copied().chain([(self.node, Some(candidate.digest))]);
        let count = |digest: Option<u128>| all().filter(|(_, d)| *d == digest).count();
        let wins = all().map(|(_, d)| d).max_by_key(|d| (count(*d), *d)).flatten();
        let holders = all().filter(|(_, d)| *d == wins).map(|(node, _)| node);
        // A node that shows nothing has nothing to write: whoever shows something takes it away.
        let writer = match wins {
            Some(_) if wins == Some(candidate.digest) => self.node,
            Some(_) => holders.min().unwrap_or(self.node),
            None => self.node,
        };
        let voters = |which: bool| {
            let nodes = all().filter(|(_, d)| (*d == wins) == which).map(|(node, _)| node.to_string());
            nodes.collect::<Vec<_>>().join(" ")
        };
        let shown = {
            let hash = self.key_hash(&candidate.key);
            let mut shard = self.shards[shard_of(hash)].lock();
            let found = shard.find(db, hash, &candidate.key);
            found.and_then(|e| e.value().map(|value| render(value).to_string())).unwrap_or_default()
        };
        let side = |which: bool| {
            let text =
                if (wins == Some(candidate.digest)) == which { format!(": {shown}") } else { String::new() };
            format!("on {}{text}", voters(which))
        };
        Question::Verdict {
            db,
            key: candidate.key.clone(),
            wins,
            writer,
            winner: side(true),
            loser: side(false),
        }
    }

    fn note_difference(&self, db: u32, key: &[u8], winner: String, loser: String) {
        let side = |text: String| Side { id: EffectId::STABLE, hlc: Hlc(0), text: text.into() };
        let dispute = Dispute { rule: Rule::Digest, winner: side(winner), loser: side(loser) };
        self.conflicts.note(db, key, vec![dispute]);
    }

    /// Writes the state that counts again, if this node still shows it; or takes away what should not be there.
    fn write_again(&self, db: u32, name: &[u8], wins: Option<u128>) {
        let turn = Turn { now_ms: self.stage.lock().last_hlc().ms() };
        let key = Key { bytes: name, hash: self.key_hash(name), db };
        let mut unit = self.begin(&turn, 0, LockPlan::One(key.hash));
        unit.set_touch(false);
        let (Some(expiry), Some(value)) = (unit.expiry(&key), unit.value(&key).map(|v| v.to_value())) else {
            return;
        };
        match wins {
            None => unit.emit(&key, Op::Reset),
            Some(digest) if key_digest(db, name, &value.as_ref(), expiry.ms()) == digest => {
                crate::commands::generic::assign_whole(&mut unit, &key, &value, expiry);
            }
            Some(_) => return,
        }
        drop(unit);
        self.compare.repairs.fetch_add(1, Relaxed);
        // Refused, it stays staged and goes out when the log takes writes again.
        let _ = self.end_turn();
    }
}
