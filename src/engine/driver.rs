//! Plays the scheduler: starts what can start, sleeps what must wait, tells what has happened.
//!
//! ```text
//! ready lanes ─start─▶ work_on(job): advance ─ Again ─ sleep ─ advance ─ … ─ Finished
//!      ▲                                                            │
//!      └── counters of missing inputs ◀── settle: outcome, event, dependents, twins
//! ```
//!
//! In: a [`RunRequest`]. Out: a [`RunOutcome`] and events, all told from this one task.
//! Never: a level barrier (a job starts when its own inputs are there), a scan over the plan, a lock held while waiting.

mod settling;
mod stopping;
mod telling;
mod work;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::backoff::RetryBudget;
use super::desk::{Desk, Gate, News};
use super::judging::Accepted;
use super::keys::SentKeys;
use super::lanes::Lanes;
use super::machine::{Effort, Ending};
use super::money::Money;
use super::outcome::{JobOutcome, RunOutcome, StopReason, Undone};
use super::ready::{Order, Ready};
use super::spending::{self, Spending};
use super::steady::SteadyClock;
use super::{Cancel, EngineError, Ports, RunRequest};
use crate::event::{Event, EventKind, RunStats};
use crate::imaging::Limits;
use crate::ledger::{Artifact, ScopeTotals};
use crate::plan::{JobIx, Plan, Work};
use crate::types::{Amount, Clock as _, JobId, JobKey, Micros, Operation, Timestamp};
use settling::pair_twins;
use work::{Left, Parting, Post, work_on};

/// Addresses are remembered in batches of this many.
const REMEMBERED_AT_ONCE: usize = 512;

/// Runs what `request` asks for, until all of it is decided, or the user leaves.
///
/// `cancel` may rise at any time: [`Cancel::Finish`] stops new submits and finishes what is paid; [`Cancel::Leave`] returns at once.
/// Dropping the future is the same as [`Cancel::Leave`] without an outcome: the ledger is whole at every moment.
///
/// # Errors
/// [`EngineError`] only for what is broken on our side. Exchanges under way are finished before it is returned, where that is possible.
pub async fn run(
    request: RunRequest,
    ports: Ports,
    mut cancel: watch::Receiver<Cancel>,
    events: &mut (dyn FnMut(&Event) + Send),
) -> Result<RunOutcome, EngineError> {
    refuse_unpriced(&request)?;
    let (sender, mut news) = mpsc::unbounded_channel();
    let mut driver = Driver::new(request, ports, sender, events)?;
    driver.tell(EventKind::RunStarted { run: driver.desk.request.run.clone(), campaign: Arc::clone(&driver.plan.campaign) });
    driver.remember_reused().await?;
    driver.open_up();

    let mut broken = None;
    let mut asked = Cancel::No;
    let mut cancel_told = true;
    loop {
        if broken.is_none()
            && let Err(error) = driver.start_what_can()
        {
            driver.desk.raise(Gate::Halted);
            broken = Some(error);
        }
        if driver.active.is_empty() {
            break;
        }
        tokio::select! {
            biased;
            // A sender that is gone asks for nothing any more.
            changed = cancel.wait_for(|now| *now > asked), if cancel_told => match changed.map(|now| *now) {
                Ok(Cancel::Leave) => break,
                Ok(now) => {
                    asked = now;
                    driver.cancel();
                }
                Err(_) => cancel_told = false,
            },
            Some((ix, what)) = news.recv() => driver.pass_on(ix, what),
            Some(left) = driver.active.join_next() => {
                let mut taken = match left {
                    Ok(left) => driver.take_back(left),
                    Err(error) => Err(EngineError::Panicked(error.to_string())),
                };
                if taken.is_ok() && broken.is_none() && driver.to_remember.len() >= REMEMBERED_AT_ONCE {
                    taken = driver.remember().await;
                }
                if let Err(error) = taken {
                    driver.desk.raise(Gate::Halted);
                    broken.get_or_insert(error);
                }
            }
        }
    }
    while let Ok((ix, what)) = news.try_recv() {
        driver.pass_on(ix, what);
    }
    match broken {
        Some(error) => Err(error),
        None => driver.finish().await,
    }
}

