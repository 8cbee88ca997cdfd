//! From an accepted task to its pictures: where it is asked after, how it stands, where its result is.
//!
//! In: the answer to a submit; a task. Out: the task as it is kept; what a question after it brings.
//! Never: the key to a host that the manifest does not name, whatever an answer says; an error in a good answer taken for a result.

use reqwest::Url;
use serde_json::{Value, json};

use super::answer::Answer;
use super::client::SMALL;
use super::hosts::is_declared;
use super::place::Place;
use super::protocol::{Call, Origin, PollCall, Request, ResultCall, SubmitCall, TaskState, Told};
use super::request::Order;
use super::template::Values;
use super::ticket::Ticket;
use super::{HttpProvider, delivered, no_poll};
use crate::provider::{Polled, ResultRef, Shot, Submitted};
use crate::types::{Billed, Failure, FailureClass, Micros, TaskId};

impl HttpProvider {
    /// Reads what was accepted, and how to go on.
    ///
    /// # Errors
    /// A yes that names no task, or one that can never be asked after: accepted, and in doubt.
    pub(super) fn accepted(&self, call: &SubmitCall, body: &Value, charged: Option<Micros>) -> Result<Submitted, Failure> {
        let name = call.task.iter().find_map(|place| place.text(body));
        let Some(name) = name.filter(|name| self.is_task(name)) else {
            return Err(self.nothing("no-task", "the request was accepted, but the answer names no task", charged));
        };
        // What is kept with a task stands in the ledger: an address that says the key back is none.
        let address =
            |places: &[Place]| places.iter().find_map(|place| place.texts(body).into_iter().next()).filter(|told| !self.key.stands_in(told));
        let ticket = Ticket { name, poll: address(&call.poll_url), result: address(&call.result_url), charged };
        let calls = self.protocol.poll.iter().map(|call| &call.request).chain(self.protocol.result.iter().map(|call| &call.request));
        for request in calls {
            if let Err(why) = self.address(request, &ticket) {
                let why = format!("the request was accepted as task {}, but it cannot be asked after: {why}", ticket.name);
                return Err(self.nothing("no-address", &why, None));
            }
        }
        match ticket.kept() {
            Some(task) => Ok(Submitted::Task(task)),
            None => Err(self.nothing("no-address", "the request was accepted, but the address of its task is too long to be kept", None)),
        }
    }

    /// Returns where a call about a task goes, if the answer to the submit has told it; `None`: to where the manifest says.
    fn address(&self, request: &Request, ticket: &Ticket) -> Result<Option<Url>, String> {
        let told = match request.told {
            None => return Ok(None),
            Some(Told::PollUrl) => &ticket.poll,
            Some(Told::ResultUrl) => &ticket.result,
        };
        match told {
            Some(address) => self.own_address(address).map(Some),
            None if request.path.is_empty() => Err("the answer to the submit named no address".to_owned()),
            None => Ok(None),
        }
    }

    /// Returns an address that an answer has told, if it is one of the API's own: there the key may go.
    ///
    /// Where the user has put another origin in the API's place, the same path of that origin.
    fn own_address(&self, address: &str) -> Result<Url, String> {
        let url = Url::parse(address).map_err(|error| format!("its address is none: {error}"))?;
        if self.own.as_ref().is_some_and(|own| own.holds(&url)) {
            return Ok(url);
        }
        let host = url.host_str().unwrap_or_default();
        let plain = url.scheme() == "https" && url.port().is_none() && url.username().is_empty() && url.password().is_none();
        if !plain || !is_declared(&self.hosts, host) {
            return Err(format!("its address leads to `{}`, which is not among the manifest's `hosts`", shown(&url)));
        }
        match &self.own {
            // An own origin that is one of the API's hosts is a region, and tasks know theirs.
            Some(own) if !is_declared(&self.hosts, own.url().host_str().unwrap_or_default()) => self.moved(own, &url),
            _ => Ok(url),
        }
    }

    /// Returns the same path of the user's own origin.
    fn moved(&self, own: &Origin, url: &Url) -> Result<Url, String> {
        let origins = std::iter::once(&self.protocol.base_url).chain(self.protocol.origins.values());
        let before = origins.filter(|origin| origin.holds(url)).map(|origin| origin.url().path().trim_end_matches('/'));
        let path = before.filter_map(|before| url.path().strip_prefix(before)).min_by_key(|path| path.len()).unwrap_or(url.path());
        let mut moved = own.join(path)?;
        moved.set_query(url.query());
        Ok(moved)
    }

