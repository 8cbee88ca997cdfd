//! Ways to hand a picture over.
//!
//! In: the `upload` part of a manifest. Out: plain values.
//! Never: a decision.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::place::Place;
use super::protocol::Request;
use crate::provider::manifest::Span;

/// Hands a picture over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct UploadCall {
    /// The request.
    pub request: Request,
    /// Where the answer keeps the address; the first place that has one.
    pub url: Vec<Place>,
    /// How long the provider keeps the picture.
    pub keep: Span,
    /// Where the answer says to put the bytes themselves, with a second request that carries no key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub put: Vec<Place>,
    /// Other ways, in order, each for when the one before has failed; nothing is charged for any of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instead: Vec<UploadWay>,
}

/// Another way to hand a picture over. One that needs `{{ source-url }}` is left out for pictures without an address of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct UploadWay {
    /// The request.
    pub request: Request,
    /// Only for pictures of at most so many megabytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to_mb: Option<u32>,
}
