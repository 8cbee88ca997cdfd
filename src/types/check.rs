//! What a picture must be like to be used: measured figures, and the thresholds that they are held against.
//!
//! A figure is a whole number in the unit of its kind, so that it can be kept in the ledger and held against another threshold later,
//! without the picture. In: nothing. Out: plain values. Never: a pixel; measuring is `imaging`'s.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Digest, ImageFormat, ImageInfo, Ratio};

/// How far width by height may be from the ratio asked for, in thousandths: models round to multiples of 8 or 16 pixels.
pub const ASPECT_TOLERANCE: i64 = 10;

/// Least tonal spread of a picture that is not blank, in hundredths of one of 256 steps: paper and film have more grain.
pub const BLANK_BELOW: i64 = 300;

/// Least part of the edge that must be see-through where the background is, in thousandths: a subject may be cut by one side and a shadow by another.
pub const CLEAR_EDGE: i64 = 600;

/// Pictures closer than this are near-duplicates, in thousandths of their fingerprints' bits.
pub const DUPLICATE_BELOW: i64 = 40;

/// Which property is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckKind {
    /// Width by height, in thousandths.
    Aspect,
    /// The shorter side, in pixels.
    MinSide,
    /// The file's length, in bytes.
    MaxBytes,
    /// The file's format: 0 PNG, 1 JPEG, 2 WebP.
    Format,
    /// How far the tones spread, in hundredths of one of 256 steps (standard deviation of the most varied channel).
    NotBlank,
    /// How much of the edge is see-through, in thousandths; 0 when nothing inside is opaque.
    Transparent,
    /// Variance of the Laplacian of the luminance at 1024 pixels on the long side.
    Sharpness,
    /// Distance to the nearest other picture, in thousandths of the fingerprint's bits.
    NotDuplicate,
    /// How much has changed outside the mask, in thousandths of the full range.
    Drift,
    /// Structural similarity to another picture, in thousandths.
    Similarity,
}

impl CheckKind {
    /// Returns the name, as in a campaign file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aspect => "aspect",
            Self::MinSide => "min-side",
            Self::MaxBytes => "max-bytes",
            Self::Format => "format",
            Self::NotBlank => "not-blank",
            Self::Transparent => "transparent",
            Self::Sharpness => "sharpness",
            Self::NotDuplicate => "not-duplicate",
            Self::Drift => "drift",
            Self::Similarity => "similarity",
        }
    }

    /// Returns a figure as a person reads it: `0.8`, `1024 px`, `3.2 MB`, `41%`.
    pub fn shown(self, value: i64) -> String {
        match self {
            Self::Aspect => decimal(value, 1000),
            Self::MinSide => format!("{value} px"),
            Self::MaxBytes if value >= 1_000_000 => format!("{} MB", decimal(value / 100_000, 10)),
            Self::MaxBytes => format!("{} kB", decimal(value / 100, 10)),
            Self::Format => format_of(value).map_or("unknown", ImageFormat::as_str).to_owned(),
            Self::NotBlank => format!("spread {}", decimal(value, 100)),
            Self::Sharpness => value.to_string(),
            Self::Transparent | Self::NotDuplicate | Self::Drift | Self::Similarity => format!("{}%", decimal(value, 10)),
        }
    }
}

impl fmt::Display for CheckKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Returns `value / parts` without needless zeros.
fn decimal(value: i64, parts: i64) -> String {
    let digits = parts.ilog10() as usize;
    let fraction = format!("{:0digits$}", (value % parts).abs());
    let fraction = fraction.trim_end_matches('0');
    let sign = if value < 0 && value / parts == 0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{}", value / parts) } else { format!("{sign}{}.{fraction}", value / parts) }
}

fn format_code(format: ImageFormat) -> i64 {
    match format {
        ImageFormat::Png => 0,
        ImageFormat::Jpeg => 1,
        ImageFormat::Webp => 2,
    }
}

fn format_of(code: i64) -> Option<ImageFormat> {
    [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Webp].into_iter().find(|format| format_code(*format) == code)
}

/// What a picture is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Yardstick {
    /// The picture of this step that the shot is made from, however far back.
    Step(Arc<str>),
    /// A file of the author's, relative to the campaign file.
    File(Arc<str>),
}

