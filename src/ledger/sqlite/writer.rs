//! The one thread that writes.
//!
//! In: commands on a channel. All that wait become one transaction, because one flush to disk takes as long for sixty as for one.
//! Out: an answer to each, only after the commit.
//! Never: an answer that is not durable; one command's refusal in another command's way.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use super::rows::{self, Blob, TRY};
use super::{balances, judgements, plans};
use crate::ledger::fold::{Try, before};
use crate::ledger::record::{Scope, ScopeTotals};
use crate::ledger::rules::{self, Changes, PLACE_HELD, View};
use crate::ledger::{AttemptStatus, BalanceNote, Grant, JobState, LedgerError, PlanRecord, RateWindow, Recipe, Record, SubmitIntent};
use crate::types::{Amount, AttemptNo, Clock, Digest, JobId, JobKey, RunId, Timestamp};

/// Most commands in one transaction: bounds how long the first of them waits, about 50 ms.
const GROUP: usize = 1024;

/// How long the channel must be silent before the log is copied into the database.
const IDLE: Duration = Duration::from_millis(250);

/// Where an answer goes; nobody may be waiting any more, which is their affair.
type Reply<T> = oneshot::Sender<Result<T, LedgerError>>;

/// What the thread can be told.
pub(super) enum Command {
    BeginSubmit(Box<SubmitIntent>, Reply<Grant>),
    Append { run: RunId, key: JobKey, records: Vec<Record>, recipe: Option<Recipe>, reply: Reply<JobState> },
    Remember { campaign: String, addresses: Vec<(JobId, JobKey)>, reply: Reply<()> },
    BeginPlan { plan: Digest, campaign: String, run: RunId, reply: Reply<PlanRecord> },
    EndPlan { plan: Digest, run: RunId, reply: Reply<Option<PlanRecord>> },
    NoteBalance { account: String, run: RunId, amount: Amount, reply: Reply<BalanceNote> },
}

/// Holds an answer back until the commit; given an error text it says that instead.
type Answer = Box<dyn FnOnce(Option<&str>) + Send>;

/// The thread, ended and waited for on drop.
pub(super) struct Writer {
    commands: Option<Sender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(connection: Connection, clock: Arc<dyn Clock>) -> Result<Self, LedgerError> {
        let (commands, inbox) = channel();
        let thread = std::thread::Builder::new().name("ledger".to_owned()).spawn(move || serve(&connection, &inbox, clock.as_ref()));
        let thread = thread.map_err(|error| LedgerError::Storage(format!("no thread for the ledger: {error}")))?;
        Ok(Self { commands: Some(commands), thread: Some(thread) })
    }

    /// Sends a command and waits until it is durable.
    pub(super) async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, LedgerError> {
        let gone = || LedgerError::Storage("its writer has ended".to_owned());
        let (reply, answer) = oneshot::channel();
        let commands = self.commands.as_ref().ok_or_else(gone)?;
        commands.send(command(reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.commands.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed already; every command it held was answered with an error.
            let _ = thread.join();
        }
    }
}

/// Serves groups until the ledger is dropped.
fn serve(connection: &Connection, inbox: &Receiver<Command>, clock: &dyn Clock) {
    let mut idle = true;
    loop {
        let first = if idle { inbox.recv().map_err(|_| RecvTimeoutError::Disconnected) } else { inbox.recv_timeout(IDLE) };
        match first {
            Ok(first) => {
                let mut group = vec![first];
                group.extend(inbox.try_iter().take(GROUP - 1));
                run_group(connection, clock, group);
                idle = false;
            }
            Err(RecvTimeoutError::Timeout) => {
                // Only a saving of time later: whatever is in the way, the log stays valid.
                let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
                idle = true;
            }
            Err(RecvTimeoutError::Disconnected) => {
                let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
                return;
            }
        }
    }
}

/// Runs commands as one transaction and answers them.
fn run_group(connection: &Connection, clock: &dyn Clock, commands: Vec<Command>) {
    let mut answers = Vec::with_capacity(commands.len());
    let mut commands = commands.into_iter();
    let done = transact(connection, clock, &mut commands, &mut answers);
    let failure = done.err().map(|error| storage_text(&error));
    for answer in answers {
        answer(failure.as_deref());
    }
    if let Some(failure) = &failure {
        commands.for_each(|command| refuse(command, failure));
    }
}

fn transact(
    connection: &Connection,
    clock: &dyn Clock,
    commands: &mut impl Iterator<Item = Command>,
    answers: &mut Vec<Answer>,
) -> Result<(), LedgerError> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let mut group = Group { connection, now: clock.now(), scopes: HashMap::new() };
    let done = commands.try_for_each(|command| group.run(command, answers)).and_then(|()| group.save_scopes());
    let done = done.and_then(|()| Ok(connection.execute_batch("COMMIT")?));
    if done.is_err() && !connection.is_autocommit() {
        // Should even this fail, the next BEGIN does too, and says so to its callers.
        let _ = connection.execute_batch("ROLLBACK");
    }
    done
}

