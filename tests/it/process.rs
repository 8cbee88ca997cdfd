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
        let kills = real::kills::at_every_step(shape, 1, 101, None).expect("the system lets a process be traced");
        nothing_is_wrong(&kills.found);
        assert!(kills.killed >= 8, "{}", kills.killed);
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn killed_at_random_several_times_in_a_row_it_pays_nothing_twice() {
    let kills = real::kills::at_random(1, 6, 20, None);
    nothing_is_wrong(&kills.found);
    assert!(kills.killed >= 6, "{}", kills.killed);
}

#[test]
fn whatever_a_provider_does_wrong_our_books_are_its_books() {
    let wanted = Shape::BOTH.map(faults::undisturbed);
    // The bench tries all of them; every sixth one passes here, and what hangs or waits takes its time there.
    let kinds: Vec<faults::Kind> = faults::kinds().into_iter().step_by(6).collect();
    let mut all = Findings::default();
    faults::at_once(&kinds, |kind| kind.try_it(&wanted[usize::from(kind.shape == Shape::Picture)])).into_iter().for_each(|found| all.add(found));
    faults::at_once(&[1, 2, 3, 4], |seed| faults::mixed(*seed, &wanted)).into_iter().for_each(|found| all.add(found));
    nothing_is_wrong(&all);
}

#[test]
fn who_sends_again_while_in_doubt_is_seen_to_pay_twice() {
    for shape in Shape::BOTH {
        let lost = faults::kinds().into_iter().find(|kind| (kind.shape, kind.name) == (shape, "answer to a submit: lost"));
        let found = lost.expect("it is one of the faults").try_telling(&faults::undisturbed(shape), &["--on-doubt", "resend"]);
        assert_eq!(found.duplicates, 1, "{}", found.trouble.join("\n"));
    }
}

#[test]
fn a_lost_answer_whose_task_the_provider_knows_is_fetched_for_nothing() {
    let lost = faults::kinds().into_iter().find(|kind| (kind.shape, kind.name) == (Shape::Task, "answer to a submit: lost"));
    let found = lost.expect("it is one of the faults").try_it(&faults::undisturbed(Shape::Task));
    nothing_is_wrong(&found);
    assert_eq!((found.in_doubt, found.found, found.runs), (1, 1, 2), "one doubt, ended by `reconcile --task`, nothing bought for it");
}

#[test]
fn of_two_runs_at_once_one_spends_and_the_other_is_told_who_does() {
    let locks = real::locks::try_all(3, 3);
    assert_eq!(locks.trouble, [""; 0]);
    assert_eq!((locks.refused, locks.after_the_dead, locks.races), (4, 2, 3));
}
