//! What a command says about itself.

use proto::resp::Replies;

use crate::commands::args::is;
use crate::core::Unit;
use crate::effect::level::{LEVEL_FIRST, LEVEL_TYPES};
use crate::refusal::Refusal;
use crate::session::Call;
use crate::state::list::Ends;

/// Command flags as COMMAND INFO names them, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flags(u32);

/// Names in the order in which Redis lists them.
const FLAG_NAMES: [&str; 21] = [
    "write",
    "readonly",
    "denyoom",
    "module",
    "admin",
    "pubsub",
    "noscript",
    "blocking",
    "loading",
    "stale",
    "skip_monitor",
    "skip_slowlog",
    "asking",
    "fast",
    "no_auth",
    "may_replicate",
    "no_mandatory_keys",
    "no_async_loading",
    "no_multi",
    "movablekeys",
    "allow_busy",
];

impl Flags {
    pub const NONE: Flags = Flags(0);
    pub const WRITE: Flags = Flags(1);
    pub const READONLY: Flags = Flags(1 << 1);
    pub const DENYOOM: Flags = Flags(1 << 2);
    pub const ADMIN: Flags = Flags(1 << 4);
    pub const PUBSUB: Flags = Flags(1 << 5);
    pub const NOSCRIPT: Flags = Flags(1 << 6);
    pub const BLOCKING: Flags = Flags(1 << 7);
    pub const LOADING: Flags = Flags(1 << 8);
    pub const STALE: Flags = Flags(1 << 9);
    pub const SKIP_MONITOR: Flags = Flags(1 << 10);
    pub const SKIP_SLOWLOG: Flags = Flags(1 << 11);
    pub const FAST: Flags = Flags(1 << 13);
    pub const NO_AUTH: Flags = Flags(1 << 14);
    pub const NO_ASYNC_LOADING: Flags = Flags(1 << 17);
    pub const NO_MULTI: Flags = Flags(1 << 18);
    pub const MOVABLEKEYS: Flags = Flags(1 << 19);
    pub const ALLOW_BUSY: Flags = Flags(1 << 20);

    pub const fn or(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Names of the flags set, in Redis' order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        FLAG_NAMES.iter().enumerate().filter(move |(i, _)| self.0 & 1 << i != 0).map(|(_, n)| *n)
    }
}

/// Which arguments are keys, from [`KeySpec::begin`] on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FindKeys {
    /// Every `step` up to `last` (relative to the begin when ≥ 0; negative counts from the end, -1 = last argument).
    Range { last: i32, step: usize, limit: usize },
    /// The argument `count_at` after the begin holds the number of keys; they begin `first` after the begin.
    Counted { count_at: usize, first: usize, step: usize },
    /// The one after this word, which is looked for from the begin on.
    After { word: &'static str },
    /// The first half of what follows this word, which is looked for from the begin on.
    FirstHalf { word: &'static str },
    /// COMMAND INFO says that it is not known: the one after the last such word, when options with so many arguments are passed
    /// over. None when the word is empty.
    Unknown { word: &'static str, over: &'static [(&'static str, usize)] },
}

/// One key specification of COMMAND INFO.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeySpec {
    /// Index of the argument where it begins (the command's name is 0).
    pub begin: usize,
    pub find: FindKeys,
    /// As COMMAND INFO names them.
    pub flags: &'static [&'static str],
}

/// What must be locked before the plan runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Nothing of the keyspace.
    None,
    /// The shards of the command's keys.
    Keys,
    /// As `Keys`; every shard when an argument has a `*`, for then it names keys by a pattern.
    Patterns,
    /// Shard after shard as the plan walks; everything inside EXEC.
    Walk,
    /// Every shard at once.
    Everything,
}

/// A plan over keys: reads, then refuses or emits, and replies.
pub type DataPlan = fn(&mut Unit<'_>, &[&[u8]], &mut Replies<'_>) -> Result<(), Refusal>;
/// A plan over the session or the server.
pub type SessionPlan = fn(&mut Call<'_>, &[&[u8]], &mut Replies<'_>) -> Result<(), Refusal>;

/// The code behind a command.
#[derive(Clone, Copy)]
pub enum Plan {
    Data(DataPlan),
    Session(SessionPlan),
    /// Only a container of subcommands.
    Container,
}

/// One argument for COMMAND DOCS.
#[derive(Clone, Copy, Debug)]
pub struct ArgSpec {
    pub name: &'static str,
    /// `key`, `string`, `integer`, `double`, `pattern`, `unix-time`, `pure-token`, `oneof`, `block`.
    pub kind: &'static str,
    pub token: Option<&'static str>,
    pub key_spec_index: Option<i64>,
    pub since: Option<&'static str>,
    /// `optional`, `multiple`, `multiple_token`.
    pub flags: &'static [&'static str],
    pub args: &'static [ArgSpec],
}

