//! Writes the files of a tree, on all cores: each beside its later name, then renamed into place.
//!
//! In: what belongs where. Out: what was written.
//! Never: through a symbolic link; a file under its name before all of it is there.

use std::collections::{BTreeSet, HashSet};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::ReportFile;
use super::tree::{OpenPicture, Source, TreeError, io_error};
use super::tree_state::{Known, changed};
use crate::imaging::{self, THUMBNAIL_SIDE};
use crate::store::thumbnails::Thumbnails;
use crate::types::{BlobRef, Digest};

/// Bytes copied at once, 256 KiB.
const CHUNK: usize = 256 << 10;

/// Most bytes that room is made for before they are read, 16 MiB: a length in a ledger may be anything.
const LARGEST: usize = 16 << 20;

/// Files that a thread takes at once: neighbours, so that each folder is made by one of them only, but for those where shares meet. Not more,
/// because a thumbnail that is to be made takes a hundred times as long as a file that is copied.
const SHARE: usize = 32;

/// Writes files and returns what is known of each now, in no order; `None` for one whose picture is no longer in the store.
///
/// # Errors
/// What went wrong first; each thread stops at its own first trouble, and what was written before stays.
pub(super) fn write_all(
    root: &Path,
    files: Vec<(String, Source)>,
    open: &OpenPicture<'_>,
    kept: Option<&Thumbnails>,
) -> Result<Vec<(String, Option<Known>)>, TreeError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let hands = cores.min(files.len().div_ceil(SHARE));
    let waiting = Mutex::new(files.into_iter());
    // A panic elsewhere leaves the rest as it was: files are taken out of it, no more.
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).by_ref().take(SHARE).collect::<Vec<_>>();
    let written: Result<Vec<Vec<_>>, TreeError> = std::thread::scope(|scope| {
        let hands: Vec<_> = (0..hands)
            .map(|_| scope.spawn(|| Hand { folders: Folders::below(root), open, kept, chunk: vec![0; CHUNK] }.write_shares(&next)))
            .collect();
        hands.into_iter().map(|hand| hand.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    Ok(written?.into_iter().flatten().collect())
}

/// A report that is written as a whole, under a temporary name; it is removed unless it gets its own.
pub(super) struct Prepared {
    file: tempfile::TempPath,
    pub digest: Digest,
    pub len: u64,
}

/// Writes a report under a temporary name, without ever holding all of it.
///
/// # Errors
/// What the report or the disk says.
pub(super) fn prepare(root: &Path, report: &ReportFile<'_>) -> Result<Prepared, TreeError> {
    let mut file = beside(root).map_err(io_error("cannot write", report.path))?;
    let mut to = BufWriter::with_capacity(CHUNK, Counted { to: file.as_file_mut(), hasher: blake3::Hasher::new() });
    report.write(&mut to)?;
    let counted = to.into_inner().map_err(|error| io_error("cannot write", report.path)(error.into_error()))?;
    let (digest, len) = (Digest::from_bytes(*counted.hasher.finalize().as_bytes()), counted.hasher.count());
    Ok(Prepared { file: file.into_temp_path(), digest, len })
}

/// A file, with the digest of what was written to it.
struct Counted<'a> {
    to: &'a mut std::fs::File,
    hasher: blake3::Hasher,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// What one thread writes with.
struct Hand<'a> {
    folders: Folders<'a>,
    open: &'a OpenPicture<'a>,
    /// Small copies of other times.
    kept: Option<&'a Thumbnails>,
    /// Bytes on their way from one file to another.
    chunk: Vec<u8>,
}

impl Hand<'_> {
    /// Writes what `next` hands out until it hands out nothing.
    fn write_shares(mut self, next: &dyn Fn() -> Vec<(String, Source)>) -> Result<Vec<(String, Option<Known>)>, TreeError> {
        let mut written = Vec::new();
        loop {
            let share = next();
            if share.is_empty() {
                return Ok(written);
            }
            for (path, source) in share {
                let known = self.write(&path, source)?;
                written.push((path, known));
            }
        }
    }

    fn write(&mut self, path: &str, source: Source) -> Result<Option<Known>, TreeError> {
        match source {
            Source::Report(report) => self.place(path, report).map(Some),
            Source::Picture(blob) => self.copy(path, &blob),
            Source::Thumbnail(blob) => self.shrink(path, &blob),
        }
    }

    /// Writes the small copy of a picture: the one that is kept, else one that is made now. A picture that cannot be read has none: the gallery
    /// shows the file itself then.
    fn shrink(&mut self, path: &str, blob: &BlobRef) -> Result<Option<Known>, TreeError> {
        let small = match self.kept.and_then(|kept| kept.get(blob.digest)) {
            Some(kept) => kept,
            None => match (self.open)(blob).and_then(|picture| read(picture, blob)) {
                Ok(bytes) => {
                    let Ok(made) = imaging::thumbnail(&bytes, THUMBNAIL_SIDE) else { return Ok(None) };
                    if let Some(kept) = self.kept {
                        kept.keep(blob.digest, &made);
                    }
                    made
                }
                // That it is gone is told of the picture itself.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(io_error("cannot read the picture for", path)(error)),
            },
        };
        let folder = self.folders.make(path)?;
        let mut file = beside(&folder).map_err(io_error("cannot write", path))?;
        file.write_all(&small).map_err(io_error("cannot write", path))?;
        let written = file.persist(self.folders.root.join(path)).map_err(|error| io_error("cannot write", path)(error.error))?;
        let metadata = written.metadata().map_err(io_error("cannot look at", path))?;
        Ok(Some(Known { digest: Digest::of(&small), len: metadata.len(), changed: changed(&metadata) }))
    }

    fn place(&mut self, path: &str, report: Prepared) -> Result<Known, TreeError> {
        self.folders.make(path)?;
        let place = self.folders.root.join(path);
        report.file.persist(&place).map_err(|error| io_error("cannot write", path)(error.error))?;
        let metadata = std::fs::symlink_metadata(&place).map_err(io_error("cannot look at", path))?;
        Ok(Known { digest: report.digest, len: report.len, changed: changed(&metadata) })
    }

    fn copy(&mut self, path: &str, blob: &BlobRef) -> Result<Option<Known>, TreeError> {
        let mut bytes = match (self.open)(blob) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("cannot read the picture for", path)(error)),
        };
        let folder = self.folders.make(path)?;
        let mut file = beside(&folder).map_err(io_error("cannot write", path))?;
        let digest = copy(&mut *bytes, file.as_file_mut(), &mut self.chunk).map_err(io_error("cannot write", path))?;
        if digest != blob.digest {
            return Err(TreeError::Damaged { path: path.to_owned(), digest: blob.digest });
        }
        let written = file.persist(self.folders.root.join(path)).map_err(|error| io_error("cannot write", path)(error.error))?;
        let metadata = written.metadata().map_err(io_error("cannot look at", path))?;
        Ok(Some(Known { digest, len: metadata.len(), changed: changed(&metadata) }))
    }
}

