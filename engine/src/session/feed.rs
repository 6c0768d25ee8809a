//! Feeding a session: parse a batch of commands, hash and prefetch their keys, then run them in order.

use std::sync::atomic::Ordering::Relaxed;

use proto::resp::{Replies, Requests};

use super::dispatch::Ran;
use super::meter::Meter;
use super::resolve::{Resolved, resolve};
use super::{Server, Session};
use crate::commands::spec::{CommandSpec, FindKeys, Group, KeySpec, Scope};
use crate::core::Turn;
use crate::state::list::Ends;

/// Commands parsed and prefetched at a time.
const BATCH: usize = 32;
/// Batches of one feed: what a client may take of a turn.
const BATCHES_MAX: usize = 8;
/// Replies of one feed past which it stops until they are sent, bytes.
const REPLIES_MAX: usize = 1 << 20;

/// What to do with the connection after a feed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// Everything whole has run; wait for more input.
    Idle,
    /// More commands may be whole: feed again in the next turn.
    More,
    /// Clients are paused: feed again later, the input stays.
    Paused,
    /// A command waits: feed again after [`Session::wake`] or when its time is up, the input stays.
    Blocked,
    /// Send what was answered, then close.
    Close,
    /// Close without sending anything more.
    Hangup,
}

/// What a feed did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fed {
    /// Bytes of the input that are done with.
    pub consumed: usize,
    pub commands: usize,
    /// A command that may write ran: its reply needs the log.
    pub wrote: bool,
    pub flow: Flow,
}

/// The hashes of one command's keys.
#[derive(Clone, Copy)]
pub(super) enum Keys<'a> {
    One(u64),
    Many(&'a [u64]),
}

/// A command of a batch, looked up, with where its arguments end and the place of its keys' hashes.
#[derive(Clone, Copy)]
struct Planned {
    found: Option<Resolved>,
    args: usize,
    first: usize,
    count: usize,
}

