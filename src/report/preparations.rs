//! What is done to pictures for a model's sake: shapes that it lacks, sources that it would not take.
//!
//! In: a [`Plan`]. Out: lines for people, JSON for programs. Never: a change that is left out; past the first few, files are counted.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::run_report::RunReport;
use crate::plan::{Inserted, JobIx, Plan, Preparation, reshaped};
use crate::types::diagnostic::counted;
use crate::types::operation::{LocalAction, Operation, TransformOp};

/// Most sources that are told one by one.
const MOST: usize = 8;

/// Returns what is to be told, each line with its heading.
pub fn lines(plan: &Plan) -> Vec<(&'static str, String)> {
    let mut lines: Vec<(&'static str, String)> = reshaped(plan).iter().map(|shape| ("fit", shape.to_string())).collect();
    let mut alike: BTreeMap<String, usize> = BTreeMap::new();
    let mut told: Vec<String> = Vec::new();
    for done in &plan.prepared {
        let line = match &done.file {
            Some(_) => done.to_string(),
            None => format!("pictures of `{}`: {done}", maker(plan, done)),
        };
        let count = alike.entry(line.clone()).or_default();
        *count += 1;
        if *count == 1 {
            told.push(line);
        }
    }
    let more = told.len().saturating_sub(MOST);
    told.truncate(MOST);
    lines.extend(told.into_iter().map(|line| {
        let count = alike.get(&line).copied().unwrap_or(1);
        ("source", if count > 1 { format!("{line} ({count} of them)") } else { line })
    }));
    if more > 0 {
        lines.push(("source", format!("and {} more, listed by `plan --format json`", counted(more, "source"))));
    }
    let is_signed = |from: JobIx| plan.signed.binary_search(&from).is_ok();
    for (step, count) in unsigned(plan, is_signed) {
        let files = counted(count, "file");
        lines.push(("c2pa", format!("`{step}` works on {files} of yours with a C2PA manifest, which no change survives; the files keep theirs")));
    }
    lines
}

/// Returns what is to be told of a campaign so far: of its plan, and of manifests in bought pictures that did not survive a transform.
pub fn lines_so_far(report: &RunReport<'_>) -> Vec<(&'static str, String)> {
    let mut lines = lines(report.plan);
    let is_bought = |from: JobIx| matches!(report.plan.job(from).operation, Operation::Paid(_)) && is_signed(report, from);
    for (step, count) in unsigned(report.plan, is_bought) {
        let pictures = counted(count, "picture");
        lines.push((
            "c2pa",
            format!("`{step}` has worked on {pictures} bought with a C2PA manifest, which no change survives; as bought they keep it"),
        ));
    }
    lines
}

/// Returns whether the picture of a shot carries a C2PA manifest.
fn is_signed(report: &RunReport<'_>, ix: JobIx) -> bool {
    report.history.artifact(&report.plan.job(ix).key).is_some_and(|artifact| report.signed.contains(&artifact.blob.digest))
}

/// Says what became of the C2PA manifest of a shot's picture: it is `there`, or was `dropped` by what was done to the picture here.
pub fn manifest_word(report: &RunReport<'_>, ix: JobIx) -> Option<&'static str> {
    let transforms = matches!(report.plan.job(ix).operation, Operation::Local(LocalAction::Transform { .. }));
    if is_signed(report, ix) {
        Some("there")
    } else {
        (transforms && report.plan.inputs(ix).iter().any(|input| is_signed(report, input.from))).then_some("dropped")
    }
}

/// Counts, for each step that transforms, its pictures that are made from one for which `is_signed` is true.
fn unsigned(plan: &Plan, is_signed: impl Fn(JobIx) -> bool) -> Vec<(&str, usize)> {
    let drops = |ix: &JobIx| {
        let transforms = matches!(plan.job(*ix).operation, Operation::Local(LocalAction::Transform { .. }));
        transforms && plan.inputs(*ix).iter().any(|input| is_signed(input.from))
    };
    let of_step = |step: &'_ crate::plan::PlannedStep| step.jobs.clone().map(JobIx).filter(drops).count();
    let written = plan.steps.iter().filter(|step| !matches!(step.inserted, Some(Inserted::Source(_))));
    written.map(|step| (&*step.name, of_step(step))).filter(|(_, count)| *count > 0).collect()
}

/// Returns the step whose picture is prepared.
fn maker<'p>(plan: &'p Plan, done: &Preparation) -> &'p str {
    plan.inputs(done.job).first().map_or("", |input| &plan.step_of(input.from).name)
}

/// Returns what was done to the picture of an inserted job.
pub fn note(plan: &Plan, ix: JobIx) -> Option<String> {
    match plan.step_of(ix).inserted.as_ref()? {
        Inserted::Source(_) => plan.prepared.binary_search_by_key(&ix, |done| done.job).ok().map(|place| plan.prepared[place].to_string()),
        Inserted::Result(work) => {
            let (asked, sent) = (work.shaping.asked, work.shaping.sent);
            Some(format!("brought from {sent} to {asked}, fit: {}", work.shaping.fit))
        }
    }
}

/// Returns the same for programs.
pub fn json(plan: &Plan) -> Value {
    let source = |done: &Preparation| {
        let format = done.ops.iter().find_map(|op| if let TransformOp::Within(within) = op { Some(*within) } else { None });
        json!({
            "job": plan.id(done.job), "file": done.file, "of": maker(plan, done), "role": done.role.label(), "for": done.taker,
            "from": { "size": done.before, "bytes": done.len, "format": done.from },
            "to": { "size": done.after(), "format": format.map(|within| within.format), "max-bytes": format.and_then(|within| within.bytes) },
            "changes": done.changes(),
        })
    };
    json!({ "fit": reshaped(plan), "sources": plan.prepared.iter().map(source).collect::<Vec<_>>() })
}
