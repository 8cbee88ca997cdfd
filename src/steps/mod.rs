//! The kinds of steps: one file each with its YAML and what it becomes.
//!
//! In: one value under `steps:`. Out: [`StepSpec`], and through [`StepKind`] what every kind has in common.
//! Never: I/O, another step's meaning.

mod check;
mod edit;
mod generate;
mod load;
mod pick;
mod remove_background;
mod settings;
mod sheet;
mod transform;
mod upscale;
mod vary;

use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};

pub use check::{CheckSpec, SimilaritySpec};
pub use edit::Edit;
pub use generate::Generate;
pub use load::Load;
pub use pick::Pick;
pub use remove_background::RemoveBackground;
pub use settings::SettingsSpec;
pub(crate) use settings::step_spec;
pub use sheet::Sheet;
pub use transform::{EncodeSpec, OpSpec, OverlaySpec, PadSpec, ResizeSpec, ShapeSpec, TextSpec, Transform};
pub use upscale::Upscale;
pub use vary::Vary;

use crate::types::{Action, InputRole};

/// One word or a list of words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOrMany(pub Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;

        impl<'de> Visitor<'de> for Words {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a list of names, such as front or [front, quarter]")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![word.to_owned()]))
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![number.to_string()]))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<OneOrMany, A::Error> {
                let mut words = Vec::new();
                while let Some(OneOrMany(word)) = items.next_element()? {
                    words.extend(word);
                }
                Ok(OneOrMany(words))
            }
        }

        deserializer.deserialize_any(Words)
    }
}

impl JsonSchema for OneOrMany {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OneOrMany".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["string", "integer", "array"],
            "items": { "type": ["string", "integer"] },
            "description": "One name, or a list of names.",
            "examples": ["front", ["front", "quarter"]],
        })
    }
}

/// A step as the author wrote it: a map with one key, its kind.
#[derive(Debug, Clone, PartialEq)]
pub enum StepSpec {
    /// Text to image; paid.
    Generate(Generate),
    /// Image and text to image; paid.
    Edit(Edit),
    /// A sibling of an image; paid.
    Vary(Vary),
    /// The same picture, larger; paid.
    Upscale(Upscale),
    /// The same picture without its background; paid.
    RemoveBackground(RemoveBackground),
    /// A file of the author's; free.
    Load(Load),
    /// Local image work; free.
    Transform(Transform),
    /// A contact sheet; free.
    Sheet(Sheet),
    /// A person's choice; free.
    Pick(Pick),
}

/// Where a step takes a picture from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepInput<'a> {
    /// The step named.
    pub from: &'a str,
    /// What its picture is here.
    pub role: InputRole,
    /// The keys below the step's own that lead to the name, for diagnostics: `["image"]`, `["images", "1"]`.
    pub at: Vec<String>,
}

/// A text of the step that may hold `{{ }}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepTemplate<'a> {
    /// The text.
    pub text: &'a str,
    /// The keys below the step's own that lead to it.
    pub at: Vec<String>,
}

/// What every kind of step has in common; adding a kind is one file with this trait, and one arm in [`StepSpec::kind`].
pub trait StepKind {
    /// Returns the kind's key in YAML.
    fn name(&self) -> &'static str;
    /// Returns the paid action, or `None` for local and free work.
    fn action(&self) -> Option<Action>;
    /// Returns the steps whose pictures it takes, in order.
    fn inputs(&self) -> Vec<StepInput<'_>>;
    /// Returns its texts that are rendered per shot (not the path, not `when`).
    fn templates(&self) -> Vec<StepTemplate<'_>>;
    /// Returns the axes that it adds.
    fn over(&self) -> &[String];
    /// Returns the baseline that it names.
    fn baseline(&self) -> Option<&str> {
        None
    }
    /// Returns the ladder that it climbs.
    fn ladder(&self) -> Option<&str> {
        None
    }
    /// Returns its prompt.
    fn prompt(&self) -> Option<&str> {
        None
    }
    /// Returns the settings that it names itself.
    fn settings(&self) -> SettingsSpec {
        SettingsSpec::default()
    }
    /// Returns how many equal tries it asks for.
    fn takes(&self) -> Option<u32> {
        None
    }
    /// Returns the axes that it takes away.
    fn across(&self) -> &[String] {
        &[]
    }
    /// Returns what its pictures must be like.
    fn check(&self) -> Option<&CheckSpec> {
        None
    }
    /// Returns how often a shot may be paid again because a check failed.
    fn rerolls(&self) -> Option<u32> {
        None
    }
    /// Returns the expression that keeps cells.
    fn when(&self) -> Option<&str>;
    /// Returns the cells that are dropped.
    fn exclude(&self) -> &[IndexMap<String, OneOrMany>];
    /// Returns the template of its output path.
    fn path(&self) -> Option<&str>;
}

