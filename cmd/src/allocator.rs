//! The process' allocator: mimalloc, with the bytes handed out counted.
//!
//! Every thread counts in a line of its own, so that counting is one plain load and store and never a shared write; threads past
//! the lines share one. A line outlives its thread, for memory is often freed elsewhere: only the sum means something, and it is
//! exact. Bytes are those of the allocator's size classes, not those asked for.
//!
//! What C libraries allocate for themselves is not counted.
#![allow(unsafe_code)] // A global allocator is unsafe by its trait, mimalloc's own calls are C.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::Relaxed};

use mimalloc::MiMalloc;

/// Threads that count without sharing.
const LINES: usize = 256;
const WORD: usize = 8;
/// Blocks above this are whole pages.
const CLASSES_END: usize = 512 << 10;
const PAGE: usize = 4096;

/// One writer's count; two cache lines, for processors fetch pairs.
#[repr(align(128))]
struct Line(AtomicI64);

static OWNED: [Line; LINES] = [const { Line(AtomicI64::new(0)) }; LINES];
static SHARED: Line = Line(AtomicI64::new(0));
static TAKEN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    // Without a destructor and const: using it allocates nothing, at any moment of a thread's life.
    static MINE: Cell<Option<&'static Line>> = const { Cell::new(None) };
}

#[cold]
fn take_line() -> &'static Line {
    let at = TAKEN.fetch_add(1, Relaxed);
    if at >= LINES {
        // Keeps the number from ever wrapping.
        TAKEN.store(LINES, Relaxed);
    }
    let line = OWNED.get(at).unwrap_or(&SHARED);
    MINE.set(Some(line));
    line
}

#[inline]
fn count(bytes: i64) {
    let line = match MINE.get() {
        Some(line) => line,
        None => take_line(),
    };
    if std::ptr::eq(line, &SHARED) {
        line.0.fetch_add(bytes, Relaxed);
    } else {
        line.0.store(line.0.load(Relaxed) + bytes, Relaxed);
    }
}

/// Bytes now allocated. Exact when no other thread allocates meanwhile.
pub fn allocated() -> u64 {
    let taken = TAKEN.load(Relaxed).min(LINES);
    let own: i64 = OWNED[..taken].iter().map(|line| line.0.load(Relaxed)).sum();
    (own + SHARED.0.load(Relaxed)).max(0) as u64
}

/// The bytes that mimalloc takes for a request: classes of 16 bytes up to 64, then four to each power of two, then pages.
#[inline]
pub const fn block_bytes(size: usize) -> usize {
    if size <= WORD {
        return WORD;
    }
    if size <= 8 * WORD {
        return size.next_multiple_of(2 * WORD);
    }
    if size > CLASSES_END {
        return size.next_multiple_of(PAGE);
    }
    let words = size.div_ceil(WORD);
    let step = 1 << ((words - 1).ilog2() - 2);
    words.next_multiple_of(step) * WORD
}

/// See the module.
pub struct Counting;

// SAFETY: every call goes to mimalloc unchanged; counting touches no memory of the caller's and cannot panic or allocate.
unsafe impl GlobalAlloc for Counting {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is mimalloc's.
        let at = unsafe { MiMalloc.alloc(layout) };
        if !at.is_null() {
            count(block_bytes(layout.size()) as i64);
        }
        at
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let at = unsafe { MiMalloc.alloc_zeroed(layout) };
        if !at.is_null() {
            count(block_bytes(layout.size()) as i64);
        }
        at
    }

    #[inline]
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(block_bytes(layout.size()) as i64));
        // SAFETY: as above.
        unsafe { MiMalloc.dealloc(at, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as above.
        let new = unsafe { MiMalloc.realloc(at, layout, new_size) };
        if !new.is_null() {
            count(block_bytes(new_size) as i64 - block_bytes(layout.size()) as i64);
        }
        new
    }
}

unsafe extern "C" {
    fn mi_collect(force: bool);
    fn mi_process_info(
        elapsed_ms: *mut usize,
        user_ms: *mut usize,
        system_ms: *mut usize,
        current_rss: *mut usize,
        peak_rss: *mut usize,
        current_commit: *mut usize,
        peak_commit: *mut usize,
        page_faults: *mut usize,
    );
}

/// Gives pages that hold nothing back to the system, as far as this thread's and the abandoned ones go.
pub fn release() {
    // SAFETY: may be called at any time by any thread.
    unsafe { mi_collect(true) }
}

/// Bytes of address space that mimalloc holds ready to use, handed out or not.
pub fn committed() -> u64 {
    let (mut bytes, mut unused) = (0, [0usize; 7]);
    let [a, b, c, d, e, f, g] = &mut unused;
    // SAFETY: eight valid places for numbers.
    unsafe { mi_process_info(a, b, c, d, e, &raw mut bytes, f, g) };
    bytes as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" {
        fn mi_good_size(size: usize) -> usize;
        fn mi_usable_size(at: *const u8) -> usize;
    }

    #[test]
    fn block_sizes_are_those_of_the_allocator() {
        let sizes = (1..=70_000).chain((17..24).map(|bits| 1 << bits)).chain([524_289, 600_000, 5 << 20]);
        for size in sizes {
            // SAFETY: a pure function of the size.
            assert_eq!(block_bytes(size), unsafe { mi_good_size(size) }, "{size}");
        }
    }

    // One test, for the count is the whole process'.
    #[test]
    fn the_count_is_what_the_allocator_can_use_wherever_it_is_freed() {
        let before = allocated() as i64;
        let mut kept: Vec<Vec<u8>> = Vec::with_capacity(20_000);
        let mut usable = 0;
        for at in 0..20_000usize {
            let block = Vec::with_capacity(1 + at * 7919 % 3000);
            // SAFETY: the address of a live block.
            usable += unsafe { mi_usable_size(block.as_ptr()) } as i64;
            kept.push(block);
        }
        let counted = allocated() as i64 - before;
        // Other tests of this process allocate meanwhile, far less.
        assert!((counted - usable).abs() * 20 < usable, "counted {counted}, usable {usable}");
        drop(kept);
        let left = allocated() as i64 - before;
        assert!(left.abs() * 20 < usable, "{left} bytes are left");
        let before = allocated() as i64;
        let block = vec![1u8; 64 << 20];
        // Other tests of this process free meanwhile, far less.
        assert!(allocated() as i64 - before > 48 << 20);
        std::thread::spawn(move || drop(block)).join().expect("the thread ends");
        assert!(allocated() as i64 - before < 32 << 20);
        assert!(committed() > 0);
    }
}
