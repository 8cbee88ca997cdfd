//! What one attempt costs: exact arithmetic on whole numbers, rounded once.
//!
//! In: a price book and a settled request. Out: a [`Quote`] with the amount to expect and the highest to reserve, or why there is none.
//! Never: a float, a price of 0 for something unknown.

use std::fmt::Write as _;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::book::{BookModel, PriceBook};
use super::exact::Exact;
use super::price::{BaseMegapixels, Certainty, PerMegapixel, Pixels, PriceEntry, PriceKey, PriceKind, PriceTable, Rounding};
use super::tokens::{TokenPrice, TokenUsage};
use crate::types::diagnostic::listed;
use crate::types::{Action, Amount, Micros, PixelSize, Settings};

/// How many alternatives a message names.
const MOST_NAMED: usize = 12;
/// Millionths in one unit.
const UNIT: i128 = 1_000_000;

/// Everything about a request that a price may depend on.
#[derive(Debug, Clone, Copy)]
pub struct QuoteInput<'a> {
    /// The catalog's name of the model.
    pub model: &'a str,
    /// What is asked of it.
    pub action: Action,
    /// How it is asked, settled.
    pub settings: &'a Settings,
    /// Size of the main input, if there is one and it is known.
    pub input: Option<PixelSize>,
    /// Size of the result.
    pub output: PixelSize,
    /// Reference pictures besides the main one.
    pub references: u32,
    /// Characters of the prompt.
    pub prompt_chars: usize,
}

/// The price of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// What it will cost as far as the book knows.
    pub amount: Amount,
    /// The highest price that the book allows for this request; what is reserved. Never below `amount`.
    pub highest: Micros,
    /// How sure the book is.
    pub certainty: Certainty,
    /// How the price came about, for people: `12 a picture`, `by resolution: 1K = 6`.
    pub basis: String,
}

/// Which of a provider's APIs is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Channel {
    /// The one that answers at once or soon.
    #[default]
    Direct,
    /// The one that answers within a day, for a share of the price.
    Batch,
}

/// Why a book gives no price. Never the same as 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unpriced {
    /// The book does not know the model.
    #[error("price book `{book}` has no model `{model}`; it has {}", listed(.has, MOST_NAMED))]
    Model {
        /// The book.
        book: Arc<str>,
        /// What was asked.
        model: String,
        /// What there is.
        has: Vec<Arc<str>>,
    },
    /// The book prices the model, but not for this action.
    #[error("price book `{book}` does not price `{action}` with `{model}`; it prices {}", listed(.has.iter().map(|action| action.as_str()), MOST_NAMED))]
    Action {
        /// The book.
        book: Arc<str>,
        /// The model.
        model: String,
        /// What was asked.
        action: Action,
        /// What there is.
        has: Vec<Action>,
    },
    /// The table has no row for the request.
    #[error("price book `{book}` has no price of `{model}` for {key} `{asked}`; it has {}", listed(.has, MOST_NAMED))]
    Row {
        /// The book.
        book: Arc<str>,
        /// The model.
        model: String,
        /// What the table is looked up by.
        key: String,
        /// What was looked up.
        asked: String,
        /// What there is.
        has: Vec<String>,
    },
    /// The price depends on a setting that the request leaves open.
    #[error("the price of `{model}` in book `{book}` depends on {key}, which is not set; it has {}", listed(.has, MOST_NAMED))]
    Unset {
        /// The book.
        book: Arc<str>,
        /// The model.
        model: String,
        /// The setting.
        key: String,
        /// What there is.
        has: Vec<String>,
    },
    /// The price depends on the size of an input picture that is not known.
    #[error("the price of `{model}` in book `{book}` depends on the size of the input image, which is not known")]
    InputSize {
        /// The book.
        book: Arc<str>,
        /// The model.
        model: String,
    },
    /// The book says that the price is unknown.
    #[error("the price of `{model}` is unknown to book `{book}`{}", .note.as_deref().map(|note| format!(": {note}")).unwrap_or_default())]
    Unknown {
        /// The book.
        book: Arc<str>,
        /// The model.
        model: String,
        /// What the book says about it.
        note: Option<String>,
    },
    /// The request has a price, but none in a batch.
    #[error("price book `{book}` has no batch price of `{model}`; in batches it prices {}", listed(.has, MOST_NAMED))]
    Batch {
        /// The book.
        book: Arc<str>,
        /// The model.
        model: String,
        /// The models that batches take.
        has: Vec<Arc<str>>,
    },
    /// The price does not fit the range of amounts.
    #[error("the price of `{model}` in book `{book}` is too large (over 9.2 trillion units)")]
    TooLarge {
        /// The book.
        book: Arc<str>,
        /// The model.
        model: String,
    },
}

