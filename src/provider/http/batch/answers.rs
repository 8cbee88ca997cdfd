//! What a batch has brought: its files of answers, read once, line by line, matched by the name of each shot.
//!
//! In: a batch that has ended. Out: for each shot a picture with its charge, or a classed failure.
//! Never: a whole file in memory, a line matched by its place, a request that was not answered taken for a free one unless the provider
//! says that the batch ended first.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::lines::Lines;
use super::{Shared, custom_id};
use crate::catalog::Channel;
use crate::provider::http::answer::Answer;
use crate::provider::http::client::LARGE;
use crate::provider::http::protocol::Call;
use crate::provider::http::{HttpProvider, body, pictures};
use crate::provider::{ByteStream, Polled, ResultRef, Shot};
use crate::types::{Billed, Failure, FailureClass, TaskId};

/// Longest text of an answer that is kept in memory: whatever is longer is a picture and stays in its file.
const LONGEST_KEPT: usize = 1024;

/// The answers of one batch.
pub(super) struct Answers {
    /// The files of answers, one after the other.
    file: Mutex<File>,
    lines: HashMap<String, Line>,
    /// What is to be said of a shot that has no line.
    missing: Failure,
}

/// One answer.
struct Line {
    at: u64,
    length: usize,
    said: Said,
}

/// What a line says, without its picture.
enum Said {
    Answered {
        status: u16,
        body: Value,
    },
    /// An error of the batch itself; the HTTP status that says as much.
    Wrong {
        status: u16,
        code: String,
        message: String,
    },
}

impl Answers {
    /// Reads the files of a batch that has ended.
    pub(super) async fn read(shared: &Shared, batch: &Value) -> Result<Self, Failure> {
        let total = batch["request_counts"]["total"].as_u64().unwrap_or(u64::MAX).clamp(1, u64::from(shared.flow.lines.max(1)));
        let mut file = shared.file()?;
        let (mut lines, mut unreadable, mut at) = (HashMap::new(), 0_u64, 0);
        for place in ["output_file_id", "error_file_id"] {
            let Some(id) = batch[place].as_str().filter(|id| !id.is_empty()) else { continue };
            let mut source = Lines::open(shared, id, total.saturating_mul(LARGE as u64)).await?;
            while let Some(line) = source.next().await? {
                let Some((name, said)) = line.as_deref().and_then(read_line) else {
                    unreadable += 1;
                    continue;
                };
                let text = line.unwrap_or_default();
                file.write_all(&text).map_err(disk)?;
                let read = Line { at, length: text.len(), said };
                at += text.len() as u64;
                // An answer that stands there twice was asked for once; one with a picture says more than one without.
                let known = lines.get(&name).is_some_and(|known: &Line| known.said.is_good() || !read.said.is_good());
                if !known {
                    lines.insert(name, read);
                }
            }
        }
        let answered = batch["request_counts"]["completed"].as_u64().unwrap_or(0);
        let good = lines.values().filter(|line| line.said.is_good()).count() as u64;
        // Nobody pays for what a batch did not come to; but an answer that got lost may have been paid for.
        let may_be_lost = unreadable > 0 || answered > good;
        Ok(Self { file: Mutex::new(file), lines, missing: missing(batch["status"].as_str().unwrap_or_default(), may_be_lost) })
    }

    /// Reads why a batch was not taken: nothing of it was done.
    pub(super) async fn of_failed(shared: &Shared, batch: &Value) -> Result<Self, Failure> {
        let errors = batch["errors"]["data"].as_array().cloned().unwrap_or_default();
        let code = |error: &Value| error["code"].as_str().unwrap_or("batch_failed").to_owned();
        let message = |error: &Value| error["message"].as_str().unwrap_or("the provider gives no reason").to_owned();
        let by_line: HashMap<u64, &Value> = errors.iter().filter_map(|error| Some((error["line"].as_u64()?, error))).collect();
        let mut lines = HashMap::new();
        if let (Some(last), Some(id)) = (by_line.keys().max(), batch["input_file_id"].as_str()) {
            let mut source = Lines::open(shared, id, shared.flow.most_bytes()).await?;
            let mut number = 0;
            while let Some(line) = source.next().await? {
                number += 1;
                let name = by_line.get(&number).and_then(|error| Some((name_of(&body::read(&line?).ok()?)?, *error)));
                if let Some((name, error)) = name {
                    lines.insert(name, Line { at: 0, length: 0, said: Said::Wrong { status: 400, code: code(error), message: message(error) } });
                }
                if number >= *last {
                    break;
                }
            }
        }
        let (first, why) =
            errors.first().map_or_else(|| ("batch_failed".to_owned(), "no reason is given".to_owned()), |error| (code(error), message(error)));
        let others = if lines.is_empty() { "" } else { " for other shots in it" };
        let told = shared.http.wrong(400, &first, &format!("the batch was not taken{others}: {why}"));
        // Whose line is not named has done nothing wrong.
        let class = if told.class == FailureClass::Invalid && !lines.is_empty() { FailureClass::Transient } else { told.class };
        let missing = Failure { class, billed: Billed::No, ..told };
        Ok(Self { file: Mutex::new(shared.file()?), lines, missing })
    }

