//! `transform`: crop, pad, resize, overlay, text, encode; local and free.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};

use super::{StepInput, StepKind, StepTemplate, forward_common, step_spec};
use crate::types::operation::{Anchor, Color};
use crate::types::{Action, ImageFormat, InputRole, Ratio};

step_spec! {
    any,
    /// Works on pictures here, for nothing: the last step before they are handed over.
    Transform {
        /// Step whose pictures are taken; its axes are inherited.
        #[schemars(example = &"evening")]
        image: String,
        /// What is done, first to last.
        #[schemars(length(min = 1))]
        ops: Vec<OpSpec>,
        /// Further axes to fan out over, for example to write one text each.
        #[serde(default)]
        over: Vec<String>,
    }
}

/// One operation: a map with one key, its name.
#[derive(Debug, Clone, PartialEq)]
pub enum OpSpec {
    /// Cuts to a ratio.
    Crop(ShapeSpec),
    /// Grows to a ratio.
    Pad(PadSpec),
    /// Scales.
    Resize(ResizeSpec),
    /// Chooses the file format.
    Encode(EncodeSpec),
    /// Lays a picture on top.
    Overlay(OverlaySpec),
    /// Writes a text.
    Text(TextSpec),
}

/// A ratio, alone (`"4:5"`) or with the part that stays.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ShapeSpec {
    /// Shape wanted.
    #[schemars(example = &"4:5")]
    pub to: Ratio,
    /// Which part stays, by default the centre.
    pub anchor: Option<Anchor>,
}

/// Grows a picture to a ratio with a plain colour.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PadSpec {
    /// Shape wanted.
    #[schemars(example = &"1:1")]
    pub to: Ratio,
    /// Colour of the new area, by default white; `#00000000` is transparent.
    pub color: Option<Color>,
}

/// Scales a picture; with one side given the other follows.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ResizeSpec {
    /// Width in pixels.
    #[schemars(range(min = 1, max = 16384), example = 1080)]
    pub width: Option<u32>,
    /// Height in pixels.
    #[schemars(range(min = 1, max = 16384))]
    pub height: Option<u32>,
}

/// Chooses the file format.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EncodeSpec {
    /// Format written.
    pub format: ImageFormat,
    /// 1 to 100. JPEG: by default 90, from which on colours are kept in full. WebP: by default nothing is lost.
    #[schemars(range(min = 1, max = 100), example = 88)]
    pub quality: Option<u8>,
}

/// Lays the picture of another step on top, for example a logo from a `load` step.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OverlaySpec {
    /// Step whose picture is laid on top.
    #[schemars(example = &"logo")]
    pub image: String,
    /// Where it sits, by default `bottom-right`.
    pub at: Option<Anchor>,
    /// Its width in per cent of the picture's width, by default 20.
    #[schemars(range(min = 1, max = 100), example = 18)]
    pub width: Option<u32>,
    /// Distance from the edges in per cent of the picture's width, by default 4.
    #[schemars(range(min = 0, max = 50))]
    pub margin: Option<u32>,
    /// 0 (invisible) to 100, by default 100.
    #[schemars(range(min = 0, max = 100))]
    pub opacity: Option<u32>,
}

/// Writes a text: what models are bad at, done exactly.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TextSpec {
    /// The text.
    #[schemars(example = &"{{ sku.title }}")]
    pub text: String,
    /// Where it sits, by default `bottom`.
    pub at: Option<Anchor>,
    /// Height of the letters in per cent of the picture's height, by default 5.
    #[schemars(range(min = 1, max = 50), example = 6)]
    pub size: Option<u32>,
    /// Distance from the edges in per cent of the picture's width, by default 4.
    #[schemars(range(min = 0, max = 50))]
    pub margin: Option<u32>,
    /// Colour of the letters, by default black.
    pub color: Option<Color>,
}

impl<'de> Deserialize<'de> for OpSpec {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneKey;

        impl<'de> Visitor<'de> for OneKey {
            type Value = OpSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map with one key, the operation, such as `crop: { to: \"4:5\" }`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OpSpec, A::Error> {
                use serde::de::Error;
                let Some(name) = map.next_key::<String>()? else {
                    return Err(A::Error::custom("the operation has no name"));
                };
                let op = match name.as_str() {
                    "crop" => OpSpec::Crop(map.next_value::<ShapeOrRatio>()?.into()),
                    "pad" => OpSpec::Pad(map.next_value::<PadOrRatio>()?.into()),
                    "resize" => OpSpec::Resize(map.next_value()?),
                    "encode" => OpSpec::Encode(map.next_value()?),
                    "overlay" => OpSpec::Overlay(map.next_value()?),
                    "text" => OpSpec::Text(map.next_value()?),
                    _ => return Err(A::Error::unknown_variant(&name, &OpSpec::NAMES)),
                };
                match map.next_key::<String>()? {
                    None => Ok(op),
                    Some(second) => Err(A::Error::custom(format!("an operation has one name, here are `{name}` and `{second}`"))),
                }
            }
        }

