//! The file: who owns it, which format it has, how an older one is brought up.
//!
//! Only INTEGER, TEXT and BLOB are used, money in millionths, moments in milliseconds, so that another database can hold the same tables.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::Durability;
use crate::ledger::LedgerError;

/// "call" in ASCII, in the file's header: this database is a callsheet ledger.
const APPLICATION_ID: i32 = 0x6361_6c6c;

/// How long a writer waits for the writer of another process, 10 seconds: groups take milliseconds, so longer is an error.
const BUSY_PATIENCE: Duration = Duration::from_secs(10);

/// Pages after which a commit copies the log into the database, 16 MiB: idle moments do it earlier and disturb nobody.
const CHECKPOINT_PAGES: u32 = 4096;

/// Each migration brings a file from the format of its index to the next one.
const MIGRATIONS: [&str; 5] = [FORMAT_1, FORMAT_2, FORMAT_3, FORMAT_4, FORMAT_5];

/// Newest format that this code reads and writes.
pub(super) const FORMAT: u32 = MIGRATIONS.len() as u32;

const FORMAT_1: &str = "
    CREATE TABLE records (
        seq INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        run TEXT NOT NULL,
        key BLOB NOT NULL,
        kind TEXT NOT NULL,
        body TEXT NOT NULL,
        terms TEXT
    );
    -- From here on: sums of the records, kept in the same transaction.
    -- Rows in order of arrival: a job's three records touch pages that its neighbours in time touch too, and the random key is
    -- written once, into one index. `intent` is the last paid try.
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY,
        key BLOB NOT NULL UNIQUE,
        seq INTEGER NOT NULL,
        intent INTEGER,
        attempt INTEGER,
        body TEXT,
        digest BLOB, len INTEGER, format TEXT, width INTEGER, height INTEGER, alpha INTEGER
    );
    CREATE TABLE attempts (
        seq INTEGER PRIMARY KEY,
        previous INTEGER,
        key BLOB NOT NULL,
        attempt INTEGER NOT NULL,
        run TEXT NOT NULL,
        campaign TEXT NOT NULL,
        account TEXT NOT NULL,
        scopes TEXT NOT NULL,
        currency TEXT NOT NULL,
        reserved INTEGER NOT NULL,
        status INTEGER NOT NULL,
        answered_at INTEGER NOT NULL,
        touched_at INTEGER NOT NULL,
        finished_at INTEGER,
        charged INTEGER,
        refunded INTEGER NOT NULL,
        error_code TEXT,
        task TEXT,
        digest BLOB, len INTEGER, format TEXT, width INTEGER, height INTEGER, alpha INTEGER
    );
    CREATE INDEX attempts_of_campaign ON attempts (campaign);
    CREATE INDEX rate_slots ON attempts (account, answered_at);
    CREATE INDEX places ON attempts (account) WHERE status <= 1;
    CREATE TABLE scopes (
        scope TEXT PRIMARY KEY,
        currency TEXT NOT NULL,
        spent INTEGER NOT NULL,
        reserved INTEGER NOT NULL,
        in_doubt INTEGER NOT NULL
    ) WITHOUT ROWID;
    -- Not from records: what a plan called its jobs, and what their keys were made of.
    CREATE TABLE addresses (
        campaign TEXT NOT NULL,
        job TEXT NOT NULL,
        key BLOB NOT NULL,
        PRIMARY KEY (campaign, job)
    ) WITHOUT ROWID;
    CREATE TABLE recipes (
        job INTEGER PRIMARY KEY,
        body TEXT NOT NULL
    );
";

/// Money is counted per scope and currency: before, a scope had the currency of its first try for good.
const FORMAT_2: &str = "
    CREATE TABLE scopes_by_currency (
        scope TEXT NOT NULL,
        currency TEXT NOT NULL,
        spent INTEGER NOT NULL,
        reserved INTEGER NOT NULL,
        in_doubt INTEGER NOT NULL,
        PRIMARY KEY (scope, currency)
    ) WITHOUT ROWID;
    INSERT INTO scopes_by_currency SELECT scope, currency, spent, reserved, in_doubt FROM scopes;
    DROP TABLE scopes;
    ALTER TABLE scopes_by_currency RENAME TO scopes;
