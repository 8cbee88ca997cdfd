//! The form of `status --json`, field by field.
//!
//! In: nothing but texts and counts. Out: JSON, and the schema that describes it. Never: 0 for what is not known; that is null.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// Version of the form; a reader refuses a higher one.
pub const STATUS_FORMAT: u32 = 1;

/// Where a campaign stands.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct CampaignStatus {
    /// Version of the form.
    pub callsheet_status: u32,
    /// The campaign.
    pub campaign: String,
    /// The profile that was asked for; what it leaves out is in no count, but money is always that of the whole campaign.
    pub profile: Option<String>,
    /// Whether this is the rehearsal: nothing was spent, amounts are as if paid.
    pub rehearsal: bool,
    /// The price book behind the estimates.
    pub book: Book,
    /// All shots by where they stand.
    pub shots: Shots,
    /// The same for each step.
    pub steps: Vec<StepShots>,
    /// Shots of the last steps.
    pub finals: FinalShots,
    /// Every shot once, made or not.
    pub estimate: Estimated,
    /// What all runs have paid so far, one entry a currency.
    pub spending: Vec<Spent>,
    /// Models that were charged other than quoted.
    pub deviations: Vec<Deviating>,
    /// Paid tries for each picture in use.
    pub factor_seen: Option<String>,
    /// Pictures that this campaign never paid for: of other campaigns, and shots that are one picture.
    pub never_paid: NeverPaid,
    /// What is left to buy, each shot once.
    pub left: Left,
    /// The caps that a run stands under.
    pub caps: Vec<CapStand>,
    /// Tries that may have been charged and nobody knows: each counts as spent until it is settled.
    pub in_doubt: Vec<Doubt>,
    /// What failed last, those of one reason together.
    pub failures: Vec<Failures>,
    /// Shots none of whose pictures passes its checks.
    pub rejected: Vec<RejectedShot>,
    /// Pictures that were turned down, paid for and kept.
    pub turned_down: TurnedDown,
    /// Choices that somebody is to make.
    pub picks: Picks,
    /// What is done to pictures for a model's sake, as in `plan --format json`.
    pub prepared: Value,
    /// What becomes of the C2PA manifests of pictures that are worked on, in words.
    pub c2pa: Vec<String>,
    /// Why a run would send nothing.
    pub refusals: Vec<String>,
    /// What to type next, and in parentheses what that does.
    pub next: String,
}

/// A price book.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Book {
    /// Its name.
    pub name: String,
    /// The day on which its prices were read.
    pub as_of: Option<String>,
    /// What its prices are counted in: `USD`, or `credits:` and the book.
    pub currency: String,
    /// What one credit costs, if its source states it.
    pub usd_per_credit: Option<String>,
}

/// Shots by where they stand.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Shots {
    /// All that are asked for: the sum of those below but `left-out`.
    pub all: usize,
    /// With a picture.
    pub done: usize,
    /// Whose last try failed.
    pub failed: usize,
    /// Whose pictures were all turned down by their checks.
    pub rejected: usize,
    /// Of unknown outcome.
    pub in_doubt: usize,
    /// Accepted, without a picture yet.
    pub under_way: usize,
    /// Waiting for one that failed, was rejected or is in doubt.
    pub waiting: usize,
    /// Waiting for somebody's choice, or that choice itself.
    pub to_pick: usize,
    /// Left to make, with nothing in their way.
    pub to_do: usize,
    /// Not asked for: left out by the profile.
    pub left_out: usize,
}

/// The shots of one step.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct StepShots {
    /// The step.
    pub step: String,
    /// Its shots.
    pub shots: Shots,
}

/// Shots of the steps from which nothing else is made.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct FinalShots {
    /// With a picture.
    pub done: usize,
    /// All of them.
    pub all: usize,
    /// What was charged so far, all tries included, for each that is done, in the book's currency; null before the first.
    pub charged_each: Option<String>,
}

/// A sum in the book's currency.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Figure {
    /// Decimal text; null when nothing of it has a price.
    pub amount: Option<String>,
    /// The same in USD; null when the book states no rate.
    pub usd: Option<String>,
    /// `exact`; `lower-bound`: at least this; `unknown`: this, and what has no price.
    pub certainty: &'static str,
}

/// The iteration factor.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Factor {
    /// As the author called it.
    pub name: String,
    /// Expected cost over floor, as decimal text.
    pub value: String,
}

/// What a campaign costs from its first shot to its last.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Estimated {
    /// Every paid shot once.
    pub floor: Figure,
    /// The floor times the iteration factor.
    pub expected: Figure,
    /// Every paid shot at all its tries and rerolls; caps are not looked at.
    pub ceiling: Figure,
    /// The iteration factor; null when the campaign names none.
    pub factor: Option<Factor>,
}

/// What is left to buy.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Left {
    /// Every outstanding paid shot once.
    pub floor: Figure,
    /// The floor times the iteration factor.
    pub expected: Figure,
    /// The most that one run can spend on it, caps included.
    pub ceiling: Figure,
    /// What stands behind open choices, each shot once: part of none of the others.
    pub later: Figure,
    /// Outstanding shots without a price: they are in no sum.
    pub unpriced: usize,
}

