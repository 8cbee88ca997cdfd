//! The provider: takes requests, charges, refunds, and keeps books of its own that nobody else writes.

use std::collections::HashMap;
use std::time::Duration;

use callsheet::engine::OnDoubt;
use callsheet::ledger::{AttemptRow, AttemptStatus};
use callsheet::provider::manifest::{ChargedOn, Known};
use callsheet::types::{AttemptNo, Billed, Digest, Failure, FailureClass, JobKey, Micros, TaskId};

use super::campaign::{Campaign, Faults, Shot};
use super::dice::{Dice, mix};

/// Microseconds of virtual time.
pub type Time = u64;

/// One second of virtual time.
pub const SECOND: Time = 1_000_000;

/// What the provider holds about one idempotency key.
#[derive(Debug, Clone, Default)]
pub struct Book {
    /// What one try costs.
    price: i64,
    /// Requests that arrived.
    pub requests: u32,
    /// Requests that were taken as work.
    pub accepted: u32,
    /// What was taken and not given back.
    pub charged: i64,
    /// Its last task.
    task: Option<usize>,
    /// What it was told instead of a task, if it was taken notice of.
    told: Option<Failure>,
}

/// How a task ends.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    Picture,
    Failure(Failure),
}

#[derive(Debug, Clone)]
struct Task {
    of: (JobKey, AttemptNo),
    ends_at: Time,
    /// Ends only once the faults are over.
    forever: bool,
    end: End,
    settled: bool,
    /// The picture cannot be found before.
    found_from: Time,
    /// The picture is gone.
    expired: bool,
    /// Fetches that are still going to be cut off.
    cuts: u32,
}

/// What the provider answers to a submit.
#[derive(Debug, Clone)]
pub enum Reply {
    /// It does not work on it.
    Failure(Failure),
    /// It works on it.
    Task(TaskId),
    /// Here is the picture, at this moment.
    Picture(usize, Time),
}

/// What the provider answers to a question after a task, or for its picture.
#[derive(Debug, Clone)]
pub enum Told {
    /// Not yet.
    Running,
    /// Done; names no picture yet if there is none to name.
    Ready(Option<usize>),
    /// Ended without a picture.
    Failed(Failure),
}

/// The provider.
#[derive(Debug, Default)]
pub struct Provider {
    books: HashMap<(JobKey, AttemptNo), Book>,
    tasks: Vec<Task>,
    /// Moments of submits that it took notice of, for its own rate windows.
    pub arrivals: Vec<Time>,
    /// How often it was asked to do paid work.
    pub submits: u64,
    /// Whether it makes the same picture of one shot whenever it is asked.
    repeats: bool,
}

/// A failure that names no bill.
pub fn failure(class: FailureClass, code: &str) -> Failure {
    Failure { billed: Billed::Maybe, ..Failure::new(class, code, "simulated") }
}

impl Book {
    /// Returns what one try costs.
    pub fn price(&self) -> i64 {
        self.price
    }
}

impl Provider {
    /// Returns a provider that nobody has asked for anything; `repeats`: it makes the same picture of one shot whenever it is asked.
    pub fn new(repeats: bool) -> Self {
        Self { repeats, ..Self::default() }
    }

    /// Returns whether a try led to a picture that can be fetched.
    pub fn has_picture(&self, of: (JobKey, AttemptNo)) -> bool {
        let task = self.books.get(&of).and_then(|book| book.task).map(|task| &self.tasks[task]);
        task.is_some_and(|task| task.end == End::Picture && !task.expired)
    }

    /// Returns the book of a try.
    pub fn book(&self, key: JobKey, attempt: AttemptNo) -> Book {
        self.books.get(&(key, attempt)).cloned().unwrap_or_default()
    }

    /// Returns all books.
    pub fn books(&self) -> impl Iterator<Item = (&(JobKey, AttemptNo), &Book)> {
        self.books.iter()
    }

    /// Returns which try a task belongs to.
    pub fn owner(&self, task: usize) -> (JobKey, AttemptNo) {
        self.tasks[task].of
    }

    /// Returns the picture of a task.
    pub fn picture(&self, task: usize) -> Digest {
        self.shown(self.tasks[task].of, task)
    }

    /// Returns whether a picture was made for this try.
    pub fn made(&self, of: (JobKey, AttemptNo), digest: Digest) -> bool {
        self.tasks.iter().enumerate().any(|(task, made)| made.of == of && self.shown(of, task) == digest)
    }

