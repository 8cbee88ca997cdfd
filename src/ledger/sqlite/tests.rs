//! What only a file can do: be of another format, of another program, full, unreadable.

use std::path::PathBuf;

use super::*;
use crate::ledger::contract::stage::{StageClock, accepted, credits, done, intent, judged, key, run};
use crate::types::Micros;

fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("ledger.db");
    (folder, path)
}

fn try_open(path: &Path) -> Result<SqliteLedger, LedgerError> {
    SqliteLedger::open(path, StageClock::new(), Durability::Full)
}

fn raw(path: &Path, sql: &str) {
    Connection::open(path).expect("the file opens").execute_batch(sql).expect("the statement runs");
}

fn refusal(path: &Path) -> String {
    match try_open(path) {
        Ok(_) => "opened".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let (_folder, path) = file();
    drop(try_open(&path).expect("a new ledger opens"));
    raw(&path, "PRAGMA user_version = 9");
    let before = std::fs::read(&path).expect("the file can be read");
    insta::assert_snapshot!(refusal(&path), @"the ledger has format 9, this callsheet reads up to 6");
    assert_eq!(std::fs::read(&path).expect("the file can be read"), before);
}

/// What format 1 had in the place of today's table, with a row that such a file held.
const SCOPES_OF_FORMAT_1: &str = "
    CREATE TABLE older (
        scope TEXT PRIMARY KEY, currency TEXT NOT NULL, spent INTEGER NOT NULL, reserved INTEGER NOT NULL, in_doubt INTEGER NOT NULL
    ) WITHOUT ROWID;
    INSERT INTO older SELECT scope, currency, spent, reserved, in_doubt FROM scopes;
    DROP TABLE scopes;
    ALTER TABLE older RENAME TO scopes;
    DROP TABLE plans;
    DROP TABLE balances;
    DROP TABLE batches;
    DROP TABLE batch_shots;
    DROP TABLE judgements;
    PRAGMA user_version = 1;
";

#[tokio::test]
async fn a_file_of_format_1_is_read_as_it_is_and_brought_up_by_the_first_writer() {
    let (_folder, path) = file();
    let ledger = try_open(&path).expect("a new ledger opens");
    for job in ["hero", "side"] {
        ledger.begin_submit(intent(job, 1)).await.expect("granted");
    }
    ledger.append(run("r1"), key("hero"), vec![accepted(1, "t"), done(1, 3)], None).await.expect("legal");
    let (scope, before) = (Scope("campaign:spring".into()), ledger.entries(0).expect("it can be read"));
    drop(ledger);
    raw(&path, SCOPES_OF_FORMAT_1);

    let expected = |totals: Vec<ScopeTotals>| totals.iter().map(|totals| format!("{totals:?}")).collect::<Vec<_>>();
    let reader = SqliteReader::open(&path).expect("older files can be read").expect("it is there");
    let as_it_was = expected(reader.totals(&scope).expect("totals can be read"));
    drop(reader);
    let ledger = try_open(&path).expect("older files open");
    let totals = ledger.totals(&scope).expect("totals can be read");
    assert_eq!((totals[0].spent, totals[0].reserved, totals.len()), (Micros::units(3), Micros::units(4), 1));
    assert_eq!((expected(totals), ledger.entries(0).expect("it can be read")), (as_it_was, before));
    let dollar = crate::types::Amount::new(crate::types::Currency::Usd, Micros::units(1));
    let other = SubmitIntent { quoted: dollar.clone(), reserved: dollar, ..intent("other", 1) };
    ledger.begin_submit(other).await.expect("a second currency has its own row");
    assert_eq!(ledger.totals(&scope).expect("totals can be read").len(), 2);
    drop(ledger);
    let version: i64 = Connection::open(&path).and_then(|file| file.pragma_query_value(None, "user_version", |row| row.get(0))).expect("it opens");
    assert_eq!(version, 6);
}

#[tokio::test]
async fn a_ledger_of_format_2_knows_no_plans_until_a_writer_brings_it_up() {
    let (_folder, path) = file();
    drop(try_open(&path).expect("a new ledger opens"));
    raw(&path, "DROP TABLE plans; DROP TABLE balances; DROP TABLE batches; DROP TABLE batch_shots; DROP TABLE judgements; PRAGMA user_version = 2");
    let plan = crate::types::Digest::of(b"plan");
    let reader = SqliteReader::open(&path).expect("it opens").expect("it is there");
    assert_eq!(reader.plan(plan).expect("it can be read"), None);
    let ledger = try_open(&path).expect("it is brought up");
    let begun = ledger.begin_plan(plan, "spring", run("r1")).await.expect("noted");
    assert_eq!(reader.plan(plan).expect("it can be read"), Some(begun));
}

#[tokio::test]
async fn a_ledger_of_format_3_knows_no_balances_until_a_writer_brings_it_up() {
    let (_folder, path) = file();
    drop(try_open(&path).expect("a new ledger opens"));
    raw(&path, "DROP TABLE balances; DROP TABLE batches; DROP TABLE batch_shots; DROP TABLE judgements; PRAGMA user_version = 3");
    let reader = super::schema::open_reader(&path).expect("it opens");
    assert_eq!(super::balances::balances(&reader, "kie:K").expect("it can be read"), []);
    let ledger = try_open(&path).expect("it is brought up");
    let noted = ledger.note_balance("kie:K", run("r1"), credits(4)).await.expect("noted");
    assert_eq!(super::balances::balances(&reader, "kie:K").expect("it can be read"), [noted]);
}

#[tokio::test]
async fn a_ledger_of_format_4_knows_no_batches_until_a_writer_brings_it_up() {
    let (_folder, path) = file();
    drop(try_open(&path).expect("a new ledger opens"));
    raw(&path, "DROP TABLE batches; DROP TABLE batch_shots; DROP TABLE judgements; PRAGMA user_version = 4");
    let reader = super::schema::open_reader(&path).expect("it opens");
    let of = |reader: &Connection| super::batches::of(reader, key("hero"), AttemptNo(1)).expect("it can be read");
    assert_eq!(of(&reader), None);
    let ledger = try_open(&path).expect("it is brought up");
    ledger.note_sending(NewBatch { name: "r1.1".to_owned(), run: run("r1"), shots: vec![(key("hero"), AttemptNo(1))] }).await.expect("noted");
    assert_eq!(of(&reader).map(|note| note.name).as_deref(), Some("r1.1"));
}

#[tokio::test]
async fn a_ledger_of_format_5_knows_no_judgements_until_a_writer_brings_it_up() {
    let (_folder, path) = file();
    let ledger = try_open(&path).expect("a new ledger opens");
    ledger.begin_submit(intent("hero", 1)).await.expect("granted");
    ledger.append(run("r1"), key("hero"), vec![done(1, 3)], None).await.expect("legal");
    drop(ledger);
    raw(&path, "DROP TABLE judgements; PRAGMA user_version = 5");
    let reader = SqliteReader::open(&path).expect("it opens").expect("it is there");
    let history = reader.history("spring", &[key("hero")]).expect("it can be read");
    assert!(history.artifact(&key("hero")).is_some() && history.judged.is_empty());
    assert_eq!(reader.pictures().expect("they can be read").len(), 1);
    let ledger = try_open(&path).expect("it is brought up");
    ledger.append(run("r2"), key("hero"), vec![judged(1, false)], None).await.expect("legal");
    assert_eq!(reader.history("spring", &[key("hero")]).expect("it can be read").judged(&key("hero")).len(), 1);
    assert_eq!(reader.pictures().expect("they can be read").len(), 1, "what is turned down is named by its try");
}

#[tokio::test]
async fn a_picture_that_was_made_here_and_turned_down_is_still_named() {
    let (_folder, path) = file();
    let ledger = try_open(&path).expect("a new ledger opens");
    let (job, artifact) = (JobId::new("sheet"), crate::ledger::contract::stage::picture(7));
    let judged = Record::Judged { job: job.clone(), of: None, artifact, accepted: false, findings: Vec::new() };
    ledger.append(run("r1"), key("sheet"), vec![Record::Made { job, artifact }, judged], None).await.expect("legal");
    let reader = SqliteReader::open(&path).expect("it opens").expect("it is there");
    assert_eq!(reader.pictures().expect("they can be read").iter().map(|picture| picture.blob).collect::<Vec<_>>(), [artifact.blob]);
}

#[test]
fn files_of_others_are_refused_and_left_alone() {
    let (_folder, path) = file();
    raw(&path, "CREATE TABLE theirs (x)");
    let before = std::fs::read(&path).expect("the file can be read");
    insta::assert_snapshot!(refusal(&path), @"the ledger cannot be used: the file is a database of another program");
    assert_eq!(std::fs::read(&path).expect("the file can be read"), before);
    std::fs::write(&path, "a text, longer than the header of a database, which is a hundred bytes; so it is padded ".repeat(9)).expect("written");
    insta::assert_snapshot!(refusal(&path), @"the ledger cannot be used: file is not a database");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = file();
    let ledger = try_open(&path).expect("a new ledger opens");
    ledger.begin_submit(intent("hero", 1)).await.expect("granted");
    for file in std::fs::read_dir(folder.path()).expect("the folder can be read") {
        let file = file.expect("the folder can be read");
        let mode = file.metadata().expect("the file is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", file.path());
    }
}

#[tokio::test]
async fn every_commit_is_flushed_by_default() {
    let (_folder, path) = file();
    let connection = schema::open_writer(&path, Durability::default()).expect("a new ledger opens");
    let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).expect("the setting can be read");
    assert_eq!(synchronous, 2, "2 is FULL");
}

