//! The world of one history: virtual time, the network, the ledger, the store, and the order in which things happen.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use callsheet::engine::Cancel;
use callsheet::engine::machine::JobEvent;
use callsheet::ledger::{Entry, Ledger, MemoryLedger};
use callsheet::plan::Kept;
use callsheet::types::{Amount, AttemptNo, Clock, Digest, Failure, JobKey, Micros, RunId, Timestamp};

use super::campaign::{Campaign, Faults};
use super::checks;
use super::dice::Dice;
use super::process::{Outcome, Process};
use super::provider::{Provider, SECOND, Time};
use super::{Broken, Figures, Mutation};

/// When every history begins.
const BEGINNING: i64 = 1_795_340_700_000;

/// Runs without faults in which everything must have come to an end.
const CALM_RUNS: u32 = 6;

/// A run that takes longer has no end: a day, three for one that had to put up with faults.
const LONGEST_RUN: Time = 24 * 3600 * SECOND;

/// More events of one run than this for each shot are a busy loop.
const MOST_EVENTS: u64 = 20_000;

/// The machine's clock, which may jump.
#[derive(Debug)]
pub struct Wall(AtomicI64);

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// A paid request on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who sent it.
    pub process: usize,
    /// For which shot.
    pub shot: usize,
    /// Under which identity.
    pub key: JobKey,
    /// Which try.
    pub attempt: AttemptNo,
    /// Which exchange of the shot.
    pub turn: u64,
    /// When the sender gives up.
    pub ends: Time,
}

/// What comes back to a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comes {
    /// Something that the machine is told as it is.
    Event(JobEvent),
    /// A whole picture, which is to be stored first.
    Picture {
        /// Which.
        digest: Digest,
        /// The provider's figure.
        charged: Option<Micros>,
        /// Whether it came as the answer to the submit.
        at_once: bool,
    },
    /// A picture that was made here.
    Made,
    /// A picture was looked at.
    Seen {
        /// Which.
        kept: Kept,
        /// What it cost, if it was bought just now.
        charged: Option<Amount>,
    },
}

/// What happens at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A wait is over.
    Wake { process: usize, shot: usize, turn: u64 },
    /// A request reaches the provider.
    Arrive(Request),
    /// An exchange is over for the process that began it.
    Answer { process: usize, shot: usize, turn: u64, comes: Comes },
    /// An answer comes a second time.
    Echo { process: usize, shot: usize, key: JobKey, attempt: AttemptNo, event: JobEvent },
    /// A task ends at the provider.
    TaskEnds(usize),
    /// The user wants out.
    Signal { process: usize, cancel: Cancel },
    /// The next run begins.
    NextRun,
}

