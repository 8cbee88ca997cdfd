//! Batches at the edge: what `--batch` changes, what a run that was cut off has left of one, what the provider's list says.
//!
//! In: an opened campaign, a workspace, doubts. Out: the campaign at batch prices; tries taken up; [`Found`].
//! Never: a paid request; a batch bought for a model that the provider does not take in batches.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::context::Opened;
use super::error::{CliError, Outcome};
use super::memory::Memory;
use super::workspace::Workspace;
use super::{console, performance};
use crate::catalog::Channel;
use crate::engine::batch::{TakenUp, is_on_its_way, take_up};
use crate::ledger::{AttemptRow, Batches as _, Durability, SqliteLedger, WorkspaceLock};
use crate::plan::{JobIx, Worklist};
use crate::provider::Provider;
use crate::provider::http::batch::flow::BatchFlow;
use crate::provider::http::batch::{BatchProvider, Looked, Mode};
use crate::provider::http::{Found, HttpProvider};
use crate::types::diagnostic::{counted, listed};
use crate::types::{Clock as _, Failure, Operation, SystemClock, TaskId};

/// How a run buys: whether new shots go in batches, and how long it watches those under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Together {
    /// New shots go in batches.
    pub sends: bool,
    /// How long batches are watched; zero: each is asked after once.
    pub wait: Duration,
}

impl Together {
    /// Returns the provider that buys so.
    pub fn from(self, http: HttpProvider) -> Arc<dyn Provider> {
        let mode = if self.sends { Mode::Gather } else { Mode::Direct };
        match BatchProvider::new(http, mode) {
            Ok(provider) => Arc::new(provider),
            Err(http) => Arc::<HttpProvider>::from(http),
        }
    }
}

/// Returns how the provider of a campaign takes batches.
fn flow(opened: &Opened) -> Option<&BatchFlow> {
    opened.manifest.as_ref()?.http.as_ref()?.batch.as_ref()
}

/// Puts a campaign at the prices of batches.
///
/// # Errors
/// A provider that takes none.
pub fn in_batches(mut opened: Opened) -> Outcome<Opened> {
    if let Some(manifest) = opened.manifest.as_ref().filter(|_| flow(&opened).is_none()) {
        let fact = format!("{} takes no batches", manifest.title);
        return Err(CliError::usage(fact, "leave out `--batch`; of the built-in providers `openai` takes them"));
    }
    if opened.sellers.len() > 1 {
        let names: Vec<&str> = opened.sellers.keys().map(|name| &**name).collect();
        let fact = format!("batches take campaigns of one provider, and this one buys from {}", listed(&names, 8));
        return Err(CliError::usage(fact, "leave out `--batch`; a campaign of its own can buy one part in batches, in the same workspace"));
    }
    opened.catalog.book = opened.catalog.book.in_batches();
    Ok(opened)
}

