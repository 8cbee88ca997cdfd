//! Blobs as files: `ab/cdef…` by the hex of their digest, written beside and renamed into place.
//!
//! In: bytes, in chunks. Out: files that are whole or not there; they are safe to link, copy and serve.
//! Never: a half-written blob under its name, a file system call on an async thread.

mod draft;

use std::cell::RefCell;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::BoxFuture;

use self::draft::{FsWriter, sweep};
use super::{BlobStore, BlobWriter, StoreError};
use crate::types::Digest;

/// What survives a power cut. A crash of the process alone loses nothing either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// On the disk before it is announced: for pictures that were paid for.
    #[default]
    Synced,
    /// In the system's cache: for rehearsals, which can be drawn again for nothing.
    Cached,
}

/// A blob store in a folder. Clones share it; several processes may use one folder at once.
#[derive(Debug, Clone)]
pub struct FsStore {
    folder: Arc<Folder>,
}

#[derive(Debug)]
struct Folder {
    root: PathBuf,
    tmp: PathBuf,
    durability: Durability,
    mishaps: Option<Mishaps>,
}

/// Asked before each file operation of a store, named by its first word; an error is told in place of the operation.
///
/// For trying what becomes of a run when any one of them fails.
#[doc(hidden)]
#[derive(Clone)]
pub struct Mishaps(pub Arc<dyn Fn(&'static str) -> io::Result<()> + Send + Sync>);

impl std::fmt::Debug for Mishaps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mishaps")
    }
}

impl FsStore {
    /// Opens the store at `root`, makes the folder if it is not there, and removes what dead writers left in `tmp/`.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the folder cannot be made.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let tmp = root.join("tmp");
        fs::create_dir_all(&tmp).map_err(failed("cannot make the picture store", &tmp))?;
        sweep(&tmp, SystemTime::now());
        Ok(Self { folder: Arc::new(Folder { root: root.to_owned(), tmp, durability: Durability::Synced, mishaps: None }) })
    }

    /// Looks at the store at `root`, which may not be there: makes no folder and sweeps nothing until something is written.
    pub fn at(root: &Path) -> Self {
        Self { folder: Arc::new(Folder { root: root.to_owned(), tmp: root.join("tmp"), durability: Durability::Synced, mishaps: None }) }
    }

    /// Returns the same store with another promise about power cuts.
    #[must_use]
    pub fn with_durability(self, durability: Durability) -> Self {
        let Folder { root, tmp, mishaps, .. } = &*self.folder;
        Self { folder: Arc::new(Folder { root: root.clone(), tmp: tmp.clone(), durability, mishaps: mishaps.clone() }) }
    }

    /// Returns the same store with file operations that may fail.
    #[doc(hidden)]
    #[must_use]
    pub fn with_mishaps(self, mishaps: Mishaps) -> Self {
        let Folder { root, tmp, durability, .. } = &*self.folder;
        Self { folder: Arc::new(Folder { root: root.clone(), tmp: tmp.clone(), durability: *durability, mishaps: Some(mishaps) }) }
    }

    /// Answers about `count` blobs whether they are there: looks at each, or lists the folders where that is less work.
    pub fn census(&self, count: usize) -> Census {
        // Digests are spread evenly: one shelf tells how full the others are.
        let first = list(&self.folder.root, 0);
        let all = first.len() * SHELVES;
        let lists = count > SHELVES && all < count.saturating_mul(NAMES_PER_LOOK);
        let shelves = if lists { std::iter::once(Some(first)).chain((1..SHELVES).map(|_| None)).collect() } else { Vec::new() };
        Census { store: self.clone(), shelves: RefCell::new(shelves) }
    }

    /// Returns where the blob is, or would be.
    pub fn path(&self, digest: Digest) -> PathBuf {
        self.folder.path(digest)
    }
}

/// Folders that blobs are spread over, by the first byte of their digest.
const SHELVES: usize = 256;

/// Names that are listed in the time of one look at a file.
const NAMES_PER_LOOK: usize = 10;

/// Which blobs are in the store, as of the first question about each folder.
pub struct Census {
    store: FsStore,
    /// The blobs of each folder, once it was asked about; empty when each blob is looked at.
    shelves: RefCell<Vec<Option<HashSet<Digest>>>>,
}

