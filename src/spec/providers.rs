//! A campaign's own account at a provider, and which providers a campaign names where.
//!
//! In: the `providers` part of a campaign, and its `provider` keys. Out: what is written there, each with its place.
//! Never: a key, only the name of the variable that holds it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::model::{CampaignSpec, MoneySpec};
use crate::types::FieldPath;

/// What differs from the provider's manifest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Provider")]
pub struct ProviderSpec {
    /// Where all that is meant for it goes: a gateway, a compatible server of your own.
    #[schemars(example = &"http://127.0.0.1:9000")]
    pub base_url: Option<String>,
    /// The environment variable that holds the key.
    #[schemars(regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"), extend("patternErrorMessage" = "the name of an environment variable"), example = &"OPENAI_KEY_SHOP")]
    pub key_env: Option<String>,
    /// Price book for what is bought there, by name or path; by default the provider's own.
    pub prices: Option<String>,
    /// The windows of your tier, instead of the manifest's; all hold at once.
    #[schemars(length(min = 1))]
    pub windows: Option<Vec<WindowSpec>>,
    /// Most tasks in flight on your account.
    #[schemars(range(min = 1, max = 100000))]
    pub places: Option<u32>,
    /// The most that the campaign may ever cost there, over all its runs, in credits of its book or "USD 12.50"; besides `budget.cap`.
    pub cap: Option<MoneySpec>,
}

/// At most `count` submits in any `span`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Window")]
pub struct WindowSpec {
    /// How many.
    #[schemars(range(min = 1, max = 1000000))]
    pub count: u32,
    /// In how long.
    #[schemars(regex(pattern = "^[0-9]+(ms|s|m|h)$"), extend("patternErrorMessage" = "a span such as `10s` or `1m`"), example = &"1m")]
    pub span: String,
}

impl CampaignSpec {
    /// Returns every provider that is named, with the place: the campaign's own first, then those of single parts.
    pub fn named_providers(&self) -> Vec<(String, FieldPath)> {
        let root = FieldPath::campaign();
        let mut named: Vec<(String, FieldPath)> = Vec::new();
        let mut say = |name: Option<&String>, at: FieldPath| {
            if let Some(name) = name {
                named.push((name.clone(), at));
            }
        };
        say(self.provider.as_ref(), root.key("provider"));
        say(self.defaults.provider.as_ref(), root.key("defaults").key("provider"));
        for (name, profile) in &self.profiles {
            say(profile.defaults.provider.as_ref(), root.key("profiles").key(name).key("defaults").key("provider"));
        }
        for (name, baseline) in &self.baselines {
            say(baseline.provider.as_ref(), root.key("baselines").key(name).key("provider"));
        }
        for (name, step) in &self.steps {
            let settings = step.kind().settings();
            say(settings.provider.as_ref(), root.key("steps").key(name).key(step.kind().name()).key("provider"));
        }
        named
    }

    /// Has the campaign's `provider` make everything: what single parts say of it is forgotten.
    pub fn forget_providers(&mut self) {
        self.defaults.provider = None;
        self.profiles.values_mut().for_each(|profile| profile.defaults.provider = None);
        self.baselines.values_mut().for_each(|baseline| baseline.provider = None);
        self.steps.values_mut().for_each(|step| step.forget_provider());
    }
}
