//! `callsheet run`: make what is left to make, buy each shot exactly once.
//!
//! ```text
//! open ─▶ standing ─▶ nothing to do? say so ─▶ gates ─▶ ask ─▶ lock ─▶ engine ─▶ tree and reports ─▶ summary
//! ```

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::plan::{notes, tell_warnings, view};
use crate::cli::args::{self, BaseUrl, CampaignArgs, SelectionArgs};
use crate::cli::cap_stop::cap_stop;
use crate::cli::console;
use crate::cli::context::{self, Opened};
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::memory::Memory;
use crate::cli::performance::{self, Loudness, Performance};
use crate::cli::publish::{Material, Shelf};
use crate::cli::saved::{Approved, Typed, Wanted};
use crate::cli::standing::{self, Standing};
use crate::cli::workspace::{Stage, Workspace};
use crate::engine::{JobOutcome, OnDoubt, RunOutcome, StopReason};
use crate::ledger::WorkspaceLock;
use crate::plan::{JobIx, Work};
use crate::pricing::{Quotes, Refusal, without_price};
use crate::provider::Provider;
use crate::provider::sim::SimOptions;
use crate::report::{RunView, Stopped, plan_table, run_summary};
use crate::spec::MoneySpec;
use crate::types::diagnostic::counted;
use crate::types::{RunId, SystemClock};

/// Make what is left to make; each shot is bought exactly once
///
/// Shots that are done are reused; a run that was interrupted is taken up where it stopped. Nothing is sent when even one try for
/// each shot is over a cap, or when a shot has no price. Ctrl-C once: no new shots, what is paid is finished; twice: leave at once,
/// nothing that is paid is lost.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  callsheet run campaigns/spring-drop.yaml --rehearse
  callsheet run campaigns/spring-drop.yaml --rehearse --sim latency=2s,fail=0.05,seed=7
  callsheet run campaigns/spring-drop.yaml --profile draft --cap 260
  callsheet run plan.json                        what `plan --out plan.json` saved, as it was saved or not at all
  callsheet run campaigns/spring-drop.yaml --base-url kie=http://127.0.0.1:9000

Exit codes: 0 done · 2 usage · 3 mistakes in files · 4 over budget, unpriced, or a plan that is stale or spent · 5 some shots failed · 7 an outcome is in doubt
· 8 account refused · 9 another run holds the workspace · 130 interrupted")]
pub struct RunArgs {
    #[command(flatten)]
    asked: CampaignArgs,
    #[command(flatten)]
    selected: SelectionArgs,
    /// Draw the pictures instead of buying them: no key, no network, no money; all else is as in a real run
    #[arg(long)]
    rehearse: bool,
    /// How the rehearsal behaves: latency, fail, throttle, refuse, refund, lose, corrupt, balance, size, seed
    #[arg(long, value_name = "KEY=VALUE,...")]
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
    /// What to do with a try whose outcome nobody knows; without it: hold
    #[arg(long, value_enum)]
    on_doubt: Option<Doubt>,
    /// Let shots without a price pass; they are in no total, and no cap guards them
    #[arg(long)]
    allow_unpriced: bool,
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

/// What `--on-doubt` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Doubt {
    /// Count it as spent, never send it again.
    Hold,
    /// Count it as spent and buy again.
    Resend,
}

impl Doubt {
    /// Returns the rule that holds when `said` was said, or nothing.
    pub fn rule(said: Option<Self>) -> OnDoubt {
        match said {
            Some(Self::Resend) => OnDoubt::Resend,
            Some(Self::Hold) | None => OnDoubt::Hold,
        }
    }
}

/// Returns the same arguments as if what a saved plan says had been typed.
fn as_approved(args: &RunArgs, approved: &Approved) -> Outcome<RunArgs> {
    let on_doubt = args.on_doubt.map(|said| Doubt::rule(Some(said)));
    let typed = Typed { asked: &args.asked, selected: &args.selected, cap: args.cap.as_ref(), rehearse: args.rehearse, on_doubt };
    let Wanted { asked, selected, cap, stage, on_doubt } = approved.wanted(&typed)?;
    let on_doubt = Some(if on_doubt == OnDoubt::Resend { Doubt::Resend } else { Doubt::Hold });
    Ok(RunArgs { asked, selected, cap, rehearse: stage == Stage::Rehearsal, on_doubt, ..args.clone() })
}

/// Runs a campaign, or a saved plan, for money or as a rehearsal.
pub fn run(args: &RunArgs) -> Outcome<Exit> {
    let approved = Approved::read(&args.asked.campaign)?;
    match &approved {
        Some(plan) => perform(&as_approved(args, plan)?, Some(plan)),
        None => perform(args, None),
    }
}

