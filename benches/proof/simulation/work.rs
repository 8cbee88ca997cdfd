//! What the driver does, in virtual time: which shot starts, what becomes of those that come back.

use std::collections::VecDeque;

use callsheet::engine::machine::{Ending, Queue};
use callsheet::engine::{Cancel, OnDoubt};
use callsheet::ledger::JobState;
use callsheet::types::Micros;

use super::looks::Task;
use super::process::{Active, Gate, Outcome, Post};
use super::world::{What, World};
use super::{Broken, Mutation};

/// How many shots are made here or looked at, at once.
const CORES: usize = 2;

/// Why a shot came back to the driver.
pub enum Parting {
    /// This run is done with it.
    Ended(Ending),
    /// It wants to submit and has no place for that.
    WantsPlace,
    /// The run is halted.
    Halted,
    /// Our own disk said no.
    Broken,
}

impl World {
    // --- the driver -------------------------------------------------------------------------------------------------------------------

    /// Counts missing inputs, starts what is paid for already, and queues what has all it needs.
    pub fn open_up(&mut self, process: usize) -> Result<(), Broken> {
        let count = self.campaign.shots.len();
        let mut states = Vec::with_capacity(count);
        for shot in 0..count {
            let state = self.load(self.campaign.shots[shot].key)?;
            let task = self.task(shot, &state)?;
            if let (JobState::Done { artifact, .. }, Task::AsItStands) = (&state, task) {
                let digest = artifact.blob.digest;
                let there = self.store.contains(&digest);
                self.processes[process].lost[shot] = !there;
                self.processes[process].outcomes[shot] = there.then_some(Outcome::Picture(digest));
            }
            states.push((state, task));
        }
        for (shot, (state, task)) in states.iter().enumerate() {
            if self.processes[process].outcomes[shot].is_some() {
                continue;
            }
            let missing = self.campaign.shots[shot].inputs.iter().filter(|input| self.picture_of(process, **input).is_none()).count();
            self.processes[process].missing[shot] = if self.mutation == Some(Mutation::StartEarly) { missing.saturating_sub(1) } else { missing };
            let held = matches!(state, JobState::InDoubt { .. }) && self.campaign.rules.on_doubt == OnDoubt::Hold;
            if held || matches!(state, JobState::Submitting { .. } | JobState::Running { .. }) {
                self.start(process, shot, Post::PaidBefore);
            } else if matches!(task, Task::Look | Task::Rejected) {
                // It needs none of its inputs to be looked at, so their coming must not start it a second time.
                self.processes[process].begun[shot] = true;
                self.processes[process].looks.push_back(shot);
            } else if self.processes[process].missing[shot] == 0 {
                self.processes[process].push(shot);
            }
        }
        Ok(())
    }

    /// Starts what can start, and ends the run when nothing is under way.
    pub fn look_after(&mut self, process: usize) -> Result<(), Broken> {
        if !self.processes[process].alive || self.dying == Some(process) {
            return Ok(());
        }
        if self.processes[process].gate != Gate::Halted {
            self.start_what_can(process);
        }
        if self.processes[process].is_idle() { self.finish(process) } else { Ok(()) }
    }

    fn start_what_can(&mut self, process: usize) {
        while self.processes[process].cores < CORES {
            let own = &mut self.processes[process];
            let next = own.looks.pop_front().or_else(|| own.pop(&self.campaign, |_, shot| shot.price.is_none()));
            let Some(shot) = next else { break };
            if self.processes[process].cancelled { self.settle(process, shot, Outcome::Stopped) } else { self.start(process, shot, Post::Core) }
        }
        if self.processes[process].gate != Gate::Open {
            while let Some(shot) = self.processes[process].pop(&self.campaign, |_, shot| shot.price.is_some()) {
                self.settle(process, shot, Outcome::Stopped);
            }
            return;
        }
        while self.processes[process].places < self.campaign.concurrency {
            let fitting = self.processes[process].pop(&self.campaign, |process, shot| shot.price.is_some() && process.fits(shot));
            if let Some(shot) = fitting {
                self.start(process, shot, Post::Place);
                continue;
            }
            if self.processes[process].places + self.processes[process].paid_before > 0 {
                break;
            }
            let Some(shot) = self.processes[process].pop(&self.campaign, |_, shot| shot.price.is_some()) else { break };
            self.settle(process, shot, Outcome::OverCap);
        }
    }

    fn finish(&mut self, process: usize) -> Result<(), Broken> {
        self.note(|world| {
            let outcomes = &world.processes[process].outcomes;
            let pictures = outcomes.iter().filter(|outcome| matches!(outcome, Some(Outcome::Picture(_)))).count();
            format!("process {process} ends with {pictures} of {} pictures", outcomes.len())
        });
        self.leave(process)
    }

    fn start(&mut self, process: usize, shot: usize, post: Post) {
        self.turns += 1;
        let turn = self.turns;
        let lacks = self.campaign.shots[shot].inputs.iter().any(|input| self.picture_of(process, *input).is_none());
        let active = &mut self.processes[process];
        let effort = std::mem::take(&mut active.efforts[shot]);
        active.begun[shot] = true;
        *active.count_of(post) += 1;
        active.active[shot] = Some(Active { post, state: JobState::Untried, effort, turn, waits: None, broken: false, lacks });
        self.at(self.now, What::Wake { process, shot, turn });
    }

