//! The output tree: the one place that writes files for people.
//!
//! ```text
//! plan, history ── placements() ──> what belongs where ── materialise() ──> files, written beside and renamed into place
//! ```
//! In: placements, report files, a way to open pictures. Out: [`Materialised`].
//! Never: a file outside of the folder, through a symbolic link or `..`; a file that was there before and is not ours, lost.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::tree_state::{Known, STATE_FILE, State, changed};
use super::tree_write::{Folders, Prepared, beside, prepare, sweep, write_all};
use super::{ReportError, ReportFile, RunReport};
use crate::ledger::History;
use crate::plan::{JobIx, Plan};
use crate::store::thumbnails::Thumbnails;
use crate::types::digest::FieldHasher;
use crate::types::{BlobRef, Digest, Fields};

/// Name of the note in every rehearsal's folder.
const NOTE_FILE: &str = "REHEARSAL.txt";

/// What it says.
const REHEARSAL_NOTE: &str = "This is a rehearsal. Every picture here was drawn by callsheet's simulator; none was bought, none cost anything.\n";

/// A picture and where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Below the output folder, with `/` between folders.
    pub path: Box<str>,
    /// Whose picture.
    pub job: JobIx,
    /// The picture.
    pub blob: BlobRef,
    /// As what.
    pub form: Form,
}

/// As what a picture stands in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Byte for byte.
    Picture,
    /// Small, for the gallery: a JPEG named by the picture's digest. It is made once and never compared with anything.
    Thumbnail,
}

/// Returns the pictures that are there and where they belong, in the plan's order.
pub fn placements(plan: &Plan, history: &History) -> Vec<Placement> {
    let placed = |ix: JobIx| {
        let job = plan.job(ix);
        history.artifact(&job.key).map(|artifact| Placement { path: job.path.clone(), job: ix, blob: artifact.blob, form: Form::Picture })
    };
    plan.indices().filter_map(placed).collect()
}

/// Returns the pictures that were turned down and where they are kept: they were paid for.
pub fn rejected_placements(report: &RunReport<'_>) -> Vec<Placement> {
    let place =
        |reject: super::Reject| Placement { path: reject.path.into_boxed_str(), job: reject.job, blob: reject.artifact.blob, form: Form::Picture };
    super::rejects(report).into_iter().map(place).collect()
}

/// Whether a tree shows bought pictures or drawn ones. One folder never holds both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TreeKind {
    /// Pictures of a provider.
    Real,
    /// Pictures of the simulator.
    Rehearsal,
}

/// Tells two states of a tree apart without looking at its pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp(Digest);

impl Stamp {
    /// Returns the stamp of a plan and the ledger's last record: as long as neither moves, the tree does not.
    ///
    /// `sidecars` says whether each picture has a JSON beside it. The version of the program counts, because a newer one writes other reports.
    pub fn new(plan: &Plan, last_seq: u64, sidecars: bool) -> Self {
        let mut hasher = FieldHasher::new("callsheet tree 2");
        hasher.field("version", env!("CARGO_PKG_VERSION").as_bytes());
        hasher.field("campaign", plan.campaign.as_bytes());
        hasher.field("plan", plan.digest.as_bytes());
        hasher.field("seq", &last_seq.to_le_bytes());
        if sidecars {
            hasher.field("sidecars", b"1");
        }
        Self(hasher.finish())
    }
}

/// What writing a tree did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Materialised {
    /// Files that were written.
    pub written: usize,
    /// Files that were right already.
    pub kept: usize,
    /// Files of an earlier run that no longer belong and were removed.
    pub removed: usize,
    /// Paths at which something stands that callsheet did not write; it was left as it is.
    pub foreign: Vec<String>,
    /// Paths whose picture is no longer in the store.
    pub missing: Vec<String>,
}

/// Why a tree could not be written.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The path leads out of the folder, or nowhere.
    #[error("`{0}` is not a path below the output folder")]
    Path(String),
    /// Two files want one place.
    #[error("two files want the place `{0}`")]
    Twice(String),
    /// A folder on the way is a symbolic link or a file.
    #[error("`{path}` is {what}; a folder is needed there")]
    NoFolder {
        /// The path.
        path: String,
        /// What is there.
        what: &'static str,
    },
    /// The folder shows the other kind of pictures.
    #[error("`{root}` holds {holds}; choose another output folder")]
    Kind {
        /// The folder.
        root: String,
        /// What it holds.
        holds: &'static str,
    },
    /// The bytes of a picture are not those of its name.
    #[error("the stored picture for `{path}` is damaged: it is not {digest}")]
    Damaged {
        /// Where it belongs.
        path: String,
        /// What it should be.
        digest: Digest,
    },
    /// A report could not be made.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The disk said no.
    #[error("{what} `{path}`: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// With what.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Opens a stored picture; `NotFound` for one that is gone.
