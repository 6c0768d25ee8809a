//! The simulated world over a short range of seeds; a longer one is the `sim` tool's.

use tests::random::setting;
use tests::sim::plan::Plan;
use tests::sim::{run, shrink};

/// Runs a seed; a violation fails with the smallest plan that still shows it.
fn holds(seed: u64) {
    let plan = Plan::of(seed);
    let Some(violation) = run(plan.clone(), false).violation else { return };
    let (small, found, _) = shrink::shrink(&plan, &violation);
    panic!(
        "seed {seed} breaks {}: {}\nsmallest: {}\n{small}replay: cargo run -p tests --bin sim -- --seed {seed} --trace",
        violation.invariant, violation.text, found.text
    );
}

#[test]
fn sim_all_faults_keep_every_invariant() {
    let first = setting("ATOLL_SIM_FIRST", 0);
    for seed in first..first + setting("ATOLL_SIM_SEEDS", 100) {
        holds(seed);
    }
}

/// With `--features planted`: each planted bug is found.
#[cfg(feature = "planted")]
#[test]
fn sim_planted_bugs_are_caught() {
    use engine::planted::{Planted, plant};
    for (name, bug) in Planted::ALL {
        plant(Some(bug));
        let caught = (0..1000).find(|seed| run(Plan::of(*seed), false).violation.is_some());
        plant(None);
        assert!(caught.is_some(), "{name} is not caught within 1000 seeds");
    }
}

#[test]
fn sim_one_seed_gives_one_run() {
    for seed in [3, 10, 17] {
        let [once, again] = [0, 0].map(|_| run(Plan::of(seed), true));
        assert_eq!(once.summary, again.summary, "seed {seed}");
        assert_eq!(once.trace, again.trace, "seed {seed}");
        assert!(once.summary.effects > 10, "seed {seed} does something");
    }
}
