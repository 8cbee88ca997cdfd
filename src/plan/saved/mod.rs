//! A plan as a file: what was approved, in a form that can be kept, compared in a pull request, and refused when it no longer holds.
//!
//! ```text
//! plan x history x prices ─ describe ─▶ SavedPlan ─ to_text ─▶ plan.json ─ read ─▶ SavedPlan ─ moved ─▶ what no longer holds
//! ```
//!
//! In: a plan, its worklist, its prices; or the text of a saved one. Out: [`SavedPlan`], its bytes, every mistake with its address.
//! Never: a clock, a host, an absolute path: the same inputs give the same bytes.

mod moved;
mod price;
mod read;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use moved::{Count, Moved, Moves, Standpoint};
pub use price::SavedPrice;

use super::{JobIx, Plan, Side, SidePrice, Work, Worklist, recipe};
use crate::catalog::Certainty;
use crate::ledger::{History, Recipe};
use crate::types::digest::FieldHasher;
use crate::types::{Currency, Digest, Fields, JobId, JobKey, Micros};

/// Version of the form; a reader of one version reads no other.
pub const SAVED_PLAN_VERSION: u32 = 1;

/// Largest saved plan that is read, 256 MB: 100,000 shots with prompts of 500 letters are about 100 MB.
pub const MAX_SAVED_PLAN_BYTES: u64 = 256_000_000;

/// A plan that was saved to be looked at, approved and run as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(title = "callsheet saved plan")]
pub struct SavedPlan {
    /// Version of the form.
    #[serde(rename = "callsheet-plan")]
    #[schemars(extend("const" = 1))]
    pub version: u32,
    /// Name of the campaign.
    pub campaign: String,
    /// The campaign file, relative to the folder of this file, with `/` between folders.
    pub file: String,
    /// Whether it is for money or a rehearsal.
    pub stage: SavedStage,
    /// What was asked for beside the campaign itself; `run` takes it from here.
    pub asked: Asked,
    /// Every file and book that the plan was made from.
    pub inputs: Vec<SavedInput>,
    /// Digest over keys and files of all shots.
    #[schemars(with = "String")]
    pub digest: Digest,
    /// Where the ledger stood.
    pub history: SavedHistory,
    /// What it costs.
    pub totals: SavedTotals,
    /// The caps that it stands under.
    pub caps: Vec<SavedCap>,
    /// The steps, those before others first.
    pub steps: Vec<SavedStep>,
    /// Every shot of the campaign, those before others first.
    pub jobs: Vec<SavedJob>,
}

/// Whether money is at stake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SavedStage {
    /// For money.
    Real,
    /// Drawn pictures, for nothing.
    Rehearsal,
}

/// What the command line asked for: `run` of the saved plan asks for the same.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Asked {
    /// `--profile`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// `--provider`: a name, or a path relative to the folder of this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// `--prices`: a name, or a path relative to the folder of this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<String>,
    /// Each `--only`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
    /// Each `--until`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub until: Vec<String>,
    /// `--cap`: credits, or `USD 12.50`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<String>,
    /// `--on-doubt`.
    pub on_doubt: SavedDoubt,
}

/// What happens to a try whose outcome nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SavedDoubt {
    /// It counts as spent and is never sent again.
    #[default]
    Hold,
    /// It counts as spent and is bought again.
    Resend,
}

/// One file or book that the plan was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SavedInput {
    /// What it is.
    pub kind: InputKind,
    /// Its name; of a file, its path relative to the campaign's folder.
    pub name: String,
    /// The day of a price book.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// BLAKE3 digest of its contents.
    #[schemars(with = "String")]
    pub digest: Digest,
}

/// What an input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InputKind {
    /// The campaign file.
    Campaign,
    /// A table of rows.
    Rows,
    /// A picture of the author's.
    Asset,
    /// The provider's manifest.
    Provider,
    /// The price book.
    Prices,
}

impl InputKind {
    /// Returns the word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Campaign => "campaign",
            Self::Rows => "rows",
            Self::Asset => "asset",
            Self::Provider => "provider",
            Self::Prices => "price book",
        }
    }
}

/// Where the ledger stood: only what it knew of the shots of this plan, so that other campaigns' runs change nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SavedHistory {
    /// How many of the selected shots had been tried or made.
    pub known: usize,
    /// Digest over work, state and number of tries of each selected shot.
    #[schemars(with = "String")]
    pub digest: Digest,
}

