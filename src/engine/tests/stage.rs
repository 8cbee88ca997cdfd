//! The stage for whole runs: a plan in three lines, a provider that does as it is told and keeps its own books.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, stream};
use petgraph::graph::{DiGraph, NodeIndex};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::engine::{Cancel, EngineError, JobOutcome, JobPrice, Originals, Ports, ProviderTerms, RunOutcome, RunRequest, RunRules, run};
use crate::event::{Event, EventKind};
use crate::imaging::{Picture, encode};
use crate::ledger::{AccountLimits, Cap, Ledger, MemoryLedger, Scope};
use crate::plan::{Job, JobIx, Plan, PlannedAxis, PlannedStep, Selection, worklist};
use crate::provider::manifest::{ChargePolicy, ChargedOn, Known, PollCurve, PollStep, Span};
use crate::provider::{ByteStream, Polled, Provider, ResultRef, Shot, Submitted};
use crate::store::BlobStore;
use crate::store::memory::MemoryStore;
use crate::types::{
    Action, Amount, Billed, Clock, Currency, Digest, Failure, FailureClass, ImageFormat, InputRole, JobKey, LocalAction, Micros, Operation, Paid,
    PixelSize, RunId, Settings, TaskId, Timestamp,
};

/// Tells tokio's time, which stands still in tests unless everybody waits.
pub(super) struct PausedClock(Instant);

impl PausedClock {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_795_340_700_000).after(self.0.elapsed())
    }
}

/// A step: its name, whether it costs something, and the step whose pictures it takes, shot by shot.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Step(pub(in crate::engine) &'static str, pub(in crate::engine) bool, pub(in crate::engine) Option<&'static str>);

