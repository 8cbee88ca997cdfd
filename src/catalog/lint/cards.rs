//! A book against the cards of what is sold by it: what can be asked for and has no price, what has a price and cannot be asked for.
//!
//! In: a book and cards. Out: warnings. Never: a second way of reckoning: every combination that a card offers is quoted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::book::{BookModel, PriceBook};
use super::super::card::{Aspect, ModelCard, OperationCard};
use super::super::price::{PriceEntry, PriceKey, PriceKind, PriceTable};
use super::super::quote::{QuoteInput, Unpriced};
use crate::types::diagnostic::listed;
use crate::types::{Action, Diagnostic, Diagnostics, DocId, FieldPath, PixelSize, Settings};

/// The main input of every question: what nearly every model calls 1K.
const USUAL: PixelSize = PixelSize::new(1024, 1024);

/// Most combinations of one card that are quoted: ours have some hundred, a card of millions should not stop the check.
const MOST_CHOICES: usize = 20_000;

/// How many words a message names.
const MOST_NAMED: usize = 8;

impl PriceBook {
    /// Returns gaps and dead prices: a model's card is the one in the book, else the one in `offered`. Models without a card are not judged.
    pub fn lint_cards(&self, doc: DocId, offered: &BTreeMap<Arc<str>, ModelCard>) -> Diagnostics {
        let models = FieldPath::root(doc).key("models");
        let mut found = Diagnostics::new();
        for (name, model) in &self.models {
            let theirs = || offered.iter().find(|(id, _)| self.own_name(id) == Some(name)).map(|(_, card)| card);
            if let Some(card) = model.card.as_ref().or_else(theirs) {
                Judged { book: self, name, model, card, at: models.key(name) }.judge(&mut found);
            }
        }
        for (id, card) in offered.iter().filter(|(id, _)| self.own_name(id).is_none()) {
            let message = format!("the provider offers `{id}` ({}), and the book has no price of it", card.title);
            found.push(Diagnostic::warning("unpriced-model", models.clone(), message).help("add it, with `certainty: unknown` if no price is known"));
        }
        found
    }
}

/// Something that can be asked for and has no price.
struct Gap {
    at: FieldPath,
    lacks: String,
    help: String,
    actions: BTreeSet<Action>,
}

/// One model of a book and what it can be asked for.
struct Judged<'a> {
    book: &'a PriceBook,
    name: &'a str,
    model: &'a BookModel,
    card: &'a ModelCard,
    at: FieldPath,
}

impl Judged<'_> {
    fn judge(&self, found: &mut Diagnostics) {
        let mut gaps: Vec<Gap> = Vec::new();
        for (action, operation) in &self.card.operations {
            match self.model.entry(*action) {
                None => {
                    let priced = listed(self.model.prices.keys().map(|action| action.as_str()), MOST_NAMED);
                    let message = format!("`{}` can be asked to `{action}`, and only {priced} is priced", self.name);
                    let help = format!("add a price of `{action}`, with `certainty: unknown` if none is known");
                    found.push(Diagnostic::warning("unpriced-action", self.at.key("prices"), message).help(help));
                }
                Some(entry) => self.gaps(*action, operation, entry, &mut gaps),
            }
        }
        for gap in gaps {
            let asked = listed(gap.actions.iter().map(|action| action.as_str()), MOST_NAMED);
            let message = format!("`{}` can be asked to {asked} {}", self.name, gap.lacks);
            found.push(Diagnostic::warning("unpriced-choice", gap.at, message).help(gap.help));
        }
        self.dead_entries(found);
        if let Some(entry) = &self.model.price {
            let left = self.card.operations.iter().filter(|(action, _)| !self.model.prices.contains_key(action));
            self.dead_rows(entry, &self.at.key("price"), &left.map(|(_, card)| card).collect::<Vec<_>>(), found);
        }
        for (action, entry) in &self.model.prices {
            let asked: Vec<_> = self.card.operations.get(action).into_iter().collect();
            self.dead_rows(entry, &self.at.key("prices").key(action.as_str()), &asked, found);
        }
    }

    /// Quotes everything that the card offers for an action.
    fn gaps(&self, action: Action, card: &OperationCard, entry: &PriceEntry, gaps: &mut Vec<Gap>) {
        let at = if self.model.prices.contains_key(&action) { self.at.key("prices").key(action.as_str()) } else { self.at.key("price") };
        let at = match entry.kind {
            PriceKind::Table(_) => at.key("table"),
            PriceKind::Tokens(_) => at.key("tokens"),
            PriceKind::BaseMegapixels(_) => at.key("base-megapixels").key("factor"),
            _ => at,
        };
        for settings in offered(card) {
            let input = (action != Action::Generate).then_some(USUAL);
            let output = card.output_size(&settings, input);
            let asked = QuoteInput { model: self.name, action, settings: &settings, input, output, references: 0, prompt_chars: 0 };
            let (lacks, help) = match self.book.quote(&asked) {
                Err(Unpriced::Row { key, asked, .. }) => {
                    let is_class = key == PriceKey::OutputClass.to_string();
                    let help = if is_class { "add a class that reaches as far".to_owned() } else { format!("add the row `{asked}`") };
                    (format!("with {key} `{asked}`, and there is no such row"), help)
                }
                Err(Unpriced::Unset { key, .. }) if !leaves_open(card, &key) => {
                    let help = "price it without that key, or name the choices in the card".to_owned();
                    (format!("without a choice of {key}, and the price depends on it"), help)
                }
                _ => continue,
            };
            match gaps.iter_mut().find(|gap| gap.at == at && gap.lacks == lacks) {
                Some(gap) => drop(gap.actions.insert(action)),
                None => gaps.push(Gap { at: at.clone(), lacks, help, actions: BTreeSet::from([action]) }),
            }
        }
    }

    /// Finds prices of actions that the card does not offer.
    fn dead_entries(&self, found: &mut Diagnostics) {
        let mut dead = |at: FieldPath, message: String| found.push(Diagnostic::warning("dead-price", at, message).help("take it out"));
        for action in self.model.prices.keys().filter(|action| !self.card.operations.contains_key(action)) {
            dead(self.at.key("prices").key(action.as_str()).at_key(), format!("`{}` cannot be asked to `{action}`", self.name));
        }
        let all_named = self.card.operations.keys().all(|action| self.model.prices.contains_key(action));
        if self.model.price.is_some() && !self.model.prices.is_empty() && all_named {
            dead(self.at.key("price").at_key(), format!("`prices` names every action of `{}`, nothing is left for `price`", self.name));
        }
    }

    /// Finds rows that no request under these cards can match.
    fn dead_rows(&self, entry: &PriceEntry, at: &FieldPath, cards: &[&OperationCard], found: &mut Diagnostics) {
        if cards.is_empty() {
            return;
        }
        let offers = |key: PriceKey, word: &str| cards.iter().any(|card| offers(card, key, word));
        let mut dead = |at: FieldPath, row: &str, what: &str| {
            let message = format!("no request to `{}` has {what} `{row}`", self.name);
            found.push(Diagnostic::warning("dead-price", at.at_key(), message).help("take the row out, or spell it as the card does"));
        };
        match &entry.kind {
            PriceKind::Table(table) => {
                for row in table.rows.keys().filter(|row| row.split('/').count() == table.by.len()) {
                    if !cards.iter().any(|card| matches(card, table, row)) {
                        let keys: Vec<String> = table.by.iter().map(ToString::to_string).collect();
                        dead(at.key("table").key(row), row, &keys.join("/"));
                    }
                }
            }
            PriceKind::Tokens(price) => {
                for word in price.output_factors.keys().filter(|word| !offers(PriceKey::Quality, word)) {
                    dead(at.key("tokens").key("output-factors").key(word), word, "quality");
                }
                for word in price.output_resolutions.keys().filter(|word| !offers(PriceKey::Resolution, word)) {
                    dead(at.key("tokens").key("output-resolutions").key(word), word, "resolution");
                }
                for row in price.output_table.keys() {
                    if row.split_once('/').is_some_and(|(_, quality)| !offers(PriceKey::Quality, quality)) {
                        dead(at.key("tokens").key("output-table").key(row), row, "size and quality");
                    }
                }
            }
            PriceKind::BaseMegapixels(price) => {
                for scale in price.factor.keys().filter(|scale| !offers(PriceKey::Scale, scale)) {
                    dead(at.key("base-megapixels").key("factor").key(scale), scale, "scale");
                }
            }
            PriceKind::Flat(_) | PriceKind::PerMegapixel(_) | PriceKind::PerCall(_) | PriceKind::Unknown => {}
        }
    }
}

