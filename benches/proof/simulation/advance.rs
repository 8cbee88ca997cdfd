//! What `advance` does, in virtual time: load, step, append, perform, around the real machine and the real ledger.

use std::time::Duration;

use callsheet::engine::machine::{Effect, Effort, JobBrief, JobEvent, Queue, Trade, Turn, step};
use callsheet::ledger::{Artifact, Cap, Grant, JobState, Ledger, LedgerError, Record, SubmitIntent};
use callsheet::types::{
    Amount, AttemptNo, BlobRef, Currency, Digest, Failure, FailureClass, IdempotencyKey, ImageFormat, ImageInfo, JobKey, Micros, PixelSize, TaskId,
};
use futures_util::FutureExt;

use super::process::{Gate, Post};
use super::work::{Parting, woken_at};
use super::world::{Comes, What, World};
use super::{Broken, Mutation, checks, looks};

/// How a write of the ledger ended.
enum Written<T> {
    Done(T),
    Refused,
    Broken,
    Died,
}

/// What a run has learned about its tasks may be right or wrong, and whatever it is must do.
fn usual(key: &JobKey) -> Option<Duration> {
    let [first, second, ..] = *key.0.as_bytes();
    (first % 2 == 1).then(|| Duration::from_secs(u64::from(second) * 2))
}

impl World {
    // --- advance ----------------------------------------------------------------------------------------------------------------------

    /// A wait is over.
    pub fn wake(&mut self, process: usize, shot: usize) -> Result<(), Broken> {
        let Some(active) = self.processes[process].active[shot].as_mut() else { return Ok(()) };
        let (waited, post) = (active.waits.take(), active.post);
        if let Some(queue) = waited {
            let gate = self.processes[process].gate;
            if gate == Gate::Halted {
                self.part(process, shot, Parting::Halted);
                return Ok(());
            }
            if matches!(post, Post::PaidBefore | Post::Core) && matches!(queue, Queue::Submit | Queue::Retry) && gate == Gate::Open {
                self.part(process, shot, Parting::WantsPlace);
                return Ok(());
            }
        }
        let state = self.load(self.campaign.shots[shot].key)?;
        if let Some(active) = self.processes[process].active[shot].as_mut() {
            active.state = state;
        }
        self.advance(process, shot, JobEvent::Begin)
    }

    /// An exchange is over.
    pub fn answer(&mut self, process: usize, shot: usize, comes: Comes) -> Result<(), Broken> {
        let fails = self.dice.strikes(self.faults.store);
        let event = match comes {
            Comes::Event(event) => event,
            Comes::Picture { at_once: true, charged, .. } if fails => {
                self.note(|_| "the store takes nothing".to_owned());
                if let Some(active) = self.processes[process].active[shot].as_mut() {
                    active.broken = true;
                }
                JobEvent::DeliveryBroke { failure: Failure::new(FailureClass::Local, "store", "simulated"), charged }
            }
            Comes::Picture { .. } | Comes::Made | Comes::Seen { .. } if fails => {
                self.note(|_| "the store is out of order".to_owned());
                self.part(process, shot, Parting::Broken);
                return Ok(());
            }
            Comes::Picture { digest, charged, .. } => {
                if self.mutation != Some(Mutation::SkipTheStore) {
                    self.store.insert(digest);
                }
                JobEvent::Fetched { artifact: artifact(digest), charged }
            }
            Comes::Made => {
                let mut bytes = *self.campaign.shots[shot].key.0.as_bytes();
                bytes[8] = bytes[8].wrapping_add(1);
                let digest = Digest::from_bytes(bytes);
                self.store.insert(digest);
                JobEvent::LocalMade(artifact(digest))
            }
            Comes::Seen { kept, charged } => self.seen(shot, kept, charged)?,
        };
        if let JobEvent::SubmitFailed(Failure { retry_after: Some(told), .. }) = &event {
            let until = self.now + Self::span(*told.min(&Duration::from_secs(3600)));
            let own = &mut self.processes[process];
            own.told_until = own.told_until.max(until);
        }
        if self.dice.strikes(self.faults.duplicate) {
            let (key, at) = (self.campaign.shots[shot].key, self.now + self.dice.within(0..2_000_000));
            let attempt = self.load(key)?.last_attempt();
            self.at(at, What::Echo { process, shot, key, attempt, event: event.clone() });
        }
        self.advance(process, shot, event)
    }

