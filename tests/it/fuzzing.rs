//! Every reader of what others wrote, on inputs that are almost right: the quick part of `cargo bench --bench proof -- fuzz`.

#[path = "../../benches/proof/fuzz/mod.rs"]
mod fuzz;

use std::time::{Duration, Instant};

#[test]
fn inputs_begin_with_what_is_right() {
    for target in fuzz::targets() {
        let right = target.seeds().iter().filter(|seed| target.read(seed)).count();
        println!("{}: {right} of {} seeds are right", target.name(), target.seeds().len());
        assert!(right > 0, "{}", target.name());
    }
}

#[test]
fn nothing_that_is_almost_right_ends_in_a_panic() {
    let mut executions = 0;
    let mut panicked = Vec::new();
    for target in fuzz::targets() {
        let ends = Instant::now() + Duration::from_millis(400);
        // At least some, however busy the machine is.
        let tried = fuzz::fuzz(&target, 0, |so_far| so_far < 50 || Instant::now() < ends);
        println!(
            "{}: {} inputs, {} taken, slowest {:.1} ms (seed {})",
            target.name(),
            tried.executions,
            tried.taken,
            tried.slowest.as_secs_f64() * 1e3,
            tried.slowest_seed
        );
        executions += tried.executions;
        panicked.extend(tried.panics.iter().map(|seed| format!("{} seed {seed}", target.name())));
    }
    println!("{executions} inputs in all");
    assert_eq!(panicked, [""; 0]);
}
