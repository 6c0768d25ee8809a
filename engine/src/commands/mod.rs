//! Commands: one table, from which lookup, arity checks, key extraction, MULTI queueing, COMMAND and its subcommands, ACL
//! categories and docs/commands.md all come.
//!
//! Adding a command is its plan in a file of its group and its entry in [`facts`]. A plan reads a [`crate::core::Unit`]'s view,
//! refuses or emits effects, and writes its reply; it never changes state itself, and it emits nothing before it is sure not
//! to refuse.

pub mod args;
pub mod atoll;
pub mod bitmaps;
pub mod cluster;
pub mod connection;
pub mod facts;
pub mod generic;
pub mod geo;
pub mod hashes;
pub mod help;
pub mod hyperloglogs;
pub mod lists;
mod names;
pub mod pick;
pub mod server;
pub mod sets;
pub mod spec;
pub mod streams;
pub mod strings;
pub mod transactions;
pub mod zsets;

pub use spec::{CommandSpec, Flags, KeySpec, Plan, Scope};

/// Every group's commands.
pub static TABLE: [&[CommandSpec]; 22] = [
    facts::connection::SPECS,
    facts::server::SPECS,
    facts::monitor::SPECS,
    facts::memory::SPECS,
    facts::generic::SPECS,
    facts::string::SPECS,
    facts::list::SPECS,
    facts::set::SPECS,
    facts::hash::SPECS,
    facts::hash_fields::SPECS,
    facts::sorted_set::SPECS,
    facts::sorted_set_ranges::SPECS,
    facts::bitmap::SPECS,
    facts::hyperloglog::SPECS,
    facts::geo::SPECS,
    facts::stream::SPECS,
    facts::stream_groups::SPECS,
    facts::sort::SPECS,
    facts::serialise::SPECS,
    facts::transactions::SPECS,
    atoll::SPECS,
    cluster::SPECS,
];

/// Every command, in the table's order.
pub fn all() -> impl Iterator<Item = &'static CommandSpec> {
    TABLE.iter().flat_map(|group| group.iter())
}

/// Finds a command by its name, whatever the case.
#[inline]
pub fn lookup(name: &[u8]) -> Option<&'static CommandSpec> {
    // The three that are most of all traffic, without hashing.
    if let [a, b, c] = name {
        match [a | 32, b | 32, c | 32] {
            [b'g', b'e', b't'] => return Some(&facts::string::SPECS[0]),
            [b's', b'e', b't'] => return Some(&facts::string::SPECS[1]),
            _ => {}
        }
    }
    names::find(name)
}

/// Finds a subcommand.
pub fn subcommand(container: &CommandSpec, name: &[u8]) -> Option<&'static CommandSpec> {
    container.subcommands.iter().find(|s| s.name.as_bytes().eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_are_unique() {
        assert_eq!(lookup(b"GeT").unwrap().name, "get");
        assert_eq!(lookup(b"set").unwrap().name, "set");
        assert_eq!(lookup(b"SUNIONSTORE").unwrap().name, "sunionstore");
        assert!(lookup(b"nosuch").is_none() && lookup(&[b'x'; 100]).is_none());
    }

    #[test]
    fn keys_are_found_by_range_and_by_count() {
        let positions = |line: &str| {
            let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            let mut out = Vec::new();
            let found = lookup(args[0]).unwrap().key_positions(&args, &mut out);
            found.then(|| out.iter().map(|p| p.0).collect::<Vec<_>>())
        };
        assert_eq!(positions("mset a 1 b 2"), Some(vec![1, 3]));
        assert_eq!(positions("sintercard 2 a b limit 1"), Some(vec![2, 3]));
        assert_eq!(positions("sintercard 9 a b"), None);
        assert_eq!(positions("copy a b"), Some(vec![1, 2]));
        assert_eq!(positions("sdiffstore d a b c"), Some(vec![1, 2, 3, 4]));
    }
}
