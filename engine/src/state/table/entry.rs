//! One key's memory: header, key and small value in one allocation that never moves.
//!
//! ```text
//! tip u64 | meta u64 | [long key length u64] | key | room: [expiry u64] value, or address of a box
//! ```
//! The value of a set, a hash or a sorted set is one word of its own; it lies at the room's end, which is aligned, or in a [`Keeping`]
//! box when there is no room for the expiry beside it.
//!
//! `tip` = origin index (16 bits) above seq (48). `meta`, low to high: value length 11, room in 8-byte units 8, key length 11
//! (2047 = long), flags 6, kind 4, access 24 (see [`crate::state::access`]).
//!
//! Invariants: key bytes and their place are immutable from creation to [`EntryPtr::free`]; everything else is read and
//! written under the shard's lock, except the DEAD flag, which anyone holding the pointer may read.
#![allow(unsafe_code)] // The reason of this file: one allocation per key, and an index that holds pointers only.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use crate::effect::Expiry;
use crate::state::access::ACCESS_MASK;
use crate::state::graveyard;
use crate::state::handle::prefetch_word;
use crate::state::hash::HashValue;
use crate::state::set::SetValue;
use crate::state::value::{Kind, Value, ValueMut, ValueRef};
use crate::state::zset::ZSetValue;

const HEADER: usize = 16;
const UNIT: usize = 8;
const VALUE_MAX: usize = (1 << 11) - 1;
const ROOM_UNITS_MAX: usize = (1 << 8) - 1;
const KEY_LONG: usize = (1 << 11) - 1;

const VALUE_AT: u32 = 0;
const ROOM_AT: u32 = 11;
const KEY_AT: u32 = 19;
const FLAGS_AT: u32 = 30;
const KIND_AT: u32 = 36;
/// Kinds take three bits.
const KIND_MASK: u64 = 7;
const ACCESS_AT: u32 = 40;

/// Value (and expiry) live in a [`Boxed`] or a [`Keeping`], the room holds its address.
const BOXED: u64 = 1 << FLAGS_AT;
/// The room begins with an expiry, or the box has one.
const EXPIRES: u64 = 2 << FLAGS_AT;
/// A window exists beside the table.
const WINDOWED: u64 = 4 << FLAGS_AT;
/// The string was built piecewise: OBJECT ENCODING says `raw` however short.
const RAW: u64 = 8 << FLAGS_AT;
/// The string came out of a float sum: never `int` for OBJECT ENCODING.
const TEXT: u64 = 8 << KIND_AT;
/// The ordered index holds the pointer in its run (else in the shard's tail).
const IN_RUN: u64 = 16 << FLAGS_AT;
/// Removed from the table; memory waits for the index to let go.
const DEAD: u64 = 32 << FLAGS_AT;

/// Bytes of entries that are dead and wait for their index, over all engines of the process, as the allocator counts.
static DEAD_BYTES: AtomicI64 = AtomicI64::new(0);

/// Bytes that removed keys still take until an ordered index lets go of them.
pub fn dead_bytes() -> u64 {
    DEAD_BYTES.load(Relaxed).max(0) as u64
}

/// Out-of-line value, not of a kind that is one word.
struct Boxed {
    expiry: Expiry,
    value: Value,
}

/// A value of one word with an expiry that found no room beside it.
struct Keeping {
    expiry: Expiry,
    word: Word,
}

/// Owns a set, a hash or a sorted set; the entry's kind says which.
type Word = *mut u8;

/// Values of this kind are one word.
fn is_word(kind: Kind) -> bool {
    const WORD: usize = size_of::<Word>();
    const { assert!(size_of::<SetValue>() == WORD && align_of::<SetValue>() == WORD) };
    const { assert!(size_of::<HashValue>() == WORD && align_of::<HashValue>() == WORD) };
    const { assert!(size_of::<ZSetValue>() == WORD && align_of::<ZSetValue>() == WORD) };
    matches!(kind, Kind::Set | Kind::Hash | Kind::ZSet)
}

/// A raw handle: valid until [`EntryPtr::free`]. The table and the ordered index hold these.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EntryPtr(NonNull<u8>);

