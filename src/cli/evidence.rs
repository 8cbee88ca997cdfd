//! Evidence about doubts: what the provider finds under a request's key, and what the account's balance tells.
//!
//! ```text
//! --lookup      task known? · request found by its key? ─▶ the task, or not charged
//! --by-balance  balance before the doubts - now - known charges ─▶ all, none, so many of them, or nothing
//! ```
//!
//! In: doubts, the ledger, the provider. Out: [`Finding`]s: records with their evidence, and what is said about them.
//! Never: a paid request; a record that nothing proves.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::batches::Lists;
use super::context::Opened;
use super::error::{CliError, Outcome};
use super::performance;
use super::seller::Sellers;
use crate::ledger::balances::{Evidence, Proof, evidence};
use crate::ledger::{AttemptRow, Balances as _, Entry, JobState, Ledger as _, Record, SqliteLedger};
use crate::provider::Provider as _;
use crate::provider::http::{Found, HttpProvider};
use crate::provider::manifest::{Manifest, PollCurve};
use crate::types::diagnostic::counted;
use crate::types::{Amount, AttemptNo, Billed, Clock as _, Failure, FailureClass, IdempotencyKey, JobKey, Micros, SystemClock, visible};

/// What was found out about one doubt.
pub struct Finding {
    /// The try.
    pub row: AttemptRow,
    /// What the ledger is told; nothing where nothing is proven.
    pub records: Vec<Record>,
    /// The sentence for people.
    pub said: String,
}

/// Returns whether a job's last try failed and nobody said what it cost.
pub fn has_open_price(state: &JobState) -> bool {
    matches!(state, JobState::Failed { failure, .. } if failure.billed == Billed::Maybe)
}

/// Returns the records that end a doubt, or settle an open price, with this charge; nothing if the answer has come meanwhile.
pub fn settled(row: &AttemptRow, state: &JobState, charged: Option<Micros>, evidence: String) -> Vec<Record> {
    let attempt = row.attempt;
    if has_open_price(state) && state.last_attempt() == attempt {
        let counted = row.charged.unwrap_or(row.quoted.micros);
        let charged = charged.unwrap_or(counted);
        let refunded = counted.checked_sub(charged).unwrap_or(Micros::ZERO).max(Micros::ZERO);
        return vec![Record::Settled { attempt, charged, refunded, evidence }];
    }
    let (JobState::InDoubt { reserved, .. } | JobState::Submitting { reserved, .. }) = state else { return Vec::new() };
    let charged = charged.unwrap_or(reserved.micros);
    let refunded = reserved.micros.checked_sub(charged).unwrap_or(Micros::ZERO).max(Micros::ZERO);
    let settled = Record::Settled { attempt, charged, refunded, evidence };
    if let JobState::InDoubt { .. } = state {
        return vec![settled];
    }
    let seen = "the run ended before the answer came";
    let failure = Failure { billed: Billed::Maybe, ..Failure::new(FailureClass::Ambiguous, "no-answer", seen) };
    vec![Record::InDoubt { attempt, failure }, settled]
}

