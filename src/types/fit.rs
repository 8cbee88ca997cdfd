//! What becomes of a picture whose shape a model does not make.
//!
//! In: the author's word. Out: [`Fit`], and what it does to a shape in hundredths of a per cent.
//! Never: a float; a shape that is brought about by stretching.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Ratio;
use super::operation::{Anchor, Color};

/// What is done when a model lacks the shape that the author asked for.
///
/// `pad` never loses a part of a picture and may add plain area; `crop` never adds plain area and may lose edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Fit {
    /// It is an error.
    #[default]
    Refuse,
    /// The nearest shape is asked for, and pictures are padded: in the colours of their own edges, or in this one.
    Pad(Option<Color>),
    /// The nearest shape is asked for, and pictures are cropped; the part at the anchor stays.
    Crop(Anchor),
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuse => f.write_str("refuse"),
            Self::Pad(None) => f.write_str("pad"),
            Self::Pad(Some(color)) => write!(f, "pad {color}"),
            Self::Crop(Anchor::Center) => f.write_str("crop"),
            Self::Crop(anchor) => write!(f, "crop {}", anchor.as_str()),
        }
    }
}

impl FromStr for Fit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let anchor = |name: &str| Anchor::ALL.into_iter().find(|anchor| anchor.as_str() == name);
        let read = match (word, rest) {
            ("refuse", "") => Some(Self::Refuse),
            ("pad", "") => Some(Self::Pad(None)),
            ("pad", color) => color.parse().ok().map(|color| Self::Pad(Some(color))),
            ("crop", "") => Some(Self::Crop(Anchor::Center)),
            ("crop", name) => anchor(name).map(Self::Crop),
            _ => None,
        };
        read.ok_or_else(|| format!("`{text}` is not a way to fit: `pad`, `pad #ffffff`, `crop`, `crop top` or `refuse`"))
    }
}

impl Serialize for Fit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Fit {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Fit".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^(refuse|pad( #([0-9a-fA-F]{6}|[0-9a-fA-F]{8}))?|crop( (center|top|bottom|left|right|top-left|top-right|bottom-left|bottom-right))?)$",
            "patternErrorMessage": "`pad`, `pad #ffffff`, `crop`, `crop top` or `refuse`",
            "examples": ["crop", "pad", "crop top", "pad #ffffff", "refuse"],
        })
    }
}

/// A shape that was asked for, and the nearest that a model makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shaping {
    /// What the author asked for.
    pub asked: Ratio,
    /// What the model is asked for.
    pub sent: Ratio,
    /// How one becomes the other; never [`Fit::Refuse`].
    pub fit: Fit,
}

impl Shaping {
    /// Returns how much of a picture of one shape a crop to the other leaves, in hundredths of a per cent, rounded down.
    pub fn kept(&self) -> u32 {
        let (small, large) = common(self.asked, self.sent);
        u32::try_from(small * 10_000 / large.max(1)).unwrap_or(10_000)
    }
}

/// Returns the area that two shapes have in common and that of the frame around both, in one unit; equal for equal shapes.
pub fn common(one: Ratio, other: Ratio) -> (u64, u64) {
    let (one_wide, other_wide) = (u64::from(one.width) * u64::from(other.height), u64::from(other.width) * u64::from(one.height));
    (one_wide.min(other_wide), one_wide.max(other_wide))
}

/// Returns which of `shapes` has most in common with `asked`; of equals the first.
pub fn nearest(asked: Ratio, shapes: impl IntoIterator<Item = Ratio>) -> Option<Ratio> {
    let nearer = |one: Ratio, other: Ratio| {
        let ((one_in, one_out), (other_in, other_out)) = (common(asked, one), common(asked, other));
        u128::from(one_in) * u128::from(other_out) > u128::from(other_in) * u128::from(one_out)
    };
    shapes.into_iter().reduce(|best, next| if nearer(next, best) { next } else { best })
}

/// A share for people: hundredths of a per cent without needless zeros, `6.25 %`.
pub fn percent(hundredths: u64) -> String {
    let (whole, part) = (hundredths / 100, hundredths % 100);
    match part {
        0 => format!("{whole} %"),
        _ if part.is_multiple_of(10) => format!("{whole}.{} %", part / 10),
        _ => format!("{whole}.{part:02} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_way_to_fit_reads_as_it_is_printed() {
        for text in ["refuse", "pad", "pad #f5f2ec", "pad #00000000", "crop", "crop top", "crop bottom-right"] {
            assert_eq!(text.parse::<Fit>().map(|fit| fit.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("crop center".parse(), Ok(Fit::Crop(Anchor::Center)));
        for text in ["", "stretch", "pad red", "crop up", "refuse now"] {
            assert!(text.parse::<Fit>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_nearest_shape_is_the_one_with_most_in_common() {
        let shapes = [Ratio::new(1, 1), Ratio::new(3, 4), Ratio::new(2, 3), Ratio::new(9, 16), Ratio::new(16, 9)];
        assert_eq!(nearest(Ratio::new(4, 5), shapes), Some(Ratio::new(3, 4)));
        assert_eq!(nearest(Ratio::new(21, 9), shapes), Some(Ratio::new(16, 9)));
        assert_eq!(nearest(Ratio::new(1, 1), [Ratio::new(2, 3), Ratio::new(3, 2)]), Some(Ratio::new(2, 3)), "of equals the first");
        assert_eq!(nearest(Ratio::new(1, 1), []), None);
    }

    #[test]
    fn what_a_crop_leaves_is_said_in_hundredths_of_a_per_cent() {
        let kept = |asked, sent| Shaping { asked, sent, fit: Fit::Crop(Anchor::Center) }.kept();
        assert_eq!(kept(Ratio::new(4, 5), Ratio::new(3, 4)), 9375);
        assert_eq!(kept(Ratio::new(4, 5), Ratio::new(8, 10)), 10_000);
        assert_eq!([625, 660, 700, 1, 0].map(percent), ["6.25 %", "6.6 %", "7 %", "0.01 %", "0 %"]);
    }

    proptest! {
        #[test]
        fn nothing_offered_is_nearer_than_the_nearest(
            asked in (1_u32..=40, 1_u32..=40), shapes in proptest::collection::vec((1_u32..=40, 1_u32..=40), 1..12)
        ) {
            let ratio = |(width, height): (u32, u32)| Ratio::new(width, height);
            let kept = |shape| Shaping { asked: ratio(asked), sent: shape, fit: Fit::Pad(None) }.kept();
            let best = nearest(ratio(asked), shapes.iter().copied().map(ratio)).expect("there is one");
            prop_assert!(shapes.iter().all(|shape| kept(ratio(*shape)) <= kept(best)));
        }
    }
}
