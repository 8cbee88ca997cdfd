//! What lies in a store's folder, file by file.
//!
//! In: the folder. Out: blobs with their sizes, what is on its way, what is somebody else's; whether a blob is still what its name says.
//! Never: a file removed that is not named as a blob.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::fs::FsStore;
use super::{StoreError, thumbnails};
use crate::types::{BlobRef, Digest};

/// Bytes read at once, 256 KiB.
const CHUNK: usize = 256 << 10;

/// Everything in a store's folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// Blobs, by digest.
    pub blobs: Vec<BlobRef>,
    /// Small copies for galleries: the digests of their pictures, the bytes of the copies.
    pub thumbnails: Vec<BlobRef>,
    /// Files that writers have not finished, and their bytes.
    pub unfinished: (usize, u64),
    /// Files that are no blobs.
    pub strangers: Vec<PathBuf>,
}

/// What a blob's bytes say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// They are those of its name.
    Whole,
    /// They are not.
    Damaged,
    /// There is no such file.
    Missing,
}

/// Looks at every file of the store at `root`; nothing, if there is no such folder.
///
/// # Errors
/// [`StoreError::Io`] when a folder cannot be listed.
pub fn inventory(root: &Path) -> Result<Inventory, StoreError> {
    let mut found = Inventory::default();
    for shelf in entries(root)? {
        let name = shelf.file_name();
        let is_folder = shelf.file_type().is_ok_and(|kind| kind.is_dir());
        match name.to_str().filter(|_| is_folder) {
            Some("tmp") => {
                for entry in entries(&shelf.path())? {
                    found.unfinished.0 += 1;
                    found.unfinished.1 += entry.metadata().map_or(0, |about| about.len());
                }
            }
            Some(thumbnails::FOLDER) => {
                for entry in entries(&shelf.path())? {
                    let shelf_name = entry.file_name();
                    let files = if entry.path().is_dir() { entries(&entry.path())? } else { Vec::new() };
                    found.thumbnails.extend(files.iter().filter_map(|file| named(shelf_name.to_str()?, file, ".jpg")));
                }
            }
            Some(shelf_name) if shelf_name.len() == 2 => {
                for entry in entries(&shelf.path())? {
                    match named(shelf_name, &entry, "") {
                        Some(blob) => found.blobs.push(blob),
                        None => found.strangers.push(entry.path()),
                    }
                }
            }
            _ => found.strangers.push(shelf.path()),
        }
    }
    found.blobs.sort_by_key(|blob| blob.digest);
    found.thumbnails.sort_by_key(|small| small.digest);
    found.strangers.sort();
    Ok(found)
}

fn named(shelf: &str, entry: &fs::DirEntry, ending: &str) -> Option<BlobRef> {
    let digest = Digest::from_hex(&format!("{shelf}{}", entry.file_name().to_str()?.strip_suffix(ending)?))?;
    let about = entry.metadata().ok().filter(fs::Metadata::is_file)?;
    Some(BlobRef { digest, len: about.len() })
}

fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>, StoreError> {
    match fs::read_dir(folder).and_then(Iterator::collect) {
        Ok(entries) => Ok(entries),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(StoreError::Io { what: format!("cannot list `{}`", folder.display()), source }),
    }
}

/// Reads a blob and compares it with its name.
///
/// # Errors
/// [`StoreError::Io`] when it is there and cannot be read.
pub fn check(store: &FsStore, digest: Digest) -> Result<Health, StoreError> {
    let path = store.path(digest);
    let failed = |source| StoreError::Io { what: format!("cannot read `{}`", path.display()), source };
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Health::Missing),
        Err(source) => return Err(failed(source)),
    };
    let mut hasher = blake3::Hasher::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => drop(hasher.update(&chunk[..read])),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(failed(source)),
        }
    }
    let is_whole = Digest::from_bytes(*hasher.finalize().as_bytes()) == digest;
    Ok(if is_whole { Health::Whole } else { Health::Damaged })
}

/// Removes a blob; one that is gone already is as good.
///
/// # Errors
/// [`StoreError::Io`] when the system refuses.
pub fn remove(store: &FsStore, digest: Digest) -> Result<(), StoreError> {
    let path = store.path(digest);
    match fs::remove_file(&path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(StoreError::Io { what: format!("cannot remove `{}`", path.display()), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::BlobStore;

    async fn put(store: &FsStore, bytes: &[u8]) -> BlobRef {
        let mut writer = store.begin(1000).await.expect("a writer");
        writer.write(bytes).await.expect("it fits");
        writer.finish().await.expect("it is published")
    }

    #[tokio::test]
    async fn every_file_is_seen_for_what_it_is() {
        let root = tempfile::tempdir().expect("a folder");
        let store = FsStore::open(root.path()).expect("a store");
        let mut blobs = vec![put(&store, b"teapot").await, put(&store, b"mug").await];
        blobs.sort_by_key(|blob| blob.digest);
        fs::write(root.path().join("tmp/12-0"), "half").expect("a file");
        fs::write(root.path().join("notes.txt"), "mine").expect("a file");
        let small = blobs[1].digest;
        thumbnails::Thumbnails::of(root.path()).keep(small, b"small");
        let found = inventory(root.path()).expect("it can be listed");
        let thumbnails = vec![BlobRef { digest: small, len: 5 + 32 }];
        assert_eq!(found, Inventory { blobs, thumbnails, unfinished: (1, 4), strangers: vec![root.path().join("notes.txt")] });
        assert_eq!(inventory(&root.path().join("nowhere")).expect("nothing is there"), Inventory::default());
    }

    #[tokio::test]
    async fn rot_and_loss_are_told_apart() {
        let root = tempfile::tempdir().expect("a folder");
        let store = FsStore::open(root.path()).expect("a store");
        let (whole, rotten, gone) = (put(&store, b"whole").await, put(&store, b"rotten").await, put(&store, b"gone").await);
        fs::write(store.path(rotten.digest), "rotteN").expect("a file");
        remove(&store, gone.digest).expect("it can be removed");
        remove(&store, gone.digest).expect("twice is as good");
        let health = [whole, rotten, gone].map(|blob| check(&store, blob.digest).expect("it can be read"));
        assert_eq!(health, [Health::Whole, Health::Damaged, Health::Missing]);
    }
}
