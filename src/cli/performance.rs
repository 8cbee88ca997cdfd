//! The engine with its ports plugged in: ledger, store, provider, originals, clock, reporters, signals.
//!
//! In: a [`Performance`]. Out: what became of it. Never: a decision about money; those are the gate's and the engine's.

mod stopping;

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use indicatif::ProgressDrawTarget;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use stopping::{BATCH_FINISH, FINISH, finish_within, listen};

use super::args::BaseUrl;
use super::batches::Together;
use super::console;
use super::context::Opened;
use super::error::{CliError, Outcome};
use super::seller::{self, Sellers};
use super::standing::{Balance, Standing, campaign_scope, profile_scope, provider_scope, step_scope};
use super::workspace::{Stage, Workspace, random};
use crate::campaign::Campaign;
use crate::catalog::PriceBook;
use crate::engine::batch::BatchLog;
use crate::engine::{
    self, Cancel, Further, JobPrice, OnDoubt, Originals, PATIENCE, Ports, ProviderTerms, RunOutcome, RunRequest, RunRules, SteadyClock,
};
use crate::event::Event;
use crate::ledger::{AccountLimits, Balances as _, Batches, Cap, Durability, Scope, SqliteLedger};
use crate::plan::{JobIx, Work};
use crate::pricing::JobQuote;
use crate::provider::manifest::{ChargePolicy, ChargedOn, Known, Manifest};
use crate::provider::sim::{SimOptions, Simulator};
use crate::provider::{BatchDesk, Provider, Shot, Tariff};
use crate::reporter::{Bars, Detail, Fanout, JsonLines, Plain, Reporter, StepShots};
use crate::spec::assets::MAX_ASSET_BYTES;
use crate::spec::files::input_path;
use crate::spec::{DiskFiles, FailureLimitSpec, Files};
use crate::store::fs::{self, FsStore};
use crate::types::{Amount, Clock, Failure, FailureClass, JobKey, Micros, Operation, RunId, SystemClock, TaskId};

/// A run that is about to begin.
pub struct Performance<'a> {
    /// The campaign.
    pub opened: &'a Opened,
    /// What is left of it.
    pub standing: &'a Standing,
    /// Where ledger and pictures stand.
    pub workspace: &'a Workspace,
    /// Name of the workspace in idempotency keys.
    pub workspace_name: &'a str,
    /// Who makes the pictures.
    pub maker: Maker,
    /// How a rehearsal behaves.
    pub sim: SimOptions,
    /// Paid shots under way at once.
    pub concurrency: usize,
    /// What happens to doubt.
    pub on_doubt: OnDoubt,
    /// Whether the first failure stops new shots.
    pub fail_fast: bool,
    /// Whether shots without a price are sent: nothing is reserved for them.
    pub allow_unpriced: bool,
    /// Who is told what.
    pub loudness: Loudness,
    /// The run's name.
    pub run: RunId,
    /// A cap beside those of the campaign: that of a saved plan.
    pub plan_cap: Option<Cap>,
    /// Whether new shots go in batches, and how long batches are watched.
    pub together: Together,
}

/// Who is told what.
#[derive(Debug, Clone, Copy)]
pub struct Loudness {
    /// Events as JSON lines on stdout.
    pub json: bool,
    /// Only failures and the end, for people.
    pub quiet: bool,
}

impl Performance<'_> {
    /// Returns whether new shots really go in batches: a rehearsal only plays their prices.
    fn sends_batches(&self) -> bool {
        self.together.sends && self.workspace.stage() == Stage::Real
    }
}

/// Threads beyond the cores for pictures that are drawn, checked and stored: while these wait for the disk, the cores are busy.
/// More would only hold more decoded pictures in memory at once, tens of megabytes each.
const WAITING_FOR_DISKS: usize = 2;

/// Who makes the pictures of a run.
pub enum Maker {
    /// Those who sell them.
    Real(Arc<Sellers<Arc<dyn Provider>>>),
    /// The simulator.
    Rehearsed(Arc<Simulator>),
}

impl Maker {
    fn port(&self) -> Arc<dyn Provider> {
        match self {
            Self::Real(sellers) => Arc::clone(sellers) as Arc<dyn Provider>,
            Self::Rehearsed(simulator) => Arc::clone(simulator) as Arc<dyn Provider>,
        }
    }
}