    /// Returns what the batch has brought for a shot.
    pub(super) fn of(&self, http: &HttpProvider, shot: &Shot) -> Polled {
        let name = custom_id(&shot.key);
        let Some(line) = self.lines.get(&name) else { return Polled::Failed(self.missing.clone()) };
        let (status, body) = match &line.said {
            Said::Answered { status, body } => (*status, body),
            Said::Wrong { status, code, message } => return Polled::Failed(http.line_failed(*status, code, message)),
        };
        let call = http.direct(shot.paid.action);
        match http.reader().good(Call::Submit, Answer { status, retry_after: None, headers: HeaderMap::new(), body: Ok(body.clone()) }) {
            Ok(body) => {
                let charged = http.metered(call.usage.as_ref(), shot, &body, Channel::Batch);
                if call.picture.iter().any(|place| !place.texts(&body).is_empty()) {
                    return Polled::Ready { results: vec![ResultRef(name)], charged };
                }
                let billed = charged.map_or(Billed::Maybe, Billed::Yes);
                Polled::Failed(http.reader().told(FailureClass::Failed, "no-picture", "the answer in the batch holds no picture", billed, None))
            }
            Err(failure) => Polled::Failed(in_batch(failure)),
        }
    }

    /// Reads the line of a shot again, with its picture.
    fn line(&self, name: &str) -> Result<Vec<u8>, Failure> {
        let line = self.lines.get(name).ok_or_else(|| Failure::new(FailureClass::Local, "no-line", "the batch has no answer for the shot"))?;
        let mut text = vec![0; line.length];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(line.at)).and_then(|_| file.read_exact(&mut text)).map_err(disk)?;
        Ok(text)
    }
}

impl Shared {
    /// Takes the picture of a shot out of the answers of its batch.
    pub(super) async fn fetched(&self, shot: &Shot, task: &TaskId) -> Result<ByteStream, Failure> {
        let not_yet = || Failure::new(FailureClass::Transient, "running", "the batch has not ended");
        let answers = self.answers(task).await?.ok_or_else(not_yet)?;
        let held = Arc::clone(&self.held).acquire_owned().await.expect("nobody closes it");
        let places = self.http.direct(shot.paid.action).picture.clone();
        let name = custom_id(&shot.key);
        let read = move || {
            let broken = |why: String| Failure::new(FailureClass::BadResult, "not-whole", format!("the picture in the batch cannot be read: {why}"));
            let line = body::read(&answers.line(&name)?).map_err(broken)?;
            let text = places.iter().flat_map(|place| place.texts(&line["response"]["body"])).next();
            pictures::decoded(&text.ok_or_else(|| broken("there is none".to_owned()))?).map_err(broken)
        };
        let stopped = |error: tokio::task::JoinError| Failure::new(FailureClass::Local, "stopped", error.to_string());
        let bytes = tokio::task::spawn_blocking(read).await.map_err(stopped)??;
        // The place is given up once the picture is stored, not before: thousands come at the same moment.
        let once = |(bytes, held): (Option<Vec<u8>>, _)| async move { bytes.map(|bytes| (Ok(bytes), (None, held))) };
        Ok(Box::pin(stream::unfold((Some(bytes), held), once)))
    }
}

impl HttpProvider {
    /// Returns the failure that an error of this code would be, by the manifest's table.
    fn wrong(&self, status: u16, code: &str, message: &str) -> Failure {
        let body = json!({ "error": { "code": code, "message": message, "type": null } });
        match self.reader().good(Call::Submit, Answer { status, retry_after: None, headers: HeaderMap::new(), body: Ok(body) }) {
            Err(failure) => failure,
            Ok(_) => self.reader().told(FailureClass::Failed, code, message, Billed::Maybe, None),
        }
    }

    /// Returns what a line says that has an error and no answer.
    fn line_failed(&self, status: u16, code: &str, message: &str) -> Failure {
        match code {
            "batch_expired" | "batch_cancelled" => {
                Failure { billed: Billed::No, ..self.reader().told(FailureClass::Transient, code, message, Billed::No, None) }
            }
            _ => in_batch(self.wrong(status, code, message)),
        }
    }
}

/// Returns what a failed answer means inside a batch, which was taken: it can be asked for again, in another one.
fn in_batch(failure: Failure) -> Failure {
    use FailureClass as Class;
    let (class, billed) = match failure.class {
        Class::Refused | Class::Invalid | Class::Account => (failure.class, failure.billed),
        Class::Throttled | Class::Transient | Class::Maintenance => (Class::Transient, Billed::No),
        Class::Ambiguous | Class::Failed | Class::BadResult | Class::Local => (Class::Failed, failure.billed),
    };
    Failure { class, billed, retry_after: None, ..failure }
}

