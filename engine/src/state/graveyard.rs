//! Big values on their way out: freed by whoever asks for them, not by the client whose command ended them.
//!
//! One for the process, for values come from every engine in it. Closed until somebody says that it is emptied: until then values
//! are freed where they end.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;

use super::value::Value;

/// Elements of a value that is freed later; fewer are sooner freed than queued.
const ELEMENTS_MIN: usize = 1024;

static OPEN: AtomicBool = AtomicBool::new(false);
static PENDING: AtomicUsize = AtomicUsize::new(0);
static FREED: AtomicUsize = AtomicUsize::new(0);
static VALUES: Mutex<Vec<Value>> = Mutex::new(Vec::new());

/// From now on somebody calls [`take`] again and again.
pub fn open() {
    OPEN.store(true, Relaxed);
}

/// Frees a value, now or later.
pub fn bury(value: Value) {
    if value.weight() >= ELEMENTS_MIN && OPEN.load(Relaxed) {
        PENDING.fetch_add(1, Relaxed);
        VALUES.lock().push(value);
    }
}

/// A value to free.
pub fn take() -> Option<Value> {
    if PENDING.load(Relaxed) == 0 {
        return None;
    }
    let value = VALUES.lock().pop()?;
    PENDING.fetch_sub(1, Relaxed);
    FREED.fetch_add(1, Relaxed);
    Some(value)
}

/// Values that wait, and values that were taken.
pub fn counts() -> (usize, usize) {
    (PENDING.load(Relaxed), FREED.load(Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::set::SetValue;

    #[test]
    fn big_values_wait_once_somebody_frees_them() {
        let big = || {
            let members: Vec<String> = (0..2000).map(|n| n.to_string()).collect();
            Value::Set(SetValue::from_members(members.iter().map(|m| m.as_bytes())))
        };
        open();
        bury(big());
        bury(Value::String(b"small".to_vec()));
        // Other tests of the process may bury values of their own.
        let mut found = false;
        while let Some(value) = take() {
            found |= value.len() == 2000;
        }
        OPEN.store(false, Relaxed);
        assert!(found && counts().1 > 0);
    }
}
