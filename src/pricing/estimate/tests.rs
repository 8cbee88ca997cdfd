use super::*;
use crate::ledger::{History, JobState};
use crate::pricing::providers::{ProviderCap, by_provider};
use crate::pricing::{quotes, sample};
use crate::types::{Amount, AttemptNo, Currency, Failure, FailureClass, Timestamp};
use proptest::prelude::*;

fn of(plan: &Plan, history: &History, budget: &Budget, attempts: u32, committed: &Committed) -> Estimate {
    let quotes = quotes(plan, &sample::catalog("kie"));
    estimate(plan, &sample::all_work(plan, history), &quotes, budget, attempts, committed).expect("small sums")
}

fn factor(text: &str) -> Option<(String, Micros)> {
    Some((text.to_owned(), text.parse().expect("a number")))
}

#[test]
fn floor_is_one_try_each_and_ceiling_all_of_them() {
    let plan = sample::plan(2);
    let estimate = of(&plan, &History::default(), &Budget::default(), 2, &Committed::default());
    assert_eq!(estimate.totals.floor, Sum::exact(Micros::units(8 * 6)));
    assert_eq!(estimate.totals.expected, estimate.totals.floor, "no factor, no forecast");
    assert_eq!(estimate.totals.ceiling, Sum::exact(Micros::units(8 * 6 * 2)));
    assert_eq!(estimate.ceiling_by, CeilingBy::Attempts(2));
    assert_eq!(estimate.finals.count, 6);
    assert_eq!(estimate.finals.floor_each, Some(Sum::exact(Micros::units(8))));
    assert_eq!(estimate.lines[2].unit, Unit::Free);
    assert_eq!(estimate.usd(estimate.totals.floor), Some(Sum::exact("0.24".parse().expect("a number"))));
}

#[test]
fn expected_is_the_floor_times_the_factor_and_rounded_up_once() {
    let plan = sample::plan(2);
    let budget = Budget { iteration: factor("1.000001"), ..Budget::default() };
    let estimate = of(&plan, &History::default(), &budget, 1, &Committed::default());
    assert_eq!(estimate.totals.expected.micros.to_string(), "48.000048");
    let lines: i64 = estimate.lines.iter().map(|line| line.expected.micros.get()).sum();
    assert_eq!(lines, estimate.totals.expected.micros.get());
}

#[test]
fn the_lower_of_tries_and_caps_bounds_the_ceiling() {
    let plan = sample::plan(2);
    let committed = Committed { campaign: Micros::units(40), ..Committed::default() };
    let estimate = of(&plan, &History::default(), &sample::capped(100), 3, &committed);
    assert_eq!((estimate.totals.ceiling, estimate.ceiling_by.clone()), (Sum::exact(Micros::units(60)), CeilingBy::Cap(CapOf::Campaign)));
    let steps = Budget { steps: vec![("surface".into(), Micros::units(50))], ..Budget::default() };
    let estimate = of(&plan, &History::default(), &steps, 3, &Committed::default());
    assert_eq!((estimate.totals.ceiling, estimate.ceiling_by), (Sum::exact(Micros::units(36 + 50)), CeilingBy::StepCaps(3)));
}

#[test]
fn what_is_done_is_reused_and_what_is_in_doubt_is_held_by_name() {
    let plan = sample::plan(2);
    let mut history = History::default();
    sample::done(&mut history, &plan, JobIx(0));
    let failure = Failure::new(FailureClass::Ambiguous, "timeout", "no answer");
    let reserved = Amount::new(Currency::credits("kie"), Micros::units(6));
    sample::knows(&mut history, &plan, JobIx(1), JobState::InDoubt { attempt: AttemptNo(1), reserved: reserved.clone(), failure });
    sample::knows(&mut history, &plan, JobIx(2), JobState::Submitting { attempt: AttemptNo(1), reserved, deadline: Timestamp::from_millis(9) });
    let estimate = of(&plan, &history, &Budget::default(), 1, &Committed::default());
    assert_eq!(estimate.totals.saved, Sum::exact(Micros::units(6)));
    assert_eq!(estimate.totals.floor, Sum::exact(Micros::units(5 * 6)), "neither reused, nor in doubt, nor under way is bought again");
    assert_eq!(estimate.in_doubt.listed(), "`hero[sku=mug]`");
    assert_eq!((estimate.lines[0].counts.reused, estimate.lines[0].counts.in_doubt, estimate.lines[1].counts.resumed), (1, 1, 1));

    let resending = sample::all_work(&plan, &history).resending(&plan, &history, &|_| true);
    let quotes = quotes(&plan, &sample::catalog("kie"));
    let estimate = super::estimate(&plan, &resending, &quotes, &Budget::default(), 1, &Committed::default()).expect("small sums");
    assert_eq!(
        (estimate.totals.floor, estimate.in_doubt.count),
        (Sum::exact(Micros::units(7 * 6)), 0),
        "unless it is to be sent again, and so is what was never answered"
    );
}

