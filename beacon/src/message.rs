//! Between generated messages and the engine's types. Everything that came from a peer is bounded and checked here.

use engine::core::{Loan, LoanFile};
use engine::log::LogPosition;
use engine::replication::{Ack, Member, SeqRange};
use proto::peer::v1;
use proto::{Frontier, Hlc, NodeId, Seq};
use std::collections::{BTreeMap, BTreeSet};

/// Components of a frontier, members of a Hello.
pub const COMPONENTS_MAX: usize = 64 * 1024;
pub const MEMBERS_MAX: usize = 4 * 1024;
/// Of a region's name and of an address.
pub const NAME_BYTES_MAX: usize = 255;
pub const RANGES_MAX: usize = 256;
/// Of a loan.
pub const FILES_MAX: usize = 4 * 1024;
const MANIFEST_BYTES_MAX: u64 = 1 << 30;

/// Why a well-formed message makes no sense. The link is closed with this text.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum MessageError {
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{what} has {have} entries, at most {max} are taken")]
    TooMany { what: &'static str, have: usize, max: usize },
    #[error("{0} is empty, too long or holds control characters")]
    Name(&'static str),
    #[error("a node id of zero")]
    ZeroNode,
    #[error("range {first}..={last} is empty")]
    EmptyRange { first: u64, last: u64 },
}

pub fn put_frontier(frontier: &Frontier) -> v1::Frontier {
    let components = frontier.iter().map(|(node, seq)| v1::Component { node: node.0, seq: seq.0 }).collect();
    v1::Frontier { components }
}

pub fn take_frontier(frontier: Option<v1::Frontier>) -> Result<Frontier, MessageError> {
    let components = frontier.ok_or(MessageError::Missing("frontier"))?.components;
    bounded("frontier", components.len(), COMPONENTS_MAX)?;
    // Collected sorted, else inserting one by one is quadratic in what a peer sends.
    let mut sorted: Vec<(NodeId, Seq)> =
        components.into_iter().map(|c| (NodeId(c.node), Seq(c.seq))).collect();
    sorted.sort_unstable();
    if sorted.first().is_some_and(|c| c.0 == NodeId(0)) {
        return Err(MessageError::ZeroNode);
    }
    Ok(sorted.into_iter().collect())
}

pub fn put_member(member: &Member) -> v1::Member {
    v1::Member {
        directory: member.directory,
        node: member.node.0,
        incarnation: member.incarnation,
        region: member.region.clone(),
        addr: member.addr.clone(),
        level: member.level,
    }
}

pub fn take_member(member: v1::Member) -> Result<Member, MessageError> {
    if member.node == 0 {
        return Err(MessageError::ZeroNode);
    }
    let ok = |text: &str| text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control);
    if !ok(&member.region) {
        return Err(MessageError::Name("region"));
    }
    if member.addr.is_empty() || !ok(&member.addr) {
        return Err(MessageError::Name("address"));
    }
    Ok(Member {
        directory: member.directory,
        node: NodeId(member.node),
        incarnation: member.incarnation,
        region: member.region,
        addr: member.addr,
        level: member.level,
    })
}

pub fn take_members(members: Vec<v1::Member>) -> Result<Vec<Member>, MessageError> {
    bounded("members", members.len(), MEMBERS_MAX)?;
    members.into_iter().map(take_member).collect()
}

pub fn put_ack(ack: &Ack) -> v1::Ack {
    v1::Ack { applied: Some(put_frontier(&ack.applied)), own: ack.own.0, hlc: ack.hlc.0 }
}

pub fn take_ack(ack: v1::Ack) -> Result<Ack, MessageError> {
    Ok(Ack { applied: take_frontier(ack.applied)?, own: Seq(ack.own), hlc: Hlc(ack.hlc) })
}

pub fn put_reaches(nodes: &BTreeSet<NodeId>) -> v1::Reaches {
    v1::Reaches { nodes: nodes.iter().take(MEMBERS_MAX).map(|n| n.0).collect() }
}

pub fn take_reaches(reaches: v1::Reaches) -> Result<BTreeSet<NodeId>, MessageError> {
    bounded("nodes", reaches.nodes.len(), MEMBERS_MAX)?;
    if reaches.nodes.contains(&0) {
        return Err(MessageError::ZeroNode);
    }
    Ok(reaches.nodes.into_iter().map(NodeId).collect())
}

