//! Counting commands, calls and errors: per reactor without sharing, folded into the server's totals now and then.

use hashbrown::HashMap;
use parking_lot::Mutex;
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use super::resolve::Resolved;
use crate::commands::CommandSpec;

/// Totals of one command.
#[derive(Clone, Copy, Default, Debug)]
pub struct CommandTotals {
    pub calls: u64,
    pub us: u64,
    pub rejected: u64,
    pub failed: u64,
}

/// Kinds of errors counted apart; past this they share one.
const ERROR_KINDS_MAX: usize = 128;

#[derive(Default)]
struct Totals {
    commands: HashMap<usize, (Option<Resolved>, CommandTotals), Xxh3DefaultBuilder>,
    errors: HashMap<String, u64, Xxh3DefaultBuilder>,
    error_total: u64,
    calls: u64,
}

/// The server's totals.
#[derive(Default)]
pub struct Counters(Mutex<Totals>);

impl Counters {
    /// Commands run since the start.
    pub fn calls(&self) -> u64 {
        self.0.lock().calls
    }

    pub fn errors(&self) -> u64 {
        self.0.lock().error_total
    }

    /// Error kinds by name.
    pub fn error_kinds(&self) -> Vec<(String, u64)> {
        let mut kinds: Vec<_> = self.0.lock().errors.iter().map(|(k, n)| (k.clone(), *n)).collect();
        kinds.sort();
        kinds
    }

    /// Commands by full name.
    pub fn commands(&self) -> Vec<(String, CommandTotals)> {
        let totals = self.0.lock();
        let named = totals.commands.values().filter_map(|(r, t)| Some((r.as_ref()?.full_name(), *t)));
        let mut all: Vec<_> = named.collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        *self.0.lock() = Totals::default();
    }

    /// An error was answered; its kind is its first word.
    pub fn error(&self, text: &[u8]) {
        let end = text.iter().position(|b| *b == b' ').unwrap_or(text.len());
        let kind = String::from_utf8_lossy(&text[..end.min(64)]);
        let mut totals = self.0.lock();
        totals.error_total += 1;
        if let Some(count) = totals.errors.get_mut(&*kind) {
            *count += 1;
        } else {
            let full = totals.errors.len() >= ERROR_KINDS_MAX;
            let kind = if full { "OTHER".into() } else { kind.into_owned() };
            *totals.errors.entry(kind).or_default() += 1;
        }
    }
}

const SLOTS: usize = 64;

#[derive(Clone, Copy, Default)]
struct Slot {
    of: Option<Resolved>,
    totals: CommandTotals,
    /// Calls whose time was not measured one by one.
    untimed: u64,
}

/// One reactor's counts since it last folded them.
pub struct Meter {
    slots: Box<[Slot; SLOTS]>,
    /// Microseconds of turns, less what was measured call by call.
    untimed_us: u64,
}

impl Default for Meter {
    fn default() -> Self {
        Meter { slots: Box::new([Slot::default(); SLOTS]), untimed_us: 0 }
    }
}

fn key(spec: &'static CommandSpec) -> usize {
    std::ptr::from_ref(spec).addr()
}

impl Meter {
    #[inline]
    fn slot(&mut self, of: Resolved, counters: &Counters) -> &mut Slot {
        let at = (key(of.spec) / size_of::<CommandSpec>()) % SLOTS;
        let slot = &mut self.slots[at];
        if slot.of.is_none_or(|held| key(held.spec) != key(of.spec)) {
            if slot.of.is_some() {
                fold(slot, 0, &mut counters.0.lock());
            }
            *slot = Slot { of: Some(of), ..Slot::default() };
        }
        slot
    }

    /// A command ran. `us`: its time where it was measured.
    #[inline]
    pub fn ran(&mut self, of: Resolved, us: Option<u64>, failed: bool, counters: &Counters) {
        let slot = self.slot(of, counters);
        slot.totals.calls += 1;
        slot.totals.failed += u64::from(failed);
        match us {
            Some(us) => slot.totals.us += us,
            None => slot.untimed += 1,
        }
    }

    /// A command was refused before it ran.
    pub fn rejected(&mut self, of: Resolved, counters: &Counters) {
        self.slot(of, counters).totals.rejected += 1;
    }

    /// A turn took `us`, of which commands not measured one by one share what is left.
    pub fn turn(&mut self, us: u64) {
        self.untimed_us += us;
    }

    /// Folds everything into the server's totals.
    pub fn flush(&mut self, counters: &Counters) {
        let untimed: u64 = self.slots.iter().map(|s| s.untimed).sum();
        let each = self.untimed_us.checked_div(untimed).unwrap_or(0);
        self.untimed_us = 0;
        let mut totals = counters.0.lock();
        for slot in self.slots.iter_mut().filter(|s| s.of.is_some()) {
            fold(slot, each, &mut totals);
            *slot = Slot::default();
        }
    }
}

fn fold(slot: &Slot, each_us: u64, totals: &mut Totals) {
    let Some(of) = slot.of else { return };
    totals.calls += slot.totals.calls;
    let (name, sum) = totals.commands.entry(key(of.spec)).or_default();
    *name = Some(of);
    sum.calls += slot.totals.calls;
    sum.failed += slot.totals.failed;
    sum.rejected += slot.totals.rejected;
    sum.us += slot.totals.us + each_us * slot.untimed;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::lookup;

    #[test]
    fn untimed_calls_share_the_turns_time() {
        let (counters, mut meter) = (Counters::default(), Meter::default());
        let get = Resolved { spec: lookup(b"get").unwrap(), parent: None };
        let keys = Resolved { spec: lookup(b"keys").unwrap(), parent: None };
        meter.ran(get, None, false, &counters);
        meter.ran(get, None, true, &counters);
        meter.ran(keys, Some(50), false, &counters);
        meter.turn(8);
        meter.flush(&counters);
        let all = counters.commands();
        assert_eq!(all[0].0, "get");
        assert_eq!((all[0].1.calls, all[0].1.us, all[0].1.failed), (2, 8, 1));
        assert_eq!(all[1].1.us, 50);
        assert_eq!(counters.calls(), 3);
    }

    #[test]
    fn error_kinds_are_bounded() {
        let counters = Counters::default();
        for i in 0..1000 {
            counters.error(format!("KIND{i} text").as_bytes());
        }
        assert_eq!(counters.errors(), 1000);
        assert_eq!(counters.error_kinds().len(), ERROR_KINDS_MAX + 1);
    }
}
