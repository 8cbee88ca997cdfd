//! Every step that any part could take next.

use std::time::Duration;

use callsheet::engine::machine::{Effect, JobBrief, JobEvent, Trade, step};
use callsheet::engine::{JobPrice, OnDoubt};
use callsheet::ledger::{Artifact, AttemptCard, Cap, Grant, JobState, Ledger, LedgerError, MemoryLedger, Record, SubmitIntent};
use callsheet::provider::ResultRef;
use callsheet::types::{
    AttemptNo, Billed, BlobRef, Digest, Failure, FailureClass, IdempotencyKey, ImageFormat, ImageInfo, Micros, PixelSize, RunId, TaskId, Timestamp,
};
use futures_util::FutureExt;

use super::Mutation;
use super::state::{Book, NOW, Reply, Shot, Stage, State, Task};

/// One step.
pub struct Step {
    /// What happens.
    pub what: String,
    /// Where it leads.
    pub to: State,
    /// Whether something goes wrong that need not.
    pub is_fault: bool,
}

fn failure(class: FailureClass) -> Failure {
    Failure { billed: Billed::Maybe, ..Failure::new(class, "model", "model") }
}

impl State {
    /// Returns every step from here.
    ///
    /// # Errors
    /// A step that the ledger or the machine cannot take.
    pub fn steps(&self) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        for shot in 0..self.shots.len() {
            self.of_provider(shot, &mut steps);
            if self.alive {
                self.of_process(shot, &mut steps)?;
            }
        }
        if self.alive && self.left[0] > 0 && self.shots.iter().any(|shot| shot.stage != Stage::Ended) {
            let mut to = self.clone();
            to.left[0] -= 1;
            to.alive = false;
            for shot in &mut to.shots {
                if shot.stage == Stage::Sent {
                    shot.adrift.push(shot.attempt);
                }
                (shot.stage, shot.effort, shot.attempt) = (Stage::Idle, Default::default(), 0);
            }
            steps.push(Step { what: "the process dies".to_owned(), to, is_fault: true });
        }
        if !self.alive {
            let mut to = self.clone();
            to.alive = true;
            steps.push(Step { what: "a new process starts".to_owned(), to, is_fault: false });
        }
        self.of_user(&mut steps)?;
        Ok(steps)
    }

    // --- the provider -----------------------------------------------------------------------------------------------------------------

    fn of_provider(&self, shot: usize, steps: &mut Vec<Step>) {
        let about = &self.shots[shot];
        for (place, attempt) in about.adrift.iter().enumerate() {
            let arrives = self.changed(|to| {
                to.shots[shot].adrift.remove(place);
                to.take(shot, *attempt);
            });
            steps.push(Step { what: format!("shot{shot}: the request of a dead process arrives"), to: arrives, is_fault: false });
            let vanishes = self.changed(|to| {
                to.shots[shot].adrift.remove(place);
            });
            steps.push(Step { what: format!("shot{shot}: the request of a dead process vanishes"), to: vanishes, is_fault: false });
        }
        for (place, book) in about.books.iter().enumerate().filter(|(_, book)| book.task == Task::Working) {
            let ready = self.changed(|to| {
                let charged = u8::from(!to.setting.variant.charged_on_submit);
                let book = &mut to.shots[shot].books[place];
                (book.task, book.charged) = (Task::Ready, book.charged + charged);
            });
            steps.push(Step { what: format!("shot{shot}: task {} is finished", place + 1), to: ready, is_fault: false });
            if self.left[2] > 0 {
                let failed = self.changed(|to| {
                    to.left[2] -= 1;
                    to.shots[shot].books[place] = Book { task: Task::Failed, charged: 0, ..*book };
                });
                steps.push(Step { what: format!("shot{shot}: task {} fails", place + 1), to: failed, is_fault: true });
            }
        }
    }

    /// The provider takes a request.
    fn take(&mut self, shot: usize, attempt: u32) {
        let variant = self.setting.variant;
        let book = book(&mut self.shots[shot], attempt);
        if variant.idempotent && book.taken > 0 {
            return;
        }
        book.taken += 1;
        book.task = if variant.synchronous { Task::Ready } else { Task::Working };
        book.charged += u8::from(variant.charged_on_submit || variant.synchronous);
    }

    fn changed(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut to = self.clone();
        change(&mut to);
        to
    }

    // --- the process ------------------------------------------------------------------------------------------------------------------

    fn of_process(&self, shot: usize, steps: &mut Vec<Step>) -> Result<(), String> {
        let about = &self.shots[shot];
        let mut told = |what: &str, is_fault: bool, change: &dyn Fn(&mut Self), event: JobEvent| -> Result<(), String> {
            let mut to = self.clone();
            change(&mut to);
            to.advance(shot, event)?;
            steps.push(Step { what: format!("shot{shot}: {what}"), to, is_fault });
            Ok(())
        };
        let loses = |to: &mut Self| to.left[1] -= 1;
        let unanswered = if self.setting.mutation == Some(Mutation::ResendBlindly) { FailureClass::Transient } else { FailureClass::Ambiguous };
        match about.stage {
            Stage::Idle => {
                if self.may_begin(shot) {
                    told("goes on", false, &|_| {}, JobEvent::Begin)?;
                }
            }
            Stage::Parked => {
                if self.fits() {
                    told("goes on, there is money again", false, &|_| {}, JobEvent::Begin)?;
                }
            }
            Stage::Sent => {
                if self.left[1] > 0 {
                    told("the request vanishes", true, &loses, JobEvent::SubmitFailed(failure(unanswered)))?;
                }
                let taken = self.changed(|to| {
                    to.take(shot, about.attempt);
                    // Who honours the key says again what was said the first time.
                    let failed = book(&mut to.shots[shot], about.attempt).task == Task::FailedAtOnce;
                    to.shots[shot].stage = Stage::Answered(if failed { Reply::Failed } else { Reply::Taken });
                });
                steps.push(Step { what: format!("shot{shot}: the request arrives"), to: taken, is_fault: false });
                let known = about.books.get(about.attempt as usize - 1).is_some_and(|book| book.taken > 0);
                if self.left[2] > 0 && !known {
                    for reply in [Reply::Throttled, Reply::Failed] {
                        let refused = self.changed(|to| {
                            to.left[2] -= 1;
                            to.shots[shot].stage = Stage::Answered(reply);
                            if reply == Reply::Failed {
                                let book = book(&mut to.shots[shot], about.attempt);
                                (book.taken, book.task) = (book.taken + 1, Task::FailedAtOnce);
                            }
                        });
                        steps.push(Step { what: format!("shot{shot}: the provider answers {reply:?}"), to: refused, is_fault: true });
                    }
                }
            }
            Stage::Answered(reply) => {
                let event = match reply {
                    Reply::Taken if self.setting.variant.synchronous => JobEvent::Fetched { artifact: picture(shot), charged: None },
                    Reply::Taken => JobEvent::Accepted(TaskId::new(format!("task{shot}-{}", about.attempt))),
                    Reply::Throttled => JobEvent::SubmitFailed(failure(FailureClass::Throttled)),
                    Reply::Failed => JobEvent::SubmitFailed(failure(FailureClass::Failed)),
                };
                let named = matches!(event, JobEvent::Accepted(_));
                told("the answer comes", false, &|to| book(&mut to.shots[shot], about.attempt).told |= named, event)?;
                if self.left[1] > 0 {
                    told("the answer vanishes", true, &loses, JobEvent::SubmitFailed(failure(unanswered)))?;
                }
            }
            Stage::Polling => {
                let task = about.books.get(about.attempt as usize - 1).map_or(Task::None, |book| book.task);
                match task {
                    Task::Ready => {
                        let ready = JobEvent::Ready { results: vec![ResultRef("picture".to_owned())], charged: None };
                        told("the task is found finished", false, &|_| {}, ready)?;
                    }
                    Task::Failed => told("the task is found failed", false, &|_| {}, JobEvent::TaskFailed(failure(FailureClass::Failed)))?,
                    Task::None | Task::FailedAtOnce => return Err(format!("shot{shot}: a task is asked after that the provider does not know")),
                    Task::Working => {}
                }
            }
            Stage::Fetching => {
                told("the picture comes", false, &|_| {}, JobEvent::Fetched { artifact: picture(shot), charged: None })?;
                if self.left[1] > 0 {
                    let broken = JobEvent::FetchFailed { failure: failure(FailureClass::Transient), charged: None };
                    told("the picture does not come", true, &loses, broken)?;
                }
            }
            Stage::Ended => {}
        }
        Ok(())
    }

    /// Who is paid for already goes on at once; who must be paid for waits for its input.
    fn may_begin(&self, shot: usize) -> bool {
        let paid_before = match self.shots[shot].ledger {
            JobState::Submitting { .. } | JobState::Running { .. } => true,
            JobState::InDoubt { .. } => self.setting.variant.on_doubt == OnDoubt::Hold,
            _ => false,
        };
        paid_before || self.input(shot).is_none_or(|input| matches!(self.shots[input].ledger, JobState::Done { .. }))
    }

    /// Moves a shot as far as it goes: step, append, perform.
    fn advance(&mut self, shot: usize, mut event: JobEvent) -> Result<(), String> {
        // Read only when something is to be written: most steps write nothing.
        let mut ledger = None;
        // What an exchange under way rests on was read before it began, and nobody else has moved the shot since.
        let mut state = self.shots[shot].ledger.clone();
        if self.setting.mutation == Some(Mutation::ForgetTheIntent) && self.shots[shot].attempt > state.last_attempt().0 {
            let attempt = AttemptNo(self.shots[shot].attempt);
            state = JobState::Submitting { attempt, reserved: self.setting.price.reserved.clone(), deadline: NOW.after(self.setting.terms.patience) };
        }
        for _ in 0..9 {
            let turn = {
                let (job, key) = &self.setting.shots[shot];
                let brief = JobBrief {
                    job,
                    key,
                    trade: Trade::Paid(&self.setting.price),
                    terms: &self.setting.terms,
                    rules: &self.setting.rules,
                    ruling: None,
                    checked: false,
                    lost: false,
                    closed: false,
                    key_is_old: false,
                    not_before: Timestamp::from_millis(i64::MIN),
                    effort: self.shots[shot].effort,
                    usual: None,
                };
                step(&state, event, &brief, NOW)
            };
            self.shots[shot].effort = turn.effort;
            if !turn.append.is_empty() {
                let ledger = opened(&mut ledger, self)?;
                self.append(ledger, shot, &turn.append)?;
            }
            let Some(last) = turn.then.into_iter().next_back() else { return Err(format!("shot{shot}: a decision moves nothing")) };
            let stage = match last {
                Effect::Ask { attempt } => match self.ask(opened(&mut ledger, self)?, shot, attempt)? {
                    Some(granted) => {
                        (state, event) = (granted, JobEvent::Granted);
                        continue;
                    }
                    None => Stage::Parked,
                },
                Effect::Submit { attempt } => {
                    self.shots[shot].attempt = attempt.0;
                    self.may_send(ledger.as_ref(), shot, attempt)?;
                    Stage::Sent
                }
                Effect::Poll { attempt, .. } => {
                    self.shots[shot].attempt = attempt.0;
                    Stage::Polling
                }
                Effect::Fetch { .. } => Stage::Fetching,
                Effect::Again { .. } => Stage::Idle,
                Effect::Finish(_) => Stage::Ended,
                other => return Err(format!("shot{shot}: unexpected effect {other:?}")),
            };
            self.shots[shot].stage = stage;
            return ledger.map_or(Ok(()), |ledger| self.keep(&ledger, shot));
        }
        Err(format!("shot{shot}: no end of decisions within one call"))
    }

    /// Before a request leaves.
    fn may_send(&mut self, written: Option<&MemoryLedger>, shot: usize, attempt: AttemptNo) -> Result<(), String> {
        let durable = match written {
            Some(ledger) => ledger.load(self.setting.shots[shot].1).map_err(|error| error.to_string())?,
            None => self.shots[shot].ledger.clone(),
        };
        if durable.last_attempt() != attempt {
            self.wrong = Some(format!("shot{shot}: a paid request without a durable intent"));
        }
        if self.input(shot).is_some_and(|input| !matches!(self.shots[input].ledger, JobState::Done { .. })) {
            self.wrong = Some(format!("shot{shot}: sent before its input is there"));
        }
        Ok(())
    }

    fn append(&self, ledger: &MemoryLedger, shot: usize, records: &[Record]) -> Result<JobState, String> {
        if self.setting.mutation == Some(Mutation::ForgetTheTask)
            && let [Record::Accepted { .. }] = records
        {
            return Ok(self.shots[shot].ledger.clone());
        }
        let mutated = |record: &Record| match (self.setting.mutation, record) {
            (Some(Mutation::ReleaseDoubt), Record::InDoubt { attempt, failure }) => {
                Record::Failed { attempt: *attempt, failure: failure.clone(), charged: Micros::ZERO, refunded: self.setting.price.reserved.micros }
            }
            _ => record.clone(),
        };
        let records = records.iter().map(mutated).collect();
        let appended = ledger.append(RunId::new("model"), self.setting.shots[shot].1, records, None).now_or_never();
        match appended {
            // Only a forgotten intent leads here; its records have nowhere to go.
            Some(Err(LedgerError::Illegal(_))) if self.setting.mutation == Some(Mutation::ForgetTheIntent) => Ok(self.shots[shot].ledger.clone()),
            Some(answer) => answer.map_err(|error| format!("shot{shot}: {error}")),
            None => Err("the ledger in memory answers at once".to_owned()),
        }
    }

    /// Asks for a try; `None` when it does not fit under the cap.
    fn ask(&self, ledger: &MemoryLedger, shot: usize, attempt: AttemptNo) -> Result<Option<JobState>, String> {
        let JobPrice { quoted, reserved, .. } = self.setting.price.clone();
        let submitting = JobState::Submitting { attempt, reserved: reserved.clone(), deadline: NOW.after(Duration::from_secs(600)) };
        if self.setting.mutation == Some(Mutation::ForgetTheIntent) {
            return Ok(Some(submitting));
        }
        let unlimited = self.setting.mutation == Some(Mutation::IgnoreTheCap);
        let (job, key) = self.setting.shots[shot].clone();
        let intent = SubmitIntent {
            run: RunId::new("model"),
            key,
            card: AttemptCard {
                job,
                campaign: String::new(),
                step: String::new(),
                axes: Vec::new(),
                take: None,
                provider: String::new(),
                model: String::new(),
                operation: String::new(),
                aspect: None,
                resolution: None,
                quality: None,
                unpriced: false,
                batch: false,
            },
            attempt,
            idempotency_key: IdempotencyKey::new("model"),
            quoted,
            reserved,
            patience: self.setting.terms.patience,
            limits: self.setting.terms.limits.clone(),
            caps: vec![Cap { limit: self.setting.cap.limit.clone().filter(|_| !unlimited), ..self.setting.cap.clone() }],
            recipe: Vec::new(),
        };
        match ledger.begin_submit(intent).now_or_never() {
            Some(Ok(Grant::Granted { .. })) => Ok(Some(submitting)),
            Some(Ok(Grant::OverCap { .. })) => Ok(None),
            other => Err(format!("shot{shot}: the ledger answers {other:?}")),
        }
    }

    // --- the user ---------------------------------------------------------------------------------------------------------------------

    /// Once the run has ended, its user may settle a doubt by what the provider's own list says, and run again.
    fn of_user(&self, steps: &mut Vec<Step>) -> Result<(), String> {
        let over = self.alive
            && self.shots.iter().enumerate().all(|(number, shot)| match shot.stage {
                Stage::Ended | Stage::Parked => true,
                Stage::Idle => !self.may_begin(number),
                _ => false,
            });
        if !over || self.left[3] == 0 {
            return Ok(());
        }
        for (number, shot) in self.shots.iter().enumerate() {
            let JobState::InDoubt { attempt, .. } = &shot.ledger else { continue };
            if !shot.adrift.is_empty() {
                continue;
            }
            let was_charged = shot.books.get(attempt.0 as usize - 1).is_some_and(|book| book.charged > 0 || book.task == Task::Working);
            let (quoted, held) = (self.setting.price.quoted.micros, self.setting.price.reserved.micros);
            let charged = if was_charged { quoted } else { Micros::ZERO };
            let refunded = held.checked_sub(charged).map_err(|error| error.to_string())?;
            let mut to = self.clone();
            to.left[3] -= 1;
            let ledger = to.ledger()?;
            let record = Record::Settled { attempt: *attempt, charged, refunded, evidence: "the provider's own list".to_owned() };
            to.append(&ledger, number, &[record])?;
            to.keep(&ledger, number)?;
            for shot in &mut to.shots {
                (shot.stage, shot.effort, shot.attempt) = (Stage::Idle, Default::default(), 0);
            }
            steps.push(Step { what: format!("shot{number}: the doubt is settled, and it runs again"), to, is_fault: true });
        }
        Ok(())
    }
}

fn opened<'a>(ledger: &'a mut Option<MemoryLedger>, state: &State) -> Result<&'a MemoryLedger, String> {
    match ledger {
        Some(ledger) => Ok(ledger),
        None => Ok(ledger.insert(state.ledger()?)),
    }
}

fn book(shot: &mut Shot, attempt: u32) -> &mut Book {
    while shot.books.len() < attempt as usize {
        shot.books.push(Book { taken: 0, charged: 0, task: Task::None, told: false });
    }
    &mut shot.books[attempt as usize - 1]
}

fn picture(shot: usize) -> Artifact {
    let blob = BlobRef { digest: Digest::from_bytes([shot as u8; 32]), len: 1 };
    Artifact { blob, info: ImageInfo { format: ImageFormat::Png, size: PixelSize::new(4, 4), alpha: false } }
}
