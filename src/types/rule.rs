//! The lint rules by name, each with the reason for it: what `lint: { allow: [...] }`, comments and `check --list-rules` speak of.

use schemars::JsonSchema;
use serde::Deserialize;

/// A rule about prompts and chains; what it finds is a warning, and can be allowed by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Rule {
    /// Quality words at the front of a prompt.
    QualityWordsFirst,
    /// Light without a direction or a source.
    NoLightDirection,
    /// Words of feeling that name nothing.
    VagueWords,
    /// Two media in one prompt that exclude each other.
    ContradictingMedia,
    /// What shall not be there, named.
    Negation,
    /// An artist instead of a medium.
    ArtistName,
    /// Longer than models follow.
    TooLong,
    /// So short that the model chooses.
    TooShort,
    /// Long wording to be painted.
    LongTextInImage,
    /// An edit of a person that does not open with who it is.
    IdentityNotFirst,
    /// A logo to be painted.
    LogoInPrompt,
    /// More than two paid edits in a row.
    ChainTooDeep,
    /// A source much smaller than what is asked for.
    UpscaledInput,
}

impl Rule {
    /// All rules, in the order in which they are listed.
    pub const ALL: [Self; 13] = [
        Self::QualityWordsFirst,
        Self::NoLightDirection,
        Self::VagueWords,
        Self::ContradictingMedia,
        Self::Negation,
        Self::ArtistName,
        Self::TooLong,
        Self::TooShort,
        Self::LongTextInImage,
        Self::IdentityNotFirst,
        Self::LogoInPrompt,
        Self::ChainTooDeep,
        Self::UpscaledInput,
    ];

    /// Returns its name, as diagnostics and allows write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::QualityWordsFirst => "quality-words-first",
            Self::NoLightDirection => "no-light-direction",
            Self::VagueWords => "vague-words",
            Self::ContradictingMedia => "contradicting-media",
            Self::Negation => "negation",
            Self::ArtistName => "artist-name",
            Self::TooLong => "too-long",
            Self::TooShort => "too-short",
            Self::LongTextInImage => "long-text-in-image",
            Self::IdentityNotFirst => "identity-not-first",
            Self::LogoInPrompt => "logo-in-prompt",
            Self::ChainTooDeep => "chain-too-deep",
            Self::UpscaledInput => "upscaled-input",
        }
    }

    /// Returns where it looks.
    pub fn looks_at(self) -> &'static str {
        match self {
            Self::QualityWordsFirst => "the first words of a generated picture's prompt",
            Self::NoLightDirection => "slot `lighting`; words such as `beautiful lighting` elsewhere",
            Self::VagueWords | Self::ArtistName => "all prompts, and cells of a table that hold one",
            Self::ContradictingMedia | Self::TooShort => "whole prompts of `generate`",
            Self::Negation | Self::LogoInPrompt => "prompts of `generate`, not `keep` and not edits",
            Self::TooLong => "whole prompts",
            Self::LongTextInImage => "quoted words that the picture shall show",
            Self::IdentityNotFirst => "edits of pictures of people",
            Self::ChainTooDeep => "steps",
            Self::UpscaledInput => "files of `load` that a paid edit takes",
        }
    }

    /// Returns why it is a rule.
    pub fn reason(self) -> &'static str {
        match self {
            Self::QualityWordsFirst => "what stands first weighs most; quality words say nothing of the subject",
            Self::NoLightDirection => "light is made by a source and a direction, not by a mood",
            Self::VagueWords => "a word of feeling names nothing that can be painted, and each try reads it otherwise",
            Self::ContradictingMedia => "the model must choose between them, and chooses anew in every shot",
            Self::Negation => "these models have no negative prompt: what is named tends to appear",
            Self::ArtistName => "a name is fragile and an attribution risk; a medium says what is meant",
            Self::TooLong => "models follow about 40 to 200 words; what stands far behind gets lost",
            Self::TooShort => "what is not said the model makes up, in every shot differently",
            Self::LongTextInImage => "short labels come out right; long wording is misspelt, and each try is paid",
            Self::IdentityNotFirst => "an edit that describes a scene rebuilds the face unless it opens with who it is",
            Self::LogoInPrompt => "a painted logo is never the exact one",
            Self::ChainTooDeep => "each paid edit starts from the one before: small losses add up",
            Self::UpscaledInput => "a small source gives a soft picture at the full price",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_read_by_the_name_that_it_prints() {
        for rule in Rule::ALL {
            let read: Rule = serde_json::from_value(serde_json::json!(rule.name())).expect("its name is a word of the language");
            assert_eq!(read, rule);
        }
    }
}