    /// An answer comes a second time, to whoever would take it: it must change nothing that it should not.
    pub fn echo(&mut self, process: usize, shot: usize, key: JobKey, attempt: AttemptNo, event: JobEvent) -> Result<(), Broken> {
        let state = self.load(key)?;
        if state.last_attempt() != attempt || self.campaign.shots[shot].key != key || !self.processes.get(process).is_some_and(|own| own.alive) {
            return Ok(());
        }
        let turn = self.decide(process, shot, &state, event, Effort::default())?;
        // The same exchange moves the shot already; a second one must never pay.
        let pays = turn.then.iter().any(|effect| matches!(effect, Effect::Ask { .. }))
            || !self.campaign.terms.idempotent && turn.then.iter().any(|effect| matches!(effect, Effect::Submit { .. }));
        if pays {
            return Err(Broken(format!("{}: an answer that came twice leads to a paid request", self.campaign.shots[shot].id)));
        }
        Ok(())
    }

    fn decide(&self, process: usize, shot: usize, state: &JobState, event: JobEvent, effort: Effort) -> Result<Turn, Broken> {
        let ruling = if event == JobEvent::Begin { self.ruling(shot, state)? } else { None };
        let (about, own) = (&self.campaign.shots[shot], &self.processes[process]);
        let lost = match state {
            JobState::Done { artifact, .. } => own.lost[shot] && !self.store.contains(&artifact.blob.digest),
            _ => false,
        };
        let brief = JobBrief {
            job: &about.id,
            key: &about.key,
            trade: about.price.as_ref().map_or(Trade::Local, Trade::Paid),
            terms: &self.campaign.terms,
            rules: &self.campaign.rules,
            ruling: ruling.as_ref(),
            checked: !self.standards(shot).checks.is_empty() && self.mutation != Some(Mutation::UseUnseen),
            lost,
            closed: own.gate != Gate::Open || self.campaign.terms.idempotent && own.active[shot].as_ref().is_some_and(|active| active.lacks),
            key_is_old: false,
            not_before: own.not_before,
            effort,
            usual: usual(&about.key),
        };
        Ok(step(state, event, &brief, self.wall()))
    }

    /// Moves a shot as far as it goes: step, append, perform.
    fn advance(&mut self, process: usize, shot: usize, mut event: JobEvent) -> Result<(), Broken> {
        for _ in 0..20 {
            let Some(active) = self.processes[process].active[shot].as_ref() else { return Ok(()) };
            let (state, effort) = (active.state.clone(), active.effort);
            self.note(|world| format!("{process} {} is {}: {event:?}", world.campaign.shots[shot].id, state.name()));
            let turn = self.decide(process, shot, &state, event, effort)?;
            if let Some(active) = self.processes[process].active[shot].as_mut() {
                active.effort = turn.effort;
            }
            if !turn.append.is_empty() {
                match self.append(process, shot, &turn.append)? {
                    Written::Done(next) => {
                        if let Some(active) = self.processes[process].active[shot].as_mut() {
                            active.state = next;
                        }
                    }
                    Written::Refused => {
                        self.pause(process, shot, Duration::from_millis(20), Queue::Look);
                        return Ok(());
                    }
                    Written::Broken => {
                        self.part(process, shot, Parting::Broken);
                        return Ok(());
                    }
                    Written::Died => return Ok(()),
                }
            }
            let mut moved = None;
            for effect in turn.then {
                match effect {
                    Effect::Tell(_) => {}
                    Effect::HoldSubmits { until } => {
                        if self.mutation != Some(Mutation::IgnoreRetryAfter) {
                            let own = &mut self.processes[process];
                            own.not_before = own.not_before.max(until);
                        }
                    }
                    Effect::StopCampaign(_) => self.raise(process, Gate::Closed),
                    Effect::Again { after, queue } => {
                        self.pause(process, shot, after, queue);
                        return Ok(());
                    }
                    Effect::Finish(ending) => {
                        self.note(|world| format!("{process} {} ends: {ending:?}", world.campaign.shots[shot].id));
                        self.part(process, shot, Parting::Ended(ending));
                        return Ok(());
                    }
                    Effect::Ask { attempt } => match self.ask(process, shot, attempt)? {
                        Written::Done(event) => moved = Some(event),
                        Written::Broken | Written::Refused => {
                            self.part(process, shot, Parting::Broken);
                            return Ok(());
                        }
                        Written::Died => return Ok(()),
                    },
                    Effect::Submit { attempt } => return self.send(process, shot, attempt),
                    Effect::Poll { task, .. } => {
                        self.poll(process, shot, &task);
                        return Ok(());
                    }
                    Effect::Fetch { task, result, charged, .. } => {
                        self.fetch(process, shot, &task, &result.0, charged);
                        return Ok(());
                    }
                    Effect::Judge { kept, charged } => {
                        self.look(process, shot, kept, charged);
                        return Ok(());
                    }
                    Effect::MakeLocal => {
                        let (turn, at) = (self.next_turn(process, shot), self.now + self.dice.within(1_000..60_000));
                        self.at(at, What::Answer { process, shot, turn, comes: Comes::Made });
                        return Ok(());
                    }
                }
            }
            let Some(next) = moved else { return Err(Broken(format!("{}: a decision moves nothing", self.campaign.shots[shot].id))) };
            event = next;
        }
        Err(Broken(format!("{}: no end of decisions within one call", self.campaign.shots[shot].id)))
    }

