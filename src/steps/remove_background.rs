//! `remove-background`: the same picture with a transparent background.

use super::{StepInput, StepKind, StepTemplate, forward_common, step_spec};
use crate::types::{Action, InputRole};

step_spec! {
    paid,
    /// Cuts the subject out: the result has a transparent background.
    RemoveBackground {
        /// Step whose pictures are taken; its axes are inherited.
        #[schemars(example = &"hero")]
        image: String,
        /// Further axes to fan out over.
        #[serde(default)]
        over: Vec<String>,
    }
}

impl StepKind for RemoveBackground {
    fn name(&self) -> &'static str {
        "remove-background"
    }

    fn action(&self) -> Option<Action> {
        Some(Action::RemoveBackground)
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
