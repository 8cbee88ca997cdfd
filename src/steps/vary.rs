//! `vary`: a sibling of a picture.

use super::{StepInput, StepKind, StepTemplate, forward_common, step_spec};
use crate::types::{Action, InputRole};

step_spec! {
    paid,
    /// Makes a sibling of a picture: the same subject, another try.
    Vary {
        /// Step whose pictures are taken; its axes are inherited.
        #[schemars(example = &"hero")]
        image: String,
        /// What may differ, for models that take a prompt here.
        prompt: Option<String>,
        /// Further axes to fan out over.
        #[serde(default)]
        over: Vec<String>,
    }
}

impl StepKind for Vary {
    fn name(&self) -> &'static str {
        "vary"
    }

    fn action(&self) -> Option<Action> {
        Some(Action::Vary)
    }

    fn inputs(&self) -> Vec<StepInput<'_>> {
        vec![StepInput { from: &self.image, role: InputRole::Image, at: vec!["image".to_owned()] }]
    }

    fn templates(&self) -> Vec<StepTemplate<'_>> {
        self.prompt.iter().map(|text| StepTemplate { text, at: vec!["prompt".to_owned()] }).collect()
    }

    fn over(&self) -> &[String] {
        &self.over
    }

    fn prompt(&self) -> Option<&str> {
        self.prompt.as_deref()
    }

    forward_common!(paid);
}
