//! Noted balances in rows.

use rusqlite::{Connection, params};

use crate::ledger::{BalanceNote, LedgerError};
use crate::types::{Amount, Micros, RunId, Timestamp};

/// Format of the first ledger that notes balances.
const SINCE: u32 = 4;

/// Notes a balance and returns it with the last record of its moment.
pub(super) fn note(connection: &Connection, account: String, run: RunId, amount: Amount, now: Timestamp) -> Result<BalanceNote, LedgerError> {
    let after = super::read::last_seq(connection)?;
    let mut insert =
        connection.prepare_cached("INSERT INTO balances (account, run, at, after_record, currency, micros) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let last = i64::try_from(after).unwrap_or(i64::MAX);
    insert.execute(params![account, run.as_str(), now.millis(), last, amount.currency.to_string(), amount.micros.get()])?;
    Ok(BalanceNote { account, run, at: now, after, amount })
}

/// Returns the balances of an account, the oldest first; none in a ledger that is too old to have any.
pub(super) fn balances(connection: &Connection, account: &str) -> Result<Vec<BalanceNote>, LedgerError> {
    if super::schema::format_of(connection)? < SINCE {
        return Ok(Vec::new());
    }
    let mut select = connection.prepare_cached("SELECT run, at, after_record, currency, micros FROM balances WHERE account = ?1 ORDER BY id")?;
    let mut found = select.query([account])?;
    let mut notes = Vec::new();
    while let Some(row) = found.next()? {
        let currency: String = row.get(3)?;
        let currency =
            currency.parse().map_err(|_| LedgerError::Storage(format!("a balance of `{account}` is in `{currency}`, which is no currency")))?;
        notes.push(BalanceNote {
            account: account.to_owned(),
            run: RunId::new(row.get::<_, String>(0)?),
            at: Timestamp::from_millis(row.get(1)?),
            after: super::rows::seq_number(row.get(2)?),
            amount: Amount::new(currency, Micros::new(row.get(4)?)),
        });
    }
    Ok(notes)
}
