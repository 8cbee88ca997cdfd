//! Shots on their way into a batch: one line each, of one file for each kind of request.
//!
//! In: shots, whenever they come. Out: files that are full, or that nobody has joined for a while, handed to [`send`](super::send).
//! Never: a file above the provider's limits, two kinds of request or two models in one file, a picture that stays in memory.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::sync::{Arc, PoisonError};

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Shared, custom_id};
use crate::provider::Shot;
use crate::types::{AttemptNo, Failure, FailureClass, JobKey, TaskId};

/// Longest address of a picture in a body, 20 MiB, `data:` addresses included.
const LONGEST_ADDRESS: usize = 20 << 20;

/// What all requests of a batch share.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Group {
    /// The provider's path.
    pub(super) url: String,
    /// The provider's name of the model.
    model: String,
}

/// A file of requests that is still open.
pub(super) struct Gathering {
    pub(super) file: File,
    pub(super) bytes: u64,
    pub(super) waiting: Vec<Waiting>,
    last: Instant,
}

/// A shot that waits for its batch.
pub(super) struct Waiting {
    pub(super) key: JobKey,
    pub(super) attempt: AttemptNo,
    pub(super) answer: oneshot::Sender<Result<TaskId, Failure>>,
}

impl Shared {
    /// Puts a shot into a batch and waits for what the provider calls it.
    pub(super) async fn join(self: Arc<Self>, shot: &Shot) -> Result<TaskId, Failure> {
        let answer = {
            let _held = self.held.acquire().await.expect("nobody closes it");
            let (group, line) = self.line(shot).await?;
            self.put(group, shot, &line)?
        };
        let gone = || Failure::new(FailureClass::Transient, "batch-not-sent", "the batch was given up before it was sent");
        answer.await.map_err(|_| gone())?
    }

    /// Returns the line of a shot, with its end, and what it may share a file with.
    async fn line(&self, shot: &Shot) -> Result<(Group, Vec<u8>), Failure> {
        let action = shot.paid.action;
        let unable = || Failure::new(FailureClass::Invalid, "no-batch", format!("the manifest does not say how `{action}` goes in a batch"));
        let request = self.flow.requests.get(&action).ok_or_else(unable)?;
        let call = request.as_submit(self.http.direct(action));
        let (mut order, _) = self.http.order(&call, shot).await?;
        for slot in ["image", "pictures", "references", "mask"] {
            if let Some(value) = order.values.get_mut(slot) {
                *value = referenced(value.take())?;
            }
        }
        if let Some(parameters) = order.parameters.take() {
            order.values.insert("parameters", parameters);
        }
        let filled = request.json.fill(&order.values, &self.http.protocol.words);
        let body = filled.map_err(|error| Failure::new(FailureClass::Invalid, "manifest", error.to_string()))?.unwrap_or(Value::Null);
        let model = order.values.get("wire").and_then(Value::as_str).unwrap_or_default().to_owned();
        let line = json!({ "custom_id": custom_id(&shot.key), "method": "POST", "url": request.url, "body": body });
        let mut line = line.to_string().into_bytes();
        line.push(b'\n');
        if line.len() as u64 > self.flow.most_bytes() {
            let why = format!("its request has {} MB; a batch takes {} MB", line.len() / 1_000_000, self.flow.megabytes);
            return Err(Failure::new(FailureClass::Invalid, "too-large", why));
        }
        Ok((Group { url: request.url.clone(), model }, line))
    }

    /// Writes a line into the open file of its group; a file that it does not fit into is sent first.
    fn put(self: &Arc<Self>, group: Group, shot: &Shot, line: &[u8]) -> Result<oneshot::Receiver<Result<TaskId, Failure>>, Failure> {
        let full_disk = |error: std::io::Error| Failure::new(FailureClass::Local, "disk", format!("the file of requests cannot be written: {error}"));
        let (answer, receiver) = oneshot::channel();
        let waiting = Waiting { key: shot.key, attempt: shot.attempt, answer };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |gathering: &Gathering| {
            gathering.bytes + line.len() as u64 > self.flow.most_bytes() || gathering.waiting.len() >= self.flow.lines.max(1) as usize
        };
        if open.get(&group).is_some_and(is_full)
            && let Some(full) = open.remove(&group)
        {
            tokio::spawn(Arc::clone(self).send(group.clone(), full));
        }
        if let Some(gathering) = open.get_mut(&group) {
            added(&mut gathering.file, gathering.bytes, |file| file.write_all(line)).map_err(full_disk)?;
            gathering.bytes += line.len() as u64;
            gathering.waiting.push(waiting);
            gathering.last = Instant::now();
            return Ok(receiver);
        }
        let mut file = self.file()?;
        file.write_all(line).map_err(full_disk)?;
        open.insert(group.clone(), Gathering { file, bytes: line.len() as u64, waiting: vec![waiting], last: Instant::now() });
        tokio::spawn(Arc::clone(self).close_when_quiet(group));
        Ok(receiver)
    }

    /// Sends the open file of a group once nobody has joined it for a while.
    async fn close_when_quiet(self: Arc<Self>, group: Group) {
        let gathering = loop {
            let quiet = {
                let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(gathering) = open.get(&group) else { return };
                let quiet = gathering.last + self.flow.gather.0;
                match Instant::now() >= quiet {
                    true => break open.remove(&group),
                    false => quiet,
                }
            };
            tokio::time::sleep_until(quiet).await;
        };
        if let Some(gathering) = gathering {
            self.send(group, gathering).await;
        }
    }
}

/// Writes a line behind the first `at` bytes; what a full disk took of it is taken back, so that the next line does not begin in its middle.
fn added(file: &mut File, at: u64, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    write(file).inspect_err(|_| {
        // A file that even so is longer than its lines is refused on its way to the provider: its length is stated.
        let _ = file.set_len(at).and_then(|()| file.seek(SeekFrom::Start(at)));
    })
}

/// Returns pictures as a body of a batch names them.
fn referenced(value: Value) -> Result<Value, Failure> {
    match value {
        Value::String(address) if address.len() > LONGEST_ADDRESS => {
            let why = format!("a picture of {} MB as text is above the {} MB that a body takes", address.len() >> 20, LONGEST_ADDRESS >> 20);
            Err(Failure::new(FailureClass::Invalid, "picture-too-large", why))
        }
        Value::String(address) => Ok(json!({ "image_url": address })),
        Value::Array(all) => all.into_iter().map(referenced).collect::<Result<Vec<_>, _>>().map(Value::Array),
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_line_that_a_full_disk_took_half_of_leaves_the_others_whole() {
        let mut file = tempfile::tempfile().expect("a file");
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        added(&mut file, 0, |file| file.write_all(b"one\n")).expect("there is room");
        let refused = added(&mut file, 4, |file| file.write_all(b"tw").and(Err(full())));
        assert_eq!(refused.map_err(|error| error.kind()), Err(io::ErrorKind::StorageFull));
        added(&mut file, 4, |file| file.write_all(b"three\n")).expect("there is room again");
        let mut text = String::new();
        file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_string(&mut text)).expect("it can be read");
        assert_eq!(text, "one\nthree\n");
    }
}
