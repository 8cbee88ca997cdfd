//! Free questions about what a provider offers now, beyond what a manifest says.
//!
//! In: a path below the API's own address. Out: the answer's JSON. Never: anything that costs; a path that leads elsewhere.

use super::HttpProvider;
use super::protocol::{Call, Method, Request};
use super::request::Order;
use super::template::{Template, Values};
use crate::catalog::PriceBook;
use crate::provider::manifest::Span;
use crate::types::{Failure, FailureClass};
use serde_json::Value;
use std::collections::BTreeMap;

/// Largest answer of a catalog, 8 MiB.
const LARGEST: usize = 8 << 20;

impl HttpProvider {
    /// Asks with `GET`, once.
    ///
    /// # Errors
    /// The classed failure of the exchange.
    pub async fn look(&self, path: &str) -> Result<Value, Failure> {
        let path =
            Template::try_from(Value::String(path.to_owned())).map_err(|error| Failure::new(FailureClass::Invalid, "path", error.to_string()))?;
        let timeout = Span(std::time::Duration::from_secs(30));
        let request = Request {
            method: Method::Get,
            origin: None,
            told: None,
            headers: BTreeMap::new(),
            path,
            query: BTreeMap::new(),
            json: None,
            form: Vec::new(),
            timeout,
        };
        self.ask(Order { call: Call::Balance, request: &request, values: Values::new(), parameters: None, address: None }, LARGEST).await
    }

    /// Returns the book that its figures are reckoned by.
    pub fn book(&self) -> &PriceBook {
        &self.book
    }

    /// Returns whether the manifest says how a balance is asked for, in words: `None` if it does.
    pub fn lacks_balance(&self) -> Option<&'static str> {
        match (&self.protocol.balance, &self.protocol.unit) {
            (None, _) => Some("its API offers no way to ask, or none is known"),
            (Some(_), None) => Some("its manifest does not say in which `unit` the answer is"),
            (Some(_), Some(_)) => None,
        }
    }
}
