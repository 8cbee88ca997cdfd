//! Which model a step asks, with which settings; everything that the model cannot do.

use std::sync::Arc;

use jiff::civil::Date;

use crate::catalog::{Catalog, InputLimits, ModelCard, OperationCard, Unfit};
use crate::steps::{SettingsSpec, StepSpec};
use crate::types::diagnostic::{did_you_mean, listed};
use crate::types::fit::percent;
use crate::types::{Action, Diagnostic, Diagnostics, FieldPath, Fit, Paid, Settings, Shaping};

/// Where a step's settings come from, nearest first, each with its address.
pub struct Layers<'a> {
    /// The step's own, its baseline's, the profile's, the defaults.
    pub layers: Vec<(&'a SettingsSpec, FieldPath)>,
}

impl Layers<'_> {
    fn merged(&self) -> SettingsSpec {
        let nothing = SettingsSpec::default();
        self.layers.iter().fold(nothing, |merged, (layer, _)| merged.over(layer))
    }

    /// Returns the address of the layer that decides a setting, and whether that is the step itself.
    fn origin(&self, setting: &str) -> Option<(FieldPath, bool)> {
        self.layers.iter().enumerate().find(|(_, (layer, _))| names(layer, setting)).map(|(depth, (_, at))| (at.key(setting), depth == 0))
    }
}

fn names(layer: &SettingsSpec, setting: &str) -> bool {
    match setting {
        "model" => layer.model.is_some(),
        "provider" => layer.provider.is_some(),
        "aspect" => layer.aspect.is_some(),
        "fit" => layer.fit.is_some(),
        "resolution" => layer.resolution.is_some(),
        "quality" => layer.quality.is_some(),
        "speed" => layer.speed.is_some(),
        "background" => layer.background.is_some(),
        "format" => layer.format.is_some(),
        "seed" => layer.seed.is_some(),
        _ => false,
    }
}

fn clear(settings: &mut Settings, setting: &str) {
    match setting {
        "aspect" => settings.aspect = None,
        "resolution" => settings.resolution = None,
        "quality" => settings.quality = None,
        "speed" => settings.speed = None,
        "background" => settings.background = None,
        "format" => settings.format = None,
        "seed" => settings.seed = None,
        "scale" => settings.scale = None,
        _ => {}
    }
}

/// A paid step as it is asked of a model.
pub struct Asked<'a> {
    /// What is asked.
    pub action: Action,
    /// What the author wrote.
    pub spec: &'a StepSpec,
    /// Where the author wrote it.
    pub at: &'a FieldPath,
    /// Where its settings come from.
    pub layers: Layers<'a>,
    /// Pictures that go along besides the main one.
    pub references: usize,
}

/// What a paid step asks of its model, and what is to be done around it.
pub struct Settled {
    /// What is asked.
    pub paid: Arc<Paid>,
    /// The shape that was asked for, if the model is asked for another.
    pub shaping: Option<Shaping>,
    /// What the model takes as input pictures.
    pub input: Option<InputLimits>,
}

/// Returns what a paid step asks of its model, or `None` after noting why it cannot be asked.
pub fn paid(asked: &Asked<'_>, catalog: &Catalog, today: Date, found: &mut Diagnostics) -> Option<Settled> {
    let Asked { action, at, layers, .. } = asked;
    let action = *action;
    let merged = layers.merged();
    let catalog = seller(merged.provider.as_deref(), layers, catalog, found)?;
    let Some(model) = &merged.model else {
        let finding = Diagnostic::error("no-model", (*at).clone().at_key(), format!("this step has no model for `{action}`"));
        found.push(finding.help(format!("set `model` here or under `defaults`; {}", models_for(catalog, action))));
        return None;
    };
    let (model_at, _) = layers.origin("model").unwrap_or_else(|| ((*at).clone(), true));
    let card = find_card(model, &model_at, action, catalog, found)?;
    check_life(card, &model_at, today, found);
    let Some(operation) = card.operation(action) else {
        let can = listed(card.operations.keys().map(|action| action.as_str()), 8);
        let finding = Diagnostic::error("unsupported-operation", model_at, format!("`{model}` cannot `{action}`"));
        found.push(finding.help(format!("it can {can}; {}", models_for(catalog, action))).related((*at).clone().at_key(), "asked for by this step"));
        return None;
    };
    let settings = Settings {
        aspect: merged.aspect,
        resolution: merged.resolution.as_deref().map(Arc::from),
        quality: merged.quality.as_deref().map(Arc::from),
        speed: merged.speed.as_deref().map(Arc::from),
        scale: if let StepSpec::Upscale(upscale) = asked.spec { upscale.scale } else { None },
        background: merged.background.as_deref().map(Arc::from),
        format: merged.format,
        seed: merged.seed,
    };
    let (settings, shaping) = fitting(asked, operation, settings, merged.fit.unwrap_or_default(), found)?;
    let paid = Paid { provider: Arc::clone(&catalog.provider), model: Arc::clone(&card.id), action, settings };
    Some(Settled { paid: Arc::new(paid), shaping, input: operation.input.clone() })
}

