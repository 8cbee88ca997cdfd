//! Baselines: their slots and invariants compiled, and how a step's prompt is put together from them.

use std::sync::Arc;

use indexmap::IndexMap;

use super::axes::template_diagnostic;
use super::template::Template;
use super::{PartText, Prompt, PromptPart};
use crate::spec::{BaselineSpec, SlotsSpec};
use crate::steps::SettingsSpec;
use crate::types::{Diagnostics, FieldPath};

/// A baseline, compiled.
#[derive(Debug, Clone)]
pub struct Baseline {
    /// Slots that have a text, in the order of the prompt.
    pub slots: Vec<(&'static str, Template)>,
    /// The invariants as one text; `None` when there are none.
    pub keep: Option<Template>,
    /// Its settings.
    pub settings: SettingsSpec,
}

/// Compiles all baselines; those with a mistake are left out after it is noted.
pub fn baselines(specs: &IndexMap<String, BaselineSpec>, found: &mut Diagnostics) -> IndexMap<Arc<str>, Baseline> {
    let mut compiled = IndexMap::new();
    for (name, spec) in specs {
        let at = FieldPath::campaign().key("baselines").key(name);
        if let Some(baseline) = baseline(spec, &at, found) {
            compiled.insert(Arc::from(name.as_str()), baseline);
        }
    }
    compiled
}

fn baseline(spec: &BaselineSpec, at: &FieldPath, found: &mut Diagnostics) -> Option<Baseline> {
    let mut sound = true;
    let mut compile = |text: &str, at: FieldPath| match Template::compile(text, at.clone()) {
        Ok(template) => Some(template),
        Err(problem) => {
            found.push(template_diagnostic(&problem, &at, None));
            sound = false;
            None
        }
    };
    let mut slots = Vec::new();
    for (slot, text) in spec.prompt.in_order() {
        let Some(text) = text else { continue };
        slots.extend(compile(text.trim_end(), at.key("prompt").key(slot)).map(|template| (slot, template)));
    }
    for (index, text) in spec.keep.iter().enumerate() {
        compile(text, at.key("keep").index(index));
    }
    let keep = if spec.keep.is_empty() { None } else { compile(&keep_text(&spec.keep), at.key("keep")) };
    sound.then(|| Baseline { slots, keep, settings: spec.settings() })
}

/// Says the invariants in one sentence that every edit understands.
fn keep_text(keep: &[String]) -> String {
    let list: Vec<&str> = keep.iter().map(|text| text.trim().trim_end_matches('.')).collect();
    format!("Keep: {}.", list.join("; "))
}

/// Puts together the prompt of a step.
///
/// `own` is the step's own text, `climbs` the ladder's axis with the slot that its rungs fill.
/// With an own text the slots do not appear, only the invariants; a rung then comes in by its name.
pub fn prompt(baseline: Option<&Baseline>, own: Option<Template>, climbs: Option<(usize, &str)>) -> Prompt {
    let keep = baseline.and_then(|baseline| baseline.keep.clone());
    let parts: Vec<PromptPart> = match (own, baseline) {
        (Some(template), _) => vec![PromptPart { slot: "prompt", template: PartText::Own(template) }],
        (None, Some(baseline)) => slots(baseline, climbs),
        (None, None) => climbs.map(|(axis, _)| PromptPart { slot: "prompt", template: PartText::Rung(axis) }).into_iter().collect(),
    };
    let places_keep = parts.iter().any(|part| matches!(&part.template, PartText::Own(template) if template.roots().contains("keep")));
    Prompt { parts, keep, places_keep }
}

/// Returns the prompt of an edit that has only a ladder: the rung says what changes.
pub fn rung_prompt(baseline: Option<&Baseline>, axis: usize) -> Prompt {
    let parts = vec![PromptPart { slot: "prompt", template: PartText::Rung(axis) }];
    Prompt { parts, keep: baseline.and_then(|baseline| baseline.keep.clone()), places_keep: false }
}

fn slots(baseline: &Baseline, climbs: Option<(usize, &str)>) -> Vec<PromptPart> {
    let mut parts = Vec::new();
    for slot in SlotsSpec::NAMES {
        let own = baseline.slots.iter().find(|(name, _)| *name == slot);
        match (climbs, own) {
            (Some((axis, varied)), _) if varied == slot => parts.push(PromptPart { slot, template: PartText::Rung(axis) }),
            (_, Some((_, template))) => parts.push(PromptPart { slot, template: PartText::Own(template.clone()) }),
            (_, None) => {}
        }
    }
    parts
}
