//! Policy lines of a campaign: from which figure on a plan is worth a word, or a no.

use schemars::JsonSchema;
use serde::Deserialize;

use super::model::MoneySpec;

/// One line: what to do, and from which limit on.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PolicySpec {
    /// Is said, and changes nothing.
    pub warn: Option<PolicyLimitSpec>,
    /// Ends `plan` with exit code 4, and keeps `run` from sending anything.
    pub deny: Option<PolicyLimitSpec>,
}

impl JsonSchema for PolicySpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Policy".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut limit = || generator.subschema_for::<PolicyLimitSpec>().to_value();
        let described = |mut schema: serde_json::Value, text: &str| {
            if let Some(entries) = schema.as_object_mut() {
                entries.insert("description".to_owned(), text.into());
            }
            schema
        };
        let warn = described(limit(), "Is said, and changes nothing.");
        let deny = described(limit(), "Ends `plan` with exit code 4, and keeps `run` from sending anything.");
        schemars::json_schema!({
            "type": "object",
            "description": "A policy line: a map with one key, `warn` or `deny`.",
            "properties": { "warn": warn, "deny": deny },
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
            "x-one-key": "policy line",
            "examples": [{ "deny": { "total": 1500, "because": "finance signs above this" } }],
        })
    }
}

/// The limit of a policy line: one of `total`, `delta` and `percent`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "PolicyLimit")]
pub struct PolicyLimitSpec {
    /// More than this for the whole plan, what is made already included: credits of the book, or "USD 12.50".
    #[schemars(example = &1500)]
    pub total: Option<MoneySpec>,
    /// More than this on top of the plan that `plan --base` compares with.
    #[schemars(example = &200)]
    pub delta: Option<MoneySpec>,
    /// More than this share on top of the plan that `plan --base` compares with.
    pub percent: Option<GrowthSpec>,
    /// Which figure `total` is about; by default the floor, every shot once.
    pub of: Option<FigureSpec>,
    /// Why, in a sentence for whoever meets the line.
    #[schemars(example = &"finance signs above this")]
    pub because: Option<String>,
}

/// A figure of an estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Figure")]
pub enum FigureSpec {
    /// Every shot once.
    Floor,
    /// The floor times the iteration factor.
    Expected,
    /// Every shot at all its tries.
    Ceiling,
}

/// A share to grow by, written `20%` or `20`; kept in hundredths of a per cent. It may be more than a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrowthSpec(pub u32);
