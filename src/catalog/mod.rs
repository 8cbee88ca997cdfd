//! What models can do and what they cost, as data.
//!
//! In: model cards (from a provider's manifest or a price book) and price books (`books/*.yaml`, embedded, or a user's file).
//! Out: [`ModelCard`]s, fitness of a request, [`Quote`]s.
//! Never: HTTP, keys, a campaign.

pub mod book;
pub mod builtin;
pub mod card;
pub mod diff;
pub mod exact;
pub mod fit;
pub mod input;
pub mod lint;
pub mod price;
mod price_text;
pub mod quote;
pub mod rows;
pub mod size;
mod strict;
pub mod tokens;
mod units;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use book::{BookModel, PriceBook};
pub use card::{Aspect, Hole, ModelCard, OperationCard};
pub use diff::{BookDiff, CountedIn, DiffRow, Side, Turn};
pub use exact::Exact;
pub use fit::Unfit;
pub use input::{InputLimits, InputPicture, InputUnfit};
pub use price::{Certainty, PriceEntry, PriceKey, PriceKind, Rounding};
pub use quote::{Channel, Quote, QuoteInput, Unpriced};
pub use rows::PriceRow;
pub use size::{Grid, SizeRule};
pub use tokens::{TokenPrice, TokenUsage};

use crate::types::{Currency, Micros, Rates};

/// The models that a campaign can ask for, and the book that prices them.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// The provider's name, or the book's when a campaign names no provider.
    pub provider: Arc<str>,
    /// What each model can do.
    pub cards: BTreeMap<Arc<str>, ModelCard>,
    /// What each model costs.
    pub book: PriceBook,
    /// What further providers of the same campaign sell, by their names.
    pub others: BTreeMap<Arc<str>, Catalog>,
    /// What the campaign calls the provider besides its name: paths of its manifest.
    pub said_as: Vec<Arc<str>>,
    /// What sums over several providers are counted in, where their books count in different currencies.
    pub common: Option<Common>,
}

/// One currency for the sums of several books, and the rates that lead to it.
#[derive(Debug, Clone)]
pub struct Common {
    /// A book without prices: name, date and currency of the sums.
    pub book: PriceBook,
    /// What the books state.
    pub rates: Rates,
}

impl Catalog {
    /// Brings cards and prices together.
    ///
    /// `cards` come from a provider's manifest. Without any (a campaign that names no provider) the cards that the book carries stand in.
    /// A provider's cards are never mixed with those of a book: what the provider lacks cannot be bought there.
    pub fn new(provider: impl Into<Arc<str>>, cards: BTreeMap<Arc<str>, ModelCard>, book: PriceBook) -> Self {
        let cards = if cards.is_empty() { book.cards() } else { cards };
        Self { provider: provider.into(), cards, book, others: BTreeMap::new(), said_as: Vec::new(), common: None }
    }

    /// Returns the same campaign's catalog with what further providers sell.
    ///
    /// # Errors
    /// The book that counts in credits and states no rate to dollars, where the books count in different currencies: there would be no sum.
    pub fn with_others(mut self, others: impl IntoIterator<Item = Catalog>) -> Result<Self, Box<PriceBook>> {
        self.others = others.into_iter().map(|other| (Arc::clone(&other.provider), other)).collect();
        self.common = self.in_common()?;
        Ok(self)
    }

    fn in_common(&self) -> Result<Option<Common>, Box<PriceBook>> {
        let books: Vec<&PriceBook> = self.all().map(|one| &one.book).collect();
        if books.iter().all(|book| book.currency == self.book.currency) {
            return Ok(None);
        }
        let mut stated = Vec::new();
        for book in &books {
            match (&book.currency, book.usd_per_credit) {
                (Currency::Usd, _) => {}
                (credits, Some(rate)) if rate > Micros::ZERO => stated.push((credits.clone(), rate)),
                (Currency::Credits(_), _) => return Err(Box::new((*book).clone())),
            }
        }
        let mut names: Vec<&str> = Vec::new();
        books.iter().for_each(|book| {
            if !names.contains(&&*book.name) {
                names.push(&book.name)
            }
        });
        // The sum is as old as its oldest part; one that is undated makes it undated.
        let as_of = books.iter().map(|book| book.as_of).min().flatten();
        let book = PriceBook {
            name: names.join(" + ").into(),
            currency: Currency::Usd,
            usd_per_credit: None,
            as_of,
            models: Default::default(),
            ..self.book.clone()
        };
        Ok(Some(Common { book, rates: Rates::of(stated) }))
    }

    /// Returns this catalog and those of the further providers.
    pub fn all(&self) -> impl Iterator<Item = &Catalog> {
        std::iter::once(self).chain(self.others.values())
    }

    /// Returns what `provider` sells; for a provider that is none of the campaign's, what the campaign's own sells.
    pub fn at(&self, provider: &str) -> &Catalog {
        self.others.get(provider).unwrap_or(self)
    }

    /// Returns what the provider sells that a campaign calls so: by its name, or by the path of its manifest.
    pub fn called(&self, name: &str) -> Option<&Catalog> {
        self.all().find(|one| *one.provider == *name || one.said_as.iter().any(|said| **said == *name))
    }

    /// Returns the book whose currency sums and caps are in.
    pub fn counted_in(&self) -> &PriceBook {
        self.common.as_ref().map_or(&self.book, |common| &common.book)
    }

    /// Returns the card of `model`: by its own name, else by another name that the book gives it.
    pub fn card(&self, model: &str) -> Option<&ModelCard> {
        self.cards.get(model).or_else(|| self.cards.get(self.book.own_name(model)?))
    }

    /// Returns the models' names in order.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        self.cards.keys().map(|name| &**name)
    }

    /// Returns what the book asks for one attempt at `input`.
    ///
    /// # Errors
    /// [`Unpriced`] says what the book lacks; it is never a price of 0.
    pub fn quote(&self, input: &QuoteInput<'_>) -> Result<Quote, Unpriced> {
        self.book.quote(input)
    }
}