impl Census {
    /// Returns whether the blob is there.
    pub fn has(&self, digest: Digest) -> bool {
        let number = digest.as_bytes()[0];
        let mut shelves = self.shelves.borrow_mut();
        let listed = shelves.get_mut(usize::from(number)).is_some_and(|shelf| {
            let shelf = shelf.get_or_insert_with(|| list(&self.store.folder.root, number));
            shelf.contains(&digest)
        });
        // What no list shows is looked for all the same: nothing is bought again because of a list.
        listed || self.store.contains(digest)
    }
}

/// Lists the files of a shelf that are named as blobs are.
fn list(root: &Path, number: u8) -> HashSet<Digest> {
    let shelf = format!("{number:02x}");
    let Ok(entries) = fs::read_dir(root.join(&shelf)) else { return HashSet::new() };
    let files = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    files.filter_map(|entry| Digest::from_hex(&format!("{shelf}{}", entry.file_name().to_str()?))).collect()
}

impl BlobStore for FsStore {
    fn begin(&self, limit: u64) -> BoxFuture<'_, Result<Box<dyn BlobWriter>, StoreError>> {
        let writer = FsWriter::new(Arc::clone(&self.folder), limit);
        Box::pin(async move { Ok(Box::new(writer) as Box<dyn BlobWriter>) })
    }

    fn read(&self, digest: Digest) -> BoxFuture<'_, Result<Vec<u8>, StoreError>> {
        let (path, folder) = (self.path(digest), Arc::clone(&self.folder));
        let read = move || {
            folder.ready("read").map_err(failed("cannot read the picture", &path))?;
            read_whole(&path, digest)
        };
        Box::pin(async move { blocking(read).await })
    }

    fn contains(&self, digest: Digest) -> bool {
        self.path(digest).is_file()
    }
}

/// Reads a blob and compares it with its name: a picture that rotted on the disk must not be sold as the one that was bought.
fn read_whole(path: &Path, digest: Digest) -> Result<Vec<u8>, StoreError> {
    let bytes = fs::read(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => StoreError::Missing(digest),
        _ => failed("cannot read the picture", path)(source),
    })?;
    if Digest::of(&bytes) == digest {
        return Ok(bytes);
    }
    let damaged = io::Error::new(io::ErrorKind::InvalidData, "its bytes are not those of its name; delete the file to have it made again");
    Err(failed("the stored picture is damaged", path)(damaged))
}

impl Folder {
    /// Returns the error that is to be told in place of an operation.
    fn ready(&self, operation: &'static str) -> io::Result<()> {
        self.mishaps.as_ref().map_or(Ok(()), |mishaps| mishaps.0(operation))
    }

    /// Writes; a disk that fails in the middle has taken a part.
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        match self.ready("write") {
            Ok(()) => file.write_all(bytes),
            Err(mishap) => file.write_all(&bytes[..bytes.len() / 2]).and(Err(mishap)),
        }
    }

    fn path(&self, digest: Digest) -> PathBuf {
        let hex = digest.to_string();
        let (shelf, name) = hex.split_at(2);
        self.root.join(shelf).join(name)
    }

    fn make_shelf(&self, shelf: &Path) -> Result<(), StoreError> {
        match self.ready("make folder").and_then(|()| fs::create_dir(shelf)) {
            Ok(()) => self.sync(&self.root),
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(source) => Err(failed("cannot make the folder", shelf)(source)),
        }
    }

    /// Makes the names in `folder` durable. Systems that cannot open a folder (Windows) write names through by themselves.
    fn sync(&self, folder: &Path) -> Result<(), StoreError> {
        if self.durability == Durability::Cached || !cfg!(unix) {
            return Ok(());
        }
        let synced = self.ready("sync folder").and_then(|()| File::open(folder)).and_then(|folder| folder.sync_all());
        synced.map_err(failed("cannot bring the folder to the disk", folder))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, StoreError> + Send + 'static) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(stopped) => Err(StoreError::Io { what: "the file work was stopped".to_owned(), source: io::Error::other(stopped) }),
    }
}

