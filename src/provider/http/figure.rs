//! Figures of the provider's own: what a call has cost, in the answer's words.
//!
//! In: `/credits`, or `{ at: /usage/cost_in_usd_ticks, divisor: 10000000000, unit: USD }`, or `{ header: x-cost }`. Out: millionths of a unit.
//! Never: a float; a figure in another currency than the book's; a figure below nothing.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU64;

use reqwest::header::HeaderMap;
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::place::Place;
use crate::types::{Currency, Micros};

/// Digits after the point that are looked at: what stands behind them is what a float leaves over.
const DECIMALS: usize = 12;

/// Most digits of a figure before its point.
const MOST_DIGITS: usize = 18;

/// Where an answer says what was charged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Figure {
    /// Where in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Place>,
    /// In which header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// How many of what the provider counts make one unit.
    pub divisor: NonZeroU64,
    /// The currency; absent: the `unit` of the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<Currency>,
    /// What it counts.
    pub counts: Counts,
}

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Counts {
    /// Money.
    #[default]
    Money,
    /// Units that the book has a price for: megapixels where it prices by the megapixel of the result.
    Units,
}

/// A figure that is more than a place: exactly one of `at` and `header`.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(title = "Figure in full")]
struct FigureText {
    /// Where in the body.
    #[serde(default)]
    at: Option<Place>,
    /// In which header.
    #[serde(default)]
    header: Option<String>,
    /// How many of what the provider counts make one unit; 1 if absent.
    #[serde(default = "one")]
    divisor: NonZeroU64,
    /// The currency, `USD` or `credits:BOOK`; absent: the `unit` of the provider.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    unit: Option<Currency>,
    /// What it counts; money if absent.
    #[serde(default)]
    counts: Counts,
}

const fn one() -> NonZeroU64 {
    NonZeroU64::MIN
}

impl Figure {
    /// Returns the figure of an answer in millionths, rounded up to the millionth; `None` if it is not there, or in another currency than `wanted`.
    pub fn read(&self, body: &Value, headers: &HeaderMap, usual: Option<&Currency>, wanted: &Currency) -> Option<Micros> {
        if self.counts != Counts::Money || self.unit.as_ref().or(usual) != Some(wanted) {
            return None;
        }
        self.number(body, headers)
    }

    /// Returns how many units of the book's an answer has counted, in millionths; `None` if it does not count them.
    pub fn units(&self, body: &Value, headers: &HeaderMap) -> Option<Micros> {
        if self.counts == Counts::Units { self.number(body, headers) } else { None }
    }

    fn number(&self, body: &Value, headers: &HeaderMap) -> Option<Micros> {
        let text = match (&self.at, &self.header) {
            (Some(at), _) => Cow::Owned(at.text(body)?),
            (None, Some(name)) => Cow::Borrowed(headers.get(name)?.to_str().ok()?),
            (None, None) => return None,
        };
        micros(text.trim(), self.divisor)
    }
}