/// Returns a plan of `rows` chains through `steps`.
pub(in crate::engine) fn chains(rows: usize, steps: &[Step]) -> Plan {
    let mut graph = DiGraph::new();
    let mut jobs: Vec<Job> = Vec::new();
    let mut planned: Vec<PlannedStep> = Vec::new();
    for (place, Step(name, is_paid, input)) in steps.iter().enumerate() {
        let from = input.map(|input| steps.iter().position(|step| step.0 == input).expect("the input stands before"));
        let depth = from.map_or(0, |from| planned[from].depth) + u32::from(*is_paid);
        let first = jobs.len() as u32;
        for row in 0..rows {
            let key = JobKey(Digest::of(format!("{name} {row}").as_bytes()));
            let operation = if *is_paid {
                let action = if from.is_some() { Action::Edit } else { Action::Generate };
                Operation::Paid(Arc::new(Paid { provider: "kie".into(), model: "gpt-image-2".into(), action, settings: Settings::default() }))
            } else {
                Operation::Local(LocalAction::Transform { ops: Arc::from([]) })
            };
            let (prompt, subject) = (Arc::from("a teapot"), Arc::from(format!("{name}[row={row}]")));
            let size = PixelSize::new(4, 4);
            jobs.push(Job { step: place as u32, cell: Box::from([row as u32]), key, operation, prompt, subject, size, path: Box::from("x.png") });
            let node = graph.add_node(());
            if let Some(from) = from {
                graph.add_edge(NodeIndex::new(from * rows + row), node, InputRole::Image);
            }
        }
        planned.push(PlannedStep {
            name: Arc::from(*name),
            kind: "edit",
            action: is_paid.then_some(Action::Edit),
            model: None,
            baseline: None,
            axes: vec![0],
            jobs: first..jobs.len() as u32,
            inputs: from.into_iter().collect(),
            is_final: true,
            depth,
            inserted: None,
            checks: Arc::from([]),
            rerolls: 0,
        });
    }
    let keys: Vec<Arc<str>> = (0..rows).map(|row| Arc::from(row.to_string())).collect();
    Plan {
        campaign: "spring".into(),
        digest: Digest::of(b"plan"),
        axes: vec![PlannedAxis { name: "row".into(), keys: keys.into(), is_take: false }],
        steps: planned,
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

/// Returns a plan of heroes, each with so many surfaces: one axis is enough for an address.
pub(in crate::engine) fn fans(surfaces: &[u8]) -> Plan {
    let wanted: usize = surfaces.iter().map(|count| usize::from(*count)).sum();
    let mut plan = chains(wanted.max(surfaces.len()), &[Step("hero", true, None), Step("surface", true, Some("hero"))]);
    let rows = plan.steps[0].jobs.len();
    let (heroes, mut edits) = (plan.jobs[..surfaces.len()].to_vec(), plan.jobs[rows..rows + wanted].to_vec());
    plan.graph = DiGraph::new();
    for _ in 0..surfaces.len() + wanted {
        plan.graph.add_node(());
    }
    let heads = (0..surfaces.len()).flat_map(|hero| std::iter::repeat_n(hero, usize::from(surfaces[hero])));
    for (place, hero) in heads.enumerate() {
        plan.graph.add_edge(NodeIndex::new(hero), NodeIndex::new(surfaces.len() + place), InputRole::Image);
    }
    plan.steps[0].jobs = 0..surfaces.len() as u32;
    plan.steps[1].jobs = surfaces.len() as u32..(surfaces.len() + wanted) as u32;
    plan.jobs = heroes;
    plan.jobs.append(&mut edits);
    plan
}

/// What the provider does with one submit.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Does not take it.
    Refuse(Failure),
    /// Takes it, then fails.
    FailLater(Failure),
    /// Takes it, and brings a cut picture so many times.
    CutOff(usize),
    /// Takes it, and its answer never comes.
    Hang,
    /// Takes it, and answers with the picture.
    Answer,
    /// Takes it, answers with a picture that ends in the middle.
    AnswerCut,
    /// Takes it and never ends.
    Forever,
    /// Takes it, and knows nothing of the task when it is asked so often.
    Forget(usize),
}

/// A time in which nothing is taken.
pub(super) struct Outage {
    pub(super) from: Instant,
    pub(super) until: Instant,
    /// What a submit is answered with.
    pub(super) answer: Failure,
}

/// A provider by script, with its own books.
pub(super) struct Scripted {
    pub(super) latency: Duration,
    script: Mutex<HashMap<String, VecDeque<Act>>>,
    /// What it says that a picture cost, by subject; 10 unless something else is written here.
    pub(super) figures: Mutex<HashMap<String, i64>>,
    /// How many of a subject's tries bring a picture of one plain tone.
    pub(super) plain: Mutex<HashMap<String, u32>>,
    /// When it takes nothing.
    pub(super) outage: Mutex<Option<Outage>>,
    /// What it really takes in any span, whatever its manifest says; more is refused with this wait.
    pub(super) rate: Mutex<Option<(usize, Duration, Option<Duration>)>>,
    pub(super) books: Mutex<Books>,
}

/// What the provider saw.
#[derive(Default)]
pub(super) struct Books {
    pub(super) submits: Vec<String>,
    /// Tasks by name: subject, moment, what becomes of it.
    tasks: HashMap<String, (Instant, Option<Act>)>,
    /// Accepted submits by subject.
    pub(super) accepted: BTreeMap<String, usize>,
    pub(super) under_way: BTreeSet<String>,
    pub(super) most_under_way: usize,
    pub(super) fetches: usize,
    /// When submits came.
    pub(super) came: Vec<Instant>,
    /// When they were taken.
    pub(super) taken: Vec<Instant>,
    /// When they were refused for their rate.
    pub(super) refused: Vec<Instant>,
}

impl Books {
    /// Returns the most submits that were taken within any `span`.
    pub(super) fn most_taken_in(&self, span: Duration) -> usize {
        let within = |first: &Instant| self.taken.iter().filter(|at| **at >= *first && at.duration_since(*first) < span).count();
        self.taken.iter().map(within).max().unwrap_or(0)
    }
}

impl Scripted {
    pub(super) fn new(latency: Duration) -> Self {
        let (outage, rate) = (Mutex::new(None), Mutex::new(None));
        Self { latency, script: Mutex::default(), figures: Mutex::default(), plain: Mutex::default(), outage, rate, books: Mutex::default() }
    }

    fn picture(&self, shot: &Shot, whole: bool) -> ByteStream {
        let is_plain = self.plain.lock().unwrap().get(&shot.slate.subject).is_some_and(|tries| shot.attempt.0 <= *tries);
        picture(&shot.key, shot.attempt.0, is_plain, whole)
    }

    pub(super) fn will(&self, subject: &str, acts: impl IntoIterator<Item = Act>) {
        self.script.lock().unwrap().entry(subject.to_owned()).or_default().extend(acts);
    }

    /// Ends every task that would never have ended.
    pub(super) fn end_all(&self) {
        self.books.lock().unwrap().tasks.values_mut().for_each(|(_, act)| *act = None);
    }

    fn within_rate(&self, now: Instant) -> Result<(), Failure> {
        let Some((count, span, told)) = *self.rate.lock().unwrap() else { return Ok(()) };
        let mut books = self.books.lock().unwrap();
        if books.taken.iter().rev().take_while(|at| now.duration_since(**at) < span).count() < count {
            return Ok(());
        }
        books.refused.push(now);
        Err(Failure { retry_after: told, ..failure(FailureClass::Throttled, "429") })
    }

    fn submitted(&self, shot: &Shot) -> Result<Option<Submitted>, Failure> {
        let (subject, now) = (shot.slate.subject.clone(), Instant::now());
        self.books.lock().unwrap().came.push(now);
        if let Some(outage) = &*self.outage.lock().unwrap()
            && (outage.from..outage.until).contains(&now)
        {
            return Err(outage.answer.clone());
        }
        self.within_rate(now)?;
        let act = self.script.lock().unwrap().get_mut(&subject).and_then(VecDeque::pop_front);
        let mut books = self.books.lock().unwrap();
        books.submits.push(format!("{subject} {}", shot.attempt));
        if let Some(Act::Refuse(failure)) = act {
            return Err(failure);
        }
        *books.accepted.entry(subject.clone()).or_default() += 1;
        books.taken.push(now);
        match act {
            Some(Act::Hang) => return Ok(None),
            Some(Act::Answer | Act::AnswerCut) => {
                let whole = matches!(act, Some(Act::Answer));
                return Ok(Some(Submitted::Picture { bytes: self.picture(shot, whole), charged: None }));
            }
            _ => {}
        }
        let task = format!("{subject} {}", shot.attempt);
        books.under_way.insert(subject);
        books.most_under_way = books.most_under_way.max(books.under_way.len());
        books.tasks.insert(task.clone(), (Instant::now(), act));
        Ok(Some(Submitted::Task(TaskId::new(task))))
    }
}

/// Every job and every try of it has another picture.
fn picture(key: &JobKey, attempt: u32, is_plain: bool, whole: bool) -> ByteStream {
    let mut hasher = crate::types::digest::FieldHasher::new("picture");
    crate::types::Fields::field(&mut hasher, "key", key.0.as_bytes());
    crate::types::Fields::field(&mut hasher, "attempt", &attempt.to_le_bytes());
    let tones = hasher.finish();
    let tone = |x, y| tones.as_bytes()[if is_plain { 0 } else { (x + 4 * y) as usize }];
    let pixels = image::RgbImage::from_fn(4, 4, |x, y| image::Rgb([tone(x, y); 3]));
    let mut bytes = encode(&Picture::Rgb(pixels), ImageFormat::Png, None, &[]).unwrap();
    if !whole {
        bytes.truncate(bytes.len() / 2);
    }
    let chunks: Vec<Result<Vec<u8>, Failure>> = bytes.chunks(16).map(|chunk| Ok(chunk.to_vec())).collect();
    Box::pin(stream::iter(chunks))
}

impl Provider for Scripted {
    fn submit<'a>(&'a self, shot: &'a Shot) -> BoxFuture<'a, Result<Submitted, Failure>> {
        async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            match self.submitted(shot)? {
                Some(submitted) => Ok(submitted),
                None => std::future::pending().await,
            }
        }
        .boxed()
    }

    fn poll<'a>(&'a self, shot: &'a Shot, task: &'a TaskId) -> BoxFuture<'a, Result<Polled, Failure>> {
        async move {
            let mut books = self.books.lock().unwrap();
            let (since, act) = match books.tasks.get_mut(task.as_str()).expect("only accepted tasks are asked after") {
                (_, Some(Act::Forget(times))) if *times > 0 => {
                    *times -= 1;
                    return Err(failure(FailureClass::Invalid, "422"));
                }
                known => known.clone(),
            };
            if since.elapsed() < self.latency || matches!(act, Some(Act::Forever)) {
                return Ok(Polled::Running);
            }
            books.under_way.remove(&shot.slate.subject);
            let figure = self.figures.lock().unwrap().get(&shot.slate.subject).copied().unwrap_or(10);
            Ok(match act {
                Some(Act::FailLater(failure)) => Polled::Failed(failure),
                _ => Polled::Ready { results: vec![ResultRef(task.to_string())], charged: Some(Micros::units(figure)) },
            })
        }
        .boxed()
    }

    fn fetch<'a>(&'a self, shot: &'a Shot, task: &'a TaskId, _: &'a ResultRef) -> BoxFuture<'a, Result<ByteStream, Failure>> {
        async move {
            let mut books = self.books.lock().unwrap();
            books.fetches += 1;
            let whole = match books.tasks.get_mut(task.as_str()) {
                Some((_, Some(Act::CutOff(times)))) if *times > 0 => {
                    *times -= 1;
                    false
                }
                _ => true,
            };
            Ok(self.picture(shot, whole))
        }
        .boxed()
    }
}

