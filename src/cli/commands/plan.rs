//! `callsheet plan`: what there is to do and what it will cost.

use clap::{Args, ValueEnum};

use crate::cli::args::{CampaignArgs, SelectionArgs, StageArgs};
use crate::cli::context::{self, Opened};
use crate::cli::error::Outcome;
use crate::cli::exit::Exit;
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
  callsheet plan campaigns/spring-drop.yaml --format json --detailed-exit-code")]
pub struct PlanArgs {
    #[command(flatten)]
    asked: CampaignArgs,
    #[command(flatten)]
    selected: SelectionArgs,
    #[command(flatten)]
    stage: StageArgs,
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
    let opened = context::open(&args.asked, None)?;
    let workspace = Workspace::find(Stage::of(args.stage.rehearse))?;
    let memory = Memory::of(&workspace)?;
    let standing = standing::standing(&opened, &memory, &args.selected, OnDoubt::Hold)?.allowing_unpriced(&opened, args.allow_unpriced);
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
    Ok(if args.detailed_exit_code && !standing.work.is_done() { Exit::HasWork } else { Exit::Done })
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
