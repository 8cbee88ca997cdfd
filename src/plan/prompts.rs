//! What a step's shots say to the model: slots joined to a prompt, and the first words of it for people.
//!
//! In: a step's parts and what they are rendered with. Out: prompt and subject of a shot, made once for all shots that share them.
//! Never: a text of the author's own changed; a prompt that is empty, or longer than the model takes.

use std::collections::HashMap;
use std::sync::Arc;

use super::mistakes::Mistakes;
use super::texts::{Known, Scene, Source, Text};
use crate::campaign::{Campaign, Step};
use crate::catalog::Unfit;
use crate::types::{Action, Diagnostic};

/// Longest subject that is kept for people, in characters.
const SUBJECT: usize = 80;

/// The prompts of one step.
pub(super) struct Prompts<'a> {
    step: &'a Step,
    /// Most characters that the model takes.
    limit: Option<usize>,
    /// Slot and text of each part of the prompt.
    parts: Vec<(&'static str, Text<'a>)>,
    keep: Option<Text<'a>>,
    /// Prompts and subjects so far, when several shots share one.
    known: Option<Known<(Arc<str>, Arc<str>)>>,
    /// Subjects by the address of the shared text that they were taken from.
    subjects: HashMap<usize, Arc<str>>,
}

impl<'a> Prompts<'a> {
    /// Prepares the prompts of a step, for a model that takes up to `limit` characters.
    pub(super) fn new(campaign: &'a Campaign, step: &'a Step, limit: Option<usize>) -> Self {
        let text = |source: Source<'a>| Text::new(campaign, step, &step.axes, source);
        let parts: Vec<(&'static str, Text<'a>)> = step.prompt.parts.iter().map(|part| (part.slot, text(Source::from(&part.template)))).collect();
        let keep = step.prompt.keep.as_ref().filter(|_| !step.prompt.places_keep).map(|keep| text(Source::Template(keep)));
        let mut uses: Vec<usize> = parts.iter().map(|(_, text)| text).chain(&keep).flat_map(|text| text.uses().to_vec()).collect();
        uses.sort_unstable();
        uses.dedup();
        let known = Known::new(campaign, &step.axes, &uses);
        Self { step, limit, parts, keep, known, subjects: HashMap::new() }
    }

    /// Returns prompt and subject of the shot at these coordinates; `None` after noting why there is none.
    pub(super) fn at(&mut self, scene: &Scene<'a>, coordinates: &[u32], mistakes: &mut Mistakes) -> Option<(Arc<str>, Arc<str>)> {
        if self.parts.is_empty() {
            return Some((Arc::from(""), Arc::from("")));
        }
        if let Some((prompt, subject)) = self.known.as_mut().and_then(|prompts| prompts.place(coordinates).as_ref()) {
            return Some((Arc::clone(prompt), Arc::clone(subject)));
        }
        let mut rendered: Vec<(&'static str, Arc<str>)> = Vec::with_capacity(self.parts.len());
        for ((slot, text), part) in self.parts.iter_mut().zip(&self.step.prompt.parts) {
            match text.at(scene, coordinates) {
                Ok(text) => rendered.push((slot, text)),
                Err(problem) => {
                    let at = match &part.template {
                        crate::campaign::PartText::Own(template) => template.at().clone(),
                        crate::campaign::PartText::Rung(axis) => scene.campaign.axes[*axis].at.key("rungs"),
                    };
                    mistakes.template(scene, coordinates, &at, &problem);
                    return None;
                }
            }
        }
        let keep = match &mut self.keep {
            Some(text) => match text.at(scene, coordinates) {
                Ok(keep) => Some(keep),
                Err(problem) => {
                    let at = self.step.prompt.keep.as_ref().map_or_else(|| self.step.at.clone(), |keep| keep.at().clone());
                    mistakes.template(scene, coordinates, &at, &problem);
                    return None;
                }
            },
            None => None,
        };
        let prompt = compose(&rendered, keep.as_deref());
        self.check_prompt(scene, coordinates, &prompt, mistakes);
        let subject = self.subject(&rendered);
        if let Some(prompts) = &mut self.known {
            *prompts.place(coordinates) = Some((Arc::clone(&prompt), Arc::clone(&subject)));
        }
        Some((prompt, subject))
    }

    /// Returns the first words of what the picture shows; nothing for edits, which show their input's subject.
    fn subject(&mut self, rendered: &[(&'static str, Arc<str>)]) -> Arc<str> {
        let generates = self.step.paid.as_ref().is_some_and(|paid| paid.action == Action::Generate);
        let found = rendered.iter().zip(&self.parts).find(|((slot, _), _)| generates && matches!(*slot, "subject" | "prompt"));
        let Some(((_, text), (_, part))) = found else { return Arc::from("") };
        if !part.is_shared() {
            return first_words(text);
        }
        // The kept text lives as long as this step, so its address names it.
        Arc::clone(self.subjects.entry(text.as_ptr() as usize).or_insert_with(|| first_words(text)))
    }

    fn check_prompt(&self, scene: &Scene<'_>, coordinates: &[u32], prompt: &str, mistakes: &mut Mistakes) {
        let Some(paid) = &self.step.paid else { return };
        let at = self.step.prompt.parts.first().map_or_else(
            || self.step.at.clone(),
            |part| match &part.template {
                crate::campaign::PartText::Own(template) => template.at().clone(),
                crate::campaign::PartText::Rung(_) => self.step.at.clone().at_key(),
            },
        );
        if prompt.trim().trim_end_matches('.').is_empty() {
            let address = mistakes.address(scene, coordinates);
            mistakes
                .push(Diagnostic::error("empty-prompt", at, "the prompt is empty").label(format!("for `{address}`")).help("check the row's columns"));
            return;
        }
        let Some(limit) = self.limit else { return };
        // Bytes are never fewer than characters: most prompts need no counting.
        if prompt.len() <= limit {
            return;
        }
        let chars = prompt.chars().count();
        if chars > limit {
            let unfit = Unfit::PromptTooLong { chars, limit };
            let address = mistakes.address(scene, coordinates);
            let finding = Diagnostic::error(unfit.code(), at, format!("`{}`: {unfit}", paid.model)).label(format!("for `{address}`"));
            mistakes.push(finding.help(unfit.help().unwrap_or_default()));
        }
    }
}

/// Joins slots to a sentence that ends with a full stop, and adds the invariants; a text of the author's own stays as it is.
fn compose(parts: &[(&'static str, Arc<str>)], keep: Option<&str>) -> Arc<str> {
    if let ([("prompt", own)], None) = (parts, keep) {
        return Arc::clone(own);
    }
    let mut prompt = String::with_capacity(256);
    let own = matches!(parts, [("prompt", _)]);
    for (_, text) in parts {
        let text = text.trim();
        let text = if own { text } else { text.trim_end_matches(['.', ',']) };
        if text.is_empty() {
            continue;
        }
        if !prompt.is_empty() {
            prompt.push_str(", ");
        }
        prompt.push_str(text);
    }
    if !prompt.ends_with(['.', '!', '?']) {
        prompt.push('.');
    }
    if let Some(keep) = keep {
        prompt.push(' ');
        prompt.push_str(keep);
    }
    Arc::from(prompt)
}

/// Returns the first words of a text, on one line.
fn first_words(text: &str) -> Arc<str> {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Arc::from(one_line.chars().take(SUBJECT).collect::<String>())
}
