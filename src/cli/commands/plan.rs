//! `callsheet plan`: what there is to do and what it will cost.

use clap::{Args, ValueEnum};

use crate::cli::args::{CampaignArgs, SelectionArgs, StageArgs};
use crate::cli::context::{self, Opened};
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::forecast::{self, Forecast, Form, Supposed};
use crate::cli::memory::Memory;
use crate::cli::standing::{self, Standing};
use crate::cli::workspace::{Stage, Workspace};
use crate::cli::{console, diagnostics};
use crate::engine::OnDoubt;
use crate::report::{Change, PlanView, plan_csv, plan_json, plan_markdown, plan_table};

/// Say what a campaign makes and what it will cost, before anything is spent
///
/// Per step: shots, new, changed and reused ones, price of one try, floor, expected, ceiling. The floor is every outstanding shot
/// once; expected is the floor times the campaign's iteration factor; the ceiling is the most that one run can spend. Needs no key
/// and no network, and leaves nothing behind.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  callsheet plan campaigns/spring-drop.yaml
  callsheet plan campaigns/spring-drop.yaml --prices kie --only surface[surface=oak]
  callsheet plan campaigns/spring-drop.yaml --prices kie,openai,gptimage2-flat
  callsheet plan campaigns/spring-drop.yaml --what-if sku=40 --what-if iteration=1.8
  callsheet plan campaigns/spring-drop.yaml --format json --detailed-exit-code")]
pub struct PlanArgs {
    #[command(flatten)]
    asked: CampaignArgs,
    #[command(flatten)]
    selected: SelectionArgs,
    #[command(flatten)]
    stage: StageArgs,
    /// What it would cost if an axis had N values, or at another iteration factor: `sku=40`, `iteration=1.8`; can be repeated
    #[arg(long, value_name = "AXIS=N")]
    what_if: Vec<Supposed>,
    /// Let shots without a price pass; they are in no total, and no cap guards them
    #[arg(long)]
    allow_unpriced: bool,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// End with exit code 10 when there is something to do
    #[arg(long)]
    detailed_exit_code: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// One row a step, for spreadsheets.
    Csv,
    /// For a pull request.
    Markdown,
}

/// Plans a campaign and prints it.
pub fn plan(args: &PlanArgs) -> Outcome<Exit> {
    let books = forecast::several(args.asked.prices.as_deref());
    let opened = open(args, books.as_deref())?;
    let workspace = Workspace::find(Stage::of(args.stage.rehearse))?;
    let memory = Memory::of(&workspace)?;
    let standing = standing::standing(&opened, &memory, &args.selected, OnDoubt::Hold)?.allowing_unpriced(&opened, args.allow_unpriced);
    if books.is_some() || !args.what_if.is_empty() {
        return foretell(args, &opened, &memory, &standing, books.as_deref(), workspace.stage());
    }
    let changes = standing::changes(&opened, &memory, &standing.work)?;
    tell_warnings(&opened);
    let notes = notes(&opened, workspace.stage());
    let view = view(&opened, &standing, &changes, &notes);
    console::data(&match args.format {
        Format::Table => plan_table(&view, console::width().unwrap_or(120), true),
        Format::Json => format!("{:#}\n", plan_json(&view)),
        Format::Csv => plan_csv(&view)?,
        Format::Markdown => plan_markdown(&view),
    })?;
    Ok(exit(args, &standing))
}

fn exit(args: &PlanArgs, standing: &Standing) -> Exit {
    if args.detailed_exit_code && !standing.work.is_done() { Exit::HasWork } else { Exit::Done }
}

/// Opens the campaign. What is made does not depend on prices: on several books it is planned on its own, or else on the first.
fn open(args: &PlanArgs, books: Option<&[String]>) -> Outcome<Opened> {
    let Some(books) = books else { return context::open(&args.asked, None) };
    match context::open(&CampaignArgs { prices: None, ..args.asked.clone() }, None) {
        Err(CliError::Mistakes(found)) if found.0.iter().any(|finding| finding.code.0 == "no-prices") => {
            context::open(&CampaignArgs { prices: books.first().cloned(), ..args.asked.clone() }, None)
        }
        other => other,
    }
}

/// Prints the plan on several books, or as it would be.
fn foretell(args: &PlanArgs, opened: &Opened, memory: &Memory, standing: &Standing, books: Option<&[String]>, stage: Stage) -> Outcome<Exit> {
    tell_warnings(opened);
    let notes = notes(opened, stage);
    let (supposed, allow_unpriced) = (&args.what_if[..], args.allow_unpriced);
    let forecast = Forecast { opened, memory, standing, supposed, allow_unpriced, notes: &notes, form: args.format.into() };
    match books {
        Some(books) => forecast.side_by_side(books)?,
        None => forecast.supposed()?,
    }
    Ok(exit(args, standing))
}

impl From<Format> for Form {
    fn from(format: Format) -> Self {
        match format {
            Format::Table => Self::Table,
            Format::Json => Self::Json,
            Format::Csv => Self::Csv,
            Format::Markdown => Self::Markdown,
        }
    }
}

/// Shows what should be said of the campaign's files but forbids nothing.
pub fn tell_warnings(opened: &Opened) {
    if !opened.warnings.is_empty() {
        console::talk(&diagnostics::render(&opened.warnings, &opened.sources, true, console::width()));
    }
}

/// Brings together what the views of a plan show.
pub fn view<'a>(opened: &'a Opened, standing: &'a Standing, changed: &'a [Change], notes: &'a [String]) -> PlanView<'a> {
    PlanView {
        campaign: &opened.campaign.name,
        provider: opened.manifest.as_ref().map(|manifest| &*manifest.id),
        profile: opened.campaign.profile.as_deref(),
        estimate: &standing.estimate,
        verdict: &standing.verdict,
        changed,
        notes,
    }
}

/// Returns what else should be known of a plan.
pub fn notes(opened: &Opened, stage: Stage) -> Vec<String> {
    let mut notes = Vec::new();
    if stage == Stage::Rehearsal {
        notes.push("this is the rehearsal's plan: its amounts are played, nothing is spent".to_owned());
    }
    if opened.manifest.is_none() && stage == Stage::Real {
        notes.push("the campaign names no provider: it can be planned and rehearsed, not run".to_owned());
    }
    if let Some(step) = &opened.campaign.until {
        notes.push(format!("the profile makes everything up to step `{step}`"));
    }
    notes
}
