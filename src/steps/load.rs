//! `load`: a file of the author's; local and free.

use super::{StepInput, StepKind, StepTemplate, forward_common, step_spec};
use crate::types::Action;

step_spec! {
    any,
    /// Takes picture files of your own into the campaign, for example packshots, masks and logos.
    Load {
        /// Path of the file, relative to the campaign file.
        #[schemars(example = &"{{ sku.packshot }}")]
        file: String,
        /// Axes to fan out over.
        #[serde(default)]
        over: Vec<String>,
    }
}

impl StepKind for Load {
    fn name(&self) -> &'static str {
        "load"
    }

    fn action(&self) -> Option<Action> {
        None
    }

    fn inputs(&self) -> Vec<StepInput<'_>> {
        Vec::new()
    }

    fn templates(&self) -> Vec<StepTemplate<'_>> {
        vec![StepTemplate { text: &self.file, at: vec!["file".to_owned()] }]
    }

    fn over(&self) -> &[String] {
        &self.over
    }

    forward_common!();
}