";

/// Saved plans of which a run has begun, by the digest of the file.
const FORMAT_3: &str = "
    CREATE TABLE plans (
        plan BLOB PRIMARY KEY,
        campaign TEXT NOT NULL,
        begun_by TEXT NOT NULL,
        begun_at INTEGER NOT NULL,
        spent_by TEXT,
        spent_at INTEGER
    ) WITHOUT ROWID;
";

/// What was left on an account at the start of each run, and after which record.
const FORMAT_4: &str = "
    CREATE TABLE balances (
        id INTEGER PRIMARY KEY,
        account TEXT NOT NULL,
        run TEXT NOT NULL,
        at INTEGER NOT NULL,
        after_record INTEGER NOT NULL,
        currency TEXT NOT NULL,
        micros INTEGER NOT NULL
    );
";

/// Pictures that were looked at: the latest judgement of each, by job and try; 0 is local work.
const FORMAT_5: &str = "
    CREATE TABLE judgements (
        key BLOB NOT NULL,
        attempt INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        digest BLOB NOT NULL,
        len INTEGER NOT NULL,
        PRIMARY KEY (key, attempt)
    ) WITHOUT ROWID;
";

/// Opens the file for writing, creates or migrates it.
pub(super) fn open_writer(path: &Path, durability: Durability) -> Result<Connection, LedgerError> {
    create_private(path)?;
    let mut connection = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE))?;
    connection.busy_timeout(BUSY_PATIENCE)?;
    check_format(&connection)?;
    enter_wal(&connection)?;
    // Stated on every connection: not every build of SQLite keeps FULL as its default.
    connection.pragma_update(None, "synchronous", durability.pragma())?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.set_prepared_statement_cache_capacity(64);
    migrate(&mut connection)?;
    Ok(connection)
}

/// Opens the file a second time, for reading what is committed.
pub(super) fn open_reader(path: &Path) -> Result<Connection, LedgerError> {
    // Not SQLITE_OPEN_READ_ONLY: the first reader after a crash has to recover the log.
    let connection = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE))?;
    connection.busy_timeout(BUSY_PATIENCE)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn flags(mode: OpenFlags) -> OpenFlags {
    // Each connection stays with one thread or behind one mutex, so SQLite needs no locks of its own.
    mode | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// Creates the file readable by its owner only: prompts may be confidential. The log files take its rights over.
fn create_private(path: &Path) -> Result<(), LedgerError> {
    let failed = |error: std::io::Error| LedgerError::Storage(format!("`{}`: {error}", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(failed)
}

/// Refuses other programs' databases and newer formats before anything is written.
pub(super) fn check_format(connection: &Connection) -> Result<(), LedgerError> {
    let owner: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if owner != APPLICATION_ID && (owner != 0 || tables > 0) {
        return Err(LedgerError::Storage("the file is a database of another program".to_owned()));
    }
    let found = format_of(connection)?;
    if found > FORMAT {
        return Err(LedgerError::NewerFormat { found, supported: FORMAT });
    }
    Ok(())
}

pub(super) fn format_of(connection: &Connection) -> Result<u32, LedgerError> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    u32::try_from(version).map_err(|_| LedgerError::Storage(format!("the ledger's format is {version}")))
}

/// Switches to the write-ahead log. SQLite does not wait for another process that is doing the same, so this does.
fn enter_wal(connection: &Connection) -> Result<(), LedgerError> {
    let started = Instant::now();
    loop {
        let answer = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0));
        match answer {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => return Err(LedgerError::Storage(format!("the file system keeps the ledger in `{mode}` mode instead of `wal`"))),
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) && started.elapsed() < BUSY_PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn migrate(connection: &mut Connection) -> Result<(), LedgerError> {
    if format_of(connection)? == FORMAT {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Read again under the lock: another process may have been faster.
    let found = format_of(&transaction)?;
    for migration in MIGRATIONS.iter().skip(found as usize) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", FORMAT.max(found))?;
    transaction.commit()?;
    Ok(())
}
