//! What `cargo bench --bench proof -- kills faults` tries at length, in the time of a test: the same code, fewer points.

#[allow(dead_code, reason = "the bench uses all of it")]
#[path = "../../benches/proof/real/mod.rs"]
mod real;

use real::faults;
use real::shop::{Findings, Shape};

fn nothing_is_wrong(found: &Findings) {
    assert_eq!(found.bad(), 0, "{}", found.trouble.join("\n"));
    assert!(found.trouble.is_empty(), "{}", found.trouble.join("\n"));
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn killed_at_any_step_it_pays_nothing_twice_and_names_what_is_in_doubt() {
    for shape in Shape::BOTH {
        let kills = real::kills::at_every_step(shape, 1, 61, None).expect("the system lets a process be traced");
        println!("{shape:?} {:?} killed {} missed {} doubtful {} {:?}", kills.steps, kills.killed, kills.missed, kills.doubtful, kills.found);
        nothing_is_wrong(&kills.found);
        assert!(kills.killed >= 20, "{}", kills.killed);
    }
}

#[test]
fn whatever_a_provider_does_wrong_our_books_are_its_books() {
    let wanted = Shape::BOTH.map(faults::undisturbed);
    let kinds = faults::kinds();
    let found = faults::at_once(&kinds, |kind| kind.try_it(&wanted[usize::from(kind.shape == Shape::Picture)]));
    let mut all = Findings::default();
    for (kind, found) in kinds.iter().zip(&found) {
        println!("{} {}: runs {} doubts {} found {}", kind.shape.word(), kind.name, found.runs, found.in_doubt, found.found);
        all.add(found.clone());
    }
    nothing_is_wrong(&all);
}
