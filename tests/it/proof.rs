//! What `cargo bench --bench proof` tries at length, in the time of a test: the same code, fewer seeds, smaller bounds.

#[allow(dead_code, reason = "the bench uses all of it")]
#[path = "../../benches/proof/files/mod.rs"]
mod files;
#[allow(dead_code, reason = "the bench uses all of it")]
#[path = "../../benches/proof/model/mod.rs"]
mod model;
#[allow(dead_code, reason = "the bench uses all of it")]
#[path = "../../benches/proof/simulation/mod.rs"]
mod simulation;

use files::{Shape, Tried};
use model::{Bounds, Mutation};

#[test]
fn no_simulated_history_breaks_a_rule() {
    for seed in 0..250 {
        let played = simulation::play(seed, None, false);
        assert_eq!(played.broken, None, "seed {seed}: `cargo bench --bench proof -- --seed {seed}` prints the whole history");
    }
}

#[test]
fn a_seed_decides_a_whole_history() {
    for seed in [1, 7, 42] {
        let (first, second) = (simulation::play(seed, None, true), simulation::play(seed, None, true));
        assert!(first.figures.events > 0 && first.log == second.log, "seed {seed}");
        assert_eq!(first.figures, simulation::play(seed, None, false).figures, "the log changes nothing");
    }
}

#[test]
fn the_simulation_finds_every_mistake_that_is_built_in() {
    for mutation in simulation::Mutation::ALL {
        assert!(simulation::seeds_until_found(mutation, 3_000).is_some(), "{mutation:?}");
    }
}

#[test]
fn no_bad_state_can_be_reached_with_two_shots() {
    for variant in model::variants() {
        let bounds = Bounds { shots: 2, crashes: 1, losses: 1, failures: 1, verdicts: 1 };
        match model::explore(bounds, variant, None) {
            Ok(explored) => assert!(explored.states > 100 && explored.ends > 0, "{variant:?}: {explored:?}"),
            Err(bad) => panic!("{variant:?}: {}\n{}", bad.what, bad.way.join("\n")),
        }
    }
}

#[test]
fn the_model_finds_every_mistake_that_is_built_in() {
    for mutation in Mutation::ALL {
        assert!(model::is_found(mutation), "{mutation:?}");
    }
}

fn survived(what: &str, tried: Tried) {
    assert!(tried.failures > 10, "{what}: {tried:?}");
    assert_eq!((tried.broken_files, tried.paid_twice, tried.unfinished, tried.unknown), (0, 0, 0, 0), "{what}: {tried:?}");
}

#[test]
fn any_store_operation_may_fail_once() {
    survived("the answer is a task", files::store(Shape::Task, 5));
    survived("the answer is a picture", files::store(Shape::Picture, 28));
}

#[test]
fn any_ledger_command_may_fail_once_before_or_after_it_is_durable() {
    for after in [false, true] {
        survived("the answer is a task", files::ledger(Shape::Task, after));
    }
}
