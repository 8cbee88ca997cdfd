//! Every provider that is data: one HTTP engine that reads a manifest.
//!
//! ```text
//! submit ─▶ (upload inputs) ─▶ fill body ─▶ POST once ─▶ read answer ─▶ task | picture | its address, kept as a task | refusal
//! poll   ─▶ GET, where the answer to the submit said ─▶ state ─▶ running | ready ─▶ (GET the result), charge figure | failed
//! fetch  ─▶ GET without the key ─▶ stream      (address expired ─▶ refresh, once)
//! ```
//!
//! In: a [`Shot`], a manifest's [`Protocol`], a key. Out: what the [`Provider`] port promises.
//! Never: a retry, a price, a vendor's name, the key anywhere but in a header to the API's own origin.

mod addresses;
mod answer;
mod arrival;
mod asking;
pub mod batch;
mod body;
pub mod check;
mod client;
mod delivered;
mod discovery;
mod download;
mod dry;
pub mod ending;
pub mod figure;
mod handing;
mod hosts;
mod lookup;
mod origin;
mod pictures;
pub mod place;
pub mod protocol;
mod request;
mod sieve;
mod sources;
pub mod task_calls;
mod task_check;
pub mod template;
mod ticket;
pub mod trace;
mod turns;
pub mod upload_calls;
mod waits;