fn perform(args: &RunArgs, approved: Option<&Approved>) -> Outcome<Exit> {
    let stage = Stage::of(args.rehearse);
    if args.sim.is_some() && stage == Stage::Real {
        return Err(CliError::usage("`--sim` says how a rehearsal behaves, and this is no rehearsal", "add `--rehearse`".to_owned()));
    }
    let opened = context::open(&args.asked, args.cap.as_ref())?;
    let workspace = Workspace::find(stage)?;
    let mut memory = Memory::of(&workspace)?;
    let on_doubt = Doubt::rule(args.on_doubt);
    let mut standing = standing::standing(&opened, &memory, &args.selected, on_doubt)?.allowing_unpriced(&opened, args.allow_unpriced);
    if let Some(approved) = approved {
        approved.holds(&opened, &standing, &memory)?;
    }
    let shelf = Shelf::of(&workspace, &opened.campaign.name, args.out.as_deref());
    if !args.quiet {
        tell_warnings(&opened);
    }

    if standing.work.is_done() && !asks_again(&opened, &standing) {
        let exit = nothing_to_do(args, &opened, &workspace, &memory, &standing, &shelf)?;
        if let Some(approved) = approved {
            approved.end_done(&workspace, &memory)?;
        }
        return Ok(exit);
    }
    let sim = args.sim.clone().unwrap_or_default();
    let provider = performance::provider(&opened, &standing, stage, &sim, &args.base_url);
    let workers = performance::workers()?;
    let weigh = |standing: &mut Standing, provider: &dyn Provider| -> Outcome<()> {
        standing.weigh(performance::balance(&workers, provider, stage)?, opened.campaign.budget.warn_at);
        Ok(())
    };
    // Who has no key sees the plan all the same.
    if let Ok(provider) = &provider {
        weigh(&mut standing, &**provider)?;
    }
    if !args.quiet {
        tell_plan(&opened, &memory, &standing, stage)?;
    }
    gates(&standing, stage)?;
    let provider = provider?;
    if stage == Stage::Real && !args.yes && !agreed(&standing)? {
        console::talk("nothing was sent");
        return Ok(Exit::Done);
    }

    let name = workspace.make()?;
    let lock = WorkspaceLock::acquire(workspace.home(), &format!("run {}", opened.campaign.name), &SystemClock)?;
    memory = Memory::of(&workspace)?;
    if memory.last_seq()? != standing.seq {
        // Another run was faster: what was shown is no longer what is to do.
        console::talk("another run has worked here meanwhile; planned again");
        standing = standing::standing(&opened, &memory, &args.selected, on_doubt)?.allowing_unpriced(&opened, args.allow_unpriced);
        if let Some(approved) = approved {
            approved.holds(&opened, &standing, &memory)?;
        }
        weigh(&mut standing, &*provider)?;
        gates(&standing, stage)?;
    }
    let run = performance::run_id(&SystemClock);
    if let Some(approved) = approved {
        approved.begin(&workspace, &run)?;
    }
    let performance = Performance {
        opened: &opened,
        standing: &standing,
        workspace: &workspace,
        workspace_name: &name,
        provider,
        sim,
        concurrency: args.concurrency.map_or(opened.campaign.run.concurrency, |number| number as usize),
        on_doubt,
        fail_fast: args.fail_fast,
        allow_unpriced: args.allow_unpriced,
        loudness: Loudness { json: args.json, quiet: args.quiet },
        run: run.clone(),
        plan_cap: approved.map(|approved| approved.cap(&opened)),
    };
    let outcome = performance::perform(&performance, workers)?;
    if outcome.stopped == Some(StopReason::Cancelled) && outcome.stats.running > 0 {
        // The user asked twice: leave, and let the next run write the tree.
        console::talk("left at once; what is paid is in the ledger, the next run takes it up");
        return Ok(Exit::Interrupted);
    }
    let next = approved.and_then(|approved| approved.words_for_next(&outcome)).unwrap_or_else(|| words_for_next(args, args.cap.is_some()));
    close(args, &opened, &workspace, &standing, &shelf, run.clone(), &outcome, &next)?;
    if let Some(approved) = approved {
        approved.end(&workspace, &run, &outcome)?;
    }
    drop(lock);
    Ok(exit(&outcome))
}

/// Returns whether doubts can be settled by sending them again under their own keys, which the provider charges once.
fn asks_again(opened: &Opened, standing: &Standing) -> bool {
    opened.manifest.as_ref().is_some_and(|manifest| manifest.idempotency) && standing.work.count(|work| work == Work::InDoubt) > 0
}

