//! What one job does: a paid request to a model, or local and free image work.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Digest, Fields, ImageFormat, PixelSize, Ratio};

/// A paid operation class; closed, because money, manifests and reports match on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Text to image.
    Generate,
    /// Image (and further references) and text to image.
    Edit,
    /// An edit confined to the transparent part of a mask.
    Inpaint,
    /// A sibling of an image without a prompt of its own.
    Vary,
    /// The same picture, larger.
    Upscale,
    /// The same picture with a transparent background.
    RemoveBackground,
}

impl Action {
    /// All actions, in the order of a manifest.
    pub const ALL: [Self; 6] = [Self::Generate, Self::Edit, Self::Inpaint, Self::Vary, Self::Upscale, Self::RemoveBackground];

    /// Returns the name used in YAML, CSV and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Edit => "edit",
            Self::Inpaint => "inpaint",
            Self::Vary => "vary",
            Self::Upscale => "upscale",
            Self::RemoveBackground => "remove-background",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Everything a model is told besides prompt and pictures. Shared by all jobs of a step.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Settings {
    /// Shape of the result; absent: the model's own, or that of the input.
    pub aspect: Option<Ratio>,
    /// Size class in the model's words: `1K`, `2K`, `HD+`.
    pub resolution: Option<Arc<str>>,
    /// Quality in the model's words: `medium`, `high`.
    pub quality: Option<Arc<str>>,
    /// Rendering speed in the model's words: `TURBO`.
    pub speed: Option<Arc<str>>,
    /// Enlargement of an upscale: 2, 4, 8.
    pub scale: Option<u32>,
    /// `transparent` or `opaque`.
    pub background: Option<Arc<str>>,
    /// File format asked of the model.
    pub format: Option<ImageFormat>,
    /// Seed sent to models that take one; many ignore it.
    pub seed: Option<u64>,
}

impl Settings {
    /// Tells each setting that is present, in a fixed order.
    pub fn describe(&self, fields: &mut dyn Fields) {
        let mut tell = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                fields.field(name, value.as_bytes());
            }
        };
        tell("aspect", self.aspect.map(|ratio| ratio.to_string()));
        tell("resolution", self.resolution.as_deref().map(str::to_owned));
        tell("quality", self.quality.as_deref().map(str::to_owned));
        tell("speed", self.speed.as_deref().map(str::to_owned));
        tell("scale", self.scale.map(|scale| scale.to_string()));
        tell("background", self.background.as_deref().map(str::to_owned));
        tell("format", self.format.map(|format| format.to_string()));
        tell("seed", self.seed.map(|seed| seed.to_string()));
    }
}

/// The part of a paid request that all jobs of a step share; the prompt and the inputs stand in the job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Paid {
    /// Provider, or the book's name when a campaign names no provider.
    pub provider: Arc<str>,
    /// The catalog's name of the model, for example `gpt-image-2`.
    pub model: Arc<str>,
    /// What is asked of it.
    pub action: Action,
    /// How it is asked.
    pub settings: Settings,
}

/// What one job does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// Costs money and may end in doubt.
    Paid(Arc<Paid>),
    /// Local and free; safe to repeat.
    Local(LocalAction),
}

/// Local image work, fully resolved: no templates, no step names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LocalAction {
    /// Takes a file of the author's into the store.
    Load {
        /// Path relative to the campaign file, as rendered.
        path: Arc<str>,
        /// Digest of the bytes at plan time; a file that changed since is refused.
        digest: Digest,
        /// Size of the picture at plan time.
        size: PixelSize,
    },
    /// Crops, pads, resizes, encodes, overlays, writes text: in this order of the author's.
    Transform {
        /// What is done, first to last.
        ops: Arc<[TransformOp]>,
    },
    /// Arranges its inputs, in order, on one contact sheet.
    Sheet {
        /// Cells across.
        columns: u32,
        /// Width and height of one cell in pixels.
        cell: PixelSize,
        /// Caption under each cell, in the order of the inputs; empty for none.
        labels: Arc<[Arc<str>]>,
    },
    /// A picture that a person has chosen, as it is; without a choice it waits.
    Pick {
        /// Digest of what was chosen.
        chosen: Option<Digest>,
    },
}