    fn pause(&mut self, process: usize, shot: usize, after: Duration, queue: Queue) {
        if queue == Queue::Reroll && self.processes[process].gate == Gate::Open {
            return self.part(process, shot, Parting::WantsPlace);
        }
        let now = self.wall();
        let rations = queue == Queue::Retry && self.mutation != Some(Mutation::RetryUnrationed);
        let rationed = if rations { self.processes[process].budget.take(now) } else { Duration::ZERO };
        let pause = if self.mutation == Some(Mutation::NeverWait) { Duration::ZERO } else { after.max(rationed) };
        let turn = self.next_turn(process, shot);
        if let Some(active) = self.processes[process].active[shot].as_mut() {
            active.waits = Some(queue);
        }
        let at = if self.processes[process].gate >= woken_at(queue) { self.now } else { self.now.saturating_add(Self::span(pause)) };
        self.at(at, What::Wake { process, shot, turn });
    }

    // --- the ledger -------------------------------------------------------------------------------------------------------------------

    /// Writes through a disk that may fail before or after it wrote, for a process that may die before or after it wrote.
    fn write<T>(&mut self, process: usize, write: impl FnOnce(&Self) -> Result<T, LedgerError>) -> Result<Written<T>, Broken> {
        self.figures.writes += 1;
        let (dies, fails, before) = (self.dice.strikes(self.faults.crash_at_write), self.dice.strikes(self.faults.ledger), self.dice.strikes(500));
        if dies || fails {
            self.note(|_| {
                format!("{process} {} {} a write of the ledger", if dies { "dies" } else { "fails" }, if before { "before" } else { "after" })
            });
            if !before {
                let _ = write(self);
            }
            self.dying = dies.then_some(process).or(self.dying);
            return Ok(if dies { Written::Died } else { Written::Broken });
        }
        match write(self) {
            Ok(value) => Ok(Written::Done(value)),
            Err(LedgerError::Illegal(_)) => Ok(Written::Refused),
            Err(error) => Err(Broken(format!("the ledger refuses a command: {error}"))),
        }
    }

    fn append(&mut self, process: usize, shot: usize, records: &[Record]) -> Result<Written<JobState>, Broken> {
        let (key, run) = (self.campaign.shots[shot].key, self.processes[process].run.clone());
        let records: Vec<Record> = records.iter().map(|record| self.mutated(record)).collect();
        for record in &records {
            checks::record(self, shot, record)?;
            looks::judged(self, shot, record)?;
        }
        let turned_down = records.iter().filter(|record| matches!(record, Record::Judged { accepted: false, .. })).count();
        if self.mutation == Some(Mutation::ForgetTheTask)
            && let [Record::Accepted { attempt, task }] = records.as_slice()
        {
            let reserved = self.reserved(shot);
            return Ok(Written::Done(JobState::Running { attempt: *attempt, reserved, task: task.clone(), since: self.wall() }));
        }
        let written = self.write(process, |world| {
            let answer = world.ledger.append(run, key, records.clone(), None).now_or_never();
            answer.unwrap_or_else(|| Err(LedgerError::Storage("the ledger in memory answers at once".to_owned())))
        })?;
        checks::money(self, shot)?;
        if matches!(written, Written::Done(_)) {
            self.figures.turned_down += turned_down as u64;
        }
        Ok(written)
    }

