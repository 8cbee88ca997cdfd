//! Decides what happens next to one job; performs nothing.
//!
//! ```text
//! Untried ─Ask─▶ Submitting ─Accepted─▶ Running ─Ready─▶ (fetch) ─Fetched─▶ Done
//!    ▲               │  └─Ambiguous─▶ InDoubt ─(held, or settled and bought anew)
//!    └── Failed ◀────┴──── failed, refused, broken beyond repair
//! Done ─(measured)─▶ Done, or Rejected ─(reroll)─▶ Ask
//! ```
//!
//! In: where the ledger says the job stands, what just happened ([`JobEvent`]), what the run allows ([`JobBrief`]), the moment.
//! Out: records to append and *then* effects to perform ([`Turn`]).
//! Never: time, I/O, tokio, randomness without a seed. The same inputs give the same turn; recovery is the event [`JobEvent::Begin`].

mod charge;
mod delivery;
mod looks;

use std::time::Duration;

use super::backoff::{Curve, FREE, LONGEST_TOLD, MAINTENANCE, TRANSIENT};
use super::latency;
use super::retries::{OnPoll, OnSubmit, rule};
use super::terms::OnDoubt;
pub use super::turn::*;
use crate::ledger::{Grant, JobState, Record};
use crate::plan::Kept;
use crate::provider::ResultRef;
use crate::provider::manifest::PollCurve;
use crate::types::{Amount, AttemptNo, Billed, Failure, FailureClass, Micros, TaskId, Timestamp};
use charge::released;

/// How often a submit is repeated under one idempotency key before the doubt is recorded.
const RESENDS: u32 = 3;

/// How long to wait before looking for a free place again.
const PLACE_RECHECK: Duration = Duration::from_millis(250);

/// How long to wait before looking at a job that somebody else moved.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long a task is left alone when the manifest has no curve.
const POLL_WITHOUT_CURVE: Duration = Duration::from_secs(2);

/// Free exchanges in a row that must have failed before a task is believed to be unknown: one stray answer decides nothing.
const UNKNOWN_ANSWERS: u32 = 2;

/// Decides what happens next to a job.
///
/// Total: every state takes every event. What does not fit the state (a late answer to a job that somebody else moved) changes
/// nothing and looks again, so a call at any time, twice or in parallel is harmless.
pub fn step(state: &JobState, event: JobEvent, brief: &JobBrief<'_>, now: Timestamp) -> Turn {
    let desk = Desk { state, brief, now, effort: brief.effort };
    match event {
        JobEvent::Begin => desk.begin(),
        JobEvent::Granted => match state {
            JobState::Submitting { attempt, .. } => desk.turn([Effect::Submit { attempt: *attempt }]),
            _ => desk.look_again(),
        },
        JobEvent::NotGranted(grant) => desk.not_granted(grant),
        JobEvent::Accepted(task) => desk.accepted(task),
        JobEvent::SubmitFailed(failure) => desk.submit_failed(failure),
        JobEvent::DeliveryBroke { failure, charged } => match state {
            JobState::Submitting { attempt, reserved, .. } => desk.paid_for_nothing(*attempt, reserved, failure, charged),
            _ => desk.look_again(),
        },
        JobEvent::StillRunning => desk.still_running(),
        JobEvent::Ready { results, charged } => desk.ready(results, charged),
        JobEvent::TaskFailed(failure) => match state {
            JobState::Running { attempt, reserved, .. } => desk.task_failed(*attempt, reserved, failure),
            _ => desk.look_again(),
        },
        JobEvent::PollFailed(failure) => desk.poll_failed(failure),
        JobEvent::Fetched { artifact, charged } => desk.fetched(artifact, charged),
        JobEvent::FetchFailed { failure, charged } => desk.fetch_failed(failure, charged),
        JobEvent::Judged { kept, findings, charged } => desk.judged(kept, findings, charged),
        JobEvent::NotJudged(failure) => {
            let attempt = Some(state.last_attempt()).filter(|attempt| attempt.0 > 0);
            desk.finish(Ending::Failed { attempt, failure })
        }
        JobEvent::LocalMade(artifact) => match state {
            JobState::Untried | JobState::Done { attempt: None, .. } | JobState::Rejected { attempt: None, .. } => {
                let then = match brief.checked {
                    true => Effect::Judge { kept: Kept { of: None, artifact }, charged: None },
                    false => Effect::Finish(Ending::Made(artifact)),
                };
                desk.record([Record::Made { job: brief.job.clone(), artifact }], [then])
            }
            // A paid try stands under the key of local work: the picture is good, and the ledger keeps what it has.
            _ => desk.finish(Ending::Made(artifact)),
        },
        JobEvent::LocalFailed(failure) => desk.turn([Effect::Finish(Ending::Failed { attempt: None, failure })]),
    }
}

