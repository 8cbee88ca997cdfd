//! Which pictures have a small copy beside the gallery, and where it stands.
//!
//! In: a plan, what the ledger knows. Out: placements below `thumbnails/`, one for each picture that is large.
//! Never: a name that tells anything but the picture: the same picture keeps its thumbnail across runs, prompts and steps.

use std::collections::HashSet;

use super::super::tree::{Form, Placement};
use crate::ledger::{Artifact, AttemptRow, History};
use crate::plan::{JobIx, Plan};
use crate::types::Digest;

/// Longest side of a thumbnail in pixels: a card of the gallery on a screen of double density.
pub const THUMBNAIL_SIDE: u32 = 400;

/// Returns where the thumbnail of a picture stands; `None` for a picture that is small enough itself.
pub fn thumbnail_path(artifact: &Artifact) -> Option<String> {
    let side = artifact.info.size.width.max(artifact.info.size.height);
    (side > THUMBNAIL_SIDE).then(|| path(artifact.blob.digest))
}

fn path(digest: Digest) -> String {
    let name = digest.to_string();
    format!("thumbnails/{}.jpg", name.get(..24).unwrap_or(&name))
}

/// Returns the thumbnails that belong beside the gallery: of every picture of the plan, and of those that tries brought and something else has replaced.
pub fn thumbnails(plan: &Plan, history: &History, attempts: &[AttemptRow]) -> Vec<Placement> {
    let mut seen = HashSet::new();
    let shown = plan.indices().filter_map(|ix| Some((ix, history.artifact(&plan.job(ix).key)?)));
    let keys: std::collections::HashMap<_, _> = plan.indices().map(|ix| (plan.job(ix).key, ix)).collect();
    let tried = attempts.iter().filter_map(|row| Some((*keys.get(&row.key)?, row.artifact.as_ref()?)));
    let place = |(job, artifact): (JobIx, &Artifact)| {
        let path = thumbnail_path(artifact)?;
        seen.insert(artifact.blob.digest).then(|| Placement { path: path.into(), job, blob: artifact.blob, form: Form::Thumbnail })
    };
    shown.chain(tried).filter_map(place).collect()
}
