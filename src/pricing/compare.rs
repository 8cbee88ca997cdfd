//! One plan on several price books, beside each other.
//!
//! In: a plan with its worklist, and for each book its prices and what its models can do. Out: one [`Offer`] a book.
//! Never: two currencies in one sum; a book called cheapest that lacks a price or cannot do what the plan asks.

use std::sync::Arc;

use super::estimate::{Committed, Estimate, estimate_by};
use super::learned::Factors;
use super::quote::{Quotes, quotes_settled};
use super::sum::Sum;
use super::what_if::{Basis, WhatIf, suppose};
use crate::campaign::Budget;
use crate::catalog::{Catalog, Certainty, Unfit};
use crate::plan::{JobIx, Plan, PlannedStep, Work, Worklist};
use crate::types::diagnostic::listed;
use crate::types::{Currency, InputRole, Micros, MoneyError, Operation, Settings};

/// What one book offers for a plan.
#[derive(Debug, Clone)]
pub struct Offer {
    /// What the plan costs there.
    pub estimate: Estimate,
    /// What the plan asks for and cannot be had there.
    pub lacks: Vec<Lack>,
    /// Settings that the plan leaves open and its models settle there in their own way, by step: "quality `medium`".
    pub assumed: Vec<(Arc<str>, String)>,
}

/// Something that a step asks for and a book's models cannot do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// The step.
    pub step: Arc<str>,
    /// The model.
    pub model: Arc<str>,
    /// What it cannot do.
    pub what: String,
    /// What there is instead.
    pub help: Option<String>,
}

/// What all books are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What is left of it.
    pub work: &'a Worklist,
    /// The iteration factors.
    pub factors: &'a Factors,
    /// Paid tries that a job may use in one run.
    pub attempts: u32,
    /// What is supposed instead of what is.
    pub what_if: Option<&'a WhatIf>,
}

/// Prices the plan on one book.
///
/// `budget` with what is committed is given for the book that the campaign itself names: a cap is money of one book and says nothing on
/// another. `catalog` holds the book, and the cards of those who sell at its prices: the provider's, or the book's own.
///
/// # Errors
/// [`MoneyError::Overflow`] if a sum does not fit (over 9.2 trillion units).
pub fn offer(asked: &Asked<'_>, catalog: &Catalog, budget: Option<(&Budget, &Committed)>) -> Result<Offer, MoneyError> {
    let quotes = quotes_settled(asked.plan, catalog);
    let (none, nothing) = (Budget::default(), Committed::default());
    let (budget, committed) = budget.unwrap_or((&none, &nothing));
    let (lacks, assumed) = lacks(asked.plan, asked.work, catalog);
    Ok(Offer { estimate: priced(asked, &quotes, budget, committed)?, lacks, assumed })
}

fn priced(asked: &Asked<'_>, quotes: &Quotes, budget: &Budget, committed: &Committed) -> Result<Estimate, MoneyError> {
    let Asked { plan, work, factors, attempts, what_if } = asked;
    match what_if {
        Some(what_if) => suppose(what_if, Basis { plan, worklist: work, quotes, attempts: *attempts }, budget, (*factors).clone(), committed),
        None => estimate_by(plan, work, quotes, budget, (*factors).clone(), *attempts, committed),
    }
}

/// Finds what the steps ask for and the catalog's models cannot do. A model that the catalog has no card of is not judged.
fn lacks(plan: &Plan, work: &Worklist, catalog: &Catalog) -> (Vec<Lack>, Vec<(Arc<str>, String)>) {
    let (mut lacks, mut assumed) = (Vec::new(), Vec::new());
    for step in plan.steps.iter().filter(|step| step.action.is_some()) {
        let Some(first) = step.jobs.clone().map(JobIx).find(|ix| work.work(*ix) != Work::Excluded) else { continue };
        let Operation::Paid(paid) = &plan.job(first).operation else { continue };
        let Some(card) = catalog.card(&paid.model) else { continue };
        let lack = |what: String, help: Option<String>| Lack { step: Arc::clone(&step.name), model: Arc::clone(&paid.model), what, help };
        let Some(operation) = card.operation(paid.action) else {
            let can = listed(card.operations.keys().map(|action| action.as_str()), 8);
            lacks.push(lack(format!("cannot `{}`", paid.action), Some(format!("it can {can}"))));
            continue;
        };
        let references = plan.inputs(first).iter().filter(|input| matches!(input.role, InputRole::Reference(_))).count();
        let settled = operation.settle(&paid.settings);
        assumed.extend(differences(&paid.settings, &settled).into_iter().map(|what| (Arc::clone(&step.name), what)));
        let found = operation.fit(&settled, 0, references);
        for unfit in found.iter().filter(|unfit| matters(unfit)) {
            let what = unfit.to_string();
            let help = unfit.help().filter(|help| !what.contains(help));
            lacks.push(lack(what, help));
        }
        if let Some(limit) = operation.prompt_limit {
            lacks.extend(too_long(plan, work, step, limit).map(|what| lack(what, None)));
        }
    }
    (lacks, assumed)
}

/// Returns what settling has added.
fn differences(said: &Settings, settled: &Settings) -> Vec<String> {
    let words = [
        ("aspect", said.aspect.map(|ratio| ratio.to_string()), settled.aspect.map(|ratio| ratio.to_string())),
        ("resolution", said.resolution.as_deref().map(str::to_owned), settled.resolution.as_deref().map(str::to_owned)),
        ("quality", said.quality.as_deref().map(str::to_owned), settled.quality.as_deref().map(str::to_owned)),
        ("speed", said.speed.as_deref().map(str::to_owned), settled.speed.as_deref().map(str::to_owned)),
        ("scale", said.scale.map(|scale| scale.to_string()), settled.scale.map(|scale| scale.to_string())),
    ];
    words.into_iter().filter(|(_, said, settled)| said != settled).filter_map(|(name, _, settled)| Some(format!("{name} `{}`", settled?))).collect()
}

