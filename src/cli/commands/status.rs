//! `callsheet status`: where a campaign stands.

use clap::Args;

use super::plan::tell_warnings;
use super::report::known;
use crate::cli::args::{CampaignArgs, StageArgs};
use crate::cli::error::Outcome;
use crate::cli::exit::Exit;
use crate::cli::memory::Memory;
use crate::cli::picking::{self, Manner};
use crate::cli::publish::Material;
use crate::cli::workspace::{Stage, Workspace};
use crate::cli::{console, context};
use crate::plan::Selection;
use crate::pricing::quotes;
use crate::report;

/// Show where a campaign stands: shots by step, money, failures, doubts
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  callsheet status campaigns/spring-drop.yaml --rehearse")]
pub struct StatusArgs {
    #[command(flatten)]
    asked: CampaignArgs,
    #[command(flatten)]
    stage: StageArgs,
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
    let quotes = quotes(&opened.plan, &opened.catalog);
    // A profile that ends at a step asks for no shot behind it.
    let until: Vec<String> = opened.campaign.until.iter().map(|step| step.to_string()).collect();
    let asked = Selection::new(&opened.plan, &[], &until)?;
    let report = material.report(&opened, &quotes, None)?.narrowed(|ix| asked.includes(ix));
    console::data(&report::status(&report, console::width().unwrap_or(120), true))?;
    if report.steps.iter().any(|step| step.in_doubt > 0) {
        console::talk(&format!("{} settles what is in doubt", super::reconcile::command(&args.asked, workspace.stage())));
    }
    if report.shots.contains(&report::Shot::ToPick) {
        console::talk(&format!("{} shows what there is to choose from", super::run::review(&args.asked, workspace.stage())));
    }
    Ok(Exit::Done)
}