/// Returns who makes the pictures: the one place where that is decided.
///
/// # Errors
/// For a real run as [`seller::connect`]: nobody to buy from, no key.
pub fn provider(opened: &Opened, standing: &Standing, stage: Stage, sim: &SimOptions, elsewhere: &[BaseUrl], together: Together) -> Outcome<Maker> {
    if stage == Stage::Real {
        let is_open = |ix| matches!(standing.work.work(ix), Work::InDoubt) || standing.work.work(ix).is_to_do();
        return Ok(Maker::Real(Arc::new(seller::connect(opened, elsewhere, is_open)?.each(|http| together.from(http)))));
    }
    let simulator = Simulator::new(sim.clone(), Arc::new(SystemClock));
    if sim.balance.is_none() {
        return Ok(Maker::Rehearsed(Arc::new(simulator)));
    }
    let price = |ix| Some((opened.plan.job(ix).key, standing.quotes.price(ix)?.amount.micros));
    let prices: HashMap<JobKey, Micros> = opened.plan.indices().filter_map(price).collect();
    let tariff: Tariff = Arc::new(move |shot: &Shot| prices.get(&shot.key).copied());
    Ok(Maker::Rehearsed(Arc::new(simulator.with_account(standing.estimate.book.currency.clone(), tariff))))
}

/// Longest wait for the account's balance: it is shown beside the plan, and a plan should not have to wait.
const BALANCE_PATIENCE: Duration = Duration::from_secs(10);

/// Asks what is left on each account.
///
/// # Errors
/// [`CliError::Account`] when every account is refused: nothing can be bought then. Any other failure only leaves a balance unknown, and
/// one refused account of several stops the shots of that provider.
pub fn balances(workers: &Runtime, maker: &Maker) -> Outcome<Vec<(Arc<str>, Balance)>> {
    let sellers = match maker {
        Maker::Real(sellers) => sellers,
        Maker::Rehearsed(simulator) => return Ok(vec![(Arc::from("rehearsal"), balance(workers, &**simulator, Stage::Rehearsal)?)]),
    };
    let mut balances = Vec::new();
    let mut refused = None;
    for (name, provider) in sellers.iter() {
        match balance(workers, &**provider, Stage::Real) {
            Ok(balance) => balances.push((Arc::clone(name), balance)),
            Err(CliError::Account(fact, help)) => {
                let why = fact.rsplit_once(": ").map_or(fact.as_str(), |(_, why)| why).to_owned();
                balances.push((Arc::clone(name), Balance::Unknown(format!("the account is refused: {why}"))));
                refused = Some((refused.map_or(0, |(count, _)| count) + 1, CliError::Account(fact, help)));
            }
            Err(other) => return Err(other),
        }
    }
    match refused {
        Some((count, error)) if count == balances.len() => Err(error),
        _ => Ok(balances),
    }
}

/// Asks what is left on one account.
fn balance(workers: &Runtime, provider: &dyn Provider, stage: Stage) -> Outcome<Balance> {
    let asked = workers.block_on(async { tokio::time::timeout(BALANCE_PATIENCE, provider.balance()).await });
    Ok(match asked {
        Ok(Ok(Some(amount))) => Balance::Known(amount),
        Ok(Ok(None)) if stage == Stage::Rehearsal => Balance::NotAsked,
        Ok(Ok(None)) => Balance::Unknown("the provider has no way to ask".to_owned()),
        Ok(Err(failure)) if failure.class == FailureClass::Account => {
            let fact = format!("nothing was sent: the account is refused ({}): {}", failure.code, failure.message);
            return Err(CliError::Account(fact, "look at the key and at the account's page".to_owned()));
        }
        Ok(Err(failure)) => Balance::Unknown(format!("{} ({})", failure.class.as_str(), failure.code)),
        Err(_) => Balance::Unknown(format!("no answer within {} s", BALANCE_PATIENCE.as_secs())),
    })
}

/// Starts the threads that the engine runs on.
///
/// # Errors
/// What the system says.
pub fn workers() -> Outcome<Runtime> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores)
        .max_blocking_threads(cores + WAITING_FOR_DISKS)
        .enable_time()
        .enable_io()
        .build()
        .map_err(|error| CliError::Io("cannot start the workers".to_owned(), error))
}

