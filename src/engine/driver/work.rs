//! One job at work: moved on again and again, with the waits between, until the run is done with it or the driver is to decide.
//!
//! In: a job and what bounds it. Out: why it came back. Never: a wait that a shut gate does not end.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::engine::EngineError;
use crate::engine::advance::{Step, advance};
use crate::engine::desk::{Desk, Gate};
use crate::engine::machine::{Effort, Ending, Queue};
use crate::ledger::Artifact;
use crate::plan::JobIx;
use crate::types::{Clock as _, InputRole};

/// Why a job came back to the driver.
pub(super) enum Parting {
    Ended(Ending),
    /// It wants to submit and has no place for that.
    WantsPlace,
    /// The run is halted.
    Halted,
}

/// A job that came back.
pub(super) struct Left {
    pub(super) ix: JobIx,
    pub(super) post: Post,
    pub(super) effort: Effort,
    pub(super) parting: Result<Parting, EngineError>,
}

/// What bounds a job under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Post {
    /// One of the run's places for paid jobs.
    Place,
    /// None: it is paid for already and only polled and fetched.
    PaidBefore,
    /// One of the machine's cores.
    Core,
}

/// Calls `advance` until the run is done with the job.
pub(super) async fn work_on(desk: Arc<Desk>, ix: JobIx, inputs: Vec<(InputRole, Artifact)>, post: Post, mut effort: Effort) -> Left {
    let parting = loop {
        let (after, queue) = match advance(&desk, ix, &inputs, &mut effort).await {
            Ok(Step::Finished(ending)) => break Ok(Parting::Ended(ending)),
            Ok(Step::Again { after, queue }) => (after, queue),
            Err(error) => break Err(error),
        };
        // Whether money goes to a further picture of this shot or elsewhere first is always the driver's to decide.
        let is_reroll = queue == Queue::Reroll && desk.gate() == Gate::Open;
        if is_reroll {
            break Ok(Parting::WantsPlace);
        }
        let rationed = if queue == Queue::Retry { ration(&desk) } else { Duration::ZERO };
        // Who waits to submit is woken when submits end; who waits for what is paid only when the run is halted.
        let until = if matches!(queue, Queue::Submit | Queue::Retry | Queue::Reroll | Queue::Answer) { Gate::Closed } else { Gate::Halted };
        let pause = after.max(rationed);
        if !pause.is_zero() {
            // Who is paid elsewhere is not woken by what this provider says.
            let mut gate = if post == Post::Core { desk.gate.subscribe() } else { desk.lane(ix).watched() };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = gate.wait_for(|gate| *gate >= until) => {}
            }
        }
        if desk.gate() == Gate::Halted {
            break Ok(Parting::Halted);
        }
        let wants_place = match post {
            Post::PaidBefore | Post::Core => matches!(queue, Queue::Submit | Queue::Retry),
            // Money is short: whether a further try is what it is spent on is the driver's to decide. A request that is only repeated
            // under its own key holds its money already.
            Post::Place => queue == Queue::Retry && effort.resends == 0 && desk.is_short.load(Ordering::Relaxed),
        };
        if wants_place && desk.gate() == Gate::Open && desk.lane(ix).gate() == Gate::Open {
            break Ok(Parting::WantsPlace);
        }
    };
    Left { ix, post, effort, parting }
}

fn ration(desk: &Desk) -> Duration {
    let now = desk.clock.now();
    desk.budget.lock().unwrap_or_else(PoisonError::into_inner).take(now)
}
