//! How values stand in rows.

use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Value, ValueRef};

use crate::ledger::fold::Try;
use crate::ledger::record::{Artifact, Entry, Scope, ScopeTotals};
use crate::ledger::{AttemptStatus, JobState, LedgerError};
use crate::types::{Amount, AttemptNo, BlobRef, Currency, Digest, ImageFormat, ImageInfo, JobKey, Micros, PixelSize, RunId, TaskId, Timestamp};

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.to_string())
    }
}

/// A digest as a BLOB.
#[derive(Clone, Copy)]
pub(super) struct Blob(pub(super) Digest);

impl From<&JobKey> for Blob {
    fn from(key: &JobKey) -> Self {
        Self(key.0)
    }
}

impl ToSql for Blob {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.as_bytes().as_slice()))
    }
}

impl FromSql for Blob {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 32]>::column_result(value).map(|bytes| Self(Digest::from_bytes(bytes)))
    }
}

/// Text that must parse: a currency, a format.
struct Parsed<T>(T);

impl FromSql for Parsed<Currency> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map(Self).map_err(FromSqlError::other)
    }
}

impl FromSql for Parsed<ImageFormat> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "png" => Ok(Self(ImageFormat::Png)),
            "jpeg" => Ok(Self(ImageFormat::Jpeg)),
            "webp" => Ok(Self(ImageFormat::Webp)),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

impl FromSql for Parsed<AttemptStatus> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let status = match value.as_i64()? {
            0 => AttemptStatus::Submitting,
            1 => AttemptStatus::Running,
            2 => AttemptStatus::Done,
            3 => AttemptStatus::Failed,
            4 => AttemptStatus::InDoubt,
            other => return Err(FromSqlError::OutOfRange(other)),
        };
        Ok(Self(status))
    }
}

/// Returns the number of a status; 0 and 1 hold a place, which the index `places` relies on.
pub(super) fn status_code(status: AttemptStatus) -> i64 {
    match status {
        AttemptStatus::Submitting => 0,
        AttemptStatus::Running => 1,
        AttemptStatus::Done => 2,
        AttemptStatus::Failed => 3,
        AttemptStatus::InDoubt => 4,
    }
}

pub(super) fn parsed_status(row: &Row<'_>, column: usize) -> rusqlite::Result<AttemptStatus> {
    row.get::<_, Parsed<AttemptStatus>>(column).map(|parsed| parsed.0)
}

fn parsed_currency(row: &Row<'_>, column: usize) -> rusqlite::Result<Currency> {
    row.get::<_, Parsed<Currency>>(column).map(|parsed| parsed.0)
}

/// Returns the values of `digest, len, format, width, height, alpha`, all NULL for none.
pub(super) fn artifact_values(artifact: Option<&Artifact>) -> [Value; 6] {
    let Some(Artifact { blob, info }) = artifact else { return [const { Value::Null }; 6] };
    [
        Value::Blob(blob.digest.as_bytes().to_vec()),
        Value::Integer(i64::try_from(blob.len).unwrap_or(i64::MAX)),
        Value::Text(info.format.as_str().to_owned()),
        Value::Integer(info.size.width.into()),
        Value::Integer(info.size.height.into()),
        Value::Integer(info.alpha.into()),
    ]
}

