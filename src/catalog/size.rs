//! How many pixels a request brings.
//!
//! In: an operation card, settled settings, the size of the main input. Out: the size to expect, in whole numbers throughout.
//! Never: a decoded picture.

use serde::{Deserialize, Serialize};

use super::card::OperationCard;
use crate::types::{PixelSize, Ratio, Settings};

/// The square that a rule falls back to: what nearly every model calls 1K.
const USUAL_SIDE: u32 = 1024;

/// Longest side that a rule may name: far beyond what any model makes, and no number that arithmetic could choke on.
const LONGEST_SIDE: u32 = 100_000;

/// How a size class becomes pixels. In YAML a map of one key: `{ area: 2048 }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "SizeRuleText", into = "SizeRuleText")]
pub enum SizeRule {
    /// As many pixels as a square of this side has, in the shape asked for.
    Area(u32),
    /// The shorter side has this many pixels.
    Short(u32),
    /// The longer side has this many pixels.
    Long(u32),
    /// This size, whatever the shape.
    Exact(PixelSize),
}

/// How a size class becomes pixels: exactly one of these.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "SizeRule", extend("minProperties" = 1, "maxProperties" = 1))]
struct SizeRuleText {
    /// As many pixels as a square of this side has, in the shape asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    area: Option<u32>,
    /// Pixels of the shorter side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    short: Option<u32>,
    /// Pixels of the longer side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    long: Option<u32>,
    /// Exactly this size, whatever the shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exact: Option<PixelSize>,
}

impl TryFrom<SizeRuleText> for SizeRule {
    type Error = &'static str;

    fn try_from(text: SizeRuleText) -> Result<Self, Self::Error> {
        match (text.area, text.short, text.long, text.exact) {
            (Some(0), ..) | (_, Some(0), ..) | (_, _, Some(0), _) => Err("a side has at least 1 pixel"),
            (area, short, long, exact)
                if too_long(area) || too_long(short) || too_long(long) || too_long(exact.map(|size| size.width.max(size.height))) =>
            {
                Err("a side has at most 100000 pixels")
            }
            (Some(side), None, None, None) => Ok(Self::Area(side)),
            (None, Some(side), None, None) => Ok(Self::Short(side)),
            (None, None, Some(side), None) => Ok(Self::Long(side)),
            (None, None, None, Some(size)) => Ok(Self::Exact(size)),
            _ => Err("a size rule has exactly one of `area`, `short`, `long` and `exact`"),
        }
    }
}

fn too_long(side: Option<u32>) -> bool {
    side.is_some_and(|side| side > LONGEST_SIDE)
}

impl From<SizeRule> for SizeRuleText {
    fn from(rule: SizeRule) -> Self {
        let none = Self::default();
        match rule {
            SizeRule::Area(side) => Self { area: Some(side), ..none },
            SizeRule::Short(side) => Self { short: Some(side), ..none },
            SizeRule::Long(side) => Self { long: Some(side), ..none },
            SizeRule::Exact(size) => Self { exact: Some(size), ..none },
        }
    }
}

impl schemars::JsonSchema for SizeRule {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        SizeRuleText::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        SizeRuleText::json_schema(generator)
    }
}

/// What sides and areas a model can make at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Grid {
    /// Every side is a multiple of this.
    #[serde(default = "Grid::usual_multiple")]
    pub multiple: u32,
    /// The longest side possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_edge: Option<u32>,
    /// The fewest pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_pixels: Option<u64>,
    /// The most pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_pixels: Option<u64>,
    /// The longest shape, lying or upright.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ratio: Option<Ratio>,
}

impl Grid {
    const fn usual_multiple() -> u32 {
        16
    }
}

impl Default for Grid {
    fn default() -> Self {
        Self { multiple: Self::usual_multiple(), max_edge: None, min_pixels: None, max_pixels: None, max_ratio: None }
    }
}

impl OperationCard {
    /// Returns the size that the result will have.
    ///
    /// `settings` are settled ones. With a scale the result is the input, enlarged. Without an aspect it has the shape of the input.
    /// An operation that takes neither aspect nor resolution keeps the size of its input.
    pub fn output_size(&self, settings: &Settings, input: Option<PixelSize>) -> PixelSize {
        if let (Some(scale), Some(input)) = (settings.scale, input) {
            return PixelSize::new(input.width.saturating_mul(scale), input.height.saturating_mul(scale));
        }
        if let Some(exact) = self.tabled_size(settings) {
            return exact;
        }
        let named = settings.resolution.as_ref().and_then(|name| self.resolutions.as_ref()?.get(name)).copied();
        let rule = match (named.or(self.size), input) {
            (Some(rule), _) => rule,
            (None, Some(input)) if self.keeps_size() => return input,
            (None, _) => SizeRule::Area(USUAL_SIDE),
        };
        let shape = settings.aspect.map(|ratio| (ratio.width, ratio.height)).or_else(|| input.map(|size| (size.width, size.height)));
        let (width, height) = shape.map_or((1, 1), |(width, height)| (width.max(1), height.max(1)));
        self.grid.unwrap_or_default().place(rule, u64::from(width), u64::from(height))
    }