impl PriceBook {
    /// Returns what one attempt at `input` costs.
    ///
    /// # Errors
    /// [`Unpriced`] says what the book lacks and what it has.
    pub fn quote(&self, input: &QuoteInput<'_>) -> Result<Quote, Unpriced> {
        let entry = self.entry(input.model, input.action)?;
        Quoting { book: self, entry, input }.quote()
    }

    /// Returns what one call costs that asks for several pictures at once.
    ///
    /// A call that brings a fixed number of pictures is made as often as it takes; everything else is charged for each picture,
    /// rounded for each picture, so that one call of k pictures costs what k calls of one cost.
    ///
    /// # Errors
    /// As [`PriceBook::quote`].
    pub fn quote_pictures(&self, input: &QuoteInput<'_>, pictures: NonZeroU32) -> Result<Quote, Unpriced> {
        let one = self.quote(input)?;
        let brings = match self.entry(input.model, input.action)?.kind {
            PriceKind::PerCall(ref call) => call.pictures.max(1),
            _ => 1,
        };
        let times = u64::from(pictures.get().div_ceil(brings));
        let many = |price: Micros| price.checked_mul(times).map_err(|_| self.too_large(input.model));
        let amount = Amount::new(one.amount.currency.clone(), many(one.amount.micros)?);
        let basis = if times == 1 { one.basis } else { format!("{}, {times} times", one.basis) };
        Ok(Quote { amount, highest: many(one.highest)?, certainty: one.certainty, basis })
    }

    /// Returns what the tokens that a provider counted cost; `None` if the book does not price this model, or one kind of them, by tokens.
    ///
    /// What is finer than a millionth is rounded up, once.
    pub fn charge_tokens(&self, model: &str, action: Action, usage: &TokenUsage) -> Option<Amount> {
        self.charge_tokens_by(model, action, usage, Channel::Direct)
    }

    /// As [`PriceBook::charge_tokens`], of requests that went this way.
    pub fn charge_tokens_by(&self, model: &str, action: Action, usage: &TokenUsage, channel: Channel) -> Option<Amount> {
        let micros = self.charge_exactly(model, action, usage, channel)?.round(Rounding::Exact)?;
        Some(Amount::new(self.currency.clone(), micros))
    }

    /// Returns what the tokens that a provider counted cost before any rounding; `None` also where the book knows no batch API.
    pub fn charge_exactly(&self, model: &str, action: Action, usage: &TokenUsage, channel: Channel) -> Option<Exact> {
        let entry = self.entry(model, action).ok()?;
        let PriceKind::Tokens(price) = &entry.kind else { return None };
        let cost = price.cost(usage)?;
        match channel {
            Channel::Direct => Some(cost),
            Channel::Batch => cost.times(i128::from(entry.batch?.get()), UNIT),
        }
    }

    fn too_large(&self, model: &str) -> Unpriced {
        Unpriced::TooLarge { book: Arc::clone(&self.name), model: model.to_owned() }
    }

    /// Finds the price entry of a model and an action.
    pub(super) fn entry(&self, model: &str, action: Action) -> Result<&PriceEntry, Unpriced> {
        let Some(priced) = self.model(model) else {
            let has = self.models.keys().cloned().collect();
            return Err(Unpriced::Model { book: Arc::clone(&self.name), model: model.to_owned(), has });
        };
        priced.entry(action).ok_or_else(|| Unpriced::Action {
            book: Arc::clone(&self.name),
            model: model.to_owned(),
            action,
            has: priced.prices.keys().copied().collect(),
        })
    }
}

/// One quote in the making.
struct Quoting<'a> {
    book: &'a PriceBook,
    entry: &'a PriceEntry,
    input: &'a QuoteInput<'a>,
}

/// A price before its single rounding, with what else is known of it.
struct Reckoned {
    price: Exact,
    /// The most it can be, if that is more.
    highest: Option<Exact>,
    certainty: Certainty,
    basis: String,
}