    /// Raises a gate and wakes those who must know.
    pub fn raise(&mut self, process: usize, gate: Gate) {
        if self.processes[process].gate >= gate {
            return;
        }
        self.processes[process].gate = gate;
        for shot in 0..self.campaign.shots.len() {
            let waits = self.processes[process].active[shot].as_ref().and_then(|active| active.waits);
            if waits.is_some_and(|queue| woken_at(queue) <= gate) {
                let turn = self.next_turn(process, shot);
                self.at(self.now, What::Wake { process, shot, turn });
            }
        }
    }

    /// Begins another wait or exchange of a shot: what was to come for the last one comes for nobody.
    pub fn next_turn(&mut self, process: usize, shot: usize) -> u64 {
        self.turns += 1;
        if let Some(active) = &mut self.processes[process].active[shot] {
            active.turn = self.turns;
        }
        self.turns
    }

    /// The user wants out.
    pub fn signal(&mut self, process: usize, cancel: Cancel) -> Result<(), Broken> {
        if !self.processes.get(process).is_some_and(|process| process.alive) {
            return Ok(());
        }
        self.note(|_| format!("process {process} is told {cancel:?}"));
        if cancel == Cancel::Leave {
            return self.leave(process);
        }
        self.processes[process].cancelled = true;
        self.raise(process, Gate::Closed);
        self.look_after(process)
    }

    /// A shot comes back to the driver.
    pub fn part(&mut self, process: usize, shot: usize, parting: Parting) {
        let Some(active) = self.processes[process].active[shot].take() else { return };
        *self.processes[process].count_of(active.post) -= 1;
        let ending = match parting {
            Parting::Ended(_) | Parting::Broken if active.broken || matches!(parting, Parting::Broken) => {
                return self.raise(process, Gate::Halted);
            }
            Parting::Ended(ending) => ending,
            Parting::WantsPlace => {
                self.processes[process].efforts[shot] = active.effort;
                if self.processes[process].missing[shot] == 0 {
                    self.processes[process].push(shot);
                } else {
                    self.processes[process].begun[shot] = false;
                }
                return;
            }
            Parting::Halted | Parting::Broken => return,
        };
        if active.post != Post::Core && !matches!(ending, Ending::OverCap { .. }) {
            self.processes[process].refused.iter_mut().for_each(|refused| *refused = None);
        }
        match ending {
            Ending::Bought { artifact, .. } | Ending::Made(artifact) | Ending::There(artifact) => {
                self.settle(process, shot, Outcome::Picture(artifact.blob.digest));
            }
            Ending::Rejected { .. } => self.settle(process, shot, Outcome::Rejected),
            Ending::Failed { .. } => {
                self.settle(process, shot, Outcome::Failed);
                self.processes[process].failed += 1;
                let limit = self.campaign.stop_after_failures.filter(|_| !self.is_calm());
                if limit.is_some_and(|limit| self.processes[process].failed >= limit) {
                    self.raise(process, Gate::Closed);
                }
            }
            Ending::InDoubt(_) => self.settle(process, shot, Outcome::InDoubt),
            Ending::StillRunning => self.settle(process, shot, Outcome::StillRunning),
            Ending::Closed => self.settle(process, shot, Outcome::Stopped),
            Ending::OverCap { .. } => {
                let reserved = self.campaign.shots[shot].price.as_ref().map_or(Micros::ZERO, |price| price.reserved.micros);
                let own = &mut self.processes[process];
                own.efforts[shot] = active.effort;
                let refused = &mut own.refused[self.campaign.shots[shot].step];
                *refused = Some(refused.map_or(reserved, |refused| refused.min(reserved)));
                if own.places + own.paid_before > 0 {
                    own.push(shot);
                } else {
                    self.settle(process, shot, Outcome::OverCap);
                }
            }
        }
    }

    /// Decides a shot, and with it everything that rests on it.
    fn settle(&mut self, process: usize, shot: usize, outcome: Outcome) {
        let Self { processes, campaign, .. } = self;
        let own = &mut processes[process];
        let mut decided = VecDeque::from([(shot, outcome)]);
        while let Some((shot, outcome)) = decided.pop_front() {
            if own.outcomes[shot].is_some() {
                continue;
            }
            own.outcomes[shot] = Some(outcome);
            for dependent in &campaign.shots[shot].dependents {
                match outcome.inherited() {
                    None if own.outcomes[*dependent].is_none() && own.missing[*dependent] > 0 => {
                        own.missing[*dependent] -= 1;
                        if own.missing[*dependent] == 0 && !own.begun[*dependent] {
                            own.push(*dependent);
                        }
                    }
                    Some(consequence) if !own.begun[*dependent] => decided.push_back((*dependent, consequence)),
                    _ => {}
                }
            }
        }
    }
}

/// Returns the gate that ends a wait.
pub fn woken_at(queue: Queue) -> Gate {
    if matches!(queue, Queue::Submit | Queue::Retry | Queue::Reroll | Queue::Answer) { Gate::Closed } else { Gate::Halted }
}
