//! A small campaign on the real driver, the real ledger and the real store, and a provider that keeps books of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use callsheet::engine::{Cancel, EngineError, JobOutcome, JobPrice, Originals, Ports, ProviderTerms, RunOutcome, RunRequest, RunRules, run};
use callsheet::imaging::{Picture, encode};
use callsheet::ledger::{AccountLimits, Cap, Ledger, Scope};
use callsheet::plan::{Job, Plan, PlannedAxis, PlannedStep, Selection, worklist};
use callsheet::provider::manifest::{ChargePolicy, ChargedOn, Known, PollCurve, PollStep, Span};
use callsheet::provider::{ByteStream, Polled, Provider, ResultRef, Shot, Submitted};
use callsheet::store::BlobStore;
use callsheet::store::fs::FsStore;
use callsheet::types::{
    Action, Amount, Currency, Digest, Failure, FailureClass, ImageFormat, InputRole, JobKey, LocalAction, Micros, Operation, Paid, PixelSize, RunId,
    Settings, SystemClock, TaskId,
};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, stream};
use petgraph::graph::{DiGraph, NodeIndex};
use tokio::sync::watch;

/// Chains of three: a picture from text, an edit of it, a local transform of that.
pub const ROWS: usize = 3;

/// All shots of the campaign.
pub const SHOTS: usize = 3 * ROWS;

/// How the provider answers a submit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// With a task.
    Task,
    /// With the picture.
    Picture,
}

/// Returns the plan.
pub fn plan() -> Plan {
    let mut graph = DiGraph::new();
    let (mut jobs, mut steps): (Vec<Job>, Vec<PlannedStep>) = (Vec::new(), Vec::new());
    for (place, name) in ["hero", "surface", "deliver"].into_iter().enumerate() {
        let action = [Some(Action::Generate), Some(Action::Edit), None][place];
        let first = jobs.len() as u32;
        for row in 0..ROWS {
            let operation = match action {
                Some(action) => {
                    Operation::Paid(Arc::new(Paid { provider: "files".into(), model: "files".into(), action, settings: Settings::default() }))
                }
                None => Operation::Local(LocalAction::Transform { ops: Arc::from([]) }),
            };
            jobs.push(Job {
                step: place as u32,
                cell: Box::from([row as u32]),
                key: JobKey(Digest::of(format!("{name} {row}").as_bytes())),
                operation,
                prompt: Arc::from("a teapot"),
                subject: Arc::from(format!("{name}[row={row}]")),
                size: PixelSize::new(4, 4),
                path: Box::from("x.png"),
            });
            let node = graph.add_node(());
            if place > 0 {
                graph.add_edge(NodeIndex::new((place - 1) * ROWS + row), node, InputRole::Image);
            }
        }
        steps.push(PlannedStep {
            name: Arc::from(name),
            kind: "edit",
            action,
            model: None,
            baseline: None,
            axes: vec![0],
            jobs: first..jobs.len() as u32,
            inputs: place.checked_sub(1).into_iter().collect(),
            is_final: true,
            depth: place.min(1) as u32 + 1,
            checks: Arc::from([]),
            rerolls: 0,
        });
    }
    let keys: Vec<Arc<str>> = (0..ROWS).map(|row| Arc::from(row.to_string())).collect();
    let axes = vec![PlannedAxis { name: "row".into(), keys: keys.into(), is_take: false }];
    Plan {
        campaign: "files".into(),
        digest: Digest::of(b"files"),
        axes,
        steps,
        jobs,
        graph,
        twins: BTreeMap::new(),
        picks: BTreeMap::new(),
        checked_as: BTreeMap::new(),
        refused: BTreeMap::new(),
    }
}

/// The provider's own books: how often each shot was taken as paid work.
#[derive(Debug, Clone, Default)]
pub struct Books(Arc<Mutex<BTreeMap<String, usize>>>);

impl Books {
    /// Notes a shot that was taken.
    pub fn note(&self, subject: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(subject.to_owned()).or_default() += 1;
    }

    /// Returns how many were taken.
    pub fn taken(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    /// Returns how many were taken beyond the first time.
    pub fn twice(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().map(|times| times - 1).sum()
    }
}

/// A provider that never fails.
struct Reliable {
    shape: Shape,
    books: Books,
    /// Says aloud what it takes: who listens keeps the books when the process has ended.
    aloud: bool,
}

fn picture(key: &JobKey) -> ByteStream {
    let [red, green, blue, ..] = *key.0.as_bytes();
    let pixels = image::RgbImage::from_pixel(4, 4, image::Rgb([red, green, blue]));
    let bytes =
        encode(&Picture::Rgb(pixels), ImageFormat::Png, None, &[]).map_err(|error| Failure::new(FailureClass::Local, "draw", error.to_string()));
    Box::pin(stream::iter([bytes]))
}

impl Provider for Reliable {
    fn submit<'a>(&'a self, shot: &'a Shot) -> BoxFuture<'a, Result<Submitted, Failure>> {
        async move {
            let subject = &shot.slate.subject;
            self.books.note(subject);
            if self.aloud {
                println!("{subject}");
            }
            Ok(match self.shape {
                Shape::Task => Submitted::Task(TaskId::new(format!("{subject} {}", shot.attempt))),
                Shape::Picture => Submitted::Picture { bytes: picture(&shot.key), charged: None },
            })
        }
        .boxed()
    }

