//! One word that owns a collection: packed bytes while it is small, a box with what it grew into later.
//!
//! ```text
//! word: 0 (nothing yet) | address of a head | address of a box + 1 | address of the box beside it + 2
//! head: len u32 | count u16 | class u8 | mark 1 bit, form 7 bits | bytes
//! ```
//! `class` is the size of the allocation, one of the allocator's own size classes, so what it would round up to is used.
//!
//! Invariants: a word is the only owner of what it leads to; `len` bytes after the head are initialised.
#![allow(unsafe_code)] // The reason of this file: a collection of ten elements ought to cost one pointer besides its bytes.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::fmt;
use std::marker::PhantomData;

use super::table::prefetch;

const ALIGN: usize = 8;
const MARK: u8 = 0x80;
const TAG_MASK: usize = 3;
const GROWN: usize = 1;
const BESIDE: usize = 2;
/// What a prefetch brings near: a head and what is looked at first.
const NEAR_BYTES: usize = 128;
const LINE: usize = 64;
/// Above this many bytes a growth takes the next class but one: what grows is seldom at its end.
const GROWN_BYTES: usize = 1024;

#[repr(C, align(8))]
struct Head {
    len: u32,
    count: u16,
    class: u8,
    form: u8,
}

const HEAD: usize = size_of::<Head>();

/// Sixteen bytes apart up to 128, then four to each doubling.
fn class_of(bytes: usize) -> u8 {
    if bytes <= 64 {
        return (bytes.div_ceil(16).max(1) - 1) as u8;
    }
    let last = bytes - 1;
    let shift = last.ilog2();
    let step = (last - (1 << shift)) >> (shift - 2);
    (4 + (shift as usize - 6) * 4 + step) as u8
}

fn class_bytes(class: u8) -> usize {
    let class = usize::from(class);
    if class < 4 {
        return (class + 1) * 16;
    }
    let (shift, step) = ((class - 4) / 4 + 6, (class - 4) % 4);
    (1 << shift) + (step + 1) * (1 << (shift - 2))
}

/// What the allocator would make of so many bytes.
pub(super) fn class_size(bytes: usize) -> usize {
    class_bytes(class_of(bytes))
}

fn layout(class: u8) -> Layout {
    Layout::from_size_align(class_bytes(class), ALIGN).expect("a class is smaller than isize::MAX")
}

/// Bytes with a small head, behind one pointer. Without any, no memory is taken.
#[repr(transparent)]
pub(super) struct Packed(*mut Head);

// SAFETY: owns plain bytes.
unsafe impl Send for Packed {}
// SAFETY: through a shared reference they are only read.
unsafe impl Sync for Packed {}

impl Packed {
    pub const fn new() -> Self {
        Packed(std::ptr::null_mut())
    }

    fn head(&self) -> Option<&Head> {
        // SAFETY: null, or a live head that this word owns.
        unsafe { self.0.as_ref() }
    }

    fn head_mut(&mut self) -> Option<&mut Head> {
        // SAFETY: as above.
        unsafe { self.0.as_mut() }
    }

    pub fn len(&self) -> usize {
        self.head().map_or(0, |head| head.len as usize)
    }

    /// How many elements its user says there are.
    pub fn count(&self) -> usize {
        self.head().map_or(0, |head| usize::from(head.count))
    }

    /// How its user keeps them; 0 before the first byte.
    pub fn form(&self) -> u8 {
        self.head().map_or(0, |head| head.form & !MARK)
    }

    /// A mark of its user's, whatever the form; for good.
    pub fn is_marked(&self) -> bool {
        self.head().is_some_and(|head| head.form & MARK != 0)
    }

    /// Once there are bytes.
    pub fn mark(&mut self) {
        if let Some(head) = self.head_mut() {
            head.form |= MARK;
        }
    }

    /// Once there are bytes.
    pub fn set_count(&mut self, count: usize) {
        if let Some(head) = self.head_mut() {
            head.count = u16::try_from(count).expect("packed collections are small");
        }
    }

    /// Once there are bytes.
    pub fn set_form(&mut self, form: u8) {
        if let Some(head) = self.head_mut() {
            head.form = head.form & MARK | form;
        }
    }

