//! A ledger with a clock that the case moves, and short words for what happens on it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::ledger::fold::fold;
use crate::ledger::*;
use crate::types::*;

/// A clock that can also be set back.
pub(in crate::ledger) struct StageClock(AtomicI64);

impl StageClock {
    pub(in crate::ledger) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_795_340_700_000)))
    }

    pub(in crate::ledger) fn advance(&self, span: Duration) {
        self.0.fetch_add(i64::try_from(span.as_millis()).expect("tests move by hours"), Ordering::SeqCst);
    }
}

impl Clock for StageClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A ledger that can tell its records.
pub(in crate::ledger) trait Recorded: Ledger + Balances {
    fn entries(&self) -> Vec<Entry>;
}

impl Recorded for MemoryLedger {
    fn entries(&self) -> Vec<Entry> {
        self.entries()
    }
}

impl Recorded for SqliteLedger {
    fn entries(&self) -> Vec<Entry> {
        self.entries(0).expect("own records can be read")
    }
}

pub(in crate::ledger) struct Stage {
    pub(in crate::ledger) ledger: Box<dyn Recorded>,
    pub(in crate::ledger) clock: Arc<StageClock>,
    /// Dropped after the ledger.
    _folder: Option<tempfile::TempDir>,
}

impl Stage {
    pub(in crate::ledger) fn in_memory() -> Self {
        let clock = StageClock::new();
        Self { ledger: Box::new(MemoryLedger::new(clock.clone())), clock, _folder: None }
    }

    pub(in crate::ledger) fn on_disk() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let clock = StageClock::new();
        let ledger = SqliteLedger::open(&folder.path().join("ledger.db"), clock.clone(), Durability::Normal).expect("a new ledger opens");
        Self { ledger: Box::new(ledger), clock, _folder: Some(folder) }
    }

    pub(in crate::ledger) async fn submit(&self, intent: SubmitIntent) -> Grant {
        self.ledger.begin_submit(intent).await.expect("the intent is answered")
    }

    pub(in crate::ledger) async fn granted(&self, intent: SubmitIntent) {
        let deadline = self.clock.now().after(intent.patience);
        assert_eq!(self.submit(intent).await, Grant::Granted { at: self.clock.now(), deadline });
    }

    pub(in crate::ledger) async fn take(&self, job: &str, records: impl Into<Vec<Record>>) -> JobState {
        self.ledger.append(run("r1"), key(job), records.into(), None).await.expect("the records are legal")
    }

    pub(in crate::ledger) fn state(&self, job: &str) -> JobState {
        self.ledger.load(key(job)).expect("a state can be read")
    }

    pub(in crate::ledger) fn after(&self, seconds: u64) -> Timestamp {
        self.clock.now().after(Duration::from_secs(seconds))
    }

    pub(in crate::ledger) fn set_back(&self, span: Duration) {
        self.clock.0.fetch_sub(i64::try_from(span.as_millis()).expect("tests move by hours"), Ordering::SeqCst);
    }

    /// Returns the money in the currency that most cases count in.
    pub(in crate::ledger) fn money(&self) -> Option<ScopeTotals> {
        let totals = self.ledger.totals(&Scope("campaign:spring".into())).expect("totals can be read");
        totals.into_iter().find(|totals| totals.currency == credits(0).currency)
    }

    pub(in crate::ledger) fn expect_money(&self, expected: &str) {
        let totals = self.money().expect("the scope was used");
        assert_eq!(format!("spent {}, reserved {}, in doubt {}", totals.spent, totals.reserved, totals.in_doubt), expected);
    }

    pub(in crate::ledger) fn only_attempt(&self, job: &str) -> AttemptRow {
        let rows = self.ledger.attempts("spring", &[]).expect("attempts can be read");
        let mut rows = rows.into_iter().filter(|row| row.card.job.as_str() == job);
        let row = rows.next().expect("the job was tried");
        assert!(rows.next().is_none(), "the job was tried once");
        row
    }

    /// Compares every sum that the ledger keeps with a fold of its records.
    pub(in crate::ledger) fn sums_equal_the_fold(&self) {
        sums_equal_the_fold(self.ledger.as_ref(), &self.ledger.entries());
    }

    /// Checks by the records that never more than `places` tries were open.
    pub(in crate::ledger) fn most_at_once(&self, places: usize) {
        let mut open = HashSet::new();
        for entry in self.ledger.entries() {
            match entry.record {
                Record::Intent { .. } => open.insert(entry.key),
                Record::Accepted { .. } => true,
                _ => open.remove(&entry.key),
            };
            assert!(open.len() <= places, "{} open at record {}", open.len(), entry.seq);
        }
    }
}

