//! `plan` on several price books and under suppositions: what is behind `--prices A,B` and `--what-if`.
//!
//! In: an opened campaign with where it stands. Out: text in the format that was asked for. Never: a change to the ledger.

use std::collections::BTreeMap;
use std::path::Path;

use super::console;
use super::context::Opened;
use super::error::{CliError, Outcome};
use super::market::{Said, book_called};
use super::memory::Memory;
use super::standing::{Standing, committed};
use crate::catalog::{Catalog, PriceBook};
use crate::pricing::{Asked, Basis, Gate, WhatIf, WhatIfError, gate, offer, suppose};
use crate::provider::manifest;
use crate::report::side_by_side::{OffersView, offers_csv, offers_json, offers_markdown, offers_table};
use crate::report::what_if::{SupposedView, supposed_csv, supposed_json, supposed_markdown, supposed_table};
use crate::spec::Sources;

/// How a forecast is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// For spreadsheets.
    Csv,
    /// For a pull request.
    Markdown,
}

/// A plan of which more is asked than what it costs now.
pub struct Forecast<'a> {
    /// The campaign.
    pub opened: &'a Opened,
    /// What its workspace remembers.
    pub memory: &'a Memory,
    /// What is left of it.
    pub standing: &'a Standing,
    /// What is supposed instead of what is.
    pub supposed: &'a [Supposed],
    /// Whether shots without a price may pass.
    pub allow_unpriced: bool,
    /// Further sentences.
    pub notes: &'a [String],
    /// How to print it.
    pub form: Form,
}

/// One `--what-if NAME=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supposed {
    name: String,
    value: String,
}

impl std::str::FromStr for Supposed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok(Self { name: name.to_owned(), value: value.to_owned() }),
            _ => Err("write `AXIS=NUMBER` or `iteration=FACTOR`, for example `sku=40`".to_owned()),
        }
    }
}

/// Returns the books of `--prices A,B`; fewer than two names are no comparison.
pub fn several(prices: Option<&str>) -> Option<Vec<String>> {
    let names: Vec<String> = prices?.split(',').map(|name| name.trim().to_owned()).collect();
    (names.len() > 1).then_some(names)
}

impl Forecast<'_> {
    /// Prints the plan on several books.
    ///
    /// # Errors
    /// Books that do not exist or have mistakes, a name that is there twice, suppositions that do not fit the plan.
    pub fn side_by_side(&self, names: &[String]) -> Outcome<()> {
        let Opened { campaign, plan, catalog, .. } = self.opened;
        let what_if = self.what_if()?;
        let work = &self.standing.work;
        let factors = &self.standing.estimate.factors;
        let asked = Asked { plan, work, factors, attempts: campaign.run.attempts, what_if: what_if.as_ref() };
        let mut offers = Vec::with_capacity(names.len());
        for (place, name) in names.iter().enumerate() {
            if name.is_empty() || names[..place].contains(name) {
                return Err(CliError::usage("`--prices` names a book twice, or none between two commas", "for example `--prices kie,openai`"));
            }
            let book = book_called(&Said::Here(name.clone()), Path::new(""), &mut Sources::new())?;
            // On the campaign's own book its own provider sells, and its caps hold.
            if book.digest == catalog.book.digest && catalog.others.is_empty() {
                let (committed, _) = committed(self.opened, self.memory)?;
                offers.push(offer(&asked, catalog, Some((&campaign.budget, &committed)))?);
            } else {
                offers.push(offer(&asked, &with_cards(book), None)?);
            }
        }
        let supposed = what_if.as_ref().map(|what_if| what_if.words(plan)).unwrap_or_default();
        let view = OffersView {
            campaign: &campaign.name,
            profile: campaign.profile.as_deref(),
            offers: &offers,
            own: &catalog.book.name,
            allow_unpriced: self.allow_unpriced,
            supposed: &supposed,
            notes: self.notes,
        };
        console::data(&match self.form {
            Form::Table => offers_table(&view, console::width().unwrap_or(120), true),
            Form::Json => format!("{:#}\n", offers_json(&view)),
            Form::Csv => offers_csv(&view)?,
            Form::Markdown => offers_markdown(&view),
        })
    }

    /// Prints what the plan costs now beside what it would cost.
    ///
    /// # Errors
    /// Suppositions that do not fit the plan, sums that do not fit.
    pub fn supposed(&self) -> Outcome<()> {
        let Opened { campaign, plan, .. } = self.opened;
        let Some(what_if) = self.what_if()? else { return Ok(()) };
        let Standing { estimate: now, quotes, work, .. } = self.standing;
        let (committed, _) = committed(self.opened, self.memory)?;
        let basis = Basis { plan, worklist: work, quotes, attempts: campaign.run.attempts };
        let then = suppose(&what_if, basis, &campaign.budget, now.factors.clone(), &committed)?;
        let verdict = gate(&then, Gate { balance: None, allow_unpriced: self.allow_unpriced, warn_at: campaign.budget.warn_at });
        let supposed = what_if.words(plan);
        let profile = campaign.profile.as_deref();
        let view = SupposedView { campaign: &campaign.name, profile, supposed: &supposed, now, then: &then, verdict: &verdict, notes: self.notes };
        console::data(&match self.form {
            Form::Table => supposed_table(&view, console::width().unwrap_or(120), true),
            Form::Json => format!("{:#}\n", supposed_json(&view)),
            Form::Csv => supposed_csv(&view)?,
            Form::Markdown => supposed_markdown(&view),
        })
    }

    fn what_if(&self) -> Outcome<Option<WhatIf>> {
        let supposed: Vec<(String, String)> = self.supposed.iter().map(|supposed| (supposed.name.clone(), supposed.value.clone())).collect();
        let read = |supposed: &[(String, String)]| -> Result<WhatIf, WhatIfError> { WhatIf::of(&self.opened.plan, supposed) };
        if supposed.is_empty() { Ok(None) } else { Ok(Some(read(&supposed)?)) }
    }
}

/// Brings a book together with what its models can do: the book's own cards, or those of the provider who sells at its prices.
pub fn with_cards(book: PriceBook) -> Catalog {
    let own = book.cards();
    let seller = manifest::builtin(&book.name).filter(|manifest| own.is_empty() && manifest.prices == book.name);
    let cards: BTreeMap<_, _> = seller.map_or(own, |manifest| manifest.models);
    Catalog { others: BTreeMap::new(), said_as: Vec::new(), common: None, provider: std::sync::Arc::clone(&book.name), cards, book }
}

impl From<WhatIfError> for CliError {
    fn from(error: WhatIfError) -> Self {
        Self::Usage(error.to_string(), error.help())
    }
}
