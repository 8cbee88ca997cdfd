//! What one try of each job costs.
//!
//! In: a plan and the catalog. Out: [`Quotes`], one for each paid job.
//! Never: a look at history. Jobs that ask for the same are quoted once and share the answer.

use std::collections::HashMap;
use std::sync::Arc;

use petgraph::Direction;
use petgraph::graph::NodeIndex;

use crate::catalog::{Catalog, PriceKind, Quote, QuoteInput, Unpriced};
use crate::plan::{Job, JobIx, Plan};
use crate::types::{Amount, Currency, InputRole, Micros, Operation, Paid, PixelSize};

/// The price of one try of one job, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobQuote {
    /// The book has a price.
    Priced(Quote),
    /// The book has none; this is never a price of 0.
    Unpriced(Unpriced),
}

/// What a reader must know of the book behind a price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookFacts {
    /// Its name.
    pub name: Arc<str>,
    /// The day on which its prices were read.
    pub as_of: Option<jiff::civil::Date>,
    /// What its prices are counted in.
    pub currency: Currency,
    /// What one credit costs, if its source states it.
    pub usd_per_credit: Option<Micros>,
}

impl BookFacts {
    /// Returns the amount in USD, rounded up to the millionth; `None` unless it is USD, or of this book and the book states a rate.
    pub fn usd(&self, amount: &Amount) -> Option<Micros> {
        if amount.currency == Currency::Usd {
            return Some(amount.micros);
        }
        let rate = self.usd_per_credit.filter(|_| amount.currency == self.currency)?;
        amount.micros.mul_ratio_ceil(rate.get(), 1_000_000).ok()
    }

    /// Returns `micros` of the book's currency.
    pub fn amount(&self, micros: Micros) -> Amount {
        Amount::new(self.currency.clone(), micros)
    }
}

/// The quotes of a plan.
#[derive(Debug, Clone)]
pub struct Quotes {
    book: BookFacts,
    distinct: Vec<JobQuote>,
    /// For each job its place in `distinct`, or [`LOCAL`].
    of: Vec<u32>,
}

/// Stands for the quote of a job that is free.
const LOCAL: u32 = u32::MAX;

impl Quotes {
    /// Returns the quote of a paid job; `None` for local work.
    pub fn of(&self, ix: JobIx) -> Option<&JobQuote> {
        self.distinct.get(self.place(ix)?)
    }

    /// Returns the price of one try; `None` for local work and for what is unpriced.
    pub fn price(&self, ix: JobIx) -> Option<&Quote> {
        match self.of(ix)? {
            JobQuote::Priced(quote) => Some(quote),
            JobQuote::Unpriced(_) => None,
        }
    }

    /// Returns the book behind the quotes.
    pub fn book(&self) -> &BookFacts {
        &self.book
    }

    /// Returns the quotes that differ from each other.
    pub fn distinct(&self) -> &[JobQuote] {
        &self.distinct
    }

    /// Returns a paid job's place in [`Quotes::distinct`].
    pub fn place(&self, ix: JobIx) -> Option<usize> {
        self.of.get(ix.index()).filter(|place| **place != LOCAL).map(|place| *place as usize)
    }
}

/// Everything that two jobs must share to share a quote. The operation is that of a step: one allocation, compared by its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Asked {
    operation: usize,
    input: Option<PixelSize>,
    output: PixelSize,
    references: u32,
    /// Characters of the prompt, where the price depends on them; else 0.
    prompt_chars: usize,
}

/// Quotes every paid job of the plan.
pub fn quotes(plan: &Plan, catalog: &Catalog) -> Quotes {
    quoted(plan, catalog, false)
}

/// As [`quotes`], on a book that the plan was not made for: what the plan leaves open is settled by the cards of those who sell there.
pub fn quotes_settled(plan: &Plan, catalog: &Catalog) -> Quotes {
    quoted(plan, catalog, true)
}

fn quoted(plan: &Plan, catalog: &Catalog, settles: bool) -> Quotes {
    let mut quoting = Quoting { settles, plan, catalog, known: HashMap::new(), counts_prompt: HashMap::new(), distinct: Vec::new(), last: None };
    let of = plan.indices().map(|ix| quoting.place(ix)).collect();
    let book = &catalog.book;
    let facts = BookFacts { name: Arc::clone(&book.name), as_of: book.as_of, currency: book.currency.clone(), usd_per_credit: book.usd_per_credit };
    Quotes { book: facts, distinct: quoting.distinct, of }
}

struct Quoting<'a> {
    settles: bool,
    plan: &'a Plan,
    catalog: &'a Catalog,
    known: HashMap<Asked, u32>,
    /// Whether the price of an operation depends on the length of the prompt.
    counts_prompt: HashMap<usize, bool>,
    distinct: Vec<JobQuote>,
    /// Neighbours usually ask for the same.
    last: Option<(Asked, u32)>,
}

