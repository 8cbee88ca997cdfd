//! Images by digest: written once, whole or not at all.
//!
//! In: bytes, in chunks. Out: [`BlobRef`]s, and the bytes again.
//! Never: image decoding, names that a person chose.

pub mod fs;
pub mod inventory;
pub mod memory;
pub mod thumbnails;

use futures_util::future::BoxFuture;

use crate::types::{BlobRef, Digest};

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no blob of this digest.
    #[error("the store has no picture {0}")]
    Missing(Digest),
    /// More bytes than the writer was told to take.
    #[error("the picture is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// The disk said no.
    #[error("{what}: {source}")]
    Io {
        /// What was being done, with the path.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The blob store port. Idempotent by digest: putting the same bytes twice is one blob.
pub trait BlobStore: Send + Sync {
    /// Starts a blob of at most `limit` bytes in a temporary place.
    fn begin(&self, limit: u64) -> BoxFuture<'_, Result<Box<dyn BlobWriter>, StoreError>>;

    /// Returns the bytes of a blob.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if it is not there.
    fn read(&self, digest: Digest) -> BoxFuture<'_, Result<Vec<u8>, StoreError>>;

    /// Returns whether the blob is there, without reading it.
    fn contains(&self, digest: Digest) -> bool;
}

/// What was written so far of a blob.
#[derive(Debug)]
pub enum Written {
    /// It is small enough to be at hand.
    Bytes(Vec<u8>),
    /// It is on the disk: a file from its start, and how many bytes it has. Reading it waits for the disk.
    File(std::fs::File, u64),
}

/// A blob being written. Dropped before [`finish`](BlobWriter::finish), it leaves nothing behind.
pub trait BlobWriter: Send {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] past the limit; the blob is given up then.
    fn write<'a>(&'a mut self, chunk: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Returns all that was written so far, for a look at it before it is published: nobody need keep it in memory.
    ///
    /// # Errors
    /// [`StoreError::Io`] if it cannot be read back.
    fn written(&mut self) -> BoxFuture<'_, Result<Written, StoreError>>;

    /// Gives a small copy of the picture along, for galleries. A store may keep it beside the blob; that it cannot is never told.
    fn accompany(&mut self, thumbnail: Vec<u8>) {
        drop(thumbnail);
    }

    /// Makes the blob durable and publishes it under its digest.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<BlobRef, StoreError>>;
}

#[cfg(test)]
mod contract {
    //! What every store promises; each implementation runs all of it.

    use super::*;

    async fn put(store: &dyn BlobStore, chunks: &[&[u8]], limit: u64) -> Result<BlobRef, StoreError> {
        let mut writer = store.begin(limit).await?;
        for chunk in chunks {
            writer.write(chunk).await?;
        }
        writer.finish().await
    }

    async fn what_was_put_is_read_back(store: &dyn BlobStore) {
        let blob = put(store, &[b"a red ", b"", b"teapot"], 12).await.expect("it fits exactly");
        assert_eq!(blob, BlobRef { digest: Digest::of(b"a red teapot"), len: 12 });
        assert!(store.contains(blob.digest));
        assert_eq!(store.read(blob.digest).await.expect("it is there"), b"a red teapot");
    }

    async fn putting_twice_is_one_blob(store: &dyn BlobStore) {
        let whole = put(store, &[b"twice"], 99).await.expect("it fits");
        let again = put(store, &[b"tw", b"ice"], 99).await.expect("it fits");
        assert_eq!(whole, again);
        assert_eq!(store.read(again.digest).await.expect("it is there"), b"twice");
    }

    async fn two_writers_of_one_blob_agree(store: &dyn BlobStore) {
        let (left, right) = futures_util::future::join(put(store, &[b"at once"], 99), put(store, &[b"at once"], 99)).await;
        assert_eq!(left.expect("it fits"), right.expect("it fits"));
        assert_eq!(store.read(Digest::of(b"at once")).await.expect("it is there"), b"at once");
    }

    async fn nothing_is_a_blob_too(store: &dyn BlobStore) {
        let blob = put(store, &[], 0).await.expect("nothing fits always");
        assert_eq!(store.read(blob.digest).await.expect("it is there"), b"");
    }