    #[inline]
    pub fn bytes(&self) -> &[u8] {
        match self.head() {
            None => &[],
            // SAFETY: `len` initialised bytes follow the head.
            Some(head) => unsafe { std::slice::from_raw_parts(self.0.add(1).cast(), head.len as usize) },
        }
    }

    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let len = self.len();
        if len == 0 {
            return &mut [];
        }
        // SAFETY: `len` initialised bytes follow the head, and the word is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(1).cast(), len) }
    }

    /// Brings near where the next byte goes, to be written soon.
    #[inline]
    pub fn prefetch_end(&self) {
        self.prefetch(self.len());
    }

    /// Brings a place near.
    #[inline]
    pub fn prefetch(&self, at: usize) {
        prefetch(self.0.wrapping_add(1).cast::<u8>().wrapping_add(at));
    }

    /// Room for so many bytes.
    fn reserve(&mut self, len: usize) {
        match self.head().map(|head| class_bytes(head.class)) {
            Some(bytes) if bytes >= HEAD + len => {}
            Some(_) if len > GROWN_BYTES => self.resize(class_of(HEAD + len) + 1),
            _ => self.resize(class_of(HEAD + len)),
        }
    }

    /// Makes room for `more` bytes at a place; what they hold is anything.
    pub fn open(&mut self, at: usize, more: usize) {
        let len = self.len();
        assert!(at <= len, "a place within");
        let new = u32::try_from(len + more).expect("packed collections are small");
        self.reserve(len + more);
        // SAFETY: the allocation has room for `new` bytes after the head; what was not written is zeroed before it counts.
        unsafe {
            let bytes = self.0.add(1).cast::<u8>();
            bytes.add(len).write_bytes(0, more);
            bytes.add(at).copy_to(bytes.add(at + more), len - at);
            (*self.0).len = new;
        }
    }

    /// Adds parts, one behind the other, at the end.
    #[inline]
    pub fn append(&mut self, parts: &[&[u8]]) {
        let len = self.len();
        let more: usize = parts.iter().map(|part| part.len()).sum();
        let new = u32::try_from(len + more).expect("packed collections are small");
        self.reserve(len + more);
        // SAFETY: the allocation has room for all parts behind what there is; they are not in it, for it is borrowed mutably.
        unsafe {
            let mut to = self.0.add(1).cast::<u8>().add(len);
            for part in parts {
                to.copy_from_nonoverlapping(part.as_ptr(), part.len());
                to = to.add(part.len());
            }
            (*self.0).len = new;
        }
    }

    /// Takes `less` bytes out at a place.
    pub fn close(&mut self, at: usize, less: usize) {
        let len = self.len();
        self.bytes_mut().copy_within(at + less..len, at);
        let Some(head) = self.head_mut() else { return };
        head.len = (len - less) as u32;
        let class = class_of(HEAD + len - less);
        if class_bytes(class) * 2 <= class_bytes(head.class) {
            self.resize(class);
        }
    }

    fn resize(&mut self, class: u8) {
        let layout = layout(class);
        let old = self.head().map(|head| head.class);
        // SAFETY: the old allocation has the layout of its class; sizes are not zero.
        let fresh = unsafe {
            match old {
                Some(old) => realloc(self.0.cast(), self::layout(old), layout.size()),
                None => alloc(layout),
            }
        };
        if fresh.is_null() {
            handle_alloc_error(layout);
        }
        self.0 = fresh.cast();
        // SAFETY: a live allocation of at least a head; one that moved brought its head along.
        unsafe {
            if old.is_none() {
                self.0.write(Head { len: 0, count: 0, class, form: 0 });
            }
            (*self.0).class = class;
        }
    }

    /// Bytes out of line, in blocks of the allocator.
    pub fn heap_bytes(&self, block: fn(usize) -> usize) -> usize {
        self.head().map_or(0, |head| block(class_bytes(head.class)))
    }
}

impl Drop for Packed {
    fn drop(&mut self) {
        if let Some(class) = self.head().map(|head| head.class) {
            // SAFETY: allocated with the layout of its class, owned by this word alone.
            unsafe { dealloc(self.0.cast(), layout(class)) }
        }
    }
}

impl Clone for Packed {
    fn clone(&self) -> Self {
        let mut copy = Packed::new();
        if self.0.is_null() {
            return copy;
        }
        copy.open(0, self.len());
        copy.bytes_mut().copy_from_slice(self.bytes());
        copy.set_form(self.form());
        copy.set_count(self.count());
        if self.is_marked() {
            copy.mark();
        }
        copy
    }
}

