//! What a person types; the doc comments are the help.
//!
//! In: words. Out: plain values. Never: a look at a file.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::commands::{
    cache, check, deliver, estimate, graph, init, manual, plan, prices, providers, reconcile, report, review, run, schema, status, why,
};
use crate::plan::Only;
use crate::provider::http::protocol::Origin;
use crate::spec::MoneySpec;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const START: &str = "\
Start here:
  callsheet init                         writes a first campaign: for the only table
                                         in the folder, or with a small one
  callsheet check spring.yaml            finds every mistake, spends nothing
  callsheet plan spring.yaml             says what it makes and what it will cost
  callsheet run spring.yaml --rehearse   does all of it with drawn pictures: no key,
                                         no money";

/// Heading of what every command takes.
const EVERYWHERE: &str = "Options of every command";

/// Runs AI image campaigns: says what they cost before anything is spent, buys each shot exactly once
#[derive(Debug, Parser)]
#[command(name = "callsheet", version, styles = STYLES, after_help = START, disable_help_subcommand = true)]
pub struct Cli {
    /// When to use colour: auto, always or never
    #[arg(long, global = true, value_enum, default_value_t = When::Auto, value_name = "WHEN", hide_possible_values = true, help_heading = EVERYWHERE)]
    pub color: When,
    /// Read keys from this file as well, lines like `KIE_API_KEY=...`; the environment wins
    #[arg(long, global = true, value_name = "FILE", help_heading = EVERYWHERE)]
    pub env_file: Option<PathBuf>,
    /// Tell each request and answer on stderr, or in a file; keys and pictures are left out
    #[arg(long, global = true, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-", help_heading = EVERYWHERE)]
    pub debug: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What can be done.
#[derive(Debug, Subcommand)]
// Each command's own docs are its help; docs here would stand in their place.
#[allow(missing_docs)]
pub enum Command {
    Init(init::InitArgs),
    Check(check::CheckArgs),
    Plan(plan::PlanArgs),
    Estimate(Box<estimate::EstimateArgs>),
    Run(Box<run::RunArgs>),
    Status(status::StatusArgs),
    Why(why::WhyArgs),
    Reconcile(reconcile::ReconcileArgs),
    Report(report::ReportArgs),
    Review(review::ReviewArgs),
    Deliver(deliver::DeliverArgs),
    Graph(graph::GraphArgs),
    Cache(cache::CacheArgs),
    Prices(prices::PricesArgs),
    Providers(providers::ProvidersArgs),
    Schema(schema::SchemaArgs),
    Completions(manual::CompletionsArgs),
    Man(manual::ManArgs),
}

/// Which campaign, in which version.
#[derive(Debug, Clone, Args)]
pub struct CampaignArgs {
    /// The campaign file
    #[arg(value_name = "CAMPAIGN")]
    pub campaign: PathBuf,
    /// A smaller version that the campaign itself names, for example `draft`
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Who makes the pictures, instead of the campaign's own: a name or the path of a manifest
    #[arg(long, value_name = "PROVIDER")]
    pub provider: Option<String>,
    /// Whose prices hold, instead of the campaign's own: a name or the path of a price book; for `plan` also several, `A,B`
    #[arg(long, value_name = "BOOK")]
    pub prices: Option<String>,
}

/// Which shots of it.
#[derive(Debug, Clone, Args)]
pub struct SelectionArgs {
    /// Only these shots and all that they need: `surface` or `surface[sku=teapot,angle=front]`; can be repeated
    #[arg(long, value_name = "STEP[AXIS=VALUE]")]
    pub only: Vec<Only>,
    /// Only up to this step, with all that it needs; can be repeated
    #[arg(long, value_name = "STEP")]
    pub until: Vec<String>,
}

/// Another address for a provider.
#[derive(Debug, Clone)]
pub struct BaseUrl {
    /// The provider's name.
    pub provider: String,
    /// Where all that is meant for it goes.
    pub origin: Origin,
}

/// Reads `--base-url kie=http://127.0.0.1:9000`.
pub fn base_url(text: &str) -> Result<BaseUrl, String> {
    let (provider, origin) = text.split_once('=').ok_or_else(|| format!("`{text}` is not like `kie=http://127.0.0.1:9000`"))?;
    Ok(BaseUrl { provider: provider.to_owned(), origin: origin.parse()? })
}

/// Whether the rehearsal is meant.
#[derive(Debug, Clone, Copy, Args)]
pub struct StageArgs {
    /// The rehearsal instead of the real thing; it has its own ledger and its own tree
    #[arg(long)]
    pub rehearse: bool,
}

/// Reads `--cap 500` and `--cap "USD 12.50"`.
pub fn money(text: &str) -> Result<MoneySpec, String> {
    let amount = serde_yaml::Value::String(text.to_owned());
    serde_yaml::from_value(amount).map_err(|error| error.to_string())
}
