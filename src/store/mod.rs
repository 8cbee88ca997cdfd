//! Images by digest: written once, whole or not at all.
//!
//! In: bytes, in chunks. Out: [`BlobRef`]s, and the bytes again.
//! Never: image decoding, names that a person chose.

pub mod fs;
pub mod memory;

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

/// A blob being written. Dropped before [`finish`](BlobWriter::finish), it leaves nothing behind.
pub trait BlobWriter: Send {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] past the limit; the blob is given up then.
    fn write<'a>(&'a mut self, chunk: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Makes the blob durable and publishes it under its digest.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<BlobRef, StoreError>>;
}
