//! What goes over the wire, told for whoever looks for a mistake: secrets and pictures left out.
//!
//! In: requests and answers. Out: lines for whoever has asked for them; without anybody, nothing is even looked at.
//! Never: a key in any form, the value of a header that may be a secret, the bytes of a picture, the query of a picture's address.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Request, Url};
use serde_json::{Map, Value, json};

use crate::types::{REDACTED, Secret, visible};

/// Takes lines.
pub type Sink = Box<dyn Fn(&str) + Send + Sync>;

static SINK: OnceLock<Sink> = OnceLock::new();

/// Every key that requests may carry.
static KEYS: Mutex<Vec<Secret>> = Mutex::new(Vec::new());

/// Longest text that is told; of longer ones the beginning.
const LONGEST: usize = 2_000;

/// Shortest text that may be a picture in base64.
const SHORTEST_PICTURE: usize = 256;

/// Has every exchange of this process told; the first who asks is heard.
pub fn install(sink: Sink) {
    let _ = SINK.set(sink);
}

/// Notes a key, to be left out.
pub(super) fn hide(key: &Secret) {
    KEYS.lock().unwrap_or_else(PoisonError::into_inner).push(key.clone());
}

/// Tells a request that is about to leave.
pub(super) fn request(request: &Request) {
    tell(|| {
        let body = match request.body() {
            None => "no body".to_owned(),
            Some(body) => match body.as_bytes() {
                Some(bytes) => told(bytes),
                None => "a form with files".to_owned(),
            },
        };
        format!("-> {} {}\n{}   {body}", request.method(), address(request.url()), headers(request.headers()))
    });
}

/// Tells the fields of a form; of a file only how large it is.
pub(super) fn form(fields: &[(String, String)]) {
    tell(|| {
        let fields: Vec<String> = fields.iter().map(|(name, text)| format!("{name}={}", elided_text(text))).collect();
        format!("-- form {}", fields.join(" "))
    });
}

/// Tells an answer.
pub(super) fn answer(to: &(String, Url), status: u16, took: Duration, all: &HeaderMap, body: &[u8]) {
    tell(|| format!("<- {status} to {} {} after {} ms\n{}   {}", to.0, address(&to.1), took.as_millis(), headers(all), told(body)));
}

/// Tells an answer out of which a picture of so many bytes was taken while it came.
pub(super) fn sifted(to: &(String, Url), status: u16, took: Duration, all: &HeaderMap, rest: &[u8], picture: usize) {
    tell(|| {
        let (to, url) = (&to.0, address(&to.1));
        format!(
            "<- {status} to {to} {url} after {} ms\n{}   {}\n   [base64, a picture of {picture} bytes]",
            took.as_millis(),
            headers(all),
            told(rest)
        )
    });
}

/// Tells that the bytes of a picture begin to come.
pub(super) fn picture(to: &Url, status: u16, took: Duration, all: &HeaderMap) {
    tell(|| format!("<- {status} to GET {} after {} ms\n{}   [bytes of a file]", address(to), took.as_millis(), headers(all)));
}

/// Tells that there is no answer.
pub(super) fn broken(to: &(String, Url), took: Duration, why: &str) {
    tell(|| format!("<- nothing to {} {} after {} ms: {why}", to.0, address(&to.1), took.as_millis()));
}

fn tell(line: impl FnOnce() -> String) {
    let Some(sink) = SINK.get() else { return };
    let mut text = line();
    for key in KEYS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        text = key.taken_out_of(&text).into_owned();
    }
    let lines: Vec<String> = text.lines().map(|line| visible(line).into_owned()).collect();
    sink(&lines.join("\n"));
}

/// Returns an address without what may be a secret in it: a user, a signature in the query.
pub(super) fn address(url: &Url) -> String {
    let mut text = match url.host_str() {
        Some(host) => format!("{}://{host}{}", url.scheme(), url.port().map_or(String::new(), |port| format!(":{port}"))),
        None => format!("{}:", url.scheme()),
    };
    text.push_str(url.path());
    for (place, (name, value)) in url.query_pairs().enumerate() {
        text.push_str(if place == 0 { "?" } else { "&" });
        let value = if is_secret(&name) || value.len() > 80 { REDACTED } else { &value };
        text.push_str(&format!("{name}={value}"));
    }
    text
}

/// Returns whether what is called so may be a secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    if name == "idempotency-key" {
        return false;
    }
    ["auth", "key", "token", "secret", "cookie", "sign", "sig", "credential", "password", "session"].iter().any(|word| name.contains(word))
}

