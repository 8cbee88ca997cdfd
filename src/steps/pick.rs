//! `pick`: a person chooses; waits until the picks file says what. Local and free.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{OneOrMany, StepInput, StepKind, StepTemplate, forward_common};
use crate::types::{Action, InputRole};

/// Waits until somebody has chosen among the pictures of a step, one for each cell that is left; `callsheet review` shows them.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pick {
    /// Step whose pictures are chosen from.
    #[schemars(example = &"surface")]
    pub from: String,
    /// Axes whose values are chosen among; what was chosen no longer has them.
    #[schemars(example = ["surface"], length(min = 1))]
    pub across: Vec<String>,
    /// How many are chosen for each cell; always 1.
    #[schemars(range(min = 1, max = 1))]
    pub choose: Option<u32>,
    /// Keeps only the cells for which this expression is true.
    #[schemars(example = &"angle.key == 'front'")]
    pub when: Option<String>,
    /// Drops the cells that carry all values of one of these lines.
    #[serde(default)]
    pub exclude: Vec<IndexMap<String, OneOrMany>>,
    /// Where the chosen pictures stand below the output folder; variables are the axes' keys, `step`, `take`, `ext`.
    #[schemars(example = &"{{ sku }}/best.{{ ext }}")]
    pub path: Option<String>,
}

impl StepKind for Pick {
    fn name(&self) -> &'static str {
        "pick"
    }

    fn action(&self) -> Option<Action> {
        None
    }

    fn inputs(&self) -> Vec<StepInput<'_>> {
        vec![StepInput { from: &self.from, role: InputRole::Candidate(0), at: vec!["from".to_owned()] }]
    }

    fn templates(&self) -> Vec<StepTemplate<'_>> {
        Vec::new()
    }

    fn over(&self) -> &[String] {
        &[]
    }

    fn across(&self) -> &[String] {
        &self.across
    }

    forward_common!(pick);
}
