//! Members in the order of their scores: a B+ tree that counts, so that places are found as fast as members.
//!
//! Invariants: a node's children are in order and none is empty; a child's `count` and `first` are those of its leaves.

use std::cmp::Ordering;
use std::sync::Arc;

/// Pairs of a leaf, children of a node: at most.
const WIDTH: usize = 64;
/// Neighbours that together have so few become one.
const JOINED_MAX: usize = WIDTH / 2;

/// A member with its score.
#[derive(Clone, Debug)]
pub(super) struct Scored {
    pub score: f64,
    pub member: Arc<[u8]>,
}

/// By score, then by bytes; -0 equals 0, and a score is never NaN.
pub(super) fn order(a: (f64, &[u8]), b: (f64, &[u8])) -> Ordering {
    a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal).then_with(|| a.1.cmp(b.1))
}

impl Scored {
    fn pair(&self) -> (f64, &[u8]) {
        (self.score, &self.member)
    }
}

#[derive(Clone, Debug)]
struct Child {
    count: usize,
    first: Scored,
    node: Node,
}

#[derive(Clone, Debug)]
enum Node {
    Leaf(Vec<Scored>),
    Inner(Vec<Child>),
}

impl Node {
    fn width(&self) -> usize {
        match self {
            Node::Leaf(pairs) => pairs.len(),
            Node::Inner(children) => children.len(),
        }
    }

    fn count(&self) -> usize {
        match self {
            Node::Leaf(pairs) => pairs.len(),
            Node::Inner(children) => children.iter().map(|c| c.count).sum(),
        }
    }

    fn first(&self) -> Option<&Scored> {
        match self {
            Node::Leaf(pairs) => pairs.first(),
            Node::Inner(children) => children.first().map(|c| &c.first),
        }
    }

    fn into_child(self) -> Option<Child> {
        Some(Child { count: self.count(), first: self.first()?.clone(), node: self })
    }

    /// Adds a pair that is not there; gives back the upper half when it had to split.
    fn insert(&mut self, pair: Scored) -> Option<Node> {
        match self {
            Node::Leaf(pairs) => {
                let at = pairs.partition_point(|p| order(p.pair(), pair.pair()).is_lt());
                // Pairs that come in order fill their leaves.
                let cut = if at == pairs.len() { WIDTH - WIDTH / 8 } else { WIDTH / 2 };
                pairs.insert(at, pair);
                (pairs.len() > WIDTH).then(|| Node::Leaf(split_off(pairs, cut)))
            }
            Node::Inner(children) => {
                let at = children.partition_point(|c| order(c.first.pair(), pair.pair()).is_lt());
                let at = at.saturating_sub(1);
                let child = &mut children[at];
                let first = order(pair.pair(), child.first.pair()).is_lt().then(|| pair.clone());
                child.count += 1;
                let upper = child.node.insert(pair);
                if let Some(first) = first {
                    child.first = first;
                }
                if let Some(upper) = upper.and_then(Node::into_child) {
                    child.count -= upper.count;
                    children.insert(at + 1, upper);
                }
                let cut = if at + 2 >= children.len() { WIDTH - WIDTH / 8 } else { WIDTH / 2 };
                (children.len() > WIDTH).then(|| Node::Inner(split_off(children, cut)))
            }
        }
    }

    /// Takes a pair out. False when it was not there.
    fn remove(&mut self, pair: (f64, &[u8])) -> bool {
        match self {
            Node::Leaf(pairs) => match pairs.binary_search_by(|p| order(p.pair(), pair)) {
                Ok(at) => {
                    pairs.remove(at);
                    true
                }
                Err(_) => false,
            },
            Node::Inner(children) => {
                let after = children.partition_point(|c| order(c.first.pair(), pair).is_le());
                let Some(at) = after.checked_sub(1) else { return false };
                let child = &mut children[at];
                if !child.node.remove(pair) {
                    return false;
                }
                child.count -= 1;
                match child.node.first() {
                    None => {
                        children.remove(at);
                        return true;
                    }
                    Some(first) if !Arc::ptr_eq(&first.member, &child.first.member) => {
                        child.first = first.clone()
                    }
                    Some(_) => {}
                }
                let joins = |a: usize, b: usize| {
                    let (Some(a), Some(b)) = (children.get(a), children.get(b)) else { return false };
                    a.node.width() + b.node.width() <= JOINED_MAX
                };
                let lower = if joins(at, at + 1) {
                    Some(at)
                } else if at > 0 && joins(at - 1, at) {
                    Some(at - 1)
                } else {
                    None
                };
                if let Some(lower) = lower {
                    let upper = children.remove(lower + 1);
                    let into = &mut children[lower];
                    into.count += upper.count;
                    match (&mut into.node, upper.node) {
                        (Node::Leaf(a), Node::Leaf(mut b)) => a.append(&mut b),
                        (Node::Inner(a), Node::Inner(mut b)) => a.append(&mut b),
                        _ => unreachable!("all leaves are equally deep"),
                    }
                }
                true
            }
        }
    }

