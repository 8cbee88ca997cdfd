//! The output folder: pictures under the names the author chose, reports, the gallery.
//!
//! In: a plan, the ledger after a run. Out: files that changed, and only those. Never: a file that callsheet did not write is touched.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::context::Opened;
use super::error::Outcome;
use super::memory::Memory;
use super::workspace::{Stage, Workspace};
use super::{console, workspace};
use crate::ledger::AttemptRow;
use crate::plan::ruled;
use crate::pricing::Quotes;
use crate::report::tree::{Stamp, TreeKind, is_current};
use crate::report::{Form, Materialised, RunReport, files, materialise, placements, rejected_placements, sidecar_paths, sidecars, thumbnails};
use crate::store::fs::FsStore;
use crate::store::thumbnails::Thumbnails;
use crate::types::diagnostic::{counted, listed};
use crate::types::{BlobRef, Digest, RunId};

/// Everything that a report is made of.
pub struct Material {
    history: crate::ledger::History,
    attempts: Vec<AttemptRow>,
    signed: BTreeSet<Digest>,
    seq: u64,
    stage: Stage,
}

impl Material {
    /// Reads it from the ledger.
    ///
    /// # Errors
    /// A ledger that cannot be read.
    pub fn read(opened: &Opened, memory: &Memory, stage: Stage) -> Outcome<Self> {
        let seq = memory.last_seq()?;
        let history = memory.history(&opened.plan)?;
        let census = memory.census(history.jobs.len());
        let history = ruled(&opened.plan, history, &|blob| census.has(blob.digest));
        let signed = memory.signed(&opened.plan, &history);
        Ok(Self { history, attempts: memory.attempts(&opened.plan)?, signed, seq, stage })
    }

    /// Returns the report; `last_run` is the run that it closes.
    ///
    /// # Errors
    /// Sums that do not fit.
    pub fn report<'a>(&'a self, opened: &'a Opened, quotes: &'a Quotes, last_run: Option<RunId>) -> Outcome<RunReport<'a>> {
        let mut report = RunReport::new(&opened.plan, &self.history, &self.attempts, quotes, last_run)?;
        report.signed = self.signed.clone();
        Ok(match self.stage {
            Stage::Real => report,
            Stage::Rehearsal => report.rehearsed(),
        })
    }

    /// Returns what the ledger knows of the plan's jobs.
    pub fn history(&self) -> &crate::ledger::History {
        &self.history
    }

    /// Returns the run that wrote the last paid try.
    pub fn last_run(&self) -> Option<RunId> {
        self.attempts.last().map(|attempt| attempt.run.clone())
    }
}

/// Where the files of a campaign go.
#[derive(Debug, Clone)]
pub struct Shelf {
    root: PathBuf,
    blobs: PathBuf,
    kind: TreeKind,
}

impl Shelf {
    /// Finds the place: `out`, if it is given.
    pub fn of(workspace: &Workspace, campaign: &str, out: Option<&Path>) -> Self {
        let kind = match workspace.stage() {
            Stage::Real => TreeKind::Real,
            Stage::Rehearsal => TreeKind::Rehearsal,
        };
        Self { root: workspace.output(campaign, out), blobs: workspace.blobs(), kind }
    }

    /// Returns the folder as the user would type it.
    pub fn shown(&self) -> String {
        workspace::shown(&self.root)
    }

    /// Returns whether the folder already shows the ledger as it is.
    pub fn is_current(&self, opened: &Opened, seq: u64) -> bool {
        is_current(&self.root, self.kind, &Stamp::new(&opened.plan, seq, opened.campaign.sidecar))
    }

    /// Returns all that the folder holds for this plan: paths below it, with `/` between folders, and the files.
    pub fn files(&self, report: &RunReport<'_>) -> std::collections::HashMap<String, PathBuf> {
        let pictures = pictures(report).into_iter().map(|picture| picture.path.to_string());
        let reports = crate::report::WRITERS.iter().map(|writer| writer.path().to_owned());
        pictures.chain(reports).map(|path| (path.clone(), self.root.join(path))).collect()
    }

    /// Returns the same while the folder lags behind the ledger: pictures are those of the store.
    pub fn files_of_store(&self, report: &RunReport<'_>) -> std::collections::HashMap<String, PathBuf> {
        let store = crate::store::fs::FsStore::at(&self.blobs);
        let mut files = self.files(report);
        let large = pictures(report).into_iter().filter(|picture| picture.form == Form::Picture);
        files.extend(large.map(|picture| (picture.path.to_string(), store.path(picture.blob.digest))));
        files
    }

    /// Writes pictures and reports.
    ///
    /// # Errors
    /// What the disk or the reports say.
    pub fn write(&self, opened: &Opened, material: &Material, report: &RunReport<'_>) -> Outcome<Materialised> {
        let (store, thumbnails) = (FsStore::at(&self.blobs), Thumbnails::of(&self.blobs));
        let open = |blob: &BlobRef| -> io::Result<Box<dyn Read>> { Ok(Box::new(std::fs::File::open(store.path(blob.digest))?)) };
        let stamp = Stamp::new(&opened.plan, material.seq, opened.campaign.sidecar);
        let beside = if opened.campaign.sidecar { sidecar_paths(report) } else { Vec::new() };
        let reports: Vec<_> = files(report).into_iter().chain(sidecars(report, &beside)).collect();
        let done = materialise(&self.root, self.kind, &stamp, &pictures(report), &reports, &open, Some(&thumbnails))?;
        tell(&done);
        Ok(done)
    }
}

/// Returns all pictures that belong into the folder, and their small copies for the gallery.
fn pictures(report: &RunReport<'_>) -> Vec<crate::report::Placement> {
    let mut pictures = placements(report.plan, report.history);
    pictures.extend(rejected_placements(report));
    pictures.extend(thumbnails(report));
    pictures
}

/// Says what the user should look at.
fn tell(done: &Materialised) {
    if !done.foreign.is_empty() {
        let files = if done.foreign.len() == 1 { "a file of somebody else's is" } else { "files of somebody else's are" };
        console::warning(&format!("{files} in the way and left as it is: {}", listed(&done.foreign, 5)));
    }
    if !done.missing.is_empty() {
        console::warning(&format!(
            "{} no longer in the store: {}; the next run makes them again",
            counted(done.missing.len(), "picture"),
            listed(&done.missing, 5)
        ));
    }
}