fn refuse_unpriced(request: &RunRequest) -> Result<(), EngineError> {
    let unpriced = |(ix, work): &(JobIx, Work)| {
        let paid = matches!(request.plan.job(*ix).operation, Operation::Paid(_));
        let has_price = request.prices.get(ix.index()).is_some_and(Option::is_some);
        paid && !has_price && !matches!(work, Work::Excluded | Work::Reused | Work::Waiting)
    };
    match request.work.iter().find(unpriced) {
        Some((ix, _)) => Err(EngineError::Unpriced { job: request.plan.id(ix) }),
        None => Ok(()),
    }
}

struct Driver<'a> {
    desk: Arc<Desk>,
    plan: Arc<Plan>,
    events: &'a mut (dyn FnMut(&Event) + Send),
    started_at: Timestamp,
    outcomes: Vec<Option<JobOutcome>>,
    /// How many pictures each job still waits for.
    missing: Vec<u32>,
    /// Jobs that were handed to a task at least once.
    begun: Vec<bool>,
    /// Jobs whose start was told.
    told: Vec<bool>,
    /// Jobs that share the picture of another, which comes first.
    followers: BTreeMap<JobIx, Vec<JobIx>>,
    follows: BTreeMap<JobIx, JobIx>,
    ready: Ready,
    /// Jobs with a picture that is to be looked at: work for a core, not for a place.
    looks: VecDeque<JobIx>,
    spending: Spending,
    active: JoinSet<Left>,
    places: usize,
    /// How many of them each provider has.
    lane_places: Vec<usize>,
    paid_before: usize,
    cores: usize,
    most_cores: usize,
    efforts: HashMap<JobIx, Effort>,
    stats: RunStats,
    to_remember: Vec<(JobId, JobKey)>,
    addresses: HashMap<JobId, JobKey>,
    cap_told: bool,
    stop_told: bool,
    /// Which of several providers' refusals were told.
    refusals_told: Vec<bool>,
    /// Until when the last slowing down that was told lasts.
    slow_until: Option<Timestamp>,
    cancelled: bool,
}

