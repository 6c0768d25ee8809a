//! NACKs: asking a peer for ranges and answering its. A gRPC service over bidirectional streams of the same connection.
//!
//! An answer is a stream of bytes cut anywhere: whole encoded batches one after another, ranges in turn, so that origins
//! that depend on each other advance together. A gone asker ends its answer; a silent answerer is given up.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use engine::replication::{ReplicaError, SeqRange};
use hyper_util::rt::TokioIo;
use proto::Seq;
use proto::peer::v1::peer_client::PeerClient;
use proto::peer::v1::peer_server::{Peer, PeerServer};
use proto::peer::v1::{
    CompareReply, CompareRequest, FetchChunk, FetchRequest, LendReply, LendRequest, LoanChunk, LoanRequest,
};
use quinn::{Connection, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, Join, ReadBuf};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};

use super::send::CHUNK_BYTES;
use super::{Link, LinkError, close, deliver, transfer};
use crate::node::Shared;
use crate::sent::Group;
use crate::{frame, message};

pub(super) type Client = PeerClient<Channel>;

/// HTTP/2 windows; QUIC's own lie below.
const WINDOW_BYTES: u32 = 4 << 20;
/// An answer that brings nothing for so long is given up.
const ANSWER_PAUSE_MAX: Duration = Duration::from_secs(5);
/// Answers under way per stream.
const ANSWERS_MAX: usize = 8;
/// Chunks read ahead of the asker.
const AHEAD: usize = 2;

/// A client that opens its stream with the first request.
pub(super) fn client(connection: Connection) -> Client {
    let connector = tower::service_fn(move |_| {
        let connection = connection.clone();
        async move {
            let (send, recv) = connection.open_bi().await?;
            Ok::<_, quinn::ConnectionError>(TokioIo::new(tokio::io::join(recv, send)))
        }
    });
    let channel = Endpoint::from_static("http://node.atoll.internal")
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(2 * WINDOW_BYTES)
        .connect_with_connector_lazy(connector);
    PeerClient::new(channel).max_decoding_message_size(2 * CHUNK_BYTES)
}

/// Asks for `ranges` and delivers what comes. Always reports the end to the replica.
pub(crate) async fn fetch(shared: Arc<Shared>, link: Arc<Link>, ranges: Vec<SeqRange>) {
    link.counters.fetches.fetch_add(1, Relaxed);
    if let Err(error) = ask(&shared, &link, &ranges).await {
        tracing::debug!(peer = %link.peer.node, "fetch ended: {error}");
        if let FetchError::Link(LinkError::Replica(ReplicaError::Unmergeable(_))) = error {
            // Judged anew, we fetch a checkpoint.
            link.close(close::LOCAL, &error.to_string());
        }
    }
    shared.replica.fetched(link.peer.node, &ranges, shared.now_ms());
    shared.step_due.notify_one();
}

/// Puts a question about its state to the peer. `None`: it did not answer.
pub(crate) async fn compare(link: &Link, question: Vec<u8>) -> Option<Vec<u8>> {
    let mut client = link.client.clone();
    let asked = client.compare(CompareRequest { question });
    match tokio::time::timeout(ANSWER_PAUSE_MAX, asked).await {
        Ok(Ok(reply)) => Some(reply.into_inner().answer),
        Ok(Err(status)) => {
            tracing::debug!(peer = %link.peer.node, "a question was not answered: {status}");
            None
        }
        Err(_) => None,
    }
}

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Status(Box<Status>),
    #[error("the peer sent nothing for {} s", ANSWER_PAUSE_MAX.as_secs())]
    Silent,
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("the answer ends within a batch")]
    Cut,
}

impl From<Status> for FetchError {
    fn from(status: Status) -> Self {
        FetchError::Status(Box::new(status))
    }
}

async fn ask(shared: &Arc<Shared>, link: &Arc<Link>, ranges: &[SeqRange]) -> Result<(), FetchError> {
    let mut client = link.client.clone();
    let asked = client.fetch(message::put_ranges(ranges));
    let answer = tokio::time::timeout(ANSWER_PAUSE_MAX, asked).await.map_err(|_| FetchError::Silent)?;
    let mut answer = answer?.into_inner();
    let mut rest = BytesMut::new();
    loop {
        let chunk = tokio::time::timeout(ANSWER_PAUSE_MAX, answer.message()).await;
        let Some(chunk) = chunk.map_err(|_| FetchError::Silent)?? else { break };
        link.heard();
        rest.extend_from_slice(&chunk.batches);
        let whole = frame::whole_batches(&rest).map_err(LinkError::from)?;
        if whole > 0 {
            let group = rest.split_to(whole).freeze();
            link.counters.fetched_bytes.fetch_add(group.len() as u64, Relaxed);
            let batches = deliver(shared, link, group).await?;
            link.counters.fetched_batches.fetch_add(batches as u64, Relaxed);
        }
    }
    if rest.is_empty() { Ok(()) } else { Err(FetchError::Cut) }
}

