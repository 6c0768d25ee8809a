//! Dialling: every name that is joined or advertised by a member is tried until it is linked.
//!
//! While a name has no healthy link a new attempt starts every [`PACE`], beside those under way: after a cut the first
//! packets through are never more than one pace away. A peer that refuses us is asked ever more rarely. Names are resolved
//! again for each attempt, so a node that is alone finds the cluster wherever its names lead by then; while some of what a name
//! leads to is linked, the rest is looked for less often. Of two nodes that know each other the higher id waits a moment, so that mostly one connection is
//! made, not two.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use engine::replication::Member;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::link::{self, HandshakeError, LinkError};
use crate::node::{Shared, random};
use crate::quic::identity::SERVER_NAME;
use crate::quic::{self, identity};

/// Between attempts at a silent name.
const PACE: Duration = Duration::from_millis(450);
/// One attempt's connection set-up; several overlap.
const CONNECT_MAX: Duration = Duration::from_secs(3);
const OVERLAP_MAX: u32 = 7;
/// After refusals, doubling up to this.
const REFUSED_MAX: Duration = Duration::from_secs(5);
/// One question to a name server, attempts included.
pub(crate) const RESOLVE_MAX: Duration = Duration::from_secs(2);
/// Between attempts at a name that leads to some linked nodes and some others.
const PARTLY_PACE: Duration = Duration::from_secs(5);
/// A linked name is resolved again this often: it may name more nodes by then.
const RESOLVE_EVERY: Duration = Duration::from_secs(30);
/// The higher node id's first attempt.
const YIELD: Duration = Duration::from_millis(200);
/// Planning, when nothing happens.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A link that ended sooner counts as a failure.
const LASTING: Duration = Duration::from_secs(2);

/// A name that is joined, for INFO.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JoinStatus {
    pub name: String,
    /// Where it led when it was last resolved.
    pub addrs: Vec<SocketAddr>,
    /// Everything it leads to is linked, or ourselves.
    pub linked: bool,
    /// Why not, as far as it is known.
    pub reason: String,
}

impl JoinStatus {
    /// Not looked at yet.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.into(), addrs: Vec::new(), linked: false, reason: String::new() }
    }
}

struct Name {
    next: Instant,
    running: u32,
    failures: u32,
    resolved: Vec<SocketAddr>,
    resolved_at: Option<Instant>,
    /// When a link was last seen missing or present.
    healthy: bool,
    healthy_since: Instant,
}

struct Outcome {
    name: String,
    resolved: Vec<SocketAddr>,
    /// The first failure in words; none when every address was linked or needed nothing.
    failure: Option<String>,
    refused: bool,
}

enum Dialled {
    Linked,
    Refused(String),
    Failed(String),
}

/// Runs until aborted.
pub(crate) async fn run(shared: Arc<Shared>, join: Vec<String>) {
    let mut names: HashMap<String, Name> = HashMap::new();
    let mut attempts: JoinSet<Outcome> = JoinSet::new();
    loop {
        plan(&shared, &join, &mut names, &mut attempts);
        tell(&shared, &join, &names);
        tokio::select! {
            () = shared.links_changed.notified() => {}
            Some(done) = attempts.join_next() => {
                if let Ok(outcome) = done {
                    note(&shared, &mut names, outcome);
                }
            }
            () = sleep_until(Instant::now() + LOOK_EVERY) => {}
        }
    }
}

fn plan(
    shared: &Arc<Shared>,
    join: &[String],
    names: &mut HashMap<String, Name>,
    attempts: &mut JoinSet<Outcome>,
) {
    let own = shared.replica.member();
    let members: Vec<Member> =
        shared.replica.members().into_iter().filter(|m| m.directory != own.directory).collect();
    let wanted = |name: &String| join.contains(name) || members.iter().any(|m| m.addr == *name);
    names.retain(|name, state| state.running > 0 || wanted(name));
    shared.reasons.lock().retain(|name, _| names.contains_key(name));
    let now = Instant::now();
    let targets = join.iter().map(|name| (name, None)).chain(members.iter().map(|m| (&m.addr, Some(m))));
    for (name, member) in targets.filter(|t| *t.0 != own.addr) {
        let yields = member.is_some_and(|m| own.node > m.node);
        let state = names.entry(name.clone()).or_insert_with(|| Name {
            next: now + if yields { YIELD } else { Duration::ZERO },
            running: 0,
            failures: 0,
            resolved: Vec::new(),
            resolved_at: None,
            healthy: false,
            healthy_since: now,
        });
        let healthy = is_healthy(shared, name, member, state);
        if healthy != state.healthy {
            let lasted = now.duration_since(state.healthy_since) >= LASTING;
            (state.healthy, state.healthy_since) = (healthy, now);
            if healthy {
                shared.reasons.lock().remove(name);
            } else if lasted {
                state.failures = 0;
                state.next = now + if yields { YIELD } else { Duration::ZERO };
            } else {
                state.failures += 1;
                state.next = now + refused_pause(state.failures);
            }
        }
        let stale = member.is_none() && state.resolved_at.is_none_or(|at| now - at >= RESOLVE_EVERY);
        if (healthy && !stale) || now < state.next || state.running >= OVERLAP_MAX {
            continue;
        }
        let partly =
            member.is_none() && state.resolved.iter().any(|a| shared.registry.lock().needs_no_dial(*a));
        state.next = now + jittered(if partly { PARTLY_PACE } else { PACE });
        state.running += 1;
        attempts.spawn(attempt(shared.clone(), name.clone()));
    }
}

