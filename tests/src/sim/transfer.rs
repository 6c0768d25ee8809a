//! Checkpoints on their way to nodes that lack dropped log: asked for over a link, carried in pieces, taken over at a start.
//!
//! The order of steps is that of `beacon`'s transfer: one at a time and node, a link that ends is followed by another one.

use std::collections::VecDeque;

use engine::core::{Loan, Wanted};
use engine::replication::Replica;

use super::world::{Event, World};
use super::{MS, SECOND, Us};

/// While the peer takes a checkpoint it is asked this often.
const ASK_EVERY: Us = 200 * MS;
/// After a failure, or while another transfer runs.
const RETRY: Us = 2 * SECOND;
/// A packet that met a cut is sent again after so long.
const RETRANSMIT: Us = 150 * MS;
/// From the end of a process to its start.
const RESTART: Us = 20 * MS;

/// One transfer.
pub struct Transfer {
    conn: u64,
    /// The side that borrows.
    side: usize,
    /// What the lender said; taken up when it arrives.
    loan: Option<Loan>,
    /// `None` before that.
    wanted: Option<VecDeque<Wanted>>,
}

impl World {
    /// A link is up on which a peer's checkpoint is needed.
    pub fn borrow(&mut self, conn: u64, side: usize) {
        let Some(end) = self.conns.get(&conn).map(|c| &c.ends[side]) else { return };
        let (slot, boot) = (end.slot, end.boot);
        if end.link().is_none() || !self.is_running(slot, boot) {
            return;
        }
        let now = self.now;
        let under_way = self.slots[slot].process.as_ref().and_then(|p| p.transfer);
        let ended = under_way.filter(|id| !self.is_carrying(*id));
        ended.into_iter().for_each(|id| self.end_transfer(id));
        let id = self.next_id();
        let Some(process) = &mut self.slots[slot].process else { return };
        if process.engine.wants_restart() {
            return;
        }
        if process.transfer.is_some() {
            return self.at(now + RETRY, Event::Borrow { conn, side });
        }
        process.transfer = Some(id);
        self.transfers.insert(id, Transfer { conn, side, loan: None, wanted: None });
        self.at(now, Event::Carry { transfer: id });
    }

    /// False once the link is gone.
    fn is_carrying(&self, transfer: u64) -> bool {
        let Some(run) = self.transfers.get(&transfer) else { return false };
        let end = self.conns.get(&run.conn).map(|c| &c.ends[run.side]);
        end.is_some_and(|e| e.link().is_some() && self.is_running(e.slot, e.boot))
    }

    /// The next step of a transfer.
    pub fn carry(&mut self, transfer: u64) {
        let Some(run) = self.transfers.get(&transfer) else { return };
        let (conn, side) = (run.conn, run.side);
        let Some(ends) = self.conns.get(&conn).map(|c| &c.ends) else { return self.end_transfer(transfer) };
        let (slot, lender) = (ends[side].slot, ends[1 - side].slot);
        let running = |e: &super::link::End| e.link().is_some() && self.is_running(e.slot, e.boot);
        if !running(&ends[side]) {
            return self.end_transfer(transfer);
        }
        if !running(&ends[1 - side]) {
            // The other end has not come to the link yet, or has left it already.
            self.end_transfer(transfer);
            return self.at(self.now + RETRY, Event::Borrow { conn, side });
        }
        if self.network.is_cut(slot, lender) || self.network.is_cut(lender, slot) {
            return self.at(self.now + RETRANSMIT, Event::Carry { transfer });
        }
        match self.carry_on(transfer, slot, lender) {
            Ok(Some(pause)) => self.at(self.now + pause, Event::Carry { transfer }),
            Ok(None) => self.note(|| format!("n{slot} has a checkpoint of n{lender}")),
            Err(error) => {
                self.note(|| format!("n{slot} cannot borrow of n{lender}: {error}"));
                self.end_transfer(transfer);
                self.at(self.now + RETRY, Event::Borrow { conn, side });
            }
        }
        self.look(slot);
        self.notice_broken_log(slot);
        self.notice_broken_log(lender);
    }

    /// Returns when to go on; `None` when all of it is there.
    fn carry_on(&mut self, transfer: u64, slot: usize, lender: usize) -> Result<Option<Us>, String> {
        let travel = self.network.travel(lender, slot);
        let (Some(here), Some(there)) = (self.engine(slot), self.engine(lender)) else {
            return Ok(Some(RETRY));
        };
        let chunk_bytes = self.plan.chunk_bytes;
        let Some(run) = self.transfers.get_mut(&transfer) else { return Ok(None) };
        let Some(loan) = &run.loan else {
            run.loan = Replica::lend(&*there).map_err(|e| e.to_string())?;
            return Ok(Some(if run.loan.is_some() { travel } else { ASK_EVERY + travel }));
        };
        let Some(wanted) = &mut run.wanted else {
            run.wanted = Some(Replica::borrow(&*here, loan).map_err(|e| e.to_string())?.into());
            return Ok(Some(travel));
        };
        let Some(want) = wanted.front_mut() else {
            Replica::borrowed_all(&*here, &there.member()).map_err(|e| e.to_string())?;
            self.summary.transfers += 1;
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let next = Replica::read_loan(&*there, loan.number, want.part, want.offset, chunk_bytes, &mut bytes)
            .map_err(|e| e.to_string())?;
        let part = want.part;
        match next {
            Some(next) => want.offset = next,
            None => _ = wanted.pop_front(),
        }
        Replica::borrowed(&*here, part, &bytes).map_err(|e| e.to_string())?;
        Ok(Some(200))
    }

    fn end_transfer(&mut self, transfer: u64) {
        self.transfers.remove(&transfer);
        for slot in &mut self.slots {
            if let Some(process) = slot.process.as_mut().filter(|p| p.transfer == Some(transfer)) {
                process.transfer = None;
            }
        }
    }

    /// A checkpoint waits for a start: the process ends by itself and begins again.
    pub fn start_again(&mut self, slot: usize) {
        self.note(|| format!("n{slot} starts again"));
        self.stop_cleanly(slot);
        if !self.slots[slot].starting && self.slots[slot].process.is_none() {
            self.start_after(slot, RESTART);
        }
    }
}
