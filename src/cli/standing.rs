//! Where a campaign stands: plan x ledger -> worklist -> estimate -> verdict.
//!
//! In: an opened campaign, a workspace's memory, a selection. Out: [`Standing`], which `plan` prints and `run` performs.
//! Never: a change to the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;

use super::args::SelectionArgs;
use super::context::Opened;
use super::error::Outcome;
use super::memory::Memory;
use super::words;
use crate::campaign::Campaign;
use crate::catalog::{Catalog, builtin};
use crate::engine::OnDoubt;
use crate::ledger::{Cap, LedgerError, ScopeTotals};
use crate::ledger::{History, Scope};
use crate::plan::{Plan, Reason, Selection, Work, Worklist, why, worklist};
use crate::pricing::{
    BookFacts, CapOf, Committed, Delta, Estimate, Factors, Gate, PolicyVerdict, ProviderCap, Quotes, Refusal, Sum, Unweighed, Verdict, Whole,
    by_provider, estimate_by, gate, judge, learn, quotes,
};
use crate::report::Change;
use crate::types::{Amount, BlobRef, Currency, Micros, Rates};

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
    /// What the campaign's policy says to the plan alone.
    pub policy: Vec<PolicyVerdict>,
    /// Whether a run may start.
    pub verdict: Verdict,
    /// Whether shots without a price are let pass.
    allow_unpriced: bool,
    /// What is left on each provider's account; empty when nobody has asked.
    pub balances: Vec<(Arc<str>, Balance)>,
    /// What the books at hand say their credits are worth.
    pub rates: Rates,
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
    let selection = selection(campaign, plan, selected)?;
    let census = memory.census(history.jobs.len());
    let present = |blob: &BlobRef| census.has(blob.digest);
    let work = worklist(plan, &history, &selection, &present);
    let work = if opened.supposes_picks { work.as_if_picked(plan) } else { work };
    let work = if on_doubt == OnDoubt::Resend { work.resending(plan, &history, &present) } else { work };
    let quotes = quotes(plan, catalog);
    let (committed, rates) = committed(opened, memory)?;
    let estimate = estimate_by(plan, &work, &quotes, &campaign.budget, factors(opened, memory)?, campaign.run.attempts, &committed)?;
    let caps = provider_caps(opened, memory)?;
    let estimate = estimate.told_by_provider(by_provider(plan, &work, &quotes, catalog, campaign.run.attempts, &caps)?)?;
    let factor = estimate.factor.as_ref().map(|(_, factor)| *factor);
    let policy = policy(campaign, plan, &quotes, &selection, factor, None)?;
    let verdict = gate(&estimate, Gate { balance: None, allow_unpriced: false, warn_at: campaign.budget.warn_at }).with_policy(&policy);
    Ok(Standing { history, work, quotes, estimate, policy, verdict, allow_unpriced: false, balances: Vec::new(), rates, seq })
}

/// What is left on the account, as far as somebody has asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Balance {
    /// Nobody has asked: a plan needs no key and no network, a rehearsal has no account.
    NotAsked,
    /// It was asked for and is not known, for this reason.
    Unknown(String),
    /// The provider's own figure.
    Known(Amount),
}

impl Standing {
    /// Takes what is left on the accounts into the plan and its verdict.
    pub fn weigh(&mut self, balances: Vec<(Arc<str>, Balance)>, warn_at: Option<u32>) {
        self.balances = balances;
        self.judge(warn_at);
    }

    /// Returns the same for a user who lets shots without a price pass.
    #[must_use]
    pub fn allowing_unpriced(mut self, opened: &Opened, allowed: bool) -> Self {
        self.allow_unpriced = allowed;
        self.judge(opened.campaign.budget.warn_at);
        self
    }

    /// Returns the iteration factor that makes the expected cost of the floor.
    pub fn factor(&self) -> Option<Micros> {
        self.estimate.factor.as_ref().map(|(_, factor)| *factor)
    }

    fn judge(&mut self, warn_at: Option<u32>) {
        let told = Gate { balance: self.comparable_balance(), allow_unpriced: self.allow_unpriced, warn_at };
        self.verdict = gate(&self.estimate, told).with_policy(&self.policy);
        for (provider, balance) in self.balances.iter().filter(|_| self.balances.len() > 1) {
            let Some(line) = self.estimate.by_provider.iter().find(|line| line.provider == *provider) else { continue };
            let Some(left) = self.compared(balance, &line.book.currency).filter(|left| *left < line.floor.micros) else { continue };
            let (balance, floor) = (line.book.amount(left), line.book.amount(line.floor.micros));
            self.verdict.refusals.push(Refusal::Balance { at: Some(Arc::clone(provider)), balance, floor });
        }
    }

