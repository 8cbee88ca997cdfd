//! Measures a picture by its step's checks: reads what it is compared with, works on a blocking thread.
//!
//! In: a job and its picture. Out: findings, one for each check. Never: a decision what follows from them.
//!
//! Near-duplicates are found one picture at a time, against those that were taken for good before: of two that are alike exactly one is
//! turned down, whichever comes second.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::Mutex;

use super::desk::Desk;
use super::pictures::{NoPicture, off_thread};
use crate::imaging::checks::{Fingerprint, clear_edge, drift, sharpness, similarity, spread};
use crate::imaging::{self, Limits, Picture};
use crate::ledger::{Artifact, JobState};
use crate::plan::{JobIx, Plan, Work};
use crate::types::{Check, Digest, Failure, FailureClass, Finding, InputRole, Yardstick};

/// Fingerprints of pictures that were taken for good, by job; held while a new one is compared.
pub(super) type Accepted = Mutex<HashMap<JobIx, (Digest, Fingerprint)>>;

/// What a check needs besides the picture.
enum Aside {
    Nothing,
    /// The other picture, and its digest.
    Other(Vec<u8>, Digest),
    /// The picture before the edit, and the mask.
    Edit {
        before: Vec<u8>,
        mask: Vec<u8>,
    },
}

/// What was measured of one check.
enum Figure {
    Value(i64, Option<Digest>),
    /// The picture's own fingerprint: what it is near to is found out under the lock.
    Own(Fingerprint),
}

/// Measures what the checks of a job ask for.
pub(super) async fn judge(desk: &Desk, ix: JobIx, artifact: &Artifact) -> Result<Vec<Finding>, NoPicture> {
    let checks: Arc<[Check]> = desk.request.plan.bar(ix).checks.into();
    let known = |check: &Check| check.from_info(&artifact.info, artifact.blob.len);
    if checks.iter().all(|check| known(check).is_some()) {
        return Ok(checks.iter().filter_map(|check| Some(check.finding(known(check)?, None))).collect());
    }
    let bytes = desk.ports.store.read(artifact.blob.digest).await?;
    let mut asides = Vec::with_capacity(checks.len());
    for check in checks.iter() {
        asides.push(aside(desk, ix, check).await?);
    }
    let (info, length, measured) = (artifact.info, artifact.blob.len, Arc::clone(&checks));
    let work = move || {
        let picture = read(&bytes, "the picture")?;
        let figure = |(check, aside): (&Check, Aside)| match check.from_info(&info, length) {
            Some(value) => Ok(Figure::Value(value, None)),
            None => measure(check, &picture, aside),
        };
        measured.iter().zip(asides).map(figure).collect::<Result<Vec<_>, Failure>>()
    };
    let figures = off_thread(work).await.and_then(|figures| figures).map_err(NoPicture::Failure)?;
    let own = figures.iter().find_map(|figure| if let Figure::Own(own) = figure { Some(*own) } else { None });
    let Some(own) = own else { return Ok(findings(&checks, figures, (1000, None))) };
    let mut accepted = desk.accepted.lock().await;
    let nearest = nearest(desk, ix, &checks, own, &mut accepted).await?;
    let findings = findings(&checks, figures, nearest);
    if findings.iter().all(|finding| finding.passed) {
        accepted.insert(ix, (artifact.blob.digest, own));
    }
    Ok(findings)
}

fn findings(checks: &[Check], figures: Vec<Figure>, nearest: (i64, Option<Digest>)) -> Vec<Finding> {
    let finding = |(check, figure): (&Check, Figure)| match figure {
        Figure::Value(value, against) => check.finding(value, against),
        Figure::Own(_) => check.finding(nearest.0, nearest.1),
    };
    checks.iter().zip(figures).map(finding).collect()
}

fn measure(check: &Check, picture: &Picture, aside: Aside) -> Result<Figure, Failure> {
    Ok(match (check, aside) {
        (Check::NotBlank, _) => Figure::Value(spread(picture), None),
        (Check::Transparent, _) => Figure::Value(clear_edge(picture), None),
        (Check::Sharpness(_), _) => Figure::Value(sharpness(picture), None),
        (Check::NotDuplicate(_), _) => Figure::Own(Fingerprint::of(picture)),
        (Check::Drift(_), Aside::Edit { before, mask }) => {
            Figure::Value(drift(&read(&before, "the picture before the edit")?, picture, &read(&mask, "the mask")?), None)
        }
        (Check::Similarity { .. }, Aside::Other(other, digest)) => {
            Figure::Value(similarity(picture, &read(&other, "the picture to compare with")?), Some(digest))
        }
        (check, _) => return Err(Failure::new(FailureClass::Local, "check", format!("nothing to measure `{}` by", check.kind()))),
    })
}

