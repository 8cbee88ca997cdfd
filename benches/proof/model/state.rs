//! One state of the protocol: what is written, what is on the wire, what is remembered, what the provider holds.

use std::sync::Arc;
use std::time::Duration;

use callsheet::engine::machine::Effort;
use callsheet::engine::{JobPrice, OnDoubt, ProviderTerms, RunRules};
use callsheet::ledger::{AccountLimits, Cap, Entry, JobState, Ledger, MemoryLedger, Record, Scope};
use callsheet::provider::manifest::{ChargePolicy, ChargedOn, Known};
use callsheet::types::{Amount, AttemptNo, Clock, Currency, Digest, JobId, JobKey, ManualClock, Micros, Timestamp};

use super::{Bounds, Mutation, Variant};

/// The moment at which everything happens.
pub const NOW: Timestamp = Timestamp::from_millis(1_795_340_700_000);

/// What stays the same in all states.
pub struct Setting {
    /// What kind of provider and policy.
    pub variant: Variant,
    /// The mistake that is built in.
    pub mutation: Option<Mutation>,
    /// The provider's terms.
    pub terms: ProviderTerms,
    /// The run's rules.
    pub rules: RunRules,
    /// One try: 10 quoted and taken, 12 held.
    pub price: JobPrice,
    /// Room for all charges, but not for all reservations at once.
    pub cap: Cap,
    /// Addresses and identities.
    pub shots: Vec<(JobId, JobKey)>,
}

/// Where a shot stands in the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It may be begun, or its wait may end.
    Idle,
    /// Its request is on the way to the provider.
    Sent,
    /// The provider's answer is on the way back.
    Answered(Reply),
    /// It is asked after.
    Polling,
    /// Its picture is fetched.
    Fetching,
    /// Its reservation does not fit now.
    Parked,
    /// This run is done with it.
    Ended,
}

/// What the provider answers to a submit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// It works on it, or here is the picture.
    Taken,
    /// Too many requests.
    Throttled,
    /// It was taken and failed.
    Failed,
}

/// How a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// It was never taken.
    None,
    /// It is worked on.
    Working,
    /// The picture can be fetched.
    Ready,
    /// It failed and was given back.
    Failed,
    /// It was taken and failed in one answer.
    FailedAtOnce,
}

/// The provider's book about one try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Book {
    /// Requests that were taken as new work.
    pub taken: u8,
    /// How often its price was charged and not given back.
    pub charged: u8,
    /// Its task.
    pub task: Task,
    /// Whether the name of the task came to a process that lived on.
    pub told: bool,
}

/// One shot.
#[derive(Debug, Clone)]
pub struct Shot {
    /// Where it stands in the process.
    pub stage: Stage,
    /// What was tried for it.
    pub effort: Effort,
    /// The try of the exchange under way.
    pub attempt: u32,
    /// What the ledger says.
    pub ledger: JobState,
    /// The provider's books, by try.
    pub books: Vec<Book>,
    /// Tries whose request left a process that died since.
    pub adrift: Vec<u32>,
}

/// One state.
#[derive(Clone)]
pub struct State {
    /// What stays the same.
    pub setting: Arc<Setting>,
    /// What is written.
    pub entries: Vec<Entry>,
    /// Shots.
    pub shots: Vec<Shot>,
    /// Whether the process lives.
    pub alive: bool,
    /// Deaths, losses, failures and verdicts that may still happen.
    pub left: [u8; 4],
    /// What the ledger holds under the cap: spent, reserved and in doubt.
    pub committed: i64,
    /// What an executor's step found wrong.
    pub wrong: Option<String>,
}

