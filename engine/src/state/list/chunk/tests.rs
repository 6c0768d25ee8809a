//! A chunk against a vector, and what it takes.

use super::*;

#[test]
fn what_comes_and_goes_at_the_ends_leaves_little_room() {
    for (front, back) in [(true, false), (false, true), (true, true)] {
        let mut chunk = Chunk::default();
        for seq in 0..20_000u64 {
            let id = ElementId { node: 1 + seq % 2, seq: seq * 7, index: 0 };
            let value = vec![b'v'; (seq % 60) as usize];
            let place = if front && (seq % 2 == 0 || !back) { 0 } else { chunk.total() };
            chunk.insert(place, id, &value, Life::Live);
            if chunk.total() > 40 {
                chunk.remove(if back { 0 } else { chunk.total() - 1 });
            }
            assert!(chunk.bytes.capacity() <= 4 * chunk.used() + 2 * ROOM_KEPT, "{chunk:?}");
        }
        assert_eq!((chunk.items().count(), chunk.values().count()), (40, 40));
    }
}

#[test]
fn random_edits_of_a_chunk_equal_those_of_a_vector() {
    let mut state = 7u64;
    let mut random = |n: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % n
    };
    for _ in 0..300 {
        let mut chunk = Chunk::default();
        let mut model: Vec<(ElementId, Vec<u8>, Life)> = Vec::new();
        let mut seq = 1000;
        for _ in 0..60 {
            match random(6) {
                0..3 => {
                    let place = [0, model.len(), model.len(), random(model.len() + 1)][random(4)];
                    seq += [1, 1, 1, 5][random(4)];
                    let id = match random(5) {
                        0 => ElementId { node: u64::MAX, seq: seq << 40, index: ElementId::MOVED },
                        1 => ElementId { node: 2, seq, index: 3 },
                        _ => ElementId { node: 1, seq, index: 0 },
                    };
                    let life = if random(5) == 0 { Life::Dead1 } else { Life::Live };
                    let value = if life == Life::Live { vec![b'v'; random(200)] } else { Vec::new() };
                    chunk.insert(place, id, &value, life);
                    model.insert(place, (id, value, life));
                }
                3 if !model.is_empty() => {
                    let place = if random(2) == 0 { 0 } else { random(model.len()) };
                    chunk.remove(place);
                    model.remove(place);
                }
                4 if !model.is_empty() => {
                    let place = random(model.len());
                    if model[place].2 == Life::Live {
                        chunk.kill(place, Life::Dead0);
                        model[place].1.clear();
                        model[place].2 = Life::Dead0;
                    }
                }
                5 if !model.is_empty() => {
                    let place = random(model.len());
                    if model[place].2 == Life::Live {
                        let value = vec![b'w'; random(300)];
                        chunk.set(place, &value);
                        model[place].1 = value;
                    }
                }
                _ => {}
            }
            let items: Vec<_> = chunk.items().map(|i| (i.id, i.value.to_vec(), i.life)).collect();
            assert_eq!(items, model);
            assert_eq!(chunk.live(), model.iter().filter(|m| m.2 == Life::Live).count());
            assert_eq!(chunk.total(), model.len());
            for (at, (id, value, _)) in model.iter().enumerate() {
                assert_eq!(chunk.find(*id), Some(at));
                assert_eq!(chunk.item(at).unwrap().value, value);
            }
        }
        let cut = random(model.len() + 1);
        let tail = chunk.split_off(cut);
        assert_eq!(
            chunk.items().map(|i| i.id).collect::<Vec<_>>(),
            model[..cut].iter().map(|m| m.0).collect::<Vec<_>>()
        );
        assert_eq!(
            tail.items().map(|i| i.value).collect::<Vec<_>>(),
            model[cut..].iter().map(|m| &m.1[..]).collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_run_takes_one_span_whichever_way_it_was_pushed() {
    let id = |seq, index| ElementId { node: 9, seq, index };
    let mut pushed = Chunk::default();
    (0..100).for_each(|i| pushed.insert(i as usize, id(i, 0), b"x", Life::Live));
    assert_eq!(pushed.spans().count(), 1);
    let mut ahead = Chunk::default();
    (0..100).for_each(|i| ahead.insert(0, id(i, 0), b"x", Life::Live));
    assert_eq!(ahead.spans().count(), 1);
    let mut one = Chunk::default();
    (0..100).for_each(|i| one.insert(0, id(5, i), b"x", Life::Live));
    assert_eq!(one.spans().count(), 1);
    assert!(pushed.used() < 100 * 3 + 20);
}