/// Reads all of a picture.
fn read(mut picture: Box<dyn Read>, blob: &BlobRef) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(blob.len).unwrap_or(0).min(LARGEST));
    picture.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The folders below the root that are known to be real ones.
pub(super) struct Folders<'a> {
    root: &'a Path,
    real: HashSet<PathBuf>,
}

impl<'a> Folders<'a> {
    /// Knows none yet.
    pub(super) fn below(root: &'a Path) -> Self {
        Self { root, real: HashSet::new() }
    }

    /// Forgets a folder that was removed.
    pub(super) fn forget(&mut self, folder: &Path) {
        self.real.remove(folder);
    }

    /// Returns whether all folders on the way to a file are real ones.
    pub(super) fn lead_to(&mut self, path: &str) -> bool {
        let mut folder = self.root.to_owned();
        let mut names = path.split('/').peekable();
        while let Some(name) = names.next() {
            if names.peek().is_none() {
                return true;
            }
            folder.push(name);
            if self.real.contains(&folder) {
                continue;
            }
            if !std::fs::symlink_metadata(&folder).is_ok_and(|metadata| metadata.is_dir()) {
                return false;
            }
            self.real.insert(folder.clone());
        }
        true
    }

    /// Makes the folders on the way, never through a link.
    fn make(&mut self, path: &str) -> Result<PathBuf, TreeError> {
        let mut folder = self.root.to_owned();
        let Some((names, _)) = path.rsplit_once('/') else { return Ok(folder) };
        for name in names.split('/') {
            folder.push(name);
            if self.real.contains(&folder) {
                continue;
            }
            match std::fs::create_dir(&folder) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let metadata = std::fs::symlink_metadata(&folder).map_err(io_error("cannot look at", path))?;
                    if !metadata.is_dir() {
                        let what = if metadata.is_symlink() { "a symbolic link" } else { "a file" };
                        return Err(TreeError::NoFolder { path: folder.display().to_string(), what });
                    }
                }
                Err(error) => return Err(io_error("cannot make the folder of", path)(error)),
            }
            self.real.insert(folder.clone());
        }
        Ok(folder)
    }
}

/// Begin and end of the names of temporary files.
const PART: (&str, &str) = (".callsheet-", ".part");

/// Removes what a run that was killed left half-written beside its files. The caller holds the workspace, so nobody is writing.
pub(super) fn sweep<'a>(root: &Path, paths: impl Iterator<Item = &'a String>) -> Result<(), TreeError> {
    let folders: BTreeSet<&str> = paths.filter_map(|path| Some(path.rsplit_once('/')?.0)).chain([""]).collect();
    let mut real = Folders::below(root);
    for folder in folders {
        if !folder.is_empty() && !real.lead_to(&format!("{folder}/x")) {
            continue;
        }
        let Ok(entries) = std::fs::read_dir(root.join(folder)) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is_part = name.to_str().is_some_and(|name| name.starts_with(PART.0) && name.ends_with(PART.1));
            if is_part && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                std::fs::remove_file(entry.path()).map_err(io_error("cannot remove", &entry.path().display().to_string()))?;
            }
        }
    }
    Ok(())
}

/// Makes a temporary file in the folder of its later name; it is removed unless it gets one.
pub(super) fn beside(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PART.0).suffix(PART.1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // As any program makes files: the user's umask decides who may read them.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Copies and returns the digest of what was copied.
fn copy(from: &mut dyn Read, to: &mut std::fs::File, chunk: &mut [u8]) -> io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    loop {
        let read = match from.read(chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if read == 0 {
            return Ok(Digest::from_bytes(*hasher.finalize().as_bytes()));
        }
        hasher.update(&chunk[..read]);
        to.write_all(&chunk[..read])?;
    }
}
