//! The words of the machine: what happens to a job, what is to be done, what a decision rests on.
//!
//! In: nothing. Out: values. Never: a decision; that is [`step`](super::machine::step)'s.

use std::time::Duration;

use super::terms::{JobPrice, ProviderTerms, RunRules};
use crate::ledger::{Artifact, Grant, Record};
use crate::plan::{Kept, Ruling};
use crate::provider::ResultRef;
use crate::types::{Amount, AttemptNo, Failure, Finding, JobId, JobKey, Micros, TaskId, Timestamp};

/// What just happened to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEvent {
    /// Somebody wants the job to go on; the only event after a crash.
    Begin,
    /// The intent is durable: the ledger allows the submit.
    Granted,
    /// The ledger did not allow the submit; never [`Grant::Granted`].
    NotGranted(Grant),
    /// The submit was answered with a task.
    Accepted(TaskId),
    /// The submit was answered with the picture itself, but it did not arrive whole.
    DeliveryBroke {
        /// What was seen.
        failure: Failure,
        /// The provider's own figure.
        charged: Option<Micros>,
    },
    /// The submit was not answered with work.
    SubmitFailed(Failure),
    /// The task is not finished.
    StillRunning,
    /// The task is finished.
    Ready {
        /// Where the pictures are.
        results: Vec<ResultRef>,
        /// The provider's own figure.
        charged: Option<Micros>,
    },
    /// The task ended without a picture.
    TaskFailed(Failure),
    /// Asking after the task did not work; says nothing about the task.
    PollFailed(Failure),
    /// A whole picture stands in the store.
    Fetched {
        /// The picture.
        artifact: Artifact,
        /// The provider's own figure.
        charged: Option<Micros>,
    },
    /// The finished picture did not arrive whole.
    FetchFailed {
        /// What was seen.
        failure: Failure,
        /// The provider's own figure.
        charged: Option<Micros>,
    },
    /// A picture was looked at.
    Judged {
        /// Which.
        kept: Kept,
        /// What was measured.
        findings: Vec<Finding>,
        /// What it cost, if it was bought just now.
        charged: Option<Amount>,
    },
    /// A picture could not be looked at.
    NotJudged(Failure),
    /// Local work made its picture.
    LocalMade(Artifact),
    /// Local work made none.
    LocalFailed(Failure),
}

/// What is to be done, after the records are durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Tell whoever watches; always before the effect that moves the job.
    Tell(Notice),
    /// No submit of this account before this moment.
    HoldSubmits {
        /// The moment.
        until: Timestamp,
    },
    /// Ask the ledger for this try: state, limits and caps, in one transaction.
    Ask {
        /// Which try.
        attempt: AttemptNo,
    },
    /// Send the paid request, once.
    Submit {
        /// Which try.
        attempt: AttemptNo,
    },
    /// Ask after the task; free.
    Poll {
        /// Which try.
        attempt: AttemptNo,
        /// Its task.
        task: TaskId,
    },
    /// Fetch, verify and store the finished picture; free.
    Fetch {
        /// Which try.
        attempt: AttemptNo,
        /// Its task.
        task: TaskId,
        /// Where the pictures are; the first is the job's.
        result: ResultRef,
        /// The provider's own figure, to be handed back with what was fetched.
        charged: Option<Micros>,
    },
    /// Measure what the step's checks ask for; free.
    Judge {
        /// Which picture.
        kept: Kept,
        /// What it cost, if it was bought just now; to be handed back with what was measured.
        charged: Option<Amount>,
    },
    /// Do the local work.
    MakeLocal,
    /// Call again later.
    Again {
        /// How much later.
        after: Duration,
        /// What for.
        queue: Queue,
    },
    /// No job may submit any more.
    StopCampaign(Failure),
    /// This run is done with the job.
    Finish(Ending),
}

/// What a job waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// Its turn to submit.
    Submit,
    /// Its turn to submit once more; such turns are rationed across the run.
    Retry,
    /// Its turn to submit, because its last picture was turned down.
    Reroll,
    /// Its task.
    Poll,
    /// Another fetch.
    Fetch,
    /// The deadline of an intent that another process may still be sending.
    Answer,
    /// Nothing: somebody else moved the job, look at it anew.
    Look,
}