/// Returns what is said of a shot that has no line.
fn missing(status: &str, may_be_lost: bool) -> Failure {
    let (code, what) = match status {
        "expired" => ("batch_expired", "the batch ran out of time before it came to this shot"),
        "cancelled" => ("batch_cancelled", "the batch was cancelled before it came to this shot"),
        _ => ("no-line", "the batch is completed, and has no answer for this shot"),
    };
    let is_free = code != "no-line" && !may_be_lost;
    if is_free {
        return Failure::new(FailureClass::Transient, code, format!("{what}; nothing was charged for it"));
    }
    let lost = if may_be_lost && code != "no-line" { ", or its answer cannot be read" } else { "" };
    Failure { billed: Billed::Maybe, ..Failure::new(FailureClass::Failed, code, format!("{what}{lost}; nobody says whether it was charged")) }
}

impl Said {
    fn is_good(&self) -> bool {
        matches!(self, Self::Answered { status: 200..=299, .. })
    }
}

/// Reads a line: whose it is, and what it says.
fn read_line(text: &[u8]) -> Option<(String, Said)> {
    let mut line = body::read(text).ok()?;
    let name = name_of(&line)?;
    let error = line["error"].take();
    if !error.is_null() {
        let text = |key: &str, other: &str| error[key].as_str().unwrap_or(other).to_owned();
        // Nobody says how far it came.
        return Some((name, Said::Wrong { status: 500, code: text("code", "failed"), message: text("message", "the provider gives no reason") }));
    }
    let mut response = line["response"].take();
    let status = u16::try_from(response["status_code"].as_u64()?).ok()?;
    let mut body = response["body"].take();
    lighten(&mut body);
    Some((name, Said::Answered { status, body }))
}

fn name_of(line: &Value) -> Option<String> {
    line["custom_id"].as_str().map(str::to_owned)
}

/// Cuts long texts: what is left of a picture says only that there is one.
fn lighten(value: &mut Value) {
    match value {
        Value::String(text) if text.len() > LONGEST_KEPT => *text = text.chars().take(16).collect(),
        Value::Array(items) => items.iter_mut().for_each(lighten),
        Value::Object(fields) => fields.values_mut().for_each(lighten),
        _ => {}
    }
}

fn disk(error: std::io::Error) -> Failure {
    Failure::new(FailureClass::Local, "disk", format!("the answers of the batch cannot be kept: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match read_line(text.as_bytes()) {
            None => "unreadable".to_owned(),
            Some((name, Said::Answered { status, body })) => format!("{name}: {status} {body}"),
            Some((name, Said::Wrong { code, message, .. })) => format!("{name}: {code}, {message}"),
        }
    }

    #[test]
    fn a_line_says_whose_it_is_and_what_became_of_it() {
        let picture = "QUJD".repeat(1000);
        let lines = [
            format!(
                r#"{{"id":"r1","custom_id":"hero","response":{{"status_code":200,"body":{{"data":[{{"b64_json":"{picture}"}}],"usage":{{"output_tokens":7}}}}}},"error":null}}"#
            ),
            r#"{"id":"r2","custom_id":"side","response":{"status_code":400,"body":{"error":{"code":"moderation_blocked"}}},"error":null}"#.to_owned(),
            r#"{"id":"r3","custom_id":"late","response":null,"error":{"code":"batch_expired","message":"too late"}}"#.to_owned(),
            r#"{"id":"r4","response":{"status_code":200,"body":{}}}"#.to_owned(),
            r#"{"custom_id":"odd","response":{"status_code":"200"},"error":null}"#.to_owned(),
            r#"{"custom_id":"half","response":{"status_code":200,"bo"#.to_owned(),
            "[]".to_owned(),
        ];
        let told: Vec<String> = lines.iter().map(|line| shown(line)).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        hero: 200 {"data":[{"b64_json":"QUJDQUJDQUJDQUJD"}],"usage":{"output_tokens":7}}
        side: 400 {"error":{"code":"moderation_blocked"}}
        late: batch_expired, too late
        unreadable
        unreadable
        unreadable
        unreadable
        "#);
    }

    #[test]
    fn only_a_batch_that_ended_early_and_was_read_whole_gives_its_rest_for_nothing() {
        let told: Vec<String> = [("expired", false), ("cancelled", false), ("completed", false), ("expired", true), ("completed", true)]
            .into_iter()
            .map(|(status, may_be_lost)| {
                let failure = missing(status, may_be_lost);
                format!("{status} {may_be_lost}: {} {} {:?}", failure.class.as_str(), failure.code, failure.billed)
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @"
        expired false: transient batch_expired No
        cancelled false: transient batch_cancelled No
        completed false: failed no-line Maybe
        expired true: failed batch_expired Maybe
        completed true: failed no-line Maybe
        ");
    }
}