    fn poll<'a>(&'a self, _: &'a Shot, task: &'a TaskId) -> BoxFuture<'a, Result<Polled, Failure>> {
        async move { Ok(Polled::Ready { results: vec![ResultRef(task.to_string())], charged: None }) }.boxed()
    }

    fn fetch<'a>(&'a self, shot: &'a Shot, _: &'a TaskId, _: &'a ResultRef) -> BoxFuture<'a, Result<ByteStream, Failure>> {
        async move { Ok(picture(&shot.key)) }.boxed()
    }
}

struct NoFiles;

impl Originals for NoFiles {
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Vec<u8>, Failure>> {
        async move { Err(Failure::new(FailureClass::Local, "no-file", path)) }.boxed()
    }
}

fn terms(shape: Shape) -> ProviderTerms {
    let millis = |millis| Span(Duration::from_millis(millis));
    let poll = PollCurve {
        start: millis(0),
        steps: vec![PollStep { from: millis(0), every: millis(1) }],
        deadline: millis(60_000),
        unseen: PollCurve::UNSEEN,
    };
    ProviderTerms {
        limits: AccountLimits { account: "files:KEY".to_owned(), windows: Vec::new(), places: None },
        charge: ChargePolicy { on: ChargedOn::Submit, refund_on_failure: Known::Yes, moderation_charged: Known::No, ambiguous_on_timeout: true },
        poll: (shape == Shape::Task).then_some(poll),
        patience: Duration::from_secs(60),
        idempotent: false,
        keeps: None,
    }
}

/// Runs what is left of the plan.
///
/// # Errors
/// What is broken on our side.
pub async fn run_on(ledger: Arc<dyn Ledger>, store: &FsStore, shape: Shape, books: &Books, aloud: bool) -> Result<RunOutcome, EngineError> {
    let plan = Arc::new(plan());
    let keys: Vec<JobKey> = plan.jobs.iter().map(|job| job.key).collect();
    let history = ledger.history(&plan.campaign, &keys)?;
    let work = worklist(&plan, &history, &Selection::all(), &|blob| store.contains(blob.digest));
    let credits = |units| Amount::new(Currency::credits("files"), Micros::units(units));
    let price =
        |job: &Job| matches!(job.operation, Operation::Paid(_)).then(|| JobPrice { quoted: credits(10), reserved: credits(12), unpriced: false });
    let request = RunRequest {
        run: RunId::new("run"),
        workspace: "files".into(),
        work,
        prices: plan.jobs.iter().map(price).collect(),
        plan,
        terms: terms(shape),
        caps: vec![Cap::new(Scope("campaign:files".to_owned()), None)],
        step_caps: Vec::new(),
        concurrency: 2,
        stop_after_failures: None,
        rules: RunRules { alone: true, ..RunRules::default() },
    };
    let ports = Ports {
        ledger,
        store: Arc::new(store.clone()),
        provider: Arc::new(Reliable { shape, books: books.clone(), aloud }),
        originals: Arc::new(NoFiles),
        clock: Arc::new(SystemClock),
    };
    let cancel = watch::Sender::new(Cancel::No);
    run(request, ports, cancel.subscribe(), &mut |_| {}).await
}

/// Returns how many shots have a picture, and how many are in doubt.
pub fn tally(outcome: &RunOutcome) -> (usize, usize) {
    let pictures = outcome.jobs.iter().filter(|job| job.artifact().is_some()).count();
    (pictures, outcome.jobs.iter().filter(|job| matches!(job, JobOutcome::InDoubt { .. })).count())
}

/// Returns how many files of a store are not what their names say: half-written, or left over.
pub fn broken_files(root: &Path) -> usize {
    let mut broken = 0;
    for shelf in std::fs::read_dir(root).into_iter().flatten().flatten() {
        let name = shelf.file_name().to_string_lossy().into_owned();
        for file in std::fs::read_dir(shelf.path()).into_iter().flatten().flatten() {
            let full = format!("{name}{}", file.file_name().to_string_lossy());
            let whole = std::fs::read(file.path()).is_ok_and(|bytes| Digest::from_hex(&full) == Some(Digest::of(&bytes)));
            broken += usize::from(!whole);
        }
    }
    broken
}
