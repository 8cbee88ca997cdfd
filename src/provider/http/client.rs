//! The wire: one exchange, once, with limits.
//!
//! In: a request that is ready. Out: an [`Answer`], or [`Broken`] with the one thing that matters for money: whether a byte may have left.
//! Never: a retry, a redirect, a proxy, a cookie, decompression, a body without a limit.

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, RequestBuilder, Response};

use super::addresses::is_public;
use super::answer::{Answer, retry_after};
use super::trace;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(15);

/// How long a connection may be silent while a body is read.
const SILENCE: Duration = Duration::from_secs(60);

/// Longest error that is taken for a sentence, 4 KiB.
const LONGEST_SENTENCE: usize = 4 << 10;

/// Connections that are kept for the next pictures of a host: each that has brought a large one keeps half a megabyte to read into.
const IDLE: usize = 4;

/// Who we say we are; some hosts refuse clients that do not say it.
const USER_AGENT: &str = concat!("callsheet/", env!("CARGO_PKG_VERSION"));

/// Largest answer without a picture in it, 1 MiB.
pub(super) const SMALL: usize = 1 << 20;

/// Largest answer with a picture in it, 48 MiB: base64 of a PNG of 36 MB. The largest that is sold so, 3840x2160, has at most 33 MB.
pub(super) const LARGE: usize = 48 << 20;

/// Connections by what they are for. Clones share them.
#[derive(Clone)]
pub(super) struct Clients {
    /// For submits. A connection is used once: an old one that breaks leaves open whether the request was read.
    pub(super) paid: Client,
    /// For all that costs nothing.
    pub(super) free: Client,
    /// For pictures of strangers' hosts: names that lead to private addresses do not resolve.
    pub(super) files: Client,
    /// For pictures of the place that the user has put in the provider's.
    pub(super) own_files: Client,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Broken {
    /// No byte of the request has left.
    Before(String),
    /// Some may have.
    After(&'static str, String),
}

impl Clients {
    /// Prepares the connections; `secure` says whether any of them will be encrypted, `own` whether pictures may come from a place of the user's.
    ///
    /// # Errors
    /// A system without certificates.
    pub(super) fn new(secure: bool, own: bool) -> Result<Self, String> {
        // The second caller finds the provider installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let build = |builder: ClientBuilder| builder.build().map_err(|error| chain(&error));
        let own_files = |secure| plain(secure).read_timeout(SILENCE).pool_max_idle_per_host(IDLE);
        let files = |secure| build(own_files(secure).dns_resolver(Arc::new(PublicOnly)));
        // Where nothing is encrypted no certificate is missed, and pictures come from the same place.
        let files = files(true).or_else(|error| if secure { Err(error) } else { files(false) })?;
        Ok(Self {
            paid: build(plain(secure).pool_max_idle_per_host(0))?,
            free: build(plain(secure))?,
            own_files: if own { build(own_files(secure))? } else { files.clone() },
            files,
        })
    }
}

fn plain(secure: bool) -> ClientBuilder {
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .no_proxy()
        .connect_timeout(CONNECT);
    // Reading the system's certificates takes time and fails in bare containers.
    if secure { builder } else { builder.tls_certs_only([]) }
}

/// Sends a request, once, and reads the answer up to `limit` bytes.
pub(super) async fn exchange(request: RequestBuilder, timeout: Duration, limit: usize) -> Result<Answer, Broken> {
    whole(begun(request, timeout).await?, limit).await
}

/// When a request left, and where to: for traces of its answer.
#[derive(Clone)]
struct Sent {
    method: String,
    at: Instant,
}

/// Sends a request, once, and waits for the head of the answer; its body must come within the same time.
pub(super) async fn begun(request: RequestBuilder, timeout: Duration) -> Result<Response, Broken> {
    let (client, built) = request.timeout(timeout).build_split();
    let built = built.map_err(broken)?;
    trace::request(&built);
    let (sent, url) = (Sent { method: built.method().to_string(), at: Instant::now() }, built.url().clone());
    match client.execute(built).await {
        Ok(mut response) => {
            response.extensions_mut().insert(sent);
            Ok(response)
        }
        Err(error) => {
            let broken = broken(error);
            trace::broken(&(sent.method, url), sent.at.elapsed(), why(&broken));
            Err(broken)
        }
    }
}

/// Notes an answer that has come, for traces; `picture` are the bytes that were taken out of it.
pub(super) fn noted(response: &Response, body: &[u8], picture: Option<usize>) {
    let Some(sent) = response.extensions().get::<Sent>() else { return };
    let to = (sent.method.clone(), response.url().clone());
    let (status, took, headers) = (response.status().as_u16(), sent.at.elapsed(), response.headers());
    match picture {
        Some(picture) => trace::sifted(&to, status, took, headers, body, picture),
        None => trace::answer(&to, status, took, headers, body),
    }
}

/// Notes an answer that broke off, for traces.
pub(super) fn noted_broken(response: &Response, broken: &Broken) {
    if let Some(sent) = response.extensions().get::<Sent>() {
        trace::broken(&(sent.method.clone(), response.url().clone()), sent.at.elapsed(), why(broken));
    }
}

fn why(broken: &Broken) -> &str {
    let (Broken::Before(why) | Broken::After(_, why)) = broken;
    why
}

/// Reads the rest of an answer up to `limit` bytes.
pub(super) async fn whole(mut response: Response, limit: usize) -> Result<Answer, Broken> {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let retry_after = retry_after(&headers, SystemTime::now());
    let answer = |body| Answer { status, retry_after, headers: headers.clone(), body };
    let too_large = || answer(Err(format!("it is larger than {} MB", limit >> 20)));
    let stated = response.content_length().unwrap_or(0);
    if stated > limit as u64 {
        return Ok(too_large());
    }
    // Room for what is stated, so that growing never holds an answer twice.
    let mut body = Vec::with_capacity(usize::try_from(stated).unwrap_or(0));
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > limit => return Ok(too_large()),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            // The status stands even if the reason does not arrive.
            Err(_) if status >= 400 => break,
            Err(error) => {
                let broken = broken(error);
                noted_broken(&response, &broken);
                return Err(broken);
            }
        }
    }
    noted(&response, &body, None);
    Ok(answer(read(status, &body)))
}

