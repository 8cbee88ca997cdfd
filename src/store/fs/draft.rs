//! A blob on its way into its place: written in `tmp/`, brought to the disk, renamed.
//!
//! In: bytes, in chunks. Out: a file under the name of its digest, whole; or nothing.
//! Never: a file under its name before all of it is on the disk; a leftover of a writer that lives taken for one of a dead one.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;

use super::{Durability, Folder, blocking, failed};
use crate::store::thumbnails::Thumbnails;
use crate::store::{BlobWriter, StoreError, Written};
use crate::types::{BlobRef, Digest};

/// Bytes kept in memory before the disk is touched, 128 KiB: a hundred pictures that come at once take some megabytes, and a large one
/// costs a trip to a blocking thread for each such piece, a few microseconds.
pub(super) const BUFFER: usize = 128 << 10;

/// A temporary file younger than this is never swept, 60 s: its writer may be about to lock it.
pub(super) const SETTLED: Duration = Duration::from_secs(60);

pub(super) struct FsWriter {
    limit: u64,
    len: u64,
    /// `None` once the blob was given up, and while a blocking thread has it.
    draft: Option<Draft>,
}

impl FsWriter {
    /// Begins a blob of at most `limit` bytes; the disk is touched when there is something to write.
    pub(super) fn new(folder: Arc<Folder>, limit: u64) -> Self {
        let draft = Draft { folder, hasher: blake3::Hasher::new(), pending: Vec::new(), temp: None, small: None };
        Self { limit, len: 0, draft: Some(draft) }
    }
}

impl BlobWriter for FsWriter {
    fn write<'a>(&'a mut self, chunk: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.len = self.len.saturating_add(chunk.len() as u64);
            if self.len > self.limit {
                self.draft = None;
                return Err(StoreError::TooLarge { limit: self.limit });
            }
            let mut draft = self.draft.take().ok_or_else(given_up)?;
            let mut rest = chunk;
            while !rest.is_empty() {
                let (piece, later) = rest.split_at(rest.len().min(BUFFER - draft.pending.len()));
                draft.pending.extend_from_slice(piece);
                rest = later;
                if draft.pending.len() >= BUFFER {
                    draft = blocking(move || draft.spill()).await?;
                }
            }
            self.draft = Some(draft);
            Ok(())
        })
    }

    fn written(&mut self) -> BoxFuture<'_, Result<Written, StoreError>> {
        Box::pin(async move {
            let draft = self.draft.take().ok_or_else(given_up)?;
            if draft.temp.is_none() {
                return Ok(Written::Bytes(self.draft.insert(draft).pending.clone()));
            }
            let len = self.len;
            let (draft, file) = blocking(move || draft.look_back()).await?;
            self.draft = Some(draft);
            Ok(Written::File(file, len))
        })
    }

    fn accompany(&mut self, thumbnail: Vec<u8>) {
        if let Some(draft) = &mut self.draft {
            draft.small = Some(thumbnail);
        }
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<BlobRef, StoreError>> {
        Box::pin(async move {
            if self.len > self.limit {
                return Err(StoreError::TooLarge { limit: self.limit });
            }
            let draft = self.draft.ok_or_else(given_up)?;
            let len = self.len;
            blocking(move || draft.publish(len)).await
        })
    }
}

/// A blob on its way: what is hashed and on the disk, and what waits in memory. Lives on blocking threads.
struct Draft {
    folder: Arc<Folder>,
    hasher: blake3::Hasher,
    pending: Vec<u8>,
    temp: Option<Temp>,
    /// For galleries.
    small: Option<Vec<u8>>,
}

impl Draft {
    /// Hashes and writes what waits in memory.
    fn spill(mut self) -> Result<Self, StoreError> {
        self.hasher.update(&self.pending);
        let mut temp = match self.temp.take() {
            Some(temp) => temp,
            None => Temp::create(&self.folder)?,
        };
        self.folder.write(&mut temp.file, &self.pending).map_err(failed("cannot write", &temp.path))?;
        self.pending.clear();
        self.temp = Some(temp);
        Ok(self)
    }