/// Packed bytes, or a box.
#[repr(transparent)]
pub(super) struct Handle<B> {
    word: *mut u8,
    _grown: PhantomData<Box<B>>,
}

// SAFETY: owns plain bytes or a box.
unsafe impl<B: Send> Send for Handle<B> {}
// SAFETY: through a shared reference either is only read.
unsafe impl<B: Sync> Sync for Handle<B> {}

/// What a [`Handle`] leads to.
pub(super) enum Form<'a, B> {
    Packed(&'a Packed),
    Grown(&'a B),
}

/// As [`Form`], to change.
pub(super) enum FormMut<'a, B> {
    Packed(&'a mut Packed),
    Grown(&'a mut B),
}

fn tag(word: *mut u8) -> usize {
    word.addr() & TAG_MASK
}

/// A box as a word.
fn tagged<B>(value: B, tag: usize) -> *mut u8 {
    const { assert!(align_of::<B>() > TAG_MASK) };
    Box::into_raw(Box::new(value)).cast::<u8>().map_addr(|at| at | tag)
}

fn untagged<B>(word: *mut u8) -> *mut B {
    word.map_addr(|at| at & !TAG_MASK).cast()
}

impl<B> Handle<B> {
    pub const fn new() -> Self {
        Handle { word: std::ptr::null_mut(), _grown: PhantomData }
    }

    #[inline]
    pub fn form(&self) -> Form<'_, B> {
        // SAFETY: the tag says which; a word without one is that of a `Packed`, which is nothing but the word.
        unsafe {
            match tag(self.word) {
                GROWN => Form::Grown(&*untagged(self.word)),
                _ => Form::Packed(&*(&raw const *self).cast()),
            }
        }
    }

    #[inline]
    pub fn form_mut(&mut self) -> FormMut<'_, B> {
        // SAFETY: as above, borrowed mutably; a `Packed` stays one, for its allocations are aligned.
        unsafe {
            match tag(self.word) {
                GROWN => FormMut::Grown(&mut *untagged(self.word)),
                _ => FormMut::Packed(&mut *(&raw mut *self).cast()),
            }
        }
    }

    /// From now on it leads to a box; what there was is dropped.
    pub fn grow(&mut self, grown: B) {
        let word = tagged(grown, GROWN);
        drop(std::mem::replace(self, Handle { word, _grown: PhantomData }));
    }
}

impl<B> Drop for Handle<B> {
    fn drop(&mut self) {
        // SAFETY: the tag says what the word owns, alone.
        unsafe {
            match tag(self.word) {
                GROWN => drop(Box::<B>::from_raw(untagged(self.word))),
                _ => drop(Packed(self.word.cast())),
            }
        }
    }
}

impl<B> Default for Handle<B> {
    fn default() -> Self {
        Handle::new()
    }
}

impl<B: Clone> Clone for Handle<B> {
    fn clone(&self) -> Self {
        match self.form() {
            Form::Grown(grown) => Handle { word: tagged(grown.clone(), GROWN), _grown: PhantomData },
            Form::Packed(packed) => {
                let copy = std::mem::ManuallyDrop::new(packed.clone());
                Handle { word: copy.0.cast(), _grown: PhantomData }
            }
        }
    }
}

impl<B> fmt::Debug for Handle<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form() {
            Form::Packed(packed) => write!(f, "packed({}, {} bytes)", packed.count(), packed.len()),
            Form::Grown(_) => f.write_str("grown"),
        }
    }
}

/// A [`Handle`], or a box of another kind beside it.
#[repr(transparent)]
pub(super) struct Either<B, E> {
    word: *mut u8,
    _owned: PhantomData<(Box<B>, Box<E>)>,
}

// SAFETY: as of `Handle`.
unsafe impl<B: Send, E: Send> Send for Either<B, E> {}
// SAFETY: as of `Handle`.
unsafe impl<B: Sync, E: Sync> Sync for Either<B, E> {}

impl<B, E> Either<B, E> {
    #[inline]
    pub fn get(&self) -> Result<&Handle<B>, &E> {
        // SAFETY: the tag says which; any other word is that of a handle, which is nothing but the word.
        unsafe {
            match tag(self.word) {
                BESIDE => Err(&*untagged(self.word)),
                _ => Ok(&*(&raw const *self).cast()),
            }
        }
    }