/// What the plan costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SavedTotals {
    /// `credits:<book>` or `USD`.
    #[schemars(with = "String")]
    pub currency: Currency,
    /// Every outstanding shot once.
    pub floor: SavedSum,
    /// The forecast.
    pub expected: SavedSum,
    /// The most that the run of this plan may spend.
    pub ceiling: SavedSum,
}

/// A sum and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SavedSum {
    /// Decimal text.
    #[schemars(with = "String")]
    pub amount: Micros,
    /// `exact`; `lower-bound`: at least this; `unknown`: this, and something without a price.
    pub certainty: Certainty,
}

/// A cap and what stood under it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SavedCap {
    /// `campaign`, `profile`, or `step:<name>`.
    pub of: String,
    /// The most that may ever be committed.
    #[schemars(with = "String")]
    pub limit: Micros,
    /// What was.
    #[schemars(with = "String")]
    pub committed: Micros,
}

/// What the shots of a step share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SavedStep {
    /// Name.
    pub name: String,
    /// Kind as written in YAML.
    pub kind: String,
    /// Paid operation; absent for local work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Model of paid work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// One shot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SavedJob {
    /// Address.
    #[schemars(with = "String")]
    pub id: JobId,
    /// Its step.
    pub step: String,
    /// What was to be done about it.
    pub work: SavedWork,
    /// What one try costs.
    pub price: SavedPrice,
    /// Its file below the output folder.
    pub path: String,
    /// The shots whose pictures it takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub inputs: Vec<JobId>,
    /// Identity: same key, same picture.
    #[schemars(with = "String")]
    pub key: JobKey,
    /// What the key is made of: names and values, in order.
    pub fields: Recipe,
}

/// What was to be done about a shot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SavedWork {
    /// Never tried.
    New,
    /// Another picture stood at its address.
    Changed,
    /// Done before, but its picture had gone from the store.
    Lost,
    /// The last try had failed.
    Again,
    /// A try was under way.
    Resumed,
    /// Done.
    Reused,
    /// Of unknown outcome.
    InDoubt,
    /// The same picture as an earlier shot's.
    Twin,
    /// With a picture that its checks were to look at.
    Look,
    /// Turned down by its checks, to be bought once more.
    Reroll,
    /// Turned down by its checks for good.
    Rejected,
    /// Waiting for a person's choice.
    Waiting,
    /// Not selected.
    Excluded,
}

impl SavedWork {
    /// Returns the word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Lost => "lost",
            Self::Again => "again",
            Self::Resumed => "resumed",
            Self::Reused => "reused",
            Self::InDoubt => "in doubt",
            Self::Twin => "twin",
            Self::Look => "to check",
            Self::Reroll => "reroll",
            Self::Rejected => "rejected",
            Self::Waiting => "waiting for a pick",
            Self::Excluded => "excluded",
        }
    }

    /// Returns whether a paid shot of this work needs a new try.
    pub fn is_outstanding(self) -> bool {
        matches!(self, Self::New | Self::Changed | Self::Lost | Self::Again | Self::Reroll)
    }

    /// Returns whether a run has anything to do for it.
    pub fn is_to_do(self) -> bool {
        self.is_outstanding() || matches!(self, Self::Resumed | Self::Twin | Self::Look)
    }
}

impl From<Work> for SavedWork {
    fn from(work: Work) -> Self {
        match work {
            Work::New => Self::New,
            Work::Changed { .. } => Self::Changed,
            Work::Lost => Self::Lost,
            Work::Again => Self::Again,
            Work::Resumed => Self::Resumed,
            Work::Reused => Self::Reused,
            Work::InDoubt => Self::InDoubt,
            Work::Twin => Self::Twin,
            Work::Look => Self::Look,
            Work::Reroll => Self::Reroll,
            Work::Rejected => Self::Rejected,
            Work::Waiting => Self::Waiting,
            Work::Excluded => Self::Excluded,
        }
    }
}

/// Describes the steps of a plan.
pub fn describe_steps(plan: &Plan) -> Vec<SavedStep> {
    let describe = |step: &super::PlannedStep| SavedStep {
        name: step.name.to_string(),
        kind: step.kind.to_owned(),
        operation: step.action.map(|action| action.as_str().to_owned()),
        model: step.model.as_ref().map(ToString::to_string),
    };
    plan.steps.iter().map(describe).collect()
}