/// Runs the engine to its end and returns what became of it, and how its batches stand.
///
/// # Errors
/// What is broken on our side. Failed shots are an outcome.
pub fn perform(performance: &Performance<'_>, workers: Runtime) -> Outcome<(RunOutcome, Vec<(TaskId, String)>)> {
    // The ledger's moments and the waits of the run go by one clock, which nobody can set while it runs.
    let clock: Arc<dyn Clock> = Arc::new(SteadyClock::started(&SystemClock));
    note_balance(performance, &workers)?;
    let request = request(performance, &performance.run);
    let all = std::iter::once(&request.terms).chain(request.further.terms.values());
    let waits = all.map(|terms| finish_within(performance, terms)).max().unwrap_or(FINISH);
    let finish = if performance.sends_batches() { BATCH_FINISH } else { waits };
    let ports = ports(performance, &clock)?;
    let mut reporters = reporters(performance);
    let outcome = workers.block_on(async {
        let (sender, receiver) = watch::channel(Cancel::No);
        let listener = tokio::spawn(listen(sender, finish));
        let mut tell = |event: &Event| reporters.tell(event);
        let outcome = engine::run(request, ports, receiver, &mut tell).await;
        listener.abort();
        (outcome, performance.maker.port().batches().await)
    });
    let (outcome, batches) = outcome;
    // Pictures that are still being drawn after a second Ctrl-C are nobody's business any more.
    workers.shutdown_background();
    for (name, error) in reporters.dropped() {
        console::warning(&format!("{name} stopped early: {error}"));
    }
    Ok((outcome?, batches))
}

/// Returns a name like `20261122T094500Z-7f3a`: sorts by time, and two that start in one second differ.
pub fn run_id(clock: &dyn Clock) -> RunId {
    let now = clock.now().to_string();
    let second: String = now.split('.').next().unwrap_or(&now).chars().filter(|char| !matches!(char, '-' | ':')).collect();
    RunId::new(format!("{second}Z-{:04x}", random() & 0xffff))
}

fn request(performance: &Performance<'_>, run: &RunId) -> RunRequest {
    let Performance { opened, standing, .. } = performance;
    let campaign = &opened.campaign;
    // Each provider is paid in the currency of its own book.
    let price = |ix: JobIx| match standing.quotes.native(ix)? {
        JobQuote::Priced(quote) => {
            let reserved = Amount::new(quote.amount.currency.clone(), quote.highest);
            Some(JobPrice { quoted: quote.amount.clone(), reserved, unpriced: false })
        }
        JobQuote::Unpriced(_) if performance.allow_unpriced => {
            let nothing = Amount::new(book_of(opened, ix).currency.clone(), Micros::ZERO);
            Some(JobPrice { quoted: nothing.clone(), reserved: nothing, unpriced: true })
        }
        JobQuote::Unpriced(_) => None,
    };
    RunRequest {
        run: run.clone(),
        workspace: Arc::from(performance.workspace_name),
        plan: Arc::clone(&opened.plan),
        work: standing.work.clone(),
        prices: opened.plan.indices().map(price).collect(),
        terms: terms(performance),
        further: further(performance),
        caps: caps(campaign, standing).into_iter().chain(performance.plan_cap.clone()).collect(),
        step_caps: step_caps(opened, standing),
        // What goes together starts together.
        concurrency: if performance.sends_batches() { opened.plan.jobs.len().max(1) } else { performance.concurrency.max(1) },
        is_rehearsal: performance.workspace.stage() == Stage::Rehearsal,
        stop_after_failures: if performance.fail_fast { Some(1) } else { stop_after(opened, standing) },
        // The caller holds the workspace's lock: nobody else can be sending.
        rules: RunRules {
            attempts: campaign.run.attempts,
            on_doubt: performance.on_doubt,
            alone: true,
            seed: random(),
            batch: performance.sends_batches(),
            ..RunRules::default()
        },
    }
}

/// Returns the book of the provider that makes a job's picture.
fn book_of(opened: &Opened, ix: JobIx) -> &PriceBook {
    match &opened.plan.job(ix).operation {
        Operation::Paid(paid) => &opened.catalog.at(&paid.provider).book,
        Operation::Local(_) => &opened.catalog.book,
    }
}

