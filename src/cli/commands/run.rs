//! `callsheet run`: make what is left to make, buy each shot exactly once.
//!
//! ```text
//! open ─▶ standing ─▶ nothing to do? say so ─▶ gates ─▶ ask ─▶ lock ─▶ engine ─▶ tree and reports ─▶ summary
//! ```

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::plan::{notes, tell_warnings, view};
use crate::cli::args::{self, BaseUrl, CampaignArgs, SelectionArgs};
use crate::cli::context::{self, Opened};
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::memory::Memory;
use crate::cli::performance::{self, Loudness, Performance};
use crate::cli::publish::{Material, Shelf};
use crate::cli::standing::{self, Standing};
use crate::cli::workspace::{Stage, Workspace};
use crate::cli::{console, seller};
use crate::engine::{JobOutcome, OnDoubt, RunOutcome, StopReason};
use crate::ledger::WorkspaceLock;
use crate::plan::JobIx;
use crate::pricing::Quotes;
use crate::provider::Provider;
use crate::provider::sim::SimOptions;
use crate::report::{RunView, plan_table, run_summary};
use crate::spec::MoneySpec;
use crate::types::diagnostic::counted;
use crate::types::{RunId, SystemClock};

/// Make what is left to make; each shot is bought exactly once
///
/// Shots that are done are reused; a run that was interrupted is taken up where it stopped. Nothing is sent when even one try for
/// each shot is over a cap, or when a shot has no price. Ctrl-C once: no new shots, what is paid is finished; twice: leave at once,
/// nothing that is paid is lost.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  callsheet run campaigns/spring-drop.yaml --rehearse
  callsheet run campaigns/spring-drop.yaml --rehearse --sim latency=2s,fail=0.05,seed=7
  callsheet run campaigns/spring-drop.yaml --profile draft --cap 260
  callsheet run campaigns/spring-drop.yaml --base-url kie=http://127.0.0.1:9000