// SAFETY: an entry owns plain bytes and a Box of Send data; access is serialised by the shard lock (see the module).
unsafe impl Send for EntryPtr {}
// SAFETY: as above; through a shared EntryPtr only immutable key bytes and atomic words are read.
unsafe impl Sync for EntryPtr {}

impl keytrie::Keyed for EntryPtr {
    fn key(&self) -> &[u8] {
        EntryPtr::key(self)
    }

    fn is_dead(&self) -> bool {
        self.meta().load(Relaxed) & DEAD != 0
    }
}

fn layout(key_len: usize, room: usize) -> Layout {
    let long = if key_len >= KEY_LONG { 8 } else { 0 };
    // Rounded to words: the allocator's classes are, and short values may then grow in place.
    let bytes = (HEADER + long + key_len + room).next_multiple_of(UNIT);
    Layout::from_size_align(bytes, UNIT).expect("an entry is smaller than isize::MAX")
}

impl EntryPtr {
    /// Allocates an entry without value, with room for `value_len` inline bytes (and an expiry when `expires`) where that fits
    /// inline.
    pub fn create(key: &[u8], value_len: usize, expires: bool) -> EntryPtr {
        let want = value_len + if expires { 8 } else { 0 };
        let long = if key.len() >= KEY_LONG { 8 } else { 0 };
        let room = if want <= VALUE_MAX && want / UNIT < ROOM_UNITS_MAX { want.max(UNIT) } else { UNIT };
        // The room reaches to the end of the rounded allocation, whole units counted from its odd start.
        let total = (HEADER + long + key.len() + room).next_multiple_of(UNIT);
        let units = ((total - HEADER - long - key.len()) / UNIT).min(ROOM_UNITS_MAX);
        let slack = total - HEADER - long - key.len() - units * UNIT;
        let layout = layout(key.len(), units * UNIT + slack);
        // SAFETY: the layout is not zero-sized.
        let Some(ptr) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        let key_field = key.len().min(KEY_LONG) as u64;
        let meta = (units as u64) << ROOM_AT | key_field << KEY_AT;
        // SAFETY: fresh allocation of HEADER + long + key + room bytes, 8-aligned.
        unsafe {
            ptr.cast::<u64>().write(0);
            ptr.cast::<u64>().add(1).write(meta);
            if long != 0 {
                ptr.cast::<u64>().add(2).write(key.len() as u64);
            }
            ptr.add(HEADER + long).copy_from_nonoverlapping(NonNull::from(key).cast(), key.len());
        }
        EntryPtr(ptr)
    }

    /// The address, for tagging in a table slot; user-space addresses fit 48 bits.
    pub fn to_bits(self) -> u64 {
        self.0.as_ptr() as u64
    }

    /// # Safety
    /// `bits` came from [`EntryPtr::to_bits`] of an entry not yet freed.
    pub unsafe fn from_bits(bits: u64) -> EntryPtr {
        // SAFETY: never null by contract.
        EntryPtr(unsafe { NonNull::new_unchecked(bits as *mut u8) })
    }

    fn meta(&self) -> &AtomicU64 {
        // SAFETY: word 1 of a live entry, only ever accessed atomically after creation.
        unsafe { self.0.cast::<AtomicU64>().add(1).as_ref() }
    }

    fn key_place(&self) -> (usize, usize) {
        let short = (self.meta().load(Relaxed) >> KEY_AT) as usize & KEY_LONG;
        if short < KEY_LONG {
            return (HEADER, short);
        }
        // SAFETY: a long key's length follows the header and is immutable.
        (HEADER + 8, unsafe { self.0.cast::<u64>().add(2).read() } as usize)
    }

    pub fn key(&self) -> &[u8] {
        let (at, len) = self.key_place();
        // SAFETY: immutable bytes inside the allocation.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().add(at), len) }
    }

    /// Access for the holder of the shard's lock.
    ///
    /// # Safety
    /// The entry is not freed, the caller holds the lock of its shard for `'t` and no other [`Entry`] of it exists.
    pub unsafe fn entry<'t>(self) -> Entry<'t> {
        Entry { ptr: self, _shard: PhantomData }
    }