fn read(bytes: &[u8], what: &str) -> Result<Picture, Failure> {
    imaging::decode(bytes, &Limits::default()).map_err(|error| Failure::new(FailureClass::Local, "check", format!("{what}: {error}")))
}

/// Reads what a check compares with.
async fn aside(desk: &Desk, ix: JobIx, check: &Check) -> Result<Aside, NoPicture> {
    let plan = &desk.request.plan;
    let input = |role: InputRole| plan.inputs(ix).into_iter().find(|input| input.role == role).map(|input| input.from);
    match check {
        Check::Drift(_) => {
            let (before, mask) = (of_job(desk, input(InputRole::Image)).await?, of_job(desk, input(InputRole::Mask)).await?);
            Ok(Aside::Edit { before: before.0, mask: mask.0 })
        }
        Check::Similarity { to: Yardstick::Step(step), .. } => {
            let (bytes, digest) = of_job(desk, ancestor(plan, ix, step)).await?;
            Ok(Aside::Other(bytes, digest))
        }
        Check::Similarity { to: Yardstick::File(path), .. } => {
            let bytes = desk.ports.originals.read(path).await.map_err(NoPicture::Failure)?;
            let digest = Digest::of(&bytes);
            Ok(Aside::Other(bytes, digest))
        }
        _ => Ok(Aside::Nothing),
    }
}

/// Returns the picture of a job that another is compared with.
async fn of_job(desk: &Desk, ix: Option<JobIx>) -> Result<(Vec<u8>, Digest), NoPicture> {
    let missing = |what: String| NoPicture::Failure(Failure::new(FailureClass::Local, "check", what));
    let ix = ix.ok_or_else(|| missing("there is no picture to compare with".to_owned()))?;
    let state = desk.ports.ledger.load(desk.request.plan.job(ix).key).map_err(|error| missing(error.to_string()))?;
    let JobState::Done { artifact, .. } = state else {
        return Err(missing(format!("`{}` has no picture to compare with", desk.request.plan.id(ix))));
    };
    Ok((desk.ports.store.read(artifact.blob.digest).await?, artifact.blob.digest))
}

/// Returns the first shot of a step that a job is made from, however far back.
fn ancestor(plan: &Plan, ix: JobIx, step: &str) -> Option<JobIx> {
    let (mut open, mut seen) = (vec![ix], BTreeSet::new());
    while let Some(next) = open.pop() {
        if next != ix && *plan.step_of(next).name == *step {
            return Some(next);
        }
        let makers: Vec<JobIx> = plan.inputs(next).iter().rev().map(|input| input.from).filter(|from| seen.insert(*from)).collect();
        open.extend(makers);
    }
    None
}

/// Returns how near the nearest accepted picture is, and which; far away when there is none.
async fn nearest(
    desk: &Desk,
    ix: JobIx,
    checks: &[Check],
    own: Fingerprint,
    accepted: &mut HashMap<JobIx, (Digest, Fingerprint)>,
) -> Result<(i64, Option<Digest>), NoPicture> {
    let axes = checks.iter().find_map(|check| if let Check::NotDuplicate(axes) = check { Some(axes) } else { None });
    let mut nearest = (1000, None);
    for sibling in axes.map_or(Vec::new(), |axes| siblings(&desk.request.plan, ix, axes)) {
        let known = match accepted.get(&sibling) {
            Some(known) => Some(*known),
            // What was there before this run was taken for good before.
            None if desk.request.work.work(sibling) == Work::Reused => {
                let (bytes, digest) = of_job(desk, Some(sibling)).await?;
                let print = off_thread(move || read(&bytes, "the picture to compare with").map(|picture| Fingerprint::of(&picture)));
                let print = print.await.and_then(|print| print).map_err(NoPicture::Failure)?;
                accepted.insert(sibling, (digest, print));
                Some((digest, print))
            }
            None => None,
        };
        if let Some((digest, print)) = known {
            let distance = own.distance(print);
            if distance < nearest.0 {
                nearest = (distance, Some(digest));
            }
        }
    }
    Ok(nearest)
}

/// Returns the shots of the same step that differ from a job on these axes only; `take` is one of them.
fn siblings(plan: &Plan, ix: JobIx, axes: &[Arc<str>]) -> Vec<JobIx> {
    let step = plan.step_of(ix);
    let is_named = |axis: &usize| {
        let axis = &plan.axes[*axis];
        axes.iter().any(|name| if axis.is_take { **name == *"take" } else { *name == axis.name })
    };
    let own = plan.job(ix);
    let alike = |other: &JobIx| {
        let cells = step.axes.iter().zip(own.cell.iter().zip(plan.job(*other).cell.iter()));
        *other != ix && plan.job(*other).key != own.key && cells.clone().all(|(axis, (own, other))| own == other || is_named(axis))
    };
    step.jobs.clone().map(JobIx).filter(alike).collect()
}
