//! Values with a notation of their own: money, percentages, factors, axes.

use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};

use super::model::{AxisSpec, FailureLimitSpec, FileAxisSpec, IterationSpec, MoneySpec, PercentSpec};
use super::policy::GrowthSpec;
use crate::types::Micros;

/// Reads a plain number or text into `$type` through `$parse`, which sees the shortest decimal text of a number.
macro_rules! deserialize_from_text {
    ($type:ident, $expected:literal, $parse:expr) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;

                impl Visitor<'_> for Text {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<$type, E> {
                        let parse: fn(&str) -> Result<$type, String> = $parse;
                        parse(text).map_err(E::custom)
                    }

                    fn visit_u64<E: Error>(self, number: u64) -> Result<$type, E> {
                        self.visit_str(&number.to_string())
                    }

                    fn visit_i64<E: Error>(self, number: i64) -> Result<$type, E> {
                        self.visit_str(&number.to_string())
                    }

                    fn visit_f64<E: Error>(self, number: f64) -> Result<$type, E> {
                        self.visit_str(&number.to_string())
                    }
                }

                deserializer.deserialize_any(Text)
            }
        }
    };
}

macro_rules! schema {
    ($type:ident, $name:literal, $($schema:tt)+) => {
        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($($schema)+)
            }
        }
    };
}

deserialize_from_text!(MoneySpec, "an amount such as 1300 or \"USD 12.50\"", |text| {
    let (usd, number) = match text.strip_prefix("USD ") {
        Some(rest) => (true, rest.trim()),
        None => (false, text),
    };
    let micros: Micros = number.parse().map_err(|error| format!("{error}; write credits as a number, dollars as \"USD 12.50\""))?;
    if micros < Micros::ZERO { Err(format!("`{text}` is below zero")) } else { Ok(MoneySpec { usd, micros }) }
});
schema!(MoneySpec, "Money", {
    "description": "An amount of money.",
    "type": ["number", "string"], "minimum": 0, "pattern": "^(USD )?[0-9]+([.][0-9]{1,6})?$",
    "patternErrorMessage": "an amount: credits as a number, dollars as \"USD 12.50\"", "examples": [1300, "USD 12.50"],
});

fn iteration(text: &str) -> Result<IterationSpec, String> {
    if text == "learned" {
        return Ok(IterationSpec::Learned { fallback: None });
    }
    if !text.starts_with(|first: char| first.is_ascii_digit() || first == '-') {
        return Ok(IterationSpec::Named(text.to_owned()));
    }
    let factor: Micros = text.parse().map_err(|error| format!("{error}"))?;
    if factor < Micros::units(1) {
        Err(format!("`{text}` is below 1: nobody gets more finals than pictures"))
    } else {
        Ok(IterationSpec::Factor(factor))
    }
}

impl std::str::FromStr for IterationSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        iteration(text)
    }
}

/// What stands in while too little is learned: a name or a number.
struct StandIn(IterationSpec);

deserialize_from_text!(StandIn, "strict, explore, blank-box or a number of at least 1", |text| match iteration(text)? {
    IterationSpec::Learned { .. } => Err("what stands in for `learned` is a name or a number".to_owned()),
    named => Ok(StandIn(named)),
});

impl<'de> Deserialize<'de> for IterationSpec {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;

        impl<'de> Visitor<'de> for Forms {
            type Value = IterationSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("strict, explore, blank-box, learned or a number of at least 1")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<IterationSpec, E> {
                iteration(text).map_err(E::custom)
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<IterationSpec, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<IterationSpec, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<IterationSpec, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<IterationSpec, A::Error> {
                let (Some((key, StandIn(fallback))), None) = (map.next_entry::<String, StandIn>()?, map.next_key::<String>()?) else {
                    return Err(A::Error::custom("write `learned: explore`: what stands in while there are too few finals"));
                };
                if key == "learned" {
                    Ok(IterationSpec::Learned { fallback: Some(Box::new(fallback)) })
                } else {
                    Err(A::Error::custom(format!("`{key}` is no key of `iteration`; write `learned: explore`")))
                }
            }
        }

        deserializer.deserialize_any(Forms)
    }
}

schema!(IterationSpec, "Iteration", {
    "description": "`strict` (1.2), `explore` (1.8), `blank-box` (2.5), a number of at least 1, or `learned`: what this campaign's own finals took so far.",
    "anyOf": [
        { "type": ["number", "string"], "minimum": 1, "examples": ["strict", "explore", "blank-box", "learned", 1.5] },
        {
            "type": "object", "additionalProperties": false, "required": ["learned"], "examples": [{ "learned": "explore" }],
            "properties": { "learned": {
                "type": ["number", "string"], "minimum": 1, "examples": ["explore"],
                "description": "What stands in while there are too few finals.",
            } },
        },
    ],
});

fn percent(text: &str) -> Result<PercentSpec, String> {
    let wrong = || format!("`{text}` is not a share such as 80%");
    let number: Micros = text.strip_suffix('%').ok_or_else(wrong)?.parse().map_err(|_| wrong())?;
    let hundredths = number.get() / 10_000;
    match u32::try_from(hundredths) {
        Ok(hundredths) if hundredths <= 10_000 && number.get() % 10_000 == 0 => Ok(PercentSpec(hundredths)),
        _ => Err(format!("`{text}` is not between 0% and 100% with at most two decimals")),
    }
}

