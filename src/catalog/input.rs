//! What a model takes as input pictures, and whether a picture is that.
//!
//! In: an operation card's `input`, what is known of a picture. Out: what it must become, or why it cannot be sent.
//! Never: pixels, a file name.

use serde::{Deserialize, Serialize};

use crate::types::operation::Within;
use crate::types::shape::within;
use crate::types::{ImageFormat, PixelSize, Profile, Ratio};

/// Bytes of a megabyte as providers state it; where they mean 1,048,576 this is the smaller of the two.
const MEGABYTE: u64 = 1_000_000;

/// What an operation takes as input pictures. What is absent is not stated by the source: anything goes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct InputLimits {
    /// File formats that are read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<ImageFormat>,
    /// Most megabytes (1,000,000 bytes) of a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_mb: Option<u32>,
    /// Most megabytes of a mask, where that is less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask_max_mb: Option<u32>,
    /// Most pixels on a side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_side: Option<u32>,
    /// Fewest pixels on a side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_side: Option<u32>,
    /// Most pixels in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_pixels: Option<u64>,
    /// Fewest pixels in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_pixels: Option<u64>,
    /// The longest shape, lying or upright.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ratio: Option<Ratio>,
}

/// What is known of a picture before it is sent.
#[derive(Debug, Clone, Copy)]
pub struct InputPicture {
    /// Format of the file.
    pub format: ImageFormat,
    /// Width and height, upright.
    pub size: PixelSize,
    /// Whether any part may be see-through.
    pub see_through: bool,
    /// Bytes of the file; absent for one that is not made yet.
    pub len: Option<u64>,
    /// Whether the file is yet to be turned.
    pub turned: bool,
    /// What its colours mean.
    pub profile: Profile,
    /// Whether it is a mask: those are PNGs, and their colours mean nothing.
    pub is_mask: bool,
}

/// Why a picture cannot be made one that a model takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputUnfit {
    /// Too few pixels.
    #[error("a picture of {size} is too small: {wanted}")]
    TooSmall {
        /// What it is, after what is too large was made smaller.
        size: PixelSize,
        /// What is wanted, in words.
        wanted: String,
    },
    /// Too long a shape.
    #[error("a picture of {size} is longer than `{limit}`, the longest shape that is taken")]
    TooLong {
        /// What it is.
        size: PixelSize,
        /// The longest.
        limit: Ratio,
    },
    /// See-through parts that no format on offer can hold.
    #[error("a picture with see-through parts cannot be sent as {}, which is all that is taken", .formats.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "))]
    SeeThrough {
        /// What is taken.
        formats: Vec<ImageFormat>,
    },
    /// Colours that mean nothing here.
    #[error("its colours are of a kind that cannot be brought to sRGB here (CMYK, or a damaged profile)")]
    Colours,
}

impl InputUnfit {
    /// Returns how to mend it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::TooSmall { .. } => "give a larger picture; callsheet makes pictures smaller for a model, never larger on its own",
            Self::TooLong { .. } => "crop or pad it with a `transform` step first",
            Self::SeeThrough { .. } => "lay it on a colour first: a `transform` step with `pad: { to: ..., color: \"#ffffff\" }`",
            Self::Colours => "save it as sRGB, for example with an image editor",
        }
    }
}

impl InputLimits {
    /// Returns what `picture` must become, or `None` if it is taken as it is. A file that is not made yet is taken for as large as a file
    /// of its size can be.
    ///
    /// # Errors
    /// [`InputUnfit`] if it cannot be made one that is taken without a change that the author should decide about.
    pub fn demand(&self, picture: &InputPicture) -> Result<Option<Within>, InputUnfit> {
        if picture.profile == Profile::Unusable && !picture.is_mask {
            return Err(InputUnfit::Colours);
        }
        let bytes = self.bytes(picture.is_mask);
        let size = within(picture.size, self.max_side, self.max_pixels);
        self.check_shape(size)?;
        let format = self.format(picture)?;
        let too_heavy = bytes.is_some_and(|most| picture.len.unwrap_or_else(|| heaviest(picture)) > most);
        let format = if too_heavy { self.lighter(picture, format) } else { format };
        let recoloured = picture.profile == Profile::Other && !picture.is_mask;
        let fits = format == picture.format && size == picture.size && !too_heavy && !picture.turned && !recoloured;
        Ok((!fits).then_some(Within { format, side: self.max_side, pixels: self.max_pixels, bytes }))
    }

