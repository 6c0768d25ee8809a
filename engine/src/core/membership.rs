//! Who is a member: evictions, fences, and what becomes of a node that was evicted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::Relaxed;

use proto::{Hlc, NodeId, Seq};

use super::Engine;
use crate::effect::batch;
use crate::log::LogError;
use crate::replication::Member;
use crate::replication::eviction::{Eviction, Evictions};

/// What this node knows of who came and who went.
#[derive(Default)]
pub(crate) struct Membership {
    evictions: Evictions,
    /// Every incarnation ever heard of, by directory.
    incarnations: BTreeMap<u64, BTreeSet<NodeId>>,
    /// Evictions that hold nothing back here any more.
    settled: BTreeSet<u64>,
    /// The log has not taken the latest of this yet.
    unwritten: bool,
}

/// Why a member cannot be evicted or forgotten.
#[derive(Debug, thiserror::Error)]
pub enum EvictError {
    #[error("no member is called {0}: ATOLL.CLUSTER MEMBERS lists them by node, directory and address")]
    Unknown(String),
    #[error("{0} names several members: use the directory's id")]
    Ambiguous(String),
    #[error("{0} is this node: run it on another one")]
    Ourselves(String),
    #[error("{0} was not evicted")]
    NotEvicted(String),
    #[error("this node was evicted itself")]
    Evicted,
    #[error("the eviction could not be written: {0}")]
    Log(#[from] LogError),
}

/// One line of the member list.
#[derive(Clone, Debug)]
pub struct MemberStatus {
    pub member: Member,
    /// `live`, `suspect`, `down`, `left`, `joining`, `evicting`, `evicted`; of this node `self`, `leaving` or `evicted`.
    pub state: &'static str,
    /// While it is being evicted: directories whose word is missing, or who have what counts of it and is not shown here.
    pub waits_for: Vec<u64>,
}

impl Engine {
    /// A member was named: its incarnation is remembered.
    pub(super) fn note_incarnation(&self, member: &Member) {
        self.membership.lock().incarnations.entry(member.directory).or_default().insert(member.node);
    }

    /// The members but this node, without those that are evicted.
    pub(super) fn other_members(&self) -> Vec<Member> {
        let mut members = self.peers.lock().members.clone();
        members.retain(|member| !self.is_evicted(member.directory));
        members
    }

    pub fn evictions(&self) -> Evictions {
        self.membership.lock().evictions.clone()
    }

    /// Grows with every change of [`Engine::evictions`].
    pub fn evictions_version(&self) -> u64 {
        self.evictions_version.load(Relaxed)
    }

    pub fn is_evicted(&self, directory: u64) -> bool {
        self.membership.lock().evictions.contains(directory)
    }

    /// This node was evicted: it takes no writes until it has become a new member.
    #[inline]
    pub fn was_evicted(&self) -> bool {
        self.evicted.load(Relaxed)
    }

    /// Up to where effects of an origin count; `None`: as far as they go.
    pub(super) fn late_after(&self, origin: NodeId) -> Option<Seq> {
        // Not by the version: a fence counts before it is written.
        self.membership.lock().evictions.limit(origin)
    }

    /// Finds a member by node id, directory id or address.
    fn find_member(&self, name: &str, evicted: bool) -> Result<Member, EvictError> {
        let hex = u64::from_str_radix(name, 16).ok();
        let named = |m: &&Member| m.addr == name || hex.is_some_and(|id| m.directory == id || m.node.0 == id);
        let members = self.peers.lock().members.clone();
        let found: Vec<&Member> = members.iter().filter(named).collect();
        // An address may have been used by one that was evicted before.
        let wanted: Vec<&&Member> =
            found.iter().filter(|m| self.is_evicted(m.directory) == evicted).collect();
        match (&wanted[..], found.is_empty()) {
            ([one], _) => Ok((**one).clone()),
            ([], true) if named(&&*self.own.read()) => Err(EvictError::Ourselves(name.into())),
            ([], false) if evicted => Err(EvictError::NotEvicted(name.into())),
            ([], _) => Err(EvictError::Unknown(name.into())),
            _ => Err(EvictError::Ambiguous(name.into())),
        }
    }

    /// Evicts a member, named by node id, directory id or address: nothing waits for it any more once all others have said what
    /// they have of it. What nobody has of it by then is late.
    pub fn evict_member(&self, name: &str) -> Result<Member, EvictError> {
        if self.was_evicted() {
            return Err(EvictError::Evicted);
        }
        let member = self.find_member(name, false)?;
        let own = self.own.read().directory;
        let at = self.stage.lock().last_hlc();
        {
            let mut membership = self.membership.lock();
            let nodes = membership.incarnations.get(&member.directory).cloned().unwrap_or_default();
            membership.evictions.add(&Eviction::new(member.directory, own, at, nodes));
        }
        self.settle_evictions(true)?;
        Ok(member)
    }

