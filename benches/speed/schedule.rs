//! How well places are used when every picture takes a while: the real driver in virtual time.
//!
//! 500 shots in chains of 4, latencies log-normal (half of them above the median, sigma 0.5), 32 places, the poll curve of a built-in
//! manifest, nothing learned at the start. Real: driver, machine, pacing, polling. Instead of disks: the ledger and the store in memory.
//! The lower bound is what no schedule can beat: all latencies over all places, or the longest chain.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use callsheet::engine::{Cancel, Further, JobPrice, Originals, Ports, ProviderTerms, RunRequest, RunRules, run};
use callsheet::imaging::{Picture, encode};
use callsheet::ledger::{Cap, Ledger as _, MemoryLedger, Scope};
use callsheet::plan::{Job, Plan, PlannedAxis, PlannedStep, Selection, worklist};
use callsheet::provider::manifest::builtin;
use callsheet::provider::{ByteStream, Polled, Provider, ResultRef, Shot, Submitted};
use callsheet::store::BlobStore as _;
use callsheet::store::memory::MemoryStore;
use callsheet::types::{
    Action, Amount, Clock, Currency, Digest, Failure, FailureClass, ImageFormat, InputRole, JobKey, Micros, Operation, Paid, PixelSize, RunId,
    Settings, TaskId, Timestamp,
};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, stream};
use petgraph::graph::{DiGraph, NodeIndex};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::cases::Setup;
use crate::table::{Row, Wanted, median};

/// Steps of a chain.
const LENGTH: usize = 4;

/// Chains.
const CHAINS: usize = 125;

/// Shots under way at once.
const PLACES: usize = 32;

/// What one schedule came to.
struct Seen {
    /// The lower bound over what it took.
    efficiency: f64,
    /// Questions a shot.
    polls: f64,
}

/// Runs schedules of several medians and seeds.
pub fn schedule(setup: &Setup) -> Vec<Row> {
    let mut rows = Vec::new();
    for seconds in [12_u64, 40, 150] {
        let seen: Vec<Seen> = (0..setup.rounds(9) as u64).map(|seed| played(Duration::from_secs(seconds), seed)).collect();
        let what = format!("{} shots in chains of {LENGTH}, {PLACES} places, median {seconds} s", LENGTH * CHAINS);
        let used = median(seen.iter().map(|seen| seen.efficiency * 100.0));
        rows.push(Row::alone(format!("{what}: bound/makespan"), used, " %", Wanted::AtLeast(80.0)));
        rows.push(Row::alone("the same, questions a shot", median(seen.iter().map(|seen| seen.polls)), "", Wanted::AtMost(12.0, None)));
    }
    rows
}

fn played(usual: Duration, seed: u64) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime starts");
    runtime.block_on(async {
        let plan = Arc::new(plan());
        let latencies: HashMap<JobKey, Duration> = plan.jobs.iter().enumerate().map(|(place, job)| (job.key, latency(usual, seed, place))).collect();
        let of = |place: usize| latencies[&plan.jobs[place].key].as_secs_f64();
        let longest = (0..CHAINS).map(|chain| (0..LENGTH).map(|step| of(step * CHAINS + chain)).sum::<f64>()).fold(0.0, f64::max);
        let bound = longest.max(latencies.values().map(Duration::as_secs_f64).sum::<f64>() / PLACES as f64);
        let clock: Arc<dyn Clock> = Arc::new(Virtual(Instant::now()));
        let seller = Arc::new(Seller { latencies, accepted: Mutex::default(), polls: AtomicUsize::new(0) });
        let started = Instant::now();
        let made = bought(&plan, &clock, &seller).await;
        assert_eq!(made, plan.jobs.len(), "every shot has its picture");
        let polls = seller.polls.load(Ordering::Relaxed) as f64 / plan.jobs.len() as f64;
        Seen { efficiency: bound / started.elapsed().as_secs_f64(), polls }
    })
}

async fn bought(plan: &Arc<Plan>, clock: &Arc<dyn Clock>, seller: &Arc<Seller>) -> usize {
    let ledger = Arc::new(MemoryLedger::new(Arc::clone(clock)));
    let store = Arc::new(MemoryStore::new());
    let keys: Vec<JobKey> = plan.jobs.iter().map(|job| job.key).collect();
    let history = ledger.history(&plan.campaign, &keys).expect("it is in memory");
    let amount = |units| Amount::new(Currency::credits("kie"), Micros::units(units));
    let manifest = builtin("kie").expect("it is built in");
    let mut terms = ProviderTerms::of(&manifest, "kie:KEY".to_owned());
    terms.limits.windows.clear();
    // The slowest of thousands is waited for: here no later run would take it up.
    if let Some(curve) = &mut terms.poll {
        curve.deadline = callsheet::provider::manifest::Span(Duration::from_secs(24 * 3600));
    }
    let request = RunRequest {
        run: RunId::new("run"),
        workspace: "speed".into(),
        work: worklist(plan, &history, &Selection::all(), &|blob| store.contains(blob.digest)),
        prices: plan.jobs.iter().map(|_| Some(JobPrice { quoted: amount(10), reserved: amount(10), unpriced: false })).collect(),
        plan: Arc::clone(plan),
        terms,
        further: Further::default(),
        is_rehearsal: false,
        caps: vec![Cap::new(Scope("campaign:speed".to_owned()), None)],
        step_caps: Vec::new(),
        concurrency: PLACES,
        stop_after_failures: None,
        rules: RunRules { alone: true, ..RunRules::default() },
    };
    let ports = Ports { ledger, store, provider: Arc::clone(seller) as Arc<dyn Provider>, originals: Arc::new(NoFiles), clock: Arc::clone(clock) };
    let cancel = watch::Sender::new(Cancel::No);
    let outcome = run(request, ports, cancel.subscribe(), &mut |_| {}).await.expect("nothing of ours is broken");
    outcome.jobs.iter().filter(|job| job.artifact().is_some()).count()
}