    /// Returns the same for a picture that is changed in any case: its format, and the limits that hold.
    ///
    /// # Errors
    /// As [`demand`](Self::demand).
    pub fn hold(&self, picture: &InputPicture) -> Result<Within, InputUnfit> {
        let known = self.demand(picture)?;
        let bytes = self.bytes(picture.is_mask);
        Ok(known.unwrap_or(Within { format: picture.format, side: self.max_side, pixels: self.max_pixels, bytes }))
    }

    fn bytes(&self, is_mask: bool) -> Option<u64> {
        let most = if is_mask { self.mask_max_mb.or(self.max_mb) } else { self.max_mb };
        most.map(|megabytes| u64::from(megabytes) * MEGABYTE)
    }

    fn check_shape(&self, size: PixelSize) -> Result<(), InputUnfit> {
        if let Some(limit) = self.max_ratio {
            let (long, short) = (size.width.max(size.height), size.width.min(size.height));
            let (most, least) = (limit.width.max(limit.height), limit.width.min(limit.height));
            if u64::from(long) * u64::from(least) > u64::from(short) * u64::from(most) {
                return Err(InputUnfit::TooLong { size, limit });
            }
        }
        if let Some(side) = self.min_side.filter(|side| size.width.min(size.height) < *side) {
            return Err(InputUnfit::TooSmall { size, wanted: format!("sides of at least {side} are taken") });
        }
        if let Some(pixels) = self.min_pixels.filter(|pixels| size.pixels() < *pixels) {
            return Err(InputUnfit::TooSmall { size, wanted: format!("at least {pixels} pixels are taken") });
        }
        Ok(())
    }

    fn takes(&self, format: ImageFormat) -> bool {
        self.formats.is_empty() || self.formats.contains(&format)
    }

    /// Returns the format to send: its own if that is taken, else one that loses least.
    fn format(&self, picture: &InputPicture) -> Result<ImageFormat, InputUnfit> {
        if picture.is_mask {
            return Ok(ImageFormat::Png);
        }
        if self.takes(picture.format) {
            return Ok(picture.format);
        }
        let can_hold = |format: &ImageFormat| self.takes(*format) && (!picture.see_through || format.has_alpha());
        let choices = [ImageFormat::Png, ImageFormat::Webp, ImageFormat::Jpeg];
        choices.into_iter().find(can_hold).ok_or_else(|| InputUnfit::SeeThrough { formats: self.formats.clone() })
    }

    /// Returns the format for a file that is too large: a JPEG has a tenth of the bytes of an opaque PNG that looks the same.
    fn lighter(&self, picture: &InputPicture, format: ImageFormat) -> ImageFormat {
        let is_file = picture.len.is_some();
        if is_file && !picture.is_mask && !picture.see_through && self.takes(ImageFormat::Jpeg) { ImageFormat::Jpeg } else { format }
    }
}

