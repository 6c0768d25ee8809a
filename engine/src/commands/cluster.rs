//! ATOLL.CLUSTER and ATOLL.LATE: members, evictions, and what came too late.

use proto::resp::Replies;

use crate::core::{EvictError, LateError, LateStatus, LeaveError, Leaving};
use crate::refusal::Refusal;
use crate::session::Call;

use super::spec::{CommandSpec, Flags, Group, Plan};

/// Effects replayed by one ATOLL.LATE REPLAY step.
const REPLAY_STEP: u64 = 100_000;
/// Effects listed when no count is given.
const LIST_COUNT: usize = 100;

pub static SPECS: &[CommandSpec] = &[
    CommandSpec {
        name: "atoll.cluster",
        arity: -2,
        flags: Flags::ADMIN.or(Flags::NO_MULTI),
        acl: &["@admin", "@slow", "@dangerous"],
        group: Group::Atoll,
        summary: "Members and how they stand (STATUS, MEMBERS), taking one out (EVICT), off the list (FORGET); leaving (LEAVE, STAY).",
        complexity: "O(N) where N is the number of members",
        plan: Plan::Session(cluster),
        ..CommandSpec::EMPTY
    },
    CommandSpec {
        name: "atoll.late",
        arity: -2,
        flags: Flags::ADMIN.or(Flags::NO_MULTI),
        acl: &["@admin", "@slow", "@dangerous"],
        group: Group::Atoll,
        summary: "Effects of this directory that came too late to be merged: LIST, REPLAY as new effects, DROP.",
        complexity: "O(N) where N is the number of effects listed or replayed",
        plan: Plan::Session(late),
        ..CommandSpec::EMPTY
    },
];

fn cluster(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let word = args[1].to_ascii_uppercase();
    let named = |args: &[&[u8]]| String::from_utf8_lossy(args[2]).into_owned();
    match (&word[..], args.len()) {
        (b"STATUS", 2) => status(call, reply),
        (b"MEMBERS", 2) => members(call, reply),
        (b"EVICT", 3) => {
            let member = call.engine().evict_member(&named(args)).map_err(refused)?;
            answer(reply, &format!("evicting {} {}", member.node, member.addr));
        }
        (b"FORGET", 3) => {
            let member = call.engine().forget_member(&named(args)).map_err(refused)?;
            answer(reply, &format!("forgot {} {}", member.node, member.addr));
        }
        (b"LEAVE", 2) => {
            call.engine().leave_cluster().map_err(leave_refused)?;
            answer(reply, "leaving: see ATOLL.CLUSTER STATUS for what it waits for");
        }
        (b"STAY", 2) => {
            call.engine().stay_in_cluster().map_err(leave_refused)?;
            answer(reply, "staying");
        }
        (b"HELP", 2) => help(
            reply,
            &[
                "ATOLL.CLUSTER <subcommand>. Subcommands are:",
                "STATUS",
                "    This node, how many members there are, and evictions under way.",
                "MEMBERS",
                "    Node, directory, region, address and state of each member.",
                "EVICT <node|directory|address>",
                "    Take a member out: what nobody has of its writes is late from then on.",
                "FORGET <node|directory|address>",
                "    Take an evicted member off the list.",
                "LEAVE",
                "    Refuse writes, wait until all others have everything, cease to be a member, and end.",
                "STAY",
                "    Call a leave off, while the others were not told.",
            ],
        ),
        _ => return Err(unknown("ATOLL.CLUSTER")),
    }
    Ok(())
}

fn answer(reply: &mut Replies<'_>, text: &str) {
    reply.simple(text);
}

fn status(call: &mut Call<'_>, reply: &mut Replies<'_>) {
    let engine = call.engine();
    let list = engine.member_list();
    let count = |states: &[&str]| list.iter().filter(|m| states.contains(&m.state)).count() as i64;
    let own = &list[0];
    let mut waits: Vec<String> = Vec::new();
    for evicting in list.iter().filter(|m| m.state == "evicting") {
        let whom = evicting.waits_for.iter().map(|directory| {
            let known = list.iter().find(|m| m.member.directory == *directory);
            known.map_or_else(|| format!("{directory:016x}"), |m| m.member.addr.clone())
        });
        waits.push(format!("{} waits for {}", evicting.member.addr, whom.collect::<Vec<_>>().join(",")));
    }
    let late = engine.late_sets().map_or(0, |sets| sets.len() as i64);
    let (leaving, lacking) = match engine.leaving() {
        Leaving::No => ("no", String::new()),
        Leaving::WaitsFor(members) => {
            let addrs: Vec<String> = members.into_iter().map(|m| m.addr).collect();
            ("waiting", addrs.join(","))
        }
        Leaving::Told => ("told", String::new()),
        Leaving::Left => ("left", String::new()),
    };
    reply.map(13);
    let mut text = |name: &str, value: &str| {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    };
    text("node", &own.member.node.to_string());
    text("directory", &format!("{:016x}", own.member.directory));
    text("region", &own.member.region);
    text("address", &own.member.addr);
    text(
        "state",
        if engine.was_evicted() {
            "evicted"
        } else if engine.is_ready() {
            "live"
        } else {
            "joining"
        },
    );
    text("evicting", &waits.join("; "));
    text("leaving", leaving);
    text("leaving_waits_for", &lacking);
    let numbers = [
        ("members", count(&["self", "leaving", "live", "suspect", "down", "left", "joining"])),
        ("live", count(&["self", "leaving", "live"])),
        ("suspect", count(&["suspect", "down"])),
        ("evicted", count(&["evicted", "evicting"])),
        ("late_sets", late),
    ];
    for (name, value) in numbers {
        reply.bulk(name.as_bytes());
        reply.integer(value);
    }
}

