//! A price as one word of a saved plan: `free`, `unpriced`, `12`, `at least 12`.
//!
//! In: such a word, or what a job costs. Out: the other of the two. Never: a price of 0 for something unknown.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::catalog::Certainty;
use crate::plan::SidePrice;
use crate::types::Micros;

/// What one try of a shot costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SavedPrice {
    /// Local work.
    Free,
    /// The book says exactly this.
    Exactly(Micros),
    /// The book says at least this.
    AtLeast(Micros),
    /// The book has no price.
    Unpriced,
}

/// What stands before a price that is a lower bound.
const AT_LEAST: &str = "at least ";

impl fmt::Display for SavedPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Free => f.write_str("free"),
            Self::Exactly(micros) => micros.fmt(f),
            Self::AtLeast(micros) => write!(f, "{AT_LEAST}{micros}"),
            Self::Unpriced => f.write_str("unpriced"),
        }
    }
}

impl From<SidePrice> for SavedPrice {
    fn from(price: SidePrice) -> Self {
        match price {
            SidePrice::Free => Self::Free,
            SidePrice::Priced(micros, Certainty::Exact) => Self::Exactly(micros),
            SidePrice::Priced(micros, Certainty::LowerBound) => Self::AtLeast(micros),
            SidePrice::Priced(_, Certainty::Unknown) | SidePrice::Unpriced => Self::Unpriced,
        }
    }
}

impl From<SavedPrice> for SidePrice {
    fn from(price: SavedPrice) -> Self {
        match price {
            SavedPrice::Free => Self::Free,
            SavedPrice::Exactly(micros) => Self::Priced(micros, Certainty::Exact),
            SavedPrice::AtLeast(micros) => Self::Priced(micros, Certainty::LowerBound),
            SavedPrice::Unpriced => Self::Unpriced,
        }
    }
}

impl Serialize for SavedPrice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SavedPrice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Word)
    }
}

struct Word;

impl serde::de::Visitor<'_> for Word {
    type Value = SavedPrice;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a price: `free`, `unpriced`, `12` or `at least 12`, in quotes")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<SavedPrice, E> {
        let (sure, number) = match (text, text.strip_prefix(AT_LEAST)) {
            ("free", _) => return Ok(SavedPrice::Free),
            ("unpriced", _) => return Ok(SavedPrice::Unpriced),
            (_, Some(number)) => (false, number),
            (number, None) => (true, number),
        };
        let micros: Micros = number.parse().map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))?;
        if micros < Micros::ZERO {
            return Err(E::invalid_value(serde::de::Unexpected::Str(text), &self));
        }
        Ok(if sure { SavedPrice::Exactly(micros) } else { SavedPrice::AtLeast(micros) })
    }
}

impl schemars::JsonSchema for SavedPrice {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SavedPrice".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "What one try costs, in the currency of the totals.",
            "type": "string",
            "pattern": "^(free|unpriced|(at least )?[0-9]+([.][0-9]{1,6})?)$",
            "examples": ["12", "at least 0.0423", "free", "unpriced"],
        })
    }
}
