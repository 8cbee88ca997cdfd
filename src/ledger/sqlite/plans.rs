//! Saved plans in rows.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::rows::Blob;
use crate::ledger::{LedgerError, PlanRecord};
use crate::types::{Digest, RunId, Timestamp};

/// Format of the first ledger that knows of plans.
const SINCE: u32 = 3;

/// Returns what is known of a plan; nothing in a ledger that is too old to know any.
pub(super) fn plan(connection: &Connection, plan: Digest) -> Result<Option<PlanRecord>, LedgerError> {
    if super::schema::format_of(connection)? < SINCE {
        return Ok(None);
    }
    let mut select = connection.prepare_cached("SELECT campaign, begun_by, begun_at, spent_by, spent_at FROM plans WHERE plan = ?1")?;
    Ok(select.query_row(params![Blob(plan)], record_of).optional()?)
}

fn record_of(row: &Row<'_>) -> rusqlite::Result<PlanRecord> {
    let run = |text: String| RunId::new(text);
    let spent_by: Option<String> = row.get(3)?;
    let spent_at: Option<i64> = row.get(4)?;
    Ok(PlanRecord {
        campaign: row.get(0)?,
        begun_by: run(row.get(1)?),
        begun_at: Timestamp::from_millis(row.get(2)?),
        spent: spent_by.map(run).zip(spent_at.map(Timestamp::from_millis)),
    })
}

/// Notes that a run of a plan has begun, if none has, and returns what stands then.
pub(super) fn begin(connection: &Connection, name: Digest, campaign: &str, run: &RunId, now: Timestamp) -> Result<PlanRecord, LedgerError> {
    if let Some(known) = plan(connection, name)? {
        return Ok(known);
    }
    let mut insert = connection.prepare_cached("INSERT INTO plans (plan, campaign, begun_by, begun_at) VALUES (?1, ?2, ?3, ?4)")?;
    insert.execute(params![Blob(name), campaign, run.as_str(), now.millis()])?;
    Ok(PlanRecord { campaign: campaign.to_owned(), begun_by: run.clone(), begun_at: now, spent: None })
}

/// Notes that a plan is spent, if it was begun and is not, and returns what stands then.
pub(super) fn end(connection: &Connection, name: Digest, run: &RunId, now: Timestamp) -> Result<Option<PlanRecord>, LedgerError> {
    let mut update = connection.prepare_cached("UPDATE plans SET spent_by = ?2, spent_at = ?3 WHERE plan = ?1 AND spent_by IS NULL")?;
    update.execute(params![Blob(name), run.as_str(), now.millis()])?;
    plan(connection, name)
}