/// Compares every sum that `ledger` keeps with a fold of `entries`.
pub(in crate::ledger) fn sums_equal_the_fold(ledger: &dyn Ledger, entries: &[Entry]) {
    let folded = fold(entries).expect("written records are legal");
    assert_eq!(ledger.last_seq().expect("the ledger can be read"), folded.last_seq());
    for (key, state) in folded.jobs() {
        assert_eq!(&ledger.load(*key).expect("a state can be read"), state);
    }
    for (scope, totals) in folded.totals() {
        assert_eq!(&ledger.totals(scope).expect("totals can be read"), totals, "{scope:?}");
    }
    let keys: Vec<JobKey> = folded.jobs().keys().copied().collect();
    let history = ledger.history("spring", &keys).expect("history can be read");
    assert_eq!(history.jobs.len(), keys.len());
    for key in &keys {
        assert_eq!(history.judged(key), folded.judged(key));
        assert_eq!(ledger.judgements(*key).expect("judgements can be read"), folded.judged(key));
    }
    assert_eq!(ledger.attempts("nobody's", &keys).expect("attempts can be read"), folded.attempts(|_, _| true));
}

pub(in crate::ledger) fn key(job: &str) -> JobKey {
    JobKey(Digest::of(job.as_bytes()))
}

pub(in crate::ledger) fn run(name: &str) -> RunId {
    RunId::new(name)
}

pub(in crate::ledger) fn credits(units: i64) -> Amount {
    Amount::new(Currency::credits("test"), Micros::units(units))
}

pub(in crate::ledger) fn cap(scope: &str, limit: Option<i64>) -> Cap {
    Cap::new(Scope(scope.to_owned()), limit.map(credits))
}

pub(in crate::ledger) fn picture(n: u32) -> Artifact {
    let blob = BlobRef { digest: Digest::of(&n.to_le_bytes()), len: 1000 + u64::from(n) };
    Artifact { blob, info: ImageInfo { format: ImageFormat::Jpeg, size: PixelSize::new(8, n), alpha: n.is_multiple_of(2) } }
}

/// An intent of 4 credits under one uncapped scope, with a minute's patience and no limits.
pub(in crate::ledger) fn intent(job: &str, attempt: u32) -> SubmitIntent {
    let card = AttemptCard {
        campaign: "spring".into(),
        job: JobId::new(job),
        step: "hero".into(),
        axes: vec![("sku".into(), "teapot".into())],
        take: Some(1),
        provider: "kie".into(),
        model: "gpt-image-2".into(),
        operation: "generate".into(),
        aspect: Some("4:5".into()),
        resolution: None,
        quality: None,
        unpriced: false,
    };
    SubmitIntent {
        run: run("r1"),
        key: key(job),
        card,
        attempt: AttemptNo(attempt),
        idempotency_key: IdempotencyKey::new(format!("{job}/{attempt}")),
        quoted: credits(4),
        reserved: credits(4),
        patience: Duration::from_secs(60),
        limits: AccountLimits { account: "kie:KIE_API_KEY".into(), windows: Vec::new(), places: None },
        caps: vec![cap("campaign:spring", None)],
        recipe: vec![("prompt".into(), job.into())],
    }
}

pub(in crate::ledger) fn failure(class: FailureClass, code: &str) -> Failure {
    Failure::new(class, code, "the provider's words")
}

pub(in crate::ledger) fn accepted(attempt: u32, task: &str) -> Record {
    Record::Accepted { attempt: AttemptNo(attempt), task: TaskId::new(task) }
}

pub(in crate::ledger) fn done(attempt: u32, charged: i64) -> Record {
    Record::Done { attempt: AttemptNo(attempt), artifact: picture(attempt), charged: credits(charged), settled: true }
}

/// A look at the picture of a try.
pub(in crate::ledger) fn judged(attempt: u32, accepted: bool) -> Record {
    let findings = vec![crate::types::Check::Sharpness(20).finding(if accepted { 40 } else { 3 }, None)];
    Record::Judged { job: JobId::new("hero"), of: Some(AttemptNo(attempt)), artifact: picture(attempt), accepted, findings }
}

pub(in crate::ledger) fn failed(attempt: u32, charged: i64, refunded: i64) -> Record {
    let failure = failure(FailureClass::Failed, "500");
    Record::Failed { attempt: AttemptNo(attempt), failure, charged: Micros::units(charged), refunded: Micros::units(refunded) }
}

pub(in crate::ledger) fn doubt(attempt: u32) -> Record {
    Record::InDoubt { attempt: AttemptNo(attempt), failure: failure(FailureClass::Ambiguous, "timeout") }
}

pub(in crate::ledger) fn settled(attempt: u32, charged: i64, refunded: i64) -> Record {
    let (charged, refunded) = (Micros::units(charged), Micros::units(refunded));
    Record::Settled { attempt: AttemptNo(attempt), charged, refunded, evidence: "balance before and after".into() }
}
