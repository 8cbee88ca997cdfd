//! A run that finds nothing to do: it makes sure that the tree shows what is done, and says why there is nothing.
//!
//! In: what was asked for, what the workspace remembers. Out: sentences, and with `--json` the events of a run that buys nothing.
//! Never: a request, a record.

use std::time::Duration;

use super::Assignment;
use super::next::review;
use crate::cli::console;
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::memory::Memory;
use crate::cli::performance;
use crate::cli::publish::Material;
use crate::cli::standing::campaign_scope;
use crate::cli::workspace::Stage;
use crate::event::{Event, EventKind, RunStats};
use crate::ledger::{ScopeTotals, WorkspaceLock};
use crate::plan::{JobIx, PickCell, Work};
use crate::reporter::{JsonLines, Reporter as _};
use crate::types::diagnostic::counted;
use crate::types::{Amount, Clock as _, Micros, SystemClock};

/// Says that nothing is left, and makes sure that the tree shows it.
pub(super) fn nothing_to_do(assignment: Assignment<'_>, memory: &Memory) -> Outcome<Exit> {
    let Assignment { args, opened, workspace, standing, shelf } = assignment;
    let doubts = standing.estimate.in_doubt.count;
    if memory.is_there() && !shelf.is_current(opened, standing.seq) {
        // The run that did it all may still be writing there.
        let _lock = WorkspaceLock::acquire(workspace.home(), &format!("run {}", opened.campaign.name), &SystemClock)?;
        let material = Material::read(opened, memory, Stage::of(args.rehearse))?;
        let report = material.report(opened, &standing.quotes, material.last_run())?;
        let done = shelf.write(opened, &material, &report)?;
        console::talk(&format!("{}: {} written, {} removed", shelf.shown(), counted(done.written, "file"), done.removed));
    }
    if args.json {
        tell_events(&assignment, memory)?;
    }
    let counts = &standing.estimate.totals.counts;
    let reused = counts.reused;
    if doubts > 0 {
        console::talk(&format!(
            "nothing to do: {} done, {} in doubt and held: {}",
            counted(reused, "shot"),
            doubts,
            standing.estimate.in_doubt.listed()
        ));
        return Ok(Exit::InDoubt);
    }
    let review = review(&args.asked, Stage::of(args.rehearse));
    let (rejected, waiting) = (counts.rejected, counts.waiting);
    if rejected > 0 {
        let words = counted(rejected, "shot");
        console::talk(&format!(
            "nothing to do: {} done, {words} rejected with no reroll left; `callsheet status` names them",
            counted(reused, "shot")
        ));
        console::hint("lower a threshold (that alone costs nothing to try), raise `rerolls`, or change the prompt");
        return Ok(Exit::SomeFailed);
    }
    if waiting > 0 {
        let waits = |ix: &JobIx| standing.work.work(*ix) == Work::Waiting;
        let is_open = |cell: &&PickCell| cell.chosen.is_none() && !cell.candidates.iter().any(waits);
        let open = opened.plan.picks.values().filter(is_open).count();
        console::talk(&format!("nothing to do before somebody chooses: {} done, {} to make", counted(reused, "shot"), counted(open, "choice")));
        console::hint(&review);
        return Ok(Exit::Pick);
    }
    if !args.quiet {
        console::talk(&format!("nothing to do: {} done, nothing spent; see {}/index.html", counted(reused, "shot"), shelf.shown()));
    }
    Ok(Exit::Done)
}

/// Writes the events of a run that begins and ends at once, so that whoever reads them always sees an end.
fn tell_events(assignment: &Assignment<'_>, memory: &Memory) -> Outcome<()> {
    let (at, stats) = (SystemClock.now(), stats(assignment, memory)?);
    let started = EventKind::RunStarted { run: performance::run_id(&SystemClock), campaign: assignment.opened.plan.campaign.clone() };
    let mut lines = Vec::new();
    let mut json = JsonLines::new(&mut lines);
    for kind in [started, EventKind::RunFinished] {
        let event = Event { at, elapsed: Duration::ZERO, stats: stats.clone(), kind };
        json.report(&event).map_err(|error| CliError::Io("cannot tell the events".to_owned(), std::io::Error::other(error)))?;
    }
    match console::data(&String::from_utf8_lossy(&lines)) {
        // As in a run that buys: a reader who has gone is not worth a word.
        Err(CliError::BrokenPipe) => Ok(()),
        other => other,
    }
}

/// Returns where such a run stands, in the figures of one that buys.
fn stats(assignment: &Assignment<'_>, memory: &Memory) -> Outcome<RunStats> {
    let Assignment { opened, standing, .. } = assignment;
    let count = |wanted: Work| standing.work.count(|work| work == wanted);
    let book = &standing.estimate.book.currency;
    let currency = opened.plan.indices().any(|ix| standing.quotes.price(ix).is_some()).then(|| book.clone());
    let totals = memory.totals(&campaign_scope(&opened.campaign))?;
    let weighs = opened.catalog.common.is_some();
    let sum = |part: fn(&ScopeTotals) -> Micros| {
        let weighed = |totals: &ScopeTotals| match totals.currency == *book {
            true => Some(part(totals)),
            false if weighs => standing.rates.convert(&Amount::new(totals.currency.clone(), part(totals)), book),
            false => None,
        };
        Micros::new(totals.iter().filter_map(weighed).map(Micros::get).fold(0, i64::saturating_add))
    };
    Ok(RunStats {
        total: standing.work.count(|work| work != Work::Excluded),
        reused: count(Work::Reused),
        rejected: count(Work::Rejected),
        in_doubt: count(Work::InDoubt),
        undone: count(Work::Waiting),
        reserved: sum(|totals| totals.reserved),
        doubted: sum(|totals| totals.in_doubt),
        spent_before: sum(|totals| totals.spent),
        cap: opened.campaign.budget.cap,
        currency,
        ..RunStats::default()
    })
}
