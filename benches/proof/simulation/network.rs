//! The way to the provider and back: what is lost, broken, garbled, late or refused on it.

use std::time::Duration;

use callsheet::engine::machine::JobEvent;
use callsheet::provider::ResultRef;
use callsheet::types::{AttemptNo, FailureClass, Micros, TaskId};

use super::provider::{Reply, Told, failure};
use super::world::{Comes, Request, What, World};
use super::{Broken, Mutation, checks};

impl World {
    /// Sends a paid request.
    pub fn send(&mut self, process: usize, shot: usize, attempt: AttemptNo) -> Result<(), Broken> {
        checks::submit(self, process, shot, attempt)?;
        self.figures.submits += 1;
        self.turns += 1;
        let turn = self.turns;
        if let Some(active) = self.processes[process].active[shot].as_mut() {
            active.turn = turn;
        }
        let key = self.campaign.shots[shot].key;
        let ends = self.now + Self::span(self.campaign.terms.patience / 2);
        let latency = self.latency();
        self.note(|world| format!("{process} {} sends attempt {attempt}", world.campaign.shots[shot].id));
        if self.dice.strikes(self.faults.refuse_connection) {
            let comes = Comes::Event(JobEvent::SubmitFailed(failure(FailureClass::Transient, "refused")));
            self.at(self.now + latency, What::Answer { process, shot, turn, comes });
        } else if self.dice.strikes(self.faults.lose_request) {
            let comes = self.unanswered();
            self.at(ends, What::Answer { process, shot, turn, comes });
        } else {
            self.at(self.now + latency, What::Arrive(Request { process, shot, key, attempt, turn, ends }));
        }
        Ok(())
    }

    /// A request is at the provider, whoever still waits for its answer.
    pub fn arrive(&mut self, request: Request) -> Result<(), Broken> {
        let Request { process, shot, key, attempt, turn, ends } = request;
        let back = self.now + self.latency();
        let answer = |world: &mut Self, at, comes| world.at(at, What::Answer { process, shot, turn, comes });
        if self.is_out() {
            if let Some(own) = self.processes.get_mut(process) {
                own.into_outage += 1;
            }
            let class = if self.campaign.outages_are_ambiguous { FailureClass::Ambiguous } else { self.out_class() };
            answer(self, back, Comes::Event(JobEvent::SubmitFailed(failure(class, "503"))));
            return Ok(());
        }
        let reply = {
            let Self { provider, campaign, faults, dice, now, .. } = self;
            let Some(about) = campaign.shots.get(shot).filter(|about| about.key == key) else { return Ok(()) };
            provider.submit(campaign, about, attempt, faults, *now, dice)
        };
        self.note(|world| format!("the provider answers {} attempt {attempt}: {reply:?}", world.campaign.shots[shot].id));
        checks::arrival(self)?;
        let task = match &reply {
            Reply::Task(name) => self.provider.find(name),
            Reply::Picture(task, _) => Some(*task),
            Reply::Failure(_) => None,
        };
        if let Some(task) = task
            && let Some(ends) = self.provider.ends_at(task)
        {
            self.at(ends.max(self.now), What::TaskEnds(task));
        }
        checks::book(self, (key, attempt))?;
        if self.dice.strikes(self.faults.lose_answer) {
            let comes = self.unanswered();
            answer(self, ends, comes);
        } else if self.dice.strikes(self.faults.garble) {
            answer(self, back, Comes::Event(JobEvent::SubmitFailed(failure(FailureClass::BadResult, "garbled"))));
        } else if self.dice.strikes(self.faults.reset) {
            answer(self, back, Comes::Event(JobEvent::SubmitFailed(failure(FailureClass::Ambiguous, "reset"))));
        } else {
            match reply {
                Reply::Failure(failure) => answer(self, back, Comes::Event(JobEvent::SubmitFailed(failure))),
                Reply::Task(task) => answer(self, back, Comes::Event(JobEvent::Accepted(task))),
                Reply::Picture(_, at) if at + 150_000 >= ends => {
                    let comes = self.unanswered();
                    answer(self, ends, comes);
                }
                Reply::Picture(task, at) => {
                    let charged = self.provider.figure(&self.campaign, task);
                    let comes = if self.dice.strikes(self.faults.truncate) {
                        Comes::Event(JobEvent::DeliveryBroke { failure: failure(FailureClass::BadResult, "not-whole"), charged })
                    } else {
                        Comes::Picture { digest: self.provider.picture(task), charged, at_once: true }
                    };
                    let at = at + self.latency();
                    answer(self, at, comes);
                }
            }
        }
        Ok(())
    }

    fn out_class(&self) -> FailureClass {
        if self.outage.1.is_multiple_of(2) { FailureClass::Transient } else { FailureClass::Maintenance }
    }

    /// What a submit without an answer is told.
    fn unanswered(&self) -> Comes {
        let class = if self.mutation == Some(Mutation::ResendBlindly) { FailureClass::Transient } else { FailureClass::Ambiguous };
        Comes::Event(JobEvent::SubmitFailed(Self::timed_out(class)))
    }

    /// What a free question is told instead of an answer, if it is.
    fn disturbed(&mut self) -> Option<callsheet::types::Failure> {
        if self.is_out() {
            return Some(failure(self.out_class(), "503"));
        }
        if !self.dice.strikes(self.faults.break_poll) {
            return None;
        }
        use FailureClass as Class;
        let class = self.dice.pick(&[Class::Transient, Class::Ambiguous, Class::BadResult, Class::Maintenance, Class::Throttled]);
        let mut broken = failure(class, "broken");
        if class == Class::Throttled {
            broken.retry_after = Some(Duration::from_secs(self.dice.within(0..40)));
        }
        Some(broken)
    }

    /// What a question after a task brings.
    pub fn polled(&mut self, task: &TaskId) -> Comes {
        if let Some(failure) = self.disturbed() {
            return Comes::Event(JobEvent::PollFailed(failure));
        }
        let Some(task) = self.provider.find(task) else { return Comes::Event(JobEvent::PollFailed(failure(FailureClass::Invalid, "404"))) };
        let charged = self.provider.figure(&self.campaign, task);
        Comes::Event(match self.provider.poll(&self.campaign, task, self.now) {
            Told::Running => JobEvent::StillRunning,
            Told::Ready(named) => JobEvent::Ready { results: named.map(|task| ResultRef(task.to_string())).into_iter().collect(), charged },
            Told::Failed(failure) => JobEvent::TaskFailed(failure),
        })
    }

    /// What a fetch brings.
    pub fn fetched(&mut self, result: &str, charged: Option<Micros>) -> Comes {
        if let Some(failure) = self.disturbed() {
            return Comes::Event(JobEvent::FetchFailed { failure, charged });
        }
        let fetched = match result.parse() {
            Ok(task) => self.provider.fetch(task, self.now),
            Err(_) => Err(failure(FailureClass::Invalid, "404")),
        };
        match fetched {
            Ok(digest) => Comes::Picture { digest, charged, at_once: false },
            Err(failure) => Comes::Event(JobEvent::FetchFailed { failure, charged }),
        }
    }
}