/// Asks the provider about each doubt.
///
/// # Errors
/// A provider without any way to ask; a ledger that cannot be read.
pub async fn by_lookup(opened: &Opened, ledger: &SqliteLedger, sellers: &Sellers, rows: &[AttemptRow]) -> Outcome<Vec<Finding>> {
    let maker = |row: &AttemptRow| sellers.called(&row.card.provider);
    let in_list = |provider: &HttpProvider, row: &AttemptRow| row.task.is_some() || (row.card.batch && provider.batches().is_some());
    let can = |row: &AttemptRow| maker(row).is_some_and(|provider| in_list(provider, row) || provider.can_look_up());
    if !rows.iter().any(can) {
        let help = "its manifest has no `http.lookup`; try `--by-balance`, or look where the provider lists your requests".to_owned();
        return Err(CliError::usage("nothing was asked: the provider has no way to look up a request", help));
    }
    let keys = keys_of(&ledger.entries(0)?, rows);
    let mut findings = Vec::with_capacity(rows.len());
    let mut lists = Lists::default();
    for row in rows {
        let Some(provider) = maker(row) else {
            let said = format!("stays in doubt: the campaign does not buy from {} any more", row.card.provider);
            findings.push(Finding { row: row.clone(), records: Vec::new(), said });
            continue;
        };
        let has_batches = provider.batches().is_some();
        let asked = match (&row.task, keys.get(&(row.key, row.attempt))) {
            (Some(task), _) if has_batches => match provider.knows_batch(task).await {
                Ok(true) => Ok(Some(Found::Task(task.clone()))),
                Ok(false) => Err(format!("the provider still knows nothing of the batch {task}")),
                Err(failure) => Err(words(&failure)),
            },
            (None, _) if has_batches && row.card.batch => lists.find(ledger, provider, row).await?.map(Some),
            (Some(task), _) => match provider.knows(task).await {
                Ok(true) => Ok(Some(Found::Task(task.clone()))),
                Ok(false) => Err(format!("the provider still knows nothing of the task {}", task.name())),
                Err(failure) => Err(words(&failure)),
            },
            (None, Some(key)) if provider.can_look_up() => provider.look_up(key).await.map(Some).map_err(|failure| words(&failure)),
            (None, _) => Ok(None),
        };
        let state = ledger.load(row.key)?;
        let (records, said) = match asked {
            Ok(Some(Found::Task(task))) => {
                let said = format!("accepted as task {}; the next run fetches the picture for nothing", task.name());
                (vec![Record::Accepted { attempt: row.attempt, task }], said)
            }
            // The list of batches has weighed its own time.
            Ok(Some(Found::Nothing)) => match early(provider, row, unseen(opened, row)).filter(|_| !row.card.batch) {
                Some(wait) => (Vec::new(), format!("stays in doubt: the provider knows of no such request yet; {wait}")),
                None => {
                    let evidence = format!("not charged: asked by its key at {}, the provider knows of no such request", SystemClock.now());
                    let said = "the provider knows of no such request: not charged, what was held is given back";
                    (settled(row, &state, Some(Micros::ZERO), evidence), said.to_owned())
                }
            },
            Ok(None) => (Vec::new(), "the provider has no way to look it up".to_owned()),
            Err(why) => (Vec::new(), format!("stays in doubt: {why}")),
        };
        findings.push(Finding { row: row.clone(), records, said });
    }
    Ok(findings)
}

/// Says how long a request may still be on its way, or be there without being seen, if it may: until then its absence proves nothing.
fn early(provider: &HttpProvider, row: &AttemptRow, unseen: Duration) -> Option<String> {
    let left = row.started_at.after(provider.longest_way() + unseen).since(SystemClock.now());
    // Whole seconds, rounded up.
    let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    (seconds > 0).then(|| format!("it may still be on its way, ask again in {seconds} s"))
}

/// Returns for how long the provider of a try may not see what it has just taken.
fn unseen(opened: &Opened, row: &AttemptRow) -> Duration {
    let curve = opened.sellers.get(&*row.card.provider).and_then(|seller| seller.manifest.poll.as_ref());
    curve.map_or(PollCurve::UNSEEN, |curve| curve.unseen).0
}

fn words(failure: &Failure) -> String {
    format!("{} ({}): {}", failure.class.as_str(), failure.code, failure.message)
}

/// Returns the keys that some tries went out under, from one look at the records.
fn keys_of(entries: &[Entry], rows: &[AttemptRow]) -> HashMap<(JobKey, AttemptNo), IdempotencyKey> {
    let asked: HashSet<(JobKey, AttemptNo)> = rows.iter().map(|row| (row.key, row.attempt)).collect();
    let key = |entry: &Entry| match &entry.record {
        Record::Intent { attempt, idempotency_key, .. } => Some(((entry.key, *attempt), idempotency_key.clone())),
        _ => None,
    };
    // Of two intents of one try, the later one is the one that went out.
    entries.iter().filter_map(key).filter(|(of, _)| asked.contains(of)).collect()
}

/// Compares balances, and returns the figures with what follows for `rows`.
///
/// # Errors
/// When there is nothing to compare, and why.
pub async fn by_balance(opened: &Opened, ledger: &SqliteLedger, sellers: &Sellers, rows: &[AttemptRow]) -> Outcome<(String, Vec<Finding>)> {
    let (mut figures, mut findings) = (String::new(), Vec::new());
    let entries = ledger.entries(0)?;
    for (name, provider) in sellers.iter() {
        let there: Vec<AttemptRow> = rows.iter().filter(|row| *row.card.provider == **name).cloned().collect();
        let Some(seller) = opened.sellers.get(name).filter(|_| !there.is_empty()) else { continue };
        let (told, found) = at_one(&seller.manifest, ledger, &entries, provider, &there).await?;
        if sellers.iter().count() > 1 {
            figures.push_str(&format!("at        {}\n", visible(name)));
        }
        figures.push_str(&told);
        findings.extend(found);
    }
    Ok((figures, findings))
}

