//! `callsheet graph`: the steps as a drawing.

use clap::{Args, ValueEnum};

use crate::cli::args::{CampaignArgs, SelectionArgs, StageArgs};
use crate::cli::error::Outcome;
use crate::cli::exit::Exit;
use crate::cli::memory::Memory;
use crate::cli::picking::{self, Manner};
use crate::cli::publish::Material;
use crate::cli::standing::{selection, standing};
use crate::cli::workspace::{Stage, Workspace};
use crate::cli::{console, context};
use crate::engine::OnDoubt;
use crate::report::graph::{Drawing, dot, mermaid, svg};

/// Draw the steps of a campaign: shots, prices and, once something has run, what is done
///
/// One box a step, however many shots it has: paid ones with square corners, local and free ones round, choices of a person dashed or with
/// six corners. The SVG reads on light and on dark pages.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  callsheet graph campaigns/spring-drop.yaml      for ```mermaid in Markdown
  callsheet graph campaigns/spring-drop.yaml --format svg > steps.svg
  callsheet graph campaigns/spring-drop.yaml --rehearse --format svg > rehearsed.svg
  callsheet graph campaigns/spring-drop.yaml --format dot | dot -Tpdf > steps.pdf")]
pub struct GraphArgs {
    #[command(flatten)]
    asked: CampaignArgs,
    #[command(flatten)]
    stage: StageArgs,
    /// How to draw it
    #[arg(long, value_enum, default_value_t = Format::Mermaid)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For Markdown pages.
    Mermaid,
    /// For Graphviz.
    Dot,
    /// A picture.
    Svg,
}

/// Draws the steps.
pub fn graph(args: &GraphArgs) -> Outcome<Exit> {
    let mut opened = context::open(&args.asked, None)?;
    let workspace = Workspace::find(Stage::of(args.stage.rehearse))?;
    let memory = Memory::of(&workspace)?;
    picking::settle(&mut opened, &workspace, &memory, Manner::Lenient)?;
    let everything = SelectionArgs { only: Vec::new(), until: Vec::new() };
    let standing = standing(&opened, &memory, &everything, OnDoubt::Hold)?;
    let asked = selection(&opened.campaign, &opened.plan, &everything)?;
    let material = Material::read(&opened, &memory, workspace.stage())?;
    let report = material.report(&opened, &standing.quotes, None)?.narrowed(|ix| asked.includes(ix));
    // Before anything has run `0 of 24 done` in each box would say nothing.
    let has_run = report.done().0 > 0 || !report.rows.is_empty();
    let drawing = Drawing::new(&opened.plan, &standing.estimate, has_run.then_some(&report.steps));
    console::data(&match args.format {
        Format::Mermaid => mermaid(&drawing),
        Format::Dot => dot(&drawing),
        Format::Svg => svg(&drawing),
    })?;
    Ok(Exit::Done)
}