#[derive(Debug, PartialEq, Eq)]
struct Due {
    at: Time,
    order: u64,
    what: What,
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// One history.
pub struct World {
    /// What the seed made up.
    pub campaign: Campaign,
    /// What goes wrong at present.
    pub faults: Faults,
    /// Every further decision.
    pub dice: Dice,
    /// The machine's clock.
    pub clock: Arc<Wall>,
    /// What the clock shows beyond virtual time, in milliseconds.
    pub skew: i64,
    /// The real ledger.
    pub ledger: MemoryLedger,
    /// Pictures that are whole and in place.
    pub store: HashSet<Digest>,
    /// The provider.
    pub provider: Provider,
    /// Processes of the present run.
    pub processes: Vec<Process>,
    /// The present outage: from, to.
    pub outage: (Time, Time),
    /// Virtual time.
    pub now: Time,
    /// Numbers exchanges and waits.
    pub turns: u64,
    /// What was broken in the engine on purpose.
    pub mutation: Option<Mutation>,
    /// What it came to.
    pub figures: Figures,
    /// The event log, if one is wanted.
    pub log: Option<Vec<String>>,
    /// Where the provider's arrivals begin that the present clock knows about.
    pub arrivals_from: usize,
    /// How often each try was sent.
    pub sent: HashMap<(JobKey, AttemptNo), u32>,
    /// How often the picture that a shot stood on was deleted.
    pub lost: HashMap<JobKey, u32>,
    /// How often each picture was deleted.
    pub deleted: HashMap<Digest, usize>,
    /// The largest number of rerolls that each shot was ever allowed.
    pub most_rerolls: HashMap<JobKey, u32>,
    /// The process that dies at the write under way.
    pub dying: Option<usize>,
    queue: BinaryHeap<Reverse<Due>>,
    order: u64,
    runs: u32,
    calm: u32,
    run_began: Time,
    run_events: u64,
    next_is_due: bool,
}

impl World {
    /// Makes up the world of a seed.
    pub fn new(seed: u64, mutation: Option<Mutation>, log: bool) -> Self {
        let mut dice = Dice::new(seed);
        let campaign = Campaign::of(&mut dice);
        let clock = Arc::new(Wall(AtomicI64::new(BEGINNING)));
        Self {
            ledger: MemoryLedger::new(Arc::clone(&clock) as Arc<dyn Clock>),
            clock,
            faults: Faults::default(),
            skew: BEGINNING,
            store: HashSet::new(),
            provider: Provider::new(campaign.repeats),
            processes: Vec::new(),
            outage: (0, 0),
            now: 0,
            turns: 0,
            mutation,
            figures: Figures { shots: campaign.shots.len() as u64, ..Figures::default() },
            log: log.then(Vec::new),
            arrivals_from: 0,
            sent: HashMap::new(),
            lost: HashMap::new(),
            deleted: HashMap::new(),
            most_rerolls: HashMap::new(),
            dying: None,
            queue: BinaryHeap::new(),
            order: 0,
            runs: 0,
            calm: 0,
            run_began: 0,
            run_events: 0,
            next_is_due: false,
            campaign,
            dice,
        }
    }

    /// Lets the history happen.
    ///
    /// # Errors
    /// The first rule that was broken.
    pub fn play(&mut self) -> Result<(), Broken> {
        self.note(|world| world.campaign.to_string());
        self.note_rerolls();
        self.at(0, What::NextRun);
        while let Some(Reverse(due)) = self.queue.pop() {
            if due.at > self.now {
                self.now = due.at;
                self.set_clock();
                self.processes.iter_mut().for_each(|process| process.at_once = 0);
            }
            self.figures.events += 1;
            self.run_events += 1;
            self.happen(due.what)?;
            if let Some(dead) = self.dying.take() {
                self.die(dead)?;
            }
            let somebody = self.processes.iter().position(|process| process.alive);
            if let Some(process) = somebody
                && self.faults.crash > 0
                && self.dice.roll() % 100_000 < u64::from(self.faults.crash)
            {
                self.die(process)?;
            }
            self.bounded()?;
        }
        self.figures.seconds = self.now / SECOND;
        checks::end(self)
    }

    fn happen(&mut self, what: What) -> Result<(), Broken> {
        match what {
            What::NextRun => self.next_run(),
            What::TaskEnds(task) => {
                self.note(|world| format!("task t{task} of {} ends", world.name(world.provider.owner(task).0)));
                self.provider.settle(&self.campaign, task);
                checks::book(self, self.provider.owner(task))
            }
            What::Arrive(request) => self.arrive(request),
            What::Signal { process, cancel } => self.signal(process, cancel),
            What::Echo { process, shot, key, attempt, event } => self.echo(process, shot, key, attempt, event),
            What::Wake { process, shot, turn } => {
                if self.is_present(process, shot, turn) {
                    self.wake(process, shot)?;
                    self.look_after(process)?;
                }
                Ok(())
            }
            What::Answer { process, shot, turn, comes } => {
                if self.is_present(process, shot, turn) {
                    self.answer(process, shot, comes)?;
                    self.look_after(process)?;
                }
                Ok(())
            }
        }
    }