/// Says that nothing is left, and makes sure that the tree shows it.
fn nothing_to_do(args: &RunArgs, opened: &Opened, workspace: &Workspace, memory: &Memory, standing: &Standing, shelf: &Shelf) -> Outcome<Exit> {
    let doubts = standing.estimate.in_doubt.count;
    if memory.is_there() && !shelf.is_current(opened, standing.seq) {
        // The run that did it all may still be writing there.
        let _lock = WorkspaceLock::acquire(workspace.home(), &format!("run {}", opened.campaign.name), &SystemClock)?;
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
    let mut notes = notes(opened, stage);
    notes.extend(standing.balance_words().filter(|_| standing.verdict.refusals.iter().all(|refusal| !matches!(refusal, Refusal::Balance { .. }))));
    let width = console::width().unwrap_or(120);
    console::talk(&plan_table(&view(opened, standing, &changes, &notes), width, true));
    Ok(())
}

/// Asks whether the money may be spent.
///
/// # Errors
/// When nobody is there to be asked: money is not spent because a script has no terminal.
fn agreed(standing: &Standing) -> Outcome<bool> {
    let estimate = &standing.estimate;
    let beyond = if estimate.unpriced.is_empty() { String::new() } else { format!("; {}", without_price(estimate.unpriced_jobs())) };
    let most = format!("spend up to {}{beyond}", estimate.book.amount(estimate.totals.ceiling.micros));
    if !console::can_ask() {
        let fact = format!("nothing was sent: this would {most}, and there is no terminal to ask on");
        return Err(CliError::usage(fact, "say `--yes` to spend it".to_owned()));
    }
    Ok(console::agrees(&format!("{most}; go on?")))
}

fn gates(standing: &Standing, stage: Stage) -> Outcome<()> {
    if standing.verdict.is_open() { Ok(()) } else { Err(CliError::Refused(standing.verdict.refusals.clone(), stage)) }
}

/// Writes tree and reports and says what has become of everything; `next` follows `callsheet run` to go on.
#[allow(clippy::too_many_arguments)]
fn close(
    args: &RunArgs,
    opened: &Opened,
    workspace: &Workspace,
    standing: &Standing,
    shelf: &Shelf,
    run: RunId,
    outcome: &RunOutcome,
    next: &str,
) -> Outcome<()> {
    let memory = Memory::of(workspace)?;
    let material = Material::read(opened, &memory, workspace.stage())?;
    let quotes: &Quotes = &standing.quotes;
    let gave_up = |ix: JobIx| matches!(outcome.jobs.get(ix.index()), Some(JobOutcome::Failed { .. }));
    let report = material.report(opened, quotes, Some(run))?.given_up(gave_up);
    shelf.write(opened, &material, &report)?;
    let report = report.narrowed(|ix| standing.work.work(ix) != Work::Excluded);
    let local_failures = local_failures(outcome);
    let out = shelf.shown();
    let stopped = match &outcome.stopped {
        None => None,
        Some(StopReason::Cancelled) => Some(Stopped::Interrupted),
        Some(StopReason::Failures(count)) => Some(Stopped::Failures(*count)),
        Some(StopReason::Doubts(count)) => Some(Stopped::Doubts(*count)),
        Some(StopReason::Account(failure)) => Some(Stopped::Account(format!("{} ({})", failure.message, failure.code))),
        Some(StopReason::OverCap { .. }) => {
            let after = standing::standing(opened, &memory, &args.selected, Doubt::rule(args.on_doubt))?;
            Some(Stopped::Cap(cap_stop(opened, &memory, outcome, &after, &words_for_next(args, false))?))
        }
    };
    let settle = super::reconcile::command(&args.asked, workspace.stage());
    let view = RunView {
        report: &report,
        estimate: &standing.estimate,
        local_failures: &local_failures,
        stopped,
        out: &out,
        campaign_file: next,
        settle: &settle,
    };
    if !args.quiet {
        console::talk("");
    }
    console::talk(run_summary(&view, console::width().unwrap_or(120), true).trim_end());
    Ok(())
}

/// Returns what follows `callsheet run` when the same run is wanted again, `with_cap` with the cap of the command line.
fn words_for_next(args: &RunArgs, with_cap: bool) -> String {
    let CampaignArgs { campaign, profile, provider, prices } = &args.asked;
    let mut words = shell_word(&campaign.display().to_string());
    let mut say = |flag: &str, value: &str| {
        words.push_str(&format!(" {flag} {}", shell_word(value)));
    };
    for (flag, value) in [("--profile", profile), ("--provider", provider), ("--prices", prices)] {
        if let Some(value) = value {
            say(flag, value);
        }
    }
    for only in &args.selected.only {
        say("--only", &only.to_string());
    }
    for until in &args.selected.until {
        say("--until", until);
    }
    if let Some(out) = &args.out {
        say("--out", &out.display().to_string());
    }
    for other in &args.base_url {
        say("--base-url", &format!("{}={}", other.provider, other.origin));
    }
    if let (true, Some(cap)) = (with_cap, &args.cap) {
        say("--cap", &if cap.usd { format!("USD {}", cap.micros) } else { cap.micros.to_string() });
    }
    for (flag, is_set) in [("--allow-unpriced", args.allow_unpriced), ("--rehearse", args.rehearse)] {
        if is_set {
            words.push_str(&format!(" {flag}"));
        }
    }
    words
}

/// Returns a word as a shell takes it: in quotes, unless nothing in it means something to one.
pub(super) fn shell_word(word: &str) -> String {
    let is_plain = |char: char| char.is_alphanumeric() || "_-./=:,@%+".contains(char);
    if !word.is_empty() && word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
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
        Some(StopReason::OverCap { .. } | StopReason::Failures(_) | StopReason::Doubts(_)) | None => {}
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