fn members(call: &mut Call<'_>, reply: &mut Replies<'_>) {
    let list = call.engine().member_list();
    reply.array(list.len());
    for status in list {
        reply.map(5);
        let directory = format!("{:016x}", status.member.directory);
        for (name, value) in [
            ("node", status.member.node.to_string()),
            ("directory", directory),
            ("region", status.member.region),
            ("address", status.member.addr),
            ("state", status.state.to_string()),
        ] {
            reply.bulk(name.as_bytes());
            reply.bulk(value.as_bytes());
        }
    }
}

fn late(call: &mut Call<'_>, args: &[&[u8]], reply: &mut Replies<'_>) -> Result<(), Refusal> {
    let word = args[1].to_ascii_uppercase();
    let number = |at: usize| -> Result<u64, Refusal> {
        let text = std::str::from_utf8(args[at]).ok();
        text.and_then(|t| t.parse().ok())
            .ok_or(Refusal::Text("ERR a late set is named by its number: see ATOLL.LATE LIST"))
    };
    let engine = call.engine().clone();
    match (&word[..], args.len()) {
        (b"LIST", 2) => {
            let sets = engine.late_sets().map_err(late_refused)?;
            reply.array(sets.len());
            sets.iter().for_each(|set| put_set(set, reply));
        }
        (b"LIST", 3 | 5) => {
            let count = match args.len() {
                5 if args[3].eq_ignore_ascii_case(b"COUNT") => number(4)? as usize,
                5 => return Err(unknown("ATOLL.LATE")),
                _ => LIST_COUNT,
            };
            let effects = engine.late_effects(number(2)?, count).map_err(late_refused)?;
            reply.array(effects.len());
            for effect in effects {
                reply.array(5);
                reply.bulk(format!("{}:{}", effect.id.node, effect.id.seq.0).as_bytes());
                reply.integer(effect.hlc.ms() as i64);
                reply.integer(i64::from(effect.db));
                reply.bulk(effect.kind.as_bytes());
                reply.bulk(&effect.key);
            }
        }
        (b"REPLAY", 3) => {
            let (id, turn) = (number(2)?, *call.turn());
            let mut written = 0;
            loop {
                let (more, done) = engine.late_replay(id, &turn, REPLAY_STEP).map_err(late_refused)?;
                written += more;
                if done {
                    break;
                }
            }
            reply.integer(written as i64);
        }
        (b"DROP", 3) => {
            let dropped = engine.late_drop(number(2)?).map_err(late_refused)?;
            reply.integer(dropped.effects as i64);
        }
        (b"HELP", 2) => help(
            reply,
            &[
                "ATOLL.LATE <subcommand>. Subcommands are:",
                "LIST",
                "    The late sets of this node's directory.",
                "LIST <set> [COUNT <n>]",
                "    Its effects that were not replayed: id, Unix ms, database, kind, key.",
                "REPLAY <set>",
                "    Do all of it again on what is there now, and remove the set.",
                "DROP <set>",
                "    Remove the set. What is in it is lost.",
            ],
        ),
        _ => return Err(unknown("ATOLL.LATE")),
    }
    Ok(())
}

fn put_set(set: &LateStatus, reply: &mut Replies<'_>) {
    reply.map(6);
    let numbers = [
        ("set", set.id),
        ("created_ms", set.created_ms),
        ("effects", set.effects),
        ("bytes", set.bytes),
        ("replayed_bytes", set.replayed_bytes),
        ("replays_by_itself", u64::from(set.replays)),
    ];
    for (name, value) in numbers {
        reply.bulk(name.as_bytes());
        reply.integer(value as i64);
    }
}

fn help(reply: &mut Replies<'_>, lines: &[&str]) {
    reply.array(lines.len());
    lines.iter().for_each(|line| reply.simple(line));
}

fn unknown(command: &str) -> Refusal {
    Refusal::Quoted(format!("ERR unknown subcommand or wrong number of arguments. Try {command} HELP."))
}

fn refused(error: EvictError) -> Refusal {
    Refusal::Quoted(format!("ERR {error}"))
}

fn leave_refused(error: LeaveError) -> Refusal {
    Refusal::Quoted(format!("ERR {error}"))
}

fn late_refused(error: LateError) -> Refusal {
    Refusal::Quoted(format!("ERR {error}"))
}