/// Reads plain decimal digits and divides; what is finer than a millionth is rounded up.
fn micros(text: &str, divisor: NonZeroU64) -> Option<Micros> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || whole.len() > MOST_DIGITS {
        return None;
    }
    let mut scaled: u128 = whole.parse().ok()?;
    for index in 0..DECIMALS {
        let digit = part.as_bytes().get(index).map_or(0, |digit| u128::from(digit - b'0'));
        scaled = scaled * 10 + digit;
    }
    let rounds_up = part.as_bytes().get(DECIMALS).is_some_and(|digit| *digit >= b'5');
    scaled += u128::from(rounds_up);
    // The scale is 12 decimals, six of which are kept.
    let micros = scaled.div_ceil(u128::from(divisor.get()) * 1_000_000);
    i64::try_from(micros).ok().map(Micros::new)
}

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Figure;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a place like `/credits`, or `{ at: /cost, divisor: 100, unit: USD }`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Figure, E> {
                let at = text.parse().map_err(E::custom)?;
                Ok(Figure { at: Some(at), header: None, divisor: one(), unit: None, counts: Counts::Money })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Figure, A::Error> {
                let FigureText { at, header, divisor, unit, counts } = FigureText::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Figure { at, header, divisor, unit, counts })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Figure {
    fn schema_name() -> Cow<'static, str> {
        "Figure".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let (place, full) = (generator.subschema_for::<Place>(), generator.subschema_for::<FigureText>());
        schemars::json_schema!({ "description": "Where an answer says what was charged: a place, or more about it.", "anyOf": [place, full] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;
    use serde_json::json;

    fn figure(text: &str) -> Figure {
        serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn read(text: &str, body: Value) -> Option<String> {
        figure(text).read(&body, &HeaderMap::new(), Some(&Currency::Usd), &Currency::Usd).map(|micros| micros.to_string())
    }

    #[test]
    fn ticks_cents_and_credits_become_millionths_without_a_float() {
        let ticks = "{ at: /usage/cost_in_usd_ticks, divisor: 10000000000, unit: USD }";
        assert_eq!(read(ticks, json!({ "usage": { "cost_in_usd_ticks": 200_000_000 } })).as_deref(), Some("0.02"));
        assert_eq!(read(ticks, json!({ "usage": { "cost_in_usd_ticks": 220_000_001 } })).as_deref(), Some("0.022001"), "rounded up");
        assert_eq!(read("{ at: /cost, divisor: 100 }", json!({ "cost": 3.5 })).as_deref(), Some("0.035"));
        assert_eq!(read("/credits", json!({ "credits": 40 })).as_deref(), Some("40"));
        assert_eq!(read("/credits", json!({ "credits": 0 })).as_deref(), Some("0"), "nothing is a figure too");
        assert_eq!(read("/cost", json!({ "cost": 0.1 + 0.2 })).as_deref(), Some("0.3"), "what a float leaves over is not charged");
        assert_eq!(read("/cost", json!({ "cost": 0.000_000_1 })).as_deref(), Some("0.000001"));
    }

    #[test]
    fn what_is_no_figure_is_none_and_never_nothing() {
        for body in [
            json!({}),
            json!({ "x": null }),
            json!({ "x": -1 }),
            json!({ "x": "free" }),
            json!({ "x": "1e9" }),
            json!({ "x": [1] }),
            json!({ "x": "9".repeat(30) }),
            json!({ "x": "" }),
        ] {
            assert_eq!(read("/x", body.clone()), None, "{body}");
        }
    }

    #[test]
    fn a_header_is_read_like_a_place_and_another_currency_is_not_read() {
        let mut headers = HeaderMap::new();
        headers.insert("x-fal-billable-units", HeaderValue::from_static("0.02"));
        let units = figure("{ header: x-fal-billable-units, unit: USD }");
        assert_eq!(units.read(&Value::Null, &headers, None, &Currency::Usd), Some(Micros::new(20_000)));
        assert_eq!(units.read(&Value::Null, &headers, None, &Currency::credits("kie")), None);
        let counted = figure("{ header: x-fal-billable-units, counts: units }");
        assert_eq!(counted.units(&Value::Null, &headers), Some(Micros::new(20_000)));
        assert_eq!(counted.read(&Value::Null, &headers, Some(&Currency::Usd), &Currency::Usd), None, "units are no money");
        assert_eq!(figure("/x").read(&json!({ "x": 1 }), &headers, None, &Currency::Usd), None, "no unit is named");
    }

    #[test]
    fn a_figure_is_read_as_a_place_or_in_full_and_slips_are_named() {
        assert_eq!(figure("/credits"), figure("{ at: /credits }"));
        for (text, said) in [
            ("credits", "not a place"),
            ("{ at: /a, divisr: 2 }", "unknown field `divisr`"),
            ("{ at: /a, divisor: 0 }", "nonzero"),
            ("7", "a place like"),
        ] {
            let error = serde_yaml::from_str::<Figure>(text).expect_err("a slip").to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