    /// Returns whether the operation has no say in the size.
    fn keeps_size(&self) -> bool {
        let empty_aspects = self.aspects.as_ref().is_some_and(Vec::is_empty);
        let empty_resolutions = self.resolutions.as_ref().is_some_and(indexmap::IndexMap::is_empty);
        empty_aspects && empty_resolutions
    }

    fn tabled_size(&self, settings: &Settings) -> Option<PixelSize> {
        if self.sizes.is_empty() {
            return None;
        }
        let aspect = settings.aspect.or(self.default_aspect)?;
        let key = match &settings.resolution {
            Some(resolution) => format!("{aspect}@{resolution}"),
            None => aspect.to_string(),
        };
        self.sizes.get(&key).copied()
    }
}

impl Grid {
    /// Returns the size that `rule` gives the shape `width:height`, within what the grid allows.
    fn place(&self, rule: SizeRule, width: u64, height: u64) -> PixelSize {
        let (wide, high) = match rule {
            SizeRule::Exact(size) => return size,
            SizeRule::Area(side) => area_sides(u64::from(side) * u64::from(side), width, height),
            SizeRule::Short(side) if width <= height => (u64::from(side), scaled(side, height, width)),
            SizeRule::Short(side) => (scaled(side, width, height), u64::from(side)),
            SizeRule::Long(side) if width >= height => (u64::from(side), scaled(side, height, width)),
            SizeRule::Long(side) => (scaled(side, width, height), u64::from(side)),
        };
        let longest = wide.max(high);
        let (wide, high) = match self.max_edge.map(u64::from).filter(|edge| longest > *edge) {
            Some(edge) => (wide.saturating_mul(edge) / longest, high.saturating_mul(edge) / longest),
            None => (wide, high),
        };
        let exact = matches!(rule, SizeRule::Area(_)).then(|| self.true_to_shape(wide, high, width, height)).flatten();
        let (wide, high) = exact.unwrap_or_else(|| (self.snapped(wide), self.snapped(high)));
        self.within_pixels(wide, high)
    }

    /// Returns the sides nearest to `wide` and `high` that have the shape exactly, if their area is within an eighth.
    fn true_to_shape(&self, wide: u64, high: u64, width: u64, height: u64) -> Option<(u64, u64)> {
        let divisor = greatest_common_divisor(width, height);
        let multiple = u64::from(self.multiple.max(1));
        let (unit_wide, unit_high) = (width / divisor * multiple, height / divisor * multiple);
        let wanted = wide.saturating_mul(high);
        let allowed =
            |sides: &(u64, u64)| sides.0 > 0 && self.allows(sides.0, sides.1) && wanted.abs_diff(sides.0.saturating_mul(sides.1)) <= wanted / 8;
        [(wide + unit_wide / 2) / unit_wide, wide / unit_wide].map(|count| (unit_wide * count, unit_high * count)).into_iter().find(allowed)
    }

    fn allows(&self, wide: u64, high: u64) -> bool {
        let pixels = wide.saturating_mul(high);
        self.max_edge.is_none_or(|edge| wide.max(high) <= u64::from(edge))
            && self.max_pixels.is_none_or(|most| pixels <= most)
            && self.min_pixels.is_none_or(|least| pixels >= least)
    }

    /// Rounds to the nearest multiple, at least one.
    fn snapped(&self, side: u64) -> u64 {
        let multiple = u64::from(self.multiple.max(1));
        ((side + multiple / 2) / multiple).max(1) * multiple
    }

    /// Takes from the longer side, or adds to the shorter one, until the number of pixels is allowed.
    fn within_pixels(&self, wide: u64, high: u64) -> PixelSize {
        let multiple = u64::from(self.multiple.max(1));
        let (long, short) = (wide.max(high), wide.min(high));
        let most = self.max_pixels.map(|most| (most / short / multiple).max(1) * multiple);
        let long = most.map_or(long, |most| long.min(most));
        let least = self.min_pixels.map(|least| least.div_ceil(long).div_ceil(multiple).saturating_mul(multiple));
        let short = least.map_or(short, |least| short.max(least));
        let (wide, high) = if wide >= high { (long, short) } else { (short, long) };
        let side = |pixels: u64| u32::try_from(pixels).unwrap_or(u32::MAX);
        PixelSize::new(side(wide), side(high))
    }
}

/// Returns `side * part / whole`, rounded to the nearest pixel.
fn scaled(side: u32, part: u64, whole: u64) -> u64 {
    (u64::from(side) * part + whole / 2) / whole.max(1)
}

/// Returns sides of the shape `width:height` whose product is about `area`.
fn area_sides(area: u64, width: u64, height: u64) -> (u64, u64) {
    let side = |part: u64, other: u64| {
        let square = u128::from(area) * u128::from(part) / u128::from(other.max(1));
        u64::try_from(square.isqrt()).unwrap_or(u64::MAX)
    };
    (side(width, height), side(height, width))
}

