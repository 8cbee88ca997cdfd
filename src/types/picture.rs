//! What is known of an image without holding its bytes.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Digest;

/// A stored image: its digest and length. Bytes exist only in `provider`, `store` and `imaging`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlobRef {
    /// BLAKE3 of the bytes.
    pub digest: Digest,
    /// Length in bytes.
    pub len: u64,
}

/// The image formats that campaigns read and write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(transform = with_jpg)]
pub enum ImageFormat {
    /// Lossless, with transparency.
    Png,
    /// Lossy, without transparency.
    #[serde(alias = "jpg")]
    Jpeg,
    /// Lossy or lossless, with transparency.
    Webp,
}

/// Adds the other spelling of `jpeg` to the schema: it is read as well.
fn with_jpg(schema: &mut schemars::Schema) {
    if let Some(words) = schema.get_mut("oneOf").and_then(|words| words.as_array_mut()) {
        words.push(serde_json::json!({ "const": "jpg", "description": "The same as `jpeg`.", "type": "string" }));
    }
}

impl ImageFormat {
    /// Returns the file name extension without a dot: `jpg` for JPEG.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Webp => "webp",
        }
    }

    /// Returns the lower-case name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
            Self::Webp => "webp",
        }
    }

    /// Returns whether the format can hold transparency.
    pub fn has_alpha(self) -> bool {
        !matches!(self, Self::Jpeg)
    }
}

impl fmt::Display for ImageFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Width and height in pixels, written `1024x1536`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PixelSize {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl PixelSize {
    /// Returns `width` by `height` pixels.
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// Returns the number of pixels.
    pub const fn pixels(self) -> u64 {
        self.width as u64 * self.height as u64
    }
}

impl fmt::Display for PixelSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl std::str::FromStr for PixelSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is not a size like `1024x1536`");
        let (width, height) = text.split_once('x').ok_or_else(wrong)?;
        let side = |part: &str| part.parse::<u32>().ok().filter(|side| *side > 0).ok_or_else(wrong);
        Ok(Self { width: side(width)?, height: side(height)? })
    }
}

/// A shape, written `4:5`. Kept as the author wrote it: `2:4` is not `1:2` to a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ratio {
    /// Parts across.
    pub width: u32,
    /// Parts down.
    pub height: u32,
}

impl Ratio {
    /// Returns `width:height`.
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.width, self.height)
    }
}

impl std::str::FromStr for Ratio {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is not a ratio like \"4:5\"");
        let (width, height) = text.split_once(':').ok_or_else(wrong)?;
        let part = |part: &str| part.parse::<u32>().ok().filter(|part| (1..=10_000).contains(part)).ok_or_else(wrong);
        Ok(Self { width: part(width)?, height: part(height)? })
    }
}

macro_rules! serde_as_text {
    ($name:ident, $what:literal, $pattern:literal, $example:literal) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let message = concat!("a ", $what, " like \"", $example, "\"");
                schemars::json_schema!({ "type": "string", "pattern": $pattern, "patternErrorMessage": message, "examples": [$example] })
            }
        }
    };
}

serde_as_text!(PixelSize, "size", "^[1-9][0-9]*x[1-9][0-9]*$", "1024x1536");
serde_as_text!(Ratio, "ratio", "^[1-9][0-9]*:[1-9][0-9]*$", "4:5");

/// What a probe found out about an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageInfo {
    /// Format found in the bytes, whatever a header or a file name claims.
    pub format: ImageFormat,
    /// Width and height in pixels.
    pub size: PixelSize,
    /// Whether any pixel format with transparency is used.
    pub alpha: bool,
}

/// What a picture file carries besides its pixels, as far as it matters to those who take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Marks {
    /// Whether the file says that it is to be turned before it is shown (EXIF orientation).
    pub turned: bool,
    /// What its colours mean.
    pub profile: Profile,
    /// Whether it carries a C2PA manifest: signed word of where it comes from, which any change of the file breaks.
    pub c2pa: bool,
}

/// What the colours of a picture file mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// sRGB, said or by default.
    #[default]
    Srgb,
    /// Another profile, from which sRGB can be reckoned.
    Other,
    /// A profile that cannot be used here: of another kind of colours (CMYK), or damaged.
    Unusable,
}