/// Returns a log-normal latency by seed and place.
fn latency(usual: Duration, seed: u64, place: usize) -> Duration {
    let digest = Digest::of(format!("{seed} {place}").as_bytes());
    let part = |at: usize| digest.as_bytes()[at..at + 4].iter().fold(0.0, |sum, byte| (sum + f64::from(*byte)) / 256.0);
    let normal = (-2.0 * part(0).max(1e-9).ln()).sqrt() * (std::f64::consts::TAU * part(4)).cos();
    usual.mul_f64((0.5 * normal).exp())
}

fn plan() -> Plan {
    let mut graph = DiGraph::new();
    let (mut jobs, mut steps) = (Vec::new(), Vec::new());
    for place in 0..LENGTH {
        let action = if place == 0 { Action::Generate } else { Action::Edit };
        let paid = Arc::new(Paid { provider: "kie".into(), model: "gpt-image-2".into(), action, settings: Settings::default() });
        let first = jobs.len() as u32;
        for row in 0..CHAINS {
            jobs.push(Job {
                step: place as u32,
                cell: Box::from([row as u32]),
                key: JobKey(Digest::of(format!("{place} {row}").as_bytes())),
                operation: Operation::Paid(Arc::clone(&paid)),
                prompt: Arc::from("a teapot"),
                subject: Arc::from("a teapot"),
                size: PixelSize::new(4, 4),
                path: Box::from("x.png"),
            });
            let node = graph.add_node(());
            if place > 0 {
                graph.add_edge(NodeIndex::new((place - 1) * CHAINS + row), node, InputRole::Image);
            }
        }
        steps.push(PlannedStep {
            name: Arc::from(format!("step-{place}")),
            kind: if place == 0 { "generate" } else { "edit" },
            action: Some(action),
            model: None,
            baseline: None,
            axes: vec![0],
            jobs: first..jobs.len() as u32,
            inputs: place.checked_sub(1).into_iter().collect(),
            is_final: place + 1 == LENGTH,
            depth: place as u32,
            inserted: None,
            checks: Arc::from([]),
            rerolls: 0,
        });
    }
    let keys: Vec<Arc<str>> = (0..CHAINS).map(|row| Arc::from(row.to_string())).collect();
    let axes = vec![PlannedAxis { name: "row".into(), keys: keys.into(), is_take: false }];
    Plan {
        campaign: "speed".into(),
        digest: Digest::of(b"speed"),
        axes,
        steps,
        jobs,
        graph,
        twins: BTreeMap::new(),
        prepared: Vec::new(),
        signed: Vec::new(),
        picks: BTreeMap::new(),
        checked_as: BTreeMap::new(),
        refused: BTreeMap::new(),
    }
}

/// The clock of the runtime, which stands still while anybody works.
struct Virtual(Instant);

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_795_340_700_000).after(self.0.elapsed())
    }
}

/// Takes every request at once and finishes it after its latency.
struct Seller {
    latencies: HashMap<JobKey, Duration>,
    accepted: Mutex<HashMap<JobKey, Instant>>,
    polls: AtomicUsize,
}

impl Provider for Seller {
    fn submit<'a>(&'a self, shot: &'a Shot) -> BoxFuture<'a, Result<Submitted, Failure>> {
        async move {
            self.accepted.lock().unwrap_or_else(PoisonError::into_inner).insert(shot.key, Instant::now());
            Ok(Submitted::Task(TaskId::new(shot.key.to_string())))
        }
        .boxed()
    }

    fn poll<'a>(&'a self, shot: &'a Shot, _: &'a TaskId) -> BoxFuture<'a, Result<Polled, Failure>> {
        async move {
            self.polls.fetch_add(1, Ordering::Relaxed);
            let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner)[&shot.key];
            let is_ready = accepted.elapsed() >= self.latencies[&shot.key];
            Ok(if is_ready { Polled::Ready { results: vec![ResultRef(String::new())], charged: None } } else { Polled::Running })
        }
        .boxed()
    }

    fn fetch<'a>(&'a self, shot: &'a Shot, _: &'a TaskId, _: &'a ResultRef) -> BoxFuture<'a, Result<ByteStream, Failure>> {
        async move {
            let [red, green, blue, ..] = *shot.key.0.as_bytes();
            let picture = Picture::Rgb(image::RgbImage::from_pixel(4, 4, image::Rgb([red, green, blue])));
            let bytes =
                encode(&picture, ImageFormat::Png, None, &[]).map_err(|error| Failure::new(FailureClass::Local, "draw", error.to_string()))?;
            Ok(Box::pin(stream::once(async move { Ok(bytes) })) as ByteStream)
        }
        .boxed()
    }
}

struct NoFiles;

impl Originals for NoFiles {
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Vec<u8>, Failure>> {
        async move { Err(Failure::new(FailureClass::Local, "no-file", path)) }.boxed()
    }
}