/// Scratch memory and counters of one reactor.
#[derive(Default)]
pub struct Lane {
    requests: Requests,
    planned: Vec<Planned>,
    hashes: Vec<u64>,
    args: Vec<&'static [u8]>,
    positions: Vec<(usize, &'static KeySpec)>,
    pub meter: Meter,
}

/// An empty vector keeps its memory while its element's lifetime changes.
fn recycle<'b>(mut args: Vec<&[u8]>) -> Vec<&'b [u8]> {
    args.clear();
    args.into_iter().map(|_| -> &'b [u8] { &[] }).collect()
}

impl Session {
    /// Runs whole commands from the front of `input`, appending their replies to `out`.
    pub fn feed(
        &mut self,
        server: &Server,
        turn: &Turn,
        lane: &mut Lane,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Fed {
        let mut fed = Fed { consumed: 0, commands: 0, wrote: false, flow: Flow::More };
        let start = out.len();
        if self.is_waiting(turn.now_ms) {
            fed.flow = Flow::Blocked;
            return fed;
        }
        for _ in 0..BATCHES_MAX {
            if self.reparse {
                self.restart_parser(server);
            }
            let flow = self.batch(server, turn, lane, input, start, out, &mut fed);
            if let Some(flow) = flow {
                fed.flow = flow;
                break;
            }
        }
        if fed.commands > 0 || fed.flow == Flow::Blocked {
            self.publish(turn.now_ms);
        }
        fed
    }

    /// One batch. `None`: it was full, and the next may follow.
    #[allow(clippy::too_many_arguments)]
    fn batch(
        &mut self,
        server: &Server,
        turn: &Turn,
        lane: &mut Lane,
        input: &[u8],
        start: usize,
        out: &mut Vec<u8>,
        fed: &mut Fed,
    ) -> Option<Flow> {
        let Lane { requests, planned, hashes, args: spare, positions, meter } = lane;
        let base = fed.consumed;
        let rest = &input[base..];
        let parsed = match self.parser.parse(rest, BATCH, requests) {
            Ok(parsed) => parsed,
            Err(error) => {
                super::dispatch::answer_error(&mut Replies::new(out, self.protocol), &error.line(), server);
                self.closing = true;
                return Some(Flow::Close);
            }
        };
        let count = requests.len();
        let mut args: Vec<&[u8]> = recycle(std::mem::take(spare));
        planned.clear();
        hashes.clear();
        let mut before: Option<(&[u8], Resolved)> = None;
        for at in 0..count {
            let (begin, first) = (args.len(), hashes.len());
            args.extend(requests.args_of(at, rest));
            let words = &args[begin..];
            // Pipelines ask for the same again and again.
            let found = match before {
                Some((name, found)) if name == words[0] => Some(found),
                _ => resolve(words).ok(),
            };
            before = found.filter(Resolved::is_by_name_alone).map(|found| (words[0], found));
            if let Some(found) = found {
                hash_keys(server, found.spec, words, hashes, positions);
            }
            planned.push(Planned { found, args: args.len(), first, count: hashes.len() - first });
        }
        if hashes.len() > 1 {
            let engine = server.engine();
            let db = engine.physical(self.db);
            hashes.iter().for_each(|hash| engine.prefetch_slot(*hash));
            hashes.iter().for_each(|hash| engine.prefetch_entry(db, *hash));
            for of_elements in planned.iter().filter(|p| p.found.is_some_and(|f| f.spec.on_elements())) {
                let hashes = &hashes[of_elements.first..][..of_elements.count];
                hashes.iter().for_each(|hash| engine.prefetch_value(db, *hash));
            }
            for command in &*planned {
                if let Some(ends) = command.found.and_then(|found| found.spec.ends()) {
                    let hashes = &hashes[command.first..][..command.count];
                    hashes.iter().for_each(|hash| engine.prefetch_ends(db, *hash, ends));
                }
            }
            for command in planned.iter().filter(|p| p.found.is_some_and(|f| f.spec.group == Group::Stream)) {
                let hashes = &hashes[command.first..][..command.count];
                hashes.iter().for_each(|hash| engine.prefetch_ends(db, *hash, Ends::Farther));
            }
        }
        let mut stop = None;
        let (mut done, mut begin) = (0, 0);
        while done < count {
            let Planned { found, args: end, first, count: keys } = planned[done];
            let args = &args[std::mem::replace(&mut begin, end)..end];
            let keys = match keys {
                1 => Keys::One(hashes[first]),
                _ => Keys::Many(&hashes[first..first + keys]),
            };
            let ran = self.run(server, turn, meter, found, args, keys, out);
            if self.blocked.is_some() && !matches!(ran, Ran::Blocked | Ran::Paused) {
                self.unblock(server);
            }
            match ran {
                Ran::Done { wrote } => {
                    fed.wrote |= wrote;
                    done += 1;
                }
                Ran::Paused => {
                    stop = Some(Flow::Paused);
                    break;
                }
                Ran::Blocked => {
                    stop = Some(Flow::Blocked);
                    break;
                }
                Ran::Hangup => {
                    stop = Some(Flow::Hangup);
                    break;
                }
            }
            if self.closing {
                stop = Some(Flow::Close);
                break;
            }
            if self.reparse {
                // What follows was parsed under limits that no longer hold.
                break;
            }
            if out.len() - start > REPLIES_MAX {
                stop = Some(Flow::More);
                break;
            }
        }
        fed.commands += done;
        if done < count || self.reparse {
            fed.consumed = base + done.checked_sub(1).map_or(0, |last| requests.end(last));
            self.reparse = true;
        } else {
            fed.consumed = base + parsed;
            // Something left behind whole commands may be malformed: the next parse tells.
            if stop.is_none() && (count == 0 || (count < BATCH && parsed == rest.len())) {
                stop = Some(Flow::Idle);
            }
        }
        *spare = recycle(args);
        stop
    }

    /// The input outgrew `client-query-buffer-limit`.
    pub fn input_limited(&self, server: &Server, pending: usize) -> bool {
        let bound = server.config.live().query_bytes_max.load(Relaxed) as usize;
        pending + self.queue_bytes() > bound
    }
}

/// Hashes a command's keys.
#[inline]
fn hash_keys(
    server: &Server,
    spec: &'static CommandSpec,
    args: &[&[u8]],
    hashes: &mut Vec<u64>,
    positions: &mut Vec<(usize, &'static KeySpec)>,
) {
    if !spec.takes(args.len()) || spec.scope_for(args) != Scope::Keys {
        return;
    }
    let engine = server.engine();
    if let [KeySpec { begin, find: FindKeys::Range { last: 0, .. }, .. }] = spec.keys {
        hashes.push(engine.key_hash(args[*begin]));
    } else {
        positions.clear();
        spec.key_positions(args, positions);
        hashes.extend(positions.iter().map(|(at, _)| engine.key_hash(args[*at])));
    }
}