fn greatest_common_divisor(left: u64, right: u64) -> u64 {
    if right == 0 { left } else { greatest_common_divisor(right, left % right) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn card(yaml: &str) -> OperationCard {
        serde_yaml::from_str(yaml).expect("a card of the test")
    }

    fn asked(aspect: Option<&str>, resolution: Option<&str>) -> Settings {
        let aspect = aspect.map(|text| text.parse().expect("a ratio of the test"));
        Settings { aspect, resolution: resolution.map(Into::into), ..Settings::default() }
    }

    #[test]
    fn a_size_class_keeps_its_area_in_every_shape() {
        let card = card("resolutions: { 1K: { area: 1024 }, 2K: { area: 2048 }, 4K: { area: 2880 } }\ngrid: { max-edge: 3840, max-pixels: 8294400 }");
        for (aspect, resolution, size) in [
            ("1:1", "1K", "1024x1024"),
            ("4:5", "1K", "896x1120"),
            ("3:2", "1K", "1248x832"),
            ("16:9", "2K", "2816x1584"),
            ("16:9", "4K", "3840x2160"),
            ("9:16", "4K", "2160x3840"),
            ("21:9", "1K", "1568x672"),
        ] {
            assert_eq!(card.output_size(&asked(Some(aspect), Some(resolution)), None).to_string(), size, "{aspect} at {resolution}");
        }
    }

    #[test]
    fn a_tabled_size_wins_over_the_rule() {
        let card = card("resolutions: { 1K: { area: 1024 } }\nsizes: { \"3:2@1K\": 1536x1024 }");
        assert_eq!(card.output_size(&asked(Some("3:2"), Some("1K")), None), PixelSize::new(1536, 1024));
        assert_eq!(card.output_size(&asked(Some("2:3"), Some("1K")), None), PixelSize::new(832, 1248));
    }

    #[test]
    fn an_edit_without_an_aspect_follows_its_input() {
        let card = card("aspects: [auto]\nresolutions: { 1K: { area: 1024 } }");
        assert_eq!(card.output_size(&asked(None, Some("1K")), Some(PixelSize::new(3000, 2000))), PixelSize::new(1248, 832));
        assert_eq!(card.output_size(&asked(None, Some("1K")), None), PixelSize::new(1024, 1024));
    }

    #[test]
    fn an_upscale_multiplies_and_a_cut_out_keeps_its_size() {
        let input = Some(PixelSize::new(1920, 1080));
        let upscale = card("aspects: []\nresolutions: {}\nscales: [2, 4]");
        assert_eq!(upscale.output_size(&Settings { scale: Some(2), ..Settings::default() }, input), PixelSize::new(3840, 2160));
        assert_eq!(card("aspects: []\nresolutions: {}").output_size(&Settings::default(), input), PixelSize::new(1920, 1080));
    }

    #[test]
    fn short_side_and_long_side_rules_hold_lying_and_upright() {
        let card = card("resolutions: { 720p: { short: 720 }, wide: { long: 1536 }, fixed: { exact: 800x600 } }");
        assert_eq!(card.output_size(&asked(Some("16:9"), Some("720p")), None), PixelSize::new(1280, 720));
        assert_eq!(card.output_size(&asked(Some("9:16"), Some("720p")), None), PixelSize::new(720, 1280));
        assert_eq!(card.output_size(&asked(Some("3:2"), Some("wide")), None), PixelSize::new(1536, 1024));
        assert_eq!(card.output_size(&asked(Some("1:1"), Some("fixed")), None), PixelSize::new(800, 600));
    }

    #[test]
    fn a_size_rule_is_exactly_one_key() {
        for wrong in ["{}", "{ area: 1024, short: 720 }", "{ area: 0 }", "{ square: 1024 }"] {
            assert!(serde_yaml::from_str::<SizeRule>(wrong).is_err(), "{wrong}");
        }
        let written = serde_json::to_string(&SizeRule::Area(1024)).expect("a rule is plain data");
        assert_eq!(written, r#"{"area":1024}"#);
    }

    proptest! {
        #[test]
        fn every_shape_up_to_the_longest_lands_on_the_grid(width in 1_u32..=90, height in 1_u32..=90, class in 0_usize..3) {
            prop_assume!(width <= 3 * height && height <= 3 * width);
            let card = card(concat!("resolutions: { 1K: { area: 1024 }, 2K: { area: 2048 }, 4K: { area: 2880 } }\n",
                "grid: { multiple: 16, max-edge: 3840, min-pixels: 655360, max-pixels: 8294400, max-ratio: \"3:1\" }"));
            let settings = Settings { aspect: Some(Ratio::new(width, height)), resolution: Some(["1K", "2K", "4K"][class].into()), ..Settings::default() };
            let size = card.output_size(&settings, None);
            prop_assert!(size.width.is_multiple_of(16) && size.height.is_multiple_of(16), "{}", size);
            prop_assert!(size.width.max(size.height) <= 3840, "{}", size);
            prop_assert!((655_360..=8_294_400).contains(&size.pixels()), "{}", size);
        }
    }
}