    /// Writes what waits in memory and opens the file for reading.
    fn look_back(self) -> Result<(Self, File), StoreError> {
        let mut draft = self.spill()?;
        // All has come; while the picture waits for its turn to be looked at it needs no room.
        draft.pending = Vec::new();
        let path = draft.temp.as_ref().map(|temp| temp.path.clone()).ok_or_else(given_up)?;
        let file = File::open(&path).map_err(failed("cannot read back", &path))?;
        Ok((draft, file))
    }

    /// Puts the blob under its name, and its small copy beside it.
    fn publish(mut self, len: u64) -> Result<BlobRef, StoreError> {
        let (small, folder) = (self.small.take(), Arc::clone(&self.folder));
        let blob = self.publish_picture(len)?;
        if let Some(small) = small {
            Thumbnails::of(&folder.root).keep(blob.digest, &small);
        }
        Ok(blob)
    }

    /// Writes the rest and puts the blob under its name, unless it is there already.
    fn publish_picture(mut self, len: u64) -> Result<BlobRef, StoreError> {
        self.hasher.update(&self.pending);
        let blob = BlobRef { digest: Digest::from_bytes(*self.hasher.finalize().as_bytes()), len };
        let path = self.folder.path(blob.digest);
        let shelf = path.parent().unwrap_or(&self.folder.root);
        // Another length under this name is what a power cut left of a cached blob: it is replaced.
        if fs::metadata(&path).is_ok_and(|found| found.is_file() && found.len() == len) {
            self.folder.sync(shelf)?;
            return Ok(blob);
        }
        let mut temp = match self.temp.take() {
            Some(temp) => temp,
            None => Temp::create(&self.folder)?,
        };
        self.folder.write(&mut temp.file, &self.pending).map_err(failed("cannot write", &temp.path))?;
        if self.folder.durability == Durability::Synced {
            let synced = self.folder.ready("sync").and_then(|()| temp.file.sync_data());
            synced.map_err(failed("cannot bring to the disk", &temp.path))?;
        }
        // Looking is cheap; making one that is there waits for everybody else who makes one.
        if !shelf.is_dir() {
            self.folder.make_shelf(shelf)?;
        }
        temp.publish(&self.folder, &path)?;
        self.folder.sync(shelf)?;
        Ok(blob)
    }
}

/// A file in `tmp/` that is locked while it is written and removed unless it is published.
struct Temp {
    path: PathBuf,
    file: File,
    published: bool,
}

impl Temp {
    fn create(folder: &Folder) -> Result<Self, StoreError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        loop {
            let path = folder.tmp.join(format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o644);
            match folder.ready("make file").and_then(|()| options.open(&path)) {
                Ok(file) => {
                    // Tells `sweep` of another process that this writer lives. Where locks are not to be had, age alone tells.
                    let _ = file.try_lock();
                    return Ok(Self { path, file, published: false });
                }
                // A process of the same number died here, or lives in another container.
                Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(failed("cannot make the file", &path)(source)),
            }
        }
    }

    fn publish(mut self, folder: &Folder, path: &Path) -> Result<(), StoreError> {
        folder.ready("rename").and_then(|()| fs::rename(&self.path, path)).map_err(failed("cannot put the picture in place at", path))?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if !self.published {
            // Left for the next `sweep` if it fails: nothing reads this file.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes temporary files that nobody is writing any more. What cannot be removed now is harmless and tried again.
pub(super) fn sweep(tmp: &Path, now: SystemTime) {
    let Ok(entries) = fs::read_dir(tmp) else { return };
    for entry in entries.flatten() {
        let settled = |modified: SystemTime| now.duration_since(modified).is_ok_and(|age| age >= SETTLED);
        let old = entry.metadata().and_then(|about| about.modified()).is_ok_and(settled);
        if old && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn given_up() -> StoreError {
    StoreError::Io { what: "the picture was given up after an earlier failure".to_owned(), source: io::ErrorKind::Other.into() }
}
