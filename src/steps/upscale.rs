//! `upscale`: the same picture, larger.

use super::{StepInput, StepKind, StepTemplate, forward_common, step_spec};
use crate::types::{Action, InputRole};

step_spec! {
    paid,
    /// Makes a picture larger without changing it: the cheap way from an approved draft to a final.
    Upscale {
        /// Step whose pictures are taken; its axes are inherited.
        #[schemars(example = &"hero")]
        image: String,
        /// How many times larger each side becomes.
        #[schemars(range(min = 1, max = 16), example = 2)]
        scale: Option<u32>,
        /// Further axes to fan out over.
        #[serde(default)]
        over: Vec<String>,
    }
}

impl StepKind for Upscale {
    fn name(&self) -> &'static str {
        "upscale"
    }

    fn action(&self) -> Option<Action> {
        Some(Action::Upscale)
    }

    fn inputs(&self) -> Vec<StepInput<'_>> {
        vec![StepInput { from: &self.image, role: InputRole::Image, at: vec!["image".to_owned()] }]
    }

    fn templates(&self) -> Vec<StepTemplate<'_>> {
        Vec::new()
    }

    fn over(&self) -> &[String] {
        &self.over
    }

    forward_common!(paid);
}