impl Quoting<'_> {
    fn quote(&self) -> Result<Quote, Unpriced> {
        let Reckoned { price, highest, certainty, mut basis } = self.reckon()?;
        let extra = self.references(&mut basis)?;
        let rounding = self.entry.rounding.unwrap_or(self.book.rounding);
        let share = self.share(&mut basis)?;
        let settle = |price: Exact, extra: Exact| {
            let sum = price.plus(extra).and_then(|sum| sum.times(i128::from(share.get()), UNIT));
            sum.and_then(|sum| sum.round(rounding)).ok_or_else(|| self.too_large())
        };
        let micros = settle(price, extra)?;
        let most = highest.map(|highest| settle(highest, extra)).transpose()?.unwrap_or(micros);
        let stated = self.entry.highest.map(|highest| settle(Exact::of(highest), Exact::ZERO)).transpose()?;
        let highest = micros.max(most).max(stated.unwrap_or(Micros::ZERO));
        Ok(Quote { amount: Amount::new(self.book.currency.clone(), micros), highest, certainty, basis })
    }

    /// Returns what is charged of the price: all of it, or the share of a batch.
    fn share(&self, basis: &mut String) -> Result<Micros, Unpriced> {
        if self.book.channel == Channel::Direct {
            return Ok(Micros::units(1));
        }
        let share = self.entry.batch.ok_or_else(|| {
            let takes_batches =
                |action: Action| move |(_, model): &(&Arc<str>, &BookModel)| model.entry(action).is_some_and(|entry| entry.batch.is_some());
            let has = self.book.models.iter().filter(takes_batches(self.input.action)).map(|(name, _)| Arc::clone(name)).collect();
            Unpriced::Batch { book: self.book_name(), model: self.input.model.to_owned(), has }
        })?;
        let _ = write!(basis, ", x {share} in a batch");
        Ok(share)
    }

    fn reckon(&self) -> Result<Reckoned, Unpriced> {
        let certainty = self.entry.certainty.unwrap_or(self.book.certainty);
        let plain = |price: Exact, basis: String| Reckoned { price, highest: None, certainty, basis };
        match &self.entry.kind {
            PriceKind::Flat(price) => Ok(plain(Exact::of(*price), format!("{price} a picture"))),
            PriceKind::Table(table) => self.table(table, certainty),
            PriceKind::PerMegapixel(price) => self.per_megapixel(price, certainty),
            PriceKind::BaseMegapixels(price) => self.base_megapixels(price).map(|(exact, basis)| plain(exact, basis)),
            PriceKind::PerCall(call) => Ok(plain(Exact::of(call.price), format!("{} a call, which brings {} pictures", call.price, call.pictures))),
            PriceKind::Tokens(price) => self.tokens(price, certainty),
            PriceKind::Unknown => {
                Err(Unpriced::Unknown { book: self.book_name(), model: self.input.model.to_owned(), note: self.entry.note.clone() })
            }
        }
    }

    /// Looks the request up. A key that the request leaves open does no harm while all rows that remain agree.
    fn table(&self, table: &PriceTable, certainty: Certainty) -> Result<Reckoned, Unpriced> {
        let asked: Vec<Option<String>> = table.by.iter().map(|key| self.key(*key, table)).collect();
        let fits = |row: &str| {
            let parts: Vec<&str> = row.split('/').collect();
            parts.len() == asked.len() && parts.iter().zip(&asked).all(|(part, asked)| asked.as_deref().is_none_or(|asked| asked == *part))
        };
        let rows: Vec<(&String, Micros)> = table.rows.iter().filter(|(row, _)| fits(row)).map(|(row, price)| (row, *price)).collect();
        let keys = || table.by.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
        let has = || table.rows.keys().cloned().collect();
        let (book, model) = (self.book_name(), self.input.model.to_owned());
        let Some((first, price)) = rows.first().copied() else {
            let asked = asked.iter().map(|asked| asked.as_deref().unwrap_or("any")).collect::<Vec<_>>().join("/");
            return Err(Unpriced::Row { book, model, key: keys(), asked, has: has() });
        };
        if rows.iter().any(|(_, other)| *other != price) {
            let open = table.by.iter().zip(&asked).filter(|(_, asked)| asked.is_none());
            let key = open.map(|(key, _)| key.to_string()).collect::<Vec<_>>().join(" and ");
            return Err(Unpriced::Unset { book, model, key, has: has() });
        }
        let only_at_least = rows.iter().any(|(row, _)| table.lower_bound_at.contains(row));
        let certainty = if only_at_least { certainty.max(Certainty::LowerBound) } else { certainty };
        let row = if rows.len() == 1 { first.as_str() } else { "any" };
        Ok(Reckoned { price: Exact::of(price), highest: None, certainty, basis: format!("by {}: {row} = {price}", keys()) })
    }

    /// Returns the request's word for one key of a table.
    fn key(&self, key: PriceKey, table: &PriceTable) -> Option<String> {
        let settings = self.input.settings;
        match key {
            PriceKey::Resolution => settings.resolution.as_deref().map(str::to_owned),
            PriceKey::Quality => settings.quality.as_deref().map(str::to_owned),
            PriceKey::Speed => settings.speed.as_deref().map(str::to_owned),
            PriceKey::Scale => settings.scale.map(|scale| format!("{scale}x")),
            PriceKey::OutputClass => {
                let longer = self.input.output.width.max(self.input.output.height);
                let class = table.classes.iter().find(|(_, most)| longer <= **most).map(|(class, _)| class.clone());
                Some(class.unwrap_or_else(|| format!("{longer} pixels")))
            }
        }
    }

    fn per_megapixel(&self, price: &PerMegapixel, certainty: Certainty) -> Result<Reckoned, Unpriced> {
        let (pixels, divisor) = (self.pixels(price.of)?, i128::from(price.megapixel));
        let first = i128::from(price.first.get());
        let exact = || match (price.additional, price.whole) {
            (None, false) => Exact::product(&[first, pixels], divisor),
            (None, true) => Exact::product(&[first, started(pixels, divisor)], 1),
            (Some(additional), true) => {
                let further = (started(pixels, divisor) - 1).max(0);
                Exact::of(price.first).plus(Exact::product(&[i128::from(additional.get()), further], 1)?)
            }
            (Some(additional), false) => {
                let further = (pixels - divisor).max(0);
                Exact::of(price.first).plus(Exact::product(&[i128::from(additional.get()), further], divisor)?)
            }
        };
        let mut basis = format!("{} a megapixel of {}", price.first, price.of);
        if let Some(additional) = price.additional {
            basis = format!("{} for the first megapixel of {}, {additional} for each further", price.first, price.of);
        }
        let _ = write!(basis, " ({pixels} pixels, {divisor} each)");
        let exact = exact().ok_or_else(|| self.too_large())?;
        let Some(rate) = price.input.filter(|_| self.input.action != Action::Generate || self.input.references > 0) else {
            return Ok(Reckoned { price: exact, highest: None, certainty, basis });
        };
        let (along, certainty) = self.along(price, rate, certainty)?;
        let _ = write!(basis, ", {rate} a megapixel of what goes along");
        let price = exact.plus(along).ok_or_else(|| self.too_large())?;
        Ok(Reckoned { price, highest: None, certainty, basis })
    }

    /// Returns the price of the pictures that go along. How large references are is not known here: each counts as the main input, or as one
    /// megapixel where there is none, and the price may be more.
    fn along(&self, price: &PerMegapixel, rate: Micros, certainty: Certainty) -> Result<(Exact, Certainty), Unpriced> {
        let divisor = i128::from(price.megapixel);
        let counted = |pixels: i128| if price.whole { started(pixels, divisor).saturating_mul(divisor) } else { pixels };
        let has_main = self.input.action != Action::Generate;
        let main = if has_main { self.pixels(Pixels::Input)? } else { divisor };
        let pictures = i128::from(has_main) + i128::from(self.input.references);
        let exact = Exact::product(&[i128::from(rate.get()), counted(main), pictures], divisor).ok_or_else(|| self.too_large())?;
        let certainty = if self.input.references > 0 { certainty.max(Certainty::LowerBound) } else { certainty };
        Ok((exact, certainty))
    }

    fn base_megapixels(&self, price: &BaseMegapixels) -> Result<(Exact, String), Unpriced> {
        let (book, model) = (self.book_name(), self.input.model.to_owned());
        let has = || price.factor.keys().cloned().collect();
        let Some(scale) = self.input.settings.scale else {
            return Err(Unpriced::Unset { book, model, key: "scale".to_owned(), has: has() });
        };
        let scale = format!("{scale}x");
        let Some(factor) = price.factor.get(&scale) else {
            return Err(Unpriced::Row { book, model, key: "scale".to_owned(), asked: scale, has: has() });
        };
        let pixels = self.pixels(price.of)?;
        let numerators = [i128::from(price.base.get()), pixels, i128::from(factor.get())];
        let exact = Exact::product(&numerators, i128::from(price.megapixel) * UNIT).ok_or_else(|| self.too_large())?;
        let basis = format!("{} x megapixels of {} x {factor} for {scale} ({pixels} pixels, {} each)", price.base, price.of, price.megapixel);
        Ok((exact, basis))
    }

    /// Estimates the tokens of the request; the reservation takes the most that prompt and pictures can come to.
    fn tokens(&self, price: &TokenPrice, certainty: Certainty) -> Result<Reckoned, Unpriced> {
        let image_out = self.output_tokens(price)?;
        let chars = u64::try_from(self.input.prompt_chars).unwrap_or(u64::MAX);
        let overhead = u64::from(price.prompt_overhead);
        let references = u64::from(self.input.references);
        let has_input = self.input.action != Action::Generate;
        let main = if has_input { price.image_tokens(self.input.input) } else { 0 };
        // Without a rate the pictures that go along are left out, and the price is at least the rest.
        let rated = u64::from(price.image_in.is_some());
        let unrated = price.image_in.is_none() && (has_input || references > 0);
        let certainty = if unrated { certainty.max(Certainty::LowerBound) } else { certainty };
        let expected = TokenUsage {
            text_in: chars.div_ceil(u64::from(price.chars_per_token.max(1))).saturating_add(overhead),
            image_in: rated * main.saturating_add(references.saturating_mul(price.image_tokens(None))),
            image_out,
            ..TokenUsage::default()
        };
        let most = TokenUsage {
            text_in: chars.saturating_add(overhead),
            image_in: rated * price.image_tokens(None).saturating_mul(references.saturating_add(u64::from(has_input))),
            ..expected
        };
        let exact = |usage: TokenUsage| price.cost(&usage).ok_or_else(|| self.too_large());
        let TokenUsage { text_in, image_in, .. } = expected;
        let along = if unrated { ", input not priced".to_owned() } else { format!(", {image_in} of input") };
        let basis = format!("tokens: {image_out} of picture, about {text_in} of prompt{along}");
        Ok(Reckoned { price: exact(expected)?, highest: Some(exact(most)?), certainty, basis })
    }

    /// Returns the tokens of the result, by size class or by size and quality.
    fn output_tokens(&self, price: &TokenPrice) -> Result<u64, Unpriced> {
        let (book, model) = (self.book_name(), self.input.model.to_owned());
        let settings = self.input.settings;
        let by_resolution = !price.output_resolutions.is_empty();
        let (key, asked) = if by_resolution { ("resolution", &settings.resolution) } else { ("quality", &settings.quality) };
        let has = || {
            let classes = price.output_resolutions.keys().chain(price.output_factors.keys()).map(ToString::to_string);
            classes.chain(price.output_table.keys().cloned()).collect()
        };
        let Some(asked) = asked.as_deref() else {
            return Err(Unpriced::Unset { book, model, key: key.to_owned(), has: has() });
        };
        if by_resolution {
            let row = || Unpriced::Row { book, model, key: key.to_owned(), asked: asked.to_owned(), has: has() };
            return price.output_resolutions.get(asked).map(|tokens| u64::from(*tokens)).ok_or_else(row);
        }
        price.output_tokens(self.input.output, asked).ok_or_else(|| {
            let asked = format!("{}/{asked}", self.input.output);
            Unpriced::Row { book, model, key: "size and quality".to_owned(), asked, has: has() }
        })
    }

    fn references(&self, basis: &mut String) -> Result<Exact, Unpriced> {
        let Some(extra) = &self.entry.per_reference else { return Ok(Exact::ZERO) };
        let paid = self.input.references.saturating_sub(extra.free);
        if paid > 0 {
            let _ = write!(basis, ", {} for each of {paid} references", extra.price);
        }
        Exact::product(&[i128::from(extra.price.get()), i128::from(paid)], 1).ok_or_else(|| self.too_large())
    }

    fn pixels(&self, of: Pixels) -> Result<i128, Unpriced> {
        let size = match of {
            Pixels::Output => Some(self.input.output),
            Pixels::Input => self.input.input,
        };
        let size = size.ok_or_else(|| Unpriced::InputSize { book: self.book_name(), model: self.input.model.to_owned() })?;
        Ok(i128::from(size.pixels()))
    }

    fn book_name(&self) -> Arc<str> {
        Arc::clone(&self.book.name)
    }

    fn too_large(&self) -> Unpriced {
        self.book.too_large(self.input.model)
    }
}

/// Returns how many megapixels are started.
fn started(pixels: i128, divisor: i128) -> i128 {
    (pixels + divisor - 1) / divisor
}

#[cfg(test)]
mod tests;