    fn mutated(&self, record: &Record) -> Record {
        match (self.mutation, record) {
            (Some(Mutation::ReleaseDoubt), Record::InDoubt { attempt, failure }) => {
                let refunded = Micros::ZERO;
                Record::Failed { attempt: *attempt, failure: failure.clone(), charged: Micros::ZERO, refunded }
            }
            (Some(Mutation::ForgetTheCharge), Record::Failed { attempt, failure, refunded, .. }) => {
                Record::Failed { attempt: *attempt, failure: failure.clone(), charged: Micros::ZERO, refunded: *refunded }
            }
            _ => record.clone(),
        }
    }

    fn reserved(&self, shot: usize) -> Amount {
        let price = self.campaign.shots[shot].price.as_ref();
        price.map_or_else(|| Amount::new(Currency::Usd, Micros::ZERO), |price| price.reserved.clone())
    }

    fn ask(&mut self, process: usize, shot: usize, attempt: AttemptNo) -> Result<Written<JobEvent>, Broken> {
        let about = &self.campaign.shots[shot];
        let Some(price) = about.price.clone() else { return Err(Broken(format!("{}: local work asks for a paid try", about.id))) };
        let unlimited = self.mutation == Some(Mutation::IgnoreTheCap);
        let own = self.campaign.step_caps[about.step].iter();
        let caps = std::iter::once(&self.campaign.cap)
            .chain(own)
            .map(|cap| Cap { limit: cap.limit.clone().filter(|_| !unlimited), ..cap.clone() })
            .collect();
        let reserved = price.reserved.clone();
        if self.mutation == Some(Mutation::ForgetTheIntent) {
            let deadline = self.wall().after(self.campaign.terms.patience);
            if let Some(active) = self.processes[process].active[shot].as_mut() {
                active.state = JobState::Submitting { attempt, reserved, deadline };
            }
            return Ok(Written::Done(JobEvent::Granted));
        }
        let intent = SubmitIntent {
            run: self.processes[process].run.clone(),
            key: about.key,
            card: about.card.clone(),
            attempt,
            idempotency_key: IdempotencyKey::new("simulated"),
            quoted: price.quoted,
            reserved: price.reserved,
            patience: self.campaign.terms.patience,
            limits: self.campaign.terms.limits.clone(),
            caps,
            recipe: Vec::new(),
        };
        let written = self.write(process, |world| {
            let answer = world.ledger.begin_submit(intent).now_or_never();
            answer.unwrap_or_else(|| Err(LedgerError::Storage("the ledger in memory answers at once".to_owned())))
        })?;
        checks::money(self, shot)?;
        Ok(match written {
            Written::Done(Grant::Granted { deadline, .. }) => {
                let granted = JobState::Submitting { attempt, reserved, deadline };
                let before = self.processes[process].active[shot].as_mut().map(|active| std::mem::replace(&mut active.state, granted));
                if let Some(before) = before {
                    self.figures.rerolls += u64::from(matches!(before, JobState::Rejected { .. }));
                    looks::paid_again(self, shot, &before)?;
                }
                Written::Done(JobEvent::Granted)
            }
            Written::Done(refused) => Written::Done(JobEvent::NotGranted(refused)),
            Written::Refused => Written::Refused,
            Written::Broken => Written::Broken,
            Written::Died => Written::Died,
        })
    }

    fn poll(&mut self, process: usize, shot: usize, task: &TaskId) {
        self.figures.polls += 1;
        let event = self.polled(task);
        self.comes_back(process, shot, event);
    }

    fn fetch(&mut self, process: usize, shot: usize, _: &TaskId, result: &str, charged: Option<Micros>) {
        let comes = self.fetched(result, charged);
        self.comes_back(process, shot, comes);
    }

    /// Lets the answer to a free question come back, or not.
    fn comes_back(&mut self, process: usize, shot: usize, comes: Comes) {
        let turn = self.next_turn(process, shot);
        let at = self.now + self.latency() + self.latency();
        self.at(at, What::Answer { process, shot, turn, comes });
    }
}

/// Returns a whole picture of this digest.
pub fn artifact(digest: Digest) -> Artifact {
    Artifact { blob: BlobRef { digest, len: 1 }, info: ImageInfo { format: ImageFormat::Png, size: PixelSize::new(4, 4), alpha: false } }
}
