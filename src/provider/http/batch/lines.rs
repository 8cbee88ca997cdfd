//! A file at the provider's, line by line as it comes.
//!
//! In: the id of a file. Out: its lines, without their ends.
//! Never: more than one line in memory, a line or a file without a limit, a wait without an end.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::HeaderMap;

use super::Shared;
use super::send::segment;
use crate::provider::http::answer::Answer;
use crate::provider::http::body;
use crate::provider::http::client::{Broken, LARGE, broken};
use crate::provider::http::protocol::{Call, Method};
use crate::types::{Failure, FailureClass};

/// How long the provider may be silent between two pieces.
const SILENCE: Duration = Duration::from_secs(60);

/// A file that is being read.
pub(super) struct Lines {
    response: Response,
    /// What has come and is not read.
    held: Vec<u8>,
    /// How much of `held` is read.
    read: usize,
    /// How much of `held` has been searched for the end of a line.
    searched: usize,
    /// Whether the present line is longer than any may be: it is passed over.
    skips: bool,
    left: u64,
    is_over: bool,
}

impl Lines {
    /// Opens a file of at most so many bytes.
    pub(super) async fn open(shared: &Shared, id: &str, most: u64) -> Result<Self, Failure> {
        let request = shared.http.to(Method::Get, &format!("files/{}/content", segment(id)))?;
        let response = tokio::time::timeout(SILENCE, request.send()).await.map_err(|_| silent())?.map_err(|error| torn(broken(error)))?;
        let status = response.status().as_u16();
        if status != 200 {
            let text = tokio::time::timeout(SILENCE, response.bytes()).await.ok().and_then(Result::ok).unwrap_or_default();
            let body = body::read(text.get(..text.len().min(64 << 10)).unwrap_or_default());
            // Whatever else it is: no file has come.
            let status = if (200..300).contains(&status) { 502 } else { status };
            let told = shared.http.reader().good(Call::Poll, Answer { status, retry_after: None, headers: HeaderMap::new(), body });
            return Err(told.err().unwrap_or_else(silent));
        }
        Ok(Self { response, held: Vec::new(), read: 0, searched: 0, skips: false, left: most, is_over: false })
    }

    /// Returns the next line that is not empty; inside, nothing if it is longer than any may be.
    pub(super) async fn next(&mut self) -> Result<Option<Option<Vec<u8>>>, Failure> {
        loop {
            if let Some(found) = self.held[self.searched..].iter().position(|byte| *byte == b'\n') {
                let end = self.searched + found;
                let line = self.held[self.read..end].to_vec();
                (self.read, self.searched) = (end + 1, end + 1);
                match (std::mem::take(&mut self.skips), line.trim_ascii().is_empty()) {
                    (true, _) => return Ok(Some(None)),
                    (false, true) => continue,
                    (false, false) => return Ok(Some(Some(line))),
                }
            }
            self.held.drain(..std::mem::take(&mut self.read));
            if self.held.len() > LARGE {
                self.held.clear();
                self.skips = true;
            }
            self.searched = self.held.len();
            if self.is_over {
                let line = std::mem::take(&mut self.held);
                let skips = std::mem::take(&mut self.skips);
                return Ok((skips || !line.trim_ascii().is_empty()).then_some((!skips).then_some(line)));
            }
            match tokio::time::timeout(SILENCE, self.response.chunk()).await.map_err(|_| silent())? {
                Ok(Some(chunk)) => {
                    let too_large = || Failure::new(FailureClass::BadResult, "too-large", "the file of answers is larger than its answers can be");
                    self.left = self.left.checked_sub(chunk.len() as u64).ok_or_else(too_large)?;
                    self.held.extend_from_slice(&chunk);
                }
                Ok(None) => self.is_over = true,
                Err(error) => return Err(torn(broken(error))),
            }
        }
    }
}

fn silent() -> Failure {
    Failure::new(FailureClass::Transient, "timeout", format!("a file of the batch did not come: {} s of silence", SILENCE.as_secs()))
}

fn torn(broken: Broken) -> Failure {
    let (Broken::Before(why) | Broken::After(_, why)) = broken;
    Failure::new(FailureClass::Transient, "connection", format!("a file of the batch did not come whole: {why}"))
}
