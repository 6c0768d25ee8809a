//! A lock for what is held for less than a microsecond, and taken several times a command.
//!
//! Letting go is a plain store: nothing of what was written under the lock has to have left the core by then. The price is
//! that whoever waits is not woken but looks again: soon at first, then after letting others run, then now and then.
#![allow(unsafe_code)] // Hands out what the lock guards.

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Duration;

/// Rounds of looking again, each twice as long as the one before: a few microseconds in all.
const SPIN_ROUNDS: u32 = 7;
/// Then so many times after other threads had the core: the holder may be one of them.
const YIELD_ROUNDS: u32 = 16;
/// Then now and then: something large is being done.
const SLEEP: Duration = Duration::from_micros(50);

/// A value and its lock, in cache lines of their own, the value's first fields in the lock's line.
#[repr(C, align(128))]
#[derive(Default)]
pub struct Latch<T> {
    held: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by one thread at a time, so it need not be Sync.
unsafe impl<T: Send> Sync for Latch<T> {}

/// The lock is held for as long as this lives.
pub struct Held<'l, T> {
    latch: &'l Latch<T>,
    /// Stays with its thread, as the guards of other locks do.
    _thread: PhantomData<*const T>,
}

impl<T> Latch<T> {
    pub fn new(value: T) -> Self {
        Latch { held: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// Waits for the lock. Not fair, and not for a thread that has it already.
    #[inline]
    pub fn lock(&self) -> Held<'_, T> {
        if !self.take() {
            self.wait();
        }
        Held { latch: self, _thread: PhantomData }
    }

    /// The lock, if nobody has it.
    pub fn try_lock(&self) -> Option<Held<'_, T>> {
        self.take().then(|| Held { latch: self, _thread: PhantomData })
    }

    /// The address of the lock's line, to bring it near.
    #[inline]
    pub fn address(&self) -> *const u8 {
        (&raw const *self).cast()
    }

    #[inline]
    fn take(&self) -> bool {
        self.held.compare_exchange(false, true, Acquire, Relaxed).is_ok()
    }

    #[cold]
    fn wait(&self) {
        for round in 0.. {
            match round {
                0..SPIN_ROUNDS => (0..1 << round).for_each(|_| std::hint::spin_loop()),
                _ if round < SPIN_ROUNDS + YIELD_ROUNDS => std::thread::yield_now(),
                _ => std::thread::sleep(SLEEP),
            }
            // Reading leaves the line with its holder.
            if !self.held.load(Relaxed) && self.take() {
                return;
            }
        }
    }
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held.
        unsafe { &*self.latch.value.get() }
    }
}

impl<T> DerefMut for Held<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held, and this is its one guard.
        unsafe { &mut *self.latch.value.get() }
    }
}

impl<T> Drop for Held<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.latch.held.store(false, Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_at_a_time_reaches_the_value() {
        let latch = Latch::new((0u64, 0u64));
        const THREADS: u64 = 4;
        const TURNS: u64 = 20_000;
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for turn in 0..TURNS {
                        let mut both = latch.lock();
                        both.0 += 1;
                        if turn % 1000 == 0 {
                            // Whoever waits meanwhile gets past its first rounds.
                            std::thread::sleep(Duration::from_micros(20));
                        }
                        both.1 += 1;
                        assert_eq!(both.0, both.1);
                    }
                });
            }
        });
        assert_eq!(*latch.lock(), (THREADS * TURNS, THREADS * TURNS));
    }

    #[test]
    fn a_panic_lets_go_of_it() {
        let latch = Latch::new(7);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _held = latch.lock();
            panic!("on purpose");
        }));
        assert!(result.is_err());
        assert_eq!(*latch.lock(), 7);
    }

    #[test]
    fn it_lies_in_lines_of_its_own() {
        let two = [Latch::new(1u8), Latch::new(2u8)];
        assert!((two[1].address() as usize - two[0].address() as usize).is_multiple_of(128));
        assert!((two[0].address() as usize).is_multiple_of(128));
    }
}