fn headers(all: &HeaderMap) -> String {
    let line = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        let text = if value.is_sensitive() || is_secret(name.as_str()) {
            REDACTED.to_owned()
        } else {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        };
        format!("   {name}: {}\n", cut(&text))
    };
    all.iter().map(line).collect()
}

/// Returns a body as it is told: JSON with its long texts left out, anything else by its length.
fn told(body: &[u8]) -> String {
    match super::body::read(body) {
        Ok(value) => cut(&elided(&value).to_string()),
        Err(_) if body.is_empty() => "no body".to_owned(),
        Err(_) => format!("[{} bytes that are no JSON]", body.len()),
    }
}

fn elided(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(elided_text(text)),
        Value::Array(items) => items.iter().map(elided).collect(),
        Value::Object(map) => {
            let field = |(name, value): (&String, &Value)| {
                // Counts of tokens are numbers; a text under such a name may be a secret.
                let value = if is_secret(name) && value.is_string() { json!(REDACTED) } else { elided(value) };
                (name.clone(), value)
            };
            Value::Object(map.iter().map(field).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// Returns a text, or what it is and how long, where it is a picture; addresses lose the values of their query.
fn elided_text(text: &str) -> String {
    if let Some((media, rest)) = text.strip_prefix("data:").and_then(|rest| rest.split_once(',')) {
        return format!("[data address of {}, {} characters]", media.chars().take(40).collect::<String>(), rest.len());
    }
    let is_base64 = |char: u8| char.is_ascii_alphanumeric() || matches!(char, b'+' | b'/' | b'=' | b'-' | b'_');
    if text.len() >= SHORTEST_PICTURE && text.bytes().all(is_base64) {
        return format!("[base64, {} characters]", text.len());
    }
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => {
            if url.query().is_some() {
                format!("{}?…", address(&url).split('?').next().unwrap_or_default())
            } else {
                address(&url)
            }
        }
        // JSON inside a text, as some providers have it.
        _ => match serde_json::from_str::<Value>(text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => elided(&inner).to_string(),
            _ => text.to_owned(),
        },
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let (kept, all): (String, usize) = (text.chars().take(LONGEST).collect(), text.chars().count());
    format!("{kept}… [{all} characters]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_and_signatures_are_told_by_what_they_are() {
        let body = json!({
            "prompt": "a cup", "image": format!("data:image/png;base64,{}", "A".repeat(1000)), "b64_json": "QUJD".repeat(100),
            "url": "https://files.example.com/a.png?X-Amz-Signature=abc&e=1", "api_key": "abc", "usage": { "input_tokens": 12 },
            "resultJson": "{\"resultUrls\":[\"https://files.example.com/b.png?sig=abc\"]}",
        });
        insta::assert_snapshot!(told(body.to_string().as_bytes()), @r#"{"api_key":"[redacted]","b64_json":"[base64, 400 characters]","image":"[data address of image/png;base64, 1000 characters]","prompt":"a cup","resultJson":"{\"resultUrls\":[\"https://files.example.com/b.png?…\"]}","url":"https://files.example.com/a.png?…","usage":{"input_tokens":12}}"#);
        assert_eq!(told(b"\x89PNG\r\n\x1a\n"), "[8 bytes that are no JSON]");
        assert_eq!(told(b""), "no body");
    }

    #[test]
    fn headers_that_may_be_secrets_are_named_and_not_told() {
        let mut all = HeaderMap::new();
        for (name, value) in [("authorization", "Bearer abc"), ("x-key", "abc"), ("set-cookie", "a=b"), ("retry-after", "3")] {
            all.insert(name, value.parse().expect("a value"));
        }
        assert_eq!(headers(&all), "   authorization: [redacted]\n   x-key: [redacted]\n   set-cookie: [redacted]\n   retry-after: 3\n");
        let address = address(&Url::parse("https://u:p@api.example.com:8443/v1?task=1&sig=abc").expect("an address"));
        assert_eq!(address, "https://api.example.com:8443/v1?task=1&sig=[redacted]");
    }

    #[test]
    fn long_texts_are_cut() {
        let text = told(json!({ "prompt": "word ".repeat(1000) }).to_string().as_bytes());
        assert!(text.ends_with("… [5013 characters]") && text.chars().count() < LONGEST + 40, "{text}");
    }
}
