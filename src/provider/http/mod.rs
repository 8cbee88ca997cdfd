//! Every provider that is data: one HTTP engine that reads a manifest.
//!
//! ```text
//! submit ─▶ (upload inputs) ─▶ fill body ─▶ POST once ─▶ read answer ─▶ task | picture
//! poll   ─▶ GET ─▶ state ─▶ running | ready, charge figure | failed
//! fetch  ─▶ GET without the key ─▶ stream      (address expired ─▶ refresh, once)
//! ```
//!
//! In: a [`Shot`], a manifest's [`Protocol`], a key. Out: what the [`Provider`] port promises.
//! Never: a retry, a price, a vendor's name, the key anywhere but in a header to the API's own origin.

mod addresses;
mod answer;
mod arrival;
mod body;
pub mod check;
mod client;
mod download;
mod lookup;
mod pictures;
pub mod place;
pub mod protocol;
mod request;
mod sieve;
pub mod template;
mod turns;

pub use lookup::Found;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, stream};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use self::answer::{Answer, Reader};
use self::arrival::Arrival;
use self::client::{Broken, Clients, LARGE, SMALL};
use self::download::Missed;
use self::pictures::Uploads;
use self::place::Place;
use self::protocol::{Call, Origin, PollCall, Protocol, SubmitCall, TaskState, UsagePlaces};
use self::request::Order;
use self::sieve::Sieve;
use self::template::Values;
use super::manifest::Manifest;
use super::{ByteStream, Polled, Provider, ResultRef, Shot, Submitted, Verdict};
use crate::catalog::{ModelCard, PriceBook, TokenUsage};
use crate::types::{Amount, Billed, Failure, FailureClass, Micros, Secret, TaskId};

/// Longest name of a task that is believed.
const LONGEST_TASK: usize = 512;

/// Why a provider cannot be spoken to.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The manifest says nothing about it.
    #[error("the manifest of `{0}` has no `http` part, so nothing can be bought there")]
    NoProtocol(Arc<str>),
    /// A header cannot be made; the text names it and never its value.
    #[error("the header `{0}` cannot be made: its name or its value has characters that no header may have")]
    Header(String),
    /// The system has no certificates, or they cannot be read.
    #[error("no encrypted connection can be made: {0}")]
    Tls(String),
}

/// A provider that is spoken to as its manifest says. Clones share its connections and its uploads.
#[derive(Clone)]
pub struct HttpProvider {
    protocol: Arc<Protocol>,
    cards: Arc<BTreeMap<Arc<str>, ModelCard>>,
    book: Arc<PriceBook>,
    key: Secret,
    headers: HeaderMap,
    own: Option<Origin>,
    clients: Clients,
    uploads: Arc<Uploads>,
}