/// What the rules decided: an answer, and what to write for it.
type Decided<T> = Result<(T, Option<Changes>), LedgerError>;

/// Money under one scope, as this group has read and moved it.
#[derive(Default)]
struct Money {
    totals: Vec<ScopeTotals>,
    moved: bool,
}

/// One transaction: reads and writes of the commands in it.
struct Group<'c> {
    connection: &'c Connection,
    now: Timestamp,
    /// Money that moved in this group, written once at its end: all commands touch the same few scopes.
    scopes: HashMap<Scope, Money>,
}

impl Group<'_> {
    /// Decides on a command, writes, and keeps the answer for later. An error here is one of the storage: it ends the group.
    fn run(&mut self, command: Command, answers: &mut Vec<Answer>) -> Result<(), LedgerError> {
        let now = self.now;
        match command {
            Command::BeginSubmit(intent, reply) => {
                let decided = rules::begin_submit(self, now, *intent);
                self.write(decided, reply, answers)
            }
            Command::Append { run, key, records, recipe, reply } => {
                let decided = rules::append(self, now, run, key, records, recipe).map(|(state, changes)| (state, Some(changes)));
                self.write(decided, reply, answers)
            }
            Command::Remember { campaign, addresses, reply } => {
                answers.push(later(Ok(()), reply));
                addresses.iter().try_for_each(|(job, key)| self.put_address(&campaign, job, key))
            }
            Command::BeginPlan { plan, campaign, run, reply } => {
                let known = plans::begin(self.connection, plan, &campaign, &run, now)?;
                answers.push(later(Ok(known), reply));
                Ok(())
            }
            Command::EndPlan { plan, run, reply } => {
                let known = plans::end(self.connection, plan, &run, now)?;
                answers.push(later(Ok(known), reply));
                Ok(())
            }
            Command::NoteBalance { account, run, amount, reply } => {
                let noted = balances::note(self.connection, account, run, amount, now)?;
                answers.push(later(Ok(noted), reply));
                Ok(())
            }
        }
    }

    fn write<T: Send + 'static>(&mut self, decided: Decided<T>, reply: Reply<T>, answers: &mut Vec<Answer>) -> Result<(), LedgerError> {
        match decided {
            Ok((answer, changes)) => {
                answers.push(later(Ok(answer), reply));
                changes.map_or(Ok(()), |changes| self.apply(changes))
            }
            Err(refusal) => {
                answers.push(later(Err(refusal), reply));
                Ok(())
            }
        }
    }

    fn apply(&mut self, changes: Changes) -> Result<(), LedgerError> {
        let Changes { at, run, key, records, opening, state, paid_try, totals, recipe } = changes;
        let mut last = None;
        for record in &records {
            let terms = opening.as_ref().filter(|_| last.is_none()).map(|opening| rows::json(&opening.terms)).transpose()?;
            let mut insert =
                self.connection.prepare_cached("INSERT INTO records (at, run, key, kind, body, terms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
            insert.execute(params![at.millis(), run.as_str(), Blob::from(&key), record.name(), rows::json(record)?, terms])?;
            let seq = self.connection.last_insert_rowid();
            judgements::put(self.connection, &key, seq, record)?;
            last = Some(seq);
        }
        if let Some(seq) = last {
            match (&paid_try, &opening) {
                // Before the job: it still points at the try before this one.
                (Some((attempt, paid_try)), Some(opening)) => self.open_try(seq, &key, *attempt, &opening.campaign, paid_try)?,
                (Some((_, paid_try)), None) => self.put_last_try(&key, paid_try)?,
                (None, _) => {}
            }
            self.put_job(&key, seq, opening.is_some().then_some(seq), &state)?;
        }
        for (scope, totals) in totals {
            // The rules have read every scope that they move, so all its currencies are here.
            let money = self.scopes.entry(scope).or_default();
            rules::put(&mut money.totals, totals);
            money.moved = true;
        }
        if let Some(recipe) = recipe {
            let mut insert = self
                .connection
                .prepare_cached("INSERT INTO recipes (job, body) SELECT id, ?2 FROM jobs WHERE key = ?1 ON CONFLICT (job) DO NOTHING")?;
            insert.execute(params![Blob::from(&key), rows::json(&recipe)?])?;
        }
        opening.map_or(Ok(()), |opening| self.put_address(&opening.campaign, &opening.job, &key))
    }

    fn put_job(&self, key: &JobKey, seq: i64, intent: Option<i64>, state: &JobState) -> Result<(), LedgerError> {
        let (attempt, body, artifact) = match state {
            JobState::Done { attempt, artifact } => (*attempt, None, Some(artifact)),
            other => (Some(other.last_attempt()), Some(rows::json(other)?), None),
        };
        let [digest, len, format, width, height, alpha] = rows::artifact_values(artifact);
        let mut upsert = self.connection.prepare_cached(
            "INSERT INTO jobs (key, seq, attempt, body, digest, len, format, width, height, alpha, intent)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
             ON CONFLICT (key) DO UPDATE SET seq = excluded.seq, attempt = excluded.attempt, body = excluded.body, digest = excluded.digest,
             len = excluded.len, format = excluded.format, width = excluded.width, height = excluded.height, alpha = excluded.alpha,
             intent = coalesce(excluded.intent, intent)",
        )?;
        let attempt = attempt.map(|attempt| attempt.0);
        upsert.execute(params![Blob::from(key), seq, attempt, body, digest, len, format, width, height, alpha, intent])?;
        Ok(())
    }

    fn open_try(&self, seq: i64, key: &JobKey, attempt: AttemptNo, campaign: &str, paid_try: &Try) -> Result<(), LedgerError> {
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO attempts
             (seq, key, attempt, run, campaign, account, scopes, currency, reserved, status, answered_at, touched_at, refunded, previous)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0, (SELECT intent FROM jobs WHERE jobs.key = ?2))",
        )?;
        insert.execute(params![
            seq,
            Blob::from(key),
            attempt.0,
            paid_try.run.as_str(),
            campaign,
            paid_try.account,
            rows::json(&paid_try.scopes)?,
            paid_try.reserved.currency.to_string(),
            paid_try.reserved.micros.get(),
            rows::status_code(paid_try.status),
            paid_try.answered_at.millis(),
            paid_try.touched_at.millis(),
        ])?;
        Ok(())
    }

    fn put_last_try(&self, key: &JobKey, paid_try: &Try) -> Result<(), LedgerError> {
        let [digest, len, format, width, height, alpha] = rows::artifact_values(paid_try.artifact.as_ref());
        let mut update = self.connection.prepare_cached(
            "UPDATE attempts SET status = ?2, answered_at = ?3, touched_at = ?4, finished_at = ?5, charged = ?6, refunded = ?7, error_code = ?8,
             task = ?9, digest = ?10, len = ?11, format = ?12, width = ?13, height = ?14, alpha = ?15
             WHERE seq = (SELECT intent FROM jobs WHERE jobs.key = ?1)",
        )?;
        update.execute(params![
            Blob::from(key),
            rows::status_code(paid_try.status),
            paid_try.answered_at.millis(),
            paid_try.touched_at.millis(),
            paid_try.finished_at.map(Timestamp::millis),
            paid_try.charged.map(crate::types::Micros::get),
            paid_try.refunded.get(),
            paid_try.error_code,
            paid_try.task.as_ref().map(crate::types::TaskId::as_str),
            digest,
            len,
            format,
            width,
            height,
            alpha,
        ])?;
        Ok(())
    }

    fn put_address(&self, campaign: &str, job: &JobId, key: &JobKey) -> Result<(), LedgerError> {
        let mut upsert = self.connection.prepare_cached(
            "INSERT INTO addresses (campaign, job, key) VALUES (?1, ?2, ?3)
             ON CONFLICT (campaign, job) DO UPDATE SET key = excluded.key WHERE key <> excluded.key",
        )?;
        upsert.execute(params![campaign, job.as_str(), Blob::from(key)])?;
        Ok(())
    }

    fn save_scopes(&mut self) -> Result<(), LedgerError> {
        let mut upsert = self.connection.prepare_cached(
            "INSERT INTO scopes (scope, currency, spent, reserved, in_doubt) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (scope, currency) DO UPDATE SET spent = excluded.spent, reserved = excluded.reserved, in_doubt = excluded.in_doubt",
        )?;
        for (scope, money) in self.scopes.iter().filter(|(_, money)| money.moved) {
            for ScopeTotals { currency, spent, reserved, in_doubt } in &money.totals {
                upsert.execute(params![scope.0, currency.to_string(), spent.get(), reserved.get(), in_doubt.get()])?;
            }
        }
        Ok(())
    }
}

