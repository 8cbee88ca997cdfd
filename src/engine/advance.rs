//! Moves one job as far as it goes: load, step, append, perform.
//!
//! In: a job. Out: `Finished`, or `Again { after, queue }`.
//! Never: harm. It may be called at any time, twice, in parallel, after any crash: what it does rests on the ledger's state alone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::EngineError;
use super::desk::{Desk, Gate, News};
use super::judging;
use super::machine::{self, Effect, Effort, Ending, JobBrief, JobEvent, Queue, Trade};
use super::pictures::{self, NoPicture, Stored};
use crate::ledger::{AccountLimits, Artifact, AttemptCard, Grant, JobState, LedgerError, Record, SubmitIntent};
use crate::plan::{self, JobIx, Kept, Ruling, Work};
use crate::provider::{InputPicture, Polled, ResultRef, Shot, Slate, Submitted};
use crate::store::StoreError;
use crate::types::digest::FieldHasher;
use crate::types::{
    Amount, AttemptNo, Billed, Clock as _, Failure, FailureClass, Fields, IdempotencyKey, InputRole, JobId, Micros, Operation, TaskId, Timestamp,
};

/// How a call to [`advance`] ends.
#[derive(Debug)]
pub(super) enum Step {
    /// This run is done with the job.
    Finished(Ending),
    /// Call again.
    Again {
        /// How much later.
        after: Duration,
        /// What for.
        queue: Queue,
    },
}

/// What became of a picture on its way into the store; an error outside if it took too long.
type Taken = Result<Result<Artifact, NoPicture>, tokio::time::error::Elapsed>;

/// Why nothing moves the job within this call.
type Pause = Result<JobEvent, EngineError>;

/// Moves `ix` on, with the pictures that it takes.
pub(super) async fn advance(desk: &Desk, ix: JobIx, inputs: &[(InputRole, Artifact)], effort: &mut Effort) -> Result<Step, EngineError> {
    let shift = Shift::new(desk, ix, inputs);
    let mut state = desk.ports.ledger.load(shift.key())?;
    let mut event = JobEvent::Begin;
    let ruling = shift.ruling(&state)?;
    loop {
        let turn = {
            let brief = shift.brief(&state, *effort, ruling.as_ref())?;
            machine::step(&state, event, &brief, desk.clock.now())
        };
        *effort = turn.effort;
        if !turn.append.is_empty() {
            match shift.append(&state, turn.append).await? {
                Some(next) => state = next,
                None => return Ok(Step::Again { after: Duration::from_millis(20), queue: Queue::Look }),
            }
        }
        let mut moved = None;
        for effect in turn.then {
            match effect {
                Effect::Tell(notice) => desk.tell(ix, News::Notice(notice)),
                Effect::HoldSubmits { until } => desk.lane(ix).hold_submits(until),
                Effect::StopCampaign(failure) => desk.refuse(ix, failure),
                Effect::Again { after, queue } => return Ok(Step::Again { after, queue }),
                Effect::Finish(ending) => return shift.finish(ending),
                Effect::Ask { attempt } => moved = Some(shift.ask(attempt, &mut state).await),
                Effect::Submit { attempt } => moved = Some(shift.submit(attempt).await),
                Effect::Poll { attempt, task } => {
                    let answer = shift.poll(attempt, &task).await;
                    if let (Ok(JobEvent::Ready { .. }), JobState::Running { since, .. }) = (&answer, &state) {
                        shift.learn(*since, effort);
                    }
                    moved = Some(answer);
                }
                Effect::Fetch { attempt, task, result, charged } => moved = Some(shift.fetch(attempt, &task, &result, charged).await),
                Effect::Judge { kept, charged } => moved = Some(shift.judge(kept, charged).await),
                Effect::MakeLocal => moved = Some(shift.make().await),
            }
        }
        match moved {
            Some(next) => event = next?,
            None => return Ok(Step::Again { after: Duration::from_millis(20), queue: Queue::Look }),
        }
    }
}