    /// Brings near what the value's elements lie in, where they lie apart.
    ///
    /// # Safety
    /// As [`EntryPtr::entry`].
    #[inline]
    pub unsafe fn prefetch_value(self) {
        // SAFETY: by contract.
        let entry = unsafe { self.entry() };
        let Some(kind) = entry.kind() else { return };
        let boxed = entry.flag(BOXED);
        let at = match boxed {
            true => entry.room(),
            false if is_word(kind) => entry.word_place().cast(),
            false => return,
        };
        // SAFETY: the room has at least a word, and such a kind has a word or an address there.
        let word = unsafe { at.cast::<Word>().read_unaligned() };
        prefetch_word(word);
        if boxed {
            super::prefetch(word.wrapping_add(size_of::<Boxed>() - 1));
        }
    }

    /// Gives the memory back.
    ///
    /// # Safety
    /// No table slot, index or [`Entry`] refers to it any more.
    pub unsafe fn free(self) {
        // SAFETY: by contract we are alone.
        let mut entry = unsafe { self.entry() };
        entry.clear();
        if entry.flag(DEAD) {
            DEAD_BYTES.fetch_sub(entry.inline_bytes() as i64, Relaxed);
        }
        let (_, key_len) = self.key_place();
        let room = entry.room_bytes();
        // SAFETY: same layout as in `create`: rounding makes room + slack equal there and here.
        unsafe { dealloc(self.0.as_ptr(), layout(key_len, room)) }
    }
}

/// An entry under its shard's lock.
pub struct Entry<'t> {
    ptr: EntryPtr,
    _shard: PhantomData<&'t mut ()>,
}

impl<'t> Entry<'t> {
    pub fn ptr(&self) -> EntryPtr {
        self.ptr
    }

