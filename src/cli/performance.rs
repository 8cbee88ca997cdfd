//! The engine with its ports plugged in: ledger, store, provider, originals, clock, reporters, signals.
//!
//! In: a [`Performance`]. Out: what became of it. Never: a decision about money; those are the gate's and the engine's.

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

use super::args::BaseUrl;
use super::console;
use super::context::Opened;
use super::error::{CliError, Outcome};
use super::seller;
use super::standing::{Balance, Standing, campaign_scope, profile_scope, step_scope};
use super::workspace::{Stage, Workspace, random};
use crate::campaign::Campaign;
use crate::engine::{self, Cancel, JobPrice, OnDoubt, Originals, PATIENCE, Ports, ProviderTerms, RunOutcome, RunRequest, RunRules, SteadyClock};
use crate::event::Event;
use crate::ledger::{AccountLimits, Balances as _, Cap, Durability, Scope, SqliteLedger};
use crate::plan::{JobIx, Work};
use crate::pricing::JobQuote;
use crate::provider::manifest::{ChargePolicy, ChargedOn, Known, Manifest};
use crate::provider::sim::{SimOptions, Simulator};
use crate::provider::{Provider, Shot, Tariff};
use crate::reporter::{Bars, Detail, Fanout, JsonLines, Plain, Reporter, StepShots};
use crate::spec::assets::MAX_ASSET_BYTES;
use crate::spec::files::input_path;
use crate::spec::{DiskFiles, FailureLimitSpec, Files};
use crate::store::fs::{self, FsStore};
use crate::types::{Clock, Failure, FailureClass, JobKey, Micros, Operation, RunId, SystemClock};

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
    pub provider: Arc<dyn Provider>,
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
}

/// Who is told what.
#[derive(Debug, Clone, Copy)]
pub struct Loudness {
    /// Events as JSON lines on stdout.
    pub json: bool,
    /// Only failures and the end, for people.
    pub quiet: bool,
}

/// Threads beyond the cores for pictures that are drawn, checked and stored: while these wait for the disk, the cores are busy.
/// More would only hold more decoded pictures in memory at once, tens of megabytes each.
const WAITING_FOR_DISKS: usize = 2;

/// Returns who makes the pictures: the one place where that is decided.
///
/// # Errors
/// For a real run as [`seller::connect`]: nobody to buy from, no key.
pub fn provider(opened: &Opened, standing: &Standing, stage: Stage, sim: &SimOptions, elsewhere: &[BaseUrl]) -> Outcome<Arc<dyn Provider>> {
    if stage == Stage::Real {
        return Ok(Arc::new(seller::connect(opened, elsewhere)?));
    }
    let simulator = Simulator::new(sim.clone(), Arc::new(SystemClock));
    if sim.balance.is_none() {
        return Ok(Arc::new(simulator));
    }
    let price = |ix| Some((opened.plan.job(ix).key, standing.quotes.price(ix)?.amount.micros));
    let prices: HashMap<JobKey, Micros> = opened.plan.indices().filter_map(price).collect();
    let tariff: Tariff = Arc::new(move |shot: &Shot| prices.get(&shot.key).copied());
    Ok(Arc::new(simulator.with_account(standing.estimate.book.currency.clone(), tariff)))
}

/// Longest wait for the account's balance: it is shown beside the plan, and a plan should not have to wait.
const BALANCE_PATIENCE: Duration = Duration::from_secs(10);

