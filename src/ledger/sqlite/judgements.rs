//! Pictures that were looked at, in rows. What was found stands in the record; the row leads there.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, Row, params};

use super::rows::{Blob, artifact_values, corrupt};
use crate::ledger::fold::judgement;
use crate::ledger::{Judgement, LedgerError, Record};
use crate::types::JobKey;

/// Format of the first ledger that knows of judgements.
const SINCE: u32 = 6;

/// Returns whether the file has the table: an older one that is only read has none.
pub(super) fn are_known(connection: &Connection) -> Result<bool, LedgerError> {
    Ok(super::schema::format_of(connection)? >= SINCE)
}

/// Keeps the row of a record that judges a picture, in place of an earlier one; passes over all others.
pub(super) fn put(connection: &Connection, key: &JobKey, seq: i64, record: &Record) -> Result<(), LedgerError> {
    let Record::Judged { of, artifact, .. } = record else { return Ok(()) };
    let [digest, len, ..] = artifact_values(Some(artifact));
    let mut upsert = connection.prepare_cached(
        "INSERT INTO judgements (key, attempt, seq, digest, len) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (key, attempt) DO UPDATE SET seq = excluded.seq, digest = excluded.digest, len = excluded.len",
    )?;
    upsert.execute(params![Blob::from(key), of.map_or(0, |attempt| attempt.0), seq, digest, len])?;
    Ok(())
}

/// Returns the judgements of one job, in the order of its tries.
pub(super) fn of_job(connection: &Connection, key: &JobKey) -> Result<Vec<Judgement>, LedgerError> {
    if !are_known(connection)? {
        return Ok(Vec::new());
    }
    let mut select = connection
        .prepare_cached("SELECT j.seq, r.body FROM judgements AS j JOIN records AS r ON r.seq = j.seq WHERE j.key = ?1 ORDER BY j.attempt")?;
    let mut found = select.query(params![Blob::from(key)])?;
    let mut judgements = Vec::new();
    while let Some(row) = found.next()? {
        judgements.push(judgement_of(row, 0)?);
    }
    Ok(judgements)
}

/// Returns the judgements of these jobs; those without one are left out.
pub(super) fn of_jobs(connection: &Connection, keys: &[JobKey]) -> Result<HashMap<JobKey, Vec<Judgement>>, LedgerError> {
    let mut judged: HashMap<JobKey, Vec<Judgement>> = HashMap::new();
    if !are_known(connection)? {
        return Ok(judged);
    }
    let mut select =
        connection.prepare_cached("SELECT j.key, j.seq, r.body FROM judgements AS j JOIN records AS r ON r.seq = j.seq ORDER BY j.key, j.attempt")?;
    let mut found = select.query([])?;
    // Built with the first row, and not before: most ledgers have none.
    let mut wanted: Option<HashSet<&JobKey>> = None;
    while let Some(row) = found.next()? {
        let key = JobKey(row.get::<_, Blob>(0)?.0);
        if wanted.get_or_insert_with(|| keys.iter().collect()).contains(&key) {
            judged.entry(key).or_default().push(judgement_of(row, 1)?);
        }
    }
    Ok(judged)
}

fn judgement_of(row: &Row<'_>, first: usize) -> Result<Judgement, LedgerError> {
    let seq: i64 = row.get(first)?;
    let body = row.get_ref(first + 1)?.as_str().map_err(|error| corrupt(seq, &error))?;
    let record: Record = serde_json::from_str(body).map_err(|error| corrupt(seq, &error))?;
    judgement(&record).ok_or_else(|| corrupt(seq, &"a judgement leads to a record of another kind"))
}
