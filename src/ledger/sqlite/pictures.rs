//! Reads which pictures the ledger names, and for whom.

use std::collections::{BTreeMap, HashMap};

use rusqlite::Connection;

use super::rows::Blob;
use crate::ledger::LedgerError;
use crate::ledger::history::{KeptPicture, Showing};
use crate::types::{BlobRef, JobId, JobKey};

/// Returns every picture that a job has or had, as of one moment; each once, with all shots that show it now.
pub(super) fn pictures(connection: &Connection) -> Result<Vec<KeptPicture>, LedgerError> {
    let snapshot = connection.unchecked_transaction()?;
    let shown = shown(&snapshot)?;
    // A picture that was made anew stands in its try only.
    let mut named =
        "SELECT digest, len, key, 1 FROM jobs WHERE digest IS NOT NULL UNION ALL SELECT digest, len, key, 0 FROM attempts WHERE digest IS NOT NULL"
            .to_owned();
    // One that was made here and turned down stands in its judgement only.
    if super::judgements::are_known(&snapshot)? {
        named.push_str(" UNION ALL SELECT digest, len, key, 0 FROM judgements");
    }
    let mut select = snapshot.prepare_cached(&named)?;
    let mut pictures: BTreeMap<_, KeptPicture> = BTreeMap::new();
    let mut found = select.query([])?;
    while let Some(row) = found.next()? {
        let digest = row.get::<_, Blob>(0)?.0;
        let len = u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
        let key = JobKey(row.get::<_, Blob>(2)?.0);
        let is_current: bool = row.get(3)?;
        let picture = pictures.entry(digest).or_insert_with(|| KeptPicture { blob: BlobRef { digest, len }, shots: Vec::new() });
        if is_current {
            picture.shots.extend(shown.get(&key).into_iter().flatten().cloned());
        }
    }
    Ok(pictures.into_values().collect())
}

/// Returns the shots of all campaigns by the key that they had when they were last run.
fn shown(connection: &Connection) -> Result<HashMap<JobKey, Vec<Showing>>, LedgerError> {
    let mut select = connection.prepare_cached("SELECT campaign, job, key FROM addresses ORDER BY campaign, job")?;
    let mut found = select.query([])?;
    let mut shown: HashMap<JobKey, Vec<Showing>> = HashMap::new();
    while let Some(row) = found.next()? {
        let showing = Showing { campaign: row.get(0)?, job: JobId::new(row.get::<_, String>(1)?) };
        shown.entry(JobKey(row.get::<_, Blob>(2)?.0)).or_default().push(showing);
    }
    Ok(shown)
}
