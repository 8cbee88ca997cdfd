//! An answer that holds a picture, taken while it comes.
//!
//! ```text
//! body ─▶ sieve ─▶ pieces of the picture ─▶ the store
//!              └─▶ the rest ─▶ at the end: was it a success, what did it cost ─▶ verdict
//! ```
//!
//! In: a response to a paid request. Out: a stream, and the verdict that is known when the stream has ended.
//! Never: an answer in memory; a picture called good before the whole answer is.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::stream;
use reqwest::Response;
use tokio::sync::oneshot;

use super::HttpProvider;
use super::answer::{Answer, retry_after};
use super::client::{Broken, LARGE, broken, noted, noted_broken, read};
use super::sieve::Sieve;
use super::turns::Turn;
use crate::provider::{ByteStream, Shot, Submitted, Verdict};
use crate::types::{Billed, Failure, FailureClass};

/// Bytes that are decoded at once, 64 KiB.
const AT_ONCE: usize = 64 << 10;

/// An answer on its way.
pub(super) struct Arrival {
    provider: HttpProvider,
    shot: Shot,
    response: Response,
    turn: Turn,
    status: u16,
    retry_after: Option<Duration>,
    /// What has come and is not looked at yet.
    chunk: Bytes,
    taken: usize,
    /// Bytes of the picture that were given on.
    given: usize,
    /// Gone once the answer has ended.
    sieve: Option<Sieve>,
    tell: Option<oneshot::Sender<Verdict>>,
}

impl Arrival {
    /// Begins with the head of the response.
    pub(super) fn new(provider: HttpProvider, shot: Shot, response: Response, sieve: Sieve) -> Self {
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers(), SystemTime::now());
        Self {
            provider,
            shot,
            response,
            turn: Turn::default(),
            status,
            retry_after,
            chunk: Bytes::new(),
            taken: 0,
            given: 0,
            sieve: Some(sieve),
            tell: None,
        }
    }

    /// Waits for the first piece of the picture, or for an end without one.
    ///
    /// # Errors
    /// The classed failure that the whole answer tells.
    pub(super) async fn begin(mut self) -> Result<Submitted, Failure> {
        let first = self.next().await?;
        let (tell, verdict) = oneshot::channel();
        self.tell = Some(tell);
        let state = (first, self);
        let bytes: ByteStream = Box::pin(stream::try_unfold(state, |(first, mut arrival)| async move {
            let piece = match first {
                Some(first) => Some(first),
                None => arrival.next().await?,
            };
            Ok(piece.map(|piece| (piece, (None, arrival))))
        }));
        Ok(Submitted::Arriving { bytes, verdict })
    }

    /// Returns the next piece; `None` when the answer has ended well. The verdict is told before the end is.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        loop {
            let Some(sieve) = &mut self.sieve else { return Ok(None) };
            if let Some(piece) = sieve.piece() {
                self.given += piece.len();
                return Ok(Some(piece));
            }
            if !self.chunk.is_empty() && !sieve.is_too_large() {
                let now = self.chunk.split_to(self.chunk.len().min(AT_ONCE));
                sieve.feed(&now);
                continue;
            }
            let over = self.taken > LARGE || self.response.content_length().is_some_and(|stated| stated > LARGE as u64);
            if over {
                return self.ended(Err(format!("it is larger than {} MB", LARGE >> 20)));
            }
            if sieve.is_too_large() {
                return self.ended(Ok(()));
            }
            match self.turn.next(&mut self.response).await {
                Ok(Some(chunk)) => {
                    self.taken += chunk.len();
                    self.chunk = chunk;
                }
                Ok(None) => return self.ended(Ok(())),
                // The status stands even if the reason does not arrive.
                Err(_) if self.status >= 400 => return self.ended(Ok(())),
                Err(error) => return self.broke_off(error),
            }
        }
    }

    /// The answer is over, or as good as that.
    fn ended(&mut self, whole: Result<(), String>) -> Result<Option<Vec<u8>>, Failure> {
        let Some(sieve) = self.sieve.take() else { return Ok(None) };
        let has_picture = sieve.has_picture();
        let (rest, picture) = sieve.end();
        noted(&self.response, rest.as_deref().unwrap_or_default(), has_picture.then_some(self.given));
        let body = whole.and(rest).and_then(|rest| read(self.status, &rest));
        let answer = Answer { status: self.status, retry_after: self.retry_after, headers: self.response.headers().clone(), body };
        let verdict = self.provider.arrived(&self.shot, answer, has_picture, picture);
        self.tell(verdict)
    }

    fn broke_off(&mut self, error: reqwest::Error) -> Result<Option<Vec<u8>>, Failure> {
        self.sieve = None;
        let broken = broken(error);
        noted_broken(&self.response, &broken);
        let (code, why) = match broken {
            Broken::Before(why) => ("connection", why),
            Broken::After(code, why) => (code, why),
        };
        let failure = self.provider.reader().told(FailureClass::Ambiguous, code, &why, Billed::Maybe, None);
        self.tell(Err(failure))
    }

    fn tell(&mut self, verdict: Verdict) -> Result<Option<Vec<u8>>, Failure> {
        let end = verdict.as_ref().map(|_| None).map_err(Failure::clone);
        if let Some(tell) = self.tell.take() {
            // Nobody may be waiting any more, which is their affair.
            let _ = tell.send(verdict);
        }
        end
    }
}