impl HttpProvider {
    /// Prepares to speak to the provider of `manifest`; nothing is sent.
    ///
    /// `book` turns counted tokens into money. `own` takes the place of all its origins: a gateway, a local server, a test.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn new(manifest: &Manifest, book: PriceBook, key: Secret, own: Option<Origin>) -> Result<Self, ConnectError> {
        let protocol = manifest.http.clone().ok_or_else(|| ConnectError::NoProtocol(Arc::clone(&manifest.id)))?;
        let headers = headers(&protocol, &key)?;
        let secure = match &own {
            Some(own) => own.url().scheme() == "https",
            None => std::iter::once(&protocol.base_url).chain(protocol.origins.values()).any(|origin| origin.url().scheme() == "https"),
        };
        let clients = Clients::new(secure).map_err(ConnectError::Tls)?;
        let (protocol, cards, book) = (Arc::new(protocol), Arc::new(manifest.models.clone()), Arc::new(book));
        Ok(Self { protocol, cards, book, key, headers, own, clients, uploads: Arc::default() })
    }

    /// Asks how much is left in the account; `None` where the provider does not say or says it in another currency than the book's.
    ///
    /// # Errors
    /// The classed failure of the exchange.
    async fn left(&self) -> Result<Option<Amount>, Failure> {
        let (Some(call), Some(unit)) = (&self.protocol.balance, &self.protocol.unit) else { return Ok(None) };
        let order = Order { call: Call::Balance, request: &call.request, values: Values::new(), parameters: None };
        let body = self.ask(order, SMALL).await?;
        let figure = call.at.iter().find_map(|place| place.text(&body)).and_then(|text| text.parse::<Micros>().ok());
        Ok(figure.map(|micros| Amount::new(unit.clone(), micros)))
    }

    /// Reads the answer to a submit as if it had just come.
    ///
    /// # Errors
    /// The classed failure that the answer tells.
    pub fn read_submit(&self, shot: &Shot, status: u16, body: &[u8]) -> Result<Submitted, Failure> {
        let call = self.submit_call(shot);
        let Some(mut sieve) = sieve_of(call) else {
            return self.bought(call, shot, Answer { status, retry_after: None, body: body::read(body) });
        };
        sieve.feed(body);
        let bytes: Vec<u8> = std::iter::from_fn(|| sieve.piece()).flatten().collect();
        let (rest, picture) = sieve.end();
        let answer = Answer { status, retry_after: None, body: rest.and_then(|rest| body::read(&rest)) };
        let charged = self.delivered(shot, answer, picture)?;
        Ok(Submitted::Picture { bytes: Box::pin(stream::once(async move { Ok(bytes) })), charged })
    }

    fn submit_call(&self, shot: &Shot) -> &SubmitCall {
        self.protocol.submit_by_action.get(&shot.paid.action).unwrap_or(&self.protocol.submit)
    }

    /// Reads the answer about a task as if it had just come.
    ///
    /// # Errors
    /// The classed failure that the answer tells.
    pub fn read_poll(&self, status: u16, body: &[u8]) -> Result<Polled, Failure> {
        let call = self.protocol.poll.as_ref().ok_or_else(no_poll)?;
        let body = self.reader().good(Call::Poll, Answer { status, retry_after: None, body: body::read(body) })?;
        Ok(self.seen(call, &body))
    }

    fn reader(&self) -> Reader<'_> {
        Reader { protocol: &self.protocol, key: &self.key }
    }

    /// Makes a free exchange.
    async fn ask(&self, order: Order<'_>, limit: usize) -> Result<Value, Failure> {
        let (call, timeout) = (order.call, order.request.timeout.0);
        let request = self.prepared(&self.clients.free, &order, Vec::new())?;
        let answer = client::exchange(request, timeout, limit).await.map_err(|broken| {
            let (code, why) = match broken {
                Broken::Before(why) => ("connection", why),
                Broken::After(code, why) => (code, why),
            };
            self.reader().told(FailureClass::Transient, code, &why, Billed::No, None)
        })?;
        self.reader().good(call, answer)
    }

    /// Returns a figure of the provider's own in the currency of the book; `None` if there is none or it is in another one.
    fn figure(&self, places: &[Place], body: &Value) -> Option<Micros> {
        if self.protocol.unit.as_ref() != Some(&self.book.currency) {
            return None;
        }
        let figure = places.iter().find_map(|place| place.text(body)).and_then(|text| text.parse::<Micros>().ok());
        figure.filter(|figure| *figure >= Micros::ZERO)
    }

    // --- submit -------------------------------------------------------------------------------------------------------------------

    async fn submitted(&self, shot: &Shot) -> Result<Submitted, Failure> {
        let call = self.submit_call(shot);
        let (order, files) = self.order(call, shot).await?;
        let request = self.prepared(&self.clients.paid, &order, files)?;
        let failed = |broken| match broken {
            Broken::Before(why) => self.reader().told(FailureClass::Transient, "connection", &why, Billed::No, None),
            Broken::After(code, why) => self.reader().told(FailureClass::Ambiguous, code, &why, Billed::Maybe, None),
        };
        if let Some(sieve) = sieve_of(call) {
            let response = client::open(request, call.request.timeout.0).await.map_err(failed)?;
            return Arrival::new(self.clone(), shot.clone(), response, sieve).begin().await;
        }
        let limit = if call.picture.is_empty() { SMALL } else { LARGE };
        let answer = client::exchange(request, call.request.timeout.0, limit).await.map_err(failed)?;
        self.bought(call, shot, answer)
    }

    /// Reads an answer whose picture was taken out of it: returns what it cost.
    fn delivered(&self, shot: &Shot, answer: Answer, picture: Result<(), String>) -> Verdict {
        let call = self.submit_call(shot);
        let body = self.reader().good(Call::Submit, answer)?;
        let charged = self.figure(&call.charged, &body).or_else(|| self.metered(call.usage.as_ref(), shot, &body));
        picture.map(|()| charged).map_err(|why| self.nothing("no-picture", &why, charged))
    }

    /// Reads the answer to a submit.
    fn bought(&self, call: &SubmitCall, shot: &Shot, answer: Answer) -> Result<Submitted, Failure> {
        let body = self.reader().good(Call::Submit, answer)?;
        let charged = self.figure(&call.charged, &body).or_else(|| self.metered(call.usage.as_ref(), shot, &body));
        if !call.picture.is_empty() {
            return match picture(&call.picture, &body) {
                Ok(bytes) => Ok(Submitted::Picture { bytes, charged }),
                Err(why) => Err(self.nothing("no-picture", &why, charged)),
            };
        }
        let task = call.task.iter().find_map(|place| place.text(&body));
        match task.filter(|task| task.len() <= LONGEST_TASK && !task.chars().any(char::is_control)) {
            Some(task) => Ok(Submitted::Task(TaskId::new(task))),
            None => Err(self.nothing("no-task", "the request was accepted, but the answer names no task", charged)),
        }
    }

    /// Returns the failure of a request that was accepted and brought nothing: what it cost is known, or in doubt.
    fn nothing(&self, code: &str, why: &str, charged: Option<Micros>) -> Failure {
        match charged {
            Some(figure) => self.reader().told(FailureClass::Failed, code, why, Billed::Yes(figure), None),
            None => self.reader().told(FailureClass::Ambiguous, code, why, Billed::Maybe, None),
        }
    }

    /// Returns what the counted tokens cost by the book.
    fn metered(&self, usage: Option<&UsagePlaces>, shot: &Shot, body: &Value) -> Option<Micros> {
        let usage = usage?;
        let count = |places: &[Place]| places.iter().find_map(|place| place.count(body));
        let tokens = TokenUsage {
            text_in: count(&usage.text_in)?,
            image_in: count(&usage.image_in).unwrap_or(0),
            image_out: count(&usage.image_out)?,
            ..TokenUsage::default()
        };
        self.book.charge_tokens(&shot.paid.model, shot.paid.action, &tokens).map(|amount| amount.micros)
    }

    // --- poll and fetch -----------------------------------------------------------------------------------------------------------

    async fn polled(&self, task: &TaskId) -> Result<Polled, Failure> {
        let call = self.protocol.poll.as_ref().ok_or_else(no_poll)?;
        let values = Values::from([("task", Value::String(task.as_str().to_owned()))]);
        let body = self.ask(Order { call: Call::Poll, request: &call.request, values, parameters: None }, SMALL).await?;
        Ok(self.seen(call, &body))
    }

    /// Says what the answer about a task means.
    fn seen(&self, call: &PollCall, body: &Value) -> Polled {
        let said = call.state.text(body);
        let charged = self.figure(&call.charged, body);
        match said.and_then(|said| call.states.get(&said).copied()).unwrap_or(TaskState::Running) {
            TaskState::Running => Polled::Running,
            TaskState::Ready => {
                let found = call.results.iter().map(|place| place.texts(body)).find(|found| !found.is_empty());
                Polled::Ready { results: found.unwrap_or_default().into_iter().map(ResultRef).collect(), charged }
            }
            ended @ (TaskState::Failed | TaskState::Refused) => {
                let failure = self.reader().ended(body, &call.error, ended == TaskState::Refused);
                let billed = match charged {
                    Some(Micros::ZERO) => Billed::No,
                    Some(figure) => Billed::Yes(figure),
                    None => failure.billed,
                };
                Polled::Failed(Failure { billed, ..failure })
            }
        }
    }

    async fn fetched(&self, result: &ResultRef) -> Result<ByteStream, Failure> {
        let expired = match download::open(&self.clients, self.own.as_ref(), &result.0).await {
            Ok(stream) => return Ok(stream),
            Err(Missed::Failed(failure)) => return Err(failure),
            Err(Missed::Expired(failure)) => failure,
        };
        // What the provider cannot refresh is told as it was found.
        let Some(fresh) = self.refreshed(&result.0).await else { return Err(expired) };
        download::open(&self.clients, self.own.as_ref(), &fresh).await.map_err(|missed| match missed {
            Missed::Failed(failure) | Missed::Expired(failure) => failure,
        })
    }

    async fn refreshed(&self, address: &str) -> Option<String> {
        let call = self.protocol.refresh.as_ref()?;
        let values = Values::from([("url", Value::String(address.to_owned()))]);
        let body = self.ask(Order { call: Call::Refresh, request: &call.request, values, parameters: None }, SMALL).await.ok()?;
        call.at.iter().flat_map(|place| place.texts(&body)).next()
    }
}

