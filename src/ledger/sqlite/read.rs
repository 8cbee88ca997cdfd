//! Reads committed data: states, history, tries, totals, records.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::rows::{self, Blob, JOB, corrupt};
use crate::ledger::record::{Entry, Record, Scope, ScopeTotals};
use crate::ledger::{AttemptRow, History, JobState, KnownJob, LedgerError, Recipe};
use crate::types::{JobId, JobKey, Micros, RunId, TaskId, Timestamp};

/// Up to this many rows for each key asked for, one pass over a table beats looking the keys up one by one.
const ROWS_PER_KEY: usize = 4;

/// Returns where a job stands.
pub(super) fn job(connection: &Connection, key: &JobKey) -> Result<JobState, LedgerError> {
    let mut select = connection.prepare_cached(&format!("SELECT {JOB} FROM jobs WHERE key = ?1"))?;
    let mut found = select.query(params![Blob::from(key)])?;
    found.next()?.map_or(Ok(JobState::Untried), |row| rows::job_at(row, 0))
}

/// Returns the money under a scope, by currency: the text of currencies sorts as they do. Reads a file of format 1 as well.
pub(super) fn totals(connection: &Connection, scope: &Scope) -> Result<Vec<ScopeTotals>, LedgerError> {
    let mut select = connection.prepare_cached("SELECT currency, spent, reserved, in_doubt FROM scopes WHERE scope = ?1 ORDER BY currency")?;
    let found = select.query_map(params![scope.0], rows::totals_of)?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Returns the ingredients of a key.
pub(super) fn recipe(connection: &Connection, key: &JobKey) -> Result<Option<Recipe>, LedgerError> {
    let mut select = connection.prepare_cached("SELECT body FROM recipes WHERE job = (SELECT id FROM jobs WHERE key = ?1)")?;
    let body: Option<String> = select.query_row(params![Blob::from(key)], |row| row.get(0)).optional()?;
    body.map(|body| serde_json::from_str(&body)).transpose().map_err(|error| LedgerError::Storage(format!("the recipe of {key}: {error}")))
}

/// Returns the number of the last record.
pub(super) fn last_seq(connection: &Connection) -> Result<u64, LedgerError> {
    let mut select = connection.prepare_cached("SELECT max(seq) FROM records")?;
    let last: Option<i64> = select.query_row([], |row| row.get(0))?;
    Ok(last.map_or(0, rows::seq_number))
}

/// Returns what is known about `keys` and the addresses of `campaign`, as of one moment.
pub(super) fn history(connection: &Connection, campaign: &str, keys: &[JobKey]) -> Result<History, LedgerError> {
    let snapshot = connection.unchecked_transaction()?;
    let judged = super::judgements::of_jobs(&snapshot, keys)?;
    Ok(History { jobs: jobs(&snapshot, keys)?, addresses: addresses(&snapshot, campaign)?, judged })
}

/// Returns the same, but no addresses when all of `keys` are known.
pub(super) fn history_for_plan(connection: &Connection, campaign: &str, keys: &[JobKey]) -> Result<History, LedgerError> {
    let snapshot = connection.unchecked_transaction()?;
    let jobs = jobs(&snapshot, keys)?;
    let is_all = keys.iter().all(|key| jobs.contains_key(key));
    let addresses = if is_all { HashMap::new() } else { addresses(&snapshot, campaign)? };
    let judged = if jobs.is_empty() { HashMap::new() } else { super::judgements::of_jobs(&snapshot, keys)? };
    Ok(History { jobs, addresses, judged })
}

fn jobs(connection: &Connection, keys: &[JobKey]) -> Result<HashMap<JobKey, KnownJob>, LedgerError> {
    match few_rows(connection, "jobs", keys)? {
        Some(rows) => jobs_of_all(connection, rows, keys),
        None => jobs_by_key(connection, keys),
    }
}

/// Returns the number of rows if there are few for so many keys.
fn few_rows(connection: &Connection, table: &str, keys: &[JobKey]) -> Result<Option<usize>, LedgerError> {
    let most = keys.len().saturating_mul(ROWS_PER_KEY);
    let bounded = i64::try_from(most.saturating_add(1)).unwrap_or(i64::MAX);
    let mut count = connection.prepare_cached(&format!("SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT ?1)"))?;
    let found: i64 = count.query_row([bounded], |row| row.get(0))?;
    Ok(usize::try_from(found).ok().filter(|found| *found <= most))
}

fn jobs_of_all(connection: &Connection, known: usize, keys: &[JobKey]) -> Result<HashMap<JobKey, KnownJob>, LedgerError> {
    let mut select = connection.prepare_cached(&format!("SELECT key, {JOB} FROM jobs"))?;
    let mut found = select.query([])?;
    // Most plans meet an empty ledger or their own: the set is built with the first row, and not before.
    let mut wanted: Option<HashSet<&JobKey>> = None;
    let mut jobs = HashMap::with_capacity(known.min(keys.len()));
    while let Some(row) = found.next()? {
        let key = JobKey(row.get::<_, Blob>(0)?.0);
        if wanted.get_or_insert_with(|| keys.iter().collect()).contains(&key) {
            jobs.insert(key, KnownJob { state: rows::job_at(row, 1)? });
        }
    }
    Ok(jobs)
}

fn jobs_by_key(connection: &Connection, keys: &[JobKey]) -> Result<HashMap<JobKey, KnownJob>, LedgerError> {
    let mut select = connection.prepare_cached(&format!("SELECT {JOB} FROM jobs WHERE key = ?1"))?;
    let mut jobs = HashMap::new();
    for key in keys {
        let mut found = select.query(params![Blob::from(key)])?;
        if let Some(row) = found.next()? {
            jobs.insert(*key, KnownJob { state: rows::job_at(row, 0)? });
        }
    }
    Ok(jobs)
}

fn addresses(connection: &Connection, campaign: &str) -> Result<HashMap<JobId, JobKey>, LedgerError> {
    let mut select = connection.prepare_cached("SELECT job, key FROM addresses WHERE campaign = ?1")?;
    let mut found = select.query([campaign])?;
    let mut addresses = HashMap::new();
    while let Some(row) = found.next()? {
        let job = row.get_ref(0)?.as_str().map_err(|error| LedgerError::Storage(format!("an address of `{campaign}`: {error}")))?;
        addresses.insert(JobId::new(job), JobKey(row.get::<_, Blob>(1)?.0));
    }
    Ok(addresses)
}

/// What a row of `costs.csv` needs; card, quote and start stand in the intent.
fn attempt_query(filter: &str) -> String {
    format!(
        "SELECT a.seq, a.run, a.key, a.status, a.error_code, a.charged, a.refunded, a.finished_at, a.task, r.at, r.body,
         a.digest, a.len, a.format, a.width, a.height, a.alpha
         FROM attempts AS a JOIN records AS r ON r.seq = a.seq WHERE {filter} ORDER BY a.seq"
    )
}

/// The tries of one key, from the last one back.
const TRIES_OF_KEY: &str = "a.campaign <> ?1 AND a.seq IN (
    WITH RECURSIVE tries (seq) AS (
        SELECT intent FROM jobs WHERE key = ?2 AND intent IS NOT NULL
        UNION ALL SELECT later.previous FROM attempts AS later JOIN tries ON later.seq = tries.seq WHERE later.previous IS NOT NULL
    ) SELECT seq FROM tries)";