Exit codes: 0 done · 2 usage · 3 mistakes in files · 4 over budget or unpriced · 5 some shots failed · 7 an outcome is in doubt
· 8 account refused · 9 another run holds the workspace · 130 interrupted")]
pub struct RunArgs {
    #[command(flatten)]
    asked: CampaignArgs,
    #[command(flatten)]
    selected: SelectionArgs,
    /// Draw the pictures instead of buying them: no key, no network, no money; all else is as in a real run
    #[arg(long)]
    rehearse: bool,
    /// How the rehearsal behaves: latency, fail, throttle, refuse, refund, lose, corrupt, size, seed
    #[arg(long, value_name = "KEY=VALUE,...", requires = "rehearse")]
    sim: Option<SimOptions>,
    /// The most that the campaign may ever cost, instead of its own cap: credits, or "USD 12.50"
    #[arg(long, value_name = "AMOUNT", value_parser = args::money)]
    cap: Option<MoneySpec>,
    /// Send all that is meant for a provider to another address: a gateway, a server of your own; no key goes to the provider's own
    #[arg(long, value_name = "PROVIDER=URL", value_parser = args::base_url, conflicts_with = "rehearse")]
    base_url: Vec<BaseUrl>,
    /// Shots under way at once, within the provider's own limits
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    concurrency: Option<u32>,
    /// What to do with a try whose outcome nobody knows
    #[arg(long, value_enum, default_value_t = Doubt::Hold)]
    on_doubt: Doubt,
    /// Where to write, instead of `out/<campaign>` or `rehearsal/<campaign>`
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Do not ask before money is spent
    #[arg(long, short)]
    yes: bool,
    /// Start no new shots after the first failure
    #[arg(long)]
    fail_fast: bool,
    /// Print events as JSON lines on stdout
    #[arg(long)]
    json: bool,
    /// Tell only failures and the end
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Doubt {
    /// Count it as spent, never send it again.
    Hold,
    /// Count it as spent and buy again.
    Resend,
}

/// Runs a campaign, for money or as a rehearsal.
pub fn run(args: &RunArgs) -> Outcome<Exit> {
    let opened = context::open(&args.asked, args.cap.as_ref())?;
    let stage = Stage::of(args.rehearse);
    let workspace = Workspace::find(stage)?;
    let mut memory = Memory::of(&workspace)?;
    let on_doubt = match args.on_doubt {
        Doubt::Hold => OnDoubt::Hold,
        Doubt::Resend => OnDoubt::Resend,
    };
    let mut standing = standing::standing(&opened, &memory, &args.selected, on_doubt)?;
    let shelf = Shelf::of(&workspace, &opened.campaign.name, args.out.as_deref());
    if !args.quiet {
        tell_warnings(&opened);
    }

    if standing.work.is_done() {
        return nothing_to_do(args, &opened, &memory, &standing, &shelf);
    }
    if !args.quiet {
        tell_plan(&opened, &memory, &standing, stage)?;
    }
    gates(&standing, stage)?;
    let mut seller: Option<Arc<dyn Provider>> = None;
    if stage == Stage::Real {
        seller = Some(Arc::new(seller::connect(&opened, &args.base_url)?));
        let question = format!("spend up to {}; go on?", standing.estimate.book.amount(standing.estimate.totals.ceiling.micros));
        if !args.yes && console::can_ask() && !console::agrees(&question) {
            console::talk("nothing was sent");
            return Ok(Exit::Done);
        }
    }

    let name = workspace.make()?;
    let lock = WorkspaceLock::acquire(workspace.home(), &format!("run {}", opened.campaign.name), &SystemClock)?;
    memory = Memory::of(&workspace)?;
    if memory.last_seq()? != standing.seq {
        // Another run was faster: what was shown is no longer what is to do.
        console::talk("another run has worked here meanwhile; planned again");
        standing = standing::standing(&opened, &memory, &args.selected, on_doubt)?;
        gates(&standing, stage)?;
    }
    let performance = Performance {
        opened: &opened,
        standing: &standing,
        workspace: &workspace,
        workspace_name: &name,
        seller,
        sim: args.sim.clone().unwrap_or_default(),
        concurrency: args.concurrency.map_or(opened.campaign.run.concurrency, |number| number as usize),
        on_doubt,
        fail_fast: args.fail_fast,
        loudness: Loudness { json: args.json, quiet: args.quiet },
    };
    let (run, outcome) = performance::perform(&performance)?;
    if outcome.stopped == Some(StopReason::Cancelled) && outcome.stats.running > 0 {
        // The user asked twice: leave, and let the next run write the tree.
        console::talk("left at once; what is paid is in the ledger, the next run takes it up");
        return Ok(Exit::Interrupted);
    }
    close(args, &opened, &workspace, &standing, &shelf, run, &outcome)?;
    drop(lock);
    Ok(exit(&outcome))
}

/// Says that nothing is left, and makes sure that the tree shows it.
fn nothing_to_do(args: &RunArgs, opened: &Opened, memory: &Memory, standing: &Standing, shelf: &Shelf) -> Outcome<Exit> {
    let doubts = standing.estimate.in_doubt.count;
    if memory.is_there() && !shelf.is_current(opened, standing.seq) {
        let material = Material::read(opened, memory, Stage::of(args.rehearse))?;
        let report = material.report(opened, &standing.quotes, material.last_run())?;
        let done = shelf.write(opened, &material, &report)?;
        console::talk(&format!("{}: {} written, {} removed", shelf.shown(), counted(done.written, "file"), done.removed));
    }
    let reused = standing.estimate.totals.counts.reused;
    if doubts > 0 {
        console::talk(&format!(
            "nothing to do: {} done, {} in doubt and held: {}",
            counted(reused, "shot"),
            doubts,
            standing.estimate.in_doubt.listed()
        ));
        return Ok(Exit::InDoubt);
    }
    if !args.quiet {
        console::talk(&format!("nothing to do: {} done, nothing spent; see {}/index.html", counted(reused, "shot"), shelf.shown()));
    }
    Ok(Exit::Done)
}

fn tell_plan(opened: &Opened, memory: &Memory, standing: &Standing, stage: Stage) -> Outcome<()> {
    let changes = standing::changes(opened, memory, &standing.work)?;
    let notes = notes(opened, stage);
    let width = console::width().unwrap_or(120);
    console::talk(&plan_table(&view(opened, standing, &changes, &notes), width, true));
    Ok(())
}

fn gates(standing: &Standing, stage: Stage) -> Outcome<()> {
    if standing.verdict.is_open() { Ok(()) } else { Err(CliError::Refused(standing.verdict.refusals.clone(), stage)) }
}

/// Writes tree and reports and says what has become of everything.
fn close(
    args: &RunArgs,
    opened: &Opened,
    workspace: &Workspace,
    standing: &Standing,
    shelf: &Shelf,
    run: RunId,
    outcome: &RunOutcome,
) -> Outcome<()> {
    let memory = Memory::of(workspace)?;
    let material = Material::read(opened, &memory, workspace.stage())?;
    let quotes: &Quotes = &standing.quotes;
    let report = material.report(opened, quotes, Some(run))?;
    shelf.write(opened, &material, &report)?;
    let local_failures = local_failures(outcome);
    let file = words_for_next(args);
    let out = shelf.shown();
    let view = RunView {
        report: &report,
        estimate: &standing.estimate,
        local_failures: &local_failures,
        is_cut_short: outcome.stopped.is_some(),
        out: &out,
        campaign_file: &file,
    };
    if !args.quiet {
        console::talk("");
    }
    console::talk(run_summary(&view, console::width().unwrap_or(120), true).trim_end());
    Ok(())
}

/// Returns what follows `callsheet run` when the same run is wanted again.
fn words_for_next(args: &RunArgs) -> String {
    let CampaignArgs { campaign, profile, provider, prices } = &args.asked;
    let mut words = campaign.display().to_string();
    for (flag, value) in [("--profile", profile), ("--provider", provider), ("--prices", prices)] {
        if let Some(value) = value {
            words.push_str(&format!(" {flag} {value}"));
        }
    }
    for other in &args.base_url {
        words.push_str(&format!(" --base-url {}={}", other.provider, other.origin));
    }
    if args.rehearse {
        words.push_str(" --rehearse");
    }
    words
}

/// Returns the shots whose local work failed; the ledger keeps failures of paid tries only.
fn local_failures(outcome: &RunOutcome) -> Vec<(JobIx, String)> {
    let failed = (0u32..).map(JobIx).zip(&outcome.jobs).filter_map(|(ix, job)| match job {
        JobOutcome::Failed { attempt: None, failure } => Some((ix, format!("{}: {}", failure.code, failure.message))),
        _ => None,
    });
    failed.collect()
}

/// Returns how a run ended, the gravest first.
fn exit(outcome: &RunOutcome) -> Exit {
    match &outcome.stopped {
        Some(StopReason::Cancelled) => return Exit::Interrupted,
        Some(StopReason::Account(_)) => return Exit::Account,
        Some(StopReason::OverCap { .. } | StopReason::Failures(_)) | None => {}
    }
    let is = |wanted: fn(&JobOutcome) -> bool| outcome.jobs.iter().any(wanted);
    if is(|job| matches!(job, JobOutcome::InDoubt { .. })) {
        return Exit::InDoubt;
    }
    if let Some(StopReason::OverCap { .. }) = &outcome.stopped {
        return Exit::OverCap;
    }
    if is(|job| matches!(job, JobOutcome::Failed { .. } | JobOutcome::Skipped { .. } | JobOutcome::Undone(_))) {
        return Exit::SomeFailed;
    }
    Exit::Done
}
