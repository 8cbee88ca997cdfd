//! `check:` on a step: what its pictures must be like, as the author writes it.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::OneOrMany;
use crate::types::{Check, ImageFormat, Ratio, Yardstick};

/// What a picture must be like to be used; cheap, measured here. One that fails is kept, shown as rejected, and what is made from it waits.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(extend("minProperties" = 1))]
pub struct CheckSpec {
    /// Width by height, within one per cent.
    #[schemars(example = &"4:5")]
    pub aspect: Option<Ratio>,
    /// Least pixels of the shorter side.
    #[schemars(range(min = 1, max = 16384), example = 1024)]
    pub min_side: Option<u32>,
    /// Most bytes of the file.
    #[schemars(range(min = 1), example = 4_000_000)]
    pub max_bytes: Option<u64>,
    /// Format of the file.
    pub format: Option<ImageFormat>,
    /// The picture is not one plain colour: its tones spread by at least 3 of 256 steps (a photograph's by 30 to 70).
    #[serde(default)]
    pub not_blank: bool,
    /// The background is see-through: at least 60 per cent of the edge is, and something opaque stands before it.
    #[serde(default)]
    pub transparent: bool,
    /// Least variance of the Laplacian at 1024 pixels on the long side: a blurred photograph has less than 20, a sharp one 100 to 2000.
    #[schemars(range(min = 1, max = 100_000), example = 20)]
    pub sharpness: Option<u32>,
    /// The picture differs from the accepted ones on the other values of these axes, by at least 4 per cent of a 256-bit fingerprint; `take` for equal tries.
    #[schemars(example = ["surface"])]
    pub not_duplicate: Option<OneOrMany>,
    /// Most that an inpaint may change outside its mask, in per cent.
    #[schemars(range(min = 0.0, max = 100.0), example = 1.5)]
    pub drift: Option<f64>,
    /// How much it must be like another picture.
    pub similarity: Option<SimilaritySpec>,
}

/// Likeness to another picture.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SimilaritySpec {
    /// Step that this one is made from, however far back: its picture is the measure.
    #[schemars(example = &"hero")]
    pub to: Option<String>,
    /// A picture file of your own that is the measure, relative to the campaign file.
    #[schemars(example = &"refs/baseline.png")]
    pub file: Option<String>,
    /// Least structural similarity in per cent: the same is 100, strangers have less than 40.
    #[schemars(range(min = 0.0, max = 100.0), example = 55)]
    pub least: f64,
}

/// Returns per cent as thousandths.
fn thousandths(percent: f64) -> u32 {
    (percent * 10.0).round().clamp(0.0, 1000.0) as u32
}

impl SimilaritySpec {
    /// Returns what is compared with; `None` when neither or both are named.
    pub fn yardstick(&self) -> Option<Yardstick> {
        match (&self.to, &self.file) {
            (Some(step), None) => Some(Yardstick::Step(Arc::from(step.as_str()))),
            (None, Some(path)) => Some(Yardstick::File(Arc::from(path.as_str()))),
            _ => None,
        }
    }
}

impl CheckSpec {
    /// Returns the checks, the cheapest first.
    pub fn checks(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        checks.extend(self.format.map(Check::Format));
        checks.extend(self.aspect.map(Check::Aspect));
        checks.extend(self.min_side.map(Check::MinSide));
        checks.extend(self.max_bytes.map(Check::MaxBytes));
        checks.extend(self.not_blank.then_some(Check::NotBlank));
        checks.extend(self.transparent.then_some(Check::Transparent));
        checks.extend(self.sharpness.map(Check::Sharpness));
        checks.extend(self.drift.map(|most| Check::Drift(thousandths(most))));
        let similar = self.similarity.as_ref().and_then(|similar| Some((similar.yardstick()?, thousandths(similar.least))));
        checks.extend(similar.map(|(to, least)| Check::Similarity { to, least }));
        let axes = |OneOrMany(axes): &OneOrMany| Check::NotDuplicate(axes.iter().map(|axis| Arc::from(axis.as_str())).collect());
        checks.extend(self.not_duplicate.as_ref().map(axes));
        checks
    }
}
