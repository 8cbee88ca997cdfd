//! `callsheet status`: where a campaign stands.

use clap::Args;

use super::plan::tell_warnings;
use super::report::known;
use crate::cli::args::{CampaignArgs, SelectionArgs, StageArgs};
use crate::cli::error::Outcome;
use crate::cli::exit::Exit;
use crate::cli::memory::Memory;
use crate::cli::picking::{self, Manner};
use crate::cli::publish::Material;
use crate::cli::workspace::{Stage, Workspace, shown};
use crate::cli::{console, context, standing};
use crate::engine::OnDoubt;
use crate::ledger::AttemptRow;
use crate::pricing::Whole;
use crate::report::{self, Ahead, CampaignStatus, ReportError, RunView, StatusView};

/// Show where a campaign stands: shots by step, money beside the estimate, failures, doubts, what to type next
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  callsheet status campaigns/spring-drop.yaml --rehearse
  callsheet status campaigns/spring-drop.yaml --json
                            the same for programs: `schema status` describes it")]
pub struct StatusArgs {
    #[command(flatten)]
    asked: CampaignArgs,
    #[command(flatten)]
    stage: StageArgs,
    /// Print the same as JSON, with every doubt and what would settle it
    #[arg(long)]
    json: bool,
}

/// Prints where a campaign stands.
pub fn status(args: &StatusArgs) -> Outcome<Exit> {
    let mut opened = context::open(&args.asked, None)?;
    let workspace = Workspace::find(Stage::of(args.stage.rehearse))?;
    let memory = Memory::of(&workspace)?;
    known(&memory, &workspace, &args.asked)?;
    picking::settle(&mut opened, &workspace, &memory, Manner::Lenient)?;
    tell_warnings(&opened);
    let material = Material::read(&opened, &memory, workspace.stage())?;
    let everything = SelectionArgs { only: Vec::new(), until: Vec::new() };
    let standing = standing::standing(&opened, &memory, &everything, OnDoubt::Hold)?;
    // A profile that ends at a step asks for no shot behind it.
    let asked = standing::selection(&opened.campaign, &opened.plan, &everything)?;
    let report = material.report(&opened, &standing.quotes, None)?.narrowed(|ix| asked.includes(ix));
    let settle = super::reconcile::command(&args.asked, workspace.stage());
    let words = settle.trim_start_matches("callsheet reconcile ").to_owned();
    let view = RunView {
        report: &report,
        estimate: &standing.estimate,
        local_failures: &[],
        stopped: None,
        out: &shown(&workspace.output(&opened.campaign.name, None)),
        campaign_file: &words,
        settle: &settle,
        batches: &[],
        review: &super::run::review(&args.asked, workspace.stage()),
    };
    let whole = Whole::of(&opened.plan, &standing.quotes, &asked, standing.factor(), opened.campaign.run.attempts)?;
    let ahead = Ahead { view, whole, verdict: &standing.verdict };
    if !args.json {
        console::data(&report::status(&report, Some(&ahead), console::width().unwrap_or(120), true))?;
        return Ok(Exit::Done);
    }
    let ways = |row: &AttemptRow| super::reconcile::ways(&opened, &args.asked, workspace.stage(), &words, row);
    let told = CampaignStatus::of(&StatusView { ahead: &ahead, profile: opened.campaign.profile.as_deref(), ways: &ways })?;
    let json = serde_json::to_value(&told).map_err(|source| ReportError::Json { file: "status", source })?;
    console::document(&format!("{json:#}\n"))?;
    Ok(Exit::Done)
}