/// One call: the job and everything that it takes.
struct Shift<'a> {
    desk: &'a Desk,
    ix: JobIx,
    inputs: &'a [(InputRole, Artifact)],
    id: JobId,
    /// What broke on our side while a paid answer was on its way; told once the ledger knows about the answer.
    broken: Mutex<Option<EngineError>>,
}

impl<'a> Shift<'a> {
    fn new(desk: &'a Desk, ix: JobIx, inputs: &'a [(InputRole, Artifact)]) -> Self {
        Self { desk, ix, inputs, id: desk.request.plan.id(ix), broken: Mutex::new(None) }
    }

    fn key(&self) -> crate::types::JobKey {
        self.desk.request.plan.job(self.ix).key
    }

    /// Decides what is to become of the job's pictures, by what the ledger knows of them.
    fn ruling(&self, state: &JobState) -> Result<Option<Ruling>, EngineError> {
        let bar = self.desk.request.plan.bar(self.ix);
        let may_be_ruled = match state {
            JobState::Done { .. } => !bar.checks.is_empty(),
            // What was kept before a check was taken away is good enough now.
            JobState::Rejected { .. } | JobState::Failed { .. } => true,
            _ => false,
        };
        if !may_be_ruled {
            return Ok(None);
        }
        let judged = self.desk.ports.ledger.judgements(self.key())?;
        Ok(plan::ruling(&bar, state, &judged, &|blob| self.desk.ports.store.contains(blob.digest)))
    }

    fn brief<'b>(&'b self, state: &JobState, effort: Effort, ruling: Option<&'b Ruling>) -> Result<JobBrief<'b>, EngineError> {
        let request = &self.desk.request;
        let job = request.plan.job(self.ix);
        let trade = match (&job.operation, request.prices.get(self.ix.index()).and_then(Option::as_ref)) {
            (Operation::Local(_), _) => Trade::Local,
            (Operation::Paid(_), Some(price)) => Trade::Paid(price),
            (Operation::Paid(_), None) => return Err(EngineError::Unpriced { job: self.id.clone() }),
        };
        let lost = match state {
            JobState::Done { artifact, .. } => request.work.work(self.ix) == Work::Lost && !self.desk.ports.store.contains(artifact.blob.digest),
            _ => false,
        };
        Ok(JobBrief {
            job: &self.id,
            key: &job.key,
            trade,
            terms: request.terms_of(self.ix),
            rules: &request.rules,
            ruling,
            checked: !request.plan.bar(self.ix).checks.is_empty(),
            lost,
            closed: self.is_closed() || self.lacks_inputs(),
            key_is_old: self.desk.sent_keys.is_old(job.key, state.last_attempt(), self.desk.clock.now()),
            not_before: self.desk.lane(self.ix).not_before(),
            effort,
            usual: match &job.operation {
                Operation::Paid(paid) => self.desk.latencies.lock().unwrap_or_else(PoisonError::into_inner).usual(paid),
                Operation::Local(_) => None,
            },
        })
    }

    /// Whether nothing is submitted any more: at all, or where this job's picture is made.
    fn is_closed(&self) -> bool {
        let is_paid = self.desk.request.maker(self.ix).is_some();
        self.desk.gate() != Gate::Open || is_paid && self.desk.lane(self.ix).gate() != Gate::Open
    }

    /// Notes how long a task took that this run has watched from its beginning.
    fn learn(&self, since: Timestamp, effort: &Effort) {
        let request = &self.desk.request;
        let (Operation::Paid(paid), Some(curve)) = (&request.plan.job(self.ix).operation, &request.terms_of(self.ix).poll) else { return };
        if let Some(watching) = effort.watching_since.filter(|_| effort.has_watched_from(since)) {
            let age = self.desk.clock.now().since(watching);
            self.desk.latencies.lock().unwrap_or_else(PoisonError::into_inner).finished(paid, age, curve);
        }
    }

