//! Prints ns per key of the index's parts beside a BTreeMap. Not a test: figures of one machine.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use keytrie::{Index, Keyed, Tail};

#[derive(Clone, Copy)]
struct Pointer(&'static [u8; 16]);

impl Keyed for Pointer {
    fn key(&self) -> &[u8] {
        self.0
    }
    fn is_dead(&self) -> bool {
        false
    }
}

fn main() {
    let count = 1_000_000usize;
    let keys: Vec<Pointer> = (0..count as u64)
        .map(|i| {
            let mut key = *b"key:000000000000";
            let digits = format!("{:012}", i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 1_000_000_000_000);
            key[4..].copy_from_slice(digits.as_bytes());
            Pointer(Box::leak(Box::new(key)))
        })
        .collect();
    let per_key = |from: Instant| from.elapsed().as_nanos() as f64 / count as f64;

    let (start, mut tail) = (Instant::now(), Tail::default());
    keys.iter().for_each(|k| tail.push(*k));
    println!("push      {:7.1} ns/key", per_key(start));
    let (start, mut index) = (Instant::now(), Index::default());
    index.offer(tail.take());
    while index.merge_step(10_000, |_| ()) > 0 {}
    println!("merge     {:7.1} ns/key", per_key(start));
    let (start, mut sum) = (Instant::now(), 0usize);
    index.walk_prefix(b"key:", |p| {
        sum += usize::from(p.key()[15]);
        true
    });
    println!("walk      {:7.1} ns/key ({})", per_key(start), black_box(sum));
    let (start, mut map) = (Instant::now(), BTreeMap::new());
    keys.iter().for_each(|k| _ = map.insert(k.0, ()));
    println!("BTreeMap  {:7.1} ns/key", per_key(start));
    println!("{:.1} B/key", index.bytes() as f64 / count as f64);
}
