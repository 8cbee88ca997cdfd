//! Prices as a book states them: the kinds, and how sure and how rounded they are.
//!
//! In: YAML. Out: [`PriceEntry`]; the arithmetic stands in [`super::quote`].
//! Never: a float, a price of 0 for something unknown.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::price_text::{AmountText, PriceText, amount, amount_if_any, amounts};
use super::tokens::TokenPrice;
use crate::types::Micros;

/// How sure a price is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// The source states it for exactly this.
    #[default]
    Exact,
    /// It may cost more.
    LowerBound,
    /// The source gives no price.
    Unknown,
}

impl fmt::Display for Certainty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact => "exact",
            Self::LowerBound => "at least",
            Self::Unknown => "unknown",
        })
    }
}

/// How the price of one picture is rounded, to whole units of the currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rounding {
    /// Not at all; what is finer than a millionth is rounded up.
    #[default]
    Exact,
    /// Down to a whole unit.
    Floor,
    /// To the nearest whole unit, halves up.
    Nearest,
    /// Up to a whole unit.
    Ceil,
}

/// What a table of prices is looked up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PriceKey {
    /// The size class: `1K`.
    Resolution,
    /// The quality: `high`.
    Quality,
    /// The rendering speed: `TURBO`.
    Speed,
    /// The enlargement: `2x`.
    Scale,
    /// The class that the longer side of the result falls into; the entry's `classes` draw the lines.
    OutputClass,
}

impl fmt::Display for PriceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolution => "resolution",
            Self::Quality => "quality",
            Self::Speed => "speed",
            Self::Scale => "scale",
            Self::OutputClass => "output class",
        })
    }
}

/// Which picture's pixels are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pixels {
    /// The main input's.
    Input,
    /// The result's.
    Output,
}

impl fmt::Display for Pixels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Input => "input",
            Self::Output => "output",
        })
    }
}

/// One price with its certainty and its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PriceText", into = "PriceText")]
pub struct PriceEntry {
    /// How it is reckoned.
    pub kind: PriceKind,
    /// Added for each reference picture.
    pub per_reference: Option<PerReference>,
    /// How sure it is; the book's word if absent.
    pub certainty: Option<Certainty>,
    /// How it is rounded; the book's word if absent.
    pub rounding: Option<Rounding>,
    /// The most that one attempt can cost, where that is known to be more than the price.
    pub highest: Option<Micros>,
    /// What a batch API takes of the price: 0.5 for half. Absent: no batch API takes this request, or none is known.
    pub batch: Option<Micros>,
    /// What a reader should know.
    pub note: Option<String>,
    /// Where it was read, if not where the book was.
    pub source: Option<String>,
    /// When it was read, if not when the book was.
    pub as_of: Option<jiff::civil::Date>,
}

/// How a price is reckoned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PriceKind {
    /// The same for every picture.
    Flat(Micros),
    /// By up to three keys.
    Table(PriceTable),
    /// By the number of pixels.
    PerMegapixel(PerMegapixel),
    /// Base x megapixels of the input x a factor by scale.
    BaseMegapixels(BaseMegapixels),
    /// For a call that brings several pictures at once.
    PerCall(PerCall),
    /// By tokens.
    Tokens(Box<TokenPrice>),
    /// The source names the model and no price.
    Unknown,
}

/// A table of prices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceTable {
    /// The keys, in the order in which a row names them.
    pub by: Vec<PriceKey>,
    /// Price by key; several keys are joined by `/`: `1K/high`.
    pub rows: IndexMap<String, Micros>,
    /// Rows whose price is only a lower bound.
    pub lower_bound_at: Vec<String>,
    /// For the output class: the most pixels of the longer side, smallest class first.
    pub classes: IndexMap<String, u32>,
}

/// A price by the number of pixels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(example = serde_json::json!({ "of": "output", "megapixel": 1_000_000, "first": "0.03", "additional": "0.015", "input": "0.015", "whole": true }))]
pub struct PerMegapixel {
    /// Whose pixels count.
    pub of: Pixels,
    /// Pixels in one megapixel: 1000000 or 1048576.
    pub megapixel: u64,
    /// Price of the first megapixel, charged whole.
    #[serde(deserialize_with = "amount")]
    #[schemars(with = "AmountText")]
    pub first: Micros,
    /// Price of each further megapixel; the same as `first`, and then also the first is charged by its part, if absent.
    #[serde(default, deserialize_with = "amount_if_any", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<AmountText>")]
    pub additional: Option<Micros>,
    /// Price of each megapixel of every picture that goes along, the main input and references; only with `of: output`.
    #[serde(default, deserialize_with = "amount_if_any", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<AmountText>")]
    pub input: Option<Micros>,
    /// Whether a started megapixel is charged whole.
    #[serde(default)]
    pub whole: bool,
}

/// Base x megapixels x a factor by scale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(example = serde_json::json!({ "base": 20, "of": "input", "megapixel": 1_000_000, "factor": { "2x": 1, "3x": 2, "4x": 3 } }))]
pub struct BaseMegapixels {
    /// Price of one megapixel at factor 1.
    #[serde(deserialize_with = "amount")]
    #[schemars(with = "AmountText")]
    pub base: Micros,
    /// Whose pixels count.
    pub of: Pixels,
    /// Pixels in one megapixel.
    pub megapixel: u64,
    /// Factor by scale: `2x: 1`.
    #[serde(deserialize_with = "amounts")]
    #[schemars(with = "std::collections::BTreeMap<String, AmountText>")]
    pub factor: IndexMap<String, Micros>,
}

/// The price of a call that brings several pictures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(example = serde_json::json!({ "price": 4, "pictures": 6 }))]
pub struct PerCall {
    /// Price of one call.
    #[serde(deserialize_with = "amount")]
    #[schemars(with = "AmountText")]
    pub price: Micros,
    /// Pictures that one call brings.
    pub pictures: u32,
}

/// What each reference picture adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(example = serde_json::json!({ "price": "0.5", "free": 1 }))]
pub struct PerReference {
    /// Price of one.
    #[serde(deserialize_with = "amount")]
    #[schemars(with = "AmountText")]
    pub price: Micros,
    /// How many cost nothing.
    #[serde(default)]
    pub free: u32,
}