/// One decision in the making.
struct Desk<'a> {
    state: &'a JobState,
    brief: &'a JobBrief<'a>,
    now: Timestamp,
    effort: Effort,
}

impl Desk<'_> {
    fn turn(self, then: impl Into<Vec<Effect>>) -> Turn {
        Turn { append: Vec::new(), then: then.into(), effort: self.effort }
    }

    fn record(self, append: impl Into<Vec<Record>>, then: impl Into<Vec<Effect>>) -> Turn {
        Turn { append: append.into(), then: then.into(), effort: self.effort }
    }

    fn again(self, after: Duration, queue: Queue) -> Turn {
        self.turn([Effect::Again { after, queue }])
    }

    fn look_again(self) -> Turn {
        self.again(LOOK_AGAIN, Queue::Look)
    }

    fn finish(self, ending: Ending) -> Turn {
        self.turn([Effect::Finish(ending)])
    }

    fn backoff(&self, curve: Curve, failures: u32) -> Duration {
        curve.wait(failures, self.brief.rules.seed, self.brief.key)
    }

    // --- going on -------------------------------------------------------------------------------------------------------------

    /// Goes on from whatever the ledger holds: a first call, a due wait and a restart after a crash are one path.
    fn begin(self) -> Turn {
        if let Some(ruling) = self.brief.ruling.filter(|_| !self.brief.lost) {
            return self.ruled(ruling);
        }
        if let (JobState::Done { artifact, .. }, false) = (self.state, self.brief.lost) {
            let artifact = *artifact;
            return self.finish(Ending::There(artifact));
        }
        if let Trade::Local = self.brief.trade {
            return self.turn([Effect::MakeLocal]);
        }
        match self.state {
            JobState::Untried | JobState::Done { .. } | JobState::Rejected { .. } => self.ask(None),
            JobState::Failed { attempt, failure } => self.ask(Some((*attempt, failure))),
            JobState::Submitting { attempt, deadline, .. } => self.unanswered(*attempt, *deadline),
            JobState::Running { attempt, task, .. } => {
                let poll = Effect::Poll { attempt: *attempt, task: task.clone() };
                self.watching().turn([poll])
            }
            JobState::InDoubt { attempt, failure, reserved } => self.in_doubt(Vec::new(), *attempt, failure.clone(), reserved),
        }
    }

    fn watching(mut self) -> Self {
        self.effort.watching_since = self.effort.watching_since.or(Some(self.now));
        self
    }

    fn ask(self, failed: Option<(AttemptNo, &Failure)>) -> Turn {
        if self.brief.closed {
            return match failed {
                // It was bought in this run and failed: that is how it ends. One that was only not let in was never bought.
                Some((attempt, failure)) if self.effort.tries > 0 && self.effort.troubles == 0 => {
                    self.finish(Ending::Failed { attempt: Some(attempt), failure: failure.clone() })
                }
                _ => self.finish(Ending::Closed),
            };
        }
        if self.now < self.brief.not_before {
            let after = self.brief.not_before.since(self.now);
            return self.again(after, Queue::Submit);
        }
        let attempt = AttemptNo(self.state.last_attempt().0.saturating_add(1));
        self.turn([Effect::Ask { attempt }])
    }

    /// An intent without an answer that this process is not waiting for.
    fn unanswered(self, attempt: AttemptNo, deadline: Timestamp) -> Turn {
        let sent_by_us = self.effort.resends > 0;
        let may_be_sending = self.now < deadline && !sent_by_us && !self.brief.rules.alone;
        // Two of one key at once: the refusal of one would say nothing about the other.
        if self.may_resend() && !may_be_sending {
            return self.resend(attempt);
        }
        if self.brief.closed && !sent_by_us {
            return self.finish(Ending::Closed);
        }
        if may_be_sending {
            let after = deadline.since(self.now).min(self.brief.terms.patience);
            return self.again(after, Queue::Answer);
        }
        let failure = Failure {
            billed: Billed::Maybe,
            ..Failure::new(FailureClass::Ambiguous, "no-answer", "the run ended between asking and the answer; nobody knows whether it was accepted")
        };
        let reserved = self.reserved();
        let records = vec![Record::InDoubt { attempt, failure: failure.clone() }];
        self.in_doubt(records, attempt, failure, &reserved)
    }

    fn not_granted(self, grant: Grant) -> Turn {
        match grant {
            Grant::Wait { until } => {
                // No slot is taken for longer than its window, whatever the clock of the ledger says.
                let longest = self.brief.terms.limits.windows.iter().map(|window| window.span).max().unwrap_or(Duration::MAX);
                let after = until.since(self.now).min(longest).max(LOOK_AGAIN);
                self.again(after, Queue::Submit)
            }
            Grant::Full => self.again(PLACE_RECHECK, Queue::Submit),
            Grant::OverCap { scope, limit, committed } => self.finish(Ending::OverCap { scope, limit, committed }),
            Grant::Taken(_) | Grant::Granted { .. } => self.look_again(),
        }
    }

    // --- the submit ---------------------------------------------------------------------------------------------------------------

    fn accepted(mut self, task: TaskId) -> Turn {
        let (JobState::Submitting { attempt, .. } | JobState::InDoubt { attempt, .. }) = self.state else {
            return self.look_again();
        };
        self.effort = Effort { tries: self.effort.tries, watching_since: Some(self.now), ..Effort::default() };
        let start = match (&self.brief.terms.poll, self.brief.usual) {
            (Some(curve), Some(usual)) => latency::wait(curve, usual, Duration::ZERO),
            (Some(curve), None) => curve.start.0,
            (None, _) => POLL_WITHOUT_CURVE,
        };
        let attempt = *attempt;
        self.record([Record::Accepted { attempt, task }], [Effect::Again { after: start, queue: Queue::Poll }])
    }

    fn submit_failed(self, failure: Failure) -> Turn {
        let (attempt, reserved) = match self.state {
            JobState::Submitting { attempt, reserved, .. } | JobState::InDoubt { attempt, reserved, .. } => (*attempt, reserved),
            _ => return self.look_again(),
        };
        use FailureClass as Class;
        // What a repeated request is told says something about the first one only if it tells how that one ended.
        let repeated = self.effort.resends > 0 || matches!(self.state, JobState::InDoubt { .. });
        if repeated && !matches!(failure.class, Class::Failed | Class::Refused) {
            let refused = (failure.class == Class::Account).then(|| Effect::StopCampaign(failure.clone()));
            let held = failure.retry_after.map(|told| Effect::HoldSubmits { until: self.now.after(told.min(LONGEST_TOLD)) });
            let mut turn = self.unclear(attempt, failure, reserved);
            turn.then.splice(0..0, refused.into_iter().chain(held));
            return turn;
        }
        match rule(failure.class).submit {
            OnSubmit::Doubt => self.unclear(attempt, failure, reserved),
            OnSubmit::Wait(curve) => self.not_let_in(attempt, reserved, failure, curve),
            OnSubmit::NewTry => self.task_failed(attempt, reserved, failure),
            OnSubmit::Final | OnSubmit::Stop => self.final_failure(attempt, reserved, failure),
        }
    }

    /// Nothing was accepted and nothing charged: wait, then ask for a new try.
    fn not_let_in(mut self, attempt: AttemptNo, reserved: &Amount, failure: Failure, curve: Curve) -> Turn {
        let told = failure.retry_after.map(|told| told.min(LONGEST_TOLD));
        let delay = told.unwrap_or_else(|| self.backoff(curve, self.effort.troubles));
        let since = *self.effort.trouble_since.get_or_insert(self.now);
        self.effort.troubles += 1;
        let record = released(attempt, &failure, reserved);
        let throttled = failure.class == FailureClass::Throttled;
        // Whatever becomes of this job: what the provider said holds for all others.
        let hold = (throttled || told.is_some()).then(|| Effect::HoldSubmits { until: self.now.after(delay) });
        let mut then: Vec<Effect> = hold.into_iter().collect();
        if self.now.since(since) >= self.brief.rules.outage_patience {
            then.push(Effect::Finish(Ending::Failed { attempt: Some(attempt), failure }));
            return self.record([record], then);
        }
        let notice = if throttled { Notice::Throttled { delay } } else { Notice::WillRetry { attempt, failure, delay } };
        then.insert(0, Effect::Tell(notice));
        then.push(Effect::Again { after: delay, queue: Queue::Retry });
        self.record([record], then)
    }

    /// Nobody knows whether the request was accepted.
    fn unclear(mut self, attempt: AttemptNo, failure: Failure, reserved: &Amount) -> Turn {
        if self.may_resend() {
            let delay = self.backoff(TRANSIENT, self.effort.resends);
            self.effort.resends = self.effort.resends.max(1);
            let notice = Notice::WillRetry { attempt, failure, delay };
            return self.turn([Effect::Tell(notice), Effect::Again { after: delay, queue: Queue::Retry }]);
        }
        let failure = Failure { billed: Billed::Maybe, ..failure };
        let known = matches!(self.state, JobState::InDoubt { .. });
        let records = if known { Vec::new() } else { vec![Record::InDoubt { attempt, failure: failure.clone() }] };
        let reserved = reserved.clone();
        self.in_doubt(records, attempt, failure, &reserved)
    }

    /// Repeats a request under its own key, no earlier than the account may submit at all.
    fn resend(mut self, attempt: AttemptNo) -> Turn {
        if self.now < self.brief.not_before {
            let after = self.brief.not_before.since(self.now);
            return self.again(after, Queue::Submit);
        }
        self.effort.resends += 1;
        self.turn([Effect::Submit { attempt }])
    }

    fn may_resend(&self) -> bool {
        self.brief.terms.idempotent && !self.brief.key_is_old && self.effort.resends < RESENDS && !self.brief.closed
    }

    /// Holds the doubt, or counts it as spent and goes on to a new try, as the policy says.
    fn in_doubt(mut self, mut records: Vec<Record>, attempt: AttemptNo, failure: Failure, reserved: &Amount) -> Turn {
        if records.is_empty() && self.may_resend() {
            return self.resend(attempt);
        }
        // Doubt of an earlier run does not use up a try of this one. A task that got lost while this run asked after it does.
        let is_running = matches!(self.state, JobState::Running { .. });
        let ours = !records.is_empty() && (is_running || self.now < self.deadline());
        let tries = self.effort.tries + u32::from(ours);
        let anew = self.brief.rules.on_doubt == OnDoubt::Resend && tries < self.brief.rules.attempts && !self.brief.closed;
        if !anew {
            return self.record(records, [Effect::Finish(Ending::InDoubt(failure))]);
        }
        self.effort = Effort { tries, ..Effort::default() };
        records.push(Record::Settled {
            attempt,
            charged: reserved.micros,
            refunded: Micros::ZERO,
            evidence: "counted as spent and bought anew, because the policy for doubt is `resend`".to_owned(),
        });
        let delay = self.backoff(TRANSIENT, tries);
        let notice = Notice::WillRetry { attempt, failure, delay };
        self.record(records, [Effect::Tell(notice), Effect::Again { after: delay, queue: Queue::Retry }])
    }

    fn deadline(&self) -> Timestamp {
        match self.state {
            JobState::Submitting { deadline, .. } => *deadline,
            _ => self.now,
        }
    }

    // --- the task -----------------------------------------------------------------------------------------------------------------

    fn still_running(mut self) -> Turn {
        let JobState::Running { since, .. } = self.state else { return self.look_again() };
        self.effort.broken_polls = 0;
        let wait = self.poll_wait(*since);
        match wait {
            Some(wait) => self.again(wait, Queue::Poll),
            None => self.finish(Ending::StillRunning),
        }
    }

    /// Returns when to ask next; `None` once this run has asked long enough.
    fn poll_wait(&self, since: Timestamp) -> Option<Duration> {
        let Some(curve) = &self.brief.terms.poll else { return Some(POLL_WITHOUT_CURVE) };
        let age = self.now.since(since);
        let watched = self.effort.watching_since.map_or(Duration::ZERO, |watching| self.now.since(watching));
        if watched >= curve.deadline.0 {
            return None;
        }
        if let Some(usual) = self.brief.usual.filter(|_| self.effort.has_watched_from(since)) {
            return Some(latency::wait(curve, usual, watched).max(Duration::from_millis(1)));
        }
        // A task that is older than the curve is asked after at its slowest pace.
        curve.wait(age).or_else(|| curve.steps.last().map(|step| step.every.0)).or(Some(curve.start.0)).map(|wait| wait.max(Duration::from_millis(1)))
    }

    fn ready(mut self, results: Vec<ResultRef>, charged: Option<Micros>) -> Turn {
        let JobState::Running { attempt, task, .. } = self.state else { return self.look_again() };
        self.effort.broken_polls = 0;
        match results.into_iter().next() {
            Some(result) => {
                let fetch = Effect::Fetch { attempt: *attempt, task: task.clone(), result, charged };
                self.turn([fetch])
            }
            None => self.fetch_failed(Failure::new(FailureClass::BadResult, "no-result", "the task is finished but names no picture"), charged),
        }
    }

    fn poll_failed(self, failure: Failure) -> Turn {
        let JobState::Running { attempt, reserved, since, .. } = self.state else { return self.look_again() };
        match rule(failure.class).poll {
            OnPoll::Ended => {
                let (attempt, reserved) = (*attempt, reserved);
                self.task_failed(attempt, reserved, failure)
            }
            // The key was taken away: the task stays paid and known.
            OnPoll::Stop => self.turn([Effect::StopCampaign(failure), Effect::Finish(Ending::StillRunning)]),
            OnPoll::Unknown if self.is_unknown() => self.lost_task(failure),
            OnPoll::Unknown => self.ask_again(*since, &failure, FREE),
            OnPoll::AskAgain(curve) => self.ask_again(*since, &failure, curve),
        }
    }

    fn ask_again(mut self, since: Timestamp, failure: &Failure, curve: Curve) -> Turn {
        let Some(wait) = self.poll_wait(since) else { return self.finish(Ending::StillRunning) };
        let told = failure.retry_after.map(|told| told.min(LONGEST_TOLD));
        let delay = told.unwrap_or_else(|| self.backoff(curve, self.effort.broken_polls).max(wait));
        self.effort.broken_polls += 1;
        self.again(delay, Queue::Poll)
    }

    /// Returns whether a provider that does not know the task is to be believed: a fresh one may not be seen yet.
    fn is_unknown(&self) -> bool {
        let unseen = self.brief.terms.poll.as_ref().map_or(PollCurve::UNSEEN, |curve| curve.unseen);
        let watched = self.effort.watching_since.map_or(Duration::ZERO, |watching| self.now.since(watching));
        watched >= unseen.0 && self.effort.broken_polls >= UNKNOWN_ANSWERS
    }

    /// The provider accepted the task and now does not know it: nobody knows whether it was charged.
    fn lost_task(self, seen: Failure) -> Turn {
        let JobState::Running { attempt, reserved, task, .. } = self.state else { return self.look_again() };
        let (attempt, reserved) = (*attempt, reserved.clone());
        let what = format!("the provider knows nothing of the task {}, which it accepted ({}): {}", task.name(), seen.code, seen.message);
        let failure = Failure { billed: Billed::Maybe, ..Failure::new(FailureClass::Ambiguous, "unknown-task", what) };
        let records = vec![Record::InDoubt { attempt, failure: failure.clone() }];
        self.in_doubt(records, attempt, failure, &reserved)
    }

    /// A try was taken and ended without a picture.
    fn task_failed(mut self, attempt: AttemptNo, reserved: &Amount, failure: Failure) -> Turn {
        if matches!(failure.class, FailureClass::Refused | FailureClass::Invalid | FailureClass::Account) {
            return self.final_failure(attempt, reserved, failure);
        }
        let (record, failure) = self.settled_failure(attempt, reserved, failure);
        self.effort = Effort { tries: self.effort.tries + 1, ..Effort::default() };
        self.once_more(record, attempt, failure)
    }

    /// Buys again within the attempts limit.
    fn once_more(self, record: Record, attempt: AttemptNo, failure: Failure) -> Turn {
        if self.effort.tries >= self.brief.rules.attempts || self.brief.closed {
            return self.record([record], [Effect::Finish(Ending::Failed { attempt: Some(attempt), failure })]);
        }
        let curve = if failure.class == FailureClass::Maintenance { MAINTENANCE } else { TRANSIENT };
        let delay = failure.retry_after.map_or_else(|| self.backoff(curve, self.effort.tries), |told| told.min(LONGEST_TOLD));
        let notice = Notice::WillRetry { attempt, failure, delay };
        self.record([record], [Effect::Tell(notice), Effect::Again { after: delay, queue: Queue::Retry }])
    }

    /// A failure that no further try of this run can mend.
    fn final_failure(self, attempt: AttemptNo, reserved: &Amount, failure: Failure) -> Turn {
        let (record, failure) = self.settled_failure(attempt, reserved, failure);
        let mut then = Vec::new();
        if rule(failure.class).submit == OnSubmit::Stop {
            then.push(Effect::StopCampaign(failure.clone()));
        }
        then.push(Effect::Finish(Ending::Failed { attempt: Some(attempt), failure }));
        self.record([record], then)
    }
}