    #[inline]
    pub fn get_mut(&mut self) -> Result<&mut Handle<B>, &mut E> {
        // SAFETY: as above, borrowed mutably; a handle never has the other tag.
        unsafe {
            match tag(self.word) {
                BESIDE => Err(&mut *untagged(self.word)),
                _ => Ok(&mut *(&raw mut *self).cast()),
            }
        }
    }

    /// Puts a box in the place of whatever there was, which is dropped.
    pub fn set_beside(&mut self, value: E) {
        let word = tagged(value, BESIDE);
        drop(std::mem::replace(self, Either { word, _owned: PhantomData }));
    }
}

impl<B, E> Default for Either<B, E> {
    fn default() -> Self {
        Either { word: std::ptr::null_mut(), _owned: PhantomData }
    }
}

impl<B, E> From<Handle<B>> for Either<B, E> {
    fn from(handle: Handle<B>) -> Self {
        Either { word: std::mem::ManuallyDrop::new(handle).word, _owned: PhantomData }
    }
}

impl<B, E> Drop for Either<B, E> {
    fn drop(&mut self) {
        // SAFETY: the tag says what the word owns, alone.
        unsafe {
            match tag(self.word) {
                BESIDE => drop(Box::<E>::from_raw(untagged(self.word))),
                _ => drop(Handle::<B> { word: self.word, _grown: PhantomData }),
            }
        }
    }
}

impl<B: Clone, E: Clone> Clone for Either<B, E> {
    fn clone(&self) -> Self {
        match self.get() {
            Ok(handle) => handle.clone().into(),
            Err(other) => Either { word: tagged(other.clone(), BESIDE), _owned: PhantomData },
        }
    }
}

impl<B, E> fmt::Debug for Either<B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Ok(handle) => handle.fmt(f),
            Err(_) => f.write_str("beside"),
        }
    }
}

/// Brings near what the word of a collection leads to. A hint: any word is allowed.
#[inline]
pub(super) fn prefetch_word(word: *mut u8) {
    let first = untagged::<u8>(word);
    if !first.is_null() {
        (0..NEAR_BYTES).step_by(LINE).for_each(|at| prefetch(first.wrapping_add(at)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_what_they_are_asked_for_and_not_much_more() {
        for bytes in 1..100_000usize {
            let got = class_bytes(class_of(bytes));
            assert!(got >= bytes && (got <= bytes + 15 || got * 4 <= bytes * 5), "{bytes}: {got}");
        }
        let first: Vec<usize> = (0..14).map(class_bytes).collect();
        assert_eq!(first, [16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384]);
    }

    #[test]
    fn bytes_open_and_close_like_those_of_a_vector() {
        let (mut packed, mut model, mut state) = (Packed::new(), Vec::new(), 7u64);
        assert_eq!((packed.bytes(), packed.form(), packed.count()), (&[][..], 0, 0));
        for step in 0..5000usize {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let (at, n) = ((state >> 40) as usize % (model.len() + 1), (state >> 20) as usize % 40);
            if step % 1000 < 200 {
                let part = vec![step as u8; n];
                packed.append(&[&part, b"", b"end"]);
                model.extend_from_slice(&part);
                model.extend_from_slice(b"end");
            } else if step % 1000 < 600 {
                packed.open(at, n);
                packed.bytes_mut()[at..at + n].fill(step as u8);
                model.splice(at..at, std::iter::repeat_n(step as u8, n));
            } else {
                let n = n.min(model.len() - at);
                packed.close(at, n);
                model.drain(at..at + n);
            }
            assert_eq!(packed.bytes(), model);
        }
        packed.open(0, 1);
        packed.set_form(3);
        packed.set_count(9);
        let copy = packed.clone();
        assert_eq!((copy.bytes(), copy.form(), copy.count()), (packed.bytes(), 3, 9));
    }

    #[test]
    fn a_word_owns_what_it_leads_to() {
        let mut either = Either::<Vec<u8>, String>::default();
        if let Ok(handle) = either.get_mut() {
            match handle.form_mut() {
                FormMut::Packed(packed) => packed.open(0, 5),
                FormMut::Grown(_) => panic!("not yet"),
            }
            handle.grow(vec![1, 2, 3]);
        }
        let copy = either.clone();
        either.set_beside("other".into());
        assert_eq!(either.clone().get().err().map(String::as_str), Some("other"));
        assert!(matches!(copy.get().map(Handle::form), Ok(Form::Grown(v)) if *v == [1, 2, 3]));
        assert_eq!(size_of::<Either<Vec<u8>, String>>(), 8);
    }
}
