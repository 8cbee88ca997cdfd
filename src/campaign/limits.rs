//! Budget and run settings, in the book's own currency.

use std::sync::Arc;

use super::{Budget, RunSettings, policy};
use crate::catalog::{Catalog, PriceBook, builtin};
use crate::spec::{CampaignSpec, IterationSpec, MoneySpec, ProfileSpec};
use crate::types::diagnostic::{did_you_mean, listed};
use crate::types::{Currency, Diagnostic, Diagnostics, FieldPath, Micros};

/// Shots under way at once unless the author says otherwise.
const CONCURRENCY: u32 = 16;

/// Paid tries of a shot in one run unless the author says otherwise.
const ATTEMPTS: u32 = 2;

/// Largest number of shots unless the author says otherwise.
const MAX_JOBS: u64 = 100_000;

/// Returns the budget in the book's currency.
pub fn budget(spec: &CampaignSpec, profile: Option<(&str, &ProfileSpec)>, catalog: &Catalog, found: &mut Diagnostics) -> Budget {
    let book = catalog.counted_in();
    let at = FieldPath::campaign().key("budget");
    let cap = spec.budget.cap.as_ref().and_then(|cap| money(cap, &at.key("cap"), book, found));
    let profile_cap = profile.and_then(|(name, profile)| {
        let at = FieldPath::campaign().key("profiles").key(name).key("budget").key("cap");
        profile.budget.cap.as_ref().and_then(|cap| money(cap, &at, book, found))
    });
    let mut steps = Vec::new();
    for (name, cap) in &spec.budget.steps {
        let at = at.key("steps").key(name);
        match spec.steps.get(name) {
            None => {
                let help = match did_you_mean(name, spec.steps.keys().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("steps are {}", listed(spec.steps.keys(), 12)),
                };
                found.push(Diagnostic::error("unknown-step", at.at_key(), format!("there is no step `{name}` to cap")).help(help));
            }
            Some(step) if step.kind().action().is_none() => {
                found.push(
                    Diagnostic::error("free-step-cap", at.at_key(), format!("step `{name}` is local and free: a cap on it does nothing"))
                        .help("remove the line"),
                );
            }
            Some(_) => steps.extend(money(cap, &at, book, found).map(|cap| (Arc::from(name.as_str()), cap))),
        }
    }
    let iteration = spec.budget.iteration.as_ref().and_then(|factor| iteration(factor, &at.key("iteration"), found));
    let learns = matches!(spec.budget.iteration, Some(IterationSpec::Learned { .. }));
    if spec.budget.warn_at.is_some() && cap.is_none() && profile_cap.is_none() {
        let finding = Diagnostic::error("warn-without-cap", at.key("warn-at").at_key(), "`warn-at` is a share of a cap, and there is no cap");
        found.push(finding.help("add `cap`, or remove the line"));
    }
    let policy = policy::lines(&spec.budget.policy, book, found);
    let providers = provider_caps(spec, catalog, found);
    Budget { cap, profile_cap, steps, providers, iteration, learns, warn_at: spec.budget.warn_at.map(|share| share.0), policy }
}

/// Returns the caps on single providers, each in the currency of its own book.
fn provider_caps(spec: &CampaignSpec, catalog: &Catalog, found: &mut Diagnostics) -> Vec<(Arc<str>, Micros)> {
    let mut caps = Vec::new();
    for (name, account) in &spec.providers {
        let (Some(cap), Some(seller)) = (&account.cap, catalog.called(name)) else { continue };
        let at = FieldPath::campaign().key("providers").key(name).key("cap");
        caps.extend(money(cap, &at, &seller.book, found).map(|cap| (Arc::clone(&seller.provider), cap)));
    }
    caps
}

/// Returns an amount in the book's currency.
pub(super) fn money(money: &MoneySpec, at: &FieldPath, book: &PriceBook, found: &mut Diagnostics) -> Option<Micros> {
    let wrong = |message: String, help: String| Diagnostic::error("currency", at.clone(), message).help(help);
    match (&book.currency, money.usd) {
        (Currency::Usd, true) | (Currency::Credits(_), false) => Some(money.micros),
        (Currency::Usd, false) => {
            // Never the same figure in dollars: as credits it may have been a hundredth of that.
            let help = "say how many dollars, like \"USD 12.50\"; a number alone means credits";
            found.push(wrong(format!("book `{}` counts in dollars", book.name), help.to_owned()));
            None
        }
        (Currency::Credits(_), true) => match book.usd_per_credit {
            // Rounded down: a cap in dollars is never passed by the rounding of its credits.
            Some(rate) if rate > Micros::ZERO => {
                let credits = i128::from(money.micros.get()) * 1_000_000 / i128::from(rate.get());
                Some(Micros::new(i64::try_from(credits).unwrap_or(i64::MAX)))
            }
            _ => {
                let message = format!("book `{}` counts in credits and states no rate to dollars", book.name);
                found.push(wrong(message, "write the amount in credits, as a plain number".to_owned()));
                None
            }
        },
    }
}

/// What stands in for `learned` unless the author says otherwise: the calmest way of working.
const STAND_IN: &str = "strict";

fn iteration(factor: &IterationSpec, at: &FieldPath, found: &mut Diagnostics) -> Option<(String, Micros)> {
    match factor {
        IterationSpec::Learned { fallback: None } => builtin::iteration_factor(STAND_IN).map(|factor| (STAND_IN.to_owned(), factor)),
        IterationSpec::Learned { fallback: Some(fallback) } => iteration(fallback, &at.key("learned"), found),
        IterationSpec::Factor(factor) => Some((factor.to_string(), *factor)),
        IterationSpec::Named(name) => {
            let factor = builtin::iteration_factor(name);
            if factor.is_none() {
                let names = builtin::iteration_factors().iter().map(|(name, _)| *name);
                let help = match did_you_mean(name, names.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("there are {}, `learned`, or a number of at least 1", listed(names, 8)),
                };
                found.push(Diagnostic::error("unknown-iteration", at.clone(), format!("there is no iteration profile `{name}`")).help(help));
            }
            factor.map(|factor| (name.clone(), factor))
        }
    }
}

/// Returns the run settings.
pub fn run(spec: &CampaignSpec) -> RunSettings {
    RunSettings {
        concurrency: spec.run.concurrency.unwrap_or(CONCURRENCY) as usize,
        stop_after: spec.run.stop_after_failures,
        attempts: spec.run.attempts.unwrap_or(ATTEMPTS),
        max_jobs: spec.run.max_jobs.unwrap_or(MAX_JOBS),
    }
}