/// Returns what the provider of a step sells: the campaign's own, or the one that the step, its baseline or the defaults name.
fn seller<'a>(provider: Option<&str>, layers: &Layers<'_>, catalog: &'a Catalog, found: &mut Diagnostics) -> Option<&'a Catalog> {
    let Some(name) = provider else { return Some(catalog) };
    let known = catalog.called(name);
    if known.is_none() {
        let (at, _) = layers.origin("provider")?;
        let names: Vec<&str> = catalog.all().map(|one| &*one.provider).collect();
        let finding = Diagnostic::error("unknown-provider", at, format!("there is no provider `{name}` here"));
        found.push(finding.help(format!("there are {}", listed(names, 8))));
    }
    known
}

fn find_card<'a>(model: &str, at: &FieldPath, action: Action, catalog: &'a Catalog, found: &mut Diagnostics) -> Option<&'a ModelCard> {
    let card = catalog.card(model);
    if card.is_none() {
        let help = match did_you_mean(model, catalog.models()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => models_for(catalog, action),
        };
        found.push(Diagnostic::error("unknown-model", at.clone(), format!("`{}` has no model `{model}`", catalog.provider)).help(help));
    }
    card
}

fn models_for(catalog: &Catalog, action: Action) -> String {
    let able = catalog.cards.values().filter(|card| card.operation(action).is_some()).map(|card| &card.id);
    format!("models of `{}` that can: {}", catalog.provider, listed(able, 12))
}

fn check_life(card: &ModelCard, at: &FieldPath, today: Date, found: &mut Diagnostics) {
    let Some(shutdown) = card.shutdown else { return };
    let successor = card.successor.as_ref().map(|successor| format!("; its successor is `{successor}`")).unwrap_or_default();
    if card.is_shut_down(today) {
        let message = format!("`{}` was shut down on {shutdown}", card.id);
        found.push(Diagnostic::error("model-shut-down", at.clone(), message).help(format!("choose another model{successor}")));
    } else {
        let message = format!("`{}` will be shut down on {shutdown}", card.id);
        found.push(Diagnostic::warning("model-shuts-down", at.clone(), message).help(format!("finish before, or choose another model{successor}")));
    }
}

/// Settles the settings with the model's own, drops inherited ones that this operation does not take, and chooses the nearest shape
/// where the author lets it.
fn fitting(
    asked: &Asked<'_>,
    operation: &OperationCard,
    mut settings: Settings,
    fit: Fit,
    found: &mut Diagnostics,
) -> Option<(Settings, Option<Shaping>)> {
    let Asked { layers, references, .. } = asked;
    let inherited: Vec<&'static str> = operation
        .fit(&settings, 0, *references)
        .iter()
        .filter(|unfit| matches!(unfit, Unfit::NotTaken { .. }))
        .filter_map(Unfit::setting)
        .filter(|setting| layers.origin(setting).is_some_and(|(_, own)| !own))
        .collect();
    for setting in inherited {
        clear(&mut settings, setting);
    }
    let mut settled = operation.settle(&settings);
    let shaping = shaping(operation, &settled, *references, fit);
    if let Some(shaping) = &shaping {
        settled.aspect = Some(shaping.sent);
    }
    let mut sound = true;
    for unfit in operation.fit(&settled, 0, *references) {
        sound = false;
        found.push(misfit(asked, operation, &settled, &unfit));
    }
    sound.then_some((settled, shaping))
}

/// Returns which shape is asked for instead of one that the model lacks, if the author lets it and there is one.
fn shaping(operation: &OperationCard, settled: &Settings, references: usize, fit: Fit) -> Option<Shaping> {
    let lacks = fit != Fit::Refuse && operation.fit(settled, 0, references).iter().any(Unfit::is_of_shape);
    Some(Shaping { asked: settled.aspect?, sent: operation.nearest_aspect(settled)?, fit }).filter(|_| lacks)
}

/// Says what of a step's settings its model cannot do, where it is written and how to mend it.
fn misfit(asked: &Asked<'_>, operation: &OperationCard, settled: &Settings, unfit: &Unfit) -> Diagnostic {
    let Asked { action, at, layers, .. } = asked;
    let setting = unfit.setting();
    let place = match setting {
        Some("scale") => at.key("scale"),
        Some(setting) => layers.origin(setting).map_or_else(|| (*at).clone().at_key(), |(at, _)| at),
        None => at.key("images"),
    };
    let model = layers.merged().model.unwrap_or_default();
    let mut finding = Diagnostic::error(unfit.code(), place, format!("`{model}` cannot `{action}` so: {unfit}"));
    let nearest = operation.nearest_aspect(settled).filter(|_| unfit.is_of_shape());
    let way_out = nearest.zip(settled.aspect).map(|(sent, asked)| {
        let lost = 10_000 - Shaping { asked, sent, fit: Fit::Refuse }.kept();
        let lost = percent(u64::from(lost));
        format!("`fit: crop` asks for `{sent}` and cuts {lost} off, `fit: pad` adds plain edges instead")
    });
    match (unfit.help(), way_out) {
        (Some(help), Some(way_out)) => finding = finding.help(format!("{help}; {way_out}")),
        (Some(help), None) | (None, Some(help)) => finding = finding.help(help),
        (None, None) => {}
    }
    if setting.is_some_and(|setting| layers.origin(setting).is_some_and(|(_, own)| !own)) {
        finding = finding.related((*at).clone().at_key(), "for this step");
    }
    finding
}