/// Asks what is left on the account.
///
/// # Errors
/// [`CliError::Account`] when the account itself is refused: nothing can be bought then. Any other failure only leaves the balance unknown.
pub fn balance(workers: &Runtime, provider: &dyn Provider, stage: Stage) -> Outcome<Balance> {
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

/// Runs the engine to its end and returns what became of it.
///
/// # Errors
/// What is broken on our side. Failed shots are an outcome.
pub fn perform(performance: &Performance<'_>, workers: Runtime) -> Outcome<RunOutcome> {
    // The ledger's moments and the waits of the run go by one clock, which nobody can set while it runs.
    let clock: Arc<dyn Clock> = Arc::new(SteadyClock::started(&SystemClock));
    note_balance(performance, &workers)?;
    let request = request(performance, &performance.run);
    let finish = finish_within(&request.terms);
    let ports = ports(performance, &clock)?;
    let mut reporters = reporters(performance);
    let outcome = workers.block_on(async {
        let (sender, receiver) = watch::channel(Cancel::No);
        let listener = tokio::spawn(listen(sender, finish));
        let mut tell = |event: &Event| reporters.tell(event);
        let outcome = engine::run(request, ports, receiver, &mut tell).await;
        listener.abort();
        outcome
    });
    // Pictures that are still being drawn after a second Ctrl-C are nobody's business any more.
    workers.shutdown_background();
    for (name, error) in reporters.dropped() {
        console::warning(&format!("{name} stopped early: {error}"));
    }
    Ok(outcome?)
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
    let nothing = standing.estimate.book.amount(Micros::ZERO);
    let price = |ix| match standing.quotes.of(ix)? {
        JobQuote::Priced(quote) => {
            Some(JobPrice { quoted: quote.amount.clone(), reserved: standing.estimate.book.amount(quote.highest), unpriced: false })
        }
        JobQuote::Unpriced(_) if performance.allow_unpriced => Some(JobPrice { quoted: nothing.clone(), reserved: nothing.clone(), unpriced: true }),
        JobQuote::Unpriced(_) => None,
    };
    RunRequest {
        run: run.clone(),
        workspace: Arc::from(performance.workspace_name),
        plan: Arc::clone(&opened.plan),
        work: standing.work.clone(),
        prices: opened.plan.indices().map(price).collect(),
        terms: terms(performance),
        caps: caps(campaign, standing).into_iter().chain(performance.plan_cap.clone()).collect(),
        step_caps: step_caps(opened, standing),
        concurrency: performance.concurrency.max(1),
        stop_after_failures: if performance.fail_fast { Some(1) } else { stop_after(opened, standing) },
        // The caller holds the workspace's lock: nobody else can be sending.
        rules: RunRules { attempts: campaign.run.attempts, on_doubt: performance.on_doubt, alone: true, seed: random(), ..RunRules::default() },
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
    let (Some(manifest), Balance::Known(amount)) = (&performance.opened.manifest, &performance.standing.balance) else { return Ok(()) };
    if performance.workspace.stage() == Stage::Rehearsal {
        return Ok(());
    }
    let ledger = SqliteLedger::open(&performance.workspace.ledger(), Arc::new(SystemClock), Durability::Full)?;
    workers.block_on(ledger.note_balance(&account(manifest), performance.run.clone(), amount.clone()))?;
    Ok(())
}

/// Returns the provider's terms; those of nobody in particular for a campaign without a provider.
fn terms(performance: &Performance<'_>) -> ProviderTerms {
    let rehearses = performance.workspace.stage() == Stage::Rehearsal;
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
    if rehearses { terms.rehearsed(performance.sim.latency, performance.sim.refund) } else { terms }
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
    Ok(Ports {
        ledger: Arc::new(SqliteLedger::open(&workspace.ledger(), Arc::clone(clock), durability)?),
        store: Arc::new(FsStore::open(&workspace.blobs())?.with_durability(kept)),
        provider: Arc::clone(&performance.provider),
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

/// Longest wait for the engine to leave after the second signal; then the process ends, and the ledger is whole all the same.
const LEAVE: Duration = Duration::from_secs(2);

/// Longest time for what is paid to be finished after the first signal, 2 minutes: tasks are kept by the provider, a later run fetches them.
const FINISH: Duration = Duration::from_secs(120);

/// Returns how long a run may go on after the first signal.
///
/// Where the answer is the picture itself, leaving earlier than the exchange ends would lose what is paid.
fn finish_within(terms: &ProviderTerms) -> Duration {
    match &terms.poll {
        Some(curve) => curve.deadline.0.min(FINISH),
        None => terms.patience / 2,
    }
}

/// Turns signals into wishes: the first asks to finish, the second, or the end of `finish`, to leave.
async fn listen(cancel: watch::Sender<Cancel>, finish: Duration) {
    signal().await;
    let _ = cancel.send(Cancel::Finish);
    if tokio::time::timeout(finish, signal()).await.is_err() {
        let after = format!("{} s", finish.as_secs());
        console::talk(&format!(
            "stopped {after} after the signal; tasks that are paid and not fetched are kept: the next run fetches them for nothing"
        ));
    }
    let _ = cancel.send(Cancel::Leave);
    tokio::time::sleep(LEAVE).await;
    std::process::exit(i32::from(super::exit::INTERRUPTED));
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn signal() {
    let _ = tokio::signal::ctrl_c().await;
}