deserialize_from_text!(PercentSpec, "a share such as 80%", percent);
schema!(PercentSpec, "Percent", { "description": "A share of a whole.", "type": "string", "pattern": "^[0-9]{1,3}([.][0-9]{1,2})?%$", "patternErrorMessage": "a share like 80%", "examples": ["80%"] });

deserialize_from_text!(GrowthSpec, "a share such as 20%", |text| {
    let wrong = || format!("`{text}` is not a share such as 20%");
    let number: Micros = text.strip_suffix('%').unwrap_or(text).parse().map_err(|_| wrong())?;
    match u32::try_from(number.get() / 10_000) {
        Ok(hundredths) if hundredths <= 100_000_000 && number.get() % 10_000 == 0 => Ok(GrowthSpec(hundredths)),
        _ => Err(format!("`{text}` is not between 0% and 1000000% with at most two decimals")),
    }
});
schema!(GrowthSpec, "Growth", {
    "description": "A share to grow by: 20% is a fifth more, 100% is twice as much.",
    "type": ["number", "string"], "minimum": 0, "pattern": "^[0-9]{1,7}([.][0-9]{1,2})?%?$",
    "patternErrorMessage": "a share of 0% or more like 20%", "examples": ["20%"],
});

deserialize_from_text!(FailureLimitSpec, "a number of failures, or a share such as 10%", |text| {
    if text.ends_with('%') {
        return percent(text).map(FailureLimitSpec::Share);
    }
    text.parse().map(FailureLimitSpec::Count).map_err(|_| format!("`{text}` is not a number of failures such as 5, nor a share such as 10%"))
});
schema!(FailureLimitSpec, "FailureLimit", {
    "description": "So many failed shots, or a share of the paid shots.",
    "type": ["integer", "string"], "minimum": 0, "pattern": "^([0-9]+|[0-9]{1,3}([.][0-9]{1,2})?%)$",
    "patternErrorMessage": "a number of failures like 5, nor a share like 10%", "examples": [5, "10%"],
});

impl AxisSpec {
    /// Keys that make an axis a file axis.
    pub const FILE_KINDS: [&'static str; 4] = ["csv", "tsv", "jsonl", "yaml"];
}

impl<'de> Deserialize<'de> for AxisSpec {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shapes;

        impl<'de> Visitor<'de> for Shapes {
            type Value = AxisSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of values, a list of texts, or a file such as { csv: data/skus.csv, key: sku }")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<AxisSpec, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element::<serde_json::Value>()? {
                    match item {
                        serde_json::Value::String(text) => list.push(text),
                        serde_json::Value::Number(number) => list.push(number.to_string()),
                        _ => return Err(A::Error::custom("a value in a list is a text; give a map for values with fields")),
                    }
                }
                Ok(AxisSpec::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AxisSpec, A::Error> {
                let mut values = IndexMap::new();
                while let Some((key, value)) = map.next_entry::<String, serde_json::Value>()? {
                    values.insert(key, value);
                }
                let names_a_file = AxisSpec::FILE_KINDS.iter().any(|kind| values.get(*kind).is_some_and(serde_json::Value::is_string));
                if !names_a_file {
                    return Ok(AxisSpec::Map(values));
                }
                let object = serde_json::Value::Object(values.into_iter().collect());
                FileAxisSpec::deserialize(object).map(AxisSpec::File).map_err(A::Error::custom)
            }
        }

        deserializer.deserialize_any(Shapes)
    }
}

impl JsonSchema for AxisSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Axis".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut file = generator.subschema_for::<FileAxisSpec>();
        file.insert("x-chosen-by".to_owned(), AxisSpec::FILE_KINDS.as_slice().into());
        schemars::json_schema!({
            "description": "Values of an axis: rows of a file, a map of names to fields, or a list of texts.",
            "anyOf": [
                file,
                {
                    "type": "object", "minProperties": 1,
                    "description": "Name of each value, with its fields or its text.",
                    "additionalProperties": { "type": ["object", "string", "number"] },
                },
                { "type": "array", "minItems": 1, "description": "Texts, each its own name.", "items": { "type": ["string", "integer"] } },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_credits_or_named_dollars() {
        let read = |text: &str| serde_yaml::from_str::<MoneySpec>(text);
        assert_eq!(read("1300").expect("credits"), MoneySpec { usd: false, micros: Micros::units(1300) });
        assert_eq!(read("USD 12.50").expect("dollars"), MoneySpec { usd: true, micros: Micros::new(12_500_000) });
        assert!(read("12 EUR").is_err());
        assert!(read("-1").is_err());
    }

    #[test]
    fn an_axis_that_names_a_file_is_a_file_axis() {
        let axis: AxisSpec = serde_yaml::from_str("{ csv: data/skus.csv, key: sku }").expect("a file axis");
        assert!(matches!(axis, AxisSpec::File(_)));
        let axis: AxisSpec = serde_yaml::from_str("{ front: { view: straight }, csv: { view: odd name } }").expect("an inline axis");
        assert!(matches!(axis, AxisSpec::Map(_)));
    }

    #[test]
    fn shares_have_two_decimals_and_end_at_a_hundred() {
        assert_eq!(percent("12.5%"), Ok(PercentSpec(1250)));
        assert!(percent("101%").is_err());
        assert!(percent("80").is_err());
    }
}
