//! Small copies of stored pictures, for galleries: `thumbnails/ab/cdef….jpg` in the store's folder, by the digest of the picture.
//!
//! They are made while a picture comes in, when its pixels pass by anyway, and made again when one is missing: nothing is lost with them.
//!
//! In: bytes of a JPEG. Out: the same bytes, if they are whole. Never: a reason to fail, a wait for the disk, an image decoded.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::types::Digest;
use crate::types::Fields as _;
use crate::types::digest::FieldHasher;

/// Name of their folder in that of the store.
pub(super) const FOLDER: &str = "thumbnails";

/// What says how they are made: another size or quality is another name, and those of before are made anew.
const FORM: &str = "callsheet thumbnail 1";

/// Bytes of the seal at the end of each file, behind the end of the JPEG: after a power cut a file may hold anything.
const SEAL: usize = 32;

/// The small copies of a store. Several processes may use them at once.
#[derive(Debug, Clone)]
pub struct Thumbnails {
    folder: PathBuf,
    tmp: PathBuf,
}

impl Thumbnails {
    /// Names those of the store at `root`; makes no folder.
    pub fn of(root: &Path) -> Self {
        Self { folder: root.join(FOLDER), tmp: root.join("tmp") }
    }

    /// Returns where the small copy of a picture is, or would be.
    pub fn path(&self, picture: Digest) -> PathBuf {
        let hex = picture.to_string();
        let (shelf, name) = hex.split_at(2);
        self.folder.join(shelf).join(format!("{name}.jpg"))
    }

    /// Keeps the small copy of a picture, in the place of one that may be there; where the disk does not let it, nothing is kept.
    pub fn keep(&self, picture: Digest, jpeg: &[u8]) {
        // It is made again where it is missed.
        let _ = self.write(picture, jpeg);
    }

    fn write(&self, picture: Digest, jpeg: &[u8]) -> io::Result<()> {
        let path = self.path(picture);
        if let Some(shelf) = path.parent().filter(|shelf| !shelf.is_dir()) {
            fs::create_dir_all(shelf)?;
        }
        // Beside the drafts of blobs: what a writer that dies leaves here is swept with theirs.
        let mut builder = tempfile::Builder::new();
        builder.prefix("thumbnail-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
        let mut file = builder.tempfile_in(&self.tmp)?;
        file.write_all(&[jpeg, seal(picture, jpeg).as_bytes()].concat())?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Returns the small copy of a picture, if a whole one is kept.
    pub fn get(&self, picture: Digest) -> Option<Vec<u8>> {
        let mut bytes = fs::read(self.path(picture)).ok()?;
        let (jpeg, found) = bytes.split_at_checked(bytes.len().checked_sub(SEAL)?)?;
        let is_whole = seal(picture, jpeg).as_bytes() == found;
        bytes.truncate(bytes.len() - SEAL);
        is_whole.then_some(bytes)
    }

    /// Removes the small copy of a picture that goes; one that stays costs its room and no more.
    pub fn forget(&self, picture: Digest) {
        let _ = fs::remove_file(self.path(picture));
    }
}

fn seal(picture: Digest, jpeg: &[u8]) -> Digest {
    let mut hasher = FieldHasher::new(FORM);
    hasher.field("picture", picture.as_bytes());
    hasher.field("jpeg", jpeg);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::BlobStore;
    use crate::store::fs::FsStore;

    #[test]
    fn what_is_kept_comes_back_whole_or_not_at_all() {
        let root = tempfile::tempdir().expect("a folder");
        FsStore::open(root.path()).expect("a store");
        let (kept, picture) = (Thumbnails::of(root.path()), Digest::of(b"a red teapot"));
        assert_eq!(kept.get(picture), None);
        kept.keep(picture, b"small");
        assert_eq!(kept.get(picture).as_deref(), Some(&b"small"[..]));
        let file = fs::read(kept.path(picture)).expect("a file");
        for damage in [&file[..file.len() - 1], &vec![0; file.len()][..], b"", b"small", &[&b"Small"[..], &file[5..]].concat()] {
            fs::write(kept.path(picture), damage).expect("it can be written");
            assert_eq!(kept.get(picture), None, "{} bytes", damage.len());
        }
        let other = Digest::of(b"a blue cup");
        fs::create_dir_all(kept.path(other).parent().expect("a shelf")).expect("a folder");
        fs::write(kept.path(other), &file).expect("it can be written");
        assert_eq!(kept.get(other), None, "another picture's");
        kept.keep(picture, b"anew");
        assert_eq!(kept.get(picture).as_deref(), Some(&b"anew"[..]));
        kept.forget(picture);
        kept.forget(picture);
        assert_eq!(kept.get(picture), None);
    }

    #[tokio::test]
    async fn a_picture_brings_its_small_copy_and_a_disk_that_refuses_it_costs_nothing_else() {
        let root = tempfile::tempdir().expect("a folder");
        let store = FsStore::open(root.path()).expect("a store");
        let put = async |bytes: &'static [u8]| {
            let mut writer = store.begin(99).await.expect("a writer");
            writer.write(bytes).await.expect("it fits");
            writer.accompany(b"small".to_vec());
            writer.finish().await.expect("it is published").digest
        };
        let first = put(b"a red teapot").await;
        let kept = Thumbnails::of(root.path());
        assert_eq!(kept.get(first).as_deref(), Some(&b"small"[..]));
        kept.forget(first);
        assert_eq!(put(b"a red teapot").await, first);
        assert!(kept.get(first).is_some(), "also when the picture was there before");
        fs::remove_dir_all(root.path().join(FOLDER)).expect("it was there");
        fs::write(root.path().join(FOLDER), "in the way").expect("a file");
        let second = put(b"a blue cup").await;
        assert!(store.contains(second) && kept.get(second).is_none());
        assert_eq!(fs::read_dir(root.path().join("tmp")).expect("a folder").count(), 0);
    }
}