/// Answers the peer's requests until the connection ends.
pub(super) async fn serve(shared: Arc<Shared>, link: Arc<Link>) -> Result<(), LinkError> {
    let (streams, incoming) = mpsc::channel::<io::Result<Duplex>>(1);
    let service =
        PeerServer::new(Answers { shared, link: link.clone() }).max_decoding_message_size(CHUNK_BYTES);
    let server = Server::builder()
        .concurrency_limit_per_connection(ANSWERS_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(2 * WINDOW_BYTES)
        .add_service(service)
        .serve_with_incoming(ReceiverStream::new(incoming));
    let accept = async {
        loop {
            let (send, recv) = link.connection.accept_bi().await?;
            if streams.send(Ok(Duplex(tokio::io::join(recv, send)))).await.is_err() {
                return Err(LinkError::Ended);
            }
        }
    };
    tokio::select! {
        ended = accept => ended,
        _ = server => Err(LinkError::Ended),
    }
}

struct Answers {
    shared: Arc<Shared>,
    link: Arc<Link>,
}

#[tonic::async_trait]
impl Peer for Answers {
    type FetchStream = ReceiverStream<Result<FetchChunk, Status>>;
    type ReadLoanStream = ReceiverStream<Result<LoanChunk, Status>>;

    async fn lend(&self, _request: Request<LendRequest>) -> Result<Response<LendReply>, Status> {
        transfer::lend(&self.shared).await.map(Response::new)
    }

    async fn read_loan(
        &self,
        request: Request<LoanRequest>,
    ) -> Result<Response<Self::ReadLoanStream>, Status> {
        let (chunks, answer) = mpsc::channel(AHEAD);
        let request = request.into_inner();
        tokio::spawn(transfer::serve(self.shared.clone(), self.link.clone(), request, chunks));
        Ok(Response::new(ReceiverStream::new(answer)))
    }

    async fn compare(&self, request: Request<CompareRequest>) -> Result<Response<CompareReply>, Status> {
        let (replica, question) = (self.shared.replica.clone(), request.into_inner().question);
        let answer = tokio::task::spawn_blocking(move || replica.compare_asked(&question)).await;
        match answer {
            Ok(Some(answer)) => Ok(Response::new(CompareReply { answer })),
            Ok(None) => Err(Status::invalid_argument("no such question")),
            Err(_) => Err(Status::internal("the question could not be answered")),
        }
    }

    async fn fetch(&self, request: Request<FetchRequest>) -> Result<Response<Self::FetchStream>, Status> {
        let ranges = message::take_ranges(request.into_inner())
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        self.link.counters.served.fetch_add(1, Relaxed);
        let (chunks, answer) = mpsc::channel(AHEAD);
        tokio::spawn(serve_ranges(self.shared.clone(), self.link.clone(), ranges, chunks));
        Ok(Response::new(ReceiverStream::new(answer)))
    }
}

async fn serve_ranges(
    shared: Arc<Shared>,
    link: Arc<Link>,
    ranges: Vec<SeqRange>,
    chunks: mpsc::Sender<Result<FetchChunk, Status>>,
) {
    let mut turns: std::collections::VecDeque<(SeqRange, Seq)> =
        ranges.into_iter().map(|r| (r, Seq(r.first.0 - 1))).collect();
    while let Some((range, after)) = turns.pop_front() {
        let replica = shared.replica.clone();
        let read = tokio::task::spawn_blocking(move || {
            let mut group = Vec::new();
            replica.read_log(range.origin, after, CHUNK_BYTES, &mut group).map(|last| (last, group))
        });
        let (last, group) = match read.await {
            Ok(Ok(read)) => read,
            Ok(Err(error)) => {
                if let ReplicaError::Dropped(_) = error {
                    // Judged anew, the peer fetches a checkpoint.
                    link.close(close::LOCAL, &error.to_string());
                }
                let _ = chunks.send(Err(Status::internal(error.to_string()))).await;
                return;
            }
            Err(_) => return,
        };
        // What is not held is left out; the asker sees it missing.
        let Some(last) = last.filter(|last| *last > after) else { continue };
        link.counters.served_bytes.fetch_add(group.len() as u64, Relaxed);
        let batches = frame::batches(&group).count() as u64;
        let sent = Group { origin: range.origin, after, last, batches, bytes: group.len() as u64 };
        shared.sent.note(shared.replica.member().node, &link.peer.region, &sent);
        let mut group = Bytes::from(group);
        while !group.is_empty() {
            let batches = group.split_to(group.len().min(CHUNK_BYTES));
            if chunks.send(Ok(FetchChunk { batches })).await.is_err() {
                return;
            }
        }
        if last < range.last {
            turns.push_back((range, last));
        }
    }
}

/// One bidirectional stream as the server's transport.
struct Duplex(Join<RecvStream, SendStream>);

impl Connected for Duplex {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Duplex {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Duplex {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