pub use dry::{DryBody, DryRun};
pub use lookup::Found;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, stream};
use reqwest::Response;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use self::answer::{Answer, Reader};
use self::arrival::Arrival;
use self::client::{Broken, Clients, LARGE, SMALL};
use self::download::Missed;
use self::figure::Figure;
use self::pictures::Uploads;
use self::place::Place;
use self::protocol::{Call, Origin, Protocol, SubmitCall, UsagePlaces};
use self::request::Order;
use self::sieve::Sieve;
use self::sources::Sources;
use self::template::Values;
use self::ticket::Ticket;
use super::manifest::Manifest;
use super::{ByteStream, Polled, Provider, ResultRef, Shot, Submitted, Verdict};
use crate::catalog::{Channel, ModelCard, PriceBook, TokenUsage};
use crate::types::{Action, Amount, Billed, Failure, FailureClass, Micros, Secret, TaskId};

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
    hosts: Arc<[String]>,
    sources: Sources,
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
        trace::hide(&key);
        let secure = match &own {
            Some(own) => own.url().scheme() == "https",
            None => std::iter::once(&protocol.base_url).chain(protocol.origins.values()).any(|origin| origin.url().scheme() == "https"),
        };
        let clients = Clients::new(secure, own.is_some()).map_err(ConnectError::Tls)?;
        let (protocol, cards, book) = (Arc::new(protocol), Arc::new(manifest.models.clone()), Arc::new(book));
        let (hosts, sources) = (manifest.hosts.as_slice().into(), Sources::of(manifest));
        Ok(Self { protocol, cards, book, key, headers, own, clients, uploads: Arc::default(), hosts, sources })
    }

    /// Asks how much is left in the account; `None` where the provider does not say or says it in another currency than the book's.
    ///
    /// # Errors
    /// The classed failure of the exchange.
    async fn left(&self) -> Result<Option<Amount>, Failure> {
        let (Some(call), Some(unit)) = (&self.protocol.balance, &self.protocol.unit) else { return Ok(None) };
        let order = Order { call: Call::Balance, request: &call.request, values: Values::new(), parameters: None, address: None };
        let body = self.ask(order, SMALL).await?;
        let figure = call.at.iter().find_map(|place| place.text(&body)).and_then(|text| text.parse::<Micros>().ok());
        Ok(figure.map(|micros| Amount::new(unit.clone(), micros)))
    }

    /// Reads the answer to a submit as if it had just come.
    ///
    /// # Errors
    /// The classed failure that the answer tells.
    pub fn read_submit(&self, shot: &Shot, status: u16, body: &[u8]) -> Result<Submitted, Failure> {
        let call = self.direct(shot.paid.action);
        let answer = |body| Answer { status, retry_after: None, headers: HeaderMap::new(), body };
        let Some(mut sieve) = sieve_of(call) else { return self.bought(call, shot, answer(body::read(body))) };
        sieve.feed(body);
        let bytes: Vec<u8> = std::iter::from_fn(|| sieve.piece()).flatten().collect();
        let has_picture = sieve.has_picture();
        let (rest, picture) = sieve.end();
        let charged = self.arrived(shot, answer(rest.and_then(|rest| body::read(&rest))), has_picture, picture)?;
        Ok(Submitted::Picture { bytes: Box::pin(stream::once(async move { Ok(bytes) })), charged })
    }

    /// Reads the answer about a task as if it had just come.
    ///
    /// # Errors
    /// The classed failure that the answer tells.
    pub fn read_poll(&self, status: u16, body: &[u8]) -> Result<Polled, Failure> {
        let call = self.protocol.poll.as_ref().ok_or_else(no_poll)?;
        self.seen(call, Answer { status, retry_after: None, headers: HeaderMap::new(), body: body::read(body) }, None, &Ticket::default())
    }

    fn reader(&self) -> Reader<'_> {
        Reader { protocol: &self.protocol, key: &self.key }
    }

    /// Returns the call that asks for a picture at once.
    fn direct(&self, action: Action) -> &SubmitCall {
        self.protocol.submit_by_action.get(&action).unwrap_or(&self.protocol.submit)
    }

    /// Makes a free exchange and returns the body of a good answer.
    async fn ask(&self, order: Order<'_>, limit: usize) -> Result<Value, Failure> {
        let call = order.call;
        let answer = self.asked(order, limit).await?;
        self.reader().good(call, answer)
    }

    /// Makes a free exchange.
    async fn asked(&self, order: Order<'_>, limit: usize) -> Result<Answer, Failure> {
        let timeout = order.request.timeout.0;
        let request = self.prepared(&self.clients.free, &order, Vec::new())?;
        client::exchange(request, timeout, limit).await.map_err(|broken| {
            let (code, why) = match broken {
                Broken::Before(why) => ("connection", why),
                Broken::After(code, why) => (code, why),
            };
            self.reader().told(FailureClass::Transient, code, &why, Billed::No, None)
        })
    }

    /// Returns what an answer says was charged, in the currency of the book; `None` if it does not say it, or in another one.
    fn figure(&self, figures: &[Figure], body: &Value, headers: &HeaderMap, shot: Option<&Shot>) -> Option<Micros> {
        let (usual, wanted) = (self.protocol.unit.as_ref(), &self.book.currency);
        let counted = |figure: &Figure| {
            let (units, shot) = (figure.units(body, headers)?, shot?);
            self.book.charge_units(&shot.paid.model, shot.paid.action, units).map(|amount| amount.micros)
        };
        figures.iter().find_map(|figure| figure.read(body, headers, usual, wanted).or_else(|| counted(figure)))
    }

    // --- submit -------------------------------------------------------------------------------------------------------------------

    async fn submitted(&self, shot: &Shot) -> Result<Submitted, Failure> {
        let call = self.direct(shot.paid.action);
        let (order, files) = self.order(call, shot).await?;
        let request = self.prepared(&self.clients.paid, &order, files)?;
        let lost = |broken| match broken {
            Broken::Before(why) => self.reader().told(FailureClass::Transient, "connection", &why, Billed::No, None),
            Broken::After(code, why) => self.reader().told(FailureClass::Ambiguous, code, &why, Billed::Maybe, None),
        };
        let response = client::begun(request, call.request.timeout.0).await.map_err(lost)?;
        if call.bytes && is_picture(&response) {
            return self.streamed(call, shot, response);
        }
        if let Some(sieve) = sieve_of(call) {
            return Arrival::new(self.clone(), shot.clone(), response, sieve).begin().await;
        }
        let limit = if call.picture.is_empty() { SMALL } else { LARGE };
        let answer = client::whole(response, limit).await.map_err(lost)?;
        self.bought(call, shot, answer)
    }

    /// Takes an answer that is the picture: it was made, so whatever breaks from here on was paid for.
    fn streamed(&self, call: &SubmitCall, shot: &Shot, response: Response) -> Result<Submitted, Failure> {
        let headers = response.headers().clone();
        client::noted(&response, &[], None);
        let charged = self.figure(&call.charged, &Value::Null, &headers, Some(shot));
        if let Some(failure) = self.reader().ending(&call.endings, &Value::Null, &headers, true, charged) {
            return Err(failure);
        }
        match download::body(response) {
            Ok(bytes) => Ok(Submitted::Picture { bytes, charged }),
            Err(failure) => Err(self.nothing(&failure.code, &failure.message, charged)),
        }
    }

    /// Reads an answer whose picture was taken out of it: returns what it cost. `picture` says why there is none, or none that can be read.
    fn arrived(&self, shot: &Shot, answer: Answer, has_picture: bool, picture: Result<(), String>) -> Verdict {
        let call = self.direct(shot.paid.action);
        let headers = answer.headers.clone();
        let body = self.reader().good(Call::Submit, answer)?;
        let charged =
            self.figure(&call.charged, &body, &headers, Some(shot)).or_else(|| self.metered(call.usage.as_ref(), shot, &body, Channel::Direct));
        if let Some(failure) = self.reader().ending(&call.endings, &body, &headers, has_picture, charged) {
            return Err(failure);
        }
        picture.map(|()| charged).map_err(|why| self.nothing("no-picture", &why, charged))
    }

    /// Reads the answer to a submit.
    fn bought(&self, call: &SubmitCall, shot: &Shot, answer: Answer) -> Result<Submitted, Failure> {
        let headers = answer.headers.clone();
        let body = self.reader().good(Call::Submit, answer)?;
        let charged =
            self.figure(&call.charged, &body, &headers, Some(shot)).or_else(|| self.metered(call.usage.as_ref(), shot, &body, Channel::Direct));
        if call.task.is_empty() {
            return self.delivered(call, &body, &headers, charged);
        }
        if call.bytes {
            return Err(self.nothing("no-picture", "the answer is no picture", charged));
        }
        self.accepted(call, &body, charged)
    }

    /// Takes the picture that an answer holds, or its address; the first one, if there are several.
    fn delivered(&self, call: &SubmitCall, body: &Value, headers: &HeaderMap, charged: Option<Micros>) -> Result<Submitted, Failure> {
        let first = |places: &[Place]| places.iter().flat_map(|place| place.texts(body)).next();
        let (address, inline) = match first(&call.address) {
            Some(text) if text.starts_with("data:") => (None, Some(text)),
            address => (address, None),
        };
        let inline = first(&call.picture).or(inline);
        let has_picture = inline.is_some() || address.is_some();
        if let Some(failure) = self.reader().ending(&call.endings, body, headers, has_picture, charged) {
            return Err(failure);
        }
        match (inline, address) {
            (Some(text), _) => match picture(&text) {
                Ok(bytes) => Ok(Submitted::Picture { bytes, charged }),
                Err(why) => Err(self.nothing("no-picture", &why, charged)),
            },
            (None, Some(address)) => {
                let kept = Some(address).filter(|address| !self.key.stands_in(address));
                let task = kept.and_then(|address| delivered::named(&address, charged)).map(Submitted::Task);
                task.ok_or_else(|| self.nothing("no-picture", "the address of the picture is none that can be fetched", charged))
            }
            (None, None) => Err(self.nothing("no-picture", "the answer holds no picture", charged)),
        }
    }

    /// Returns whether a name of a task is believed: the ledger keeps it, so it holds neither too much nor the key.
    fn is_task(&self, task: &str) -> bool {
        task.len() <= LONGEST_TASK && !task.chars().any(char::is_control) && !self.key.stands_in(task)
    }

    /// Returns the failure of a request that was accepted and brought nothing: what it cost is known, or in doubt.
    fn nothing(&self, code: &str, why: &str, charged: Option<Micros>) -> Failure {
        match charged {
            Some(figure) => self.reader().told(FailureClass::Failed, code, why, Billed::Yes(figure), None),
            None => self.reader().told(FailureClass::Ambiguous, code, why, Billed::Maybe, None),
        }
    }

    /// Returns what the counted tokens cost by the book, for requests that went this way.
    fn metered(&self, usage: Option<&UsagePlaces>, shot: &Shot, body: &Value, channel: Channel) -> Option<Micros> {
        let usage = usage?;
        let count = |places: &[Place]| places.iter().find_map(|place| place.count(body));
        let tokens = TokenUsage {
            text_in: count(&usage.text_in)?,
            image_in: count(&usage.image_in).unwrap_or(0),
            image_out: count(&usage.image_out)?,
            text_out: count(&usage.text_out).unwrap_or(0),
            ..TokenUsage::default()
        };
        self.book.charge_tokens_by(&shot.paid.model, shot.paid.action, &tokens, channel).map(|amount| amount.micros)
    }

    // --- poll and fetch -----------------------------------------------------------------------------------------------------------

    async fn fetched(&self, result: &ResultRef) -> Result<ByteStream, Failure> {
        // An address is a stranger's text: what is said of it holds no key either.
        let blotted = |failure: Failure| Failure { message: self.key.taken_out_of(&failure.message).into_owned(), ..failure };
        let expired = match download::open(&self.clients, self.own.as_ref(), &result.0).await {
            Ok(stream) => return Ok(self.noted(stream, &result.0)),
            Err(Missed::Failed(failure)) => return Err(blotted(failure)),
            Err(Missed::Expired(failure)) => failure,
        };
        // What the provider cannot refresh is told as it was found.
        let Some(fresh) = self.refreshed(&result.0).await else { return Err(blotted(expired)) };
        download::open(&self.clients, self.own.as_ref(), &fresh).await.map_err(|missed| match missed {
            Missed::Failed(failure) | Missed::Expired(failure) => blotted(failure),
        })
    }

    async fn refreshed(&self, address: &str) -> Option<String> {
        let call = self.protocol.refresh.as_ref()?;
        let values = Values::from([("url", Value::String(address.to_owned()))]);
        let body = self.ask(Order { call: Call::Refresh, request: &call.request, values, parameters: None, address: None }, SMALL).await.ok()?;
        call.at.iter().flat_map(|place| place.texts(&body)).next()
    }
}

