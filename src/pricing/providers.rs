//! The estimate by provider: what each of several is to be paid, in the currency of its own book, under its own cap.
//!
//! In: plan, worklist, quotes, the campaign's caps on single providers. Out: [`ProviderLine`]s; none for a campaign with one provider.
//! Never: an amount that was converted: who is paid in credits is told in credits.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::estimate::Counts;
use super::quote::{BookFacts, JobQuote, Quotes};
use super::sum::Sum;
use crate::catalog::{Catalog, Certainty};
use crate::plan::{Plan, Worklist};
use crate::types::{Micros, MoneyError, Operation};

/// What one of a campaign's providers is to be paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderLine {
    /// Its name.
    pub provider: Arc<str>,
    /// The book behind its prices.
    pub book: BookFacts,
    /// Paid jobs by work.
    pub counts: Counts,
    /// Every outstanding job at one try.
    pub floor: Sum,
    /// All tries and rerolls that a run may pay for, or what its cap leaves.
    pub ceiling: Sum,
    /// Its own cap, and what is already committed under it.
    pub cap: Option<ProviderCap>,
}

/// A cap on what is spent at one provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProviderCap {
    /// The most that may ever be committed, in the currency of the provider's book.
    pub limit: Micros,
    /// What already is.
    pub committed: Micros,
}

impl ProviderCap {
    /// Returns what may still be committed; never below 0.
    pub fn room(&self) -> Micros {
        self.limit.checked_sub(self.committed).unwrap_or(Micros::ZERO).max(Micros::ZERO)
    }
}

/// Adds up what each provider of the plan is to be paid; `caps` are those of single providers, by name.
///
/// # Errors
/// [`MoneyError::Overflow`] if a sum does not fit.
pub fn by_provider(
    plan: &Plan,
    worklist: &Worklist,
    quotes: &Quotes,
    catalog: &Catalog,
    attempts: u32,
    caps: &BTreeMap<Arc<str>, ProviderCap>,
) -> Result<Vec<ProviderLine>, MoneyError> {
    let mut lines: Vec<ProviderLine> = Vec::new();
    for (ix, work) in worklist.iter() {
        let Operation::Paid(paid) = &plan.job(ix).operation else { continue };
        let place = lines.iter().position(|line| line.provider == paid.provider).unwrap_or(lines.len());
        if place == lines.len() {
            let book = BookFacts::of(&catalog.at(&paid.provider).book);
            let (provider, cap) = (Arc::clone(&paid.provider), caps.get(&paid.provider).copied());
            lines.push(ProviderLine { provider, book, counts: Counts::default(), floor: Sum::default(), ceiling: Sum::default(), cap });
        }
        let line = &mut lines[place];
        line.counts.add(work);
        // A picture that is only looked at, or on its way, costs nothing at one try; further ones may have to be bought for it.
        let (once, tries) = (work.is_outstanding(), worklist.tries(ix, attempts));
        match quotes.native(ix) {
            Some(JobQuote::Priced(quote)) => {
                if once {
                    line.floor = line.floor.plus(quote.amount.micros, 1, quote.certainty)?;
                }
                if tries > 0 {
                    line.ceiling = line.ceiling.plus(quote.highest, tries, quote.certainty)?;
                }
            }
            Some(JobQuote::Unpriced(_)) | None => {
                if once {
                    line.floor = line.floor.and_unknown();
                }
                if tries > 0 {
                    line.ceiling = line.ceiling.and_unknown();
                }
            }
        }
    }
    for line in &mut lines {
        if let Some(cap) = line.cap.filter(|cap| line.ceiling.certainty != Certainty::Unknown && cap.room() < line.ceiling.micros) {
            line.ceiling = Sum::exact(cap.room());
        }
    }
    // A campaign with one provider and no cap on it is told by its totals.
    Ok(if lines.len() > 1 || lines.iter().any(|line| line.cap.is_some()) { lines } else { Vec::new() })
}