        deserializer.deserialize_map(OneKey)
    }
}

/// `crop: "4:5"` is short for `crop: { to: "4:5" }`.
struct ShapeOrRatio(ShapeSpec);
/// `pad: "1:1"` is short for `pad: { to: "1:1" }`.
struct PadOrRatio(PadSpec);

impl From<ShapeOrRatio> for ShapeSpec {
    fn from(shape: ShapeOrRatio) -> Self {
        shape.0
    }
}

impl From<PadOrRatio> for PadSpec {
    fn from(pad: PadOrRatio) -> Self {
        pad.0
    }
}

macro_rules! ratio_or_map {
    ($wrapper:ident, $full:ident, $short:expr) => {
        impl<'de> Deserialize<'de> for $wrapper {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Either;

                impl<'de> Visitor<'de> for Either {
                    type Value = $wrapper;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a ratio like \"4:5\", or a map with `to`")
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$wrapper, E> {
                        let short: fn(Ratio) -> $full = $short;
                        text.parse().map(|ratio| $wrapper(short(ratio))).map_err(E::custom)
                    }

                    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<$wrapper, A::Error> {
                        $full::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map($wrapper)
                    }
                }

                deserializer.deserialize_any(Either)
            }
        }
    };
}

ratio_or_map!(ShapeOrRatio, ShapeSpec, |to| ShapeSpec { to, anchor: None });
ratio_or_map!(PadOrRatio, PadSpec, |to| PadSpec { to, color: None });

impl JsonSchema for OpSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Op".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let ratio = generator.subschema_for::<Ratio>();
        let crop = generator.subschema_for::<ShapeSpec>();
        let pad = generator.subschema_for::<PadSpec>();
        let resize = generator.subschema_for::<ResizeSpec>();
        let encode = generator.subschema_for::<EncodeSpec>();
        let overlay = generator.subschema_for::<OverlaySpec>();
        let text = generator.subschema_for::<TextSpec>();
        schemars::json_schema!({
            "type": "object",
            "description": "An operation: a map with one key, its name.",
            "properties": {
                "crop": { "anyOf": [ratio, crop], "description": "Cuts to a ratio." },
                "pad": { "anyOf": [ratio, pad], "description": "Grows to a ratio with a plain colour." },
                "resize": resize,
                "encode": encode,
                "overlay": overlay,
                "text": text,
            },
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
            "x-one-key": "operation",
        })
    }
}

impl OpSpec {
    /// Names of all operations, as written in YAML.
    pub const NAMES: [&'static str; 6] = ["crop", "pad", "resize", "encode", "overlay", "text"];
}

impl StepKind for Transform {
    fn name(&self) -> &'static str {
        "transform"
    }

    fn action(&self) -> Option<Action> {
        None
    }

    fn inputs(&self) -> Vec<StepInput<'_>> {
        let mut inputs = vec![StepInput { from: &self.image, role: InputRole::Image, at: vec!["image".to_owned()] }];
        let overlays = self.ops.iter().enumerate().filter_map(|(position, op)| match op {
            OpSpec::Overlay(overlay) => Some((position, overlay)),
            _ => None,
        });
        inputs.extend((0u32..).zip(overlays).map(|(number, (position, overlay))| StepInput {
            from: &overlay.image,
            role: InputRole::Overlay(number),
            at: vec!["ops".to_owned(), position.to_string(), "overlay".to_owned(), "image".to_owned()],
        }));
        inputs
    }

    fn templates(&self) -> Vec<StepTemplate<'_>> {
        let texts = self.ops.iter().enumerate().filter_map(|(position, op)| match op {
            OpSpec::Text(text) => Some((position, text)),
            _ => None,
        });
        texts
            .map(|(position, text)| StepTemplate {
                text: &text.text,
                at: vec!["ops".to_owned(), position.to_string(), "text".to_owned(), "text".to_owned()],
            })
            .collect()
    }

    fn over(&self) -> &[String] {
        &self.over
    }

    forward_common!();
}
