//! A run that finds nothing to do: it makes sure that the tree shows what is done, and says why there is nothing.
//!
//! In: what was asked for, what the workspace remembers. Out: sentences.
//! Never: a request, a record.

use super::Assignment;
use super::next::review;
use crate::cli::console;
use crate::cli::error::Outcome;
use crate::cli::exit::Exit;
use crate::cli::memory::Memory;
use crate::cli::publish::Material;
use crate::cli::workspace::Stage;
use crate::ledger::WorkspaceLock;
use crate::plan::{JobIx, PickCell, Work};
use crate::types::diagnostic::counted;
use crate::types::SystemClock;

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