impl ArgSpec {
    /// Defaults for `..ArgSpec::EMPTY` in the table.
    pub const EMPTY: ArgSpec =
        ArgSpec { name: "", kind: "", token: None, key_spec_index: None, since: None, flags: &[], args: &[] };
}

/// What a command is about, in COMMAND DOCS' terms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    Atoll,
    Bitmap,
    Connection,
    Generic,
    Geo,
    Hash,
    HyperLogLog,
    List,
    Server,
    Set,
    SortedSet,
    Stream,
    String,
    Transactions,
}

impl Group {
    pub fn name(self) -> &'static str {
        match self {
            Group::Atoll => "atoll",
            Group::Bitmap => "bitmap",
            Group::Connection => "connection",
            Group::Generic => "generic",
            Group::Geo => "geo",
            Group::Hash => "hash",
            Group::HyperLogLog => "hyperloglog",
            Group::List => "list",
            Group::Server => "server",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Stream => "stream",
            Group::String => "string",
            Group::Transactions => "transactions",
        }
    }
}

/// One command or subcommand.
#[derive(Clone, Copy)]
pub struct CommandSpec {
    /// Lower case; for a subcommand the bare word (`getname`).
    pub name: &'static str,
    /// Redis' convention: counts the name (and the container's), negative = at least.
    pub arity: i32,
    pub flags: Flags,
    /// ACL categories as COMMAND INFO lists them (`@read`).
    pub acl: &'static [&'static str],
    pub keys: &'static [KeySpec],
    pub scope: Scope,
    pub group: Group,
    pub since: &'static str,
    pub summary: &'static str,
    pub complexity: &'static str,
    pub tips: &'static [&'static str],
    pub args: &'static [ArgSpec],
    pub subcommands: &'static [CommandSpec],
    pub plan: Plan,
}

impl CommandSpec {
    /// Defaults for `..CommandSpec::EMPTY` in the table.
    pub const EMPTY: CommandSpec = CommandSpec {
        name: "",
        arity: 0,
        flags: Flags::NONE,
        acl: &[],
        keys: &[],
        scope: Scope::None,
        group: Group::Generic,
        since: "1.0.0",
        summary: "",
        complexity: "",
        tips: &[],
        args: &[],
        subcommands: &[],
        plan: Plan::Container,
    };

    /// The feature level of what it may write.
    pub fn level(&self) -> u32 {
        let newer = match self.group {
            Group::Hash | Group::SortedSet | Group::List | Group::Stream => true,
            Group::HyperLogLog | Group::Bitmap | Group::Geo => true,
            _ => matches!(self.name, "sort" | "restore"),
        };
        if newer { LEVEL_TYPES } else { LEVEL_FIRST }
    }

    /// Its keys are those of collections.
    #[inline]
    pub fn on_elements(&self) -> bool {
        use Group::{Geo, Hash, List, Set, SortedSet, Stream};
        matches!(self.group, Hash | Set | SortedSet | List | Stream | Geo)
    }