/// Describes the shots of a plan; `price` tells what one try of each costs.
pub fn describe_jobs(plan: &Plan, work: &Worklist, price: impl Fn(JobIx) -> SavedPrice) -> Vec<SavedJob> {
    let ids: Vec<JobId> = plan.indices().map(|ix| plan.id(ix)).collect();
    let describe = |ix: JobIx| {
        let job = plan.job(ix);
        SavedJob {
            id: ids[ix.index()].clone(),
            step: plan.step_of(ix).name.to_string(),
            work: work.work(ix).into(),
            price: price(ix),
            path: job.path.to_string(),
            inputs: plan.inputs(ix).into_iter().map(|input| ids[input.from.index()].clone()).collect(),
            key: job.key,
            fields: recipe(plan, ix),
        }
    };
    plan.indices().map(describe).collect()
}

/// Describes where the ledger stands about the selected shots of a plan.
pub fn describe_history(plan: &Plan, work: &Worklist, history: &History) -> SavedHistory {
    let mut known = 0;
    let mut hasher = FieldHasher::new("callsheet plan history 1");
    for (ix, work) in work.iter().filter(|(_, work)| *work != Work::Excluded) {
        let key = plan.job(ix).key;
        let state = history.state(&key);
        known += usize::from(history.jobs.contains_key(&key));
        hasher.field("key", key.0.as_bytes());
        hasher.field("work", work.as_str().as_bytes());
        hasher.field("state", state.name().as_bytes());
        // A shot that fails once more stands as it stood: the number of its tries tells the two apart.
        hasher.field("tries", &state.last_attempt().0.to_le_bytes());
    }
    SavedHistory { known, digest: hasher.finish() }
}

impl SavedPlan {
    /// Returns the bytes of the file: one shot a line, so that a diff of two shows which.
    pub fn to_text(&self) -> String {
        let mut text = Lines(String::with_capacity(1024 + self.jobs.len() * 640));
        text.one("callsheet-plan", &self.version);
        text.one("campaign", &self.campaign);
        text.one("file", &self.file);
        text.one("stage", &self.stage);
        text.one("asked", &self.asked);
        text.many("inputs", &self.inputs);
        text.one("digest", &self.digest);
        text.one("history", &self.history);
        text.one("totals", &self.totals);
        text.many("caps", &self.caps);
        text.many("steps", &self.steps);
        text.many("jobs", &self.jobs);
        text.0.push_str("\n}\n");
        text.0
    }

    /// Returns what names this plan in the ledger: the digest of its bytes.
    pub fn name(&self) -> Digest {
        Digest::of(self.to_text().as_bytes())
    }

    /// Returns the JSON Schema of the file.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }

    /// Returns the place of each shot by its address.
    fn places(&self) -> HashMap<&JobId, usize> {
        self.jobs.iter().enumerate().map(|(place, job)| (&job.id, place)).collect()
    }
}

/// Writes an object whose lists have one element a line.
struct Lines(String);

impl Lines {
    fn key(&mut self, key: &str) {
        self.0.push_str(if self.0.is_empty() { "{\n" } else { ",\n" });
        self.0.push_str(&format!("  \"{key}\": "));
    }

    fn value(&mut self, value: &impl Serialize) {
        self.0.push_str(&serde_json::to_string(value).expect("plain data has a JSON form"));
    }

    fn one(&mut self, key: &str, value: &impl Serialize) {
        self.key(key);
        self.value(value);
    }

    fn many(&mut self, key: &str, values: &[impl Serialize]) {
        self.key(key);
        self.0.push('[');
        for (place, value) in values.iter().enumerate() {
            self.0.push_str(if place == 0 { "\n    " } else { ",\n    " });
            self.value(value);
        }
        self.0.push_str(if values.is_empty() { "]" } else { "\n  ]" });
    }
}

impl Side for SavedPlan {
    fn currency(&self) -> &Currency {
        &self.totals.currency
    }

    fn len(&self) -> usize {
        self.jobs.len()
    }

    fn id(&self, place: usize) -> JobId {
        self.jobs[place].id.clone()
    }

    fn key(&self, place: usize) -> JobKey {
        self.jobs[place].key
    }

    fn step(&self, place: usize) -> &str {
        &self.jobs[place].step
    }

    fn path(&self, place: usize) -> &str {
        &self.jobs[place].path
    }

    fn price(&self, place: usize) -> SidePrice {
        self.jobs[place].price.into()
    }

    fn fields(&self, place: usize) -> Vec<(String, String)> {
        self.jobs[place].fields.clone()
    }
}

impl fmt::Display for SavedStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Real => "real",
            Self::Rehearsal => "rehearsal",
        })
    }
}
