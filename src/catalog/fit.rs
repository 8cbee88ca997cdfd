//! Whether a request fits a model, and what is wrong with it if not.
//!
//! In: an operation card and settled settings. Out: every misfit, each with the setting it is about and what there is instead.
//! Never: a place in a file, the model's name; the caller knows both.

use std::fmt::Display;
use std::sync::Arc;

use super::card::{Aspect, OperationCard};
use crate::types::diagnostic::listed;
use crate::types::fit::nearest;
use crate::types::{ImageFormat, Ratio, Settings};

/// How many alternatives a help text names.
const MOST_NAMED: usize = 16;

/// One thing that a model cannot be asked for.
///
/// `Display` says what is wrong; the caller adds which model and which action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// A shape that the model does not make.
    #[error("aspect `{asked}` is not offered")]
    Aspect {
        /// What was asked.
        asked: Ratio,
        /// What there is.
        has: Vec<Aspect>,
    },
    /// A shape longer than the model can make.
    #[error("aspect `{asked}` is longer than `{limit}`, the longest shape there is")]
    AspectTooLong {
        /// What was asked.
        asked: Ratio,
        /// The longest shape; the same limit holds upright.
        limit: Ratio,
    },
    /// A size class that the model lacks.
    #[error("resolution `{asked}` is not offered")]
    Resolution {
        /// What was asked.
        asked: Arc<str>,
        /// What there is.
        has: Vec<Arc<str>>,
    },
    /// Shape and size class exist, but not together.
    #[error("{} is not offered at resolution `{resolution}`{}", hole_aspect(.aspect), .because.as_deref().map(|why| format!(": {why}")).unwrap_or_default())]
    Hole {
        /// The shape, or none asked.
        aspect: Aspect,
        /// The size class.
        resolution: Arc<str>,
        /// Why, if the card says.
        because: Option<String>,
        /// Size classes at which the shape exists.
        has: Vec<Arc<str>>,
    },
    /// A quality that the model lacks.
    #[error("quality `{asked}` is not offered")]
    Quality {
        /// What was asked.
        asked: Arc<str>,
        /// What there is.
        has: Vec<Arc<str>>,
    },
    /// A speed that the model lacks.
    #[error("speed `{asked}` is not offered")]
    Speed {
        /// What was asked.
        asked: Arc<str>,
        /// What there is.
        has: Vec<Arc<str>>,
    },
    /// An enlargement that the model lacks.
    #[error("scale `{asked}` is not offered")]
    Scale {
        /// What was asked.
        asked: u32,
        /// What there is.
        has: Vec<u32>,
    },
    /// A background that the model lacks.
    #[error("background `{asked}` is not offered")]
    Background {
        /// What was asked.
        asked: Arc<str>,
        /// What there is.
        has: Vec<Arc<str>>,
    },
    /// A file format that the model does not write.
    #[error("format `{asked}` is not offered")]
    Format {
        /// What was asked.
        asked: ImageFormat,
        /// What there is.
        has: Vec<ImageFormat>,
    },
    /// Transparency was asked for in a format that cannot hold it.
    #[error("format `{format}` cannot hold a transparent background")]
    NoTransparency {
        /// The format.
        format: ImageFormat,
    },
    /// The prompt has too many characters.
    #[error("the prompt has {chars} characters; the model takes at most {limit}")]
    PromptTooLong {
        /// How many it has.
        chars: usize,
        /// How many are taken.
        limit: usize,
    },
    /// More reference pictures than the model takes.
    #[error("{count} reference images go along; the model takes at most {limit}")]
    TooManyReferences {
        /// How many go along.
        count: usize,
        /// How many are taken.
        limit: u32,
    },
    /// The setting means nothing to this operation.
    #[error("`{setting}: {asked}` is not a setting of this operation")]
    NotTaken {
        /// Its YAML key.
        setting: &'static str,
        /// What was asked.
        asked: String,
    },
}

/// Names the shape in the message about a hole.
fn hole_aspect(aspect: &Aspect) -> String {
    match aspect {
        Aspect::Auto => "a picture without an aspect".to_owned(),
        Aspect::Ratio(ratio) => format!("aspect `{ratio}`"),
    }
}

