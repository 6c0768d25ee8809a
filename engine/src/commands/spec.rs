//! What a command says about itself.

use proto::resp::Replies;

use crate::refusal::Refusal;
use crate::session::Call;
use crate::unit::Unit;

/// Command flags as COMMAND INFO names them, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flags(pub u32);

impl Flags {
    pub const NONE: Flags = Flags(0);
    pub const WRITE: Flags = Flags(1);
    pub const READONLY: Flags = Flags(1 << 1);
    pub const DENYOOM: Flags = Flags(1 << 2);
    pub const ADMIN: Flags = Flags(1 << 3);
    pub const PUBSUB: Flags = Flags(1 << 4);
    pub const NOSCRIPT: Flags = Flags(1 << 5);
    pub const BLOCKING: Flags = Flags(1 << 6);
    pub const LOADING: Flags = Flags(1 << 7);
    pub const STALE: Flags = Flags(1 << 8);
    pub const SKIP_MONITOR: Flags = Flags(1 << 9);
    pub const SKIP_SLOWLOG: Flags = Flags(1 << 10);
    pub const ASKING: Flags = Flags(1 << 11);
    pub const FAST: Flags = Flags(1 << 12);
    pub const NO_AUTH: Flags = Flags(1 << 13);
    pub const MOVABLEKEYS: Flags = Flags(1 << 14);
    pub const ALLOW_BUSY: Flags = Flags(1 << 15);
    pub const NO_ASYNC_LOADING: Flags = Flags(1 << 16);
    pub const NO_MULTI: Flags = Flags(1 << 17);

    pub const fn or(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// How one key specification finds its keys (COMMAND INFO's `begin_search` and `find_keys`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FindKeys {
    /// From argument `first` (1 = right after the name), to `last` (relative to `first` when ≥ 0, negative counts from the end:
    /// -1 = last argument), every `step`; `limit` as COMMAND INFO.
    Range { first: usize, last: i32, step: usize, limit: u32 },
    /// Argument `count_at` holds the number of keys, which begin at `first`.
    Counted { count_at: usize, first: usize },
}

/// One key specification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeySpec {
    pub find: FindKeys,
    /// COMMAND INFO flags, e.g. `&["RW", "ACCESS", "UPDATE"]`.
    pub flags: &'static [&'static str],
}

/// What must be locked before the plan runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Nothing of the keyspace.
    None,
    /// The shards of the command's keys.
    Keys,
    /// Shard after shard, as the plan walks ([`Unit::walk`]); everything inside EXEC.
    Walk,
    /// Every shard at once.
    Everything,
}

/// The code behind a command.
#[derive(Clone, Copy)]
pub enum Plan {
    /// Reads and changes keys.
    Data(fn(&mut Unit<'_>, &[&[u8]], &mut Replies<'_>) -> Result<(), Refusal>),
    /// Reads and changes the session or the server.
    Session(fn(&mut Call<'_, '_>, &[&[u8]], &mut Replies<'_>) -> Result<(), Refusal>),
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
    pub optional: bool,
    pub multiple: bool,
    pub args: &'static [ArgSpec],
}

/// One command or subcommand.
#[derive(Clone, Copy)]
pub struct CommandSpec {
    /// Lower case; for a subcommand the bare word (`getname`).
    pub name: &'static str,
    /// Redis' convention: counts the name (and the container's), negative = at least.
    pub arity: i32,
    pub flags: Flags,
    /// ACL categories besides the ones flags imply, e.g. `&["string"]` (without `@`).
    pub acl: &'static [&'static str],
    pub keys: &'static [KeySpec],
    pub scope: Scope,
    /// COMMAND DOCS `group`: `string`, `generic`, `set`, `connection`, `server`, `transactions`…
    pub group: &'static str,
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
        group: "generic",
        since: "1.0.0",
        summary: "",
        complexity: "",
        tips: &[],
        args: &[],
        subcommands: &[],
        plan: Plan::Container,
    };
}

/// Key argument at one position, the commonest specification.
pub const fn one_key(flags: &'static [&'static str]) -> KeySpec {
    KeySpec { find: FindKeys::Range { first: 1, last: 0, step: 1, limit: 0 }, flags }
}