/// Returns the most bytes that a file of this size has: every byte of every pixel, and a little around them.
fn heaviest(picture: &InputPicture) -> u64 {
    picture.size.pixels() * if picture.see_through { 4 } else { 3 } + 64 * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    fn photo() -> InputPicture {
        InputPicture {
            format: ImageFormat::Jpeg,
            size: PixelSize::new(6000, 4000),
            see_through: false,
            len: Some(14_000_000),
            turned: false,
            profile: Profile::Srgb,
            is_mask: false,
        }
    }

    fn limits() -> InputLimits {
        InputLimits { formats: vec![ImageFormat::Png, ImageFormat::Jpeg], max_mb: Some(10), mask_max_mb: Some(4), ..InputLimits::default() }
    }

    #[test]
    fn what_is_within_the_limits_stays_as_it_is() {
        assert_eq!(limits().demand(&InputPicture { len: Some(10_000_000), ..photo() }), Ok(None));
        assert_eq!(InputLimits::default().demand(&photo()), Ok(None), "nothing stated, anything goes");
    }

    #[test]
    fn each_excess_asks_for_its_own_change() {
        let within = |picture: InputPicture| limits().demand(&picture).expect("it can be sent");
        let jpeg = Some(Within { format: ImageFormat::Jpeg, side: None, pixels: None, bytes: Some(10_000_000) });
        assert_eq!(within(photo()), jpeg, "too many bytes");
        assert_eq!(within(InputPicture { format: ImageFormat::Png, ..photo() }), jpeg, "an opaque PNG that is too heavy");
        assert_eq!(within(InputPicture { len: Some(1), turned: true, ..photo() }), jpeg, "turned");
        assert_eq!(within(InputPicture { len: Some(1), profile: Profile::Other, ..photo() }), jpeg, "other colours");
        let webp = InputPicture { format: ImageFormat::Webp, len: Some(1), ..photo() };
        assert_eq!(within(webp).map(|within| within.format), Some(ImageFormat::Png), "a format that is not read");
        let wide = InputLimits { max_side: Some(4096), ..limits() };
        assert_eq!(wide.demand(&InputPicture { len: Some(1), ..photo() }).map(|within| within.map(|within| within.side)), Ok(Some(Some(4096))));
    }

    #[test]
    fn a_picture_that_is_not_made_yet_is_looked_at_only_if_it_could_be_too_heavy() {
        let bought = |side| InputPicture { format: ImageFormat::Png, size: PixelSize::new(side, side), len: None, ..photo() };
        assert_eq!(limits().demand(&bought(1024)), Ok(None));
        let large = limits().demand(&bought(2048)).expect("it can be sent").expect("12.6 MB at worst");
        assert_eq!((large.format, large.bytes), (ImageFormat::Png, Some(10_000_000)), "it stays a PNG: it may well be small enough");
    }

    #[test]
    fn what_only_the_author_can_decide_is_refused_with_the_reason() {
        let small = InputLimits { min_side: Some(256), min_pixels: Some(262_144), max_ratio: Some(Ratio::new(16, 1)), ..limits() };
        let asked = |width, height| {
            let unfit = small.demand(&InputPicture { size: PixelSize::new(width, height), len: Some(1), ..photo() }).expect_err("unfit");
            format!("{unfit}; {}", unfit.help())
        };
        insta::assert_snapshot!([asked(200, 2000), asked(300, 300), asked(8000, 300)].join("\n"), @"
        a picture of 200x2000 is too small: sides of at least 256 are taken; give a larger picture; callsheet makes pictures smaller for a model, never larger on its own
        a picture of 300x300 is too small: at least 262144 pixels are taken; give a larger picture; callsheet makes pictures smaller for a model, never larger on its own
        a picture of 8000x300 is longer than `16:1`, the longest shape that is taken; crop or pad it with a `transform` step first
        ");
        let only_jpeg = InputLimits { formats: vec![ImageFormat::Jpeg], ..InputLimits::default() };
        let clear = InputPicture { format: ImageFormat::Png, see_through: true, ..photo() };
        insta::assert_snapshot!(only_jpeg.demand(&clear).expect_err("unfit"), @"a picture with see-through parts cannot be sent as jpeg, which is all that is taken");
        assert_eq!(limits().demand(&InputPicture { profile: Profile::Unusable, ..photo() }), Err(InputUnfit::Colours));
    }

    #[test]
    fn a_mask_is_a_png_with_its_own_limit() {
        let mask = InputPicture { format: ImageFormat::Webp, see_through: true, len: Some(5_000_000), is_mask: true, ..photo() };
        let within = limits().demand(&mask).expect("it can be sent").expect("too heavy, and no PNG");
        assert_eq!((within.format, within.bytes), (ImageFormat::Png, Some(4_000_000)));
    }
}
