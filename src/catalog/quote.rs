//! What one attempt costs: exact arithmetic on whole numbers, rounded once.
//!
//! In: a price book and a settled request. Out: a [`Quote`] with the amount to expect and the highest to reserve, or why there is none.
//! Never: a float, a price of 0 for something unknown.

use std::fmt::Write as _;
use std::sync::Arc;

use super::book::PriceBook;
use super::price::{BaseMegapixels, Certainty, PerMegapixel, Pixels, PriceEntry, PriceKey, PriceKind, PriceTable, Rounding, TokenPrice, TokenUsage};
use crate::types::diagnostic::listed;
use crate::types::{Action, Amount, Micros, PixelSize, Settings};

/// How many alternatives a message names.
const MOST_NAMED: usize = 12;
/// Tokens that a token rate is for.
const PER_TOKENS: i128 = 1_000_000;
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

    /// Returns what the tokens that a provider counted cost; `None` if the book does not price this model by tokens.
    pub fn charge_tokens(&self, model: &str, action: Action, usage: &TokenUsage) -> Option<Amount> {
        let entry = self.entry(model, action).ok()?;
        let PriceKind::Tokens(price) = &entry.kind else { return None };
        let micros = token_price(price, usage)?.round(Rounding::Exact)?;
        Some(Amount::new(self.currency.clone(), micros))
    }

    /// Finds the price entry of a model and an action.
    fn entry(&self, model: &str, action: Action) -> Result<&PriceEntry, Unpriced> {
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
        let settle = |price: Exact| price.plus(extra).and_then(|sum| sum.round(rounding)).ok_or_else(|| self.too_large());
        let micros = settle(price)?;
        let most = highest.map(settle).transpose()?.unwrap_or(micros);
        let highest = micros.max(most).max(self.entry.highest.unwrap_or(Micros::ZERO));
        Ok(Quote { amount: Amount::new(self.book.currency.clone(), micros), highest, certainty, basis })
    }

    fn reckon(&self) -> Result<Reckoned, Unpriced> {
        let certainty = self.entry.certainty.unwrap_or(self.book.certainty);
        let plain = |price: Exact, basis: String| Reckoned { price, highest: None, certainty, basis };
        match &self.entry.kind {
            PriceKind::Flat(price) => Ok(plain(Exact::of(*price), format!("{price} a picture"))),
            PriceKind::Table(table) => self.table(table, certainty),
            PriceKind::PerMegapixel(price) => self.per_megapixel(price).map(|(exact, basis)| plain(exact, basis)),
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

    fn per_megapixel(&self, price: &PerMegapixel) -> Result<(Exact, String), Unpriced> {
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
        exact().map(|exact| (exact, basis)).ok_or_else(|| self.too_large())
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
        let (book, model) = (self.book_name(), self.input.model.to_owned());
        let Some(quality) = self.input.settings.quality.as_deref() else {
            let has = price.output_factors.keys().map(ToString::to_string).chain(price.output_table.keys().cloned()).collect();
            return Err(Unpriced::Unset { book, model, key: "quality".to_owned(), has });
        };
        let Some(image_out) = price.output_tokens(self.input.output, quality) else {
            let has = price.output_factors.keys().map(ToString::to_string).chain(price.output_table.keys().cloned()).collect();
            let asked = format!("{}/{quality}", self.input.output);
            return Err(Unpriced::Row { book, model, key: "size and quality".to_owned(), asked, has });
        };
        let chars = u64::try_from(self.input.prompt_chars).unwrap_or(u64::MAX);
        let overhead = u64::from(price.prompt_overhead);
        let references = u64::from(self.input.references);
        let has_input = self.input.action != Action::Generate;
        let main = if has_input { price.image_tokens(self.input.input) } else { 0 };
        let expected = TokenUsage {
            text_in: chars.div_ceil(u64::from(price.chars_per_token.max(1))).saturating_add(overhead),
            image_in: main.saturating_add(references.saturating_mul(price.image_tokens(None))),
            image_out,
        };
        let most = TokenUsage {
            text_in: chars.saturating_add(overhead),
            image_in: price.image_tokens(None).saturating_mul(references.saturating_add(u64::from(has_input))),
            image_out,
        };
        let exact = |usage| token_price(price, &usage).ok_or_else(|| self.too_large());
        let TokenUsage { text_in, image_in, .. } = expected;
        let basis = format!("tokens: {image_out} of picture, about {text_in} of prompt, {image_in} of input");
        Ok(Reckoned { price: exact(expected)?, highest: Some(exact(most)?), certainty, basis })
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
        Unpriced::TooLarge { book: self.book_name(), model: self.input.model.to_owned() }
    }
}

/// Returns how many megapixels are started.
fn started(pixels: i128, divisor: i128) -> i128 {
    (pixels + divisor - 1) / divisor
}

fn token_price(price: &TokenPrice, usage: &TokenUsage) -> Option<Exact> {
    let part = |rate: Micros, tokens: u64| Exact::product(&[i128::from(rate.get()), i128::from(tokens)], PER_TOKENS);
    part(price.text_in, usage.text_in)?.plus(part(price.image_in, usage.image_in)?)?.plus(part(price.image_out, usage.image_out)?)
}

/// A number of millionths as a fraction, so that only the end is rounded.
#[derive(Debug, Clone, Copy)]
struct Exact {
    numerator: i128,
    /// Always positive.
    denominator: i128,
}

impl Exact {
    const ZERO: Self = Self { numerator: 0, denominator: 1 };

    fn of(price: Micros) -> Self {
        Self { numerator: i128::from(price.get()), denominator: 1 }
    }

    /// Returns the product of `factors` over `denominator`; `None` if it does not fit or the denominator is not positive.
    fn product(factors: &[i128], denominator: i128) -> Option<Self> {
        let numerator = factors.iter().try_fold(1_i128, |product, factor| product.checked_mul(*factor))?;
        (denominator > 0).then_some(Self { numerator, denominator })
    }

    fn plus(self, other: Self) -> Option<Self> {
        if self.denominator == other.denominator {
            return Some(Self { numerator: self.numerator.checked_add(other.numerator)?, ..self });
        }
        let left = self.numerator.checked_mul(other.denominator)?;
        let right = other.numerator.checked_mul(self.denominator)?;
        Some(Self { numerator: left.checked_add(right)?, denominator: self.denominator.checked_mul(other.denominator)? })
    }

    /// Rounds once: to millionths, or to whole units.
    fn round(self, rounding: Rounding) -> Option<Micros> {
        let whole = self.denominator.checked_mul(UNIT)?;
        let micros = match rounding {
            Rounding::Exact => div_ceil(self.numerator, self.denominator)?,
            Rounding::Floor => self.numerator.div_euclid(whole).checked_mul(UNIT)?,
            Rounding::Nearest => self.numerator.checked_mul(2)?.checked_add(whole)?.div_euclid(whole.checked_mul(2)?).checked_mul(UNIT)?,
            Rounding::Ceil => div_ceil(self.numerator, whole)?.checked_mul(UNIT)?,
        };
        i64::try_from(micros).ok().map(Micros::new)
    }
}

fn div_ceil(numerator: i128, denominator: i128) -> Option<i128> {
    let up = i128::from(numerator.rem_euclid(denominator) != 0);
    numerator.div_euclid(denominator).checked_add(up)
}

#[cfg(test)]
mod tests;