    fn shown(&self, (key, attempt): (JobKey, AttemptNo), task: usize) -> Digest {
        let mut bytes = *key.0.as_bytes();
        let which = if self.repeats { 0 } else { u64::from(attempt.0) << 32 | task as u64 };
        bytes[8..16].copy_from_slice(&mix(which).to_le_bytes());
        Digest::from_bytes(bytes)
    }

    /// Returns the task of a name.
    pub fn find(&self, name: &TaskId) -> Option<usize> {
        name.as_str().strip_prefix('t').and_then(|number| number.parse().ok()).filter(|number| *number < self.tasks.len())
    }

    /// Takes a submit.
    pub fn submit(&mut self, campaign: &Campaign, shot: &Shot, attempt: AttemptNo, faults: &Faults, now: Time, dice: &mut Dice) -> Reply {
        self.submits += 1;
        self.arrivals.push(now);
        let of = (shot.key, attempt);
        let book = self.books.entry(of).or_default();
        book.requests += 1;
        // Who honours the key says again what was said the first time.
        if campaign.terms.idempotent {
            if let Some(told) = &book.told {
                return Reply::Failure(told.clone());
            }
            if let Some(task) = book.task {
                return self.reply(campaign, task, now);
            }
        }
        if dice.strikes(faults.throttle) {
            return Reply::Failure(Failure { retry_after: retry_after(dice), ..failure(FailureClass::Throttled, "429") });
        }
        if dice.strikes(faults.account) {
            return Reply::Failure(failure(FailureClass::Account, "402"));
        }
        book.price = shot.taken.get();
        if shot.refused {
            let kept = if campaign.keeps_refused && campaign.terms.charge.on == ChargedOn::Submit { book.price } else { 0 };
            (book.accepted, book.charged) = (book.accepted + 1, book.charged + kept);
            let told = billed(campaign, failure(FailureClass::Refused, "moderation"), kept);
            book.told = Some(told.clone());
            return Reply::Failure(told);
        }
        book.accepted += 1;
        if dice.strikes(faults.fail_at_once) {
            let kept = if campaign.terms.charge.on == ChargedOn::Submit && !campaign.refunds { book.price } else { 0 };
            book.charged += kept;
            let told = billed(campaign, failure(FailureClass::Failed, "501"), kept);
            book.told = Some(told.clone());
            return Reply::Failure(told);
        }
        if campaign.terms.charge.on == ChargedOn::Submit {
            book.charged += book.price;
        }
        let task = self.tasks.len();
        book.task = Some(task);
        let takes = if campaign.synchronous { dice.within(2..25) } else { dice.within(1..150) };
        let end = if !campaign.synchronous && dice.strikes(faults.fail_task) {
            End::Failure(failure(dice.pick(&[FailureClass::Failed, FailureClass::Failed, FailureClass::Refused]), "failed"))
        } else {
            End::Picture
        };
        let ends_at = now + takes * SECOND;
        let late = if dice.strikes(faults.late_picture) { dice.within(1..8) * SECOND } else { 0 };
        self.tasks.push(Task {
            of,
            ends_at,
            forever: !campaign.synchronous && dice.strikes(faults.forever),
            end,
            settled: false,
            found_from: ends_at + late,
            expired: dice.strikes(faults.expire),
            cuts: if dice.strikes(faults.truncate) { dice.within(1..4) as u32 } else { 0 },
        });
        self.reply(campaign, task, now)
    }

    fn reply(&self, campaign: &Campaign, task: usize, now: Time) -> Reply {
        if campaign.synchronous { Reply::Picture(task, self.tasks[task].ends_at.max(now)) } else { Reply::Task(TaskId::new(format!("t{task}"))) }
    }

    /// Returns when a task ends, if it ever does.
    pub fn ends_at(&self, task: usize) -> Option<Time> {
        (!self.tasks[task].forever).then_some(self.tasks[task].ends_at)
    }

    /// Lets every task that did not end come to its end: the faults are over.
    pub fn mend(&mut self, now: Time) -> Vec<(usize, Time)> {
        let stuck = self.tasks.iter_mut().enumerate().filter(|(_, task)| task.forever);
        let mended = stuck.map(|(number, task)| {
            (task.forever, task.ends_at) = (false, task.ends_at.max(now));
            (number, task.ends_at)
        });
        mended.collect()
    }

