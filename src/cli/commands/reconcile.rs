//! `callsheet reconcile`: ends doubt by evidence, by the user's word, or by the task that the provider made of a lost answer.
//!
//! ```text
//! doubts of the ledger ─▶ nothing said: list them, with what helps to find out
//!                      └▶ a verdict, or where to look for one: lock ─▶ records with the evidence ─▶ what the next run does about it
//! ```
//!
//! In: the ledger, shots by address, a verdict. Out: records. Never: a guess, a paid request.

use std::sync::Arc;

use clap::{ArgGroup, Args};

use super::report::known;
use crate::cli::args::{self, BaseUrl, CampaignArgs, StageArgs};
use crate::cli::console::{self, STRONG};
use crate::cli::context::{self, Opened};
use crate::cli::error::{CliError, Outcome};
use crate::cli::evidence::{self, Finding};
use crate::cli::exit::Exit;
use crate::cli::memory::Memory;
use crate::cli::picking::{self, Manner};
use crate::cli::seller;
use crate::cli::words::shell_word;
use crate::cli::workspace::{Stage, Workspace};
use crate::engine::KEY_LIVES;
use crate::ledger::{AttemptRow, AttemptStatus, Durability, JobState, Ledger as _, Record, SqliteLedger, WorkspaceLock};
use crate::report::Way;
use crate::types::diagnostic::{counted, did_you_mean, listed};
use crate::types::{Clock as _, Micros, RunId, SystemClock, TaskId, visible};

/// List the shots whose outcome nobody knows, or say what became of them
///
/// A shot is in doubt when its request was sent and no answer came back: it may have been charged, so it counts as spent and is never sent
/// again by itself. Look it up where the provider lists your requests, and say here what you saw. The word is kept in the ledger with its
/// reason. Failures that the provider told no price of are listed too: they count at their quote until you say what they cost.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("verdict").args(["charged", "not_charged", "task"])),
    group(ArgGroup::new("way").args(["charged", "not_charged", "task", "lookup", "by_balance"])), after_help = "Examples:
  callsheet reconcile campaigns/spring-drop.yaml
  callsheet reconcile campaigns/spring-drop.yaml --lookup
  callsheet reconcile campaigns/spring-drop.yaml --by-balance
  callsheet reconcile campaigns/spring-drop.yaml 'hero[sku=teapot,angle=front]' --not-charged --because 'not in the log of 22 November'
  callsheet reconcile campaigns/spring-drop.yaml 'hero[sku=teapot,angle=front]' --task 281e5b0f39b9
  callsheet reconcile campaigns/spring-drop.yaml --all --charged

Exit codes: 0 nothing is in doubt (any more) · 2 usage · 7 something still is · 9 a run holds the workspace")]
pub struct ReconcileArgs {
    #[command(flatten)]
    asked: CampaignArgs,
    /// Shots in doubt, as `status` prints them
    #[arg(value_name = "SHOT")]
    shots: Vec<String>,
    /// All shots in doubt
    #[arg(long, conflicts_with_all = ["shots", "task"])]
    all: bool,
    /// They were charged, and their pictures are lost: what is held is spent; the next run buys them anew
    #[arg(long)]
    charged: bool,
    /// They were not charged: what is held is given back; the next run buys them
    #[arg(long)]
    not_charged: bool,
    /// The provider did take it, under this id: the next run fetches the picture for nothing
    #[arg(long, value_name = "ID")]
    task: Option<String>,
    /// Ask the provider what became of them: by the key that went along with the request, or by their task
    #[arg(long, conflicts_with = "rehearse")]
    lookup: bool,
    /// Compare the account's balance with the one before them; right only if nobody else spends on the account
    #[arg(long, conflicts_with = "rehearse")]
    by_balance: bool,
    /// Ask at another address, as for `run`
    #[arg(long, value_name = "PROVIDER=URL", value_parser = args::base_url)]
    base_url: Vec<BaseUrl>,
    /// How you know; kept in the ledger
    #[arg(long, value_name = "TEXT", requires = "verdict")]
    because: Option<String>,
    #[command(flatten)]
    stage: StageArgs,
}

