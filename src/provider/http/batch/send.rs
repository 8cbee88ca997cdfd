//! A file of requests becomes a batch, once.
//!
//! ```text
//! upload (free) ─▶ noted: name and shots ─▶ POST batches ─ refused ─▶ nothing was charged
//!                                              ├ an id ───▶ noted ─▶ the task of every shot
//!                                              └ no answer ─▶ looked for by its name ─ found ─▶ as if answered; else in doubt
//! ```
//!
//! In: a file and the shots in it. Out: the task of each, or one classed failure for all.
//! Never: a second POST for one file; a batch that is not in a list taken for one that was not made, unless the list is old enough.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{TryStreamExt, stream};
use reqwest::RequestBuilder;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Shared;
use super::flow::BatchFlow;
use super::gather::{Gathering, Group, Waiting};
use crate::provider::http::client::{self, Broken, SMALL};
use crate::provider::http::protocol::{Call, Method};
use crate::provider::http::{HttpProvider, LONGEST_TASK};
use crate::types::{Billed, Failure, FailureClass, TaskId};

/// How long an upload may take, 30 minutes: 200 MB at a slow office's pace.
const UPLOAD: Duration = Duration::from_secs(30 * 60);

/// How often a file is handed over at most when that breaks: it is free, and otherwise every shot in the file would come back and be written anew.
const UPLOADS: u32 = 3;

/// After how long no further upload is begun, 10 minutes: the shots wait for an hour at most.
const UPLOADS_BEGIN: Duration = Duration::from_secs(10 * 60);

/// How long any other exchange may take.
const EXCHANGE: Duration = Duration::from_secs(60);

/// How often a batch whose answer was lost is looked for at once.
const LOOKS: u32 = 3;

/// Batches on one page of the list, the most that the provider gives.
const PAGE: usize = 100;

/// Most pages that are read: more than anybody has.
const PAGES: usize = 200;

/// What a list of batches says about one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// It is there, as this.
    Made(TaskId),
    /// The whole list was read, and it is not in it.
    NotThere,
}

impl Shared {
    /// Sends a file and tells every shot in it what has become of it.
    pub(super) async fn send(self: Arc<Self>, group: Group, gathering: Gathering) {
        let Gathering { file, bytes, waiting, .. } = gathering;
        let sent = self.sent(&group, file, bytes, &waiting).await;
        for Waiting { answer, .. } in waiting {
            // Whoever has left finds its intent in the ledger, and its batch by that.
            let _ = answer.send(sent.clone());
        }
    }

    async fn sent(&self, group: &Group, file: File, bytes: u64, waiting: &[Waiting]) -> Result<TaskId, Failure> {
        let number = self.closed.fetch_add(1, Ordering::Relaxed) + 1;
        let first = waiting.first().map(|first| first.key.to_string()).unwrap_or_default();
        let desk = self.desk()?;
        let name = format!("{}.{number}.{}", desk.run, first.get(..8).unwrap_or_default());
        let input = self.uploaded(&name, &file, bytes).await?;

        let unnoted = |why: String| Failure::new(FailureClass::Local, "ledger", format!("the batch could not be noted and was not sent: {why}"));
        let shots = waiting.iter().map(|one| (one.key, one.attempt)).collect();
        desk.logbook.sending(&name, shots).await.map_err(unnoted)?;
        let made = match self.http.make_batch(&self.flow, &group.url, &input, &name).await {
            Err(failure) if failure.class == FailureClass::Ambiguous => self.looked_for(&name).await.ok_or(failure)?,
            told => told?,
        };
        // A ledger that cannot note it says so again when it is told of each shot, and the batch can still be found by its name.
        let _ = desk.logbook.made(&name, &made).await;
        Ok(made)
    }

    /// Hands the file over and returns its id. Nothing is charged for files, so one whose answer was lost is sent once more.
    async fn uploaded(&self, name: &str, file: &File, bytes: u64) -> Result<String, Failure> {
        let begun = Instant::now();
        let mut uploads = 0;
        loop {
            let copy = file.try_clone().map_err(|error| Failure::new(FailureClass::Local, "disk", format!("the file of requests: {error}")))?;
            uploads += 1;
            match self.http.upload_requests(name, copy, bytes).await {
                Err(failure) if failure.class == FailureClass::Transient && uploads < UPLOADS && begun.elapsed() < UPLOADS_BEGIN => {
                    tokio::time::sleep(self.flow.gather.0 * uploads).await;
                }
                told => return told,
            }
        }
    }

    /// Looks for a batch whose answer was lost; one that is not found may still come.
    async fn looked_for(&self, name: &str) -> Option<TaskId> {
        for look in 0..LOOKS {
            tokio::time::sleep(self.flow.gather.0 * (1 << look)).await;
            if let Ok(Looked::Made(batch)) = self.http.look_for_batch(name).await {
                return Some(batch);
            }
        }
        None
    }
}

impl HttpProvider {
    /// Returns how the provider takes batches, if it does.
    pub fn batches(&self) -> Option<&BatchFlow> {
        self.protocol.batch.as_ref()
    }

    /// Hands a file of requests over and returns its id; free.
    async fn upload_requests(&self, name: &str, file: File, bytes: u64) -> Result<String, Failure> {
        let broken = |error: reqwest::Error| Failure::new(FailureClass::Local, "form", error.to_string());
        let part = Part::stream_with_length(reqwest::Body::wrap_stream(pieces(file)), bytes);
        let part = part.file_name(format!("{name}.jsonl")).mime_str("application/jsonl").map_err(broken)?;
        let request = self.to(Method::Post, "files")?.multipart(Form::new().text("purpose", "batch").part("file", part));
        let body = self.free_exchange(Call::Upload, request, UPLOAD).await?;
        let unnamed = || {
            self.reader().told(FailureClass::Transient, "upload", "the file of requests was taken, but the answer names no file", Billed::No, None)
        };
        id_of(&body).ok_or_else(unnamed)
    }