#[tokio::test]
async fn a_full_disk_refuses_the_whole_group_and_harms_nothing() {
    let (_folder, path) = file();
    let connection = schema::open_writer(&path, Durability::Full).expect("a new ledger opens");
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).expect("the size can be read");
    connection.pragma_update_and_check(None, "max_page_count", pages + 3, |_| Ok(())).expect("the limit is set");
    let writer = Writer::start(connection, StageClock::new()).expect("the thread starts");
    let reader = Mutex::new(schema::open_reader(&path).expect("it opens twice"));
    let ledger = SqliteLedger { writer, reader };

    let mut granted = Vec::new();
    let refused = loop {
        let job = format!("job-{}", granted.len());
        match ledger.begin_submit(intent(&job, 1)).await {
            Ok(_) => granted.push(job),
            Err(error) => break error,
        }
        assert!(granted.len() < 10_000, "the disk never fills up");
    };
    insta::assert_snapshot!(refused, @"the ledger cannot be used: database or disk is full");
    let asks: Vec<_> = (0..8).map(|n| ledger.begin_submit(intent(&format!("later-{n}"), 1))).collect();
    for answer in futures_util::future::join_all(asks).await {
        assert!(matches!(answer, Err(LedgerError::Storage(_))), "{answer:?}");
    }
    let scope = Scope("campaign:spring".into());
    let held = ledger.totals(&scope).expect("totals can be read").first().expect("the scope was used").reserved;
    assert_eq!(held, Micros::units(4 * i64::try_from(granted.len()).expect("few")));
    drop(ledger);

    let ledger = try_open(&path).expect("it opens again");
    assert_eq!(ledger.last_seq().expect("the ledger can be read"), granted.len() as u64);
    ledger.append(run("r1"), key("job-0"), vec![accepted(1, "t"), done(1, 4)], None).await.expect("there is room again");
}