/// Leaves word of the joined names for INFO.
fn tell(shared: &Shared, join: &[String], names: &HashMap<String, Name>) {
    let reasons = shared.reasons.lock();
    let told = join.iter().map(|name| {
        let state = names.get(name);
        JoinStatus {
            name: name.clone(),
            addrs: state.map_or_else(Vec::new, |s| s.resolved.clone()),
            linked: state.is_some_and(|s| s.healthy),
            reason: reasons.get(name).cloned().unwrap_or_default(),
        }
    });
    *shared.joins.lock() = told.collect();
}

fn is_healthy(shared: &Shared, name: &str, member: Option<&Member>, state: &Name) -> bool {
    let registry = shared.registry.lock();
    match member {
        Some(member) => registry.is_linked_directory(member.directory),
        None => {
            registry.is_linked(name)
                || (!state.resolved.is_empty() && state.resolved.iter().all(|a| registry.needs_no_dial(*a)))
        }
    }
}

fn note(shared: &Shared, names: &mut HashMap<String, Name>, outcome: Outcome) {
    let Some(state) = names.get_mut(&outcome.name) else { return };
    let now = Instant::now();
    state.running -= 1;
    if !outcome.resolved.is_empty() {
        state.resolved = outcome.resolved;
        state.resolved_at = Some(now);
    }
    if let Some(failure) = outcome.failure {
        if outcome.refused {
            state.failures += 1;
            state.next = now + refused_pause(state.failures);
        }
        shared.reasons.lock().insert(outcome.name, failure);
    }
}

async fn attempt(shared: Arc<Shared>, name: String) -> Outcome {
    let failed = |failure: String| Outcome {
        name: name.clone(),
        resolved: Vec::new(),
        failure: Some(failure),
        refused: false,
    };
    let resolved = match shared.resolver.resolve(&name).await {
        Ok(addrs) => addrs,
        Err(error) => {
            shared.alarms.raise("dns", format!("{name} cannot be resolved: {error}"));
            return failed(error.to_string());
        }
    };
    let mut dials = JoinSet::new();
    for &addr in &resolved {
        if !shared.registry.lock().needs_no_dial(addr) {
            dials.spawn(dial(shared.clone(), addr));
        }
    }
    let (mut failure, mut refused) = (None, false);
    while let Some(done) = dials.join_next().await {
        match done {
            Ok(Dialled::Refused(reason)) => (failure, refused) = (Some(reason), true),
            Ok(Dialled::Failed(reason)) => failure = failure.or(Some(reason)),
            Ok(Dialled::Linked) | Err(_) => {}
        }
    }
    Outcome { name, resolved, failure, refused }
}

async fn dial(shared: Arc<Shared>, addr: SocketAddr) -> Dialled {
    let connecting = match shared.endpoint.connect(addr, SERVER_NAME) {
        Ok(connecting) => connecting,
        Err(error) => return Dialled::Failed(error.to_string()),
    };
    let connection = match timeout(CONNECT_MAX, connecting).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => {
            quic::report(&shared.alarms, addr, &error);
            let reason = identity::explain(&error);
            return if identity::is_wrong_secret(&error) {
                Dialled::Refused(reason)
            } else {
                Dialled::Failed(reason)
            };
        }
        Err(_) => return Dialled::Failed("no answer".to_string()),
    };
    // Attempts overlap; only one of them says Hello.
    let Some(_turn) = Turn::take(&shared, addr) else {
        return Dialled::Linked;
    };
    let said_as = shared.replica.member().directory;
    match link::greet(&shared, &connection).await {
        Ok(link) => {
            shared.spawn(link::live(shared.clone(), link, None));
            Dialled::Linked
        }
        Err(HandshakeError::Link(LinkError::Evicted)) => {
            shared.alarms.raise("evicted", format!("{addr}: {}", LinkError::Evicted));
            shared.replica.become_evicted(said_as);
            Dialled::Failed(LinkError::Evicted.to_string())
        }
        Err(error @ HandshakeError::PeerEvicted) => Dialled::Failed(error.to_string()),
        Err(HandshakeError::Ourselves) => {
            shared.registry.lock().answer_self(addr);
            Dialled::Linked
        }
        Err(HandshakeError::AlreadyLinked(node)) => {
            if let Some(node) = node {
                shared.registry.lock().answer(addr, node);
            }
            Dialled::Failed("already linked".to_string())
        }
        Err(error) => {
            quic::report_handshake(&shared.alarms, addr, &error);
            Dialled::Refused(error.to_string())
        }
    }
}

/// The right to say Hello at an address.
struct Turn<'a> {
    shared: &'a Shared,
    addr: SocketAddr,
}

impl<'a> Turn<'a> {
    fn take(shared: &'a Shared, addr: SocketAddr) -> Option<Self> {
        let mut registry = shared.registry.lock();
        let free = !registry.needs_no_dial(addr) && registry.greet(addr);
        // Not `then_some`: a turn that was not taken must not be given back.
        if free { Some(Turn { shared, addr }) } else { None }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.shared.registry.lock().greeted(self.addr);
    }
}

fn refused_pause(failures: u32) -> Duration {
    jittered((PACE * (1 << failures.min(8))).min(REFUSED_MAX))
}

/// Three quarters to the whole.
fn jittered(pause: Duration) -> Duration {
    pause - pause.mul_f64((random() % 256) as f64 / 1024.0)
}
