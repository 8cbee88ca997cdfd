//! What the author wrote, one field per key; no meaning yet.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::lint::LintSpec;
use super::policy::PolicySpec;
use super::providers::ProviderSpec;
use crate::steps::{SettingsSpec, StepSpec};
use crate::types::Micros;

/// A campaign of image generation: baselines, ladders and steps over rows of products.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "callsheet campaign")]
pub struct CampaignSpec {
    /// Version of the language; always 1.
    #[schemars(range(min = 1, max = 1))]
    pub callsheet: u32,
    /// Name of the campaign: names its output folder and its part of the ledger.
    #[schemars(
        regex(pattern = "^[a-z0-9][a-z0-9._-]*$"),
        extend("patternErrorMessage" = "a name of lower-case letters, digits, `.`, `_` and `-`"),
        example = &"spring-drop"
    )]
    pub campaign: String,
    /// What it is for, in a sentence.
    pub description: Option<String>,
    /// Who makes the pictures: a built-in manifest by name, or a path to your own. Without it the campaign can be planned and rehearsed, not run.
    #[schemars(example = &"kie")]
    pub provider: Option<String>,
    /// Price book, by name or path; by default the provider's own.
    #[schemars(example = &"gptimage2-flat")]
    pub prices: Option<String>,
    /// Your account at a provider, where it differs from the built-in manifest: another address, key, book or tier, a cap of its own.
    #[serde(default)]
    #[schemars(example = serde_json::json!({ "openai": { "key-env": "OPENAI_KEY_SHOP", "windows": [{ "count": 50, "span": "1m" }] } }))]
    pub providers: IndexMap<String, ProviderSpec>,
    /// Model and settings for every step that does not say otherwise.
    #[serde(default)]
    pub defaults: SettingsSpec,
    /// Words to use in templates as `{{ vars.name }}`.
    #[serde(default)]
    pub vars: IndexMap<String, serde_json::Value>,
    /// Named lists of values that steps fan out over.
    #[serde(default)]
    pub axes: IndexMap<String, AxisSpec>,
    /// Locked prompts and their settings, one per recurring kind of picture.
    #[serde(default)]
    pub baselines: IndexMap<String, BaselineSpec>,
    /// Lists of changes to exactly one slot of a baseline.
    #[serde(default)]
    pub ladders: IndexMap<String, LadderSpec>,
    /// What is made, from what.
    #[schemars(extend("minProperties" = 1), example = serde_json::json!({ "hero": { "generate": { "baseline": "pdp" } } }))]
    pub steps: IndexMap<String, StepSpec>,
    /// What it may cost.
    #[serde(default)]
    pub budget: BudgetSpec,
    /// Where files go.
    #[serde(default)]
    pub output: OutputSpec,
    /// Named smaller versions of the campaign, for `--profile`.
    #[serde(default)]
    pub profiles: IndexMap<String, ProfileSpec>,
    /// How it is run.
    #[serde(default)]
    pub run: RunSpec,
    /// Which rules about prompts it allows to be broken.
    #[serde(default)]
    pub lint: LintSpec,
}

/// Where an axis' values come from.
#[derive(Debug, Clone, PartialEq)]
pub enum AxisSpec {
    /// Rows of a file.
    File(FileAxisSpec),
    /// A map: name of the value to its fields, or to one text.
    Map(IndexMap<String, serde_json::Value>),
    /// A list of texts, each its own name.
    List(Vec<String>),
}

/// Rows of a table; each column is `{{ axis.column }}`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FileAxisSpec {
    /// Path of a comma-separated file, relative to the campaign file.
    #[schemars(example = &"data/skus.csv")]
    pub csv: Option<String>,
    /// Path of a tab-separated file.
    pub tsv: Option<String>,
    /// Path of a file with one JSON object a line.
    pub jsonl: Option<String>,
    /// Path of a YAML file with a list of maps.
    pub yaml: Option<String>,
    /// Column whose text names the row; unique and never empty.
    #[schemars(example = &"sku")]
    pub key: String,
    /// Keeps only the rows for which this expression over the columns is true; `row["Variant SKU"]` reaches any column name.
    #[serde(rename = "where")]
    #[schemars(example = &"status == 'ready'")]
    pub filter: Option<String>,
}

/// A locked prompt: slots in the order models weigh them, what to keep, settings.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BaselineSpec {
    /// The slots of the prompt.
    pub prompt: SlotsSpec,
    /// Invariants: they stand in every prompt made from this baseline, edits included.
    #[serde(default)]
    #[schemars(example = ["identical shape, proportions, label and colour"])]
    pub keep: Vec<String>,
    /// Model, by its name in the provider's catalog.
    pub model: Option<String>,
    /// Who makes its pictures, where it is not the campaign's `provider`.
    #[schemars(example = &"openai")]
    pub provider: Option<String>,
    /// Shape of the picture.
    #[schemars(example = &"4:5")]
    pub aspect: Option<crate::types::Ratio>,
    /// When the model lacks the aspect: `pad`, `crop` or `refuse` (the default), as in `defaults`.
    pub fit: Option<crate::types::Fit>,
    /// Size class in the model's own words.
    #[schemars(example = &"1K")]
    pub resolution: Option<String>,
    /// Quality in the model's own words.
    pub quality: Option<String>,
    /// Rendering speed in the model's own words.
    pub speed: Option<String>,
    /// `transparent` or `opaque`, for models that can choose.
    pub background: Option<String>,
    /// File format asked of the model.
    pub format: Option<crate::types::ImageFormat>,
    /// Seed, for models that take one.
    pub seed: Option<u64>,
}

