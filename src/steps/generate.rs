//! `generate`: text to image.

use super::{StepInput, StepKind, StepTemplate, forward_common, step_spec};
use crate::types::Action;

step_spec! {
    paid,
    /// Makes pictures from text: from a baseline's slots, or from a prompt of its own.
    Generate {
        /// Baseline whose slots make the prompt.
        #[schemars(example = &"pdp")]
        baseline: Option<String>,
        /// Prompt, instead of a baseline's slots. Literal braces and JSON are fine; only `{{ }}` and `{% %}` are template.
        #[schemars(example = &"A {{ sku.title }} on a seamless off-white sweep")]
        prompt: Option<String>,
        /// Axes to fan out over: one shot for each combination.
        #[serde(default)]
        #[schemars(example = ["sku", "angle"])]
        over: Vec<String>,
        /// Ladder to climb: one shot a rung, each changing one slot of the baseline.
        #[schemars(example = &"surface")]
        ladder: Option<String>,
    }
}

impl StepKind for Generate {
    fn name(&self) -> &'static str {
        "generate"
    }

    fn action(&self) -> Option<Action> {
        Some(Action::Generate)
    }

    fn inputs(&self) -> Vec<StepInput<'_>> {
        Vec::new()
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
