//! Memory touched ahead of need, so that no command waits while the kernel clears a page.
//!
//! The allocator takes its memory from one big mapping, from low addresses to high. This thread asks the kernel for the next
//! pieces of that mapping before the allocator comes to them, as long as the process has less memory than it uses and the
//! reserve together. A piece that turns out not to be needed costs its memory and nothing else.
#![allow(unsafe_code)] // Which memory is there, and having it there, are calls to the system about addresses.

use std::ops::Range;
use std::time::Duration;

use crate::host::Life;
use crate::{allocator, process};

/// Asked for at once: a huge page.
const PIECE: usize = 2 << 20;
/// How often the process is measured.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Of the thread.
const NICE: i32 = 10;
/// The reserve is this share of the machine's memory at most.
const SHARE_MAX: u64 = 32;
/// Allocated to see where the allocator takes memory from: more than a class, less than what gets a mapping of its own.
const PROBE: usize = 64 << 10;

/// Runs until the node's life ends, or the system does not do it. `reserve`: bytes.
pub fn run(reserve: u64, life: &Life) {
    // What it does for commands must not be at their cost.
    let _ = rustix::process::setpriority_process(None, NICE);
    let reserve = reserve.min(process::memory_total() / SHARE_MAX);
    // What is resident besides what is allocated: the program, stacks, the allocator's own.
    let besides = process::rss().saturating_sub(allocator::allocated());
    let (mut mapping, mut next) = (0..0, 0);
    while !life.is_stopping() {
        std::thread::sleep(LOOK_EVERY);
        while process::rss() < allocator::allocated() + besides + reserve && !life.is_stopping() {
            if next + PIECE > mapping.end {
                match heap().filter(|found| *found != mapping) {
                    Some(found) => (mapping, next) = (found.clone(), found.start.next_multiple_of(PIECE)),
                    None => break,
                }
                continue;
            }
            if !is_resident(next) && !populate(next) {
                tracing::debug!("this system does not touch memory ahead");
                return;
            }
            next += PIECE;
        }
    }
}

/// The mapping that the allocator takes memory from now.
fn heap() -> Option<Range<usize>> {
    let probe = Vec::<u8>::with_capacity(PROBE);
    let at = probe.as_ptr() as usize;
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let ranges = maps.lines().filter_map(|line| {
        let (range, _) = line.split_once(" rw-p ")?;
        let (start, end) = range.split_once('-')?;
        Some(usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
    });
    ranges.into_iter().find(|range| range.contains(&at))
}

/// The page at an address of the process is there.
fn is_resident(at: usize) -> bool {
    let mut state = 0u8;
    // SAFETY: writes one byte, for one page; an address that is not mapped is an error.
    let done = unsafe { libc::mincore(at as *mut libc::c_void, 1, &raw mut state) };
    done == 0 && state & 1 != 0
}

/// Has a piece there. What it holds stays as it is.
fn populate(at: usize) -> bool {
    // SAFETY: changes no byte of memory, only whether it is there; an address that is not mapped is an error.
    unsafe { libc::madvise(at as *mut libc::c_void, PIECE, libc::MADV_POPULATE_WRITE) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_of_the_heap_is_there_once_it_was_asked_for() {
        let mapping = heap().expect("the allocator has a mapping");
        assert!(mapping.len() >= PIECE);
        let mut pieces = (mapping.start.next_multiple_of(PIECE)..mapping.end - PIECE).step_by(PIECE);
        let Some(untouched) = pieces.find(|at| !is_resident(*at)) else { return };
        assert!(populate(untouched), "{}", std::io::Error::last_os_error());
        assert!(is_resident(untouched));
        assert!(!is_resident(PIECE) && !populate(PIECE), "what is no memory stays none");
    }
}