pub(super) struct NoFiles;

impl Originals for NoFiles {
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Vec<u8>, Failure>> {
        async move { Err(failure(FailureClass::Local, &format!("no file {path}"))) }.boxed()
    }
}

pub(super) fn failure(class: FailureClass, code: &str) -> Failure {
    Failure { billed: Billed::Maybe, ..Failure::new(class, code, "the script says so") }
}

pub(super) fn credits(units: i64) -> Amount {
    Amount::new(Currency::credits("kie"), Micros::units(units))
}

pub(super) fn terms() -> ProviderTerms {
    let every = |seconds| Span(Duration::from_secs(seconds));
    ProviderTerms {
        limits: AccountLimits { account: "kie:KIE_API_KEY".to_owned(), windows: Vec::new(), places: None },
        charge: ChargePolicy { on: ChargedOn::Submit, refund_on_failure: Known::Yes, moderation_charged: Known::Unknown, ambiguous_on_timeout: true },
        poll: Some(PollCurve { start: every(1), steps: vec![PollStep { from: every(0), every: every(1) }], deadline: every(900), unseen: every(60) }),
        patience: Duration::from_secs(600),
        idempotent: false,
        keeps: None,
    }
}

/// One workspace with one provider; runs may follow each other on it.
pub(super) struct Stage {
    pub(super) plan: Arc<Plan>,
    pub(super) ledger: Arc<MemoryLedger>,
    /// What is asked for history instead of `ledger`.
    pub(super) known: Option<Arc<dyn Ledger>>,
    pub(super) store: MemoryStore,
    pub(super) provider: Arc<Scripted>,
    pub(super) clock: Arc<PausedClock>,
    pub(super) cancel: watch::Sender<Cancel>,
    pub(super) events: Mutex<Vec<Event>>,
}

