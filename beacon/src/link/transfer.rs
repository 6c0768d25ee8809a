//! Carrying a checkpoint from a peer that has what nobody's log has any more.
//!
//! The borrower asks for the loan, then for its parts one after another, each as a stream of bytes, and goes on serving
//! clients meanwhile. A link that ends takes nothing with it: the next one goes on where this one was.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use engine::core::{Loan, LoanPart, Wanted};
use engine::log::LogPosition;
use engine::replication::ReplicaError;
use proto::peer::v1::loan_request::Part;
use proto::peer::v1::{self, LendReply, LendRequest, LoanChunk, LoanRequest};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tonic::Status;

use super::send::CHUNK_BYTES;
use super::{Link, LinkError};
use crate::message;
use crate::node::Shared;

/// While the peer takes a checkpoint it is asked this often.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// After a failure.
const RETRY: Duration = Duration::from_secs(2);
/// A peer that says nothing for so long is given up.
const PAUSE_MAX: Duration = Duration::from_secs(10);
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Why a transfer stopped; it is tried again.
#[derive(Debug, thiserror::Error)]
enum TransferError {
    #[error("{}", .0.message())]
    Status(Box<Status>),
    #[error("the peer sent nothing for {} s", PAUSE_MAX.as_secs())]
    Silent,
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    #[error(transparent)]
    Message(#[from] message::MessageError),
    #[error("the node is stopping")]
    Stopped,
}

impl From<Status> for TransferError {
    fn from(status: Status) -> Self {
        TransferError::Status(Box::new(status))
    }
}

/// The right to be the one transfer of this node.
struct Turn<'a>(&'a AtomicBool);

impl<'a> Turn<'a> {
    fn take(busy: &'a AtomicBool) -> Option<Self> {
        (!busy.swap(true, Relaxed)).then_some(Turn(busy))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}

/// Fetches the peer's checkpoint; never returns before the link ends.
pub(super) async fn run(shared: Arc<Shared>, link: Arc<Link>) -> Result<(), LinkError> {
    loop {
        if let Some(turn) = Turn::take(&shared.transferring) {
            match carry(&shared, &link).await {
                Ok(()) => {
                    tracing::info!(peer = %link.peer.node, "the checkpoint is here");
                    // Kept: there is nothing more to fetch before the restart.
                    std::mem::forget(turn);
                    std::future::pending::<()>().await;
                }
                Err(error) => {
                    tracing::warn!(peer = %link.peer.node, addr = link.peer.addr, "transfer of a checkpoint: {error}");
                }
            }
        }
        sleep(RETRY).await;
    }
}

async fn carry(shared: &Arc<Shared>, link: &Arc<Link>) -> Result<(), TransferError> {
    let mut client = link.client.clone();
    let loan = loop {
        let reply = timeout(PAUSE_MAX, client.lend(LendRequest {})).await;
        let reply = reply.map_err(|_| TransferError::Silent)??.into_inner();
        link.heard();
        if reply.ready {
            break message::take_loan(reply)?;
        }
        sleep(ASK_EVERY).await;
    };
    tracing::info!(
        peer = %link.peer.node,
        addr = link.peer.addr,
        number = loan.number,
        bytes = loan.bytes(),
        "fetching a checkpoint: the peer's log has not all that is missing here"
    );
    let replica = shared.replica.clone();
    let asked = loan.clone();
    let wanted = blocking(move || replica.borrow(&asked)).await?;
    let mut progress = Progress::new(loan.bytes(), &loan, &wanted);
    for want in wanted {
        let mut answer = timeout(PAUSE_MAX, client.read_loan(put_request(loan.number, want)))
            .await
            .map_err(|_| TransferError::Silent)??
            .into_inner();
        loop {
            let chunk = timeout(PAUSE_MAX, answer.message()).await.map_err(|_| TransferError::Silent)??;
            let Some(chunk) = chunk else { break };
            link.heard();
            progress.note(chunk.bytes.len() as u64);
            let replica = shared.replica.clone();
            blocking(move || replica.borrowed(want.part, &chunk.bytes)).await?;
        }
    }
    let (replica, lender) = (shared.replica.clone(), link.peer.clone());
    blocking(move || replica.borrowed_all(&lender)).await
}

async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, ReplicaError> + Send + 'static,
) -> Result<T, TransferError> {
    match tokio::task::spawn_blocking(run).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(TransferError::Stopped),
    }
}

