//! What a provider knows of a request whose answer was lost: by the key that went along with it, or by its task.
//!
//! In: an idempotency key, or a task. Out: the task, or that there is none.
//! Never: a cost; silence, or an answer of another shape than the manifest tells, taken for a no.

use std::time::Duration;

use serde_json::Value;

use super::HttpProvider;
use super::client::{self, Broken, SMALL};
use super::protocol::Call;
use super::request::Order;
use super::template::Values;
use crate::provider::Polled;
use crate::types::{Billed, Failure, FailureClass, IdempotencyKey, TaskId};

/// What a provider knows of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It was accepted, as this task.
    Task(TaskId),
    /// It never came, or was not accepted: nothing was charged.
    Nothing,
}

/// Exchanges of one paid request at most where its key is honoured, with the waits between them.
const REPEATED: u32 = 5;

impl HttpProvider {
    /// Returns how long after its intent a paid request may still be on its way, or be worked on: before that, what the provider knows nothing of
    /// may still come, and be charged.
    pub fn longest_way(&self) -> Duration {
        let protocol = &self.protocol;
        let calls = std::iter::once(&protocol.submit).chain(protocol.submit_by_action.values());
        let longest = calls.map(|call| call.request.timeout.0).max().unwrap_or_default();
        if protocol.idempotency_header.is_some() { longest * REPEATED } else { longest }
    }

    /// Returns whether the manifest has a call that finds requests by their key.
    pub fn can_look_up(&self) -> bool {
        self.protocol.lookup.is_some()
    }

    /// Asks what became of the request that went out under `key`; free.
    ///
    /// # Errors
    /// The classed failure of the exchange; a manifest without such a call; an answer that says neither yes nor no.
    pub async fn look_up(&self, key: &IdempotencyKey) -> Result<Found, Failure> {
        let unable = || Failure::new(FailureClass::Invalid, "no-lookup", "the manifest does not say how a lost request is looked up");
        let call = self.protocol.lookup.as_ref().ok_or_else(unable)?;
        let values = Values::from([("idempotency-key", Value::String(key.as_str().to_owned()))]);
        let order = Order { call: Call::Lookup, request: &call.request, values, parameters: None, address: None };
        let request = self.prepared(&self.clients.free, &order, Vec::new())?;
        let answer = client::exchange(request, call.request.timeout.0, SMALL).await.map_err(|broken| {
            let (Broken::Before(why) | Broken::After(_, why)) = broken;
            self.reader().told(FailureClass::Transient, "connection", &why, Billed::No, None)
        })?;
        let says_nothing = match (&call.nothing, &answer.body) {
            (Some(nothing), Ok(body)) => nothing.at.text(body).is_some_and(|said| nothing.is.iter().any(|word| word.0 == said)),
            (Some(_), Err(_)) => false,
            (None, _) => answer.status == 404,
        };
        if says_nothing {
            return Ok(Found::Nothing);
        }
        let body = self.reader().good(Call::Lookup, answer)?;
        let task = call.task.iter().find_map(|place| place.text(&body)).filter(|task| self.is_task(task));
        let unclear = || {
            self.reader().told(FailureClass::Transient, "no-task", "the answer names no task and does not say that there is none", Billed::No, None)
        };
        task.map(|task| Found::Task(TaskId::new(task))).ok_or_else(unclear)
    }

    /// Asks whether the provider knows a task, whatever became of it; free.
    ///
    /// # Errors
    /// The classed failure of the exchange.
    pub async fn knows(&self, task: &TaskId) -> Result<bool, Failure> {
        match self.polled(None, task).await {
            Ok(Polled::Running | Polled::Ready { .. } | Polled::Failed(_)) => Ok(true),
            Err(failure) if failure.class == FailureClass::Invalid => Ok(false),
            Err(failure) => Err(failure),
        }
    }
}