impl BaselineSpec {
    /// Returns the settings that this baseline names.
    pub fn settings(&self) -> SettingsSpec {
        SettingsSpec {
            model: self.model.clone(),
            provider: self.provider.clone(),
            aspect: self.aspect,
            fit: self.fit,
            resolution: self.resolution.clone(),
            quality: self.quality.clone(),
            speed: self.speed.clone(),
            background: self.background.clone(),
            format: self.format,
            seed: self.seed,
        }
    }
}

/// The slots of a prompt, rendered in this order: what stands first weighs most.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SlotsSpec {
    /// What is in the picture.
    #[schemars(example = &"{{ sku.title }} in {{ sku.material }}")]
    pub subject: String,
    /// What it does, its pose.
    pub action: Option<String>,
    /// Where it is.
    pub environment: Option<String>,
    /// Where the light comes from.
    pub lighting: Option<String>,
    /// Lens, distance, angle.
    pub camera: Option<String>,
    /// Medium and look; last and short.
    pub style: Option<String>,
}

impl SlotsSpec {
    /// Names of the slots, in the order of the prompt.
    pub const NAMES: [&'static str; 6] = ["subject", "action", "environment", "lighting", "camera", "style"];

    /// Returns the slots in the order of the prompt, with their names; absent ones as `None`.
    pub fn in_order(&self) -> [(&'static str, Option<&str>); 6] {
        [
            ("subject", Some(self.subject.as_str())),
            ("action", self.action.as_deref()),
            ("environment", self.environment.as_deref()),
            ("lighting", self.lighting.as_deref()),
            ("camera", self.camera.as_deref()),
            ("style", self.style.as_deref()),
        ]
    }
}

/// An axis that changes exactly one slot of a baseline.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LadderSpec {
    /// Baseline whose slot is varied.
    pub baseline: String,
    /// The only slot that a rung may change.
    #[schemars(extend("enum" = SlotsSpec::NAMES))]
    pub vary: String,
    /// Name of the rung to the text of the slot.
    #[schemars(extend("minProperties" = 1), example = serde_json::json!({ "oak": "on a pale oak tabletop" }))]
    pub rungs: IndexMap<String, String>,
}

/// What a campaign may cost.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BudgetSpec {
    /// The most the campaign may ever cost, over all its runs: credits of the book, or "USD 12.50". Never reserved past.
    pub cap: Option<MoneySpec>,
    /// Pictures for one final until everyone is content: `strict` 1.2, `explore` 1.8, `blank-box` 2.5, a number from 1 on, `learned` from own finals.
    pub iteration: Option<IterationSpec>,
    /// Share of the cap at which `plan` and `run` warn.
    #[schemars(example = &"80%")]
    pub warn_at: Option<PercentSpec>,
    /// Caps of single steps, in the same currency.
    #[serde(default)]
    pub steps: IndexMap<String, MoneySpec>,
    /// From which figure on a plan is worth a warning, or a no.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub policy: Vec<PolicySpec>,
}

/// A number of the book's credits, or an amount with its currency: `1300` or `"USD 12.50"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoneySpec {
    /// `USD` when the author said so; absent: the book's own currency.
    pub usd: bool,
    /// How much.
    pub micros: Micros,
}

/// The iteration factor: a name, a number, or what the ledger teaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IterationSpec {
    /// A named profile of the catalog.
    Named(String),
    /// A number of at least 1, in millionths.
    Factor(Micros),
    /// What this campaign's own finals took so far.
    Learned {
        /// What stands in while there are too few finals: a name or a number.
        fallback: Option<Box<IterationSpec>>,
    },
}

/// A share, written `80%`; kept in hundredths of a per cent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PercentSpec(pub u32);

/// Where files go.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OutputSpec {
    /// Template of every step's file paths below the output folder, unless the step has its own; by default the axes' keys as folders.
    #[schemars(example = &"{{ sku }}/{{ step }}-{{ angle }}.{{ ext }}")]
    pub path: Option<String>,
    /// Whether a `<file>.json` with all that made it stands beside each picture.
    #[serde(default)]
    pub sidecar: bool,
}

/// A smaller version of the campaign.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProfileSpec {
    /// Axis to how many of its first values are kept.
    #[serde(default)]
    #[schemars(example = serde_json::json!({ "sku": 2 }))]
    pub sample: IndexMap<String, u32>,
    /// Last step that is made, with all that it needs.
    pub until: Option<String>,
    /// Model and settings that win over `defaults`.
    #[serde(default)]
    pub defaults: SettingsSpec,
    /// Caps that hold besides the campaign's own, for what this profile spends.
    #[serde(default)]
    pub budget: ProfileBudgetSpec,
}

/// What a profile may cost.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProfileBudgetSpec {
    /// The most that this profile may ever cost, over all its runs.
    pub cap: Option<MoneySpec>,
}

/// How a campaign is run.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RunSpec {
    /// Shots under way at once, within the provider's own limits; by default 16.
    #[schemars(range(min = 1, max = 1000))]
    pub concurrency: Option<u32>,
    /// Stops starting shots after so many have failed: a number, or a share of the paid shots.
    pub stop_after_failures: Option<FailureLimitSpec>,
    /// Paid tries that a shot may use in one run when the provider fails it; by default 2.
    #[schemars(range(min = 1, max = 10))]
    pub attempts: Option<u32>,
    /// Largest number of shots that a plan may have; by default 100000.
    #[schemars(range(min = 1))]
    pub max_jobs: Option<u64>,
}

/// A number of failures, or a share of the paid shots: `5` or `10%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureLimitSpec {
    /// So many.
    Count(u32),
    /// So large a share.
    Share(PercentSpec),
}
