//! Every operation on the disk fails once, in turn.
//!
//! ```text
//! a run in which operation 1, 2, … N fails ─▶ look at what is there ─▶ a run without failures ─▶ look again, and at the provider's books
//! ```
//!
//! Real: the driver, the machine, the SQLite ledger, the store of files. The provider is a scripted one with books of its own.
//! A file operation of the store is told an error in its place, and a write takes half of its bytes first. A command of the ledger is
//! told an error before or after it was durable. In child processes the system itself refuses every byte past a limit
//! (`ulimit -f`), so that SQLite's own writes fail, at every size.
//!
//! In: how much. Out: [`Tried`]. Never: a disk other than a temporary folder.

mod stage;

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use callsheet::ledger::sqlite::{Durability, SqliteLedger};
use callsheet::ledger::{
    AttemptRow, Grant, History, JobState, Judgement, Ledger, LedgerError, PlanRecord, Recipe, Record, Scope, ScopeTotals, SubmitIntent,
};
use callsheet::store::fs::{FsStore, Mishaps};
use callsheet::types::{Digest, JobId, JobKey, RunId, SystemClock};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

pub use stage::{Books, SHOTS, Shape};

/// What the system says when it refuses: no space, an error of the device, a disk that can only be read.
pub const REFUSALS: [(&str, i32); 3] = [("ENOSPC", 28), ("EIO", 5), ("EROFS", 30)];

/// First argument of the child process that is given a limit.
pub const CHILD: &str = "--files-child";

/// What became of the tries.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tried {
    /// Operations that failed, each in a run of its own.
    pub failures: usize,
    /// Different operations in one run.
    pub operations: usize,
    /// Files that were not what their names say.
    pub broken_files: usize,
    /// Paid requests beyond the first for a shot.
    pub paid_twice: usize,
    /// Paid pictures that came with the answer and could not be kept; the next run buys them again, and the ledger says so.
    pub lost_with_answer: usize,
    /// Shots that were left in doubt, by name.
    pub in_doubt: usize,
    /// Runs after which something was left undone that was not in doubt.
    pub unfinished: usize,
    /// Paid requests that the ledger does not know.
    pub unknown: usize,
}

impl Tried {
    /// Adds another's.
    pub fn add(&mut self, other: Self) {
        self.failures += other.failures;
        self.operations = self.operations.max(other.operations);
        self.broken_files += other.broken_files;
        self.paid_twice += other.paid_twice;
        self.lost_with_answer += other.lost_with_answer;
        self.in_doubt += other.in_doubt;
        self.unfinished += other.unfinished;
        self.unknown += other.unknown;
    }
}

/// A workspace in a temporary folder.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder can be made"))
    }

    fn store(&self) -> FsStore {
        FsStore::open(&self.0.path().join("blobs")).expect("the store can be opened")
    }

    fn ledger(&self) -> Result<SqliteLedger, LedgerError> {
        SqliteLedger::open(&self.0.path().join("ledger.db"), Arc::new(SystemClock), Durability::Full)
    }

    /// Runs without failures and looks at what there is.
    fn recover(&self, shape: Shape, books: &Books) -> Tried {
        let mut tried = Tried { failures: 1, broken_files: stage::broken_files(&self.0.path().join("blobs")), ..Tried::default() };
        let run = || {
            let ledger: Arc<dyn Ledger> = Arc::new(self.ledger().expect("the ledger can be opened again"));
            block_on(stage::run_on(ledger, &self.store(), shape, books, false)).expect("nothing fails any more")
        };
        let outcome = run();
        let (pictures, in_doubt) = stage::tally(&outcome);
        let undone = outcome.jobs.iter().filter(|job| job.artifact().is_none()).count();
        let waiting = outcome.stats.in_doubt + outcome.stats.skipped;
        tried.in_doubt = in_doubt;
        tried.unfinished = usize::from(pictures + undone != SHOTS || undone != waiting);
        let taken = books.taken();
        run();
        tried.broken_files += stage::broken_files(&self.0.path().join("blobs"));
        let rows = self.ledger().and_then(|ledger| ledger.attempts("files", &[])).expect("the tries can be read").len();
        tried.unknown = books.taken().saturating_sub(rows);
        tried.paid_twice = books.twice() + (books.taken() - taken);
        tried
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    runtime.block_on(future)
}

/// Lets every file operation of the store fail once.
pub fn store(shape: Shape, refusal: i32) -> Tried {
    let mut all = Tried::default();
    for at in 1.. {
        let (place, books) = (Place::new(), Books::default());
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let mishaps = Mishaps(Arc::new(move |_| {
            let is_it = counted.fetch_add(1, Ordering::SeqCst) + 1 == at;
            if is_it { Err(io::Error::from_raw_os_error(refusal)) } else { Ok(()) }
        }));
        let ledger: Arc<dyn Ledger> = Arc::new(place.ledger().expect("the ledger can be opened"));
        // However it ends: what counts is what is there afterwards.
        let _ = block_on(stage::run_on(ledger, &place.store().with_mishaps(mishaps), shape, &books, false));
        let operations = count.load(Ordering::SeqCst);
        if operations < at {
            return Tried { operations, ..all };
        }
        let mut tried = place.recover(shape, &books);
        if shape == Shape::Picture {
            // The picture came with the answer and the disk refused it: it is gone, and the ledger counts both tries.
            (tried.lost_with_answer, tried.paid_twice) = (tried.paid_twice.min(1), tried.paid_twice.saturating_sub(1));
        }
        all.add(tried);
    }
    all
}

