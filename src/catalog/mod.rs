//! What models can do and what they cost, as data.
//!
//! In: model cards (from a provider's manifest or a price book) and price books (`books/*.yaml`, embedded, or a user's file).
//! Out: [`ModelCard`]s, fitness of a request, [`Quote`](price::Quote)s.
//! Never: HTTP, keys, a campaign.

pub mod book;
pub mod builtin;
pub mod card;
pub mod price;

pub use book::{BookError, PriceBook};
pub use card::{Fit, ModelCard, OperationCard, Unfit};
pub use price::{Certainty, Quote, QuoteInput, Unpriced};
