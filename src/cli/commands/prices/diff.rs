//! `callsheet prices diff`: two books side by side, and what a campaign would cost by each.

use std::path::Path;
use std::sync::Arc;

use super::DiffFormat;
use crate::catalog::{BookDiff, Catalog, CountedIn, PriceBook};
use crate::cli::args::CampaignArgs;
use crate::cli::console;
use crate::cli::context::{self, Opened};
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::market::{Said, book_called};
use crate::ledger::History;
use crate::plan::{Selection, worklist};
use crate::pricing::{JobQuote, Sum, quotes};
use crate::report::{CampaignSides, PricesDiffView, StepSides, prices_diff_csv, prices_diff_json, prices_diff_markdown, prices_diff_table};
use crate::spec::Sources;
use crate::types::{Amount, MoneyError, Operation};

/// Compares two books, by name or path.
pub(super) fn diff(old: &str, new: &str, campaign: Option<&Path>, format: DiffFormat) -> Outcome<Exit> {
    let book = |name: &str| book_called(&Said::Here(name.to_owned()), Path::new(""), &mut Sources::new());
    let (before, after) = (book(old)?, book(new)?);
    let diff = BookDiff::of(&before, &after);
    let sides = campaign.map(|file| sides(file, &before, &after, &diff.counted_in)).transpose()?;
    let view = PricesDiffView { old: &before, new: &after, diff: &diff, campaign: sides.as_ref() };
    console::data(&match format {
        DiffFormat::Table => prices_diff_table(&view, console::width().unwrap_or(120), true),
        DiffFormat::Json => format!("{:#}\n", prices_diff_json(&view)),
        DiffFormat::Csv => prices_diff_csv(&view)?,
        DiffFormat::Markdown => prices_diff_markdown(&view),
    })?;
    Ok(Exit::Done)
}

/// Reckons a campaign's plan by both books: every paid shot once, whatever has been made already. The campaign's own prices and caps do not
/// matter here, so that books in two currencies can be tried.
fn sides(file: &Path, old: &PriceBook, new: &PriceBook, counted_in: &CountedIn) -> Outcome<CampaignSides> {
    let opened = context::open(&CampaignArgs { campaign: file.to_owned(), profile: None, provider: None, prices: None }, None)?;
    let (before, after) = (steps(&opened, old, counted_in)?, steps(&opened, new, counted_in)?);
    let mut total = StepSides { name: Arc::from("total"), jobs: 0, old: Sum::default(), new: Sum::default() };
    let mut sides = Vec::new();
    for ((name, jobs, old), (_, _, new)) in before.into_iter().zip(after) {
        total.jobs += jobs;
        total.old = total.old.and(old)?;
        total.new = total.new.and(new)?;
        sides.push(StepSides { name, jobs, old, new });
    }
    Ok(CampaignSides { name: opened.campaign.name.to_string(), steps: sides, total })
}

/// Returns paid steps with the number of their shots and what those cost.
fn steps(opened: &Opened, book: &PriceBook, counted_in: &CountedIn) -> Outcome<Vec<(Arc<str>, usize, Sum)>> {
    let Opened { plan, catalog, .. } = opened;
    let quotes = quotes(plan, &Catalog::new(Arc::clone(&catalog.provider), catalog.cards.clone(), book.clone()));
    // Without a history everything is outstanding, except for what is the same picture as an earlier shot.
    let work = worklist(plan, &History::default(), &Selection::all(), &|_| false);
    let mut steps: Vec<(Arc<str>, usize, Sum)> = plan.steps.iter().map(|step| (Arc::clone(&step.name), 0, Sum::default())).collect();
    for (ix, _) in work.iter().filter(|(_, work)| work.is_outstanding()) {
        let job = plan.job(ix);
        let (Operation::Paid(_), Some(step)) = (&job.operation, steps.get_mut(job.step as usize)) else { continue };
        step.1 += 1;
        step.2 = match quotes.of(ix) {
            Some(JobQuote::Priced(quote)) => step.2.plus(quote.amount.micros, 1, quote.certainty)?,
            _ => step.2.and_unknown(),
        };
    }
    steps.retain(|step| step.1 > 0);
    if *counted_in == CountedIn::Usd {
        for step in &mut steps {
            // Converted once for the sum, so that a thousand roundings up do not add up.
            let usd = book.usd(&Amount::new(book.currency.clone(), step.2.micros));
            step.2.micros = usd.map(|usd| usd.micros).ok_or(CliError::Money(MoneyError::Overflow))?;
        }
    }
    Ok(steps)
}