impl Unfit {
    /// Returns the YAML key of the setting it is about; `None` for the prompt and the pictures.
    pub fn setting(&self) -> Option<&'static str> {
        match self {
            Self::Aspect { .. } | Self::AspectTooLong { .. } => Some("aspect"),
            Self::Hole { aspect: Aspect::Ratio(_), .. } => Some("aspect"),
            Self::Resolution { .. } | Self::Hole { .. } => Some("resolution"),
            Self::Quality { .. } => Some("quality"),
            Self::Speed { .. } => Some("speed"),
            Self::Scale { .. } => Some("scale"),
            Self::Background { .. } => Some("background"),
            Self::Format { .. } | Self::NoTransparency { .. } => Some("format"),
            Self::NotTaken { setting, .. } => Some(setting),
            Self::PromptTooLong { .. } | Self::TooManyReferences { .. } => None,
        }
    }

    /// Returns whether another shape would mend it.
    pub fn is_of_shape(&self) -> bool {
        matches!(self, Self::Aspect { .. } | Self::AspectTooLong { .. } | Self::Hole { aspect: Aspect::Ratio(_), .. })
    }

    /// Returns the stable name of the mistake.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Aspect { .. } | Self::AspectTooLong { .. } => "unsupported-aspect",
            Self::Resolution { .. } => "unsupported-resolution",
            Self::Hole { .. } | Self::NoTransparency { .. } => "unsupported-combination",
            Self::Quality { .. } => "unsupported-quality",
            Self::Speed { .. } => "unsupported-speed",
            Self::Scale { .. } => "unsupported-scale",
            Self::Background { .. } => "unsupported-background",
            Self::Format { .. } => "unsupported-format",
            Self::PromptTooLong { .. } => "prompt-too-long",
            Self::TooManyReferences { .. } => "too-many-references",
            Self::NotTaken { .. } => "unused-setting",
        }
    }

    /// Returns what there is instead, or how to mend it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Aspect { has, .. } => Some(it_has(has)),
            Self::AspectTooLong { limit, .. } => Some(format!("choose any aspect up to `{limit}`, lying or upright")),
            Self::Resolution { has, .. } | Self::Quality { has, .. } | Self::Speed { has, .. } | Self::Background { has, .. } => Some(it_has(has)),
            Self::Scale { has, .. } => Some(it_has(has)),
            Self::Format { has, .. } => Some(it_has(has)),
            Self::Hole { aspect: Aspect::Auto, has, .. } if has.is_empty() => Some("name an aspect".to_owned()),
            Self::Hole { aspect: Aspect::Auto, has, .. } => Some(format!("name an aspect, or choose resolution {}", listed(has, MOST_NAMED))),
            Self::Hole { aspect, has, .. } if has.is_empty() => Some(format!("choose another aspect than `{aspect}`")),
            Self::Hole { aspect, has, .. } => Some(format!("`{aspect}` is offered at {}", listed(has, MOST_NAMED))),
            Self::NoTransparency { .. } => Some("ask for `png` or `webp`".to_owned()),
            Self::PromptTooLong { chars, limit } => Some(format!("shorten it by {} characters", chars.saturating_sub(*limit))),
            Self::TooManyReferences { .. } => Some("give fewer pictures under `images`".to_owned()),
            Self::NotTaken { setting, .. } => Some(format!("leave `{setting}` out here")),
        }
    }
}

/// Returns "it has `a`, `b` and `c`".
fn it_has<T: Display>(choices: &[T]) -> String {
    format!("it has {}", listed(choices.iter().map(ToString::to_string), MOST_NAMED))
}