/// `streams`: origin and the last seq that the sender has.
pub fn put_streams(streams: &BTreeMap<NodeId, Seq>) -> v1::Streams {
    let put = |(origin, after): (&NodeId, &Seq)| v1::Stream { origin: origin.0, after: after.0 };
    v1::Streams { streams: streams.iter().take(MEMBERS_MAX).map(put).collect() }
}

pub fn take_streams(streams: v1::Streams) -> Result<BTreeMap<NodeId, Seq>, MessageError> {
    bounded("streams", streams.streams.len(), MEMBERS_MAX)?;
    if streams.streams.iter().any(|s| s.origin == 0) {
        return Err(MessageError::ZeroNode);
    }
    Ok(streams.streams.into_iter().map(|s| (NodeId(s.origin), Seq(s.after))).collect())
}

pub fn put_ranges(ranges: &[SeqRange]) -> v1::FetchRequest {
    let put = |r: &SeqRange| v1::Range { origin: r.origin.0, first: r.first.0, last: r.last.0 };
    v1::FetchRequest { ranges: ranges.iter().map(put).collect() }
}

pub fn take_ranges(request: v1::FetchRequest) -> Result<Vec<SeqRange>, MessageError> {
    bounded("ranges", request.ranges.len(), RANGES_MAX)?;
    let take = |r: v1::Range| {
        if r.origin == 0 {
            return Err(MessageError::ZeroNode);
        }
        if r.first == 0 || r.last < r.first {
            return Err(MessageError::EmptyRange { first: r.first, last: r.last });
        }
        Ok(SeqRange { origin: NodeId(r.origin), first: Seq(r.first), last: Seq(r.last) })
    };
    request.ranges.into_iter().map(take).collect()
}

pub fn take_loan(reply: v1::LendReply) -> Result<Loan, MessageError> {
    bounded("files", reply.files.len(), FILES_MAX)?;
    if reply.manifest_bytes > MANIFEST_BYTES_MAX {
        return Err(MessageError::Name("manifest"));
    }
    if reply.log_end < reply.log_from {
        return Err(MessageError::EmptyRange { first: reply.log_from, last: reply.log_end });
    }
    let files = reply.files.iter().map(|f| LoanFile { number: f.number, bytes: f.bytes }).collect();
    Ok(Loan {
        number: reply.number,
        directory: reply.directory,
        manifest_bytes: reply.manifest_bytes,
        files,
        log_from: LogPosition(reply.log_from),
        log_end: LogPosition(reply.log_end),
    })
}

fn bounded(what: &'static str, have: usize, max: usize) -> Result<(), MessageError> {
    if have > max { Err(MessageError::TooMany { what, have, max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ack_round_trips_and_a_zero_node_is_refused() {
        let ack = Ack {
            applied: [(NodeId(3), Seq(9)), (NodeId(1), Seq(2))].into_iter().collect(),
            own: Seq(4),
            hlc: Hlc(77),
        };
        assert_eq!(take_ack(put_ack(&ack)), Ok(ack));
        let zero = v1::Frontier { components: vec![v1::Component { node: 0, seq: 1 }] };
        assert_eq!(take_frontier(Some(zero)), Err(MessageError::ZeroNode));
        assert_eq!(take_frontier(None), Err(MessageError::Missing("frontier")));
    }

    #[test]
    fn names_and_ranges_from_a_peer_are_checked() {
        let member = Member {
            directory: 1,
            node: NodeId(2),
            incarnation: 3,
            region: "eu".into(),
            addr: "10.0.0.1:7379".into(),
            level: 2,
        };
        assert_eq!(take_member(put_member(&member)), Ok(member.clone()));
        for bad in ["", "a\nb", &"x".repeat(256)] {
            let bad = Member { addr: bad.into(), ..member.clone() };
            assert_eq!(take_member(put_member(&bad)), Err(MessageError::Name("address")));
        }
        let range = SeqRange { origin: NodeId(1), first: Seq(5), last: Seq(4) };
        assert!(matches!(take_ranges(put_ranges(&[range])), Err(MessageError::EmptyRange { .. })));
    }
}