/// Returns what a run over several providers needs besides the terms of the campaign's own.
fn further(performance: &Performance<'_>) -> Further {
    let Performance { opened, standing, .. } = performance;
    let is_own = |name: &str| opened.manifest.as_ref().is_some_and(|own| *own.id == *name);
    let others = opened.sellers.iter().filter(|(name, _)| !is_own(name));
    let terms =
        others.map(|(name, seller)| (Arc::clone(name), rehearsed(performance, ProviderTerms::of(&seller.manifest, account(&seller.manifest)))));
    let caps = opened.campaign.budget.providers.iter().map(|(name, limit)| {
        let limit = Amount::new(opened.catalog.at(name).book.currency.clone(), *limit);
        (Arc::clone(name), Cap { scope: provider_scope(&opened.campaign, name), limit: Some(limit), rates: standing.rates.clone() })
    });
    let common = opened.catalog.common.as_ref();
    Further { terms: terms.collect(), counted_in: common.map(|common| (common.book.currency.clone(), standing.rates.clone())), caps: caps.collect() }
}

fn rehearsed(performance: &Performance<'_>, terms: ProviderTerms) -> ProviderTerms {
    match performance.workspace.stage() {
        Stage::Real => terms,
        Stage::Rehearsal => terms.rehearsed(performance.sim.latency, performance.sim.refund),
    }
}

/// Names the account of a provider: itself and the variable of its key, never the key.
pub fn account(manifest: &Manifest) -> String {
    format!("{}:{}", manifest.id, manifest.key_env)
}

/// Notes what is left on the account at the start of a run, so that doubts of this run can be settled by it later.
///
/// # Errors
/// When the ledger cannot be written.
pub fn note_balance(performance: &Performance<'_>, workers: &Runtime) -> Outcome<()> {
    let known = performance.standing.balances.iter().filter_map(|(name, balance)| match balance {
        Balance::Known(amount) => Some((account(&performance.opened.sellers.get(name)?.manifest), amount.clone())),
        Balance::NotAsked | Balance::Unknown(_) => None,
    });
    let known: Vec<(String, Amount)> = known.collect();
    if known.is_empty() || performance.workspace.stage() == Stage::Rehearsal {
        return Ok(());
    }
    let ledger = SqliteLedger::open(&performance.workspace.ledger(), Arc::new(SystemClock), Durability::Full)?;
    for (account, amount) in known {
        workers.block_on(ledger.note_balance(&account, performance.run.clone(), amount))?;
    }
    Ok(())
}

/// Returns the provider's terms; those of nobody in particular for a campaign without a provider.
fn terms(performance: &Performance<'_>) -> ProviderTerms {
    let terms = match &performance.opened.manifest {
        Some(manifest) => ProviderTerms::of(manifest, account(manifest)),
        None => ProviderTerms {
            limits: AccountLimits { account: performance.opened.catalog.provider.to_string(), windows: Vec::new(), places: None },
            charge: ChargePolicy { on: ChargedOn::Success, refund_on_failure: Known::Yes, moderation_charged: Known::No, ambiguous_on_timeout: true },
            poll: None,
            patience: PATIENCE,
            idempotent: false,
            keeps: None,
        },
    };
    if performance.workspace.stage() == Stage::Rehearsal {
        return rehearsed(performance, terms);
    }
    let flow = performance.opened.manifest.as_ref().and_then(|manifest| manifest.http.as_ref()?.batch.as_ref());
    match flow.filter(|_| performance.together.sends || performance.standing.work.count(|work| work == Work::Resumed) > 0) {
        Some(flow) => terms.with_batches(flow.curve(performance.together.wait), performance.together.sends),
        None => terms,
    }
}

/// Returns a cap in the currency of the plan's book.
fn cap(scope: Scope, limit: Option<Micros>, standing: &Standing) -> Cap {
    Cap { scope, limit: limit.map(|limit| standing.estimate.book.amount(limit)), rates: standing.rates.clone() }
}

fn caps(campaign: &Campaign, standing: &Standing) -> Vec<Cap> {
    let own = cap(campaign_scope(campaign), campaign.budget.cap, standing);
    let profile = profile_scope(campaign).map(|scope| cap(scope, campaign.budget.profile_cap, standing));
    std::iter::once(own).chain(profile).collect()
}

fn step_caps(opened: &Opened, standing: &Standing) -> Vec<Option<Cap>> {
    let of_step = |step: &crate::plan::PlannedStep| {
        let (name, limit) = opened.campaign.budget.steps.iter().find(|(name, _)| *name == step.name)?;
        Some(cap(step_scope(&opened.campaign, name), Some(*limit), standing))
    };
    opened.plan.steps.iter().map(of_step).collect()
}

