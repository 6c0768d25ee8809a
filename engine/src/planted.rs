//! Bugs on demand, one line each at its place, to see whether the simulated world finds them. Compiled only for that.

use std::cell::Cell;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Planted {
    /// A NACK is booked as sent, and is not.
    SkipNack,
    /// One effect is taken for stable before every member has it.
    PruneEarly,
    /// The frontier covers a batch that the log then does not take.
    FrontierFirst,
}

impl Planted {
    pub const ALL: [(&str, Planted); 3] = [
        ("skip-nack", Planted::SkipNack),
        ("prune-early", Planted::PruneEarly),
        ("frontier-first", Planted::FrontierFirst),
    ];
}

thread_local! {
    static PLANTED: Cell<Option<Planted>> = const { Cell::new(None) };
}

/// Plants a bug for everything that runs on this thread.
pub fn plant(bug: Option<Planted>) {
    PLANTED.set(bug);
}

pub(crate) fn is(bug: Planted) -> bool {
    PLANTED.get() == Some(bug)
}
