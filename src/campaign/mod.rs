//! What the author meant: references, axes, models, defaults and templates settled; every mistake found.
//!
//! In: the spec with its tables, and the catalog. Out: a [`Campaign`], or all mistakes at once.
//! Never: the filesystem, a clock, a price.

mod axes;
mod baselines;
mod checks;
mod inserted;
mod ladders;
mod limits;
pub mod lookups;
mod models;
mod names;
mod policy;
mod resolve;
mod steps;
pub mod template;
pub mod variables;

use std::sync::Arc;

use minijinja::value::Value;

pub use inserted::{Inserted, ResultWork, SourceWork};
pub use policy::{Figure, PolicyAction, PolicyLimit, PolicyLine};
pub use resolve::{Resolved, resolve};
pub use template::{Condition, Roots, Template, TemplateProblem, slug};
pub use variables::{AxisObject, Scope};

use crate::steps::StepSpec;
use crate::types::{Check, FieldPath, InputRole, Micros, Paid, Rule};

/// A campaign without anything left to look up.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// Its name.
    pub name: Arc<str>,
    /// What it is for.
    pub description: Option<String>,
    /// Who makes the pictures; `None` can be planned and rehearsed, not run.
    pub provider: Option<Arc<str>>,
    /// Values of `vars`, as templates see them.
    pub vars: Value,
    /// All axes: the author's, ladders, takes.
    pub axes: Vec<Axis>,
    /// Steps; inputs stand before those who take them, else in the author's order.
    pub steps: Vec<Step>,
    /// What it may cost.
    pub budget: Budget,
    /// How it is run.
    pub run: RunSettings,
    /// The profile that it was resolved with.
    pub profile: Option<Arc<str>>,
    /// Last step that is made.
    pub until: Option<Arc<str>>,
    /// Whether each file gets a JSON of its own beside it.
    pub sidecar: bool,
    /// Lint rules that it allows to be broken, in the author's order.
    pub allowed: Vec<Rule>,
}

/// Where an axis comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AxisSource {
    /// Rows of a table, or values in the campaign file.
    Values,
    /// A ladder's rungs.
    Ladder,
    /// Equal tries of one step.
    Take {
        /// The step.
        step: Arc<str>,
    },
}

/// A named list of values.
#[derive(Debug, Clone)]
pub struct Axis {
    /// Its name; `take` for equal tries.
    pub name: Arc<str>,
    /// Where it comes from.
    pub source: AxisSource,
    /// Its values, in order.
    pub values: Vec<AxisValue>,
    /// Fields that its values have, for checks; `None` when they are plain texts.
    pub fields: Option<Vec<Arc<str>>>,
    /// Where the author wrote it.
    pub at: FieldPath,
}

/// One value of an axis.
#[derive(Debug, Clone)]
pub struct AxisValue {
    /// Its name: a row's key, a rung's name.
    pub key: Arc<str>,
    /// As prompts see it.
    pub value: Value,
    /// As paths and conditions see it: printing it gives the key.
    pub keyed: Value,
    /// A rung's text that itself holds variables.
    pub rung: Option<Template>,
    /// Where the author wrote it.
    pub at: FieldPath,
}

/// A picture that a step takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepSource {
    /// The step that makes it, as a place in [`Campaign::steps`].
    pub step: usize,
    /// What it is here.
    pub role: InputRole,
    /// The step that makes such pictures ones that a model takes, where that is needed; it stands before this one.
    pub prepared: Option<usize>,
}

