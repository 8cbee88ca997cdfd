//! What to type after a run, whoever asks.
//!
//! In: a [`RunView`]. Out: a command, and in parentheses what it does. Never: a command that leads nowhere.

use super::rejects::unmet;
use super::run_report::Shot;
use super::summary::{RunView, Stopped, ready_picks};
use crate::types::FailureClass;

/// Returns what to type next; `which` is what stopped somewhere: `this run`, `the last run`.
pub(super) fn next_after(view: &RunView<'_>, which: &str) -> String {
    let report = view.report;
    let has = |wanted: fn(&Shot) -> bool| report.shots.iter().any(wanted);
    let run = format!("callsheet run {}", view.campaign_file);
    if has(|shot| *shot == Shot::InDoubt) {
        let settle = view.settle;
        if let Some(Stopped::Cap(stop)) = &view.stopped {
            return format!("{settle} (ends doubt by evidence or by your word), then {}", stop.next);
        }
        return format!("{settle} (ends doubt by evidence or by your word), or else {run} --on-doubt resend (counts it as spent and makes it again)");
    }
    match &view.stopped {
        Some(Stopped::Cap(stop)) => return stop.next.clone(),
        Some(Stopped::Account(_)) => return format!("{run} (once key and credits are in order; what is paid is not paid again)"),
        Some(Stopped::Interrupted | Stopped::Failures(_) | Stopped::Doubts(_)) | None => {}
    }
    let failed = !view.local_failures.is_empty() || has(|shot| *shot == Shot::Failed);
    if failed && only_refused(view) {
        return format!("{run} (once the prompts are changed: what was refused is refused again; what is paid is not paid again)");
    }
    let unmet = unmet(report);
    if !failed && unmet.iter().any(|one| one.left == 0) {
        return format!("{run} (after a threshold is lowered, `rerolls` raised or the prompt changed; a threshold alone costs nothing to try)");
    }
    if !failed && unmet.is_empty() && ready_picks(report) > 0 && !has(|shot| matches!(shot, Shot::ToDo | Shot::UnderWay | Shot::Blocked(_))) {
        return format!("{} (shows what there is to choose from and writes the picks; then run again)", view.review);
    }
    let left = has(|shot| !matches!(shot, Shot::Done | Shot::LeftOut));
    if left && !failed && view.stopped.is_none() && !view.batches.is_empty() {
        return format!("{run} (asks after the batch, for nothing; goes on with what its pictures are for)");
    }
    if failed || left || view.stopped.is_some() {
        return format!("{run} (takes up where {which} stopped; what is paid is not paid again)");
    }
    format!("open {}/index.html", view.out.trim_end_matches('/'))
}

/// Returns whether every failure is one that the same prompt meets again.
fn only_refused(view: &RunView<'_>) -> bool {
    let mut failed = super::told::causes(view.report).into_iter();
    view.local_failures.is_empty() && failed.all(|cause| matches!(cause.failure.class, FailureClass::Refused | FailureClass::Invalid))
}
