//! Model cards: what one model can be asked for, per action.
//!
//! In: YAML of a provider's manifest or of a price book. Out: settled settings; fitness ([`super::fit`]) and sizes ([`super::size`]).
//! Never: a wire body, a price.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::input::InputLimits;
use super::size::{Grid, SizeRule};
use super::strict::{once_each, once_each_if_any};
use crate::types::{Action, ImageFormat, PixelSize, Ratio, Settings};

/// What one model is and can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ModelCard {
    /// The catalog's name of the model; in a file it is the key that the card stands under.
    #[serde(skip, default = "no_name")]
    pub id: Arc<str>,
    /// The name that people know; the id if absent.
    #[serde(default)]
    pub title: String,
    /// What it can be asked to do.
    #[serde(deserialize_with = "once_each")]
    pub operations: BTreeMap<Action, OperationCard>,
    /// The first day on which it answers no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub shutdown: Option<jiff::civil::Date>,
    /// What its maker names to use instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<String>,
    /// Whether the provider's batches take it; absent: no.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub batch: bool,
}

/// The name of a card that has not been placed in a catalog yet.
fn no_name() -> Arc<str> {
    Arc::from("")
}

impl ModelCard {
    /// Gives the card the name it stands under.
    #[must_use]
    pub fn named(mut self, id: &Arc<str>) -> Self {
        self.id = Arc::clone(id);
        if self.title.is_empty() {
            self.title = id.to_string();
        }
        self
    }

    /// Returns what the model offers for `action`, if anything.
    pub fn operation(&self, action: Action) -> Option<&OperationCard> {
        self.operations.get(&action)
    }

    /// Returns whether the model answers no more on `day`.
    pub fn is_shut_down(&self, day: jiff::civil::Date) -> bool {
        self.shutdown.is_some_and(|shutdown| day >= shutdown)
    }
}

/// What a model can be asked for under one action.
///
/// An absent list of aspects or resolutions is not stated by the source: any is accepted. An empty one means that the setting is not taken.
/// For all other lists absent and empty mean the same: not taken.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OperationCard {
    /// The provider's id of the model for this action; products without an API have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wire: Option<Arc<str>>,
    /// Most characters of a prompt; absent: not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_limit: Option<usize>,
    /// Shapes it makes; `auto` stands for leaving the choice to the model. Absent: not stated, any is accepted. Empty: not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &["1:1", "4:5", "auto"])]
    pub aspects: Option<Vec<Aspect>>,
    /// Shape that is sent when the author names none and the model insists on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_aspect: Option<Ratio>,
    /// Size classes by name, each with its rule of pixels. Absent: not stated, any is accepted. Empty: not taken.
    #[serde(default, deserialize_with = "once_each_if_any", skip_serializing_if = "Option::is_none")]
    pub resolutions: Option<IndexMap<Arc<str>, SizeRule>>,
    /// Size class that is pinned when the author names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_resolution: Option<Arc<str>>,
    /// Qualities in the model's words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub qualities: Vec<Arc<str>>,
    /// Quality that is pinned when the author names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_quality: Option<Arc<str>>,
    /// Rendering speeds in the model's words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub speeds: Vec<Arc<str>>,
    /// Speed that is pinned when the author names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_speed: Option<Arc<str>>,
    /// Enlargements of an upscale: 2, 4.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scales: Vec<u32>,
    /// Enlargement that is pinned when the author names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_scale: Option<u32>,
    /// Backgrounds: `transparent`, `opaque`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backgrounds: Vec<Arc<str>>,
    /// File formats that can be asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<ImageFormat>,
    /// Most further pictures besides the main one; absent: not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_references: Option<u32>,
    /// What it takes as input pictures; absent: not stated, anything goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<InputLimits>,
    /// Combinations of aspect and resolution that the model lacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holes: Vec<Hole>,
    /// Exact sizes that differ from the rule, by `aspect@resolution`, or by `aspect` where there are no resolutions.
    #[serde(default, deserialize_with = "once_each", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(example = BTreeMap::from([("3:2@1K", "1536x1024")]))]
    pub sizes: BTreeMap<String, PixelSize>,
    /// Rule of pixels where no resolution is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<SizeRule>,
    /// What sides and areas are possible at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<Grid>,
}

impl OperationCard {
    /// Pins what the author left open and the model would otherwise choose by itself: size, quality, speed, scale and, where the
    /// model insists on one, the aspect. What the author said stays as it is.
    #[must_use]
    pub fn settle(&self, settings: &Settings) -> Settings {
        let mut settled = settings.clone();
        settled.aspect = settled.aspect.or(self.default_aspect);
        settled.resolution = settled.resolution.or_else(|| self.default_resolution.clone());
        settled.quality = settled.quality.or_else(|| self.default_quality.clone());
        settled.speed = settled.speed.or_else(|| self.default_speed.clone());
        settled.scale = settled.scale.or(self.default_scale);
        settled
    }
}

/// A shape that a model makes, or the freedom to choose one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Aspect {
    /// The model chooses, usually after its input.
    Auto,
    /// This shape.
    Ratio(Ratio),
}

impl From<Option<Ratio>> for Aspect {
    fn from(asked: Option<Ratio>) -> Self {
        asked.map_or(Self::Auto, Self::Ratio)
    }
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Ratio(ratio) => ratio.fmt(f),
        }
    }
}

impl FromStr for Aspect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" { Ok(Self::Auto) } else { text.parse().map(Self::Ratio) }
    }
}

impl Serialize for Aspect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Aspect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Aspect {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Aspect".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^(auto|[1-9][0-9]*:[1-9][0-9]*)$", "examples": ["4:5", "auto"] })
    }
}

/// Aspects that a model lacks at some resolutions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Hole {
    /// The shapes; `auto` for a request that names none.
    pub aspects: Vec<Aspect>,
    /// The size classes at which they are missing.
    pub resolutions: Vec<Arc<str>>,
    /// Why, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settling_pins_what_is_open_and_keeps_what_is_said() {
        let card: OperationCard = serde_yaml::from_str(
            "default-aspect: \"3:2\"\ndefault-resolution: 1K\ndefault-quality: medium\ndefault-speed: BALANCED\ndefault-scale: 2",
        )
        .expect("a card of the test");
        let said = Settings { quality: Some("high".into()), ..Settings::default() };
        let settled = card.settle(&said);
        assert_eq!(settled.quality.as_deref(), Some("high"));
        assert_eq!((settled.aspect, settled.resolution.as_deref()), (Some(Ratio::new(3, 2)), Some("1K")));
        assert_eq!((settled.speed.as_deref(), settled.scale), (Some("BALANCED"), Some(2)));
        assert_eq!(card.settle(&settled), settled, "settling twice changes nothing");
    }

    #[test]
    fn a_key_that_a_card_does_not_know_or_that_stands_twice_is_refused() {
        assert!(serde_yaml::from_str::<ModelCard>("operations: { generate: { ratios: [] } }").is_err());
        let twice = serde_yaml::from_str::<ModelCard>("operations:\n  edit: { resolutions: { 1K: { area: 1024 }, 1K: { area: 2048 } } }");
        assert!(twice.is_err_and(|error| error.to_string().contains("duplicate key `1K`")));
    }

    #[test]
    fn a_model_is_shut_down_from_its_day_on() {
        let card: ModelCard = serde_yaml::from_str("operations: {}\nshutdown: 2026-12-01").expect("a card of the test");
        assert!(!card.is_shut_down(jiff::civil::date(2026, 11, 30)));
        assert!(card.is_shut_down(jiff::civil::date(2026, 12, 1)));
    }
}
