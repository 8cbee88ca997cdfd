//! How a provider is spoken to, as data: origins, key header, calls, where answers keep what, what errors mean.
//!
//! In: the `http` part of a manifest. Out: [`Protocol`].
//! Never: a key, a vendor's name in code.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::batch::flow::BatchFlow;
use super::ending::EndRule;
use super::figure::Figure;
pub use super::origin::Origin;
use super::place::Place;
pub use super::task_calls::{PollCall, ResultCall, TaskState, Told};
use super::template::{Template, Words};
pub use super::upload_calls::{UploadCall, UploadWay};
use crate::provider::manifest::{Known, Span};
use crate::types::{Action, Currency, FailureClass};

/// How a provider is spoken to over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Protocol {
    /// Where the API is.
    pub base_url: Origin,
    /// Further origins of the API by name, for calls that go elsewhere; the key is sent there too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub origins: BTreeMap<String, Origin>,
    /// How the key is sent.
    pub auth: Auth,
    /// Further headers of every call of the API.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The header that carries the idempotency key, where the provider honours one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_header: Option<String>,
    /// What the body of an answer must say besides HTTP 2xx; absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<Predicate>,
    /// Where something stands only if the request has failed, whatever the HTTP status; absent: nowhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_if: Vec<Place>,
    /// Where an answer says what went wrong.
    pub error: ErrorPlaces,
    /// How pictures stand in a JSON body; forms carry files.
    #[serde(default)]
    pub pictures: PicturesAs,
    /// What one picture is in a JSON body; absent: its text alone. `{{ picture }}` is its text, `{{ media }}` its type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each_picture: Option<Template>,
    /// How a mask says which part is to change; it is redrawn where that is another way than ours.
    #[serde(default)]
    pub masks: MaskAs,
    /// Hands a picture over and gets an address for it; needed when pictures go by address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<UploadCall>,
    /// Asks for a picture; the only call that costs.
    pub submit: SubmitCall,
    /// Asks for a picture, where an action is asked for in another way.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub submit_by_action: BTreeMap<Action, SubmitCall>,
    /// Asks after a task; needed when the answer to a submit is a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<PollCall>,
    /// Asks for the pictures of a task that is ready; absent: the answer to `poll` names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultCall>,
    /// Gets a fresh address for a picture whose address has expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<AskCall>,
    /// Finds out what became of a request whose answer was lost, by the idempotency key that went along with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup: Option<LookupCall>,
    /// Asks how much is left in the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<AskCall>,
    /// How requests go in batches, for a share of the price; absent: they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchFlow>,
    /// The currency of the provider's own figures, `USD` or `credits:BOOK`. They settle a try only when the book reckons in it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub unit: Option<Currency>,
    /// Translations, by name: from our words to the provider's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub words: Words,
    /// What stands for `{{ parameters }}` in a body, by the wire id of a model.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Template>,
    /// What errors mean; the first rule that fits holds, then the usual meaning of the HTTP status.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorRule>,
}

impl Protocol {
    /// Returns the call by which an action is asked for.
    pub fn submit_of(&self, action: Action) -> &SubmitCall {
        self.submit_by_action.get(&action).unwrap_or(&self.submit)
    }

    /// Returns whether the answer to a paid request may be the address of the picture.
    pub fn hands_addresses(&self) -> bool {
        std::iter::once(&self.submit).chain(self.submit_by_action.values()).any(|call| !call.address.is_empty())
    }
}

/// How the key is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Auth {
    /// Name of the header.
    pub header: String,
    /// Its value: `Bearer {{ key }}`.
    pub value: Template,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Request {
    /// The method.
    #[serde(default)]
    pub method: Method,
    /// One of `origins`; absent: the base URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The path below the origin; may hold slots. Needed unless `told` says where to.
    #[serde(default)]
    pub path: Template,
    /// An address that the answer to the submit has told, on one of the API's `hosts`; `path` stands in where it told none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
    /// Parameters of the query.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, Template>,
    /// Headers of this request alone; one that all requests have is replaced.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// A JSON body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Template>,
    /// A form with files (`multipart/form-data`), in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub form: Vec<FormPart>,
    /// How long the whole exchange may take, at most 9m.
    #[serde(default = "Request::usual_timeout")]
    pub timeout: Span,
}

impl Request {
    const fn usual_timeout() -> Span {
        Span(std::time::Duration::from_secs(60))
    }
}

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// `POST`.
    #[default]
    Post,
    /// `GET`.
    Get,
}

/// One part of a form: a text, files, or many texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FormPart {
    /// Name of the field; a part that lays out many has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its text; a text without a value leaves the part out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Template>,
    /// Its files, one part each; none leave the part out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Files>,
    /// A tree of one level, laid out as one text for each of its keys: `{{ parameters }}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<Template>,
}

/// Which pictures of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Files {
    /// The main picture and the references, in order.
    Pictures,
    /// The main picture.
    Image,
    /// The references, in order.
    References,
    /// The mask.
    Mask,
    /// In an upload: the picture that is handed over.
    Picture,
}

/// How pictures stand in a JSON body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(title = "Form of pictures")]
pub enum PicturesAs {
    /// By an address that `upload` brings.
    Upload,
    /// As `data:` addresses.
    #[default]
    DataUrl,
    /// As bare base64.
    Base64,
}

/// How a mask says which part of its picture is to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(title = "Form of masks")]
pub enum MaskAs {
    /// What is transparent changes: as campaigns have it.
    #[default]
    Transparent,
    /// What is white changes, what is black stays.
    White,
    /// What is black changes, what is white stays.
    Black,
}

