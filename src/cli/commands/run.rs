//! `callsheet run`: make what is left to make, buy each shot exactly once.
//!
//! ```text
//! open ─▶ standing ─▶ nothing to do? say so ─▶ gates ─▶ ask ─▶ lock ─▶ engine ─▶ tree and reports ─▶ summary
//! ```

mod consent;
mod ending;
mod next;
mod nothing;

use std::collections::HashSet;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use self::consent::{agreed, at_most, gates, is_more};
use self::ending::{close, exit};
pub(super) use self::next::review;
use self::next::words_for_next;
use self::nothing::nothing_to_do;
use super::plan::{notes, tell_warnings, view};
use crate::cli::args::{self, BaseUrl, CampaignArgs, SelectionArgs};
use crate::cli::batches::{self, Together};
use crate::cli::console;
use crate::cli::context::{self, Opened};
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::memory::Memory;
use crate::cli::performance::{self, Loudness, Maker, Performance};
use crate::cli::picking::{self, Manner};
use crate::cli::publish::Shelf;
use crate::cli::saved::{Approved, Typed, Wanted};
use crate::cli::standing::{self, Standing};
use crate::cli::workspace::{Stage, Workspace};
use crate::engine::{KEY_LIVES, OnDoubt, StopReason};
use crate::ledger::{AttemptRow, AttemptStatus, WorkspaceLock};
use crate::picks::AutoPick;
use crate::plan::{JobIx, Work};
use crate::pricing::Refusal;
use crate::provider::manifest::Span;
use crate::provider::sim::SimOptions;
use crate::report::plan_table;
use crate::spec::{MoneySpec, Sources};
use crate::types::{Clock as _, JobId, JobKey, Operation, SystemClock};

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
  callsheet run campaigns/draft-to-final.yaml --rehearse --auto-pick first
  callsheet run plan.json
                            what `plan --out plan.json` saved: as it was, or not
  callsheet run campaigns/spring-drop.yaml --base-url kie=http://127.0.0.1:9000
  callsheet run campaigns/spring-drop.yaml --provider openai --batch
                            half the price, answers within a day: the same words
                            again fetch them

Exit codes:
  0 done                               7 an outcome is in doubt
  2 usage                              8 no key, or the account refused
  3 mistakes in files                  9 another run holds the workspace
  4 over budget, without a price,     11 batches are under way: run again
    or a stale or spent plan         130 interrupted
  5 shots failed or were rejected
  6 waiting for a pick")]
pub struct RunArgs {
    #[command(flatten)]
    asked: CampaignArgs,
    #[command(flatten)]
    selected: SelectionArgs,
    /// Draw the pictures instead of buying them: no key, no network, no money; all else is as in a real run
    #[arg(long)]
    rehearse: bool,
    /// How the rehearsal behaves: latency, fail, throttle, refuse, refund, lose, corrupt, blank, balance, size, seed
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
    /// Choose without looking, where nobody has chosen, and go on: for rehearsals in CI; the picks file says so
    #[arg(long, value_enum, value_name = "RULE")]
    auto_pick: Option<Rule>,
    /// Print events as JSON lines on stdout
    #[arg(long)]
    json: bool,
    /// Tell only failures and the end
    #[arg(long, short)]
    quiet: bool,
    /// Send new shots together, for the provider's batch price; answers come within a day, and each level of a chain waits for the one before
    #[arg(long, conflicts_with = "concurrency")]
    batch: bool,
    /// How long to stay and ask after batches, for example 30m or 24h; without it each is asked after once
    #[arg(long, value_name = "SPAN", value_parser = Span::from_str, conflicts_with = "rehearse")]
    wait: Option<Span>,
}

/// What `--auto-pick` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Rule {
    /// The first shot in the plan's order.
    First,
    /// The sharpest picture.
    Sharpest,
}

impl From<Rule> for AutoPick {
    fn from(rule: Rule) -> Self {
        match rule {
            Rule::First => Self::First,
            Rule::Sharpest => Self::Sharpest,
        }
    }
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

/// What a run was asked for: the words that were typed, the campaign, where it stands, and where its files go.
#[derive(Clone, Copy)]
struct Assignment<'a> {
    args: &'a RunArgs,
    opened: &'a Opened,
    workspace: &'a Workspace,
    standing: &'a Standing,
    shelf: &'a Shelf,
}