    /// Returns whether somebody still waits for this.
    fn is_present(&mut self, process: usize, shot: usize, turn: u64) -> bool {
        let Some(process) = self.processes.get_mut(process).filter(|process| process.alive) else { return false };
        process.at_once += 1;
        process.active[shot].as_ref().is_some_and(|active| active.turn == turn)
    }

    fn bounded(&self) -> Result<(), Broken> {
        let most = MOST_EVENTS * self.campaign.shots.len() as u64;
        if self.run_events > most {
            return Err(Broken(format!("busy loop: more than {most} events in one run")));
        }
        let at_once = self.processes.iter().map(|process| process.at_once).max().unwrap_or(0);
        if at_once > 200 + 20 * self.campaign.shots.len() as u32 {
            return Err(Broken(format!("busy loop: {at_once} events of one process without time going on")));
        }
        if self.now - self.run_began > LONGEST_RUN * if self.calm > 0 { 1 } else { 3 } {
            return Err(Broken("no termination: a run takes more than a day".to_owned()));
        }
        Ok(())
    }

    // --- time -----------------------------------------------------------------------------------------------------------------------

    /// Lets something happen at a moment.
    pub fn at(&mut self, at: Time, what: What) {
        self.order += 1;
        self.queue.push(Reverse(Due { at, order: self.order, what }));
    }

    fn set_clock(&self) {
        self.clock.0.store(self.skew + (self.now / 1000) as i64, Ordering::Relaxed);
    }

    /// Writes a line of the event log, if one is wanted.
    pub fn note(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.log.is_some() {
            let line = format!("[{:>12.6} s] {}", self.now as f64 / 1e6, line(self));
            if let Some(log) = &mut self.log {
                log.push(line);
            }
        }
    }

    /// Returns the address of a key, for the log.
    pub fn name(&self, key: JobKey) -> String {
        self.campaign.shots.iter().find(|shot| shot.key == key).map_or_else(|| "a former shot".to_owned(), |shot| shot.id.to_string())
    }

    // --- runs -----------------------------------------------------------------------------------------------------------------------

    fn next_run(&mut self) -> Result<(), Broken> {
        self.next_is_due = false;
        self.runs += 1;
        if self.runs > 1 {
            self.between_runs();
        }
        let disturbed = self.runs <= self.campaign.disturbed_runs;
        self.faults = if disturbed { self.campaign.faults } else { Faults::default() };
        if !disturbed {
            self.calm += 1;
            for (task, ends) in self.provider.mend(self.now) {
                self.at(ends, What::TaskEnds(task));
            }
        }
        (self.run_began, self.run_events) = (self.now, 0);
        self.outage = (0, 0);
        if self.dice.strikes(self.faults.outage) {
            let from = self.now + self.dice.pick(&[0, 0, 1, 10, 60]) * SECOND;
            self.outage = (from, from + self.dice.pick(&[10, 60, 300, 600, 600]) * SECOND + self.dice.within(0..2));
        }
        self.processes.clear();
        let count = if self.campaign.doubled && disturbed { 2 } else { 1 };
        for process in 0..count {
            let run = RunId::new(format!("run-{}-{process}", self.runs));
            self.processes.push(Process::new(&self.campaign, run));
        }
        self.figures.runs += 1;
        self.note(|world| format!("run {} begins, {} outage {:?}", world.runs, if disturbed { "disturbed," } else { "calm," }, world.outage));
        if self.dice.strikes(self.faults.signal) {
            let (process, at) = (self.dice.within(0..count as u64) as usize, self.now + self.dice.within(0..200) * SECOND);
            self.at(at, What::Signal { process, cancel: Cancel::Finish });
            if self.dice.strikes(500) {
                let later = at + self.dice.within(1..20) * SECOND;
                self.at(later, What::Signal { process, cancel: Cancel::Leave });
            }
        }
        for process in 0..count {
            self.open_up(process)?;
            self.look_after(process)?;
        }
        Ok(())
    }