pub(super) const CAMPAIGN: &str = "campaign:spring";

impl Stage {
    pub(super) fn new(plan: Plan) -> Self {
        let clock = Arc::new(PausedClock::new());
        Self {
            plan: Arc::new(plan),
            ledger: Arc::new(MemoryLedger::new(Arc::clone(&clock) as Arc<dyn Clock>)),
            known: None,
            store: MemoryStore::new(),
            provider: Arc::new(Scripted::new(Duration::from_secs(3))),
            clock,
            cancel: watch::Sender::new(Cancel::No),
            events: Mutex::default(),
        }
    }

    /// Returns what a run of everything that is left asks for: 10 quoted, 12 held, 4 at once.
    pub(super) fn request(&self) -> RunRequest {
        let keys: Vec<JobKey> = self.plan.jobs.iter().map(|job| job.key).collect();
        let history = match &self.known {
            Some(ledger) => ledger.history("spring", &keys).unwrap(),
            None => self.ledger.history("spring", &keys).unwrap(),
        };
        let work = worklist(&self.plan, &history, &Selection::all(), &|blob| self.store.contains(blob.digest));
        let price =
            |job: &Job| matches!(job.operation, Operation::Paid(_)).then(|| JobPrice { quoted: credits(10), reserved: credits(12), unpriced: false });
        RunRequest {
            run: RunId::new("run"),
            workspace: "workspace".into(),
            plan: Arc::clone(&self.plan),
            work,
            prices: self.plan.jobs.iter().map(price).collect(),
            terms: terms(),
            further: crate::engine::Further::default(),
            caps: vec![Cap::new(Scope(CAMPAIGN.to_owned()), None)],
            step_caps: Vec::new(),
            concurrency: 4,
            stop_after_failures: None,
            is_rehearsal: false,
            rules: RunRules::default(),
        }
    }