impl State {
    /// Returns the state in which nothing has happened.
    pub fn first(bounds: Bounds, variant: Variant, mutation: Option<Mutation>) -> Self {
        let credits = |units| Amount::new(Currency::credits("model"), Micros::units(units));
        let on = if variant.charged_on_submit { ChargedOn::Submit } else { ChargedOn::Success };
        let terms = ProviderTerms {
            limits: AccountLimits { account: "model:KEY".to_owned(), windows: Vec::new(), places: None },
            charge: ChargePolicy { on, refund_on_failure: Known::Yes, moderation_charged: Known::No, ambiguous_on_timeout: true },
            poll: None,
            patience: Duration::from_secs(600),
            idempotent: variant.idempotent,
            keeps: None,
        };
        let shots: Vec<(JobId, JobKey)> = (0..bounds.shots)
            .map(|shot| {
                let id = format!("shot{shot}");
                (JobId::new(&id), JobKey(Digest::of(id.as_bytes())))
            })
            .collect();
        // Room for all charges, but not for all reservations at once: somebody has to wait.
        let limit = Some(Micros::units(11 * bounds.shots as i64));
        let new =
            Shot { stage: Stage::Idle, effort: Effort::default(), attempt: 0, ledger: JobState::Untried, books: Vec::new(), adrift: Vec::new() };
        Self {
            shots: vec![new; bounds.shots],
            setting: Arc::new(Setting {
                variant,
                mutation,
                terms,
                rules: RunRules { attempts: 2, on_doubt: variant.on_doubt, alone: true, fetches: 9, ..RunRules::default() },
                price: JobPrice { quoted: credits(10), reserved: credits(12), unpriced: false },
                cap: Cap::new(Scope("campaign:model".to_owned()), limit.map(|limit| Amount::new(credits(1).currency, limit))),
                shots,
            }),
            entries: Vec::new(),
            alive: true,
            left: [bounds.crashes, bounds.losses, bounds.failures, bounds.verdicts],
            committed: 0,
            wrong: None,
        }
    }

    /// Returns the shot whose picture a shot takes: of three, the second takes the first one's.
    pub fn input(&self, shot: usize) -> Option<usize> {
        (shot == 1 && self.shots.len() > 2).then_some(0)
    }

