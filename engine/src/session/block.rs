//! A client that waits: for keys, or for peers.
//!
//! A command that finds nothing to answer asks to wait ([`crate::core::Unit::block`], [`super::Call::block`]). Its request stays in the
//! input, and everything behind it; the session says [`super::Flow::Blocked`]. Whoever owns the session feeds it again after
//! [`Session::wake`], or when [`Session::waits`] is over: the command runs anew, and answers or goes on waiting. In its last run, when
//! its time is up, it is not allowed to wait and answers as for a timeout. A transaction never waits: its commands answer at once.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use proto::resp::Replies;

use super::call::Call;
use super::clients::Unblock;
use super::dispatch::answer_error;
use super::{Server, Session};
use crate::core::{Blocking, Purpose, Turn, Until};
use crate::state::waiters::Waiter;

/// What a session waits for.
pub(super) struct Blocked {
    /// Unix ms; for ever when `None`.
    deadline_ms: Option<u64>,
    /// Its place in the queues of its keys.
    waiter: Option<Arc<Waiter>>,
    /// There is reason to run the command again.
    woken: bool,
}

impl Session {
    /// A command waits.
    pub fn is_blocked(&self) -> bool {
        self.blocked.is_some()
    }

    /// While a command waits or replies are held back: the moment, Unix ms, when the time of either is up (`u64::MAX`: never).
    pub fn waits(&self) -> Option<u64> {
        let command = self.blocked.as_ref().map(|b| b.deadline_ms.unwrap_or(u64::MAX));
        let replies = self.held.as_ref().map(|held| held.deadline_ms());
        match (command, replies) {
            (Some(command), Some(replies)) => Some(command.min(replies)),
            (one, other) => one.or(other),
        }
    }

    /// A waiting command is to be looked at.
    pub fn wake(&mut self) {
        if let Some(blocked) = &mut self.blocked {
            blocked.woken = true;
        }
    }

    /// A command waits, and there is no reason yet to run it again: feeding does nothing.
    #[inline]
    pub fn is_waiting(&self, now_ms: u64) -> bool {
        self.blocked.as_ref().is_some_and(|b| !b.woken && b.deadline_ms.is_none_or(|ms| now_ms < ms))
    }

    fn may_wait(&self, turn: &Turn) -> bool {
        let in_time = |b: &Blocked| b.deadline_ms.is_none_or(|ms| turn.now_ms < ms);
        self.blocked.as_deref().is_none_or(in_time) && self.card.unblock() == Unblock::No
    }

    /// For the unit of a command that may wait on keys.
    pub(super) fn blocking(&self, turn: &Turn) -> Blocking {
        Blocking {
            client: self.card.id,
            reactor: self.card.origin.reactor,
            waiter: self.blocked.as_ref().and_then(|b| b.waiter.clone()),
            may_wait: self.may_wait(turn),
        }
    }

    /// The command that ran waits from now on, or goes on waiting until the moment set first.
    pub(super) fn block(
        &mut self,
        server: &Server,
        turn: &Turn,
        waiter: Option<Arc<Waiter>>,
        patience_ms: Option<u64>,
    ) {
        match &mut self.blocked {
            Some(blocked) => blocked.woken = false,
            None => {
                let deadline_ms = patience_ms.map(|ms| turn.now_ms.saturating_add(ms));
                self.blocked = Some(Box::new(Blocked { deadline_ms, waiter, woken: false }));
                self.card.set_blocked(true);
                server.blocked.fetch_add(1, Relaxed);
            }
        }
    }

    /// The command is answered, or never will be.
    pub(super) fn unblock(&mut self, server: &Server) {
        let Some(blocked) = self.blocked.take() else { return };
        if let Some(waiter) = blocked.waiter {
            server.engine().leave(&waiter);
        }
        server.engine().forget_wait(self.card.id, Purpose::Command);
        self.card.set_blocked(false);
        server.blocked.fetch_sub(1, Relaxed);
    }

    /// CLIENT UNBLOCK ERROR ended the wait. True when that was the answer.
    pub(super) fn unblocked_by_error(&mut self, server: &Server, reply: &mut Replies<'_>) -> bool {
        let asked = self.blocked.is_some() && self.card.unblock() == Unblock::Error;
        if asked {
            answer_error(reply, b"UNBLOCKED client unblocked via CLIENT UNBLOCK", server);
        }
        asked
    }
}

impl Call<'_> {
    /// Has the client wait for peers, `patience_ms` at most (for ever when `None`). True: it waits, and nothing is answered now.
    /// False: it is reached, or the client may not wait, or its time is up.
    pub(crate) fn block(&mut self, until: Until, patience_ms: Option<u64>) -> bool {
        if self.in_transaction() || !self.session.may_wait(self.turn) {
            return false;
        }
        let card = &self.session.card;
        if !self.server.engine().await_peers(card.origin.reactor, card.id, Purpose::Command, until) {
            return false;
        }
        self.session.block(self.server, self.turn, None, patience_ms);
        self.waits = true;
        true
    }
}