    /// Returns the balance in the currency of the plan, if a stated rate leads there; of several accounts none stands for the plan.
    fn comparable_balance(&self) -> Option<Micros> {
        match self.balances.as_slice() {
            [(_, balance)] => self.compared(balance, &self.estimate.book.currency),
            _ => None,
        }
    }

    fn compared(&self, balance: &Balance, to: &Currency) -> Option<Micros> {
        match balance {
            Balance::Known(amount) => self.rates.convert(amount, to),
            Balance::NotAsked | Balance::Unknown(_) => None,
        }
    }

    /// Returns what stands beside the plan about each account; nothing where nobody has asked.
    pub fn balance_words(&self) -> Vec<String> {
        match self.balances.as_slice() {
            [(_, balance)] => {
                let totals = &self.estimate.totals;
                self.words_of(balance, "balance", &self.estimate.book, totals.floor, totals.ceiling).into_iter().collect()
            }
            several => {
                let words = several.iter().filter_map(|(provider, balance)| {
                    let line = self.estimate.by_provider.iter().find(|line| line.provider == *provider)?;
                    self.words_of(balance, &format!("balance at {provider}"), &line.book, line.floor, line.ceiling)
                });
                words.collect()
            }
        }
    }

    fn words_of(&self, balance: &Balance, what: &str, book: &BookFacts, floor: Sum, ceiling: Sum) -> Option<String> {
        let shown = match balance {
            Balance::NotAsked => return None,
            Balance::Unknown(why) => return Some(format!("{what} unknown: {why}")),
            Balance::Known(amount) => amount,
        };
        let Some(left) = self.compared(balance, &book.currency) else {
            return Some(format!("{what} {shown} ({}), not compared with a plan in {}", shown.currency, book.currency));
        };
        let after = |sum: Sum, name: &str| {
            let left = Micros::new(left.get().saturating_sub(sum.micros.get()));
            if left < Micros::ZERO {
                format!("{} too little for the {name}", book.amount(Micros::new(left.get().saturating_neg())))
            } else {
                format!("{} left after the {name}", book.amount(left))
            }
        };
        Some(format!("{what} {shown}: {}, {}", after(floor, "floor"), after(ceiling, "ceiling")))
    }
}

/// Returns what the campaign's policy says to its plan; `factor` makes its expected cost of its floor, `delta` is what that has grown by, if it is compared with another.
///
/// # Errors
/// Sums that do not fit.
pub fn policy(
    campaign: &Campaign,
    plan: &Plan,
    quotes: &Quotes,
    selection: &Selection,
    factor: Option<Micros>,
    delta: Option<&Delta>,
) -> Outcome<Vec<PolicyVerdict>> {
    let budget = &campaign.budget;
    if budget.policy.is_empty() {
        return Ok(Vec::new());
    }
    let whole = Whole::of(plan, quotes, selection, factor, campaign.run.attempts)?;
    Ok(judge(&budget.policy, &whole, delta, &quotes.book().currency))
}

/// Returns which jobs a command is about.
///
/// # Errors
/// A step, axis or value that the plan does not have.
pub fn selection(campaign: &Campaign, plan: &Plan, selected: &SelectionArgs) -> Outcome<Selection> {
    Ok(Selection::new(plan, &selected.only, &until(campaign, selected))?)
}

