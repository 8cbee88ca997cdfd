//! Where a picture comes from, in the words of IPTC.
//!
//! In: nothing. Out: values. Never: a claim that a drawn picture was made by a model, or the other way round.

use serde::{Deserialize, Serialize};

/// IPTC's digital source type of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DigitalSource {
    /// Made by a model.
    TrainedAlgorithmicMedia,
    /// Made from what a model made together with pictures of the author's.
    #[serde(rename = "compositeWithTrainedAlgorithmicMedia")]
    Composite,
    /// Drawn by a program without a model: a rehearsal.
    AlgorithmicMedia,
}

impl DigitalSource {
    /// Returns IPTC's name of it as metadata hold it.
    pub fn uri(self) -> &'static str {
        match self {
            Self::TrainedAlgorithmicMedia => "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
            Self::Composite => "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia",
            Self::AlgorithmicMedia => "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia",
        }
    }
}

/// What is written into a delivered picture about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    /// What kind of picture it is.
    pub source: DigitalSource,
    /// What it shows; empty when nobody said.
    pub description: String,
}