impl OperationCard {
    /// Returns everything about the request that the model cannot do; empty if it fits.
    ///
    /// `settings` are settled ones, `prompt_chars` counts characters, `references` the pictures besides the main one.
    pub fn fit(&self, settings: &Settings, prompt_chars: usize, references: usize) -> Vec<Unfit> {
        let mut found = Vec::new();
        self.fit_aspect(settings, &mut found);
        self.fit_resolution(settings, &mut found);
        self.fit_holes(settings, &mut found);
        found.extend(choice("quality", &self.qualities, settings.quality.as_ref(), |asked, has| Unfit::Quality { asked, has }));
        found.extend(choice("speed", &self.speeds, settings.speed.as_ref(), |asked, has| Unfit::Speed { asked, has }));
        found.extend(choice("scale", &self.scales, settings.scale.as_ref(), |asked, has| Unfit::Scale { asked, has }));
        found.extend(choice("background", &self.backgrounds, settings.background.as_ref(), |asked, has| Unfit::Background { asked, has }));
        found.extend(choice("format", &self.formats, settings.format.as_ref(), |asked, has| Unfit::Format { asked, has }));
        if let (Some("transparent"), Some(format)) = (settings.background.as_deref(), settings.format)
            && !format.has_alpha()
        {
            found.push(Unfit::NoTransparency { format });
        }
        if let Some(limit) = self.prompt_limit
            && prompt_chars > limit
        {
            found.push(Unfit::PromptTooLong { chars: prompt_chars, limit });
        }
        if let Some(limit) = self.max_references
            && references > usize::try_from(limit).unwrap_or(usize::MAX)
        {
            found.push(Unfit::TooManyReferences { count: references, limit });
        }
        found
    }

    /// Returns the shape nearest to the one that is asked for, at the resolution that is asked for; `None` when no shape is, or when there
    /// is no list of shapes to choose from.
    pub fn nearest_aspect(&self, settings: &Settings) -> Option<Ratio> {
        let asked = settings.aspect?;
        let longest = self.grid.as_ref().and_then(|grid| grid.max_ratio);
        let Some(has) = &self.aspects else {
            let limit = longest.filter(|limit| longer_than(asked, *limit))?;
            let (long, short) = (limit.width.max(limit.height), limit.width.min(limit.height));
            return Some(if asked.width > asked.height { Ratio::new(long, short) } else { Ratio::new(short, long) });
        };
        let is_made = |ratio: &Ratio| {
            let mut found = Vec::new();
            self.fit_holes(&Settings { aspect: Some(*ratio), ..settings.clone() }, &mut found);
            found.is_empty() && longest.is_none_or(|limit| !longer_than(*ratio, limit))
        };
        let shapes = has.iter().filter_map(|aspect| if let Aspect::Ratio(ratio) = aspect { Some(*ratio) } else { None });
        nearest(asked, shapes.filter(is_made))
    }

    fn fit_aspect(&self, settings: &Settings, found: &mut Vec<Unfit>) {
        let Some(asked) = settings.aspect else { return };
        match &self.aspects {
            Some(has) if has.is_empty() => found.push(Unfit::NotTaken { setting: "aspect", asked: asked.to_string() }),
            Some(has) if !has.contains(&Aspect::Ratio(asked)) => found.push(Unfit::Aspect { asked, has: has.clone() }),
            _ => {
                if let Some(limit) = self.grid.as_ref().and_then(|grid| grid.max_ratio)
                    && longer_than(asked, limit)
                {
                    found.push(Unfit::AspectTooLong { asked, limit });
                }
            }
        }
    }

    fn fit_resolution(&self, settings: &Settings, found: &mut Vec<Unfit>) {
        let (Some(asked), Some(has)) = (&settings.resolution, &self.resolutions) else { return };
        if has.is_empty() {
            found.push(Unfit::NotTaken { setting: "resolution", asked: asked.to_string() });
        } else if !has.contains_key(asked) {
            found.push(Unfit::Resolution { asked: Arc::clone(asked), has: has.keys().cloned().collect() });
        }
    }

    fn fit_holes(&self, settings: &Settings, found: &mut Vec<Unfit>) {
        let Some(resolution) = &settings.resolution else { return };
        let aspect = Aspect::from(settings.aspect);
        let Some(hole) = self.holes.iter().find(|hole| hole.aspects.contains(&aspect) && hole.resolutions.contains(resolution)) else { return };
        let missing = |name: &Arc<str>| self.holes.iter().any(|hole| hole.aspects.contains(&aspect) && hole.resolutions.contains(name));
        let has = self.resolutions.iter().flat_map(|all| all.keys()).filter(|name| !missing(name)).cloned().collect();
        found.push(Unfit::Hole { aspect, resolution: Arc::clone(resolution), because: hole.because.clone(), has });
    }
}

