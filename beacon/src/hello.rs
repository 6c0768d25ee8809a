//! The handshake: who the peer is and whether we talk to it. Pure; `link` carries the bytes.
//!
//! Refused, with the same words at both ends: a protocol we do not speak, ourselves, a copy of our data directory, and a
//! peer whose clock is more than [`AHEAD_MS_MAX`] ahead of our wall clock (its stamps would win over every write here).

use bytes::Bytes;
use engine::effect::level::LEVEL_FIRST;
use engine::replication::Member;
use engine::replication::eviction::Evictions;
use engine::replication::standing::Position;
use prost::Message;
use proto::Hlc;
use proto::peer::v1;

use crate::message::{self, MessageError};

/// Versions of the peer protocol this build speaks.
pub const VERSION_MIN: u32 = 1;
pub const VERSION_MAX: u32 = 1;
/// No optional features yet.
pub const FEATURES: u64 = 0;
pub const AHEAD_MS_MAX: u64 = 500;
/// Bound of the message; members and frontier fit many times.
pub const HELLO_BYTES_MAX: usize = 4 << 20;

/// What a node says first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    pub version_min: u32,
    pub version_max: u32,
    pub features: u64,
    pub member: Member,
    pub position: Position,
    pub members: Vec<Member>,
    pub evictions: Evictions,
    pub hlc: Hlc,
    /// Random per process.
    pub process: u64,
    /// What every member knows, as far as the sender has met them; what they may have written.
    pub cluster_level: u32,
}

/// What both ends agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Agreed {
    pub version: u32,
    pub features: u64,
    /// The newest feature level that both know.
    pub level: u32,
}

/// Why a peer is not talked to. The text goes to it and into the log.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum Refused {
    #[error("this is the node itself")]
    Ourselves,
    #[error("peer protocol {ours_min}-{ours_max} is spoken here, the peer speaks {theirs_min}-{theirs_max}")]
    Version { ours_min: u32, ours_max: u32, theirs_min: u32, theirs_max: u32 },
    #[error("{addr} knows feature level {knows}, its cluster is at {cluster} already: upgrade it")]
    Level { addr: String, knows: u32, cluster: u32 },
    #[error("node id {node} is in use at {addr}: was a data directory copied?")]
    DuplicateNode { node: proto::NodeId, addr: String },
    #[error(
        "the clock of {addr} is {ahead_ms} ms ahead of ours, at most {AHEAD_MS_MAX} ms is allowed: check NTP"
    )]
    ClockAhead { addr: String, ahead_ms: u64 },
    #[error("malformed hello: {0}")]
    Message(#[from] MessageError),
    #[error("malformed hello: {0}")]
    Protobuf(#[from] prost::DecodeError),
}

impl Refused {
    /// The name of the refusal's counter and of its alarm.
    pub fn name(&self) -> &'static str {
        match self {
            Refused::Ourselves => "self",
            Refused::Version { .. } => "version",
            Refused::Level { .. } => "level",
            Refused::DuplicateNode { .. } => "duplicate_node",
            Refused::ClockAhead { .. } => "clock_ahead",
            Refused::Message(_) | Refused::Protobuf(_) => "malformed",
        }
    }
}

impl Hello {
    pub fn encode(&self) -> Vec<u8> {
        v1::Hello {
            version_min: self.version_min,
            version_max: self.version_max,
            features: self.features,
            member: Some(message::put_member(&self.member)),
            frontier: Some(message::put_frontier(&self.position.shown)),
            dropped: Some(message::put_frontier(&self.position.dropped)),
            settled: Some(message::put_frontier(&self.position.settled)),
            members: self.members.iter().take(message::MEMBERS_MAX).map(message::put_member).collect(),
            evictions: {
                let mut bytes = Vec::new();
                self.evictions.encode(&mut bytes);
                bytes
            },
            hlc: self.hlc.0,
            process: self.process,
            cluster_level: self.cluster_level,
        }
        .encode_to_vec()
    }

    pub fn decode(bytes: Bytes) -> Result<Self, Refused> {
        let hello = v1::Hello::decode(bytes)?;
        Ok(Hello {
            version_min: hello.version_min,
            version_max: hello.version_max,
            features: hello.features,
            member: message::take_member(hello.member.ok_or(MessageError::Missing("member"))?)?,
            position: Position {
                shown: message::take_frontier(hello.frontier)?,
                // Not told by those who never drop any.
                dropped: message::take_frontier(Some(hello.dropped.unwrap_or_default()))?,
                settled: message::take_frontier(Some(hello.settled.unwrap_or_default()))?,
            },
            members: message::take_members(hello.members)?,
            evictions: match &hello.evictions[..] {
                [] => Evictions::default(),
                bytes => {
                    Evictions::decode(bytes).ok_or(MessageError::Missing("a whole list of evictions"))?
                }
            },
            hlc: Hlc(hello.hlc),
            process: hello.process,
            cluster_level: hello.cluster_level,
        })
    }

