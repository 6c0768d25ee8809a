//! A checkpoint goes from one node to another whose missing effects are in nobody's log any more.
//!
//! ```text
//! lender                                   borrower
//!  checkpoint + log after it   ── lend ──▶  incoming-… files, resumable, while both serve
//!  nothing of it is removed                 INCOMING: all is here and whole
//!                                           restart ─▶ install: the lender's state, the borrower's own effects after it
//! ```
//! [`lend`] keeps what is lent in place, [`incoming`] collects it, [`install`] puts it in the place of the old state at the next
//! start.
//!
//! Invariants:
//! - what is lent reaches to the end of the lender's log when it was lent, which is after the lender began to count the
//!   borrower as a member: whatever any node folds as stable without knowing the borrower is in it;
//! - until the new manifest has its name the borrower's old state counts, and an interrupted installation is begun again;
//! - of the borrower's own log nothing is lost: effects that the loan lacks are replayed on it, or kept as late sets when they
//!   cannot be merged; what the borrower wrote apart from what others did.

mod incoming;
pub(super) mod install;
mod late;
mod lend;

pub(super) use incoming::Incoming;
pub use incoming::{Loan, LoanFile, LoanPart, Wanted};
pub(super) use late::LateProgress;
pub use late::{LateError, LateSet, LateStatus};
pub(super) use lend::Lending;