/// Returns the number of failures that stops a run: a share is of the paid shots that this run starts, at least 1.
fn stop_after(opened: &Opened, standing: &Standing) -> Option<usize> {
    match opened.campaign.run.stop_after? {
        FailureLimitSpec::Count(count) => Some(count.max(1) as usize),
        FailureLimitSpec::Share(share) => {
            let is_paid = |ix| matches!(opened.plan.job(ix).operation, Operation::Paid(_));
            let paid = standing.work.iter().filter(|(ix, work)| work.is_to_do() && is_paid(*ix)).count() as u64;
            let limit = (paid * u64::from(share.0)).div_ceil(10_000).max(1);
            Some(usize::try_from(limit).unwrap_or(usize::MAX))
        }
    }
}

fn ports(performance: &Performance<'_>, clock: &Arc<dyn Clock>) -> Outcome<Ports> {
    let workspace = performance.workspace;
    // What a rehearsal loses in a power cut can be drawn again for nothing.
    let (durability, kept) = match workspace.stage() {
        Stage::Real => (Durability::Full, fs::Durability::Synced),
        Stage::Rehearsal => (Durability::Normal, fs::Durability::Cached),
    };
    let ledger = Arc::new(SqliteLedger::open(&workspace.ledger(), Arc::clone(clock), durability)?);
    let page = BatchLog::new(Arc::clone(&ledger) as Arc<dyn Batches>, performance.run.clone());
    performance.maker.port().begin(BatchDesk { run: performance.run.clone(), logbook: Arc::new(page), folder: workspace.home().to_owned() });
    Ok(Ports {
        ledger,
        store: Arc::new(FsStore::open(&workspace.blobs())?.with_durability(kept)),
        provider: performance.maker.port(),
        originals: Arc::new(CampaignFolder(performance.opened.base.clone())),
        clock: Arc::clone(clock),
    })
}

/// The author's own files, below the campaign's folder.
struct CampaignFolder(PathBuf);

impl Originals for CampaignFolder {
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Vec<u8>, Failure>> {
        let full = input_path(path).map(|relative| self.0.join(relative));
        let shown = path.to_owned();
        let read = move || {
            let failed = |reason: String| Failure::new(FailureClass::Local, "unreadable-file", format!("`{shown}` cannot be read: {reason}"));
            let full = full.map_err(|why| failed(format!("its path {why}")))?;
            DiskFiles.read(&full, MAX_ASSET_BYTES).map_err(|error| failed(error.to_string()))
        };
        let stopped = |error: tokio::task::JoinError| Failure::new(FailureClass::Local, "unreadable-file", error.to_string());
        async move { tokio::task::spawn_blocking(read).await.map_err(stopped)? }.boxed()
    }
}

fn reporters(performance: &Performance<'_>) -> Fanout {
    let loudness = performance.loudness;
    let detail = if loudness.quiet { Detail::Quiet } else { Detail::Normal };
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb") || std::env::var_os("CI").is_some();
    let progress: Box<dyn Reporter> = if io::IsTerminal::is_terminal(&io::stderr()) && !is_dumb && detail > Detail::Quiet {
        Box::new(Bars::new(ProgressDrawTarget::stderr(), console::width().unwrap_or(80), &step_shots(performance)))
    } else {
        Box::new(Plain::new(anstream::stderr(), detail))
    };
    let fanout = Fanout::default().with("the progress on stderr", progress);
    if loudness.json { fanout.with("the events on stdout", Box::new(JsonLines::new(io::LineWriter::new(Quietly(io::stdout()))))) } else { fanout }
}

/// Returns how many shots each step has in this run; steps that it leaves out are not among them.
fn step_shots(performance: &Performance<'_>) -> Vec<StepShots> {
    let Performance { opened, standing, .. } = performance;
    let of_step = |step: &crate::plan::PlannedStep| {
        let work = step.jobs.clone().map(|ix| standing.work.work(JobIx(ix)));
        let (mut shots, mut there) = (0, 0);
        for work in work.filter(|work| *work != Work::Excluded) {
            shots += 1;
            there += usize::from(work == Work::Reused);
        }
        StepShots { name: step.name.to_string(), shots, there }
    };
    opened.plan.steps.iter().map(of_step).filter(|step| step.shots > 0).collect()
}

/// Writes until the reader has gone, and then no more: a closed pipe is not worth a word.
struct Quietly<W>(W);

impl<W: Write> Write for Quietly<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            other => other,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }
}