impl View for Group<'_> {
    fn job(&mut self, key: &JobKey) -> Result<JobState, LedgerError> {
        super::read::job(self.connection, key)
    }

    fn last_try(&mut self, key: &JobKey) -> Result<Option<Try>, LedgerError> {
        let select = format!("SELECT {TRY} FROM attempts WHERE seq = (SELECT intent FROM jobs WHERE jobs.key = ?1)");
        let mut select = self.connection.prepare_cached(&select)?;
        let mut found = select.query(params![Blob::from(key)])?;
        found.next()?.map(rows::try_of).transpose()
    }

    fn scope(&mut self, scope: &Scope) -> Result<Vec<ScopeTotals>, LedgerError> {
        if let Some(money) = self.scopes.get(scope) {
            return Ok(money.totals.clone());
        }
        let totals = super::read::totals(self.connection, scope)?;
        self.scopes.insert(scope.clone(), Money { totals: totals.clone(), moved: false });
        Ok(totals)
    }

    fn places_taken(&mut self, account: &str, now: Timestamp) -> Result<u32, LedgerError> {
        let mut count = self
            .connection
            .prepare_cached("SELECT count(*) FROM attempts WHERE account = ?1 AND status <= 1 AND touched_at > ?2 AND touched_at < ?3")?;
        let (since, until) = (before(now, PLACE_HELD), now.after(PLACE_HELD));
        Ok(count.query_row(params![account, since.millis(), until.millis()], |row| row.get(0))?)
    }

    fn window_free_at(&mut self, account: &str, window: &RateWindow, now: Timestamp) -> Result<Timestamp, LedgerError> {
        let since = before(now, window.span).millis();
        let newest = now.after(window.span);
        let mut count = self.connection.prepare_cached("SELECT count(*) FROM attempts WHERE account = ?1 AND answered_at > ?2")?;
        if count.query_row(params![account, since], |row| row.get::<_, u32>(0))? < window.count {
            return Ok(now);
        }
        // In order of time, so answered slots (and those past their deadline) come before those still waited for.
        let mut slots = self
            .connection
            .prepare_cached("SELECT answered_at, status FROM attempts WHERE account = ?1 AND answered_at > ?2 ORDER BY answered_at")?;
        let (mut answered, mut waited_for) = (Vec::new(), 0);
        let mut found = slots.query(params![account, since])?;
        while let Some(row) = found.next()? {
            let at = Timestamp::from_millis(row.get(0)?);
            let submitting = rows::parsed_status(row, 1)? == AttemptStatus::Submitting;
            match at > now && submitting {
                true => waited_for += 1,
                false if at <= newest => answered.push(at),
                // Answered in the future: the machine's clock was set back. Not waited for, a refusal for rate is free.
                false => {}
            }
        }
        Ok(rules::free_at(&answered, waited_for, window, now))
    }
}

/// Keeps an answer until the commit is known.
fn later<T: Send + 'static>(answer: Result<T, LedgerError>, reply: Reply<T>) -> Answer {
    Box::new(move |failure| {
        let answer = failure.map_or(answer, |failure| Err(LedgerError::Storage(failure.to_owned())));
        let _ = reply.send(answer);
    })
}

fn refuse(command: Command, failure: &str) {
    match command {
        Command::BeginSubmit(_, reply) => later(Ok(Grant::Full), reply)(Some(failure)),
        Command::Append { reply, .. } => later(Ok(JobState::Untried), reply)(Some(failure)),
        Command::Remember { reply, .. } => later(Ok(()), reply)(Some(failure)),
        Command::BeginPlan { reply, .. } => drop(reply.send(Err(LedgerError::Storage(failure.to_owned())))),
        Command::EndPlan { reply, .. } => drop(reply.send(Err(LedgerError::Storage(failure.to_owned())))),
        Command::NoteBalance { reply, .. } => drop(reply.send(Err(LedgerError::Storage(failure.to_owned())))),
    }
}

fn storage_text(error: &LedgerError) -> String {
    match error {
        LedgerError::Storage(text) => text.clone(),
        other => other.to_string(),
    }
}