    pub(super) fn ports(&self) -> Ports {
        Ports {
            ledger: Arc::clone(&self.ledger) as Arc<dyn Ledger>,
            store: Arc::new(self.store.clone()),
            provider: Arc::clone(&self.provider) as Arc<dyn Provider>,
            originals: Arc::new(NoFiles),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
        }
    }

    pub(super) async fn run(&self, change: impl FnOnce(&mut RunRequest)) -> RunOutcome {
        self.try_run(self.ports(), change).await.unwrap()
    }

    pub(super) async fn try_run(&self, ports: Ports, change: impl FnOnce(&mut RunRequest)) -> Result<RunOutcome, EngineError> {
        let mut request = self.request();
        change(&mut request);
        let mut keep = |event: &Event| self.events.lock().unwrap().push(event.clone());
        run(request, ports, self.cancel.subscribe(), &mut keep).await
    }

    /// Returns what the ledger holds under the campaign's cap: spent, reserved, in doubt, in whole credits.
    pub(super) fn money(&self) -> (i64, i64, i64) {
        let whole = |micros: Micros| micros.get() / 1_000_000;
        let totals = self.ledger.totals(&Scope(CAMPAIGN.to_owned())).unwrap();
        totals.first().map_or((0, 0, 0), |totals| (whole(totals.spent), whole(totals.reserved), whole(totals.in_doubt)))
    }

    pub(super) fn submits(&self) -> Vec<String> {
        self.provider.books.lock().unwrap().submits.clone()
    }

    /// Tells the kinds of events with the job's address, in order.
    pub(super) fn told(&self) -> Vec<String> {
        self.events.lock().unwrap().iter().filter_map(|event| tale(&event.kind)).collect()
    }
}

fn tale(kind: &EventKind) -> Option<String> {
    Some(match kind {
        EventKind::JobStarted { job, .. } => format!("started {job}"),
        EventKind::JobDone { job, .. } => format!("done {job}"),
        EventKind::JobFailed { job, .. } => format!("failed {job}"),
        EventKind::PictureRejected { job, reason, .. } => format!("turned down {job}: {reason}"),
        EventKind::JobRejected { job, .. } => format!("rejected {job}"),
        EventKind::JobSkipped { job, because } => format!("skipped {job} because {because}"),
        EventKind::JobInDoubt { job, .. } => format!("in doubt {job}"),
        EventKind::PictureKept { job, failure, .. } => format!("kept {job}: {}", failure.code),
        EventKind::AttemptFailedWillRetry { job, attempt, failure, .. } => format!("retry {job} after {attempt}: {}", failure.code),
        EventKind::Throttled { job, delay } => format!("throttled {job} {}ms", delay.as_millis()),
        EventKind::CapReached { scope, .. } => format!("cap {scope}"),
        EventKind::TooManyDoubts { rounds } => format!("{rounds} rounds of doubts"),
        EventKind::TooManyFailures { limit } => format!("{limit} failures"),
        EventKind::AccountRefused { .. } => "account refused".to_owned(),
        EventKind::Cancelling => "cancelling".to_owned(),
        EventKind::RunStarted { .. } | EventKind::RunFinished => return None,
    })
}

/// Tells each job's outcome on a line.
pub(super) fn outcomes(plan: &Plan, outcome: &RunOutcome) -> String {
    let word = |outcome: &JobOutcome| match outcome {
        JobOutcome::Bought { attempt, charged, .. } => format!("bought at attempt {attempt} for {charged}"),
        JobOutcome::Made { .. } => "made".to_owned(),
        JobOutcome::Reused { .. } => "reused".to_owned(),
        JobOutcome::Shared { of, .. } => format!("shared with {}", plan.id(*of)),
        JobOutcome::Failed { failure, .. } => format!("failed: {}", failure.code),
        JobOutcome::Rejected { .. } => "rejected".to_owned(),
        JobOutcome::Skipped { because } => format!("skipped because of {}", plan.id(*because)),
        JobOutcome::InDoubt { failure } => format!("in doubt: {}", failure.code),
        JobOutcome::Undone(why) => format!("undone: {why:?}"),
        JobOutcome::Excluded => "excluded".to_owned(),
    };
    let line = |ix: JobIx| format!("{} {}", plan.id(ix), word(&outcome.jobs[ix.index()]));
    plan.indices().map(line).collect::<Vec<_>>().join("\n")
}
