//! `lint:` of a campaign: which rules about prompts it does not want to hear of.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::types::Rule;

/// Which lint rules a campaign allows to be broken.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LintSpec {
    /// Rules that are not told for this campaign; a comment `# callsheet: allow(rule)` on or above a line does it for that line.
    #[serde(default)]
    #[schemars(example = ["negation"])]
    pub allow: Vec<Rule>,
}