/// One property with its threshold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Check {
    /// Width by height is this ratio, within [`ASPECT_TOLERANCE`].
    Aspect(Ratio),
    /// The shorter side has at least so many pixels.
    MinSide(u32),
    /// The file has at most so many bytes.
    MaxBytes(u64),
    /// The file has this format.
    Format(ImageFormat),
    /// It shows something.
    NotBlank,
    /// Its background is see-through.
    Transparent,
    /// It is at least so sharp.
    Sharpness(u32),
    /// It differs from the accepted pictures on the other values of these axes.
    NotDuplicate(Arc<[Arc<str>]>),
    /// Outside the mask at most so much has changed, in thousandths.
    Drift(u32),
    /// It is at least so similar to another picture, in thousandths.
    Similarity {
        /// The other picture.
        to: Yardstick,
        /// In thousandths.
        least: u32,
    },
}

impl Check {
    /// Returns what is measured.
    pub fn kind(&self) -> CheckKind {
        match self {
            Self::Aspect(_) => CheckKind::Aspect,
            Self::MinSide(_) => CheckKind::MinSide,
            Self::MaxBytes(_) => CheckKind::MaxBytes,
            Self::Format(_) => CheckKind::Format,
            Self::NotBlank => CheckKind::NotBlank,
            Self::Transparent => CheckKind::Transparent,
            Self::Sharpness(_) => CheckKind::Sharpness,
            Self::NotDuplicate(_) => CheckKind::NotDuplicate,
            Self::Drift(_) => CheckKind::Drift,
            Self::Similarity { .. } => CheckKind::Similarity,
        }
    }

    /// Returns the figure that can be told without the picture itself; `None` for those that need its pixels.
    pub fn from_info(&self, info: &ImageInfo, bytes: u64) -> Option<i64> {
        let (width, height) = (i64::from(info.size.width), i64::from(info.size.height));
        match self {
            Self::Aspect(_) => Some(width * 1000 / height.max(1)),
            Self::MinSide(_) => Some(width.min(height)),
            Self::MaxBytes(_) => Some(i64::try_from(bytes).unwrap_or(i64::MAX)),
            Self::Format(_) => Some(format_code(info.format)),
            Self::NotBlank | Self::Transparent | Self::Sharpness(_) | Self::NotDuplicate(_) | Self::Drift(_) | Self::Similarity { .. } => None,
        }
    }

    /// Returns whether a figure is good enough.
    pub fn passes(&self, value: i64) -> bool {
        match self {
            Self::Aspect(ratio) => {
                let wanted = i64::from(ratio.width) * 1000 / i64::from(ratio.height).max(1);
                (value - wanted).abs() * 1000 <= (ASPECT_TOLERANCE * wanted).max(1000)
            }
            Self::MinSide(least) => value >= i64::from(*least),
            Self::MaxBytes(most) => u64::try_from(value).is_ok_and(|value| value <= *most),
            Self::Format(format) => value == format_code(*format),
            Self::NotBlank => value >= BLANK_BELOW,
            Self::Transparent => value >= CLEAR_EDGE,
            Self::Sharpness(least) => value >= i64::from(*least),
            Self::NotDuplicate(_) => value >= DUPLICATE_BELOW,
            Self::Drift(most) => value <= i64::from(*most),
            Self::Similarity { least, .. } => value >= i64::from(*least),
        }
    }

    /// Returns the threshold in words: `4:5`, `at least 1024 px`.
    pub fn wanted(&self) -> String {
        let shown = |value: i64| self.kind().shown(value);
        match self {
            Self::Aspect(ratio) => ratio.to_string(),
            Self::MinSide(least) => format!("at least {}", shown(i64::from(*least))),
            Self::MaxBytes(most) => format!("at most {}", shown(i64::try_from(*most).unwrap_or(i64::MAX))),
            Self::Format(format) => format.to_string(),
            Self::NotBlank => format!("at least {}", shown(BLANK_BELOW)),
            Self::Transparent => format!("at least {} of the edge", shown(CLEAR_EDGE)),
            Self::Sharpness(least) => format!("at least {least}"),
            Self::NotDuplicate(_) => format!("at least {} apart", shown(DUPLICATE_BELOW)),
            Self::Drift(most) => format!("at most {}", shown(i64::from(*most))),
            Self::Similarity { least, .. } => format!("at least {}", shown(i64::from(*least))),
        }
    }