    /// Returns the ledger that holds what is written.
    pub fn ledger(&self) -> Result<MemoryLedger, String> {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW));
        MemoryLedger::holding(clock, self.entries.clone()).map_err(|error| format!("the ledger does not fold: {error}"))
    }

    /// Keeps what a ledger holds after a step.
    pub fn keep(&mut self, ledger: &MemoryLedger, shot: usize) -> Result<(), String> {
        let totals = ledger.totals(&self.setting.cap.scope).map_err(|error| error.to_string())?;
        self.committed = totals.iter().map(|totals| totals.committed().micros.get()).sum();
        self.shots[shot].ledger = ledger.load(self.setting.shots[shot].1).map_err(|error| error.to_string())?;
        self.entries = ledger.entries();
        Ok(())
    }

    /// Returns whether another reservation fits under the cap.
    pub fn fits(&self) -> bool {
        let limit = self.setting.cap.limit.as_ref().map_or(i64::MAX, |limit| limit.micros.get());
        self.committed + self.setting.price.reserved.micros.get() <= limit
    }

    /// Returns the last record about each try: its letter, and whether money stays charged.
    fn written(&self, shot: usize) -> Vec<(u8, bool)> {
        let key = self.setting.shots[shot].1;
        let mut tries = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.key == key) {
            let Some(AttemptNo(attempt)) = entry.record.attempt() else { continue };
            tries.resize((attempt as usize).max(tries.len()), (b'-', false));
            tries[attempt as usize - 1] = match &entry.record {
                Record::Intent { .. } => (b'i', false),
                Record::Accepted { .. } => (b'a', false),
                Record::InDoubt { .. } => (b'?', false),
                Record::Done { .. } => (b'd', true),
                Record::Failed { charged, .. } => (b'f', *charged > Micros::ZERO),
                Record::Settled { charged, .. } => (b's', *charged > Micros::ZERO),
                Record::Made { .. } | Record::Judged { .. } => (b'm', false),
            };
        }
        tries
    }

    /// Returns the state as bytes: two that behave alike have the same.
    pub fn canonical(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.alive), u8::from(self.wrong.is_some())];
        bytes.extend(self.left);
        for (number, shot) in self.shots.iter().enumerate() {
            let stage = match shot.stage {
                Stage::Idle => 0,
                Stage::Sent => 1,
                Stage::Answered(Reply::Taken) => 2,
                Stage::Answered(Reply::Throttled) => 3,
                Stage::Answered(Reply::Failed) => 4,
                Stage::Polling => 5,
                Stage::Fetching => 6,
                Stage::Parked => 7,
                Stage::Ended => 8,
            };
            let effort = shot.effort;
            bytes.extend([stage, shot.attempt as u8, effort.tries as u8, effort.resends as u8, effort.fetches as u8, effort.troubles as u8]);
            bytes.push(shot.ledger.name().as_bytes()[0] ^ shot.ledger.name().len() as u8);
            for (record, charged) in self.written(number) {
                bytes.extend([record, u8::from(charged)]);
            }
            bytes.push(0xfe);
            for book in &shot.books {
                bytes.extend([book.taken, book.charged, book.task as u8, u8::from(book.told)]);
            }
            bytes.push(0xfd);
            bytes.extend(shot.adrift.iter().map(|attempt| *attempt as u8));
            bytes.push(0xff);
        }
        bytes
    }

    /// Says what must never be, in any state.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), String> {
        if let Some(wrong) = &self.wrong {
            return Err(wrong.clone());
        }
        let limit = self.setting.cap.limit.as_ref().map_or(i64::MAX, |limit| limit.micros.get());
        if self.committed > limit {
            return Err(format!("the cap is passed: {} of {limit}", self.committed));
        }
        for (number, shot) in self.shots.iter().enumerate() {
            let written = self.written(number);
            let mut unexplained = 0;
            for (place, book) in shot.books.iter().enumerate() {
                let (record, counted) = written.get(place).copied().unwrap_or((b'-', false));
                let name = format!("shot{number} attempt {}", place + 1);
                if book.charged > 1 || book.taken > 1 {
                    return Err(format!("{name}: taken {} times and charged {} times", book.taken, book.charged));
                }
                if book.taken > 0 && record == b'-' {
                    return Err(format!("{name}: taken by the provider without an intent"));
                }
                if book.charged > 0 && matches!(record, b'f' | b's') && !counted {
                    return Err(format!("{name}: charged, and the ledger gave the money back"));
                }
                if book.told && matches!(record, b'i' | b'-') {
                    return Err(format!("{name}: the task was named and not written down"));
                }
                unexplained += u8::from(book.charged > 0 && record != b's');
            }
            if unexplained > 1 {
                return Err(format!("shot{number}: paid twice"));
            }
        }
        Ok(())
    }

    /// Says what must not be when nothing is left to do.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check_end(&self) -> Result<(), String> {
        for (number, shot) in self.shots.iter().enumerate() {
            let written = self.written(number);
            for (place, book) in shot.books.iter().enumerate() {
                let (record, _) = written.get(place).copied().unwrap_or((b'-', false));
                let settled = matches!(record, b'd' | b'?' | b's');
                if book.charged > 0 && !settled {
                    return Err(format!("shot{number} attempt {}: a paid picture that nobody will come for", place + 1));
                }
            }
            let waits = self.input(number).is_some_and(|input| !matches!(self.shots[input].ledger, JobState::Done { .. }));
            let fine = match &shot.ledger {
                JobState::Done { .. } => true,
                JobState::InDoubt { .. } => self.setting.variant.on_doubt == OnDoubt::Hold || shot.effort.tries + 1 >= self.setting.rules.attempts,
                JobState::Failed { .. } => shot.stage == Stage::Ended || waits || !self.fits(),
                JobState::Untried => waits || !self.fits(),
                JobState::Submitting { .. } | JobState::Running { .. } | JobState::Rejected { .. } => false,
            };
            if !fine {
                return Err(format!("shot{number} is {} for good", shot.ledger.name()));
            }
        }
        Ok(())
    }
}