/// What was paid in one currency.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Spent {
    /// `USD`, or `credits:` and the book.
    pub currency: String,
    /// Paid tries, whatever became of them.
    pub attempts: usize,
    /// Tries that brought a picture.
    pub pictures: usize,
    /// Tries that were charged, or brought a picture for nothing.
    pub paid: usize,
    /// Pictures that stand: nothing was made in their place since.
    pub in_use: usize,
    /// What the plans said of all tries.
    pub quoted: String,
    /// What was charged for good.
    pub charged: String,
    /// What was given back of tries that the provider had taken on.
    pub refunded: String,
    /// What was held for tries that nobody had taken on, and is held no more; no part of `refunded`.
    pub released: String,
    /// What is held by tries whose outcome nobody knows.
    pub in_doubt: String,
    /// What is held by tries that are under way.
    pub reserved: String,
    /// Paid tries that were charged more than quoted.
    pub above_quote: Off,
    /// Paid tries that were charged less than quoted.
    pub below_quote: Off,
    /// Tries without a price whose cost nobody knows: they are in none of the sums.
    pub unpriced: usize,
    /// What each picture in use has cost with all tries on the way; null without one, and while some tries have no known cost.
    pub per_picture: Option<String>,
    /// Paid tries for each picture in use; null without one.
    pub factor: Option<String>,
    /// What was charged, in USD; null when no rate is stated.
    pub usd: Option<String>,
}

/// Tries on one side of their quote.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Off {
    /// How many.
    pub tries: usize,
    /// By how much, all together.
    pub amount: String,
}

/// A model that was charged other than quoted.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Deviating {
    /// The model.
    pub model: String,
    /// `USD`, or `credits:` and the book.
    pub currency: String,
    /// Paid tries that were charged more than quoted.
    pub above_quote: Off,
    /// Paid tries that were charged less than quoted.
    pub below_quote: Off,
}

/// Pictures that were not paid for.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct NeverPaid {
    /// How many.
    pub pictures: usize,
    /// What one try of each would cost today.
    pub saved: Figure,
}

/// A cap.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct CapStand {
    /// `campaign`, `profile`, or `step:` or `provider:` and a name.
    pub of: String,
    /// The most that may ever be committed, in the book's currency.
    pub limit: String,
    /// What is spent, held and in doubt under it.
    pub committed: String,
    /// What may still be committed; null while money of another currency stands under it that no rate compares.
    pub room: Option<String>,
}

/// A try that may have been charged.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Doubt {
    /// Address of its shot, as it was called when it was sent.
    pub shot: String,
    /// Key of its shot: everything that determines the picture.
    pub key: String,
    /// Whether the campaign still has this shot; its money is in doubt all the same.
    pub in_plan: bool,
    /// Which try.
    pub attempt: u32,
    /// What is held for it.
    pub held: String,
    /// In which currency.
    pub currency: String,
    /// Who was asked.
    pub provider: String,
    /// Which model.
    pub model: String,
    /// When it was sent.
    pub sent: String,
    /// By which run.
    pub run: String,
    /// What was seen, as class and code; null when the run ended before any answer.
    pub seen: Option<String>,
    /// The provider's name for it; null when it was never told.
    pub task: Option<String>,
    /// How many shots wait for it.
    pub waiting: usize,
    /// What would settle it, the surest first.
    pub settle: Vec<Way>,
}

/// A way to end a doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Way {
    /// When it is right, or what it does.
    pub when: &'static str,
    /// What to type; `ID` stands for the provider's name of the task.
    pub command: String,
}

/// Shots that failed for one reason.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Failures {
    /// What kind of failure it is.
    pub class: &'static str,
    /// The provider's code for it.
    pub code: String,
    /// What the first of them was told.
    pub message: String,
    /// Whether it was charged: `no`, `yes`, or `maybe` when nobody has said.
    pub billed: &'static str,
    /// How it is mended.
    pub mend: &'static str,
    /// The shots.
    pub shots: Vec<String>,
    /// How many shots wait for them.
    pub waiting: usize,
}

/// A shot none of whose pictures passes.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct RejectedShot {
    /// Its address.
    pub shot: String,
    /// What its last picture failed at.
    pub why: String,
    /// Pictures that were looked at.
    pub pictures: usize,
    /// How many more the next run may pay for.
    pub rerolls_left: u32,
    /// How many shots wait for it.
    pub waiting: usize,
}

/// Pictures that are kept below `rejected/`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct TurnedDown {
    /// How many.
    pub pictures: usize,
    /// How many of them a person turned down; the others are turned down by a check.
    pub by_you: usize,
}

/// Choices that nobody has made.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Picks {
    /// How many.
    pub open: usize,
    /// For how many of them a picture is there.
    pub ready: usize,
    /// Shots that wait for them.
    pub waiting: usize,
    /// Choices that `--auto-pick` has made: nobody has looked.
    pub automatic: usize,
}

impl CampaignStatus {
    /// Returns the JSON Schema.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }
}