    /// Asks for a batch, once; the only request here that costs.
    async fn make_batch(&self, flow: &BatchFlow, url: &str, input: &str, name: &str) -> Result<TaskId, Failure> {
        let body = json!({ "input_file_id": input, "endpoint": url, "completion_window": flow.window, "metadata": { "callsheet": name } });
        let path = self.at("batches")?;
        let request = self.clients.paid.post(path).headers(self.headers.clone()).header("content-type", "application/json").body(body.to_string());
        let answer = client::exchange(request, EXCHANGE, SMALL).await.map_err(|broken| match broken {
            Broken::Before(why) => self.reader().told(FailureClass::Transient, "connection", &why, Billed::No, None),
            Broken::After(code, why) => self.reader().told(FailureClass::Ambiguous, code, &why, Billed::Maybe, None),
        })?;
        let body = self.reader().good(Call::Submit, answer)?;
        let unnamed =
            || self.reader().told(FailureClass::Ambiguous, "no-task", "the batch was accepted, but the answer does not name it", Billed::Maybe, None);
        id_of(&body).map(TaskId::new).ok_or_else(unnamed)
    }

    /// Looks for a batch by our name for it; free.
    ///
    /// # Errors
    /// The classed failure of the exchange; a list that does not end.
    pub async fn look_for_batch(&self, name: &str) -> Result<Looked, Failure> {
        let mut after: Option<String> = None;
        for _ in 0..PAGES {
            let mut url = self.at("batches")?;
            url.query_pairs_mut().append_pair("limit", &PAGE.to_string());
            if let Some(after) = &after {
                url.query_pairs_mut().append_pair("after", after);
            }
            let page = self.free_exchange(Call::Lookup, self.clients.free.get(url).headers(self.headers.clone()), EXCHANGE).await?;
            let Some(batches) = page["data"].as_array() else { break };
            if let Some(found) = batches.iter().find(|batch| batch["metadata"]["callsheet"] == name)
                && let Some(id) = id_of(found)
            {
                return Ok(Looked::Made(TaskId::new(id)));
            }
            after = batches.last().and_then(id_of);
            match (page["has_more"].as_bool(), &after) {
                (Some(false), _) => return Ok(Looked::NotThere),
                (Some(true), Some(_)) => {}
                _ => break,
            }
        }
        Err(self.reader().told(FailureClass::Transient, "no-list", "the provider's list of batches could not be read to its end", Billed::No, None))
    }

    /// Asks after a batch; free.
    ///
    /// # Errors
    /// The classed failure of the exchange.
    pub(super) async fn batch(&self, batch: &TaskId) -> Result<Value, Failure> {
        self.free_exchange(Call::Poll, self.to(Method::Get, &format!("batches/{}", segment(batch.as_str())))?, EXCHANGE).await
    }

    /// Asks whether the provider knows a batch; free.
    ///
    /// # Errors
    /// The classed failure of the exchange.
    pub async fn knows_batch(&self, batch: &TaskId) -> Result<bool, Failure> {
        match self.batch(batch).await {
            Ok(_) => Ok(true),
            Err(failure) if failure.class == FailureClass::Invalid => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Starts a request to the API itself, with the key.
    pub(super) fn to(&self, method: Method, path: &str) -> Result<RequestBuilder, Failure> {
        let url = self.at(path)?;
        let builder = match method {
            Method::Post => self.clients.free.post(url),
            Method::Get => self.clients.free.get(url),
        };
        Ok(builder.headers(self.headers.clone()))
    }

    fn at(&self, path: &str) -> Result<reqwest::Url, Failure> {
        let origin = self.own.as_ref().unwrap_or(&self.protocol.base_url);
        origin.join(path).map_err(|why| Failure::new(FailureClass::Invalid, "manifest", why))
    }

    async fn free_exchange(&self, call: Call, request: RequestBuilder, timeout: Duration) -> Result<Value, Failure> {
        let answer = client::exchange(request, timeout, SMALL).await.map_err(|broken| {
            let (Broken::Before(why) | Broken::After(_, why)) = broken;
            self.reader().told(FailureClass::Transient, "connection", &why, Billed::No, None)
        })?;
        self.reader().good(call, answer)
    }
}

/// Returns the id of a file or a batch, if it is one that can stand in a path and in a ledger.
fn id_of(body: &Value) -> Option<String> {
    let id = body["id"].as_str()?;
    let is_plain = !id.is_empty() && id.len() <= LONGEST_TASK && !id.chars().any(char::is_control);
    is_plain.then(|| id.to_owned())
}

/// Returns an id as it may stand in a path: whatever could lead elsewhere is escaped.
pub(super) fn segment(id: &str) -> String {
    id.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// Reads a file from its beginning, piece by piece, beside the runtime.
fn pieces(file: File) -> impl stream::TryStream<Ok = Vec<u8>, Error = std::io::Error> + Send + 'static {
    let next = |(mut file, begins): (File, bool)| async move {
        let read = tokio::task::spawn_blocking(move || {
            if begins {
                file.seek(SeekFrom::Start(0))?;
            }
            let mut piece = vec![0; 256 << 10];
            let read = file.read(&mut piece)?;
            piece.truncate(read);
            Ok::<_, std::io::Error>((piece, file))
        });
        let (piece, file) = read.await.map_err(std::io::Error::other)??;
        Ok::<_, std::io::Error>((!piece.is_empty()).then_some((piece, (file, false))))
    };
    Box::pin(stream::try_unfold((file, true), next)).into_stream()
}