/// Implements the accessors that only forward a field.
macro_rules! forward_common {
    () => {
        fn check(&self) -> Option<&crate::steps::CheckSpec> {
            self.check.as_ref()
        }

        crate::steps::forward_common!(pick);
    };
    (pick) => {
        fn when(&self) -> Option<&str> {
            self.when.as_deref()
        }

        fn exclude(&self) -> &[indexmap::IndexMap<String, crate::steps::OneOrMany>] {
            &self.exclude
        }

        fn path(&self) -> Option<&str> {
            self.path.as_deref()
        }
    };
    (paid) => {
        fn settings(&self) -> crate::steps::SettingsSpec {
            Self::settings(self)
        }

        fn takes(&self) -> Option<u32> {
            self.takes
        }

        fn rerolls(&self) -> Option<u32> {
            self.rerolls
        }

        crate::steps::forward_common!();
    };
}

pub(crate) use forward_common;

impl StepSpec {
    /// Names of all kinds, as written in YAML.
    pub const KINDS: [&'static str; 9] = ["generate", "edit", "vary", "upscale", "remove-background", "load", "transform", "sheet", "pick"];

    /// Leaves it to the campaign who makes the step's pictures.
    pub fn forget_provider(&mut self) {
        match self {
            Self::Generate(step) => step.forget_provider(),
            Self::Edit(step) => step.forget_provider(),
            Self::Vary(step) => step.forget_provider(),
            Self::Upscale(step) => step.forget_provider(),
            Self::RemoveBackground(step) => step.forget_provider(),
            Self::Load(_) | Self::Transform(_) | Self::Sheet(_) | Self::Pick(_) => {}
        }
    }

    /// Returns the step behind its common face.
    pub fn kind(&self) -> &dyn StepKind {
        match self {
            Self::Generate(step) => step,
            Self::Edit(step) => step,
            Self::Vary(step) => step,
            Self::Upscale(step) => step,
            Self::RemoveBackground(step) => step,
            Self::Load(step) => step,
            Self::Transform(step) => step,
            Self::Sheet(step) => step,
            Self::Pick(step) => step,
        }
    }
}

impl<'de> Deserialize<'de> for StepSpec {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneKey;

        impl<'de> Visitor<'de> for OneKey {
            type Value = StepSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map with one key, the kind of step, such as `generate: { baseline: pdp }`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StepSpec, A::Error> {
                use serde::de::Error;
                let Some(kind) = map.next_key::<String>()? else {
                    return Err(A::Error::custom("the step has no kind"));
                };
                let step = match kind.as_str() {
                    "generate" => StepSpec::Generate(map.next_value()?),
                    "edit" => StepSpec::Edit(map.next_value()?),
                    "vary" => StepSpec::Vary(map.next_value()?),
                    "upscale" => StepSpec::Upscale(map.next_value()?),
                    "remove-background" => StepSpec::RemoveBackground(map.next_value()?),
                    "load" => StepSpec::Load(map.next_value()?),
                    "transform" => StepSpec::Transform(map.next_value()?),
                    "sheet" => StepSpec::Sheet(map.next_value()?),
                    "pick" => StepSpec::Pick(map.next_value()?),
                    _ => return Err(A::Error::unknown_variant(&kind, &StepSpec::KINDS)),
                };
                match map.next_key::<String>()? {
                    None => Ok(step),
                    Some(second) => Err(A::Error::custom(format!("a step has one kind, here are `{kind}` and `{second}`"))),
                }
            }
        }

        deserializer.deserialize_map(OneKey)
    }
}

impl JsonSchema for StepSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let kinds = [
            ("generate", generator.subschema_for::<Generate>()),
            ("edit", generator.subschema_for::<Edit>()),
            ("vary", generator.subschema_for::<Vary>()),
            ("upscale", generator.subschema_for::<Upscale>()),
            ("remove-background", generator.subschema_for::<RemoveBackground>()),
            ("load", generator.subschema_for::<Load>()),
            ("transform", generator.subschema_for::<Transform>()),
            ("sheet", generator.subschema_for::<Sheet>()),
            ("pick", generator.subschema_for::<Pick>()),
        ];
        let properties: serde_json::Map<String, serde_json::Value> =
            kinds.into_iter().map(|(name, schema)| (name.to_owned(), schema.to_value())).collect();
        schemars::json_schema!({
            "type": "object",
            "description": "A step: a map with one key, its kind.",
            "properties": properties,
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
            "x-one-key": "step",
        })
    }
}