/// What those who watch should know at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A try failed and there will be another.
    WillRetry {
        /// The try that failed; absent for free exchanges.
        attempt: AttemptNo,
        /// Why.
        failure: Failure,
        /// When the next one is due at the earliest.
        delay: Duration,
    },
    /// A finished picture did not come, and its task is kept: a later run fetches it for nothing.
    Kept {
        /// Its try.
        attempt: AttemptNo,
        /// Why.
        failure: Failure,
    },
    /// A picture was turned down.
    Rejected {
        /// Its try; absent for local work.
        attempt: Option<AttemptNo>,
        /// What was not good enough.
        reason: String,
    },
    /// The provider asked us to slow down.
    Throttled {
        /// For how long.
        delay: Duration,
    },
}

/// How this run ends for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// A picture was bought.
    Bought {
        /// The picture.
        artifact: Artifact,
        /// Which try.
        attempt: AttemptNo,
        /// What it cost.
        charged: Amount,
    },
    /// A picture was made here.
    Made(Artifact),
    /// The picture was there already.
    There(Artifact),
    /// No picture, and no further try in this run.
    Failed {
        /// The last try; absent for local work.
        attempt: Option<AttemptNo>,
        /// Why.
        failure: Failure,
    },
    /// Its pictures are kept and turned down, and no other may be bought.
    Rejected {
        /// The last try; absent for local work.
        attempt: Option<AttemptNo>,
    },
    /// Nobody knows whether it was accepted.
    InDoubt(Failure),
    /// The task is paid for and known; a later run fetches it for nothing.
    StillRunning,
    /// The run takes no new submits.
    Closed,
    /// The reservation does not fit.
    OverCap {
        /// Which cap.
        scope: crate::ledger::Scope,
        /// Its limit.
        limit: Micros,
        /// What is spent, reserved and in doubt under it.
        committed: Micros,
    },
}

/// What has been tried for a job in this run. Soft: it paces and bounds this run, money stands in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effort {
    /// Tries that ended without a picture after they may have cost something.
    pub tries: u32,
    /// Tries in a row that were not accepted.
    pub troubles: u32,
    /// Since when.
    pub trouble_since: Option<Timestamp>,
    /// Free exchanges in a row that broke.
    pub broken_polls: u32,
    /// Fetches of the present task that brought no whole picture.
    pub fetches: u32,
    /// Submits repeated under one idempotency key.
    pub resends: u32,
    /// Since when this run asks after the task.
    pub watching_since: Option<Timestamp>,
    /// Whether it has waited for its turn to be bought once more.
    pub reroll: bool,
}

impl Effort {
    /// Returns whether this run has watched a task from its acceptance on, so that the run's own clock tells its age.
    pub fn has_watched_from(&self, accepted: Timestamp) -> bool {
        const AT_ONCE: Duration = Duration::from_secs(1);
        self.watching_since.is_some_and(|watching| watching.since(accepted) < AT_ONCE && accepted.since(watching) < AT_ONCE)
    }
}

/// Whether a job costs something.
#[derive(Debug, Clone, Copy)]
pub enum Trade<'a> {
    /// It does, this much.
    Paid(&'a JobPrice),
    /// It is local and free.
    Local,
}

/// Everything besides state and event that a decision rests on.
#[derive(Debug, Clone, Copy)]
pub struct JobBrief<'a> {
    /// Address.
    pub job: &'a JobId,
    /// Identity.
    pub key: &'a JobKey,
    /// Whether it costs something.
    pub trade: Trade<'a>,
    /// The provider's terms.
    pub terms: &'a ProviderTerms,
    /// The run's rules.
    pub rules: &'a RunRules,
    /// What is to become of its pictures; absent when nothing about them is for a look.
    pub ruling: Option<&'a Ruling>,
    /// Whether the step has checks: a picture is looked at before it is taken for good.
    pub checked: bool,
    /// The ledger says done, but the picture is no longer in the store.
    pub lost: bool,
    /// Whether the run takes no new submits.
    pub closed: bool,
    /// Whether the last try went out so long ago that the provider may have forgotten its idempotency key.
    pub key_is_old: bool,
    /// No submit of this account before this moment.
    pub not_before: Timestamp,
    /// What was tried in this run.
    pub effort: Effort,
    /// How long tasks of this kind usually take, as far as the run has learned it.
    pub usual: Option<Duration>,
}

/// One decision: records first, then effects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Appended in one transaction, before anything else.
    pub append: Vec<Record>,
    /// Performed in order once the records are durable. Exactly one of them moves the job; it is the last.
    pub then: Vec<Effect>,
    /// The effort as it is now.
    pub effort: Effort,
}