    /// Takes an evicted member off the lists.
    pub fn forget_member(&self, name: &str) -> Result<Member, EvictError> {
        let member = self.find_member(name, true)?;
        for eviction in self.membership.lock().evictions.iter_mut() {
            eviction.forgotten |= eviction.directory == member.directory;
        }
        self.settle_evictions(true)?;
        Ok(member)
    }

    /// Evictions that a peer, a log or a checkpoint tells. True when there was news.
    pub fn learn_evictions(&self, told: &Evictions) -> Result<bool, LogError> {
        let news = self.membership.lock().evictions.merge(told);
        if news {
            self.settle_evictions(true)?;
        }
        Ok(news)
    }

    /// The same while the log is read: nothing is written.
    pub(super) fn replay_evictions(&self, told: &Evictions) {
        if self.membership.lock().evictions.merge(told) {
            self.evictions_version.fetch_add(1, Relaxed);
        }
    }

    /// Called often: closes what can be closed, and lets go of what holds nothing back any more.
    pub(super) fn membership_step(&self) {
        if self.evictions_version() > 0 || self.membership.lock().unwritten {
            // Tried again at the next step.
            let _ = self.settle_evictions(false);
        }
    }

    fn settle_evictions(&self, changed: bool) -> Result<(), LogError> {
        let own = self.own.read().directory;
        if self.membership.lock().evictions.contains(own) {
            self.become_evicted(own);
            return Ok(());
        }
        if self.was_evicted() {
            // What is shown here says nothing for the member that this node is going to be.
            return Ok(());
        }
        // Remote effects stand still: what is said to be shown is all that is.
        let apply = self.apply.lock();
        let shown = self.shown.lock().clone();
        if self.membership.lock().evictions.iter().any(|eviction| eviction.is_exceeded(&shown)) {
            // Nobody knew of this node when the cut was agreed on: what it shows beyond is shown nowhere else, ever.
            drop(apply);
            self.become_evicted(own);
            return Ok(());
        }
        let mut changed = changed;
        let members: BTreeSet<u64> = self.peers.lock().members.iter().map(|m| m.directory).collect();
        let mut fenced: Vec<NodeId> = Vec::new();
        {
            let mut membership = self.membership.lock();
            let Membership { evictions, incarnations, unwritten, .. } = &mut *membership;
            changed |= *unwritten;
            let all: BTreeSet<u64> =
                members.into_iter().chain([own]).filter(|d| !evictions.contains(*d)).collect();
            let (closes, others) = (evictions.closed_by(own), evictions.others());
            for eviction in evictions.iter_mut() {
                if let Some(known) = incarnations.get(&eviction.directory) {
                    let before = eviction.nodes.len();
                    eviction.nodes.extend(known);
                    changed |= eviction.nodes.len() > before;
                }
                if eviction.fence(own, &shown, others) {
                    changed = true;
                    fenced.extend(&eviction.nodes);
                }
                if closes.contains(&eviction.by) {
                    changed |= eviction.close(&all, others);
                }
            }
            *unwritten = changed;
        }
        if !fenced.is_empty() {
            // What arrived and was not shown yet is not shown any more, unless another member has it.
            let mut peers = self.peers.lock();
            fenced.into_iter().for_each(|node| peers.horizon.forget(node));
        }
        drop(apply);
        if changed {
            self.write_evictions()?;
            self.membership.lock().unwritten = false;
            self.evictions_version.fetch_add(1, Relaxed);
            if let Some(wake) = &*self.appended.read() {
                wake();
            }
        }
        self.let_go(&shown);
        self.settle_withholding();
        Ok(())
    }

    /// What is written here is withheld while a member cannot merge it; not for the sake of one that was evicted.
    pub(super) fn settle_withholding(&self) {
        let strange_to = self.peers.lock().strange_to.clone();
        let withholds = self.was_evicted() || strange_to.iter().any(|directory| !self.is_evicted(*directory));
        if self.withholding.swap(withholds, Relaxed) && !withholds {
            // Whoever was to lend a checkpoint is gone.
            self.borrowing().active.store(false, Relaxed);
        }
    }

    /// Whoever is evicted, with all that counts of it shown here, is waited for no longer.
    fn let_go(&self, shown: &proto::Frontier) {
        let mut done = Vec::new();
        {
            let mut membership = self.membership.lock();
            let Membership { evictions, settled, .. } = &mut *membership;
            for eviction in evictions.iter() {
                if eviction.is_covered(shown) && settled.insert(eviction.directory) {
                    done.push(eviction.directory);
                }
            }
        }
        if !done.is_empty() {
            let mut peers = self.peers.lock();
            done.iter().for_each(|directory| peers.stability.forget(*directory));
        }
    }