#[test]
fn a_task_that_is_under_way_is_paid_for_and_may_fail_and_be_bought_again() {
    let plan = sample::plan(2);
    let reserved = Amount::new(Currency::credits("kie"), Micros::units(6));
    let mut history = History::default();
    let task = crate::types::TaskId::new("t1");
    let running = JobState::Running { attempt: AttemptNo(1), reserved, task, since: Timestamp::from_millis(1) };
    plan.indices().for_each(|ix| sample::done(&mut history, &plan, ix));
    sample::knows(&mut history, &plan, JobIx(2), running);
    let ceiling = |attempts| {
        let told = of(&plan, &history, &Budget::default(), attempts, &Committed::default());
        (told.totals.floor.micros, told.totals.ceiling.micros)
    };
    assert_eq!(ceiling(1), (Micros::ZERO, Micros::ZERO));
    assert_eq!(ceiling(3), (Micros::ZERO, Micros::units(12)), "the second and the third try");
}

#[test]
fn an_unpriced_job_is_named_and_makes_every_total_unsure() {
    let mut plan = sample::plan(3);
    sample::set(&mut plan, 1, |paid| paid.model = "nano-banana-2-lite".into());
    let estimate = of(&plan, &History::default(), &Budget::default(), 1, &Committed::default());
    assert_eq!(estimate.totals.floor, Sum { micros: Micros::units(18), certainty: Certainty::Unknown });
    assert_eq!(estimate.lines[1].unit, Unit::Unpriced);
    let [group] = estimate.unpriced.as_slice() else { panic!("one reason: {:?}", estimate.unpriced) };
    assert_eq!((group.jobs.count, group.jobs.first.len()), (9, crate::pricing::counts::MOST_NAMED));
    assert!(group.jobs.listed().ends_with(" and 4 more"));
}

#[test]
fn a_lower_bound_travels_to_the_totals_and_not_into_other_lines() {
    let book = "book: b\ncurrency: credits\nmodels: { gpt-image-2: { price: { flat: 5 }, prices: { edit: { flat: 7, certainty: lower-bound } } } }";
    let plan = sample::plan(1);
    let quotes = quotes(&plan, &sample::priced(book));
    let estimate =
        estimate(&plan, &sample::all_work(&plan, &History::default()), &quotes, &Budget::default(), 1, &Committed::default()).expect("small");
    assert_eq!(estimate.lines[0].floor, Sum::exact(Micros::units(5)));
    assert_eq!(estimate.totals.floor, Sum { micros: Micros::units(26), certainty: Certainty::LowerBound });
}

proptest! {
    #[test]
    fn lines_and_groups_sum_to_the_totals(heroes in 1_u32..6, states in prop::collection::vec(0_u8..4, 42), factor in 1_000_000_i64..3_000_000, attempts in 1_u32..4) {
        let plan = sample::plan(heroes);
        let mut history = History::default();
        for (ix, state) in plan.indices().zip(states) {
            let reserved = Amount::new(Currency::credits("kie"), Micros::units(6));
            match state {
                0 => sample::done(&mut history, &plan, ix),
                1 => sample::knows(&mut history, &plan, ix, JobState::InDoubt { attempt: AttemptNo(1), reserved, failure: Failure::new(FailureClass::Ambiguous, "t", "") }),
                _ => {}
            }
        }
        let budget = Budget { iteration: Some(("x".to_owned(), Micros::new(factor))), ..Budget::default() };
        let estimate = of(&plan, &history, &budget, attempts, &Committed::default());
        let sum = |part: fn(&StepLine) -> Sum| estimate.lines.iter().map(|line| part(line).micros.get()).sum::<i64>();
        prop_assert_eq!(sum(|line| line.floor), estimate.totals.floor.micros.get());
        prop_assert_eq!(sum(|line| line.expected), estimate.totals.expected.micros.get());
        prop_assert_eq!(sum(|line| line.ceiling), estimate.totals.ceiling.micros.get());
        prop_assert_eq!(sum(|line| line.saved), estimate.totals.saved.micros.get());
        prop_assert_eq!(estimate.totals.expected.micros, estimate.totals.floor.micros.mul_ratio_ceil(factor, 1_000_000).expect("small"));
        prop_assert_eq!(estimate.by_model.iter().map(|line| line.floor.micros.get()).sum::<i64>(), estimate.totals.floor.micros.get());
        for axis in &estimate.by_axis {
            let all = axis.values.iter().chain([&axis.without]).map(|line| line.floor.micros.get()).sum::<i64>();
            prop_assert_eq!(all, estimate.totals.floor.micros.get());
        }
        prop_assert_eq!(estimate.totals.counts.jobs() + estimate.totals.counts.excluded, plan.jobs.len());
    }
}