    /// Whether a request that may be repeated under its key would go without a picture that it had: its input is gone from the store.
    fn lacks_inputs(&self) -> bool {
        let request = &self.desk.request;
        request.terms_of(self.ix).idempotent && self.inputs.len() < request.plan.inputs(self.ix).len()
    }

    /// Appends, and returns `None` when somebody else has moved the job meanwhile.
    async fn append(&self, state: &JobState, records: Vec<Record>) -> Result<Option<JobState>, EngineError> {
        let desk = self.desk;
        let recipe = match records.first() {
            Some(Record::Made { .. }) => Some(plan::recipe(&desk.request.plan, self.ix)),
            _ => None,
        };
        match desk.ports.ledger.append(desk.request.run.clone(), self.key(), records.clone(), recipe).await {
            Ok(next) => {
                desk.money.take(state, &records, |amount| desk.weighed(amount));
                Ok(Some(next))
            }
            Err(LedgerError::Illegal(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn finish(&self, ending: Ending) -> Result<Step, EngineError> {
        match self.broken.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(error),
            None => Ok(Step::Finished(ending)),
        }
    }

    // --- effects ------------------------------------------------------------------------------------------------------------------

    async fn ask(&self, attempt: AttemptNo, state: &mut JobState) -> Pause {
        let Some(intent) = self.intent(attempt) else { return Err(EngineError::Unpriced { job: self.id.clone() }) };
        let reserved = intent.reserved.clone();
        match self.desk.ports.ledger.begin_submit(intent).await? {
            Grant::Granted { deadline, .. } => {
                self.desk.money.hold(self.desk.weighed(&reserved));
                self.desk.tell(self.ix, News::Started);
                *state = JobState::Submitting { attempt, reserved, deadline };
                Ok(JobEvent::Granted)
            }
            refused => Ok(JobEvent::NotGranted(refused)),
        }
    }

    fn intent(&self, attempt: AttemptNo) -> Option<SubmitIntent> {
        let request = &self.desk.request;
        let plan = &request.plan;
        let price = request.prices.get(self.ix.index())?.as_ref()?;
        let Operation::Paid(paid) = &plan.job(self.ix).operation else { return None };
        let settings = &paid.settings;
        let card = AttemptCard {
            campaign: plan.campaign.to_string(),
            job: self.id.clone(),
            step: plan.step_of(self.ix).name.to_string(),
            axes: self.axes(),
            take: plan.take_of(self.ix),
            provider: paid.provider.to_string(),
            model: paid.model.to_string(),
            operation: paid.action.as_str().to_owned(),
            aspect: settings.aspect.map(|aspect| aspect.to_string()),
            resolution: settings.resolution.as_deref().map(str::to_owned),
            quality: settings.quality.as_deref().map(str::to_owned),
            unpriced: price.unpriced,
            batch: request.rules.batch,
        };
        Some(SubmitIntent {
            run: request.run.clone(),
            key: self.key(),
            card,
            attempt,
            idempotency_key: self.idempotency_key(attempt),
            quoted: price.quoted.clone(),
            reserved: price.reserved.clone(),
            patience: request.terms_of(self.ix).patience,
            limits: AccountLimits { windows: self.desk.lane(self.ix).pace().windows(), ..request.terms_of(self.ix).limits.clone() },
            caps: self.desk.caps(self.ix),
            recipe: plan::recipe(plan, self.ix),
        })
    }

    fn axes(&self) -> Vec<(String, String)> {
        self.desk.request.plan.axes_of(self.ix).into_iter().map(|(name, key)| (name.to_string(), key.to_string())).collect()
    }

    fn idempotency_key(&self, attempt: AttemptNo) -> IdempotencyKey {
        let mut hasher = FieldHasher::new("callsheet attempt 1");
        hasher.field("workspace", self.desk.request.workspace.as_bytes());
        hasher.field("job", self.key().to_string().as_bytes());
        hasher.field("attempt", attempt.to_string().as_bytes());
        IdempotencyKey::new(hasher.finish().to_string())
    }

    fn shot(&self, attempt: AttemptNo) -> Option<Shot> {
        let plan = &self.desk.request.plan;
        let job = plan.job(self.ix);
        let Operation::Paid(paid) = &job.operation else { return None };
        let inputs = self.inputs.iter().map(|(role, artifact)| InputPicture { role: *role, blob: artifact.blob, info: artifact.info });
        Some(Shot {
            key: job.key,
            attempt,
            idempotency_key: self.idempotency_key(attempt),
            paid: Arc::clone(paid),
            prompt: Arc::clone(&job.prompt),
            inputs: inputs.collect(),
            output: job.size,
            slate: Slate {
                campaign: plan.campaign.to_string(),
                step: plan.step_of(self.ix).name.to_string(),
                axes: self.axes(),
                take: plan.take_of(self.ix),
                subject: job.subject.to_string(),
            },
            pictures: Arc::new(Stored(Arc::clone(&self.desk.ports.store))),
        })
    }

    /// An exchange is given up well before the deadline of its intent, so that nobody judges it while it is under way.
    fn exchange_ends(&self) -> Instant {
        Instant::now() + self.desk.request.terms_of(self.ix).patience / 2
    }

    async fn submit(&self, attempt: AttemptNo) -> Pause {
        let Some(shot) = self.shot(attempt) else { return Ok(JobEvent::LocalFailed(not_paid())) };
        let sent = self.desk.clock.now();
        let event = self.answer_to(&shot).await;
        self.desk.heed(self.ix, sent, &event);
        Ok(event)
    }

    /// Sends a paid request and waits for what becomes of it.
    async fn answer_to(&self, shot: &Shot) -> JobEvent {
        let ends = self.exchange_ends();
        match tokio::time::timeout_at(ends, self.desk.ports.provider.submit(shot)).await {
            Err(_) => JobEvent::SubmitFailed(Failure { billed: Billed::Maybe, ..timed_out(FailureClass::Ambiguous, "the submit was not answered") }),
            Ok(Err(failure)) => JobEvent::SubmitFailed(failure),
            Ok(Ok(Submitted::Task(task))) => JobEvent::Accepted(task),
            Ok(Ok(Submitted::Picture { mut bytes, charged })) => {
                let taken = tokio::time::timeout_at(ends, pictures::take_in(&*self.desk.ports.store, &mut bytes, self.desk.limits)).await;
                self.delivered(taken, charged)
            }
            Ok(Ok(Submitted::Arriving { mut bytes, verdict })) => {
                let taken = tokio::time::timeout_at(ends, async {
                    let taken = pictures::take_in(&*self.desk.ports.store, &mut bytes, self.desk.limits).await;
                    if taken.is_err() {
                        pictures::pass_by(&mut bytes).await;
                    }
                    taken
                })
                .await;
                drop(bytes);
                // It was told before the end of the bytes, or it never will be.
                match verdict.await {
                    Ok(Ok(charged)) => self.delivered(taken, charged),
                    Ok(Err(failure)) => self.not_taken(taken, failure),
                    Err(_) => self.not_taken(
                        taken,
                        Failure { billed: Billed::Maybe, ..timed_out(FailureClass::Ambiguous, "the answer to the submit did not come to its end") },
                    ),
                }
            }
        }
    }

    /// What becomes of a picture whose answer was good.
    fn delivered(&self, taken: Taken, charged: Option<Micros>) -> JobEvent {
        match taken {
            Ok(Ok(artifact)) => JobEvent::Fetched { artifact, charged },
            Ok(Err(NoPicture::Failure(failure))) => JobEvent::DeliveryBroke { failure, charged },
            Ok(Err(NoPicture::Store(error))) => {
                let failure = Failure::new(FailureClass::Local, "store", error.to_string());
                self.breaks(error);
                JobEvent::DeliveryBroke { failure, charged }
            }
            Err(_) => JobEvent::DeliveryBroke { failure: timed_out(FailureClass::BadResult, "the picture did not arrive whole"), charged },
        }
    }

    /// What becomes of a picture whose answer says that it counts for nothing, or has not ended.
    fn not_taken(&self, taken: Taken, failure: Failure) -> JobEvent {
        if let Ok(Err(NoPicture::Store(error))) = taken {
            self.breaks(error);
        }
        JobEvent::SubmitFailed(failure)
    }

    /// Keeps what broke on our side until the ledger knows about the answer.
    fn breaks(&self, error: StoreError) {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error.into());
    }

    async fn poll(&self, attempt: AttemptNo, task: &TaskId) -> Pause {
        let Some(shot) = self.shot(attempt) else { return Ok(JobEvent::LocalFailed(not_paid())) };
        self.desk.tell(self.ix, News::Started);
        let answer = tokio::time::timeout_at(self.exchange_ends(), self.desk.ports.provider.poll(&shot, task)).await;
        Ok(match answer {
            Err(_) => JobEvent::PollFailed(timed_out(FailureClass::Transient, "the question after the task was not answered")),
            Ok(Err(failure)) => JobEvent::PollFailed(failure),
            Ok(Ok(Polled::Running)) => JobEvent::StillRunning,
            Ok(Ok(Polled::Ready { results, charged })) => JobEvent::Ready { results, charged },
            Ok(Ok(Polled::Failed(failure))) => JobEvent::TaskFailed(failure),
        })
    }

    async fn fetch(&self, attempt: AttemptNo, task: &TaskId, result: &ResultRef, charged: Option<Micros>) -> Pause {
        let Some(shot) = self.shot(attempt) else { return Ok(JobEvent::LocalFailed(not_paid())) };
        let fetched = async {
            let mut stream = self.desk.ports.provider.fetch(&shot, task, result).await.map_err(NoPicture::Failure)?;
            pictures::take_in(&*self.desk.ports.store, &mut stream, self.desk.limits).await
        };
        match tokio::time::timeout_at(self.exchange_ends(), fetched).await {
            Ok(Ok(artifact)) => Ok(JobEvent::Fetched { artifact, charged }),
            Ok(Err(NoPicture::Failure(failure))) => Ok(JobEvent::FetchFailed { failure, charged }),
            // The task stays known: once the store works again a later run fetches for nothing.
            Ok(Err(NoPicture::Store(error))) => Err(error.into()),
            Err(_) => Ok(JobEvent::FetchFailed { failure: timed_out(FailureClass::Transient, "the picture did not arrive"), charged }),
        }
    }

    async fn judge(&self, kept: Kept, charged: Option<Amount>) -> Pause {
        match judging::judge(self.desk, self.ix, &kept.artifact).await {
            Ok(findings) => Ok(JobEvent::Judged { kept, findings, charged }),
            Err(NoPicture::Failure(failure)) => Ok(JobEvent::NotJudged(failure)),
            Err(NoPicture::Store(error)) => Err(error.into()),
        }
    }

    async fn make(&self) -> Pause {
        let Operation::Local(local) = &self.desk.request.plan.job(self.ix).operation else { return Ok(JobEvent::LocalFailed(not_paid())) };
        self.desk.tell(self.ix, News::Started);
        let request = &self.desk.request;
        let credit = plan::credit(&request.plan, self.ix, request.is_rehearsal);
        match pictures::make(&self.desk.ports, local, self.inputs, credit).await {
            Ok(artifact) => Ok(JobEvent::LocalMade(artifact)),
            Err(NoPicture::Failure(failure)) => Ok(JobEvent::LocalFailed(failure)),
            Err(NoPicture::Store(error)) => Err(error.into()),
        }
    }
}

fn timed_out(class: FailureClass, what: &str) -> Failure {
    Failure::new(class, "timeout", format!("{what} in time"))
}

/// The machine asks a local job for nothing that only a paid one has, and the other way round.
fn not_paid() -> Failure {
    Failure::new(FailureClass::Local, "kind", "the shot is not of the kind that its effect asks for")
}