impl<'a> Driver<'a> {
    fn new(
        request: RunRequest,
        ports: Ports,
        news: mpsc::UnboundedSender<(JobIx, News)>,
        events: &'a mut (dyn FnMut(&Event) + Send),
    ) -> Result<Self, EngineError> {
        let plan = Arc::clone(&request.plan);
        let count = plan.jobs.len();
        let reused: Vec<JobIx> = request.work.iter().filter(|(_, work)| *work == Work::Reused).map(|(ix, _)| ix).collect();
        let keys: Vec<JobKey> = reused.iter().map(|ix| plan.job(*ix).key).collect();
        let history = ports.ledger.history(&plan.campaign, &keys)?;
        let common = request.further.counted_in.as_ref().map(|(currency, _)| currency.clone());
        let currency = common.or_else(|| request.prices.iter().flatten().next().map(|price| price.quoted.currency.clone()));
        let totals = match request.caps.first() {
            Some(cap) => ports.ledger.totals(&cap.scope)?,
            None => Vec::new(),
        };
        // What the same campaign has spent in another currency stands under its caps, but in no sum of this run, unless it is weighed.
        let weighs = request.further.counted_in.is_some();
        let totals: Vec<ScopeTotals> = totals.into_iter().filter(|totals| weighs || Some(&totals.currency) == currency.as_ref()).collect();
        let before = |part: fn(&ScopeTotals) -> Micros| {
            let weighed = |totals: &ScopeTotals| request.further.weighed(&Amount::new(totals.currency.clone(), part(totals))).get();
            Micros::new(totals.iter().map(weighed).fold(0, i64::saturating_add))
        };

        let mut outcomes: Vec<Option<JobOutcome>> = vec![None; count];
        for (ix, work) in request.work.iter() {
            match work {
                Work::Excluded => outcomes[ix.index()] = Some(JobOutcome::Excluded),
                Work::Waiting => outcomes[ix.index()] = Some(JobOutcome::Undone(Undone::Pick)),
                _ => {}
            }
        }
        for ix in reused {
            if let Some(artifact) = history.artifact(&plan.job(ix).key) {
                outcomes[ix.index()] = Some(JobOutcome::Reused { artifact: *artifact });
            }
        }
        let is_unpriced = |ix: JobIx| request.prices.get(ix.index()).and_then(Option::as_ref).is_some_and(|price| price.unpriced);
        let stats = RunStats {
            unpriced: request.work.iter().filter(|(ix, work)| work.is_outstanding() && is_unpriced(*ix)).count(),
            total: request.work.count(|work| work != Work::Excluded),
            reused: outcomes.iter().flatten().filter(|outcome| matches!(outcome, JobOutcome::Reused { .. })).count(),
            undone: request.work.count(|work| work == Work::Waiting),
            spent_before: before(|totals| totals.spent),
            cap: request.caps.first().and_then(|cap| cap.limit.as_ref()).map(|limit| limit.micros),
            currency,
            ..RunStats::default()
        };
        let money = Money {
            spent: AtomicI64::new(0),
            reserved: AtomicI64::new(before(|totals| totals.reserved).get()),
            doubted: AtomicI64::new(before(|totals| totals.in_doubt).get()),
        };
        let (followers, follows) = pair_twins(&plan, &outcomes);
        let clock = SteadyClock::started(&*ports.clock);
        let started_at = clock.now();
        let budget = RetryBudget::new(u32::try_from(request.concurrency).unwrap_or(u32::MAX).max(1));
        let lanes = Lanes::new(&request);
        let lane_places = vec![0; lanes.count()];
        let sent_keys = SentKeys::read(&request, &*ports.ledger)?;
        let desk = Desk {
            request,
            ports,
            clock,
            lanes,
            latencies: Mutex::default(),
            limits: Limits::default(),
            gate: watch::Sender::new(Gate::Open),
            stopped: Mutex::new(None),
            is_short: AtomicBool::new(false),
            budget: Mutex::new(budget),
            money,
            sent_keys,
            accepted: Accepted::default(),
            news,
        };
        let order = if spending::is_ample(&desk)? { Order::FillPlaces } else { Order::WholeChains };
        Ok(Self {
            desk: Arc::new(desk),
            ready: Ready::new(&plan, order),
            looks: VecDeque::new(),
            spending: Spending::default(),
            plan,
            events,
            started_at,
            outcomes,
            missing: vec![0; count],
            begun: vec![false; count],
            told: vec![false; count],
            followers,
            follows,
            active: JoinSet::new(),
            places: 0,
            lane_places,
            paid_before: 0,
            cores: 0,
            // Asked once: the answer is read from the system's files.
            most_cores: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            efforts: HashMap::new(),
            stats,
            to_remember: Vec::new(),
            addresses: history.addresses,
            cap_told: false,
            stop_told: false,
            refusals_told: Vec::new(),
            slow_until: None,
            cancelled: false,
        })
    }

    // --- starting -----------------------------------------------------------------------------------------------------------------

    /// Counts missing inputs, starts what is paid for already, and queues what has all it needs.
    fn open_up(&mut self) {
        let plan = Arc::clone(&self.plan);
        for ix in plan.indices() {
            if self.outcomes[ix.index()].is_some() {
                continue;
            }
            let missing = plan.inputs(ix).iter().filter(|input| self.artifact(input.from).is_none()).count();
            self.missing[ix.index()] = u32::try_from(missing).unwrap_or(u32::MAX);
            if self.follows.contains_key(&ix) {
                continue;
            }
            match self.desk.request.work.work(ix) {
                Work::Resumed | Work::InDoubt => self.start(ix, Post::PaidBefore),
                Work::Look | Work::Rejected => {
                    // It needs none of its inputs to be looked at, so their coming must not start it a second time.
                    self.begun[ix.index()] = true;
                    self.looks.push_back(ix);
                }
                _ if missing == 0 => self.ready.push(&plan, ix),
                _ => {}
            }
        }
    }