pub type OpenPicture<'a> = dyn Fn(&BlobRef) -> io::Result<Box<dyn Read>> + Sync + 'a;

/// Returns whether the folder already shows exactly this: same stamp, and every file that was written is untouched.
///
/// Looks at names, lengths and times only.
pub fn is_current(root: &Path, kind: TreeKind, stamp: &Stamp) -> bool {
    State::is_untouched(root, kind, &stamp.0.to_string())
}

/// Makes the folder show the pictures and reports, and nothing of earlier runs that no longer belongs.
///
/// Thumbnails are taken from `kept`, and put there when they had to be made. Files that are right already are not touched. What callsheet did not write is neither overwritten nor removed.
///
/// # Errors
/// [`TreeError`]; files that were written before stay, and the next call takes them up.
pub fn materialise(
    root: &Path,
    kind: TreeKind,
    stamp: &Stamp,
    placements: &[Placement],
    reports: &[ReportFile<'_>],
    open: &OpenPicture<'_>,
    kept: Option<&Thumbnails>,
) -> Result<Materialised, TreeError> {
    std::fs::create_dir_all(root).map_err(io_error("cannot make the folder", &root.display().to_string()))?;
    let before = State::read(root);
    if let Some(other) = before.as_ref().filter(|state| state.kind != kind) {
        let holds = if other.kind == TreeKind::Rehearsal { "a rehearsal" } else { "bought pictures" };
        return Err(TreeError::Kind { root: root.display().to_string(), holds });
    }
    if before.as_ref().is_some_and(|state| state.stamp.is_empty()) {
        sweep(root, before.iter().flat_map(|state| state.files.keys()))?;
    }
    let known = before.map(|state| state.files).unwrap_or_default();
    let wanted = wanted(root, kind, placements, reports)?;
    let mut tree = Tree { root, known, now: BTreeMap::new(), folders: Folders::below(root), done: Materialised::default() };
    let mut to_write = Vec::new();
    for (path, source) in wanted {
        match tree.look(&path, &source)? {
            Found::Right(known) => {
                tree.done.kept += 1;
                tree.now.insert(path, known);
            }
            Found::Foreign => tree.done.foreign.push(path),
            Found::ToWrite => to_write.push((path, source)),
        }
    }
    let leftover: Vec<String> = {
        let going: HashSet<&str> = to_write.iter().map(|(path, _)| path.as_str()).collect();
        let stays = |path: &str| tree.now.contains_key(path) || going.contains(path) || tree.done.foreign.iter().any(|foreign| foreign == path);
        tree.known.keys().filter(|path| !stays(path)).cloned().collect()
    };
    if !to_write.is_empty() || !leftover.is_empty() {
        // What is about to be written is noted first: after a crash it is recognised as ours.
        let mut noted = tree.known.clone();
        noted.extend(tree.now.iter().map(|(path, known)| (path.clone(), *known)));
        noted.extend(to_write.iter().map(|(path, source)| (path.clone(), Known { digest: source.digest(), len: source.len(), changed: 0 })));
        tree.save(&State { kind, stamp: String::new(), files: noted })?;
    }
    let small: HashSet<String> = to_write.iter().filter(|(_, source)| matches!(source, Source::Thumbnail(_))).map(|(path, _)| path.clone()).collect();
    for (path, written) in write_all(root, to_write, open, kept)? {
        match written {
            Some(known) => {
                tree.done.written += 1;
                tree.now.insert(path, known);
            }
            // A picture without a small copy is shown itself.
            None if small.contains(&path) => {}
            None => tree.done.missing.push(path),
        }
    }
    for path in leftover {
        tree.remove(&path)?;
    }
    let files = std::mem::take(&mut tree.now);
    let is_whole = tree.done.missing.is_empty() && tree.done.foreign.is_empty();
    tree.save(&State { kind, stamp: if is_whole { stamp.0.to_string() } else { String::new() }, files })?;
    Ok(tree.done)
}

/// Where the bytes of a file come from.
pub(super) enum Source {
    Picture(BlobRef),
    /// A small copy of a picture; its own bytes are not known before it is made.
    Thumbnail(BlobRef),
    Report(Prepared),
}

impl Source {
    pub(super) fn digest(&self) -> Digest {
        match self {
            Self::Picture(blob) | Self::Thumbnail(blob) => blob.digest,
            Self::Report(report) => report.digest,
        }
    }

    fn len(&self) -> u64 {
        match self {
            Self::Picture(blob) | Self::Thumbnail(blob) => blob.len,
            Self::Report(report) => report.len,
        }
    }
}

/// Returns what belongs where. Reports are written beside their later names here: what is in them is not known before.
fn wanted(root: &Path, kind: TreeKind, placements: &[Placement], reports: &[ReportFile<'_>]) -> Result<BTreeMap<String, Source>, TreeError> {
    let source = |placement: &Placement| match placement.form {
        Form::Picture => Source::Picture(placement.blob),
        Form::Thumbnail => Source::Thumbnail(placement.blob),
    };
    let pictures = placements.iter().map(|placement| Ok::<_, TreeError>((placement.path.to_string(), source(placement))));
    let note = (kind == TreeKind::Rehearsal).then(|| ReportFile::new(NOTE_FILE, write_note));
    let report = |file: &ReportFile<'_>| Ok((file.path.to_owned(), Source::Report(prepare(root, file)?)));
    let mut wanted = BTreeMap::new();
    for entry in pictures.chain(reports.iter().chain(&note).map(report)) {
        let (path, source) = entry?;
        if !is_below(&path) {
            return Err(TreeError::Path(path));
        }
        if wanted.contains_key(&path) {
            return Err(TreeError::Twice(path));
        }
        wanted.insert(path, source);
    }
    Ok(wanted)
}

fn write_note(to: &mut dyn Write) -> Result<(), ReportError> {
    to.write_all(REHEARSAL_NOTE.as_bytes()).map_err(|source| ReportError::Io { file: NOTE_FILE, source })
}

/// Returns whether a path names a file below the folder on every system: no `..`, no root, no drive, no line break, not our own state.
pub(super) fn is_below(path: &str) -> bool {
    let is_name = |name: &str| !name.is_empty() && name != "." && name != ".." && !name.contains(['\\', ':', '\0', '\n', '\r']);
    path.split('/').all(is_name) && path != STATE_FILE
}

/// What stands at a path.
enum Found {
    Right(Known),
    Foreign,
    ToWrite,
}

struct Tree<'a> {
    root: &'a Path,
    /// What was written by earlier calls.
    known: BTreeMap<String, Known>,
    /// What is right now.
    now: BTreeMap<String, Known>,
    folders: Folders<'a>,
    done: Materialised,
}

impl Tree<'_> {
    fn look(&mut self, path: &str, source: &Source) -> Result<Found, TreeError> {
        let file = self.root.join(path);
        let metadata = match std::fs::symlink_metadata(&file) {
            Ok(metadata) => metadata,
            // Also "not a directory": what is in the way is found when the folder is made.
            Err(_) => return Ok(Found::ToWrite),
        };
        if !self.folders.lead_to(path) {
            return Ok(Found::Foreign);
        }
        let known = self.known.get(path);
        if let Source::Thumbnail(_) = source {
            // Its name says of which picture it is: one that nobody has touched since is right.
            return Ok(match known {
                Some(known) if known.fits(&metadata) => Found::Right(*known),
                Some(_) if metadata.is_file() => Found::ToWrite,
                _ => Found::Foreign,
            });
        }
        if let Some(known) = known.filter(|known| known.digest == source.digest() && known.fits(&metadata)) {
            return Ok(Found::Right(*known));
        }
        if metadata.is_file() && metadata.len() == source.len() {
            let digest = hash(&file).map_err(io_error("cannot read", path))?;
            if digest == source.digest() {
                return Ok(Found::Right(Known { digest, len: metadata.len(), changed: changed(&metadata) }));
            }
        }
        Ok(if known.is_some() && !metadata.is_dir() { Found::ToWrite } else { Found::Foreign })
    }

    /// Removes a file of ours that no longer belongs, and the folders that it leaves empty; what somebody has changed stays.
    fn remove(&mut self, path: &str) -> Result<(), TreeError> {
        let file = self.root.join(path);
        let known = self.known.get(path).copied();
        let Ok(metadata) = std::fs::symlink_metadata(&file) else { return Ok(()) };
        if !is_below(path) || !self.folders.lead_to(path) || !metadata.is_file() {
            return Ok(());
        }
        let is_ours = known
            .is_some_and(|known| known.fits(&metadata) || (known.len == metadata.len() && hash(&file).is_ok_and(|digest| digest == known.digest)));
        if !is_ours {
            return Ok(());
        }
        std::fs::remove_file(&file).map_err(io_error("cannot remove", path))?;
        self.done.removed += 1;
        let mut folder = file.parent();
        while let Some(empty) = folder.filter(|folder| *folder != self.root && std::fs::remove_dir(folder).is_ok()) {
            self.folders.forget(empty);
            folder = empty.parent();
        }
        Ok(())
    }

    fn save(&self, state: &State) -> Result<(), TreeError> {
        let failed = || io_error("cannot write", STATE_FILE);
        let bytes = state.to_bytes().map_err(failed())?;
        let mut file = beside(self.root).map_err(failed())?;
        file.write_all(&bytes).map_err(failed())?;
        file.persist(self.root.join(STATE_FILE)).map_err(|error| failed()(error.error))?;
        Ok(())
    }
}

fn hash(file: &Path) -> io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(std::fs::File::open(file)?)?;
    Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
}

pub(super) fn io_error<'a>(what: &'static str, path: &'a str) -> impl FnOnce(io::Error) -> TreeError + use<'a> {
    move |source| TreeError::Io { what, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
