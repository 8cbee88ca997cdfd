//! What the ledger and the batches of a provider have to do with each other.
//!
//! In: tries that were on their way into a batch when a run ended. Out: what became of them, as far as the ledger itself knows.
//! Never: a question to a provider, a doubt ended by hope.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::ledger::{AttemptRow, AttemptStatus, Batches, JobState, Ledger, LedgerError, NewBatch, Record};
use crate::provider::Logbook;
use crate::types::{AttemptNo, Billed, Failure, FailureClass, JobKey, Micros, RunId, TaskId};

/// A run's page in the ledger for the batches that it sends.
pub struct BatchLog {
    ledger: Arc<dyn Batches>,
    run: RunId,
}

impl BatchLog {
    /// Opens the page of `run`.
    pub fn new(ledger: Arc<dyn Batches>, run: RunId) -> Self {
        Self { ledger, run }
    }
}

impl Logbook for BatchLog {
    fn sending<'a>(&'a self, name: &'a str, shots: Vec<(JobKey, AttemptNo)>) -> BoxFuture<'a, Result<(), String>> {
        let batch = NewBatch { name: name.to_owned(), run: self.run.clone(), shots };
        self.ledger.note_sending(batch).map(|noted| noted.map_err(|error| error.to_string())).boxed()
    }

    fn made<'a>(&'a self, name: &'a str, batch: &'a TaskId) -> BoxFuture<'a, Result<(), String>> {
        self.ledger.note_batch(name, batch.clone()).map(|noted| noted.map_err(|error| error.to_string())).boxed()
    }
}

/// What was found out about tries of a run that was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TakenUp {
    /// Tries whose batch is known: they are accepted, and their pictures will be fetched for nothing.
    pub known: usize,
    /// Tries that no batch was ever asked for with: what was held for them is given back.
    pub unsent: usize,
}

/// Takes up the tries that a run has left on their way into a batch. The caller holds the workspace: nobody else is sending.
///
/// A try whose batch was asked for and is not known by its id stays as it is: that is doubt, and the provider's list ends it.
///
/// # Errors
/// A ledger that cannot be read or written.
pub async fn take_up<L: Ledger + Batches>(ledger: &L, run: &RunId, rows: &[AttemptRow]) -> Result<TakenUp, LedgerError> {
    let mut taken = TakenUp::default();
    for row in rows.iter().filter(|row| is_on_its_way(row)) {
        let state = ledger.load(row.key)?;
        if state.last_attempt() != row.attempt {
            continue;
        }
        let record = match (ledger.batch_of(row.key, row.attempt)?, &state) {
            (Some(note), JobState::Submitting { .. } | JobState::InDoubt { .. }) => match note.batch {
                Some(task) => Record::Accepted { attempt: row.attempt, task },
                None => continue,
            },
            (None, JobState::Submitting { attempt, reserved, .. }) => {
                let failure = Failure {
                    billed: Billed::No,
                    ..Failure::new(
                        FailureClass::Transient,
                        "not-sent",
                        "the run ended before the batch was asked for: nothing was sent, nothing was charged",
                    )
                };
                Record::Failed { attempt: *attempt, failure, charged: Micros::ZERO, refunded: reserved.micros }
            }
            _ => continue,
        };
        match record {
            Record::Accepted { .. } => taken.known += 1,
            _ => taken.unsent += 1,
        }
        ledger.append(run.clone(), row.key, vec![record], None).await?;
    }
    Ok(taken)
}

/// Returns whether a try went into a batch, and no answer about it stands in the ledger.
pub fn is_on_its_way(row: &AttemptRow) -> bool {
    row.card.batch && row.task.is_none() && matches!(row.status, AttemptStatus::Submitting | AttemptStatus::InDoubt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{AccountLimits, AttemptCard, Cap, MemoryLedger, Scope, SubmitIntent};
    use crate::types::{Amount, Currency, Digest, IdempotencyKey, JobId, ManualClock, Timestamp};
    use std::time::Duration;

    fn key(job: &str) -> JobKey {
        JobKey(Digest::of(job.as_bytes()))
    }

    fn intent(job: &str, batch: bool) -> SubmitIntent {
        let price = Amount::new(Currency::Usd, Micros::new(26_443));
        let card = AttemptCard {
            campaign: "spring".into(),
            job: JobId::new(job),
            step: "hero".into(),
            axes: Vec::new(),
            take: None,
            provider: "openai".into(),
            model: "gpt-image-2".into(),
            operation: "generate".into(),
            aspect: None,
            resolution: None,
            quality: None,
            unpriced: false,
            batch,
        };
        SubmitIntent {
            run: RunId::new("r1"),
            key: key(job),
            card,
            attempt: AttemptNo(1),
            idempotency_key: IdempotencyKey::new(job),
            quoted: price.clone(),
            reserved: price,
            patience: Duration::from_secs(60),
            limits: AccountLimits { account: "openai:K/batch".into(), windows: Vec::new(), places: None },
            caps: vec![Cap::new(Scope("campaign:spring".into()), None)],
            recipe: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_run_that_was_cut_off_loses_nothing_that_the_ledger_knows() {
        let ledger = MemoryLedger::new(Arc::new(ManualClock::new(Timestamp::from_millis(1_795_340_700_000))));
        for (job, batch) in [("unsent", true), ("asked", true), ("known", true), ("direct", false)] {
            ledger.begin_submit(intent(job, batch)).await.expect("granted");
        }
        let shots = |job: &str| vec![(key(job), AttemptNo(1))];
        for job in ["asked", "known"] {
            ledger.note_sending(NewBatch { name: job.into(), run: RunId::new("r1"), shots: shots(job) }).await.expect("noted");
        }
        ledger.note_batch("known", TaskId::new("batch_1")).await.expect("noted");

        let rows = || ledger.attempts("spring", &[]).expect("attempts can be read");
        let taken = take_up(&ledger, &RunId::new("r2"), &rows()).await.expect("it can be written");
        assert_eq!(taken, TakenUp { known: 1, unsent: 1 });
        let told: Vec<String> = rows().iter().map(|row| format!("{} {} {:?}", row.card.job, row.status.as_str(), row.charged)).collect();
        insta::assert_snapshot!(told.join("\n"), @"
        unsent failed Some(Micros(0))
        asked submitting None
        known running None
        direct submitting None
        ");
        assert_eq!(take_up(&ledger, &RunId::new("r3"), &rows()).await.expect("a second time"), TakenUp::default());
    }
}
