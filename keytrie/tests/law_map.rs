//! The index against a BTreeMap, with every pointer's life counted.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use keytrie::{Index, Keyed, Tail, prefix_end};
use proptest::prelude::*;

#[derive(Debug)]
struct Owned {
    key: Vec<u8>,
    dead: AtomicBool,
    id: usize,
}

#[derive(Clone, Copy, Debug)]
struct Pointer(&'static Owned);

impl Keyed for Pointer {
    fn key(&self) -> &[u8] {
        &self.0.key
    }
    fn is_dead(&self) -> bool {
        self.0.dead.load(Relaxed)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Put(Vec<u8>),
    Kill(Vec<u8>),
    Take,
    Merge(usize),
    Sweep(usize),
    Walk(Vec<u8>),
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0u8, 1, b'a', b'b', 0xfe, 0xff]), 0..5)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => key().prop_map(Step::Put),
        4 => key().prop_map(Step::Kill),
        1 => Just(Step::Take),
        2 => (0usize..40).prop_map(Step::Merge),
        1 => (1usize..40).prop_map(Step::Sweep),
        2 => key().prop_map(Step::Walk),
    ];
    prop::collection::vec(step, 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn law_walks_equal_a_map_and_every_pointer_is_freed_once(steps in steps()) {
        let mut tail = Tail::default();
        let mut index = Index::default();
        let mut live: BTreeMap<Vec<u8>, Pointer> = BTreeMap::new();
        let mut in_run = HashSet::new();
        let mut freed = HashSet::new();
        let mut made = 0;
        for step in steps {
            match step {
                Step::Put(key) => {
                    if let Entry::Vacant(vacant) = live.entry(key) {
                        let owned = Owned { key: vacant.key().clone(), dead: AtomicBool::new(false), id: made };
                        made += 1;
                        let pointer = Pointer(Box::leak(Box::new(owned)));
                        tail.push(pointer);
                        vacant.insert(pointer);
                    }
                }
                Step::Kill(key) => {
                    if let Some(pointer) = live.remove(&key) {
                        pointer.0.dead.store(true, Relaxed);
                        if in_run.contains(&pointer.0.id) {
                            index.note_dead(1);
                        } else {
                            tail.note_dead();
                        }
                        tail.compact(|p| assert!(p.is_dead() && freed.insert(p.0.id)));
                    }
                }
                Step::Take => {
                    let taken = tail.take();
                    in_run.extend(taken.iter().map(|p| p.0.id));
                    index.offer(taken);
                }
                Step::Merge(budget) => {
                    index.merge_step(budget, |p| assert!(p.is_dead() && freed.insert(p.0.id)));
                }
                Step::Sweep(budget) => {
                    index.sweep_step(budget, |p| assert!(p.is_dead() && freed.insert(p.0.id)));
                }
                Step::Walk(prefix) => {
                    let taken = tail.take();
                    in_run.extend(taken.iter().map(|p| p.0.id));
                    index.offer(taken);
                    index.merge_step(usize::MAX, |p| assert!(p.is_dead() && freed.insert(p.0.id)));
                    prop_assert!(index.is_current());
                    let mut walked = Vec::new();
                    index.walk_prefix(&prefix, |p| { walked.push(p.key().to_vec()); true });
                    let expected: Vec<_> = live.keys().filter(|k| k.starts_with(&prefix)).cloned().collect();
                    prop_assert!(index.prefix_len(&prefix) >= expected.len());
                    prop_assert_eq!(walked, expected);
                    let mut after = Vec::new();
                    index.walk(&prefix, true, None, |p| { after.push(p.key().to_vec()); after.len() < 3 });
                    let expected: Vec<_> = live.keys().filter(|k| **k > prefix).take(3).cloned().collect();
                    prop_assert_eq!(after, expected);
                }
            }
        }
        let left = tail.take();
        index.offer(left);
        index.clear(|p| assert!(freed.insert(p.0.id)));
        prop_assert_eq!(freed.len(), made);
    }
}

#[test]
fn the_end_of_a_prefix_is_the_first_key_after_it() {
    assert_eq!(prefix_end(b"a\xff\xff"), Some(b"b".to_vec()));
    assert_eq!(prefix_end(b"\xff"), None);
    assert_eq!(prefix_end(b""), None);
}
