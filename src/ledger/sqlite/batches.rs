//! Batches in rows.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::rows::Blob;
use crate::ledger::{BatchNote, LedgerError, NewBatch};
use crate::types::{AttemptNo, JobKey, RunId, TaskId, Timestamp};

/// Format of the first ledger that notes batches.
const SINCE: u32 = 5;

/// Notes a batch with its shots, unless it is there.
pub(super) fn sending(connection: &Connection, batch: &NewBatch, now: Timestamp) -> Result<(), LedgerError> {
    let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO batches (name, run, at) VALUES (?1, ?2, ?3)")?;
    insert.execute(params![batch.name, batch.run.as_str(), now.millis()])?;
    let mut shot = connection.prepare_cached("INSERT OR IGNORE INTO batch_shots (key, attempt, name) VALUES (?1, ?2, ?3)")?;
    for (key, attempt) in &batch.shots {
        shot.execute(params![Blob::from(key), attempt.0, batch.name])?;
    }
    Ok(())
}

/// Notes what the provider calls a batch, if that is not known.
pub(super) fn made(connection: &Connection, name: &str, batch: &TaskId) -> Result<(), LedgerError> {
    let mut update = connection.prepare_cached("UPDATE batches SET batch = ?2 WHERE name = ?1 AND batch IS NULL")?;
    update.execute(params![name, batch.as_str()])?;
    Ok(())
}

/// Returns the batch of a try; none in a ledger that is too old to have any.
pub(super) fn of(connection: &Connection, key: JobKey, attempt: AttemptNo) -> Result<Option<BatchNote>, LedgerError> {
    if super::schema::format_of(connection)? < SINCE {
        return Ok(None);
    }
    let mut select = connection.prepare_cached(
        "SELECT batches.name, run, at, batch FROM batch_shots JOIN batches ON batches.name = batch_shots.name WHERE key = ?1 AND attempt = ?2",
    )?;
    Ok(select.query_row(params![Blob::from(&key), attempt.0], note_of).optional()?)
}

fn note_of(row: &Row<'_>) -> rusqlite::Result<BatchNote> {
    let batch: Option<String> = row.get(3)?;
    Ok(BatchNote {
        name: row.get(0)?,
        run: RunId::new(row.get::<_, String>(1)?),
        at: Timestamp::from_millis(row.get(2)?),
        batch: batch.map(TaskId::new),
    })
}