/// Reads `digest, len, format, width, height, alpha` from the columns that begin at `first`.
pub(super) fn artifact_at(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Artifact>> {
    let Some(Blob(digest)) = row.get(first)? else { return Ok(None) };
    let len = u64::try_from(row.get::<_, i64>(first + 1)?).unwrap_or(0);
    let format = row.get::<_, Parsed<ImageFormat>>(first + 2)?.0;
    let size = PixelSize::new(row.get(first + 3)?, row.get(first + 4)?);
    Ok(Some(Artifact { blob: BlobRef { digest, len }, info: ImageInfo { format, size, alpha: row.get(first + 5)? } }))
}

/// The columns of a job, in the order of [`job_at`].
pub(super) const JOB: &str = "seq, attempt, body, digest, len, format, width, height, alpha";

/// Reads [`JOB`] from the columns that begin at `first`. A finished job has no JSON to read: those are the many.
pub(super) fn job_at(row: &Row<'_>, first: usize) -> Result<JobState, LedgerError> {
    if let Some(artifact) = artifact_at(row, first + 3)? {
        let attempt: Option<u32> = row.get(first + 1)?;
        return Ok(JobState::Done { attempt: attempt.map(AttemptNo), artifact });
    }
    let seq: i64 = row.get(first)?;
    let body = row.get_ref(first + 2)?.as_str().map_err(|error| corrupt(seq, &error))?;
    serde_json::from_str(body).map_err(|error| corrupt(seq, &error))
}

/// Reads the money of a scope from `currency, spent, reserved, in_doubt`.
pub(super) fn totals_of(row: &Row<'_>) -> rusqlite::Result<ScopeTotals> {
    let micros = |column| row.get(column).map(Micros::new);
    Ok(ScopeTotals { currency: parsed_currency(row, 0)?, spent: micros(1)?, reserved: micros(2)?, in_doubt: micros(3)? })
}

/// The columns of a try, in the order of [`try_of`].
pub(super) const TRY: &str = "seq, run, account, scopes, currency, reserved, status, answered_at, touched_at, finished_at, charged, refunded, \
     error_code, task, digest, len, format, width, height, alpha";

/// Reads [`TRY`].
pub(super) fn try_of(row: &Row<'_>) -> Result<Try, LedgerError> {
    let seq: i64 = row.get(0)?;
    let scopes = row.get_ref(3)?.as_str().map_err(|error| corrupt(seq, &error))?;
    let scopes: Vec<Scope> = serde_json::from_str(scopes).map_err(|error| corrupt(seq, &error))?;
    Ok(Try {
        run: RunId::new(row.get::<_, String>(1)?),
        account: row.get(2)?,
        scopes,
        reserved: Amount::new(parsed_currency(row, 4)?, Micros::new(row.get(5)?)),
        status: parsed_status(row, 6)?,
        answered_at: Timestamp::from_millis(row.get(7)?),
        touched_at: Timestamp::from_millis(row.get(8)?),
        finished_at: row.get::<_, Option<i64>>(9)?.map(Timestamp::from_millis),
        charged: row.get::<_, Option<i64>>(10)?.map(Micros::new),
        refunded: Micros::new(row.get(11)?),
        error_code: row.get(12)?,
        task: row.get::<_, Option<String>>(13)?.map(TaskId::new),
        artifact: artifact_at(row, 14)?,
    })
}

/// Reads `seq, at, run, key, body, terms`.
pub(super) fn entry_of(row: &Row<'_>) -> Result<Entry, LedgerError> {
    let seq: i64 = row.get(0)?;
    let json = |column: usize| row.get_ref(column).map_err(LedgerError::from);
    let body = json(4)?.as_str().map_err(|error| corrupt(seq, &error))?;
    let terms = json(5)?.as_str_or_null().map_err(|error| corrupt(seq, &error))?;
    Ok(Entry {
        seq: seq_number(seq),
        at: Timestamp::from_millis(row.get(1)?),
        run: RunId::new(row.get::<_, String>(2)?),
        key: JobKey(row.get::<_, Blob>(3)?.0),
        record: serde_json::from_str(body).map_err(|error| corrupt(seq, &error))?,
        terms: terms.map(serde_json::from_str).transpose().map_err(|error| corrupt(seq, &error))?,
    })
}

/// Writes a value that is made of our own types as JSON.
pub(super) fn json(value: &impl serde::Serialize) -> Result<String, LedgerError> {
    serde_json::to_string(value).map_err(|error| LedgerError::Storage(error.to_string()))
}

/// Says that a stored value cannot be read.
pub(super) fn corrupt(seq: i64, reason: &dyn std::fmt::Display) -> LedgerError {
    LedgerError::Corrupt { seq: seq_number(seq), reason: reason.to_string() }
}

/// Turns a row number into a record number; SQLite numbers from 1.
pub(super) fn seq_number(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or(0)
}