impl Quoting<'_> {
    fn place(&mut self, ix: JobIx) -> u32 {
        let job = self.plan.job(ix);
        let Operation::Paid(paid) = &job.operation else { return LOCAL };
        let asked = self.asked(ix, job, paid);
        if let Some((_, place)) = self.last.filter(|(last, _)| *last == asked) {
            return place;
        }
        let place = match self.known.get(&asked) {
            Some(place) => *place,
            None => {
                let place = self.distinct.len() as u32;
                self.distinct.push(quote(self.catalog, paid, &asked, self.settles));
                self.known.insert(asked, place);
                place
            }
        };
        self.last = Some((asked, place));
        place
    }

    fn asked(&mut self, ix: JobIx, job: &Job, paid: &Arc<Paid>) -> Asked {
        let (mut input, mut references) = (None, 0);
        for edge in self.plan.graph.edges_directed(NodeIndex::new(ix.index()), Direction::Incoming) {
            match edge.weight() {
                InputRole::Image => {
                    let from = petgraph::visit::EdgeRef::source(&edge);
                    input = self.plan.jobs.get(from.index()).map(|maker| maker.size);
                }
                InputRole::Reference(_) => references += 1,
                // A mask confines the edit, it is no picture of its own; overlays and cells belong to local work.
                InputRole::Mask | InputRole::Overlay(_) | InputRole::Cell(_) | InputRole::Candidate(_) => {}
            }
        }
        let operation = Arc::as_ptr(paid) as usize;
        let catalog = self.catalog;
        let counts_prompt = *self.counts_prompt.entry(operation).or_insert_with(|| {
            let entry = catalog.book.model(&paid.model).and_then(|model| model.entry(paid.action));
            entry.is_some_and(|entry| matches!(entry.kind, PriceKind::Tokens(_)))
        });
        let prompt_chars = if counts_prompt { job.prompt.chars().count() } else { 0 };
        Asked { operation, input, output: job.size, references, prompt_chars }
    }
}

fn quote(catalog: &Catalog, paid: &Paid, asked: &Asked, settles: bool) -> JobQuote {
    let operation = catalog.card(&paid.model).filter(|_| settles).and_then(|card| card.operation(paid.action));
    let settled = operation.map(|operation| operation.settle(&paid.settings));
    let input = QuoteInput {
        model: &paid.model,
        action: paid.action,
        settings: settled.as_ref().unwrap_or(&paid.settings),
        input: asked.input,
        output: asked.output,
        references: asked.references,
        prompt_chars: asked.prompt_chars,
    };
    match catalog.quote(&input) {
        Ok(quote) => JobQuote::Priced(quote),
        Err(unpriced) => JobQuote::Unpriced(unpriced),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::sample;

    #[test]
    fn jobs_that_ask_for_the_same_share_a_quote_and_local_jobs_have_none() {
        let plan = sample::plan(100);
        let quotes = quotes(&plan, &sample::catalog("kie"));
        assert_eq!(quotes.distinct().len(), 2, "one for each paid step");
        for ix in plan.indices() {
            let price = quotes.price(ix).map(|quote| quote.amount.to_string());
            let expected = (plan.job(ix).step < 2).then(|| "6 credits".to_owned());
            assert_eq!(price, expected, "{}", plan.id(ix));
        }
        assert_eq!(quotes.of(JobIx(700)), None, "a place outside of the plan");
    }

    #[test]
    fn a_job_with_another_size_has_its_own_quote() {
        let mut plan = sample::plan(2);
        plan.jobs[0].size = PixelSize::new(3000, 1000);
        let book = "book: mp\ncurrency: credits\nmodels: { gpt-image-2: { price: { per-megapixel: { of: output, megapixel: 1000000, first: 2, whole: true } } } }";
        let quotes = quotes(&plan, &sample::priced(book));
        let prices: Vec<String> = (0..3).filter_map(|ix| quotes.price(JobIx(ix))).map(|quote| quote.amount.micros.to_string()).collect();
        assert_eq!(prices, ["6", "4", "4"]);
    }

    #[test]
    fn where_tokens_are_counted_the_length_of_the_prompt_matters() {
        let mut plan = sample::plan(2);
        sample::set(&mut plan, 0, |paid| paid.settings.quality = Some("low".into()));
        plan.jobs[1].prompt = "word ".repeat(2000).into();
        let quotes = quotes(&plan, &sample::catalog("openai"));
        let price = |ix| quotes.price(JobIx(ix)).expect("a price").amount.micros;
        assert!(price(1) > price(0), "{} {}", price(1), price(0));
    }

    #[test]
    fn what_the_book_lacks_is_unpriced() {
        let mut plan = sample::plan(1);
        sample::set(&mut plan, 0, |paid| paid.model = "nano-banana-2-lite".into());
        let quotes = quotes(&plan, &sample::catalog("kie"));
        assert!(matches!(quotes.of(JobIx(0)), Some(JobQuote::Unpriced(Unpriced::Unknown { .. }))));
        assert_eq!(quotes.price(JobIx(0)), None);
    }

    #[test]
    fn usd_needs_a_rate_and_the_same_currency() {
        let plan = sample::plan(1);
        let kie = quotes(&plan, &sample::catalog("kie")).book().clone();
        assert_eq!(kie.usd(&kie.amount(Micros::units(12))), Some("0.06".parse().expect("a number")));
        assert_eq!(kie.usd(&Amount::new(Currency::credits("other"), Micros::units(12))), None);
        assert_eq!(kie.usd(&Amount::new(Currency::Usd, Micros::units(2))), Some(Micros::units(2)));
        let flat = quotes(&plan, &sample::catalog("gptimage2-flat")).book().clone();
        assert_eq!(flat.usd(&flat.amount(Micros::units(12))), None, "the book states no rate");
    }
}