    /// False for whoever was let go of.
    pub(super) fn counts(&self, directory: u64) -> bool {
        !self.membership.lock().settled.contains(&directory)
    }

    /// In the log, durably: a fence that was told is never taken back.
    fn write_evictions(&self) -> Result<(), LogError> {
        let Some(log) = self.log() else { return Ok(()) };
        let (mut payload, mut frame) = (Vec::new(), Vec::new());
        self.membership.lock().evictions.encode(&mut payload);
        batch::encode_evictions(&mut frame, self.node, &payload);
        log.append(&frame)?;
        log.sync()
    }

    /// The others have evicted this node, which said that it is `directory`: one of them says so, or it learned that itself. It
    /// presents itself as the new member that it is going to be, and takes no writes until it is. That one may be evicted before
    /// it began: then it is going to be the next one.
    pub fn become_evicted(&self, directory: u64) {
        if self.note_left() {
            return;
        }
        let mut own = self.own.write();
        if own.directory != directory {
            // Of who it was before.
            return;
        }
        self.evicted.store(true, Relaxed);
        self.withholding.store(true, Relaxed);
        {
            let mut membership = self.membership.lock();
            // Whoever evicted it closes it: this record gives way to theirs.
            membership.evictions.add(&Eviction::new(directory, 0, Hlc(0), BTreeSet::new()));
            while membership.evictions.contains(own.directory) {
                let (directory, node) = successor(own.directory);
                (own.directory, own.node, own.incarnation) = (directory, node, 1);
            }
        }
        drop(own);
        // So that a start before the checkpoint is here knows it too.
        let _ = self.write_evictions();
        self.evictions_version.fetch_add(1, Relaxed);
    }

    /// Takes note of an eviction, durably, and of nothing that follows from it.
    pub(super) fn membership_learn(&self, eviction: &Eviction) {
        self.membership.lock().evictions.add(eviction);
        // Lost, the others tell of it again.
        let _ = self.write_evictions();
    }

    /// The log is read: a node that was evicted before it stopped goes on as such.
    pub(super) fn resume_membership(&self) {
        let own = self.own.read().directory;
        if self.is_evicted(own) {
            self.become_evicted(own);
        } else {
            let shown = self.shown.lock().clone();
            self.let_go(&shown);
        }
    }

    /// Who this node is going to be, if it was evicted.
    pub(super) fn successor(&self) -> Option<(u64, NodeId)> {
        let own = self.own.read();
        self.was_evicted().then_some((own.directory, own.node))
    }

    /// Every member that is not forgotten, this node first.
    pub fn member_list(&self) -> Vec<MemberStatus> {
        let own = self.own.read().clone();
        let (members, reach, acked) = {
            let peers = self.peers.lock();
            let acked: BTreeSet<u64> = peers.stability.acked_members().collect();
            (peers.members.clone(), peers.reach.clone(), acked)
        };
        let (evictions, shown) = (self.evictions(), self.shown.lock().clone());
        let all: BTreeSet<u64> = members
            .iter()
            .map(|m| m.directory)
            .chain([own.directory])
            .filter(|d| !evictions.contains(*d))
            .collect();
        let mut list = vec![MemberStatus {
            state: match () {
                () if self.was_evicted() => "evicted",
                () if self.is_leaving() => "leaving",
                () => "self",
            },
            member: own,
            waits_for: Vec::new(),
        }];
        for member in members {
            let mut waits_for = Vec::new();
            let state = match evictions.get(member.directory) {
                Some(eviction) if eviction.forgotten => continue,
                Some(eviction) => {
                    if self.counts(member.directory) {
                        let silent = eviction.waits_for(&all, evictions.others());
                        let awaited = match silent.is_empty() {
                            true => eviction.brought_by(&all, &shown),
                            false => silent,
                        };
                        waits_for = awaited.into_iter().copied().collect();
                    }
                    if eviction.cut.is_some() && waits_for.is_empty() { "evicted" } else { "evicting" }
                }
                None if !acked.contains(&member.directory) => "joining",
                None => reach.iter().find(|r| r.node == member.node).map_or("down", |r| r.reach.name()),
            };
            list.push(MemberStatus { member, state, waits_for });
        }
        list
    }
}

/// The ids that an evicted directory takes: the same however often it is asked, also by another incarnation. Nothing is written under
/// them before the checkpoint is taken over, which begins an incarnation of its own.
fn successor(directory: u64) -> (u64, NodeId) {
    let id = |salt: &[u8]| xxhash_rust::xxh3::xxh3_64_with_seed(salt, directory) | 1;
    (id(b"directory"), NodeId(id(b"node")))
}
