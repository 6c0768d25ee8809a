//! The seam between the engine and the links that carry effects: what a peer may ask of it and tell it.
//!
//! Everything is synchronous; time is an argument. The engine implements [`Replica`]; `beacon` (QUIC) and the simulator
//! drive it.

pub mod compare;
pub mod eviction;
pub mod heard;
pub mod horizon;
pub mod nack;
pub mod reach;
pub mod stability;
pub mod standing;

use proto::{EffectId, Frontier, Hlc, NodeId, Seq};

use crate::core::{Loan, LoanPart, Wanted};
use crate::effect::batch::BatchError;
use eviction::Evictions;
pub use reach::{MemberReach, Reach};
use standing::{Position, Standing};

/// What a node has shown, and how far its own sequence had come when it said so. Whatever the sender writes after `own` it
/// writes having seen `applied`: so the ack proves something exactly once the receiver has shown the sender's effects up to
/// `own`, by whichever way they came (see [`stability`]).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ack {
    pub applied: Frontier,
    pub own: Seq,
    /// The sender writes no effect below this clock any more.
    pub hlc: Hlc,
}

/// Who a peer is. `directory` names its data directory for ever; `node` its current incarnation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    pub directory: u64,
    pub node: NodeId,
    /// Grows with every incarnation of the directory (a durable counter, or Unix ms when the id was claimed): of two
    /// nodes with one directory, the higher is current. News of an older one may arrive late, through third parties.
    pub incarnation: u64,
    pub region: String,
    /// `host:port` of its cluster port.
    pub addr: String,
    /// The newest feature level that its program knows; 0 where nobody said yet.
    pub level: u32,
}

/// Seqs `first..=last` of one origin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SeqRange {
    pub origin: NodeId,
    pub first: Seq,
    pub last: Seq,
}

/// A NACK that is due: ask `peer` for `ranges`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetch {
    pub peer: NodeId,
    pub ranges: Vec<SeqRange>,
}

/// What became of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Received {
    /// Shown, with `shown` batches in all (held ones may have followed it).
    Shown { batches: usize },
    /// In the horizon until its gap or context is filled.
    Held,
    /// Already shown or already held.
    Duplicate,
    /// The horizon is full; it will be asked for again.
    Dropped,
}

/// Why a batch or request was refused. The link is closed with this text.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error("a batch of our own origin {0} came back with effects we never wrote")]
    OwnOrigin(EffectId),
    #[error("a batch of {0} is stamped {1} s ahead of this node's clock: set that node's clock right")]
    Future(NodeId, u64),
    #[error(
        "a batch of {0} is stamped {1} ms past what this node's clock allows: that node's clock is ahead, or this one's behind; \
         check NTP on both"
    )]
    Ahead(NodeId, u64),
    #[error("{0} would be one writing node too many for this store")]
    TooManyOrigins(NodeId),
    #[error("local log: {0}")]
    Log(String),
    #[error(
        "effects of {0} that were asked for are only in checkpoints: the link begins again, to fetch one"
    )]
    Dropped(NodeId),
    /// Written beside a base whose history is not in our log any more. A checkpoint of a peer that merged it has it.
    #[error(
        "a batch of {0} was written without knowing what is settled here, and cannot be merged from our log any more"
    )]
    Unmergeable(NodeId),
    #[error("transfer of a checkpoint: {0}")]
    Loan(String),
}

fn no_checkpoints() -> ReplicaError {
    ReplicaError::Loan("this replica has no checkpoints".into())
}

/// The engine as its peers see it. `now_ms` is a monotonic clock with any origin.
pub trait Replica: Send + Sync {
    /// This node, its `addr` as advertised.
    fn member(&self) -> Member;

    /// All members ever learned, this node included; dialled by the links.
    fn members(&self) -> Vec<Member>;

    /// A member was named by a peer or by itself. Returns true when it was news.
    fn learn(&self, member: &Member) -> bool;

    /// `peer` said whom it knows; what it acks from then on it acks knowing them. Told before [`Replica::learn`] of each.
    fn informed(&self, _peer: NodeId, _members: &[Member]) {}

    /// What we say of ourselves at the handshake.
    fn position(&self) -> Position;

    /// A link to `peer` is up, to which we said `said` of ourselves and which said `position`: both ends judge the same two, though
    /// either may have moved on since. Starts NACKs for what we miss, unless it is of no use before one of
    /// us has a checkpoint of the other.
    fn peer_up(&self, peer: &Member, said: &Position, position: &Position, now_ms: u64) -> Standing;

    /// Members that are none any more, and how often that changed.
    fn evictions(&self) -> Evictions {
        Evictions::default()
    }