/// Returns the iteration factors: those that the campaign names, or what its own runs in this workspace teach.
fn factors(opened: &Opened, memory: &Memory) -> Outcome<Factors> {
    let Opened { campaign, plan, .. } = opened;
    if !campaign.budget.learns {
        return Ok(Factors::of(&campaign.budget));
    }
    Ok(Factors::learning(&campaign.budget, learn(plan, &memory.attempts(plan)?)?))
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

/// Returns the scope that the cap of a campaign at one provider guards.
pub fn provider_scope(campaign: &Campaign, provider: &str) -> Scope {
    Scope(format!("campaign:{}/provider:{provider}", campaign.name))
}

/// Returns the scope that the cap of a step guards.
pub fn step_scope(campaign: &Campaign, step: &str) -> Scope {
    Scope(format!("campaign:{}/step:{step}", campaign.name))
}

/// Reads what stands under the caps, in the currency of the plan's book, and the rates by which other currencies are weighed.
///
/// # Errors
/// A ledger that cannot be read, sums that do not fit.
pub fn committed(opened: &Opened, memory: &Memory) -> Outcome<(Committed, Rates)> {
    let Opened { campaign, catalog, .. } = opened;
    let mut scopes = vec![(CapOf::Campaign, campaign_scope(campaign))];
    scopes.extend(profile_scope(campaign).map(|scope| (CapOf::Profile, scope)));
    scopes.extend(campaign.budget.steps.iter().map(|(step, _)| (CapOf::Step(Arc::clone(step)), step_scope(campaign, step))));
    let found: Vec<(CapOf, Scope, Vec<ScopeTotals>)> =
        scopes.into_iter().map(|(of, scope)| Ok((of, scope.clone(), memory.totals(&scope)?))).collect::<Outcome<_>>()?;

    let own = &catalog.counted_in().currency;
    let rates = rates(catalog, found.iter().flat_map(|(_, _, totals)| totals));
    let mut committed = Committed::default();
    for (of, scope, totals) in found {
        let cap = Cap { rates: rates.clone(), ..Cap::new(scope, None) };
        let mut sum = Micros::ZERO;
        for totals in totals {
            match cap.committed(std::slice::from_ref(&totals), own) {
                Ok(weighed) => sum = sum.checked_add(weighed)?,
                Err(LedgerError::NoRate { amount, .. }) => {
                    let book = silent(&amount, own, &rates);
                    committed.unweighed.push((of.clone(), Unweighed { amount, book }));
                }
                Err(other) => return Err(other.into()),
            }
        }
        match of {
            CapOf::Campaign => committed.campaign = sum,
            CapOf::Profile => committed.profile = sum,
            CapOf::Step(step) => drop(committed.steps.insert(step, sum)),
            CapOf::Provider(_) => {}
        }
    }
    Ok((committed, rates))
}

/// Reads what stands under the caps on single providers, each in the currency of the provider's book.
fn provider_caps(opened: &Opened, memory: &Memory) -> Outcome<BTreeMap<Arc<str>, ProviderCap>> {
    let mut caps = BTreeMap::new();
    for (provider, limit) in &opened.campaign.budget.providers {
        let currency = &opened.catalog.at(provider).book.currency;
        let cap = Cap::new(provider_scope(&opened.campaign, provider), None);
        // What was spent there on another book is in another currency; the ledger refuses what it cannot weigh.
        let totals: Vec<ScopeTotals> = memory.totals(&cap.scope)?.into_iter().filter(|totals| totals.currency == *currency).collect();
        caps.insert(Arc::clone(provider), ProviderCap { limit: *limit, committed: cap.committed(&totals, currency)? });
    }
    Ok(caps)
}

/// Returns the rates that are needed: of the plan's own book, and of the built-in books whose credits were spent before.
fn rates<'a>(catalog: &Catalog, spent: impl Iterator<Item = &'a ScopeTotals>) -> Rates {
    let books = || catalog.all().map(|one| &one.book);
    let own = books().filter_map(|book| Some((book.currency.clone(), book.usd_per_credit?)));
    let others: BTreeSet<&Currency> =
        spent.map(|totals| &totals.currency).filter(|currency| books().all(|book| book.currency != **currency)).collect();
    let stated = others.into_iter().filter_map(|currency| match currency {
        Currency::Usd => None,
        Currency::Credits(book) => Some((currency.clone(), builtin::book(book)?.usd_per_credit?)),
    });
    Rates::of(own.chain(stated))
}

/// Returns the book whose rate is missing between an amount and the plan's currency.
fn silent(amount: &Amount, own: &Currency, rates: &Rates) -> Arc<str> {
    let without_rate = |currency: &Currency| rates.convert(&Amount::new(currency.clone(), Micros::units(1)), &Currency::Usd).is_none();
    match (&amount.currency, own) {
        (Currency::Credits(book), _) if without_rate(&amount.currency) => Arc::clone(book),
        (_, Currency::Credits(book)) | (Currency::Credits(book), Currency::Usd) => Arc::clone(book),
        (Currency::Usd, Currency::Usd) => Arc::from("USD"),
    }
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