/// Returns the same arguments as if what a saved plan says had been typed.
fn as_approved(args: &RunArgs, approved: &Approved) -> Outcome<RunArgs> {
    let on_doubt = args.on_doubt.map(|said| Doubt::rule(Some(said)));
    let typed = Typed { asked: &args.asked, selected: &args.selected, cap: args.cap.as_ref(), rehearse: args.rehearse, on_doubt, batch: args.batch };
    let Wanted { asked, selected, cap, stage, on_doubt, batch } = approved.wanted(&typed)?;
    let on_doubt = Some(if on_doubt == OnDoubt::Resend { Doubt::Resend } else { Doubt::Hold });
    Ok(RunArgs { asked, selected, cap, rehearse: stage == Stage::Rehearsal, on_doubt, batch, ..args.clone() })
}

/// Runs a campaign, or a saved plan, for money or as a rehearsal.
pub fn run(args: &RunArgs) -> Outcome<Exit> {
    let approved = Approved::read(&args.asked.campaign)?;
    match (&approved, args.auto_pick) {
        (Some(_), Some(_)) => {
            let fact = "a saved plan is run as it was saved, and `--auto-pick` makes another of it";
            Err(CliError::usage(fact, "run the campaign itself, or leave `--auto-pick` out".to_owned()))
        }
        (Some(plan), None) => perform(&as_approved(args, plan)?, Some(plan)),
        (None, None) => perform(args, None),
        (None, Some(rule)) => choosing(args, rule.into()),
    }
}

/// Runs, chooses, and runs on, until nothing is left to choose from.
fn choosing(args: &RunArgs, rule: AutoPick) -> Outcome<Exit> {
    let stage = Stage::of(args.rehearse);
    let mut made_before = None;
    loop {
        let exit = perform(args, None)?;
        if !matches!(exit, Exit::Pick | Exit::SomeFailed) {
            return Ok(exit);
        }
        let mut opened = context::open(&args.asked, args.cap.as_ref())?;
        let workspace = Workspace::find(stage)?;
        let selection = standing::selection(&opened.campaign, &opened.plan, &args.selected)?;
        let asked: HashSet<JobId> = opened.plan.picks.keys().filter(|ix| selection.includes(**ix)).map(|ix| opened.plan.id(*ix)).collect();
        let made = picking::choose(&mut opened, &workspace, &Memory::of(&workspace)?, rule, &|pick| asked.contains(pick))?;
        let (_, file) = picking::read(&workspace, &opened.campaign.name, &mut Sources::new())?;
        // The same choices once more would lead to the same end.
        if made == 0 || made_before.replace(file.clone()) == Some(file) {
            return Ok(exit);
        }
    }
}