struct Progress {
    total: u64,
    done: u64,
    begun: Instant,
    begun_at: u64,
    told: Instant,
}

impl Progress {
    fn new(total: u64, loan: &Loan, wanted: &[Wanted]) -> Self {
        let left = |want: &Wanted| match want.part {
            LoanPart::Manifest => loan.manifest_bytes,
            LoanPart::Log { end } => end.0.saturating_sub(want.offset),
            LoanPart::Image(number) => {
                let file = loan.files.iter().find(|file| file.number == number);
                file.map_or(0, |file| file.bytes.saturating_sub(want.offset))
            }
        };
        let done = total.saturating_sub(wanted.iter().map(left).sum());
        Progress { total, done, begun: Instant::now(), begun_at: done, told: Instant::now() }
    }

    fn note(&mut self, bytes: u64) {
        self.done += bytes;
        if self.told.elapsed() < TELL_EVERY {
            return;
        }
        self.told = Instant::now();
        let left = self.total.saturating_sub(self.done) as f64;
        let rate = (self.done - self.begun_at) as f64 / self.begun.elapsed().as_secs_f64();
        tracing::info!(
            bytes = self.done,
            of = self.total,
            seconds_left = (left / rate.max(1.0)).ceil() as u64,
            "fetching a checkpoint"
        );
    }
}

fn put_request(number: u64, want: Wanted) -> LoanRequest {
    let part = match want.part {
        LoanPart::Manifest => Part::Manifest(true),
        LoanPart::Image(file) => Part::Image(file),
        LoanPart::Log { end } => Part::LogEnd(end.0),
    };
    LoanRequest { number, part: Some(part), offset: want.offset }
}

/// Answers a peer that asks what there is to lend.
pub(super) async fn lend(shared: &Arc<Shared>) -> Result<LendReply, Status> {
    let replica = shared.replica.clone();
    let lent = tokio::task::spawn_blocking(move || replica.lend()).await;
    match lent {
        Ok(Ok(Some(loan))) => Ok(LendReply {
            ready: true,
            number: loan.number,
            directory: loan.directory,
            manifest_bytes: loan.manifest_bytes,
            files: loan.files.iter().map(|f| v1::LoanFile { number: f.number, bytes: f.bytes }).collect(),
            log_from: loan.log_from.0,
            log_end: loan.log_end.0,
        }),
        Ok(Ok(None)) => Ok(LendReply::default()),
        Ok(Err(error)) => Err(Status::failed_precondition(error.to_string())),
        Err(_) => Err(Status::unavailable("the node is stopping")),
    }
}

/// Sends one part from the offset to its end.
pub(super) async fn serve(
    shared: Arc<Shared>,
    link: Arc<Link>,
    request: LoanRequest,
    chunks: mpsc::Sender<Result<LoanChunk, Status>>,
) {
    let part = match request.part {
        Some(Part::Manifest(_)) => LoanPart::Manifest,
        Some(Part::Image(number)) => LoanPart::Image(number),
        Some(Part::LogEnd(end)) => LoanPart::Log { end: LogPosition(end) },
        None => {
            let _ = chunks.send(Err(Status::invalid_argument("no part is named"))).await;
            return;
        }
    };
    let mut offset = Some(request.offset);
    while let Some(at) = offset {
        let replica = shared.replica.clone();
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = Vec::new();
            let next = replica.read_loan(request.number, part, at, CHUNK_BYTES, &mut bytes)?;
            Ok::<_, ReplicaError>((next, bytes))
        });
        let (next, bytes) = match read.await {
            Ok(Ok(read)) => read,
            Ok(Err(error)) => {
                let _ = chunks.send(Err(Status::failed_precondition(error.to_string()))).await;
                return;
            }
            Err(_) => return,
        };
        offset = next;
        link.counters.served_bytes.fetch_add(bytes.len() as u64, Relaxed);
        // One batch of the log may be long.
        let mut bytes = Bytes::from(bytes);
        while !bytes.is_empty() {
            let some = bytes.split_to(bytes.len().min(CHUNK_BYTES));
            if chunks.send(Ok(LoanChunk { bytes: some })).await.is_err() {
                return;
            }
        }
    }
}