/// Lets every command of the ledger fail once, before or after it was durable.
pub fn ledger(shape: Shape, after: bool) -> Tried {
    let mut all = Tried::default();
    for at in 1.. {
        let (place, books) = (Place::new(), Books::default());
        let failing = Arc::new(Failing { ledger: place.ledger().expect("the ledger can be opened"), at, after, commands: AtomicUsize::new(0) });
        let _ = block_on(stage::run_on(Arc::clone(&failing) as Arc<dyn Ledger>, &place.store(), shape, &books, false));
        let operations = failing.commands.load(Ordering::SeqCst);
        drop(failing);
        if operations < at {
            return Tried { operations, ..all };
        }
        all.add(place.recover(shape, &books));
    }
    all
}

/// Lets the system refuse every byte of a file past a limit, from nothing on, until a run is not refused any more.
pub fn limits(shape: Shape, step: usize) -> Tried {
    let mut all = Tried::default();
    for blocks in (0..).step_by(step) {
        let (place, books) = (Place::new(), Books::default());
        let program = std::env::current_exe().expect("the bench knows where it stands");
        let ended = Command::new("sh")
            // The system's own signal is ignored, so that a write is refused and the process lives on.
            .args(["-c", "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"", "sh", &blocks.to_string()])
            .arg(program)
            .arg(CHILD)
            .arg(place.0.path())
            .arg(if shape == Shape::Task { "task" } else { "picture" })
            .stderr(Stdio::null())
            .output()
            .expect("a shell is there");
        String::from_utf8_lossy(&ended.stdout).lines().for_each(|subject| books.note(subject));
        if ended.status.success() {
            return all;
        }
        let mut tried = place.recover(shape, &books);
        if shape == Shape::Picture {
            (tried.lost_with_answer, tried.paid_twice) = (tried.paid_twice, 0);
        }
        all.add(tried);
        all.operations += 1;
    }
    all
}

/// Is the child process: runs the campaign and says aloud what the provider takes.
pub fn child(folder: &Path, shape: &str) -> bool {
    let shape = if shape == "task" { Shape::Task } else { Shape::Picture };
    let Ok(ledger) = SqliteLedger::open(&folder.join("ledger.db"), Arc::new(SystemClock), Durability::Full) else { return false };
    let Ok(store) = FsStore::open(&folder.join("blobs")) else { return false };
    block_on(stage::run_on(Arc::new(ledger), &store, shape, &Books::default(), true)).is_ok_and(|outcome| stage::tally(&outcome).0 == SHOTS)
}

/// A ledger whose command number `at` fails.
struct Failing {
    ledger: SqliteLedger,
    at: usize,
    after: bool,
    commands: AtomicUsize,
}

impl Failing {
    async fn command<T>(&self, command: impl Future<Output = Result<T, LedgerError>>) -> Result<T, LedgerError> {
        if self.commands.fetch_add(1, Ordering::SeqCst) + 1 != self.at {
            return command.await;
        }
        if self.after {
            let _ = command.await;
        }
        Err(LedgerError::Storage("disk I/O error".to_owned()))
    }
}

impl Ledger for Failing {
    fn begin_submit(&self, intent: SubmitIntent) -> BoxFuture<'_, Result<Grant, LedgerError>> {
        self.command(self.ledger.begin_submit(intent)).boxed()
    }

    fn append(&self, run: RunId, key: JobKey, records: Vec<Record>, recipe: Option<Recipe>) -> BoxFuture<'_, Result<JobState, LedgerError>> {
        self.command(self.ledger.append(run, key, records, recipe)).boxed()
    }

    fn load(&self, key: JobKey) -> Result<JobState, LedgerError> {
        self.ledger.load(key)
    }

    fn judgements(&self, key: JobKey) -> Result<Vec<Judgement>, LedgerError> {
        self.ledger.judgements(key)
    }

    fn history(&self, campaign: &str, keys: &[JobKey]) -> Result<History, LedgerError> {
        self.ledger.history(campaign, keys)
    }

    fn remember(&self, campaign: &str, addresses: Vec<(JobId, JobKey)>) -> BoxFuture<'_, Result<(), LedgerError>> {
        self.command(self.ledger.remember(campaign, addresses)).boxed()
    }

    fn recipe(&self, key: JobKey) -> Result<Option<Recipe>, LedgerError> {
        self.ledger.recipe(key)
    }

    fn attempts(&self, campaign: &str, keys: &[JobKey]) -> Result<Vec<AttemptRow>, LedgerError> {
        self.ledger.attempts(campaign, keys)
    }

    fn totals(&self, scope: &Scope) -> Result<Vec<ScopeTotals>, LedgerError> {
        self.ledger.totals(scope)
    }

    fn last_seq(&self) -> Result<u64, LedgerError> {
        self.ledger.last_seq()
    }

    fn begin_plan(&self, plan: Digest, campaign: &str, run: RunId) -> BoxFuture<'_, Result<PlanRecord, LedgerError>> {
        self.command(self.ledger.begin_plan(plan, campaign, run)).boxed()
    }

    fn end_plan(&self, plan: Digest, run: RunId) -> BoxFuture<'_, Result<Option<PlanRecord>, LedgerError>> {
        self.command(self.ledger.end_plan(plan, run)).boxed()
    }

    fn plan(&self, plan: Digest) -> Result<Option<PlanRecord>, LedgerError> {
        self.ledger.plan(plan)
    }
}