/// A book of which the second price is certain, a lower bound, or unknown.
fn book(second: u8) -> String {
    let edit = ["{ flat: 7 }", "{ flat: 7, certainty: lower-bound }", "{ certainty: unknown }"][usize::from(second)];
    format!("book: b\ncurrency: credits\nmodels: {{ gpt-image-2: {{ price: {{ flat: 5 }}, prices: {{ edit: {edit} }} }} }}")
}

proptest! {
    #[test]
    fn floor_expected_and_ceiling_stand_in_order(heroes in 1_u32..5, second in 0_u8..3, factor in 1_000_000_i64..4_000_000, attempts in 1_u32..4) {
        let plan = sample::plan(heroes);
        let budget = Budget { iteration: Some(("x".to_owned(), Micros::new(factor))), ..Budget::default() };
        let quotes = quotes(&plan, &sample::priced(&book(second)));
        let estimate = estimate(&plan, &sample::all_work(&plan, &History::default()), &quotes, &budget, attempts, &Committed::default()).expect("small");
        let totals = &estimate.totals;
        prop_assert!(totals.floor.micros <= totals.expected.micros, "the factor is at least 1");
        prop_assert!(totals.floor.micros <= totals.ceiling.micros, "nothing caps it");
        for line in &estimate.lines {
            prop_assert!(line.floor.micros <= line.expected.micros && line.floor.micros <= line.ceiling.micros);
            prop_assert!(totals.floor.certainty >= line.floor.certainty, "a total is never surer than a line");
        }
        prop_assert_eq!(estimate.unpriced_jobs(), estimate.lines.iter().map(|line| line.unpriced).sum::<usize>());
        prop_assert_eq!(estimate.unpriced_jobs() > 0, totals.floor.certainty == Certainty::Unknown);
    }

    #[test]
    fn another_row_never_lowers_the_floor_nor_makes_it_surer(heroes in 1_u32..5, second in 0_u8..3) {
        let of = |heroes| {
            let plan = sample::plan(heroes);
            let quotes = quotes(&plan, &sample::priced(&book(second)));
            estimate(&plan, &sample::all_work(&plan, &History::default()), &quotes, &Budget::default(), 1, &Committed::default()).expect("small").totals
        };
        let (before, after) = (of(heroes), of(heroes + 1));
        prop_assert!(before.floor.micros <= after.floor.micros);
        prop_assert!(before.floor.certainty <= after.floor.certainty);
    }

    #[test]
    fn a_sum_never_becomes_surer_by_what_is_added(parts in prop::collection::vec((0_i64..1_000_000, 0_u8..3), 1..12)) {
        let certainties = [Certainty::Exact, Certainty::LowerBound, Certainty::Unknown];
        let mut sum = Sum::default();
        for (micros, certainty) in parts {
            let next = sum.plus(Micros::new(micros), 1, certainties[usize::from(certainty)]).expect("small");
            prop_assert!(next.certainty >= sum.certainty && next.micros >= sum.micros);
            sum = next;
        }
    }

    #[test]
    fn baselines_with_factors_of_their_own_still_sum_to_the_total(heroes in 1_u32..5, one in 1_000_000_i64..3_000_000, other in 1_000_000_i64..3_000_000) {
        let mut plan = sample::plan(heroes);
        plan.steps[1].baseline = Some("scene".into());
        let learned = |baseline: &str, factor| super::super::Learned { baseline: Some(baseline.into()), finals: 9, pictures: 9, attempts: 9, factor: Some(Micros::new(factor)) };
        let factors = Factors { named: None, learned: vec![learned("pdp", one), learned("scene", other)] };
        let quotes = quotes(&plan, &sample::catalog("kie"));
        let work = sample::all_work(&plan, &History::default());
        let estimate = estimate_by(&plan, &work, &quotes, &Budget::default(), factors, 1, &Committed::default()).expect("small");
        let lines: i64 = estimate.lines.iter().map(|line| line.expected.micros.get()).sum();
        prop_assert_eq!(lines, estimate.totals.expected.micros.get());
        let (name, together) = estimate.factor.expect("there are factors");
        prop_assert_eq!(name, "learned");
        prop_assert!(one.min(other) <= together.get() && together.get() <= one.max(other) + 1, "{} lies between them", together);
    }
}

