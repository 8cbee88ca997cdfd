//! How a run ends before its time: the first signal lets what is paid be finished, the second, or too long a wait, leaves.
//!
//! In: signals. Out: wishes for the engine, and how long it may take to heed the first. Never: a paid task given up; the ledger keeps it.

use std::time::Duration;

use tokio::sync::watch;

use super::Performance;
use crate::cli::console;
use crate::cli::workspace::Stage;
use crate::engine::{Cancel, PATIENCE, ProviderTerms};

/// Longest wait for the engine to leave after the second signal; then the process ends, and the ledger is whole all the same.
const LEAVE: Duration = Duration::from_secs(2);

/// Longest time for what is paid to be finished after the first signal, 2 minutes: tasks are kept by the provider, a later run fetches them.
pub(super) const FINISH: Duration = Duration::from_secs(120);

/// The same where shots go in batches, 15 seconds: enough for one that is just being asked for, and nobody waits for its pictures.
pub(super) const BATCH_FINISH: Duration = Duration::from_secs(15);

/// Returns how long a run may go on after the first signal.
///
/// Where the answer is the picture itself, leaving earlier than the exchange ends would lose what is paid.
pub(super) fn finish_within(performance: &Performance<'_>, terms: &ProviderTerms) -> Duration {
    let has_tasks = performance.opened.manifest.as_ref().is_none_or(|manifest| manifest.poll.is_some());
    match terms.poll.as_ref().filter(|_| has_tasks || performance.workspace.stage() == Stage::Rehearsal) {
        Some(curve) => curve.deadline.0.min(FINISH),
        None => PATIENCE / 2,
    }
}

/// Turns signals into wishes: the first asks to finish, the second, or the end of `finish`, to leave.
pub(super) async fn listen(cancel: watch::Sender<Cancel>, finish: Duration) {
    signal().await;
    let _ = cancel.send(Cancel::Finish);
    if tokio::time::timeout(finish, signal()).await.is_err() {
        let after = format!("{} s", finish.as_secs());
        console::talk(&format!(
            "stopped {after} after the signal; tasks that are paid and not fetched are kept: the next run fetches them for nothing"
        ));
    }
    let _ = cancel.send(Cancel::Leave);
    tokio::time::sleep(LEAVE).await;
    std::process::exit(i32::from(crate::cli::exit::INTERRUPTED));
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn signal() {
    let _ = tokio::signal::ctrl_c().await;
}
