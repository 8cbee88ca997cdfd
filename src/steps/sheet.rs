//! `sheet`: a contact sheet; fan-in across named axes; local and free.

use super::{StepInput, StepKind, StepTemplate, forward_common, step_spec};
use crate::types::{Action, InputRole, PixelSize};

step_spec! {
    any,
    /// Arranges the pictures of a step on contact sheets, one sheet for each cell that is left.
    Sheet {
        /// Step whose pictures are arranged.
        #[schemars(example = &"surface")]
        image: String,
        /// Axes that are gathered on one sheet; the sheet no longer has them.
        #[schemars(example = ["surface"], length(min = 1))]
        across: Vec<String>,
        /// Pictures in a row; by default as square as possible.
        #[schemars(range(min = 1, max = 50))]
        columns: Option<u32>,
        /// Size of one picture on the sheet, by default `320x320`.
        cell: Option<PixelSize>,
        /// Caption under each picture, by default the values of the gathered axes.
        #[schemars(example = &"{{ sku.title }} {{ surface.key }}")]
        label: Option<String>,
    }
}

impl StepKind for Sheet {
    fn name(&self) -> &'static str {
        "sheet"
    }

    fn action(&self) -> Option<Action> {
        None
    }

    fn inputs(&self) -> Vec<StepInput<'_>> {
        vec![StepInput { from: &self.image, role: InputRole::Cell(0), at: vec!["image".to_owned()] }]
    }

    fn templates(&self) -> Vec<StepTemplate<'_>> {
        // The label is rendered for each gathered picture, with that picture's axes; the campaign treats it apart.
        Vec::new()
    }

    fn over(&self) -> &[String] {
        &[]
    }

    fn across(&self) -> &[String] {
        &self.across
    }

    forward_common!();
}
