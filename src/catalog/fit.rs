//! Whether a request fits a model, and what is wrong with it if not.
//!
//! In: an operation card and settled settings. Out: every misfit, each with the setting it is about and what there is instead.
//! Never: a place in a file, the model's name; the caller knows both.

use std::fmt::Display;
use std::sync::Arc;

use super::card::{Aspect, OperationCard};
use crate::types::diagnostic::listed;
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