/// Returns the paid tries of `campaign`, and those of others on `keys`, as of one moment.
pub(super) fn attempts(connection: &Connection, campaign: &str, keys: &[JobKey]) -> Result<Vec<AttemptRow>, LedgerError> {
    let snapshot = connection.unchecked_transaction()?;
    let mut attempts = Vec::new();
    let mut own = snapshot.prepare_cached(&attempt_query("a.campaign = ?1"))?;
    let mut found = own.query([campaign])?;
    while let Some(row) = found.next()? {
        attempts.push(attempt_of(row)?);
    }
    let before = attempts.len();
    if few_rows(&snapshot, "attempts", keys)?.is_some() {
        let wanted: HashSet<&JobKey> = keys.iter().collect();
        let mut others = snapshot.prepare_cached(&attempt_query("a.campaign <> ?1"))?;
        let mut found = others.query([campaign])?;
        while let Some(row) = found.next()? {
            if wanted.contains(&JobKey(row.get::<_, Blob>(2)?.0)) {
                attempts.push(attempt_of(row)?);
            }
        }
    } else {
        let mut others = snapshot.prepare_cached(&attempt_query(TRIES_OF_KEY))?;
        for key in keys.iter().collect::<HashSet<_>>() {
            let mut found = others.query(params![campaign, Blob::from(key)])?;
            while let Some(row) = found.next()? {
                attempts.push(attempt_of(row)?);
            }
        }
    }
    if attempts.len() > before {
        attempts.sort_by_key(|(seq, _)| *seq);
    }
    Ok(attempts.into_iter().map(|(_, attempt)| attempt).collect())
}

fn attempt_of(row: &Row<'_>) -> Result<(i64, AttemptRow), LedgerError> {
    let seq: i64 = row.get(0)?;
    let body = row.get_ref(10)?.as_str().map_err(|error| corrupt(seq, &error))?;
    let Record::Intent { card, attempt, quoted, .. } = serde_json::from_str(body).map_err(|error| corrupt(seq, &error))? else {
        return Err(corrupt(seq, &"the first record of a try is not its intent"));
    };
    let attempt = AttemptRow {
        run: RunId::new(row.get::<_, String>(1)?),
        key: JobKey(row.get::<_, Blob>(2)?.0),
        card,
        attempt,
        status: rows::parsed_status(row, 3)?,
        error_code: row.get(4)?,
        quoted,
        charged: row.get::<_, Option<i64>>(5)?.map(Micros::new),
        refunded: Micros::new(row.get(6)?),
        started_at: Timestamp::from_millis(row.get(9)?),
        finished_at: row.get::<_, Option<i64>>(7)?.map(Timestamp::from_millis),
        task: row.get::<_, Option<String>>(8)?.map(TaskId::new),
        artifact: rows::artifact_at(row, 11)?,
    };
    Ok((seq, attempt))
}

/// Returns every record after `seq`, in order.
pub(super) fn entries(connection: &Connection, after: u64) -> Result<Vec<Entry>, LedgerError> {
    let mut select = connection.prepare_cached("SELECT seq, at, run, key, body, terms FROM records WHERE seq > ?1 ORDER BY seq")?;
    let mut found = select.query([i64::try_from(after).unwrap_or(i64::MAX)])?;
    let mut entries = Vec::new();
    while let Some(row) = found.next()? {
        entries.push(rows::entry_of(row)?);
    }
    Ok(entries)
}