    /// The ends of lists that it looks at; of streams it is the one end there is.
    #[inline]
    pub(crate) fn ends(&self) -> Option<Ends> {
        match (self.group, self.name) {
            (Group::List, "lpush" | "lpushx" | "lpop" | "lrange") => Some(Ends::Front),
            (Group::List, "rpush" | "rpushx" | "rpop") => Some(Ends::Back),
            (Group::List | Group::Stream, _) => Some(Ends::Both),
            _ => None,
        }
    }

    /// What must be locked for these arguments.
    #[inline]
    pub fn scope_for(&self, args: &[&[u8]]) -> Scope {
        match self.scope {
            Scope::Patterns if args.iter().skip(2).any(|arg| arg.contains(&b'*')) => Scope::Everything,
            Scope::Patterns => Scope::Keys,
            scope => scope,
        }
    }

    /// True when a command of so many arguments (name included) can be this one.
    pub fn takes(&self, args: usize) -> bool {
        let arity = self.arity.unsigned_abs() as usize;
        if self.arity >= 0 { args == arity } else { args >= arity }
    }

    /// Appends the indices of the arguments that are keys, with the specification that found each. False when the arguments
    /// make no sense as keys.
    pub fn key_positions(&self, args: &[&[u8]], out: &mut Vec<(usize, &'static KeySpec)>) -> bool {
        for spec in self.keys {
            match spec.find {
                FindKeys::Range { last, step, limit } => {
                    let end = match (last, limit) {
                        (0.., _) => spec.begin + last as usize,
                        (_, 0 | 1) => (args.len() as i64 + i64::from(last)).max(0) as usize,
                        (_, limit) => {
                            let rest = args.len().saturating_sub(spec.begin);
                            spec.begin + (rest / limit).saturating_sub(1)
                        }
                    };
                    let mut at = spec.begin;
                    while at <= end && at < args.len() {
                        out.push((at, spec));
                        at += step;
                    }
                }
                FindKeys::After { word } => {
                    let found = args.iter().skip(spec.begin).position(|arg| is(arg, word));
                    let at = found.map(|found| spec.begin + found + 1).filter(|at| *at < args.len());
                    out.extend(at.map(|at| (at, spec)));
                }
                FindKeys::Unknown { word, over } => {
                    out.extend(last_after(args, spec.begin, word, over).map(|at| (at, spec)));
                }
                FindKeys::FirstHalf { word } => {
                    let mut words = args.iter().skip(spec.begin);
                    let Some(found) = words.position(|arg| is(arg, word)) else {
                        continue;
                    };
                    let begin = spec.begin + found + 1;
                    let half = (args.len() - begin) / 2;
                    out.extend((begin..begin + half).map(|at| (at, spec)));
                }
                FindKeys::Counted { count_at, first, step } => {
                    let text = args.get(spec.begin + count_at).copied().unwrap_or_default();
                    let count = crate::number::parse_i64(text).and_then(|n| usize::try_from(n).ok());
                    let from = spec.begin + first;
                    match count {
                        Some(count) if count <= args.len().saturating_sub(from) => {
                            out.extend((0..count).map(|i| (from + i * step, spec)));
                        }
                        _ => return false,
                    }
                }
            }
        }
        true
    }
}

/// The place after the last `word`, from `begin` on; the words of `over` and as many arguments after each do not count.
fn last_after(args: &[&[u8]], begin: usize, word: &str, over: &[(&str, usize)]) -> Option<usize> {
    let (mut at, mut found) = (begin, None);
    while !word.is_empty() && at + 1 < args.len() {
        if is(args[at], word) {
            found = Some(at + 1);
            at += 2;
        } else {
            at += 1 + over.iter().find(|(option, _)| is(args[at], option)).map_or(0, |(_, count)| *count);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts_and_what_belongs_to_options_does_not() {
        let place = |line: &str| {
            let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            last_after(&args, 2, "store", &[("limit", 2), ("get", 1), ("by", 1)])
        };
        assert_eq!(place("sort k"), None);
        assert_eq!(place("sort k store a store b"), Some(5));
        assert_eq!(place("sort k by store limit store store"), None);
        assert_eq!(place("sort k store by store b"), Some(5));
        assert_eq!(place("sort k store"), None);
    }
}