/// Returns whether a request under the card can match the row.
fn matches(card: &OperationCard, table: &PriceTable, row: &str) -> bool {
    table.by.iter().zip(row.split('/')).all(|(key, word)| match key {
        PriceKey::OutputClass => table.classes.contains_key(word),
        _ => offers(card, *key, word),
    })
}

/// Returns whether a request under the card can have this word; a card that lists no resolutions accepts any.
fn offers(card: &OperationCard, key: PriceKey, word: &str) -> bool {
    match key {
        PriceKey::Resolution => card.resolutions.as_ref().is_none_or(|has| has.contains_key(word)),
        PriceKey::Quality => card.qualities.iter().any(|has| **has == *word),
        PriceKey::Speed => card.speeds.iter().any(|has| **has == *word),
        PriceKey::Scale => card.scales.iter().any(|has| format!("{has}x") == word),
        PriceKey::OutputClass => true,
    }
}

/// Returns whether the card accepts any word for a key, so that none can be asked here.
fn leaves_open(card: &OperationCard, key: &str) -> bool {
    key == "resolution" && card.resolutions.is_none()
}

/// Returns every combination of choices that the card offers, holes left out.
fn offered(card: &OperationCard) -> Vec<Settings> {
    let words = |list: &[Arc<str>]| -> Vec<Option<Arc<str>>> { or_none(list.iter().cloned()) };
    let aspects = or_none(card.aspects.iter().flatten().filter_map(|aspect| match aspect {
        Aspect::Ratio(ratio) => Some(*ratio),
        Aspect::Auto => None,
    }));
    let resolutions = or_none(card.resolutions.iter().flat_map(|all| all.keys().cloned()));
    let scales = or_none(card.scales.iter().copied());
    let mut all = Vec::new();
    for aspect in &aspects {
        for resolution in &resolutions {
            for quality in &words(&card.qualities) {
                for speed in &words(&card.speeds) {
                    for scale in &scales {
                        let choice = Settings {
                            aspect: *aspect,
                            resolution: resolution.clone(),
                            quality: quality.clone(),
                            speed: speed.clone(),
                            scale: *scale,
                            ..Settings::default()
                        };
                        if all.len() == MOST_CHOICES {
                            return all;
                        }
                        let settled = card.settle(&choice);
                        if card.fit(&settled, 0, 0).is_empty() {
                            all.push(settled);
                        }
                    }
                }
            }
        }
    }
    all
}

fn or_none<T>(choices: impl Iterator<Item = T>) -> Vec<Option<T>> {
    let some: Vec<Option<T>> = choices.map(Some).collect();
    if some.is_empty() { vec![None] } else { some }
}