    fn start_what_can(&mut self) -> Result<(), EngineError> {
        while self.cores < self.most_cores {
            let Some(ix) = self.looks.pop_front().or_else(|| self.ready.pop_local()) else { break };
            if self.cancelled { self.settle(ix, JobOutcome::Undone(Undone::Stopped)) } else { self.start(ix, Post::Core) }
        }
        let desk = Arc::clone(&self.desk);
        if desk.gate() != Gate::Open {
            while let Some(ix) = self.ready.pop_refused() {
                self.settle(ix, JobOutcome::Undone(Undone::Stopped));
            }
            return Ok(());
        }
        if self.spending.is_due() {
            self.choose()?;
        }
        while let Some(ix) = self.ready.pop_closed(|ix| desk.lane(ix).gate() != Gate::Open) {
            self.settle(ix, JobOutcome::Undone(Undone::Stopped));
        }
        while self.places < desk.request.concurrency && self.has_room() {
            let taken = &self.lane_places;
            let has_place = |ix| taken[desk.lanes.place(&desk.request, ix)] < desk.lane(ix).pace().places();
            if let Some(ix) = self.ready.pop_paid(desk.request.concurrency, |ix| desk.reserved(ix), has_place) {
                self.start(ix, Post::Place);
                continue;
            }
            // Nothing fits now, or none has a place where it is made. While tries are under way some of what they hold may be given back; after that it never fits.
            if self.places + self.paid_before > 0 {
                break;
            }
            if self.ready.has_put_off() {
                // What is made here just now may be what a chosen one waits for.
                if !self.active.is_empty() {
                    break;
                }
                if self.spending.has_moved() {
                    self.choose()?;
                } else {
                    // No further chain can be made whole: the rest goes as far as the money does.
                    self.ready.choose(None);
                }
                continue;
            }
            let Some(ix) = self.ready.pop_refused() else { break };
            self.settle(ix, JobOutcome::Undone(Undone::OverCap));
        }
        Ok(())
    }

    /// Returns whether any provider takes one more shot now.
    fn has_room(&self) -> bool {
        let lanes = &self.desk.lanes;
        (0..lanes.count()).any(|place| lanes.at(place).gate() == Gate::Open && self.lane_places[place] < lanes.at(place).pace().places())
    }

    /// Chooses anew what the money is spent on first.
    fn choose(&mut self) -> Result<(), EngineError> {
        self.spending.counted();
        let chosen = spending::chosen(&self.desk, &self.outcomes, &self.begun, &self.follows)?;
        self.desk.is_short.store(chosen.is_some(), Ordering::Relaxed);
        self.ready.choose(chosen);
        Ok(())
    }

    fn start(&mut self, ix: JobIx, post: Post) {
        let inputs = self.plan.inputs(ix).iter().filter_map(|input| self.artifact(input.from).map(|artifact| (input.role, artifact))).collect();
        let effort = self.efforts.remove(&ix).unwrap_or_default();
        self.begun[ix.index()] = true;
        *self.count_of(post) += 1;
        if post == Post::Place {
            self.lane_places[self.desk.lanes.place(&self.desk.request, ix)] += 1;
        }
        self.active.spawn(work_on(Arc::clone(&self.desk), ix, inputs, post, effort));
    }

    fn count_of(&mut self, post: Post) -> &mut usize {
        match post {
            Post::Place => &mut self.places,
            Post::PaidBefore => &mut self.paid_before,
            Post::Core => &mut self.cores,
        }
    }

    fn artifact(&self, ix: JobIx) -> Option<Artifact> {
        self.outcomes[ix.index()].as_ref().and_then(JobOutcome::artifact).copied()
    }

    // --- coming back --------------------------------------------------------------------------------------------------------------

