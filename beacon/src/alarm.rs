//! Refusals an operator must see: counted by name, logged once when new and then rarely.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The same alarm is logged again after this.
const REPEAT: Duration = Duration::from_secs(30);

/// A kind of refusal since the start of the process, or `state_differs`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alarm {
    /// `wrong_secret`, `clock_ahead`, `duplicate_node`, `version`, `level`, `refused`, `rewound`, `malformed`, `local`, `dns`.
    pub name: &'static str,
    pub count: u64,
    /// The latest one in words.
    pub text: String,
}

/// All of them; names are static, so this is bounded.
#[derive(Default)]
pub(crate) struct Alarms(Mutex<BTreeMap<&'static str, (Alarm, Instant)>>);

impl Alarms {
    /// Counts, and logs unless the same text was logged lately.
    pub(crate) fn raise(&self, name: &'static str, text: String) {
        let mut alarms = self.0.lock();
        let now = Instant::now();
        let known = alarms.get(name);
        let count = known.map_or(0, |(a, _)| a.count) + 1;
        let mut logged = now;
        match known {
            Some((a, at)) if a.text == text && now.duration_since(*at) < REPEAT => logged = *at,
            _ => tracing::error!(alarm = name, "{text}"),
        }
        alarms.insert(name, (Alarm { name, count, text }, logged));
    }

    pub(crate) fn list(&self) -> Vec<Alarm> {
        self.0.lock().values().map(|(a, _)| a.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_are_counted_by_name_and_keep_the_latest_text() {
        let alarms = Alarms::default();
        alarms.raise("clock_ahead", "a".into());
        alarms.raise("clock_ahead", "b".into());
        assert_eq!(alarms.list(), [Alarm { name: "clock_ahead", count: 2, text: "b".into() }]);
    }
}