/// What is said about a doubt.
enum Verdict {
    Charged,
    NotCharged,
    Task(TaskId),
}

/// Lists doubts, or ends them.
pub fn reconcile(args: &ReconcileArgs) -> Outcome<Exit> {
    let mut opened = context::open(&args.asked, None)?;
    let workspace = Workspace::find(Stage::of(args.stage.rehearse))?;
    let memory = Memory::of(&workspace)?;
    picking::settle(&mut opened, &workspace, &memory, Manner::Lenient)?;
    known(&memory, &workspace, &args.asked)?;
    if args.lookup || args.by_balance {
        return find_out(args, &opened, &workspace);
    }
    let Some(verdict) = verdict(args)? else {
        let (prices, doubts): (Vec<_>, Vec<_>) = chosen(args, unsettled(&opened, &memory)?)?.into_iter().partition(is_price);
        console::data(&list(args, &opened, &doubts))?;
        console::data(&list_prices(args, &prices))?;
        return Ok(if doubts.is_empty() { Exit::Done } else { Exit::InDoubt });
    };
    if args.shots.is_empty() && !args.all {
        return Err(CliError::usage("no shot is named", "name the shots that this is about, or say `--all`".to_owned()));
    }

    // From here on nobody else sends: an intent without an answer is one that its sender did not live to see answered.
    let lock = WorkspaceLock::acquire(workspace.home(), &format!("reconcile {}", opened.campaign.name), &SystemClock)?;
    let all = unsettled(&opened, &Memory::of(&workspace)?)?;
    let chosen = chosen(args, all.clone())?;
    if chosen.is_empty() {
        console::talk("nothing is in doubt");
        return Ok(Exit::Done);
    }
    if let Verdict::Task(_) = &verdict {
        if let [_, _, ..] = chosen.as_slice() {
            return Err(CliError::usage("one task belongs to one shot", format!("{} were named", counted(chosen.len(), "shot"))));
        }
        if let Some(row) = chosen.iter().find(|row| is_price(row)) {
            let help = "say `--charged` or `--not-charged`; the next run buys it anew".to_owned();
            return Err(CliError::usage(format!("the task of `{}` has failed: only its price is open", visible(row.card.job.as_str())), help));
        }
    }
    settle(&workspace, &chosen, &verdict, args.because.as_deref())?;
    drop(lock);
    console::talk(&consequence(&verdict, &chosen));
    let left = all.iter().filter(|row| !is_price(row) && !chosen.contains(row)).count();
    if left > 0 {
        console::talk(&format!("still in doubt: {}", counted(left, "shot")));
    }
    Ok(if left > 0 { Exit::InDoubt } else { Exit::Done })
}

/// Looks for evidence and ends the doubts that it ends.
fn find_out(args: &ReconcileArgs, opened: &Opened, workspace: &Workspace) -> Outcome<Exit> {
    let sellers = seller::connect(opened, &args.base_url, |_| true)?;
    let _lock = WorkspaceLock::acquire(workspace.home(), &format!("reconcile {}", opened.campaign.name), &SystemClock)?;
    let all = doubts(opened, &Memory::of(workspace)?)?;
    let chosen = chosen(args, all.clone())?;
    if chosen.is_empty() {
        console::talk("nothing is in doubt");
        return Ok(Exit::Done);
    }
    let ledger = SqliteLedger::open(&workspace.ledger(), Arc::new(SystemClock), Durability::Full)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CliError::Io("cannot start the workers".to_owned(), error))?;
    let settled = runtime.block_on(async {
        let findings = if args.lookup {
            evidence::by_lookup(opened, &ledger, &sellers, &chosen).await?
        } else {
            let (figures, findings) = evidence::by_balance(opened, &ledger, &sellers, &chosen).await?;
            console::data(&figures)?;
            findings
        };
        let mut settled = 0;
        for Finding { row, records, said } in findings {
            if !records.is_empty() {
                ledger.append(RunId::new("reconcile"), row.key, records, None).await?;
                settled += 1;
            }
            console::data(&format!("{STRONG}{}{STRONG:#}: {}\n", visible(row.card.job.as_str()), visible(&said)))?;
        }
        Ok::<usize, CliError>(settled)
    })?;
    let left = all.len().saturating_sub(settled);
    if left > 0 {
        console::talk(&format!("still in doubt: {}", counted(left, "shot")));
    }
    Ok(if left > 0 { Exit::InDoubt } else { Exit::Done })
}

