//! `callsheet report`: what a campaign has cost and made so far, once more, from plan and ledger: as the output folder, or as one text.

mod comment;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::cli::args::{CampaignArgs, StageArgs};
use crate::cli::context::Opened;
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::memory::Memory;
use crate::cli::picking::{self, Manner};
use crate::cli::publish::{Material, Shelf};
use crate::cli::words::typed;
use crate::cli::workspace::{Stage, Workspace};
use crate::cli::{console, context};
use crate::pricing::quotes;
use crate::report::junit::{annotations, junit};
use crate::report::{FocusError, FocusNames, ReportWriter, RunReport, costs_csv, costs_table, focus_csv, report_json, summary_md};
use crate::types::diagnostic::counted;

/// Tell what a campaign has cost and made so far; write its output folder again
///
/// Without `--format` the pictures' folder and all files in it are written again from the plan and the ledger. With it one text is
/// printed, or written to `--out`: a table for people, JSON for programs, costs.csv, summary.md, charges for finance in the columns of
/// FOCUS 1.2, a test report or notes for a CI.
///
/// `--format comment` is for a pull request after the run: what has changed since `--base`, what it cost, and small pictures of the
/// changed shots before and after. They are written as files, for a place that the pull request may show them from.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  callsheet report campaigns/spring-drop.yaml --rehearse
  callsheet report campaigns/spring-drop.yaml --rehearse --format table
  callsheet report campaigns/spring-drop.yaml --format junit --out junit.xml
  callsheet report campaigns/spring-drop.yaml --format focus \\
      --out spring-drop.focus.csv --billing-account 4711
  callsheet report campaigns/spring-drop.yaml --format comment --base main \\
      --pictures-url 'https://github.com/OWNER/REPO/blob/BRANCH/{{ path }}?raw=true'")]
pub struct ReportArgs {
    #[command(flatten)]
    asked: CampaignArgs,
    #[command(flatten)]
    stage: StageArgs,
    /// Print one text instead of writing the folder
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Where to write: the folder, instead of `out/<campaign>` or `rehearsal/<campaign>`; with `--format` the file
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// The provider's number of the account that is billed, for `--format focus`; its name is the default
    #[arg(long, value_name = "ID", requires = "format")]
    billing_account: Option<String>,
    /// For `--format comment`, with what to compare: a git revision, another campaign file, or a saved plan (`.json`)
    #[arg(long, value_name = "REV|FILE")]
    base: Option<String>,
    /// For `--format comment`, the `.callsheet` folder in which the base was run, if it is another than this workspace's
    #[arg(long, value_name = "DIR")]
    base_home: Option<PathBuf>,
    /// For `--format comment`, where its small pictures go, instead of `comment/` in the output folder
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    /// For `--format comment`, where its small pictures will be found on the web: `https://…/{{ path }}`
    #[arg(long, value_name = "TEMPLATE")]
    pictures_url: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: money by step and model.
    Table,
    /// For programs.
    Json,
    /// One row a paid try: costs.csv.
    Csv,
    /// One page for a pull request or a CI job: summary.md.
    Markdown,
    /// One row a charge for finance: FOCUS 1.2.
    Focus,
    /// A test report for a CI: JUnit XML, one case a shot.
    Junit,
    /// Notes on the page of a GitHub job: workflow commands.
    Github,
    /// A comment on a pull request, with pictures before and after; needs `--base`.
    Comment,
}

/// Writes the reports again and prints where, or prints one of them.
pub fn report(args: &ReportArgs) -> Outcome<Exit> {
    comment::fits(args, args.format == Some(Format::Comment))?;
    let mut opened = context::open(&args.asked, None)?;
    let workspace = Workspace::find(Stage::of(args.stage.rehearse))?;
    let memory = Memory::of(&workspace)?;
    known(&memory, &workspace, &args.asked)?;
    picking::settle(&mut opened, &workspace, &memory, Manner::Lenient)?;
    let material = Material::read(&opened, &memory, workspace.stage())?;
    let quotes = quotes(&opened.plan, &opened.catalog);
    let report = material.report(&opened, &quotes, material.last_run())?;
    let Some(format) = args.format else {
        let shelf = Shelf::of(&workspace, &opened.campaign.name, args.out.as_deref());
        let done = shelf.write(&opened, &material, &report)?;
        console::talk(&format!("{} written, {} right already, {} removed", done.written, done.kept, done.removed));
        console::data(&format!("{}\n", shelf.shown()))?;
        return Ok(Exit::Done);
    };
    let text = text(args, format, (&opened, &workspace, &memory), &report)?;
    match &args.out {
        Some(out) => {
            write(out, &text)?;
            console::talk(&format!("{} written", out.display()));
        }
        None if format == Format::Table => console::data(&text)?,
        None => console::document(&text)?,
    }
    Ok(Exit::Done)
}

fn text(args: &ReportArgs, format: Format, (opened, workspace, memory): (&Opened, &Workspace, &Memory), report: &RunReport<'_>) -> Outcome<String> {
    let mut bytes = Vec::new();
    match format {
        Format::Table => {
            let (width, color) = if args.out.is_some() { (120, false) } else { (console::width().unwrap_or(120), true) };
            return Ok(costs_table(report, width, color)?);
        }
        Format::Json => return Ok(format!("{:#}\n", report_json(report)?)),
        Format::Csv => costs_csv::CostsCsv.write(report, &mut bytes)?,
        Format::Markdown => summary_md::SummaryMd.write(report, &mut bytes)?,
        Format::Focus => focus(args, opened, report, &mut bytes)?,
        Format::Junit => return Ok(junit(report)?),
        Format::Comment => return comment::comment(args, opened, workspace, memory, report),
        Format::Github => return Ok(annotations(report, &args.asked.campaign.display().to_string())),
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn focus(args: &ReportArgs, opened: &Opened, report: &RunReport<'_>, to: &mut Vec<u8>) -> Outcome<()> {
    let provider = opened.manifest.as_ref().map(|manifest| (&*manifest.id, &*manifest.title));
    let names = FocusNames { account: args.billing_account.as_deref(), provider };
    let done = focus_csv(report, names, to).map_err(|error| match error {
        FocusError::NoRate { .. } => {
            let help = "name a book that states `usd-per-credit` with `--prices`; `--format csv` tells the charges in credits";
            CliError::usage(error.to_string(), help)
        }
        FocusError::Report(error) => error.into(),
    })?;
    if report.is_rehearsal {
        console::warning("these are charges of a rehearsal: nobody was billed; every row says so in `x_Rehearsal`");
    }
    if done.unknown > 0 {
        let verb = if done.unknown == 1 { "try is" } else { "tries are" };
        console::warning(&format!("{} {verb} left out: nobody knows yet what they cost", done.unknown));
    }
    console::talk(&format!("{} of use, FOCUS 1.2", counted(done.rows, "row")));
    Ok(())
}

fn write(path: &Path, text: &str) -> Outcome<()> {
    if path.is_dir() {
        return Err(CliError::usage(format!("`{}` is a folder", path.display()), "with `--format`, `--out` names a file"));
    }
    std::fs::write(path, text).map_err(|error| CliError::io("cannot write", path, error))
}

/// Returns an error if nothing ever ran here.
pub fn known(memory: &Memory, workspace: &Workspace, asked: &CampaignArgs) -> Outcome<()> {
    if memory.is_there() {
        return Ok(());
    }
    let stage = workspace.stage();
    let what = if stage == Stage::Rehearsal { "rehearsed" } else { "run" };
    let run = format!("callsheet run {}", typed(&asked.campaign));
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
