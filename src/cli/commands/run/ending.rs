//! The end of a run: its tree and reports, what is said of it, its exit code.
//!
//! In: what was asked for, what became of it. Out: files, a summary. Never: a record; what is paid stands in the ledger already.

use super::next::{review, words_for_next};
use super::{Assignment, Doubt};
use crate::cli::cap_stop::cap_stop;
use crate::cli::commands::reconcile;
use crate::cli::error::Outcome;
use crate::cli::exit::Exit;
use crate::cli::memory::Memory;
use crate::cli::publish::Material;
use crate::cli::{console, standing};
use crate::engine::{JobOutcome, RunOutcome, StopReason, Undone};
use crate::plan::{JobIx, Work};
use crate::pricing::Quotes;
use crate::report::{RunView, Stopped, run_summary};
use crate::types::RunId;

/// Writes tree and reports and says what has become of everything; `next` follows `callsheet run` to go on.
pub(super) fn close(assignment: Assignment<'_>, run: &RunId, outcome: &RunOutcome, batches: &[String], next: &str) -> Outcome<()> {
    let Assignment { args, opened, workspace, standing, shelf } = assignment;
    let memory = Memory::of(workspace)?;
    let material = Material::read(opened, &memory, workspace.stage())?;
    let quotes: &Quotes = &standing.quotes;
    let gave_up = |ix: JobIx| matches!(outcome.jobs.get(ix.index()), Some(JobOutcome::Failed { .. }));
    let has_bought = |ix: JobIx, try_no| matches!(outcome.jobs.get(ix.index()), Some(JobOutcome::Bought { attempt, .. }) if *attempt == try_no);
    let report = material.report(opened, quotes, Some(run.clone()))?.given_up(gave_up).fetched(has_bought);
    shelf.write(opened, &material, &report)?;
    let report = report.narrowed(|ix| standing.work.work(ix) != Work::Excluded);
    let local_failures = local_failures(outcome);
    let out = shelf.shown();
    let stopped = match &outcome.stopped {
        None => None,
        Some(StopReason::Cancelled) => Some(Stopped::Interrupted),
        Some(StopReason::Failures(count)) => Some(Stopped::Failures(*count)),
        Some(StopReason::Doubts(count)) => Some(Stopped::Doubts(*count)),
        Some(StopReason::Account(failure)) => Some(Stopped::Account(format!("{} ({})", failure.message, failure.code))),
        Some(StopReason::OverCap { .. }) => {
            let after = standing::standing(opened, &memory, &args.selected, Doubt::rule(args.on_doubt))?;
            Some(Stopped::Cap(cap_stop(opened, &memory, outcome, &after, &words_for_next(args, false))?))
        }
    };
    let settle = reconcile::command(&args.asked, workspace.stage());
    let review = review(&args.asked, workspace.stage());
    let view = RunView {
        report: &report,
        estimate: &standing.estimate,
        local_failures: &local_failures,
        stopped,
        out: &out,
        campaign_file: next,
        settle: &settle,
        batches,
        review: &review,
    };
    if !args.quiet {
        console::talk("");
    }
    console::talk(run_summary(&view, console::width().unwrap_or(120), true).trim_end());
    Ok(())
}

/// Returns the shots whose local work failed; the ledger keeps failures of paid tries only.
fn local_failures(outcome: &RunOutcome) -> Vec<(JobIx, String)> {
    let failed = (0u32..).map(JobIx).zip(&outcome.jobs).filter_map(|(ix, job)| match job {
        JobOutcome::Failed { attempt: None, failure } => Some((ix, format!("{}: {}", failure.code, failure.message))),
        _ => None,
    });
    failed.collect()
}

/// Returns how a run ended, the gravest first.
pub(super) fn exit(outcome: &RunOutcome, has_batches: bool) -> Exit {
    match &outcome.stopped {
        Some(StopReason::Cancelled) => return Exit::Interrupted,
        Some(StopReason::Account(_)) => return Exit::Account,
        Some(StopReason::OverCap { .. } | StopReason::Failures(_) | StopReason::Doubts(_)) | None => {}
    }
    let is = |wanted: fn(&JobOutcome) -> bool| outcome.jobs.iter().any(wanted);
    if is(|job| matches!(job, JobOutcome::InDoubt { .. })) {
        return Exit::InDoubt;
    }
    if let Some(StopReason::OverCap { .. }) = &outcome.stopped {
        return Exit::OverCap;
    }
    let is_undone = |job: &JobOutcome| matches!(job, JobOutcome::Undone(why) if *why != Undone::Pick);
    let has_failed = is(|job| matches!(job, JobOutcome::Failed { .. } | JobOutcome::Rejected { .. } | JobOutcome::Skipped { .. }));
    if has_batches && outcome.stopped.is_none() && !has_failed && outcome.jobs.iter().any(is_undone) {
        return Exit::Waiting;
    }
    if has_failed || outcome.jobs.iter().any(is_undone) {
        return Exit::SomeFailed;
    }
    if is(|job| *job == JobOutcome::Undone(Undone::Pick)) {
        return Exit::Pick;
    }
    Exit::Done
}
