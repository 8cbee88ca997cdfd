//! `callsheet report`: the output folder and its reports, once more, from plan and ledger.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::{CampaignArgs, StageArgs};
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::memory::Memory;
use crate::cli::publish::{Material, Shelf};
use crate::cli::workspace::{Stage, Workspace};
use crate::cli::{console, context};
use crate::pricing::quotes;

/// Write the pictures' tree and the reports again, from the plan and the ledger
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  callsheet report campaigns/spring-drop.yaml --rehearse")]
pub struct ReportArgs {
    #[command(flatten)]
    asked: CampaignArgs,
    #[command(flatten)]
    stage: StageArgs,
    /// Where to write, instead of `out/<campaign>` or `rehearsal/<campaign>`
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Writes the reports again and prints where.
pub fn report(args: &ReportArgs) -> Outcome<Exit> {
    let opened = context::open(&args.asked, None)?;
    let workspace = Workspace::find(Stage::of(args.stage.rehearse))?;
    let memory = Memory::of(&workspace)?;
    known(&memory, &workspace, &args.asked)?;
    let material = Material::read(&opened, &memory, workspace.stage())?;
    let quotes = quotes(&opened.plan, &opened.catalog);
    let report = material.report(&opened, &quotes, material.last_run())?;
    let shelf = Shelf::of(&workspace, &opened.campaign.name, args.out.as_deref());
    let done = shelf.write(&opened, &material, &report)?;
    console::talk(&format!("{} written, {} right already, {} removed", done.written, done.kept, done.removed));
    console::data(&format!("{}\n", shelf.shown()))?;
    Ok(Exit::Done)
}

/// Returns an error if nothing ever ran here.
pub fn known(memory: &Memory, workspace: &Workspace, asked: &CampaignArgs) -> Outcome<()> {
    if memory.is_there() {
        return Ok(());
    }
    let stage = workspace.stage();
    let what = if stage == Stage::Rehearsal { "rehearsed" } else { "run" };
    let run = format!("callsheet run {}", asked.campaign.display());
    let help = match stage {
        Stage::Real if rehearsed()? => format!("there is a rehearsal: add `--rehearse`; or run it for real: {run}"),
        Stage::Real => format!("run it first: {run}, or {run} --rehearse"),
        Stage::Rehearsal => format!("rehearse it first: {run} --rehearse"),
    };
    Err(CliError::usage(format!("nothing was {what} here yet"), help))
}

/// Returns whether the workspace has seen a rehearsal.
fn rehearsed() -> Outcome<bool> {
    Ok(Workspace::find(Stage::Rehearsal)?.ledger().is_file())
}