#[test]
fn rerolls_count_in_the_ceiling_of_a_provider_and_under_its_cap() {
    let mut plan = sample::plan(2);
    plan.steps[1].checks = [crate::types::Check::NotBlank].into();
    plan.steps[1].rerolls = 2;
    let (catalog, work) = (sample::catalog("kie"), sample::all_work(&plan, &History::default()));
    let quotes = quotes(&plan, &catalog);
    let told = |limit: i64| {
        let cap = ProviderCap { limit: Micros::units(limit), committed: Micros::ZERO };
        let lines = by_provider(&plan, &work, &quotes, &catalog, 1, &[("kie".into(), cap)].into()).expect("small sums");
        let whole = estimate(&plan, &work, &quotes, &Budget::default(), 1, &Committed::default()).expect("small sums");
        let told = whole.told_by_provider(lines).expect("small sums");
        (told.by_provider[0].ceiling.micros, told.totals.ceiling.micros, told.ceiling_by)
    };
    // Two heroes at 6 credits, and six surfaces of which each may be made three times.
    assert_eq!(told(200), (Micros::units(120), Micros::units(120), CeilingBy::Attempts(1)));
    assert_eq!(told(60), (Micros::units(60), Micros::units(60), CeilingBy::ProviderCaps));
}

#[test]
fn a_doubt_that_is_bought_again_may_be_rerolled_too() {
    let mut plan = sample::plan(2);
    plan.steps[0].checks = [crate::types::Check::NotBlank].into();
    plan.steps[0].rerolls = 2;
    let mut history = History::default();
    let failure = Failure::new(FailureClass::Ambiguous, "timeout", "no answer");
    let reserved = Amount::new(Currency::credits("kie"), Micros::units(6));
    sample::knows(&mut history, &plan, JobIx(0), JobState::InDoubt { attempt: AttemptNo(1), reserved: reserved.clone(), failure });
    sample::knows(&mut history, &plan, JobIx(1), JobState::Submitting { attempt: AttemptNo(1), reserved, deadline: Timestamp::from_millis(9) });
    let work = sample::all_work(&plan, &history).resending(&plan, &history, &|_| true);
    let told = estimate(&plan, &work, &quotes(&plan, &sample::catalog("kie")), &Budget::default(), 1, &Committed::default()).expect("small sums");
    assert_eq!(told.lines[0].ceiling, Sum::exact(Micros::units(2 * 3 * 6)), "two heroes, each three times");
}

#[test]
fn rerolls_of_a_picture_that_two_shots_share_are_counted_once() {
    let mut plan = sample::plan(2);
    plan.steps[0].checks = [crate::types::Check::NotBlank].into();
    plan.steps[0].rerolls = 2;
    plan.twins.insert(JobIx(1), JobIx(0));
    let told = of(&plan, &History::default(), &Budget::default(), 1, &Committed::default());
    assert_eq!((told.lines[0].ceiling, told.rerolls), (Sum::exact(Micros::units(3 * 6)), 2));
}

#[test]
fn rerolls_count_in_the_ceiling_and_not_a_second_time_in_what_is_expected() {
    let of = |rerolls: u32| {
        let mut plan = sample::plan(2);
        plan.steps[1].checks = [crate::types::Check::NotBlank].into();
        plan.steps[1].rerolls = rerolls;
        let budget = Budget { iteration: Some(("explore".to_owned(), Micros::new(1_800_000))), ..Budget::default() };
        let work = sample::all_work(&plan, &History::default());
        estimate(&plan, &work, &quotes(&plan, &sample::catalog("kie")), &budget, 2, &Committed::default()).expect("small sums")
    };
    let (plain, rerolled) = (of(0), of(2));
    assert_eq!((rerolled.totals.floor, rerolled.totals.expected), (plain.totals.floor, plain.totals.expected));
    // Six surfaces at 6 credits, twice more each.
    let more = rerolled.totals.ceiling.micros.checked_sub(plain.totals.ceiling.micros);
    assert_eq!((more, rerolled.rerolls, plain.rerolls), (Ok(Micros::units(72)), 12, 0));
}