/// Returns what to type to settle the doubts of a campaign.
pub(super) fn command(asked: &CampaignArgs, stage: Stage) -> String {
    let mut words = format!("callsheet reconcile {}", shell_word(&asked.campaign.display().to_string()));
    for (flag, value) in [("--profile", &asked.profile), ("--provider", &asked.provider), ("--prices", &asked.prices)] {
        if let Some(value) = value {
            words.push_str(&format!(" {flag} {}", shell_word(value)));
        }
    }
    if stage == Stage::Rehearsal {
        words.push_str(" --rehearse");
    }
    words
}

fn verdict(args: &ReconcileArgs) -> Outcome<Option<Verdict>> {
    Ok(match &args.task {
        Some(id) if id.trim().is_empty() => return Err(CliError::usage("the task has no id", "give the id that the provider shows".to_owned())),
        Some(id) => Some(Verdict::Task(TaskId::new(id.trim()))),
        None if args.charged => Some(Verdict::Charged),
        None if args.not_charged => Some(Verdict::NotCharged),
        None => None,
    })
}

/// Returns what is in doubt, and the failures that nobody told the price of, in the order in which they were sent.
///
/// Such a failure is counted at its quote. Only a shot's last try can still be settled: what was bought after it rests on it.
fn unsettled(opened: &Opened, memory: &Memory) -> Outcome<Vec<AttemptRow>> {
    let mut rows = Vec::new();
    for row in memory.attempts(&opened.plan)? {
        let is_ours = row.card.campaign == *opened.campaign.name;
        let is_open = match row.status {
            AttemptStatus::InDoubt | AttemptStatus::Submitting => true,
            AttemptStatus::Failed if is_ours => {
                let state = memory.state(row.key)?;
                evidence::has_open_price(&state) && state.last_attempt() == row.attempt
            }
            _ => false,
        };
        if is_ours && is_open {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// Returns whether only the price of this try is open: it failed, and nobody said what that cost.
fn is_price(row: &AttemptRow) -> bool {
    row.status == AttemptStatus::Failed
}

/// Returns the tries of the campaign whose outcome nobody knows, in the order in which they were sent. Shots that have changed since are
/// among them: their money is as much in doubt.
fn doubts(opened: &Opened, memory: &Memory) -> Outcome<Vec<AttemptRow>> {
    let mut rows = memory.attempts(&opened.plan)?;
    rows.retain(|row| row.card.campaign == *opened.campaign.name && matches!(row.status, AttemptStatus::InDoubt | AttemptStatus::Submitting));
    Ok(rows)
}

fn chosen(args: &ReconcileArgs, doubts: Vec<AttemptRow>) -> Outcome<Vec<AttemptRow>> {
    if args.shots.is_empty() {
        return Ok(doubts);
    }
    let mut chosen = Vec::new();
    for shot in &args.shots {
        let before = chosen.len();
        chosen.extend(doubts.iter().filter(|row| row.card.job.as_str() == shot).cloned());
        if chosen.len() == before {
            let known = || doubts.iter().map(|row| row.card.job.as_str());
            let help = match did_you_mean(shot, known()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if doubts.is_empty() => "nothing of this campaign is in doubt or without a price".to_owned(),
                None => format!("open are {}", listed(known(), 5)),
            };
            return Err(CliError::usage(format!("`{shot}` is not in doubt, nor is its price open"), help));
        }
    }
    chosen.dedup();
    Ok(chosen)
}

fn settle(workspace: &Workspace, chosen: &[AttemptRow], verdict: &Verdict, because: Option<&str>) -> Outcome<()> {
    let ledger = SqliteLedger::open(&workspace.ledger(), Arc::new(SystemClock), Durability::Full)?;
    let run = RunId::new("reconcile");
    let runtime =
        tokio::runtime::Builder::new_current_thread().build().map_err(|error| CliError::Io("cannot start the workers".to_owned(), error))?;
    for row in chosen {
        let records = records(row, &ledger.load(row.key)?, verdict, because);
        runtime.block_on(ledger.append(run.clone(), row.key, records, None))?;
    }
    Ok(())
}

/// Returns what the ledger is told about one doubt; nothing if the answer has come meanwhile.
fn records(row: &AttemptRow, state: &JobState, verdict: &Verdict, because: Option<&str>) -> Vec<Record> {
    let (charged, word) = match verdict {
        Verdict::Task(task) => return vec![Record::Accepted { attempt: row.attempt, task: task.clone() }],
        Verdict::Charged => (None, "charged"),
        Verdict::NotCharged => (Some(Micros::ZERO), "not charged"),
    };
    let evidence = match because {
        Some(because) => format!("{word}, by the user's word: {because}"),
        None => format!("{word}, by the user's word"),
    };
    evidence::settled(row, state, charged, evidence)
}

fn consequence(verdict: &Verdict, chosen: &[AttemptRow]) -> String {
    let shots = counted(chosen.len(), "shot");
    match verdict {
        Verdict::Charged => format!("{shots} settled as charged; the next run buys the picture anew"),
        Verdict::NotCharged => format!("{shots} settled as not charged, what was held is given back; the next run buys the picture"),
        Verdict::Task(task) => format!("{shots} known as task {}; the next run fetches the picture for nothing", visible(task.name())),
    }
}

fn list(args: &ReconcileArgs, opened: &Opened, doubts: &[AttemptRow]) -> String {
    if doubts.is_empty() {
        return "nothing is in doubt\n".to_owned();
    }
    let mut text = String::new();
    for row in doubts {
        text.push_str(&format!("{STRONG}{}{STRONG:#}\n", visible(row.card.job.as_str())));
        let mut say = |what: &str, sentence: &str| text.push_str(&format!("  {what:<7}{}\n", visible(sentence)));
        let seen = row.error_code.as_deref().unwrap_or("no answer: the run ended first");
        say("sent", &format!("{} to {} for `{}`, attempt {}, run {}", row.started_at, row.card.provider, row.card.model, row.attempt, row.run));
        say("seen", seen);
        if let Some(task) = &row.task {
            say("task", &format!("{}, which the provider accepted and did not know later", task.name()));
        }
        say("price", &row.quoted.to_string());
    }
    let command = command(&args.asked, Stage::of(args.stage.rehearse));
    let all = if doubts.len() == 1 { "It is".to_owned() } else { format!("All {} are", doubts.len()) };
    text.push_str(&format!("\n{all} counted as spent until you know better.\n"));
    for way in offered(opened, doubts, args.stage.rehearse) {
        let (when, what) = match way {
            Offered::Repeat => ("ask again", "the next run repeats each under its own key, for a day: charged once".to_owned()),
            Offered::Lookup => ("ask the provider", format!("{command} --lookup")),
            Offered::Balance => ("compare balances", format!("{command} --by-balance")),
        };
        text.push_str(&format!("  {when:<19}{what}\n"));
    }
    text.push_str(&format!(
        "Look for requests of these moments where the provider lists them, then\n  \
         it is not there    {command} SHOT --not-charged\n  \
         it is, with an id  {command} SHOT --task ID\n  \
         it is, without     {command} SHOT --charged\n",
    ));
    text
}

/// Lists failures that nobody told the price of; nothing where there are none.
fn list_prices(args: &ReconcileArgs, rows: &[AttemptRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{} failed, and nobody has said at what price: counted at the quote.\n", counted(rows.len(), "shot"));
    for row in rows {
        let sent = format!("{} to {}, attempt {}, {}", row.started_at, row.card.provider, row.attempt, row.quoted);
        let task = row.task.as_ref().map_or(String::new(), |task| format!(", task {task}"));
        text.push_str(&format!("{STRONG}{}{STRONG:#}\n  sent   {}\n", visible(row.card.job.as_str()), visible(&format!("{sent}{task}"))));
    }
    let command = command(&args.asked, Stage::of(args.stage.rehearse));
    text.push_str(&format!(
        "Compare with the account, then\n  it was given back   {command} SHOT --not-charged\n  it was charged      {command} SHOT --charged\n"
    ));
    text
}

/// A way to evidence that a provider offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offered {
    /// The request may be repeated under its own key, which is charged once.
    Repeat,
    /// The provider can be asked what became of it.
    Lookup,
    /// The provider tells a balance.
    Balance,
}

/// Returns the ways to evidence about some doubts that their providers offer.
fn offered(opened: &Opened, doubts: &[AttemptRow], rehearses: bool) -> Vec<Offered> {
    let makers = || doubts.iter().filter_map(|row| opened.sellers.get(&*row.card.provider)).map(|seller| &seller.manifest).filter(|_| !rehearses);
    let mut offered = Vec::new();
    // Keys that the provider may have forgotten are not repeated: that could be charged again.
    let is_young = |row: &AttemptRow| SystemClock.now().since(row.started_at) < KEY_LIVES;
    let is_honoured = |row: &AttemptRow| opened.sellers.get(&*row.card.provider).is_some_and(|seller| seller.manifest.idempotency);
    if !rehearses && doubts.iter().any(|row| is_young(row) && is_honoured(row)) {
        offered.push(Offered::Repeat);
    }
    let takes_batches = |row: &AttemptRow| {
        opened.sellers.get(&*row.card.provider).is_some_and(|seller| seller.manifest.http.as_ref().is_some_and(|http| http.batch.is_some()))
    };
    let in_list = |row: &AttemptRow| row.task.is_some() || (row.card.batch && takes_batches(row));
    let can_tell = makers().next().is_some() && doubts.iter().any(in_list);
    if can_tell || makers().any(|manifest| manifest.http.as_ref().is_some_and(|http| http.lookup.is_some())) {
        offered.push(Offered::Lookup);
    }
    if makers().any(|manifest| manifest.http.as_ref().is_some_and(|http| http.balance.is_some())) {
        offered.push(Offered::Balance);
    }
    offered
}

/// Returns everything that ends the doubt about one try, the surest first; `run` follows `callsheet run` to go on.
pub(super) fn ways(opened: &Opened, asked: &CampaignArgs, stage: Stage, run: &str, row: &AttemptRow) -> Vec<Way> {
    let command = command(asked, stage);
    let shot = shell_word(row.card.job.as_str());
    let of_provider = offered(opened, std::slice::from_ref(row), stage == Stage::Rehearsal).into_iter().map(|offered| match offered {
        Offered::Repeat => Way { when: "asks again under its own key, which is charged once", command: format!("callsheet run {run}") },
        Offered::Lookup => Way { when: "asks the provider what became of it", command: format!("{command} {shot} --lookup") },
        // Which of several doubts were charged no balance tells, so all of them are asked about.
        Offered::Balance => Way { when: "compares the account's balance with the one before", command: format!("{command} --by-balance") },
    });
    let by_word = [
        ("the provider has no such request", format!("{command} {shot} --not-charged")),
        ("the provider has it, under an id", format!("{command} {shot} --task ID")),
        ("it was charged, and its picture is lost", format!("{command} {shot} --charged")),
        ("nobody will ever know: counts it as spent and buys it again", format!("callsheet run {run} --on-doubt resend")),
    ];
    of_provider.chain(by_word.into_iter().map(|(when, command)| Way { when, command })).collect()
}