/// Asks for a picture. What the answer is, is said by exactly one of `task`, `bytes`, and `picture` or `address` or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SubmitCall {
    /// The request.
    pub request: Request,
    /// Where the answer keeps the name of the task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub task: Vec<Place>,
    /// Where the answer keeps the address under which the task is asked after, for calls with `told: poll-url`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub poll_url: Vec<Place>,
    /// Where the answer keeps the address under which the result will be, for calls with `told: result-url`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub result_url: Vec<Place>,
    /// Where the answer keeps the bytes of the picture itself, in base64, bare or as a `data:` address; the first one is kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub picture: Vec<Place>,
    /// Where the answer keeps the address of the picture, which is fetched at once; the first one is kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub address: Vec<Place>,
    /// Whether the answer is the picture itself, byte for byte. One that does not say `image/...` is read as JSON.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bytes: bool,
    /// What a good answer without a picture means; the first rule that fits holds. Where none does nobody knows whether it was charged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endings: Vec<EndRule>,
    /// Where the answer counts tokens, for books that price by them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsagePlaces>,
    /// Where the answer says what is charged, in the `unit`; the first that says it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charged: Vec<Figure>,
}

/// Where tokens are counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct UsagePlaces {
    /// Tokens of the prompt.
    pub text_in: Vec<Place>,
    /// Tokens of input pictures; none if the answer has no such place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub image_in: Vec<Place>,
    /// Tokens of the result.
    pub image_out: Vec<Place>,
    /// Tokens of text that came with the result, thoughts included; none if the answer has no such place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub text_out: Vec<Place>,
}

/// Asks for one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AskCall {
    /// The request.
    pub request: Request,
    /// Where the answer keeps the value.
    pub at: Vec<Place>,
}

/// Finds the task of a request by its idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LookupCall {
    /// The request; `{{ idempotency-key }}` stands somewhere in it.
    pub request: Request,
    /// Where the answer keeps the name of the task.
    pub task: Vec<Place>,
    /// What the body says when there is no such request; absent: HTTP 404 says so, and nothing else does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nothing: Option<Predicate>,
}

/// What the body of a good answer says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Predicate {
    /// Where.
    pub at: Place,
    /// One of these, as text.
    pub is: Vec<Plain>,
}

/// A word, a number or a truth value, compared as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value", into = "String")]
pub struct Plain(pub String);

impl JsonSchema for Plain {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Plain".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "description": "A word, a number or a truth value, compared as text.", "type": ["string", "number", "boolean"] })
    }
}

impl TryFrom<serde_json::Value> for Plain {
    type Error = String;

    fn try_from(value: serde_json::Value) -> Result<Self, String> {
        match value {
            serde_json::Value::String(text) => Ok(Self(text)),
            serde_json::Value::Number(number) => Ok(Self(number.to_string())),
            serde_json::Value::Bool(truth) => Ok(Self(truth.to_string())),
            other => Err(format!("`{other}` is neither a word nor a number")),
        }
    }
}

impl From<Plain> for String {
    fn from(plain: Plain) -> Self {
        plain.0
    }
}

/// Where an answer says what went wrong; the first place that has something.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ErrorPlaces {
    /// The code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub code: Vec<Place>,
    /// A second, coarser code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kind: Vec<Place>,
    /// The message for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub message: Vec<Place>,
    /// How long to wait, in words like `34.4s` or `resets in ~30s`; besides the headers `retry-after` and `retry-after-ms`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wait: Vec<Place>,
}

/// What an error means. All that is given must fit; a list fits if one of its items does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ErrorRule {
    /// In the answers to these calls; absent: to all, but not for a `task` that has failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<Call>,
    /// HTTP statuses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<u16>,
    /// Codes of the body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub code: Vec<Plain>,
    /// Coarser codes of the body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kind: Vec<Plain>,
    /// Words in the message, in lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub message_has: Vec<String>,
    /// Headers, each with one of these values; without values: the header is there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Vec<Plain>>,
    /// What it means.
    pub class: Verdict,
    /// Whether it was charged; absent: as the class usually is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billed: Option<Known>,
}

/// The calls of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Call {
    /// Hands a picture over.
    Upload,
    /// Asks for a picture.
    Submit,
    /// Asks after a task.
    Poll,
    /// Asks for the pictures of a task that is ready.
    Result,
    /// A task that has ended without a picture.
    Task,
    /// Asks for a fresh address.
    Refresh,
    /// Asks what became of a lost request.
    Lookup,
    /// Asks for the balance.
    Balance,
}

/// What an error means for the shot and its money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Over the rate: not accepted, not charged; wait, then send again.
    Throttled,
    /// Not accepted, not charged; try again.
    Transient,
    /// Nobody knows whether it was accepted.
    Ambiguous,
    /// Accepted, then failed.
    Failed,
    /// Refused by moderation: final for this prompt.
    Refused,
    /// Refused as malformed: final.
    Invalid,
    /// Bad key or no credits: stops the campaign.
    Account,
    /// Down for maintenance: try again slowly.
    Maintenance,
}

impl From<Verdict> for FailureClass {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Throttled => Self::Throttled,
            Verdict::Transient => Self::Transient,
            Verdict::Ambiguous => Self::Ambiguous,
            Verdict::Failed => Self::Failed,
            Verdict::Refused => Self::Refused,
            Verdict::Invalid => Self::Invalid,
            Verdict::Account => Self::Account,
            Verdict::Maintenance => Self::Maintenance,
        }
    }
}
