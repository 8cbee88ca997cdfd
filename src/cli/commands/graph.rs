//! `callsheet graph`: the steps as a drawing.

use clap::{Args, ValueEnum};

use crate::cli::args::{CampaignArgs, SelectionArgs};
use crate::cli::error::Outcome;
use crate::cli::exit::Exit;
use crate::cli::memory::Memory;
use crate::cli::picking::{self, Manner};
use crate::cli::standing::standing;
use crate::cli::workspace::{Stage, Workspace};
use crate::cli::{console, context};
use crate::engine::OnDoubt;
use crate::report::graph::{dot, mermaid, svg};

/// Draw the steps of a campaign with their shots and prices
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  callsheet graph campaigns/spring-drop.yaml                      for Markdown
  callsheet graph campaigns/spring-drop.yaml --format svg > steps.svg")]
pub struct GraphArgs {
    #[command(flatten)]
    asked: CampaignArgs,
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
    let workspace = Workspace::find(Stage::Real)?;
    let memory = Memory::of(&workspace)?;
    picking::settle(&mut opened, &workspace, &memory, Manner::Lenient)?;
    let everything = SelectionArgs { only: Vec::new(), until: Vec::new() };
    let standing = standing(&opened, &memory, &everything, OnDoubt::Hold)?;
    let estimate = Some(&standing.estimate);
    console::data(&match args.format {
        Format::Mermaid => mermaid(&opened.plan, estimate),
        Format::Dot => dot(&opened.plan, estimate),
        Format::Svg => svg(&opened.plan, estimate),
    })?;
    Ok(Exit::Done)
}
