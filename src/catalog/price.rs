//! Prices as a book states them: the kinds, and how sure and how rounded they are.
//!
//! In: YAML. Out: [`PriceEntry`]; the arithmetic stands in [`super::quote`].
//! Never: a float, a price of 0 for something unknown.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::strict::{once_each, once_each_if_any};
use crate::types::{Micros, PixelSize};

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
#[schemars(example = serde_json::json!({ "of": "output", "megapixel": 1_000_000, "first": "0.03", "additional": "0.015" }))]
pub struct PerMegapixel {
    /// Whose pixels count.
    pub of: Pixels,
    /// Pixels in one megapixel: 1000000 or 1048576.
    pub megapixel: u64,
    /// Price of the first megapixel, charged whole.
    #[schemars(with = "AmountText")]
    pub first: Micros,
    /// Price of each further megapixel; the same as `first`, and then also the first is charged by its part, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<AmountText>")]
    pub additional: Option<Micros>,
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
    #[schemars(with = "AmountText")]
    pub base: Micros,
    /// Whose pixels count.
    pub of: Pixels,
    /// Pixels in one megapixel.
    pub megapixel: u64,
    /// Factor by scale: `2x: 1`.
    #[serde(deserialize_with = "once_each")]
    #[schemars(with = "std::collections::BTreeMap<String, AmountText>")]
    pub factor: IndexMap<String, Micros>,
}

/// The price of a call that brings several pictures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(example = serde_json::json!({ "price": 4, "pictures": 6 }))]
pub struct PerCall {
    /// Price of one call.
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
    #[schemars(with = "AmountText")]
    pub price: Micros,
    /// How many cost nothing.
    #[serde(default)]
    pub free: u32,
}

/// A price by tokens: rates for a million tokens, and how many tokens a request takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(example = serde_json::json!({ "text-in": 5, "image-in": 8, "image-out": 30, "output-factors": { "low": 16, "medium": 48, "high": 96 } }))]
pub struct TokenPrice {
    /// Price of a million tokens of prompt.
    #[schemars(with = "AmountText")]
    pub text_in: Micros,
    /// Price of a million tokens of input pictures.
    #[schemars(with = "AmountText")]
    pub image_in: Micros,
    /// Price of a million tokens of the result.
    #[schemars(with = "AmountText")]
    pub image_out: Micros,
    /// The factor `f` of each quality in the formula of output tokens: with L and S the longer and the shorter side,
    /// `s = round(f x S / L)`, tokens = `ceil(f x s x (2000000 + pixels) / 4000000)`.
    #[serde(default, deserialize_with = "once_each", skip_serializing_if = "IndexMap::is_empty")]
    pub output_factors: IndexMap<Arc<str>, u32>,
    /// Output tokens by size and quality, where no formula is known: `1024x1024/low`. Looked up before the formula.
    #[serde(default, deserialize_with = "once_each", skip_serializing_if = "IndexMap::is_empty")]
    pub output_table: IndexMap<String, u32>,
    /// Side of the square patches that input pictures are cut into, one token each; absent: always `input-image-most`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_patch: Option<u32>,
    /// Most tokens of one input picture.
    #[serde(default = "TokenPrice::usual_image_most")]
    pub input_image_most: u32,
    /// Characters that make one token of a usual prompt; for the reservation every character counts as one.
    #[serde(default = "TokenPrice::usual_chars_per_token")]
    pub chars_per_token: u32,
    /// Tokens that every prompt has besides its text.
    #[serde(default = "TokenPrice::usual_overhead")]
    pub prompt_overhead: u32,
}

impl TokenPrice {
    const fn usual_image_most() -> u32 {
        1536
    }

    const fn usual_chars_per_token() -> u32 {
        4
    }

    const fn usual_overhead() -> u32 {
        6
    }

    /// Returns the tokens of a result, if the book knows them for this size and quality.
    pub fn output_tokens(&self, size: PixelSize, quality: &str) -> Option<u64> {
        if let Some(tokens) = self.output_table.get(&format!("{size}/{quality}")) {
            return Some(u64::from(*tokens));
        }
        let factor = u64::from(*self.output_factors.get(quality)?);
        let long = u64::from(size.width.max(size.height)).max(1);
        let short = u64::from(size.width.min(size.height));
        let rows = (2 * factor * short + long) / (2 * long);
        let tokens = u128::from(factor * rows) * (2_000_000 + u128::from(size.pixels()));
        u64::try_from(tokens.div_ceil(4_000_000)).ok()
    }

    /// Returns the tokens of one input picture; the most there can be if its size is not known.
    pub fn image_tokens(&self, size: Option<PixelSize>) -> u64 {
        let most = u64::from(self.input_image_most);
        let (Some(patch), Some(size)) = (self.input_patch.filter(|patch| *patch > 0), size) else { return most };
        most.min(u64::from(size.width.div_ceil(patch)) * u64::from(size.height.div_ceil(patch)))
    }
}

/// Tokens that a provider counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenUsage {
    /// Of the prompt.
    pub text_in: u64,
    /// Of the input pictures.
    pub image_in: u64,
    /// Of the result.
    pub image_out: u64,
}