/// Compares the balance at one provider.
async fn at_one(
    manifest: &Manifest,
    ledger: &SqliteLedger,
    entries: &[Entry],
    provider: &HttpProvider,
    rows: &[AttemptRow],
) -> Outcome<(String, Vec<Finding>)> {
    let word = "it is settled by your word: `--charged`, `--not-charged`, `--task ID`";
    let now = match provider.balance().await {
        Ok(Some(amount)) => amount,
        Ok(None) => return Err(CliError::usage(format!("{} has no way to tell a balance", manifest.title), word.to_owned())),
        Err(failure) => return Err(CliError::usage(format!("the balance could not be asked: {}", words(&failure)), "try again later".to_owned())),
    };
    let account = performance::account(manifest);
    let found = evidence(entries, &ledger.balances(&account)?, &account, now)
        .map_err(|why| CliError::usage(format!("the balance proves nothing: {why}"), word.to_owned()))?;
    let ours = |row: &&AttemptRow| found.doubts.iter().any(|doubt| doubt.key == row.key && doubt.attempt == row.attempt);
    let rows: Vec<&AttemptRow> = rows.iter().filter(ours).collect();
    let charged = match found.proof {
        Proof::All => rows.len(),
        Proof::None => 0,
        // Which of them cannot be known, so all of them must be settled together.
        Proof::Some(count) if rows.len() == found.doubts.len() => count,
        Proof::Some(_) | Proof::Nothing => return Ok((figures(&found, rows.len()), Vec::new())),
    };
    // A charge that is still to come would be taken for none.
    if charged < rows.len()
        && let Some((row, wait)) = rows.iter().find_map(|row| Some((row, early(provider, row, Duration::ZERO)?)))
    {
        let job = visible(row.card.job.as_str());
        return Ok((format!("{}too early `{job}` has only just been sent: {wait}; nothing is settled\n", figures(&found, rows.len())), Vec::new()));
    }
    let mut findings = Vec::with_capacity(rows.len());
    for (place, row) in rows.iter().enumerate() {
        let is_charged = place < charged;
        let price = if is_charged { row.quoted.micros } else { Micros::ZERO };
        let which =
            if matches!(found.proof, Proof::Some(_)) { format!("{charged} of {}, which ones cannot be known; ", rows.len()) } else { String::new() };
        let word = if is_charged { "charged" } else { "not charged" };
        let amount = |micros| Amount::new(found.now.currency.clone(), micros);
        let evidence = format!(
            "{word}, by balance: {which}{} at {}, {} at {}, {} known charges between, {} unexplained",
            found.then.amount,
            found.then.at,
            found.now,
            SystemClock.now(),
            amount(found.known),
            amount(found.unexplained),
        );
        let said = if is_charged { "charged; the next run buys the picture anew" } else { "not charged, what was held is given back" };
        findings.push(Finding { row: (*row).clone(), records: settled(row, &ledger.load(row.key)?, Some(price), evidence), said: said.to_owned() });
    }
    Ok((figures(&found, rows.len()), findings))
}

/// Returns the figures and what they prove, for people; `ours` are the doubts that are asked about.
fn figures(found: &Evidence, ours: usize) -> String {
    let amount = |micros| Amount::new(found.now.currency.clone(), micros).to_string();
    let doubts = found.doubts.len();
    let held: Vec<String> = found.doubts.iter().map(|doubt| amount(doubt.price)).collect();
    let proven = match found.proof {
        Proof::None => "none of the doubts was charged".to_owned(),
        Proof::All => "all of the doubts were charged".to_owned(),
        Proof::Some(count) if ours == doubts => {
            format!("{count} of {doubts} charged; which ones cannot be known, so the first of them are taken for it")
        }
        Proof::Some(count) => format!("{count} of {doubts} charged; not all of them are asked about here, so nothing is settled"),
        Proof::Nothing => "this fits no number of the doubts, so nothing is settled".to_owned(),
    };
    format!(
        "before    {} at {}, at the start of run {}\nnow       {}\nknown     {} charged in between\nleft      {} unexplained\n\
         in doubt  {}: {}\nproof     {proven}\n          true only if nobody else spends on this account\n",
        found.then.amount,
        found.then.at,
        visible(found.then.run.as_str()),
        found.now,
        amount(found.known),
        amount(found.unexplained),
        counted(doubts, "request"),
        held.join(" + "),
    )
}