fn no_poll() -> Failure {
    Failure::new(FailureClass::Transient, "no-poll", "the manifest does not say how a task is asked after")
}

/// Returns what takes the picture out of an answer as it comes; `None` where there is none, where only the whole answer says which text is
/// the picture, or where an address may stand for it.
fn sieve_of(call: &SubmitCall) -> Option<Sieve> {
    if call.picture.is_empty() || !call.address.is_empty() { None } else { Sieve::new(&call.picture) }
}

/// Reads the picture that stands in an answer.
fn picture(text: &str) -> Result<ByteStream, String> {
    let bytes = pictures::decoded(text).map_err(|why| format!("the picture in the answer cannot be read: {why}"))?;
    Ok(Box::pin(stream::once(async move { Ok(bytes) })))
}

/// Whether an answer is good and says of itself that it is a picture.
fn is_picture(response: &Response) -> bool {
    let media = response.headers().get("content-type").and_then(|media| media.to_str().ok()).unwrap_or_default();
    response.status().is_success() && media.trim_start().to_ascii_lowercase().starts_with("image/")
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

    fn poll<'a>(&'a self, shot: &'a Shot, task: &'a TaskId) -> BoxFuture<'a, Result<Polled, Failure>> {
        self.polled(Some(shot), task).boxed()
    }

    fn fetch<'a>(&'a self, _: &'a Shot, _: &'a TaskId, result: &'a ResultRef) -> BoxFuture<'a, Result<ByteStream, Failure>> {
        self.fetched(result).boxed()
    }

    fn balance(&self) -> BoxFuture<'_, Result<Option<Amount>, Failure>> {
        self.left().boxed()
    }
}
