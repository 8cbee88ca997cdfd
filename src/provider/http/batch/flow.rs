//! A provider's batches as data: what may go in one, how each request stands in it, how often one is asked after.
//!
//! In: the `http.batch` part of a manifest. Out: [`BatchFlow`].
//! Never: the order of the steps; that is code, because no table can say it.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::provider::http::protocol::{Request, SubmitCall};
use crate::provider::http::template::Template;
use crate::provider::manifest::{PollCurve, PollStep, Span};
use crate::types::{Action, PixelSize};

/// How requests go in batches: a file of requests, a batch of it, files of answers, as OpenAI's Batch API has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BatchFlow {
    /// In how long the provider promises the answers, in its own words: `24h`.
    pub window: String,
    /// Most requests in one batch.
    pub lines: u32,
    /// Largest file of requests, in millions of bytes.
    pub megabytes: u32,
    /// How long after the last shot has joined it a batch is sent; default 2s.
    #[serde(default = "BatchFlow::usual_gather")]
    pub gather: Span,
    /// How often a batch is asked after; default 30s.
    #[serde(default = "BatchFlow::usual_every")]
    pub every: Span,
    /// How long after a request for a batch one that is not in the provider's list was never made; default 2m.
    #[serde(default = "BatchFlow::usual_unseen")]
    pub unseen: Span,
    /// How the requests of each action stand in the file; actions without an entry go in no batch.
    pub requests: BTreeMap<Action, BatchRequest>,
}

/// How the requests of one action stand in a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BatchRequest {
    /// The provider's own path, whatever address it is spoken to at: `/v1/images/generations`.
    pub url: String,
    /// The body. Pictures stand in it as `{ image_url: data:... }`.
    pub json: Template,
    /// The only sizes that it takes; absent: all that the model makes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<PixelSize>,
}

impl BatchFlow {
    const fn usual_gather() -> Span {
        Span(Duration::from_secs(2))
    }

    const fn usual_every() -> Span {
        Span(Duration::from_secs(30))
    }

    const fn usual_unseen() -> Span {
        Span(Duration::from_secs(120))
    }

    /// Returns when a run that watches its batches for `watched` asks after them.
    pub fn curve(&self, watched: Duration) -> PollCurve {
        let first = self.every.0.min(Duration::from_secs(5));
        let steps = vec![PollStep { from: Span(Duration::ZERO), every: self.every }];
        PollCurve { start: Span(first), steps, deadline: Span(watched), unseen: PollCurve::UNSEEN }
    }

    /// Returns the most bytes of a file of requests.
    pub(super) fn most_bytes(&self) -> u64 {
        u64::from(self.megabytes) * 1_000_000
    }
}

impl BatchRequest {
    /// Returns the call as if it were sent by itself, with the body that it has in a batch.
    pub(in crate::provider::http) fn as_submit(&self, direct: &SubmitCall) -> SubmitCall {
        let request = Request { json: Some(self.json.clone()), form: Vec::new(), ..direct.request.clone() };
        SubmitCall { request, ..direct.clone() }
    }
}
