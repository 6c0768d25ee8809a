//! A transaction is seen whole or not at all: whatever adds a member to one set adds it to the other.

use engine::core::LockPlan;
use engine::state::value::Value;

use crate::sim::node::DATABASES;
use crate::sim::world::World;

pub fn after(world: &mut World, slot: usize) {
    if world.plan.transaction_per_mille == 0 {
        return;
    }
    let Some(engine) = world.engine(slot) else { return };
    let turn = engine.turn(world.wall_ms(slot));
    for db in 0..DATABASES {
        let [a, b] = [b"pair:a", b"pair:b"].map(|name| {
            let mut unit = engine.begin(&turn, db, LockPlan::One(engine.key_hash(name)));
            let key = unit.key(name);
            unit.value(&key).map(|value| value.to_value())
        });
        if a != b {
            let text = format!("n{slot} shows half of a transaction: {a:?} beside {b:?}");
            return world.violate("atomicity", text);
        }
        if let Some(Value::String(_)) = a {
            return world.violate("atomicity", format!("n{slot} shows a string for a set"));
        }
    }
}
