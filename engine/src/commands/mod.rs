//! Commands: one table, from which lookup, arity checks, key extraction, MULTI queueing, COMMAND and its subcommands, ACL
//! categories and docs/commands.md all come.
//!
//! Adding a command is one new file and one line in [`TABLE`]. A plan reads a [`crate::unit::Unit`]'s view, refuses or
//! emits effects, and writes its reply; it never changes state itself, and it emits nothing before it is sure not to refuse.

pub mod spec;

pub use spec::{CommandSpec, Flags, KeySpec, Plan};

/// Every group's specs.
pub static TABLE: &[&[CommandSpec]] = &[];