/// Makes sure that batches take every shot that is to be bought.
///
/// # Errors
/// Which models, actions and sizes they do not take.
pub fn fits(opened: &Opened, work: &Worklist) -> Outcome<()> {
    let (Some(manifest), Some(flow)) = (&opened.manifest, flow(opened)) else { return Ok(()) };
    if opened.catalog.book.channel == Channel::Direct {
        return Ok(());
    }
    let mut wrong: Vec<String> = Vec::new();
    for (ix, _) in work.iter().filter(|(_, work)| work.is_outstanding()) {
        if let Some(why) = unfit(opened, manifest.models.get(model(opened, ix).unwrap_or_default()).is_some_and(|card| card.batch), flow, ix)
            && !wrong.contains(&why)
        {
            wrong.push(why);
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let fact = format!("batches of {} do not take everything: {}", manifest.title, wrong.join("; "));
    Err(CliError::usage(fact, "change what is named, run it without `--batch`, or choose other shots with `--only`"))
}

fn model(opened: &Opened, ix: JobIx) -> Option<&str> {
    match &opened.plan.job(ix).operation {
        Operation::Paid(paid) => Some(&paid.model),
        Operation::Local(_) => None,
    }
}

fn unfit(opened: &Opened, is_taken: bool, flow: &BatchFlow, ix: JobIx) -> Option<String> {
    let job = opened.plan.job(ix);
    let Operation::Paid(paid) = &job.operation else { return None };
    let step = &opened.plan.step_of(ix).name;
    if !is_taken {
        return Some(format!("`{}` of step `{step}` goes in none", paid.model));
    }
    match flow.requests.get(&paid.action) {
        None => Some(format!("`{}` of step `{step}` goes in none", paid.action)),
        Some(request) if !request.sizes.is_empty() && !request.sizes.contains(&job.size) => {
            let sizes = request.sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Some(format!("step `{step}` makes {}, and {} in a batch makes {sizes} only", job.size, paid.action))
        }
        Some(_) => None,
    }
}

/// Takes up what a run that was cut off has left on its way into a batch: as far as the ledger knows, without a question to anybody.
///
/// # Errors
/// A ledger that cannot be read or written; another run that holds the workspace.
pub fn take_up_left(opened: &Opened, workspace: &Workspace, memory: &Memory) -> Outcome<()> {
    if flow(opened).is_none() || !memory.is_there() || !memory.attempts(&opened.plan)?.iter().any(is_on_its_way) {
        return Ok(());
    }
    let _lock = WorkspaceLock::acquire(workspace.home(), &format!("run {}", opened.campaign.name), &SystemClock)?;
    let rows = Memory::of(workspace)?.attempts(&opened.plan)?;
    let ledger = SqliteLedger::open(&workspace.ledger(), Arc::new(SystemClock), Durability::Full)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|error| CliError::Io("cannot start a worker".to_owned(), error))?;
    let TakenUp { known, unsent } = runtime.block_on(take_up(&ledger, &performance::run_id(&SystemClock), &rows))?;
    if known > 0 {
        console::talk(&format!(
            "{} of a run that was cut off stand in a batch that is known: their pictures are fetched for nothing",
            counted(known, "shot")
        ));
    }
    if unsent > 0 {
        console::talk(&format!("{} of a run that was cut off were never sent: what was held for them is given back", counted(unsent, "shot")));
    }
    Ok(())
}

/// Says how batches stand, one line each.
pub fn lines(opened: &Opened, batches: &[(TaskId, String)]) -> Vec<String> {
    let window = flow(opened).map_or_else(String::new, |flow| format!("; answers come within {}", flow.window));
    let is_over = |words: &str| ["completed", "expired", "cancelled", "failed"].iter().any(|end| words.starts_with(end));
    let line = |(id, words): &(TaskId, String)| format!("{id}: {words}{}", if is_over(words) { "" } else { &window });
    batches.iter().map(line).collect()
}

/// What lists of batches have said, by our name for a batch: one list answers for all its shots.
#[derive(Default)]
pub struct Lists(HashMap<String, Result<Looked, Failure>>);

impl Lists {
    /// Finds out what became of a try that was on its way into a batch.
    ///
    /// # Errors
    /// A ledger that cannot be used. Inside: why nothing can be said.
    pub async fn find(&mut self, ledger: &SqliteLedger, provider: &HttpProvider, row: &AttemptRow) -> Outcome<Result<Found, String>> {
        let Some(note) = ledger.batch_of(row.key, row.attempt)? else { return Ok(Ok(Found::Nothing)) };
        if let Some(task) = note.batch {
            return Ok(Ok(Found::Task(task)));
        }
        let Some(flow) = provider.batches() else { return Ok(Err("the provider takes no batches".to_owned())) };
        if !self.0.contains_key(&note.name) {
            self.0.insert(note.name.clone(), provider.look_for_batch(&note.name).await);
        }
        Ok(match &self.0[&note.name] {
            Ok(Looked::Made(task)) => {
                ledger.note_batch(&note.name, task.clone()).await?;
                Ok(Found::Task(task.clone()))
            }
            Ok(Looked::NotThere) if SystemClock.now().since(note.at) < flow.unseen.0 => {
                Err(format!("no batch `{}` is in the provider's list, and it may still come; ask again {} after it was sent", note.name, flow.unseen))
            }
            Ok(Looked::NotThere) => Ok(Found::Nothing),
            Err(failure) => Err(format!("{} ({}): {}", failure.class.as_str(), failure.code, failure.message)),
        })
    }
}