    pub fn key(&self) -> &'t [u8] {
        let (at, len) = self.ptr.key_place();
        // SAFETY: immutable bytes; the entry outlives 't.
        unsafe { std::slice::from_raw_parts(self.ptr.0.as_ptr().add(at), len) }
    }

    fn meta(&self) -> u64 {
        self.ptr.meta().load(Relaxed)
    }

    fn set_meta(&mut self, meta: u64) {
        self.ptr.meta().store(meta, Relaxed);
    }

    fn flag(&self, flag: u64) -> bool {
        self.meta() & flag != 0
    }

    fn set_flag(&mut self, flag: u64, on: bool) {
        let meta = self.meta();
        self.set_meta(if on { meta | flag } else { meta & !flag });
    }

    fn room_bytes(&self) -> usize {
        let (at, key_len) = self.ptr.key_place();
        let units = (self.meta() >> ROOM_AT) as usize & ROOM_UNITS_MAX;
        // Slack up to the word boundary belongs to the room too.
        (at + key_len + units * UNIT).next_multiple_of(UNIT) - at - key_len
    }

    fn room(&self) -> *mut u8 {
        let (at, key_len) = self.ptr.key_place();
        // SAFETY: inside the allocation.
        unsafe { self.ptr.0.as_ptr().add(at + key_len) }
    }

    /// Bytes of this allocation (what it owns out of line excluded).
    pub fn inline_bytes(&self) -> usize {
        let (at, key_len) = self.ptr.key_place();
        at + key_len + self.room_bytes()
    }

    /// (origin index, seq) of the latest effect; zeros when none.
    pub fn tip(&self) -> (u16, u64) {
        // SAFETY: word 0, under the lock.
        let word = unsafe { self.ptr.0.cast::<u64>().read() };
        ((word >> 48) as u16, word & ((1 << 48) - 1))
    }

    pub fn set_tip(&mut self, origin: u16, seq: u64) {
        debug_assert!(seq < 1 << 48);
        // SAFETY: word 0, under the lock.
        unsafe { self.ptr.0.cast::<u64>().write(u64::from(origin) << 48 | seq) }
    }

    pub fn kind(&self) -> Option<Kind> {
        Kind::from_bits((self.meta() >> KIND_AT & KIND_MASK) as u8)
    }

    fn set_kind(&mut self, kind: Option<Kind>) {
        let bits = kind.map_or(0, |k| k as u64);
        self.set_meta(self.meta() & !(KIND_MASK << KIND_AT) | bits << KIND_AT);
    }

    /// The access bits.
    pub fn access(&self) -> u32 {
        (self.meta() >> ACCESS_AT) as u32
    }

    /// Sets the access bits, the low 24 of `access`.
    pub fn set_access(&mut self, access: u32) {
        let meta = self.meta();
        let mask = u64::from(ACCESS_MASK) << ACCESS_AT;
        let touched = meta & !mask | u64::from(access) << ACCESS_AT & mask;
        if touched != meta {
            self.set_meta(touched);
        }
    }

    pub fn windowed(&self) -> bool {
        self.flag(WINDOWED)
    }

    pub fn set_windowed(&mut self, on: bool) {
        self.set_flag(WINDOWED, on);
    }

    pub fn raw(&self) -> bool {
        self.flag(RAW)
    }

    pub fn set_raw(&mut self, on: bool) {
        self.set_flag(RAW, on);
    }

    pub fn text(&self) -> bool {
        self.flag(TEXT)
    }

    pub fn set_text(&mut self, on: bool) {
        self.set_flag(TEXT, on);
    }

    pub fn in_run(&self) -> bool {
        self.flag(IN_RUN)
    }

    pub fn set_in_run(&mut self) {
        self.set_flag(IN_RUN, true);
    }

    /// Marks the entry removed and drops its value; the memory stays for the index.
    pub fn kill(&mut self) {
        self.clear();
        if !self.flag(DEAD) {
            DEAD_BYTES.fetch_add(self.inline_bytes() as i64, Relaxed);
        }
        self.set_flag(DEAD, true);
    }

    fn boxed(&self) -> *mut Boxed {
        // SAFETY: BOXED says the room holds the address.
        unsafe { self.room().cast::<*mut Boxed>().read_unaligned() }
    }

    fn keeping(&self) -> *mut Keeping {
        // SAFETY: BOXED and the kind say that the room holds the address.
        unsafe { self.room().cast::<*mut Keeping>().read_unaligned() }
    }

    /// The room's last word, which is aligned: the room reaches to the end of the rounded allocation.
    fn word_place(&self) -> *mut Word {
        // SAFETY: the room has at least one word.
        unsafe { self.room().add(self.room_bytes() - UNIT).cast() }
    }

    /// Where the value of a kind of one word is.
    fn word(&self) -> *mut Word {
        // SAFETY: a box that is owned by the entry.
        if self.flag(BOXED) { unsafe { &raw mut (*self.keeping()).word } } else { self.word_place() }
    }

    #[inline]
    pub fn value(&self) -> Option<ValueRef<'_>> {
        let kind = self.kind()?;
        // SAFETY: the kind says of what type the word is; owned by the entry, borrowed with it.
        unsafe {
            match kind {
                Kind::Set => return Some(ValueRef::Set(&*self.word().cast::<SetValue>())),
                Kind::Hash => return Some(ValueRef::Hash(&*self.word().cast::<HashValue>())),
                Kind::ZSet => return Some(ValueRef::ZSet(&*self.word().cast::<ZSetValue>())),
                Kind::String | Kind::List | Kind::Stream => {}
            }
        }
        if self.flag(BOXED) {
            // SAFETY: owned by the entry, borrowed with it.
            return Some(unsafe { &(*self.boxed()).value }.as_ref());
        }
        debug_assert_eq!(kind, Kind::String);
        let (at, len) = self.inline_place();
        // SAFETY: inside the room.
        Some(ValueRef::String(unsafe { std::slice::from_raw_parts(self.room().add(at), len) }))
    }

    /// As [`Entry::value`], for as long as the shard is held.
    pub fn into_value(self) -> Option<ValueRef<'t>> {
        let value: ValueRef<'_> = self.value()?;
        // SAFETY: the value lives in the entry's memory, which the shard's holder keeps unchanged for 't: this `Entry`,
        // the only one, is consumed.
        Some(unsafe { std::mem::transmute::<ValueRef<'_>, ValueRef<'t>>(value) })
    }

    fn inline_place(&self) -> (usize, usize) {
        let at = if self.flag(EXPIRES) { 8 } else { 0 };
        (at, self.meta() as usize >> VALUE_AT & VALUE_MAX)
    }

    /// The value to change in place; `None` for an inline string or no value.
    #[inline]
    pub fn value_mut(&mut self) -> Option<ValueMut<'_>> {
        // SAFETY: as in `value`, borrowed mutably.
        unsafe {
            match self.kind()? {
                Kind::Set => Some(ValueMut::Set(&mut *self.word().cast::<SetValue>())),
                Kind::Hash => Some(ValueMut::Hash(&mut *self.word().cast::<HashValue>())),
                Kind::ZSet => Some(ValueMut::ZSet(&mut *self.word().cast::<ZSetValue>())),
                _ if self.flag(BOXED) => Some((*self.boxed()).value.as_mut()),
                _ => None,
            }
        }
    }

    /// Bytes of the box, without what its value owns; 0 without one.
    pub fn box_bytes(&self) -> usize {
        match self.kind() {
            _ if !self.flag(BOXED) => 0,
            Some(kind) if is_word(kind) => size_of::<Keeping>(),
            _ => size_of::<Boxed>(),
        }
    }

    pub fn expiry(&self) -> Expiry {
        if !self.flag(EXPIRES) {
            return Expiry::NEVER;
        }
        if self.flag(BOXED) {
            // SAFETY: owned by the entry; the kind says which box it is.
            return unsafe {
                match self.kind().is_some_and(is_word) {
                    true => (*self.keeping()).expiry,
                    false => (*self.boxed()).expiry,
                }
            };
        }
        // SAFETY: EXPIRES says the room begins with it.
        Expiry::at_ms(unsafe { self.room().cast::<u64>().read_unaligned() })
    }

    /// Has reads see the value as of a moment. False when there is none, or nothing of it is left then.
    #[inline]
    pub fn show_at(&mut self, now_ms: u64) -> bool {
        match self.kind() {
            None => false,
            Some(Kind::Hash) if !self.expiry().reached(now_ms) => {
                self.value_mut().is_none_or(|mut value| value.show_at(now_ms))
            }
            Some(_) => !self.expiry().reached(now_ms),
        }
    }

    /// When nothing is left of the value: at its expiry, or when all fields of a hash have ended.
    #[inline]
    pub fn end(&self) -> Expiry {
        let expiry = self.expiry();
        if self.kind() != Some(Kind::Hash) {
            return expiry;
        }
        match self.value() {
            Some(ValueRef::Hash(hash)) => {
                hash.last_end_ms().map_or(expiry, |ms| expiry.min(Expiry::at_ms(ms)))
            }
            _ => expiry,
        }
    }

    /// When the first field of a hash ends, ms.
    #[inline]
    pub fn first_field_end_ms(&self) -> Option<u64> {
        match (self.kind() == Some(Kind::Hash)).then(|| self.value())?? {
            ValueRef::Hash(hash) => hash.first_end_ms(),
            _ => None,
        }
    }

    /// Replaces value and expiry by a string. Inline when it fits the room.
    pub fn set_string(&mut self, bytes: &[u8], expiry: Expiry) {
        let at = if expiry == Expiry::NEVER { 0 } else { 8 };
        if at + bytes.len() > self.room_bytes().min(VALUE_MAX) {
            if let Some(ValueMut::String(old)) = self.value_mut() {
                // Reuse of the buffer, unless it is wastefully large.
                if old.capacity() / 2 <= bytes.len() {
                    old.clear();
                    old.extend_from_slice(bytes);
                } else {
                    *old = bytes.to_vec();
                }
                self.set_expiry(expiry);
                self.set_flag(RAW | TEXT, false);
                return;
            }
            self.set_value(Value::String(bytes.to_vec()), expiry);
            return;
        }
        self.drop_value();
        // SAFETY: `at + len` fits the room; `bytes` cannot overlap it, for it would borrow the entry.
        unsafe {
            if at != 0 {
                self.room().cast::<u64>().write_unaligned(expiry.ms().unwrap_or(0));
            }
            self.room().add(at).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        let keep = self.meta() & !(EXPIRES | RAW | TEXT | KIND_MASK << KIND_AT | VALUE_MAX as u64);
        let expires = if at != 0 { EXPIRES } else { 0 };
        self.set_meta(keep | expires | (Kind::String as u64) << KIND_AT | bytes.len() as u64);
    }

    /// Replaces value and expiry; the value is kept out of line.
    pub fn set_value(&mut self, value: Value, expiry: Expiry) {
        self.drop_value();
        let kind = value.kind();
        // SAFETY: these types are nothing but a word, which owns what it leads to.
        let word = unsafe {
            match value {
                Value::Set(set) => Some(std::mem::transmute::<SetValue, Word>(set)),
                Value::Hash(hash) => Some(std::mem::transmute::<HashValue, Word>(hash)),
                Value::ZSet(zset) => Some(std::mem::transmute::<ZSetValue, Word>(zset)),
                value => {
                    let boxed = Box::into_raw(Box::new(Boxed { expiry, value }));
                    // SAFETY: the room has at least 8 bytes.
                    self.room().cast::<*mut Boxed>().write_unaligned(boxed);
                    None
                }
            }
        };
        self.set_flag(RAW | TEXT, false);
        self.set_kind(Some(kind));
        self.set_flag(BOXED, word.is_none());
        self.set_flag(EXPIRES, expiry != Expiry::NEVER);
        if let Some(word) = word {
            self.put_word(word, expiry);
        }
    }

    /// Keeps a word and an expiry; nothing is kept of either yet.
    fn put_word(&mut self, word: Word, expiry: Expiry) {
        let (never, fits) = (expiry == Expiry::NEVER, self.room_bytes() >= 2 * UNIT);
        // SAFETY: the room has at least one word, and here two if both are put there.
        unsafe {
            if !never && fits {
                self.room().cast::<u64>().write_unaligned(expiry.ms().unwrap_or(0));
            }
            match never || fits {
                true => self.word_place().write(word),
                false => {
                    let keeping = Box::into_raw(Box::new(Keeping { expiry, word }));
                    self.room().cast::<*mut Keeping>().write_unaligned(keeping);
                }
            }
        }
        self.set_flag(BOXED, !never && !fits);
        self.set_flag(EXPIRES, !never);
    }

    /// Takes the word of such a kind off; what is left is no value.
    fn take_word(&mut self) -> Word {
        if !self.flag(BOXED) {
            // SAFETY: the kind says that the word is there.
            return unsafe { self.word_place().read() };
        }
        // SAFETY: owned by the entry; the flag is cleared at once.
        let keeping = unsafe { Box::from_raw(self.keeping()) };
        self.set_flag(BOXED, false);
        keeping.word
    }

    /// Changes the expiry only.
    pub fn set_expiry(&mut self, expiry: Expiry) {
        if self.kind().is_some_and(is_word) {
            let word = self.take_word();
            self.put_word(word, expiry);
            return;
        }
        if self.flag(BOXED) {
            // SAFETY: owned by the entry.
            unsafe { (*self.boxed()).expiry = expiry };
            self.set_flag(EXPIRES, expiry != Expiry::NEVER);
            return;
        }
        let Some(ValueRef::String(bytes)) = self.value() else { return };
        let (shown, kept) = (self.meta() & (RAW | TEXT), smallvec::SmallVec::<[u8; 128]>::from_slice(bytes));
        self.set_string(&kept, expiry);
        self.set_meta(self.meta() | shown);
    }

    /// Moves the value out, leaving none.
    pub fn take_value(&mut self) -> Option<Value> {
        let value = match self.take_apart() {
            None => self.value().map(|v| v.to_value()),
            owned => owned,
        };
        self.clear();
        value
    }

    /// Moves a value out that is not an inline string; `None` for that, and without one.
    fn take_apart(&mut self) -> Option<Value> {
        let kind = self.kind()?;
        if is_word(kind) {
            let word = self.take_word();
            self.set_kind(None);
            // SAFETY: the kind says of what type the word is, and the entry does not know it any more.
            return Some(unsafe {
                match kind {
                    Kind::Set => Value::Set(std::mem::transmute::<Word, SetValue>(word)),
                    Kind::Hash => Value::Hash(std::mem::transmute::<Word, HashValue>(word)),
                    _ => Value::ZSet(std::mem::transmute::<Word, ZSetValue>(word)),
                }
            });
        }
        self.flag(BOXED).then(|| {
            // SAFETY: owned by the entry; the flag is cleared before anyone looks again.
            let boxed = unsafe { Box::from_raw(self.boxed()) };
            self.set_flag(BOXED, false);
            self.set_kind(None);
            boxed.value
        })
    }

    /// Drops value and expiry: a ghost, if it has a window.
    pub fn clear(&mut self) {
        self.drop_value();
        self.set_meta(self.meta() & !(EXPIRES | RAW | TEXT | KIND_MASK << KIND_AT | VALUE_MAX as u64));
    }

    fn drop_value(&mut self) {
        if let Some(value) = self.take_apart() {
            graveyard::bury(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_entry(key: &[u8], value_len: usize, expires: bool, test: impl FnOnce(&mut Entry<'_>)) {
        let ptr = EntryPtr::create(key, value_len, expires);
        // SAFETY: alone with it.
        unsafe {
            test(&mut ptr.entry());
            ptr.free();
        }
    }

    #[test]
    fn keys_of_every_length_and_values_inline_or_boxed_read_back() {
        for key_len in [0, 1, 7, 16, 2046, 2047, 2048, 70_000] {
            let key = vec![b'k'; key_len];
            for value_len in [0, 1, 8, 32, 2039, 2040, 2047, 2048, 5000] {
                let value = vec![b'v'; value_len];
                for (first, second) in [(Expiry::NEVER, Expiry::at_ms(9)), (Expiry::at_ms(5), Expiry::NEVER)]
                {
                    with_entry(&key, value_len, first != Expiry::NEVER, |e| {
                        e.set_tip(3, 1 << 40);
                        e.set_string(&value, first);
                        assert_eq!(e.expiry(), first);
                        e.set_expiry(second);
                        assert_eq!(e.expiry(), second);
                        assert_eq!(e.value(), Some(ValueRef::String(&value)));
                        assert_eq!(e.key(), key);
                        e.set_string(b"tiny", Expiry::at_ms(1));
                        assert_eq!(e.value(), Some(ValueRef::String(b"tiny")));
                        e.set_string(&[7; 4000], Expiry::NEVER);
                        assert_eq!(e.value(), Some(ValueRef::String(&[7; 4000])));
                        e.set_access(77);
                        assert_eq!((e.access(), e.tip()), (77, (3, 1 << 40)));
                        assert_eq!(e.take_value(), Some(Value::String(vec![7; 4000])));
                        assert_eq!((e.value(), e.kind(), e.key()), (None, None, &key[..]));
                        let set = SetValue::from_members([&b"a"[..], b"b"].into_iter());
                        e.set_value(Value::Set(set.clone()), first);
                        assert_eq!((e.value(), e.expiry()), (Some(ValueRef::Set(&set)), first));
                        for expiry in [second, first, Expiry::at_ms(7), Expiry::NEVER, second] {
                            e.set_expiry(expiry);
                            assert_eq!((e.value(), e.expiry()), (Some(ValueRef::Set(&set)), expiry));
                        }
                        assert_eq!(e.take_value(), Some(Value::Set(set)));
                        assert_eq!((e.value(), e.expiry()), (None, Expiry::NEVER));
                        e.set_value(Value::empty(Kind::List), first);
                        e.set_value(Value::empty(Kind::Hash), second);
                        assert_eq!((e.kind(), e.expiry()), (Some(Kind::Hash), second));
                        e.set_string(b"tiny", Expiry::NEVER);
                        assert_eq!(e.value(), Some(ValueRef::String(b"tiny")));
                        e.set_value(Value::empty(Kind::ZSet), Expiry::at_ms(2));
                    });
                }
            }
        }
    }

    #[test]
    fn a_sixteen_byte_key_and_a_thirty_two_byte_value_take_sixty_four_bytes() {
        with_entry(&[1; 16], 32, false, |e| {
            e.set_string(&[2; 32], Expiry::NEVER);
            assert_eq!(e.inline_bytes(), 64);
            assert!(e.value_mut().is_none());
        });
    }
}
