//! Where an API is: scheme, host and port, perhaps with a path.
//!
//! In: `https://api.example.com/v1`. Out: addresses below it.
//! Never: an address of another origin; a user, a query or a fragment.

use std::borrow::Cow;

use reqwest::Url;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Scheme, host and port of an API, perhaps with a path that stands before all others: `https://api.example.com/v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(Url);

impl Origin {
    /// Returns the address itself.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Returns the address of a path below it.
    ///
    /// # Errors
    /// A path that does not make an address, or one of another origin.
    pub fn join(&self, path: &str) -> Result<Url, String> {
        let base = self.0.as_str().trim_end_matches('/');
        let url = Url::parse(&format!("{base}/{}", path.trim_start_matches('/'))).map_err(|error| format!("`{path}` is no path: {error}"))?;
        if url.origin() == self.0.origin() { Ok(url) } else { Err(format!("`{path}` leads away from {base}")) }
    }

    /// Returns whether `url` has the same scheme, host and port.
    pub fn holds(&self, url: &Url) -> bool {
        self.0.origin() == url.origin()
    }
}

impl std::str::FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why: &str| format!("`{text}` is not an address like `https://api.example.com`: {why}");
        let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
            return Err(wrong("it needs `https://` (or `http://`) and a host"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("user, query and fragment do not belong here; the key is read from the environment"));
        }
        Ok(Self(url))
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Origin {
    fn schema_name() -> Cow<'static, str> {
        "Origin".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "description": "Scheme, host and port of an API, perhaps with a path.", "type": "string", "format": "uri", "pattern": "^https?://", "examples": ["https://api.example.com/v1"] })
    }
}
