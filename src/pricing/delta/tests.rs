use proptest::prelude::*;

use super::*;
use crate::plan::diff;
use crate::plan::sample::Hand;

fn credits(rate: Option<i64>) -> CountedIn {
    CountedIn { currency: Currency::credits("kie"), usd_per_credit: rate.map(Micros::new) }
}

fn of(base: &Hand, current: &Hand) -> Delta {
    Delta::of(&diff(base, current), (base, credits(Some(5_000))), (current, credits(Some(5_000)))).expect("small sums")
}

fn exact(units: i64) -> Sum {
    Sum::exact(Micros::units(units))
}

#[test]
fn every_step_has_both_sums_and_the_total_has_them_all() {
    let base = Hand::new().job("hero[sku=a]", "a", &[]).job("hero[sku=b]", "b", &[]).job("old", "x", &[]);
    let current = Hand::new().job("hero[sku=a]", "a", &[]).job("new", "y", &["hero[sku=a]"]).job("local", "", &[]);
    let delta = of(&base, &current);
    let steps: Vec<(Sum, Sum)> = delta.steps.iter().map(|step| (step.before, step.after)).collect();
    assert_eq!(steps, [(exact(12), exact(6)), (exact(0), exact(6)), (exact(0), exact(6)), (exact(6), exact(0))]);
    assert_eq!((delta.total.before, delta.total.after, delta.grown()), (exact(18), exact(18), Ok(Some(exact(0)))));
    assert!(!delta.is_nothing(), "a step has become cheaper, another dearer");
    assert_eq!(delta.usd().map(|usd| usd.after), Some(Sum::exact(Micros::new(90_000))));
}

#[test]
fn one_picture_under_two_addresses_is_paid_once() {
    let twins = Hand::new().job("hero[sku=a]", "a mug", &[]).job("hero[sku=b]", "a mug", &[]);
    assert_eq!(of(&twins, &twins).total.after, exact(6));
}

#[test]
fn two_currencies_have_no_difference_and_dollars_only_where_both_have_a_rate() {
    let base = Hand::new().job("hero", "a mug", &[]);
    let current = base.clone().counted_in(Currency::Usd);
    let dollars = CountedIn { currency: Currency::Usd, usd_per_credit: None };
    let delta = |rate| Delta::of(&diff(&base, &current), (&base, credits(rate)), (&current, dollars.clone())).expect("small sums");
    assert_eq!((delta(Some(5_000)).grown(), delta(Some(5_000)).is_nothing()), (Ok(None), false));
    assert_eq!(delta(None).usd(), None);
    let usd = delta(Some(5_000)).usd().expect("both have a rate");
    assert_eq!((usd.before, usd.after), (Sum::exact(Micros::new(30_000)), exact(6)));
}

#[test]
fn what_has_no_price_is_named_and_makes_the_difference_unsure() {
    let base = Hand::new().job("hero", "a mug", &[]);
    let current = base.clone().priced("evening", "x", &["hero"], SidePrice::Unpriced).priced("local", "", &[], SidePrice::Free);
    let delta = of(&base, &current);
    assert_eq!(delta.unpriced_after, Unpriced { count: 1, first: vec![JobId::new("evening")] });
    assert_eq!(delta.grown(), Ok(Some(Sum { micros: Micros::ZERO, certainty: Certainty::Unknown })));
    let least = Hand::new().priced("hero", "a mug", &[], SidePrice::Priced(Micros::units(7), Certainty::LowerBound));
    assert_eq!(of(&base, &least).grown().expect("small").map(|sum| sum.certainty), Some(Certainty::LowerBound));
}

fn any_plan() -> impl Strategy<Value = Hand> {
    proptest::collection::btree_map(0..8_u8, (0..3_u8, 0..20_i64), 0..8).prop_map(|jobs| {
        jobs.into_iter().fold(Hand::new(), |plan, (place, (prompt, price))| {
            let price = SidePrice::Priced(Micros::units(price), Certainty::Exact);
            plan.priced(&format!("step-{}[sku={place}]", place % 3), &format!("{prompt} of {place}"), &[], price)
        })
    })
}

proptest! {
    #[test]
    fn before_and_delta_make_after(base in any_plan(), current in any_plan()) {
        let delta = of(&base, &current);
        let after = |sums: &BeforeAfter| sums.before.micros.checked_add(sums.delta().expect("small").micros);
        for step in delta.steps.iter().chain([&delta.total]) {
            prop_assert_eq!(after(step), Ok(step.after.micros));
        }
        let sum: i64 = delta.steps.iter().map(|step| step.after.micros.get()).sum();
        prop_assert_eq!(sum, delta.total.after.micros.get());
        let back = of(&current, &base);
        prop_assert_eq!(back.total.delta().expect("small").micros.get(), -delta.total.delta().expect("small").micros.get());
        prop_assert!(of(&base, &base).is_nothing());
    }
}
