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
pub use price::{Certainty, PriceEntry, PriceKey, PriceKind, Rounding};
pub use quote::{Channel, Quote, QuoteInput, Unpriced};
pub use rows::PriceRow;
pub use size::{Grid, SizeRule};
pub use tokens::{TokenPrice, TokenUsage};

/// The models that a campaign can ask for, and the book that prices them.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// The provider's name, or the book's when a campaign names no provider.
    pub provider: Arc<str>,
    /// What each model can do.
    pub cards: BTreeMap<Arc<str>, ModelCard>,
    /// What each model costs.
    pub book: PriceBook,
}

impl Catalog {
    /// Brings cards and prices together.
    ///
    /// `cards` come from a provider's manifest. Without any (a campaign that names no provider) the cards that the book carries stand in.
    /// A provider's cards are never mixed with those of a book: what the provider lacks cannot be bought there.
    pub fn new(provider: impl Into<Arc<str>>, cards: BTreeMap<Arc<str>, ModelCard>, book: PriceBook) -> Self {
        let cards = if cards.is_empty() { book.cards() } else { cards };
        Self { provider: provider.into(), cards, book }
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
