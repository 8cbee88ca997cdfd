//! Which pictures have a small copy beside the gallery, and where it stands.
//!
//! In: a plan, what the ledger knows. Out: placements below `thumbnails/`, one for each picture that is large.
//! Never: a name that tells anything but the picture: the same picture keeps its thumbnail across runs, prompts and steps.

use std::collections::HashSet;

use super::super::tree::{Form, Placement};
use super::super::{RunReport, rejects};
use crate::imaging::has_thumbnail;
use crate::ledger::Artifact;
use crate::plan::JobIx;
use crate::types::Digest;

/// Returns where the thumbnail of a picture stands; `None` for a picture that is small enough itself.
pub fn thumbnail_path(artifact: &Artifact) -> Option<String> {
    has_thumbnail(artifact.info.size).then(|| path(artifact.blob.digest))
}

fn path(digest: Digest) -> String {
    let name = digest.to_string();
    format!("thumbnails/{}.jpg", name.get(..24).unwrap_or(&name))
}

/// Returns the thumbnails that belong beside the gallery: of every picture of the plan, of those that tries brought and something else has
/// replaced, and of those that were turned down.
pub fn thumbnails(report: &RunReport<'_>) -> Vec<Placement> {
    let mut seen = HashSet::new();
    let shown = report.plan.indices().filter_map(|ix| Some((ix, *report.history.artifact(&report.plan.job(ix).key)?)));
    let tried = report.rows.iter().filter_map(|row| Some((row.job?, row.attempt.artifact?)));
    let down = rejects(report).into_iter().map(|reject| (reject.job, reject.artifact));
    let place = |(job, artifact): (JobIx, Artifact)| {
        let path = thumbnail_path(&artifact)?;
        seen.insert(artifact.blob.digest).then(|| Placement { path: path.into(), job, blob: artifact.blob, form: Form::Thumbnail })
    };
    shown.chain(tried).chain(down).filter_map(place).collect()
}
