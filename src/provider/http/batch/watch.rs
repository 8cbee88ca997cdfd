//! How a batch stands, asked once for all its shots.
//!
//! In: the task of a shot. Out: that it runs still, or what its batch has brought for it.
//! Never: one question a shot: ten thousand shots of one batch ask once and wait for one answer.

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use super::Shared;
use super::answers::Answers;
use crate::provider::{Polled, Shot};
use crate::types::{Failure, TaskId};

/// A batch that somebody asks after.
#[derive(Default)]
pub(super) struct Watched(tokio::sync::Mutex<State>);

#[derive(Default)]
struct State {
    asked: Option<Instant>,
    /// What was said then: that it runs still, or why there was no answer.
    said: Option<Result<(), Failure>>,
    /// The provider's words, for people.
    words: Option<String>,
    answers: Option<Arc<Answers>>,
}

impl Watched {
    /// Returns how the batch stood when it was last asked after.
    pub(super) async fn words(&self) -> Option<String> {
        self.0.lock().await.words.clone()
    }
}

impl Shared {
    pub(super) async fn polled(&self, shot: &Shot, task: &TaskId) -> Result<Polled, Failure> {
        Ok(match self.answers(task).await? {
            Some(answers) => answers.of(&self.http, shot),
            None => Polled::Running,
        })
    }

    /// Returns what a batch has brought; `None` while it runs.
    pub(super) async fn answers(&self, task: &TaskId) -> Result<Option<Arc<Answers>>, Failure> {
        let watched = self.watched(task);
        // Who holds this asks; the others wait and find the answer.
        let mut state = watched.0.lock().await;
        if let Some(answers) = &state.answers {
            return Ok(Some(Arc::clone(answers)));
        }
        // A wave of shots comes every so often: what was said to the first of them holds for the rest.
        let is_fresh = state.asked.is_some_and(|asked| asked.elapsed() < self.flow.every.0 / 2);
        if let Some(said) = state.said.clone().filter(|_| is_fresh) {
            return said.map(|()| None);
        }
        let answered = self.asked(task, &mut state.words).await;
        state.asked = Some(Instant::now());
        match answered {
            Ok(answers) => {
                state.said = Some(Ok(()));
                state.answers.clone_from(&answers);
                Ok(answers)
            }
            Err(failure) => {
                state.said = Some(Err(failure.clone()));
                Err(failure)
            }
        }
    }

    async fn asked(&self, task: &TaskId, words: &mut Option<String>) -> Result<Option<Arc<Answers>>, Failure> {
        let batch = self.http.batch(task).await?;
        *words = Some(told(&batch));
        match batch["status"].as_str() {
            Some("completed" | "expired" | "cancelled") => Ok(Some(Arc::new(Answers::read(self, &batch).await?))),
            Some("failed") => Ok(Some(Arc::new(Answers::of_failed(self, &batch).await?))),
            // A state that nobody knows is one on the way.
            _ => Ok(None),
        }
    }
}

/// Says how a batch stands: `in progress, 3 of 24 answered`.
fn told(batch: &Value) -> String {
    let state: String = batch["status"].as_str().unwrap_or("unknown").chars().take(32).collect::<String>().replace('_', " ");
    let counts = &batch["request_counts"];
    match (counts["completed"].as_u64(), counts["failed"].as_u64(), counts["total"].as_u64()) {
        (Some(completed), Some(failed), Some(total)) if total > 0 => format!("{state}, {} of {total} answered", completed.saturating_add(failed)),
        _ => state,
    }
}