/// One step of a transform.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransformOp {
    /// Cuts to the ratio around an anchor; loses pixels.
    Crop {
        /// Shape wanted.
        ratio: Ratio,
        /// Which part stays.
        anchor: Anchor,
    },
    /// Grows to the ratio with a plain colour; loses nothing.
    Pad {
        /// Shape wanted.
        ratio: Ratio,
        /// Colour of the new area.
        color: Color,
    },
    /// Scales; with one side given the other follows.
    Resize {
        /// Width in pixels.
        width: Option<u32>,
        /// Height in pixels.
        height: Option<u32>,
    },
    /// Lays another picture on top.
    Overlay {
        /// Which of the job's inputs: an [`InputRole::Overlay`] of the same number.
        input: u32,
        /// Where it sits.
        anchor: Anchor,
        /// Its width in thousandths of the picture's width.
        width_permille: u32,
        /// Distance from the edges in thousandths of the picture's width.
        margin_permille: u32,
        /// 0 (invisible) to 100.
        opacity: u32,
    },
    /// Writes a line of text.
    Text {
        /// The text, rendered.
        text: Arc<str>,
        /// Where it sits.
        anchor: Anchor,
        /// Height of the letters in thousandths of the picture's height.
        size_permille: u32,
        /// Distance from the edges in thousandths of the picture's width.
        margin_permille: u32,
        /// Colour of the letters.
        color: Color,
    },
    /// Chooses the file format; at most one, and last.
    Encode {
        /// Format written.
        format: ImageFormat,
        /// 1 to 100; JPEG only.
        quality: Option<u8>,
    },
}

/// One of nine places in a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Anchor {
    /// The middle.
    #[default]
    Center,
    /// The middle of the upper edge.
    Top,
    /// The middle of the lower edge.
    Bottom,
    /// The middle of the left edge.
    Left,
    /// The middle of the right edge.
    Right,
    /// The upper left corner.
    TopLeft,
    /// The upper right corner.
    TopRight,
    /// The lower left corner.
    BottomLeft,
    /// The lower right corner.
    BottomRight,
}

impl Anchor {
    /// Returns where the free space goes: thousandths of it to the left and above.
    pub fn permille(self) -> (u32, u32) {
        let x = match self {
            Self::Left | Self::TopLeft | Self::BottomLeft => 0,
            Self::Right | Self::TopRight | Self::BottomRight => 1000,
            Self::Center | Self::Top | Self::Bottom => 500,
        };
        let y = match self {
            Self::Top | Self::TopLeft | Self::TopRight => 0,
            Self::Bottom | Self::BottomLeft | Self::BottomRight => 1000,
            Self::Center | Self::Left | Self::Right => 500,
        };
        (x, y)
    }
}

/// A colour with transparency, written `#rrggbb` or `#rrggbbaa`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Color(pub [u8; 4]);

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue, alpha] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")?;
        if alpha == 255 { Ok(()) } else { write!(f, "{alpha:02x}") }
    }
}

impl std::str::FromStr for Color {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is not a colour like \"#f5f2ec\"");
        let digits = text.strip_prefix('#').filter(|digits| digits.is_ascii()).ok_or_else(wrong)?;
        let byte = |index: usize| u8::from_str_radix(digits.get(index..index + 2).unwrap_or(""), 16).map_err(|_| wrong());
        match digits.len() {
            6 => Ok(Self([byte(0)?, byte(2)?, byte(4)?, 255])),
            8 => Ok(Self([byte(0)?, byte(2)?, byte(4)?, byte(6)?])),
            _ => Err(wrong()),
        }
    }
}

impl Serialize for Color {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Color {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Color {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Color".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^#([0-9a-fA-F]{6}|[0-9a-fA-F]{8})$", "patternErrorMessage": "a colour like \"#f5f2ec\"", "examples": ["#f5f2ec"] })
    }
}

/// What an input picture is to the job that takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum InputRole {
    /// The picture that is edited, enlarged, transformed.
    Image,
    /// Confines an edit.
    Mask,
    /// A further reference picture, counted from 0.
    Reference(u32),
    /// A picture laid on top by a transform, counted from 0.
    Overlay(u32),
    /// A cell of a contact sheet, counted from 0.
    Cell(u32),
    /// A picture that may be chosen, counted from 0.
    Candidate(u32),
}

impl InputRole {
    /// Returns the word for `why` and manifests: `image`, `mask`, `reference 2`.
    pub fn label(self) -> String {
        match self {
            Self::Image => "image".to_owned(),
            Self::Mask => "mask".to_owned(),
            Self::Reference(index) => format!("reference {}", index + 1),
            Self::Overlay(index) => format!("overlay {}", index + 1),
            Self::Cell(index) => format!("cell {}", index + 1),
            Self::Candidate(index) => format!("candidate {}", index + 1),
        }
    }
}
