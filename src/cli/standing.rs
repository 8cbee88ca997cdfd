//! Where a campaign stands: plan x ledger -> worklist -> estimate -> verdict.
//!
//! In: an opened campaign, a workspace's memory, a selection. Out: [`Standing`], which `plan` prints and `run` performs.
//! Never: a change to the ledger.

use indexmap::IndexMap;

use super::args::SelectionArgs;
use super::context::Opened;
use super::error::Outcome;
use super::memory::Memory;
use super::words;
use crate::campaign::Campaign;
use crate::engine::OnDoubt;
use crate::ledger::{History, Scope};
use crate::plan::{Reason, Selection, Work, Worklist, why, worklist};
use crate::pricing::{Committed, Estimate, Gate, Quotes, Verdict, estimate, gate, quotes};
use crate::report::{Change, THE_CAMPAIGN};
use crate::types::Micros;

/// A plan with what is left of it and what that costs.
#[derive(Debug)]
pub struct Standing {
    /// What the ledger knows of the jobs.
    pub history: History,
    /// What is left to do.
    pub work: Worklist,
    /// What one try of each job costs.
    pub quotes: Quotes,
    /// What it will cost.
    pub estimate: Estimate,
    /// Whether a run may start.
    pub verdict: Verdict,
    /// The ledger's last record when all this was read.
    pub seq: u64,
}

/// Compares a campaign with what its workspace remembers; `on_doubt` says whether doubts are to be bought again, and priced.
///
/// # Errors
/// A selection that does not fit the plan, a ledger that cannot be read, sums that do not fit.
pub fn standing(opened: &Opened, memory: &Memory, selected: &SelectionArgs, on_doubt: OnDoubt) -> Outcome<Standing> {
    let Opened { campaign, plan, catalog, .. } = opened;
    let seq = memory.last_seq()?;
    let history = memory.history(plan)?;
    let selection = Selection::new(plan, &selected.only, &until(campaign, selected))?;
    let census = memory.census(history.jobs.len());
    let work = worklist(plan, &history, &selection, &|blob| census.has(blob.digest));
    let work = if on_doubt == OnDoubt::Resend { work.resending(plan) } else { work };
    let quotes = quotes(plan, catalog);
    let estimate = estimate(plan, &work, &quotes, &campaign.budget, campaign.run.attempts, &committed(campaign, memory)?)?;
    let verdict = gate(&estimate, Gate { balance: None, allow_unpriced: false, warn_at: campaign.budget.warn_at });
    Ok(Standing { history, work, quotes, estimate, verdict, seq })
}

/// Returns the last steps: those of the command line, else the profile's, unless single shots are asked for.
fn until(campaign: &Campaign, selected: &SelectionArgs) -> Vec<String> {
    if !selected.until.is_empty() || !selected.only.is_empty() {
        return selected.until.clone();
    }
    campaign.until.iter().map(|step| step.to_string()).collect()
}

/// Returns the scope that a campaign's own cap guards.
pub fn campaign_scope(campaign: &Campaign) -> Scope {
    Scope(format!("campaign:{}", campaign.name))
}

/// Returns the scope that the cap of the profile guards, if the campaign is opened with one.
pub fn profile_scope(campaign: &Campaign) -> Option<Scope> {
    campaign.profile.as_ref().map(|profile| Scope(format!("campaign:{}/profile:{profile}", campaign.name)))
}

/// Returns the scope that the cap of a step guards.
pub fn step_scope(campaign: &Campaign, step: &str) -> Scope {
    Scope(format!("campaign:{}/step:{step}", campaign.name))
}

/// Returns whose cap a scope is, for people: `the campaign`, `profile draft`, `step surface`.
pub fn scope_words(scope: &Scope) -> String {
    match scope.0.split_once('/') {
        Some((_, part)) => part.replacen(':', " ", 1),
        None => THE_CAMPAIGN.to_owned(),
    }
}

fn committed(campaign: &Campaign, memory: &Memory) -> Outcome<Committed> {
    let under = |scope: &Scope| -> Outcome<Micros> {
        let Some(totals) = memory.totals(scope)? else { return Ok(Micros::ZERO) };
        Ok(totals.spent.checked_add(totals.reserved)?.checked_add(totals.in_doubt)?)
    };
    let mut committed = Committed { campaign: under(&campaign_scope(campaign))?, ..Committed::default() };
    if let Some(scope) = profile_scope(campaign) {
        committed.profile = under(&scope)?;
    }
    for (step, _) in &campaign.budget.steps {
        committed.steps.insert(step.clone(), under(&step_scope(campaign, step))?);
    }
    Ok(committed)
}

/// Most changed jobs whose recipe is looked up: reasons repeat, and a plan should be quick.
const MOST_LOOKED_UP: usize = 2_000;

/// Returns why jobs have changed: those of one step with one reason together, in the plan's order.
///
/// # Errors
/// A ledger that cannot be read.
pub fn changes(opened: &Opened, memory: &Memory, work: &Worklist) -> Outcome<Vec<Change>> {
    let plan = &opened.plan;
    let all = work.iter().filter_map(|(ix, work)| match work {
        Work::Changed { was } => Some((ix, work, was)),
        _ => None,
    });
    let mut changes: IndexMap<(u32, String), Change> = IndexMap::new();
    for (ix, work, was) in all.take(MOST_LOOKED_UP) {
        let differences = match why(plan, ix, work, memory.recipe(was)?) {
            Reason::Changed(differences) => differences,
            Reason::ChangedUnknown | Reason::Plain(_) => Vec::new(),
        };
        let alike = words::kind_of_difference(plan, &differences);
        let reason = || words::first_difference(plan, &differences);
        changes.entry((plan.job(ix).step, alike)).and_modify(|change| change.jobs += 1).or_insert_with(|| Change {
            first: plan.id(ix),
            jobs: 1,
            reason: reason(),
        });
    }
    Ok(changes.into_values().collect())
}
