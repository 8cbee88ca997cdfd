use super::*;
use crate::plan::sample::Hand;
use crate::plan::{Selection, SidePrice, diff};
use crate::pricing::delta::CountedIn;
use crate::pricing::{quotes, sample};

fn line(action: PolicyAction, limit: PolicyLimit) -> PolicyLine {
    PolicyLine { action, limit, because: Some("finance signs above this".to_owned()) }
}

fn total(figure: Figure, most: i64) -> PolicyLine {
    line(PolicyAction::Deny, PolicyLimit::Total { figure, most: Micros::units(most) })
}

/// Two products: 8 paid pictures of 6 credits, 48 credits.
fn whole(change: impl Fn(&mut crate::plan::Plan)) -> Whole {
    let mut plan = sample::plan(2);
    change(&mut plan);
    let quotes = quotes(&plan, &sample::catalog("kie"));
    Whole::of(&plan, &quotes, &Selection::all(), Some(Micros::new(1_200_000)), 2).expect("small sums")
}

fn credits() -> CountedIn {
    CountedIn { currency: Currency::credits("kie"), usd_per_credit: None }
}

fn said(lines: &[PolicyLine], whole: &Whole, delta: Option<&Delta>) -> String {
    let verdicts = judge(lines, whole, delta, &Currency::credits("kie"));
    let word = |verdict: &PolicyVerdict| {
        if verdict.denies() {
            "denied"
        } else if verdict.warns() {
            "warned"
        } else {
            "passed"
        }
    };
    verdicts.iter().map(|verdict| format!("{}: {verdict}", word(verdict))).collect::<Vec<_>>().join("\n")
}

fn heroes(count: usize) -> Hand {
    (0..count).fold(Hand::new(), |plan, sku| plan.job(&format!("hero[sku={sku}]"), &format!("a {sku}"), &[]))
}

fn delta(before: &Hand, after: &Hand) -> Delta {
    Delta::of(&diff(before, after), (before, credits()), (after, credits())).expect("small sums")
}

#[test]
fn a_total_is_judged_by_the_figure_that_the_line_names() {
    let lines = [total(Figure::Floor, 48), total(Figure::Floor, 47), total(Figure::Expected, 57), total(Figure::Ceiling, 95)];
    insta::assert_snapshot!(said(&lines, &whole(|_| {}), None), @r"
    passed: the total is 48 credits, not above 48 credits
    denied: the total is 48 credits: above 47 credits (finance signs above this)
    denied: the expected total is 57.6 credits: above 57 credits (finance signs above this)
    denied: the total at all tries is 96 credits: above 95 credits (finance signs above this)
    ");
}

#[test]
fn what_has_no_price_is_never_taken_for_nothing() {
    let whole = whole(|plan| {
        for ix in 0..2 {
            if let crate::types::Operation::Paid(paid) = &mut plan.jobs[ix].operation {
                std::sync::Arc::make_mut(paid).model = "nano-banana-2-lite".into();
            }
        }
    });
    insta::assert_snapshot!(said(&[total(Figure::Floor, 48), total(Figure::Floor, 10)], &whole, None), @r"
    passed: above 48 credits: not judged, the total is 36 credits and what has no price: shots without a price may take it above
    denied: the total is 36 credits and what has no price: above 10 credits (finance signs above this)
    ");
}

#[test]
fn what_a_plan_grows_by_is_judged_beside_another() {
    let lines = [
        line(PolicyAction::Warn, PolicyLimit::Delta(Micros::units(6))),
        line(PolicyAction::Deny, PolicyLimit::Delta(Micros::units(5))),
        line(PolicyAction::Deny, PolicyLimit::Percent(2_500)),
        line(PolicyAction::Warn, PolicyLimit::Percent(2_499)),
    ];
    let whole = whole(|_| {});
    insta::assert_snapshot!(said(&lines, &whole, Some(&delta(&heroes(4), &heroes(5)))), @r"
    passed: the total changes by +6 credits, not above +6 credits
    denied: the total changes by +6 credits: above +5 credits (finance signs above this)
    passed: the total changes by +25%, not above +25%
    warned: the total changes by +25%: above +24.99% (finance signs above this)
    ");
    insta::assert_snapshot!(said(&lines, &whole, Some(&delta(&heroes(5), &heroes(3)))), @r"
    passed: the total changes by -12 credits, not above +6 credits
    passed: the total changes by -12 credits, not above +5 credits
    passed: the total changes by -40%, not above +25%
    passed: the total changes by -40%, not above +24.99%
    ");
    insta::assert_snapshot!(said(&lines[1..3], &whole, Some(&delta(&heroes(0), &heroes(5)))), @r"
    denied: the total changes by +30 credits: above +5 credits (finance signs above this)
    passed: above +25%: not judged, nothing was paid before, so there is nothing to take a share of
    ");
    insta::assert_snapshot!(said(&lines[1..3], &whole, None), @r"
    passed: above +5 credits: not judged, it is about what a plan grows by: `plan --base REV`
    passed: above +25%: not judged, it is about what a plan grows by: `plan --base REV`
    ");
    let dearer = heroes(4).priced("evening", "x", &[], SidePrice::Unpriced);
    insta::assert_snapshot!(said(&lines[2..3], &whole, Some(&delta(&heroes(4), &dearer))), @"passed: above +25%: not judged, the total changes by 0%: shots without a price may take it above");
}

#[test]
fn hundredths_of_a_per_cent_are_written_short() {
    for (hundredths, text) in [(0, "0%"), (2_000, "20%"), (1_250, "12.5%"), (1_205, "12.05%"), (-5, "-0.05%"), (15_000, "150%")] {
        assert_eq!(percent(hundredths), text);
    }
}
