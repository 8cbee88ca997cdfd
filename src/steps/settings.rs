//! What a model is told besides the prompt, as the author writes it: in `defaults`, in a baseline, in a step.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::types::{ImageFormat, Ratio};

/// Model and settings. A step's own win over its baseline's, those over `defaults`, those over the model's own.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SettingsSpec {
    /// Model, by its name in the provider's catalog.
    #[schemars(example = &"gpt-image-2")]
    pub model: Option<String>,
    /// Shape of the picture.
    #[schemars(example = &"4:5")]
    pub aspect: Option<Ratio>,
    /// Size class in the model's own words.
    #[schemars(example = &"1K")]
    pub resolution: Option<String>,
    /// Quality in the model's own words.
    #[schemars(example = &"medium")]
    pub quality: Option<String>,
    /// Rendering speed in the model's own words.
    #[schemars(example = &"TURBO")]
    pub speed: Option<String>,
    /// `transparent` or `opaque`, for models that can choose.
    #[schemars(example = &"transparent")]
    pub background: Option<String>,
    /// File format asked of the model.
    pub format: Option<ImageFormat>,
    /// Seed, for models that take one; many accept and ignore it.
    pub seed: Option<u64>,
}

impl SettingsSpec {
    /// Returns these settings, with what is missing taken from `fallback`.
    #[must_use]
    pub fn over(&self, fallback: &Self) -> Self {
        Self {
            model: self.model.clone().or_else(|| fallback.model.clone()),
            aspect: self.aspect.or(fallback.aspect),
            resolution: self.resolution.clone().or_else(|| fallback.resolution.clone()),
            quality: self.quality.clone().or_else(|| fallback.quality.clone()),
            speed: self.speed.clone().or_else(|| fallback.speed.clone()),
            background: self.background.clone().or_else(|| fallback.background.clone()),
            format: self.format.or(fallback.format),
            seed: self.seed.or(fallback.seed),
        }
    }
}

/// Declares a step's YAML: its own keys, plus those that every step or every paid step has.
///
/// Written out by macro and not by `serde(flatten)`, which would lose the place of a mistake.
macro_rules! step_spec {
    (paid, $(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident : $type:ty,)* }) => {
        step_spec!(any, $(#[$doc])* $name {
            $($(#[$field_doc])* $field: $type,)*
            /// Model, by its name in the provider's catalog; wins over the baseline's and `defaults`.
            #[schemars(example = &"gpt-image-2")]
            model: Option<String>,
            /// Shape of the picture.
            #[schemars(example = &"4:5")]
            aspect: Option<crate::types::Ratio>,
            /// Size class in the model's own words.
            #[schemars(example = &"2K")]
            resolution: Option<String>,
            /// Quality in the model's own words.
            #[schemars(example = &"medium")]
            quality: Option<String>,
            /// Rendering speed in the model's own words.
            #[schemars(example = &"TURBO")]
            speed: Option<String>,
            /// `transparent` or `opaque`, for models that can choose.
            #[schemars(example = &"transparent")]
            background: Option<String>,
            /// File format asked of the model.
            format: Option<crate::types::ImageFormat>,
            /// Seed, for models that take one; many accept and ignore it.
            seed: Option<u64>,
            /// Equal tries of each shot, an axis of its own called `take`.
            #[schemars(range(min = 1, max = 100), example = 3)]
            takes: Option<u32>,
            /// Most further pictures that are paid for because a `check` failed, for each shot and for good; counted in the ceiling.
            #[schemars(range(min = 0, max = 10), example = 1)]
            rerolls: Option<u32>,
        });

        impl $name {
            /// Returns the settings that this step names itself.
            pub fn settings(&self) -> crate::steps::SettingsSpec {
                crate::steps::SettingsSpec {
                    model: self.model.clone(),
                    aspect: self.aspect,
                    resolution: self.resolution.clone(),
                    quality: self.quality.clone(),
                    speed: self.speed.clone(),
                    background: self.background.clone(),
                    format: self.format,
                    seed: self.seed,
                }
            }
        }
    };
    (any, $(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident : $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
            /// What a picture must be like to be used.
            #[schemars(example = serde_json::json!({ "aspect": "4:5", "min-side": 1024, "not-blank": true }))]
            pub check: Option<crate::steps::CheckSpec>,
            /// Keeps only the cells for which this expression is true.
            #[schemars(example = &"angle.key == 'front' or sku.price > 100")]
            pub when: Option<String>,
            /// Drops the cells that carry all values of one of these lines.
            #[serde(default)]
            pub exclude: Vec<indexmap::IndexMap<String, crate::steps::OneOrMany>>,
            /// Where the files of this step stand below the output folder; variables are the axes' keys, `step`, `take`, `ext`.
            #[schemars(example = &"{{ sku }}/{{ angle }}.{{ ext }}")]
            pub path: Option<String>,
        }
    };
}

pub(crate) use step_spec;
