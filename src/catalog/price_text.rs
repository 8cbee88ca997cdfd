//! How a price is written: keys, and amounts as decimal text.
//!
//! In: YAML. Out: [`PriceEntry`]. Never: an amount through a float.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize};

use super::price::{BaseMegapixels, Certainty, PerCall, PerMegapixel, PerReference, Pixels, PriceEntry, PriceKey, PriceKind, PriceTable, Rounding};
use super::strict::once_each;
use super::tokens::TokenPrice;
use crate::types::Micros;

/// A price: exactly one of `flat`, `by` with `table`, `per-megapixel`, `base-megapixels`, `per-call` and `tokens`, or `certainty: unknown` alone.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, expecting = "a price such as `{ flat: 12 }`")]
#[schemars(rename = "Price", example = serde_json::json!({ "flat": 12 }), example = serde_json::json!({ "by": ["resolution"], "table": { "1K": 49, "2K": 73.5, "4K": 98 } }))]
pub(super) struct PriceText {
    /// The same price for every picture.
    #[serde(default, deserialize_with = "amount_if_any", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<AmountText>")]
    flat: Option<Micros>,
    /// What the table is looked up by, one to three keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    by: Vec<PriceKey>,
    /// Price by key; several keys are joined by `/` in the order of `by`: `1K/high`.
    #[serde(default, deserialize_with = "amounts_if_any", skip_serializing_if = "Option::is_none")]
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
    #[serde(default, deserialize_with = "amount_if_any", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<AmountText>")]
    highest: Option<Micros>,
    /// What a batch API takes of the price: 0.5 for half. Absent: no batch API takes this request, or none is known.
    #[serde(default, deserialize_with = "amount_if_any", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<AmountText>")]
    batch: Option<Micros>,
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
        if let PriceKind::PerMegapixel(PerMegapixel { of: Pixels::Input, input: Some(_), .. }) = &kind {
            return Err("`input` is the price of what goes along when the result is priced: it needs `of: output`".to_owned());
        }
        Ok(Self {
            kind,
            per_reference: text.per_reference,
            certainty: text.certainty,
            rounding: text.rounding,
            highest: text.highest,
            batch: text.batch,
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
            batch: entry.batch,
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

/// An amount as it is written: `1e3` and `.5` are numbers to YAML and slips in a price, and a float would lose the last of many digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Written(Micros);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(WrittenVisitor)
    }
}

struct WrittenVisitor;

impl serde::de::Visitor<'_> for WrittenVisitor {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount such as 12 or 73.5")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Written, E> {
        text.parse().map(Written).map_err(E::custom)
    }
}

/// Reads an amount from its text; for `#[serde(deserialize_with)]`.
pub(super) fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Micros, D::Error> {
    Written::deserialize(deserializer).map(|written| written.0)
}

/// Like [`amount`], for one that may be absent.
pub(super) fn amount_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Micros>, D::Error> {
    Option::<Written>::deserialize(deserializer).map(|written| written.map(|written| written.0))
}

/// Reads amounts by name, each name once.
pub(super) fn amounts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IndexMap<String, Micros>, D::Error> {
    let written: IndexMap<String, Written> = once_each(deserializer)?;
    Ok(written.into_iter().map(|(name, written)| (name, written.0)).collect())
}

/// Like [`amounts`], for a table that may be absent.
pub(super) fn amounts_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IndexMap<String, Micros>>, D::Error> {
    amounts(deserializer).map(Some)
}
