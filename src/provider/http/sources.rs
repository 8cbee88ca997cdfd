//! Addresses under which the provider itself has pictures that it made: it can take those over without our sending them.
//!
//! In: finished pictures as they are fetched. Out: the address of a picture, while it is fresh.
//! Never: an address that has had most of its time; anything beyond this run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;

use super::HttpProvider;
use crate::provider::ByteStream;
use crate::provider::manifest::Manifest;
use crate::types::Digest;

/// Addresses by the digest of the bytes.
type Known = Arc<Mutex<HashMap<Digest, (String, Instant)>>>;

/// What is remembered, if any way of handing over has use for it. Clones share it.
#[derive(Clone)]
pub(super) struct Sources {
    keep: Option<Duration>,
    known: Known,
}

impl Sources {
    pub(super) fn of(manifest: &Manifest) -> Self {
        let upload = manifest.http.as_ref().and_then(|http| http.upload.as_ref());
        let wanted = upload.is_some_and(|upload| {
            let mut requests = std::iter::once(&upload.request).chain(upload.instead.iter().map(|way| &way.request));
            requests.any(|request| request.json.as_ref().is_some_and(|json| json.has("source-url")))
        });
        // Five sixths of the time: whoever takes the picture over must still find it.
        let keep = manifest.result_ttl.filter(|_| wanted).map(|ttl| ttl.0 / 6 * 5);
        Self { keep, known: Known::default() }
    }

    /// Returns the address of a picture that the provider still has.
    pub(super) fn address(&self, digest: Digest) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&digest).filter(|(_, until)| Instant::now() < *until).map(|(address, _)| address.clone())
    }
}

impl HttpProvider {
    /// Notes the address of a picture once its bytes have come whole.
    pub(super) fn noted(&self, stream: ByteStream, address: &str) -> ByteStream {
        let Some(keep) = self.sources.keep else { return stream };
        let (known, address) = (Arc::clone(&self.sources.known), address.to_owned());
        let hasher = Some(blake3::Hasher::new());
        Box::pin(futures_util::stream::unfold((stream, hasher), move |(mut stream, hasher)| {
            let (known, address) = (Arc::clone(&known), address.clone());
            async move {
                match (stream.next().await, hasher) {
                    (Some(Ok(chunk)), Some(mut hasher)) => {
                        hasher.update(&chunk);
                        Some((Ok(chunk), (stream, Some(hasher))))
                    }
                    (Some(chunk), _) => Some((chunk, (stream, None))),
                    (None, Some(hasher)) => {
                        let digest = Digest::from_hex(hasher.finalize().to_hex().as_str())?;
                        known.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, (address, Instant::now() + keep));
                        None
                    }
                    (None, None) => None,
                }
            }
        }))
    }
}