#[tokio::test]
async fn one_refusal_in_a_group_leaves_its_neighbours_alone() {
    let (_folder, path) = file();
    let ledger = try_open(&path).expect("a new ledger opens");
    // Polled together, so all of them wait in the channel for the same transaction.
    let asks: Vec<_> = (0..60).map(|n| ledger.append(run("r1"), key("never"), vec![done(n, 4)], None).boxed()).collect();
    let good: Vec<_> = (0..60).map(|n| ledger.begin_submit(intent(&format!("job-{n}"), 1))).collect();
    let (refused, granted) = futures_util::future::join(futures_util::future::join_all(asks), futures_util::future::join_all(good)).await;
    assert!(refused.iter().all(|answer| matches!(answer, Err(LedgerError::Illegal(_)))));
    assert!(granted.iter().all(|answer| matches!(answer, Ok(Grant::Granted { .. }))));
    assert_eq!(ledger.last_seq().expect("the ledger can be read"), 60);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_named() {
    let (_folder, path) = file();
    let ledger = try_open(&path).expect("a new ledger opens");
    ledger.begin_submit(intent("hero", 1)).await.expect("granted");
    ledger.begin_submit(intent("side", 1)).await.expect("granted");
    raw(&path, "UPDATE records SET body = '{' WHERE seq = 2; UPDATE jobs SET body = 'half' WHERE seq = 2");
    let told = |error: LedgerError| error.to_string();
    insta::assert_snapshot!(told(ledger.entries(0).expect_err("broken")), @"ledger record 2 cannot be read: EOF while parsing an object at line 1 column 1");
    insta::assert_snapshot!(told(ledger.load(key("side")).expect_err("broken")), @"ledger record 2 cannot be read: expected value at line 1 column 1");
    assert!(ledger.load(key("hero")).is_ok(), "others are not harmed");
    let answer = ledger.append(run("r1"), key("side"), vec![done(1, 4)], None).await;
    assert!(matches!(answer, Err(LedgerError::Corrupt { seq: 2, .. })), "{answer:?}");
}

#[tokio::test]
async fn a_command_whose_asker_gave_up_is_carried_out_or_not_but_never_half() {
    let (_folder, path) = file();
    let ledger = try_open(&path).expect("a new ledger opens");
    let mut ask = ledger.begin_submit(intent("hero", 1));
    assert!((&mut ask).now_or_never().is_none(), "the answer takes a flush");
    drop(ask);
    drop(ledger.begin_submit(intent("side", 1)));
    ledger.begin_submit(intent("last", 1)).await.expect("granted");
    assert_eq!(ledger.load(key("hero")).expect("a state can be read").name(), "submitting");
    assert_eq!(ledger.load(key("side")).expect("a state can be read").name(), "untried", "it was never polled");
}
