//! Calls about a task: how it stands, where its pictures are.
//!
//! In: the `poll` and `result` parts of a manifest. Out: plain values.
//! Never: a decision.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::figure::Figure;
use super::place::Place;
use super::protocol::{ErrorPlaces, Request};

/// Asks after a task. The word at `state` decides, then the HTTP status; what neither knows is a task that still runs. Without both a task is
/// ready when it names pictures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PollCall {
    /// The request.
    pub request: Request,
    /// Where the answer says how the task stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Place>,
    /// What the words there mean; one that is not listed means that the task is still running.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub states: BTreeMap<String, TaskState>,
    /// What HTTP statuses say about the task: `202: running`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_status: BTreeMap<u16, TaskState>,
    /// Where the addresses of the pictures are; the first place that has any. Not needed where `http.result` asks for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<Place>,
    /// Where the answer says what was charged, in the `unit`; the first that says it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charged: Vec<Figure>,
    /// Where the answer says why a task has failed.
    #[serde(default)]
    pub error: ErrorPlaces,
}

/// How a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TaskState {
    /// Not yet.
    Running,
    /// The pictures are there.
    Ready,
    /// Ended without a picture.
    Failed,
    /// Ended by moderation.
    Refused,
    /// The provider does not know it, or not yet.
    Unseen,
}

/// Asks for the pictures of a task that is ready, where that is a call of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ResultCall {
    /// The request.
    pub request: Request,
    /// Where the addresses of the pictures are; the first place that has any.
    pub results: Vec<Place>,
    /// Where the answer says what was charged, in the `unit`; the first that says it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charged: Vec<Figure>,
}

/// An address that the answer to the submit has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(title = "Told address")]
pub enum Told {
    /// The one at `submit.poll-url`.
    PollUrl,
    /// The one at `submit.result-url`.
    ResultUrl,
}