    /// Decides about the peer that said `self`. `ours` is our own Hello, `wall_ms` our wall clock.
    pub fn judge(&self, ours: &Hello, wall_ms: u64) -> Result<Agreed, Refused> {
        if self.process == ours.process {
            return Err(Refused::Ourselves);
        }
        let version = self.version_max.min(ours.version_max);
        if version < self.version_min.max(ours.version_min) {
            return Err(Refused::Version {
                ours_min: ours.version_min,
                ours_max: ours.version_max,
                theirs_min: self.version_min,
                theirs_max: self.version_max,
            });
        }
        let theirs = &self.member;
        if theirs.node == ours.member.node || theirs.directory == ours.member.directory {
            return Err(Refused::DuplicateNode { node: theirs.node, addr: ours.member.addr.clone() });
        }
        // A node that has met nobody has nothing that a peer must know.
        let met = |hello: &Hello| hello.members.len() > 1;
        for (older, newer) in [(self, ours), (ours, self)] {
            let knows = older.member.level.max(LEVEL_FIRST);
            if met(newer) && knows < newer.cluster_level {
                let (addr, cluster) = (older.member.addr.clone(), newer.cluster_level);
                return Err(Refused::Level { addr, knows, cluster });
            }
        }
        let ahead_ms = self.hlc.ms().saturating_sub(wall_ms);
        if ahead_ms > AHEAD_MS_MAX {
            return Err(Refused::ClockAhead { addr: theirs.addr.clone(), ahead_ms });
        }
        let level = theirs.level.min(ours.member.level).max(LEVEL_FIRST);
        Ok(Agreed { version, features: self.features & ours.features, level })
    }
}

#[cfg(test)]
mod tests {
    use proto::{NodeId, Seq};

    use super::*;

    fn hello(id: u64) -> Hello {
        Hello {
            version_min: 1,
            version_max: 3,
            features: 0b110,
            member: Member {
                directory: id * 100,
                node: NodeId(id),
                incarnation: 1,
                region: "eu".into(),
                addr: format!("10.0.0.{id}:7379"),
                level: 2,
            },
            position: Position {
                shown: [(NodeId(id), Seq(5))].into_iter().collect(),
                dropped: [(NodeId(id), Seq(2))].into_iter().collect(),
                settled: [(NodeId(id), Seq(3))].into_iter().collect(),
            },
            members: vec![],
            evictions: Evictions::default(),
            hlc: Hlc::from_ms(10_000),
            process: id,
            cluster_level: 1,
        }
    }

    #[test]
    fn a_hello_round_trips_and_the_highest_common_version_is_used() {
        let (a, b) = (hello(1), Hello { version_max: 2, features: 0b011, ..hello(2) });
        assert_eq!(Hello::decode(a.encode().into()).unwrap(), a);
        assert_eq!(a.judge(&b, 10_000), Ok(Agreed { version: 2, features: 0b010, level: 2 }));
        let old = Hello { version_max: 0, version_min: 0, ..hello(2) };
        assert_eq!(a.judge(&old, 10_000).unwrap_err().name(), "version");
    }

    #[test]
    fn ourselves_copies_and_clocks_ahead_are_refused() {
        let a = hello(1);
        assert_eq!(a.judge(&a, 10_000), Err(Refused::Ourselves));
        let copy = Hello { process: 9, ..hello(1) };
        assert_eq!(copy.judge(&a, 10_000).unwrap_err().name(), "duplicate_node");
        let b = hello(2);
        assert!(b.judge(&a, 9_500).is_ok());
        assert_eq!(
            b.judge(&a, 9_499),
            Err(Refused::ClockAhead { addr: b.member.addr.clone(), ahead_ms: 501 })
        );
        assert!(b.judge(&a, 99_000).is_ok(), "a peer behind refuses us, not we it");
    }

    #[test]
    fn a_program_that_knows_less_than_the_cluster_is_refused_once_there_is_one() {
        let older = Hello { member: Member { level: 1, ..hello(1).member }, ..hello(1) };
        let alone = Hello { cluster_level: 2, members: vec![hello(2).member], ..hello(2) };
        assert_eq!(older.judge(&alone, 10_000).unwrap().level, 1, "nobody has met anybody");
        let met = Hello { members: vec![hello(2).member, hello(3).member], ..alone };
        let refused = older.judge(&met, 10_000).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "10.0.0.1:7379 knows feature level 1, its cluster is at 2 already: upgrade it"
        );
        assert_eq!(met.judge(&older, 10_000).unwrap_err(), refused, "the same words at both ends");
        let upgraded = hello(1);
        assert_eq!(upgraded.judge(&met, 10_000).unwrap().level, 2);
    }

    #[test]
    fn any_cut_of_a_hello_is_an_error_or_a_hello() {
        let bytes = hello(1).encode();
        for cut in 0..bytes.len() {
            let _ = Hello::decode(Bytes::copy_from_slice(&bytes[..cut]));
        }
    }
}