    fn evictions_version(&self) -> u64 {
        0
    }

    fn is_evicted(&self, _directory: u64) -> bool {
        false
    }

    /// A peer told who is evicted. True when there was news.
    fn learn_evictions(&self, _told: &Evictions) -> Result<bool, ReplicaError> {
        Ok(false)
    }

    /// A peer says that `directory`, as which this node presented itself, is evicted. True when it asked for that itself.
    fn become_evicted(&self, _directory: u64) -> bool {
        false
    }

    /// What was written here cannot be merged by the others: it is not to be sent, for it becomes something else after the
    /// checkpoint that is being fetched.
    fn withholds(&self) -> bool {
        false
    }

    /// Offers our last checkpoint; `None` while one is being taken: ask again.
    fn lend(&self) -> Result<Option<Loan>, ReplicaError> {
        Err(no_checkpoints())
    }

    /// Appends up to about `bytes_max` of a lent part from `offset` on. Returns where to go on, `None` at its end.
    fn read_loan(
        &self,
        number: u64,
        part: LoanPart,
        offset: u64,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<Option<u64>, ReplicaError> {
        let _ = (number, part, offset, bytes_max, out);
        Err(no_checkpoints())
    }

    /// Begins to collect what a peer lends, or goes on. Returns what to ask for, in order.
    fn borrow(&self, _loan: &Loan) -> Result<Vec<Wanted>, ReplicaError> {
        Err(no_checkpoints())
    }

    /// The next bytes of a part.
    fn borrowed(&self, _part: LoanPart, _bytes: &[u8]) -> Result<(), ReplicaError> {
        Err(no_checkpoints())
    }

    /// All parts are here: it is installed at the next start, which is asked for.
    fn borrowed_all(&self, _lender: &Member) -> Result<(), ReplicaError> {
        Err(no_checkpoints())
    }

    fn peer_down(&self, node: NodeId, now_ms: u64);

    /// From now on the stream of `origin`'s effects comes over the link to `by`, from our frontier on; `None`: nobody streams
    /// them. Until this is said, each connected peer is taken to stream its own.
    fn carried(&self, _origin: NodeId, _by: Option<NodeId>, _now_ms: u64) {}

    /// The feature level that every member knows. A peer that knows less is not linked.
    fn feature_level(&self) -> u32 {
        crate::effect::level::LEVEL_FIRST
    }

    /// From now on no batch is taken with a stamp past this: what the wall clock allows. Told before each group of batches.
    fn stamps_until(&self, _unix_ms: u64) {}

    /// How each other member can be reached, whenever that changed.
    fn reached(&self, _members: &[MemberReach], _now_ms: u64) {}

    /// Everything shown here.
    fn frontier(&self) -> Frontier;

    /// What to put into our stream now.
    fn ack(&self) -> Ack;

    /// One encoded batch from `peer` (its own or, relayed or as a NACK's answer, another origin's).
    fn batch(&self, peer: NodeId, bytes: &[u8], now_ms: u64) -> Result<Received, ReplicaError>;

    fn acked(&self, peer: NodeId, ack: &Ack, now_ms: u64);

    /// NACKs that are due now (deduplicated, backed off). Called every few milliseconds and after each batch that was held.
    fn step(&self, now_ms: u64, out: &mut Vec<Fetch>);

    /// A fetch ended (answered or failed); what is still missing may be asked of another holder.
    fn fetched(&self, peer: NodeId, ranges: &[SeqRange], now_ms: u64);

    /// Whole encoded batches of `origin` holding effects after `after`, in order, from the log: at least one when there is
    /// any, then while under `bytes_max`. Returns the last seq appended to `out`, `None` when there is nothing newer.
    /// The first batch may begin at or before `after`; receivers drop what they have.
    fn read_log(
        &self,
        origin: NodeId,
        after: Seq,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<Option<Seq>, ReplicaError>;

    /// The next question that this node asks of a peer about its state, when one is due; [`Replica::compared`] is told what came
    /// of it before this is asked again.
    fn compare_due(&self, _now_ms: u64) -> Option<(NodeId, Vec<u8>)> {
        None
    }

    /// The answer to such a question of a peer; `None` when it is malformed.
    fn compare_asked(&self, _question: &[u8]) -> Option<Vec<u8>> {
        None
    }

    /// What a peer answered, if it did. Returns what an operator must be told of.
    fn compared(&self, _peer: NodeId, _answer: Option<&[u8]>, _now_ms: u64) -> Option<String> {
        None
    }

    /// Wall clock of the last stamp given out; checked against a peer's at the handshake.
    fn hlc(&self) -> Hlc;
}
