//! Large bodies are read by turns: the client reads ahead by hundreds of kilobytes for each connection, and a hundred of them at once
//! would take what none of them needs.
//!
//! In: responses that are being read. Out: their next chunk.
//! Never: a turn kept by a connection that is silent; a turn for a body that is small.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Bodies that are read at once, once they are large.
static TURNS: Semaphore = Semaphore::const_new(10);

/// Bytes from which on a body is large, 256 KiB.
const LARGE: u64 = 256 << 10;

/// How long a silent connection keeps its turn, 1 s.
const SILENT: Duration = Duration::from_secs(1);

/// The turn of one body; it is given back when its chunk is used up.
#[derive(Default)]
pub(super) struct Turn(Option<SemaphorePermit<'static>>);

impl Turn {
    /// Returns the next chunk of a body of which so much is read.
    ///
    /// # Errors
    /// What the client says.
    pub(super) async fn next(&mut self, response: &mut Response, taken: u64) -> Result<Option<Bytes>, reqwest::Error> {
        // Who asks again has used up what it got; the others come first.
        self.0 = None;
        if taken < LARGE {
            return response.chunk().await;
        }
        self.0 = TURNS.acquire().await.ok();
        match tokio::time::timeout(SILENT, response.chunk()).await {
            Ok(chunk) => chunk,
            Err(_) => {
                self.0 = None;
                response.chunk().await
            }
        }
    }
}