/// Reads the body of an answer: JSON, or the sentence that an error may be.
///
/// # Errors
/// Why it is neither.
pub(super) fn read(status: u16, body: &[u8]) -> Result<serde_json::Value, String> {
    let read = super::body::read(body).map_err(|error| format!("it is no JSON that is read ({error})"));
    if status >= 400 { read.or_else(|error| sentence(body).ok_or(error)) } else { read }
}

/// Returns an error that is a plain sentence, as some are; a page is none.
fn sentence(body: &[u8]) -> Option<serde_json::Value> {
    let text = std::str::from_utf8(body).ok().map(str::trim).filter(|text| !text.is_empty() && text.len() <= LONGEST_SENTENCE)?;
    (!text.starts_with(['<', '{', '['])).then(|| serde_json::Value::String(text.to_owned()))
}

/// Tells whether a byte may have left.
pub(super) fn broken(error: reqwest::Error) -> Broken {
    let error = error.without_url();
    let message = chain(&error);
    if error.is_builder() || error.is_connect() {
        return Broken::Before(message);
    }
    let code = if error.is_timeout() { "timeout" } else { "connection" };
    Broken::After(code, message)
}

/// Returns an error with all its causes: the outer ones say little.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = inner.source();
    }
    text
}

/// Resolves names to public addresses only, and the connection goes to the very addresses that were looked at.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let addresses: Addrs = Box::new(only_public(&found)?.into_iter());
            Ok(addresses)
        })
    }
}

/// Returns the public ones of the addresses that a name leads to; a connection is made to these very ones and to no other.
fn only_public(found: &[SocketAddr]) -> Result<Vec<SocketAddr>, &'static str> {
    let public: Vec<SocketAddr> = found.iter().copied().filter(|address| is_public(address.ip())).collect();
    if public.is_empty() && !found.is_empty() { Err("the name leads to a private address") } else { Ok(public) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_its_public_addresses_only() {
        let addresses = |all: &[&str]| -> Vec<SocketAddr> { all.iter().map(|one| one.parse().expect("an address")).collect() };
        let private =
            ["127.0.0.1:443", "10.0.0.8:443", "169.254.169.254:443", "[::1]:443", "[fe80::1]:443", "[::ffff:192.168.0.1]:443", "0.0.0.0:443"];
        for one in private {
            assert_eq!(only_public(&addresses(&[one])), Err("the name leads to a private address"), "{one}");
            assert_eq!(only_public(&addresses(&[one, "1.1.1.1:443"])), Ok(addresses(&["1.1.1.1:443"])), "{one}");
        }
        assert_eq!(only_public(&[]), Ok(Vec::new()));
    }

    #[tokio::test]
    async fn the_resolver_itself_refuses_names_of_this_machine() {
        for name in ["localhost", "localhost."] {
            let refused = match PublicOnly.resolve(name.parse().expect("a name")).await {
                Ok(_) => panic!("`{name}` was resolved"),
                Err(error) => error.to_string(),
            };
            // A system may know no name with a dot at its end; either way there is no address.
            assert!(refused == "the name leads to a private address" || name.ends_with('.'), "{name}: {refused}");
        }
    }
}