fn failed(what: &str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let what = format!("{what} `{}`", path.display());
    move |source| StoreError::Io { what, source }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::draft::{BUFFER, SETTLED};
    use super::*;
    use crate::types::BlobRef;

    fn files_in(folder: &Path) -> usize {
        fs::read_dir(folder).expect("the folder is there").count()
    }

    async fn put(store: &FsStore, bytes: &[u8]) -> BlobRef {
        let mut writer = store.begin(u64::MAX).await.expect("a writer");
        writer.write(bytes).await.expect("the bytes fit");
        writer.finish().await.expect("the disk takes them")
    }

    fn leftover(root: &Path, name: &str, age: Duration) -> File {
        fs::create_dir_all(root.join("tmp")).expect("a folder");
        let file = File::create(root.join("tmp").join(name)).expect("a file");
        file.set_modified(SystemTime::now() - age).expect("a time");
        file
    }

    #[test]
    fn leftovers_of_dead_writers_are_swept_and_those_of_living_ones_stay() {
        let root = tempfile::tempdir().expect("a folder");
        drop(leftover(root.path(), "dead", SETTLED * 2));
        drop(leftover(root.path(), "young", Duration::ZERO));
        let living = leftover(root.path(), "living", SETTLED * 2);
        living.lock().expect("a lock");
        FsStore::open(root.path()).expect("a store");
        let mut names: Vec<_> = fs::read_dir(root.path().join("tmp")).expect("tmp").flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        assert_eq!(names, ["living", "young"]);
    }

    #[tokio::test]
    async fn a_dropped_writer_leaves_nothing_even_after_it_spilled() {
        let root = tempfile::tempdir().expect("a folder");
        let store = FsStore::open(root.path()).expect("a store");
        let mut writer = store.begin(u64::MAX).await.expect("a writer");
        writer.write(&vec![7; BUFFER * 2]).await.expect("the bytes fit");
        assert_eq!(files_in(&root.path().join("tmp")), 1);
        drop(writer);
        assert_eq!(files_in(&root.path().join("tmp")), 0);
        assert_eq!(files_in(root.path()), 1, "only tmp/ is there");
    }

    #[tokio::test]
    async fn a_blob_lies_under_its_hex_and_everybody_may_read_it() {
        let root = tempfile::tempdir().expect("a folder");
        for durability in [Durability::Synced, Durability::Cached] {
            let store = FsStore::open(root.path()).expect("a store").with_durability(durability);
            let bytes = vec![durability as u8; BUFFER * 3 + 1];
            let blob = put(&store, &bytes).await;
            let hex = blob.digest.to_string();
            let path = root.path().join(&hex[..2]).join(&hex[2..]);
            assert_eq!(path, store.path(blob.digest));
            assert_eq!(fs::read(&path).expect("the blob"), bytes);
            #[cfg(unix)]
            assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).expect("the blob").permissions()) & 0o444, 0o444);
        }
        assert_eq!(files_in(&root.path().join("tmp")), 0);
    }

    #[tokio::test]
    async fn a_blob_that_a_power_cut_shortened_is_written_again() {
        let root = tempfile::tempdir().expect("a folder");
        let store = FsStore::open(root.path()).expect("a store");
        let blob = put(&store, b"a red teapot").await;
        fs::write(store.path(blob.digest), b"").expect("the damage");
        assert!(store.read(blob.digest).await.is_err());
        assert_eq!(put(&store, b"a red teapot").await, blob);
        assert_eq!(store.read(blob.digest).await.expect("whole again"), b"a red teapot");
    }

    #[tokio::test]
    async fn a_census_says_what_single_looks_say() {
        let root = tempfile::tempdir().expect("a folder");
        let store = FsStore::open(root.path()).expect("a store");
        let mut there = Vec::new();
        for number in 0..600_u32 {
            there.push(put(&store, &number.to_le_bytes()).await.digest);
        }
        let gone = there[0];
        fs::remove_file(store.path(gone)).expect("it was there");
        for count in [1, 100_000] {
            let census = store.census(count);
            assert!(there[1..].iter().all(|digest| census.has(*digest)));
            assert!(!census.has(gone) && !census.has(Digest::of(b"never")));
            let late = put(&store, &[count as u8; 9]).await.digest;
            assert!(census.has(late), "what came after the list is found by looking");
        }
    }

    #[tokio::test]
    async fn a_blob_that_rotted_is_not_handed_out() {
        let root = tempfile::tempdir().expect("a folder");
        let store = FsStore::open(root.path()).expect("a store");
        let blob = put(&store, b"a red teapot").await;
        fs::write(store.path(blob.digest), b"a red teapof").expect("the damage");
        let error = store.read(blob.digest).await.expect_err("damaged").to_string();
        assert!(error.contains("is damaged"), "{error}");
    }
}