/// Returns whether `asked`, lying or upright, is longer than `limit`.
fn longer_than(asked: Ratio, limit: Ratio) -> bool {
    let (long, short) = (asked.width.max(asked.height), asked.width.min(asked.height));
    let (most, least) = (limit.width.max(limit.height), limit.width.min(limit.height));
    u64::from(long) * u64::from(least) > u64::from(short) * u64::from(most)
}

/// Judges a setting that is chosen from a list; an empty list means that it is not taken.
fn choice<T: Clone + PartialEq + Display>(
    setting: &'static str,
    has: &[T],
    asked: Option<&T>,
    unfit: impl FnOnce(T, Vec<T>) -> Unfit,
) -> Option<Unfit> {
    let asked = asked.filter(|asked| !has.contains(asked))?;
    Some(if has.is_empty() { Unfit::NotTaken { setting, asked: asked.to_string() } } else { unfit(asked.clone(), has.to_vec()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Action;

    /// Every misfit as "code (setting): message; help".
    fn judged(card: &OperationCard, settings: &Settings, prompt_chars: usize, references: usize) -> String {
        let line = |unfit: &Unfit| format!("{} ({}): {unfit}; {}", unfit.code(), unfit.setting().unwrap_or("-"), unfit.help().unwrap_or_default());
        card.fit(settings, prompt_chars, references).iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn card(yaml: &str) -> OperationCard {
        serde_yaml::from_str(yaml).expect("a card of the test")
    }

    fn in_book(book: &str, model: &str, action: Action) -> OperationCard {
        let book = crate::catalog::builtin::book(book).expect("an embedded book");
        book.cards().remove(model).and_then(|mut card| card.operations.remove(&action)).expect("a card in the book")
    }

    #[test]
    fn every_kind_of_misfit_names_its_setting_and_what_there_is() {
        let card = card(concat!(
            "prompt-limit: 10\naspects: [auto, \"1:1\", \"4:5\"]\nresolutions: { 1K: { area: 1024 }, 4K: { area: 2880 } }\nqualities: [medium, high]\n",
            "scales: [2, 4]\nspeeds: [TURBO]\nbackgrounds: [transparent]\nformats: [png, jpeg]\nmax-references: 1",
        ));
        let settings = Settings {
            aspect: Some(Ratio::new(16, 9)),
            resolution: Some("2K".into()),
            quality: Some("ultra".into()),
            speed: Some("SLOW".into()),
            scale: Some(8),
            background: Some("transparent".into()),
            format: Some(ImageFormat::Jpeg),
            seed: None,
        };
        insta::assert_snapshot!(judged(&card, &settings, 12, 3), @"
        unsupported-aspect (aspect): aspect `16:9` is not offered; it has `auto`, `1:1` and `4:5`
        unsupported-resolution (resolution): resolution `2K` is not offered; it has `1K` and `4K`
        unsupported-quality (quality): quality `ultra` is not offered; it has `medium` and `high`
        unsupported-speed (speed): speed `SLOW` is not offered; it has `TURBO`
        unsupported-scale (scale): scale `8` is not offered; it has `2` and `4`
        unsupported-combination (format): format `jpeg` cannot hold a transparent background; ask for `png` or `webp`
        prompt-too-long (-): the prompt has 12 characters; the model takes at most 10; shorten it by 2 characters
        too-many-references (-): 3 reference images go along; the model takes at most 1; give fewer pictures under `images`
        ");
    }

    #[test]
    fn what_an_operation_does_not_take_is_said_and_what_a_page_does_not_state_is_accepted() {
        let settings =
            Settings { aspect: Some(Ratio::new(7, 5)), resolution: Some("9K".into()), quality: Some("high".into()), ..Settings::default() };
        insta::assert_snapshot!(judged(&card("aspects: []\nresolutions: {}"), &settings, 0, 0), @"
        unused-setting (aspect): `aspect: 7:5` is not a setting of this operation; leave `aspect` out here
        unused-setting (resolution): `resolution: 9K` is not a setting of this operation; leave `resolution` out here
        unused-setting (quality): `quality: high` is not a setting of this operation; leave `quality` out here
        ");
        let silent = OperationCard::default();
        assert_eq!(silent.fit(&Settings { quality: None, ..settings }, 1_000_000, 99), []);
    }

    #[test]
    fn holes_are_found_for_named_and_for_open_aspects() {
        let card = card(concat!(
            "aspects: [auto, \"1:1\", \"16:9\"]\nresolutions: { 1K: { area: 1024 }, 2K: { area: 2048 }, 4K: { area: 2880 } }\nholes:\n",
            "  - { aspects: [\"1:1\"], resolutions: [4K], because: a square is made up to 2K }\n  - { aspects: [auto], resolutions: [2K, 4K] }",
        ));
        let asked = |aspect: Option<Ratio>, resolution: &str| Settings { aspect, resolution: Some(resolution.into()), ..Settings::default() };
        insta::assert_snapshot!(judged(&card, &asked(Some(Ratio::new(1, 1)), "4K"), 0, 0), @"unsupported-combination (aspect): aspect `1:1` is not offered at resolution `4K`: a square is made up to 2K; `1:1` is offered at `1K` and `2K`");
        insta::assert_snapshot!(judged(&card, &asked(None, "2K"), 0, 0), @"unsupported-combination (resolution): a picture without an aspect is not offered at resolution `2K`; name an aspect, or choose resolution `1K`");
        assert_eq!(judged(&card, &asked(Some(Ratio::new(16, 9)), "4K"), 0, 0), "");
    }

    #[test]
    fn a_shape_longer_than_the_grid_is_refused_lying_and_upright() {
        let card = card("grid: { max-ratio: \"3:1\" }");
        for (width, height, misfits) in [(3, 1, 0), (1, 3, 0), (16, 5, 1), (5, 16, 1)] {
            let settings = Settings { aspect: Some(Ratio::new(width, height)), ..Settings::default() };
            assert_eq!(card.fit(&settings, 0, 0).len(), misfits, "{width}:{height}");
        }
    }

    #[test]
    fn the_nearest_shape_is_one_that_is_made_at_the_resolution() {
        let holed = card(concat!(
            "aspects: [auto, \"1:1\", \"3:4\", \"9:16\"]\nresolutions: { 1K: { area: 1024 }, 4K: { area: 2880 } }\n",
            "holes: [{ aspects: [\"3:4\"], resolutions: [4K] }]",
        ));
        let at = |resolution: &str| Settings { aspect: Some(Ratio::new(4, 5)), resolution: Some(resolution.into()), ..Settings::default() };
        assert_eq!(holed.nearest_aspect(&at("1K")), Some(Ratio::new(3, 4)));
        assert_eq!(holed.nearest_aspect(&at("4K")), Some(Ratio::new(1, 1)), "3:4 is not made at 4K");
        assert_eq!(holed.nearest_aspect(&Settings::default()), None, "nothing is asked for");
        let free = card("grid: { max-ratio: \"3:1\" }");
        let asked = |width, height| Settings { aspect: Some(Ratio::new(width, height)), ..Settings::default() };
        assert_eq!((free.nearest_aspect(&asked(1, 4)), free.nearest_aspect(&asked(4, 1))), (Some(Ratio::new(1, 3)), Some(Ratio::new(3, 1))));
        assert_eq!(free.nearest_aspect(&asked(2, 1)), None, "it is made as it is");
    }

    #[test]
    fn printed_limits_of_the_studio_hold() {
        let bad_ratio = Settings { aspect: Some(Ratio::new(16, 9)), ..Settings::default() };
        assert_eq!(in_book("imagineart-studio", "gpt-image-1.5", Action::Generate).fit(&bad_ratio, 0, 0)[0].code(), "unsupported-aspect");
        let bad_resolution = Settings { resolution: Some("2K".into()), ..Settings::default() };
        assert_eq!(in_book("imagineart-studio", "nano-banana", Action::Generate).fit(&bad_resolution, 0, 0)[0].code(), "unsupported-resolution");
        assert_eq!(in_book("imagineart-studio", "recraft-v4", Action::Generate).fit(&bad_resolution, 0, 0), [], "the page does not say");
    }
}