    /// Moves the money of a task that has just ended.
    pub fn settle(&mut self, campaign: &Campaign, task: usize) {
        let task = &mut self.tasks[task];
        if std::mem::replace(&mut task.settled, true) {
            return;
        }
        let Some(book) = self.books.get_mut(&task.of) else { return };
        match (&task.end, campaign.terms.charge.on) {
            (End::Picture, ChargedOn::Success) => book.charged += book.price,
            (End::Picture, ChargedOn::Submit) | (End::Failure(_), ChargedOn::Success) => {}
            (End::Failure(failure), ChargedOn::Submit) => {
                let keeps = if failure.class == FailureClass::Refused { campaign.keeps_refused } else { !campaign.refunds };
                if !keeps {
                    book.charged -= book.price;
                }
            }
        }
    }

    /// Answers a question after a task.
    pub fn poll(&self, campaign: &Campaign, task: usize, now: Time) -> Told {
        let about = &self.tasks[task];
        if about.forever || now < about.ends_at {
            return Told::Running;
        }
        match &about.end {
            End::Picture => Told::Ready((now >= about.found_from || about.found_from.is_multiple_of(2)).then_some(task)),
            End::Failure(failure) => Told::Failed(billed(campaign, failure.clone(), self.books.get(&about.of).map_or(0, |book| book.charged))),
        }
    }

    /// Hands out a picture: whole, cut off, or not at all.
    pub fn fetch(&mut self, task: usize, now: Time) -> Result<Digest, Failure> {
        let about = &mut self.tasks[task];
        if about.expired {
            return Err(failure(FailureClass::BadResult, "404"));
        }
        if now < about.found_from {
            return Err(failure(FailureClass::Transient, "404-yet"));
        }
        if about.cuts > 0 {
            about.cuts -= 1;
            return Err(failure(FailureClass::BadResult, "not-whole"));
        }
        Ok(self.picture(task))
    }

    /// Returns what the provider says it took for a try, if it says so.
    pub fn figure(&self, campaign: &Campaign, task: usize) -> Option<Micros> {
        let of = self.tasks[task].of;
        campaign.tells_figures.then(|| Micros::new(self.books.get(&of).map_or(0, |book| book.price)))
    }

    /// Compares one try of our ledger with the book about it.
    ///
    /// # Errors
    /// What does not agree.
    pub fn compare(&self, campaign: &Campaign, row: &AttemptRow) -> Result<(), String> {
        let book = self.book(row.key, row.attempt);
        let says = |what: &str| Err(format!("{} attempt {}: {what}; ledger {row:?}, provider {book:?}", row.card.job, row.attempt));
        let charged = row.charged.map(Micros::get);
        let class = row.error_code.as_deref().unwrap_or_default();
        match row.status {
            AttemptStatus::Done if charged != Some(book.charged) => says("the picture was paid otherwise than the ledger says"),
            AttemptStatus::Failed => {
                let policy = &campaign.terms.charge;
                // What the provider does not say about its refunds, nobody can know.
                let unsaid = if class.starts_with("refused/") { policy.moderation_charged } else { policy.refund_on_failure } == Known::Unknown;
                let counted = charged.unwrap_or(0);
                // Doubt that was counted as spent may in truth have cost less; everything else is exact.
                let explained = counted == book.charged
                    || campaign.rules.on_doubt == OnDoubt::Resend && row.refunded == Micros::ZERO && book.charged <= counted
                    || unsaid && (class.starts_with("refused/") || class.starts_with("failed/"));
                if explained { Ok(()) } else { says("a failed try cost otherwise than the ledger says") }
            }
            _ => Ok(()),
        }
    }
}

fn billed(campaign: &Campaign, failure: Failure, charged: i64) -> Failure {
    let billed = match (campaign.tells_figures, charged) {
        (false, _) => Billed::Maybe,
        (true, 0) => Billed::No,
        (true, figure) => Billed::Yes(Micros::new(figure)),
    };
    Failure { billed, ..failure }
}

/// How long to wait, as real providers say it: sensibly, not at all, or absurdly.
fn retry_after(dice: &mut Dice) -> Option<Duration> {
    dice.pick(&[None, Some(0), Some(1), Some(5), Some(30), Some(30), Some(1_000_000_000)]).map(Duration::from_secs)
}