/// A price: exactly one of `flat`, `by` with `table`, `per-megapixel`, `base-megapixels`, `per-call` and `tokens`, or `certainty: unknown` alone.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Price", example = serde_json::json!({ "flat": 12 }), example = serde_json::json!({ "by": ["resolution"], "table": { "1K": 49, "2K": 73.5, "4K": 98 } }))]
struct PriceText {
    /// The same price for every picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<AmountText>")]
    flat: Option<Micros>,
    /// What the table is looked up by, one to three keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    by: Vec<PriceKey>,
    /// Price by key; several keys are joined by `/` in the order of `by`: `1K/high`.
    #[serde(default, deserialize_with = "once_each_if_any", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<std::collections::BTreeMap<String, AmountText>>")]
    table: Option<IndexMap<String, Micros>>,
    /// Rows of the table whose price is only a lower bound.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lower_bound_at: Vec<String>,
    /// For the key `output-class`: the most pixels of the longer side, smallest class first.
    #[serde(default, deserialize_with = "once_each", skip_serializing_if = "IndexMap::is_empty")]
    classes: IndexMap<String, u32>,
    /// A price by the number of pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    per_megapixel: Option<PerMegapixel>,
    /// Base x megapixels x a factor by scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base_megapixels: Option<BaseMegapixels>,
    /// The price of a call that brings several pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    per_call: Option<PerCall>,
    /// A price by tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokens: Option<Box<TokenPrice>>,
    /// Added for each reference picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    per_reference: Option<PerReference>,
    /// How sure the price is; `unknown` stands alone, without a price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certainty: Option<Certainty>,
    /// How the price of one picture is rounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rounding: Option<Rounding>,
    /// The most that one attempt can cost, where that is known to be more than the price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<AmountText>")]
    highest: Option<Micros>,
    /// What a reader should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// Where it was read, if not where the book was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// When it was read, if not when the book was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    as_of: Option<jiff::civil::Date>,
}

impl TryFrom<PriceText> for PriceEntry {
    type Error = String;

    fn try_from(text: PriceText) -> Result<Self, String> {
        let table = match (text.table, text.by.len()) {
            (None, 0) => None,
            (Some(rows), 1..=3) => {
                Some(PriceKind::Table(PriceTable { by: text.by, rows, lower_bound_at: text.lower_bound_at, classes: text.classes }))
            }
            (Some(_), _) => return Err("a table needs `by` with one to three keys".to_owned()),
            (None, _) => return Err("`by` needs a `table`".to_owned()),
        };
        let kinds = [
            text.flat.map(PriceKind::Flat),
            table,
            text.per_megapixel.map(PriceKind::PerMegapixel),
            text.base_megapixels.map(PriceKind::BaseMegapixels),
            text.per_call.map(PriceKind::PerCall),
            text.tokens.map(PriceKind::Tokens),
            (text.certainty == Some(Certainty::Unknown)).then_some(PriceKind::Unknown),
        ];
        let mut given = kinds.into_iter().flatten();
        let kind = match (given.next(), given.next()) {
            (Some(kind), None) => kind,
            (None, _) => {
                return Err(
                    "a price needs one of `flat`, `table`, `per-megapixel`, `base-megapixels`, `per-call`, `tokens`; or `certainty: unknown`"
                        .to_owned(),
                );
            }
            (Some(_), Some(PriceKind::Unknown)) => return Err("`certainty: unknown` stands alone: a price that is written down is known".to_owned()),
            (Some(_), Some(_)) => {
                return Err("a price has only one of `flat`, `table`, `per-megapixel`, `base-megapixels`, `per-call` and `tokens`".to_owned());
            }
        };
        let divisor = match &kind {
            PriceKind::PerMegapixel(price) => price.megapixel,
            PriceKind::BaseMegapixels(price) => price.megapixel,
            _ => 1,
        };
        if divisor == 0 {
            return Err("`megapixel` is the number of pixels in one: 1000000 or 1048576, never 0".to_owned());
        }
        Ok(Self {
            kind,
            per_reference: text.per_reference,
            certainty: text.certainty,
            rounding: text.rounding,
            highest: text.highest,
            note: text.note,
            source: text.source,
            as_of: text.as_of,
        })
    }
}

impl From<PriceEntry> for PriceText {
    fn from(entry: PriceEntry) -> Self {
        let mut text = Self {
            per_reference: entry.per_reference,
            certainty: entry.certainty,
            rounding: entry.rounding,
            highest: entry.highest,
            note: entry.note,
            source: entry.source,
            as_of: entry.as_of,
            ..Self::default()
        };
        match entry.kind {
            PriceKind::Flat(price) => text.flat = Some(price),
            PriceKind::Table(table) => {
                text.by = table.by;
                text.table = Some(table.rows);
                text.lower_bound_at = table.lower_bound_at;
                text.classes = table.classes;
            }
            PriceKind::PerMegapixel(price) => text.per_megapixel = Some(price),
            PriceKind::BaseMegapixels(price) => text.base_megapixels = Some(price),
            PriceKind::PerCall(price) => text.per_call = Some(price),
            PriceKind::Tokens(price) => text.tokens = Some(price),
            PriceKind::Unknown => text.certainty = Some(Certainty::Unknown),
        }
        text
    }
}

impl schemars::JsonSchema for PriceEntry {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        PriceText::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        PriceText::json_schema(generator)
    }
}

/// The schema of an amount: a plain decimal number or its text.
pub(super) struct AmountText;

impl schemars::JsonSchema for AmountText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AmountText".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A decimal number with at most six digits after the point.",
            "anyOf": [{ "type": "number", "minimum": 0 }, { "type": "string", "pattern": "^[0-9]+([.][0-9]{1,6}0*)?$" }],
            "examples": [12, 73.5, "0.0423"]
        })
    }
}
