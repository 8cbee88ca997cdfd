//! What people chose and turned down, held against a plan.
//!
//! In: a plan, a picks file, what the ledger knows. Out: mistakes in the file with their places, choices that hold no more.
//! Never: the disk; a choice that is taken for another picture than the one that was looked at.

use std::collections::HashMap;

use super::{JobIx, Plan};
use crate::ledger::{History, JobState};
use crate::picks::{AutoPick, PicksFile, Rejected, at_pick, at_rejected};
use crate::types::diagnostic::{did_you_mean, listed};
use crate::types::{Diagnostic, Diagnostics, Digest, DocId, JobId, Operation};

/// One cell of a `pick` step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PickCell {
    /// The shots that are chosen among, in the plan's order.
    pub candidates: Vec<JobIx>,
    /// What was chosen; without it the cell waits.
    pub chosen: Option<Picked>,
}

/// A choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picked {
    /// The shot.
    pub from: JobIx,
    /// Its picture.
    pub picture: Digest,
    /// Why, in the chooser's words.
    pub note: Option<String>,
    /// Set when nobody looked.
    pub automatic: Option<AutoPick>,
}

/// A choice that holds no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    /// The cell.
    pub pick: JobId,
    /// The shot that was chosen.
    pub shot: JobId,
    /// What was chosen.
    pub picture: Digest,
    /// The picture that the shot has now; `None` while it has none.
    pub now: Option<Digest>,
    /// Set when nobody had looked.
    pub automatic: Option<AutoPick>,
}

/// Returns the refusals of current pictures that `counted` does not have yet; with them the plan is to be built once more.
///
/// A refusal counts once its picture is that of the shot: what is said of a picture of an earlier prompt changes nothing. `asked` is
/// the whole file, `counted` the part of it that the plan was built with.
pub fn refused_now(plan: &Plan, history: &History, asked: &PicksFile, counted: &PicksFile) -> Vec<(JobId, Rejected)> {
    if asked.rejected.is_empty() {
        return Vec::new();
    }
    let of_shot = |ix: JobIx| {
        let JobState::Done { artifact, .. } = history.state(&plan.job(ix).key) else { return None };
        let is_paid = matches!(plan.job(ix).operation, Operation::Paid(_));
        let shot = plan.id(ix);
        let rejected = asked.rejection(&shot, artifact.blob.digest).filter(|_| is_paid)?;
        counted.rejection(&shot, rejected.picture).is_none().then(|| (shot, rejected.clone()))
    };
    plan.indices().filter_map(of_shot).collect()
}

/// Finds what the file names and the plan does not have; `doc` is the file. A smaller plan (a profile's) lacks what is right in the whole one.
pub fn check_picks(plan: &Plan, file: &PicksFile, doc: DocId) -> Diagnostics {
    let mut found = Diagnostics::new();
    if file.is_empty() {
        return found;
    }
    let cells: HashMap<JobId, &PickCell> = plan.picks.iter().map(|(ix, cell)| (plan.id(*ix), cell)).collect();
    for (pick, chosen) in &file.chosen {
        let at = at_pick(doc, pick);
        let Some(cell) = cells.get(pick) else {
            let message = format!("no `pick` step has the cell `{pick}`");
            found.push(Diagnostic::error("unknown-cell", at.at_key(), message).help(meant(
                pick,
                cells.keys(),
                "the campaign has no `pick` step: remove the line",
            )));
            continue;
        };
        let candidates: Vec<JobId> = cell.candidates.iter().map(|ix| plan.id(*ix)).collect();
        if !candidates.contains(&chosen.shot) {
            let message = format!("`{}` is not among the shots that `{pick}` chooses from", chosen.shot);
            found.push(Diagnostic::error("unknown-shot", at.key("shot"), message).help(meant(
                &chosen.shot,
                candidates.iter(),
                "it has none to choose from",
            )));
        } else if file.rejection(&chosen.shot, chosen.picture).is_some() {
            let finding =
                Diagnostic::error("chosen-and-rejected", at.key("picture"), format!("this picture of `{}` is chosen and turned down", chosen.shot));
            found.push(finding.related(at_rejected(doc, &chosen.shot).at_key(), "turned down here").help("keep one of the two"));
        }
    }
    if !file.rejected.is_empty() {
        let shots: HashMap<JobId, JobIx> = plan.indices().map(|ix| (plan.id(ix), ix)).collect();
        let is_free = |ix: &JobIx| !matches!(plan.job(*ix).operation, Operation::Paid(_));
        for shot in file.rejected.keys().filter(|shot| shots.get(*shot).is_some_and(is_free)) {
            let message = format!("`{shot}` is made here, for nothing: made again it would be the same");
            found.push(
                Diagnostic::warning("free-shot-rejected", at_rejected(doc, shot).at_key(), message)
                    .help("turn down the picture that it is made from"),
            );
        }
        for shot in file.rejected.keys().filter(|shot| !shots.contains_key(*shot)) {
            let finding = Diagnostic::warning("unknown-shot", at_rejected(doc, shot).at_key(), format!("the campaign has no shot `{shot}`"));
            found.push(finding.help(meant(shot, shots.keys(), "the line can go")));
        }
    }
    found
}

fn meant<'a>(word: &JobId, known: impl Iterator<Item = &'a JobId>, none: &str) -> String {
    let mut known: Vec<&str> = known.map(JobId::as_str).collect();
    known.sort_unstable();
    match did_you_mean(word.as_str(), known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => none.to_owned(),
        None => format!("there is {}", listed(known, 4)),
    }
}

/// Returns the choices that hold no more: the shot has another picture now, or none.
pub fn stale(plan: &Plan, history: &History) -> Vec<Stale> {
    let now = |ix: JobIx| match history.state(&plan.job(ix).key) {
        JobState::Done { artifact, .. } => Some(artifact.blob.digest),
        _ => None,
    };
    let chosen = plan.picks.iter().filter_map(|(pick, cell)| Some((*pick, cell.chosen.as_ref()?)));
    let holds_no_more = chosen.filter(|(_, picked)| now(picked.from) != Some(picked.picture));
    holds_no_more
        .map(|(pick, picked)| Stale {
            pick: plan.id(pick),
            shot: plan.id(picked.from),
            picture: picked.picture,
            now: now(picked.from),
            automatic: picked.automatic,
        })
        .collect()
}

impl Stale {
    /// Returns the mistake of a choice whose shot has another picture now; `None` while it has none: it is to be made, and chosen then.
    pub fn mistake(&self, doc: DocId) -> Option<Diagnostic> {
        let now = self.now?;
        let message = format!("the choice for `{}` is stale: `{}` has another picture now", self.pick, self.shot);
        let finding = Diagnostic::error("stale-pick", at_pick(doc, &self.pick).key("picture"), message).label(format!("now it is {}…", now.short()));
        Some(finding.help("look at it and choose again with `callsheet review`, or remove the choice"))
    }
}