    /// Asks after a task, and for its result where that is a call of its own.
    pub(super) async fn polled(&self, shot: Option<&Shot>, task: &TaskId) -> Result<Polled, Failure> {
        if let Some(waiting) = delivered::found(task).filter(|_| self.protocol.hands_addresses()) {
            return Ok(waiting);
        }
        let call = self.protocol.poll.as_ref().ok_or_else(no_poll)?;
        let ticket = Ticket::read(task);
        let answer = self.asked(self.about(Call::Poll, &call.request, shot, &ticket)?, SMALL).await?;
        let seen = self.seen(call, answer, shot, &ticket)?;
        match (seen, &self.protocol.result) {
            (Polled::Ready { charged, .. }, Some(call)) => self.brought(call, shot, &ticket, charged).await,
            (seen, _) => Ok(seen),
        }
    }

    /// Makes a call about a task.
    fn about<'a>(&self, call: Call, request: &'a Request, shot: Option<&Shot>, ticket: &Ticket) -> Result<Order<'a>, Failure> {
        let address = self.address(request, ticket).map_err(|why| Failure::new(FailureClass::Transient, "no-address", why))?;
        let mut values = Values::from([("task", json!(ticket.name))]);
        if let Some(shot) = shot {
            values.insert("model", json!(&*shot.paid.model));
            values.insert("wire", json!(&*self.wire(shot)?));
        }
        Ok(Order { call, request, values, parameters: None, address })
    }

    /// Says what the answer about a task means.
    pub(super) fn seen(&self, call: &PollCall, answer: Answer, shot: Option<&Shot>, ticket: &Ticket) -> Result<Polled, Failure> {
        let by_status = call.by_status.get(&answer.status).copied();
        let headers = answer.headers.clone();
        let word = |body: &Value| call.state.as_ref().and_then(|place| place.text(body)).and_then(|said| call.states.get(&said).copied());
        let told = (200..300).contains(&answer.status) || by_status.is_some();
        let said = answer.body.as_ref().ok().filter(|body| told && self.reader().agrees(body)).and_then(word);
        let body = match (said, by_status, answer.body) {
            // A word that is known says how the task stands, whatever else is there: the result will tell.
            (Some(_), _, Ok(body)) => body,
            // A status that says it needs no body, but one that tells of an error is heard.
            (None, Some(_), Err(_)) => Value::Null,
            (None, Some(_), Ok(body)) if self.reader().succeeds(&body) => body,
            (_, _, body) => self.reader().good(Call::Poll, Answer { body, ..answer })?,
        };
        let charged = self.figure(&call.charged, &body, &headers, shot);
        // Where nobody has published words for states, a task is ready when it names pictures.
        let silent = call.state.is_none() && call.by_status.is_empty() && !results(&call.results, &body).is_empty();
        match said.or(by_status).unwrap_or(if silent { TaskState::Ready } else { TaskState::Running }) {
            TaskState::Running => Ok(Polled::Running),
            TaskState::Unseen => Err(Failure::new(FailureClass::Invalid, "unseen", "the provider says that there is no such task")),
            TaskState::Ready => Ok(Polled::Ready { results: results(&call.results, &body), charged: charged.or(ticket.charged) }),
            ended @ (TaskState::Failed | TaskState::Refused) => {
                let failure = self.reader().ended(&body, &call.error, ended == TaskState::Refused);
                let billed = match charged {
                    Some(Micros::ZERO) => Billed::No,
                    Some(figure) => Billed::Yes(figure),
                    None => failure.billed,
                };
                Ok(Polled::Failed(Failure { billed, ..failure }))
            }
        }
    }

    /// Asks for the pictures of a task that is ready. An error there is the end of the task, unless it says nothing about it.
    async fn brought(&self, call: &ResultCall, shot: Option<&Shot>, ticket: &Ticket, known: Option<Micros>) -> Result<Polled, Failure> {
        let answer = self.asked(self.about(Call::Result, &call.request, shot, ticket)?, SMALL).await?;
        let headers = answer.headers.clone();
        match self.reader().good(Call::Result, answer) {
            Ok(body) => {
                let charged = self.figure(&call.charged, &body, &headers, shot).or(known);
                Ok(Polled::Ready { results: results(&call.results, &body), charged })
            }
            Err(failure) if matches!(failure.class, FailureClass::Failed | FailureClass::Refused | FailureClass::Invalid) => {
                let charged = self.figure(&call.charged, &Value::Null, &headers, shot);
                let billed = match (failure.billed, charged) {
                    (Billed::Maybe, Some(Micros::ZERO)) => Billed::No,
                    (Billed::Maybe, Some(figure)) => Billed::Yes(figure),
                    (billed, _) => billed,
                };
                Ok(Polled::Failed(Failure { billed, ..failure }))
            }
            Err(failure) => Err(failure),
        }
    }
}

/// Returns the addresses of the pictures: the first place that has any.
fn results(places: &[Place], body: &Value) -> Vec<ResultRef> {
    let found = places.iter().map(|place| place.texts(body)).find(|found| !found.is_empty());
    found.unwrap_or_default().into_iter().map(ResultRef).collect()
}

/// Returns scheme and host of an address, as they may be told.
fn shown(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.port().map_or(String::new(), |port| format!(":{port}")))
}