fn perform(args: &RunArgs, approved: Option<&Approved>) -> Outcome<Exit> {
    let stage = Stage::of(args.rehearse);
    if args.sim.is_some() && stage == Stage::Real {
        return Err(CliError::usage("`--sim` says how a rehearsal behaves, and this is no rehearsal", "add `--rehearse`".to_owned()));
    }
    let opened = context::open(&args.asked, args.cap.as_ref())?;
    let mut opened = if args.batch { batches::in_batches(opened)? } else { opened };
    let workspace = Workspace::find(stage)?;
    if stage == Stage::Real {
        batches::take_up_left(&opened, &workspace, &Memory::of(&workspace)?)?;
    }
    let mut memory = Memory::of(&workspace)?;
    let manner = if args.auto_pick.is_some() { Manner::Automatic } else { Manner::Strict };
    picking::settle(&mut opened, &workspace, &memory, manner)?;
    let on_doubt = Doubt::rule(args.on_doubt);
    let mut standing = standing::standing(&opened, &memory, &args.selected, on_doubt)?.allowing_unpriced(&opened, args.allow_unpriced);
    if let Some(approved) = approved {
        approved.holds(&opened, &standing, &memory)?;
    }
    let shelf = Shelf::of(&workspace, &opened.campaign.name, args.out.as_deref());
    if !args.quiet {
        tell_warnings(&opened);
    }

    if standing.work.is_done() && !asks_again(&opened, &standing, &memory)? {
        let exit = nothing_to_do(Assignment { args, opened: &opened, workspace: &workspace, standing: &standing, shelf: &shelf }, &memory)?;
        if let Some(approved) = approved {
            approved.end_done(&workspace, &memory)?;
        }
        return Ok(exit);
    }
    let sim = args.sim.clone().unwrap_or_default();
    batches::fits(&opened, &standing.work)?;
    let together = Together { sends: args.batch, wait: args.wait.map_or(Duration::ZERO, |wait| wait.0) };
    let maker = performance::provider(&opened, &standing, stage, &sim, &args.base_url, together);
    let workers = performance::workers()?;
    let weigh = |standing: &mut Standing, maker: &Maker| -> Outcome<()> {
        standing.weigh(performance::balances(&workers, maker)?, opened.campaign.budget.warn_at);
        Ok(())
    };
    // Who has no key sees the plan all the same.
    if let Ok(maker) = &maker {
        weigh(&mut standing, maker)?;
    }
    if !args.quiet {
        tell_plan(&opened, &memory, &standing, stage)?;
    }
    gates(&standing, stage)?;
    let maker = maker?;
    if stage == Stage::Real && !args.yes && !agreed(&standing)? {
        console::talk("nothing was sent");
        return Ok(Exit::Done);
    }
    let shown = at_most(&standing);

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
        weigh(&mut standing, &maker)?;
        gates(&standing, stage)?;
        // A yes holds for what was shown then, and for no more.
        if stage == Stage::Real && !args.yes && is_more(at_most(&standing), shown) && !agreed(&standing)? {
            console::talk("nothing was sent");
            return Ok(Exit::Done);
        }
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
        maker,
        sim,
        concurrency: args.concurrency.map_or(opened.campaign.run.concurrency, |number| number as usize),
        on_doubt,
        fail_fast: args.fail_fast,
        allow_unpriced: args.allow_unpriced,
        loudness: Loudness { json: args.json, quiet: args.quiet },
        run: run.clone(),
        plan_cap: approved.map(|approved| approved.cap(&opened, &standing)),
        together,
    };
    let (outcome, batches) = performance::perform(&performance, workers)?;
    let batches = batches::lines(&opened, &batches);
    if outcome.stopped == Some(StopReason::Cancelled) && outcome.stats.running > 0 {
        // The user asked twice: leave, and let the next run write the tree.
        console::talk("left at once; what is paid is in the ledger, the next run takes it up");
        return Ok(Exit::Interrupted);
    }
    let next = approved.and_then(|approved| approved.words_for_next(&outcome)).unwrap_or_else(|| words_for_next(args, args.cap.is_some()));
    let assignment = Assignment { args, opened: &opened, workspace: &workspace, standing: &standing, shelf: &shelf };
    close(assignment, &run, &outcome, &batches, &next)?;
    if let Some(approved) = approved {
        approved.end(&workspace, &run, &outcome)?;
    }
    drop(lock);
    Ok(exit(&outcome, !batches.is_empty()))
}

/// Returns whether doubts can be settled by sending them again under their own keys, which the provider charges once while it knows them.
fn asks_again(opened: &Opened, standing: &Standing, memory: &Memory) -> Outcome<bool> {
    let honours = |ix: JobIx| match &opened.plan.job(ix).operation {
        Operation::Paid(paid) => opened.sellers.get(&paid.provider).is_some_and(|seller| seller.manifest.idempotency),
        Operation::Local(_) => false,
    };
    let doubts: HashSet<JobKey> =
        standing.work.iter().filter(|(ix, work)| *work == Work::InDoubt && honours(*ix)).map(|(ix, _)| opened.plan.job(ix).key).collect();
    if doubts.is_empty() {
        return Ok(false);
    }
    let is_young = |row: &AttemptRow| row.status == AttemptStatus::InDoubt && SystemClock.now().since(row.started_at) < KEY_LIVES;
    Ok(memory.attempts(&opened.plan)?.iter().any(|row| doubts.contains(&row.key) && is_young(row)))
}

fn tell_plan(opened: &Opened, memory: &Memory, standing: &Standing, stage: Stage) -> Outcome<()> {
    let changes = standing::changes(opened, memory, &standing.work)?;
    let mut notes = notes(opened, stage);
    notes.extend(
        standing.balance_words().into_iter().filter(|_| standing.verdict.refusals.iter().all(|refusal| !matches!(refusal, Refusal::Balance { .. }))),
    );
    let width = console::width().unwrap_or(120);
    console::talk(&plan_table(&view(opened, standing, &changes, &notes), width, true));
    Ok(())
}