/// Returns whether a misfit shows in the picture. How fast and how thoroughly a model works is tuned in each product's own words, and
/// has been settled in those of the campaign's own models.
fn matters(unfit: &Unfit) -> bool {
    !matches!(unfit, Unfit::NotTaken { setting: "quality" | "speed" | "format" | "seed", .. } | Unfit::Quality { .. } | Unfit::Speed { .. })
}

fn too_long(plan: &Plan, work: &Worklist, step: &PlannedStep, limit: usize) -> Option<String> {
    let selected = step.jobs.clone().map(JobIx).filter(|ix| work.work(*ix) != Work::Excluded);
    // Most prompts are far too short: bytes are counted first, there are never fewer of them than characters.
    let long = selected.map(|ix| &plan.job(ix).prompt).filter(|prompt| prompt.len() > limit && prompt.chars().count() > limit);
    let (count, longest) = long.fold((0_usize, 0), |(count, longest), prompt| (count + 1, longest.max(prompt.chars().count())));
    let prompts = if count == 1 { "1 prompt has".to_owned() } else { format!("{count} prompts have") };
    (count > 0).then(|| format!("{prompts} up to {longest} characters; the model takes at most {limit}"))
}

/// Which offer is the cheapest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cheapest {
    /// Its place.
    pub offer: usize,
    /// Whether every price behind it is exact: a lower bound may turn out dearer.
    pub is_sure: bool,
}

/// Finds the offer with the lowest floor among those that can be compared: everything priced, everything possible, and counted in one
/// currency or in USD by rates that the books state. `None` when there are not two of them.
pub fn cheapest(offers: &[Offer]) -> Option<Cheapest> {
    let sound = |offer: &Offer| offer.lacks.is_empty() && offer.estimate.totals.floor.certainty != Certainty::Unknown;
    let mut groups: Vec<(Currency, Vec<(usize, Sum)>)> = Vec::new();
    for (place, offer) in offers.iter().enumerate().filter(|(_, offer)| sound(offer)) {
        let floor = offer.estimate.totals.floor;
        let (currency, floor) = match offer.estimate.usd(floor) {
            Some(usd) => (Currency::Usd, usd),
            None => (offer.estimate.book.currency.clone(), floor),
        };
        match groups.iter_mut().find(|(known, _)| *known == currency) {
            Some((_, group)) => group.push((place, floor)),
            None => groups.push((currency, vec![(place, floor)])),
        }
    }
    let (_, group) = groups.into_iter().filter(|(_, group)| group.len() > 1).max_by_key(|(_, group)| group.len())?;
    let lowest = |(_, floor): &(usize, Sum)| -> (Micros, Certainty) { (floor.micros, floor.certainty) };
    group.into_iter().min_by_key(lowest).map(|(offer, floor)| Cheapest { offer, is_sure: floor.is_exact() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::History;
    use crate::pricing::sample;

    fn offered(plan: &Plan, catalogs: &[Catalog]) -> Vec<Offer> {
        let work = sample::all_work(plan, &History::default());
        let factors = Factors::default();
        let asked = Asked { plan, work: &work, factors: &factors, attempts: 1, what_if: None };
        catalogs.iter().map(|catalog| offer(&asked, catalog, None).expect("small sums")).collect()
    }

    fn book(name: &str, rate: &str, price: &str, card: &str) -> Catalog {
        let text = format!("book: {name}\ncurrency: credits\n{rate}\nmodels: {{ gpt-image-2: {{ price: {price}, {card} }} }}");
        let mut catalog = sample::priced(&text);
        catalog.cards = catalog.book.cards();
        catalog
    }

    #[test]
    fn each_book_says_what_it_lacks_and_only_comparable_ones_are_called_cheapest() {
        let plan = sample::plan(2);
        let cannot_edit = "card: { operations: { generate: { aspects: [\"1:1\"], prompt-limit: 10 } } }";
        let offers = offered(
            &plan,
            &[
                book("dear", "usd-per-credit: 0.01", "{ flat: 9 }", "card: { operations: { generate: {}, edit: {} } }"),
                book("square", "usd-per-credit: 0.01", "{ flat: 1 }", cannot_edit),
                book("bound", "usd-per-credit: 0.01", "{ flat: 2, certainty: lower-bound }", "aliases: []"),
                book("rateless", "", "{ flat: 1 }", "aliases: []"),
                book("silent", "usd-per-credit: 0.01", "{ certainty: unknown }", "aliases: []"),
            ],
        );
        let told: Vec<String> =
            offers[1].lacks.iter().map(|lack| format!("{}: {}; {}", lack.step, lack.what, lack.help.as_deref().unwrap_or("-"))).collect();
        insta::assert_snapshot!(told.join("\n"), @"
        hero: aspect `4:5` is not offered; it has `1:1`
        hero: 2 prompts have up to 25 characters; the model takes at most 10; -
        surface: cannot `edit`; it can `generate`
        ");
        assert_eq!(offers[4].estimate.unpriced_jobs(), 8);
        assert_eq!(cheapest(&offers), Some(Cheapest { offer: 2, is_sure: false }), "of the two that price all, can do all and state a rate");
        assert_eq!(cheapest(&offers[..2]), None, "one alone is not the cheapest of anything");
        assert_eq!(cheapest(&[offers[0].clone(), offers[3].clone()]), None, "credits without a rate compare with nothing");
    }
}