    async fn large_blobs_are_whole(store: &dyn BlobStore) {
        let bytes: Vec<u8> = (0..3_500_000_u32).map(|index| (index % 251) as u8).collect();
        let chunks: Vec<&[u8]> = bytes.chunks(700_001).collect();
        let blob = put(store, &chunks, 4_000_000).await.expect("it fits");
        assert_eq!(blob, BlobRef { digest: Digest::of(&bytes), len: bytes.len() as u64 });
        assert!(store.read(blob.digest).await.expect("it is there") == bytes);
    }

    async fn what_was_written_can_be_looked_at_before_it_is_published(store: &dyn BlobStore) {
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|index| (index % 241) as u8).collect();
        let mut writer = store.begin(u64::MAX).await.expect("a writer");
        assert_eq!(all(writer.written().await.expect("nothing yet")), b"");
        for (index, chunk) in bytes.chunks(900_000).enumerate() {
            writer.write(chunk).await.expect("it fits");
            let so_far = bytes.len().min((index + 1) * 900_000);
            assert!(all(writer.written().await.expect("it is read back")) == bytes[..so_far], "after {so_far}");
        }
        assert_eq!(writer.finish().await.expect("published"), BlobRef { digest: Digest::of(&bytes), len: 3_000_000 });
    }

    fn all(written: Written) -> Vec<u8> {
        match written {
            Written::Bytes(bytes) => bytes,
            Written::File(mut file, length) => {
                let mut bytes = Vec::new();
                std::io::Read::read_to_end(&mut file, &mut bytes).expect("it is read");
                assert_eq!(bytes.len() as u64, length);
                bytes
            }
        }
    }

    async fn a_missing_blob_says_so(store: &dyn BlobStore) {
        let digest = Digest::of(b"never put");
        assert!(!store.contains(digest));
        assert!(matches!(store.read(digest).await, Err(StoreError::Missing(missing)) if missing == digest));
    }

    async fn the_limit_holds_and_the_blob_is_given_up(store: &dyn BlobStore) {
        let mut writer = store.begin(4).await.expect("a writer");
        writer.write(b"four").await.expect("it fits exactly");
        assert!(matches!(writer.write(b"!").await, Err(StoreError::TooLarge { limit: 4 })));
        assert!(matches!(writer.write(b"").await, Err(StoreError::TooLarge { limit: 4 })));
        assert!(matches!(writer.finish().await, Err(StoreError::TooLarge { limit: 4 })));
        assert!(!store.contains(Digest::of(b"four")) && !store.contains(Digest::of(b"four!")));
    }

    async fn a_dropped_writer_leaves_nothing(store: &dyn BlobStore) {
        let mut writer = store.begin(99).await.expect("a writer");
        writer.write(b"dropped").await.expect("it fits");
        drop(writer);
        assert!(!store.contains(Digest::of(b"dropped")));
    }

    async fn keeps_every_promise(store: &dyn BlobStore) {
        what_was_put_is_read_back(store).await;
        putting_twice_is_one_blob(store).await;
        two_writers_of_one_blob_agree(store).await;
        nothing_is_a_blob_too(store).await;
        large_blobs_are_whole(store).await;
        what_was_written_can_be_looked_at_before_it_is_published(store).await;
        a_missing_blob_says_so(store).await;
        the_limit_holds_and_the_blob_is_given_up(store).await;
        a_dropped_writer_leaves_nothing(store).await;
    }

    #[tokio::test]
    async fn the_memory_store_keeps_every_promise() {
        keeps_every_promise(&memory::MemoryStore::new()).await;
    }

    #[tokio::test]
    async fn the_folder_store_keeps_every_promise_synced_and_cached() {
        for durability in [fs::Durability::Synced, fs::Durability::Cached] {
            let root = tempfile::tempdir().expect("a folder");
            keeps_every_promise(&fs::FsStore::open(root.path()).expect("a store").with_durability(durability)).await;
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_folder_store_works_through_a_symlink() {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(root.path().join("real")).expect("a folder");
        std::os::unix::fs::symlink(root.path().join("real"), root.path().join("link")).expect("a link");
        keeps_every_promise(&fs::FsStore::open(&root.path().join("link/store")).expect("a store")).await;
    }
}
