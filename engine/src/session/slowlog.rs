//! The slow log: the latest commands that took longer than `slowlog-log-slower-than`.

use std::collections::VecDeque;

use parking_lot::Mutex;

/// Arguments kept of an entry, and bytes kept of an argument.
const ARGS_MAX: usize = 32;
const ARG_BYTES_MAX: usize = 128;

/// One slow command.
#[derive(Clone, Debug)]
pub struct SlowEntry {
    pub id: u64,
    /// Unix seconds.
    pub at: u64,
    pub us: u64,
    pub args: Vec<Vec<u8>>,
    pub addr: String,
    pub name: String,
}

#[derive(Default)]
struct Entries {
    next_id: u64,
    latest: VecDeque<SlowEntry>,
}

/// See the module.
#[derive(Default)]
pub struct SlowLog(Mutex<Entries>);

impl SlowLog {
    /// Adds an entry, dropping the oldest past `len_max`.
    pub fn push(&self, at_ms: u64, us: u64, args: &[&[u8]], who: (&str, &str), len_max: usize) {
        let mut entries = self.0.lock();
        let id = entries.next_id;
        entries.next_id += 1;
        let (addr, name) = (who.0.into(), who.1.into());
        entries.latest.push_front(SlowEntry { id, at: at_ms / 1000, us, args: shortened(args), addr, name });
        entries.latest.truncate(len_max);
    }

    /// The latest entries, newest first.
    pub fn latest(&self, count: usize) -> Vec<SlowEntry> {
        self.0.lock().latest.iter().take(count).cloned().collect()
    }

    pub fn len(&self) -> usize {
        self.0.lock().latest.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn clear(&self) {
        self.0.lock().latest.clear();
    }
}

fn shortened(args: &[&[u8]]) -> Vec<Vec<u8>> {
    let kept = if args.len() > ARGS_MAX { ARGS_MAX - 1 } else { args.len() };
    let mut out: Vec<Vec<u8>> = Vec::with_capacity(kept + 1);
    for arg in &args[..kept] {
        let mut text = arg[..arg.len().min(ARG_BYTES_MAX)].to_vec();
        if arg.len() > ARG_BYTES_MAX {
            text.extend(format!("... ({} more bytes)", arg.len() - ARG_BYTES_MAX).bytes());
        }
        out.push(text);
    }
    if kept < args.len() {
        out.push(format!("... ({} more arguments)", args.len() - kept).into_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_bounded_in_number_arguments_and_bytes() {
        let log = SlowLog::default();
        let long = vec![b'x'; 1000];
        let args: Vec<&[u8]> = (0..100).map(|_| &long[..]).collect();
        for _ in 0..10 {
            log.push(5000, 20, &args, ("a:1", "n"), 3);
        }
        let latest = log.latest(10);
        assert_eq!((latest.len(), latest[0].id, latest[0].at), (3, 9, 5));
        assert_eq!(latest[0].args.len(), 32);
        assert_eq!(latest[0].args[31], b"... (69 more arguments)");
        assert!(latest[0].args[0].ends_with(b"... (872 more bytes)"));
    }
}