/// A step, settled.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name.
    pub name: Arc<str>,
    /// What the author wrote.
    pub spec: StepSpec,
    /// Where the author wrote it: the value of its kind.
    pub at: FieldPath,
    /// Its axes, as places in [`Campaign::axes`], takes last.
    pub axes: Vec<usize>,
    /// Axes of its picture that it takes away.
    pub across: Vec<usize>,
    /// Whose pictures it takes.
    pub sources: Vec<StepSource>,
    /// What it asks of a model; `None` is local and free.
    pub paid: Option<Arc<Paid>>,
    /// How its prompt is made.
    pub prompt: Prompt,
    /// The baseline that its prompts follow.
    pub baseline: Option<Arc<str>>,
    /// Its other texts: of a transform's text operations, of a `load`'s file, of a sheet's label; in the order of its templates.
    pub texts: Vec<Template>,
    /// Where its files stand; `None` is the default layout.
    pub path: Option<Template>,
    /// What its pictures must be like.
    pub checks: Vec<Check>,
    /// How often a shot may be paid again because a check failed.
    pub rerolls: u32,
    /// Keeps cells.
    pub when: Option<Condition>,
    /// Drops cells that carry, on each of these axes, one of these values.
    pub exclude: Vec<Vec<(usize, Vec<u32>)>>,
    /// What it is for, if the author did not write it.
    pub inserted: Option<Inserted>,
    /// Whether another step brings its pictures into the shape that was asked for; that one then has the author's path.
    pub is_shaped: bool,
}

impl Step {
    /// Returns the name that the author gave it, or that of the step that it serves.
    pub fn written_name(&self) -> &Arc<str> {
        self.inserted.as_ref().map_or(&self.name, Inserted::serves)
    }

    /// Returns what its files are called by: its name, or that of the step whose pictures it brings into the shape that was asked for.
    pub fn file_stem(&self) -> Arc<str> {
        match &self.inserted {
            Some(Inserted::Result(work)) => Arc::clone(&work.serves),
            Some(Inserted::Source(_)) => Arc::clone(&self.name),
            None if self.is_shaped => Arc::from(format!("{}.bought", self.name)),
            None => Arc::clone(&self.name),
        }
    }
}

/// How a step's prompt is made.
#[derive(Debug, Clone, Default)]
pub struct Prompt {
    /// Its parts, in order.
    pub parts: Vec<PromptPart>,
    /// The invariants, as one template; used for `{{ keep }}` or added at the end.
    pub keep: Option<Template>,
    /// Whether a part already places `{{ keep }}`.
    pub places_keep: bool,
}

/// One part of a prompt.
#[derive(Debug, Clone)]
pub struct PromptPart {
    /// The slot it fills, or `prompt` for a text of the step's own.
    pub slot: &'static str,
    /// Its text; `None` when the ladder's rung is the text.
    pub template: PartText,
}

/// Where a part's text comes from.
#[derive(Debug, Clone)]
pub enum PartText {
    /// A template.
    Own(Template),
    /// The rung of this axis, as a place in [`Campaign::axes`].
    Rung(usize),
}

/// What a campaign may cost.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    /// The most it may ever cost, in the book's currency.
    pub cap: Option<Micros>,
    /// The most this profile may ever cost.
    pub profile_cap: Option<Micros>,
    /// Caps of steps, by name.
    pub steps: Vec<(Arc<str>, Micros)>,
    /// Caps of what is spent at one provider, by name, each in the currency of that provider's book.
    pub providers: Vec<(Arc<str>, Micros)>,
    /// The iteration factor, in millionths, and how the author called it.
    pub iteration: Option<(String, Micros)>,
    /// Whether the factor is to be learned from the ledger; `iteration` then is what stands in while there are too few finals.
    pub learns: bool,
    /// Share of the cap at which to warn, in hundredths of a per cent.
    pub warn_at: Option<u32>,
    /// From which figure on the plan is worth a word or a no, in the author's order.
    pub policy: Vec<PolicyLine>,
}

/// How a campaign is run.
#[derive(Debug, Clone)]
pub struct RunSettings {
    /// Shots under way at once.
    pub concurrency: usize,
    /// Failures after which no new shot is started.
    pub stop_after: Option<crate::spec::FailureLimitSpec>,
    /// Paid tries that a shot may use in one run.
    pub attempts: u32,
    /// Largest number of shots.
    pub max_jobs: u64,
}