    fn between_runs(&mut self) {
        if self.dice.strikes(self.faults.clock) {
            let hour = 3_600_000;
            let jump = self.dice.pick(&[-hour, hour, -10 * 8766 * hour, 10 * 8766 * hour, 0]);
            self.skew += jump;
            self.set_clock();
            self.arrivals_from = self.provider.arrivals.len();
            self.note(|_| format!("the clock jumps by {jump} ms"));
        }
        for shot in 0..self.campaign.shots.len() {
            if self.dice.strikes(self.faults.change_shot / 4) {
                self.note(|world| format!("the author changes {}", world.campaign.shots[shot].id));
                let Self { campaign, dice, .. } = self;
                campaign.change(shot, dice);
            }
            let held = checks::artifact(self, shot);
            if let Some(held) = held
                && self.dice.strikes(self.faults.lose_picture)
            {
                self.note(|world| format!("the picture of {} is deleted", world.campaign.shots[shot].id));
                self.store.remove(&held);
                *self.deleted.entry(held).or_default() += 1;
                *self.lost.entry(self.campaign.shots[shot].key).or_default() += 1;
            }
        }
        self.between_looks();
    }

    /// Ends a process as a power switch would: everything that is not in ledger, store or on the wire is gone.
    fn die(&mut self, process: usize) -> Result<(), Broken> {
        if !self.processes[process].alive {
            return Ok(());
        }
        self.note(|_| format!("process {process} dies"));
        self.figures.crashes += 1;
        self.leave(process)?;
        // Who comes next reads what was written down.
        let entries: Vec<Entry> = self.ledger.entries();
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let found = MemoryLedger::holding(clock, entries).map_err(|error| Broken(format!("the ledger of a dead process cannot be read: {error}")))?;
        if found.folded() != self.ledger.folded() {
            return Err(Broken("the records add up to something else than the live ledger".to_owned()));
        }
        self.ledger = found;
        Ok(())
    }

    /// Ends a process.
    pub fn leave(&mut self, process: usize) -> Result<(), Broken> {
        self.processes[process].alive = false;
        self.processes[process].active.iter_mut().for_each(|active| *active = None);
        checks::outage(self, process)?;
        if self.next_is_due || self.processes.iter().any(|process| process.alive) {
            return Ok(());
        }
        checks::run(self)?;
        let over = self.calm > 0 && checks::undone(self).is_none();
        if over || self.calm >= CALM_RUNS {
            return Ok(());
        }
        self.next_is_due = true;
        let pause = if self.is_calm() { 1000 } else { self.dice.pick(&[2, 2, 30, 1000]) } * SECOND;
        self.at(self.now + pause, What::NextRun);
        Ok(())
    }

    /// Returns a span as virtual time, rounded up.
    pub fn span(span: Duration) -> Time {
        u64::try_from(span.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX)
    }

    /// Returns the moment on the machine's clock.
    pub fn wall(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns whether the faults are over.
    pub fn is_calm(&self) -> bool {
        self.calm > 0
    }

    /// Returns whether the provider is out of order.
    pub fn is_out(&self) -> bool {
        self.outage.0 <= self.now && self.now < self.outage.1
    }

    /// Returns how long one way through the network takes.
    pub fn latency(&mut self) -> Time {
        self.dice.within(2_000..150_000)
    }

    /// Returns what the ledger says about a shot.
    ///
    /// # Errors
    /// Never in this ledger; the port allows it.
    pub fn load(&self, key: JobKey) -> Result<callsheet::ledger::JobState, Broken> {
        self.ledger.load(key).map_err(|error| Broken(error.to_string()))
    }

    /// Returns the picture that a process holds for a shot.
    pub fn picture_of(&self, process: usize, shot: usize) -> Option<Digest> {
        match self.processes[process].outcomes[shot] {
            Some(Outcome::Picture(digest)) => Some(digest),
            _ => None,
        }
    }

    /// Says what an exchange of ours that took too long is told.
    pub fn timed_out(class: callsheet::types::FailureClass) -> Failure {
        super::provider::failure(class, "timeout")
    }
}