fn no_poll() -> Failure {
    Failure::new(FailureClass::Transient, "no-poll", "the manifest does not say how a task is asked after")
}

/// Returns what takes the picture out of an answer as it comes; `None` where there is none, or only inside a text.
fn sieve_of(call: &SubmitCall) -> Option<Sieve> {
    if call.picture.is_empty() { None } else { Sieve::new(&call.picture) }
}

/// Returns the picture that an answer holds.
fn picture(places: &[Place], body: &Value) -> Result<ByteStream, String> {
    let text = places.iter().flat_map(|place| place.texts(body)).next().ok_or("the answer holds no picture")?;
    let bytes = pictures::decoded(&text).map_err(|why| format!("the picture in the answer cannot be read: {why}"))?;
    Ok(Box::pin(stream::once(async move { Ok(bytes) })))
}

/// Makes the headers that every call of the API carries; the key is marked so that no log shows it.
fn headers(protocol: &Protocol, key: &Secret) -> Result<HeaderMap, ConnectError> {
    let wrong = |name: &str| ConnectError::Header(name.to_owned());
    let mut headers = HeaderMap::new();
    for (name, value) in &protocol.headers {
        let header: HeaderName = name.parse().map_err(|_| wrong(name))?;
        headers.insert(header, HeaderValue::from_str(value).map_err(|_| wrong(name))?);
    }
    let name = &protocol.auth.header;
    let values = Values::from([("key", Value::String(key.expose().to_owned()))]);
    let value = protocol.auth.value.fill_text(&values, &protocol.words).ok().flatten().ok_or_else(|| wrong(name))?;
    let mut value = HeaderValue::from_str(&value).map_err(|_| wrong(name))?;
    value.set_sensitive(true);
    headers.insert(name.parse::<HeaderName>().map_err(|_| wrong(name))?, value);
    Ok(headers)
}

impl Provider for HttpProvider {
    fn submit<'a>(&'a self, shot: &'a Shot) -> BoxFuture<'a, Result<Submitted, Failure>> {
        self.submitted(shot).boxed()
    }

    fn poll<'a>(&'a self, _: &'a Shot, task: &'a TaskId) -> BoxFuture<'a, Result<Polled, Failure>> {
        self.polled(task).boxed()
    }

    fn fetch<'a>(&'a self, _: &'a Shot, _: &'a TaskId, result: &'a ResultRef) -> BoxFuture<'a, Result<ByteStream, Failure>> {
        self.fetched(result).boxed()
    }

    fn balance(&self) -> BoxFuture<'_, Result<Option<Amount>, Failure>> {
        self.left().boxed()
    }
}
