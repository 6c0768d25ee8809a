//! Feature levels: what a program knows, as one number, so that a cluster of several versions writes only what all can read.
//!
//! Every member says its newest level. A cluster is at the least of them: nothing newer is written until the last member is
//! upgraded, and from then on without anybody's doing. Levels are never taken back: a program that knows less than its cluster
//! is refused, because there may be effects that it cannot read.
//!
//! | level | adds |
//! |---|---|
//! | 1 | strings, sets, keys, expiry, databases; batches; acks, members |
//! | 2 | all other types of values, `SORT … STORE`, `RESTORE`; streams by request and what a node reaches (frames 5 and 6), so one copy of each effect per remote region |

/// The oldest level; also what a member that never said one is taken for.
pub const LEVEL_FIRST: u32 = 1;
/// Streams by request: a receiver says whose effects it takes from whom.
pub const LEVEL_STREAMS: u32 = 2;
/// All types of values.
pub const LEVEL_TYPES: u32 = 2;
/// What this program knows.
pub const LEVEL: u32 = LEVEL_STREAMS;
