//! Blobs in memory: for tests, and for runs that leave nothing behind.
//!
//! In: bytes, in chunks. Out: the bytes again, as long as the process lives.
//! Never: the disk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;

use super::{BlobStore, BlobWriter, StoreError, Written};
use crate::types::{BlobRef, Digest};

type Blobs = Arc<Mutex<HashMap<Digest, Arc<Vec<u8>>>>>;

/// A store that forgets everything at the end of the process. Clones share their blobs.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    blobs: Blobs,
}

impl MemoryStore {
    /// Starts empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns how many blobs there are.
    pub fn len(&self) -> usize {
        locked(&self.blobs).len()
    }

    /// Returns whether there is no blob at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A panic elsewhere leaves the map whole: every change of it is one insert.
fn locked(blobs: &Mutex<HashMap<Digest, Arc<Vec<u8>>>>) -> MutexGuard<'_, HashMap<Digest, Arc<Vec<u8>>>> {
    blobs.lock().unwrap_or_else(PoisonError::into_inner)
}

impl BlobStore for MemoryStore {
    fn begin(&self, limit: u64) -> BoxFuture<'_, Result<Box<dyn BlobWriter>, StoreError>> {
        let writer = MemoryWriter { blobs: Arc::clone(&self.blobs), limit, bytes: Some(Vec::new()) };
        Box::pin(async move { Ok(Box::new(writer) as Box<dyn BlobWriter>) })
    }

    fn read(&self, digest: Digest) -> BoxFuture<'_, Result<Vec<u8>, StoreError>> {
        Box::pin(async move {
            let found = locked(&self.blobs).get(&digest).cloned();
            found.map(|bytes| bytes.to_vec()).ok_or(StoreError::Missing(digest))
        })
    }

    fn contains(&self, digest: Digest) -> bool {
        locked(&self.blobs).contains_key(&digest)
    }
}

struct MemoryWriter {
    blobs: Blobs,
    limit: u64,
    /// `None` once the blob was given up.
    bytes: Option<Vec<u8>>,
}

impl BlobWriter for MemoryWriter {
    fn write<'a>(&'a mut self, chunk: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let fits = |bytes: &Vec<u8>| bytes.len() as u64 + chunk.len() as u64 <= self.limit;
            match self.bytes.as_mut().filter(|bytes| fits(bytes)) {
                Some(bytes) => {
                    bytes.extend_from_slice(chunk);
                    Ok(())
                }
                None => {
                    self.bytes = None;
                    Err(StoreError::TooLarge { limit: self.limit })
                }
            }
        })
    }

    fn written(&mut self) -> BoxFuture<'_, Result<Written, StoreError>> {
        Box::pin(async move { self.bytes.clone().map(Written::Bytes).ok_or(StoreError::TooLarge { limit: self.limit }) })
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<BlobRef, StoreError>> {
        Box::pin(async move {
            let bytes = self.bytes.ok_or(StoreError::TooLarge { limit: self.limit })?;
            let blob = BlobRef { digest: Digest::of(&bytes), len: bytes.len() as u64 };
            locked(&self.blobs).entry(blob.digest).or_insert_with(|| Arc::new(bytes));
            Ok(blob)
        })
    }
}
