//! Pictures that were paid for and turned down, by a check or by a person: which, why, and where they are kept.
//!
//! In: [`RunReport`]. Out: [`Reject`]s, each with a place of its own below `rejected/`. Never: one that is in use.

use std::collections::HashSet;

use super::run_report::{RunReport, Shot};
use crate::ledger::Artifact;
use crate::plan::{Fate, JobIx, ruling};
use crate::types::{AttemptNo, Finding, JobId};

/// The folder of rejected pictures.
const FOLDER: &str = "rejected";

/// A picture that was turned down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// The shot, as the plan calls it.
    pub job: JobIx,
    /// The try that brought it; absent for local work.
    pub of: Option<AttemptNo>,
    /// The picture.
    pub artifact: Artifact,
    /// Why, in words.
    pub why: String,
    /// Whether a person turned it down.
    pub by_person: bool,
    /// What was measured, held against the thresholds of today.
    pub findings: Vec<Finding>,
    /// Where it is kept, below the output folder.
    pub path: String,
}

/// Returns the rejected pictures of a campaign's shots, in the plan's order and the order of their tries.
pub fn rejects(report: &RunReport<'_>) -> Vec<Reject> {
    let mut rejects = Vec::new();
    if report.history.judged.is_empty() && report.plan.refused.is_empty() {
        return rejects;
    }
    for ix in report.plan.indices() {
        by_persons(report, ix, &mut rejects);
        by_checks(report, ix, &mut rejects);
    }
    // A place that an author gave to another picture is that one's; a picture that came twice has one place.
    let mut taken: HashSet<String> = report.plan.jobs.iter().map(|job| job.path.to_lowercase()).collect();
    rejects.retain(|reject| taken.insert(reject.path.to_lowercase()));
    rejects
}

fn by_checks(report: &RunReport<'_>, ix: JobIx, rejects: &mut Vec<Reject>) {
    let key = report.plan.job(ix).key;
    let bar = report.plan.bar(ix);
    let in_use = report.history.artifact(&key);
    for known in report.history.judged(&key).iter().filter(|known| in_use != Some(&known.artifact)) {
        let findings = bar.findings(&known.artifact, &known.findings);
        let failed: Vec<String> = findings.iter().filter(|finding| !finding.passed).map(ToString::to_string).collect();
        let why = if failed.is_empty() { "another picture of the shot is in use".to_owned() } else { failed.join("; ") };
        let (of, artifact, path) = (known.of, known.artifact, path_of(report, ix, &known.artifact));
        rejects.push(Reject { job: ix, of, artifact, why, by_person: false, findings, path });
    }
}

fn by_persons(report: &RunReport<'_>, ix: JobIx, rejects: &mut Vec<Reject>) {
    let Some(refused) = report.plan.refused.get(&ix) else { return };
    let address = report.plan.id(ix);
    for refused in refused {
        let tried = report
            .rows
            .iter()
            .map(|row| row.attempt)
            .find(|attempt| attempt.card.job == address && attempt.artifact.is_some_and(|artifact| artifact.blob.digest == refused.picture));
        let Some((of, artifact)) = tried.and_then(|attempt| Some((attempt.attempt, attempt.artifact?))) else { continue };
        let why = refused.note.as_deref().map_or("rejected by you".to_owned(), |note| format!("rejected by you: {note}"));
        let path = path_of(report, ix, &artifact);
        rejects.push(Reject { job: ix, of: Some(of), artifact, why, by_person: true, findings: Vec::new(), path });
    }
}

/// Returns where a rejected picture is kept: beside the others of its shot, named by its own digest.
fn path_of(report: &RunReport<'_>, ix: JobIx, artifact: &Artifact) -> String {
    let path = &*report.plan.job(ix).path;
    let (folder, name) = path.rsplit_once('/').map_or((String::new(), path), |(folder, name)| (format!("{folder}/"), name));
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    format!("{FOLDER}/{folder}{stem}.{}.{}", artifact.blob.digest.short(), artifact.info.format.extension())
}

/// A shot none of whose pictures passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// The shot.
    pub job: JobIx,
    /// Its address.
    pub address: JobId,
    /// What its last picture failed at.
    pub why: String,
    /// How many pictures were looked at.
    pub pictures: usize,
    /// How many more may be bought.
    pub left: u32,
}

/// Returns the shots that have pictures and none that passes, in the plan's order.
pub fn unmet(report: &RunReport<'_>) -> Vec<Unmet> {
    let rejected = report.plan.indices().filter(|ix| report.shot(*ix) == Shot::Rejected);
    let told = |ix: JobIx| {
        let key = report.plan.job(ix).key;
        let (bar, judged) = (report.plan.bar(ix), report.history.judged(&key));
        let last = judged.last();
        let failed = last.map(|known| bar.findings(&known.artifact, &known.findings)).unwrap_or_default();
        let why: Vec<String> = failed.iter().filter(|finding| !finding.passed).map(ToString::to_string).collect();
        let left = match ruling(&bar, report.history.state(&key), judged, &|_| true).map(|ruling| ruling.fate) {
            Some(Fate::Again(left)) => left,
            _ => 0,
        };
        Unmet { job: ix, address: report.plan.id(ix), why: why.join("; "), pictures: judged.len(), left }
    };
    rejected.map(told).collect()
}
