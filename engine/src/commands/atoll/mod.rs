//! ATOLL.*: what Redis has no word for.

mod conflicts;
mod explain;
mod lag;
mod token;

use proto::resp::Replies;

use super::args::is;
use crate::glob;
use crate::refusal::Refusal;
use crate::replication::Replica;
use crate::session::Call;

use super::spec::{ArgSpec, CommandSpec, FindKeys, Flags, Group, KeySpec, Plan, Scope};

pub static SPECS: &[CommandSpec] = &[
    CommandSpec {
        name: "atoll.conflicts",
        arity: -1,
        flags: Flags::READONLY.or(Flags::ADMIN),
        acl: &["@admin", "@slow", "@dangerous"],
        group: Group::Atoll,
        summary: "Tells what merges decided here: rule, winner, loser; the newest, or what came after an id.",
        complexity: "O(N) where N is the number of decisions kept",
        args: &[
            ArgSpec {
                name: "count",
                kind: "integer",
                token: Some("COUNT"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "id",
                kind: "integer",
                token: Some("AFTER"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "pattern",
                kind: "pattern",
                token: Some("KEY"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Session(conflicts::conflicts),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "atoll.digest",
        arity: -1,
        flags: Flags::READONLY.or(Flags::ADMIN).or(Flags::NO_MULTI),
        acl: &["@admin", "@slow", "@dangerous"],
        group: Group::Atoll,
        summary: "Answers a digest of the live keys, all or those of a pattern or a range of names, how many there are, and the frontier it was taken at.",
        complexity: "O(N) where N is the number of keys",
        scope: Scope::Walk,
        args: &[
            ArgSpec {
                name: "pattern",
                kind: "pattern",
                token: Some("MATCH"),
                flags: &["optional"],
                ..ArgSpec::EMPTY
            },
            ArgSpec {
                name: "range",
                kind: "block",
                token: Some("RANGE"),
                flags: &["optional"],
                args: &[
                    ArgSpec { name: "from", kind: "string", ..ArgSpec::EMPTY },
                    ArgSpec { name: "below", kind: "string", ..ArgSpec::EMPTY },
                ],
                ..ArgSpec::EMPTY
            },
        ],
        plan: Plan::Session(digest),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "atoll.explain",
        arity: 2,
        flags: Flags::READONLY,
        acl: &["@keyspace", "@read", "@slow"],
        keys: &[KeySpec { begin: 1, find: FindKeys::Range { last: 0, step: 1, limit: 0 }, flags: &["RO"] }],
        scope: Scope::Keys,
        group: Group::Atoll,
        summary: "Tells the effects of a key that this node holds, and why it shows what it shows.",
        complexity: "O(N*log(N)) where N is the number of unstable effects of the key",
        args: &[ArgSpec { name: "key", kind: "key", key_spec_index: Some(0), ..ArgSpec::EMPTY }],
        plan: Plan::Data(explain::explain),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "atoll.frontier",
        arity: 1,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@fast", "@connection"],
        group: Group::Atoll,
        summary: "Answers what is shown here: node and highest contiguous seq of each origin.",
        complexity: "O(N) where N is the number of origins",
        plan: Plan::Session(frontier),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "atoll.lag",
        arity: 1,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@fast", "@connection"],
        group: Group::Atoll,
        summary: "Tells how far behind each other member is: effects, milliseconds, when it was heard last, round trip.",
        complexity: "O(N*M) where N is the number of members and M the number of origins",
        plan: Plan::Session(lag::lag),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "atoll.members",
        arity: 1,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@fast", "@connection"],
        group: Group::Atoll,
        summary: "Answers the members known here: node, region and address.",
        complexity: "O(N) where N is the number of members",
        plan: Plan::Session(members),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "atoll.mode",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        acl: &["@fast", "@connection"],
        group: Group::Atoll,
        summary: "Answers the mode that a key's range has.",
        complexity: "O(N) where N is the number of rules",
        plan: Plan::Session(mode),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "atoll.token",
        arity: 1,
        flags: Flags::READONLY.or(Flags::FAST).or(Flags::NO_MULTI),
        acl: &["@fast", "@connection"],
        group: Group::Atoll,
        summary: "Answers a token for everything shown here, this connection's writes included.",
        complexity: "O(N) where N is the number of origins",
        plan: Plan::Session(token::token),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "atoll.wait",
        arity: 3,
        flags: Flags::READONLY.or(Flags::NOSCRIPT).or(Flags::NO_MULTI),
        acl: &["@slow", "@connection"],
        group: Group::Atoll,
        summary: "Waits until this node shows everything that a token names.",
        complexity: "O(N) where N is the number of origins",
        args: &[
            ArgSpec { name: "token", kind: "string", ..ArgSpec::EMPTY },
            ArgSpec { name: "timeout-ms", kind: "integer", ..ArgSpec::EMPTY },
        ],
        plan: Plan::Session(token::wait),
        ..CommandSpec::EMPTY
    },
];

fn digest(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let counts: &dyn Fn(&[u8]) -> bool = match args[1..] {
        [] => &|_| true,
        [word, pattern] if is(word, "match") => &move |key| glob::matches(pattern, key),
        [word, from, below] if is(word, "range") => &move |key| (from..below).contains(&key),
        _ => return Err(Refusal::Syntax),
    };
    let (digest, keys, frontier) = call.engine().digest_of(call.turn().now_ms, counts);
    reply.array(3);
    reply.bulk(format!("{digest:032x}").as_bytes());
    reply.integer(keys as i64);
    pairs(&frontier, reply);
    Ok(())
}

fn frontier(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    pairs(&call.engine().frontier(), reply);
    Ok(())
}

fn pairs(frontier: &proto::Frontier, reply: &mut Replies<'_>) {
    reply.map(frontier.len());
    for (node, seq) in frontier.iter() {
        reply.bulk(node.to_string().as_bytes());
        reply.integer(seq.0 as i64);
    }
}

fn members(call: &mut Call<'_>, _: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let members = call.engine().members();
    reply.array(members.len());
    for member in members {
        reply.array(3);
        reply.bulk(member.node.to_string().as_bytes());
        reply.bulk(member.region.as_bytes());
        reply.bulk(member.addr.as_bytes());
    }
    Ok(())
}

fn mode(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let mode = call.engine().rules().read().mode_for_key(args[1]);
    reply.bulk(mode.name().as_bytes());
    Ok(())
}
