//! Large bodies are read by turns: the client reads ahead by hundreds of kilobytes for each connection, and a hundred of them at once
//! would take what none of them needs.
//!
//! In: responses that are being read. Out: their next chunk.
//! Never: a turn kept by a connection that is silent; a turn for a body that is small.

use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::Response;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Bodies that are read at once, once they are large.
static TURNS: Semaphore = Semaphore::const_new(4);

/// Bytes from which on a body is large, 32 KiB.
const LARGE: u64 = 32 << 10;

/// How long a connection that brings nothing keeps its turn, 20 ms: a slow one reads nothing ahead, so any number of them may wait.
const SILENT: Duration = Duration::from_millis(20);

/// How long a body is read before the others come, 2 s: the fewer are begun, the less is read ahead, and who drips holds nobody up.
const HELD: Duration = Duration::from_secs(2);

/// The turn of one body; it is given back at its end, after a while, and when the body comes no more.
#[derive(Default)]
pub(super) struct Turn(Option<(SemaphorePermit<'static>, Instant)>);

impl Turn {
    /// Returns the next chunk of a body of which so much is read.
    ///
    /// # Errors
    /// What the client says.
    pub(super) async fn next(&mut self, response: &mut Response, taken: u64) -> Result<Option<Bytes>, reqwest::Error> {
        if taken < LARGE {
            return response.chunk().await;
        }
        if self.0.as_ref().is_none_or(|(_, since)| since.elapsed() > HELD) {
            // Given back before it is asked for: the others come first.
            self.0 = None;
            self.0 = TURNS.acquire().await.ok().map(|turn| (turn, Instant::now()));
        }
        let chunk = match tokio::time::timeout(SILENT, response.chunk()).await {
            Ok(chunk) => chunk,
            Err(_) => {
                self.0 = None;
                response.chunk().await
            }
        };
        if !matches!(chunk, Ok(Some(_))) {
            self.0 = None;
        }
        chunk
    }
}
