//! The proof of a ladder: between its rungs only the slot that it varies differs, in every shot.
//!
//! Prompts are compared as they are rendered, slot by slot. A text without a variable of the ladder cannot change with its rung, so most
//! campaigns are proved without rendering anything.

use std::collections::HashMap;
use std::sync::Arc;

use super::Job;
use super::mistakes::Mistakes;
use super::texts::{Scene, Source, Text};
use crate::campaign::{AxisSource, Campaign, PartText, Step, Template};
use crate::types::Diagnostic;

/// Stands for the rung's own text while the rest is compared.
const RUNG: &str = "\u{1a}";

/// Most letters of a text that are shown in a message.
const MOST_SHOWN: usize = 40;

/// Proves the ladder that a step climbs over these shots of it, or notes what else its rungs change.
pub(super) fn ladder(campaign: &Campaign, step: &Step, jobs: &[Job], mistakes: &mut Mistakes) {
    let Some(name) = step.spec.kind().ladder().filter(|_| step.inserted.is_none()) else { return };
    let is_climbed = |axis: &usize| campaign.axes[*axis].source == AxisSource::Ladder && *campaign.axes[*axis].name == *name;
    let Some(position) = step.axes.iter().position(is_climbed) else { return };
    let proof = Proof { campaign, step, position, axis: step.axes[position] };
    for part in &step.prompt.parts {
        let PartText::Own(template) = &part.template else { continue };
        if part.slot != "prompt" {
            proof.compare(template, part.slot, false, jobs, mistakes);
        } else if !(template.is_simple() && proof.only_places_the_rung(template)) {
            proof.compare(template, part.slot, true, jobs, mistakes);
        }
    }
    if let Some(keep) = &step.prompt.keep {
        proof.compare(keep, "keep", false, jobs, mistakes);
    }
}

struct Proof<'a> {
    campaign: &'a Campaign,
    step: &'a Step,
    /// The ladder among the step's axes.
    position: usize,
    /// The ladder among all axes.
    axis: usize,
}

impl Proof<'_> {
    fn name(&self) -> &str {
        &self.campaign.axes[self.axis].name
    }

    /// Returns whether a template without conditions uses the ladder only for the text of its rung; other variables are the same for all rungs.
    fn only_places_the_rung(&self, template: &Template) -> bool {
        template
            .lookups()
            .iter()
            .filter(|lookup| lookup.names[0] == self.name())
            .all(|lookup| lookup.names.get(1).is_none_or(|field| field == "text"))
    }

    /// Compares a text between the rungs of each shot; with `places_rung` the rung's own text does not count.
    fn compare(&self, template: &Template, slot: &str, places_rung: bool, jobs: &[Job], mistakes: &mut Mistakes) {
        let text = Text::new(self.campaign, self.step, &self.step.axes, Source::Template(template));
        if !text.uses().contains(&self.position) {
            return;
        }
        let scene = Scene { campaign: self.campaign, step: self.step, axes: &self.step.axes };
        let mut first_of: HashMap<Vec<u32>, (u32, String)> = HashMap::new();
        for job in jobs {
            let rung = job.cell[self.position];
            // What cannot be rendered is a mistake of its own, and said.
            let Ok(rendered) = scene.render(&Source::Template(template), &job.cell) else { continue };
            let rendered = if places_rung { self.without_rung(&scene, &rendered, &job.cell) } else { Some(rendered.to_string()) };
            let Some(rendered) = rendered else { continue };
            let mut others = job.cell.to_vec();
            others[self.position] = 0;
            match first_of.get(&others) {
                Some((first, known)) if *known != rendered => {
                    return mistakes.push(self.finding(template, slot, (*first, known), (rung, &rendered)));
                }
                Some(_) => {}
                None => {
                    first_of.insert(others, (rung, rendered));
                }
            }
        }
    }

    /// Returns a text with the rung's own words, and its name, taken out; nothing when neither stands in it as it was written, so that
    /// nothing can be said.
    fn without_rung(&self, scene: &Scene<'_>, rendered: &str, cell: &[u32]) -> Option<String> {
        let words = scene.render(&Source::Rung(self.axis), cell).ok()?;
        let key: &Arc<str> = &self.campaign.axes[self.axis].values[cell[self.position] as usize].key;
        let (lower, words) = (rendered.to_lowercase(), words.trim().to_lowercase());
        let blanked = if words.is_empty() { lower.clone() } else { lower.replace(&words, RUNG) };
        if blanked != lower {
            return Some(blanked);
        }
        let blanked = lower.replace(&key.to_lowercase(), RUNG);
        if blanked == lower { None } else { Some(blanked) }
    }

    fn finding(&self, template: &Template, slot: &str, one: (u32, &str), other: (u32, &str)) -> Diagnostic {
        let name = self.name();
        let key = |rung: u32| &self.campaign.axes[self.axis].values[rung as usize].key;
        let (before, after) = difference(one.1, other.1);
        let what = match slot {
            "prompt" => "more of the prompt than its own words".to_owned(),
            "keep" => "what is to be kept, too".to_owned(),
            slot => format!("slot `{slot}`, too"),
        };
        let message = format!("rung `{}` of ladder `{name}` changes {what}", key(other.0));
        let at = match template.lookups().iter().find(|lookup| lookup.names[0] == name) {
            Some(lookup) => template.at().clone().inside(lookup.range.clone()),
            None => template.at().clone(),
        };
        let ladder = self.campaign.axes[self.axis].at.key("vary");
        Diagnostic::error("rung-changes-two-things", at, message)
            .label(format!("`{before}` for `{}`, `{after}` for `{}`", key(one.0), key(other.0)))
            .related(ladder, "the only slot that a rung may change")
            .help(format!("say the same for every rung here; what changes together is one rung's text, or an axis under `over` instead of `{name}`"))
    }
}

/// Returns the words in which two texts differ.
fn difference(one: &str, other: &str) -> (String, String) {
    let (left, right): (Vec<&str>, Vec<&str>) = (one.split_whitespace().collect(), other.split_whitespace().collect());
    let front = left.iter().zip(&right).take_while(|(left, right)| left == right).count();
    let back = left[front..].iter().rev().zip(right[front..].iter().rev()).take_while(|(left, right)| left == right).count();
    let shown = |words: &[&str]| {
        let text = words[front..words.len() - back].join(" ").replace(RUNG, "…");
        if text.chars().count() > MOST_SHOWN { format!("{}…", text.chars().take(MOST_SHOWN).collect::<String>().trim_end()) } else { text }
    };
    match (shown(&left), shown(&right)) {
        (left, right) if left.is_empty() => ("nothing".to_owned(), right),
        (left, right) if right.is_empty() => (left, "nothing".to_owned()),
        both => both,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_words_that_differ_are_shown() {
        assert_eq!(difference("soft light from above", "hard light from above"), ("soft".to_owned(), "hard".to_owned()));
        assert_eq!(difference("a cup", "a red cup"), ("nothing".to_owned(), "red".to_owned()));
        let (shown, _) = difference(&"word ".repeat(40), "x");
        assert_eq!(shown.chars().count(), 40);
    }
}
