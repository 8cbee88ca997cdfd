//! `edit`: image and text to image; with a mask it is an inpaint.

use super::{StepInput, StepKind, StepTemplate, forward_common, step_spec};
use crate::types::{Action, InputRole};

step_spec! {
    paid,
    /// Changes one thing about a picture and keeps the rest.
    Edit {
        /// Step whose pictures are edited; its axes are inherited.
        #[schemars(example = &"hero")]
        image: String,
        /// What to change. `{{ keep }}` places the baseline's invariants; without it they are added at the end.
        #[schemars(example = &"Replace only the background: the product now stands {{ surface }}. {{ keep }}")]
        prompt: Option<String>,
        /// Ladder to climb: one shot a rung. Without a prompt of its own, the rung is the prompt.
        #[schemars(example = &"surface")]
        ladder: Option<String>,
        /// Baseline whose `keep` and settings hold; by default that of the ladder, else of the picture's own step.
        baseline: Option<String>,
        /// Step whose pictures say where to paint (transparent = change here); makes this an inpaint.
        mask: Option<String>,
        /// Steps with further reference pictures.
        #[serde(default)]
        images: Vec<String>,
        /// Further axes to fan out over.
        #[serde(default)]
        over: Vec<String>,
    }
}

impl StepKind for Edit {
    fn name(&self) -> &'static str {
        "edit"
    }

    fn action(&self) -> Option<Action> {
        Some(if self.mask.is_some() { Action::Inpaint } else { Action::Edit })
    }

    fn inputs(&self) -> Vec<StepInput<'_>> {
        let mut inputs = vec![StepInput { from: &self.image, role: InputRole::Image, at: vec!["image".to_owned()] }];
        inputs.extend(self.mask.iter().map(|from| StepInput { from, role: InputRole::Mask, at: vec!["mask".to_owned()] }));
        let references = (0u32..).zip(&self.images);
        inputs.extend(references.map(|(index, from)| StepInput {
            from,
            role: InputRole::Reference(index),
            at: vec!["images".to_owned(), index.to_string()],
        }));
        inputs
    }

    fn templates(&self) -> Vec<StepTemplate<'_>> {
        self.prompt.iter().map(|text| StepTemplate { text, at: vec!["prompt".to_owned()] }).collect()
    }

    fn over(&self) -> &[String] {
        &self.over
    }

    fn baseline(&self) -> Option<&str> {
        self.baseline.as_deref()
    }

    fn ladder(&self) -> Option<&str> {
        self.ladder.as_deref()
    }

    fn prompt(&self) -> Option<&str> {
        self.prompt.as_deref()
    }

    forward_common!(paid);
}