    /// Returns the finding of a figure.
    pub fn finding(&self, value: i64, against: Option<Digest>) -> Finding {
        Finding { check: self.kind(), value, wanted: self.wanted(), passed: self.passes(value), about: self.about(), against }
    }

    /// Returns what else the figure is about: a figure about another step or file says nothing here.
    pub fn about(&self) -> Option<String> {
        match self {
            Self::NotDuplicate(axes) => Some(axes.join(",")),
            Self::Similarity { to: Yardstick::Step(step), .. } => Some(format!("step {step}")),
            Self::Similarity { to: Yardstick::File(path), .. } => Some(format!("file {path}")),
            _ => None,
        }
    }

    /// Returns the figure among earlier findings that still says what this check asks for.
    pub fn known(&self, findings: &[Finding]) -> Option<i64> {
        let about = self.about();
        findings.iter().find(|finding| finding.check == self.kind() && finding.about == about).map(|finding| finding.value)
    }
}

/// What a check has found about one picture; kept in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was measured.
    pub check: CheckKind,
    /// The figure, in the unit of its kind.
    pub value: i64,
    /// The threshold as it was then, in words.
    pub wanted: String,
    /// Whether the figure was good enough then.
    pub passed: bool,
    /// What it is about besides the picture itself: the step, the file, the axes that it was compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The other picture, where two were compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<Digest>,
}

impl fmt::Display for Finding {
    /// Prints `sharpness 3, wanted at least 20`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}, wanted {}", self.check, self.check.shown(self.value), self.wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::PixelSize;

    fn every() -> Vec<Check> {
        vec![
            Check::Aspect(Ratio::new(4, 5)),
            Check::MinSide(1024),
            Check::MaxBytes(4_000_000),
            Check::Format(ImageFormat::Png),
            Check::NotBlank,
            Check::Transparent,
            Check::Sharpness(20),
            Check::NotDuplicate(Arc::from([])),
            Check::Drift(15),
            Check::Similarity { to: Yardstick::Step("hero".into()), least: 600 },
        ]
    }

    #[test]
    fn findings_read_as_sentences() {
        let values = [667, 768, 4_250_000, 1, 0, 12, 3, 0, 81, 598];
        let told: Vec<String> = every().iter().zip(values).map(|(check, value)| check.finding(value, None).to_string()).collect();
        insta::assert_snapshot!(told.join("\n"), @"
        aspect 0.667, wanted 4:5
        min-side 768 px, wanted at least 1024 px
        max-bytes 4.2 MB, wanted at most 4 MB
        format jpeg, wanted png
        not-blank spread 0, wanted at least spread 3
        transparent 1.2%, wanted at least 60% of the edge
        sharpness 3, wanted at least 20
        not-duplicate 0%, wanted at least 4% apart
        drift 8.1%, wanted at most 1.5%
        similarity 59.8%, wanted at least 60%
        ");
        assert!(every().iter().zip(values).all(|(check, value)| !check.passes(value)));
    }

    #[test]
    fn a_size_that_a_model_rounded_still_has_its_ratio() {
        let info = |width, height| ImageInfo { format: ImageFormat::Png, size: PixelSize::new(width, height), alpha: false };
        let passes = |check: &Check, info: &ImageInfo| check.passes(check.from_info(info, 0).expect("told without pixels"));
        let (tall, wide) = (Check::Aspect(Ratio::new(4, 5)), Check::Aspect(Ratio::new(16, 9)));
        for (check, good, bad) in [(&tall, (1024, 1280), (1024, 1536)), (&wide, (1360, 768), (1344, 896)), (&tall, (1080, 1350), (1000, 1300))] {
            assert!(passes(check, &info(good.0, good.1)), "{check:?} {good:?}");
            assert!(!passes(check, &info(bad.0, bad.1)), "{check:?} {bad:?}");
        }
    }

    #[test]
    fn kinds_are_written_as_in_a_campaign() {
        for check in every() {
            let kind = check.kind();
            assert_eq!(serde_json::to_value(kind).expect("a word"), kind.as_str());
        }
    }
}