    fn walk(&self, mut skip: usize, take: &mut usize, visit: &mut dyn FnMut(f64, &[u8])) {
        match self {
            Node::Leaf(pairs) => {
                for pair in pairs.iter().skip(skip).take(*take) {
                    visit(pair.score, &pair.member);
                    *take -= 1;
                }
            }
            Node::Inner(children) => {
                for child in children {
                    if *take == 0 {
                        return;
                    }
                    if skip >= child.count {
                        skip -= child.count;
                        continue;
                    }
                    child.node.walk(std::mem::take(&mut skip), take, visit);
                }
            }
        }
    }

    fn walk_back(&self, mut skip: usize, take: &mut usize, visit: &mut dyn FnMut(f64, &[u8])) {
        match self {
            Node::Leaf(pairs) => {
                for pair in pairs.iter().rev().skip(skip).take(*take) {
                    visit(pair.score, &pair.member);
                    *take -= 1;
                }
            }
            Node::Inner(children) => {
                for child in children.iter().rev() {
                    if *take == 0 {
                        return;
                    }
                    if skip >= child.count {
                        skip -= child.count;
                        continue;
                    }
                    child.node.walk_back(std::mem::take(&mut skip), take, visit);
                }
            }
        }
    }

    fn heap_bytes(&self, block: fn(usize) -> usize) -> usize {
        match self {
            Node::Leaf(pairs) => block(pairs.capacity() * size_of::<Scored>()),
            Node::Inner(children) => {
                let below: usize = children.iter().map(|c| c.node.heap_bytes(block)).sum();
                block(children.capacity() * size_of::<Child>()) + below
            }
        }
    }
}

fn split_off<T>(all: &mut Vec<T>, cut: usize) -> Vec<T> {
    let upper = all.split_off(cut);
    all.shrink_to_fit();
    upper
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Ranked(Node);

impl Default for Ranked {
    fn default() -> Self {
        Ranked(Node::Leaf(Vec::new()))
    }
}

impl Ranked {
    /// Adds a pair that is not there.
    pub fn insert(&mut self, score: f64, member: Arc<[u8]>) {
        if let Some(upper) = self.0.insert(Scored { score, member }) {
            let lower = std::mem::replace(&mut self.0, Node::Inner(Vec::new()));
            self.0 = Node::Inner([lower, upper].into_iter().filter_map(Node::into_child).collect());
        }
    }

    pub fn remove(&mut self, score: f64, member: &[u8]) {
        let removed = self.0.remove((score, member));
        assert!(removed, "what the table holds is in the order");
        while let Node::Inner(children) = &mut self.0 {
            match children.len() {
                0 => self.0 = Node::Leaf(Vec::new()),
                1 => {
                    if let Some(only) = children.pop() {
                        self.0 = only.node;
                    }
                }
                _ => return,
            }
        }
    }

    /// How many pairs lie before the first that `before` denies; `before` holds for a beginning of the order.
    pub fn partition(&self, before: &dyn Fn(f64, &[u8]) -> bool) -> usize {
        let (mut node, mut rank) = (&self.0, 0);
        loop {
            match node {
                Node::Leaf(pairs) => return rank + pairs.partition_point(|p| before(p.score, &p.member)),
                Node::Inner(children) => {
                    let at = children.partition_point(|c| before(c.first.score, &c.first.member));
                    let Some(at) = at.checked_sub(1) else { return rank };
                    rank += children[..at].iter().map(|c| c.count).sum::<usize>();
                    node = &children[at].node;
                }
            }
        }
    }

    /// Visits `take` pairs from a place on, counted from the end and backwards with `reverse`.
    pub fn walk(&self, from: usize, take: usize, reverse: bool, visit: &mut dyn FnMut(f64, &[u8])) {
        let mut take = take;
        match reverse {
            false => self.0.walk(from, &mut take, visit),
            true => self.0.walk_back(from, &mut take, visit),
        }
    }

    /// Bytes of the nodes, in blocks of the allocator.
    pub fn heap_bytes(&self, block: fn(usize) -> usize) -> usize {
        self.0.heap_bytes(block)
    }
}