    fn take_back(&mut self, left: Left) -> Result<(), EngineError> {
        let Left { ix, post, effort, parting } = left;
        *self.count_of(post) -= 1;
        if post == Post::Place {
            self.lane_places[self.desk.lanes.place(&self.desk.request, ix)] -= 1;
        }
        let ending = match parting? {
            Parting::Ended(ending) => ending,
            Parting::WantsPlace => {
                self.spending.surprise();
                self.efforts.insert(ix, effort);
                if self.missing[ix.index()] == 0 {
                    self.ready.push(&Arc::clone(&self.plan), ix);
                } else {
                    self.begun[ix.index()] = false;
                }
                return Ok(());
            }
            Parting::Halted => return Ok(()),
        };
        if post != Post::Core && !matches!(ending, Ending::OverCap { .. }) {
            self.ready.relax();
        }
        if post != Post::Core {
            let as_quoted = matches!(&ending, Ending::Bought { charged, .. } if self.desk.quoted(ix) == Some(self.desk.weighed(charged)));
            if as_quoted { self.spending.moved() } else { self.spending.surprise() }
        }
        match ending {
            Ending::Bought { artifact, attempt, charged } => self.settle(ix, JobOutcome::Bought { artifact, attempt, charged }),
            Ending::Made(artifact) => self.settle(ix, JobOutcome::Made { artifact }),
            Ending::There(artifact) => self.settle(ix, JobOutcome::Reused { artifact }),
            Ending::Failed { attempt, failure } => self.fail(ix, JobOutcome::Failed { attempt, failure }),
            Ending::Rejected { attempt } => self.settle(ix, JobOutcome::Rejected { attempt }),
            Ending::InDoubt(failure) => self.settle(ix, JobOutcome::InDoubt { failure }),
            Ending::StillRunning => self.settle(ix, JobOutcome::Undone(Undone::StillRunning)),
            Ending::Closed => self.settle(ix, JobOutcome::Undone(Undone::Stopped)),
            Ending::OverCap { scope, limit, committed } => {
                self.efforts.insert(ix, effort);
                self.ready.refuse(&Arc::clone(&self.plan), ix, self.desk.reserved(ix));
                if self.places + self.paid_before > 0 {
                    self.ready.push(&Arc::clone(&self.plan), ix);
                    return Ok(());
                }
                self.settle(ix, JobOutcome::Undone(Undone::OverCap));
                let (limit, committed) = (self.desk.in_sums(&scope, limit), self.desk.in_sums(&scope, committed));
                self.desk.note_stop(StopReason::OverCap { scope: scope.clone(), limit, committed });
                if !std::mem::replace(&mut self.cap_told, true) {
                    self.tell(EventKind::CapReached { scope: scope.0, limit, committed });
                }
            }
        }
        self.tell_stop();
        Ok(())
    }

    fn stopped(&self) -> Option<StopReason> {
        self.desk.stopped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn cancel(&mut self) {
        self.cancelled = true;
        self.desk.stop(StopReason::Cancelled);
        self.tell(EventKind::Cancelling);
    }

    // --- the end --------------------------------------------------------------------------------------------------------------------

    async fn finish(mut self) -> Result<RunOutcome, EngineError> {
        // Whoever left at once leaves jobs under way: their tasks stand in the ledger, a later run goes on with them.
        self.active.abort_all();
        let plan = Arc::clone(&self.plan);
        for ix in plan.indices() {
            if self.outcomes[ix.index()].is_none() {
                self.settle(ix, JobOutcome::Undone(Undone::Stopped));
            }
        }
        self.remember().await?;
        (self.places, self.paid_before, self.cores) = (0, 0, 0);
        self.tell(EventKind::RunFinished);
        let jobs: Vec<JobOutcome> = self.outcomes.into_iter().map(|outcome| outcome.unwrap_or(JobOutcome::Undone(Undone::Stopped))).collect();
        let left: Vec<JobIx> = plan.indices().filter(|ix| matches!(jobs[ix.index()], JobOutcome::Undone(_))).collect();
        let left = self.ready.ordered(&plan, &left);
        let stopped = self.desk.stopped.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(RunOutcome { jobs, stopped, left, stats: self.stats })
    }
}
